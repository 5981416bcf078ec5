//! Correspondence of parts, and the diagnosis of a network's filters and units.

use super::images::ImagesArgs;
use super::layers::convolutions;
use super::{Common, Looked, layers};
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use striate_data::{Limits, Picture, Placement};
use striate_explain::{
    Consistency, Field, Filters, LayerFigures, Parts, Sheet, Subject, Tile, UnitFigures, Usage, anywhere,
    correspondence, last_map,
};

/// What correspondence takes.
#[derive(clap::Args)]
#[command(after_help = "\
PARTS is a JSON file: [{\"file\": \"dog1.jpg\", \"parts\": {\"left eye\": [x, y, width, height], …}}, …], in pixels of each \
picture, with the same parts in each; files are looked for beside it.")]
pub struct CorrespondenceArgs {
    #[command(flatten)]
    common: Common,
    /// Where each part is in each picture
    parts: PathBuf,
    /// Layers: names, patterns, or all [default: the last map before pooling]
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    layer: Vec<String>,
    /// Places drawn by lot that are compared with
    #[arg(long, value_name = "N", default_value_t = 10)]
    random: u64,
}

/// One picture of the file.
#[derive(Deserialize)]
struct Marked {
    file: PathBuf,
    parts: BTreeMap<String, [f64; 4]>,
}

impl CorrespondenceArgs {
    /// Compares the parts.
    pub fn run(&self) -> Result<ExitCode> {
        let looked = self.common.read()?;
        let subject = &looked.subject;
        let chosen = layers(subject, &self.layer, || Ok(vec![last_map(&subject.graph)?.0]))?;
        let text = std::fs::read_to_string(&self.parts).with_context(|| format!("{}", self.parts.display()))?;
        let all: Vec<Marked> =
            serde_json::from_str(&text).with_context(|| format!("{} names no parts", self.parts.display()))?;
        let names: Vec<String> = all.first().map(|m| m.parts.keys().cloned().collect()).unwrap_or_default();
        let folder = self.parts.parent().map(PathBuf::from).unwrap_or_default();
        let mut pictures = Vec::new();
        for (i, marked) in all.iter().enumerate() {
            let file = folder.join(&marked.file);
            let other = marked.parts.keys().ne(&names);
            anyhow::ensure!(!other, "{}: other parts than in the first picture", file.display());
            let picture =
                striate_data::read(&file, &Limits::default()).map_err(|e| anyhow::anyhow!("{} {e}", file.display()))?;
            pictures.push(self.prepared(subject, &picture, marked, i as u64)?);
        }
        let mut results = self.common.results("correspondence")?;
        for layer in chosen {
            let found = correspondence(subject, &pictures, layer)?;
            let (parts, lots) = found.split_at(names.len());
            let mean = |all: &[Consistency]| all.iter().map(|c| c.mean).sum::<f64>() / all.len().max(1) as f64;
            let by_name: BTreeMap<&String, &Consistency> = names.iter().zip(parts).collect();
            let name = &subject.graph.node(layer).name;
            let told: Vec<String> =
                by_name.iter().map(|(n, c)| format!("{n} {:.3}±{:.3}", c.mean, c.deviation)).collect();
            let line = format!("{name}: {}; places by lot {:.3}", told.join(", "), mean(lots));
            results
                .entry(json!({"layer": name, "parts": by_name, "random": lots, "random_mean": mean(lots)}), &line)?;
        }
        results.finish()
    }

    /// A picture's input with its parts, and as many places by lot as were asked for, of the parts' sizes in turn.
    fn prepared(&self, subject: &Subject, picture: &Picture, marked: &Marked, seed: u64) -> Result<Parts> {
        let shape = subject.graph.input().shape;
        let name = marked.file.display();
        let placement = subject.preprocessing.placement(picture).with_context(|| format!("{name} is blank"))?;
        let mut fields = Vec::new();
        for (part, place) in &marked.parts {
            let field = on_input(&placement, *place, [shape.h, shape.w]);
            fields.push(field.with_context(|| format!("{name}: `{part}` lies outside what the network sees"))?);
        }
        anyhow::ensure!(!fields.is_empty(), "{name}: no parts");
        for i in 0..self.random {
            let size = fields[i as usize % marked.parts.len()].size();
            fields.push(anywhere(size, [shape.h, shape.w], seed * 1000 + i));
        }
        Ok(Parts { input: subject.input(picture), fields })
    }
}

/// A rectangle of a picture (x, y, width, height) on the input; `None` if nothing of it is there.
fn on_input(placement: &Placement, [x, y, w, h]: [f64; 4], [rows, columns]: [usize; 2]) -> Option<Field> {
    let ([left, top], [right, bottom]) = (placement.to_input([x, y]), placement.to_input([x + w, y + h]));
    let side = |first: f64, last: f64, len: usize| {
        let (first, last) = (first.round().clamp(0.0, len as f64), last.round().clamp(0.0, len as f64));
        (last > first).then_some((first as usize, last as usize))
    };
    let ((top, bottom), (left, right)) = (side(top, bottom, rows)?, side(left, right, columns)?);
    Some(Field { top, left, bottom, right })
}

/// What a diagnosis takes.
#[derive(clap::Args)]
pub struct DiagnoseArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    over: ImagesArgs,
    /// The most images that are looked at
    #[arg(long, value_name = "N", default_value_t = 1000)]
    images: usize,
}

impl DiagnoseArgs {
    /// Looks, and says what it means.
    pub fn run(&self) -> Result<ExitCode> {
        let looked = self.common.read()?;
        let subject = &looked.subject;
        let units = self.usage(&looked)?;
        let mut results = self.common.results("diagnose")?;
        let all = convolutions(subject);
        results.begin("looking at filters", all.len());
        for (i, layer) in all.into_iter().enumerate() {
            let (figures, filters) = (LayerFigures::of(subject, layer)?, Filters::of(subject, layer)?);
            let name = &subject.graph.node(layer).name;
            // Deeper filters do not look at pixels: of them only what is dead or alike is told.
            let words = if i == 0 { figures.words(filters.kernel, filters.stride) } else { deeper(&figures) };
            if i == 0 {
                let mut sheet = Sheet::square(format!("{name} of {}", subject.graph.name()), filters.count);
                sheet.least = 48;
                for f in &figures.filters {
                    let tile = Tile::new(filters.picture(f.filter, 16), [format!("{}: {:.2}", f.filter, f.frequency)]);
                    sheet.tiles.push(Tile { marked: figures.dead.contains(&f.filter), ..tile });
                }
                sheet.notes.push("number: mean frequency in cycles a pixel; a cross marks dead filters".into());
                sheet.notes.extend(words.iter().cloned());
                results.sheet(name, &sheet)?;
            }
            let line = if words.is_empty() { String::new() } else { format!("{name}: {}", words.join("; ")) };
            results.entry(json!({"layer": name, "words": words, "figures": figures}), &line)?;
            results.step();
        }
        for figures in units {
            let words = figures.words();
            results.entry(json!({"layer": figures.layer, "words": words, "units": figures}), &words.join("\n"))?;
        }
        results.finish()
    }

    /// Watches the units over images.
    fn usage(&self, looked: &Looked) -> Result<Vec<UnitFigures>> {
        let (images, batch) = (self.over.open(looked)?, self.common.batch());
        let mut usage = Usage::new(&looked.subject, batch)?;
        images.each(looked, "watching units", batch, self.images, |batch| Ok(usage.add(&batch.images)?))?;
        Ok(usage.figures())
    }
}

/// What is told of a layer that does not look at pixels; nothing where nothing is wrong.
fn deeper(figures: &LayerFigures) -> Vec<String> {
    let n = figures.filters.len();
    let mut words = Vec::new();
    if !figures.dead.is_empty() {
        words.push(format!("{} of {n} filters are dead", figures.dead.len()));
    }
    if !figures.alike.is_empty() {
        words.push(format!("{} pairs of its {n} filters are nearly the same up to sign", figures.alike.len()));
    }
    words
}
