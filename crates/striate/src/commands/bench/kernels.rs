//! `striate bench kernels`: every kernel alone, on the shapes that the zoo's main networks have.

use super::check_seconds;
use super::work::{KernelTime, Pass, Way, Work};
use crate::commands::{Machine, must_fit, print_json, print_line, print_table};
use crate::progress::Bar;
use crate::timing::Peak;
use anyhow::Result;
use serde_json::{Value, json};
use std::process::ExitCode;
use striate_kernels::Cpu;
use striate_zoo::{Options, build};

/// What is measured.
#[derive(clap::Args)]
#[command(after_help = "\
Each distinct convolution, linear layer, pooling and normalisation of alexnet, vgg16, googlenet, resnet18, resnet50, \
mobilenet_v1, resnet20 and lenet5, each with every algorithm that applies; `*` marks those that the planner takes. \
GFLOP/s are two operations for each multiply-add of the direct algorithm, padding included, so that Winograd's may be above \
the machine's peak; weights are prepared before. Where the machine multiplies bf16, rows `bf16` say how fast, from bf16 to \
bf16, still as a share of the peak for floats. Poolings and normalisations are told by the GB/s that they have to move.

Examples:
  striate bench kernels
  striate bench kernels --filter resnet18 --batch 16
  striate bench kernels --filter depthwise --threads 1
  STRIATE_ISA=avx2 striate bench kernels --filter 'vgg16 conv3' --json

With --json: one object with peak_gflops and `kernels`, an object for each network's shape, pass and algorithm.")]
pub struct Args {
    /// Only shapes whose network, layer, kind and shape, as the table has them, hold all of these words
    #[arg(short, long, value_name = "TEXT")]
    filter: Option<String>,
    /// Images at once
    #[arg(short, long, value_name = "B", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Seconds to measure each kernel for; it is run three times at least, and the fastest run counts
    #[arg(long, value_name = "S", default_value_t = 0.05)]
    seconds: f64,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

/// The networks, in the order of the table.
const NETWORKS: [&str; 8] =
    ["alexnet", "vgg16", "googlenet", "resnet18", "resnet50", "mobilenet_v1", "resnet20", "lenet5"];

/// A shape in a network.
struct Use {
    network: &'static str,
    /// The first layer of this shape.
    layer: String,
    kind: &'static str,
    /// How many layers of the network have it.
    times: usize,
    work: Work,
}

impl Args {
    /// Measures and prints.
    pub fn run(&self) -> Result<ExitCode> {
        check_seconds(self.seconds)?;
        let uses: Vec<Use> = self.uses()?.into_iter().filter(|u| self.wants(u)).collect();
        if uses.is_empty() {
            let filter = self.filter.as_deref().unwrap_or_default();
            anyhow::bail!("no layer of {} has all the words of `{filter}`", NETWORKS.join(", "));
        }
        let cpu = self.machine.cpu()?;
        let largest = uses.iter().map(|u| u.work.memory(cpu.threads())).max().unwrap_or(0);
        must_fit(largest)?;
        let times = self.measure(&cpu, &uses);
        let peak = Peak::of(&cpu);
        if self.json {
            let all = uses.iter().zip(&times).flat_map(|(u, times)| times.iter().map(|t| object(u, t, &peak)));
            print_json(&json!({
                "engine": "striate", "mode": "kernels", "batch": self.batch, "threads": cpu.threads(),
                "isa": cpu.isa().name(), "peak_gflops": peak.gflops(), "kernels": all.collect::<Vec<_>>(),
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let (mut products_of, mut moves_of) = (Vec::new(), Vec::new());
        for (u, times) in uses.iter().zip(&times) {
            match u.work {
                Work::Conv(_) => products_of.extend(products(u, times, &peak)),
                _ => moves_of.extend(moves(u, times)),
            }
        }
        let (isa, threads, peak) = (cpu.isa().name(), cpu.threads(), peak.gflops());
        print_line(&format!("{isa}, {threads} threads, batch {}: peak {peak:.0} GFLOP/s", self.batch))?;
        if !products_of.is_empty() {
            print_line("\nGFLOP/s, and the share of the peak; * marks what the planner takes\n")?;
            print_table(&PRODUCTS, &products_of)?;
        }
        if !moves_of.is_empty() {
            print_line("\nwhat moves more than it computes\n")?;
            print_table(&MOVES, &moves_of)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Every network's distinct shapes, in the networks' order.
    fn uses(&self) -> Result<Vec<Use>> {
        let mut uses: Vec<Use> = Vec::new();
        for network in NETWORKS {
            let graph = build(network, &Options::default())?;
            let first = uses.len();
            for node in graph.nodes() {
                let Some(work) = Work::of(&graph, node, self.batch as usize) else { continue };
                if let Some(same) = uses[first..].iter_mut().find(|u| u.work == work) {
                    same.times += 1;
                } else {
                    let (layer, kind) = (node.name.clone(), node.layer.kind());
                    uses.push(Use { network, layer, kind, times: 1, work });
                }
            }
        }
        Ok(uses)
    }

    /// Times each shape once, whichever networks have it.
    fn measure(&self, cpu: &Cpu, uses: &[Use]) -> Vec<Vec<KernelTime>> {
        let bar = Bar::new();
        bar.begin("kernels", uses.len() as u64);
        let mut times: Vec<Vec<KernelTime>> = Vec::new();
        for (done, u) in uses.iter().enumerate() {
            bar.at(done as u64, || format!("{} {}", u.network, u.layer));
            let known = uses[..done].iter().position(|other| other.work == u.work);
            times.push(match known {
                Some(at) => times[at].clone(),
                None => u.work.time(cpu, self.seconds),
            });
        }
        bar.end();
        times
    }

    fn wants(&self, u: &Use) -> bool {
        let text = format!("{} {} {} {}", u.network, u.layer, u.kind_in_words(), u.work.describe());
        self.filter.as_deref().unwrap_or_default().split_whitespace().all(|word| text.contains(word))
    }
}

impl Use {
    /// The layer's kind; a convolution of one channel a group is `depthwise`.
    fn kind_in_words(&self) -> &'static str {
        match self.work {
            Work::Conv(g) if g.groups > 1 && g.groups == g.c_in => "depthwise",
            _ => self.kind,
        }
    }

    /// What the table begins a row with.
    fn title(&self) -> Vec<String> {
        let times = if self.times > 1 { format!("{} ({}×)", self.layer, self.times) } else { self.layer.clone() };
        vec![self.network.into(), times, self.kind_in_words().into(), self.work.describe()]
    }
}

const PRODUCTS: [&str; 11] = [
    "network",
    "layer",
    "kind",
    "shape",
    "algorithm",
    "forward",
    "of peak",
    "by input",
    "of peak",
    "by weights",
    "of peak",
];

/// The rows of a convolution or linear layer, one an algorithm.
fn products(u: &Use, times: &[KernelTime], peak: &Peak) -> Vec<Vec<String>> {
    let work = u.work.multiply_adds().unwrap_or(0);
    let cells = |way: Way, pass: Pass| match times.iter().find(|t| t.pass == pass && t.way == Some(way)) {
        None => [String::new(), String::new()],
        Some(t) => {
            let share = peak.share(work as u64, t.seconds).map(|s| format!("{:.0} %", 100.0 * s));
            let mark = if t.planned { " *" } else { "" };
            [format!("{:.1}{mark}", t.gflops(work)), share.unwrap_or_default()]
        }
    };
    let used = |way: &Way| times.iter().any(|t| t.way == Some(*way));
    let row = |way: Way| {
        let [f, d, w] = [Pass::Forward, Pass::Data, Pass::Weight].map(|pass| cells(way, pass));
        let title = u.title().into_iter().chain([way.name()]);
        title.chain(f).chain(d).chain(w).collect()
    };
    Way::all().filter(used).map(row).collect()
}

const MOVES: [&str; 8] = ["network", "layer", "kind", "shape", "forward ms", "GB/s", "backward ms", "GB/s"];

/// The row of a pooling or normalisation.
fn moves(u: &Use, times: &[KernelTime]) -> Vec<Vec<String>> {
    let speed = |t: &KernelTime| [format!("{:.3}", 1e3 * t.seconds), format!("{:.1}", t.gigabytes(&u.work))];
    vec![u.title().into_iter().chain(times.iter().flat_map(speed)).collect()]
}

/// One kernel as JSON.
fn object(u: &Use, t: &KernelTime, peak: &Peak) -> Value {
    let macs = u.work.multiply_adds();
    json!({
        "network": u.network, "layer": u.layer, "layers": u.times, "kind": u.kind_in_words(), "shape": u.work.describe(),
        "pass": t.pass.name(), "algorithm": t.way.map(Way::name), "planned": t.planned, "ms": 1e3 * t.seconds,
        "multiply_adds": macs, "gflops": macs.map(|macs| t.gflops(macs)),
        "peak_share": macs.and_then(|macs| peak.share(macs as u64, t.seconds)),
        "gigabytes_per_second": macs.is_none().then(|| t.gigabytes(&u.work)),
    })
}
