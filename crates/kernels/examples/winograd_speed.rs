//! Prints the speed of direct and Winograd convolutions of 3×3 layers, forward, weight gradient and weight transform.
//!
//! ```text
//! cargo run --release -p striate-kernels --example winograd_speed -- [threads] [part of a layer's name] [rounds]
//! ```
//!
//! GFLOP/s are two operations for each multiply-add of the direct algorithm, padding included, whatever the algorithm, of
//! the fastest of several rounds, in which the algorithms take turns. The direct ones pack their weights in that time;
//! Winograd's weights are prepared before, and the milliseconds of that stand in columns of their own.

use std::time::Instant;
use striate_kernels::{
    Buffer, ConvGeometry, Cpu, Destination, Epilogue, Winograd, WinogradGradient, conv_backward_weight, conv_forward,
    normal, peak_flops,
};

/// n, size of the square image, input and output channels.
type Layer = (usize, usize, usize, usize);

const LAYERS: [(&str, Layer); 16] = [
    ("ResNet 56x56x64", (1, 56, 64, 64)),
    ("ResNet 28x28x128", (1, 28, 128, 128)),
    ("ResNet 14x14x256", (1, 14, 256, 256)),
    ("ResNet 7x7x512", (1, 7, 512, 512)),
    ("VGG 224x224x64", (1, 224, 64, 64)),
    ("VGG 112x112x128", (1, 112, 128, 128)),
    ("VGG 56x56x256", (1, 56, 256, 256)),
    ("VGG 28x28x512", (1, 28, 512, 512)),
    ("VGG 14x14x512", (1, 14, 512, 512)),
    ("ResNet 56x56x64, 16", (16, 56, 64, 64)),
    ("ResNet 28x28x128, 16", (16, 28, 128, 128)),
    ("ResNet 14x14x256, 16", (16, 14, 256, 256)),
    ("ResNet 7x7x512, 16", (16, 7, 512, 512)),
    ("CIFAR 32x32x16, 128", (128, 32, 16, 16)),
    ("CIFAR 16x16x32, 128", (128, 16, 32, 32)),
    ("CIFAR 8x8x64, 128", (128, 8, 64, 64)),
];

fn geometry((n, size, c_in, c_out): Layer) -> ConvGeometry {
    ConvGeometry {
        n,
        h: size,
        w: size,
        c_in,
        out_h: size,
        out_w: size,
        c_out,
        kernel: [3; 2],
        stride: [1; 2],
        pad: [1; 2],
        dilation: [1; 2],
        groups: 1,
    }
}

fn random(seed: u64, len: usize) -> Buffer {
    let values: Vec<f32> = (0..len as u64).map(|i| normal(seed, i)).collect();
    Buffer::from(&values[..])
}

/// Seconds of the fastest round of each, taking turns.
fn best(cpu: &Cpu, rounds: usize, all: &mut [Box<dyn FnMut() + Send + '_>]) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; all.len()];
    for _ in 0..rounds {
        for (f, best) in all.iter_mut().zip(&mut best) {
            let start = Instant::now();
            cpu.install(f);
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    best
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let threads = args.next().map_or(Ok(1), |a| a.parse())?;
    let wanted = args.next().unwrap_or_default();
    let rounds = args.next().map_or(Ok(10), |a| a.parse())?;
    let cpu = Cpu::new(threads)?;
    println!("{}, {threads} threads, peak {:.0} GFLOP/s", cpu.isa().name(), 1e-9 * peak_flops(&cpu));
    print!("{:22} {:>8} {:>8} {:>8}", "layer", "direct", "F(2)", "F(4)");
    println!(" {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}", "dW", "dW F(4)", "prep 2", "prep 4", "turned 4", "cost 4");
    for (name, layer) in LAYERS.into_iter().filter(|(name, _)| name.contains(&wanted)) {
        let g = geometry(layer);
        let x = random(1, g.n * g.h * g.w * g.c_in);
        let weight = random(2, g.c_out * g.c_in * 9);
        let dy = random(3, g.n * g.out_h * g.out_w * g.c_out);
        let [mut y, mut y2, mut y4] = [(); 3].map(|()| dy.clone());
        let [mut dw, mut dw4] = [(); 2].map(|()| weight.clone());
        let of = |size| Winograd::new(cpu.isa(), &g, size).ok_or("no 3×3 convolution");
        let (f2, f4) = (of(2)?, of(4)?);
        let gradient = WinogradGradient::new(cpu.isa(), &g).ok_or("no 3×3 convolution")?;
        let [mut u2, mut u4, mut u4_turned] = [f2, f4, f4].map(|w| Buffer::zeroed(w.prepared_len()));
        let mut room = Buffer::zeroed(g.forward_scratch().max(g.backward_weight_scratch()));
        let wide = f2.scratch(threads).max(f4.scratch(threads)).max(gradient.scratch(threads));
        let mut wide = Buffer::zeroed(wide);
        let epilogue = Epilogue::default();
        let preparing = best(
            &cpu,
            rounds,
            &mut [
                Box::new(|| f2.prepare(&cpu, &weight, None, &mut u2)),
                Box::new(|| f4.prepare(&cpu, &weight, None, &mut u4)),
                Box::new(|| f4.prepare_turned(&cpu, &weight, &mut u4_turned)),
            ],
        );
        let (room, wide) = (std::sync::Mutex::new(&mut room[..]), std::sync::Mutex::new(&mut wide[..]));
        let c = g.c_out;
        let seconds = best(
            &cpu,
            rounds,
            &mut [
                Box::new(|| conv_forward(&cpu, &g, &x, &weight, None, &mut y, &mut lock(&room))),
                Box::new(|| f2.run(&cpu, &x, &u2, &epilogue, Destination::assign(&mut y2, c), &mut lock(&wide))),
                Box::new(|| f4.run(&cpu, &x, &u4, &epilogue, Destination::assign(&mut y4, c), &mut lock(&wide))),
                Box::new(|| conv_backward_weight(&cpu, &g, &x, &dy, &mut dw, &mut lock(&room))),
                Box::new(|| gradient.run(&cpu, &x, &dy, &mut dw4, false, &mut lock(&wide))),
            ],
        );
        let flops = 2e-9 * g.multiply_adds() as f64;
        print!("{name:22}");
        for s in seconds {
            print!(" {:8.1}", flops / s);
        }
        for s in preparing {
            print!(" {:6.2}ms", 1e3 * s);
        }
        println!(" {:8.3}", f4.cost() / g.multiply_adds() as f64);
    }
    Ok(())
}

/// The work space, which the algorithms use in turn.
fn lock<'a, 'b>(room: &'a std::sync::Mutex<&'b mut [f32]>) -> std::sync::MutexGuard<'a, &'b mut [f32]> {
    room.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
