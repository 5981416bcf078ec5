//! Depthwise convolution against f64: what the entry points for every convolution do not reach.

use super::*;
use crate::conv::moments::block_len;
use crate::conv::tests::{Operands, bound, everywhere, geometry};
use crate::conv::{Activation, combine_moments};
use crate::reference::{Sum, assert_close, conv_products, random};

/// 3×3 with every step, parity and padding, beside shapes that have no loop of their own.
fn geometries() -> Vec<ConvGeometry> {
    let mut all = Vec::new();
    for size in [1, 2, 3, 4, 7, 10] {
        for (stride, pad) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)] {
            if size + 2 * pad >= 3 {
                all.push(geometry([2, size, size + 1], [19, 19], 3, stride, pad, 1, 19));
            }
        }
    }
    let one = geometry([1, 9, 8], [70, 70], 3, 1, 1, 1, 70);
    all.push(one);
    all.push(ConvGeometry { stride: [2, 1], out_h: 5, ..one });
    // Padding that differs on all four sides, rows that no window reaches, windows that lie wholly in padding.
    all.push(ConvGeometry { pad: [2, 0], out_h: 8, out_w: 9, ..one });
    all.push(ConvGeometry { stride: [2, 2], pad: [0, 1], out_h: 3, out_w: 6, ..one });
    all.push(ConvGeometry { stride: [2, 2], pad: [5, 4], out_h: 10, out_w: 9, ..one });
    all.push(geometry([1, 11, 12], [16, 16], 3, 3, 0, 1, 16));
    all.push(geometry([2, 9, 10], [34, 34], 2, 4, 0, 1, 34));
    all.push(geometry([1, 12, 9], [5, 5], 5, 2, 2, 1, 5));
    all.push(geometry([1, 12, 9], [24, 24], 3, 1, 2, 2, 24));
    // Several blocks of rows.
    all.push(geometry([1, 60, 41], [80, 80], 3, 1, 1, 1, 80));
    all
}

/// Sums of the products that give y, and those of the bias.
fn sums(g: &ConvGeometry, k: &Operands, scale: &[f32]) -> Vec<Sum> {
    let mut sums = vec![Sum::default(); g.y_len()];
    let scaled = |w: usize| f64::from(k.weight[w] * scale[w / g.taps()]);
    conv_products(g, |x, w, y| sums[y].add(f64::from(k.x[x]) * scaled(w)));
    for (i, sum) in sums.iter_mut().enumerate() {
        sum.add(f64::from(k.bias[i % g.c_out]));
    }
    sums
}

/// The convolution of scaled weights into channels of a wider map.
fn into_wider(g: &ConvGeometry, k: &Operands, activation: Activation, adds: bool) {
    let (pitch, channel) = (g.c_out + 5, 3);
    let (scale, residual) = (random(6, g.c_out), random(7, g.y_len()));
    let start = random(8, g.n * g.out_h * g.out_w * pitch);
    let mut expected = vec![Sum::default(); start.len()];
    expected.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(f64::from(s)));
    for (i, sum) in sums(g, k, &scale).into_iter().enumerate() {
        let at = i / g.c_out * pitch + channel + i % g.c_out;
        let (mut value, mut magnitude) = (sum.value, sum.magnitude);
        value += f64::from(residual[i]);
        magnitude += f64::from(residual[i].abs());
        if adds {
            value += expected[at].value;
            magnitude += expected[at].magnitude;
        }
        let (low, high) = activation.bounds();
        expected[at] = Sum { value: value.clamp(f64::from(low), f64::from(high)), magnitude };
    }
    let results = everywhere("run", &start, prepared_len(g), |cpu, values, prepared| {
        prepare(cpu, g, &k.weight, Some(&scale), prepared);
        let epilogue = Epilogue { bias: Some(&k.bias), residual: Some(&residual), activation };
        run(cpu, g, &k.x, prepared, &epilogue, Destination { values, pitch, channel, adds, moments: None });
    });
    for values in results {
        assert_close(&format!("{activation:?} of {g:?}, {adds}"), &values, &expected, bound(g.taps() + 3));
        // Channels beside ours keep their bits.
        for (i, (value, start)) in values.iter().zip(&start).enumerate() {
            assert!((channel..channel + g.c_out).contains(&(i % pitch)) || value == start, "element {i}");
        }
    }
}

#[test]
fn epilogues_match_in_wider_maps() {
    for g in geometries() {
        let k = Operands::new(&g);
        into_wider(&g, &k, Activation::Relu6, false);
        into_wider(&g, &k, Activation::None, true);
    }
}

#[test]
fn moments_are_those_of_what_is_written() {
    for g in geometries() {
        let k = Operands::new(&g);
        let (pixels, channels) = (g.n * g.out_h * g.out_w, g.c_out);
        let blocks = moment_blocks(&g) * block_len(channels);
        let start = vec![f32::NAN; pixels * channels + 2 * channels];
        let results = everywhere("moments", &start, prepared_len(&g) + blocks, |cpu, out, scratch| {
            let (prepared, moments) = scratch.split_at_mut(prepared_len(&g));
            let (y, statistics) = out.split_at_mut(pixels * channels);
            prepare(cpu, &g, &k.weight, None, prepared);
            let epilogue = Epilogue { bias: Some(&k.bias), ..Epilogue::default() };
            let to = Destination { moments: Some(moments), ..Destination::assign(y, channels) };
            run(cpu, &g, &k.x, prepared, &epilogue, to);
            let (mean, var) = statistics.split_at_mut(channels);
            combine_moments(cpu, moments, mean, var);
        });
        for out in results {
            let (y, statistics) = out.split_at(pixels * channels);
            assert_close(&format!("y of {g:?}"), y, &sums(&g, &k, &vec![1.0; channels]), bound(g.taps() + 1));
            let mut expected = vec![Sum::default(); 2 * channels];
            let share = 1.0 / pixels as f64;
            for (i, &y) in y.iter().enumerate() {
                expected[i % channels].add(f64::from(y) * share);
            }
            for (i, &y) in y.iter().enumerate() {
                let off = f64::from(y) - expected[i % channels].value;
                expected[channels + i % channels].add(off * off * share);
            }
            assert_close(&format!("moments of {g:?}"), statistics, &expected, bound(pixels));
        }
    }
}

#[test]
fn data_gradients_are_assigned_and_added() {
    for g in geometries() {
        let k = Operands::new(&g);
        for adds in [false, true] {
            let start = if adds { random(5, g.x_len()) } else { vec![f32::NAN; g.x_len()] };
            let mut expected = vec![Sum::default(); g.x_len()];
            conv_products(&g, |x, w, y| expected[x].add(f64::from(k.dy[y]) * f64::from(k.weight[w])));
            if adds {
                expected.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(f64::from(s)));
            }
            let results = everywhere("data gradient", &start, prepared_len(&g), |cpu, dx, prepared| {
                prepare(cpu, &g, &k.weight, None, prepared);
                data_gradient(cpu, &g, &k.dy, prepared, dx, adds);
            });
            for dx in results {
                assert_close(&format!("data gradient of {g:?}, {adds}"), &dx, &expected, bound(g.taps() + 1));
            }
        }
    }
}

#[test]
fn weight_gradients_are_assigned_and_added() {
    for g in geometries() {
        let k = Operands::new(&g);
        for adds in [false, true] {
            let start = if adds { random(5, g.weight_len()) } else { vec![f32::NAN; g.weight_len()] };
            let mut expected = vec![Sum::default(); g.weight_len()];
            conv_products(&g, |x, w, y| expected[w].add(f64::from(k.x[x]) * f64::from(k.dy[y])));
            if adds {
                expected.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(f64::from(s)));
            }
            let results = everywhere("weight gradient", &start, weight_scratch(&g), |cpu, dw, scratch| {
                weight_gradient(cpu, &g, &k.x, &k.dy, dw, adds, scratch);
            });
            for dw in results {
                let terms = g.n * g.out_h * g.out_w;
                assert_close(&format!("weight gradient of {g:?}, {adds}"), &dw, &expected, bound(terms));
            }
        }
    }
}

#[test]
#[should_panic(expected = "moments are of sums and bias alone")]
fn moments_of_activations_are_refused() {
    let g = geometry([1, 3, 3], [2, 2], 3, 1, 1, 1, 2);
    let (mut y, mut moments) = ([0.0; 18], vec![0.0; moment_blocks(&g) * block_len(2)]);
    let epilogue = Epilogue { activation: Activation::Relu, ..Epilogue::default() };
    let to = Destination { moments: Some(&mut moments), ..Destination::assign(&mut y, 2) };
    run(&Cpu::new(1).unwrap(), &g, &[0.0; 18], &[0.0; 18], &epilogue, to);
}
