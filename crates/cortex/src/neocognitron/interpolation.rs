//! Interpolating vectors: K. Fukushima, "Interpolating vectors for robust pattern recognition", Neural Networks 20, 904–916
//! (2007), DOI 10.1016/j.neunet.2007.06.003. What two planes of a class have learnt are the ends of a line; a picture is as
//! like the class as it is like the likest vector on any such line.
//!
//! For ends `X_i` and `X_j` of length 1 with `s_ij = X_i · X_j`, and a picture whose cosines to them are `s_i` and `s_j`, the
//! largest cosine to `p_i X_i + p_j X_j` with p ≥ 0 is `√((s_i² − 2 s_i s_j s_ij + s_j²) / (1 − s_ij²))` where that vector lies
//! between the ends (`s_i > s_j s_ij` and `s_j > s_i s_ij`), else the larger of `s_i` and `s_j`.

use super::{Maps, SLayer};

/// The planes of each class, and how alike they are.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    classes: Vec<Ends>,
}

/// The planes of one class.
#[derive(Clone, Debug, Default)]
struct Ends {
    planes: Vec<usize>,
    /// `s_ij` of each with those before it, one after the other.
    cosines: Vec<f32>,
}

impl Lines {
    /// Lines between the planes of a layer that have the same label.
    pub fn between(layer: &SLayer, labels: &[u32], classes: usize) -> Self {
        let mut all = vec![Ends::default(); classes];
        for (k, label) in labels.iter().enumerate() {
            let ends = &mut all[*label as usize];
            ends.cosines.extend(ends.planes.iter().map(|before| layer.cosine(k, *before)));
            ends.planes.push(k);
        }
        Self { classes: all }
    }

    /// How like each class the likest place is, by the similarities of all planes at all places ([`SLayer::similarities`]).
    pub fn likeness(&self, similarities: &Maps) -> Vec<f32> {
        let of = |ends: &Ends, cell: &[f32]| {
            let s: Vec<f32> = ends.planes.iter().map(|k| cell[*k]).collect();
            let mut best = s.iter().copied().fold(0.0, f32::max);
            let mut cosines = ends.cosines.iter();
            for (i, a) in s.iter().enumerate() {
                for (b, ab) in s[..i].iter().zip(&mut cosines) {
                    best = best.max(likest(*a, *b, *ab));
                }
            }
            best
        };
        let cells = || similarities.values.chunks_exact(similarities.planes.max(1));
        self.classes.iter().map(|ends| cells().map(|cell| of(ends, cell)).fold(0.0, f32::max)).collect()
    }
}

/// The largest cosine to a vector between two ends.
fn likest(a: f32, b: f32, ab: f32) -> f32 {
    let rest = 1.0 - ab * ab;
    if a > b * ab && b > a * ab && rest > 1e-6 { ((a * a - 2.0 * a * b * ab + b * b) / rest).sqrt() } else { a.max(b) }
}

#[cfg(test)]
mod tests {
    use super::super::{Inhibition, Window};
    use super::*;
    use striate_kernels::{Cpu, normal, uniform};

    #[test]
    fn the_likest_vector_is_that_of_a_search_along_the_line() {
        let vector = |seed| -> Vec<f64> {
            let v: Vec<f64> = (0..4).map(|i| f64::from(normal(seed, i))).collect();
            let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
            v.iter().map(|x| x / length).collect()
        };
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let mut between = 0;
        for seed in 0..200 {
            let (x, a, b) = (vector(3 * seed), vector(3 * seed + 1), vector(3 * seed + 2));
            let search = (0..=2000).map(|i| {
                let p = f64::from(i) / 2000.0;
                let on: Vec<f64> = a.iter().zip(&b).map(|(a, b)| p * a + (1.0 - p) * b).collect();
                dot(&x, &on) / dot(&on, &on).sqrt()
            });
            let expected = search.fold(f64::NEG_INFINITY, f64::max);
            let found = likest(dot(&x, &a) as f32, dot(&x, &b) as f32, dot(&a, &b) as f32);
            between += usize::from(f64::from(found) > dot(&x, &a).max(dot(&x, &b)) + 1e-3);
            assert!((f64::from(found) - expected).abs() < 2e-4, "{found} {expected}");
        }
        assert!(between > 30, "some lie between the ends: {between}");
    }

    #[test]
    fn a_mixture_of_what_two_planes_learnt_is_entirely_like_their_class() {
        let cpu = Cpu::new(1).unwrap();
        let window = Window { from: 5, to: 5, stride: 1, reach: 2 };
        let mut layer = SLayer::new(window, 1, window.pattern(|_, _| 1.0), Inhibition::Norm);
        let picture = |seed| Maps { side: 5, planes: 1, values: (0..25).map(|i| uniform(seed, i)).collect() };
        for seed in [1, 2, 3] {
            let k = layer.grow();
            layer.reinforce(k, 2, 2, &picture(seed), 1e4);
        }
        layer.ready(&cpu);
        let mixture: Vec<f32> =
            picture(1).values.iter().zip(picture(2).values).map(|(a, b)| 0.3 * a + 0.7 * b).collect();
        let similarities = layer.similarities(&cpu, &Maps { values: mixture, ..picture(1) });
        let likeness = Lines::between(&layer, &[0, 0, 1], 2).likeness(&similarities);
        assert!((likeness[0] - 1.0).abs() < 1e-3 && likeness[1] < 0.98, "{likeness:?}");
        assert!(similarities.values[2 * 5 * 3 + 2 * 3..][..2].iter().all(|s| *s < 0.99), "no plane by itself");
    }
}
