//! The order of proposals: each hierarchy's regions are numbered from its top, each number is multiplied by a random
//! one, and boxes stand by the products (Uijlings et al. 2013, §5.3: without the lot, large boxes would come first).

use super::ProposeOptions;
use super::hierarchy::Hierarchy;
use super::histograms::Frame;
use crate::bounding_box::BoundingBox;
use std::collections::HashSet;
use striate_kernels::hash;

/// A box that may hold an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proposal {
    /// Where, in the picture's own pixels.
    pub bounds: BoundingBox,
    /// Its rank's number, smaller first: its place from the top of its hierarchy times a number from 0 to 1.
    pub priority: f64,
}

/// All hierarchies' boxes in order, each once; `back` is how many pixels of the picture one of the scaled one is.
pub(super) fn rank(hierarchies: &[Hierarchy], options: &ProposeOptions, back: (f64, f64)) -> Vec<Proposal> {
    let mut all: Vec<(f64, u64, Frame)> = Vec::new();
    for hierarchy in hierarchies {
        for (i, &frame) in hierarchy.frames.iter().enumerate() {
            let place = hierarchy.frames.len() - i;
            // Every region of every hierarchy has a number of its own, whether it is dropped or not.
            let draw = all.len() as u64;
            all.push((place as f64 * uniform(options.seed, draw), draw, frame));
        }
    }
    all.retain(|(_, _, frame)| frame.width().min(frame.height()) >= options.least_side);
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut seen = HashSet::new();
    all.retain(|(_, _, f)| seen.insert([f.left, f.top, f.right, f.bottom]));
    all.truncate(options.most.unwrap_or(usize::MAX));
    let proposal = |(priority, _, frame): (f64, u64, Frame)| {
        let (x, y) = (f64::from(frame.left), f64::from(frame.top));
        let bounds = BoundingBox::new(x, y, f64::from(frame.width()), f64::from(frame.height()));
        Proposal { bounds: bounds.scaled(back.0, back.1), priority }
    };
    all.into_iter().map(proposal).collect()
}

/// A multiple of 2⁻⁵³ in [0, 1).
fn uniform(seed: u64, i: u64) -> f64 {
    (hash(seed, i) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(side: u16) -> Frame {
        Frame { left: 0, top: 0, right: side - 1, bottom: side - 1 }
    }

    #[test]
    fn boxes_are_unique_large_enough_and_scaled_back() {
        let hierarchies = [
            Hierarchy { frames: vec![frame(19), frame(20), frame(40)] },
            Hierarchy { frames: vec![frame(20), frame(40)] },
        ];
        let ranked = rank(&hierarchies, &ProposeOptions::default(), (2.0, 0.5));
        let mut widths: Vec<f64> = ranked.iter().map(|p| p.bounds.width).collect();
        assert!(ranked.windows(2).all(|p| p[0].priority <= p[1].priority));
        widths.sort_by(f64::total_cmp);
        assert_eq!(widths, [40.0, 80.0]);
        assert!(ranked.iter().all(|p| p.bounds.height * 4.0 == p.bounds.width));
        let most = ProposeOptions { most: Some(1), ..ProposeOptions::default() };
        assert_eq!(rank(&hierarchies, &most, (2.0, 0.5)), ranked[..1]);
    }

    #[test]
    fn seeds_change_the_order_only() {
        let hierarchies = [Hierarchy { frames: (20..60).map(frame).collect() }];
        let with = |seed| rank(&hierarchies, &ProposeOptions { seed, ..ProposeOptions::default() }, (1.0, 1.0));
        let (a, b) = (with(0), with(1));
        assert_ne!(a, b);
        assert_eq!(a, with(0));
        let sorted = |mut p: Vec<Proposal>| {
            p.sort_by(|a, b| a.bounds.width.total_cmp(&b.bounds.width));
            p.iter().map(|p| p.bounds.width as u32).collect::<Vec<_>>()
        };
        assert_eq!(sorted(a), sorted(b));
    }
}
