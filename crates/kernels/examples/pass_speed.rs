//! Prints the speed of passes that memory bounds: normalisation, activations, pooling, updates, on this machine's best
//! instruction set.
//!
//! ```text
//! cargo run --release -p striate-kernels --example pass_speed -- [threads] [part of a pass's or shape's name]
//! ```
//!
//! GB/s count every stream once for each time the pass must read or write it; `copy` says what can be had. Streams that fit
//! into a cache stay there from run to run, as they would between neighbouring layers.

use std::time::{Duration, Instant};
use striate_kernels::{
    Activation, AdamW, Buffer, Cpu, GradientSlot, LocalResponse, Normalised, PoolGeometry, Sgd, Targets, ZeroPad,
    activate_backward, adamw, avg_pool_backward, avg_pool_forward, batch_norm_scratch, channel_statistics, column_sums,
    cross_entropy, global_avg_pool_backward, global_avg_pool_forward, local_response_norm,
    local_response_norm_backward, map, max_pool_backward, max_pool_forward, normalise, normalise_activate, scaled_tanh,
    sgd, sigmoid, uniform, zero_pad_backward, zero_pad_forward,
};

/// Images, size of the square map, channels.
const MAPS: [(usize, usize, usize); 6] =
    [(16, 56, 256), (16, 56, 64), (16, 14, 1024), (16, 7, 512), (16, 28, 24), (16, 112, 16)];

/// Name, images, size of the square map, channels, kernel, stride, padding.
const WINDOWS: [(&str, [usize; 6]); 9] = [
    ("LeNet 28x28x6 2/2", [128, 28, 6, 2, 2, 0]),
    ("LeNet 10x10x16 2/2", [128, 10, 16, 2, 2, 0]),
    ("ResNet 112x112x64 3/2", [16, 112, 64, 3, 2, 1]),
    ("VGG 224x224x64 2/2", [4, 224, 64, 2, 2, 0]),
    ("VGG 56x56x256 2/2", [16, 56, 256, 2, 2, 0]),
    ("GoogLeNet 56x56x192 3/2", [16, 56, 192, 3, 2, 1]),
    ("GoogLeNet 28x28x192 3/1", [16, 28, 192, 3, 1, 1]),
    ("GoogLeNet 14x14x480 3/1", [16, 14, 480, 3, 1, 1]),
    ("AlexNet 55x55x96 3/2", [16, 55, 96, 3, 2, 0]),
];

struct Bench {
    cpu: Cpu,
    wanted: String,
}

impl Bench {
    /// Prints a pass that moves `streams` times `len` floats, if its name is wanted.
    fn pass(&self, shape: &str, what: &str, streams: f64, len: usize, mut f: impl FnMut() + Send) {
        let name = format!("{shape}: {what}");
        if name.contains(&self.wanted) {
            let seconds = self.cpu.install(|| best(&mut f));
            let speed = streams * 4e-9 * len as f64 / seconds;
            println!("{name:52} {:9.3} ms {speed:7.1} GB/s", 1e3 * seconds);
        }
    }

    fn norms(&self, (n, size, c): (usize, usize, usize)) {
        let (cpu, len) = (&self.cpu, n * size * size * c);
        let pass = |what, streams, f: &mut (dyn FnMut() + Send)| {
            self.pass(&format!("{n}x{size}x{size}x{c}"), what, streams, len, f);
        };
        let [x, dy, residual, mut y, mut dx, mut sum] = [1, 2, 3, 4, 5, 6].map(|seed| random(seed, len));
        let [mean, inv_std, gamma, beta, mut dgamma, mut dbeta] = [1, 2, 3, 4, 5, 6].map(|seed| random(seed, c));
        let mut scratch = Buffer::zeroed(batch_norm_scratch(len, c));
        let relu = Activation::Relu;
        pass("copy", 2.0, &mut || map(cpu, &x, &mut y, |x| x));
        pass("statistics", 1.0, &mut || channel_statistics(cpu, &x, c, &mut dgamma, &mut dbeta, &mut scratch));
        pass("normalise", 2.0, &mut || normalise(cpu, &x, c, &mean, &inv_std, &gamma, &beta, &mut y));
        pass("normalise add relu", 3.0, &mut || {
            normalise_activate(cpu, &x, c, &mean, &inv_std, &gamma, &beta, Some(&residual), relu, &mut y);
        });
        let mut backward = |y: &[f32], activation, both: bool| {
            let (dx, sum) = (GradientSlot::assign(&mut dx), both.then(|| GradientSlot::assign(&mut sum)));
            let (dx, s) = (Some(dx), &mut scratch);
            let (c, mean, inv_std, gamma, beta) = (c, &*mean, &*inv_std, &*gamma, &*beta);
            let normalised = Normalised { x: &x, y, dy: &dy, c, mean, inv_std, gamma, beta, activation };
            normalised.backward(cpu, dx, sum, &mut dgamma, &mut dbeta, s);
        };
        pass("normalise backward", 5.0, &mut || backward(&[], Activation::None, false));
        pass("normalise relu backward", 5.0, &mut || backward(&[], relu, false));
        pass("normalise add relu backward", 8.0, &mut || backward(&y, relu, true));
        pass("bias relu backward", 3.0, &mut || {
            activate_backward(cpu, &y, &mut sum, c, relu, Some(&mut dbeta), false, &mut scratch);
        });
        pass("column sums", 1.0, &mut || column_sums(cpu, &dy, c, &mut dbeta, &mut scratch));
    }

    fn pools(&self, shape: &str, [n, size, c, kernel, stride, pad]: [usize; 6]) {
        let out = (size + 2 * pad - kernel) / stride + 1;
        let (kernel, stride, pad) = ([kernel; 2], [stride; 2], [pad; 2]);
        let g = PoolGeometry { n, h: size, w: size, c, out_h: out, out_w: out, kernel, stride, pad, pad_end: pad };
        let (cpu, len, outputs) = (&self.cpu, n * size * size * c, n * out * out * c);
        let (x, mut y, dy, mut dx) = (random(1, len), random(2, outputs), random(3, outputs), random(4, len));
        let mut switches = vec![0; outputs];
        let part = outputs as f64 / len as f64;
        let pass = |what, streams, f: &mut (dyn FnMut() + Send)| self.pass(shape, what, streams, len, f);
        pass("max", 1.0 + part, &mut || max_pool_forward(cpu, &g, &x, &mut y, None));
        pass("max with switches", 1.0 + 1.5 * part, &mut || max_pool_forward(cpu, &g, &x, &mut y, Some(&mut switches)));
        pass("max backward", 1.0 + 1.5 * part, &mut || {
            max_pool_backward(cpu, &g, &dy, &switches, GradientSlot::assign(&mut dx));
        });
        pass("max backward, adding", 2.0 + 1.5 * part, &mut || {
            max_pool_backward(cpu, &g, &dy, &switches, GradientSlot::add(&mut dx));
        });
        pass("mean", 1.0 + part, &mut || avg_pool_forward(cpu, &g, &x, &mut y, true));
        pass("mean backward", 1.0 + part, &mut || {
            avg_pool_backward(cpu, &g, &dy, GradientSlot::assign(&mut dx), true);
        });
        pass("mean backward, adding", 2.0 + part, &mut || {
            avg_pool_backward(cpu, &g, &dy, GradientSlot::add(&mut dx), true);
        });
    }

    fn shortcut(&self) {
        let (cpu, n, c) = (&self.cpu, 128, 16);
        let g = ZeroPad { n, h: 32, w: 32, c, out_c: 2 * c, first: c / 2, stride: 2 };
        let (len, outputs) = (n * 32 * 32 * c, n * 16 * 16 * 2 * c);
        let (x, mut y, mut dx) = (random(1, len), random(2, outputs), random(3, len));
        let pass = |what, streams, f: &mut (dyn FnMut() + Send)| {
            self.pass("ResNet-20 32x32x16 shortcut", what, streams, len, f);
        };
        pass("forward", 1.0, &mut || zero_pad_forward(cpu, &g, &x, &mut y));
        pass("backward", 1.5, &mut || zero_pad_backward(cpu, &g, &y, GradientSlot::assign(&mut dx)));
        pass("backward, adding", 1.5, &mut || zero_pad_backward(cpu, &g, &y, GradientSlot::add(&mut dx)));
    }

    fn curves(&self) {
        let (cpu, len) = (&self.cpu, 128 * 28 * 28 * 6);
        let (x, mut y) = (random(1, len), random(2, len));
        let pass = |what, f: &mut (dyn FnMut() + Send)| self.pass("LeNet 128x28x28x6", what, 2.0, len, f);
        pass("copy", &mut || map(cpu, &x, &mut y, |x| x));
        pass("tanh", &mut || scaled_tanh(cpu, 1.0, 1.0, &x, &mut y));
        pass("sigmoid", &mut || sigmoid(cpu, &x, &mut y));
    }

    fn global(&self, n: usize, pixels: usize, c: usize) {
        let (cpu, len) = (&self.cpu, n * pixels * c);
        let (x, mut y, mut dx) = (random(1, len), random(2, n * c), random(3, len));
        let pass = |what, streams, f: &mut (dyn FnMut() + Send)| {
            self.pass(&format!("{n}x{pixels}x{c}"), what, streams, len, f);
        };
        pass("global mean", 1.0, &mut || global_avg_pool_forward(cpu, pixels, c, &x, &mut y));
        pass("global mean backward", 1.0, &mut || {
            global_avg_pool_backward(cpu, pixels, c, &y, GradientSlot::assign(&mut dx));
        });
    }

    fn updates(&self, len: usize) {
        let [mut w, g, mut m, mut v] = [1, 2, 3, 4].map(|seed| random(seed, len));
        let cpu = &self.cpu;
        let momentum = Sgd { lr: 1e-3, momentum: 0.9, weight_decay: 1e-4, nesterov: false };
        let adam = AdamW { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01, step: 3 };
        let shape = format!("{len} weights");
        self.pass(&shape, "sgd", 5.0, len, || sgd(cpu, &mut w, &g, &mut m, &momentum));
        self.pass(&shape, "adamw", 7.0, len, || adamw(cpu, &mut w, &g, &mut m, &mut v, &adam));
    }

    fn responses(&self, n: usize, size: usize, c: usize) {
        let rule = LocalResponse { size: 5, alpha: 1e-4, beta: 0.75, k: 2.0 };
        let (cpu, len) = (&self.cpu, n * size * size * c);
        let [x, dy, mut y, mut dx] = [1, 2, 3, 4].map(|seed| random(seed, len));
        let mut scratch = Buffer::zeroed(rule.scratch(len, c, true));
        let shape = format!("{n}x{size}x{size}x{c}");
        self.pass(&shape, "local response", 2.0, len, || {
            local_response_norm(cpu, &rule, c, &x, &mut y, &mut scratch);
        });
        self.pass(&shape, "local response backward, adding", 4.0, len, || {
            local_response_norm_backward(cpu, &rule, c, &x, &dy, GradientSlot::add(&mut dx), &mut scratch);
        });
    }

    fn loss(&self, rows: usize, classes: usize) {
        let (logits, mut dlogits) = (random(1, rows * classes), random(2, rows * classes));
        let labels: Vec<u32> = (0..rows).map(|row| (row * 7 % classes) as u32).collect();
        self.pass(&format!("{rows}x{classes}"), "cross-entropy", 2.0, rows * classes, || {
            cross_entropy(
                &self.cpu,
                &logits,
                classes,
                Targets { smoothing: 0.1, ..Targets::single(&labels) },
                &mut dlogits,
            );
        });
    }
}

/// Values from −½ to ½.
fn random(seed: u64, len: usize) -> Buffer {
    let values: Vec<f32> = (0..len as u64).map(|i| uniform(seed, i) - 0.5).collect();
    Buffer::from(&values[..])
}

/// Seconds of the fastest of the runs that fit into 150 milliseconds, at least five.
fn best(f: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = Duration::MAX;
    let mut runs = 0;
    while runs < 5 || start.elapsed() < Duration::from_millis(150) {
        let run = Instant::now();
        f();
        best = best.min(run.elapsed());
        runs += 1;
    }
    best.as_secs_f64()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(1), |a| a.parse())?;
    let wanted = std::env::args().nth(2).unwrap_or_default();
    let bench = Bench { cpu: Cpu::new(threads)?, wanted };
    println!("{}, {threads} threads", bench.cpu.isa().name());
    for map in MAPS {
        bench.norms(map);
    }
    for (shape, window) in WINDOWS {
        bench.pools(shape, window);
    }
    bench.shortcut();
    bench.curves();
    for (n, c) in [(16, 2048), (1, 2048), (16, 512)] {
        bench.global(n, 49, c);
    }
    for len in [25_600_000, 2_359_296] {
        bench.updates(len);
    }
    for (size, c) in [(55, 96), (27, 256)] {
        bench.responses(16, size, c);
    }
    bench.loss(64, 1000);
    Ok(())
}
