//! Batches whose images are mixed: mixup (Zhang et al. 2017, arXiv:1710.09412) and `CutMix` (Yun et al. 2019, arXiv:1905.04899).
//!
//! As in both papers' programs, one share λ is drawn a batch, from Beta(α, α). Each image is mixed with the one before it in the
//! batch, the first with the last, as torchvision does it; batches are drawn by lot, so that is a partner drawn by lot.

use crate::seeded::Lots;
use serde::{Deserialize, Serialize};

/// How batches are mixed; each α is 0 where it is not wanted. With both, a lot decides between them for every batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mix {
    /// α of mixup: all pixels are λ of the image's own and 1 − λ of its partner's.
    pub mixup: f64,
    /// α of `CutMix`: a rectangle of 1 − λ of the area is the partner's.
    pub cutmix: f64,
}

/// Which way a batch was mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// All pixels.
    Mixup,
    /// A rectangle.
    Cutmix,
}

/// What the images of a batch were mixed with.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    /// The way.
    pub way: Way,
    /// The share λ of each image, and of its label, that is its own; 1 − λ is its partner's.
    pub share: f32,
    /// The partners' classes.
    pub partners: Vec<u32>,
}

/// What is drawn for a batch: rows `top..bottom` and columns `left..right` are the partner's, or all pixels in part.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Draw {
    Mixup { share: f64 },
    Cutmix { top: usize, bottom: usize, left: usize, right: usize },
}

/// Keeps these draws apart from others of the same seed.
const MIX: u64 = 4;

impl Mix {
    /// The largest α that is accepted.
    pub(super) const MOST_ALPHA: f64 = 100.0;

    /// Whether nothing is mixed.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    pub fn is_off(&self) -> bool {
        self.mixup <= 0.0 && self.cutmix <= 0.0
    }

    /// Mixes the images of batch `number` of an epoch: `labels.len()` images of `height` rows, `width` pixels each, NHWC.
    ///
    /// `None`, and nothing changed, if that is off or there are fewer than two images.
    ///
    /// # Panics
    /// If the images are not of that size.
    pub fn apply(
        &self,
        images: &mut [f32],
        labels: &[u32],
        (height, width): (usize, usize),
        (seed, epoch, number): (u64, u64, usize),
    ) -> Option<Mixed> {
        if self.is_off() || labels.len() < 2 {
            return None;
        }
        let size = images.len() / labels.len();
        assert!(images.len() == size * labels.len() && size.is_multiple_of(height * width), "whole images, NHWC");
        let channels = size / (height * width);
        let draw = self.draw(&mut Lots::new(seed, &[MIX, epoch, number as u64]), height, width);
        // From the last image on, so that partners are still their own; the first one's partner is kept.
        let last = images[images.len() - size..].to_vec();
        for image in (1..labels.len()).rev() {
            let (partner, own) = images[(image - 1) * size..(image + 1) * size].split_at_mut(size);
            draw.mix(own, partner, width, channels);
        }
        draw.mix(&mut images[..size], &last, width, channels);
        let mut partners = labels.to_vec();
        partners.rotate_right(1);
        let (way, share) = match draw {
            Draw::Mixup { share } => (Way::Mixup, share),
            Draw::Cutmix { top, bottom, left, right } => {
                (Way::Cutmix, 1.0 - ((bottom - top) * (right - left)) as f64 / (height * width) as f64)
            }
        };
        Some(Mixed { way, share: share as f32, partners })
    }

    fn draw(&self, lots: &mut Lots, height: usize, width: usize) -> Draw {
        let heads = lots.coin();
        let cut = if self.mixup > 0.0 && self.cutmix > 0.0 { heads } else { self.cutmix > 0.0 };
        if !cut {
            return Draw::Mixup { share: beta(lots, self.mixup) };
        }
        // The sides are √(1 − λ) of the image's; about a centre anywhere, cut at the image's edge.
        let half_side = 0.5 * (1.0 - beta(lots, self.cutmix)).sqrt();
        let mut side = |length: usize| {
            let (half, centre) = ((half_side * length as f64) as usize, lots.below(length as u64) as usize);
            (centre.saturating_sub(half), (centre + half).min(length))
        };
        let ((left, right), (top, bottom)) = (side(width), side(height));
        Draw::Cutmix { top, bottom, left, right }
    }
}

impl Draw {
    /// Mixes an image of rows of `width` pixels with its partner.
    fn mix(self, own: &mut [f32], partner: &[f32], width: usize, channels: usize) {
        match self {
            Self::Mixup { share } => {
                let (share, rest) = (share as f32, (1.0 - share) as f32);
                own.iter_mut().zip(partner).for_each(|(own, partner)| *own = share * *own + rest * partner);
            }
            Self::Cutmix { top, bottom, left, right } => {
                let rows = own.chunks_exact_mut(width * channels).zip(partner.chunks_exact(width * channels));
                for (own, partner) in rows.take(bottom).skip(top) {
                    let part = left * channels..right * channels;
                    own[part.clone()].copy_from_slice(&partner[part]);
                }
            }
        }
    }
}

/// A number from 0 to 1, distributed as Beta(α, α).
///
/// Up to α = 1 by Jöhnk's rejection, which takes two tries at most on average, in logarithms, so that small α do not
/// underflow; beyond by Ulrich's polar method (both in Devroye 1986, Non-Uniform Random Variate Generation, ch. IX).
fn beta(lots: &mut Lots, alpha: f64) -> f64 {
    // From above 0, so that its logarithm is finite.
    let mut log = || libm::log(1.0 - lots.unit());
    if alpha > 1.0 {
        let radius = (1.0 - libm::exp(2.0 / (2.0 * alpha - 1.0) * log())).sqrt();
        return 0.5 * (1.0 + radius * libm::cos(std::f64::consts::TAU * lots.unit()));
    }
    loop {
        let (x, y) = (log() / alpha, log() / alpha);
        if libm::exp(x) + libm::exp(y) <= 1.0 {
            return 1.0 / (1.0 + libm::exp(y - x));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three images of 4×5 pixels and two channels; image i has the value 10 · (i + 1) + channel everywhere.
    fn batch() -> (Vec<f32>, Vec<u32>) {
        let image = |i: u32| (0..20).flat_map(move |_| [10 * (i + 1), 10 * (i + 1) + 1]);
        ((0..3).flat_map(image).map(|v| v as f32).collect(), vec![7, 8, 9])
    }

    fn mixed(mix: Mix, seed: u64) -> (Vec<f32>, Mixed) {
        let (mut images, labels) = batch();
        let mixed = mix.apply(&mut images, &labels, (4, 5), (seed, 1, 0)).unwrap();
        assert_eq!(mixed.partners, [9, 7, 8], "each with the one before it");
        (images, mixed)
    }

    #[test]
    fn all_pixels_are_mixed_by_the_share() {
        let (before, _) = batch();
        for seed in 0..50 {
            let (images, m) = mixed(Mix { mixup: 1.0, cutmix: 0.0 }, seed);
            assert_eq!(m.way, Way::Mixup);
            for (i, (value, own)) in images.iter().zip(&before).enumerate() {
                let partner = before[(i + 80) % 120];
                let expected = f64::from(m.share) * f64::from(*own) + (1.0 - f64::from(m.share)) * f64::from(partner);
                assert!((f64::from(*value) - expected).abs() < 1e-5, "{value} is not {expected}");
            }
        }
    }

    #[test]
    fn a_rectangle_is_the_partners_and_the_share_is_its_rest() {
        let (before, _) = batch();
        let mut shares = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let (images, m) = mixed(Mix { mixup: 0.0, cutmix: 1.0 }, seed);
            assert_eq!(m.way, Way::Cutmix);
            let taken: Vec<usize> = (0..20).filter(|p| images[2 * p] != before[2 * p]).collect();
            for (i, value) in images.iter().enumerate() {
                let from = if taken.contains(&(i % 40 / 2)) { (i + 80) % 120 } else { i };
                assert_eq!(*value, before[from], "whole pixels, the same in every image");
            }
            let span = |of: fn(usize) -> usize| {
                let places = taken.iter().map(|&p| of(p));
                places.clone().max().map_or(0, |most| most - places.min().unwrap() + 1)
            };
            assert_eq!(taken.len(), span(|p| p / 5) * span(|p| p % 5), "a rectangle");
            assert!((m.share - (1.0 - taken.len() as f32 / 20.0)).abs() < 1e-6);
            shares.insert(taken.len());
        }
        assert!(shares.len() > 5, "{shares:?}");
    }

    #[test]
    fn both_take_turns_and_off_is_off() {
        let ways = (0..100).map(|seed| mixed(Mix { mixup: 0.2, cutmix: 1.0 }, seed).1.way);
        let cut = ways.filter(|way| *way == Way::Cutmix).count();
        assert!((30..70).contains(&cut), "{cut}");
        let (mut images, labels) = batch();
        assert_eq!(Mix::default().apply(&mut images, &labels, (4, 5), (1, 1, 1)), None);
        let alone = Mix { mixup: 1.0, cutmix: 0.0 }.apply(&mut images[..40], &labels[..1], (4, 5), (1, 1, 1));
        assert_eq!((alone, images), (None, batch().0));
    }

    #[test]
    fn shares_are_distributed_as_beta() {
        for alpha in [0.01, 0.2, 0.5, 1.0, 1.5, 8.0, 100.0_f64] {
            let mut lots = Lots::new(3, &[]);
            let n = 40_000;
            let drawn: Vec<f64> = (0..n).map(|_| beta(&mut lots, alpha) - 0.5).collect();
            assert!(drawn.iter().all(|x| (-0.5..=0.5).contains(x)));
            let moment = |power| drawn.iter().map(|x| x.powi(power)).sum::<f64>() / f64::from(n);
            let variance = 0.25 / (2.0 * alpha + 1.0);
            let fourth = 3.0 / 16.0 / (2.0 * alpha + 1.0) / (2.0 * alpha + 3.0);
            // Five standard errors of the mean and of the variance; the fourth moment's is at most a tenth of it.
            let error = |of_square: f64| 5.0 * (of_square / f64::from(n)).sqrt();
            assert!(moment(1).abs() < error(variance), "{alpha}: {}", moment(1));
            assert!(
                (moment(2) - variance).abs() < error(fourth - variance * variance) + 1e-9,
                "{alpha}: {}",
                moment(2)
            );
            assert!((moment(4) / fourth - 1.0).abs() < 0.1, "{alpha}: {} is not {fourth}", moment(4));
        }
    }
}
