//! What a transfer begins with: the network of a model file, with a head for the classes at hand, for the pictures' size and
//! colours, and its values.

use super::backbone::frozen;
use super::channels::{adapt, adaptable, spread};
use super::{Kept, Origin, Transfer, cut, stages, units};
use crate::{Config, Model, TrainError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use striate_data::Preprocessing;
use striate_engine::{Parameters, Scheme};
use striate_graph::{AnyLayer, Change, Graph, NodeId, Shape};

/// A network and its values as a transfer begins with them.
#[derive(Clone, Debug)]
pub struct Start {
    /// The network, without auxiliary classifiers.
    pub graph: Arc<Graph>,
    /// Its values.
    pub parameters: Parameters,
    /// The licence of the weights, if one is stated.
    pub licence: Option<String>,
    /// What was changed of the network, to be told.
    pub notes: Vec<String>,
}

/// The node that tells classes apart: the last with weights.
///
/// # Errors
/// If it is no layer whose number of outputs can be another.
pub fn head(graph: &Graph) -> Result<NodeId, TrainError> {
    let weighted = graph.ids().rev().find(|id| !graph.node(*id).params.is_empty());
    let refused = |why: String| TrainError::Setting(format!("`{}` can be given no new head: {why}", graph.name()));
    let id = weighted.ok_or_else(|| refused("it has no layer with weights".into()))?;
    let node = graph.node(id);
    match node.layer {
        AnyLayer::Linear(_) => Ok(id),
        AnyLayer::Conv(conv) if conv.window.kernel == [1, 1] && conv.groups == 1 => Ok(id),
        _ => {
            let (name, kind) = (&node.name, node.layer.kind());
            Err(refused(format!(
                "its last layer with weights, `{name}`, is a {kind}, not a linear layer or 1×1 convolution"
            )))
        }
    }
}

impl Origin {
    /// Reads a model file to begin with. `transfer` says how, but for the file and its checksum.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(path: &Path, transfer: Transfer) -> Result<Origin, TrainError> {
        let model = Model::read(path)?;
        let transfer = Transfer { from: path.to_path_buf(), sha256: checksum(path)?, ..transfer };
        let graph = Arc::unwrap_or_clone(model.graph);
        Ok(Origin { graph, classes: model.card.classes, preprocessing: model.card.preprocessing, transfer })
    }

    /// How pictures of so many channels become the input of `size` pixels, of the network's own without.
    pub fn preprocessing(&self, channels: u8, size: Option<u32>) -> Preprocessing {
        let p = &self.preprocessing;
        let channels = if adaptable(&self.graph) { channels } else { p.channels };
        let (mean, std) = (spread(&p.mean, channels.into()), spread(&p.std, channels.into()));
        let mut adapted = Preprocessing { channels, mean, std, ..p.clone() };
        if let Some(size) = size {
            // The margin that is cut off stays the same share.
            if let striate_data::Fit::Crop { resize_to } = &mut adapted.fit {
                *resize_to = (u64::from(*resize_to) * u64::from(size) / u64::from(p.width.max(p.height)).max(1)) as u32;
                *resize_to = (*resize_to).max(size);
            }
            (adapted.width, adapted.height) = (size, size);
        }
        adapted
    }

    /// The network for that input and so many classes, with a new head or its own.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn graph(&self, input: Shape, classes: usize, new_head: bool) -> Result<Graph, TrainError> {
        adapted(&self.graph, input, classes, new_head)
    }
}

impl Start {
    /// Reads what a run begins with.
    ///
    /// # Errors
    /// If the file is not there, or no longer what it was when the run was planned, or cannot be adapted.
    pub fn read(config: &Config, transfer: &Transfer, classes: usize) -> Result<Start, TrainError> {
        let path = &transfer.from;
        let found = checksum(path)?;
        if found != transfer.sha256 {
            let why = format!(
                "is not the file that the run was begun with: its SHA-256 is {}…, not {}…",
                &found[..12],
                &transfer.sha256[..12.min(transfer.sha256.len())]
            );
            return Err(TrainError::Model { path: path.clone(), why });
        }
        Start::of(Model::read(path)?, config, transfer.new_head, classes)
    }

    /// The part that stays frozen, if there is one, and the one that is tuned at last.
    ///
    /// # Errors
    /// If what is to be tuned is not in the network.
    pub fn parts(&self, transfer: &Transfer) -> Result<(Option<Graph>, Graph), TrainError> {
        let cut = cut(&self.graph, &transfer.tune)?;
        if cut == self.graph.input_id() {
            return Ok((None, (*self.graph).clone()));
        }
        Ok((Some(frozen(&self.graph, cut)?), self.graph.behind(cut)?))
    }

    /// The bytes of so many images' features, of the stage where they are most, but `most` at most; 0 if they are more in each.
    ///
    /// # Errors
    /// As [`Start::parts`].
    pub fn features(&self, transfer: &Transfer, images: usize, most: usize) -> Result<usize, TrainError> {
        let stages = stages(&self.graph, transfer)?;
        let frozen = stages.iter().filter(|stage| stage.cut != self.graph.input_id());
        let bytes = frozen.map(|stage| Kept::bytes(images, self.graph.node(stage.cut).shape.len()));
        Ok(bytes.filter(|bytes| *bytes <= most).max().unwrap_or(0))
    }

    /// Adapts a model.
    ///
    /// # Errors
    /// If it cannot be adapted.
    pub fn of(mut model: Model, config: &Config, new_head: bool, classes: usize) -> Result<Start, TrainError> {
        let mut graph = adapted(&model.graph, config.input(), classes, new_head)?;
        let mut notes = Vec::new();
        let of = model.graph.auxiliary().len();
        if of > 0 {
            notes.push(format!("its {of} auxiliary classifiers are left out"));
        }
        let head_id = head(&graph)?;
        let head_name = graph.node(head_id).name.clone();
        let (from, to) = (model.graph.input().shape, graph.input().shape);
        if (from.h, from.w) != (to.h, to.w) {
            notes.push(format!("takes {}×{} pixels instead of {}×{}", to.h, to.w, from.h, from.w));
        }
        let mut parameters = Parameters::zeros(&graph);
        if new_head {
            notes.push(format!("`{head_name}` is new, for {classes} classes (before: {})", model.card.classes.len()));
            start_head(&graph, head_id, config.seed, &mut parameters)?;
        } else {
            notes.push(format!("the {classes} classes are the same, and so `{head_name}` is kept"));
        }
        if from.c != to.c {
            notes.push(adapt_first(&model, &graph, &mut parameters)?);
        }
        // All that has its shape still is moved, not copied.
        let kept = |name: &str, spec: &striate_graph::ParamSpec| {
            let found = model.parameters.iter().find(|(n, ..)| *n == name);
            found.is_some_and(|(_, s, _)| s.shape == spec.shape)
                && (!new_head || !name.starts_with(&format!("{head_name}.")))
        };
        let names: Vec<String> = graph.params().filter(|(n, s)| kept(n, s)).map(|(n, _)| n).collect();
        for name in names {
            if let Some(values) = model.parameters.take(&name) {
                parameters.set(&name, values)?;
            }
        }
        if !config.no_decay.is_empty() {
            graph.spare_from_decay(|name| config.no_decay.iter().any(|piece| name.contains(piece)));
        }
        Ok(Start { graph: Arc::new(graph), parameters, licence: model.card.licence, notes })
    }
}

/// The network for another input and other classes: only the head's and the first layers' parameters may have other shapes.
fn adapted(origin: &Graph, input: Shape, classes: usize, new_head: bool) -> Result<Graph, TrainError> {
    let plain = origin.without_auxiliary();
    let head_name = plain.node(head(&plain)?).name.clone();
    let graph = plain.rewrite(|node| match &node.layer {
        AnyLayer::Input(_) => Change::Replace(striate_graph::layers::Input::new(input).into()),
        AnyLayer::Linear(linear) if new_head && node.name == head_name => {
            Change::Replace(striate_graph::layers::Linear { out_features: classes, ..*linear }.into())
        }
        AnyLayer::Conv(conv) if new_head && node.name == head_name => {
            Change::Replace(striate_graph::layers::Conv { out_channels: classes, ..*conv }.into())
        }
        _ => Change::Keep,
    })?;
    let output = graph.output().shape;
    if !output.is_vector() || output.c != classes {
        let why = format!("`{}` answers {output} where {classes} classes are to be told apart", graph.name());
        return Err(TrainError::Setting(why));
    }
    let first = |name: &str| {
        let reads = |n: &&striate_graph::Node| n.inputs.contains(&graph.input_id());
        input.c != plain.input().shape.c
            && graph.nodes().iter().filter(reads).any(|n| name == format!("{}.weight", n.name))
    };
    for ((name, now), (_, before)) in graph.params().zip(plain.params()) {
        let may_differ = name.starts_with(&format!("{head_name}.")) || first(&name);
        if now.shape != before.shape && !may_differ {
            let (h, w) = (plain.input().shape.h, plain.input().shape.w);
            let why = format!(
                "`{}` takes {h}×{w} pixels: at {}×{} its `{name}` would be {:?} instead of {:?}",
                graph.name(),
                input.h,
                input.w,
                now.shape,
                before.shape
            );
            return Err(TrainError::Setting(why));
        }
    }
    Ok(graph)
}

/// A new head's values. It begins at zero, so that its first loss is that of guessing (Kolesnikov et al. 2020,
/// arXiv:1912.11370, section 3.3), unless something behind it would keep it there: then at random, by Le Cun's rule.
fn start_head(graph: &Graph, head: NodeId, seed: u64, parameters: &mut Parameters) -> Result<(), TrainError> {
    let passes = |n: &striate_graph::Node| {
        use AnyLayer::{AdaptiveAvgPool, AvgPool, Dropout, Flatten, GlobalAvgPool, Softmax};
        matches!(n.layer, AdaptiveAvgPool(_) | AvgPool(_) | Dropout(_) | Flatten(_) | GlobalAvgPool(_) | Softmax(_))
    };
    if graph.nodes()[head.index() + 1..].iter().all(passes) {
        return Ok(());
    }
    let Some(unit) = units(graph).into_iter().next() else { return Ok(()) };
    let tail = graph.behind(unit.before)?;
    let name = &graph.node(head).name;
    let drawn = Parameters::init(&tail, Scheme::LeCun, seed);
    for (full, _, values) in drawn.iter().filter(|(full, ..)| full.starts_with(&format!("{name}."))) {
        parameters.set(full, values)?;
    }
    Ok(())
}

/// Gives the first layers weights for another number of channels; says what was done.
fn adapt_first(model: &Model, graph: &Graph, parameters: &mut Parameters) -> Result<String, TrainError> {
    let (from, to) = (model.graph.input().shape.c, graph.input().shape.c);
    let mut names = Vec::new();
    for node in graph.nodes().iter().filter(|node| node.inputs.contains(&graph.input_id())) {
        let AnyLayer::Conv(conv) = node.layer else { continue };
        let name = format!("{}.weight", node.name);
        let [kh, kw] = conv.window.kernel;
        if let Some(weight) = model.parameters.get(&name) {
            parameters.set(&name, adapt(weight, from, to, kh * kw))?;
            names.push(format!("`{}`", node.name));
        }
    }
    let names = names.join(", ");
    Ok(if to == 1 {
        format!(
            "{names}: the weights of the {from} colours are summed up to take grey pictures, whose mean and deviation are the colours' average"
        )
    } else {
        format!("{names}: the weights of grey pictures are shared out among {to} colours")
    })
}

/// A file's SHA-256, as hexadecimal digits.
fn checksum(path: &Path) -> Result<String, TrainError> {
    let failed = |source| TrainError::File { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(failed)?;
    let (mut sum, mut piece) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece).map_err(failed)? {
            0 => break,
            n => sum.update(&piece[..n]),
        }
    }
    Ok(sum.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}
