//! Winograd's convolutions against f64 over odd shapes, every instruction set, several thread counts.

use super::*;
use crate::conv::moments::block_len;
use crate::reference::{assert_same_bits, conv_products, random};
use crate::{Activation, combine_moments};

/// Largest error over the root mean square of the result, as the module states it.
const F2: f64 = 4e-6;
const F4: f64 = 1.5e-5;

fn tolerance(size: usize) -> f64 {
    if size == 2 { F2 } else { F4 }
}

/// A 3×3 convolution of `[n, h, w]` images with padding at the top, left, bottom and right.
fn geometry([n, h, w]: [usize; 3], [c_in, c_out]: [usize; 2], [top, left, bottom, right]: [usize; 4]) -> ConvGeometry {
    ConvGeometry {
        n,
        h,
        w,
        c_in,
        out_h: h + top + bottom - 2,
        out_w: w + left + right - 2,
        c_out,
        kernel: [3; 2],
        stride: [1; 2],
        pad: [top, left],
        dilation: [1; 2],
        groups: 1,
    }
}

/// Channels on both sides of every vector and panel, every padding, maps smaller than a tile and of all remainders.
fn geometries() -> Vec<ConvGeometry> {
    let mut all = Vec::new();
    for channels in [[1, 1], [3, 5], [5, 17], [16, 16], [17, 33], [33, 3], [40, 50], [8, 100]] {
        all.push(geometry([2, 9, 7], channels, [1; 4]));
        all.push(geometry([1, 4, 8], channels, [1; 4]));
        all.push(geometry([1, 1, 1], channels, [1; 4]));
    }
    for pad in [[0; 4], [2; 4], [0, 1, 2, 0], [2, 0, 1, 1], [1, 2, 0, 2]] {
        all.push(geometry([2, 6, 11], [7, 9], pad));
        all.push(geometry([1, 2, 2], [4, 20], pad.map(|p| p.max(1))));
    }
    all.push(geometry([1, 30, 31], [20, 40], [1; 4]));
    all.push(geometry([5, 7, 7], [70, 35], [1; 4]));
    all.push(geometry([1, 5, 6], [512, 24], [1; 4]));
    all.push(geometry([1, 44, 46], [4, 18], [1; 4]));
    all
}

/// What `new` chooses, and each way of working with blocks that cut images, whatever the shape.
fn ways(isa: Isa, g: &ConvGeometry, size: usize) -> [Winograd; 3] {
    let chosen = Winograd::new(isa, g, size).unwrap();
    [
        chosen,
        Winograd { private: true, chunk: chosen.tiles().count(), block: 13, ..chosen },
        Winograd { private: false, chunk: 11, block: 5, ..chosen },
    ]
}

/// Runs `f` on every instruction set with 1, 2 and 8 threads, whose bits must be the same.
fn everywhere(what: &str, f: impl Fn(&Cpu) -> Vec<f32>) -> Vec<Vec<f32>> {
    let run = |isa| {
        let [one, two, eight] = [1, 2, 8].map(|threads| f(&Cpu::with_isa(threads, isa).unwrap()));
        assert_same_bits(&format!("{what}, 2 threads, {isa:?}"), &one, &two);
        assert_same_bits(&format!("{what}, 8 threads, {isa:?}"), &one, &eight);
        one
    };
    Isa::available().into_iter().map(run).collect()
}

/// Work space that holds what a former user left.
fn scratch(len: usize) -> Vec<f32> {
    vec![f32::NAN; len]
}

/// Panics where an error is larger than `tolerance` times the root mean square of what is expected.
fn assert_near(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    let rms = (expected.iter().map(|e| e * e).sum::<f64>() / expected.len() as f64).sqrt();
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs() / rms;
        assert!(error <= tolerance, "{what}: element {i} is {found}, expected {expected}, off by {error:e} of {rms}");
    }
}

/// Operands, and the convolution in f64.
struct Case {
    g: ConvGeometry,
    x: Vec<f32>,
    weight: Vec<f32>,
    dy: Vec<f32>,
    y: Vec<f64>,
}

impl Case {
    fn new(g: ConvGeometry) -> Self {
        let (x, weight, dy) = (random(1, g.x_len()), random(2, g.weight_len()), random(3, g.y_len()));
        let mut y = vec![0.0; g.y_len()];
        conv_products(&g, |xi, wi, yi| y[yi] += f64::from(x[xi]) * f64::from(weight[wi]));
        Self { g, x, weight, dy, y }
    }

    /// The convolution by `w` of `x`, to a map with NaN wherever nothing is written.
    fn run(&self, cpu: &Cpu, w: &Winograd, x: &[f32], scale: Option<&[f32]>, epilogue: &Epilogue<'_>) -> Vec<f32> {
        let mut prepared = scratch(w.prepared_len());
        w.prepare(cpu, &self.weight, scale, &mut prepared);
        let mut y = vec![f32::NAN; self.g.y_len()];
        let to = Destination::assign(&mut y, self.g.c_out);
        w.run(cpu, x, &prepared, epilogue, to, &mut scratch(w.scratch(cpu.threads())));
        y
    }
}

#[test]
fn forward_matches_in_every_way() {
    for g in geometries() {
        let k = Case::new(g);
        for size in [2, 4] {
            for way in 0..3 {
                let what = format!("F({size}), way {way}, {g:?}");
                let results = everywhere(&what, |cpu| {
                    k.run(cpu, &ways(cpu.isa(), &g, size)[way], &k.x, None, &Epilogue::default())
                });
                for y in results {
                    assert_near(&what, &y, &k.y, tolerance(size));
                }
            }
        }
    }
}

#[test]
fn nothing_beyond_an_image_is_read() {
    let g = geometry([3, 6, 7], [18, 5], [1; 4]);
    let k = Case::new(g);
    let image = g.x_len() / 3;
    // Images on both sides, and what lies around x in memory, are NaN.
    let mut around = vec![f32::NAN; g.x_len() + 2000];
    around[1000 + image..1000 + 2 * image].copy_from_slice(&k.x[image..2 * image]);
    let out = g.y_len() / 3;
    for size in [2, 4] {
        for way in 0..3 {
            let x = &around[1000..1000 + g.x_len()];
            let run = |cpu: &Cpu, x| k.run(cpu, &ways(cpu.isa(), &g, size)[way], x, None, &Epilogue::default());
            let alone = everywhere("amid NaN", |cpu| run(cpu, x));
            for (alone, whole) in alone.iter().zip(everywhere("amid numbers", |cpu| run(cpu, &k.x))) {
                assert_same_bits("the middle image", &alone[out..2 * out], &whole[out..2 * out]);
                assert!(alone[..out].iter().chain(&alone[2 * out..]).all(|y| y.is_nan()));
            }
        }
    }
}

#[test]
fn the_weight_gradient_reads_nothing_beyond_its_maps() {
    let g = geometry([2, 6, 7], [18, 5], [1; 4]);
    let k = Case::new(g);
    let amid_nan = |values: &[f32]| [&[f32::NAN; 1000], values, &[f32::NAN; 1000]].concat();
    let (x, dy) = (amid_nan(&k.x), amid_nan(&k.dy));
    let run = |cpu: &Cpu, x: &[f32], dy: &[f32]| {
        let w = WinogradGradient::new(cpu.isa(), &g).unwrap();
        let mut dw = scratch(g.weight_len());
        w.run(cpu, x, dy, &mut dw, false, &mut scratch(w.scratch(cpu.threads())));
        dw
    };
    let (x, dy) = (&x[1000..1000 + g.x_len()], &dy[1000..1000 + g.y_len()]);
    let alone = everywhere("amid NaN", |cpu| run(cpu, x, dy));
    for (alone, expected) in alone.iter().zip(everywhere("alone", |cpu| run(cpu, &k.x, &k.dy))) {
        assert_same_bits("the weight gradient", alone, &expected);
    }
}

#[test]
fn scale_bias_residual_and_activation() {
    let g = geometry([2, 7, 6], [12, 21], [1; 4]);
    let k = Case::new(g);
    let (scale, bias) = (random(5, g.c_out), random(6, g.c_out));
    let residual: Vec<f32> = random(7, g.y_len()).into_iter().map(|r| 10.0 * r).collect();
    for (activation, low, high) in [(Activation::Relu, 0.0, f64::INFINITY), (Activation::Relu6, 0.0, 6.0)] {
        let epilogue = Epilogue { bias: Some(&bias), residual: Some(&residual), activation };
        let last = |(i, y): (usize, &f64)| {
            let (y, b) = (y * f64::from(scale[i % g.c_out]), f64::from(bias[i % g.c_out]));
            (y + b + f64::from(residual[i])).clamp(low, high)
        };
        let expected: Vec<f64> = k.y.iter().enumerate().map(last).collect();
        for size in [2, 4] {
            for way in 0..3 {
                let results = everywhere("epilogue", |cpu| {
                    k.run(cpu, &ways(cpu.isa(), &g, size)[way], &k.x, Some(&scale), &epilogue)
                });
                for y in results {
                    // Errors are those of the sums, which are larger than what the activation leaves.
                    assert_near("epilogue", &y, &expected, 4.0 * tolerance(size));
                }
            }
        }
    }
}

#[test]
fn activation_lets_nan_through() {
    let g = geometry([1, 4, 4], [3, 18], [1; 4]);
    let k = Case::new(g);
    let bias = vec![f32::NAN; g.c_out];
    let epilogue = Epilogue { bias: Some(&bias), activation: Activation::Relu6, ..Epilogue::default() };
    for y in everywhere("NaN", |cpu| k.run(cpu, &ways(cpu.isa(), &g, 4)[0], &k.x, None, &epilogue)) {
        assert!(y.iter().all(|y| y.is_nan()));
    }
}

#[test]
fn channels_of_a_wider_map_are_assigned_or_added_to() {
    let g = geometry([2, 5, 9], [6, 19], [1; 4]);
    let k = Case::new(g);
    let (pitch, channel) = (30, 4);
    let start = random(8, g.y_len() / g.c_out * pitch);
    for (size, adds) in [(2, false), (2, true), (4, false), (4, true)] {
        for way in 0..3 {
            let results = everywhere("slice", |cpu| {
                let w = ways(cpu.isa(), &g, size)[way];
                let mut prepared = scratch(w.prepared_len());
                w.prepare(cpu, &k.weight, None, &mut prepared);
                let mut values = start.clone();
                let to = Destination { values: &mut values, pitch, channel, adds, moments: None };
                w.run(cpu, &k.x, &prepared, &Epilogue::default(), to, &mut scratch(w.scratch(cpu.threads())));
                values
            });
            let mut expected: Vec<f64> = start.iter().copied().map(f64::from).collect();
            for (pixel, y) in expected.chunks_exact_mut(pitch).zip(k.y.chunks_exact(g.c_out)) {
                for (to, y) in pixel[channel..].iter_mut().zip(y) {
                    *to = if adds { *to + y } else { *y };
                }
            }
            for values in results {
                assert_near("slice", &values, &expected, 2.0 * tolerance(size));
                let beside = |i: usize| !(channel..channel + g.c_out).contains(&(i % pitch));
                let same = |(i, (a, b)): (usize, (&f32, &f32))| !beside(i) || a.to_bits() == b.to_bits();
                assert!(values.iter().zip(&start).enumerate().all(same), "channels beside were changed");
            }
        }
    }
}

#[test]
fn moments_are_those_of_the_output() {
    for g in [geometry([2, 9, 7], [5, 37], [1; 4]), geometry([1, 30, 21], [3, 8], [0; 4])] {
        let k = Case::new(g);
        let bias: Vec<f32> = random(9, g.c_out).into_iter().map(|b| 100.0 * b).collect();
        let pixels = k.y.len() / g.c_out;
        let moment = |f: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; g.c_out];
            k.y.iter()
                .enumerate()
                .for_each(|(i, y)| sums[i % g.c_out] += f(i % g.c_out, y + f64::from(bias[i % g.c_out])));
            sums.into_iter().map(|s| s / pixels as f64).collect::<Vec<f64>>()
        };
        let means = moment(&|_, y| y);
        let variances = moment(&|c, y| (y - means[c]).powi(2));
        for size in [2, 4] {
            for way in 0..3 {
                let results = everywhere("moments", |cpu| {
                    let w = ways(cpu.isa(), &g, size)[way];
                    let mut prepared = scratch(w.prepared_len());
                    w.prepare(cpu, &k.weight, None, &mut prepared);
                    let (mut y, mut blocks) = (vec![0.0; g.y_len()], scratch(w.moment_blocks() * block_len(g.c_out)));
                    let to = Destination { moments: Some(&mut blocks), ..Destination::assign(&mut y, g.c_out) };
                    let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
                    w.run(cpu, &k.x, &prepared, &epilogue, to, &mut scratch(w.scratch(cpu.threads())));
                    let mut mean = vec![0.0; 2 * g.c_out];
                    let (mean_of, var_of) = mean.split_at_mut(g.c_out);
                    combine_moments(cpu, &blocks, mean_of, var_of);
                    mean
                });
                for found in results {
                    assert_near("mean", &found[..g.c_out], &means, 1e-5);
                    assert_near("variance", &found[g.c_out..], &variances, 1e-4);
                }
            }
        }
    }
}

#[test]
fn data_gradient_is_the_turned_convolution() {
    for g in geometries() {
        let k = Case::new(g);
        let mut expected = vec![0.0; g.x_len()];
        conv_products(&g, |x, w, y| expected[x] += f64::from(k.dy[y]) * f64::from(k.weight[w]));
        let turned = g.turned().unwrap();
        assert_eq!(turned.turned(), Some(g));
        for size in [2, 4] {
            let results = everywhere("data gradient", |cpu| {
                let w = Winograd::new(cpu.isa(), &turned, size).unwrap();
                let mut prepared = scratch(w.prepared_len());
                w.prepare_turned(cpu, &k.weight, &mut prepared);
                let mut dx = vec![f32::NAN; g.x_len()];
                let to = Destination::assign(&mut dx, g.c_in);
                w.run(cpu, &k.dy, &prepared, &Epilogue::default(), to, &mut scratch(w.scratch(cpu.threads())));
                dx
            });
            for dx in results {
                assert_near(&format!("data gradient of {g:?}"), &dx, &expected, tolerance(size));
            }
        }
    }
}

#[test]
fn weight_gradient_matches_and_assigns_or_adds() {
    for g in geometries() {
        let k = Case::new(g);
        let start = random(5, g.weight_len());
        let mut sums = vec![0.0; g.weight_len()];
        conv_products(&g, |x, w, y| sums[w] += f64::from(k.x[x]) * f64::from(k.dy[y]));
        let run = |cpu: &Cpu, (chunk, split, groups): (usize, usize, usize), adds: bool| {
            let w = WinogradGradient::new(cpu.isa(), &g).unwrap().cut(chunk, split, groups);
            let mut dw = if adds { start.clone() } else { scratch(g.weight_len()) };
            w.run(cpu, &k.x, &k.dy, &mut dw, adds, &mut scratch(w.scratch(cpu.threads())));
            dw
        };
        for how in [(16, 1, 1), (1000, 1, 1), (128, 6, 1), (7, 3, 1), (5, 1, 3), (2, 1, 40)] {
            let what = format!("weight gradient, (chunk, split, groups) {how:?}, {g:?}");
            for dw in everywhere(&what, |cpu| run(cpu, how, false)) {
                assert_near(&what, &dw, &sums, F4);
            }
            let expected: Vec<f64> = sums.iter().zip(&start).map(|(sum, &s)| sum + f64::from(s)).collect();
            for dw in everywhere(&what, |cpu| run(cpu, how, true)) {
                assert_near(&what, &dw, &expected, F4);
            }
        }
    }
}

#[test]
fn no_images_leave_nothing_or_zeros() {
    let g = geometry([0, 5, 5], [3, 4], [1; 4]);
    let k = Case::new(g);
    for isa in Isa::available() {
        let cpu = Cpu::with_isa(2, isa).unwrap();
        assert!(k.run(&cpu, &Winograd::new(isa, &g, 4).unwrap(), &[], None, &Epilogue::default()).is_empty());
        let w = Winograd::new(isa, &g, 2).unwrap();
        let to = Destination { values: &mut [], pitch: 9, channel: 5, adds: true, moments: None };
        w.run(&cpu, &[], &scratch(w.prepared_len()), &Epilogue::default(), to, &mut scratch(w.scratch(2)));
        let w = WinogradGradient::new(isa, &g).unwrap();
        let mut dw = scratch(g.weight_len());
        w.run(&cpu, &[], &[], &mut dw, false, &mut scratch(w.scratch(2)));
        assert_eq!(dw, vec![0.0; g.weight_len()]);
    }
}

#[test]
fn other_convolutions_are_refused_and_prepared_weights_fit_any_number_of_images() {
    let g = geometry([2, 9, 9], [4, 4], [1; 4]);
    let isa = Isa::Portable;
    assert!(Winograd::new(isa, &g, 3).is_none());
    let others = [
        ConvGeometry { kernel: [3, 1], ..g },
        ConvGeometry { stride: [1, 2], ..g },
        ConvGeometry { dilation: [2, 1], ..g },
        ConvGeometry { groups: 2, ..g },
    ];
    for other in others {
        assert!(Winograd::new(isa, &other, 4).is_none() && WinogradGradient::new(isa, &other).is_none());
    }
    assert_eq!(ConvGeometry { pad: [3, 1], out_h: 13, ..g }.turned(), None);
    assert_eq!(ConvGeometry { stride: [2, 1], ..g }.turned(), None);
    let len = |n, size| Winograd::new(isa, &ConvGeometry { n, ..g }, size).unwrap().prepared_len();
    assert_eq!([len(1, 2), len(1000, 2)], [16 * 4 * 8; 2]);
    assert_eq!([len(1, 4), len(1000, 4)], [36 * 4 * 8; 2]);
}

#[test]
#[should_panic(expected = "moments are of sums and bias alone")]
fn moments_of_what_an_activation_leaves_panic() {
    let g = geometry([1, 4, 4], [1, 1], [1; 4]);
    let cpu = Cpu::new(1).unwrap();
    let w = Winograd::new(cpu.isa(), &g, 2).unwrap();
    let (mut y, mut blocks) = ([0.0; 16], vec![0.0; w.moment_blocks() * block_len(1)]);
    let to = Destination { moments: Some(&mut blocks), ..Destination::assign(&mut y, 1) };
    let epilogue = Epilogue { activation: Activation::Relu, ..Epilogue::default() };
    w.run(&cpu, &[0.0; 16], &vec![0.0; w.prepared_len()], &epilogue, to, &mut vec![0.0; w.scratch(1)]);
}
