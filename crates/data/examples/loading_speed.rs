//! How long a data set takes to open and how many images a second its loader makes, with the peak of memory.
//!
//! `cargo run --release -p striate-data --example loading_speed -- DATA [SIDE]`

use std::sync::Arc;
use std::time::Instant;
use striate_data::{Augment, Check, DataSet, Fit, Limits, Loader, LoaderOptions, OpenOptions, Preprocessing, Silent};

fn main() -> std::process::ExitCode {
    match measure() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().ok_or("usage: measure DATA [SIDE]")?;
    let side: Option<u32> = arguments.next().map(|side| side.parse()).transpose()?;
    for check in [Check::Headers, Check::Full] {
        for workers in [1, 2] {
            let start = Instant::now();
            let options = OpenOptions { check, workers, ..OpenOptions::default() };
            let set = DataSet::open(&data, &options, &Silent)?;
            println!("open, {check:?}, {workers} workers: {:.2} s, {}", start.elapsed().as_secs_f64(), peak_memory());
            drop(set);
        }
    }
    let options = OpenOptions { check: Check::Headers, ..OpenOptions::default() };
    let set = DataSet::open(&data, &options, &Silent)?;
    let tests = set.test.as_ref().map_or(0, |test| test.len());
    println!(
        "{}: {} classes, {} + {} + {tests}, {:?}",
        set.name,
        set.classes.len(),
        set.train.len(),
        set.val.len(),
        set.typical
    );
    println!("left out {}, ignored {}, {:?}", set.left_out.len(), set.ignored_files, set.warnings);
    println!("fingerprint {}", set.fingerprint);
    let (width, height) = side.map_or((set.typical.width, set.typical.height), |side| (side, side));
    let fit = if side.is_some_and(|side| side > 64) { Fit::Crop { resize_to: width * 8 / 7 } } else { Fit::Pad };
    for (fit, augment) in [(fit, None), (fit, Some(Augment::new(4, true))), (Fit::Ink { detail: 0 }, None)] {
        let preprocessing = Preprocessing::new(width, height, set.typical.channels, fit);
        let start = Instant::now();
        let (mean, std) = striate_data::mean_std(&set.train, &preprocessing, 2000, &Limits::default(), 2)?;
        println!(
            "{fit:?} to {width}×{height}: mean {mean:.4?}, std {std:.4?} in {:.2} s",
            start.elapsed().as_secs_f64()
        );
        for workers in [1, 2] {
            let options = LoaderOptions {
                batch: 128,
                shuffle: true,
                augment: augment.clone(),
                workers,
                ..LoaderOptions::default()
            };
            let start = Instant::now();
            let mut loader = Loader::new(Arc::clone(&set.train), preprocessing.clone(), options);
            let mut images = 0;
            while let Some(batch) = loader.next() {
                images += batch.len();
                loader.recycle(batch);
            }
            let rate = images as f64 / start.elapsed().as_secs_f64();
            println!("  loader, {augment:?}, {workers} workers: {rate:.0} images/s, {}", peak_memory());
        }
    }
    Ok(())
}

/// The peak of resident memory, where the system tells it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(String::new, |peak| format!("peak memory {}", peak.trim()))
}
