//! Regions as a network's input: warped with context, mirrored where asked for, normalised.

use super::options::RegionOptions;
use crate::bounding_box::BoundingBox;
use crate::error::DetectError;
use crate::warp::Warp;
use striate_data::{Fit, Picture, Preprocessing};
use striate_kernels::Cpu;

/// A region of a picture, and whether it is seen in a mirror.
pub(super) struct Window<'a> {
    pub(super) picture: &'a Picture,
    pub(super) bounds: BoundingBox,
    pub(super) mirrored: bool,
}

/// How regions become input.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    warp: Warp,
    preprocessing: Preprocessing,
}

impl Windows {
    pub(super) fn new(options: &RegionOptions, preprocessing: &Preprocessing) -> Self {
        // What lies beyond the picture becomes 0.
        let fill = preprocessing.mean.iter().map(|mean| (255.0 * mean).round().clamp(0.0, 255.0) as u8).collect();
        let warp = Warp { context: options.context, shape: options.shape, ..Warp::new(preprocessing.width, fill) };
        Self { warp, preprocessing: preprocessing.clone() }
    }

    /// Values of one region.
    pub(super) fn len(&self) -> usize {
        self.preprocessing.len()
    }

    /// Pixels on a side of the network's input.
    pub(super) fn side(&self) -> u32 {
        self.preprocessing.width
    }

    /// A region with its context.
    pub(super) fn widened(&self, region: &BoundingBox) -> BoundingBox {
        let scale = f64::from(self.warp.side) / f64::from(self.warp.side - 2 * self.warp.context);
        let (w, h) = (region.width * scale, region.height * scale);
        BoundingBox::new(region.x - (w - region.width) / 2.0, region.y - (h - region.height) / 2.0, w, h)
    }

    /// A prepared picture, at another size, as a network's input.
    pub(super) fn whole(&self, picture: &Picture, width: u32, height: u32) -> Vec<f32> {
        let preprocessing = Preprocessing { width, height, fit: Fit::Stretch, ..self.preprocessing.clone() };
        let mut out = vec![0.0; preprocessing.len()];
        preprocessing.apply(picture, &mut out);
        out
    }

    /// The picture in the network's channels.
    pub(super) fn prepare(&self, picture: &Picture) -> Picture {
        if self.preprocessing.channels == 1 { picture.to_grey() } else { picture.to_colour() }
    }

    /// Cuts windows out of prepared pictures into `out`, which has room for just those.
    pub(super) fn cut(&self, windows: &[Window<'_>], cpu: &Cpu, out: &mut [f32]) -> Result<(), DetectError> {
        let rooms = out.chunks_exact_mut(self.len());
        let mut jobs: Vec<_> = windows.iter().zip(rooms).map(|(window, room)| (window, room, Ok(()))).collect();
        cpu.chunks(&mut jobs, 1, |_, job| {
            for (window, room, result) in job {
                *result = self.one(window, room);
            }
        });
        jobs.into_iter().try_for_each(|(.., result)| result)
    }

    fn one(&self, window: &Window<'_>, out: &mut [f32]) -> Result<(), DetectError> {
        let mut cut = self.warp.cut(window.picture, &window.bounds)?;
        if window.mirrored {
            mirror(&mut cut);
        }
        self.preprocessing.normalise(&cut, out);
        Ok(())
    }
}

/// Left becomes right.
fn mirror(picture: &mut Picture) {
    let (stride, channels) = (picture.stride(), usize::from(picture.channels));
    for row in picture.pixels.chunks_exact_mut(stride) {
        row.reverse();
        row.chunks_exact_mut(channels).for_each(<[u8]>::reverse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_warped_mirrored_and_normalised() {
        let pixels = (0..6 * 4).flat_map(|i| [(i % 6 * 51) as u8, 0, 255]).collect();
        let picture = Picture { width: 6, height: 4, channels: 3, pixels };
        let preprocessing = Preprocessing::new(2, 2, 3, Fit::Stretch).normalised_by(vec![0.2, 0.0, 1.0], vec![0.5; 3]);
        let options = RegionOptions { context: 0, ..RegionOptions::for_side(2) };
        let windows = Windows::new(&options, &preprocessing);
        let window = |mirrored| Window { picture: &picture, bounds: BoundingBox::new(1.0, 1.0, 2.0, 2.0), mirrored };
        let mut out = vec![9.0; 2 * windows.len()];
        windows.cut(&[window(false), window(true)], &Cpu::new(2).unwrap(), &mut out).unwrap();
        // Columns 1 and 2 are red by 0.2 and 0.4.
        let close = |a: &[f32], b: [f32; 6]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(&out[..6], [0.0, 0.0, 0.0, 0.4, 0.0, 0.0]), "{out:?}");
        assert!(close(&out[12..18], [0.4, 0.0, 0.0, 0.0, 0.0, 0.0]), "{out:?}");
    }

    #[test]
    fn what_lies_beyond_is_zero_and_errors_come_through() {
        let picture = Picture::filled(4, 4, &[255, 255, 255]);
        let preprocessing = Preprocessing::new(8, 8, 3, Fit::Stretch).normalised_by(vec![0.4; 3], vec![1.0; 3]);
        let windows = Windows::new(&RegionOptions { context: 2, ..RegionOptions::for_side(8) }, &preprocessing);
        let cpu = Cpu::new(1).unwrap();
        let mut out = vec![9.0; windows.len()];
        let whole = BoundingBox::new(0.0, 0.0, 4.0, 4.0);
        windows.cut(&[Window { picture: &picture, bounds: whole, mirrored: false }], &cpu, &mut out).unwrap();
        assert!(out[0].abs() < 1e-6 && (out[3 * (8 * 4 + 4)] - 0.6).abs() < 1e-6, "{out:?}");
        let none = BoundingBox::new(0.0, 0.0, 0.0, 4.0);
        assert!(windows.cut(&[Window { picture: &picture, bounds: none, mirrored: false }], &cpu, &mut out).is_err());
    }
}
