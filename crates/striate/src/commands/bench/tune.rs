//! `striate bench tune`: what a training step costs of which a part is frozen, next to the step of the whole network.

use super::{check_seconds, megabytes};
use crate::commands::{Machine, print_json, print_line, print_table};
use crate::figures::{bytes, percent};
use crate::timing::RULE;
use anyhow::Result;
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use striate_engine::{Parameters, Precision, Scheme};
use striate_graph::Graph;
use striate_kernels::{Cpu, uniform};
use striate_train::Stepper;
use striate_train::transfer::{Backbone, FrozenNorm, Tune, cut};
use striate_zoo::{Options, find};

/// What is measured.
#[derive(clap::Args)]
#[command(after_help = "\
Measured are a step of which the frozen part runs forward only and the rest is trained, one of the tuned part alone, as it is where \
features are kept, and one of the whole network; and the memory that each takes: values, gradients, the optimiser's, \
activations, a batch of images. Weights and images are random.

Examples:
  striate bench tune --model resnet18 --batch 32
  striate bench tune --model vgg16 --batch 8 --tune last:3
  striate bench tune --model mobilenet_v1_0.25 --batch 32 --json

With --json: one object with `full`, `frozen` and `kept`, each {\"ms\", \"memory_mb\"}, and `time_share` and `memory_share` of \
the frozen step in the full one's.")]
pub struct Args {
    /// The architecture
    #[arg(short, long, value_name = "NAME")]
    model: String,
    /// Images a step
    #[arg(short, long, value_name = "B", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// What is tuned: head, last:K, from:NODE
    #[arg(long, value_name = "PART", default_value = "head")]
    tune: Tune,
    /// Number of classes
    #[arg(long, value_name = "N", default_value_t = 10)]
    classes: usize,
    /// Seconds for each of the three measurements
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    seconds: f64,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

/// Steps measured at least, after one that is not.
const LEAST: usize = 3;

/// Seconds a step, the median, and bytes.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    memory: usize,
}

impl Args {
    /// Measures and prints.
    pub fn run(&self) -> Result<ExitCode> {
        check_seconds(self.seconds)?;
        let options = Options { classes: Some(self.classes), auxiliary: None, ..Options::default() };
        let graph = Arc::new(find(&self.model)?.build(&options)?.without_auxiliary());
        let cut = cut(&graph, &self.tune)?;
        anyhow::ensure!(cut != graph.input_id(), "--tune {}: nothing is frozen then", self.tune);
        let cpu = self.machine.cpu()?;
        let [frozen, kept] = self.frozen(&graph, cut, &cpu)?;
        let full = self.full(&graph, &cpu)?;
        let (time, memory) = (frozen.seconds / full.seconds, frozen.memory as f64 / full.memory as f64);
        let before = &graph.node(cut).name;
        if self.json {
            let of = |c: Cost| json!({ "ms": 1e3 * c.seconds, "memory_mb": megabytes(c.memory) });
            print_json(&json!({
                "engine": "striate", "mode": "tune", "model": self.model, "batch": self.batch, "tune": self.tune.to_string(),
                "cut": before, "threads": cpu.threads(), "isa": cpu.isa().name(), "full": of(full), "frozen": of(frozen),
                "kept": of(kept), "time_share": time, "memory_share": memory,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let row = |name: &str, c: Cost| {
            let share = |of: f64| percent(of);
            vec![
                name.to_owned(),
                format!("{:.2}", 1e3 * c.seconds),
                share(c.seconds / full.seconds),
                bytes(c.memory),
                share(c.memory as f64 / full.memory as f64),
            ]
        };
        let rows = [
            row("all is trained", full),
            row(&format!("{} is tuned", self.tune), frozen),
            row("its features are kept", kept),
        ];
        print_table(&["step", "ms", "of full", "memory", "of full"], &rows)?;
        let (threads, batch) = (cpu.threads(), self.batch);
        print_line(&format!("{}, batch {batch}, {threads} threads; frozen up to `{before}`", self.model))?;
        Ok(ExitCode::SUCCESS)
    }

    fn batch(&self) -> usize {
        self.batch as usize
    }

    fn images(&self, graph: &Graph) -> Vec<f32> {
        (0..self.batch() * graph.input().shape.len()).map(|i| 2.0 * uniform(1, i as u64) - 1.0).collect()
    }

    fn labels(&self) -> Vec<u32> {
        (0..self.batch).map(|i| (7 * i + 3) % self.classes as u32).collect()
    }

    /// A step of all.
    fn full(&self, graph: &Arc<Graph>, cpu: &Arc<Cpu>) -> Result<Cost> {
        let (images, labels) = (self.images(graph), self.labels());
        let values = Parameters::init(graph, Scheme::for_graph(graph), 1);
        let mut stepper = Stepper::new(graph.clone(), cpu.clone(), values, RULE, self.batch())?;
        let seconds = self.median(|| {
            stepper.step(&images, &labels[..], 0.001, 0)?;
            Ok(())
        })?;
        Ok(Cost { seconds, memory: stepper.bytes() + 4 * images.len() })
    }

    /// A step of which a part is frozen, and one whose features are there already.
    fn frozen(&self, graph: &Graph, cut: striate_graph::NodeId, cpu: &Arc<Cpu>) -> Result<[Cost; 2]> {
        let (images, labels) = (self.images(graph), self.labels());
        let mut values = Parameters::init(graph, Scheme::for_graph(graph), 1);
        let tuned = Arc::new(graph.behind(cut)?);
        let planned = (self.batch(), Precision::F32, FrozenNorm::Frozen);
        let mut backbone = Backbone::new(graph, cut, &mut values, cpu.clone(), planned)?;
        let values = values.take_part(&tuned)?;
        let mut stepper = Stepper::new(tuned, cpu.clone(), values, RULE, self.batch())?;
        let seconds = self.median(|| {
            let features = backbone.features(&images, labels.len(), false)?;
            stepper.step(features, &labels[..], 0.001, 0)?;
            Ok(())
        })?;
        let features = backbone.features(&images, labels.len(), false)?.to_vec();
        let room = 4 * features.len();
        let frozen = Cost { seconds, memory: backbone.bytes() + stepper.bytes() + room + 4 * images.len() };
        let seconds = self.median(|| {
            stepper.step(&features, &labels[..], 0.001, 0)?;
            Ok(())
        })?;
        Ok([frozen, Cost { seconds, memory: stepper.bytes() + room }])
    }

    fn median(&self, mut step: impl FnMut() -> Result<()>) -> Result<f64> {
        step()?;
        let (begun, mut times) = (Instant::now(), Vec::new());
        while times.len() < LEAST || begun.elapsed() < Duration::from_secs_f64(self.seconds) {
            let begun = Instant::now();
            step()?;
            times.push(begun.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    }
}
