//! Normalisation against f64, on every instruction set and at several thread counts.

use super::*;
use crate::reference::{Sum, assert_close, assert_same_bits, random};
use crate::{Activation, Cpu, GradientSlot, Isa, activate_backward, column_sums_scratch};

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

const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Relu, Activation::Relu6];

fn clamp(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
    }
}

/// Whether an activation that gave `y` has a slope there.
fn slopes(activation: Activation, y: f32) -> bool {
    match activation {
        Activation::None => true,
        Activation::Relu => y > 0.0,
        Activation::Relu6 => y > 0.0 && y < 6.0,
    }
}

/// An activation's output of which a good part lies on its bounds.
fn outputs(activation: Activation, len: usize) -> Vec<f32> {
    random(5, len).iter().map(|&y| clamp(activation, f64::from(y) * 6.0) as f32).collect()
}

#[test]
fn residuals_and_activations_join_in() {
    for (rows, c) in SHAPES {
        let (k, residual) = (case(rows, c), random(5, rows * c));
        for activation in ACTIVATIONS {
            for adds in [false, true] {
                let expected: Vec<f64> = (0..k.x.len())
                    .map(|i| {
                        let linear = normal(&k, i) * f64::from(k.gamma[i % c]) * 3.0 + f64::from(k.beta[i % c]);
                        clamp(activation, linear + if adds { f64::from(residual[i]) } else { 0.0 })
                    })
                    .collect();
                let gamma: Vec<f32> = k.gamma.iter().map(|g| g * 3.0).collect();
                for y in everywhere(|cpu| {
                    let mut y = vec![f32::NAN; k.x.len()];
                    let residual = adds.then_some(&residual[..]);
                    normalise_activate(
                        cpu, &k.x, c, &k.mean, &k.inv_std, &gamma, &k.beta, residual, activation, &mut y,
                    );
                    y
                }) {
                    assert_near("y", &y, &expected, 4e-6);
                }
            }
        }
    }
}

#[test]
fn nan_passes_through_an_activation() {
    for activation in ACTIVATIONS {
        for isa in Isa::available() {
            let cpu = Cpu::with_isa(1, isa).unwrap();
            let (x, one, mut y) = ([f32::NAN; 20], [1.0; 20], [0.0; 20]);
            normalise_activate(&cpu, &x, 20, &one, &one, &one, &one, None, activation, &mut y);
            assert!(y.iter().all(|y| y.is_nan()), "{activation:?}");
        }
    }
}

/// Some elements of a case.
fn normalised<'a>(k: &'a Case, y: &'a [f32], activation: Activation, range: std::ops::Range<usize>) -> Normalised<'a> {
    Normalised {
        x: &k.x[range.clone()],
        y: if y.is_empty() { y } else { &y[range.clone()] },
        dy: &k.dy[range],
        c: k.c,
        mean: &k.mean,
        inv_std: &k.inv_std,
        gamma: &k.gamma,
        beta: &k.beta,
        activation,
    }
}

/// Runs a backward pass; gives dbeta, dgamma, dx and the residual's gradient.
fn fused(cpu: &Cpu, k: &Case, y: &[f32], activation: Activation, adds: [Option<bool>; 2]) -> Vec<f32> {
    let (c, len) = (k.c, k.x.len());
    let mut out = vec![1.0; 2 * c + 2 * len];
    out[..2 * c].fill(f32::NAN);
    let (dbeta, rest) = out.split_at_mut(c);
    let (dgamma, rest) = rest.split_at_mut(c);
    let (dx, dresidual) = rest.split_at_mut(len);
    let slot = |values, adds: Option<bool>| adds.map(|adds| GradientSlot { values, adds });
    let (dx, dresidual) = (slot(dx, adds[0]), slot(dresidual, adds[1]));
    let mut scratch = vec![f32::NAN; batch_norm_scratch(len, c)];
    normalised(k, y, activation, 0..len).backward(cpu, dx, dresidual, dgamma, dbeta, &mut scratch);
    out
}

#[test]
fn gradients_pass_the_activation_and_go_where_they_are_wanted() {
    let wishes =
        [[Some(false), Some(false)], [Some(true), Some(true)], [Some(false), None], [None, Some(true)], [None; 2]];
    for (rows, c) in SHAPES {
        let k = case(rows, c);
        for (activation, told) in ACTIVATIONS.into_iter().flat_map(|a| [(a, true), (a, false)]) {
            let mut y = outputs(activation, k.x.len());
            if !told {
                let cpu = Cpu::new(1).unwrap();
                normalise_activate(&cpu, &k.x, c, &k.mean, &k.inv_std, &k.gamma, &k.beta, None, activation, &mut y);
            }
            let dy = |i: usize| if slopes(activation, y[i]) { f64::from(k.dy[i]) } else { 0.0 };
            let (mut sum, mut product) = (vec![0.0; c], vec![0.0; c]);
            for i in 0..k.x.len() {
                sum[i % c] += dy(i);
                product[i % c] += dy(i) * normal(&k, i);
            }
            for adds in wishes {
                let dx = |i: usize| {
                    let j = i % c;
                    let batch = (sum[j] + normal(&k, i) * product[j]) / rows as f64;
                    f64::from(k.gamma[j]) * f64::from(k.inv_std[j]) * (dy(i) - batch)
                };
                let wanted = |adds: Option<bool>, value: f64| match adds {
                    None => 1.0,
                    Some(false) => value,
                    Some(true) => 1.0 + value,
                };
                let mut expected: Vec<f64> = sum.iter().chain(&product).copied().collect();
                expected.extend((0..k.x.len()).map(|i| wanted(adds[0], dx(i))));
                expected.extend((0..k.x.len()).map(|i| wanted(adds[1], dy(i))));
                let y = if told { &y[..] } else { &[] };
                for out in everywhere(|cpu| fused(cpu, &k, y, activation, adds)) {
                    assert_near("gradient", &out, &expected, if rows == 1 { 1e-4 } else { 1e-5 });
                }
            }
        }
    }
}

#[test]
fn gradients_in_parts_are_those_of_all_rows() {
    for (rows, c) in SHAPES.into_iter().filter(|(rows, _)| *rows > 2) {
        let k = case(rows, c);
        for activation in ACTIVATIONS {
            let y = outputs(activation, k.x.len());
            for adds in [false, true] {
                let whole = everywhere(|cpu| fused(cpu, &k, &y, activation, [Some(adds); 2]));
                let parts = everywhere(|cpu| in_parts(cpu, &k, &y, activation, adds));
                for (whole, parts) in whole.into_iter().zip(parts) {
                    let whole: Vec<f64> = whole.into_iter().map(f64::from).collect();
                    assert_near("gradient", &parts, &whole, 1e-5);
                }
            }
        }
    }
}

/// As `fused`, the rows in three parts.
fn in_parts(cpu: &Cpu, k: &Case, y: &[f32], activation: Activation, adds: bool) -> Vec<f32> {
    let (c, len) = (k.c, k.x.len());
    let mut out = vec![1.0; 2 * c + 2 * len];
    out[..2 * c].fill(f32::NAN);
    let (dbeta, rest) = out.split_at_mut(c);
    let (dgamma, rest) = rest.split_at_mut(c);
    let (dx, dresidual) = rest.split_at_mut(len);
    let mut scratch = vec![f32::NAN; batch_norm_scratch(len, c)];
    let rows = len / c;
    let ranges = [0..rows / 3 * c, rows / 3 * c..rows / 2 * c, rows / 2 * c..len];
    let part = |range| normalised(k, y, activation, range);
    for (i, range) in ranges.iter().enumerate() {
        part(range.clone()).sums(cpu, i > 0, dgamma, dbeta, &mut scratch);
    }
    for range in ranges {
        let dx = GradientSlot { values: &mut dx[range.clone()], adds };
        let dresidual = GradientSlot { values: &mut dresidual[range.clone()], adds };
        part(range).pass_on(cpu, rows, dgamma, dbeta, Some(dx), Some(dresidual), &mut scratch);
    }
    out
}

#[test]
fn biases_behind_activations_get_their_gradients() {
    for (rows, c) in SHAPES {
        let dy = random(2, rows * c);
        for activation in ACTIVATIONS {
            let y = outputs(activation, dy.len());
            let y = if activation == Activation::None { &[] } else { &y[..] };
            for (wants_bias, adds) in [(true, false), (true, true), (false, false)] {
                let passed = |i: usize| if y.is_empty() || slopes(activation, y[i]) { dy[i] } else { 0.0 };
                let mut expected = vec![Sum::default(); c];
                expected.iter_mut().filter(|_| adds || !wants_bias).for_each(|sum| sum.add(7.0));
                for i in 0..dy.len() {
                    let mut element = Sum::default();
                    element.add(f64::from(passed(i)));
                    expected.push(element);
                    if wants_bias {
                        expected[i % c].add(f64::from(passed(i)));
                    }
                }
                for out in everywhere(|cpu| {
                    let mut out = vec![7.0; c];
                    out.extend(&dy);
                    let (dbias, dy) = out.split_at_mut(c);
                    let mut scratch = vec![f32::NAN; column_sums_scratch(dy.len(), c)];
                    let dbias = wants_bias.then_some(dbias);
                    activate_backward(cpu, y, dy, c, activation, dbias, adds, &mut scratch);
                    out
                }) {
                    assert_close("dbias and dy", &out, &expected, 1e-7);
                }
            }
        }
    }
}

#[test]
fn an_infinite_gradient_is_not_hidden() {
    let (mut dy, mut dbias) = (vec![1.0; 300], [0.0; 3]);
    dy[150] = f32::INFINITY;
    let mut scratch = vec![f32::NAN; column_sums_scratch(300, 3)];
    activate_backward(&Cpu::new(1).unwrap(), &[], &mut dy, 3, Activation::None, Some(&mut dbias), false, &mut scratch);
    assert_eq!(dbias, [f32::INFINITY, 100.0, 100.0]);
}

#[test]
#[should_panic(expected = "y has 3 elements, not 4")]
fn an_activation_needs_its_output() {
    activate_backward(&Cpu::new(1).unwrap(), &[0.0; 3], &mut [0.0; 4], 2, Activation::Relu, None, false, &mut [0.0; 9]);
}
