//! `striate cortex neocognitron tolerance`: how recognition bears shifts, scales, turns and noise, beside other networks.

use super::{by_turns, fitting, read_all, read_network, scored};
use crate::commands::data_args::DataArgs;
use crate::commands::{Machine, print_json, print_table};
use crate::progress::{Bar, remark};
use anyhow::{Result, bail};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use striate_cortex::neocognitron::{Distortion, LinearClassifier, Neocognitron};
use striate_cortex::plate::{Panel, tolerance_plate};
use striate_data::Picture;
use striate_engine::Precision;
use striate_kernels::Cpu;
use striate_train::{Model, new_folder};
use striate_weights::write_atomic;

/// Measure how recognition bears shifts, scales, turns and noise, beside networks of `striate train`
#[derive(clap::Args)]
#[command(after_help = "\
Example, with LeNet-5 trained on the same digits (`neocognitron train --write-images`), without augmentation:
  striate cortex neocognitron tolerance neocognitron.safetensors mnist/ --against lenet5.safetensors

The folder runs/cortex/tolerance holds tolerance.svg and tolerance.csv. Shifts are the mean over right, left, up and down. \
With --json: {\"curves\": [{\"distortion\", \"network\", \"points\": [[value, accuracy], …]}, …], \"images\", \"folder\"}.")]
pub struct Args {
    /// The network's file
    model: PathBuf,
    /// The data set
    data: String,
    /// Model files of `striate train` to compare with, of the same classes
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    against: Vec<PathBuf>,
    /// Also a linear classifier on pixels that learns from so many training images, chosen as for the Neocognitron; 0: none
    #[arg(long, value_name = "N", default_value_t = 3000)]
    linear: usize,
    /// Also the Neocognitron that judges by vectors between those of its last layer's planes (Fukushima 2007)
    #[arg(long)]
    interpolate: bool,
    /// Test images
    #[arg(long, value_name = "N", default_value_t = 1000)]
    images: usize,
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

/// A kind of distortion: title, what x counts, values, and the distortions whose mean is taken at one.
struct Kind {
    title: &'static str,
    x: &'static str,
    values: &'static [f32],
    at: fn(f32) -> Vec<Distortion>,
}

const KINDS: [Kind; 4] = [
    Kind {
        title: "Shift",
        x: "pixels of 28",
        values: &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
        at: |v| {
            let to = |x, y| Distortion { shift: [x, y], ..Distortion::default() };
            if v == 0.0 { vec![to(0.0, 0.0)] } else { vec![to(v, 0.0), to(-v, 0.0), to(0.0, v), to(0.0, -v)] }
        },
    },
    Kind {
        title: "Size",
        x: "share of the original's",
        values: &[0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3],
        at: |v| vec![Distortion { scale: v, ..Distortion::default() }],
    },
    Kind {
        title: "Turn",
        x: "degrees",
        values: &[-40.0, -30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0, 40.0],
        at: |v| vec![Distortion { angle: v, ..Distortion::default() }],
    },
    Kind {
        title: "Noise",
        x: "deviation, share of the full range",
        values: &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
        at: |v| vec![Distortion { noise: v, ..Distortion::default() }],
    },
];

/// What is measured: the Neocognitron, or a network of `striate train`.
enum Subject {
    Neocognitron(Box<Neocognitron>),
    Linear(LinearClassifier),
    Model(Box<Model>),
}

/// Pictures at once.
const BATCH: usize = 64;

impl Subject {
    /// The classes of pictures.
    fn recognise(&self, cpu: &Arc<Cpu>, pictures: &[Picture]) -> Result<Vec<Option<u32>>> {
        let model = match self {
            Subject::Neocognitron(network) => return Ok(network.recognise_all(cpu, pictures)),
            Subject::Linear(classifier) => return Ok(pictures.iter().map(|p| classifier.recognise(p)).collect()),
            Subject::Model(model) => model,
        };
        let preprocessing = &model.card.preprocessing;
        let mut evaluator = model.evaluator(cpu.clone(), BATCH, Precision::F32)?;
        let mut found = Vec::with_capacity(pictures.len());
        for some in pictures.chunks(BATCH) {
            let mut input = vec![0.0; some.len() * preprocessing.len()];
            for (picture, to) in some.iter().zip(input.chunks_exact_mut(preprocessing.len())) {
                preprocessing.apply(picture, to);
            }
            let logits = evaluator.logits(&model.parameters, &input, some.len())?;
            found.extend(
                logits
                    .chunks_exact(model.card.classes.len())
                    .map(|row| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).map(|class| class as u32)),
            );
        }
        Ok(found)
    }
}

impl Args {
    /// Measures, writes and prints.
    pub fn run(self) -> Result<ExitCode> {
        let cpu = self.machine.cpu()?;
        let (network, _) = read_network(&cpu, &self.model)?;
        let data = fitting(self.data_args.open(&self.data, 0, self.data_args.val_share)?, &network)?;
        let (split, _) = scored(&data);
        let (pictures, labels) = read_all(split, 0..split.len().min(self.images))?;
        let classes = network.classes.clone();
        let mut subjects = vec![("Neocognitron".to_owned(), Subject::Neocognitron(Box::new(network.clone())))];
        if self.interpolate {
            let mut network = network;
            network.interpolate(true);
            subjects.push(("Neocognitron 2007".to_owned(), Subject::Neocognitron(Box::new(network))));
        }
        if self.linear > 0 {
            let (pictures, labels) = by_turns(&data.train, classes.len(), self.linear)?;
            let classifier = LinearClassifier::learn(&pictures, &labels, classes.len(), 0)?;
            subjects.push(("linear".to_owned(), Subject::Linear(classifier)));
        }
        for file in &self.against {
            let model = Model::read(file)?;
            if model.card.classes != classes {
                bail!("{}: its classes are not those of the Neocognitron", file.display());
            }
            subjects.push((model.graph.name().to_owned(), Subject::Model(Box::new(model))));
        }
        let folder = new_folder(&self.out, "tolerance")?;
        let panels = measure(&cpu, &subjects, &pictures, &labels)?;
        let title = format!("Accuracy on {} test digits, distorted", pictures.len());
        let plate = tolerance_plate(&title, &panels);
        write_atomic(&folder.join("tolerance.svg"), |out| out.write_all(plate.as_bytes()))?;
        write_atomic(&folder.join("tolerance.csv"), |out| out.write_all(table(&panels).as_bytes()))?;
        remark(&format!("curves in {}", folder.display()));
        if self.json {
            let curves: Vec<serde_json::Value> = panels
                .iter()
                .flat_map(|p| {
                    p.lines
                        .iter()
                        .map(|(name, points)| json!({ "distortion": p.title, "network": name, "points": points }))
                })
                .collect();
            print_json(&json!({ "curves": curves, "images": pictures.len(), "folder": folder }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let names = subjects.iter().map(|(n, _)| n.as_str());
        let header: Vec<&str> = ["distortion", "by"].into_iter().chain(names).collect();
        let rows: Vec<Vec<String>> = panels
            .iter()
            .flat_map(|p| {
                (0..p.lines[0].1.len()).map(|i| {
                    let accuracies = p.lines.iter().map(|(_, points)| format!("{:.2} %", points[i].1));
                    [p.title.clone(), format!("{:.1}", p.lines[0].1[i].0)].into_iter().chain(accuracies).collect()
                })
            })
            .collect();
        print_table(&header, &rows)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn measure(cpu: &Arc<Cpu>, subjects: &[(String, Subject)], pictures: &[Picture], labels: &[u32]) -> Result<Vec<Panel>> {
    let bar = Bar::new();
    let mut panels = Vec::new();
    for kind in KINDS {
        bar.begin(kind.title, kind.values.len() as u64);
        let mut lines: Vec<(String, Vec<(f64, f64)>)> = subjects.iter().map(|(n, _)| (n.clone(), Vec::new())).collect();
        for (done, value) in kind.values.iter().enumerate() {
            let distortions = (kind.at)(*value);
            let mut right = vec![0_usize; subjects.len()];
            for distortion in &distortions {
                let shown: Vec<Picture> =
                    pictures.iter().enumerate().map(|(i, p)| distortion.apply(p, i as u64)).collect();
                for (right, (_, subject)) in right.iter_mut().zip(subjects) {
                    let found = subject.recognise(cpu, &shown)?;
                    *right += found.iter().zip(labels).filter(|(f, l)| **f == Some(**l)).count();
                }
            }
            for (line, right) in lines.iter_mut().zip(right) {
                let share = right as f64 / (labels.len() * distortions.len()) as f64;
                line.1.push((f64::from(*value), 100.0 * share));
            }
            bar.at(done as u64 + 1, String::new);
        }
        panels.push(Panel { title: kind.title.to_owned(), x: kind.x.to_owned(), lines });
    }
    bar.end();
    Ok(panels)
}

fn table(panels: &[Panel]) -> String {
    let mut text = "distortion,value,network,accuracy\n".to_owned();
    for panel in panels {
        for (name, points) in &panel.lines {
            for (value, accuracy) in points {
                let _ = writeln!(text, "{},{value},{name},{}", panel.title.to_lowercase(), accuracy / 100.0);
            }
        }
    }
    text
}
