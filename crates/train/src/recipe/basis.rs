//! What a run is built on: an architecture of the zoo or a trained network, and how pictures become its input.

use super::{SMALL, Wishes, input, named};
use crate::TrainError;
use crate::transfer::{Transfer, stages};
use striate_data::{DataSet, Fit, Preprocessing, SourceKind};
use striate_graph::Graph;
use striate_zoo::{Architecture, Options, find};

/// What a run is built on.
pub(super) struct Basis {
    pub(super) model: String,
    pub(super) preprocessing: Preprocessing,
    pub(super) graph: Graph,
    pub(super) transfer: Option<Transfer>,
}

/// The trained network that is wished for, or the architecture, `default` without a wish.
pub(super) fn basis(data: &DataSet, wishes: &Wishes, default: &str) -> Result<Basis, TrainError> {
    let classes = data.classes.len();
    let Some(origin) = &wishes.origin else {
        let architecture = find(wishes.model.as_deref().unwrap_or(default))?;
        let preprocessing = preprocessing(data, wishes, architecture)?;
        let options = Options { input: Some(input(&preprocessing)), classes: Some(classes), ..wishes.variant };
        let graph = architecture.build(&Options { resolution: None, ..options })?;
        return Ok(Basis { model: architecture.name.into(), preprocessing, graph, transfer: None });
    };
    let mut preprocessing = origin.preprocessing(data.typical.channels, checked_size(wishes.image_size)?);
    if let Some(name) = &wishes.fit {
        preprocessing.fit = fit_named(name, preprocessing.width)?;
    }
    let new_head = origin.transfer.new_head || origin.classes != data.classes;
    let transfer = Transfer { new_head, ..origin.transfer.clone() };
    transfer.check()?;
    let graph = origin.graph(input(&preprocessing), classes, new_head)?;
    stages(&graph, &transfer)?;
    Ok(Basis { model: origin.graph.name().into(), preprocessing, graph, transfer: Some(transfer) })
}

/// A wished size, if it can be.
fn checked_size(size: Option<u32>) -> Result<Option<u32>, TrainError> {
    match size {
        Some(size) if size == 0 || size > Preprocessing::LARGEST_SIDE => {
            Err(TrainError::Setting(format!("--imgsz must be 1 to {}, not {size}", Preprocessing::LARGEST_SIDE)))
        }
        size => Ok(size),
    }
}

fn preprocessing(data: &DataSet, wishes: &Wishes, a: &Architecture) -> Result<Preprocessing, TrainError> {
    let largest = data.typical.width.max(data.typical.height);
    // A network for small images can take larger ones, within reason, where there is more to see.
    let published = a.input.h as u32;
    let default = if largest > SMALL && published <= SMALL { 2 * published } else { published };
    let size = checked_size(wishes.image_size)?.unwrap_or(default);
    let crop = Fit::Crop { resize_to: size + size / 8 };
    let fit = match (&wishes.fit, data.kind) {
        (Some(name), _) => fit_named(name, size)?,
        // The built-in digits are 8×8, and 10×10 with the margin that this rule leaves around them.
        (None, SourceKind::Digits) => Fit::Ink { detail: 10 },
        // MNIST's 28×28 digits in LeNet's 32×32 input, as LeCun had them.
        _ if largest <= size && largest * 4 >= size * 3 => Fit::Pad,
        _ if largest <= SMALL => Fit::Stretch,
        _ => crop,
    };
    Ok(Preprocessing::new(size, size, data.typical.channels, fit))
}

/// The rule of this name for pictures of this size.
fn fit_named(name: &str, size: u32) -> Result<Fit, TrainError> {
    let rules = [
        ("stretch", Fit::Stretch),
        ("crop", Fit::Crop { resize_to: size + size / 8 }),
        ("pad", Fit::Pad),
        ("letterbox", Fit::Letterbox),
        ("ink", Fit::Ink { detail: 0 }),
    ];
    let by_name = |name: &str| rules.iter().find(|(n, _)| *n == name).map(|(_, fit)| *fit);
    named(by_name, &rules.map(|(n, _)| n), "fit", name)
}
