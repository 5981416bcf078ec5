//! Pictures that look almost alike, found among all pairs without comparing all pairs.
//!
//! Multi-index hashing (Norouzi, Punjani and Fleet, 2012, arXiv:1307.2982): 64-bit hashes that differ in at most 7 bits
//! agree, but for one bit at most, in one of their four quarters. So each hash is looked up in four tables at 17 places.
//! Candidates are then compared by their thumbnails.

use super::looks::{Looks, MIRRORED};

/// The most bits in which the hashes of a pair may differ; the tables find all up to 7.
const BITS: u32 = 7;
/// The least correlation of a pair's thumbnails. On CIFAR-10, every pair from 0.965 whose hashes agree shows the same thing.
const CORRELATION: f32 = 0.97;
/// The same of two pictures without colour: drawings of a digit can correlate by 0.99 without being copies.
const CORRELATION_GREY: f32 = 0.995;
/// The most difference of a pair's colours, in levels: the same thing in another colour is another picture.
const COLOUR: f32 = 25.0;

/// Two pictures that look almost alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) first: usize,
    pub(super) second: usize,
    /// The correlation of their thumbnails.
    pub(super) correlation: f32,
    /// Whether the second is the first mirrored.
    pub(super) mirrored: bool,
}

/// Whether two pictures look almost alike.
fn compare(a: &Looks, b: &Looks, mirrored: bool) -> Option<f32> {
    if (a.hash ^ b.hash ^ if mirrored { MIRRORED } else { 0 }).count_ones() > BITS {
        return None;
    }
    let correlation = a.thumb.correlation(&b.thumb, mirrored);
    let least = if a.grey && b.grey { CORRELATION_GREY } else { CORRELATION };
    (correlation >= least && a.thumb.colour_difference(&b.thumb, mirrored) <= COLOUR).then_some(correlation)
}

/// Groups of two and more pictures, by their indices in order, in which each looks almost like another; with the pairs that
/// hold each group together.
pub(super) fn groups(looks: &[&Looks]) -> Vec<(Vec<usize>, Vec<Pair>)> {
    let mut joined = Joined::new(looks.len());
    let mut pairs = Vec::new();
    for quarter in 0..4 {
        let table = Table::of(looks, quarter);
        for (i, one) in looks.iter().enumerate() {
            for mirrored in [false, true] {
                let hash = one.hash ^ if mirrored { MIRRORED } else { 0 };
                for j in table.near(hash).filter(|&j| j > i) {
                    if joined.root(i) == joined.root(j) {
                        continue;
                    }
                    if let Some(correlation) = compare(one, looks[j], mirrored) {
                        joined.join(i, j);
                        pairs.push(Pair { first: i, second: j, correlation, mirrored });
                    }
                }
            }
        }
    }
    joined.groups(pairs)
}

/// The pictures by one quarter of their hashes.
struct Table {
    quarter: u32,
    /// Where the pictures with each value begin in `order`.
    starts: Vec<u32>,
    order: Vec<u32>,
}

const VALUES: usize = 1 << 16;

impl Table {
    fn of(looks: &[&Looks], quarter: u32) -> Self {
        let value = |hash: u64| usize::from((hash >> (16 * quarter)) as u16);
        let mut starts = vec![0u32; VALUES + 1];
        for one in looks {
            starts[value(one.hash) + 1] += 1;
        }
        for i in 0..VALUES {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut order = vec![0; looks.len()];
        for (i, one) in looks.iter().enumerate() {
            let place = &mut next[value(one.hash)];
            order[*place as usize] = i as u32;
            *place += 1;
        }
        Self { quarter, starts, order }
    }

    /// Those whose quarter differs from the hash's in one bit at most.
    fn near(&self, hash: u64) -> impl Iterator<Item = usize> {
        let value = (hash >> (16 * self.quarter)) as u16;
        let probes = std::iter::once(0).chain((0..16).map(|bit| 1u16 << bit));
        probes.flat_map(move |turned| {
            let value = usize::from(value ^ turned);
            let range = self.starts[value] as usize..self.starts[value + 1] as usize;
            self.order[range].iter().map(|&i| i as usize)
        })
    }
}

/// Disjoint sets with path halving (Tarjan and van Leeuwen, 1984); a set's root is its least member.
pub(super) struct Joined(Vec<usize>);

impl Joined {
    pub(super) fn new(n: usize) -> Self {
        Self((0..n).collect())
    }

    pub(super) fn root(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    pub(super) fn join(&mut self, i: usize, j: usize) {
        let (i, j) = (self.root(i), self.root(j));
        self.0[i.max(j)] = i.min(j);
    }

    /// Sets of two and more with their pairs, by their least members.
    fn groups(mut self, pairs: Vec<Pair>) -> Vec<(Vec<usize>, Vec<Pair>)> {
        let mut groups = std::collections::BTreeMap::<usize, (Vec<usize>, Vec<Pair>)>::new();
        for pair in pairs {
            let group = groups.entry(self.root(pair.first)).or_default();
            group.0.extend([pair.first, pair.second]);
            group.1.push(pair);
        }
        for (members, _) in groups.values_mut() {
            members.sort_unstable();
            members.dedup();
        }
        groups.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use proptest::prelude::*;

    fn looks(hash: u64) -> Looks {
        let pixels = (0..64).map(|i| (i * 3) as u8).collect();
        Looks { hash, ..Looks::of(&Picture { width: 8, height: 8, channels: 1, pixels }) }
    }

    proptest! {
        /// The tables find what comparing all pairs finds: no pair of up to 7 bits is missed.
        #[test]
        fn no_pair_is_missed(base in any::<u64>(), turned in prop::collection::vec(prop::collection::vec(0u32..64, 0..9), 2..40)) {
            let hashes: Vec<u64> = turned.iter().map(|bits| bits.iter().fold(base, |hash, bit| hash ^ (1 << bit))).collect();
            let all: Vec<Looks> = hashes.iter().map(|&hash| looks(hash)).collect();
            let all: Vec<&Looks> = all.iter().collect();
            let mut expected = Joined::new(all.len());
            for i in 0..all.len() {
                for j in i + 1..all.len() {
                    if (hashes[i] ^ hashes[j]).count_ones() <= BITS {
                        expected.join(i, j);
                    }
                }
            }
            let mut found = Joined::new(all.len());
            for (members, pairs) in groups(&all) {
                prop_assert_eq!(pairs.len(), members.len() - 1);
                for &i in &members {
                    found.join(members[0], i);
                }
            }
            for i in 0..all.len() {
                prop_assert_eq!(found.root(i), expected.root(i));
            }
        }
    }

    #[test]
    fn colours_and_content_tell_pictures_apart() {
        let scene = |shift: u8, seed: u32| {
            let level = move |i: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 24) as u8 / 2;
            let pixels = (0..256).flat_map(|i| [level(i).saturating_add(shift), level(i), level(i)]).collect();
            Looks::of(&Picture { width: 16, height: 16, channels: 3, pixels })
        };
        let (plain, red, other) = (scene(0, 1), scene(120, 1), scene(0, 0x5555_5555));
        assert!(compare(&plain, &plain.clone(), false).is_some_and(|r| r > 0.9999));
        assert!(compare(&red, &scene(110, 1), false).is_some());
        assert!(compare(&scene(40, 1), &red, false).is_none(), "another colour is another picture");
        assert!(compare(&plain, &other, false).is_none());
    }
}
