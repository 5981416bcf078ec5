//! What the layers of a network ask of the kernels: the shapes of convolutions, linear layers, poolings and normalisations,
//! and the time that each kernel takes for one of them, alone.

use std::time::{Duration, Instant};
use striate_graph::layers::{AvgPool, MaxPool};
use striate_graph::{AnyLayer, Graph, Node, Shape, Window};
use striate_kernels::{
    Activation, Algorithm, Bf16, Bf16Convolution, Bf16Destination, Bf16Epilogue, Bf16WeightGradient, Buffer,
    ConvGeometry, Convolution, Cpu, Destination, Epilogue, GradientSlot, LocalResponse, Normalised, PoolGeometry,
    WeightGradient, avg_pool_backward, avg_pool_forward, batch_norm_scratch, channel_statistics,
    global_avg_pool_backward, global_avg_pool_forward, halves_mut, local_response_norm, local_response_norm_backward,
    max_pool_backward, max_pool_forward, narrow, normalise_activate, uniform,
};

/// A layer's arithmetic for a batch, as the kernels see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// A convolution or linear layer.
    Conv(ConvGeometry),
    MaxPool(PoolGeometry),
    /// With or without the padding.
    AvgPool(PoolGeometry, bool),
    /// The mean of n maps.
    GlobalAvgPool {
        n: usize,
        map: Shape,
    },
    /// Normalisation by the batch's statistics, with ReLU, of n maps.
    BatchNorm {
        n: usize,
        map: Shape,
    },
    /// Of n maps.
    Response {
        n: usize,
        map: Shape,
        rule: LocalResponse,
    },
}

/// What a kernel computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    Forward,
    Data,
    Weight,
    /// The gradients of pooling and normalisation.
    Backward,
}

/// How a convolution or linear layer is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    F32(Algorithm),
    /// From bf16 to bf16.
    Bf16(Bf16),
}

impl Way {
    /// Every way that is measured, in the order of the table.
    pub fn all() -> impl Iterator<Item = Way> {
        Algorithm::ALL.into_iter().map(Way::F32).chain(Bf16::ALL.into_iter().map(Way::Bf16))
    }

    /// As in tables and JSON.
    pub fn name(self) -> String {
        match self {
            Way::F32(algorithm) => algorithm.name().into(),
            Way::Bf16(way) => format!("bf16 {}", way.name()),
        }
    }
}

/// One kernel's time.
#[derive(Clone)]
pub struct KernelTime {
    pub pass: Pass,
    /// Of convolutions and linear layers.
    pub way: Option<Way>,
    /// Whether the planner would choose it, for floats.
    pub planned: bool,
    /// Of the fastest run.
    pub seconds: f64,
}

impl KernelTime {
    /// Billions of floating-point operations a second, two for each multiply-add.
    pub fn gflops(&self, multiply_adds: usize) -> f64 {
        2e-9 * multiply_adds as f64 / self.seconds
    }

    /// Billions of bytes a second that a pooling or normalisation moves.
    pub fn gigabytes(&self, work: &Work) -> f64 {
        1e-9 * work.traffic(self.pass) as f64 / self.seconds
    }
}

impl Pass {
    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Pass::Forward => "forward",
            Pass::Data => "data",
            Pass::Weight => "weight",
            Pass::Backward => "backward",
        }
    }
}

/// The windows of a pooling layer on n maps x.
fn pooling(w: &Window, n: usize, x: Shape, y: Shape) -> PoolGeometry {
    let p = w.padding;
    let (pad, pad_end) = ([p.top, p.left], [p.bottom, p.right]);
    let (kernel, stride) = (w.kernel, w.stride);
    PoolGeometry { n, h: x.h, w: x.w, c: x.c, out_h: y.h, out_w: y.w, kernel, stride, pad, pad_end }
}

impl Work {
    /// What a node asks for with n images; `None` of layers that are timed with others or cost nothing.
    pub fn of(graph: &Graph, node: &Node, n: usize) -> Option<Work> {
        let x = graph.node(*node.inputs.first()?).shape;
        Some(match &node.layer {
            AnyLayer::Conv(conv) => Work::Conv(conv.geometry(n, x, node.shape)),
            AnyLayer::Linear(linear) => Work::Conv(linear.geometry(n, x.c)),
            AnyLayer::MaxPool(MaxPool { window }) => Work::MaxPool(pooling(window, n, x, node.shape)),
            AnyLayer::AvgPool(AvgPool { window, include_padding }) => {
                Work::AvgPool(pooling(window, n, x, node.shape), *include_padding)
            }
            AnyLayer::GlobalAvgPool(_) => Work::GlobalAvgPool { n, map: x },
            AnyLayer::BatchNorm(_) => Work::BatchNorm { n, map: x },
            AnyLayer::LocalResponseNorm(l) => {
                let rule = LocalResponse { size: l.size, alpha: l.alpha, beta: l.beta, k: l.k };
                Work::Response { n, map: x, rule }
            }
            _ => return None,
        })
    }

    /// Its multiply-adds, which only convolutions and linear layers are measured by.
    pub fn multiply_adds(&self) -> Option<usize> {
        match self {
            Work::Conv(g) => Some(g.multiply_adds()),
            _ => None,
        }
    }

    /// Bytes of the maps that a pooling or normalisation has to read and write at least, forward or backward.
    pub fn traffic(&self, pass: Pass) -> usize {
        let back = pass != Pass::Forward;
        let floats = match *self {
            Work::Conv(_) => 0,
            // Two bytes of switch beside each output, written forward and read backward.
            Work::MaxPool(g) => self.input() + g.n * g.out_h * g.out_w * g.c * 3 / 2,
            Work::AvgPool(g, _) => self.input() + g.n * g.out_h * g.out_w * g.c,
            Work::GlobalAvgPool { n, map } => self.input() + n * map.c,
            // Statistics, then the map itself; backward x and dy twice, and dx.
            Work::BatchNorm { .. } => self.input() * if back { 5 } else { 3 },
            Work::Response { .. } => self.input() * if back { 4 } else { 2 },
        };
        4 * floats
    }

    fn input(&self) -> usize {
        match *self {
            Work::Conv(g) => g.n * g.h * g.w * g.c_in,
            Work::MaxPool(g) | Work::AvgPool(g, _) => g.n * g.h * g.w * g.c,
            Work::GlobalAvgPool { n, map } | Work::BatchNorm { n, map } | Work::Response { n, map, .. } => {
                n * map.len()
            }
        }
    }

    /// Bytes that measuring it takes, about.
    pub fn memory(&self, threads: usize) -> usize {
        match *self {
            Work::Conv(g) => {
                let weights = g.c_out * g.c_in / g.groups * g.kernel[0] * g.kernel[1];
                // Winograd prepares up to four times the weights; each thread has up to a few megabytes.
                4 * (2 * self.input() + 2 * g.n * g.out_h * g.out_w * g.c_out + 7 * weights) + (threads << 24)
            }
            _ => 4 * 5 * self.input() + (1 << 24),
        }
    }

    /// The shape in words: `16×56×56×64 → 128, 3×3 / 2`.
    pub fn describe(&self) -> String {
        let window = |kernel: [usize; 2], stride: [usize; 2]| {
            let step = if stride == [1, 1] { String::new() } else { format!(" / {}", stride[0]) };
            format!("{}×{}{step}", kernel[0], kernel[1])
        };
        match *self {
            Work::Conv(g) if g.h * g.w == 1 && g.kernel == [1, 1] => format!("{}×{} → {}", g.n, g.c_in, g.c_out),
            Work::Conv(g) => {
                let groups = if g.groups > 1 { format!(", {} groups", g.groups) } else { String::new() };
                let window = window(g.kernel, g.stride);
                format!("{}×{}×{}×{} → {}, {window}{groups}", g.n, g.h, g.w, g.c_in, g.c_out)
            }
            Work::MaxPool(g) | Work::AvgPool(g, _) => {
                format!("{}×{}×{}×{}, {}", g.n, g.h, g.w, g.c, window(g.kernel, g.stride))
            }
            Work::GlobalAvgPool { n, map } | Work::BatchNorm { n, map } | Work::Response { n, map, .. } => {
                format!("{n}×{}×{}×{}", map.h, map.w, map.c)
            }
        }
    }

    /// Times every kernel that computes a part of it, each for so many seconds and three runs at least.
    pub fn time(&self, cpu: &Cpu, seconds: f64) -> Vec<KernelTime> {
        let clock = Clock { cpu, least: Duration::from_secs_f64(seconds) };
        match self {
            Work::Conv(g) => clock.convolution(g),
            Work::MaxPool(g) => {
                let (x, mut dx) = (random(1, self.input()), Buffer::zeroed(self.input()));
                let outputs = g.n * g.out_h * g.out_w * g.c;
                let (mut y, dy, mut switches) = (Buffer::zeroed(outputs), random(2, outputs), vec![0; outputs]);
                let forward = clock.least(|| max_pool_forward(cpu, g, &x, &mut y, Some(&mut switches)));
                let backward = clock.least(|| max_pool_backward(cpu, g, &dy, &switches, GradientSlot::assign(&mut dx)));
                both(forward, backward)
            }
            Work::AvgPool(g, padding) => {
                let (x, mut dx) = (random(1, self.input()), Buffer::zeroed(self.input()));
                let outputs = g.n * g.out_h * g.out_w * g.c;
                let (mut y, dy) = (Buffer::zeroed(outputs), random(2, outputs));
                let forward = clock.least(|| avg_pool_forward(cpu, g, &x, &mut y, *padding));
                let backward = clock.least(|| avg_pool_backward(cpu, g, &dy, GradientSlot::assign(&mut dx), *padding));
                both(forward, backward)
            }
            Work::GlobalAvgPool { n, map } => {
                let (pixels, c) = (map.h * map.w, map.c);
                let (x, mut dx) = (random(1, self.input()), Buffer::zeroed(self.input()));
                let (mut y, dy) = (Buffer::zeroed(n * c), random(2, n * c));
                let forward = clock.least(|| global_avg_pool_forward(cpu, pixels, c, &x, &mut y));
                let backward = clock.least(|| {
                    global_avg_pool_backward(cpu, pixels, c, &dy, GradientSlot::assign(&mut dx));
                });
                both(forward, backward)
            }
            Work::BatchNorm { map, .. } => clock.batch_norm(self.input(), map.c),
            Work::Response { map, rule, .. } => {
                let (len, c) = (self.input(), map.c);
                let (x, dy) = (random(1, len), random(2, len));
                let (mut y, mut dx) = (Buffer::zeroed(len), Buffer::zeroed(len));
                let mut scratch = Buffer::zeroed(rule.scratch(len, c, true));
                let forward = clock.least(|| local_response_norm(cpu, rule, c, &x, &mut y, &mut scratch));
                let mut back =
                    || local_response_norm_backward(cpu, rule, c, &x, &dy, GradientSlot::assign(&mut dx), &mut scratch);
                both(forward, clock.least(&mut back))
            }
        }
    }
}

/// The times of a layer without weights.
fn both(forward: f64, backward: f64) -> Vec<KernelTime> {
    let time = |(pass, seconds)| KernelTime { pass, way: None, planned: true, seconds };
    [(Pass::Forward, forward), (Pass::Backward, backward)].map(time).into()
}

/// Values from −½ to ½.
fn random(seed: u64, len: usize) -> Buffer {
    let mut values = Buffer::zeroed(len);
    values.iter_mut().zip(0..).for_each(|(v, i)| *v = uniform(seed, i) - 0.5);
    values
}

/// Runs kernels for a while.
struct Clock<'a> {
    cpu: &'a Cpu,
    least: Duration,
}

impl Clock<'_> {
    /// Seconds of the fastest run.
    fn least(&self, mut kernel: impl FnMut() + Send) -> f64 {
        const RUNS: usize = 3;
        let (start, mut best, mut runs) = (Instant::now(), f64::INFINITY, 0);
        while runs < RUNS || start.elapsed() < self.least {
            let begun = Instant::now();
            self.cpu.install(&mut kernel);
            best = best.min(begun.elapsed().as_secs_f64());
            runs += 1;
        }
        best
    }

    /// Every algorithm that applies, on weights that are prepared.
    fn convolution(&self, g: &ConvGeometry) -> Vec<KernelTime> {
        let (cpu, isa, threads) = (self.cpu, self.cpu.isa(), self.cpu.threads());
        let x = random(1, g.n * g.h * g.w * g.c_in);
        let dy = random(2, g.n * g.out_h * g.out_w * g.c_out);
        let weight = random(3, g.c_out * g.c_in / g.groups * g.kernel[0] * g.kernel[1]);
        let mut times = Vec::new();
        for (pass, from, written, channels) in
            [(Pass::Forward, &x, dy.len(), g.c_out), (Pass::Data, &dy, x.len(), g.c_in)]
        {
            let plan = |wish| match pass {
                Pass::Forward => Convolution::predict(isa, g, wish),
                _ => Convolution::data_gradient(isa, g, wish),
            };
            let (chosen, mut out) = (plan(None), Buffer::zeroed(written));
            for (algorithm, _) in chosen.ways() {
                let way = plan(Some(algorithm));
                let mut prepared = Buffer::zeroed(way.prepared_len());
                way.prepare(cpu, &weight, None, &mut prepared);
                let weights: &[f32] = if prepared.is_empty() { &weight } else { &prepared };
                let mut scratch = Buffer::zeroed(way.scratch(threads));
                let seconds = self.least(|| {
                    let mut to = Destination::assign(&mut out, channels);
                    way.run(cpu, from, weights, &Epilogue::default(), &mut to, &mut scratch);
                });
                let planned = algorithm == chosen.algorithm();
                times.push(KernelTime { pass, way: Some(Way::F32(algorithm)), planned, seconds });
            }
        }
        times.extend(self.bf16(g, &x, &dy, &weight));
        let (chosen, mut dw) = (WeightGradient::new(isa, g, None), Buffer::zeroed(weight.len()));
        for (algorithm, _) in chosen.ways() {
            let way = WeightGradient::new(isa, g, Some(algorithm));
            let mut scratch = Buffer::zeroed(way.scratch(threads));
            let seconds = self.least(|| way.run(cpu, &x, &dy, &mut dw, false, &mut scratch));
            let planned = algorithm == chosen.algorithm();
            times.push(KernelTime { pass: Pass::Weight, way: Some(Way::F32(algorithm)), planned, seconds });
        }
        times
    }

    /// The passes of bf16 that have a plan, where the machine multiplies bf16.
    fn bf16(&self, g: &ConvGeometry, x: &[f32], dy: &[f32], weight: &[f32]) -> Vec<KernelTime> {
        let (cpu, threads, way) = (self.cpu, self.cpu.threads(), self.cpu.bf16());
        if way == Bf16::Widened {
            return Vec::new();
        }
        let narrowed = |values: &[f32]| {
            let mut words = vec![0; values.len()];
            narrow(cpu, values, &mut words);
            words
        };
        let (x, dy) = (narrowed(x), narrowed(dy));
        let time = |pass, seconds| KernelTime { pass, way: Some(Way::Bf16(way)), planned: false, seconds };
        let mut times = Vec::new();
        for (pass, plan, from, written, channels) in [
            (Pass::Forward, Bf16Convolution::plan(way, g), &x, dy.len(), g.c_out),
            (Pass::Data, Bf16Convolution::data_gradient(way, g), &dy, x.len(), g.c_in),
        ] {
            let Some(plan) = plan else { continue };
            let mut prepared = Buffer::zeroed(plan.prepared_len().div_ceil(2));
            let prepared = &mut halves_mut(&mut prepared)[..plan.prepared_len()];
            plan.prepare(cpu, weight, None, prepared);
            let (mut out, mut scratch) = (vec![0; written], Buffer::zeroed(plan.scratch(threads)));
            let seconds = self.least(|| {
                let mut to = Bf16Destination::assign(&mut out, channels);
                plan.run(cpu, from, prepared, &Bf16Epilogue::default(), &mut to, &mut scratch);
            });
            times.push(time(pass, seconds));
        }
        if let Some(plan) = Bf16WeightGradient::plan(way, g) {
            let (mut dw, mut scratch) = (Buffer::zeroed(weight.len()), Buffer::zeroed(plan.scratch(threads)));
            let seconds = self.least(|| plan.run(cpu, &x, &dy, &mut dw, false, &mut scratch));
            times.push(time(Pass::Weight, seconds));
        }
        times
    }

    /// Statistics and normalisation with ReLU, and their gradient, of rows × c.
    fn batch_norm(&self, len: usize, c: usize) -> Vec<KernelTime> {
        let (cpu, relu) = (self.cpu, Activation::Relu);
        let (x, dy) = (random(1, len), random(2, len));
        let (mut y, mut dx) = (Buffer::zeroed(len), Buffer::zeroed(len));
        let [mut mean, mut var, mut dgamma, mut dbeta] = [(); 4].map(|()| Buffer::zeroed(c));
        let [inv_std, gamma, beta] = [4, 5, 6].map(|seed| random(seed, c));
        let mut scratch = Buffer::zeroed(batch_norm_scratch(len, c));
        let forward = self.least(|| {
            channel_statistics(cpu, &x, c, &mut mean, &mut var, &mut scratch);
            normalise_activate(cpu, &x, c, &mean, &inv_std, &gamma, &beta, None, relu, &mut y);
        });
        let backward = self.least(|| {
            let (dx, s) = (Some(GradientSlot::assign(&mut dx)), &mut scratch);
            let (dg, db) = (&mut dgamma, &mut dbeta);
            let (mean, inv_std, gamma, beta) = (&*mean, &*inv_std, &*gamma, &*beta);
            let normalised = Normalised { x: &x, y: &[], dy: &dy, c, mean, inv_std, gamma, beta, activation: relu };
            normalised.backward(cpu, dx, None, dg, db, s);
        });
        both(forward, backward)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_zoo::{Options, build};

    #[test]
    fn every_pass_of_every_kind_is_timed() {
        let cpu = Cpu::new(1).unwrap();
        let graph = build("resnet20", &Options::default()).unwrap();
        let of = |name: &str| {
            let node = graph.nodes().iter().find(|n| n.name.starts_with(name)).unwrap();
            Work::of(&graph, node, 2).unwrap()
        };
        let conv = of("conv1");
        assert_eq!(conv.describe(), "2×32×32×3 → 16, 3×3");
        assert_eq!(conv.multiply_adds(), Some(2 * 32 * 32 * 16 * 27));
        let times = conv.time(&cpu, 0.0);
        for pass in [Pass::Forward, Pass::Data, Pass::Weight] {
            let chosen = times.iter().filter(|t| t.pass == pass && t.planned).count();
            assert_eq!(chosen, 1, "{pass:?}");
        }
        assert!(times.iter().all(|t| t.seconds > 0.0 && t.way.is_some()));
        let halves = times.iter().filter(|t| t.way == Some(Way::Bf16(cpu.bf16()))).count();
        assert_eq!(halves, if cpu.bf16() == Bf16::Widened { 0 } else { 3 });
        let norm = of("bn1");
        assert_eq!(norm.describe(), "2×32×32×16");
        assert_eq!(norm.traffic(Pass::Forward), 3 * 4 * 2 * 32 * 32 * 16);
        let passes: Vec<_> = norm.time(&cpu, 0.0).into_iter().map(|t| (t.pass, t.way)).collect();
        assert_eq!(passes, [(Pass::Forward, None), (Pass::Backward, None)]);
    }

    #[test]
    fn what_pooling_and_responses_move_is_counted() {
        let cpu = Cpu::new(1).unwrap();
        let graph = build("googlenet_paper", &Options::default()).unwrap();
        let works: Vec<Work> = graph.nodes().iter().filter_map(|n| Work::of(&graph, n, 1)).collect();
        let pool = works.iter().find(|w| matches!(w, Work::MaxPool(_))).unwrap();
        // 112×112 to 56×56 of 64 channels: floats in and out, and a switch of two bytes each.
        assert_eq!(pool.traffic(Pass::Forward), 64 * (4 * 112 * 112 + 6 * 56 * 56));
        let response = works.iter().find(|w| matches!(w, Work::Response { .. })).unwrap();
        assert_eq!(response.traffic(Pass::Backward), 4 * 4 * 56 * 56 * 64);
        assert!([pool, response].into_iter().all(|w| w.time(&cpu, 0.0).iter().all(|t| t.seconds > 0.0)));
    }
}
