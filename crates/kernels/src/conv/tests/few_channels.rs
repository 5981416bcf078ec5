//! Data gradients to a few channels, whose kernel rows are unfolded and folded: every epilogue, into channels of a wider map.

use super::{Operands, bound, everywhere, geometry};
use crate::conv::{Activation, Algorithm, ConvGeometry, Convolution, Destination, Epilogue};
use crate::reference::{Sum, assert_close, conv_products, random};

/// Kernels that fill vectors well and badly, more images than are unfolded together, and padding beyond the kernel.
fn geometries() -> Vec<ConvGeometry> {
    let mut all = Vec::new();
    for c_in in [1, 2, 3, 5, 6, 7] {
        all.push(geometry([2, 9, 11], [c_in, 16], 5, 1, 2, 1, 1));
        all.push(geometry([2, 12, 9], [c_in, 7], 3, 2, 1, 1, 1));
        all.push(geometry([1, 13, 17], [c_in, 20], 7, 2, 3, 1, 1));
        all.push(geometry([1, 23, 19], [c_in, 5], 11, 4, 2, 1, 1));
    }
    all.push(geometry([3, 60, 70], [3, 4], 3, 1, 1, 1, 1));
    all.push(ConvGeometry { pad: [5, 4], out_h: 16, out_w: 15, ..geometry([2, 8, 9], [3, 5], 3, 1, 1, 1, 1) });
    // Columns that no window reaches, padding on one side only, dilated rows.
    all.push(ConvGeometry { stride: [1, 5], out_w: 3, ..geometry([2, 8, 17], [2, 5], 3, 1, 0, 1, 1) });
    all.push(ConvGeometry { out_h: 9, out_w: 14, ..geometry([2, 8, 13], [3, 5], 3, 1, 0, 1, 1) });
    all.push(ConvGeometry { dilation: [2, 1], out_h: 6, ..geometry([2, 8, 13], [3, 5], 3, 1, 1, 1, 1) });
    all
}

#[test]
fn few_channels_in_wider_maps() {
    for g in geometries() {
        let k = Operands::new(&g);
        let (residual, bias) = (random(5, g.x_len()), random(6, g.c_in));
        for (adds, wider) in [(false, 0), (true, 0), (false, 5), (true, 5)] {
            let plain = adds || wider == 0;
            let mut expected = vec![Sum::default(); g.x_len()];
            conv_products(&g, |x, w, y| expected[x].add(f64::from(k.dy[y]) * f64::from(k.weight[w])));
            for (i, sum) in expected.iter_mut().enumerate() {
                if adds {
                    sum.add(7.0);
                }
                if !plain {
                    sum.add(f64::from(bias[i % g.c_in]));
                    sum.add(f64::from(residual[i]));
                    sum.value = sum.value.clamp(0.0, 6.0);
                }
            }
            let pitch = g.c_in + wider;
            let start = vec![if adds || wider > 0 { 7.0 } else { f32::NAN }; g.x_len() / g.c_in * pitch];
            let results = everywhere("data gradient to few channels", &start, 0, |cpu, dx, _| {
                let more = ConvGeometry { n: g.n + 1, ..g };
                let plan = Convolution::data_gradient(cpu.isa(), &more, Some(Algorithm::Direct)).batch(g.n);
                let mut prepared = vec![f32::NAN; plan.prepared_len()];
                plan.prepare(cpu, &k.weight, None, &mut prepared);
                let mut scratch = vec![f32::NAN; plan.scratch(cpu.threads())];
                let full = Epilogue { bias: Some(&bias), residual: Some(&residual), activation: Activation::Relu6 };
                let epilogue = if plain { Epilogue::default() } else { full };
                let mut to = Destination { values: dx, pitch, channel: wider / 2, adds, moments: None };
                plan.run(cpu, &k.dy, &prepared, &epilogue, &mut to, &mut scratch);
            });
            for dx in results {
                let pixels = dx.chunks_exact(pitch);
                let (before, after) = (wider / 2, wider - wider / 2);
                let beside = |p: &[f32]| p[..before].iter().chain(&p[pitch - after..]).all(|v| *v == 7.0);
                assert!(pixels.clone().all(beside), "neighbours: {g:?}");
                let dx: Vec<f32> = pixels.flat_map(|p| p[before..before + g.c_in].to_vec()).collect();
                let bound = bound(g.weight_len() / g.c_in);
                assert_close(&format!("data gradient of {g:?}"), &dx, &expected, bound);
            }
        }
    }
}
