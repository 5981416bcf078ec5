//! The classes' names of two data sets, which checkpoints trained on them do not carry.

/// The thousand classes of ImageNet's challenge in order, in torchvision's short names (BSD-3-Clause).
const IMAGENET: &str = include_str!("imagenet.txt");

/// CIFAR-10's classes in order (Krizhevsky 2009, "Learning multiple layers of features from tiny images").
const CIFAR10: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The classes that a network of so many, for pictures of this side, was most likely trained on, and what they are of; `None` if
/// on neither.
pub(super) fn likely(classes: usize, side: usize) -> Option<(&'static str, Vec<String>)> {
    match (classes, side) {
        (1000, _) => Some(("ImageNet", IMAGENET.lines().map(str::to_owned).collect())),
        (10, 32) => Some(("CIFAR-10", CIFAR10.map(str::to_owned).to_vec())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_a_thousand_and_distinct() {
        let (_, names) = likely(1000, 224).unwrap();
        let distinct: HashSet<_> = names.iter().collect();
        assert_eq!((names.len(), distinct.len()), (1000, 1000));
        // The challenge's first and last classes, and two by their known indices.
        assert_eq!(
            [&names[0], &names[999], &names[281], &names[207]],
            ["tench", "toilet tissue", "tabby", "golden retriever"]
        );
        assert_eq!(likely(10, 28), None);
    }
}
