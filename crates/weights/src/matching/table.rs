//! What files may call the parameters of a network of the zoo: a table for each library that has published it, and the
//! network's own names.

use super::keras;
use crate::ForeignWeights;
use striate_graph::{Graph, Shape};
use striate_zoo::{Architecture, Checkpoint, Choice, Options, PaddingRule};

/// Whose names, and so whose conventions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Library {
    /// PyTorch's, with a row of the zoo where there is one.
    Torch(Option<&'static Checkpoint>),
    Keras,
}

/// A network as a library has it, and that library's name of each of its parameters.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) library: Library,
    pub(super) graph: Graph,
    /// In the order of [`Graph::params`].
    pub(super) names: Vec<String>,
    /// The library's name of the network.
    pub(super) model: String,
    /// Whether its input's colours are blue, green, red, less the mean only.
    pub(super) bgr: bool,
}

/// All tables of an architecture, the network having as many classes and channels as the weights; `side`: its input's height
/// and width, if not the published ones.
pub(super) fn tables(architecture: &'static Architecture, weights: &ForeignWeights, side: Option<usize>) -> Vec<Table> {
    let mut tables = Vec::new();
    let published = architecture.input;
    let side = |n: usize| side.unwrap_or(n);
    let input = Shape { h: side(published.h), w: side(published.w), c: published.c };
    let sized = Options { input: Some(input), ..Options::default() };
    let heads: &[Option<bool>] =
        if architecture.takes.contains(&Choice::Auxiliary) { &[None, Some(false)] } else { &[None] };
    for &auxiliary in heads {
        let options = Options { auxiliary, ..sized };
        let mut named = |options: Options, of: &dyn Fn(&Graph) -> Option<Table>| {
            // First as published, to see what the classifier is called, then with the classes that it has.
            let table = architecture.build(&options).ok().and_then(|g| of(&g));
            let Some(found) = table else { return };
            let classes = classes(&found, weights);
            let channels = channels(&found, weights);
            let input = Shape { c: channels.unwrap_or(input.c), ..input };
            let options = Options { classes, input: Some(input), ..options };
            let fitted = architecture.build(&options).ok().and_then(|g| of(&g));
            tables.push(fitted.unwrap_or(found));
        };
        for checkpoint in architecture.checkpoints {
            let keras = checkpoint.library == "keras";
            let padding = (keras && architecture.takes.contains(&Choice::Padding)).then_some(PaddingRule::Keras);
            let of = |g: &Graph| {
                let plain = |n: String| plain(&n);
                let library = if keras { Library::Keras } else { Library::Torch(Some(checkpoint)) };
                let names = checkpoint.names(g).into_iter().map(plain).collect();
                Some(Table { library, graph: g.clone(), names, model: checkpoint.model.into(), bgr: false })
            };
            named(Options { padding, ..options }, &of);
        }
        named(options, &|g| {
            let names = g.params().map(|(name, _)| name).collect();
            Some(Table { library: Library::Torch(None), graph: g.clone(), names, model: g.name().into(), bgr: false })
        });
        match architecture.family {
            "VGG" => named(options, &keras::vgg),
            "ResNet" => named(options, &keras::resnet),
            _ => {}
        }
    }
    tables
}

/// A name without what wraps a network in training, and without what Keras adds or spells in several ways.
pub(super) fn plain(name: &str) -> String {
    let name = name.strip_prefix("module.").unwrap_or(name);
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    name.replace("/depthwise_kernel", "/kernel")
}

/// The classes that the weights tell apart.
fn classes(table: &Table, weights: &ForeignWeights) -> Option<usize> {
    let last = table.graph.params().zip(&table.names).filter(|((_, p), _)| p.shape.len() > 1).last()?;
    let shape = &super::find(weights, last.1)?.shape;
    if matches!(table.library, Library::Keras) { shape.last().copied() } else { shape.first().copied() }
}

/// The channels that the first layer takes.
fn channels(table: &Table, weights: &ForeignWeights) -> Option<usize> {
    let ((_, p), name) = table.graph.params().zip(&table.names).next()?;
    let shape = &super::find(weights, name)?.shape;
    if p.shape.len() != 4 || shape.len() != 4 {
        return None;
    }
    Some(if matches!(table.library, Library::Keras) { shape[2] } else { shape[1] })
}
