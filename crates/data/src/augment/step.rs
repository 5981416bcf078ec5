//! One kind of change each, with its bounds; what it does stands in the file of its idea.

use super::list::AugmentError;
use super::shift::Border;
use super::{affine, auto, blur, colour, erase, flip, jitter, shift};
use crate::picture::Picture;
use crate::seeded::Lots;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// One kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// A window drawn in the decoded picture is what is brought to the network's size (Szegedy et al. 2014,
    /// arXiv:1409.4842, §6; sampled as torchvision's `RandomResizedCrop`).
    Crop {
        /// The least and the most of the picture's area that the window has, as shares.
        area: [f64; 2],
        /// Its least and most width in heights.
        ratio: [f64; 2],
    },
    /// Moved by up to this many pixels each way, both axes on their own; what moves in is as if images were padded and
    /// cut (He et al., 2015, §4.2, with zeros and 4 pixels).
    Shift {
        /// The most pixels along either axis.
        pixels: u32,
        /// What moves in.
        #[serde(default, skip_serializing_if = "Border::is_black")]
        border: Border,
    },
    /// Mirrored left to right in half of the cases.
    Flip,
    /// Turned upside down in half of the cases.
    VerticalFlip,
    /// Turned, scaled and sheared about the centre (Simard, Steinkraus, Platt 2003); black moves in.
    Affine {
        /// The most that it is turned by, in degrees, either way.
        degrees: f64,
        /// The most that each axis grows or shrinks by on its own, as a share of its length.
        scale: f64,
        /// The most that a row moves sideways for each row of height, either way.
        shear: f64,
    },
    /// Colours changed in an order drawn by lot; each factor is drawn from 1 − x to 1 + x, and not below 0.
    Jitter {
        /// The most that brightness changes by.
        brightness: f64,
        /// The most that contrast changes by.
        contrast: f64,
        /// The most that saturation changes by; grey pictures have none.
        saturation: f64,
        /// The most that the hue is turned by, either way, in whole turns: 0.5 at most.
        hue: f64,
    },
    /// Made grey, with as many channels as before.
    Grey {
        /// The share of images.
        share: f64,
    },
    /// Blurred by a Gaussian whose deviation is drawn from 0.1 pixels on.
    Blur {
        /// The largest deviation, in pixels.
        sigma: f64,
        /// The share of images.
        share: f64,
    },
    /// Some of 14 operations, one after the other, each at the same strength (Cubuk et al. 2019, arXiv:1909.13719; strengths
    /// as torchvision's).
    RandAugment {
        /// How many.
        operations: u32,
        /// Their strength, of 30.
        magnitude: u32,
    },
    /// One of 14 operations at a strength drawn by lot (Müller and Hutter 2021, arXiv:2103.10158, the wide space).
    TrivialAugment,
    /// A rectangle of noise (Zhong et al. 2017, arXiv:1708.04896), of 2 to 33 % of the area.
    Erase {
        /// The share of images.
        share: f64,
    },
}

impl Step {
    /// Its name in lists.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Crop { .. } => "rrc",
            Self::Shift { .. } => "shift",
            Self::Flip => "flip",
            Self::VerticalFlip => "vflip",
            Self::Affine { .. } => "affine",
            Self::Jitter { .. } => "jitter",
            Self::Grey { .. } => "grey",
            Self::Blur { .. } => "blur",
            Self::RandAugment { .. } => "rand",
            Self::TrivialAugment => "trivial",
            Self::Erase { .. } => "erase",
        }
    }

    /// Refuses what is out of bounds.
    pub(super) fn check(&self) -> Result<(), AugmentError> {
        let all = |bounds: &[(&'static str, f64, RangeInclusive<f64>)]| {
            bounds.iter().try_for_each(|(what, value, range)| within(&self.to_string(), what, *value, range))
        };
        match *self {
            Self::Crop { area: [least, most], ratio: [narrow, wide] } => all(&[
                ("the least area", least, 0.001..=1.0),
                ("the most area", most, least..=1.0),
                ("the least ratio", narrow, 0.01..=100.0),
                ("the most ratio", wide, narrow..=100.0),
            ]),
            Self::Affine { degrees, scale, shear } => all(&[
                ("the angle", degrees, 0.0..=180.0),
                ("the scale", scale, 0.0..=0.9),
                ("the shear", shear, 0.0..=10.0),
            ]),
            Self::Jitter { brightness, contrast, saturation, hue } => all(&[
                ("the brightness", brightness, 0.0..=10.0),
                ("the contrast", contrast, 0.0..=10.0),
                ("the saturation", saturation, 0.0..=10.0),
                ("the hue", hue, 0.0..=0.5),
            ]),
            Self::Blur { sigma, share } => {
                all(&[("the deviation", sigma, blur::LEAST_SIGMA..=100.0), ("the share of images", share, 0.0..=1.0)])
            }
            Self::RandAugment { operations, magnitude } => all(&[
                ("the number of operations", operations.into(), 0.0..=100.0),
                ("the strength", magnitude.into(), 0.0..=auto::STRONGEST.into()),
            ]),
            Self::Grey { share } | Self::Erase { share } => all(&[("the share of images", share, 0.0..=1.0)]),
            Self::Shift { .. } | Self::Flip | Self::VerticalFlip | Self::TrivialAugment => Ok(()),
        }
    }

    /// Whether it changes nothing, whatever is drawn.
    pub(super) fn is_idle(&self) -> bool {
        match *self {
            Self::Shift { pixels, .. } => pixels == 0,
            Self::Grey { share } | Self::Erase { share } | Self::Blur { share, .. } => share == 0.0,
            Self::Jitter { brightness, contrast, saturation, hue } => brightness + contrast + saturation + hue == 0.0,
            Self::Affine { degrees, scale, shear } => degrees + scale + shear == 0.0,
            Self::RandAugment { operations, .. } => operations == 0,
            Self::Crop { .. } | Self::Flip | Self::VerticalFlip | Self::TrivialAugment => false,
        }
    }

    /// Changes a fitted picture; a crop window has no part in that.
    pub(super) fn apply(self, picture: Picture, lots: &mut Lots) -> Picture {
        match self {
            Self::Shift { pixels, border } => shift::drawn(&picture, lots, pixels, border),
            Self::Flip if lots.coin() => flip::mirrored(picture),
            Self::VerticalFlip if lots.coin() => flip::upside_down(&picture),
            Self::Affine { degrees, scale, shear } => affine::drawn(&picture, lots, degrees, scale, shear),
            Self::Jitter { brightness, contrast, saturation, hue } => {
                jitter::drawn(picture, lots, [brightness, contrast, saturation, hue])
            }
            Self::Grey { share } if lots.unit() < share => colour::grey(picture),
            Self::Blur { sigma, share } if lots.unit() < share => blur::drawn(&picture, lots, sigma),
            Self::Erase { share } if lots.unit() < share => erase::drawn(picture, lots),
            Self::RandAugment { operations, magnitude } => auto::rand_augment(picture, lots, operations, magnitude),
            Self::TrivialAugment => auto::trivial_augment(picture, lots),
            // Not drawn this time.
            Self::Crop { .. }
            | Self::Flip
            | Self::VerticalFlip
            | Self::Grey { .. }
            | Self::Blur { .. }
            | Self::Erase { .. } => picture,
        }
    }
}

/// Refuses a value outside its range; never lets NaN pass.
pub(super) fn within(
    item: &str,
    what: &'static str,
    value: f64,
    range: &RangeInclusive<f64>,
) -> Result<(), AugmentError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (item, least, most) = (item.to_owned(), *range.start(), *range.end());
    Err(AugmentError::Range { item, what, value, least, most })
}
