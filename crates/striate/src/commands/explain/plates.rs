//! The strongest activations over a data set, with the deconvnet's pictures: the plates of Zeiler and Fergus 2013.

use super::deconv::projection_and_patch;
use super::images::ImagesArgs;
use super::{Common, layers};
use anyhow::{Context, Result};
use serde_json::json;
use std::process::ExitCode;
use std::time::Instant;
use striate_data::{Limits, Picture, Split};
use striate_engine::Rule;
use striate_explain::{Projector, Sheet, Strong, Subject, Tile, Top, Which, last_map, mosaic};
use striate_graph::{AnyLayer, NodeId};

/// What the plates take.
#[derive(clap::Args)]
pub struct TopArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    images: ImagesArgs,
    /// Layers: names, patterns, or all [default: four, from the first to the last map]
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    layer: Vec<String>,
    /// Channels, by number [default: the strongest ones]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    channel: Vec<usize>,
    /// How many of the strongest channels of each layer
    #[arg(long, value_name = "K", default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..=4096))]
    channels: u16,
}

/// Activations of a channel that are shown, as in the paper.
const NINE: usize = 9;
/// Plates are shown at least this long.
const PLATE: u32 = 300;

impl TopArgs {
    /// Looks for the strongest activations, and draws them.
    pub fn run(&self) -> Result<ExitCode> {
        let looked = self.common.read()?;
        let subject = &looked.subject;
        let chosen = layers(subject, &self.layer, || spread(subject, 4))?;
        for node in chosen.iter().map(|layer| subject.graph.node(*layer)) {
            let (name, c) = (&node.name, node.shape.c);
            let wrong = self.channel.iter().find(|channel| **channel >= c);
            anyhow::ensure!(wrong.is_none(), "`{name}` has {c} channels, the first being 0");
        }
        let images = self.images.open(&looked)?;
        let mut results = self.common.results("top")?;
        let mut top = Top::new(subject, &chosen, NINE, self.common.batch())?;
        let begun = Instant::now();
        images.each(&looked, "looking at images", self.common.batch(), usize::MAX, |batch| {
            Ok(top.add(&batch.images, &batch.indices)?)
        })?;
        let seconds = begun.elapsed().as_secs_f64();
        let mut projector = Projector::new(subject, &chosen, NINE)?;
        results.begin("drawing plates", chosen.len());
        for (at, layer) in chosen.iter().enumerate() {
            let node = subject.graph.node(*layer);
            let channels = if self.channel.is_empty() {
                top.strongest_channels(at, self.channels.into())
            } else {
                self.channel.clone()
            };
            let mut sheet = Sheet::new(format!("{} of {}", node.name, subject.graph.name()), 6);
            sheet.least = PLATE;
            let mut figures = Vec::new();
            for channel in channels {
                let strong = top.of(at, channel);
                let (split, limits) = (&images.split, images.limits);
                let [projected, seen] = plate(subject, &mut projector, *layer, channel, strong, split, limits)?;
                let most = strong.first().map_or(0.0, |s| s.value);
                sheet.tiles.push(Tile::new(projected, [format!("channel {channel}"), format!("up to {most:.3}")]));
                sheet.tiles.push(Tile::new(seen, ["what they see".to_owned()]));
                let names: Vec<String> = strong.iter().map(|s| split.samples[s.image].name()).collect();
                figures.push(json!({"channel": channel, "strongest": strong, "images": names}));
            }
            let (count, part) = (top.images(), images.part.short());
            let of = if part == "all" { String::new() } else { format!("{part} ") };
            sheet
                .notes
                .push(format!("the {NINE} strongest among {count} {of}images, one an image: deconvnet, and patch"));
            let name = results.name(&node.name);
            results.sheet(&name, &sheet)?;
            let line = format!("{}: {} channels, {count} {of}images", node.name, figures.len());
            let entry = json!({
                "layer": node.name, "images": count, "part": part, "seconds": seconds, "channels": figures,
                "active": top.active(at),
            });
            results.entry(entry, &line)?;
            results.step();
        }
        results.finish()
    }
}

/// A channel's plate: the projections of its strongest activations, and what their units see.
fn plate(
    subject: &Subject,
    projector: &mut Projector<'_>,
    layer: NodeId,
    channel: usize,
    strong: &[Strong],
    split: &Split,
    limits: Limits,
) -> Result<[Picture; 2]> {
    let mut inputs = Vec::new();
    for s in strong {
        let sample = &split.samples[s.image];
        let picture = sample.read(&limits).with_context(|| sample.name())?;
        inputs.push(subject.input(&picture));
    }
    let units = strong.iter().map(|s| Which::Unit(channel, s.cell));
    let parts: Vec<(&[f32], Which)> = inputs.iter().map(Vec::as_slice).zip(units).collect();
    let found = projector.project_each(Rule::Deconvnet, layer, &parts)?;
    let (mut projected, mut seen) = (Vec::new(), Vec::new());
    for (input, p) in inputs.iter().zip(&found) {
        let [above, below] = projection_and_patch(subject, input, p);
        projected.push(above);
        seen.push(below);
    }
    Ok([mosaic(&projected, 3), mosaic(&seen, 3)])
}

/// Rectified maps from the first to the last, evenly spread: from edges to things.
fn spread(subject: &Subject, count: usize) -> Result<Vec<NodeId>> {
    let graph = &subject.graph;
    let (last, _) = last_map(graph)?;
    let needed = graph.predicting();
    let rectified = |id: &NodeId| {
        let node = graph.node(*id);
        let active = matches!(
            node.layer,
            AnyLayer::Relu(_)
                | AnyLayer::Relu6(_)
                | AnyLayer::LeakyRelu(_)
                | AnyLayer::Tanh(_)
                | AnyLayer::ScaledTanh(_)
        );
        needed[id.index()] && node.shape.h * node.shape.w > 1 && (active && *id <= last || *id == last)
    };
    let all: Vec<NodeId> = graph.ids().filter(rectified).collect();
    let count = count.min(all.len());
    let mut chosen: Vec<NodeId> = (0..count).map(|i| all[i * (all.len() - 1) / (count - 1).max(1)]).collect();
    chosen.dedup();
    Ok(chosen)
}
