//! `striate cortex filters`: Gabors fitted to a trained network's first filters, and the electrode's experiment on its units.

use crate::commands::{Machine, print_json, print_line, print_table};
use crate::figures::percent;
use crate::progress::{Bar, remark};
use anyhow::{Result, bail};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use striate_cortex::cells::Gabor;
use striate_cortex::experiment::{GaborFit, fit_gabor, selectivity, symmetric_eigen};
use striate_cortex::plate::{FilterPicture, filters_plate};
use striate_cortex::stimulus::{Field, Grating, Stimulus};
use striate_data::Picture;
use striate_engine::{Request, Session};
use striate_graph::NodeId;
use striate_kernels::Cpu;
use striate_train::{Model, new_folder};
use striate_weights::write_atomic;

/// Fit Gabors to a trained network's first filters, and tell its simple-like units from its complex-like ones
#[derive(clap::Args)]
#[command(after_help = "\
The first layer's filters are fitted along the colour that varies most in each. Then gratings of all orientations, several \
frequencies and phases are shown; a channel's unit in the middle of its map is simple-like where its answer follows the phase \
(F1/F0 above 1), complex-like where it does not.

Examples:
  striate cortex filters runs/train/resnet20/weights/best.safetensors
  striate cortex filters best.safetensors --layer relu1 layer2.2.relu2

The folder runs/cortex/filters holds filters.svg and filters.json. With --json: {\"filters\": [{\"orientation\", \"frequency\", \
\"bandwidth\", \"r2\", …}], \"well_fitted\", \"layers\": [{\"layer\", \"units\", \"f1_f0\", \"complex_like\", \"selectivity\"}], …}.")]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// Layers whose units are recorded from [default: every activation with a map]
    #[arg(long, value_name = "NODE", num_args = 1..)]
    layer: Vec<String>,
    /// The r² from which a filter counts as well fitted
    #[arg(long, value_name = "R2", default_value_t = 0.7)]
    good: f64,
    /// The gratings' contrast
    #[arg(long, value_name = "C", default_value_t = 0.8)]
    contrast: f64,
    /// Where the folder is made
    #[arg(long, value_name = "DIR", default_value = "runs/cortex")]
    out: PathBuf,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

const ORIENTATIONS: usize = 12;
const PHASES: usize = 8;
/// Pixels of the input between stripes.
const WAVELENGTHS: [f64; 5] = [3.0, 4.5, 7.0, 11.0, 18.0];

/// What the units of a layer are like.
#[derive(Serialize)]
struct Units {
    layer: String,
    /// Channels whose middle unit answers to gratings at all.
    units: usize,
    /// The median of F1/F0.
    f1_f0: f64,
    /// The share of units with F1/F0 below 1.
    complex_like: f64,
    /// The median of 1 less the circular variance over orientations.
    selectivity: f64,
}

impl Args {
    /// Fits, records, writes and prints.
    pub fn run(self) -> Result<ExitCode> {
        let (cpu, model) = (self.machine.cpu()?, Model::read(&self.model)?);
        let taps = self.taps(&model)?;
        let (name, filters) = first_filters(&model)?;
        let fitted: Vec<(FilterPicture, Option<GaborFit>)> = filters.iter().map(fit).collect();
        let well = fitted.iter().filter(|(_, f)| f.is_some_and(|f| f.r2 >= self.good)).count();
        let layers = self.record(&cpu, &model, &taps)?;
        let folder = new_folder(&self.out, "filters")?;
        remark(&format!("filters in {}", folder.display()));
        let title = format!(
            "{}: the filters of {name}, {well} of {} like Gabors (r² ≥ {})",
            model.graph.name(),
            filters.len(),
            self.good
        );
        let plate = filters_plate(&title, &fitted.iter().map(|(p, f)| (p.clone(), *f)).collect::<Vec<_>>())?;
        write_atomic(&folder.join("filters.svg"), |out| out.write_all(plate.as_bytes()))?;
        let object = json!({
            "model": model.graph.name(),
            "layer": name,
            "filters": fitted.iter().map(|(_, f)| f).collect::<Vec<_>>(),
            "well_fitted": well as f64 / filters.len().max(1) as f64,
            "layers": layers,
            "folder": folder,
        });
        write_atomic(&folder.join("filters.json"), |out| out.write_all(object.to_string().as_bytes()))?;
        if self.json {
            print_json(&object)?;
            return Ok(ExitCode::SUCCESS);
        }
        print_line(&format!("{well} of {} filters of {name} are like Gabors (r² ≥ {})", filters.len(), self.good))?;
        let row = |u: &Units| {
            let figures = [format!("{:.2}", u.f1_f0), percent(u.complex_like), format!("{:.2}", u.selectivity)];
            [u.layer.clone(), u.units.to_string()].into_iter().chain(figures).collect()
        };
        let header = ["layer", "units", "F1/F0 (median)", "complex-like", "selectivity (median)"];
        print_table(&header, &layers.iter().map(row).collect::<Vec<_>>())?;
        Ok(ExitCode::SUCCESS)
    }

    /// The nodes that are recorded from.
    fn taps(&self, model: &Model) -> Result<Vec<NodeId>> {
        let graph = &model.graph;
        if !self.layer.is_empty() {
            return Ok(self.layer.iter().map(|name| graph.find(name)).collect::<Result<Vec<_>, _>>()?);
        }
        let activation = |id: &NodeId| {
            let node = graph.node(*id);
            node.shape.h > 1
                && ["relu", "relu6", "leaky_relu", "sigmoid", "scaled_tanh", "tanh"].contains(&node.layer.kind())
        };
        let found: Vec<NodeId> = graph.ids().filter(activation).collect();
        if found.is_empty() {
            bail!("{} has no activation with a map: name a layer by --layer", graph.name());
        }
        Ok(found)
    }

    /// Shows all gratings and judges every channel's middle unit.
    fn record(&self, cpu: &Arc<Cpu>, model: &Model, taps: &[NodeId]) -> Result<Vec<Units>> {
        let pictures = gratings(model, self.contrast)?;
        let batch = PHASES;
        let request = Request { taps: taps.to_vec(), ..Request::predict(batch) };
        let mut session = Session::new(model.graph.clone(), cpu.clone(), &request)?;
        let preprocessing = &model.card.preprocessing;
        // By tap: (picture, channel).
        let mut answers: Vec<Vec<Vec<f32>>> = vec![Vec::new(); taps.len()];
        let bar = Bar::new();
        bar.begin("gratings", pictures.len() as u64);
        for (done, some) in pictures.chunks(batch).enumerate() {
            let mut input = vec![0.0; some.len() * preprocessing.len()];
            for (picture, to) in some.iter().zip(input.chunks_exact_mut(preprocessing.len())) {
                preprocessing.apply(picture, to);
            }
            session.forward(&model.parameters, &input, some.len(), 0)?;
            for (answers, tap) in answers.iter_mut().zip(taps) {
                let shape = model.graph.node(*tap).shape;
                let maps = session.activation(*tap)?;
                let middle = (shape.h / 2 * shape.w + shape.w / 2) * shape.c;
                answers.extend(maps.chunks_exact(shape.len()).map(|m| m[middle..middle + shape.c].to_vec()));
            }
            bar.at(((done + 1) * batch) as u64, String::new);
        }
        bar.end();
        Ok(taps.iter().zip(answers).map(|(tap, a)| judge(&model.graph.node(*tap).name, &a)).collect())
    }
}

/// Gratings at the network's input size: orientation by orientation, wavelength by wavelength, phase by phase.
fn gratings(model: &Model, contrast: f64) -> Result<Vec<Picture>> {
    let p = &model.card.preprocessing;
    let side = p.width.max(p.height) as usize;
    let field = Field::new(side as f64, side)?;
    let mut all = Vec::new();
    for i in 0..ORIENTATIONS * WAVELENGTHS.len() * PHASES {
        let (orientation, wave, phase) = (i / PHASES / WAVELENGTHS.len(), i / PHASES % WAVELENGTHS.len(), i % PHASES);
        let grating = Stimulus::Grating(Grating {
            orientation: 180.0 * orientation as f64 / ORIENTATIONS as f64,
            frequency: 1.0 / WAVELENGTHS[wave],
            phase: 360.0 * phase as f64 / PHASES as f64,
            contrast,
            ..Grating::default()
        });
        grating.check(&field)?;
        let pixels = grating.render(&field, 0.0).iter().map(|v| (127.5 * (1.0 + v)).round() as u8).collect();
        all.push(Picture { width: side as u32, height: side as u32, channels: 1, pixels });
    }
    Ok(all)
}

/// F1/F0 and selectivity over a layer's channels.
fn judge(name: &str, answers: &[Vec<f32>]) -> Units {
    let channels = answers.first().map_or(0, Vec::len);
    let (mut ratios, mut selective) = (Vec::new(), Vec::new());
    for c in 0..channels {
        // F0 and F1 over the phases, of each orientation and wavelength.
        let measured: Vec<(f64, f64)> = answers
            .chunks_exact(PHASES)
            .map(|phases| {
                let (mut mean, mut re, mut im) = (0.0, 0.0, 0.0);
                for (i, answer) in phases.iter().enumerate() {
                    let r = f64::from(answer[c].max(0.0));
                    let (sin, cos) = (std::f64::consts::TAU * i as f64 / PHASES as f64).sin_cos();
                    mean += r / PHASES as f64;
                    re += 2.0 * r * cos / PHASES as f64;
                    im += 2.0 * r * sin / PHASES as f64;
                }
                (mean, re.hypot(im))
            })
            .collect();
        let best = (0..measured.len()).fold(0, |best, i| if measured[i].0 > measured[best].0 { i } else { best });
        let (f0, f1) = measured[best];
        if f0 > 1e-6 {
            ratios.push(f1 / f0);
            let waves = WAVELENGTHS.len();
            let curve: Vec<f64> = (0..ORIENTATIONS).map(|o| measured[o * waves + best % waves].0).collect();
            selective.push(selectivity(&curve, 180.0));
        }
    }
    let below = ratios.iter().filter(|r| **r < 1.0).count();
    Units {
        layer: name.to_owned(),
        units: ratios.len(),
        complex_like: below as f64 / ratios.len().max(1) as f64,
        f1_f0: median(ratios),
        selectivity: median(selective),
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

/// One filter of the first layer: (channels, side²).
struct Filter {
    side: usize,
    channels: Vec<Vec<f64>>,
}

/// The first convolution's filters, with its name.
fn first_filters(model: &Model) -> Result<(String, Vec<Filter>)> {
    for node in model.graph.nodes() {
        let Some(spec) = node.params.iter().find(|p| p.name == "weight" && p.shape.len() == 4) else { continue };
        let [count, channels, side, other] = [spec.shape[0], spec.shape[1], spec.shape[2], spec.shape[3]];
        let values = model.parameters.get(&node.param_name(spec)).unwrap_or(&[]);
        if side != other || values.len() != count * channels * side * side {
            bail!("{}: its filters are {side}×{other}, and only square ones are fitted", node.name);
        }
        let filter = |weights: &[f32]| {
            let channels = weights.chunks_exact(side * side).map(|c| c.iter().map(|v| f64::from(*v)).collect());
            Filter { side, channels: channels.collect() }
        };
        return Ok((node.name.clone(), values.chunks_exact(channels * side * side).map(filter).collect()));
    }
    bail!("{} has no convolution", model.graph.name())
}

/// The filter along the colour in which it varies most, with its Gabor.
fn fit(filter: &Filter) -> (FilterPicture, Option<GaborFit>) {
    let n = filter.channels.len();
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
    let moments: Vec<f64> = (0..n * n).map(|i| dot(&filter.channels[i / n], &filter.channels[i % n])).collect();
    let eigen = symmetric_eigen(&moments, n);
    let axis = eigen.vectors.first().cloned().unwrap_or_default();
    let mut weights = vec![0.0; filter.side * filter.side];
    for (channel, share) in filter.channels.iter().zip(&axis) {
        weights.iter_mut().zip(channel).for_each(|(w, v)| *w += share * v);
    }
    let fitted = fit_gabor(&weights, filter.side);
    let picture = FilterPicture {
        side: filter.side,
        weights,
        gabor: fitted.map(|f| {
            let gabor = Gabor {
                orientation: f.orientation,
                frequency: f.frequency,
                phase: f.phase,
                across: f.across,
                along: f.along,
                middle: f.middle,
            };
            let half = (filter.side as f64 - 1.0) / 2.0;
            let at = |i: usize| gabor.at((i % filter.side) as f64 - half, half - (i / filter.side) as f64);
            (0..filter.side * filter.side).map(at).collect()
        }),
    };
    (picture, fitted)
}
