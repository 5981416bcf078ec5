//! The network that a detector begins with: a model file, or an architecture with random weights.

use crate::commands::network_args::VariantArgs;
use anyhow::{Context, Result, bail};
use std::path::Path;
use striate_data::{Fit, Preprocessing};
use striate_detect::rcnn::Backbone;
use striate_graph::Shape;
use striate_train::Model;
use striate_zoo::{Options, find};

/// Which network.
#[derive(clap::Args)]
pub struct BackboneArgs {
    /// A model file, or an architecture (`striate models` lists them)
    #[arg(long, value_name = "FILE|NAME", default_value = "resnet20")]
    backbone: String,
    /// Height and width of an architecture's input [default: as published]
    #[arg(long, value_name = "S")]
    imgsz: Option<usize>,
    #[command(flatten)]
    variant: VariantArgs,
}

impl BackboneArgs {
    /// The network for these classes, and whether it was trained before.
    pub fn make(&self, classes: usize, seed: u64) -> Result<(Backbone, bool)> {
        let path = Path::new(&self.backbone);
        if path.is_file() || path.extension().is_some_and(|e| e == "safetensors") {
            if self.imgsz.is_some() {
                bail!("a model file's input is fixed: leave --imgsz away");
            }
            return Ok((Backbone::of_model(&Model::read(path)?, classes, seed)?, true));
        }
        let architecture =
            find(&self.backbone).with_context(|| format!("{} is neither a file nor an architecture", self.backbone))?;
        let published = architecture.input;
        let input =
            Shape { h: self.imgsz.unwrap_or(published.h), w: self.imgsz.unwrap_or(published.w), c: published.c };
        let options = Options { input: Some(input), classes: Some(classes + 1), ..Options::default() };
        let graph = architecture.build(&self.variant.complete(options))?;
        let normalisation = &architecture.preprocessing;
        let preprocessing = Preprocessing::new(input.w as u32, input.h as u32, input.c as u8, Fit::Stretch)
            .normalised_by(normalisation.mean.to_vec(), normalisation.std.to_vec());
        Ok((Backbone::fresh(&graph, preprocessing, classes, seed)?, false))
    }

    /// A name for it: the architecture's, or the file's without its ending.
    pub fn name(&self) -> String {
        Path::new(&self.backbone).file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }
}
