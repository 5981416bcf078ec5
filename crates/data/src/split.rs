//! A part of a data set (training, validation, test) and drawing one from another, class by class.

use crate::sample::Sample;
use crate::splitting::{Division, Groups, Roles};

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
    /// Images stay together that are of one group, by `groups` or by what their samples say. Of a class with two or more
    /// groups at least one stays, and, unless they are large, at least one is taken; a single one stays.
    pub(crate) fn hold_out(self, mut groups: Groups, share: f64, seed: u64) -> (Self, Self) {
        groups.join_alike(self.samples.iter().map(|sample| sample.group.as_deref()));
        let labels: Vec<u32> = self.samples.iter().map(|sample| sample.label).collect();
        let shares = [1.0 - share, share];
        let division =
            Division { labels: &labels, groups: &groups.numbers(), shares: &shares, roles: Roles::Parts, seed };
        let (mut kept, mut held) = (Self::default(), Self::default());
        for (sample, part) in self.samples.into_iter().zip(division.divide()) {
            if part == 0 { kept.samples.push(sample) } else { held.samples.push(sample) }
        }
        (kept, held)
    }
}

/// What to say where a validation part was drawn from images of which some are exact copies of others; `copies` holds which.
pub(crate) fn warning_of_copies(mut copies: Groups, drawn: &Split) -> Option<String> {
    let pictures = copies.numbers();
    let different = pictures.iter().max().map_or(0, |last| last + 1);
    let which = match pictures.len() - different {
        0 => return None,
        1 => "1 image is an exact copy of another".to_owned(),
        n => format!("{n} images are exact copies of others"),
    };
    (!drawn.is_empty()).then(|| format!("{which}; copies were kept together, in training or in validation"))
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

    fn hold_out(all: Split, share: f64, seed: u64) -> (Split, Split) {
        let apart = Groups::apart(all.len());
        all.hold_out(apart, share, seed)
    }

    fn names(split: &Split) -> Vec<String> {
        split.samples.iter().map(Sample::name).collect()
    }

    #[test]
    fn every_class_gives_its_share_and_keeps_one() {
        let (kept, held) = hold_out(split(&[100, 10, 2, 1, 0]), 0.2, 3);
        assert_eq!(kept.counts_per_class(5), [80, 8, 1, 1, 0]);
        assert_eq!(held.counts_per_class(5), [20, 2, 1, 0, 0]);
        assert!(hold_out(split(&[5, 5]), 0.0, 3).1.is_empty());
        assert_eq!(hold_out(split(&[7, 7, 7]), 0.2, 3).1.counts_per_class(3), [2, 1, 1], "a fifth of 21 is 4");
        assert_eq!(hold_out(split(&[3, 3]), 0.99, 3).1.counts_per_class(2), [2, 2]);
    }

    #[test]
    fn copies_and_groups_stay_together() {
        let mut all = split(&[40, 40]);
        // Four subjects with four images of each class.
        for (i, sample) in all.samples.iter_mut().enumerate().filter(|(i, _)| i % 40 < 16) {
            sample.group = Some(format!("subject {}", i % 4).into());
        }
        for seed in 0..20 {
            let mut groups = Groups::apart(80);
            groups.join(20, 79);
            groups.join(60, 61);
            let held = names(&all.clone().hold_out(groups, 0.25, seed).1);
            let side = |i: usize| held.contains(&all.samples[i].name());
            assert_eq!((side(20), side(60)), (side(79), side(61)), "seed {seed}");
            for i in (0..80).filter(|i| i % 40 < 16) {
                assert_eq!(side(i), side(i % 4), "seed {seed}, image {i}");
            }
            assert_eq!(held.len(), 20, "seed {seed}");
        }
    }

    #[test]
    fn the_draw_depends_on_the_seed_alone() {
        let held = |seed| names(&hold_out(split(&[50, 50]), 0.2, seed).1);
        assert_eq!(held(1), held(1));
        assert_ne!(held(1), held(2));
        let mut sorted = hold_out(split(&[50, 50]), 0.2, 1).1.samples;
        sorted.sort_by_key(|s| s.label);
        assert_eq!(names(&Split { samples: sorted }), held(1), "order is kept");
    }
}
