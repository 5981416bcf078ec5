//! The list of everything that can be wrong with a data set, worst first: what it is called, how bad it is, what to do,
//! and whether a cleaning leaves the images out.

use serde::{Serialize, Serializer};

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Images are lost, or results will be wrong.
    Error,
    /// Probably not meant, and worth a look.
    Warning,
    /// Worth knowing.
    Notice,
}

impl Severity {
    /// In a word: `error`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// What a cleaning does, if nothing else is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cleaning {
    Exclude,
    Keep,
}

struct Facts {
    code: &'static str,
    severity: Severity,
    cleaning: Cleaning,
    title: &'static str,
    remedy: &'static str,
}

macro_rules! faults {
    ($($name:ident $code:literal $severity:ident $cleaning:ident $title:literal $remedy:literal)*) => {
        /// What can be wrong with a data set; worst first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $(#[doc = $title] $name,)*
        }

        impl Fault {
            /// Every fault there is, worst first.
            pub const ALL: &[Fault] = &[$(Fault::$name,)*];

            fn facts(self) -> Facts {
                match self {
                    $(Self::$name => Facts {
                        code: $code,
                        severity: Severity::$severity,
                        cleaning: Cleaning::$cleaning,
                        title: $title,
                        remedy: $remedy,
                    },)*
                }
            }
        }
    };
}

faults! {
    Layout "layout" Error Keep
        "a layout that cannot be trained on"
        "Arrange the folders as the message says."
    OneClass "one-class" Error Keep
        "fewer than two classes"
        "Telling classes apart needs two or more: give the folder that holds one folder a class."
    UnknownClass "unknown-class" Error Keep
        "classes to validate or test with, but without training images"
        "Add training images, correct the folder's name, or take the class out of the other parts."
    NoPermission "no-permission" Error Exclude
        "files and folders that may not be read"
        "Grant the right to read them (chmod, chown)."
    BrokenLink "broken-link" Error Exclude
        "links to nothing"
        "Restore what they point to, or remove the links."
    EmptyFile "empty-file" Error Exclude
        "empty files"
        "Fetch or copy them again; a copy that was interrupted leaves such files."
    Truncated "truncated" Error Exclude
        "images that are cut short"
        "Fetch or copy them again. Lenient decoders fill the missing part with grey, and networks learn from that."
    Damaged "damaged" Error Exclude
        "damaged images"
        "Fetch them again or restore them from a backup."
    NotAnImage "not-an-image" Error Exclude
        "files that are named as images and are none"
        "Look at what they hold: often it is a web page with an error message, saved under the image's name."
    Unsupported "unsupported" Error Exclude
        "images of a kind that is not read"
        "Convert them to JPEG or PNG."
    TooLarge "too-large" Error Exclude
        "images with more pixels than allowed"
        "Shrink them, or raise --max-pixels here and in training."
    LabelConflict "label-conflict" Error Exclude
        "pictures that lie in several classes"
        "Decide which label is right and remove the other copies; until then none of them teaches anything."
    Leak "leak" Error Exclude
        "pictures that lie in several parts"
        "Results on pictures seen in training are too good: keep each in one part only."
    NearConflict "near-conflict" Warning Keep
        "nearly the same picture in several classes"
        "Look at them: if they show the same thing, decide which label is right."
    NearLeak "near-leak" Warning Keep
        "nearly the same picture in several parts"
        "Look at them: copies, neighbouring frames and pictures of one subject belong in one part."
    Duplicate "duplicate" Warning Exclude
        "copies of a picture within a class"
        "Keep one of each; copies count several times in training and in results."
    WrongExtension "wrong-extension" Warning Keep
        "images named as another format"
        "Rename them; here the content counts, but other programs go by the name."
    ImageNotNamedSo "image-not-named-so" Warning Keep
        "images whose names are not of images"
        "They are passed over: name them .jpg, .png, … if they belong to the data."
    OtherFormat "other-format" Warning Keep
        "images of formats that are not read"
        "They are passed over: convert them to JPEG or PNG if they belong to the data."
    OutsideClass "outside-class" Warning Keep
        "images outside any class folder"
        "They are passed over: put them into a class folder if they belong to the data."
    OutsideParts "outside-parts" Warning Keep
        "folders beside train, val and test"
        "They are passed over: move them into a part if they belong to the data."
    LinkLoop "link-loop" Warning Keep
        "links to a folder that they lie in"
        "They are passed over: remove them."
    EmptyClass "empty-class" Warning Keep
        "class folders without images"
        "Fill or remove them; until then the class is left out."
    ClassMissing "class-missing" Warning Keep
        "classes that are missing in a part"
        "Move images of them into that part, or nothing can be said about them there."
    FewImages "few-images" Warning Keep
        "classes with few training images"
        "Gather more; below some tens a class, start from trained weights."
    Imbalance "imbalance" Warning Keep
        "classes of very different size"
        "Gather more of the small ones, weight the classes, and look at the recall of each."
    ClassNamesAlike "class-names-alike" Warning Keep
        "names of classes that are probably the same one"
        "Join the folders if they mean the same."
    ClassTell "class-tell" Warning Keep
        "properties of files that give a class away"
        "Bring all images to the same form, or a network learns the form instead of what is shown."
    Blank "blank" Warning Keep
        "pictures of one colour"
        "Look at them: there is nothing in them to learn from."
    Tiny "tiny" Warning Keep
        "tiny pictures"
        "Look at them: thumbnails and placeholders are enlarged to what the network sees, and stay without detail."
    ExtremeShape "extreme-shape" Warning Keep
        "very long or very tall pictures"
        "Cut them to what they show: fitted to a square they are distorted or lose most of their content."
    CaseCollision "case-collision" Warning Keep
        "names that differ in nothing but case"
        "Rename one: Windows and macOS cannot keep both in one folder."
    Huge "huge" Notice Keep
        "huge pictures"
        "Shrink them to about the size of the others: decoding them takes most of the time, and their detail is not used."
    Grey "grey" Notice Keep
        "grey pictures among colour ones"
        "Look at whether one class has more of them than others."
    Dark "dark" Notice Keep
        "very dark pictures"
        "Look at whether anything can be seen in them."
    Bright "bright" Notice Keep
        "very bright or overexposed pictures"
        "Look at whether anything can be seen in them."
    Blurred "blurred" Notice Keep
        "pictures much less sharp than the others"
        "Look at them: out of focus, or enlarged from a small one."
    NearDuplicate "near-duplicate" Notice Keep
        "nearly the same picture within a class"
        "Look at them; many of them make a data set smaller than it seems."
    Orientation "exif-orientation" Notice Keep
        "pictures that are stored turned (EXIF)"
        "They are turned upright here; annotations and programs that ignore EXIF see them lying."
    Cmyk "cmyk" Notice Keep
        "pictures in printing colours (CMYK)"
        "They are converted without a colour profile; convert them to RGB to decide how they look."
    Transparent "transparent" Notice Keep
        "pictures with transparency"
        "They are laid on white; other programs lay them on black, or drop transparency and show what is hidden."
    SixteenBit "sixteen-bit" Notice Keep
        "pictures with 16 bits a channel"
        "They are rounded to 8 bits; stretch them first if they use a small part of the range."
    Palette "palette" Notice Keep
        "pictures with a colour palette"
        "They have 256 colours at most, and bands where there were gradients; use the originals if there are some."
    Animated "animated" Notice Keep
        "pictures of several frames or pages"
        "The first is used; extract the others if they matter."
    LinkOutside "link-outside" Notice Keep
        "links out of the data set's folder"
        "They break when the folder is moved or packed; copy what they point to."
    OddName "odd-name" Notice Keep
        "names that other systems do not take"
        "Rename them before the data goes to another system."
    LongName "long-name" Notice Keep
        "paths that are too long for other systems"
        "Shorten them: Windows takes 260 characters, with the folders that the data lies in."
}

impl Fault {
    /// Its name for programs and options: `label-conflict`.
    pub fn code(self) -> &'static str {
        self.facts().code
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        self.facts().severity
    }

    /// What was found, in the plural and without an end: "empty files".
    pub fn title(self) -> &'static str {
        self.facts().title
    }

    /// What to do about it, in whole sentences.
    pub fn remedy(self) -> &'static str {
        self.facts().remedy
    }

    /// Whether a cleaning leaves the images out without being asked to.
    pub fn is_excluded(self) -> bool {
        self.facts().cleaning == Cleaning::Exclude
    }

    /// The fault of this code.
    pub fn find(code: &str) -> Option<Fault> {
        Self::ALL.iter().copied().find(|fault| fault.code() == code)
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_its_codes_are_names() {
        assert!(Fault::ALL.is_sorted_by_key(|fault| fault.severity()));
        for fault in Fault::ALL {
            let code = fault.code();
            assert_eq!(Fault::find(code), Some(*fault), "{code} is there twice");
            assert!(code.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{code}");
            assert!(fault.remedy().ends_with('.') && !fault.title().ends_with('.'), "{code}");
            assert!(!fault.is_excluded() || fault.severity() < Severity::Notice, "{code} is too harmless to leave out");
        }
    }
}
