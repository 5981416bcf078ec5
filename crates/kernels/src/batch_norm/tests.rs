//! Normalisation against f64, on every instruction set and at several thread counts.

use super::*;
use crate::Isa;
use crate::reference::{assert_same_bits, random};

const SHAPES: [(usize, usize); 7] = [(1, 1), (2, 3), (7, 5), (1000, 17), (2000, 33), (70, 1024), (50_000, 1)];

/// Runs `f` on every instruction set with 1, 2 and 8 threads; all thread counts must give the same bits.
fn everywhere(f: impl Fn(&Cpu) -> Vec<f32>) -> Vec<Vec<f32>> {
    let run = |isa| {
        let [one, two, eight] = [1, 2, 8].map(|threads| f(&Cpu::with_isa(threads, isa).unwrap()));
        assert_same_bits("2 threads", &one, &two);
        assert_same_bits("8 threads", &one, &eight);
        one
    };
    Isa::available().into_iter().map(run).collect()
}

fn assert_near(what: &str, found: &[f32], expected: &[f64], bound: f64) {
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= bound * expected.abs().max(1.0), "{what}: element {i} is {found}, expected {expected}");
    }
}

/// Mean and biased variance of each column, in two passes.
fn moments(x: &[f32], c: usize) -> (Vec<f64>, Vec<f64>) {
    let rows = (x.len() / c) as f64;
    let column = |j: usize| x[j..].iter().step_by(c).map(|&x| f64::from(x));
    let mean: Vec<f64> = (0..c).map(|j| column(j).sum::<f64>() / rows).collect();
    let var = (0..c).map(|j| column(j).map(|x| (x - mean[j]).powi(2)).sum::<f64>() / rows).collect();
    (mean, var)
}

#[test]
fn statistics_match_even_far_from_zero() {
    for (rows, c) in SHAPES {
        for offset in [0.0, 1e4] {
            let x: Vec<f32> = random(1, rows * c).iter().map(|x| x + offset).collect();
            let (mean, var) = moments(&x, c);
            let results = everywhere(|cpu| {
                let mut out = vec![f32::NAN; 2 * c];
                let mut scratch = vec![f32::NAN; batch_norm_scratch(x.len(), c)];
                let (mean, var) = out.split_at_mut(c);
                channel_statistics(cpu, &x, c, mean, var, &mut scratch);
                out
            });
            for out in results {
                assert_near("mean", &out[..c], &mean, 1e-7);
                assert_near("variance", &out[c..], &var, 2e-7);
            }
        }
    }
}

/// Inputs of one backward pass.
struct Case {
    c: usize,
    x: Vec<f32>,
    dy: Vec<f32>,
    mean: Vec<f32>,
    inv_std: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

fn case(rows: usize, c: usize) -> Case {
    let x = random(1, rows * c);
    let (mean, var) = moments(&x, c);
    Case {
        c,
        dy: random(2, rows * c),
        mean: mean.iter().map(|&m| m as f32).collect(),
        inv_std: var.iter().map(|v| (1.0 / (v + 1e-5).sqrt()) as f32).collect(),
        gamma: random(3, c),
        beta: random(4, c),
        x,
    }
}

/// x̂ of element i.
fn normal(k: &Case, i: usize) -> f64 {
    let j = i % k.c;
    (f64::from(k.x[i]) - f64::from(k.mean[j])) * f64::from(k.inv_std[j])
}

#[test]
fn normalise_matches() {
    for (rows, c) in SHAPES {
        let k = case(rows, c);
        let expected: Vec<f64> =
            (0..k.x.len()).map(|i| normal(&k, i) * f64::from(k.gamma[i % c]) + f64::from(k.beta[i % c])).collect();
        for y in everywhere(|cpu| {
            let mut y = vec![f32::NAN; k.x.len()];
            normalise(cpu, &k.x, c, &k.mean, &k.inv_std, &k.gamma, &k.beta, &mut y);
            y
        }) {
            assert_near("y", &y, &expected, 2e-6);
        }
    }
}

#[test]
fn gradients_match_and_add() {
    for (rows, c) in SHAPES {
        let k = case(rows, c);
        for (frozen, wants_dx) in [(false, true), (true, true), (false, false), (true, false)] {
            let (mut sum, mut product) = (vec![0.0; c], vec![0.0; c]);
            for i in 0..k.x.len() {
                sum[i % c] += f64::from(k.dy[i]);
                product[i % c] += f64::from(k.dy[i]) * normal(&k, i);
            }
            let dx = |i: usize| {
                let j = i % c;
                let batch = if frozen { 0.0 } else { (sum[j] + normal(&k, i) * product[j]) / rows as f64 };
                f64::from(k.gamma[j]) * f64::from(k.inv_std[j]) * (f64::from(k.dy[i]) - batch)
            };
            let mut expected: Vec<f64> = sum.iter().chain(&product).map(|s| 1.0 + s).collect();
            expected.extend((0..k.x.len()).map(|i| 1.0 + if wants_dx { dx(i) } else { 0.0 }));
            for out in everywhere(|cpu| {
                let mut out = vec![1.0; 2 * c + k.x.len()];
                let mut scratch = vec![f32::NAN; batch_norm_scratch(k.x.len(), c)];
                let (dbeta, rest) = out.split_at_mut(c);
                let (dgamma, dx) = rest.split_at_mut(c);
                let backward = if frozen { batch_norm_backward_frozen } else { batch_norm_backward };
                let dx = wants_dx.then_some(dx);
                backward(cpu, &k.x, &k.dy, c, &k.mean, &k.inv_std, &k.gamma, dx, dgamma, dbeta, &mut scratch);
                out
            }) {
                // A single row has inv_std 316, which magnifies rounding.
                assert_near("gradient", &out, &expected, if rows == 1 { 1e-4 } else { 1e-5 });
            }
        }
    }
}
