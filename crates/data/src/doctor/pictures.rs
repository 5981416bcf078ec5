//! Faults of single pictures: what cannot be read, how they are stored, and what sets them apart from the others.

use super::Examined;
use super::fault::Fault;
use super::looks::Looks;
use super::report::Case;
use crate::folders::extension;
use crate::sample::Source;
use crate::stored::{Peculiarity, Stored};
use image::metadata::Orientation;
use std::path::Path;

/// Sides shorter than this hold nothing that a network could tell.
const TINY: u32 = 8;
/// Pictures whose side is this many times shorter or longer than the median are tiny or huge; a side is √(width·height).
const TIMES: f64 = 4.0;
/// Huge ones have at least so many pixels,
const HUGE: f64 = 1e6;
/// and are huge beyond this many whatever the others have.
const HUGE_ALWAYS: f64 = 25e6;
/// The longer side over the shorter from which a shape is extreme, and how many times the median's it must be.
const EXTREME: f64 = 4.0;
const EXTREME_TIMES: f64 = 3.0;
/// Mean levels below and above which pictures are dark and bright, in sets whose median mean level is ordinary.
const DARK: f32 = 16.0;
const BRIGHT: f32 = 240.0;
const ORDINARY: std::ops::RangeInclusive<f32> = 40.0..=215.0;
/// The share of white pixels from which a picture is overexposed.
const OVEREXPOSED: f32 = 0.9;
/// Pictures whose shorter side is less have no sharpness, and sets of fewer pictures no distribution.
const SHARPNESS_SIDE: u32 = 16;
const SHARPNESS_SET: usize = 20;
/// How many interquartile ranges, and at least what factor, below the first quartile sharpness must lie.
const FENCE: f32 = 2.0;
const FENCE_FACTOR: f32 = 8.0;

pub(super) fn look(examined: &Examined, note: &mut impl FnMut(Fault, Case)) {
    let usual = Usual::of(examined);
    for (i, record) in examined.records.iter().enumerate() {
        let place = || examined.survey.place(i, true);
        let image = match &record.image {
            Ok(image) => image,
            Err(trouble) => {
                note(trouble.fault, Case::at(place(), &trouble.reason));
                continue;
            }
        };
        if let (Source::File(path), Some(stored)) = (&examined.survey.images[i].sample.source, &image.stored) {
            storage(path, stored, &mut |fault, detail| note(fault, Case::at(place(), detail)));
        }
        appearance(&image.looks, &usual, &mut |fault, detail| note(fault, Case::at(place(), detail)));
    }
}

/// What is usual in this set.
struct Usual {
    side: f64,
    shape: f64,
    mean: f32,
    /// Less is blurred; `None` where that cannot be told.
    sharpness: Option<f32>,
    /// Whether most pictures have colour.
    colour: bool,
}

impl Usual {
    fn of(examined: &Examined) -> Self {
        let all = || examined.images().map(|(_, image)| &image.looks);
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(1.0)
        };
        let (n, grey) = all().fold((0, 0), |(n, grey), looks| (n + 1, grey + usize::from(looks.grey)));
        Self {
            side: median(all().map(side).collect()),
            shape: median(all().map(shape).collect()),
            mean: median(all().map(|looks| f64::from(looks.mean)).collect()) as f32,
            sharpness: sharpness_fence(all().filter(|looks| has_sharpness(looks)).map(|l| l.sharpness).collect()),
            colour: 2 * grey < n,
        }
    }
}

fn side(looks: &Looks) -> f64 {
    (f64::from(looks.width) * f64::from(looks.height)).sqrt()
}

fn shape(looks: &Looks) -> f64 {
    f64::from(looks.width.max(looks.height)) / f64::from(looks.width.min(looks.height))
}

fn has_sharpness(looks: &Looks) -> bool {
    looks.width.min(looks.height) >= SHARPNESS_SIDE && !looks.is_blank()
}

/// Tukey's fence (1977) below the first quartile of the logarithms.
fn sharpness_fence(mut values: Vec<f32>) -> Option<f32> {
    if values.len() < SHARPNESS_SET {
        return None;
    }
    values.sort_by(f32::total_cmp);
    let at = |share: usize| values[share * (values.len() - 1) / 4].max(f32::MIN_POSITIVE).ln();
    let (first, third) = (at(1), at(3));
    Some((first - (FENCE * (third - first)).max(FENCE_FACTOR.ln())).exp())
}

fn storage(path: &Path, stored: &Stored, note: &mut impl FnMut(Fault, String)) {
    let named = extension(path);
    if !named.is_empty() && !extensions(stored.format).contains(&named.as_str()) {
        note(Fault::WrongExtension, format!("is a {} file", stored.format));
    }
    if let Some(turn) = turn(stored.orientation) {
        note(Fault::Orientation, format!("is stored {turn}"));
    }
    for peculiarity in &stored.peculiarities {
        let (fault, detail) = match peculiarity {
            Peculiarity::Cmyk => (Fault::Cmyk, String::new()),
            Peculiarity::Transparent => (Fault::Transparent, String::new()),
            Peculiarity::Palette => (Fault::Palette, String::new()),
            Peculiarity::SixteenBit => (Fault::SixteenBit, String::new()),
            Peculiarity::Frames => (Fault::Animated, format!("is a {} file", stored.format)),
        };
        note(fault, detail);
    }
}

fn extensions(format: &str) -> &'static [&'static str] {
    match format {
        "JPEG" => &["jpg", "jpeg", "jpe", "jfif"],
        "PNG" => &["png"],
        "BMP" => &["bmp", "dib"],
        "GIF" => &["gif"],
        "TIFF" => &["tif", "tiff"],
        "WebP" => &["webp"],
        _ => &["pbm", "pgm", "ppm", "pnm", "pam"],
    }
}

/// How a picture is stored whose file says that it must be transformed so; `None` if it is stored upright.
fn turn(orientation: Orientation) -> Option<&'static str> {
    match orientation {
        Orientation::NoTransforms => None,
        Orientation::Rotate90 => Some("a quarter turn to the left"),
        Orientation::Rotate270 => Some("a quarter turn to the right"),
        Orientation::Rotate180 => Some("upside down"),
        Orientation::FlipHorizontal | Orientation::FlipVertical => Some("mirrored"),
        Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => Some("mirrored and turned by a quarter"),
    }
}

fn appearance(looks: &Looks, usual: &Usual, note: &mut impl FnMut(Fault, String)) {
    let (w, h) = (looks.width, looks.height);
    let (side, shape, pixels) = (side(looks), shape(looks), f64::from(w) * f64::from(h));
    if w.min(h) < TINY && f64::from(w.min(h)) < usual.side || TIMES * side < usual.side {
        note(Fault::Tiny, format!("has {w}×{h} pixels"));
    }
    if pixels >= HUGE_ALWAYS || pixels >= HUGE && side > TIMES * usual.side {
        note(Fault::Huge, format!("has {w}×{h} pixels"));
    }
    if shape >= EXTREME && shape >= EXTREME_TIMES * usual.shape {
        note(Fault::ExtremeShape, format!("has {w}×{h} pixels"));
    }
    if looks.is_blank() {
        note(Fault::Blank, format!("has a mean level of {:.0} and a deviation of {:.1}", looks.mean, looks.spread));
        return;
    }
    if looks.grey && usual.colour {
        note(Fault::Grey, String::new());
    }
    let ordinary = ORDINARY.contains(&usual.mean);
    if ordinary && looks.mean < DARK {
        note(Fault::Dark, format!("has a mean level of {:.0} of 255", looks.mean));
    }
    if ordinary && (looks.mean > BRIGHT || looks.clipped > OVEREXPOSED) {
        note(
            Fault::Bright,
            format!("has a mean level of {:.0} of 255, {:.0} % white", looks.mean, 100.0 * looks.clipped),
        );
    }
    if usual.sharpness.is_some_and(|fence| has_sharpness(looks) && looks.sharpness < fence) {
        note(Fault::Blurred, String::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blurred_is_what_lies_far_below_the_others() {
        assert_eq!(sharpness_fence(vec![1.0; 19]), None);
        // All alike: an eighth of them. Quartiles 1 and e: two units of the logarithm below 1.
        assert!((sharpness_fence(vec![1.0; 40]).unwrap() - 0.125).abs() < 1e-6);
        let e = 1f32.exp();
        let values = [vec![1.0; 20], vec![e * e; 20]].concat();
        assert!((sharpness_fence(values).unwrap() - (-4f32).exp()).abs() < 1e-6);
    }
}
