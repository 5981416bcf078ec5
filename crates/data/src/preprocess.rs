//! From a decoded picture to a network's input: fitted to its size and channels, then (v / 255 − mean) / std.
//!
//! Stored as JSON in model files: fields that a reader does not know are passed over, and values are checked.

use crate::fit::{self, Fit};
use crate::picture::Picture;
use serde::{Deserialize, Serialize};

/// How a picture becomes a network's input. Output is NHWC for one image: rows, columns, channels; colours are RGB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Preprocessing {
    /// The network's input width.
    pub width: u32,
    /// The network's input height.
    pub height: u32,
    /// 1 or 3. Colour becomes grey by BT.601 luma, grey becomes colour by copying.
    pub channels: u8,
    /// How a picture of another size is brought to this one.
    pub fit: Fit,
    /// What is subtracted from each channel, in units of the full range (0 to 1).
    pub mean: Vec<f32>,
    /// What each channel is then divided by, in the same units.
    pub std: Vec<f32>,
}

/// What is in a model file, before it is trusted.
#[derive(Deserialize)]
struct Stored {
    width: u32,
    height: u32,
    channels: u8,
    fit: Fit,
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl TryFrom<Stored> for Preprocessing {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let Stored { width, height, channels, fit, mean, std } = stored;
        let sides = 1..=Self::LARGEST_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(format!("the input is {width}×{height}; sides must be from 1 to {}", Self::LARGEST_SIDE));
        }
        if channels != 1 && channels != 3 {
            return Err(format!("the input has {channels} channels; 1 or 3 are possible"));
        }
        if mean.len() != usize::from(channels) || std.len() != usize::from(channels) {
            let (means, stds) = (mean.len(), std.len());
            return Err(format!("there are {means} means and {stds} deviations for {channels} channels"));
        }
        if let Fit::Crop { resize_to } = fit
            && resize_to > 2 * Self::LARGEST_SIDE
        {
            return Err(format!("pictures are resized to {resize_to}; at most {} is possible", 2 * Self::LARGEST_SIDE));
        }
        if mean.iter().any(|m| !m.is_finite()) || std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return Err("means must be finite, deviations finite and above 0".to_owned());
        }
        Ok(Self { width, height, channels, fit, mean, std })
    }
}

impl Preprocessing {
    /// The largest width or height that is accepted from a file.
    pub const LARGEST_SIDE: u32 = 16_384;

    /// With mean 0 and deviation 1, so that values are from 0 to 1.
    pub fn new(width: u32, height: u32, channels: u8, fit: Fit) -> Self {
        let each = usize::from(channels);
        Self { width, height, channels, fit, mean: vec![0.0; each], std: vec![1.0; each] }
    }

    /// The same with each channel's mean and deviation set.
    #[must_use]
    pub fn normalised_by(self, mean: Vec<f32>, std: Vec<f32>) -> Self {
        Self { mean, std, ..self }
    }

    /// How many values one image becomes: height · width · channels.
    pub fn len(&self) -> usize {
        self.height as usize * self.width as usize * usize::from(self.channels)
    }

    /// Whether an image becomes no values at all; not so for any network.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The picture at the network's size and channels, still in 8 bits.
    #[must_use]
    pub fn fit(&self, picture: &Picture) -> Picture {
        self.fit_by(picture, self.fit)
    }

    /// The same with the picture stretched, whatever the rule: for a part of it that was chosen.
    #[must_use]
    pub(crate) fn stretch(&self, picture: &Picture) -> Picture {
        self.fit_by(picture, Fit::Stretch)
    }

    fn fit_by(&self, picture: &Picture, rule: Fit) -> Picture {
        self.in_channels(picture, |picture| fit::fit(picture, self.width, self.height, rule))
    }

    /// What `fit` makes of the picture, in the network's channels. Colour becomes grey before it, grey colour behind it.
    pub(crate) fn in_channels(&self, picture: &Picture, fit: impl FnOnce(&Picture) -> Picture) -> Picture {
        let fitted = if self.channels == 1 && picture.channels == 3 { fit(&picture.to_grey()) } else { fit(picture) };
        match (self.channels, fitted.channels) {
            (1, 3) => fitted.to_grey(),
            (3, 1) => fitted.to_colour(),
            _ => fitted,
        }
    }

    /// (v / 255 − mean) / std of a picture that [`fit`](Self::fit) returned, into `out` of [`len`](Self::len) values.
    pub fn normalise(&self, fitted: &Picture, out: &mut [f32]) {
        match (self.mean.as_slice(), self.std.as_slice()) {
            ([mean], [std]) => {
                for (out, &v) in out.iter_mut().zip(&fitted.pixels) {
                    *out = (f32::from(v) / 255.0 - mean) / std;
                }
            }
            (mean, std) => {
                let channels = usize::from(self.channels);
                for (out, v) in out.chunks_exact_mut(channels).zip(fitted.pixels.chunks_exact(channels)) {
                    for c in 0..channels {
                        out[c] = (f32::from(v[c]) / 255.0 - mean[c]) / std[c];
                    }
                }
            }
        }
    }

    /// The picture that [`normalise`](Self::normalise) makes these [`len`](Self::len) values from, to the nearest level.
    ///
    /// # Panics
    /// If there are more or fewer values.
    pub fn denormalise(&self, values: &[f32]) -> Picture {
        assert_eq!(values.len(), self.len(), "the values of one image");
        let channels = usize::from(self.channels);
        let level = |(i, v): (usize, &f32)| {
            let c = i % channels;
            (255.0 * (v * self.std[c] + self.mean[c])).round().clamp(0.0, 255.0) as u8
        };
        let pixels = values.iter().enumerate().map(level).collect();
        Picture { width: self.width, height: self.height, channels: self.channels, pixels }
    }

    /// The network's input for a picture, into `out` of [`len`](Self::len) values: rows, columns, channels.
    pub fn apply(&self, picture: &Picture, out: &mut [f32]) {
        self.normalise(&self.fit(picture), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_forward_and_checked() {
        let given = Preprocessing::new(4, 3, 1, Fit::Crop { resize_to: 5 }).normalised_by(vec![0.5], vec![0.25]);
        let json = serde_json::to_string(&given).unwrap();
        assert_eq!(
            json,
            r#"{"width":4,"height":3,"channels":1,"fit":{"rule":"crop","resize_to":5},"mean":[0.5],"std":[0.25]}"#
        );
        assert_eq!(serde_json::from_str::<Preprocessing>(&json).unwrap(), given);
        let later = json.replacen('{', r#"{"a_later_field":[1,2],"#, 1);
        assert_eq!(serde_json::from_str::<Preprocessing>(&later).unwrap(), given);
        for (from, to, message) in [
            ("\"width\":4", "\"width\":0", "sides must be"),
            ("\"channels\":1", "\"channels\":2", "1 or 3 are possible"),
            ("[0.5]", "[0.5,0.5]", "2 means"),
            ("[0.25]", "[0.0]", "above 0"),
            ("\"resize_to\":5", "\"resize_to\":4294967295", "at most 32768"),
        ] {
            let error = serde_json::from_str::<Preprocessing>(&json.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn values_are_normalised_per_channel() {
        let p = Preprocessing::new(1, 1, 3, Fit::Stretch).normalised_by(vec![0.0, 0.5, 1.0], vec![1.0, 0.5, 0.25]);
        let mut out = [9.0; 3];
        p.apply(&Picture::filled(1, 1, &[255, 0, 255]), &mut out);
        assert_eq!(out, [1.0, -1.0, 0.0]);
        p.apply(&Picture::filled(1, 1, &[0]), &mut out);
        assert_eq!(out, [0.0, -1.0, -4.0]);
    }

    #[test]
    fn every_level_survives_normalising_and_back() {
        let p = Preprocessing::new(16, 16, 3, Fit::Stretch).normalised_by(vec![0.5, 0.1, 0.9], vec![0.2, 3.0, 0.01]);
        let picture = Picture { width: 16, height: 16, channels: 3, pixels: (0..=255).flat_map(|v| [v; 3]).collect() };
        let mut out = vec![0.0; p.len()];
        p.normalise(&picture, &mut out);
        assert_eq!(p.denormalise(&out), picture);
    }
}
