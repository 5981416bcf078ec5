//! What is measured of one picture: a few numbers, a thumbnail of 16×16 and a perceptual hash of 63 bits.
//!
//! * Everything is measured on the picture reduced to 512 pixels on its longer side, which is about what networks see.
//! * Sharpness is the variance of the Laplacian (Pech-Pacheco et al., 2000) over the picture's own, so that faint
//!   pictures do not count as blurred.
//! * The hash has the signs of the 63 lowest frequencies of the thumbnail's cosine transform (DCT-II), the constant left
//!   out: copies that were scaled, compressed again, brightened or darkened have almost the same. A mirrored copy has the
//!   signs of the odd horizontal frequencies turned.

use crate::fit;
use crate::picture::Picture;
use std::f32::consts::PI;
use std::sync::LazyLock;

/// The thumbnail's side in brightness, and in colour.
pub(super) const SIDE: usize = 16;
const COLOUR_SIDE: usize = 8;
/// The longer side that measurements are taken at.
const MEASURED: u32 = 512;
/// Frequencies along a side that the hash takes.
const LOW: usize = 8;
/// From here on a level is as good as white.
const CLIPPED: u8 = 253;

/// What a picture looks like.
#[derive(Clone, Debug)]
pub(super) struct Looks {
    /// Size, upright.
    pub(super) width: u32,
    pub(super) height: u32,
    /// Whether no pixel has colour.
    pub(super) grey: bool,
    /// The mean level, 0 to 255.
    pub(super) mean: f32,
    /// The standard deviation of the channel that has most of it.
    pub(super) spread: f32,
    /// The share of pixels that are white or nearly.
    pub(super) clipped: f32,
    /// Variance of the Laplacian over the variance; 0 where there is none.
    pub(super) sharpness: f32,
    pub(super) hash: u64,
    pub(super) thumb: Thumb,
}

/// A picture of 16×16 in brightness and 8×8 in its two differences of colour.
#[derive(Clone, Debug)]
pub(super) struct Thumb {
    brightness: Box<[u8; SIDE * SIDE]>,
    /// Blue and red less brightness, halved around 128; none of a grey picture.
    colour: Option<Box<[u8; 2 * COLOUR_SIDE * COLOUR_SIDE]>>,
}

impl Looks {
    pub(super) fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.width, picture.height);
        let grey = picture.is_grey();
        let reduced = (width.max(height) > MEASURED).then(|| {
            let (w, h) = fit::largest_within(width, height, MEASURED, MEASURED);
            fit::resize(picture, w, h)
        });
        let picture = reduced.as_ref().unwrap_or(picture);
        let brightness = picture.to_grey();
        let (mean, variance) = moments(brightness.pixels.iter().copied());
        let channels = usize::from(picture.channels);
        let of_channel = |c| moments(picture.pixels.iter().skip(c).step_by(channels).copied()).1;
        let spread = (0..channels).map(of_channel).fold(0.0, f32::max).sqrt();
        let white = picture.pixels.chunks_exact(channels).filter(|p| p.iter().all(|&v| v >= CLIPPED)).count();
        let thumb = Thumb::of(picture, grey);
        Self {
            width,
            height,
            grey,
            mean,
            spread,
            clipped: white as f32 / brightness.pixels.len() as f32,
            sharpness: if variance > 0.0 { laplacian_variance(&brightness) / variance } else { 0.0 },
            hash: hash(&thumb.brightness),
            thumb,
        }
    }

    /// Whether there is anything in the picture.
    pub(super) fn is_blank(&self) -> bool {
        self.spread < BLANK
    }
}

/// The standard deviation below which there is nothing but noise.
const BLANK: f32 = 3.0;

/// Mean and variance.
fn moments(levels: impl Iterator<Item = u8>) -> (f32, f32) {
    let (mut n, mut sum, mut squares) = (0u64, 0u64, 0u64);
    for v in levels {
        let v = u64::from(v);
        (n, sum, squares) = (n + 1, sum + v, squares + v * v);
    }
    let n = n.max(1) as f64;
    let mean = sum as f64 / n;
    (mean as f32, (squares as f64 / n - mean * mean).max(0.0) as f32)
}

/// The variance of left + right + above + below − 4·middle over all inner pixels; 0 without any.
fn laplacian_variance(grey: &Picture) -> f32 {
    let (w, h) = (grey.width as usize, grey.height as usize);
    let (mut sum, mut squares, mut n) = (0i64, 0i64, 0i64);
    for y in 1..h.saturating_sub(1) {
        let row = |y: usize| &grey.pixels[y * w..(y + 1) * w];
        let (above, here, below) = (row(y - 1), row(y), row(y + 1));
        for x in 1..w.saturating_sub(1) {
            let around = [here[x - 1], here[x + 1], above[x], below[x]].map(i64::from);
            let v = around.iter().sum::<i64>() - 4 * i64::from(here[x]);
            (sum, squares, n) = (sum + v, squares + v * v, n + 1);
        }
    }
    let n = n.max(1) as f64;
    let mean = sum as f64 / n;
    (squares as f64 / n - mean * mean).max(0.0) as f32
}

impl Thumb {
    fn of(picture: &Picture, grey: bool) -> Self {
        let small = fit::resize(picture, SIDE as u32, SIDE as u32);
        let levels = small.to_grey().pixels;
        let brightness = Box::new(std::array::from_fn(|i| levels[i]));
        let colour = (!grey).then(|| {
            let half = fit::resize(&small, COLOUR_SIDE as u32, COLOUR_SIDE as u32);
            let levels = half.to_grey().pixels;
            Box::new(std::array::from_fn(|i| {
                let (pixel, channel) = (i / 2, if i % 2 == 0 { 2 } else { 0 });
                let difference = i32::from(half.pixels[3 * pixel + channel]) - i32::from(levels[pixel]);
                (difference / 2 + 128).clamp(0, 255) as u8
            }))
        });
        Self { brightness, colour }
    }

    /// The correlation in brightness, −1 to 1, `other` mirrored or not; whatever the contrast and mean of either.
    pub(super) fn correlation(&self, other: &Thumb, mirrored: bool) -> f32 {
        let (mut a, mut b, mut aa, mut bb, mut ab) = (0u32, 0u32, 0u32, 0u32, 0u32);
        for (i, &x) in self.brightness.iter().enumerate() {
            let (x, y) = (u32::from(x), u32::from(other.brightness[mirror(i, SIDE, mirrored)]));
            (a, b, aa, bb, ab) = (a + x, b + y, aa + x * x, bb + y * y, ab + x * y);
        }
        let n = (SIDE * SIDE) as f64;
        let [a, b, aa, bb, ab] = [a, b, aa, bb, ab].map(f64::from);
        let spread = ((n * aa - a * a) * (n * bb - b * b)).sqrt();
        if spread > 0.0 { ((n * ab - a * b) / spread) as f32 } else { 0.0 }
    }

    /// The root of the mean squared difference in colour, in levels; 0 where one of them has no colour at all.
    pub(super) fn colour_difference(&self, other: &Thumb, mirrored: bool) -> f32 {
        let (Some(a), Some(b)) = (&self.colour, &other.colour) else { return 0.0 };
        let square = |i: usize| {
            let j = 2 * mirror(i / 2, COLOUR_SIDE, mirrored) + i % 2;
            let d = 2 * (i32::from(a[i]) - i32::from(b[j]));
            (d * d) as f32
        };
        ((0..a.len()).map(square).sum::<f32>() / a.len() as f32).sqrt()
    }
}

/// The place of pixel `i`, or of the one that takes it when mirrored.
fn mirror(i: usize, side: usize, mirrored: bool) -> usize {
    if mirrored { i / side * side + side - 1 - i % side } else { i }
}

/// cos(π/16 · (x + ½) · u).
static COSINES: LazyLock<[[f32; SIDE]; LOW]> = LazyLock::new(|| {
    std::array::from_fn(|u| std::array::from_fn(|x| (PI / SIDE as f32 * (x as f32 + 0.5) * u as f32).cos()))
});

/// The hash of a mirrored picture is the hash with these bits turned.
pub(super) const MIRRORED: u64 = 0xAAAA_AAAA_AAAA_AAAA;

/// Bit 8·v + u is set where the frequency (u, v), u across, is positive; bit 0 never is.
fn hash(levels: &[u8; SIDE * SIDE]) -> u64 {
    let mut rows = [[0f32; LOW]; SIDE];
    for (row, levels) in rows.iter_mut().zip(levels.chunks_exact(SIDE)) {
        for (sum, cosines) in row.iter_mut().zip(COSINES.iter()) {
            *sum = levels.iter().zip(cosines).map(|(&level, c)| f32::from(level) * c).sum();
        }
    }
    let mut bits = 0;
    for (v, cosines) in COSINES.iter().enumerate() {
        for u in 0..LOW {
            let sum: f32 = rows.iter().zip(cosines).map(|(row, c)| row[u] * c).sum();
            if sum > 0.0 && (u, v) != (0, 0) {
                bits |= 1 << (LOW * v + u);
            }
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with structure at many scales, a pure function of the place.
    fn scene(width: u32, height: u32) -> Picture {
        let level = |x: f64, y: f64, c: usize| {
            let wave = |fx: f64, fy: f64, p: f64| (fx * x + fy * y + p + c as f64 * 0.7).sin();
            128.0 + 40.0 * wave(5.0, 2.0, 0.3) + 30.0 * wave(-3.0, 11.0, 1.1) + 25.0 * wave(17.0, 7.0, 2.0)
        };
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
                pixels.extend((0..3).map(|c| level(x, y, c) as u8));
            }
        }
        Picture { width, height, channels: 3, pixels }
    }

    #[test]
    fn copies_that_were_scaled_or_brightened_look_alike_and_mirrored_ones_as_said() {
        let whole = Looks::of(&scene(320, 240));
        let mut brighter = scene(160, 120);
        brighter.pixels.iter_mut().for_each(|v| *v = (u32::from(*v) * 9 / 10 + 20) as u8);
        let half = Looks::of(&brighter);
        assert!((whole.hash ^ half.hash).count_ones() <= 3);
        assert!(whole.thumb.correlation(&half.thumb, false) > 0.995);
        assert!(whole.thumb.colour_difference(&half.thumb, false) < 8.0);
        let mut mirrored = scene(320, 240);
        for row in mirrored.pixels.chunks_exact_mut(3 * 320) {
            let turned: Vec<u8> = row.chunks_exact(3).rev().flatten().copied().collect();
            row.copy_from_slice(&turned);
        }
        let mirrored = Looks::of(&mirrored);
        assert!((whole.hash ^ mirrored.hash ^ MIRRORED).count_ones() <= 3);
        assert!(whole.thumb.correlation(&mirrored.thumb, true) > 0.995);
        assert!(whole.thumb.correlation(&mirrored.thumb, false) < 0.9);
    }

    #[test]
    fn measures_are_what_they_say() {
        let flat = Looks::of(&Picture::filled(20, 10, &[200, 200, 200]));
        assert_eq!((flat.mean, flat.spread, flat.sharpness, flat.clipped), (200.0, 0.0, 0.0, 0.0));
        assert!(flat.is_blank() && flat.grey);
        // A checkerboard of 0 and 100: the Laplacian is ±400, its variance 160,000, the picture's 2,500.
        let pixels = (0..256u32).map(|i| if (i / 16 + i % 16) % 2 == 0 { 0 } else { 100 }).collect();
        let board = Looks::of(&Picture { width: 16, height: 16, channels: 1, pixels });
        assert_eq!((board.mean, board.spread, board.sharpness), (50.0, 50.0, 64.0));
        // Red and cyan of the same brightness: grey shows nothing, and the picture is still not blank.
        let pixels = (0..200).flat_map(|i| if i < 100 { [200, 0, 0] } else { [0, 76, 130] }).collect();
        assert!(!Looks::of(&Picture { width: 20, height: 10, channels: 3, pixels }).is_blank());
        let mut half_white = Picture::filled(10, 10, &[255, 254, 253]);
        half_white.pixels[..150].fill(10);
        assert_eq!(Looks::of(&half_white).clipped, 0.5);
    }
}
