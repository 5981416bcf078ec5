//! Augmentation as a list of words, `rrc=0.35,flip,jitter=0.4,rand=2:9,mixup=0.2`: read, and written as it is read.

use super::Augment;
use super::mix::Mix;
use super::preset::{PRESETS, Subject, preset};
use super::shift::Border;
use super::step::{Step, within};
use crate::error::{did_you_mean, near};
use std::fmt;
use std::str::FromStr;

/// Why an augmentation cannot be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AugmentError {
    /// No item is called that.
    #[error("`{name}` is no augmentation{}; there are {}", did_you_mean(near), names())]
    Unknown {
        /// The name as given.
        name: String,
        /// Names that look alike.
        near: Vec<String>,
    },
    /// A value that cannot be read, or one too many.
    #[error("`{item}`: {why}")]
    Value {
        /// The item as given.
        item: String,
        /// What is wrong.
        why: String,
    },
    /// A value out of bounds.
    #[error("`{item}`: {what} is {value}; {least} to {most} is possible")]
    Range {
        /// The item.
        item: String,
        /// Which of its values.
        what: &'static str,
        /// That value.
        value: f64,
        /// The least that is possible.
        least: f64,
        /// The most that is possible.
        most: f64,
    },
    /// More than one crop window.
    #[error("{0} crop windows are drawn; only one is possible")]
    Windows(usize),
    /// A list without items.
    #[error("the list is empty; `none` turns augmentation off")]
    Empty,
}

/// The names of items.
const ITEMS: [&str; 14] = [
    "rrc", "shift", "flip", "vflip", "affine", "rotate", "jitter", "grey", "blur", "rand", "trivial", "erase", "mixup",
    "cutmix",
];

fn names() -> String {
    [PRESETS.as_slice(), &ITEMS].concat().join(", ")
}

/// What an item of a list does to what stands before it.
enum Item {
    Step(Step),
    Mixup(f64),
    Cutmix(f64),
}

impl Augment {
    /// Reads a list: items `name`, `name=value` or `name=value:value` with commas between, and names of presets, which stand
    /// for lists that suit the `subject` in an input of `width` pixels. An item that was there before takes its new values;
    /// `name=off` takes it out.
    ///
    /// # Errors
    /// [`AugmentError`], with the item.
    pub fn parse(list: &str, subject: Subject, width: u32) -> Result<Self, AugmentError> {
        let mut augment = Self::default();
        let items = |list: &str| -> Vec<String> {
            list.split(',').map(|item| item.trim().to_lowercase()).filter(|item| !item.is_empty()).collect()
        };
        let given = items(list);
        if given.is_empty() {
            return Err(AugmentError::Empty);
        }
        for item in given {
            match preset(&item, subject, width) {
                Some(list) => items(&list).iter().try_for_each(|item| augment.take(item))?,
                None => augment.take(&item)?,
            }
        }
        Ok(augment)
    }

    /// Puts a step in the place of the one of its kind, or last; one that changes nothing takes that one out.
    fn set(&mut self, step: Step) {
        if step.is_idle() {
            return self.remove(step.name());
        }
        match self.steps.iter_mut().find(|s| s.name() == step.name()) {
            Some(old) => *old = step,
            None => self.steps.push(step),
        }
    }

    /// Shifts by up to this many pixels, and fills what moves in as before; by 0, not at all.
    pub fn shift(&mut self, pixels: u32) {
        let border =
            self.steps.iter().find_map(|s| if let Step::Shift { border, .. } = s { Some(*border) } else { None });
        self.set(Step::Shift { pixels, border: border.unwrap_or_default() });
    }

    /// Mirrors, or does not.
    pub fn flip(&mut self, flip: bool) {
        if flip { self.set(Step::Flip) } else { self.remove("flip") }
    }

    /// Takes the item of this name out.
    fn remove(&mut self, name: &str) {
        match name {
            "mixup" => self.mix.mixup = 0.0,
            "cutmix" => self.mix.cutmix = 0.0,
            "rotate" => self.remove("affine"),
            _ => self.steps.retain(|step| step.name() != name),
        }
    }

    /// Does what an item says.
    fn take(&mut self, item: &str) -> Result<(), AugmentError> {
        if let Some(name) = item.strip_suffix("=off")
            && ITEMS.contains(&name)
        {
            self.remove(name);
            return Ok(());
        }
        match read(item)? {
            Item::Step(step) => {
                step.check()?;
                self.set(step);
            }
            Item::Mixup(alpha) => self.mix.mixup = alpha,
            Item::Cutmix(alpha) => self.mix.cutmix = alpha,
        }
        self.mix.check()
    }
}

/// An item's values.
struct Values<'a> {
    item: &'a str,
    given: Vec<&'a str>,
}

impl Values<'_> {
    /// The value at a place, or this one where there are fewer.
    fn or<T: FromStr>(&self, place: usize, otherwise: T) -> Result<T, AugmentError> {
        let Some(text) = self.given.get(place) else { return Ok(otherwise) };
        text.parse().map_err(|_| self.wrong(format!("`{text}` is not the number that is expected there")))
    }

    fn wrong(&self, why: String) -> AugmentError {
        AugmentError::Value { item: self.item.to_owned(), why }
    }

    /// Refuses more values than an item has.
    fn at_most(&self, most: usize) -> Result<(), AugmentError> {
        match self.given.len() {
            n if n <= most => Ok(()),
            n if most == 0 => Err(self.wrong(format!("it takes no value, and {n} are given"))),
            n => Err(self.wrong(format!("it takes {most} values at most, and {n} are given"))),
        }
    }
}

fn read(item: &str) -> Result<Item, AugmentError> {
    let (name, given) = match item.split_once('=') {
        Some((name, values)) => (name.trim(), values.split(':').map(str::trim).collect()),
        None => (item, Vec::new()),
    };
    let v = Values { item, given };
    let (most, read) = match name {
        "rrc" => {
            let (area, ratio) = ([v.or(0, 0.35)?, v.or(1, 1.0)?], [v.or(2, 3.0 / 4.0)?, v.or(3, 4.0 / 3.0)?]);
            (4, Item::Step(Step::Crop { area, ratio }))
        }
        "shift" => {
            let border = match v.given.get(1) {
                None | Some(&"black") => Border::Black,
                Some(&"reflect") => Border::Reflect,
                Some(other) => return Err(v.wrong(format!("`{other}` is no border; there are black and reflect"))),
            };
            (2, Item::Step(Step::Shift { pixels: v.or(0, 4)?, border }))
        }
        "flip" => (0, Item::Step(Step::Flip)),
        "vflip" => (0, Item::Step(Step::VerticalFlip)),
        "affine" => {
            let (degrees, scale, shear) = (v.or(0, 10.0)?, v.or(1, 0.15)?, v.or(2, 0.2)?);
            (3, Item::Step(Step::Affine { degrees, scale, shear }))
        }
        "rotate" => (1, Item::Step(Step::Affine { degrees: v.or(0, 10.0)?, scale: 0.0, shear: 0.0 })),
        "jitter" => {
            let brightness = v.or(0, 0.4)?;
            let (contrast, saturation, hue) = (v.or(1, brightness)?, v.or(2, brightness)?, v.or(3, 0.0)?);
            (4, Item::Step(Step::Jitter { brightness, contrast, saturation, hue }))
        }
        "grey" => (1, Item::Step(Step::Grey { share: v.or(0, 0.1)? })),
        "blur" => (2, Item::Step(Step::Blur { sigma: v.or(0, 2.0)?, share: v.or(1, 0.5)? })),
        "rand" => (2, Item::Step(Step::RandAugment { operations: v.or(0, 2)?, magnitude: v.or(1, 9)? })),
        "trivial" => (0, Item::Step(Step::TrivialAugment)),
        "erase" => (1, Item::Step(Step::Erase { share: v.or(0, 0.25)? })),
        "mixup" => (1, Item::Mixup(v.or(0, 0.2)?)),
        "cutmix" => (1, Item::Cutmix(v.or(0, 1.0)?)),
        _ => {
            return Err(AugmentError::Unknown {
                name: name.to_owned(),
                near: near(name, PRESETS.into_iter().chain(ITEMS)),
            });
        }
    };
    v.at_most(most)?;
    Ok(read)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match *self {
            Self::Crop { area: [least, most], ratio } if ratio == [3.0 / 4.0, 4.0 / 3.0] => {
                write!(f, "{name}={least}:{most}")
            }
            Self::Crop { area: [least, most], ratio: [narrow, wide] } => {
                write!(f, "{name}={least}:{most}:{narrow}:{wide}")
            }
            Self::Shift { pixels, border: Border::Black } => write!(f, "{name}={pixels}"),
            Self::Shift { pixels, border: Border::Reflect } => write!(f, "{name}={pixels}:reflect"),
            Self::Affine { degrees, scale, shear } => write!(f, "{name}={degrees}:{scale}:{shear}"),
            Self::Jitter { brightness: b, contrast, saturation, hue: 0.0 } if contrast == b && saturation == b => {
                write!(f, "{name}={b}")
            }
            Self::Jitter { brightness, contrast, saturation, hue } => {
                write!(f, "{name}={brightness}:{contrast}:{saturation}:{hue}")
            }
            Self::Grey { share } | Self::Erase { share } => write!(f, "{name}={share}"),
            Self::Blur { sigma, share } => write!(f, "{name}={sigma}:{share}"),
            Self::RandAugment { operations, magnitude } => write!(f, "{name}={operations}:{magnitude}"),
            Self::Flip | Self::VerticalFlip | Self::TrivialAugment => f.write_str(name),
        }
    }
}

/// The list that [`Augment::parse`] reads as this.
impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mix { mixup, cutmix } = self.mix;
        let mixes = [("mixup", mixup), ("cutmix", cutmix)].into_iter().filter(|(_, alpha)| *alpha > 0.0);
        let mixes = mixes.map(|(name, alpha)| format!("{name}={alpha}"));
        let items: Vec<String> = self.steps.iter().map(Step::to_string).chain(mixes).collect();
        f.write_str(if items.is_empty() { "none".to_owned() } else { items.join(",") }.as_str())
    }
}

impl Mix {
    /// Refuses what is out of bounds.
    pub(super) fn check(&self) -> Result<(), AugmentError> {
        for (name, alpha) in [("mixup", self.mixup), ("cutmix", self.cutmix)] {
            within(&format!("{name}={alpha}"), "α", alpha, &(0.0..=Self::MOST_ALPHA))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<Augment, AugmentError> {
        Augment::parse(list, Subject::Photograph, 224)
    }

    #[test]
    fn lists_are_written_as_they_are_read() {
        for (list, written) in [
            ("none", "none"),
            (" RRC , flip,,", "rrc=0.35:1,flip"),
            ("rrc=0.08:0.5:0.5:2", "rrc=0.08:0.5:0.5:2"),
            ("shift=3:reflect,vflip,rotate=20", "shift=3:reflect,vflip,affine=20:0:0"),
            ("jitter=0.4,jitter=0.4:0.3:0.2:0.1", "jitter=0.4:0.3:0.2:0.1"),
            ("jitter,grey,blur,rand,trivial,erase", "jitter=0.4,grey=0.1,blur=2:0.5,rand=2:9,trivial,erase=0.25"),
            ("mixup,flip,cutmix", "flip,mixup=0.2,cutmix=1"),
            ("flip,erase=0.5,jitter=off,erase=0,flip", "flip"),
            ("affine,mixup,rotate=off,mixup=off", "none"),
        ] {
            let augment = read(list).unwrap();
            assert_eq!(augment.to_string(), written);
            assert_eq!(read(written).unwrap(), augment);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_item() {
        for (list, message) in [
            ("flop", "`flop` is no augmentation; did you mean flip"),
            ("flip,zigzag=3", "`zigzag` is no augmentation; there are"),
            ("erase=1.5", "`erase=1.5`: the share of images is 1.5; 0 to 1 is possible"),
            ("rrc=0.5:0.2", "`rrc=0.5:0.2`: the most area is 0.2; 0.5 to 1 is possible"),
            ("rand=2:31", "`rand=2:31`: the strength is 31; 0 to 30 is possible"),
            ("rand=two", "`rand=two`: `two` is not the number that is expected there"),
            ("jitter=nan", "the brightness is NaN"),
            ("shift=4:grey", "`shift=4:grey`: `grey` is no border"),
            ("shift=-4", "`-4` is not the number"),
            ("flip=0.5", "`flip=0.5`: it takes no value, and 1 are given"),
            ("erase=0.1:0.2", "`erase=0.1:0.2`: it takes 1 values at most, and 2 are given"),
            ("mixup=-1", "`mixup=-1`: α is -1; 0 to 100 is possible"),
            ("strong=off", "`strong` is no augmentation"),
            ("", "the list is empty"),
        ] {
            let error = read(list).unwrap_err().to_string();
            assert!(error.contains(message), "{list}: {error}");
        }
    }
}
