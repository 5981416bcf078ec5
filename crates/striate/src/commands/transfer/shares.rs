//! Parts of the training images: of every class its share, the smaller parts within the larger.

use striate_data::Split;
use striate_kernels::hash;

/// The part of `share` of the images, drawn by the seed: of every class as much, rounded up, in the order that they have.
pub(super) fn part(all: &Split, classes: usize, share: f64, seed: u64) -> Split {
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
    for (index, sample) in all.samples.iter().enumerate() {
        if let Some(members) = of_class.get_mut(sample.label as usize) {
            members.push(index);
        }
    }
    let mut taken: Vec<usize> = of_class
        .into_iter()
        .flat_map(|mut members| {
            let count = (share * members.len() as f64 - 1e-9).ceil().max(0.0) as usize;
            members.sort_by_key(|index| (hash(seed, *index as u64), *index));
            members.truncate(count);
            members
        })
        .collect();
    taken.sort_unstable();
    Split { samples: taken.into_iter().map(|index| all.samples[index].clone()).collect() }
}

/// A share in words.
pub(super) fn words(share: f64) -> String {
    let percent = 100.0 * share;
    if percent.fract().abs() < 1e-9 { format!("{percent:.0} %") } else { format!("{percent} %") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_data::{Sample, Source};

    #[test]
    fn parts_lie_within_larger_ones_and_have_every_class() {
        let samples = (0..101).map(|i| Sample::new(Source::File(format!("{i}").into()), u32::from(i >= 60)));
        let all = Split { samples: samples.collect() };
        let names = |share, seed| part(&all, 2, share, seed).samples.iter().map(Sample::name).collect::<Vec<_>>();
        assert_eq!(names(1.0, 3).len(), 101);
        assert_eq!(names(0.5, 3).len(), 30 + 21);
        assert_eq!(names(0.01, 3).len(), 2, "one of each class at least");
        assert!(names(0.1, 3).iter().all(|name| names(0.5, 3).contains(name)));
        assert_ne!(names(0.1, 3), names(0.1, 4));
        assert_eq!([words(0.05), words(1.0), words(0.025)], ["5 %", "100 %", "2.5 %"]);
    }
}
