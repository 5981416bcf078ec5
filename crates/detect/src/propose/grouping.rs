//! Joining the two neighbouring regions that are most alike until one is left (Uijlings et al. 2013, algorithm 1).
//!
//! Sizes, boxes and histograms of a joined region follow from its two parts'. Of equally similar pairs that with the lower
//! numbers is joined first, so that the order is always the same. Sums over histograms are taken in a fixed order too.

use super::hierarchy::Hierarchy;
use super::histograms::{Frame, LANES, Regions};
use super::similarity::Similarity;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Two neighbours that may be joined.
#[derive(Clone, Copy, PartialEq)]
struct Pair {
    similarity: f32,
    a: u32,
    b: u32,
}

impl Eq for Pair {}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        let alike = self.similarity.total_cmp(&other.similarity);
        alike.then_with(|| (other.a, other.b).cmp(&(self.a, self.b)))
    }
}

/// The regions as they grow; a new one stands behind all others.
struct Growing {
    similarity: Similarity,
    pixels: f32,
    sizes: Vec<u32>,
    frames: Vec<Frame>,
    neighbours: Vec<Vec<u32>>,
    alive: Vec<bool>,
    /// Floats kept for a region: its colour and texture, or those of them that are asked for.
    length: usize,
    histograms: Vec<f32>,
}

/// Makes a hierarchy.
pub(super) fn group(regions: &Regions, similarity: Similarity) -> Hierarchy {
    let count = regions.sizes.len();
    let mut growing = Growing::new(regions, similarity);
    let mut pairs = BinaryHeap::new();
    for a in 0..count as u32 {
        let later = regions.neighbours[a as usize].iter().filter(|&&b| b > a);
        pairs.extend(later.map(|&b| Pair { similarity: growing.alike(a, b), a, b }));
    }
    // For each region the last one that met it, so that a common neighbour is met once.
    let mut met = vec![u32::MAX; 2 * count];
    while let Some(Pair { a, b, .. }) = pairs.pop() {
        if !growing.alive[a as usize] || !growing.alive[b as usize] {
            continue;
        }
        let new = growing.join(a, b);
        let (of_a, of_b) = (growing.take_neighbours(a), growing.take_neighbours(b));
        let mut around = Vec::with_capacity(of_a.len() + of_b.len());
        for other in of_a.into_iter().chain(of_b) {
            if growing.alive[other as usize] && met[other as usize] != new {
                met[other as usize] = new;
                growing.neighbours[other as usize].push(new);
                pairs.push(Pair { similarity: growing.alike(other, new), a: other, b: new });
                around.push(other);
            }
        }
        growing.neighbours[new as usize] = around;
    }
    Hierarchy { frames: growing.frames }
}

impl Growing {
    fn new(regions: &Regions, similarity: Similarity) -> Self {
        let (colour, texture) = (regions.colour_length, regions.texture_length);
        let kept = match (similarity.colour, similarity.texture) {
            (true, true) => 0..colour + texture,
            (true, false) => 0..colour,
            (false, true) => colour..colour + texture,
            (false, false) => 0..0,
        };
        let length = kept.len();
        let rows = regions.histograms.chunks_exact(colour + texture);
        let mut histograms: Vec<f32> = Vec::with_capacity(2 * regions.sizes.len() * length);
        histograms.extend(rows.flat_map(|row| &row[kept.clone()]));
        Self {
            similarity,
            pixels: regions.pixels as f32,
            sizes: regions.sizes.clone(),
            frames: regions.frames.clone(),
            neighbours: regions.neighbours.clone(),
            alive: vec![true; regions.sizes.len()],
            length,
            histograms,
        }
    }

    fn row(&self, region: u32) -> &[f32] {
        &self.histograms[region as usize * self.length..][..self.length]
    }

    fn take_neighbours(&mut self, region: u32) -> Vec<u32> {
        std::mem::take(&mut self.neighbours[region as usize])
    }

    /// The measures' sum.
    fn alike(&self, a: u32, b: u32) -> f32 {
        // Both histograms' intersections are simply added, so one pass over what is kept serves either or both.
        let mut sum = if self.length > 0 { intersection(self.row(a), self.row(b)) } else { 0.0 };
        let both = (self.sizes[a as usize] + self.sizes[b as usize]) as f32;
        if self.similarity.size {
            sum += 1.0 - both / self.pixels;
        }
        if self.similarity.fill {
            let frame = self.frames[a as usize].around(self.frames[b as usize]);
            sum += 1.0 - (frame.width() as f32 * frame.height() as f32 - both) / self.pixels;
        }
        sum
    }

    /// Adds the region that two make, and returns its number.
    fn join(&mut self, a: u32, b: u32) -> u32 {
        let new = self.sizes.len() as u32;
        let (i, j) = (a as usize, b as usize);
        let size = self.sizes[i] + self.sizes[j];
        let (of_a, of_b) = (self.sizes[i] as f32 / size as f32, self.sizes[j] as f32 / size as f32);
        let start = self.histograms.len();
        self.histograms.resize(start + self.length, 0.0);
        let (old, row) = self.histograms.split_at_mut(start);
        let (a, b) = (&old[i * self.length..][..self.length], &old[j * self.length..][..self.length]);
        for (out, (a, b)) in row.iter_mut().zip(a.iter().zip(b)) {
            *out = a * of_a + b * of_b;
        }
        self.sizes.push(size);
        self.frames.push(self.frames[i].around(self.frames[j]));
        self.neighbours.push(Vec::new());
        self.alive.push(true);
        (self.alive[i], self.alive[j]) = (false, false);
        new
    }
}

/// The sum of the lesser of each two values; lengths are multiples of [`LANES`].
fn intersection(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += if a < b { *a } else { *b };
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments in a row, each a column of pixels with one bin of colour.
    fn row_of(bins: &[usize]) -> Regions {
        let count = bins.len();
        let mut histograms = vec![0.0; count * 2 * LANES];
        for (i, bin) in bins.iter().enumerate() {
            histograms[i * 2 * LANES + bin] = 1.0;
            histograms[i * 2 * LANES + LANES] = 1.0;
        }
        let frame = |i: usize| Frame { left: i as u16, top: 0, right: i as u16, bottom: 9 };
        let beside =
            |i: usize| [i.wrapping_sub(1), i + 1].into_iter().filter(|&j| j < count).map(|j| j as u32).collect();
        Regions {
            pixels: 10 * count,
            sizes: vec![10; count],
            frames: (0..count).map(frame).collect(),
            neighbours: (0..count).map(beside).collect(),
            colour_length: LANES,
            texture_length: LANES,
            histograms,
        }
    }

    fn spans(hierarchy: &Hierarchy, first: usize) -> Vec<(u16, u16)> {
        hierarchy.frames[first..].iter().map(|f| (f.left, f.right)).collect()
    }

    #[test]
    fn what_is_alike_is_joined_first() {
        // Two pairs of one colour each; of equally similar ones the first.
        let regions = row_of(&[0, 1, 1, 0, 0, 2]);
        let made = group(&regions, Similarity { colour: true, size: true, ..Similarity::NONE });
        assert_eq!(made.frames.len(), 11);
        assert_eq!(spans(&made, 6)[..2], [(1, 2), (3, 4)]);
        assert_eq!(*spans(&made, 6).last().unwrap(), (0, 5));
    }

    #[test]
    fn fill_alone_prefers_compact_pairs_and_ties_go_to_the_first() {
        let made = group(&row_of(&[0, 0, 0, 0]), Similarity { fill: true, ..Similarity::NONE });
        assert_eq!(spans(&made, 4), [(0, 1), (2, 3), (0, 3)]);
    }

    #[test]
    fn a_single_segment_is_the_whole() {
        assert_eq!(group(&row_of(&[3]), Similarity::ALL).frames.len(), 1);
    }

    #[test]
    fn intersections_sum_minima() {
        let a: Vec<f32> = (0..32).map(|i| i as f32).collect();
        let b: Vec<f32> = (0..32).map(|i| (31 - i) as f32).collect();
        assert_eq!(intersection(&a, &b), 2.0 * (0..16).sum::<i32>() as f32);
    }
}
