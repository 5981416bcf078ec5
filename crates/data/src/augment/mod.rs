//! Changes drawn by lot that make a training image a little different in every epoch.
//!
//! They act in three places. A crop window is drawn in the decoded picture and takes the place of the preprocessing's rule;
//! the other steps act one after the other on the 8-bit picture at the network's size, before it is normalised; a [`Mix`]
//! acts on batches. Draws depend on the seed, the epoch and the sample's index (or the batch's number) only, so the number
//! of workers does not matter, and pixels are the same on every machine: sines, exponentials and logarithms are libm's, not
//! the system's. A further kind is one more [`Step`] and one file.

mod affine;
mod auto;
mod blur;
mod colour;
mod crop;
mod erase;
mod flip;
mod hue;
mod jitter;
mod list;
mod mix;
#[cfg(test)]
mod peers;
mod preset;
mod sharpness;
mod shift;
mod step;

pub(crate) use flip::mirrored;
pub use list::AugmentError;
pub use mix::{Mix, Mixed, Way};
pub use preset::Subject;
pub use shift::Border;
pub use step::Step;

use crate::fit::Fit;
use crate::picture::Picture;
use crate::preprocess::Preprocessing;
use crate::seeded::Lots;
use serde::{Deserialize, Serialize};

/// Steps that are taken one after the other, and the mixing of batches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Augment {
    /// The steps, in order; but a crop window is drawn before all others, wherever it stands.
    pub steps: Vec<Step>,
    /// How the images of a batch are mixed, after everything else.
    #[serde(skip_serializing_if = "Mix::is_off")]
    pub mix: Mix,
}

/// What is in a file, before it is trusted.
#[derive(Deserialize)]
struct Stored {
    steps: Vec<Step>,
    #[serde(default)]
    mix: Mix,
}

impl TryFrom<Stored> for Augment {
    type Error = AugmentError;

    fn try_from(Stored { steps, mix }: Stored) -> Result<Self, AugmentError> {
        steps.iter().try_for_each(Step::check)?;
        mix.check()?;
        let windows = steps.iter().filter(|s| matches!(s, Step::Crop { .. })).count();
        if windows > 1 {
            return Err(AugmentError::Windows(windows));
        }
        Ok(Self { steps, mix })
    }
}

impl Augment {
    /// Shifts by up to `shift` pixels (0: none), then perhaps mirrors.
    pub fn new(shift: u32, flip: bool) -> Self {
        let shift = (shift > 0).then_some(Step::Shift { pixels: shift, border: Border::Black });
        Self { steps: shift.into_iter().chain(flip.then_some(Step::Flip)).collect(), mix: Mix::default() }
    }

    /// Whether images stay as they are.
    pub fn is_none(&self) -> bool {
        self.steps.is_empty() && self.mix.is_off()
    }

    /// Brings the sample with this index to the network's size and channels as in this epoch: through the window drawn for
    /// it, or, without a [`Step::Crop`], by the rule of `preprocessing`.
    ///
    /// Where that rule keeps the whole picture or finds the drawing in it, the window is drawn in what the rule gives.
    #[must_use]
    pub fn fit(
        &self,
        preprocessing: &Preprocessing,
        picture: &Picture,
        seed: u64,
        epoch: u64,
        index: usize,
    ) -> Picture {
        let window = self.steps.iter().enumerate().find_map(|(number, step)| match *step {
            Step::Crop { area, ratio } => Some((number, area, ratio)),
            _ => None,
        });
        let Some((number, area, ratio)) = window else { return preprocessing.fit(picture) };
        let mut lots = Lots::new(seed, &[AUGMENT, epoch, index as u64, number as u64]);
        let mut through_window = |whole: &Picture| {
            let window = crop::draw(&mut lots, area, ratio, whole.width, whole.height);
            preprocessing.stretch(&whole.cut(window.x, window.y, window.width, window.height))
        };
        match preprocessing.fit {
            Fit::Stretch | Fit::Crop { .. } => through_window(picture),
            Fit::Pad | Fit::Letterbox | Fit::Ink { .. } => through_window(&preprocessing.fit(picture)),
        }
    }

    /// Changes the fitted picture of the sample with this index as in this epoch.
    #[must_use]
    pub fn apply(&self, picture: Picture, seed: u64, epoch: u64, index: usize) -> Picture {
        let draw = |picture, (number, step): (usize, &Step)| {
            let mut lots = Lots::new(seed, &[AUGMENT, epoch, index as u64, number as u64]);
            step.apply(picture, &mut lots)
        };
        self.steps.iter().enumerate().fold(picture, draw)
    }
}

/// Keeps these draws apart from others of the same seed.
const AUGMENT: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture { width: 3, height: 2, channels: 1, pixels: vec![1, 2, 3, 4, 5, 6] }
    }

    /// Colourful, and with the darkest and the brightest level.
    fn colourful(width: u32, height: u32) -> Picture {
        let pixels = (0..width * height * 3).map(|i| (i * i * 7 % 256) as u8).collect();
        Picture { width, height, channels: 3, pixels }
    }

    #[test]
    fn draws_depend_on_seed_epoch_and_index_only() {
        let augment = Augment::new(2, true);
        let draw = |seed, epoch, index| augment.apply(picture(), seed, epoch, index).pixels;
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        let distinct = |draws: Vec<Vec<u8>>| draws.into_iter().collect::<std::collections::BTreeSet<_>>().len();
        assert!(distinct((0..50).map(|i| draw(i, 0, 0)).collect()) > 5);
        assert!(distinct((0..50).map(|i| draw(0, i, 0)).collect()) > 5);
        assert!(distinct((0..50).map(|i| draw(0, 0, i as usize)).collect()) > 5);
        assert_eq!(Augment::new(0, false).apply(picture(), 1, 1, 1), picture());
    }

    #[test]
    fn every_step_keeps_the_size_of_any_picture() {
        let all =
            "flip,vflip,shift=5,affine=20:0.3:0.3,jitter=0.5:0.5:0.5:0.5,grey=0.5,blur=2:1,rand=3:20,trivial,erase=1";
        let augment = Augment::parse(&format!("rrc=0.1,{all}"), Subject::Photograph, 8).unwrap();
        for (w, h) in [(1, 1), (1, 7), (2, 2), (3, 1), (16, 9)] {
            for picture in [colourful(w, h), colourful(w, h).to_grey()] {
                for epoch in 0..60 {
                    let changed = augment.apply(picture.clone(), 5, epoch, 3);
                    assert_eq!((changed.width, changed.height, changed.channels), (w, h, picture.channels));
                    assert_eq!(changed.pixels.len(), picture.pixels.len());
                }
                for (fit, channels) in [(Fit::Stretch, 1), (Fit::Crop { resize_to: 9 }, 3), (Fit::Ink { detail: 0 }, 1)]
                {
                    let preprocessing = Preprocessing::new(8, 5, channels, fit);
                    let fitted = augment.fit(&preprocessing, &picture, 5, 1, 3);
                    assert_eq!((fitted.width, fitted.height, fitted.channels), (8, 5, channels));
                }
            }
        }
    }

    #[test]
    fn the_window_is_drawn_where_the_rule_looks() {
        // Ink in one corner: the rule finds it, and the window lies in what it found.
        let mut drawing = Picture::filled(40, 40, &[255]);
        drawing.paste(&Picture::filled(6, 6, &[0]), 30, 2);
        let augment = Augment::parse("rrc=0.5", Subject::Drawing, 16).unwrap();
        let preprocessing = Preprocessing::new(16, 16, 1, Fit::Ink { detail: 0 });
        for epoch in 0..20 {
            let fitted = augment.fit(&preprocessing, &drawing, 1, epoch, 0);
            let bright = fitted.pixels.iter().filter(|&&v| v > 128).count();
            assert!(bright * 2 > fitted.pixels.len(), "the ink fills the window: {bright}");
        }
        let none = Augment::new(3, true);
        assert_eq!(none.fit(&preprocessing, &drawing, 1, 1, 0), preprocessing.fit(&drawing));
    }

    #[test]
    fn files_of_before_are_read_and_others_checked() {
        let old = r#"{"steps":[{"step":"affine","degrees":10.0,"scale":0.15,"shear":0.2},{"step":"shift","pixels":2},{"step":"flip"}]}"#;
        let read: Augment = serde_json::from_str(old).unwrap();
        assert_eq!(read, Augment::parse("affine=10:0.15:0.2,shift=2,flip", Subject::Drawing, 32).unwrap());
        assert_eq!(serde_json::to_string(&read).unwrap(), old);
        for (json, message) in [
            (r#"{"steps":[{"step":"erase","share":2.0}]}"#, "`erase=2`: the share of images is 2; 0 to 1 is possible"),
            (r#"{"steps":[{"step":"affine","degrees":1e999,"scale":0.1,"shear":0.0}]}"#, "out of range"),
            (r#"{"steps":[],"mix":{"mixup":-1.0,"cutmix":0.0}}"#, "`mixup=-1`: α is -1"),
        ] {
            let error = serde_json::from_str::<Augment>(json).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        let crop = r#"{"step":"crop","area":[0.5,1.0],"ratio":[0.75,1.5]}"#;
        let error = serde_json::from_str::<Augment>(&format!(r#"{{"steps":[{crop},{crop}]}}"#)).unwrap_err();
        assert!(error.to_string().contains("2 crop windows"), "{error}");
    }
}
