//! `striate export`: a model for other programs.

mod verify;

use super::{Machine, ending, print_json, print_line};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use striate_graph::Graph;
use striate_train::{Card, Model};
use striate_weights::{OnnxOptions, Tensor, TensorRef, fold_batch_norm, write_model, write_onnx, write_state_dict};
use striate_zoo::{Architecture, Checkpoint};

/// Give a model to other programs: ONNX, safetensors, PyTorch
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate export best.safetensors --format onnx --verify 8
  striate export best.safetensors --format onnx --preprocessing inside --fold-bn -o classifier.onnx
  striate export best.safetensors --format torch-state-dict --names torchvision -o resnet18.pth
  striate export best.safetensors --format onnx --verify 8 --verify-with onnxruntime

ONNX files are of opset 17 and take batches of any size, channels first; the class names, the preprocessing and what else \
the model file says are in their metadata (`striate`). With --preprocessing inside, they take pixels of 0 to 255, red, \
green, blue. Auxiliary classifiers and dropout are left out of them.

With --json: {\"model\", \"file\", \"format\", \"bytes\", \"parameters\", \"folded\", \"names\", \"verified\": {\"images\", \"with\", \
\"difference\", \"allowed\"}}. With --verify, exit code 1 if the file gives other answers.")]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Format,
    /// The file to be written [default: the model's name with the format's ending, here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Batch normalisation folded into the convolutions before it
    #[arg(long)]
    fold_bn: bool,
    /// ONNX: whether pixels become inputs inside the file's graph, or before it
    #[arg(long, value_enum, value_name = "WHERE", default_value = "outside")]
    preprocessing: Where,
    /// PyTorch: whose names the parameters have: own, or those of a library that has the network (torchvision, timm, …)
    #[arg(long, value_name = "LIBRARY", default_value = "own")]
    names: String,
    /// Runs this many images of noise through the model and the file, and fails if their answers differ
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    verify: Option<u32>,
    /// Who runs the file: striate, or onnxruntime, in the Python that `STRIATE_PYTHON` names or else in python3
    #[arg(long, value_enum, value_name = "WHO", default_value = "striate", requires = "verify")]
    verify_with: Who,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

/// A form of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Onnx,
    Safetensors,
    TorchStateDict,
}

/// Where preprocessing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Where {
    Inside,
    Outside,
}

/// Who runs a file to verify it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Who {
    Striate,
    Onnxruntime,
}

impl Format {
    fn ending(self) -> &'static str {
        match self {
            Format::Onnx => "onnx",
            Format::Safetensors => "safetensors",
            Format::TorchStateDict => "pth",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Format::Onnx => "onnx",
            Format::Safetensors => "safetensors",
            Format::TorchStateDict => "torch-state-dict",
        }
    }
}

impl Args {
    /// Exports.
    pub fn run(self) -> Result<ExitCode> {
        let model = Model::read(&self.model)?;
        let output = self.output()?;
        let inside = self.preprocessing == Where::Inside;
        if inside && self.format != Format::Onnx {
            bail!("only ONNX files have a graph that preprocessing can be inside of: leave --preprocessing away");
        }
        if self.verify_with == Who::Onnxruntime && self.format != Format::Onnx {
            bail!("ONNX Runtime runs ONNX files: leave --verify-with away");
        }
        let (graph, tensors) = self.network(&model)?;
        match self.format {
            Format::Onnx => write_onnx(&output, &graph, &tensors, &options(&model.card, inside)?)?,
            Format::Safetensors => {
                let serde_json::Value::Object(details) = serde_json::to_value(&model.card)? else {
                    bail!("the model's description has no JSON form")
                };
                write_model(&output, &graph, &details, references(&graph, &tensors, None)?)?;
            }
            Format::TorchStateDict => {
                let names = self.library(&model.graph)?.map(|c| c.names(&graph));
                write_state_dict(&output, references(&graph, &tensors, names.as_deref())?)?;
            }
        }
        let verified = match self.verify {
            Some(images) => Some(self.check(&model, &graph, &output, images as usize)?),
            None => None,
        };
        let bytes = std::fs::metadata(&output).with_context(|| output.display().to_string())?.len();
        if self.json {
            let verified = verified.as_ref().map(verify::Verdict::json);
            print_json(&json!({
                "model": self.model, "file": output, "format": self.format.name(), "bytes": bytes,
                "parameters": graph.parameter_count(), "folded": self.fold_bn, "names": self.names, "verified": verified,
            }))?;
        } else {
            let name = graph.name();
            print_line(&format!("{}: {name}, {}", output.display(), crate::figures::bytes(bytes as usize)))?;
            verified.iter().try_for_each(|v| print_line(&format!("  {}", v.sentence())))?;
        }
        let passed = verified.is_none_or(|v| v.passed());
        Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Where the file goes; nothing is written over.
    fn output(&self) -> Result<PathBuf> {
        let stem = self.model.file_stem().with_context(|| format!("{}: has no name", self.model.display()))?;
        let output = self.output.clone().unwrap_or_else(|| ending(stem, self.format.ending()));
        ensure!(!output.exists(), "{}: is there already; name another file by -o", output.display());
        Ok(output)
    }

    /// The network that goes out, and its values.
    fn network(&self, model: &Model) -> Result<(Graph, BTreeMap<String, Tensor>)> {
        let of = |(name, spec, values): (&str, &striate_graph::ParamSpec, &[f32])| {
            (name.to_owned(), Tensor { shape: spec.shape.clone(), values: values.to_vec() })
        };
        let tensors: BTreeMap<String, Tensor> = model.parameters.iter().map(of).collect();
        if self.fold_bn {
            return Ok(fold_batch_norm(&model.graph, &tensors)?);
        }
        Ok(((*model.graph).clone(), tensors))
    }

    /// The row of the library whose names are asked for.
    fn library(&self, graph: &Graph) -> Result<Option<&'static Checkpoint>> {
        if self.names == "own" {
            return Ok(None);
        }
        ensure!(!self.fold_bn, "folded networks are not {}'s any more: leave --names or --fold-bn away", self.names);
        let architecture: &'static Architecture = striate_zoo::find(graph.name())?;
        let known: Vec<&str> = architecture.checkpoints.iter().map(|c| c.library).filter(|l| *l != "keras").collect();
        let row = architecture.checkpoint(&self.names).filter(|c| c.library != "keras");
        let own = "own is always possible";
        let row = row.with_context(|| match &known[..] {
            [] => format!("{} is in no PyTorch library that is known; {own}", graph.name()),
            all => format!("{} has names of {}; {own}", graph.name(), all.join(", ")),
        })?;
        let published: Vec<String> =
            architecture.build(&striate_zoo::Options::default())?.params().map(|(n, _)| n).collect();
        let same = graph.params().map(|(n, _)| n).eq(published);
        ensure!(same, "{} was changed since it left the zoo: its parameters are not {}'s", graph.name(), self.names);
        Ok(Some(row))
    }

    fn check(&self, model: &Model, graph: &Graph, output: &Path, images: usize) -> Result<verify::Verdict> {
        let cpu = self.machine.cpu()?;
        let inside = self.preprocessing == Where::Inside;
        match self.format {
            Format::Onnx => verify::onnx(&cpu, model, output, images, inside, self.verify_with),
            Format::Safetensors => verify::model_file(&cpu, model, output, images),
            Format::TorchStateDict => verify::state_dict(&cpu, model, graph, output, images),
        }
    }
}

/// What goes into an ONNX file beside the network.
fn options(card: &Card, inside: bool) -> Result<OnnxOptions> {
    let mut said = card.clone();
    let mut preprocessing = None;
    if inside {
        let p = said.preprocessing;
        preprocessing = Some((p.mean.clone(), p.std.clone()));
        let c = p.mean.len();
        // What is left to do outside: nothing but the size.
        said.preprocessing = p.normalised_by(vec![0.0; c], vec![1.0 / 255.0; c]);
    }
    let metadata = vec![
        ("striate".to_owned(), serde_json::to_string(&said)?),
        ("classes".to_owned(), serde_json::to_string(&said.classes)?),
    ];
    Ok(OnnxOptions { preprocessing, metadata })
}

/// The values under their names, or under these, in the network's order.
fn references<'a>(
    graph: &'a Graph,
    tensors: &'a BTreeMap<String, Tensor>,
    names: Option<&'a [String]>,
) -> Result<Vec<TensorRef<'a>>> {
    let mut all = Vec::new();
    for (i, (own, _)) in graph.params().enumerate() {
        let (own, tensor) = tensors.get_key_value(&own).with_context(|| format!("`{own}` has no values"))?;
        let name = names.and_then(|n| n.get(i)).unwrap_or(own);
        all.push(TensorRef { name, shape: &tensor.shape, values: &tensor.values });
    }
    Ok(all)
}
