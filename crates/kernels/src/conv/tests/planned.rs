//! Planned convolutions: every algorithm that applies, with every epilogue and destination, for batches smaller than planned.

use super::{Operands, bound, everywhere, geometries};
use crate::conv::moments::block_len;
use crate::conv::{
    Activation, Algorithm, ConvGeometry, Convolution, Destination, Epilogue, WeightGradient, combine_moments,
};
use crate::reference::{Sum, assert_close, assert_same_bits, conv_products, random};
use crate::{Cpu, Isa};

/// Winograd's transforms round more than a sum in order does: by up to this, relative to the largest sum of magnitudes.
fn bound_of(algorithm: Algorithm, terms: usize) -> f64 {
    match algorithm {
        Algorithm::Winograd2 => 5e-7,
        Algorithm::Winograd4 => 2e-6,
        _ => bound(terms),
    }
}

/// The expected sums; for Winograd with the largest magnitude of all: its transforms mix neighbours.
fn levelled(algorithm: Algorithm, mut sums: Vec<Sum>) -> Vec<Sum> {
    if matches!(algorithm, Algorithm::Winograd2 | Algorithm::Winograd4) {
        let most = sums.iter().fold(0.0, |most: f64, s| most.max(s.magnitude));
        for sum in &mut sums {
            sum.magnitude = most;
        }
    }
    sums
}

/// Linear layers too, of few images and more.
fn all() -> Vec<ConvGeometry> {
    let mut all: Vec<_> = geometries().into_iter().step_by(2).collect();
    for (n, inputs, outputs) in [(1, 37, 11), (5, 130, 66), (16, 64, 9), (33, 20, 40), (7, 1100, 3)] {
        all.push(ConvGeometry { c_in: inputs, ..super::geometry([n, 1, 1], [inputs, outputs], 1, 1, 0, 1, 1) });
    }
    all
}

/// Planned for more images than are run.
fn plan(isa: Isa, g: &ConvGeometry, wish: Algorithm, data: bool) -> Convolution {
    let more = ConvGeometry { n: g.n + 2, ..*g };
    let plan = if data { Convolution::data_gradient } else { Convolution::forward };
    plan(isa, &more, Some(wish)).batch(g.n)
}

fn run(
    cpu: &Cpu,
    plan: &Convolution,
    x: &[f32],
    weight: &[f32],
    scale: Option<&[f32]>,
    e: &Epilogue<'_>,
    to: &mut Destination<'_>,
) {
    let mut prepared = vec![f32::NAN; plan.prepared_len()];
    plan.prepare(cpu, weight, scale, &mut prepared);
    let mut scratch = vec![f32::NAN; plan.scratch(cpu.threads())];
    let weights = if prepared.is_empty() { weight } else { &prepared };
    plan.run(cpu, x, weights, e, to, &mut scratch);
}

/// The algorithms that apply to a geometry on any instruction set.
fn algorithms(g: &ConvGeometry) -> Vec<Algorithm> {
    Convolution::forward(Isa::Portable, g, None).ways().map(|(a, _)| a).collect()
}

#[test]
fn forward_writes_what_the_epilogue_says() {
    for g in all() {
        let k = Operands::new(&g);
        let scale = random(6, g.c_out);
        for algorithm in algorithms(&g) {
            let scale = Some(&scale[..]).filter(|_| algorithm != Algorithm::Linear);
            let mut expected = vec![Sum::default(); g.y_len()];
            let per_output = g.weight_len() / g.c_out;
            conv_products(&g, |x, w, y| {
                let by = scale.map_or(1.0, |s| s[w / per_output]);
                expected[y].add(f64::from(k.x[x]) * f64::from(k.weight[w]) * f64::from(by));
            });
            for (i, sum) in expected.iter_mut().enumerate() {
                sum.add(f64::from(k.bias[i % g.c_out]));
                sum.add(f64::from(k.dy[i]));
                sum.value = sum.value.clamp(0.0, 6.0);
            }
            let expected = levelled(algorithm, expected);
            // Into channels 3.. of a map five channels wider.
            let pitch = g.c_out + 5;
            let start = vec![7.0; g.y_len() / g.c_out * pitch];
            let results = everywhere("planned forward", &start, 0, |cpu, y, _| {
                let epilogue = Epilogue { bias: Some(&k.bias), residual: Some(&k.dy), activation: Activation::Relu6 };
                let mut to = Destination { values: y, pitch, channel: 3, adds: false, moments: None };
                run(cpu, &plan(cpu.isa(), &g, algorithm, false), &k.x, &k.weight, scale, &epilogue, &mut to);
            });
            for y in results {
                let pixels = y.chunks_exact(pitch);
                assert!(pixels.clone().all(|p| p[..3] == [7.0; 3] && p[pitch - 2..] == [7.0; 2]), "neighbours: {g:?}");
                let y: Vec<f32> = pixels.flat_map(|p| p[3..3 + g.c_out].to_vec()).collect();
                assert_close(&format!("{algorithm:?} of {g:?}"), &y, &expected, bound_of(algorithm, per_output));
            }
        }
    }
}

#[test]
fn moments_are_those_of_the_output() {
    for g in all() {
        let k = Operands::new(&g);
        for algorithm in algorithms(&g) {
            for isa in Isa::available() {
                let (cpu, plan) = (Cpu::with_isa(2, isa).unwrap(), plan(isa, &g, algorithm, false));
                let Some(len) = plan.moments_len() else { continue };
                assert_eq!(len % block_len(g.c_out), 0);
                let (mut y, mut moments) = (vec![f32::NAN; g.y_len()], vec![f32::NAN; len]);
                let mut to = Destination { moments: Some(&mut moments), ..Destination::assign(&mut y, g.c_out) };
                let epilogue = Epilogue { bias: Some(&k.bias), ..Epilogue::default() };
                run(&cpu, &plan, &k.x, &k.weight, None, &epilogue, &mut to);
                let (mut mean, mut var) = (vec![f32::NAN; g.c_out], vec![f32::NAN; g.c_out]);
                combine_moments(&cpu, &moments, &mut mean, &mut var);
                let pixels = (g.y_len() / g.c_out) as f64;
                for c in 0..g.c_out {
                    let values = || y.iter().skip(c).step_by(g.c_out).map(|v| f64::from(*v));
                    let expected = values().sum::<f64>() / pixels;
                    let spread = values().map(|v| (v - expected).powi(2)).sum::<f64>() / pixels;
                    let scale = (expected.powi(2) + spread).max(1e-12);
                    assert!((f64::from(mean[c]) - expected).abs() < 2e-6 * scale.sqrt(), "{algorithm:?} of {g:?}");
                    assert!((f64::from(var[c]) - spread).abs() < 4e-6 * scale, "{algorithm:?} of {g:?}");
                }
            }
        }
    }
}

#[test]
fn data_gradients_are_assigned_or_added() {
    for g in all() {
        let k = Operands::new(&g);
        let start = random(5, g.x_len());
        for algorithm in Convolution::data_gradient(Isa::Portable, &g, None).ways().map(|(a, _)| a) {
            for adds in [false, true] {
                let mut expected = vec![Sum::default(); g.x_len()];
                conv_products(&g, |x, w, y| expected[x].add(f64::from(k.dy[y]) * f64::from(k.weight[w])));
                if adds {
                    expected.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(f64::from(s)));
                }
                let expected = levelled(algorithm, expected);
                let before = if adds { start.clone() } else { vec![f32::NAN; g.x_len()] };
                let results = everywhere("planned data gradient", &before, 0, |cpu, dx, _| {
                    let mut to = Destination { adds, ..Destination::assign(dx, g.c_in) };
                    let plan = plan(cpu.isa(), &g, algorithm, true);
                    run(cpu, &plan, &k.dy, &k.weight, None, &Epilogue::default(), &mut to);
                });
                let bound = bound_of(algorithm, g.weight_len() / g.c_in * g.groups);
                for dx in results {
                    assert_close(&format!("data gradient, {algorithm:?} of {g:?}"), &dx, &expected, bound);
                }
            }
        }
    }
}

#[test]
fn weight_gradients_are_assigned_or_added() {
    for g in all() {
        let k = Operands::new(&g);
        let start = random(5, g.weight_len());
        for algorithm in WeightGradient::new(Isa::Portable, &g, None).ways().map(|(a, _)| a) {
            for adds in [false, true] {
                let mut expected = vec![Sum::default(); g.weight_len()];
                conv_products(&g, |x, w, y| expected[w].add(f64::from(k.x[x]) * f64::from(k.dy[y])));
                if adds {
                    expected.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(f64::from(s)));
                }
                let expected = levelled(algorithm, expected);
                let before = if adds { start.clone() } else { vec![f32::NAN; g.weight_len()] };
                let results = everywhere("planned weight gradient", &before, 0, |cpu, dw, _| {
                    let more = ConvGeometry { n: g.n + 2, ..g };
                    let plan = WeightGradient::new(cpu.isa(), &more, Some(algorithm)).batch(g.n);
                    let mut scratch = vec![f32::NAN; plan.scratch(cpu.threads())];
                    plan.run(cpu, &k.x, &k.dy, dw, adds, &mut scratch);
                });
                for dw in results {
                    let bound = bound_of(algorithm, g.n * g.out_h * g.out_w);
                    assert_close(&format!("weight gradient, {algorithm:?} of {g:?}"), &dw, &expected, bound);
                }
            }
        }
    }
}

#[test]
fn weight_gradients_of_some_outputs_are_those_of_all() {
    for (n, inputs, outputs) in [(1, 37, 11), (5, 130, 66), (16, 1030, 70)] {
        let g = super::geometry([n, 1, 1], [inputs, outputs], 1, 1, 0, 1, 1);
        let k = Operands::new(&g);
        for rows in [1, 3, 8, outputs] {
            everywhere("some rows", &vec![f32::NAN; g.weight_len()], 0, |cpu, dw, _| {
                let plan = WeightGradient::new(cpu.isa(), &g, None);
                assert!(plan.has_rows());
                for (i, dw) in dw.chunks_mut(rows * inputs).enumerate() {
                    plan.run_rows(cpu, &k.x, &k.dy, i * rows, dw);
                }
                let mut whole = vec![f32::NAN; g.weight_len()];
                plan.run(cpu, &k.x, &k.dy, &mut whole, false, &mut []);
                assert_same_bits(&format!("{rows} rows at a time of {g:?}"), dw, &whole);
            });
        }
    }
}

#[test]
fn what_applies_is_chosen_and_a_wish_is_followed() {
    let g = super::geometry([4, 28, 28], [64, 64], 3, 1, 1, 1, 1);
    for isa in Isa::available() {
        assert_eq!(Convolution::forward(isa, &g, None).algorithm(), Algorithm::Winograd4);
        assert_eq!(Convolution::forward(isa, &g, Some(Algorithm::Direct)).algorithm(), Algorithm::Direct);
        // Weights are not worth preparing for one run of a few images.
        let linear = ConvGeometry { n: 16, h: 1, w: 1, out_h: 1, out_w: 1, kernel: [1; 2], pad: [0; 2], ..g };
        assert_eq!(Convolution::forward(isa, &linear, None).algorithm(), Algorithm::Linear);
        assert_eq!(Convolution::predict(isa, &linear, None).algorithm(), Algorithm::Direct);
        // Not one that does not apply.
        let strided = ConvGeometry { stride: [2, 2], out_h: 14, out_w: 14, ..g };
        assert_eq!(Convolution::forward(isa, &strided, Some(Algorithm::Winograd2)).algorithm(), Algorithm::Direct);
    }
}
