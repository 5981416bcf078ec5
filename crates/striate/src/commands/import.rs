//! `striate import`: weights of others as a model file.

use super::{ending, print_json, print_line};
use crate::progress::remark;
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use striate_data::{Fit, Preprocessing};
use striate_engine::{Parameters, Tensors};
use striate_graph::layers::Flatten;
use striate_graph::{Change, Graph, Node, Shape};
use striate_train::Card;
use striate_weights::{ForeignWeights, Imported, MatchReport, OnnxModel, Tensor, Wish, is_onnx, match_zoo, parse_onnx};

/// Take weights of others: PyTorch, safetensors, Keras, NumPy, ONNX
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate import resnet18-f37072fd.pth              torchvision's ResNet-18, known by its names
  striate import mobilenet_2_5_224_tf.h5            Keras's MobileNet, with Keras's padding
  striate import weights.safetensors --model resnet50 -o resnet50.safetensors
  striate import classifier.onnx --preprocessing imagenet --classes names.txt

What a file is, its contents tell. Weights are matched to a network of the zoo by names, else by order and shapes; nothing \
is left as it happens to be: if a parameter has no values, there is no model. An ONNX graph comes as it is, unless --model \
names the network that its weights are for. What belongs to the weights (preprocessing, class names, licence) goes into the \
model file; what a file does not say can be said here.

With --json: {\"model\", \"file\", \"format\", \"architecture\", \"library\", \"parameters\", \"classes\", \"by\", \
\"preprocessing\", \"matched\": [{\"parameter\", \"tensor\", \"shape\"}], \"unused\": [{\"name\", \"why\"}], \"remarks\"}")]
pub struct Args {
    /// The file: .pt, .pth, .th, .safetensors, .h5, .keras, .npz, .onnx, whatever its name
    file: PathBuf,
    /// The architecture that the weights are for [default: the one that they fit]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The model file to be written [default: the file's name with .safetensors, here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Height and width of the input in pixels [default: as published]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=16384))]
    imgsz: Option<u32>,
    /// A text file with a class name a line, in the order of the outputs
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// How pixels become inputs. imagenet: less ImageNet's mean, by its deviation; symmetric: from −1 to 1; unit: from 0
    /// to 1; pixels: from 0 to 255 [default: what belongs to the weights]
    #[arg(long, value_enum, value_name = "RULE", hide_possible_values = true)]
    preprocessing: Option<Rule>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// A usual way to make pixels inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rule {
    Imagenet,
    Symmetric,
    Unit,
    Pixels,
}

impl Rule {
    /// Mean and deviation for `c` channels.
    fn mean_std(self, c: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        Ok(match self {
            Rule::Imagenet if c == 3 => (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
            Rule::Imagenet => bail!("ImageNet's mean is one of three colours; the network takes {c} channels"),
            Rule::Symmetric => (vec![0.5; c], vec![0.5; c]),
            Rule::Unit => (vec![0.0; c], vec![1.0; c]),
            Rule::Pixels => (vec![0.0; c], vec![1.0 / 255.0; c]),
        })
    }
}

/// What an import found, whichever way.
struct Found {
    graph: Graph,
    tensors: BTreeMap<String, Tensor>,
    card: Card,
    format: &'static str,
    architecture: Option<&'static str>,
    library: Option<&'static str>,
    report: MatchReport,
}

impl Args {
    /// Imports.
    pub fn run(self) -> Result<ExitCode> {
        let output = self.output()?;
        let found = self.find()?;
        let classes = found.card.classes.len();
        let mut parameters: Parameters = Tensors::zeros(&found.graph);
        for (name, tensor) in found.tensors {
            parameters.set(&name, tensor.values)?;
        }
        found.card.write(&found.graph, &parameters, &output)?;
        let report = &found.report;
        if self.json {
            let matched: Vec<Value> = report
                .matched
                .iter()
                .map(|m| json!({"parameter": m.parameter, "tensor": m.tensor, "shape": m.shape}))
                .collect();
            let unused: Vec<Value> = report.unused.iter().map(|u| json!({"name": u.name, "why": u.why})).collect();
            print_json(&json!({
                "model": output, "file": self.file, "format": found.format, "architecture": found.architecture,
                "library": found.library, "parameters": found.graph.parameter_count(), "classes": classes,
                "by": report.by, "preprocessing": found.card.preprocessing, "matched": matched, "unused": unused,
                "remarks": report.remarks,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let whose = found.library.map(|l| format!(" of {l}")).unwrap_or_default();
        let name = found.architecture.unwrap_or(found.graph.name());
        print_line(&format!("{}: {name}{whose}, {} file", self.file.display(), found.format))?;
        print_line(&format!("  {}", report.summary()))?;
        for unused in report.unused.iter().take(10) {
            print_line(&format!("  not taken: {}: {}", unused.name, unused.why))?;
        }
        report.remarks.iter().try_for_each(|r| print_line(&format!("  {r}")))?;
        print_line(&format!("  pictures: {}", in_words(&found.card.preprocessing)))?;
        print_line(&format!("  {} classes; written to {}", classes, output.display()))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Where the model file goes; nothing is written over.
    fn output(&self) -> Result<PathBuf> {
        let stem = self.file.file_stem().with_context(|| format!("{}: has no name", self.file.display()))?;
        let output = self.output.clone().unwrap_or_else(|| ending(stem, "safetensors"));
        ensure!(!output.exists(), "{}: is there already; name another file by -o", output.display());
        Ok(output)
    }

    fn find(&self) -> Result<Found> {
        let told = |why: String| anyhow!("{}: {why}", self.file.display());
        let side = self.imgsz.map(|s| s as usize);
        if self.model.is_none() {
            let bytes = std::fs::read(&self.file).with_context(|| self.file.display().to_string())?;
            if is_onnx(&bytes) {
                return self.of_graph(parse_onnx(&bytes, self.file.parent(), side).map_err(told)?);
            }
        }
        let weights = ForeignWeights::read(&self.file)?;
        let format = weights.format.name();
        let wish = Wish { architecture: self.model.as_deref(), side };
        self.of_weights(match_zoo(weights, wish).map_err(told)?, format)
    }

    /// A network of the zoo.
    fn of_weights(&self, imported: Imported, format: &'static str) -> Result<Found> {
        let Imported { graph, tensors, architecture, library, licence, preprocessing: p, classes, mut report } =
            imported;
        let prepared = preparation(graph.input().shape, p.resize)?.normalised_by(p.mean, p.std);
        let prepared = self.prepared(prepared)?;
        let classes = self.names(graph.output().shape, classes, &mut report)?;
        let licence = licence.map(|l| format!("{l} (as {} states it)", library.unwrap_or("its library")));
        let card =
            Card { classes, preprocessing: prepared, trained: None, calibration: None, licence, striate: version() };
        let architecture = Some(architecture.name);
        Ok(Found { graph, tensors, card, format, architecture, library, report })
    }

    /// A network that came as a graph.
    fn of_graph(&self, model: OnnxModel) -> Result<Found> {
        let OnnxModel { mut graph, tensors, metadata, notes } = model;
        let said = metadata.iter().find(|(key, _)| key == "striate").map(|(_, text)| text);
        let said: Option<Card> = said.and_then(|text| serde_json::from_str(text).ok());
        let mut report = MatchReport { by: "the graph itself".into(), remarks: notes, ..MatchReport::default() };
        let matched = graph.params().map(|(name, p)| striate_weights::Match {
            parameter: name.clone(),
            tensor: name,
            shape: p.shape.clone(),
        });
        report.matched = matched.collect();
        let given = graph.output().clone();
        if !given.shape.is_vector() {
            let flat = |node: &Node| {
                if node.name != given.name {
                    return Change::Keep;
                }
                Change::Follow { layer: node.layer.clone(), then: Flatten.into(), suffix: ".flat" }
            };
            graph = graph.rewrite(flat)?;
            report.remarks.push(format!(
                "it gives a map of {} for a picture, and no classes: its values stand in their place, channels first",
                given.shape
            ));
        }
        let shape = graph.input().shape;
        let prepared = if let Some(card) = &said {
            self.prepared(card.preprocessing.clone())?
        } else {
            if self.preprocessing.is_none() {
                report.remarks.push(
                    "the file does not say how pixels become inputs: from 0 to 1 is assumed; --preprocessing says otherwise"
                        .into(),
                );
            }
            self.prepared(preparation(shape, shape.h.min(shape.w))?)?
        };
        let classes = self.names(graph.output().shape, said.as_ref().map(|c| c.classes.clone()), &mut report)?;
        let licence = said.and_then(|c| c.licence);
        let card =
            Card { classes, preprocessing: prepared, trained: None, calibration: None, licence, striate: version() };
        Ok(Found { graph, tensors, card, format: "ONNX", architecture: None, library: None, report })
    }

    /// The preprocessing, as the wish says it.
    fn prepared(&self, p: Preprocessing) -> Result<Preprocessing> {
        let Some(rule) = self.preprocessing else { return Ok(p) };
        let (mean, std) = rule.mean_std(p.channels.into())?;
        Ok(p.normalised_by(mean, std))
    }

    /// The classes' names: those given, else those that are known, else numbers.
    fn names(&self, output: Shape, known: Option<Vec<String>>, report: &mut MatchReport) -> Result<Vec<String>> {
        if let Some(file) = &self.classes {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            let names: Vec<String> = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
            let n = names.len();
            ensure!(n == output.c, "{}: names {n} classes, but the network tells {} apart", file.display(), output.c);
            return Ok(names);
        }
        if let Some(names) = known.filter(|n| n.len() == output.c) {
            return Ok(names);
        }
        let note = "the classes' names are not known: they are numbered; --classes names them";
        report.remarks.push(note.into());
        if !self.json {
            remark(&format!("warning: {note}"));
        }
        Ok((0..output.c).map(|i| i.to_string()).collect())
    }
}

/// Pictures cut from the centre of what was resized.
fn preparation(input: Shape, resize: usize) -> Result<Preprocessing> {
    let Shape { h, w, c } = input;
    ensure!(c == 1 || c == 3, "the network takes {c} channels: pictures have 1 or 3");
    let side = |n: usize| u32::try_from(n).ok().filter(|n| (1..=Preprocessing::LARGEST_SIDE).contains(n));
    let (Some(height), Some(width)) = (side(h), side(w)) else { bail!("the network takes {h}×{w} pixels") };
    let resize_to = resize.max(h.max(w)) as u32;
    Ok(Preprocessing::new(width, height, c as u8, Fit::Crop { resize_to }))
}

/// What becomes of a picture before it is an input.
fn in_words(p: &Preprocessing) -> String {
    let fit = match p.fit {
        Fit::Crop { resize_to } => {
            format!("the shorter side to {resize_to} pixels, {}×{} of the centre", p.width, p.height)
        }
        _ => format!("to {}×{}", p.width, p.height),
    };
    let list = |values: &[f32]| values.iter().map(|v| decimals(*v)).collect::<Vec<_>>().join(" ");
    format!("{fit}; values from 0 to 1, less {}, divided by {}", list(&p.mean), list(&p.std))
}

/// Three places at most.
fn decimals(v: f32) -> String {
    let text = format!("{v:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
