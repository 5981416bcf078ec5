//! Prints the speed of planned gradients for the first layers of networks, and for layers that no other algorithm takes over.
//!
//! ```text
//! cargo run --release -p striate-kernels --example weight_speed -- [threads] [part of a layer's name] [instruction set]
//! ```
//!
//! Times are the best of several runs, the share is of what multiply-adds on registers alone reach.

use std::time::{Duration, Instant};
use striate_kernels::{
    Buffer, ConvGeometry, Convolution, Cpu, Destination, Epilogue, Isa, WeightGradient, peak_flops, uniform,
};

/// n, size of the square image, input and output channels, kernel, stride, padding.
const LAYERS: [(&str, [usize; 7]); 17] = [
    ("resnet20 conv1", [128, 32, 3, 16, 3, 1, 1]),
    ("lenet5 c1", [128, 32, 1, 6, 5, 1, 0]),
    ("lenet5 c3", [128, 14, 6, 16, 5, 1, 0]),
    ("resnet18 conv1", [16, 224, 3, 64, 7, 2, 3]),
    ("vgg16 conv1", [8, 224, 3, 64, 3, 1, 1]),
    ("alexnet conv1", [16, 224, 3, 64, 11, 4, 2]),
    ("mobilenet conv1", [16, 224, 3, 32, 3, 2, 1]),
    ("efficientnet stem", [16, 224, 3, 32, 3, 2, 1]),
    ("16 to 16, 3x3", [128, 32, 16, 16, 3, 1, 1]),
    ("16 to 32, 3x3 / 2", [128, 32, 16, 32, 3, 2, 1]),
    ("64 to 64, 1x1", [16, 56, 64, 64, 1, 1, 0]),
    ("256 to 64, 1x1", [16, 56, 256, 64, 1, 1, 0]),
    ("64 to 256, 1x1", [16, 56, 64, 256, 1, 1, 0]),
    ("1024 to 256, 1x1", [16, 14, 1024, 256, 1, 1, 0]),
    ("256 to 1024, 1x1", [16, 14, 256, 1024, 1, 1, 0]),
    ("128 to 128, 3x3 / 2", [16, 56, 128, 128, 3, 2, 1]),
    ("256 to 512, 1x1 / 2", [16, 56, 256, 512, 1, 2, 0]),
];

fn geometry([n, size, c_in, c_out, kernel, stride, pad]: [usize; 7]) -> ConvGeometry {
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
        groups: 1,
    }
}

fn random(seed: u64, len: usize) -> Buffer {
    let values: Vec<f32> = (0..len as u64).map(|i| uniform(seed, i) - 0.5).collect();
    Buffer::from(&values[..])
}

/// Seconds of the fastest of the runs that fit into a fifth of a second, at least three.
fn best(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = Duration::MAX;
    let mut runs = 0;
    while runs < 3 || start.elapsed() < Duration::from_millis(200) {
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
    let set = std::env::args().nth(3).unwrap_or_default();
    for isa in Isa::available().into_iter().filter(|isa| isa.name().contains(&set)) {
        let cpu = Cpu::with_isa(threads, isa)?;
        let peak = peak_flops(&cpu);
        println!("{}, {threads} threads, peak {:.0} GFLOP/s", isa.name(), 1e-9 * peak);
        println!(
            "{:20} {:>10} {:>9} {:>6} {:>9} {:>6} {:>10}",
            "layer", "weight by", "ms", "share", "data, ms", "share", "data by"
        );
        for (name, layer) in LAYERS.into_iter().filter(|(name, _)| name.contains(&wanted)) {
            let g = geometry(layer);
            let plan = WeightGradient::new(isa, &g, None);
            let data = Convolution::data_gradient(isa, &g, None);
            let x = random(1, g.n * g.h * g.w * g.c_in);
            let w = random(2, g.c_out * g.c_in * g.kernel[0] * g.kernel[1]);
            let dy = random(3, g.n * g.out_h * g.out_w * g.c_out);
            let (mut dx, mut dw) = (x.clone(), w.clone());
            let mut prepared = Buffer::zeroed(data.prepared_len());
            let mut scratch = Buffer::zeroed(plan.scratch(threads).max(data.scratch(threads)));
            let weight = best(|| plan.run(&cpu, &x, &dy, &mut dw, false, &mut scratch));
            let epilogue = Epilogue::default();
            let data_by = data.algorithm().name();
            let data = best(|| {
                data.prepare(&cpu, &w, None, &mut prepared);
                data.run(&cpu, &dy, &prepared, &epilogue, &mut Destination::assign(&mut dx, g.c_in), &mut scratch);
            });
            let share = |seconds: f64| 200.0 * g.multiply_adds() as f64 / seconds / peak;
            print!("{name:20} {:>10} {:9.3} {:5.0}%", plan.algorithm().name(), 1e3 * weight, share(weight));
            println!(" {:9.3} {:5.0}% {data_by:>10}", 1e3 * data, share(data));
        }
    }
    Ok(())
}
