//! Convolutions and gradients on tiles and as dot products against f64, fed with the same bf16: odd shapes, every instruction
//! set, several thread counts, emulated instructions everywhere and the machine's own where it has them.
//!
//! **Bounds.** Products are exact. On tiles, a step of 32 terms adds 16 products twice, the two sums, and that to what is there,
//! so that a sum of s steps errs by at most (17 + s) · 2⁻²⁴ of its terms' magnitudes; dot products add all t terms one by one, and
//! err by at most t · 2⁻²⁴. Three more roundings are in the last write; then the sum is rounded to bf16, and has to be what some
//! sum that near would be rounded to.

use super::*;
use crate::conv::{Activation, ConvGeometry};
use crate::reference::{Sum, assert_close, conv_products, random};
use crate::{Cpu, Isa};

/// A geometry with symmetric padding; pairs are height and width.
fn geometry(
    [n, h, w]: [usize; 3],
    [c_in, c_out]: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    pad: [usize; 2],
    dilation: [usize; 2],
) -> ConvGeometry {
    let out = |i: usize, len: usize| (len + 2 * pad[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1;
    let (out_h, out_w) = (out(0, h), out(1, w));
    ConvGeometry { n, h, w, c_in, out_h, out_w, c_out, kernel, stride, pad, dilation, groups: 1 }
}

/// Every way to find pixels: in x, in framed copies, gathered; on both sides of every width, and of one tile's rows.
fn geometries() -> Vec<ConvGeometry> {
    let mut all = Vec::new();
    for channels in [[3, 5], [32, 17], [64, 33], [37, 70], [5, 1], [22, 50]] {
        let square = |size, k, s, p, d| geometry(size, channels, [k; 2], [s; 2], [p; 2], [d; 2]);
        all.push(square([3, 5, 7], 1, 1, 0, 1));
        all.push(square([1, 1, 1], 1, 1, 0, 1));
        all.push(square([2, 6, 5], 1, 2, 0, 1));
        all.push(square([2, 9, 7], 3, 1, 1, 1));
        all.push(square([1, 8, 19], 3, 1, 0, 1));
        all.push(square([1, 10, 11], 3, 2, 1, 1));
        all.push(square([1, 9, 12], 3, 1, 2, 2));
        all.push(square([1, 9, 8], 2, 1, 0, 2));
        all.push(square([1, 13, 12], 5, 3, 2, 1));
        all.push(square([2, 1, 1], 3, 1, 1, 1));
        all.push(square([1, 11, 9], 2, 3, 0, 2));
    }
    // Uneven kernels, strides, dilations, and padding that differs on all four sides; windows that lie wholly in padding.
    for channels in [[32, 7], [6, 40]] {
        let odd = geometry([2, 10, 13], channels, [3; 2], [1; 2], [1; 2], [1; 2]);
        all.push(ConvGeometry { kernel: [1, 5], stride: [2, 1], pad: [0, 3], out_h: 5, out_w: 14, ..odd });
        all.push(ConvGeometry { kernel: [4, 2], stride: [1, 2], pad: [3, 0], out_h: 12, out_w: 7, ..odd });
        all.push(ConvGeometry { pad: [0, 2], dilation: [3, 1], out_h: 7, out_w: 12, ..odd });
        all.push(ConvGeometry { pad: [5, 4], out_h: 16, out_w: 17, ..odd });
    }
    // A stem, linear layers, several blocks of rows or images, weights beyond a second-level cache.
    all.push(geometry([1, 30, 41], [3, 64], [7; 2], [2; 2], [3; 2], [1; 2]));
    for (n, inputs, outputs) in [(1, 64, 70), (5, 37, 11), (40, 96, 33)] {
        all.push(geometry([n, 1, 1], [inputs, outputs], [1; 2], [1; 2], [0; 2], [1; 2]));
    }
    all.push(geometry([1, 40, 37], [32, 32], [3; 2], [1; 2], [1; 2], [1; 2]));
    all.push(geometry([2, 70, 19], [8, 9], [3; 2], [1; 2], [1; 2], [1; 2]));
    all.push(geometry([20, 4, 5], [32, 16], [3; 2], [1; 2], [1; 2], [1; 2]));
    all.push(geometry([2, 3, 2], [1024, 544], [1; 2], [1; 2], [0; 2], [1; 2]));
    all.push(geometry([2, 3, 3], [256, 240], [3; 2], [1; 2], [1; 2], [1; 2]));
    all
}

/// Normal values of a seed, rounded.
fn words(seed: u64, len: usize) -> Vec<u16> {
    random(seed, len).into_iter().map(narrowed).collect()
}

fn value(word: u16) -> f64 {
    f64::from(widened(word))
}

const WAYS: [Bf16; 2] = [Bf16::Dot, Bf16::Amx];

/// Emulated instructions, and the machine's own where it has them.
fn instructions(way: Bf16) -> impl Iterator<Item = bool> {
    [false, true].into_iter().filter(move |own| !own || way.is_available())
}

/// Runs `f`, which assigns or adds to its third argument, with every instruction set, with the machine's own instructions and
/// without, on 1, 2 and 4 threads: bits may depend on threads as little as on what scratch held before. Returns one result for
/// each instruction set, with its own instructions or not; tiles give the same bits either way.
fn everywhere<T: Copy + PartialEq + std::fmt::Debug>(
    what: &str,
    way: Bf16,
    start: &[T],
    scratch: impl Fn(usize) -> usize,
    f: impl Fn(&Cpu, bool, &mut [T], &mut [f32]),
) -> Vec<Vec<T>> {
    let run = |isa, own| {
        let mut results = [(1, f32::NAN), (2, 1.0), (4, f32::INFINITY)].into_iter().map(|(threads, left)| {
            let cpu = Cpu::with_isa(threads, isa).unwrap();
            let mut out = start.to_vec();
            f(&cpu, own, &mut out, &mut vec![left; scratch(threads)]);
            out
        });
        let first = results.next().unwrap();
        for other in results {
            let differs = first.iter().zip(&other).position(|(a, b)| a != b);
            assert_eq!(differs, None, "{what}, {way:?}, {isa:?}: where bits depend on threads");
        }
        first
    };
    let each = |isa| {
        let results: Vec<Vec<T>> = instructions(way).map(|own| run(isa, own)).collect();
        if way == Bf16::Amx {
            assert!(results.iter().all(|result| *result == results[0]), "{what}, {isa:?}: bits depend on tiles");
        }
        results
    };
    Isa::available().into_iter().flat_map(each).collect()
}

/// Roundings of a sum of an output's terms.
fn roundings(way: Bf16, g: &ConvGeometry) -> usize {
    if way == Bf16::Amx { 17 + steps(g) } else { g.kernel[0] * g.kernel[1] * g.c_in }
}

/// Steps of 32 terms of an output.
fn steps(g: &ConvGeometry) -> usize {
    g.kernel[0] * (g.kernel[1] * g.c_in).div_ceil(32)
}

/// Panics where `found` is not what a sum near the expected one is rounded to, within `bounds`.
fn assert_rounded(what: &str, found: &[u16], expected: &[Sum], roundings: usize, bounds: (f64, f64)) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    for (i, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (roundings + 7) as f64 * 2.0_f64.powi(-24) * expected.magnitude + 1e-30;
        let near = |v: f64| widened(narrowed(v.clamp(bounds.0, bounds.1) as f32));
        let (low, high) = (near(expected.value - error), near(expected.value + error));
        let found = widened(found);
        assert!(low <= found && found <= high, "{what}: element {i} is {found}, expected {low} to {high}");
    }
}

/// Weights as they are prepared.
fn prepared_values(weight: &[f32], scale: Option<&[f32]>) -> Vec<f64> {
    let outputs = scale.map_or(1, <[f32]>::len);
    let of = |(i, &w): (usize, &f32)| value(narrowed(scale.map_or(w, |scale| w * scale[i / (weight.len() / outputs)])));
    weight.iter().enumerate().map(of).collect()
}

/// Prepares and runs a plan.
fn convolve(
    plan: &Bf16Convolution,
    (cpu, own): (&Cpu, bool),
    x: &[u16],
    (weight, scale): (&[f32], Option<&[f32]>),
    epilogue: &Bf16Epilogue<'_>,
    to: &mut Bf16Destination<'_>,
    scratch: &mut [f32],
) {
    let mut prepared = vec![0x7fc0; plan.prepared_len()];
    plan.prepare(cpu, weight, scale, &mut prepared);
    plan.run_on(cpu, own, x, &prepared, epilogue, to, scratch);
}

/// Planned for more images than are run.
fn more(g: &ConvGeometry) -> ConvGeometry {
    ConvGeometry { n: g.n + 2, ..*g }
}

/// Every geometry, or every `step`-th, by every way.
fn everything(step: usize) -> impl Iterator<Item = (ConvGeometry, Bf16)> {
    geometries().into_iter().step_by(step).flat_map(|g| WAYS.map(|way| (g, way)))
}

#[test]
fn forward_writes_what_the_epilogue_says() {
    for (g, way) in everything(1) {
        let (x, residual, weight) = (words(1, g.x_len()), words(2, g.y_len()), random(3, g.weight_len()));
        let (bias, scale) = (random(4, g.c_out), random(5, g.c_out));
        let (mut expected, used) = (vec![Sum::default(); g.y_len()], prepared_values(&weight, Some(&scale)));
        conv_products(&g, |i, w, y| expected[y].add(value(x[i]) * used[w]));
        for (i, sum) in expected.iter_mut().enumerate() {
            sum.add(f64::from(bias[i % g.c_out]));
            sum.add(value(residual[i]));
        }
        // Into channels 3.. of a map five channels wider.
        let (pitch, plan) = (g.c_out + 5, Bf16Convolution::plan(way, &more(&g)).unwrap());
        let start = vec![7; g.y_len() / g.c_out * pitch];
        let results = everywhere(
            "forward",
            way,
            &start,
            |threads| plan.scratch(threads),
            |cpu, own, y, scratch| {
                let epilogue =
                    Bf16Epilogue { bias: Some(&bias), residual: Some(&residual), activation: Activation::Relu6 };
                let mut to = Bf16Destination { values: y, pitch, channel: 3, adds: false };
                convolve(&plan.batch(g.n), (cpu, own), &x, (&weight, Some(&scale)), &epilogue, &mut to, scratch);
            },
        );
        for y in results {
            let pixels = y.chunks_exact(pitch);
            assert!(pixels.clone().all(|p| p[..3] == [7; 3] && p[pitch - 2..] == [7; 2]), "neighbours: {g:?}");
            let y: Vec<u16> = pixels.flat_map(|p| p[3..3 + g.c_out].to_vec()).collect();
            assert_rounded(&format!("{way:?} forward of {g:?}"), &y, &expected, roundings(way, &g), (0.0, 6.0));
        }
    }
}

#[test]
fn outputs_are_assigned_or_added() {
    for (g, way) in everything(3) {
        let (x, start, weight) = (words(1, g.x_len()), words(2, g.y_len()), random(3, g.weight_len()));
        let (plan, used) = (Bf16Convolution::plan(way, &g).unwrap(), prepared_values(&weight, None));
        for adds in [false, true] {
            let mut expected = vec![Sum::default(); g.y_len()];
            conv_products(&g, |i, w, y| expected[y].add(value(x[i]) * used[w]));
            if adds {
                expected.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(value(s)));
            }
            let before = if adds { start.clone() } else { vec![0x7fc0; g.y_len()] };
            let results = everywhere(
                "output",
                way,
                &before,
                |threads| plan.scratch(threads),
                |cpu, own, y, scratch| {
                    let mut to = Bf16Destination { adds, ..Bf16Destination::assign(y, g.c_out) };
                    convolve(&plan, (cpu, own), &x, (&weight, None), &Bf16Epilogue::default(), &mut to, scratch);
                },
            );
            for y in results {
                let all = (f64::NEG_INFINITY, f64::INFINITY);
                assert_rounded(&format!("{way:?} output of {g:?}"), &y, &expected, roundings(way, &g), all);
            }
        }
    }
}

#[test]
fn data_gradients_are_assigned_or_added() {
    for (g, way) in everything(1) {
        let Some(plan) = Bf16Convolution::data_gradient(way, &more(&g)) else {
            assert!(g.turned().is_none(), "a plan for {g:?}");
            continue;
        };
        let (dy, start, weight) = (words(1, g.y_len()), words(2, g.x_len()), random(3, g.weight_len()));
        let used = prepared_values(&weight, None);
        for adds in [false, true] {
            let mut expected = vec![Sum::default(); g.x_len()];
            conv_products(&g, |x, w, y| expected[x].add(value(dy[y]) * used[w]));
            if adds {
                expected.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(value(s)));
            }
            let before = if adds { start.clone() } else { vec![0x7fc0; g.x_len()] };
            let results = everywhere(
                "data gradient",
                way,
                &before,
                |threads| plan.scratch(threads),
                |cpu, own, dx, scratch| {
                    let mut to = Bf16Destination { adds, ..Bf16Destination::assign(dx, g.c_in) };
                    let plan = plan.batch(g.n);
                    convolve(&plan, (cpu, own), &dy, (&weight, None), &Bf16Epilogue::default(), &mut to, scratch);
                },
            );
            for dx in results {
                let (turned, all) = (g.turned().unwrap(), (f64::NEG_INFINITY, f64::INFINITY));
                assert_rounded(
                    &format!("{way:?} data gradient of {g:?}"),
                    &dx,
                    &expected,
                    roundings(way, &turned),
                    all,
                );
            }
        }
    }
}

#[test]
fn weight_gradients_are_assigned_or_added() {
    for (g, way) in everything(1) {
        let Some(plan) = Bf16WeightGradient::plan(way, &more(&g)) else {
            assert!(g.dilation[1] > 1 || (g.h, g.w) == (1, 1), "no plan for {g:?}");
            continue;
        };
        let (x, dy, start) = (words(1, g.x_len()), words(2, g.y_len()), random(3, g.weight_len()));
        for adds in [false, true] {
            let mut expected = vec![Sum::default(); g.weight_len()];
            conv_products(&g, |x_at, w, y| expected[w].add(value(x[x_at]) * value(dy[y])));
            if adds {
                expected.iter_mut().zip(&start).for_each(|(sum, &s)| sum.add(f64::from(s)));
            }
            let before = if adds { start.clone() } else { vec![7.0; g.weight_len()] };
            let results = everywhere(
                "weight gradient",
                way,
                &before,
                |threads| plan.scratch(threads),
                |cpu, own, dw, scratch| {
                    plan.batch(g.n).run_on(cpu, own, &x, &dy, dw, adds, scratch);
                },
            );
            // Steps, each block's last one begun, and at most 16 copies and what was there.
            let slots = g.n * g.out_h * (g.out_w + 1);
            let roundings = if way == Bf16::Amx { 17 + slots / 32 + g.n * g.out_h } else { slots };
            let bound = (roundings + 17) as f64 * 2.0_f64.powi(-24);
            for dw in results {
                assert_close(&format!("{way:?} weight gradient of {g:?}"), &dw, &expected, bound);
            }
        }
    }
}

/// What fills steps and lies between rows may not reach other outputs, even where it is no number.
#[test]
fn nan_reaches_what_sees_it_and_nothing_else() {
    for channels in [[5, 9], [32, 9], [40, 9], [18, 9]] {
        for (way, (k, s, p)) in
            WAYS.into_iter().flat_map(|way| [(3, 1, 1), (3, 2, 1), (1, 1, 0), (3, 1, 0)].map(|window| (way, window)))
        {
            let g = geometry([1, 7, 9], channels, [k; 2], [s; 2], [p; 2], [1; 2]);
            let mut x = words(1, g.x_len());
            let at = (3 * g.w + 4) * g.c_in + 2;
            x[at] = 0x7fc0;
            let mut sees = vec![false; g.y_len()];
            conv_products(&g, |x, _, y| sees[y] |= x == at);
            let (plan, weight) = (Bf16Convolution::plan(way, &g).unwrap(), random(2, g.weight_len()));
            let start = vec![0; g.y_len()];
            let scratch = |threads: usize| plan.scratch(threads);
            let results = everywhere("with NaN", way, &start, scratch, |cpu, own, y, scratch| {
                let mut to = Bf16Destination::assign(y, g.c_out);
                convolve(&plan, (cpu, own), &x, (&weight, None), &Bf16Epilogue::default(), &mut to, scratch);
                // Which NaN it is does not matter.
                for v in y {
                    *v = u16::from(widened(*v).is_nan());
                }
            });
            for y in results {
                let nan: Vec<bool> = y.iter().map(|&v| v == 1).collect();
                assert_eq!(nan, sees, "{g:?}");
            }
        }
    }
}

#[test]
fn what_is_not_computed_has_no_plan() {
    let g = geometry([1, 8, 8], [32, 32], [3; 2], [1; 2], [1; 2], [1; 2]);
    let (grouped, strided) =
        (ConvGeometry { groups: 2, ..g }, ConvGeometry { stride: [2; 2], out_h: 4, out_w: 4, ..g });
    for way in WAYS {
        let forward = |g| Bf16Convolution::plan(way, g).is_some();
        let data = |g| Bf16Convolution::data_gradient(way, g).is_some();
        let weight = |g| Bf16WeightGradient::plan(way, g).is_some();
        assert!(forward(&g) && data(&g) && forward(&strided) && weight(&strided));
        assert!(!data(&strided) && !forward(&grouped) && !weight(&grouped));
        assert!(!weight(&geometry([4, 1, 1], [32, 32], [1; 2], [1; 2], [0; 2], [1; 2])));
        assert!(!forward(&ConvGeometry { n: 0, ..g }));
    }
    assert!(
        Bf16Convolution::plan(Bf16::Widened, &g).is_none() && Bf16WeightGradient::plan(Bf16::Widened, &g).is_none()
    );
}

#[test]
fn smaller_batches_need_no_more_scratch() {
    for (g, way) in everything(1) {
        for n in 1..40 {
            let now = ConvGeometry { n: 40, ..g };
            if let Some(plan) = Bf16Convolution::plan(way, &now) {
                assert!(plan.batch(n).scratch(3) <= plan.scratch(3), "{n} of {now:?}");
            }
            if let Some(plan) = Bf16WeightGradient::plan(way, &now) {
                assert!(plan.batch(n).scratch(3) <= plan.scratch(3), "{n} of {now:?}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "a residual and an activation")]
fn additions_have_no_activation() {
    let g = geometry([1, 1, 1], [2, 2], [1; 2], [1; 2], [0; 2], [1; 2]);
    let (plan, mut y) = (Bf16Convolution::plan(Bf16::Amx, &g).unwrap(), [0; 2]);
    let (cpu, mut scratch) = (Cpu::new(1).unwrap(), vec![0.0; plan.scratch(1)]);
    let epilogue = Bf16Epilogue { activation: Activation::Relu, ..Bf16Epilogue::default() };
    let to = &mut Bf16Destination::add(&mut y, 2);
    convolve(&plan, (&cpu, false), &[0; 2], (&[0.0; 4], None), &epilogue, to, &mut scratch);
}

/// The other tests include the machine's own dot products only where it has them.
#[test]
#[ignore = "needs a machine with AVX512-BF16"]
fn the_machines_dot_products_are_tested() {
    assert!(Bf16::Dot.is_available(), "this machine has no AVX512-BF16");
    assert_eq!(instructions(Bf16::Dot).count(), 2);
}

/// The other tests include the machine's own tiles only where it has them.
#[test]
#[ignore = "needs a machine with AMX-BF16"]
fn the_machines_tiles_are_tested() {
    assert!(Bf16::Amx.is_available(), "this machine has no AMX-BF16, or its system does not grant it");
    assert_eq!(instructions(Bf16::Amx).count(), 2);
}
