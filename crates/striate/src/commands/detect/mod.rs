//! `striate detect`: detectors trained and used, boxes proposed, detections judged, data sets of boxes converted.

mod backbone;
mod convert;
mod eval;
mod open;
mod predict;
mod propose;
mod report;
mod train;

use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

/// Find objects in pictures
#[derive(Subcommand)]
#[command(after_help = "\
Data sets of boxes are VOC's folders (Annotations, JPEGImages, ImageSets/Main), COCO's JSON, or YOLO's data.yaml with images \
and labels.

Examples:
  striate detect train voc2007/ --backbone imagenet.safetensors
  striate detect predict detector.safetensors street.jpg --out found
  striate detect propose street.jpg --out proposals --draw 50
  striate detect propose voc2007/ --part test --mode fast        recall, MABO and boxes a picture
  striate detect eval voc2007/ found.json                        average precision
  striate detect convert voc2007/ yolo2007/ --to yolo

With --json each of them says on stdout what it found or wrote, as JSON.")]
#[allow(clippy::large_enum_variant)] // One value a process.
pub enum Detect {
    Train(train::Args),
    Predict(predict::Args),
    Propose(propose::Args),
    Eval(eval::Args),
    Convert(convert::Args),
}

impl Detect {
    /// Does it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Detect::Train(args) => args.run(),
            Detect::Predict(args) => args.run(),
            Detect::Propose(args) => args.run(),
            Detect::Eval(args) => args.run(),
            Detect::Convert(args) => args.run(),
        }
    }
}
