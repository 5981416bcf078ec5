//! `striate cortex neocognitron show`: every layer's answers to a digit, and what the S-planes have learnt.

use super::super::picture;
use super::{by_turns, numbers, read_network};
use crate::commands::data_args::DataArgs;
use crate::commands::{Machine, print_json, print_line};
use crate::progress::Bar;
use anyhow::{Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use striate_cortex::neocognitron::Distortion;
use striate_cortex::plate::{Image, encode, features_plate, layers_plate};
use striate_data::Picture;
use striate_train::new_folder;
use striate_weights::write_atomic;

/// Draw a Neocognitron's answers layer by layer to a digit, and what each of its planes has learnt
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate cortex neocognitron show neocognitron.safetensors --data mnist/ --index 3
  striate cortex neocognitron show neocognitron.safetensors --picture seven.png --shift 4,-3 --noise 0.2

The folder runs/cortex/show holds input.png, layers.svg and, with --data, features1.svg to features4.svg: for each S-plane the \
part of a picture that it answers most strongly.")]
pub struct Args {
    /// The network's file
    model: PathBuf,
    /// A picture, bright on dark
    #[arg(long, value_name = "FILE", required_unless_present = "data")]
    picture: Option<PathBuf>,
    /// A data set whose training images show what planes have learnt, and from which the picture is taken
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// The number of the picture among the test images, from 0
    #[arg(long, value_name = "I", default_value_t = 0)]
    index: usize,
    /// Training images that are looked through for what planes have learnt
    #[arg(long, value_name = "N", default_value_t = 300)]
    images: usize,
    /// Move the picture to the right and downwards, in pixels
    #[arg(long, value_name = "X,Y", value_parser = numbers::<2>, allow_hyphen_values = true, default_value = "0,0")]
    shift: [f32; 2],
    /// Scale the picture
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    scale: f32,
    /// Turn the picture counter-clockwise, in degrees
    #[arg(long, value_name = "DEG", default_value_t = 0.0, allow_negative_numbers = true)]
    angle: f32,
    /// Add noise of this deviation, as a share of the full range
    #[arg(long, value_name = "D", default_value_t = 0.0)]
    noise: f32,
    /// Where the folder is made
    #[arg(long, value_name = "DIR", default_value = "runs/cortex")]
    out: PathBuf,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    data_args: DataArgs,
}

impl Args {
    /// Draws.
    pub fn run(self) -> Result<ExitCode> {
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            bail!("--scale is {}, but must be above 0", self.scale);
        }
        let cpu = self.machine.cpu()?;
        let (network, _) = read_network(&cpu, &self.model)?;
        let data = match &self.data {
            Some(spec) => Some(super::fitting(self.data_args.open(spec, 0, self.data_args.val_share)?, &network)?),
            None => None,
        };
        let original = match (&self.picture, &data) {
            (Some(file), _) => picture(file)?,
            (None, Some(data)) => {
                let (split, part) = super::scored(data);
                if self.index >= split.len() {
                    bail!("--index is {}, but the {part} part has {} pictures", self.index, split.len());
                }
                super::read_all(split, std::iter::once(self.index))?.0.remove(0)
            }
            (None, None) => bail!("give --picture or --data"),
        };
        let distortion = Distortion { shift: self.shift, scale: self.scale, angle: self.angle, noise: self.noise };
        let shown = distortion.apply(&original, 0);
        let response = network.respond(&cpu, &shown);
        let class = response.class.map(|c| network.classes[c as usize].clone());
        let folder = new_folder(&self.out, "show")?;
        write(&folder, "input.png", &encode(&image(&shown).enlarged(8))?)?;
        let title =
            format!("Neocognitron: answers layer by layer; taken for {}", class.as_deref().unwrap_or("nothing"));
        write(&folder, "layers.svg", layers_plate(&response, &network.classes, &title)?.as_bytes())?;
        if let Some(data) = &data {
            let (pictures, _) = by_turns(&data.train, data.classes.len(), self.images)?;
            let bar = Bar::new();
            bar.begin("what planes have learnt", 4);
            for stage in 0..4 {
                let features = network.features(&cpu, &pictures, stage);
                let title =
                    format!("What the planes of US{} answer most strongly in {} digits", stage + 1, pictures.len());
                let plate = features_plate(&network, stage, &features, &title)?;
                write(&folder, &format!("features{}.svg", stage + 1), plate.as_bytes())?;
                bar.at(stage as u64 + 1, String::new);
            }
            bar.end();
        }
        if self.json {
            print_json(&json!({ "class": class, "scores": response.scores, "folder": folder }))?;
        } else {
            print_line(&format!("taken for {}; drawn in {}", class.as_deref().unwrap_or("nothing"), folder.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn image(picture: &Picture) -> Image {
    let grey = picture.to_grey();
    Image::of(grey.width as usize, &grey.pixels, |v: u8| [v; 3])
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    Ok(write_atomic(&folder.join(name), |out| out.write_all(bytes))?)
}
