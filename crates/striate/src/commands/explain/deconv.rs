//! The deconvnet's pictures of one picture's units.

use super::pictures::{PicturesArgs, Shown};
use super::{Common, layers};
use anyhow::Result;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::process::ExitCode;
use striate_data::Picture;
use striate_engine::Rule;
use striate_explain::{
    Array, Predictor, Projection, Projector, Sheet, Subject, Tile, Which, colours, last_map, mosaic, part, strongest,
};
use striate_graph::Shape;

/// How a sweep goes down, on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum RuleName {
    Deconvnet,
    Guided,
    Gradient,
}

impl RuleName {
    fn rule(self) -> Rule {
        match self {
            RuleName::Deconvnet => Rule::Deconvnet,
            RuleName::Guided => Rule::Guided,
            RuleName::Gradient => Rule::Gradient,
        }
    }
}

/// What projecting a picture's units takes.
#[derive(clap::Args)]
pub struct DeconvArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    pictures: PicturesArgs,
    /// Layers: names, patterns, or all [default: the last map before pooling]
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    layer: Vec<String>,
    /// Channels, by number [default: the strongest ones]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    channel: Vec<usize>,
    /// Units, each as channel:row:column, instead of channels' strongest ones
    #[arg(long, value_name = "C:Y:X", value_delimiter = ',', value_parser = unit_of, conflicts_with = "channel")]
    unit: Vec<Unit>,
    /// How many of the strongest channels
    #[arg(long, value_name = "K", default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..=4096))]
    channels: u16,
    /// All activations of a channel, instead of its strongest one
    #[arg(long, conflicts_with = "unit")]
    whole: bool,
    /// How the way down goes through ReLU
    #[arg(long, value_enum, default_value = "deconvnet")]
    rule: RuleName,
}

/// A unit as it was named.
#[derive(Clone, Copy)]
struct Unit {
    channel: usize,
    cell: [usize; 2],
}

fn unit_of(text: &str) -> Result<Unit, String> {
    let parts: Option<Vec<usize>> = text.split(':').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some(&[channel, y, x]) => Ok(Unit { channel, cell: [y, x] }),
        _ => Err("expected channel:row:column, such as 12:3:7".into()),
    }
}

/// Pairs of a projection and a patch are shown at least this long.
const PAIR: u32 = 192;

impl DeconvArgs {
    /// Projects each picture's units down.
    pub fn run(&self) -> Result<ExitCode> {
        let looked = self.common.read()?;
        let subject = &looked.subject;
        let chosen = layers(subject, &self.layer, || Ok(vec![last_map(&subject.graph)?.0]))?;
        let mut results = self.common.results("deconv")?;
        let mut projector = Projector::new(subject, &chosen, self.common.batch().min(self.most()))?;
        let mut looker = Predictor::new(subject, 1, &chosen)?;
        self.pictures.each(subject, &mut results, None, chosen.len(), |shown, results| {
            let mut maps: Vec<Vec<f32>> = Vec::new();
            looker.run(&shown.input, &mut |_, _, _, all| maps = all.iter().map(|map| map.to_vec()).collect())?;
            let mut layers = Vec::new();
            for (layer, map) in chosen.iter().zip(&maps) {
                let node = subject.graph.node(*layer);
                let parts = self.parts_of(map, node.shape);
                let found = projector.project(self.rule.rule(), &shown.input, *layer, &parts)?;
                let title = format!("{} of {}", node.name, subject.graph.name());
                let name = results.name(&format!("{}_{}", shown.name, node.name));
                results.sheet(&name, &self.sheet(title, subject, shown, &found))?;
                let s = subject.graph.input().shape;
                let values = found.iter().flat_map(|p| p.values.iter().copied()).collect();
                results.array(&name, &Array::new(&[found.len(), s.h, s.w, s.c], values))?;
                layers.push(json!({"layer": node.name, "units": found.iter().map(figures).collect::<Vec<_>>()}));
                results.step();
            }
            let line = format!("{}: {} layers", shown.file, layers.len());
            results.entry(json!({"file": shown.file, "layers": layers}), &line)
        })?;
        results.finish()
    }

    /// The most projections of a layer.
    fn most(&self) -> usize {
        usize::from(self.channels).max(self.channel.len()).max(self.unit.len())
    }

    /// The units or channels that were named, or the channels with the largest activations.
    fn parts_of(&self, map: &[f32], shape: Shape) -> Vec<Which> {
        if !self.unit.is_empty() {
            return self.unit.iter().map(|unit| Which::Unit(unit.channel, unit.cell)).collect();
        }
        let mut channels = self.channel.clone();
        if channels.is_empty() {
            let mut peaks: Vec<(usize, f32)> = (0..shape.c).map(|c| (c, strongest(map, shape, c).1)).collect();
            peaks.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            channels = peaks.into_iter().take(self.channels.into()).map(|(channel, _)| channel).collect();
        }
        let of = if self.whole { Which::Channel } else { Which::Strongest };
        channels.into_iter().map(of).collect()
    }

    /// The picture, and each projection beside what its unit sees.
    fn sheet(&self, title: String, subject: &Subject, shown: &Shown, found: &[Projection]) -> Sheet {
        let mut sheet = Sheet::new(title, 5);
        sheet.least = PAIR;
        sheet.tiles.push(Tile::new(shown.picture.to_colour(), [shown.base()]));
        for p in found {
            let [projected, seen] = projection_and_patch(subject, &shown.input, p);
            let place =
                if self.whole { "all of it".to_owned() } else { format!("row {}, column {}", p.cell[0], p.cell[1]) };
            let caption = [format!("channel {}: {:.3}", p.channel, p.value), place];
            sheet.tiles.push(Tile::new(mosaic(&[projected, seen], 2), caption));
        }
        let what = if self.whole { "a channel's" } else { "a unit's" };
        sheet
            .notes
            .push(format!("left {what} projection down to pixels, grey where nothing comes; right what it sees"));
        sheet
    }
}

/// What is known of a projection.
fn figures(p: &Projection) -> Value {
    json!({"channel": p.channel, "row": p.cell[0], "column": p.cell[1], "activation": p.value,
        "sees": {"top": p.field.top, "left": p.field.left, "bottom": p.field.bottom, "right": p.field.right}})
}

/// A projection, as far as its unit sees, and the same part of the input.
pub fn projection_and_patch(subject: &Subject, input: &[f32], p: &Projection) -> [Picture; 2] {
    let [h, w] = p.field.size();
    let projected = colours::projection(&p.field.cut(&p.values, subject.graph.input().shape), h, w);
    [projected, part(&subject.picture(input), &p.field).to_colour()]
}
