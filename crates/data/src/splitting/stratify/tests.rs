//! Divisions on hostile group sizes: what is promised at the top of `stratify.rs` holds.

use super::*;
use proptest::prelude::*;

/// Classes and groups of images, and what they were divided into.
struct Divided {
    labels: Vec<u32>,
    groups: Vec<usize>,
    shares: Vec<f64>,
    parts: Vec<usize>,
}

fn divide(labels: Vec<u32>, groups: Vec<usize>, shares: Vec<f64>, roles: Roles, seed: u64) -> Divided {
    let parts = Division { labels: &labels, groups: &groups, shares: &shares, roles, seed }.divide();
    Divided { labels, groups, shares, parts }
}

fn folds(labels: Vec<u32>, groups: Vec<usize>, k: usize, seed: u64) -> Divided {
    divide(labels, groups, vec![1.0 / k as f64; k], Roles::Folds, seed)
}

impl Divided {
    fn classes(&self) -> usize {
        self.labels.iter().max().map_or(0, |&last| last as usize + 1)
    }

    fn have(&self, part: usize, class: usize) -> usize {
        self.labels.iter().zip(&self.parts).filter(|&(&l, &p)| l as usize == class && p == part).count()
    }

    fn size(&self, class: usize) -> usize {
        self.labels.iter().filter(|&&label| label as usize == class).count()
    }

    fn sizes(&self) -> Vec<usize> {
        (0..self.shares.len()).map(|part| self.parts.iter().filter(|&&p| p == part).count()).collect()
    }

    /// Images − wished, for each part and class.
    fn off(&self) -> Vec<(usize, usize, f64)> {
        let all = (0..self.shares.len()).flat_map(|part| (0..self.classes()).map(move |class| (part, class)));
        all.map(|(p, c)| (p, c, self.have(p, c) as f64 - self.shares[p] * self.size(c) as f64)).collect()
    }

    /// Every image is in one part that takes any, and no group in two.
    fn is_whole(&self) {
        assert_eq!(self.parts.len(), self.labels.len());
        assert!(self.parts.iter().all(|&part| self.shares[part] > 0.0));
        let mut of_group = std::collections::HashMap::new();
        for (group, part) in self.groups.iter().zip(&self.parts) {
            assert_eq!(of_group.entry(group).or_insert(part), &part, "group {group} is torn");
        }
    }

    /// Σ over parts and classes of (off / class size)².
    fn squares(&self) -> f64 {
        self.off().iter().filter(|o| self.size(o.1) > 0).map(|o| (o.2 / self.size(o.1) as f64).powi(2)).sum()
    }

    /// Σ over groups and classes of (group's images / class size)².
    fn weights(&self) -> f64 {
        let mut counts = std::collections::HashMap::new();
        self.groups.iter().zip(&self.labels).for_each(|(&g, &l)| *counts.entry((g, l)).or_insert(0usize) += 1);
        counts.iter().map(|(&(_, class), &n)| (n as f64 / self.size(class as usize) as f64).powi(2)).sum()
    }
}

/// The groups without gaps, as they are numbered elsewhere.
fn numbered(groups: &[usize]) -> Vec<usize> {
    let mut numbers = std::collections::HashMap::new();
    let number = |group| {
        let next = numbers.len();
        *numbers.entry(group).or_insert(next)
    };
    groups.iter().map(number).collect()
}

/// Images of classes and groups at random; squaring makes some classes and groups large and others rare.
fn images(most: usize, classes: u32, groups: usize) -> impl Strategy<Value = (Vec<u32>, Vec<usize>)> {
    let one = (0.0..1.0f64, 0.0..1.0f64);
    prop::collection::vec(one, 1..most).prop_map(move |all| {
        let labels = all.iter().map(|(l, _)| (l * l * f64::from(classes)) as u32).collect();
        let groups: Vec<usize> = all.iter().map(|(_, g)| (g * g * groups as f64) as usize).collect();
        (labels, numbered(&groups))
    })
}

proptest! {
    #[test]
    fn single_images_are_stratified_exactly_into_folds(
        (labels, _) in images(300, 12, 1), k in 2usize..12, seed in any::<u64>(),
    ) {
        let n = labels.len();
        let d = folds(labels, (0..n).collect(), k, seed);
        d.is_whole();
        for (part, class, off) in d.off() {
            prop_assert!(off.abs() < 1.0 - 1e-9, "fold {part}, class {class}: off by {off}");
        }
        let sizes = d.sizes();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
    }

    #[test]
    fn single_images_are_stratified_exactly_into_parts(
        (labels, _) in images(300, 12, 1), val in 0.0..0.6f64, test in 0.0..0.4f64, seed in any::<u64>(),
    ) {
        let n = labels.len();
        let d = divide(labels, (0..n).collect(), vec![1.0 - val - test, val, test], Roles::Parts, seed);
        d.is_whole();
        let parts = d.shares.iter().filter(|&&share| share > 0.0).count();
        for (part, class, off) in d.off().into_iter().filter(|o| d.size(o.1) > 0 && d.shares[o.0] > 0.0) {
            // A part that would have none of a class gets one image of it.
            let lent = if part == 0 { parts as f64 } else { 1.0 };
            prop_assert!(off < 1.0 && off > -lent, "part {part}, class {class}: off by {off}");
            prop_assert!(part > 0 || d.have(0, class) > 0, "nothing to learn class {class} from");
            prop_assert!(d.size(class) < parts || d.have(part, class) > 0, "part {part} has nothing of class {class}");
        }
    }

    #[test]
    fn sizes_are_rounded_once_and_not_for_each_class(classes in 1u32..40, each in 10usize..30, val in 0.1..0.5f64) {
        let labels: Vec<u32> = (0..each as u32 * classes).map(|i| i % classes).collect();
        let n = labels.len();
        let d = divide(labels, (0..n).collect(), vec![1.0 - val, val], Roles::Parts, 1);
        prop_assert!((d.sizes()[1] as f64 - val * n as f64).abs() <= 0.5 + 1e-6, "{:?} of {n}", d.sizes());
    }

    #[test]
    fn folds_of_any_groups_are_as_even_as_is_promised(
        (labels, groups) in images(200, 6, 40), k in 2usize..8, seed in any::<u64>(),
    ) {
        let d = folds(labels, groups, k, seed);
        d.is_whole();
        let bound = (1.0 - 1.0 / k as f64) * d.weights();
        prop_assert!(d.squares() <= bound * (1.0 + 1e-9) + 1e-12, "{} > {bound}", d.squares());
    }

    #[test]
    fn small_groups_of_one_class_are_off_by_less_than_the_largest(
        groups in prop::collection::vec((0u32..5, 1usize..8), 1..80), k in 2usize..8, seed in any::<u64>(),
    ) {
        let all = groups.iter().enumerate().flat_map(|(g, &(class, n))| (0..n).map(move |_| (class, g)));
        let (labels, numbers) = all.unzip();
        let d = folds(labels, numbers, k, seed);
        d.is_whole();
        for (part, class, off) in d.off() {
            let most = groups.iter().filter(|(c, _)| *c as usize == class).map(|(_, n)| *n).max().unwrap_or(1);
            prop_assert!(off.abs() < most as f64, "fold {part}, class {class}: off by {off}, groups of {most}");
        }
    }

    #[test]
    fn parts_of_any_groups_leave_every_class_to_learn_from(
        (labels, groups) in images(200, 6, 30), val in 0.01..0.6f64, test in 0.0..0.39f64, seed in any::<u64>(),
    ) {
        let d = divide(labels, groups, vec![1.0 - val - test, val, test], Roles::Parts, seed);
        d.is_whole();
        for class in (0..d.classes()).filter(|&class| d.size(class) > 0) {
            prop_assert!(d.have(0, class) > 0, "class {class}");
        }
    }
}

/// `n` images of a class, each of a group of its own from `group` on.
fn apart(class: u32, n: usize, group: usize) -> Vec<(u32, usize)> {
    (0..n).map(|i| (class, group + i)).collect()
}

#[test]
fn one_group_with_half_of_all_images_is_a_fold_and_the_rest_is_even() {
    let mut all: Vec<(u32, usize)> = (0..200).map(|i| (i % 2, 0)).collect();
    all.extend(apart(0, 100, 1));
    all.extend(apart(1, 100, 101));
    let (labels, groups) = all.into_iter().unzip();
    let d = folds(labels, groups, 5, 3);
    d.is_whole();
    let mut sizes = d.sizes();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 50, 50, 50, 200]);
    for fold in 0..5 {
        assert_eq!(d.have(fold, 0), d.have(fold, 1), "fold {fold}");
    }
}

#[test]
fn a_class_in_one_group_is_in_one_fold_and_spoils_no_other() {
    let mut all = vec![(2, 0); 30];
    all.extend(apart(0, 300, 1));
    all.extend(apart(1, 100, 301));
    let (labels, groups): (Vec<u32>, Vec<usize>) = all.into_iter().unzip();
    let d = folds(labels.clone(), groups.clone(), 5, 0);
    d.is_whole();
    for fold in 0..5 {
        assert_eq!((d.have(fold, 0), d.have(fold, 1)), (60, 20), "fold {fold}");
        assert!([0, 30].contains(&d.have(fold, 2)));
    }
    // As parts, it trains: nothing could be learnt from it elsewhere.
    let d = divide(labels, groups, vec![0.3, 0.7], Roles::Parts, 0);
    assert_eq!((d.have(0, 2), d.have(1, 0), d.have(1, 1)), (30, 210, 70));
}

#[test]
fn with_more_folds_than_groups_of_a_class_each_group_has_a_fold_of_its_own() {
    let mut all: Vec<(u32, usize)> = (0..12).map(|i| (1, i / 4)).collect();
    all.extend(apart(0, 70, 3));
    let (labels, groups) = all.into_iter().unzip();
    let d = folds(labels, groups, 7, 5);
    d.is_whole();
    let mut of_class: Vec<usize> = (0..7).map(|fold| d.have(fold, 1)).collect();
    of_class.sort_unstable();
    assert_eq!(of_class, [0, 0, 0, 0, 4, 4, 4]);
    assert!((0..7).all(|fold| d.have(fold, 0) == 10));
}

#[test]
fn a_seed_decides_everything() {
    let labels: Vec<u32> = (0..300).map(|i| i % 3).collect();
    let groups: Vec<usize> = (0..300).map(|i| if i < 100 { i / 5 } else { i - 80 }).collect();
    let parts = |seed| folds(labels.clone(), groups.clone(), 4, seed).parts;
    assert_eq!(parts(9), parts(9));
    assert_ne!(parts(9), parts(10));
}

#[test]
fn nothing_is_divided_into_nothing() {
    assert!(folds(Vec::new(), Vec::new(), 3, 0).parts.is_empty());
}
