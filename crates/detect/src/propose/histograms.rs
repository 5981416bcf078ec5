//! What is known of a segment: size, box, neighbours, and histograms of colour and texture (Uijlings et al. 2013, §3.2).
//!
//! Colour is 25 bins a channel. Texture is, for each channel, the derivative of a Gaussian of σ = 1 in eight directions,
//! what is negative counted in the opposite one; 10 bins a direction, from 0 to the channel's largest derivative. Each of the
//! two histograms sums to 1. Values between the bins of the paper's own code and these differ; the paper gives counts only.

use super::colour::Planes;
use super::segmentation::Segmentation;

const COLOUR_BINS: usize = 25;
const TEXTURE_BINS: usize = 10;
const DIRECTIONS: usize = 8;
/// Rows of histograms are cut into pieces of so many floats; see `grouping`.
pub(super) const LANES: usize = 16;

/// Each pixel's bins, by channel.
pub(super) struct Bins {
    /// By channel: each pixel's bin of colour.
    colour: Vec<Vec<u8>>,
    /// By channel: each pixel's bins in the four directions 0°, 45°, 90° and 135°; from 10 on: that bin of the opposite one.
    texture: Vec<Vec<[u8; 4]>>,
}

impl Bins {
    pub(super) fn new(planes: &Planes) -> Self {
        let colour = |c: &Vec<f64>| c.iter().map(|&v| bin(v as f32, COLOUR_BINS as f32, COLOUR_BINS)).collect();
        let texture = |c: &Vec<f64>| texture_bins(c, planes.width, planes.height);
        Self {
            colour: planes.channels.iter().map(colour).collect(),
            texture: planes.channels.iter().map(texture).collect(),
        }
    }
}

fn bin(value: f32, per_unit: f32, bins: usize) -> u8 {
    ((value * per_unit) as usize).min(bins - 1) as u8
}

fn texture_bins(channel: &[f64], width: usize, height: usize) -> Vec<[u8; 4]> {
    let (dx, dy) = derivatives(channel, width, height);
    // A Gaussian's derivative in any direction is a mixture of those along the axes.
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let in_directions = |dx: f32, dy: f32| [dx, (dx + dy) * half, dy, (dy - dx) * half];
    let all = || dx.iter().zip(&dy).map(|(&dx, &dy)| in_directions(dx, dy));
    let largest = all().flatten().fold(0.0f32, |most, v| most.max(v.abs()));
    let per_unit = if largest > 0.0 { TEXTURE_BINS as f32 / largest } else { 0.0 };
    let bin_of = |v: f32| bin(v.abs(), per_unit, TEXTURE_BINS) + if v < 0.0 { TEXTURE_BINS as u8 } else { 0 };
    all().map(|values| values.map(bin_of)).collect()
}

/// The derivatives along x and y of a channel smoothed with σ = 1.
fn derivatives(channel: &[f64], width: usize, height: usize) -> (Vec<f32>, Vec<f32>) {
    const REACH: usize = 4;
    let mut smooth: [f32; REACH + 1] = std::array::from_fn(|d| (-0.5 * (d * d) as f32).exp());
    let sum: f32 = smooth[0] + 2.0 * smooth[1..].iter().sum::<f32>();
    for w in &mut smooth {
        *w /= sum;
    }
    let slope: [f32; REACH + 1] = std::array::from_fn(|d| d as f32 * smooth[d]);
    // Along each row: smoothed, and sloped.
    let (mut smoothed, mut sloped) = (vec![0.0f32; channel.len()], vec![0.0f32; channel.len()]);
    let mut padded = vec![0.0f32; width + 2 * REACH];
    for (y, row) in channel.chunks_exact(width).enumerate() {
        for (i, v) in padded.iter_mut().enumerate() {
            *v = row[(i.saturating_sub(REACH)).min(width - 1)] as f32;
        }
        let (smoothed, sloped) = (&mut smoothed[y * width..][..width], &mut sloped[y * width..][..width]);
        for x in 0..width {
            let (mut a, mut b) = (padded[x + REACH] * smooth[0], 0.0);
            for d in 1..=REACH {
                let (before, behind) = (padded[x + REACH - d], padded[x + REACH + d]);
                a += (before + behind) * smooth[d];
                b += (behind - before) * slope[d];
            }
            (smoothed[x], sloped[x]) = (a, b);
        }
    }
    // Along each column: the sloped are smoothed, and the smoothed sloped.
    let (mut dx, mut dy) = (vec![0.0f32; channel.len()], vec![0.0f32; channel.len()]);
    for y in 0..height {
        let at = |y: usize| y * width..(y + 1) * width;
        let (dx, dy) = (&mut dx[at(y)], &mut dy[at(y)]);
        for (out, v) in dx.iter_mut().zip(&sloped[at(y)]) {
            *out = v * smooth[0];
        }
        for d in 1..=REACH {
            let (above, below) = (at(y.saturating_sub(d)), at((y + d).min(height - 1)));
            let rows = sloped[above.clone()].iter().zip(&sloped[below.clone()]);
            for (out, (a, b)) in dx.iter_mut().zip(rows) {
                *out += (a + b) * smooth[d];
            }
            for (out, (a, b)) in dy.iter_mut().zip(smoothed[above].iter().zip(&smoothed[below])) {
                *out += (b - a) * slope[d];
            }
        }
    }
    (dx, dy)
}

/// A rectangle of pixels, both edges inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) left: u16,
    pub(super) top: u16,
    pub(super) right: u16,
    pub(super) bottom: u16,
}

impl Frame {
    pub(super) fn around(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    pub(super) fn width(self) -> u32 {
        u32::from(self.right - self.left) + 1
    }

    pub(super) fn height(self) -> u32 {
        u32::from(self.bottom - self.top) + 1
    }
}

/// The segments of a picture.
pub(super) struct Regions {
    /// Pixels of the whole picture.
    pub(super) pixels: usize,
    pub(super) sizes: Vec<u32>,
    pub(super) frames: Vec<Frame>,
    /// Each segment's neighbours, in order.
    pub(super) neighbours: Vec<Vec<u32>>,
    /// Floats of a segment's histogram of colour, a multiple of [`LANES`].
    pub(super) colour_length: usize,
    /// Floats of its histogram of texture, a multiple of [`LANES`].
    pub(super) texture_length: usize,
    /// By segment: its colour, then its texture.
    pub(super) histograms: Vec<f32>,
}

impl Regions {
    pub(super) fn new(cut: &Segmentation, bins: &Bins) -> Self {
        let whole = |bins: usize| bins.next_multiple_of(LANES);
        let channels = bins.colour.len();
        let mut regions = Self {
            pixels: cut.labels.len(),
            sizes: vec![0; cut.count],
            frames: vec![Frame { left: u16::MAX, top: u16::MAX, right: 0, bottom: 0 }; cut.count],
            neighbours: neighbours(cut),
            colour_length: whole(channels * COLOUR_BINS),
            texture_length: whole(channels * DIRECTIONS * TEXTURE_BINS),
            histograms: Vec::new(),
        };
        for (i, &label) in cut.labels.iter().enumerate() {
            let (x, y) = ((i % cut.width) as u16, (i / cut.width) as u16);
            let frame = &mut regions.frames[label as usize];
            *frame = frame.around(Frame { left: x, top: y, right: x, bottom: y });
            regions.sizes[label as usize] += 1;
        }
        regions.histograms = regions.count_bins(cut, bins);
        regions
    }

    fn count_bins(&self, cut: &Segmentation, bins: &Bins) -> Vec<f32> {
        let (channels, length) = (bins.colour.len(), self.colour_length + self.texture_length);
        let mut counts = vec![0u32; self.sizes.len() * length];
        for c in 0..channels {
            let colour = c * COLOUR_BINS;
            let texture = self.colour_length + c * DIRECTIONS * TEXTURE_BINS;
            for ((&label, &bin), turned) in cut.labels.iter().zip(&bins.colour[c]).zip(&bins.texture[c]) {
                let row = &mut counts[label as usize * length..][..length];
                row[colour + usize::from(bin)] += 1;
                for (direction, &bin) in turned.iter().enumerate() {
                    // Opposite directions lie side by side; one of them has nothing, which is its first bin.
                    let start = texture + direction * 2 * TEXTURE_BINS;
                    row[start + usize::from(bin)] += 1;
                    row[start + if usize::from(bin) < TEXTURE_BINS { TEXTURE_BINS } else { 0 }] += 1;
                }
            }
        }
        let shares = |(region, row): (usize, &[u32])| {
            let per_colour = 1.0 / (self.sizes[region] as f32 * channels as f32);
            let per_texture = per_colour / DIRECTIONS as f32;
            let colour = self.colour_length;
            let share = move |(i, &n): (usize, &u32)| n as f32 * if i < colour { per_colour } else { per_texture };
            row.iter().enumerate().map(share).collect::<Vec<f32>>()
        };
        counts.chunks_exact(length).enumerate().flat_map(shares).collect()
    }
}

/// Segments that share an edge of a pixel.
fn neighbours(cut: &Segmentation) -> Vec<Vec<u32>> {
    let mut pairs = Vec::new();
    let mut add = |a: u32, b: u32| {
        if a != b && pairs.last() != Some(&(a.min(b), a.max(b))) {
            pairs.push((a.min(b), a.max(b)));
        }
    };
    for row in cut.labels.chunks_exact(cut.width) {
        row.windows(2).for_each(|pair| add(pair[0], pair[1]));
    }
    for (above, below) in cut.labels.chunks_exact(cut.width).zip(cut.labels.chunks_exact(cut.width).skip(1)) {
        above.iter().zip(below).for_each(|(&a, &b)| add(a, b));
    }
    pairs.sort_unstable();
    pairs.dedup();
    let mut all = vec![Vec::new(); cut.count];
    for (a, b) in pairs {
        all[a as usize].push(b);
        all[b as usize].push(a);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propose::colour::ColourSpace;
    use striate_data::Picture;

    #[test]
    fn a_ramp_has_one_direction() {
        let channel: Vec<f64> = (0..30 * 20).map(|i| f64::from(i % 30) * 0.02).collect();
        let (dx, dy) = derivatives(&channel, 30, 20);
        assert!((dx[10 * 30 + 15] - 0.02).abs() < 1e-4, "{}", dx[10 * 30 + 15]);
        assert!(dy.iter().all(|v| v.abs() < 1e-6));
        let bins = texture_bins(&channel, 30, 20);
        assert_eq!(bins[10 * 30 + 15], [9, 7, 0, 17], "0°, cos 45°, nothing, and the opposite of 135°");
    }

    #[test]
    fn segments_know_themselves_and_each_other() {
        let mut picture = Picture::filled(6, 4, &[255, 0, 0]);
        (12..24).for_each(|i| picture.pixels[i * 3..i * 3 + 3].copy_from_slice(&[0, 0, 255]));
        let labels = (0..24).map(|i| if i < 12 { 0 } else { 1 + u32::from(i % 6 >= 4) }).collect();
        let cut = Segmentation { width: 6, height: 4, count: 3, labels };
        let regions = Regions::new(&cut, &Bins::new(&Planes::new(&picture, ColourSpace::Rgb)));
        assert_eq!(regions.sizes, [12, 8, 4]);
        assert_eq!(regions.neighbours, [vec![1, 2], vec![0, 2], vec![0, 1]]);
        assert_eq!(regions.frames[2], Frame { left: 4, top: 2, right: 5, bottom: 3 });
        let length = regions.colour_length + regions.texture_length;
        assert_eq!((regions.colour_length, regions.texture_length), (80, 240));
        for row in regions.histograms.chunks_exact(length) {
            let (colour, texture) = row.split_at(regions.colour_length);
            assert!((colour.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert!((texture.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
        // Red: the last bin of red, the first of green and of blue.
        let third = 1.0 / 3.0;
        assert!([24, 25, 50].iter().all(|&i| (regions.histograms[i] - third).abs() < 1e-6));
    }
}
