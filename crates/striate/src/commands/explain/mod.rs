//! `striate explain`: what a unit saw, and which part of the picture decides.

mod deconv;
mod heat;
mod images;
mod layers;
mod pictures;
mod plates;
mod results;
mod study;

use super::{Machine, must_fit};
use anyhow::Result;
use clap::Subcommand;
use results::Results;
use std::path::PathBuf;
use std::process::ExitCode;
use striate_engine::{Memory, Request};
use striate_explain::{Subject, choose};
use striate_graph::NodeId;
use striate_train::{Card, Model};

/// Look inside a model: what its units see, what decides
#[derive(clap::Args)]
#[command(after_help = "\
Results are sheets as PNG and SVG, raw arrays as .npy, and explain.json with every figure, in a new folder \
runs/explain/METHOD or in --out. --layer takes names (`striate summary MODEL` lists them), patterns such as 'layer2.*', and \
all.

With --json: what explain.json holds, as one object on stdout: {\"method\", \"model\", \"folder\", \"files\", \"results\": [ … ]}.

Examples:
  striate explain gradcam best.safetensors cat.jpg
  striate explain integrated best.safetensors cat.jpg --class dog --trust
  striate explain occlusion best.safetensors cat.jpg --window 32 --stride 8
  striate explain deconv best.safetensors cat.jpg --layer all
  striate explain top best.safetensors photos/ --layer 'layer*.relu2'
  striate explain compare best.safetensors cat.jpg --methods saliency,guided,gradcam
  striate explain diagnose best.safetensors photos/")]
pub struct Args {
    #[command(subcommand)]
    method: Method,
}

/// The methods.
#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // One value a process.
enum Method {
    /// How fast a class's score changes with each pixel: the gradient (Simonyan et al. 2013)
    Saliency(heat::Args),
    /// Guided back-propagation (Springenberg et al. 2015)
    Guided(heat::Args),
    /// The gradient, averaged over noisy copies of the picture (Smilkov et al. 2017)
    Smoothgrad(heat::Args),
    /// Integrated gradients, with the completeness gap (Sundararajan et al. 2017)
    Integrated(heat::Args),
    /// Where the maps lie that raise a class's score (Selvaraju et al. 2017)
    Gradcam(heat::Args),
    /// Grad-CAM++: several things of a kind count alike (Chattopadhay et al. 2018)
    #[command(name = "gradcam++")]
    GradcamPlusPlus(heat::Args),
    /// What covering a square changes, at every place (Zeiler and Fergus 2013, figure 7)
    Occlusion(heat::Args),
    /// Heat maps of several methods on one sheet, with figures of trust
    Compare(heat::CompareArgs),
    /// The deconvnet from a layer's strongest channels down to pixels (Zeiler and Fergus 2013)
    Deconv(deconv::DeconvArgs),
    /// The strongest activations over a data set, with the deconvnet's pictures: the paper's plates
    Top(plates::TopArgs),
    /// A convolution's filters, the first one's if no layer is named
    Filters(layers::FiltersArgs),
    /// A layer's activations, with dead channels marked
    Maps(layers::MapsArgs),
    /// An image that excites a unit
    Maximise(layers::MaximiseArgs),
    /// Whether the same parts of different pictures mean the same to the network (Zeiler and Fergus 2013, table 1)
    Correspondence(study::CorrespondenceArgs),
    /// What is wrong with a network's filters and units, in words
    Diagnose(study::DiagnoseArgs),
}

/// What every method takes.
#[derive(clap::Args)]
pub struct Common {
    /// A model file
    model: PathBuf,
    /// Folder for the results [default: a new one in runs/explain]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Images at once
    #[arg(short, long, value_name = "B", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// All figures as one JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

impl Args {
    /// Explains.
    pub fn run(self) -> Result<ExitCode> {
        match self.method {
            Method::Saliency(args) => args.run("saliency"),
            Method::Guided(args) => args.run("guided"),
            Method::Smoothgrad(args) => args.run("smoothgrad"),
            Method::Integrated(args) => args.run("integrated"),
            Method::Gradcam(args) => args.run("gradcam"),
            Method::GradcamPlusPlus(args) => args.run("gradcam++"),
            Method::Occlusion(args) => args.run("occlusion"),
            Method::Compare(args) => args.run(),
            Method::Deconv(args) => args.run(),
            Method::Top(args) => args.run(),
            Method::Filters(args) => args.run(),
            Method::Maps(args) => args.run(),
            Method::Maximise(args) => args.run(),
            Method::Correspondence(args) => args.run(),
            Method::Diagnose(args) => args.run(),
        }
    }
}

/// A model that is looked into.
pub struct Looked {
    /// The network.
    pub subject: Subject,
    /// Its file.
    pub file: PathBuf,
    /// What is known of it.
    pub card: Card,
}

impl Common {
    /// The model, to be looked into.
    fn read(&self) -> Result<Looked> {
        let Model { graph, parameters, card } = Model::read(&self.model)?;
        let subject =
            Subject::new(graph, parameters, card.preprocessing.clone(), card.classes.clone(), self.machine.cpu()?)?;
        Ok(Looked { subject, file: self.model.clone(), card })
    }

    /// Fails if sweeps of so many images from the scores take more memory than is free.
    fn must_fit(subject: &Subject, batch: usize) -> Result<()> {
        let (backward_from, gradient_taps) = (vec![subject.scores()], vec![subject.graph.input_id()]);
        let request = Request { backward_from, gradient_taps, ..Request::predict(batch) };
        must_fit(Memory::of(&subject.graph, &request)?.total())
    }

    /// Where results go.
    fn results(&self, method: &str) -> Result<Results> {
        Results::new(method, &self.model, self.out.as_deref(), self.json)
    }

    /// Images at once.
    fn batch(&self) -> usize {
        self.batch as usize
    }
}

/// The layers that were named, or else those that `default` gives.
fn layers(subject: &Subject, named: &[String], default: impl FnOnce() -> Result<Vec<NodeId>>) -> Result<Vec<NodeId>> {
    if named.is_empty() { default() } else { Ok(choose(&subject.graph, named)?) }
}
