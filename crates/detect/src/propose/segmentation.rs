//! Graph-based segmentation (Felzenszwalb and Huttenlocher, IJCV 2004, DOI 10.1023/B:VISI.0000022288.19776.77), as
//! scikit-image's `felzenszwalb` computes it, in 64-bit floats.
//!
//! Pixels are joined with their eight neighbours, edges taken by the distance of the smoothed colours; two segments become
//! one if the edge between them is below what each has inside plus k/size. Afterwards every segment of fewer pixels than
//! the minimum joins the neighbour behind its least edge. Colours are between 0 and 1 and k is divided by 255, so that k means
//! what it does in the authors' code. Edges of equal weight are taken in the order down, right, down-right, down-left, each
//! from the upper left; NumPy's sorting leaves that open, which is why single segments may differ where weights tie.

use super::colour::Planes;
use super::smooth::gaussian;
use crate::error::DetectError;
use striate_data::Picture;

/// A picture cut into segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// How many segments there are.
    pub count: usize,
    /// The segment of each pixel, numbered by their first pixels from the upper left.
    pub labels: Vec<u32>,
}

/// Segments a picture in its own colours, or in grey, at its own size.
///
/// # Errors
/// If `sigma` is not from 0 to 20 or `k` is negative.
pub fn felzenszwalb(picture: &Picture, k: f64, sigma: f64, least_pixels: usize) -> Result<Segmentation, DetectError> {
    let wrong = |option, value: f64, expected| Err(DetectError::Option { option, value: value.to_string(), expected });
    if !(0.0..=20.0).contains(&sigma) {
        return wrong("sigma", sigma, "from 0 to 20");
    }
    if !(0.0..=1e12).contains(&k) {
        return wrong("k", k, "from 0 to 10¹²");
    }
    Ok(Edges::new(&Planes::as_stored(picture), sigma).segment(k, least_pixels))
}

/// An edge between two pixels.
#[derive(Clone, Copy)]
struct Edge {
    weight: f64,
    a: u32,
    b: u32,
}

/// A picture's edges, the lightest first.
pub(super) struct Edges {
    width: usize,
    height: usize,
    edges: Vec<Edge>,
}

impl Edges {
    /// Smooths a picture and sorts its edges.
    pub(super) fn new(planes: &Planes, sigma: f64) -> Self {
        let Planes { width, height, channels } = planes;
        let (width, height) = (*width, *height);
        let smoothed: Vec<Vec<f64>> = channels.iter().map(|c| gaussian(c, width, height, sigma)).collect();
        let distance = |a: usize, b: usize| {
            let square = |c: &Vec<f64>| (c[a] - c[b]) * (c[a] - c[b]);
            smoothed.iter().map(square).sum::<f64>().sqrt()
        };
        let mut edges = Vec::with_capacity(4 * width * height);
        let mut add = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>, to: &dyn Fn(usize) -> usize| {
            for y in rows {
                for a in y * width + columns.start..y * width + columns.end {
                    let b = to(a);
                    edges.push(Edge { weight: distance(a, b), a: a as u32, b: b as u32 });
                }
            }
        };
        add(0..height - 1, 0..width, &|a| a + width);
        add(0..height, 0..width - 1, &|a| a + 1);
        add(0..height - 1, 0..width - 1, &|a| a + width + 1);
        add(0..height - 1, 1..width.max(1), &|a| a + width - 1);
        Self { width, height, edges: sorted(&edges) }
    }

    /// Joins segments.
    pub(super) fn segment(&self, k: f64, least_pixels: usize) -> Segmentation {
        let k = k / 255.0;
        let mut forest = Forest::new(self.width * self.height, k);
        let mut refused: Vec<Edge> = Vec::new();
        for edge in &self.edges {
            let (a, b) = (forest.root(edge.a), forest.root(edge.b));
            if a == b {
                continue;
            }
            if edge.weight < forest.bound[a as usize].min(forest.bound[b as usize]) {
                let (root, size) = forest.join(a, b);
                forest.bound[root as usize] = edge.weight + k / f64::from(size);
            } else {
                // Edges inside a segment stay there, so these are all that the second round can use.
                refused.push(*edge);
            }
        }
        for edge in &refused {
            let (a, b) = (forest.root(edge.a), forest.root(edge.b));
            if a != b && (forest.size[a as usize].min(forest.size[b as usize]) as usize) < least_pixels {
                forest.join(a, b);
            }
        }
        let (count, labels) = forest.labels();
        Segmentation { width: self.width, height: self.height, count, labels }
    }
}

/// The edges by weight, of equal weights in their order: by radix on the weights rounded to 32 bits, then exactly within
/// runs that are equal so far.
fn sorted(edges: &[Edge]) -> Vec<Edge> {
    const DIGIT: u32 = 11;
    let key = |e: &Edge| (e.weight as f32).to_bits();
    let mut order: Vec<(u32, u32)> = edges.iter().enumerate().map(|(i, e)| (key(e), i as u32)).collect();
    let mut other = vec![(0, 0); order.len()];
    for shift in [0, DIGIT, 2 * DIGIT] {
        let digit = |key: u32| (key >> shift) as usize & ((1 << DIGIT) - 1);
        let mut starts = [0usize; 1 << DIGIT];
        for &(key, _) in &order {
            starts[digit(key)] += 1;
        }
        let mut before = 0;
        for start in &mut starts {
            before += std::mem::replace(start, before);
        }
        for &entry in &order {
            let place = &mut starts[digit(entry.0)];
            other[*place] = entry;
            *place += 1;
        }
        std::mem::swap(&mut order, &mut other);
    }
    let mut edges: Vec<Edge> = order.iter().map(|&(_, i)| edges[i as usize]).collect();
    for run in edges.chunk_by_mut(|a, b| key(a) == key(b)) {
        run.sort_by(|a, b| a.weight.total_cmp(&b.weight));
    }
    edges
}

/// Segments as trees of pixels.
struct Forest {
    parent: Vec<u32>,
    /// Of roots: pixels in the segment.
    size: Vec<u32>,
    /// Of roots: the weight below which an edge may join the segment.
    bound: Vec<f64>,
}

impl Forest {
    fn new(pixels: usize, k: f64) -> Self {
        Self { parent: (0..pixels as u32).collect(), size: vec![1; pixels], bound: vec![k; pixels] }
    }

    fn root(&mut self, pixel: u32) -> u32 {
        let mut at = pixel as usize;
        while self.parent[at] as usize != at {
            let above = self.parent[at] as usize;
            self.parent[at] = self.parent[above];
            at = self.parent[at] as usize;
        }
        at as u32
    }

    /// Joins the segments of two roots; returns the new root and its size.
    fn join(&mut self, a: u32, b: u32) -> (u32, u32) {
        let (root, other) = if self.size[a as usize] >= self.size[b as usize] { (a, b) } else { (b, a) };
        self.parent[other as usize] = root;
        self.size[root as usize] += self.size[other as usize];
        (root, self.size[root as usize])
    }

    /// The number of segments, and each pixel's by first appearance.
    fn labels(mut self) -> (usize, Vec<u32>) {
        const NONE: u32 = u32::MAX;
        let pixels = self.parent.len();
        let mut names = vec![NONE; pixels];
        let mut count = 0;
        let name = |pixel: u32| {
            let name = &mut names[self.root(pixel) as usize];
            if *name == NONE {
                *name = count;
                count += 1;
            }
            *name
        };
        let labels = (0..pixels as u32).map(name).collect();
        (count as usize, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u32, height: u32, pixels: Vec<u8>) -> Picture {
        Picture { width, height, channels: 1, pixels }
    }

    #[test]
    fn two_halves_are_two_segments() {
        let pixels = (0..20 * 10).map(|i| if i % 20 < 8 { 10 } else { 200 }).collect();
        let cut = felzenszwalb(&grey(20, 10, pixels), 1.0, 0.0, 5).unwrap();
        assert_eq!(cut.count, 2);
        assert!((0..200).all(|i| cut.labels[i] == u32::from(i % 20 >= 8)));
    }

    #[test]
    fn small_segments_join_their_nearest_neighbour() {
        // A bright pixel at the border of grey and black is nearer to grey.
        let mut pixels: Vec<u8> = (0..100).map(|i| if i % 10 < 5 { 0 } else { 100 }).collect();
        pixels[54] = 180;
        let cut = felzenszwalb(&grey(10, 10, pixels.clone()), 1.0, 0.0, 1).unwrap();
        assert_eq!(cut.count, 3);
        let cut = felzenszwalb(&grey(10, 10, pixels), 1.0, 0.0, 2).unwrap();
        assert_eq!((cut.count, cut.labels[54], cut.labels[53], cut.labels[55]), (2, 1, 0, 1));
    }

    #[test]
    fn pictures_of_one_row_column_or_pixel_pass() {
        for (w, h) in [(1, 1), (1, 7), (7, 1), (2, 2)] {
            let cut = felzenszwalb(&grey(w, h, vec![9; (w * h) as usize]), 100.0, 0.8, 1).unwrap();
            assert_eq!((cut.count, cut.labels.len()), (1, (w * h) as usize), "{w}×{h}");
        }
        assert!(felzenszwalb(&grey(1, 1, vec![9]), -1.0, 0.8, 1).is_err());
        assert!(felzenszwalb(&grey(1, 1, vec![9]), 1.0, f64::NAN, 1).is_err());
    }

    #[test]
    fn sorting_is_exact_and_stable() {
        // Neighbours in 64 bits are equal in 32.
        let weights = [0.5, 0.1 + 1e-17, 0.1 + 3e-17, 0.1, 0.0, 0.5 - 1e-12, 0.1];
        let edges: Vec<Edge> = (0..).zip(weights).map(|(a, weight)| Edge { weight, a, b: 0 }).collect();
        let mut expected = edges.clone();
        expected.sort_by(|a, b| a.weight.total_cmp(&b.weight));
        let order = |edges: &[Edge]| edges.iter().map(|e| e.a).collect::<Vec<_>>();
        assert_eq!(order(&sorted(&edges)), order(&expected));
        assert_eq!(sorted(&edges).last().unwrap().a, 0);
    }
}
