//! `striate cortex neocognitron train`.

use super::{by_turns, numbers, read_all, recognise, scored};
use crate::commands::data_args::{DataArgs, describe};
use crate::commands::train::stop_on_interrupt;
use crate::commands::{Machine, print_json, print_line};
use crate::figures::percent;
use crate::progress::{Bar, remark};
use anyhow::Result;
use serde_json::{Map, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;
use striate_cortex::neocognitron::{Neocognitron, Settings};
use striate_data::Picture;
use striate_train::new_folder;
use striate_weights::write_atomic;

/// Teach a Neocognitron digits, or other drawings of one stroke width
#[derive(clap::Args)]
#[command(after_help = "\
Pictures must be bright on dark, as MNIST's. Features are learnt without a teacher from the first pictures, whole patterns with \
one from all of them. Training images are taken from the classes by turns.

Examples:
  striate cortex neocognitron train mnist/
  striate cortex neocognitron train digits --images 1000

The folder runs/cortex/neocognitron holds neocognitron.safetensors and summary.json. With --json: {\"accuracy\", \"error\", \
\"images\", \"part\", \"interpolated\", \"trained_on\", \"planes\", \"seconds\", \"model\"}.")]
pub struct Args {
    /// The data set, as for `striate train`
    data: String,
    /// Training images, as many of each class
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..))]
    images: u32,
    /// Of which so many teach the features
    #[arg(long, value_name = "N", default_value_t = Settings::default().unsupervised)]
    features: usize,
    /// Rounds through the images at most, for whole patterns
    #[arg(long, value_name = "N", default_value_t = Settings::default().rounds)]
    rounds: usize,
    /// Thresholds of recognition of the four stages
    #[arg(long, value_name = "θ,θ,θ,θ", value_parser = numbers::<4>)]
    theta: Option<[f32; 4]>,
    /// Thresholds of learning of the second and the third stage
    #[arg(long, value_name = "θ,θ", value_parser = numbers::<2>)]
    learning_theta: Option<[f32; 2]>,
    /// Score by vectors between those of the last layer's planes, as Fukushima did from 2007 on
    #[arg(long)]
    interpolate: bool,
    /// Decides what is held out where the data has no test part
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Also write the training images as PNG files in class folders, for `striate train` to learn from the same
    #[arg(long, value_name = "DIR")]
    write_images: Option<PathBuf>,
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
    fn settings(&self) -> Settings {
        let mut settings = Settings { unsupervised: self.features, rounds: self.rounds, ..Settings::default() };
        if let Some(theta) = self.theta {
            settings.theta = theta;
        }
        for (rules, theta) in settings.competition.iter_mut().zip(self.learning_theta.iter().flatten()) {
            rules.theta = *theta;
        }
        settings
    }

    /// Trains, scores, writes.
    pub fn run(self) -> Result<ExitCode> {
        let (cpu, settings) = (self.machine.cpu()?, self.settings());
        settings.check()?;
        let data = self.data_args.open(&self.data, self.seed, self.data_args.val_share)?;
        describe(&data);
        let (pictures, labels) = by_turns(&data.train, data.classes.len(), self.images as usize)?;
        if let Some(folder) = &self.write_images {
            write_images(folder, &data.classes, &pictures, &labels)?;
        }
        let folder = new_folder(&self.out, "neocognitron")?;
        let (stop, bar, start) = (stop_on_interrupt()?, Bar::new(), Instant::now());
        let mut last = (0, 0);
        let mut network = Neocognitron::learn(&cpu, settings, data.classes.clone(), &pictures, &labels, &mut |p| {
            if last != (p.stage, p.round) {
                last = (p.stage, p.round);
                let what = match p.round {
                    0 => "seeing".to_owned(),
                    round => format!("stage {}, round {round}", p.stage),
                };
                bar.begin(&what, p.of as u64);
            }
            bar.at(p.shown as u64, || format!("{} planes", p.planes));
            if p.shown == p.of && p.round > 0 {
                let wrong = if p.stage == 4 { format!(", {} of {} wrong", p.wrong, p.of) } else { String::new() };
                bar.line(&format!("stage {}, round {}: {} planes{wrong}", p.stage, p.round, p.planes));
            }
            !stop.load(Ordering::Relaxed)
        })?;
        bar.end();
        let seconds = start.elapsed().as_secs_f64();
        let (split, part) = scored(&data);
        let (tested, expected) = read_all(split, 0..split.len())?;
        network.interpolate(self.interpolate);
        let found = recognise(&cpu, &network, &tested);
        let right = found.iter().zip(&expected).filter(|(f, e)| **f == Some(**e)).count();
        let accuracy = right as f64 / expected.len() as f64;
        let model = folder.join("neocognitron.safetensors");
        let planes: Vec<usize> = network.s_layers().iter().map(|s| s.planes.len()).collect();
        let mut details = Map::new();
        details.insert("data".to_owned(), json!(data.name));
        details.insert("trained_on".to_owned(), json!(pictures.len()));
        details.insert("accuracy".to_owned(), json!(accuracy));
        details.insert("part".to_owned(), json!(part));
        let bytes = network.to_bytes(&details)?;
        write_atomic(&model, |out| out.write_all(&bytes))?;
        let summary = json!({
            "accuracy": accuracy,
            "error": 1.0 - accuracy,
            "images": expected.len(),
            "part": part,
            "interpolated": self.interpolate,
            "trained_on": pictures.len(),
            "planes": planes,
            "seconds": seconds,
            "model": model,
        });
        write_atomic(&folder.join("summary.json"), |out| out.write_all(summary.to_string().as_bytes()))?;
        if self.json {
            print_json(&summary)?;
        } else {
            let n = expected.len();
            print_line(&format!("{} of {n} {part} images right; {seconds:.1} s of training", percent(accuracy)))?;
        }
        remark(&format!("model {}", model.display()));
        Ok(if stop.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// Writes pictures as `<class>/<number>.png`.
fn write_images(folder: &Path, classes: &[String], pictures: &[Picture], labels: &[u32]) -> Result<()> {
    for class in classes {
        std::fs::create_dir_all(folder.join(class))?;
    }
    for (i, (picture, label)) in pictures.iter().zip(labels).enumerate() {
        let bytes = picture.to_grey().to_png();
        let file = folder.join(&classes[*label as usize]).join(format!("{i:05}.png"));
        write_atomic(&file, |out| out.write_all(&bytes))?;
    }
    remark(&format!("{} training images written to {}", pictures.len(), folder.display()));
    Ok(())
}
