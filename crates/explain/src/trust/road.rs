//! ROAD, remove and debias (Rong, Leemann, Borisov, Kasneci and Kasneci 2022, arXiv:2202.00449): shares of the pixels are taken
//! away and filled so that nothing can be told from where they were: each becomes the mean of its neighbours (weights 1/6
//! beside, 1/12 across; a sparse linear system) with a little noise. Once the most important go first, once the least.

use crate::subject::Predictor;
use crate::{ExplainError, Heat, Subject};
use serde::Serialize;
use striate_graph::Shape;
use striate_kernels::{hash, normal};

/// Probabilities with shares of the pixels gone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Road {
    /// Shares of pixels taken away.
    pub shares: Vec<f64>,
    /// The class's probability when the most important are gone.
    pub most_first: Vec<f32>,
    /// When the least important are gone.
    pub least_first: Vec<f32>,
    /// Half the mean difference of the two: above 0 the map tells what matters, at 0 it is as good as lots.
    pub combined: f64,
}

const SHARES: [f64; 4] = [0.2, 0.4, 0.6, 0.8];

/// The noise's deviation, as a share of the range from black to white; the paper's 0.1 is of deviations of ImageNet's pixels.
const NOISE: f32 = 0.02;

/// Measures a heat map.
///
/// # Errors
/// If the network cannot be run.
pub fn road(subject: &Subject, input: &[f32], class: usize, heat: &Heat, batch: usize) -> Result<Road, ExplainError> {
    let (shape, classes, order) = (subject.graph.input().shape, subject.classes.len(), heat.order());
    let (low, high) = (subject.level(0.0), subject.level(1.0));
    let mut images = Vec::new();
    for least in [false, true] {
        for share in SHARES {
            let count = (share * order.len() as f64) as usize;
            let mut gone = vec![false; order.len()];
            let first = if least { order.len() - count } else { 0 };
            order[first..first + count].iter().for_each(|pixel| gone[*pixel] = true);
            let mut image = input.to_vec();
            fill(&mut image, shape, &gone);
            for (i, v) in image.iter_mut().enumerate().filter(|(i, _)| gone[i / shape.c]) {
                let channel = i % shape.c;
                *v += NOISE * (high[channel] - low[channel]) * normal(hash(17, count as u64), i as u64);
            }
            images.extend(image);
        }
    }
    let mut predictor = Predictor::new(subject, batch.clamp(1, 2 * SHARES.len()), &[])?;
    let rows = predictor.probabilities(&images)?;
    let of: Vec<f32> = rows.chunks_exact(classes).map(|row| row[class]).collect();
    let (most_first, least_first) = of.split_at(SHARES.len());
    let difference = |(most, least): (&f32, &f32)| f64::from(*least) - f64::from(*most);
    let combined = most_first.iter().zip(least_first).map(difference).sum::<f64>() / SHARES.len() as f64 / 2.0;
    Ok(Road { shares: SHARES.to_vec(), most_first: most_first.to_vec(), least_first: least_first.to_vec(), combined })
}

/// Makes each pixel that is gone the weighted mean of its neighbours, by conjugate gradients: the system (Σ w) x − Σ w x' = 0
/// is symmetric, and positive definite as soon as one pixel is left.
fn fill(image: &mut [f32], shape: Shape, gone: &[bool]) {
    if gone.iter().all(|g| *g) {
        return;
    }
    let mut place = vec![usize::MAX; gone.len()];
    let unknown: Vec<usize> = (0..gone.len()).filter(|i| gone[*i]).collect();
    unknown.iter().enumerate().for_each(|(k, pixel)| place[*pixel] = k);
    let neighbours: Vec<Vec<(usize, f64)>> = unknown.iter().map(|pixel| around(*pixel, shape)).collect();
    let sums: Vec<f64> = neighbours.iter().map(|all| all.iter().map(|(_, w)| w).sum()).collect();
    let apply = |x: &[f64]| -> Vec<f64> {
        let row = |k: usize| {
            let others = neighbours[k].iter().filter(|(pixel, _)| gone[*pixel]);
            sums[k] * x[k] - others.map(|(pixel, w)| w * x[place[*pixel]]).sum::<f64>()
        };
        (0..x.len()).map(row).collect()
    };
    for channel in 0..shape.c {
        let value = |pixel: usize| f64::from(image[pixel * shape.c + channel]);
        let known = |k: usize| -> f64 {
            let all = neighbours[k].iter().filter(|(pixel, _)| !gone[*pixel]);
            all.map(|(pixel, w)| w * value(*pixel)).sum()
        };
        let right: Vec<f64> = (0..unknown.len()).map(known).collect();
        let x = solve(&apply, &right);
        for (pixel, x) in unknown.iter().zip(x) {
            image[pixel * shape.c + channel] = x as f32;
        }
    }
}

/// The eight pixels around one, or as many as there are, with their weights.
fn around(pixel: usize, shape: Shape) -> Vec<(usize, f64)> {
    let (y, x) = ((pixel / shape.w) as isize, (pixel % shape.w) as isize);
    let mut all = Vec::with_capacity(8);
    for (dy, dx) in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)] {
        let (y, x) = (y + dy, x + dx);
        if (0..shape.h as isize).contains(&y) && (0..shape.w as isize).contains(&x) {
            let weight = if dy == 0 || dx == 0 { 1.0 / 6.0 } else { 1.0 / 12.0 };
            all.push((y as usize * shape.w + x as usize, weight));
        }
    }
    all
}

/// Conjugate gradients (Hestenes and Stiefel 1952), to a residual of 10⁻⁷ of the right side's.
fn solve(apply: &dyn Fn(&[f64]) -> Vec<f64>, right: &[f64]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut x = vec![0.0; right.len()];
    let mut residual = right.to_vec();
    let mut direction = residual.clone();
    let mut square = dot(&residual, &residual);
    let enough = square * 1e-14;
    for _ in 0..2000 {
        if square <= enough {
            break;
        }
        let image = apply(&direction);
        let step = square / dot(&direction, &image);
        x.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
        residual.iter_mut().zip(&image).for_each(|(r, v)| *r -= step * v);
        let next = dot(&residual, &residual);
        direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + next / square * *d);
        square = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{linear, picture};

    #[test]
    fn holes_are_filled_by_the_mean_of_what_is_around() {
        // One pixel amid eight: direct neighbours 6, across 12. (4·6/6 + 4·12/12) / 1 = 8.
        let shape = Shape::new(3, 3, 1);
        let mut image = [12.0, 6.0, 12.0, 6.0, 99.0, 6.0, 12.0, 6.0, 12.0];
        fill(&mut image, shape, &[false, false, false, false, true, false, false, false, false]);
        assert!((image[4] - 8.0).abs() < 1e-5);
        // What is even stays so whatever is gone, in each channel.
        let shape = Shape::new(9, 7, 2);
        let mut image: Vec<f32> = (0..126).map(|i| [2.0, -3.0][i % 2]).collect();
        let gone: Vec<bool> = (0..63).map(|i| i % 5 != 0).collect();
        let even = image.clone();
        image.iter_mut().enumerate().filter(|(i, _)| gone[i / 2]).for_each(|(_, v)| *v = 50.0);
        fill(&mut image, shape, &gone);
        assert!(image.iter().zip(&even).all(|(a, b)| (a - b).abs() < 1e-4), "{image:?}");
    }

    #[test]
    fn a_slope_is_continued() {
        // Linear along columns: the mean of neighbours on both sides is the value itself.
        let shape = Shape::new(5, 5, 1);
        let slope: Vec<f32> = (0..25).map(|i| (i % 5) as f32).collect();
        let gone: Vec<bool> = (0..25).map(|i| [6, 7, 8, 12, 13].contains(&i)).collect();
        let mut image = slope.clone();
        image.iter_mut().zip(&gone).filter(|(_, gone)| **gone).for_each(|(v, _)| *v = -7.0);
        fill(&mut image, shape, &gone);
        assert!(image.iter().zip(&slope).all(|(a, b)| (a - b).abs() < 1e-4), "{image:?}");
    }

    #[test]
    fn turned_round_the_figure_changes_its_sign() {
        let (subject, input) = (linear(), picture(&linear()));
        let heat = Heat::new(4, 5, (0..20).map(|i| (i * 7 % 20) as f32).collect());
        let turned = Heat::new(4, 5, heat.values.iter().map(|v| -v).collect());
        let (a, b) = (road(&subject, &input, 0, &heat, 3).unwrap(), road(&subject, &input, 0, &turned, 8).unwrap());
        assert!((a.combined + b.combined).abs() < 1e-5, "{a:?} {b:?}");
        assert_eq!(a.most_first.len(), 4);
    }
}
