//! The time that each node of a network takes on this machine, next to what it costs by the formula.

use anyhow::Result;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use striate_engine::{NodeTime, Parameters, Precision, Request, Scheme, Session, StepPlan};
use striate_graph::Graph;
use striate_kernels::{Algorithm, Cpu, peak_flops, uniform};
use striate_train::{Economy, MicroBatches, Rule, Stepper};

/// Steps made before measuring begins.
const WARM_UP: usize = 2;
/// Steps measured at least.
const LEAST: usize = 3;

/// What was measured of one network.
pub struct Timing {
    /// Seconds of each step, sorted.
    pub steps: Vec<f64>,
    /// The median time of each node; empty unless nodes were timed. Nodes computed together count for the first.
    pub nodes: Vec<NodeTime>,
    /// What was computed together, and how.
    pub plan: Vec<StepPlan>,
    /// Images a step.
    pub batch: usize,
}

/// What to measure.
pub struct Measurement<'a> {
    /// The network, which gets random weights.
    pub graph: &'a Arc<Graph>,
    /// Threads and instruction set.
    pub cpu: &'a Arc<Cpu>,
    /// Images a step.
    pub batch: usize,
    /// Seconds to measure for.
    pub seconds: f64,
    /// Whether to time each node.
    pub nodes: bool,
    /// The algorithm of the convolutions to which it applies.
    pub algorithm: Option<Algorithm>,
    /// How activations are kept.
    pub precision: Precision,
    /// How training steps save memory.
    pub economy: Economy,
}

/// The rule that training steps are measured with.
pub const RULE: Rule = Rule::Sgd { momentum: 0.9, nesterov: false, weight_decay: 1e-4 };

impl Measurement<'_> {
    fn images(&self) -> Vec<f32> {
        (0..self.batch * self.graph.input().shape.len()).map(|i| 2.0 * uniform(1, i as u64) - 1.0).collect()
    }

    fn parameters(&self) -> Parameters {
        Parameters::init(self.graph, Scheme::for_graph(self.graph), 1)
    }

    /// Times forward passes.
    pub fn predict(&self) -> Result<Timing> {
        let (images, parameters) = (self.images(), self.parameters());
        let (algorithm, precision) = (self.algorithm, self.precision);
        let request = Request { algorithm, precision, ..Request::predict(self.batch) };
        let mut session = Session::new(self.graph.clone(), self.cpu.clone(), &request)?;
        let plan = session.steps();
        self.repeat(plan, || {
            if self.nodes {
                session.time_nodes();
            }
            session.forward(&parameters, &images, self.batch, 0)?;
            Ok(session.times().to_vec())
        })
    }

    /// Times training steps: forward, cross-entropy, backward, SGD with momentum.
    pub fn train(&self) -> Result<Timing> {
        let images = self.images();
        let classes = self.graph.output().shape.len() as u32;
        let labels: Vec<u32> = (0..self.batch as u32).map(|i| (7 * i + 3) % classes).collect();
        let most = self.economy.images(self.batch);
        let (algorithm, precision, recompute) = (self.algorithm, self.precision, self.economy.recompute);
        let request = Request { algorithm, precision, recompute, ..Stepper::request(self.graph, most, &[]) };
        let stepper = Stepper::planned(self.graph.clone(), self.cpu.clone(), self.parameters(), RULE, &request)?;
        let plan = stepper.steps();
        let mut micro = MicroBatches::new(stepper, self.batch, most)?;
        self.repeat(plan, || {
            if self.nodes {
                micro.stepper_mut().time_nodes();
            }
            // A rate of 0.001 keeps random labels from driving the weights out of range during the measurement.
            micro.step(&images, &labels, 0.001, 0)?;
            Ok(micro.stepper().times().to_vec())
        })
    }

    fn repeat(&self, plan: Vec<StepPlan>, mut step: impl FnMut() -> Result<Vec<NodeTime>>) -> Result<Timing> {
        for _ in 0..WARM_UP {
            step()?;
        }
        let (start, mut steps, mut nodes) = (Instant::now(), Vec::new(), Vec::new());
        while steps.len() < LEAST || start.elapsed() < Duration::from_secs_f64(self.seconds) {
            let begun = Instant::now();
            let times = step()?;
            steps.push(begun.elapsed().as_secs_f64());
            nodes.push(times);
        }
        steps.sort_by(f64::total_cmp);
        let each = |of: fn(&NodeTime) -> Duration, node: usize| {
            let mut all: Vec<Duration> = nodes.iter().map(|times| of(&times[node])).collect();
            all.sort();
            all[all.len() / 2]
        };
        let count = nodes.first().map_or(0, Vec::len);
        let median = |node| NodeTime { forward: each(|t| t.forward, node), backward: each(|t| t.backward, node) };
        Ok(Timing { steps, nodes: (0..count).map(median).collect(), plan, batch: self.batch })
    }
}

impl Timing {
    /// The median step, in seconds.
    pub fn median(&self) -> f64 {
        let n = self.steps.len();
        f64::midpoint(self.steps[(n - 1) / 2], self.steps[n / 2])
    }

    /// Images a second.
    pub fn speed(&self) -> f64 {
        self.batch as f64 / self.median()
    }
}

/// What the machine reaches at most, in floating-point operations a second.
pub struct Peak(f64);

impl Peak {
    /// Measures it.
    pub fn of(cpu: &Cpu) -> Peak {
        Peak(peak_flops(cpu))
    }

    /// In GFLOP/s.
    pub fn gflops(&self) -> f64 {
        self.0 / 1e9
    }

    /// The share of it that so many multiply-adds in so many seconds are; `None` if either is zero.
    pub fn share(&self, multiply_adds: u64, seconds: f64) -> Option<f64> {
        (multiply_adds > 0 && seconds > 0.0).then(|| 2.0 * multiply_adds as f64 / seconds / self.0)
    }
}

/// The times of a network's steps as rows of a table: layers, algorithm, multiply-adds, milliseconds, GFLOP/s, share of peak.
pub fn rows(graph: &Graph, timing: &Timing, peak: &Peak) -> Vec<Vec<String>> {
    let row = |step: &StepPlan| {
        let (macs, time) = costs(graph, step, timing);
        let (forward, backward) = (time.forward.as_secs_f64(), time.backward.as_secs_f64());
        let rate = if macs > 0 { format!("{:.1}", 2e-9 * macs as f64 / forward) } else { String::new() };
        let share = peak.share(macs, forward).map(|s| format!("{:.0} %", 100.0 * s)).unwrap_or_default();
        let macs = if macs > 0 { crate::figures::thousands(macs) } else { String::new() };
        let backward = if backward > 0.0 { format!("{:.3}", 1e3 * backward) } else { String::new() };
        vec![names(graph, step), how(graph, step), macs, format!("{:.3}", 1e3 * forward), backward, rate, share]
    };
    timing.plan.iter().map(row).collect()
}

/// The header of [`rows`].
pub const HEADER: [&str; 7] =
    ["layer", "kind", "multiply-adds", "forward ms", "backward ms", "GFLOP/s forward", "of peak"];

/// The same as JSON, one object a step.
pub fn objects(graph: &Graph, timing: &Timing, peak: &Peak) -> Vec<Value> {
    let object = |step: &StepPlan| {
        let (macs, time) = costs(graph, step, timing);
        let forward = time.forward.as_secs_f64();
        let joined: Vec<&str> = step.nodes[1..].iter().map(|&id| graph.node(id).name.as_str()).collect();
        let node = graph.node(step.nodes[0]);
        json!({
            "name": node.name, "kind": node.layer.kind(), "joined": joined, "multiply_adds": macs,
            "algorithm": step.forward.as_ref().map(|c| c.algorithm.name()), "forward_ms": 1e3 * forward,
            "backward_ms": 1e3 * time.backward.as_secs_f64(), "peak_share": peak.share(macs, forward),
        })
    };
    timing.plan.iter().map(object).collect()
}

/// The names of the nodes of a step: `conv1 + bn1 + relu`.
pub fn names(graph: &Graph, step: &StepPlan) -> String {
    step.nodes.iter().map(|&id| graph.node(id).name.as_str()).collect::<Vec<_>>().join(" + ")
}

/// The kind of a step's first layer, and its algorithm.
fn how(graph: &Graph, step: &StepPlan) -> String {
    let kind = graph.node(step.nodes[0]).layer.kind();
    match &step.forward {
        Some(choice) if choice.algorithm.name() != kind => format!("{kind}, {}", choice.algorithm.name()),
        _ => kind.into(),
    }
}

/// A step's multiply-adds for the batch, and its time.
fn costs(graph: &Graph, step: &StepPlan, timing: &Timing) -> (u64, NodeTime) {
    let macs: u64 = step.nodes.iter().map(|&id| graph.node_multiply_adds(graph.node(id))).sum();
    let time = timing.nodes.get(step.nodes[0].index()).copied().unwrap_or_default();
    (macs.saturating_mul(timing.batch as u64), time)
}
