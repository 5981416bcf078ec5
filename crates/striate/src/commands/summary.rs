//! `striate summary`: a network's layers with shapes, parameters, cost, memory and receptive fields; of an architecture by
//! name, or of a model file.

mod analysis;
mod object;
mod table;

use super::network_args::NetworkArgs;
use super::{precision, print_json, print_line, write_text};
use analysis::Analysis;
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;
use striate_engine::Precision;

/// List a network's layers with shapes, parameters, cost, memory and receptive fields
#[derive(clap::Args)]
#[command(after_help = "\
The table's `sees` is the receptive field: the rows and columns of the image that one cell of the layer's map depends on; \
`whole` behind a flatten or a global pooling. `jump` is the distance in pixels from what one cell sees to what \
its neighbour sees, and `centre` the middle of what the first cell sees.

Examples:
  striate summary lenet5
  striate summary lenet5 --formula                        how each size comes about: (32 − 5 + 2·0)/1 + 1 = 28
  striate summary resnet50 --wide --batch 32
  striate summary resnet20 --imgsz 64 --classes 100 --shortcut b
  striate summary runs/train/lenet5/weights/best.safetensors
  striate summary resnet20 --svg resnet20.svg
  striate summary resnet20 --dot | dot -Tsvg > resnet20.svg

With --json: one object with parameters, trainable, statistics, total, parameters_without_classifier, multiply_adds, flops, \
training_multiply_adds (a step at the batch), predict_bytes, train_bytes (with SGD with momentum; least_train_bytes if what \
is cheap is computed again), layers, … parameters and multiply_adds are those of \
the network that predicts, without auxiliary classifiers.")]
#[allow(clippy::struct_excessive_bools)] // Flags of the command line.
pub struct Args {
    /// An architecture's name or a model file
    network: String,
    /// Images in the batch that memory and the training step are stated for
    #[arg(short, long, value_name = "B", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// How activations are kept that memory is stated for: f32, or bf16, half as long
    #[arg(long, value_name = "FORMAT", default_value = "f32", value_parser = precision)]
    precision: Precision,
    /// Attributes in full where they were shortened, and a column of untrained values
    #[arg(short, long)]
    wide: bool,
    /// A column with the rule by which each window makes its size, with the numbers
    #[arg(short, long)]
    formula: bool,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    /// The network as a Graphviz drawing on stdout
    #[arg(long, conflicts_with = "json")]
    dot: bool,
    /// The network as an SVG drawing in this file, or on stdout for -
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "dot"])]
    svg: Option<PathBuf>,
    #[command(flatten)]
    network_args: NetworkArgs,
}

impl Args {
    /// Prints the table, the object or the drawing.
    pub fn run(&self) -> Result<ExitCode> {
        let graph = self.network_args.graph(&self.network)?;
        if let Some(file) = &self.svg {
            write_text(file, &graph.to_svg())?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.dot {
            print_line(graph.to_dot().trim_end())?;
            return Ok(ExitCode::SUCCESS);
        }
        let analysis = Analysis::new(&graph, self.batch as usize, self.precision)?;
        if self.json {
            print_json(&object::object(&analysis))?;
        } else {
            table::print(&analysis, self.wide, self.formula)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
