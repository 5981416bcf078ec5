//! A part of a data set (training, validation, test) and drawing one from another, class by class.

use crate::grouped;
use crate::sample::Sample;
use crate::seeded::Lots;

/// A part of a data set, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct Split {
    /// The images.
    pub samples: Vec<Sample>,
}

impl Split {
    /// How many images there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// How many images each of `classes` classes has.
    pub fn counts_per_class(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for sample in &self.samples {
            if let Some(count) = counts.get_mut(sample.label as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// Takes the share `share` out, drawn by `seed` from every class alike; returns what stays and what was taken, each
    /// in order.
    ///
    /// Of a class with two or more images at least one is taken and at least one stays; a single one stays. Where images
    /// have groups, those stay whole instead, see [`grouped`].
    pub(crate) fn hold_out(self, share: f64, seed: u64) -> (Self, Self) {
        if self.samples.iter().any(|sample| sample.group.is_some()) {
            let taken = grouped::draw(&self.samples, share, seed);
            return self.divide(&taken);
        }
        let classes = self.samples.iter().map(|s| s.label as usize + 1).max().unwrap_or(0);
        let mut members = vec![Vec::new(); classes];
        for (index, sample) in self.samples.iter().enumerate() {
            members[sample.label as usize].push(index);
        }
        let counts: Vec<usize> = members.iter().map(Vec::len).collect();
        let mut taken = vec![false; self.samples.len()];
        for (label, take) in shares(&counts, share).into_iter().enumerate() {
            Lots::new(seed, &[HOLD_OUT, label as u64]).shuffle(&mut members[label]);
            for &index in &members[label][..take] {
                taken[index] = true;
            }
        }
        self.divide(&taken)
    }

    /// What is not taken and what is, each in order.
    fn divide(self, taken: &[bool]) -> (Self, Self) {
        let (mut kept, mut held) = (Self::default(), Self::default());
        for (sample, taken) in self.samples.into_iter().zip(taken) {
            if *taken { held.samples.push(sample) } else { kept.samples.push(sample) }
        }
        (kept, held)
    }
}

/// Keeps these draws apart from others of the same seed.
pub(crate) const HOLD_OUT: u64 = 3;

/// How many to take of each class so that the sum is the share of all, rounded: whole parts, then one more for the
/// largest remainders, within the bounds of each class.
pub(crate) fn shares(counts: &[usize], share: f64) -> Vec<usize> {
    if share <= 0.0 {
        return vec![0; counts.len()];
    }
    let exact = |class: usize| counts[class] as f64 * share;
    let most = |class: usize| counts[class].saturating_sub(1);
    let mut takes: Vec<usize> =
        (0..counts.len()).map(|class| (exact(class) as usize).max(1).min(most(class))).collect();
    let total = (counts.iter().sum::<usize>() as f64 * share).round() as usize;
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by(|&a, &b| exact(b).fract().total_cmp(&exact(a).fract()));
    for class in by_remainder {
        if takes.iter().sum::<usize>() >= total {
            break;
        }
        takes[class] = (takes[class] + 1).min(most(class));
    }
    takes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Source;

    fn split(counts: &[usize]) -> Split {
        let samples = counts.iter().enumerate().flat_map(|(label, &n)| {
            (0..n).map(move |i| Sample::new(Source::File(format!("{label}/{i}").into()), label as u32))
        });
        Split { samples: samples.collect() }
    }

    fn names(split: &Split) -> Vec<String> {
        split.samples.iter().map(Sample::name).collect()
    }

    #[test]
    fn every_class_gives_its_share_and_keeps_one() {
        let (kept, held) = split(&[100, 10, 2, 1, 0]).hold_out(0.2, 3);
        assert_eq!(kept.counts_per_class(5), [80, 8, 1, 1, 0]);
        assert_eq!(held.counts_per_class(5), [20, 2, 1, 0, 0]);
        assert!(split(&[5, 5]).hold_out(0.0, 3).1.is_empty());
        assert_eq!(shares(&[7, 7, 7], 0.2), [2, 1, 1], "a fifth of 21 is 4");
        assert_eq!(shares(&[3, 3], 0.99), [2, 2]);
    }

    #[test]
    fn the_draw_depends_on_the_seed_alone() {
        let held = |seed| names(&split(&[50, 50]).hold_out(0.2, seed).1);
        assert_eq!(held(1), held(1));
        assert_ne!(held(1), held(2));
        let mut sorted = split(&[50, 50]).hold_out(0.2, 1).1.samples;
        sorted.sort_by_key(|s| s.label);
        assert_eq!(names(&Split { samples: sorted }), held(1), "order is kept");
    }
}
