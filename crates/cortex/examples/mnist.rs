//! The Neocognitron of 2003 on a data set of digits: its test error, and where the time goes. Settings are given as
//! `name=value`: `cargo run --release -p striate-cortex --example mnist -- mnist/ train=3000 theta4=0.3`. With `held_out=1`
//! it is scored on held-out training digits instead, which is what settings were chosen by.

use std::time::Instant;
use striate_cortex::neocognitron::{Neocognitron, Settings};
use striate_data::{DataSet, Limits, OpenOptions, Picture, Silent, Split};
use striate_kernels::Cpu;

fn read(split: &Split, most: usize) -> Result<(Vec<Picture>, Vec<u32>), Box<dyn std::error::Error>> {
    let samples = &split.samples[..most.min(split.len())];
    let pictures = samples.iter().map(|s| s.read(&Limits::default())).collect::<Result<Vec<_>, _>>()?;
    Ok((pictures, samples.iter().map(|s| s.label).collect()))
}

/// What is learnt from and scored on.
struct Sizes {
    train: usize,
    test: usize,
    held_out: bool,
}

fn set(settings: &mut Settings, sizes: &mut Sizes, name: &str, value: f32) -> bool {
    let rules = &mut settings.competition;
    match name {
        "train" => sizes.train = value as usize,
        "test" => sizes.test = value as usize,
        "held_out" => sizes.held_out = value > 0.0,
        "picture" => settings.picture = value as usize,
        "theta1" => settings.theta[0] = value,
        "theta2" => settings.theta[1] = value,
        "theta3" => settings.theta[2] = value,
        "theta4" => settings.theta[3] = value,
        "learn2" => rules[0].theta = value,
        "learn3" => rules[1].theta = value,
        "q1" => settings.q[0] = value,
        "q2" => rules[0].q = value,
        "q3" => rules[1].q = value,
        "q4" => settings.q[1] = value,
        "area" => rules.iter_mut().for_each(|c| c.area = value as usize),
        "faintest" => rules.iter_mut().for_each(|c| c.faintest = value),
        "most2" => rules[0].most = value as usize,
        "most3" => rules[1].most = value as usize,
        "v" => settings.v_width = value,
        "unsupervised" => settings.unsupervised = value as usize,
        "rounds" => settings.rounds = value as usize,
        _ => {
            let stage = ["c1", "c2", "c3"].iter().position(|c| name.starts_with(c));
            let part = ["strength", "centre", "surround", "share"].iter().position(|p| name.ends_with(p));
            let (Some(stage), Some(part)) = (stage, part) else { return false };
            settings.pooling[stage][part] = value;
        }
    }
    true
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let spec = args.next().ok_or("which data set?")?;
    let (mut settings, mut sizes) = (Settings::default(), Sizes { train: 3000, test: 10_000, held_out: false });
    for arg in args {
        let (name, value) = arg.split_once('=').ok_or_else(|| format!("{arg}: expected name=value"))?;
        if !set(&mut settings, &mut sizes, name, value.parse()?) {
            return Err(format!("no setting is called {name}").into());
        }
    }
    let cpu = Cpu::new(0)?;
    let data = DataSet::open(&spec, &OpenOptions::default(), &Silent)?;
    let (pictures, labels) = read(&data.train, sizes.train)?;
    let test = if sizes.held_out { &data.val } else { data.test.as_ref().unwrap_or(&data.val) };
    let (test, expected) = read(test, sizes.test)?;
    let start = Instant::now();
    let mut last = (0, 0);
    let mut network = Neocognitron::learn(&cpu, settings, data.classes.clone(), &pictures, &labels, &mut |p| {
        if p.shown == p.of && last != (p.stage, p.round) {
            last = (p.stage, p.round);
            let seconds = start.elapsed().as_secs_f32();
            println!(
                "stage {} round {}: {} planes, {} of {} wrong, {seconds:.1} s",
                p.stage, p.round, p.planes, p.wrong, p.of
            );
        }
        true
    })?;
    println!("trained in {:.1} s on {} threads ({})", start.elapsed().as_secs_f32(), cpu.threads(), cpu.isa().name());
    for (name, interpolate) in [("by the planes", false), ("by vectors between them (2007)", true)] {
        network.interpolate(interpolate);
        let start = Instant::now();
        let found = network.recognise_all(&cpu, &test);
        let wrong = found.iter().zip(&expected).filter(|(f, l)| **f != Some(**l)).count();
        let silent = found.iter().filter(|f| f.is_none()).count();
        let (n, seconds) = (test.len(), start.elapsed().as_secs_f32());
        println!(
            "{name}: {:.2} % of {n} wrong ({silent} not answered), {seconds:.1} s",
            100.0 * wrong as f32 / n as f32
        );
    }
    Ok(())
}
