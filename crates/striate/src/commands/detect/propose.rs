//! `striate detect propose`: boxes that may hold objects, by selective search; written, drawn, and held against known boxes.

use super::open::{BoxArgs, files_of};
use crate::commands::{Machine, print_json, print_line, print_table};
use crate::figures::percent;
use crate::progress::remark;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::json;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use striate_data::{Limits, Picture};
use striate_detect::propose::{
    ColourSpace, Mode, Proposal, ProposeOptions, Similarity, Strategies, propose, score_proposals,
};
use striate_detect::sets::{BoxSet, is_box_set};
use striate_detect::{BoundingBox, Label, colour_of_class, draw_boxes};
use striate_kernels::Cpu;
use striate_weights::write_atomic;

/// Propose boxes that may hold objects, by selective search
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate detect propose street.jpg --draw 50 --out proposals        proposals/street.json and .png
  striate detect propose photos/ --mode quality --json
  striate detect propose voc2007/ --part test                        recall, MABO and boxes a picture
  striate detect propose street.jpg --spaces hsv,lab --k 100 --similarities CTSF,F

single makes 1 grouping, fast 8, quality 80 (Uijlings et al. 2013). With --json: a line a picture, {\"file\", \"width\", \
\"height\", \"seconds\", \"boxes\": [[x, y, width, height], …]}, the first in rank first; of a data set of boxes one object with \
recall, mabo, boxes_per_image, seconds_per_image, classes.")]
pub struct Args {
    /// Pictures, folders of pictures, or a data set of boxes
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Which groupings are made
    #[arg(long, value_enum, default_value = "fast")]
    mode: ModeName,
    /// Colour spaces instead of the mode's: rgb, hsv, lab, rgi, h, i
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    spaces: Vec<ColourSpace>,
    /// Sizes of segments instead of the mode's
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    k: Vec<u32>,
    /// Likenesses instead of the mode's: letters of C (colour), T (texture), S (size), F (fill)
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    similarities: Vec<Similarity>,
    /// The width that pictures are scaled to; 0: as they are
    #[arg(long, value_name = "W", default_value_t = 500)]
    width: u32,
    /// Pixels of the scaled picture that both sides of a box must have
    #[arg(long, value_name = "S", default_value_t = 20)]
    least_side: u32,
    /// By how many pixels pictures are smoothed
    #[arg(long, value_name = "X", default_value_t = 0.8)]
    sigma: f64,
    /// Fewest pixels of a segment [default: k]
    #[arg(long, value_name = "N")]
    least_pixels: Option<usize>,
    /// Decides the order of the boxes
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Most boxes a picture, the first in rank
    #[arg(long, value_name = "N")]
    most: Option<usize>,
    /// The part of a data set [default: the only one, else test, else val]
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// A folder for a JSON file a picture, and drawings
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Draw so many boxes, the first in rank, as PNG into --out
    #[arg(long, value_name = "N", requires = "out")]
    draw: Option<usize>,
    /// JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    boxes: BoxArgs,
    #[command(flatten)]
    machine: Machine,
}

/// A mode on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub enum ModeName {
    Single,
    Fast,
    Quality,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Mode {
        match name {
            ModeName::Single => Mode::Single,
            ModeName::Fast => Mode::Fast,
            ModeName::Quality => Mode::Quality,
        }
    }
}

impl Args {
    /// Proposes.
    pub fn run(&self) -> Result<ExitCode> {
        let (options, cpu) = (self.options(), self.machine.cpu()?);
        options.check()?;
        if let Some(out) = &self.out {
            std::fs::create_dir_all(out).with_context(|| format!("{}: the folder cannot be made", out.display()))?;
        }
        if let [one] = self.images.as_slice()
            && is_box_set(one)
        {
            return self.on_data_set(one, &options, &cpu);
        }
        if let Some(part) = &self.part {
            bail!("--part {part} is for data sets of boxes, and {} is none", self.images[0].display());
        }
        let files = files_of(&self.images)?;
        let mut failed = 0;
        for (file, name) in files.iter().zip(names(&files)) {
            match striate_data::read(file, &Limits { max_pixels: self.boxes.max_pixels }) {
                Ok(picture) => {
                    let (proposals, seconds) = timed(&picture, &options, &cpu)?;
                    self.keep(&name, file, &picture, &proposals, seconds)?;
                    self.tell(file, &picture, &proposals, seconds)?;
                }
                Err(e) => {
                    remark(&format!("error: {} {e}", file.display()));
                    failed += 1;
                }
            }
        }
        Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn options(&self) -> ProposeOptions {
        let mut strategies = Strategies::of(self.mode.into());
        if !self.spaces.is_empty() {
            strategies.spaces.clone_from(&self.spaces);
        }
        if !self.k.is_empty() {
            strategies.sizes.clone_from(&self.k);
        }
        if !self.similarities.is_empty() {
            strategies.similarities.clone_from(&self.similarities);
        }
        ProposeOptions {
            strategies,
            width: (self.width > 0).then_some(self.width),
            least_side: self.least_side,
            sigma: self.sigma,
            least_pixels: self.least_pixels,
            seed: self.seed,
            most: self.most,
        }
    }

    fn object(file: &Path, picture: &Picture, proposals: &[Proposal], seconds: f64) -> serde_json::Value {
        let corners = |p: &Proposal| [p.bounds.x, p.bounds.y, p.bounds.width, p.bounds.height];
        let boxes: Vec<[f64; 4]> = proposals.iter().map(corners).collect();
        let (width, height) = (picture.width, picture.height);
        json!({ "file": file.to_string_lossy(), "width": width, "height": height, "seconds": seconds, "boxes": boxes })
    }

    /// Writes what was asked for into the folder.
    fn keep(&self, name: &str, file: &Path, picture: &Picture, proposals: &[Proposal], seconds: f64) -> Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        let text = Self::object(file, picture, proposals, seconds).to_string();
        write_atomic(&out.join(format!("{name}.json")), |w| w.write_all(text.as_bytes()))?;
        if let Some(most) = self.draw {
            let label = |(i, p): (usize, &Proposal)| Label {
                bounds: p.bounds,
                text: String::new(),
                colour: colour_of_class(i),
            };
            // The first in rank are drawn last, over the others.
            let labels: Vec<Label> = proposals.iter().take(most).enumerate().map(label).rev().collect();
            let bytes = draw_boxes(picture, &labels).to_png();
            write_atomic(&out.join(format!("{name}.png")), |w| w.write_all(&bytes))?;
        }
        Ok(())
    }

    fn tell(&self, file: &Path, picture: &Picture, proposals: &[Proposal], seconds: f64) -> Result<()> {
        if self.json {
            return print_json(&Self::object(file, picture, proposals, seconds));
        }
        let (w, h, count) = (picture.width, picture.height, proposals.len());
        print_line(&format!("{}: {w}×{h} pixels, {count} boxes in {seconds:.3} s", file.display()))
    }

    /// Holds the proposals of a part's pictures against its objects.
    fn on_data_set(&self, path: &Path, options: &ProposeOptions, cpu: &Cpu) -> Result<ExitCode> {
        let set = self.boxes.open(path, cpu)?;
        let part = set.part(self.part.as_deref())?;
        let (mut all, mut seconds): (Vec<Vec<BoundingBox>>, f64) = (Vec::new(), 0.0);
        let bar = crate::progress::Bar::new();
        bar.begin("proposing", part.pictures.len() as u64);
        for (i, annotated) in part.pictures.iter().enumerate() {
            let limits = Limits { max_pixels: self.boxes.max_pixels };
            let picture = striate_data::read(&annotated.path, &limits)
                .map_err(|e| anyhow::anyhow!("{} {e}", annotated.path.display()))?;
            let (proposals, taken) = timed(&picture, options, cpu)?;
            self.keep(&annotated.id.replace(['/', '\\'], "_"), &annotated.path, &picture, &proposals, taken)?;
            seconds += taken;
            all.push(proposals.iter().map(|p| p.bounds).collect());
            bar.at(i as u64 + 1, String::new);
        }
        bar.end();
        let scores = score_proposals(&BoxSet::truths(part), &all, set.classes.len());
        let per_image = seconds / all.len().max(1) as f64;
        if self.json {
            print_json(&json!({
                "part": part.name, "images": all.len(), "objects": scores.objects, "recall": scores.recall,
                "mabo": scores.mabo, "boxes_per_image": scores.boxes_per_image, "seconds_per_image": per_image,
                "classes": set.classes, "recalls": scores.recalls, "average_best_overlap": scores.average_best_overlap,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let share = |v: &Option<f64>| v.map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
        let recall = |v: &Option<f64>| v.map_or_else(|| "–".to_owned(), percent);
        let classes = set.classes.iter().zip(&scores.recalls).zip(&scores.average_best_overlap);
        let mut rows: Vec<Vec<String>> =
            classes.map(|((name, r), o)| vec![name.clone(), recall(r), share(o)]).collect();
        rows.push(vec!["all".to_owned(), recall(&scores.recall), share(&scores.mabo)]);
        print_table(&["class", "recall", "best overlap"], &rows)?;
        let boxes = scores.boxes_per_image;
        print_line(&format!("{} pictures, {boxes:.0} boxes and {per_image:.3} s a picture", all.len()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Names for what is written about each picture: the file's without its ending, and a number where that is taken.
pub(super) fn names(files: &[PathBuf]) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |file: &PathBuf| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let numbered = (2..).map(|n: u32| format!("{stem}_{n}"));
        let free = std::iter::once(stem.clone()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or_default();
        taken.insert(free.clone());
        free
    };
    files.iter().map(name).collect()
}

/// The proposals of a picture, and the seconds that they took.
fn timed(picture: &Picture, options: &ProposeOptions, cpu: &Cpu) -> Result<(Vec<Proposal>, f64)> {
    let start = Instant::now();
    let proposals = propose(picture, options, cpu)?;
    Ok((proposals, start.elapsed().as_secs_f64()))
}
