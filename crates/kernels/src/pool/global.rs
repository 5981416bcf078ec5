//! The mean and the maximum of each channel over a whole image.

use super::BLOCK;
use crate::simd::{Kernel, Simd};
use crate::{Cpu, GradientSlot};

/// Channels of a piece of a mean.
const CHANNELS: usize = 128;

/// Assigns y = the mean of each channel of each image, summed in f64.
///
/// `x (n, pixels, c)`, `y (n, c)`; `pixels` is h · w.
///
/// # Panics
/// If the lengths contradict each other.
pub fn global_avg_pool_forward(cpu: &Cpu, pixels: usize, c: usize, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len() * pixels, "x (n, {pixels}, {c}) for y (n, {c})");
    // Of one image too there is work for several threads.
    let piece = if c.is_multiple_of(CHANNELS) { CHANNELS } else { c };
    cpu.chunks(y, piece.max(1), |i, y| {
        let (image, channel) = (i * piece / c, i * piece % c);
        cpu.isa().dispatch(ImageMean { x: &x[image * pixels * c..][..pixels * c], c, channel, y });
    });
}

struct ImageMean<'a> {
    x: &'a [f32],
    c: usize,
    /// The first of those of y.
    channel: usize,
    y: &'a mut [f32],
}

impl Kernel for ImageMean<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let pixels = (self.x.len() / self.c) as f64;
        for (block, y) in self.y.chunks_mut(BLOCK).enumerate() {
            let at = self.channel + block * BLOCK;
            let mut sums = [0.0_f64; BLOCK];
            for x in self.x.chunks_exact(self.c) {
                let x = &x[at..][..y.len()];
                // A fixed number of channels is added in registers.
                if let Ok(x) = <&[f32; BLOCK]>::try_from(x) {
                    sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += f64::from(x));
                } else {
                    sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += f64::from(x));
                }
            }
            for (y, sum) in y.iter_mut().zip(sums) {
                *y = (sum / pixels) as f32;
            }
        }
    }
}

/// Assigns to dx, or adds to it, the gradient of [`global_avg_pool_forward`].
///
/// `dy (n, c)`, `dx (n, pixels, c)`.
///
/// # Panics
/// If the lengths contradict each other.
pub fn global_avg_pool_backward(cpu: &Cpu, pixels: usize, c: usize, dy: &[f32], dx: GradientSlot<'_>) {
    let GradientSlot { values: dx, adds } = dx;
    assert_eq!(dx.len(), dy.len() * pixels, "dx (n, {pixels}, {c}) for dy (n, {c})");
    let scale = 1.0 / pixels as f32;
    cpu.chunks(dx, (pixels * c).max(1), |image, dx| {
        let dy = &dy[image * c..][..c];
        for dx in dx.chunks_exact_mut(c) {
            for (dx, dy) in dx.iter_mut().zip(dy) {
                *dx = if adds { *dx + dy * scale } else { dy * scale };
            }
        }
    });
}

/// Switches that [`global_max_pool_forward`] writes for each channel: one names any of 65 536 pixels, larger maps take
/// a second.
pub const fn global_max_pool_switches(pixels: usize) -> usize {
    if pixels <= 1 << 16 { 1 } else { 2 }
}

/// Assigns y = the maximum of each channel of each image, and to `switches` the winner's pixel in reading order: the
/// lower 16 bits of an image's c winners, then, in larger maps, their upper 16 bits.
///
/// `x (n, pixels, c)`, `y (n, c)`, `switches (n, `[`global_max_pool_switches`]`, c)`; `pixels` is h · w.
///
/// # Panics
/// If the lengths contradict each other, or there are no pixels or more than 2³².
pub fn global_max_pool_forward(cpu: &Cpu, pixels: usize, c: usize, x: &[f32], y: &mut [f32], switches: &mut [u16]) {
    let words = global_max_pool_switches(pixels);
    assert!((1..=1 << 32).contains(&pixels), "{pixels} pixels");
    assert_eq!(x.len(), y.len() * pixels, "x (n, {pixels}, {c}) for y (n, {c})");
    assert_eq!(switches.len(), y.len() * words, "{words} switches for each element of y");
    cpu.chunks2(y, c.max(1), switches, (words * c).max(1), |image, y, switches| {
        cpu.isa().dispatch(ImageMax { x: &x[image * pixels * c..][..pixels * c], c, y, switches });
    });
}

struct ImageMax<'a> {
    x: &'a [f32],
    c: usize,
    y: &'a mut [f32],
    switches: &'a mut [u16],
}

impl Kernel for ImageMax<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (low, high) = self.switches.split_at_mut(self.c);
        for (block, y) in self.y.chunks_mut(BLOCK).enumerate() {
            let start = block * BLOCK;
            let (mut best, mut winner) = ([f32::NEG_INFINITY; BLOCK], [0_u32; BLOCK]);
            best[..y.len()].copy_from_slice(&self.x[start..][..y.len()]);
            for (pixel, x) in self.x.chunks_exact(self.c).enumerate().skip(1) {
                for ((best, winner), &x) in best.iter_mut().zip(&mut winner).zip(&x[start..][..y.len()]) {
                    let wins = x > *best || x.is_nan();
                    *best = if wins { x } else { *best };
                    *winner = if wins { pixel as u32 } else { *winner };
                }
            }
            for (i, y) in y.iter_mut().enumerate() {
                *y = best[i];
                low[start + i] = winner[i] as u16;
                if let Some(high) = high.get_mut(start + i) {
                    *high = (winner[i] >> 16) as u16;
                }
            }
        }
    }
}

/// Assigns to dx, or adds to it, each dy at its channel's winner.
///
/// `dy (n, c)`, `switches` as [`global_max_pool_forward`] wrote them, `dx (n, pixels, c)`.
///
/// # Panics
/// If the lengths contradict each other, or a switch names a pixel outside x.
pub fn global_max_pool_backward(
    cpu: &Cpu,
    pixels: usize,
    c: usize,
    dy: &[f32],
    switches: &[u16],
    dx: GradientSlot<'_>,
) {
    let words = global_max_pool_switches(pixels);
    assert_eq!(dx.values.len(), dy.len() * pixels, "dx (n, {pixels}, {c}) for dy (n, {c})");
    assert_eq!(switches.len(), dy.len() * words, "{words} switches for each element of dy");
    dx.add_in_chunks(cpu, (pixels * c).max(1), |image, dx| {
        let (low, high) = switches[image * words * c..][..words * c].split_at(c);
        for (channel, &dy) in dy[image * c..][..c].iter().enumerate() {
            let pixel = usize::from(low[channel]) | high.get(channel).map_or(0, |&high| usize::from(high) << 16);
            dx[pixel * c + channel] += dy;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::tests::everywhere;
    use crate::reference::random;

    #[test]
    fn maxima_name_their_first_winner_in_maps_of_any_size() {
        for (n, pixels, c) in [(1, 1, 1), (3, 49, 33), (2, 5, 16), (2, 65_536, 2), (2, 65_537, 3), (1, 200_000, 1)] {
            // Few distinct values: many ties. The last pixel of channel 0 stands out, so that both words are told apart.
            let mut x: Vec<f32> = random(1, n * pixels * c).iter().map(|v| (v * 2.0).round()).collect();
            for image in x.chunks_mut(pixels * c) {
                image[(pixels - 1) * c] = 100.0;
            }
            let dy = random(2, n * c);
            let mut expected_y = vec![f32::NEG_INFINITY; n * c];
            let mut winners = vec![0; n * c];
            for (i, &x) in x.iter().enumerate() {
                let to = i / (pixels * c) * c + i % c;
                if x > expected_y[to] {
                    (expected_y[to], winners[to]) = (x, i);
                }
            }
            let mut expected_dx = vec![1.0; x.len()];
            for (&winner, dy) in winners.iter().zip(&dy) {
                expected_dx[winner] += dy;
            }
            let dx = everywhere(|cpu| {
                let mut y = vec![f32::NAN; n * c];
                let mut switches = vec![7; n * c * global_max_pool_switches(pixels)];
                global_max_pool_forward(cpu, pixels, c, &x, &mut y, &mut switches);
                assert_eq!(y, expected_y);
                let mut dx = vec![1.0; x.len()];
                global_max_pool_backward(cpu, pixels, c, &dy, &switches, GradientSlot::add(&mut dx));
                dx
            });
            assert_eq!(dx, expected_dx);
        }
    }

    #[test]
    fn nan_passes_through_a_global_maximum() {
        let cpu = Cpu::new(1).unwrap();
        for x in [[1.0, f32::NAN, 3.0], [f32::NAN, 1.0, 3.0], [1.0, 3.0, f32::NAN]] {
            let (mut y, mut switches) = ([0.0], [9]);
            global_max_pool_forward(&cpu, 3, 1, &x, &mut y, &mut switches);
            assert!(y[0].is_nan() && x[usize::from(switches[0])].is_nan(), "{x:?}");
        }
    }
}
