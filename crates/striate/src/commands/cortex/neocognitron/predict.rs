//! `striate cortex neocognitron predict`.

use super::super::picture;
use super::read_network;
use crate::commands::{Machine, print_json, print_line};
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use striate_data::{Fit, Preprocessing};

/// Say what a Neocognitron takes pictures of digits for
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate cortex neocognitron predict neocognitron.safetensors seven.png
  striate cortex neocognitron predict neocognitron.safetensors scan.jpg --ink       a dark digit on paper

With --json: a line per image, {\"file\", \"class\", \"scores\": {class: answer}}.")]
pub struct Args {
    /// The network's file
    model: PathBuf,
    /// Pictures, bright on dark
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Cut the drawing out, make it bright on dark, and centre it, as MNIST's are
    #[arg(long)]
    ink: bool,
    /// Judge by vectors between those of the last layer's planes, as Fukushima did from 2007 on
    #[arg(long)]
    interpolate: bool,
    /// One JSON object a line on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

impl Args {
    /// Predicts.
    pub fn run(self) -> Result<ExitCode> {
        let cpu = self.machine.cpu()?;
        let (mut network, _) = read_network(&cpu, &self.model)?;
        network.interpolate(self.interpolate);
        // MNIST's digits fill 20 of 28 pixels.
        let ink = Preprocessing::new(20, 20, 1, Fit::Ink { detail: 20 });
        let frame = Preprocessing::new(28, 28, 1, Fit::Pad);
        for file in &self.images {
            let mut drawing = picture(file)?;
            if self.ink {
                drawing = frame.fit(&ink.fit(&drawing));
            }
            let (class, scores) = network.recognise(&cpu, &drawing);
            let name = class.map_or("nothing it knows", |c| network.classes[c as usize].as_str());
            if self.json {
                let scores: serde_json::Map<String, serde_json::Value> =
                    network.classes.iter().cloned().zip(scores.iter().map(|s| json!(s))).collect();
                print_json(&json!({
                    "file": file.to_string_lossy(),
                    "class": class.map(|c| network.classes[c as usize].clone()),
                    "scores": scores,
                }))?;
            } else {
                let answer = scores.iter().copied().fold(0.0, f32::max);
                print_line(&format!("{}: {name} ({answer:.3})", file.display()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
