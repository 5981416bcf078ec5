//! One arena for all buffers of a run: where each lies (by lifetime, so that buffers that are never alive together share
//! memory), and disjoint slices of it.

use smallvec::{SmallVec, smallvec};
use std::ops::Range;

/// Buffers begin on cache lines: 64 bytes, in elements of four bytes.
const ALIGN: usize = 16;

/// A buffer to be placed: its length and the steps of the run, both included, in which it is alive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub(crate) len: usize,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// Places every buffer and returns the places, in order, and the arena's length. Larger buffers first, each at the lowest
/// place that no buffer alive at the same time takes (Pisarchyk and Lee 2020, arXiv:2001.03288, "greedy by size").
pub(crate) fn place(buffers: &[Lifetime]) -> (Vec<Range<usize>>, usize) {
    let mut places = vec![0..0; buffers.len()];
    let mut order: Vec<usize> = (0..buffers.len()).filter(|&i| buffers[i].len > 0).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(buffers[i].len), i));
    let mut placed: Vec<usize> = Vec::new(); // by start
    let mut total = 0;
    for i in order {
        let b = buffers[i];
        let mut start = 0;
        for &other in &placed {
            let (o, p) = (buffers[other], &places[other]);
            if o.first > b.last || o.last < b.first {
                continue;
            }
            if start + b.len <= p.start {
                break;
            }
            start = start.max(p.end.next_multiple_of(ALIGN));
        }
        places[i] = start..start + b.len;
        total = total.max(start + b.len);
        let at = placed.partition_point(|&o| places[o].start <= start);
        placed.insert(at, i);
    }
    (places, total)
}

/// The slices of `arena` at `ranges`, in order. They must not overlap; empty ranges give empty slices.
///
/// # Panics
/// If two ranges overlap or one lies outside: a fault in the plan.
pub(crate) fn carve<'a, T>(arena: &'a mut [T], ranges: &[Range<usize>]) -> SmallVec<[&'a mut [T]; 12]> {
    let mut order: SmallVec<[usize; 12]> = (0..ranges.len()).filter(|&i| !ranges[i].is_empty()).collect();
    order.sort_unstable_by_key(|&i| ranges[i].start);
    let mut slices: SmallVec<[&'a mut [T]; 12]> = smallvec![];
    slices.resize_with(ranges.len(), Default::default);
    let (mut rest, mut at) = (arena, 0);
    for i in order {
        let r = &ranges[i];
        assert!(at <= r.start, "buffers of the plan overlap");
        let (_, tail) = rest.split_at_mut(r.start - at);
        (slices[i], rest) = tail.split_at_mut(r.len());
        at = r.end;
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_alive_together_never_overlap() {
        // Pseudo-random lifetimes; every pair is checked.
        let at = |i: usize, m: usize| (i * 7919 + i * i * 104_729) % m;
        let buffers: Vec<_> = (0..200)
            .map(|i| Lifetime { len: at(i, 1000), first: at(i + 1, 60), last: at(i + 1, 60) + at(i + 2, 9) })
            .collect();
        let (places, total) = place(&buffers);
        for i in 0..buffers.len() {
            assert_eq!(places[i].len(), buffers[i].len);
            assert!(places[i].end <= total);
            for j in 0..i {
                let (a, b) = (buffers[i], buffers[j]);
                let together = a.first <= b.last && b.first <= a.last && a.len > 0 && b.len > 0;
                let overlap = places[i].start < places[j].end && places[j].start < places[i].end;
                assert!(!(together && overlap), "{i} {j}");
            }
        }
        let all: usize = buffers.iter().map(|b| b.len).sum();
        assert!(total < all / 3, "memory is reused: {total} of {all}");
    }

    #[test]
    fn a_chain_needs_two_buffers() {
        let chain: Vec<_> = (0..10).map(|i| Lifetime { len: 64, first: i, last: i + 1 }).collect();
        assert_eq!(place(&chain).1, 128);
    }

    #[test]
    fn slices_come_in_the_order_asked() {
        let mut arena: Vec<u32> = (0..10).collect();
        let s = carve(&mut arena, &[6..8, 0..0, 1..3]);
        assert_eq!(s.as_slice(), [&[6, 7][..], &[], &[1, 2]]);
    }

    #[test]
    #[should_panic(expected = "buffers of the plan overlap")]
    fn overlapping_slices_are_a_fault() {
        carve(&mut [0; 10], &[2..5, 4..6]);
    }
}
