//! Filters, maps, and images that excite a unit.

use super::pictures::PicturesArgs;
use super::{Common, layers};
use anyhow::{Context, Result};
use serde_json::json;
use std::process::ExitCode;
use striate_explain::{
    Array, Ascent, ChannelMap, Filters, LayerFigures, Predictor, Sheet, Subject, Tile, choose, last_map, maximise,
};
use striate_graph::{AnyLayer, NodeId};

/// What filters take.
#[derive(clap::Args)]
pub struct FiltersArgs {
    #[command(flatten)]
    common: Common,
    /// Convolutions: names, patterns, or all [default: the first]
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    layer: Vec<String>,
    /// The most filters of a layer that are drawn
    #[arg(long, value_name = "N", default_value_t = 256)]
    most: usize,
    /// The most channels of a filter that are drawn where it reads others than three
    #[arg(long, value_name = "N", default_value_t = 16)]
    channels: usize,
}

/// The convolutions of a network.
pub(super) fn convolutions(subject: &Subject) -> Vec<NodeId> {
    let graph = &subject.graph;
    graph.ids().filter(|id| matches!(graph.node(*id).layer, AnyLayer::Conv(_))).collect()
}

impl FiltersArgs {
    /// Draws filters.
    pub fn run(&self) -> Result<ExitCode> {
        let looked = self.common.read()?;
        let subject = &looked.subject;
        let all = convolutions(subject);
        let first = || -> Result<Vec<NodeId>> { Ok(vec![*all.first().context("the network has no convolution")?]) };
        let mut chosen = layers(subject, &self.layer, first)?;
        if self.layer.iter().any(|name| name == "all" || name.contains(['*', '?'])) {
            chosen.retain(|id| all.contains(id));
            anyhow::ensure!(!chosen.is_empty(), "no convolution fits `{}`", self.layer.join(","));
        }
        let mut results = self.common.results("filters")?;
        results.begin("drawing filters", chosen.len());
        for layer in chosen {
            let (node, filters) = (subject.graph.node(layer), Filters::of(subject, layer)?);
            let shown = filters.count.min(self.most);
            let mut sheet = Sheet::square(format!("{} of {}", node.name, subject.graph.name()), shown);
            sheet.least = 48;
            let figures = LayerFigures::of(subject, layer)?;
            for filter in 0..shown {
                let tile = Tile::new(filters.picture(filter, self.channels), [filter.to_string()]);
                sheet.tiles.push(Tile { marked: figures.dead.contains(&filter), ..tile });
            }
            let [h, w] = filters.kernel;
            let (count, channels) = (filters.count, filters.channels);
            sheet
                .notes
                .push(format!("{shown} of {count} filters of {h}×{w} over {channels} channels, each scaled by itself"));
            sheet.notes.push("mid-grey is zero; a cross marks dead filters".into());
            let name = results.name(&node.name);
            results.sheet(&name, &sheet)?;
            results.array(&name, &Array::new(&[count, channels, h, w], filters.values.to_vec()))?;
            let line = format!("{}: {count} filters of {h}×{w} over {channels} channels", node.name);
            results.entry(json!({"layer": node.name, "figures": figures}), &line)?;
            results.step();
        }
        results.finish()
    }
}

/// What maps take.
#[derive(clap::Args)]
pub struct MapsArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    pictures: PicturesArgs,
    /// Layers: names, patterns, or all [default: the last map before pooling]
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    layer: Vec<String>,
    /// The most channels of a layer that are drawn
    #[arg(long, value_name = "N", default_value_t = 256)]
    most: usize,
}

impl MapsArgs {
    /// Draws activations.
    pub fn run(&self) -> Result<ExitCode> {
        let looked = self.common.read()?;
        let subject = &looked.subject;
        let chosen = layers(subject, &self.layer, || Ok(vec![last_map(&subject.graph)?.0]))?;
        let mut looker = Predictor::new(subject, 1, &chosen)?;
        let mut results = self.common.results("maps")?;
        self.pictures.each(subject, &mut results, None, chosen.len(), |shown, results| {
            let mut maps: Vec<Vec<f32>> = Vec::new();
            looker.run(&shown.input, &mut |_, _, _, all| maps = all.iter().map(|map| map.to_vec()).collect())?;
            let mut figures = Vec::new();
            for (layer, map) in chosen.iter().zip(maps) {
                let node = subject.graph.node(*layer);
                let s = node.shape;
                let channels = ChannelMap::all(&map, s);
                let drawn = channels.len().min(self.most);
                let mut sheet = Sheet::square(format!("{}: {}", node.name, shown.base()), drawn);
                sheet.least = 64;
                for channel in &channels[..drawn] {
                    let tile = Tile::new(channel.picture(), [channel.channel.to_string()]);
                    sheet.tiles.push(Tile { marked: channel.dead, ..tile });
                }
                let dead: Vec<usize> = channels.iter().filter(|c| c.dead).map(|c| c.channel).collect();
                sheet.notes.push(format!("{drawn} of {} channels of {}×{}, each scaled by itself", s.c, s.h, s.w));
                sheet.notes.push(format!("{} are dead on this picture: a cross marks them", dead.len()));
                let name = results.name(&format!("{}_{}", shown.name, node.name));
                results.sheet(&name, &sheet)?;
                results.array(&name, &Array::new(&[s.h, s.w, s.c], map))?;
                figures.push(json!({"layer": node.name, "shape": [s.h, s.w, s.c], "dead": dead}));
                results.step();
            }
            let line = format!("{}: {} layers", shown.file, figures.len());
            results.entry(json!({"file": shown.file, "layers": figures}), &line)
        })?;
        results.finish()
    }
}

/// What maximising takes.
#[derive(clap::Args)]
pub struct MaximiseArgs {
    #[command(flatten)]
    common: Common,
    /// Layers: names, patterns, or all [default: the classes' scores]
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    layer: Vec<String>,
    /// Channels, by number [default: the first nine]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    channel: Vec<usize>,
    /// Classes, by name or number, instead of layers and channels
    #[arg(long, value_name = "C", value_delimiter = ',', conflicts_with_all = ["layer", "channel"])]
    class: Vec<String>,
    /// Steps of the ascent
    #[arg(long, value_name = "N", default_value_t = 200)]
    steps: usize,
    /// Decides what is drawn by lot
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl MaximiseArgs {
    /// Finds images.
    pub fn run(&self) -> Result<ExitCode> {
        let looked = self.common.read()?;
        let subject = &looked.subject;
        let graph = &subject.graph;
        let chosen = if self.layer.is_empty() { vec![subject.scores()] } else { choose(graph, &self.layer)? };
        let classes = self.class.iter().map(|text| Ok(subject.class(text)?)).collect::<Result<Vec<usize>>>()?;
        let ascent = Ascent { steps: self.steps, seed: self.seed, ..Ascent::default() };
        let mut results = self.common.results("maximise")?;
        for layer in chosen {
            let node = graph.node(layer);
            let channels = match (&self.channel[..], &classes[..]) {
                ([], []) => (0..node.shape.c.min(9)).collect(),
                ([], classes) => classes.to_vec(),
                (channels, _) => channels.to_vec(),
            };
            let mut sheet = Sheet::square(format!("{} of {}", node.name, graph.name()), channels.len());
            results.begin(&format!("{}: ascending", node.name), channels.len());
            let (mut figures, mut values) = (Vec::new(), Vec::new());
            for channel in &channels {
                let found = maximise(subject, layer, *channel, &ascent)?;
                let [before, after] = found.values;
                let of = if layer == subject.scores() {
                    subject.classes[*channel].clone()
                } else {
                    format!("channel {channel}")
                };
                let caption = [of, format!("{before:.2} to {after:.2}")];
                sheet.tiles.push(Tile::new(subject.picture(&found.input).to_colour(), caption));
                figures.push(json!({"channel": channel, "grey": before, "found": after}));
                values.extend(found.input);
                results.step();
            }
            sheet.notes.push(format!("gradient ascent from grey, {} steps, with decay, blur and shifts", self.steps));
            let (s, name) = (graph.input().shape, results.name(&node.name));
            results.sheet(&name, &sheet)?;
            results.array(&name, &Array::new(&[channels.len(), s.h, s.w, s.c], values))?;
            let line = format!("{}: {} images", node.name, channels.len());
            results.entry(json!({"layer": node.name, "units": figures}), &line)?;
        }
        results.finish()
    }
}
