//! `striate bench`: how fast the engine is on this machine, with random weights and images in memory.

mod data;
mod kernels;
mod tune;
mod work;

use super::memory_args::{Budget, MemoryArgs, program};
use super::network_args::VariantArgs;
use super::{Machine, PrecisionArgs, fast_in_bf16, print_json, print_line, print_table};
use crate::figures::{bytes, peak_memory};
use crate::timing::{HEADER, Measurement, Peak, RULE, Timing, names, objects, rows};
use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use striate_engine::{Choice, Memory, Precision, Request};
use striate_graph::{Graph, Shape};
use striate_kernels::Algorithm;
use striate_train::{Demand, Need, precision_name};
use striate_zoo::{Options, find};

/// Measure the engine's speed
#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  striate bench train --model resnet20 --batch 128
  striate bench infer --model lenet5 --batch 1 --threads 1 --json
  striate bench train --model resnet20 --batch 32 --profile
  striate bench infer --model resnet18 --explain-plan --algorithm direct
  striate bench train --model resnet50 --batch 32 --memory-limit 2GB
  striate bench data photos/                              whether images come as fast as the network trains
  striate bench tune --model resnet18                     what freezing a part saves
  striate bench kernels --filter resnet18                 every kernel alone

With --json: one object with images_per_second (batch / median step time, after two warm-up steps), need_mb, the memory \
that was expected, and peak_rss_mb, what was measured.")]
pub enum Bench {
    /// A training step: forward, cross-entropy, backward, SGD with momentum 0.9 and weight decay 0.0001
    Train(Args),
    /// A forward pass
    Infer(Args),
    /// Images out of a data set, against the training step that takes them
    Data(data::Args),
    /// A training step with a frozen part, against the step of the whole network
    Tune(tune::Args),
    /// Every kernel alone, on the shapes of the zoo's main networks
    Kernels(kernels::Args),
    #[command(hide = true)]
    Golden(super::golden::Args),
}

/// What is measured.
#[allow(clippy::struct_excessive_bools)] // Each is an option.
#[derive(clap::Args)]
pub struct Args {
    /// The architecture
    #[arg(short, long, value_name = "NAME")]
    model: String,
    /// Images a step
    #[arg(short, long, value_name = "B", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Height and width of the input [default: as published]
    #[arg(long, value_name = "S", visible_alias = "imgsz")]
    size: Option<usize>,
    /// Number of classes
    #[arg(long, value_name = "N", default_value_t = 1000)]
    classes: usize,
    /// Channels of the input: 1 for grey, 3 for colour [default: as published]
    #[arg(long, value_name = "C")]
    channels: Option<usize>,
    /// MobileNet's resolution multiplier ρ: the input's height and width times ρ
    #[arg(long, value_name = "RHO", conflicts_with = "size")]
    rho: Option<f64>,
    #[command(flatten)]
    variant: VariantArgs,
    #[command(flatten)]
    precision: PrecisionArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    /// Seconds to measure for
    #[arg(long, value_name = "S", default_value_t = 6.0)]
    seconds: f64,
    /// Also the time of each layer, and its share of the machine's peak
    #[arg(long)]
    profile: bool,
    /// Also how each layer is computed: what is joined, which algorithm, and what all that apply are estimated to cost
    #[arg(long)]
    explain_plan: bool,
    /// Training: compute cheap activations again in the backward sweep instead of keeping them, which takes less memory
    #[arg(long)]
    recompute: bool,
    /// The algorithm of the convolutions to which it applies: direct, winograd2, winograd4 [default: the cheapest]
    #[arg(long, value_name = "NAME", value_parser = algorithm)]
    algorithm: Option<Algorithm>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

impl Bench {
    /// Measures and prints.
    pub fn run(self) -> Result<ExitCode> {
        let (mode, args) = match &self {
            Bench::Train(args) => ("train", args),
            Bench::Infer(args) => ("infer", args),
            Bench::Data(args) => return args.run(),
            Bench::Kernels(args) => return args.run(),
            Bench::Tune(args) => return args.run(),
            Bench::Golden(args) => return args.run(),
        };
        if args.recompute && mode != "train" {
            anyhow::bail!("a prediction keeps no activations for a sweep: leave --recompute away");
        }
        let program = program();
        check_seconds(args.seconds)?;
        let architecture = find(&args.model)?;
        let graph = Arc::new(architecture.build(&args.options(architecture.input))?);
        let input = graph.input().shape;
        let cpu = args.machine.cpu()?;
        // Random weights have no accuracy that could suffer.
        let decision = args.precision.wish().first(fast_in_bf16(&cpu), true);
        args.precision.tell(&decision);
        let precision = decision.precision;
        let budget = if mode == "train" {
            args.train_budget(&graph, precision, program)?
        } else {
            args.predict_budget(&graph, precision, program)?
        };
        budget.announce(&graph, args.batch());
        let threads = cpu.threads();
        let (batch, seconds) = (args.batch(), args.seconds);
        let (algorithm, nodes, economy) = (args.algorithm, args.profile, budget.choice.economy);
        let measurement =
            Measurement { graph: &graph, cpu: &cpu, batch, seconds, nodes, algorithm, precision, economy };
        let timing = if mode == "train" { measurement.train()? } else { measurement.predict()? };
        let (median, speed, steps) = (timing.median(), timing.speed(), timing.steps.len());
        let limit = args.profile.then(|| Peak::of(&cpu));
        let peak = peak_memory();
        if args.json {
            let mut object = json!({
                "engine": "striate", "mode": mode, "model": args.model, "batch": args.batch, "size": input.h,
                "precision": precision_name(precision), "threads": threads, "isa": cpu.isa().name(), "steps": steps, "ms": median * 1e3,
                "ms_min": timing.steps[0] * 1e3, "images_per_second": speed,
                "peak_rss_mb": peak.map(megabytes), "need_mb": megabytes(budget.choice.need.total()),
                "recompute": economy.recompute, "micro_batches": economy.micro_batches,
            });
            if args.explain_plan {
                object["plan"] = plan_objects(&graph, &timing).into();
            }
            if let Some(limit) = &limit {
                object["peak_gflops"] = limit.gflops().into();
                object["layers"] = objects(&graph, &timing, limit).into();
            }
            print_json(&object)?;
        } else {
            if args.explain_plan {
                print_table(&PLAN_HEADER, &plan_rows(&graph, &timing))?;
                print_line(
                    "\ncosts in millions of multiply-adds at the machine's peak, for the images that a step takes at a time\n",
                )?;
            }
            if let Some(limit) = &limit {
                print_table(&HEADER, &rows(&graph, &timing, limit))?;
                print_line(&format!("\npeak of {threads} threads: {:.0} GFLOP/s\n", limit.gflops()))?;
            }
            print_line(&format!(
                "{mode} {} {input} at batch {batch}, {threads} threads: {speed:.1} images/s",
                args.model
            ))?;
            print_line(&format!(
                "  {:.3} ms a step (median of {steps}; least {:.3})",
                median * 1e3,
                timing.steps[0] * 1e3
            ))?;
            let (peak, need) = (peak.map_or("an unknown amount".into(), bytes), bytes(budget.choice.need.total()));
            print_line(&format!("  {peak} of memory at most, where {need} were expected"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Args {
    fn options(&self, published: Shape) -> Options {
        let side = self.size.map_or((published.h, published.w), |s| (s, s));
        let input = Shape::new(side.0, side.1, self.channels.unwrap_or(published.c));
        let options = Options { input: Some(input), classes: Some(self.classes), ..Options::default() };
        self.variant.complete(Options { resolution: self.rho, ..options })
    }

    fn batch(&self) -> usize {
        self.batch as usize
    }

    /// What training steps take, and how they save memory if they must.
    fn train_budget(&self, graph: &Graph, precision: Precision, program: usize) -> Result<Budget> {
        let (batch, algorithm) = (self.batch(), self.algorithm);
        let demand = Demand {
            graph,
            rule: RULE,
            batch,
            precision,
            algorithm,
            scores: false,
            clips: false,
            averages: false,
            parts: 1,
            batches: 1,
            pictures: 0,
            program,
            frozen: None,
            kept: 0,
        };
        let mut budget = self.memory.choose(&demand)?;
        if self.recompute {
            budget.choice.economy.recompute = true;
            budget.choice.need = demand.need(budget.choice.economy)?;
        }
        Ok(budget)
    }

    /// What predictions take; refused if that is too much, as there is nothing to save.
    fn predict_budget(&self, graph: &Graph, precision: Precision, program: usize) -> Result<Budget> {
        let (batch, algorithm) = (self.batch(), self.algorithm);
        let request = Request { precision, algorithm, ..Request::predict(batch) };
        let need = Need {
            program,
            parameters: 4 * (graph.parameter_count() + graph.statistic_count()),
            scoring: Memory::of(graph, &request)?.total(),
            batches: 4 * batch * graph.input().shape.len(),
            ..Need::default()
        };
        self.memory.must_fit(need)
    }
}

/// Bytes in units of 2²⁰.
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Fails for a time to measure for that is none.
fn check_seconds(seconds: f64) -> Result<()> {
    anyhow::ensure!((0.0..=1e6).contains(&seconds), "--seconds must be from 0 to a million, not {seconds}");
    Ok(())
}

/// The algorithm of this name.
fn algorithm(name: &str) -> Result<Algorithm, String> {
    let names = || Algorithm::ALL.map(Algorithm::name).join(", ");
    Algorithm::ALL.into_iter().find(|a| a.name() == name).ok_or_else(|| format!("expected one of {}", names()))
}

const PLAN_HEADER: [&str; 6] = ["layers", "images", "kept as", "forward", "gradient by input", "gradient by weights"];

/// How each step is computed, as rows of a table.
fn plan_rows(graph: &Graph, timing: &Timing) -> Vec<Vec<String>> {
    let choice = |choice: &Option<Choice>| match choice {
        None => String::new(),
        Some(c) => {
            let costs = c.costs.iter().map(|(a, cost)| format!("{} {:.1}", a.name(), 1e-6 * cost));
            format!("{} ({})", c.algorithm.name(), costs.collect::<Vec<_>>().join(", "))
        }
    };
    let row = |step: &striate_engine::StepPlan| {
        let inside = step.inside.map(|id| format!(" in {}", graph.node(id).name)).unwrap_or_default();
        let again = step.again_for.map(|id| format!(", again for {}", graph.node(id).name)).unwrap_or_default();
        let layers = names(graph, step) + &inside + &again;
        let kept = precision_name(step.precision).to_owned() + if step.products { ", multiplied so" } else { "" };
        let [forward, data, weight] = [&step.forward, &step.data, &step.weight].map(choice);
        vec![layers, step.images.to_string(), kept, forward, data, weight]
    };
    timing.plan.iter().map(row).collect()
}

/// The same as JSON, one object a step.
fn plan_objects(graph: &Graph, timing: &Timing) -> Vec<Value> {
    let choice = |choice: &Option<Choice>| {
        choice.as_ref().map(|c| {
            let costs: serde_json::Map<String, Value> =
                c.costs.iter().map(|(a, cost)| (a.name().into(), (*cost).into())).collect();
            json!({ "algorithm": c.algorithm.name(), "costs": costs })
        })
    };
    let object = |step: &striate_engine::StepPlan| {
        let layers: Vec<&str> = step.nodes.iter().map(|&id| graph.node(id).name.as_str()).collect();
        json!({
            "layers": layers, "images": step.images, "inside": step.inside.map(|id| graph.node(id).name.as_str()),
            "kept_as": precision_name(step.precision), "multiplied_so": step.products,
            "again_for": step.again_for.map(|id| graph.node(id).name.as_str()),
            "forward": choice(&step.forward), "data": choice(&step.data), "weight": choice(&step.weight),
        })
    };
    timing.plan.iter().map(object).collect()
}
