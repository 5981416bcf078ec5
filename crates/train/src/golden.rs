//! Reference answers of other libraries ("goldens"): what torchvision and timm compute for a network whose weights and
//! images are filled by a rule, so that no file of weights is needed, and how far Striate is from them.
//!
//! The rule: `fill(name, i) = 2 · (splitmix64(fnv1a64(name) + i) >> 40) / 2²⁴ − 1`, in [−1, 1), for the i-th value of a
//! tensor in PyTorch's order. Weights of convolutions and linear layers are `fill · √(6 / fan-in)`, scales and variances of
//! batch normalisation `1 + fill / 10`, everything else `fill / 10`; the images are `fill("input", i)` in NCHW order, the
//! label of image k is (7k + 3) mod classes, and dropout is off.
//!
//! How near two right programs come: logits and losses agree to about 10⁻⁶. Gradients need not. A value within rounding of
//! a kink (ReLU's zero, two equal cells under a maximum) falls to one side in one program and to the other in the next, and
//! deep networks carry that on: `PyTorch`'s own gradients of ResNet-152 differ by 4 % between its two memory layouts
//! (`tests/fixtures/make_references.py --against-itself` prints that). So
//! where a gradient is off by more than 10⁻³, the step is repeated with every weight changed by up to two millionths, and
//! the gradient may be off by three times what that does to it.

use crate::{Rule, Stepper, TrainError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use striate_engine::{Memory, Parameters, Request, Session, Tensors};
use striate_graph::layers::{AdaptiveAvgPool, Conv, GlobalAvgPool};
use striate_graph::{AnyLayer, Change, Graph, GraphError, Shape};
use striate_kernels::{Cpu, hash, splitmix64, uniform};
use striate_zoo::{Architecture, Options};

/// The reference answers for one network.
#[derive(Debug, Deserialize)]
pub struct Golden {
    /// The network: torchvision's name, timm's after `timm:`, or Striate's.
    pub model: String,
    /// Images, channels, height, width.
    pub input: [usize; 4],
    /// Classes.
    pub classes: usize,
    /// Trained parameters, auxiliary classifiers included.
    pub parameters: usize,
    /// Predicting.
    pub eval: Answers,
    /// A training step.
    pub train: Step,
}

/// What the reference predicts.
#[derive(Debug, Deserialize)]
pub struct Answers {
    /// The first logits of each image.
    pub logits: Vec<Vec<f64>>,
    /// Each image's most likely class.
    pub argmax: Vec<usize>,
    /// The L2 norm of all logits.
    pub norm: f64,
}

/// What the reference computes in a training step.
#[derive(Debug, Deserialize)]
pub struct Step {
    /// The mean cross-entropy, with auxiliary classifiers by their weights.
    pub loss: f64,
    /// Each parameter's gradient.
    pub gradients: BTreeMap<String, Figures>,
}

/// What is known of a tensor.
#[derive(Debug, Deserialize)]
pub struct Figures {
    /// The L2 norm.
    pub norm: f64,
    /// The sum of its values.
    pub sum: f64,
}

/// How far Striate is from the reference: the largest relative errors.
#[derive(Debug)]
pub struct Distance {
    /// Of the logits and of their norm, by the largest logit and the norm.
    pub logits: f64,
    /// Whether the most likely classes are the same.
    pub argmax: bool,
    /// Of the loss.
    pub loss: f64,
    /// How much rounding moves the loss; 0 where nothing asked for it.
    pub loss_rounding: f64,
    /// Of the gradients' norms, the one that is farthest outside what it may be.
    pub gradients: Gradient,
    /// How many gradients' norms there are.
    pub count: usize,
    /// How many of them are off by more than 10⁻³, whatever rounding does.
    pub beyond: usize,
}

/// One gradient's distance.
#[derive(Clone, Debug, Default)]
pub struct Gradient {
    /// The parameter, by the reference's name.
    pub name: String,
    /// The relative error of its norm.
    pub error: f64,
    /// How much rounding moves it, relative; 0 where nothing asked for it.
    pub rounding: f64,
}

/// What logits may be off.
const LOGITS: f64 = 1e-3;
/// What the loss may be off where rounding does not move it more.
const LOSS: f64 = 1e-4;
/// What a gradient's norm may be off where rounding does not move it more.
const GRADIENT: f64 = 1e-3;
/// How often the weights are changed to see what rounding does.
const ROUNDINGS: u64 = 8;
/// By how much at most, relative: about what summing a few hundred products in another order does to a layer's output.
const NOISE: f32 = 2e-6;
/// How much more than the largest of so few changes another program may be off.
const SPREAD: f64 = 3.0;
/// What is too much, whatever rounding does.
const MOST: f64 = 0.05;

/// What may be off where rounding moves so much.
fn allowed(strict: f64, rounding: f64) -> f64 {
    (SPREAD * rounding).clamp(strict, MOST)
}

impl Gradient {
    /// The error by what is allowed: at most 1 is within tolerance.
    fn excess(&self) -> f64 {
        self.error / allowed(GRADIENT, self.rounding)
    }
}

impl Distance {
    /// Whether two right programs may be so far apart.
    pub fn within_tolerance(&self) -> bool {
        // Written so that NaN is outside.
        self.argmax
            && self.logits <= LOGITS
            && self.loss <= allowed(LOSS, self.loss_rounding)
            && self.gradients.excess() <= 1.0
    }
}

impl Golden {
    /// Reads the JSON that the references are kept in.
    ///
    /// # Errors
    /// If the file cannot be read or is not of that form.
    pub fn read(path: &Path) -> Result<Golden, TrainError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| TrainError::File { path: path.to_owned(), source })?;
        let wrong = |e: serde_json::Error| TrainError::Model {
            path: path.to_owned(),
            why: format!("not a file of reference answers: {e}"),
        };
        serde_json::from_str(&text).map_err(wrong)
    }

    /// The network without dropout, and what the reference calls each of its parameters.
    ///
    /// # Errors
    /// If Striate has no such network, or it does not fit the golden's input.
    pub fn network(&self) -> Result<(Graph, Vec<String>), TrainError> {
        let (library, model) = self.model.split_once(':').unwrap_or(("torchvision", &self.model));
        let [_, c, h, w] = self.input;
        let options = Options { input: Some(Shape::new(h, w, c)), classes: Some(self.classes), ..Options::default() };
        let known = |a: &'static Architecture| Some((a, a.checkpoint(library).filter(|c| c.model == model)?));
        let (graph, names) = if let Some((architecture, checkpoint)) = striate_zoo::all().find_map(known) {
            let graph = architecture.build(&options)?;
            let names = checkpoint.names(&graph);
            (graph, names)
        } else {
            let graph = striate_zoo::build(&self.model, &options)?;
            let names = graph.params().map(|(name, _)| name).collect();
            (graph, names)
        };
        let off = |layer: &AnyLayer| if layer.kind() == "dropout" { Change::Remove } else { Change::Keep };
        let graph = graph.rewrite(|node| off(&node.layer))?;
        let sliding = library == "timm" && model.starts_with("vgg");
        Ok((if sliding { with_sliding_layers(&graph)? } else { graph }, names))
    }

    /// Bytes that the comparison takes.
    ///
    /// # Errors
    /// If there is no such network, or its memory cannot be counted.
    pub fn memory(&self) -> Result<usize, TrainError> {
        let (graph, _) = self.network()?;
        let memory = Memory::of(&graph, &Request::train(&graph, self.input[0]))?;
        let images = self.input.iter().fold(4, |n: usize, &side| n.saturating_mul(side));
        // The filled and the changed parameters, their gradients, and the optimiser's.
        Ok((memory.total() + 16 * graph.parameter_count()).saturating_add(images))
    }

    /// Fills the network by the rule, runs it, and compares.
    ///
    /// # Errors
    /// If there is no such network, its parameters are not the reference's, or it cannot be run.
    pub fn compare(&self, cpu: &Arc<Cpu>) -> Result<Distance, TrainError> {
        let (graph, names) = self.network()?;
        self.check(&graph, &names)?;
        let (graph, batch) = (Arc::new(graph), self.input[0]);
        let images = images(&graph, batch);
        let filled = parameters(&graph, &names);

        let mut session = Session::new(graph.clone(), cpu.clone(), &Request::predict(batch))?;
        let logits = session.forward(&filled, &images, batch, 0)?;
        let (logits, argmax) = (self.logits_off(logits), self.argmax_same(logits));
        drop(session);

        let step = |parameters: Parameters| -> Result<(f64, Vec<f64>), TrainError> {
            let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
            let mut stepper = Stepper::new(graph.clone(), cpu.clone(), parameters, rule, batch)?;
            stepper.keep_gradients();
            let (loss, _) = stepper.sweep(&images, &labels(batch, self.classes), 0)?;
            let gradients = stepper.gradients().into_iter().flat_map(Tensors::iter);
            Ok((loss, gradients.map(|(.., values)| norm(values)).collect()))
        };
        let (loss, norms) = step(filled.clone())?;
        let loss_off = (loss / self.train.loss - 1.0).abs();
        let mut all = self.gradients_off(&graph, &names, &norms, &[]);
        let (count, beyond) = (all.len(), all.iter().filter(|g| g.error > GRADIENT || g.error.is_nan()).count());
        let mut loss_rounding = 0.0;
        if beyond > 0 || loss_off > LOSS {
            let moved: Vec<_> = (1..=ROUNDINGS).map(|seed| step(nudged(&filled, seed))).collect::<Result<_, _>>()?;
            loss_rounding = worst(moved.iter().map(|(other, _)| (other / loss - 1.0).abs()));
            let moved: Vec<Vec<f64>> = moved.into_iter().map(|(_, norms)| norms).collect();
            all = self.gradients_off(&graph, &names, &norms, &moved);
        }
        // NaN is farthest.
        let farther = |a: &Gradient, b: &Gradient| a.excess().abs().total_cmp(&b.excess().abs());
        let gradients = all.into_iter().max_by(farther).unwrap_or_default();
        Ok(Distance { logits, argmax, loss: loss_off, loss_rounding, gradients, count, beyond })
    }

    /// Fails if the reference is of another network: other parameters, or answers for other images.
    fn check(&self, graph: &Graph, names: &[String]) -> Result<(), TrainError> {
        let wrong = |why: String| Err(TrainError::Setting(format!("the reference for `{}`: {why}", self.model)));
        if graph.parameter_count() != self.parameters {
            return wrong(format!(
                "it has {} parameters, Striate's network {}",
                self.parameters,
                graph.parameter_count()
            ));
        }
        if self.input[0] == 0 || self.eval.logits.iter().any(Vec::is_empty) {
            return wrong("it has no images, or no logits of one of them".into());
        }
        if self.eval.logits.len() != self.input[0] || self.eval.argmax.len() != self.input[0] {
            return wrong(format!("it does not answer for each of its {} images", self.input[0]));
        }
        let trained = graph.params().zip(names).filter(|((_, spec), _)| spec.trainable).map(|(_, name)| name);
        let mut count = 0;
        for name in trained {
            if !self.train.gradients.contains_key(name) {
                return wrong(format!("it has no gradient of `{name}`"));
            }
            count += 1;
        }
        if count != self.train.gradients.len() {
            return wrong(format!("it has {} gradients, Striate's network {count}", self.train.gradients.len()));
        }
        Ok(())
    }

    fn logits_off(&self, logits: &[f32]) -> f64 {
        let want = || self.eval.logits.iter().flatten();
        let largest = want().fold(f64::MIN_POSITIVE, |most, v| most.max(v.abs()));
        let rows = self.eval.logits.iter().zip(logits.chunks(self.classes));
        let off = rows.flat_map(|(want, got)| want.iter().zip(got).map(|(w, g)| (f64::from(*g) - w).abs() / largest));
        worst(off.chain([(norm(logits) / self.eval.norm - 1.0).abs()]))
    }

    fn argmax_same(&self, logits: &[f32]) -> bool {
        let first_largest = |row: &[f32]| (0..row.len()).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]));
        let got = logits.chunks(self.classes).map(first_largest);
        got.eq(self.eval.argmax.iter().map(|&class| Some(class)))
    }

    /// Every trained parameter's gradient. A bias that batch normalisation takes away again has no gradient but
    /// rounding: its error is measured by its weight's gradient.
    fn gradients_off(&self, graph: &Graph, names: &[String], norms: &[f64], moved: &[Vec<f64>]) -> Vec<Gradient> {
        let (cancelled, mut weight) = (cancelled_biases(graph), 0.0);
        let mut all = Vec::new();
        let trained = graph.params().enumerate().filter(|(_, (_, spec))| spec.trainable);
        for (i, _) in trained {
            let want = self.train.gradients[&names[i]].norm;
            let scale = f64::max(if cancelled[i] { weight } else { want }, f64::MIN_POSITIVE);
            let rounding = worst(moved.iter().map(|other| (other[i] - norms[i]).abs() / scale));
            all.push(Gradient { name: names[i].clone(), error: (norms[i] - want).abs() / scale, rounding });
            weight = want;
        }
        // Few values cross a kink in so few repetitions: where none did, what half the others saw counts.
        let mut roundings: Vec<f64> = all.iter().map(|g| g.rounding).collect();
        roundings.sort_by(f64::total_cmp);
        let common = roundings.get(roundings.len() / 2).copied().unwrap_or(0.0);
        for g in &mut all {
            g.rounding = g.rounding.max(common);
        }
        all
    }
}

/// VGG as timm has it: the dense layers slide over maps larger than 7×7, and what they say is averaged before the last.
fn with_sliding_layers(graph: &Graph) -> Result<Graph, GraphError> {
    graph.rewrite(|node| match (node.name.as_str(), &node.layer) {
        ("avgpool", _) => {
            let map = graph.input_shapes(node)[0];
            Change::Replace(AdaptiveAvgPool::new(map.h.max(7), map.w.max(7)).into())
        }
        ("flatten", _) => Change::Remove,
        ("fc6", AnyLayer::Linear(fc)) => Change::Replace(Conv::new(fc.out_features, 7).into()),
        ("fc7", AnyLayer::Linear(fc)) => Change::Replace(Conv::new(fc.out_features, 1).into()),
        ("relu7", relu) => Change::Follow { layer: relu.clone(), then: GlobalAvgPool.into(), suffix: "_pool" },
        _ => Change::Keep,
    })
}

/// The parameters with every value changed by up to [`NOISE`] of itself.
fn nudged(parameters: &Parameters, seed: u64) -> Parameters {
    let mut nudged = parameters.clone();
    for (i, (.., values)) in nudged.iter_mut().enumerate() {
        let seed = hash(seed, i as u64);
        values.iter_mut().enumerate().for_each(|(j, v)| *v *= 1.0 + NOISE * (2.0 * uniform(seed, j as u64) - 1.0));
    }
    nudged
}

/// The L2 norm.
fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt()
}

/// The largest of them; NaN if one is.
fn worst(errors: impl Iterator<Item = f64>) -> f64 {
    errors.fold(0.0, |most, e| if e.is_nan() || e > most { e } else { most })
}

/// For each parameter, whether it is a bias that goes into batch normalisation and nowhere else.
fn cancelled_biases(graph: &Graph) -> Vec<bool> {
    let users = graph.users();
    let normalised: Vec<bool> = graph
        .ids()
        .map(|id| {
            let by = graph.nodes().iter().filter(|n| n.layer.kind() == "batch_norm" && n.inputs.contains(&id)).count();
            users[id.index()] > 0 && by == users[id.index()]
        })
        .collect();
    let of = |(node, normalised): (&striate_graph::Node, bool)| {
        node.params.iter().map(move |p| normalised && p.name == "bias").collect::<Vec<_>>()
    };
    graph.nodes().iter().zip(normalised).flat_map(of).collect()
}

/// The rule's value for the i-th element of a tensor.
pub fn fill(name: &str, i: usize) -> f32 {
    filler(name)(i)
}

/// [`fill`] of one tensor.
fn filler(name: &str) -> impl Fn(usize) -> f32 + use<> {
    let fnv = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
    move |i| {
        let bits = splitmix64(fnv.wrapping_add(i as u64)) >> 40;
        (2.0 * bits as f64 / f64::from(1 << 24) - 1.0) as f32
    }
}

/// Parameters filled by the rule, `names` being the reference's, in the order of [`Graph::params`].
pub fn parameters(graph: &Graph, names: &[String]) -> Parameters {
    let of_norm: Vec<bool> =
        graph.nodes().iter().flat_map(|n| n.params.iter().map(|_| n.layer.kind() == "batch_norm")).collect();
    let mut p = Tensors::zeros(graph);
    for (((_, spec, values), name), of_norm) in p.iter_mut().zip(names).zip(of_norm) {
        let fill = filler(name);
        let fan_in: usize = spec.shape[1..].iter().product();
        let value = |f: f32| match (of_norm, spec.name) {
            (true, "weight" | "running_var") => 1.0 + f * 0.1,
            (false, "weight") => f * (6.0 / fan_in as f64).sqrt() as f32,
            _ => f * 0.1,
        };
        values.iter_mut().enumerate().for_each(|(i, v)| *v = value(fill(i)));
    }
    p
}

/// The rule's images, in Striate's order: NHWC.
pub fn images(graph: &Graph, batch: usize) -> Vec<f32> {
    let Shape { h, w, c } = graph.input().shape;
    let fill = filler("input");
    let mut all = Vec::with_capacity(batch * h * w * c);
    for (n, y, x) in (0..batch).flat_map(|n| (0..h).flat_map(move |y| (0..w).map(move |x| (n, y, x)))) {
        all.extend((0..c).map(|c_at| fill(((n * c + c_at) * h + y) * w + x)));
    }
    all
}

/// The rule's labels.
pub fn labels(batch: usize, classes: usize) -> Vec<u32> {
    (0..batch).map(|k| ((7 * k + 3) % classes.max(1)) as u32).collect()
}
