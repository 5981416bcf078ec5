//! Lots drawn from a seed by counting (`striate_kernels::hash`): the same at any number of threads and on every machine.

use striate_kernels::hash;

/// A stream of draws for one purpose: `path` says which, so that draws do not depend on each other's order.
#[derive(Clone, Debug)]
pub(crate) struct Lots {
    seed: u64,
    next: u64,
}

impl Lots {
    pub(crate) fn new(seed: u64, path: &[u64]) -> Self {
        Self { seed: path.iter().fold(seed, |state, &step| hash(state, step.wrapping_add(1))), next: 0 }
    }

    fn draw(&mut self) -> u64 {
        self.next += 1;
        hash(self.seed, self.next)
    }

    /// A number below `n`, which is at least 1; the bias is below n / 2⁶⁴.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.draw()) * n as u128) >> 64) as usize
    }

    /// A multiple of 2⁻⁵³ in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Fisher and Yates' shuffle.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// `count` different numbers below `of` (all, if there are no more), in ascending order.
    pub(crate) fn choose(&mut self, count: usize, of: usize) -> Vec<usize> {
        let mut left = count.min(of);
        let mut chosen = Vec::with_capacity(left);
        // Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S).
        for i in 0..of {
            if left > 0 && self.below(of - i) < left {
                chosen.push(i);
                left -= 1;
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_path_and_choices_are_even() {
        let draws = |path: &[u64]| (0..8).map(|_| Lots::new(7, path).below(1000)).collect::<Vec<_>>();
        assert_eq!(draws(&[1, 2]), draws(&[1, 2]));
        assert_ne!(Lots::new(7, &[1, 2]).below(1 << 40), Lots::new(7, &[2, 1]).below(1 << 40));
        let mut counts = [0_u32; 10];
        for seed in 0..4000 {
            let chosen = Lots::new(seed, &[]).choose(3, 10);
            assert!(chosen.len() == 3 && chosen.is_sorted());
            for i in chosen {
                counts[i] += 1;
            }
        }
        // Binomial with mean 1200 and deviation 29.
        assert!(counts.iter().all(|c| c.abs_diff(1200) < 150), "{counts:?}");
        assert_eq!(Lots::new(1, &[]).choose(9, 4), [0, 1, 2, 3]);
    }
}
