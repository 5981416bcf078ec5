//! Prints what it costs to hand work to the threads of a `Cpu`: a network of batch 1 does so dozens of times in a few
//! milliseconds.
//!
//! ```text
//! cargo run --release -p striate-kernels --example start_cost -- [threads]
//! ```
//!
//! Each line is the median and the 95th percentile, in microseconds, of a run of two pieces that take `work` each, begun
//! `idle` after the one before. Two threads that start at once need `work`; one alone needs twice that.

use std::time::{Duration, Instant};
use striate_kernels::Cpu;

/// Runs that are measured for a line.
const RUNS: usize = 2000;

fn wait(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Median and 95th percentile in microseconds.
fn measure(cpu: &Cpu, idle: Duration, work: Duration) -> (f64, f64) {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            wait(idle);
            let start = Instant::now();
            cpu.run(2, |_| wait(work));
            1e6 * start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[RUNS / 2], times[RUNS * 95 / 100])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(2), |a| a.parse())?;
    let cpu = Cpu::new(threads)?;
    println!("{threads} threads\n{:>8} {:>8} {:>10} {:>10}", "idle", "work", "median", "95 %");
    for (idle, work) in [(0, 0), (20, 0), (100, 0), (1000, 0), (0, 20), (20, 20), (100, 20), (1000, 20)] {
        let (idle_time, work_time) = (Duration::from_micros(idle), Duration::from_micros(work));
        let (median, late) = cpu.install(|| measure(&cpu, idle_time, work_time));
        println!("{idle:8} {work:8} {median:10.2} {late:10.2}");
    }
    Ok(())
}
