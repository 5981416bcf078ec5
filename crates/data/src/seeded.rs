//! Lots drawn from a seed: PCG XSL RR 128/64 (O'Neill, 2014), the same on every machine and in every release.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A generator for one purpose: `path` says which (an epoch, a sample's index, …), so that draws do not depend on order.
pub(crate) struct Lots(Pcg64);

impl Lots {
    pub(crate) fn new(seed: u64, path: &[u64]) -> Self {
        let mixed = path.iter().fold(mix(seed), |state, &step| mix(state ^ mix(step.wrapping_add(1))));
        Self(Pcg64::seed_from_u64(mixed))
    }

    /// A number below `n`, which is at least 1; the bias is below n / 2⁶⁴.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A number from −`most` to `most`.
    pub(crate) fn around_zero(&mut self, most: u32) -> i64 {
        self.below(2 * u64::from(most) + 1) as i64 - i64::from(most)
    }

    /// A number from 0 to below 1, a multiple of 2⁻⁵³.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from `least` to `most`, uniform to 2⁻⁵³ of their distance.
    pub(crate) fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }

    /// A number from −`most` to `most`, uniform to 2⁻⁵³.
    pub(crate) fn within(&mut self, most: f64) -> f64 {
        most * (2.0 * self.unit() - 1.0)
    }

    /// Any levels, each as likely as the others.
    pub(crate) fn levels(&mut self, out: &mut [u8]) {
        for out in out.chunks_mut(8) {
            let levels = self.0.next_u64().to_le_bytes();
            out.copy_from_slice(&levels[..out.len()]);
        }
    }

    /// Heads or tails.
    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Fisher and Yates' shuffle.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

/// `SplitMix64`'s finaliser (Steele, Lea, Flood, 2014).
fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_lots_for_ever() {
        let mut items: Vec<u32> = (0..8).collect();
        Lots::new(7, &[1, 2]).shuffle(&mut items);
        assert_eq!(items, SHUFFLED);
        let mut other: Vec<u32> = (0..8).collect();
        Lots::new(7, &[2, 1]).shuffle(&mut other);
        assert_ne!(items, other, "the order of the path counts");
    }

    /// Pinned: a change here changes every split and every training run.
    const SHUFFLED: [u32; 8] = [3, 7, 6, 0, 2, 1, 4, 5];

    #[test]
    fn shifts_reach_both_ends_and_no_further() {
        let mut lots = Lots::new(1, &[]);
        let drawn: Vec<i64> = (0..1000).map(|_| lots.around_zero(2)).collect();
        assert_eq!(drawn.iter().min(), Some(&-2));
        assert_eq!(drawn.iter().max(), Some(&2));
        assert_eq!(Lots::new(1, &[]).around_zero(0), 0);
    }
}
