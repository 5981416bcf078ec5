//! Weights of others in a network of the zoo: by names where a table knows them, else by order and shapes, with a report of
//! what matched, what did not, and why. A network is only handed out whole: no parameter is ever left as it happens to be.

mod classes;
mod keras;
mod order;
mod report;
mod table;

use crate::foreign::listed;
use crate::{ForeignTensor, ForeignWeights, Tensor};
pub use report::{Leftover, Match, MatchReport};
use std::collections::{BTreeMap, HashMap, HashSet};
use striate_graph::{AnyLayer, Graph, Node, ParamSpec, Shape};
use striate_zoo::Architecture;
use table::{Library, Table, plain, tables};

/// What is known beside the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// The architecture; otherwise all of the zoo are tried.
    pub architecture: Option<&'a str>,
    /// Height and width of the input, if not the published ones.
    pub side: Option<usize>,
}

/// A network of the zoo with weights from elsewhere.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network, as the library that trained it has it.
    pub graph: Graph,
    /// A tensor for each of its parameters.
    pub tensors: BTreeMap<String, Tensor>,
    /// Which of the zoo's it is.
    pub architecture: &'static Architecture,
    /// Whose weights they are, as far as their names tell.
    pub library: Option<&'static str>,
    /// The licence of the library's own weights, if the names are the library's.
    pub licence: Option<&'static str>,
    /// How a picture becomes its input.
    pub preprocessing: ImportedPreprocessing,
    /// The classes' names, where the number of classes tells the data set.
    pub classes: Option<Vec<String>>,
    /// What matched.
    pub report: MatchReport,
}

/// How a picture becomes an input: x = (pixel / 255 − mean) / std, per channel in the order red, green, blue.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedPreprocessing {
    /// What the shorter side is first scaled to; the input is cut from the centre.
    pub resize: usize,
    /// Subtracted from each channel.
    pub mean: Vec<f32>,
    /// What each channel is divided by.
    pub std: Vec<f32>,
}

/// A table tried on a file.
struct Trial {
    architecture: &'static Architecture,
    table: Table,
    /// The index of the file's tensor for each of the network's parameters, in order; whole if none is missing.
    pairs: Vec<usize>,
    report: MatchReport,
}

impl Trial {
    /// The less, the better: parameters without values and tensors that nothing takes, the former by themselves, names that
    /// nobody has published. A deep network that lacks a few is nearer than a shallow one that takes a part of it.
    fn rank(&self) -> (usize, usize, bool) {
        let own = matches!(self.table.library, Library::Torch(None));
        let (missing, unused) = (self.report.missing.len(), self.report.unused.len());
        (missing + unused, missing, own)
    }
}

/// Finds the network that weights belong to, and gives it them.
///
/// # Errors
/// If no network takes them, with the nearest one and what is missing.
pub fn match_zoo(weights: ForeignWeights, wish: Wish<'_>) -> Result<Imported, String> {
    if weights.tensors.is_empty() {
        return Err("holds no weights".into());
    }
    let weights = unwrapped(weights);
    let named = wish.architecture.map(striate_zoo::find).transpose().map_err(|e| e.to_string())?;
    let candidates: Vec<&'static Architecture> = named.map_or_else(|| striate_zoo::all().collect(), |a| vec![a]);
    let mut best: Option<Trial> = None;
    let mut equals: Vec<&str> = Vec::new();
    let mut offer = |trial: Trial| {
        let better = best.as_ref().is_none_or(|b| trial.rank() < b.rank());
        if let Some(b) = best.as_ref().filter(|b| !better && b.rank() == trial.rank())
            && b.architecture.name != trial.architecture.name
        {
            equals.push(trial.architecture.name);
        }
        if better {
            equals.clear();
            best = Some(trial);
        }
    };
    for architecture in &candidates {
        for table in tables(architecture, &weights, wish.side) {
            offer(by_names(architecture, table, &weights));
        }
    }
    if best.as_ref().is_none_or(|b| !b.report.missing.is_empty()) {
        let mut found: Vec<Trial> = candidates.iter().filter_map(|a| order::trial(a, &weights, wish.side)).collect();
        if let [first, second, ..] = &found[..] {
            let (a, b) = (first.architecture.name, second.architecture.name);
            return Err(format!(
                "fits several networks by order and shapes, {a} and {b} among them: say which by name"
            ));
        }
        if let Some(trial) = found.pop() {
            best = Some(trial);
            equals.clear();
        }
    }
    let best = best.ok_or("there is no network to match")?;
    if !best.report.missing.is_empty() {
        return Err(refusal(&best));
    }
    let mut imported = finish(best, weights)?;
    if !equals.is_empty() {
        let names = listed(&equals);
        imported.report.remarks.push(format!("the same weights fit {names} too: say which is meant by name"));
    }
    Ok(imported)
}

/// Why the nearest network is not handed out.
fn refusal(best: &Trial) -> String {
    let names: Vec<&str> = best.report.missing.iter().map(|m| m.name.as_str()).collect();
    let all = best.report.matched.len() + names.len();
    let spare: Vec<&str> = best.report.unused.iter().map(|m| m.name.as_str()).collect();
    let name = best.architecture.name;
    if best.report.matched.is_empty() {
        return format!("holds the weights of no network that is known; among them are {}", listed(&spare));
    }
    let why = best.report.missing.first().map(|m| format!("; `{}` {}", m.name, m.why)).unwrap_or_default();
    format!(
        "does not hold all of a network's weights: {name} is nearest, and lacks {} of {all} parameters ({}){why}; nothing takes {}",
        names.len(),
        listed(&names),
        listed(&spare),
    )
}

/// The weights with their names plain, and without what all of them are wrapped in.
fn unwrapped(mut weights: ForeignWeights) -> ForeignWeights {
    const WRAPPERS: [&str; 8] =
        ["module.", "_orig_mod.", "model.", "ema_model.", "ema.", "net.", "network.", "backbone."];
    while let Some(wrapper) = WRAPPERS.iter().find(|w| weights.tensors.iter().all(|t| t.name.starts_with(**w))) {
        for tensor in &mut weights.tensors {
            tensor.name.drain(..wrapper.len());
        }
        weights.notes.push(format!("all names begin with `{wrapper}`, which is passed over"));
    }
    for tensor in &mut weights.tensors {
        tensor.name = plain(&tensor.name);
    }
    weights
}

fn find<'w>(weights: &'w ForeignWeights, name: &str) -> Option<&'w ForeignTensor> {
    weights.tensors.iter().find(|t| t.name == name)
}

/// Matches by a table's names.
fn by_names(architecture: &'static Architecture, table: Table, weights: &ForeignWeights) -> Trial {
    let by_name: HashMap<&str, usize> = weights.tensors.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect();
    let (mut pairs, mut report, mut taken) = (Vec::new(), MatchReport::default(), HashSet::new());
    report.by = match table.library {
        Library::Torch(Some(checkpoint)) => format!("{}'s names", checkpoint.library),
        Library::Torch(None) => "its own names".into(),
        Library::Keras => "Keras's names".into(),
    };
    let keras = matches!(table.library, Library::Keras);
    for ((node, spec), name) in parameters(&table.graph).zip(&table.names) {
        let parameter = node.param_name(spec);
        let Some(&index) = by_name.get(name.as_str()) else {
            report.missing.push(Leftover { name: parameter, why: format!("should be `{name}`, which is not there") });
            continue;
        };
        let (tensor, shape) = (&weights.tensors[index], spec.shape.clone());
        if fits(spec, tensor, keras) {
            taken.insert(index);
            pairs.push(index);
            report.matched.push(Match { parameter, tensor: name.clone(), shape });
        } else {
            let why = format!("is {shape:?}, but the file's `{name}` is {:?}", tensor.shape);
            report.missing.push(Leftover { name: parameter, why });
        }
    }
    for (_, tensor) in weights.tensors.iter().enumerate().filter(|(i, _)| !taken.contains(i)) {
        report.unused.push(Leftover { name: tensor.name.clone(), why: "the network has no such parameter".into() });
    }
    Trial { architecture, table, pairs, report }
}

/// A network's parameters with their nodes, in order.
fn parameters(graph: &Graph) -> impl Iterator<Item = (&Node, &ParamSpec)> {
    graph.nodes().iter().flat_map(|n| n.params.iter().map(move |p| (n, p)))
}

/// Whether a tensor's values can be a parameter's.
fn fits(spec: &ParamSpec, tensor: &ForeignTensor, keras: bool) -> bool {
    if keras {
        return keras::fits(&spec.shape, &tensor.shape);
    }
    // A dense layer as a convolution over the whole map: the same values in the same order.
    let dense = spec.shape.len() == 2
        && tensor.shape.len() == 4
        && spec.shape[0] == tensor.shape[0]
        && spec.len() == tensor.values.len();
    dense || spec.shape == tensor.shape
}

/// The values of a trial's network, taken out of the file's.
fn values(trial: &Trial, weights: &mut ForeignWeights) -> Result<BTreeMap<String, Tensor>, String> {
    let graph = &trial.table.graph;
    let keras = matches!(trial.table.library, Library::Keras);
    let mut tensors = BTreeMap::new();
    for ((node, spec), &index) in parameters(graph).zip(&trial.pairs) {
        let tensor = &mut weights.tensors[index];
        let mut values = std::mem::take(&mut tensor.values);
        if keras {
            let turned = keras::turned(spec, &tensor.shape, &values, flattened(graph, node));
            values = turned.ok_or_else(|| format!("`{}` does not fit", tensor.name))?;
        }
        tensors.insert(node.param_name(spec), Tensor { shape: spec.shape.clone(), values });
    }
    Ok(tensors)
}

/// The map that was flattened before a node, through what leaves vectors as they are.
fn flattened(graph: &Graph, node: &Node) -> Option<Shape> {
    let mut at = node;
    loop {
        let &[input] = &at.inputs[..] else { return None };
        at = graph.node(input);
        match at.layer {
            AnyLayer::Flatten(_) => return graph.input_shapes(at).first().copied(),
            AnyLayer::Dropout(_) => {}
            _ => return None,
        }
    }
}

/// The network with its values, and what belongs to it.
fn finish(trial: Trial, mut weights: ForeignWeights) -> Result<Imported, String> {
    let mut tensors = values(&trial, &mut weights)?;
    let Trial { architecture, table, mut report, .. } = trial;
    report.remarks.extend(weights.notes);
    let p = architecture.preprocessing;
    let mut preprocessing = ImportedPreprocessing { resize: p.resize, mean: p.mean.to_vec(), std: p.std.to_vec() };
    let c = table.graph.input().shape.c;
    if preprocessing.mean.len() != c {
        // Grey of colours, or the other way round: their mean.
        let mean = |v: &[f32]| v.iter().sum::<f32>() / v.len() as f32;
        preprocessing.mean = vec![mean(&preprocessing.mean); c];
        preprocessing.std = vec![mean(&preprocessing.std); c];
    }
    if table.bgr && c == 3 {
        if let Some((name, _)) = table.graph.params().next()
            && let Some(first) = tensors.get_mut(&name)
        {
            swap_colours(first);
        }
        // Caffe's means of blue, green and red: 103.939, 116.779, 123.68.
        preprocessing.mean = [123.68, 116.779, 103.939].map(|m: f32| m / 255.0).to_vec();
        preprocessing.std = vec![1.0 / 255.0; 3];
        report.remarks.push("its first kernels took blue, green, red and were turned to red, green, blue".into());
    }
    let shape = table.graph.input().shape;
    if [shape.h, shape.w] != [architecture.input.h, architecture.input.w] {
        let published = architecture.input.h.min(architecture.input.w);
        preprocessing.resize = preprocessing.resize * shape.h.min(shape.w) / published.max(1);
    }
    let (library, licence) = match table.library {
        Library::Torch(Some(checkpoint)) => (Some(checkpoint.library), Some(checkpoint.licence)),
        Library::Torch(None) => (None, None),
        Library::Keras => {
            let row = architecture.checkpoint("keras");
            (Some("keras"), Some(row.map_or("Apache-2.0", |c| c.licence)))
        }
    };
    if matches!(table.library, Library::Keras) && report.by.contains("names") {
        report.remarks.push(format!("layers are those of Keras's {}: padding and ε are its own", table.model));
    }
    let classes = classes::likely(table.graph.output().shape.len(), architecture.input.h).map(|(of, names)| {
        report.remarks.push(format!("the file names no classes; {} are taken for those of {of}", names.len()));
        names
    });
    Ok(Imported { graph: table.graph, tensors, architecture, library, licence, preprocessing, classes, report })
}

/// Turns the order of a kernel's three input channels round.
fn swap_colours(weight: &mut Tensor) {
    let &[_, 3, h, w] = &weight.shape[..] else { return };
    for filter in weight.values.chunks_exact_mut(3 * h * w) {
        let (first, rest) = filter.split_at_mut(h * w);
        first.swap_with_slice(&mut rest[h * w..]);
    }
}

#[cfg(test)]
mod tests;
