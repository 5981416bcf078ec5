//! What can be wrong with annotations, and what becomes of it.

use std::fmt;
use std::path::PathBuf;

/// Something wrong, with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The file that is wrong, or that says what is wrong.
    pub path: PathBuf,
    /// Where in it: `object 3 (dog)`, `line 2`; may be empty.
    pub place: String,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// A picture's annotations cannot be read.
    #[error("these annotations cannot be read: {0}")]
    Unreadable(String),
    /// A picture is annotated or listed, but is not there.
    #[error("there is no picture {0}")]
    NoPicture(String),
    /// A picture is listed, but has no annotations.
    #[error("it is listed, but has no annotations at {0}")]
    NoAnnotation(String),
    /// A picture cannot be read.
    #[error("its picture {0}")]
    BadPicture(String),
    /// The annotations are made for a picture of another size.
    #[error("it is made for a picture of {}×{} pixels, but the picture has {}×{}", declared.0, declared.1, found.0, found.1)]
    OtherSize {
        /// Width and height that the annotations state.
        declared: (u32, u32),
        /// The picture's.
        found: (u32, u32),
    },
    /// A picture is in two parts.
    #[error("it is listed in {0} too; each picture is of one part")]
    ListedTwice(String),
    /// Two pictures have the same number.
    #[error("the image id {0} is given twice")]
    SamePictureId(i64),
    /// Something that an object must have is not there.
    #[error("there is no {0}")]
    Missing(String),
    /// Something should be a number.
    #[error("{what} is '{found}', which is no number that can be used")]
    NotANumber {
        /// What should be.
        what: String,
        /// What stands there.
        found: String,
    },
    /// A mark that is neither 0 nor 1.
    #[error("{what} is '{found}', and must be 0 or 1")]
    Mark {
        /// Which.
        what: &'static str,
        /// What stands there.
        found: String,
    },
    /// A box whose edges are the wrong way round.
    #[error("the box is turned round: its edges are {left} to {right} and {top} to {bottom}")]
    Turned {
        /// The left edge.
        left: f64,
        /// The right edge.
        right: f64,
        /// The top edge.
        top: f64,
        /// The bottom edge.
        bottom: f64,
    },
    /// A box without width or height.
    #[error("the box has no area: it is {width} wide and {height} high")]
    NoArea {
        /// Its width.
        width: f64,
        /// Its height.
        height: f64,
    },
    /// A box that lies beside its picture.
    #[error("the box, {bounds}, lies outside its picture of {}×{} pixels", picture.0, picture.1)]
    Outside {
        /// The box, for people.
        bounds: String,
        /// The picture's width and height.
        picture: (u32, u32),
    },
    /// A box that reaches beyond its picture.
    #[error("the box, {bounds}, reaches beyond its picture of {}×{} pixels", picture.0, picture.1)]
    Beyond {
        /// The box, for people.
        bounds: String,
        /// The picture's width and height.
        picture: (u32, u32),
    },
    /// An object that is there already.
    #[error("it is the same class and box as {0}")]
    Repeated(String),
    /// A class that is not declared.
    #[error("its class is {found}, and {declared}")]
    UnknownClass {
        /// The class as given.
        found: String,
        /// What there is.
        declared: String,
    },
    /// An object of a picture that is not listed.
    #[error("it is of image {0}, which the file does not list")]
    UnknownPicture(i64),
    /// A line of a wrong number of fields.
    #[error(
        "the line has {0} fields; a box is 5 (class, centre x, centre y, width, height), an outline an odd number from 7"
    )]
    Fields(usize),
    /// A place that should be a share of the picture.
    #[error("{what} is {found}, and must be a share of the picture, from 0 to 1; are these pixels?")]
    NotAShare {
        /// Which.
        what: &'static str,
        /// What stands there.
        found: f64,
    },
}

/// What becomes of what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The picture is left out, with all its objects.
    PictureLeftOut,
    /// The object is left out.
    ObjectLeftOut,
    /// The box is cut off at the picture's edges, and used.
    Mended,
}

impl Flaw {
    /// What becomes of it.
    pub fn consequence(&self) -> Consequence {
        match self {
            Self::Unreadable(_)
            | Self::NoPicture(_)
            | Self::NoAnnotation(_)
            | Self::BadPicture(_)
            | Self::OtherSize { .. }
            | Self::SamePictureId(_)
            | Self::ListedTwice(_) => Consequence::PictureLeftOut,
            Self::Beyond { .. } => Consequence::Mended,
            _ => Consequence::ObjectLeftOut,
        }
    }

    /// A short name for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::NoPicture(_) => "no_picture",
            Self::NoAnnotation(_) => "no_annotation",
            Self::BadPicture(_) => "bad_picture",
            Self::OtherSize { .. } => "other_size",
            Self::ListedTwice(_) => "listed_twice",
            Self::SamePictureId(_) => "same_picture_id",
            Self::Missing(_) => "missing",
            Self::NotANumber { .. } => "not_a_number",
            Self::Mark { .. } => "mark",
            Self::Turned { .. } => "turned",
            Self::NoArea { .. } => "no_area",
            Self::Outside { .. } => "outside",
            Self::Beyond { .. } => "beyond",
            Self::Repeated(_) => "repeated",
            Self::UnknownClass { .. } => "unknown_class",
            Self::UnknownPicture(_) => "unknown_picture",
            Self::Fields(_) => "fields",
            Self::NotAShare { .. } => "not_a_share",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comma = if self.place.is_empty() { "" } else { ", " };
        let then = match self.flaw.consequence() {
            Consequence::PictureLeftOut => "the picture is left out",
            Consequence::ObjectLeftOut => "left out",
            Consequence::Mended => "cut off there",
        };
        write!(f, "{}{comma}{}: {}; {then}", self.path.display(), self.place, self.flaw)
    }
}
