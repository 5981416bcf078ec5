//! Drawing the validation part from images in groups (boxes of one picture, pictures of one patient), which stay whole.
//!
//! Classes are served from the rarest to the commonest: of each, groups that hold it are drawn by lot while that brings
//! the class closer to its share and leaves every class something to train on. Images without a group are groups of one.

use crate::sample::Sample;
use crate::seeded::Lots;
use crate::split::{HOLD_OUT, shares};
use std::collections::{BTreeMap, HashMap};

/// The images of one group.
#[derive(Default)]
struct Group {
    members: Vec<usize>,
    /// How many of each class that it has.
    counts: BTreeMap<usize, usize>,
}

/// For each sample, whether it is taken out.
pub(crate) fn draw(samples: &[Sample], share: f64, seed: u64) -> Vec<bool> {
    let groups = groups(samples);
    let mut counts = vec![0; samples.iter().map(|s| s.label as usize + 1).max().unwrap_or(0)];
    for (class, n) in groups.iter().flat_map(|group| &group.counts) {
        counts[*class] += n;
    }
    let wanted = shares(&counts, share);
    let mut rarest_first: Vec<usize> = (0..counts.len()).filter(|&class| wanted[class] > 0).collect();
    rarest_first.sort_by_key(|&class| counts[class]);
    let mut held = vec![0; counts.len()];
    let mut taken = vec![false; groups.len()];
    for class in rarest_first {
        let mut candidates: Vec<usize> = (0..groups.len()).filter(|&g| groups[g].counts.contains_key(&class)).collect();
        Lots::new(seed, &[HOLD_OUT, class as u64]).shuffle(&mut candidates);
        for candidate in candidates {
            let missing = wanted[class].saturating_sub(held[class]);
            let group = &groups[candidate].counts;
            let closer = group[&class] < 2 * missing;
            let leaves_some = group.iter().all(|(&class, n)| held[class] + n < counts[class]);
            if closer && leaves_some && !taken[candidate] {
                taken[candidate] = true;
                for (&class, n) in group {
                    held[class] += n;
                }
            }
        }
    }
    let mut of_samples = vec![false; samples.len()];
    for (group, _) in groups.iter().zip(taken).filter(|(_, taken)| *taken) {
        group.members.iter().for_each(|&member| of_samples[member] = true);
    }
    of_samples
}

/// In the order of their first samples.
fn groups(samples: &[Sample]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (index, sample) in samples.iter().enumerate() {
        let new = groups.len();
        let place = sample.group.as_deref().map_or(new, |name| *places.entry(name).or_insert(new));
        if place == new {
            groups.push(Group::default());
        }
        groups[place].members.push(index);
        *groups[place].counts.entry(sample.label as usize).or_default() += 1;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Source;
    use proptest::prelude::*;

    fn sample(group: Option<usize>, label: u32) -> Sample {
        let group = group.map(|group| group.to_string().into());
        Sample { group, ..Sample::new(Source::File("x".into()), label) }
    }

    #[test]
    fn groups_of_equal_boxes_give_the_share() {
        // 50 pictures with four boxes of class 0 and one of class 1 each, which a fifth divides exactly.
        let samples: Vec<Sample> = (0..250).map(|i| sample(Some(i / 5), u32::from(i % 5 == 0))).collect();
        let taken = draw(&samples, 0.2, 1);
        let of_class = |class| samples.iter().zip(&taken).filter(|(s, t)| s.label == class && **t).count();
        assert_eq!((of_class(0), of_class(1)), (40, 10));
        assert_ne!(taken, draw(&samples, 0.2, 2));
    }

    proptest! {
        #[test]
        fn no_group_is_divided_and_every_class_keeps_some(
            of in prop::collection::vec((prop::option::of(0usize..12), 0u32..4), 1..120),
            share in 0.0f64..0.99,
            seed in any::<u64>(),
        ) {
            let samples: Vec<Sample> = of.iter().map(|&(group, label)| sample(group, label)).collect();
            let taken = draw(&samples, share, seed);
            for (a, taken_a) in samples.iter().zip(&taken) {
                for (b, taken_b) in samples.iter().zip(&taken) {
                    prop_assert!(a.group.is_none() || a.group != b.group || taken_a == taken_b);
                }
                let kept = samples.iter().zip(&taken).filter(|(s, t)| s.label == a.label && !**t).count();
                prop_assert!(kept > 0);
            }
            prop_assert_eq!(taken, draw(&samples, share, seed));
        }
    }
}
