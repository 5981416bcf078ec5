//! Prints the speed of the three convolution kernels for a handful of layers on every instruction set of this machine.
//!
//! ```text
//! cargo run --release -p striate-kernels --example conv_speed -- [threads] [part of a layer's name]
//! ```
//!
//! GFLOP/s are two operations for each multiply-add, padding included, over the best of several runs; time includes
//! packing the weights. `peak` is what multiply-adds on registers alone reach.

use std::time::{Duration, Instant};
use striate_kernels::{
    Buffer, ConvGeometry, Cpu, Isa, conv_backward_data, conv_backward_weight, conv_forward, normal, peak_flops,
};

/// n, size of the square image, input and output channels, kernel, stride, groups.
type Layer = (usize, usize, usize, usize, usize, usize, usize);

const LAYERS: [(&str, Layer); 18] = [
    ("LeNet conv1", (64, 28, 1, 6, 5, 1, 1)),
    ("LeNet conv2", (64, 12, 6, 16, 5, 1, 1)),
    ("CIFAR ResNet stem", (64, 32, 3, 16, 3, 1, 1)),
    ("CIFAR ResNet 16", (64, 32, 16, 16, 3, 1, 1)),
    ("CIFAR ResNet 32", (64, 16, 32, 32, 3, 1, 1)),
    ("CIFAR ResNet 64", (64, 8, 64, 64, 3, 1, 1)),
    ("ResNet stem", (1, 224, 3, 64, 7, 2, 1)),
    ("56x56x64", (1, 56, 64, 64, 3, 1, 1)),
    ("28x28x128", (1, 28, 128, 128, 3, 1, 1)),
    ("28x28x128 / 2", (4, 28, 128, 256, 3, 2, 1)),
    ("7x7x512", (4, 7, 512, 512, 3, 1, 1)),
    ("56x56 64 to 256, 1x1", (1, 56, 64, 256, 1, 1, 1)),
    ("linear 1024 to 1000", (64, 1, 1024, 1000, 1, 1, 1)),
    ("depthwise 112x112x32", (1, 112, 32, 32, 3, 1, 32)),
    ("depthwise 112x112x64 / 2", (1, 112, 64, 64, 3, 2, 64)),
    ("depthwise 14x14x512", (1, 14, 512, 512, 3, 1, 512)),
    ("depthwise 28x28x240, 5x5", (1, 28, 240, 240, 5, 1, 240)),
    ("depthwise 56x56x144", (4, 56, 144, 144, 3, 1, 144)),
];

fn geometry((n, size, c_in, c_out, kernel, stride, groups): Layer) -> ConvGeometry {
    let pad = kernel / 2;
    let out = (size + 2 * pad - kernel) / stride + 1;
    ConvGeometry {
        n,
        h: size,
        w: size,
        c_in,
        out_h: out,
        out_w: out,
        c_out,
        kernel: [kernel; 2],
        stride: [stride; 2],
        pad: [pad; 2],
        dilation: [1; 2],
        groups,
    }
}

fn random(seed: u64, len: usize) -> Buffer {
    let values: Vec<f32> = (0..len as u64).map(|i| normal(seed, i)).collect();
    Buffer::from(&values[..])
}

/// Seconds of the fastest of the runs that fit into a tenth of a second, at least three.
fn best(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = Duration::MAX;
    let mut runs = 0;
    while runs < 3 || start.elapsed() < Duration::from_millis(100) {
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
    for isa in Isa::available() {
        let cpu = Cpu::with_isa(threads, isa)?;
        let peak = 1e-9 * peak_flops(&cpu);
        println!("{}, {threads} threads, peak {peak:.0} GFLOP/s", isa.name());
        println!("{:24} {:>9} {:>9} {:>9}", "layer", "forward", "data", "weight");
        for (name, layer) in LAYERS.into_iter().filter(|(name, _)| name.contains(&wanted)) {
            let g = geometry(layer);
            let x = random(1, g.n * g.h * g.w * g.c_in);
            let w = random(2, g.c_out * g.c_in / g.groups * g.kernel[0] * g.kernel[1]);
            let y = random(3, g.n * g.out_h * g.out_w * g.c_out);
            let (mut dx, mut dw, mut out) = (x.clone(), w.clone(), y.clone());
            let scratch = g.forward_scratch().max(g.backward_data_scratch()).max(g.backward_weight_scratch());
            let mut scratch = Buffer::zeroed(scratch);
            let speed = |seconds: f64| 2e-9 * g.multiply_adds() as f64 / seconds;
            let forward = best(|| cpu.install(|| conv_forward(&cpu, &g, &x, &w, None, &mut out, &mut scratch)));
            let data = best(|| cpu.install(|| conv_backward_data(&cpu, &g, &y, &w, &mut dx, &mut scratch)));
            let weight = best(|| cpu.install(|| conv_backward_weight(&cpu, &g, &x, &y, &mut dw, &mut scratch)));
            println!("{name:24} {:9.1} {:9.1} {:9.1}", speed(forward), speed(data), speed(weight));
        }
    }
    Ok(())
}
