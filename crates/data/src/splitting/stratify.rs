//! Dividing images among parts or folds: no group is torn, and every class keeps its share.
//!
//! Greedy, as scikit-learn's `StratifiedGroupKFold` (version 1.0, 2021): groups are taken in order of how much they take of
//! their classes, and each goes to the part where it most lowers the sum, over parts and classes, of
//! ((images − wished) / images of the class)². Different from there: parts may have unequal shares, groups of one image come
//! last and fill what is missing, class by class, and their rounding is evened out over the classes.
//!
//! What holds, with "off" for |images − wished| of a class in a part:
//! * With groups of one image each class is off by less than 1 everywhere, but for what [`Roles::Parts`] asks.
//! * In folds of groups of at most m images of one class each, it is off by less than m.
//! * In k folds of any groups, the sum of squares is at most (1 − 1/k) · Σ over groups and classes of (the group's images /
//!   the class's images)²: a group goes where it lowers the sum at least as much as it would on average.

use super::table::Table;
use crate::seeded::Lots;

/// What the parts are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roles {
    /// The first trains, so it has every class; the others have every class that has groups enough for it.
    Parts,
    /// Each is the one that is not trained on in turn.
    Folds,
}

/// What is to be divided, and how.
pub(crate) struct Division<'a> {
    /// The class of each image.
    pub(crate) labels: &'a [u32],
    /// The group of each image, counted from 0 without a gap.
    pub(crate) groups: &'a [usize],
    /// The parts' shares; they sum to 1. A part with none gets no image.
    pub(crate) shares: &'a [f64],
    pub(crate) roles: Roles,
    pub(crate) seed: u64,
}

/// A group's images of each class that it has.
type Counts = Vec<(usize, usize)>;

/// Keeps these draws apart from others of the same seed.
const GROUPS: u64 = 5;
const SINGLES: u64 = 3;

impl Division<'_> {
    /// The part of each image.
    pub(crate) fn divide(&self) -> Vec<usize> {
        let counts = self.counts();
        let (mut large, mut singles) = (Vec::new(), vec![Vec::new(); self.classes()]);
        for (group, counts) in counts.iter().enumerate() {
            match counts[..] {
                [(class, 1)] => singles[class].push(group),
                _ => large.push(group),
            }
        }
        let numbers: Vec<usize> = singles.iter().map(Vec::len).collect();
        let mut table = Table::new(self.labels, &numbers, self.shares);
        let mut parts = vec![0; counts.len()];
        self.place_large(&mut large, &counts, &mut table, &mut parts);
        let mut numbers: Vec<Vec<usize>> =
            numbers.iter().enumerate().map(|(class, &images)| self.share_out(class, images, &mut table)).collect();
        if self.roles == Roles::Parts {
            bring_classes(&large, &counts, &mut table, &mut parts);
        }
        self.even_out(&mut numbers, &mut table);
        for (class, (mut all, numbers)) in singles.into_iter().zip(numbers).enumerate() {
            Lots::new(self.seed, &[SINGLES, class as u64]).shuffle(&mut all);
            let mut rest = all.into_iter();
            for (part, &number) in numbers.iter().enumerate().rev() {
                rest.by_ref().take(number).for_each(|group| parts[group] = part);
            }
        }
        self.groups.iter().map(|&group| parts[group]).collect()
    }

    fn classes(&self) -> usize {
        self.labels.iter().map(|&label| label as usize + 1).max().unwrap_or(0)
    }

    /// Each group's images by class, classes in order.
    fn counts(&self) -> Vec<Counts> {
        let mut counts = vec![Counts::new(); self.groups.iter().map(|&group| group + 1).max().unwrap_or(0)];
        for (&group, &label) in self.groups.iter().zip(self.labels) {
            let class = label as usize;
            match counts[group].binary_search_by_key(&class, |&(class, _)| class) {
                Ok(at) => counts[group][at].1 += 1,
                Err(at) => counts[group].insert(at, (class, 1)),
            }
        }
        counts
    }

    /// Groups of several images, what weighs most first; which of equal ones is first is drawn by lot.
    fn place_large(&self, large: &mut [usize], counts: &[Counts], table: &mut Table, parts: &mut [usize]) {
        Lots::new(self.seed, &[GROUPS]).shuffle(large);
        let weights: Vec<f64> = counts.iter().map(|counts| table.weight(counts)).collect();
        large.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
        for &group in &*large {
            let part = table.neediest(|table, part| table.need(part, &counts[group]));
            table.put(part, &counts[group]);
            parts[group] = part;
        }
    }

    /// How many of a class's single images each part gets. Parts that would stay without the class come first, then always
    /// the one that lacks most of it.
    fn share_out(&self, class: usize, images: usize, table: &mut Table) -> Vec<usize> {
        let mut numbers = vec![0; self.shares.len()];
        let without = (0..numbers.len()).filter(|&part| table.takes(part) && table.have(part, class) == 0);
        let first: Vec<usize> = if self.roles == Roles::Parts { without.collect() } else { Vec::new() };
        for image in 0..images {
            let part = match first.get(image) {
                Some(&part) => part,
                None => table.neediest(|table, part| table.lack(part, class)),
            };
            numbers[part] += 1;
            table.put(part, &[(class, 1)]);
        }
        numbers
    }

    /// Evens out the parts' sizes: rounding may have gone the same way in many classes. An image of the class that was
    /// rounded most goes from a part with too many to one with too few, as long as no class is off by 1 for it.
    fn even_out(&self, numbers: &mut [Vec<usize>], table: &mut Table) {
        let parts: Vec<usize> = (0..self.shares.len()).filter(|&part| table.takes(part)).collect();
        let fewest = usize::from(self.roles == Roles::Parts);
        loop {
            let mut best: Option<(f64, f64, usize, usize, usize)> = None;
            for &from in &parts {
                for &to in &parts {
                    let apart = table.lack_in_all(to) - table.lack_in_all(from);
                    // Below 1 the sum of squares would not fall.
                    if apart < 1.0 + 1e-9 {
                        continue;
                    }
                    for (class, numbers) in numbers.iter().enumerate() {
                        let (over, under) = (-table.lack(from, class), table.lack(to, class));
                        let may = numbers[from] > 0 && table.have(from, class) > fewest && over > 0.0 && under > 0.0;
                        let gain = over + under;
                        if may && best.is_none_or(|(a, g, ..)| apart > a || (apart == a && gain > g)) {
                            best = Some((apart, gain, from, to, class));
                        }
                    }
                }
            }
            let Some((.., from, to, class)) = best else { return };
            numbers[class][from] -= 1;
            numbers[class][to] += 1;
            table.take(from, &[(class, 1)]);
            table.put(to, &[(class, 1)]);
        }
    }
}

/// Brings classes to the parts that lack them entirely, by moving their smallest groups: to the first part at any price, to
/// others by groups of at most half their wished size which the giving part can spare.
fn bring_classes(large: &[usize], counts: &[Counts], table: &mut Table, parts: &mut [usize]) {
    let images = |group: usize| counts[group].iter().map(|(_, n)| n).sum::<usize>();
    let mut by_class = vec![Vec::new(); table.classes()];
    for &group in large {
        for &(class, _) in &counts[group] {
            by_class[class].push(group);
        }
    }
    for to in (0..table.parts()).filter(|&part| table.takes(part)).collect::<Vec<_>>() {
        let most = if to == 0 { f64::INFINITY } else { (table.want_in_all(to) / 2.0).max(1.0) };
        for (class, groups) in by_class.iter().enumerate() {
            if table.have(to, class) > 0 {
                continue;
            }
            let spared = |group: usize| {
                let from = parts[group];
                to == 0 || counts[group].iter().all(|&(class, n)| table.have(from, class) > n)
            };
            let fitting = groups.iter().copied().filter(|&group| images(group) as f64 <= most && spared(group));
            if let Some(group) = fitting.min_by_key(|&group| (images(group), group)) {
                table.take(parts[group], &counts[group]);
                table.put(to, &counts[group]);
                parts[group] = to;
            }
        }
    }
}

#[cfg(test)]
mod tests;
