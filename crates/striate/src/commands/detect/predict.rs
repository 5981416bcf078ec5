//! `striate detect predict`: what a detector finds in pictures; printed, drawn, and written as results or annotations.

use super::open::{BoxArgs, files_of};
use crate::commands::{Machine, print_json, print_line};
use crate::progress::{Bar, remark};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use striate_data::{Limits, Picture};
use striate_detect::rcnn::{FindOptions, Finder, Judge, Rcnn, Seconds, Suppression};
use striate_detect::sets::{AnnotatedPicture, BoxSet, Format, Part, PictureFiles, convert, is_box_set, write_results};
use striate_detect::{Decay, Detection, Label, Object, colour_of_class, draw_boxes};
use striate_kernels::Cpu;
use striate_weights::write_atomic;

/// Find objects in pictures with a detector
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate detect predict detector.safetensors street.jpg --out found     found/street.png
  striate detect predict detector.safetensors photos/ --threshold 0.5,dog=1.2
  striate detect predict detector.safetensors bccd/ --part test --results found.json
  striate detect predict detector.safetensors photos/ --annotate drafts --to voc

Scores are margins of support vector machines, or probabilities where the network itself judges (detect train --judge softmax). \
Without --threshold what has a margin of 0 or a probability of 0.5 is told, drawn and annotated; --results also has what is less \
sure, as average precision needs it. With --json: a line a picture, {\"file\", \"width\", \"height\", \"detections\": [{\"class\", \
\"index\", \"score\", \"box\": [x, y, width, height]}, …], \"seconds\": {\"proposing\", \"warping\", \"network\", \"judging\"}, \
\"regions\"}. An unreadable picture is named on stderr and passed over; the exit code is then 1.")]
pub struct Args {
    /// A detector
    model: PathBuf,
    /// Pictures, folders of pictures, or a data set of boxes
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// The part of a data set [default: the only one, else test, else val]
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// Least scores: a number for all classes, CLASS=NUMBER for one
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    threshold: Vec<String>,
    /// Of boxes of a class that overlap by more than this, the best stays
    #[arg(long, value_name = "IOU", default_value_t = 0.3)]
    nms: f64,
    /// Soft-NMS instead: lower the others' scores by exp(−IoU²/SIGMA)
    #[arg(long, value_name = "SIGMA", conflicts_with = "nms")]
    soft_nms: Option<f64>,
    /// Most detections a picture
    #[arg(long, value_name = "N", default_value_t = 100)]
    most: usize,
    /// A folder for a PNG a picture, with boxes, names and scores
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A file for all detections in a data set, in COCO's format of results
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// A new folder for a data set with what was found as its objects
    #[arg(long, value_name = "DIR", requires = "to")]
    annotate: Option<PathBuf>,
    /// The format of --annotate
    #[arg(long, value_enum, requires = "annotate")]
    to: Option<FormatName>,
    /// Regions at once
    #[arg(short, long, value_name = "B", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// One JSON object a line on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    boxes: BoxArgs,
    #[command(flatten)]
    machine: Machine,
}

/// A format of annotations on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub enum FormatName {
    Voc,
    Coco,
    Yolo,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Format {
        match name {
            FormatName::Voc => Format::Voc,
            FormatName::Coco => Format::Coco,
            FormatName::Yolo => Format::Yolo,
        }
    }
}

/// What is gathered over all pictures.
#[derive(Default)]
struct Gathered {
    /// All detections, by the pictures' places among those read.
    detections: Vec<Detection>,
    annotated: Vec<AnnotatedPicture>,
    seconds: Seconds,
    pictures: usize,
    failed: usize,
}

impl Args {
    /// Predicts.
    pub fn run(&self) -> Result<ExitCode> {
        let (cpu, detector) = (self.machine.cpu()?, Rcnn::read(&self.model)?);
        let shown = self.thresholds(&detector)?;
        let suppression = self.suppression(&detector)?;
        if let Some(out) = &self.out {
            std::fs::create_dir_all(out).with_context(|| format!("{}: the folder cannot be made", out.display()))?;
        }
        let set = match self.images.as_slice() {
            [one] if is_box_set(one) => Some(self.boxes.open(one, &cpu)?),
            _ => None,
        };
        let part = set.as_ref().map(|set| set.part(self.part.as_deref())).transpose()?;
        if let (Some(set), Some(results)) = (&set, &self.results)
            && set.classes != detector.classes
        {
            let (found, known) = (set.classes.join(", "), detector.classes.join(", "));
            bail!("{}: the data set's classes are {found}; the detector's are {known}", results.display());
        }
        if part.is_none() && (self.results.is_some() || self.part.is_some()) {
            bail!("--results and --part are for a data set of boxes, and {} is none", self.images[0].display());
        }
        let files: Vec<(String, PathBuf)> = match part {
            Some(part) => part.pictures.iter().map(|p| (p.id.replace(['/', '\\'], "_"), p.path.clone())).collect(),
            None => self.files()?,
        };
        // Without a word about it, results hold what is less sure too.
        let mut thresholds = shown.clone();
        if self.results.is_some() && self.threshold.is_empty() {
            thresholds.fill(detector.least_threshold());
        }
        let options = FindOptions { thresholds, suppression, most: self.most };
        let gathered = self.walk(&files, &detector, &options, &shown, &cpu)?;
        if let (Some(set), Some(part), Some(results)) = (&set, part, &self.results) {
            if gathered.failed > 0 {
                bail!("{}: not written, as {} pictures could not be read", results.display(), gathered.failed);
            }
            write_results(results, set, part, &gathered.detections)?;
        }
        self.annotate(&detector, &gathered)?;
        sum_up(&gathered);
        Ok(if gathered.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn files(&self) -> Result<Vec<(String, PathBuf)>> {
        let files = files_of(&self.images)?;
        Ok(super::propose::names(&files).into_iter().zip(files).collect())
    }

    /// The least score of each class.
    fn thresholds(&self, detector: &Rcnn) -> Result<Vec<f64>> {
        let mut all = vec![detector.usual_threshold(); detector.classes.len()];
        let number = |text: &str| -> Result<f64> {
            let number = text.parse().ok().filter(|n: &f64| n.is_finite());
            number.with_context(|| format!("--threshold {text}: expected a number or CLASS=NUMBER"))
        };
        let (of_all, of_one): (Vec<&String>, Vec<&String>) = self.threshold.iter().partition(|t| !t.contains('='));
        for text in of_all {
            all.fill(number(text)?);
        }
        for (class, value) in of_one.iter().filter_map(|text| text.rsplit_once('=')) {
            let known = detector.classes.iter().position(|name| name == class);
            let place = known
                .with_context(|| format!("--threshold {class}: the classes are {}", detector.classes.join(", ")))?;
            all[place] = number(value)?;
        }
        Ok(all)
    }

    fn suppression(&self, detector: &Rcnn) -> Result<Suppression> {
        if !(0.0..=1.0).contains(&self.nms) {
            bail!("--nms is {}, but must be from 0 to 1", self.nms);
        }
        match self.soft_nms {
            None => Ok(Suppression::Hard(self.nms)),
            Some(sigma) if !(sigma > 0.0 && sigma.is_finite()) => bail!("--soft-nms is {sigma}, but must be above 0"),
            Some(_) if detector.judge != Judge::Softmax => bail!(
                "--soft-nms multiplies probabilities, and this detector's scores are margins: train it with --judge softmax"
            ),
            Some(sigma) => Ok(Suppression::Soft(Decay::Gaussian(sigma))),
        }
    }

    /// Takes all pictures through the detector.
    fn walk(
        &self,
        files: &[(String, PathBuf)],
        detector: &Rcnn,
        options: &FindOptions,
        shown: &[f64],
        cpu: &Arc<Cpu>,
    ) -> Result<Gathered> {
        let mut finder = Finder::new(detector, cpu, self.batch as usize)?;
        let mut gathered = Gathered::default();
        let bar = Bar::new();
        bar.begin("finding", files.len() as u64);
        for (i, (name, file)) in files.iter().enumerate() {
            let picture = match striate_data::read(file, &Limits { max_pixels: self.boxes.max_pixels }) {
                Ok(picture) => picture,
                Err(e) => {
                    bar.line(&format!("error: {} {e}", file.display()));
                    gathered.failed += 1;
                    continue;
                }
            };
            let (found, seconds) = finder.find(&picture, options)?;
            let told: Vec<&Detection> = found.iter().filter(|d| d.score >= shown[d.class]).collect();
            let mut result = Ok(());
            bar.suspend(|| result = self.tell(file, &picture, detector, &told, &seconds));
            result?;
            self.draw(name, &picture, detector, &told)?;
            let objects = told.iter().map(|d| Object::new(d.class, d.bounds)).collect();
            let (width, height) = (picture.width, picture.height);
            let (id, number, path) = (name.clone(), i as i64 + 1, file.clone());
            gathered.annotated.push(AnnotatedPicture { id, number, path, width, height, objects });
            gathered.detections.extend(found.into_iter().map(|d| Detection { image: i, ..d }));
            gathered.pictures += 1;
            gathered.seconds = sum(&gathered.seconds, &seconds);
            bar.at(i as u64 + 1, String::new);
        }
        bar.end();
        Ok(gathered)
    }

    fn tell(
        &self,
        file: &Path,
        picture: &Picture,
        detector: &Rcnn,
        told: &[&Detection],
        seconds: &Seconds,
    ) -> Result<()> {
        let (width, height) = (picture.width, picture.height);
        if self.json {
            let detection = |d: &&Detection| {
                let b = d.bounds;
                let (class, corners) = (&detector.classes[d.class], [b.x, b.y, b.width, b.height]);
                json!({ "class": class, "index": d.class, "score": d.score, "box": corners })
            };
            let detections: Vec<Value> = told.iter().map(detection).collect();
            let Seconds { proposing, warping, network, judging, regions } = *seconds;
            let seconds = json!({ "proposing": proposing, "warping": warping, "network": network, "judging": judging });
            return print_json(&json!({
                "file": file.to_string_lossy(), "width": width, "height": height, "detections": detections,
                "seconds": seconds, "regions": regions,
            }));
        }
        let objects = if told.len() == 1 { "object" } else { "objects" };
        print_line(&format!("{}: {width}×{height} pixels, {} {objects}", file.display(), told.len()))?;
        for d in told {
            let (b, name) = (d.bounds, &detector.classes[d.class]);
            let place = format!("{:.0}×{:.0} at ({:.0}, {:.0})", b.width, b.height, b.x, b.y);
            print_line(&format!("  {name} {:.2}  {place}", d.score))?;
        }
        Ok(())
    }

    fn draw(&self, name: &str, picture: &Picture, detector: &Rcnn, told: &[&Detection]) -> Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        let label = |d: &&Detection| {
            let name = &detector.classes[d.class];
            match detector.judge {
                Judge::Softmax => Label::detection(d.bounds, d.class, name, d.score),
                Judge::Svm(_) => {
                    Label { bounds: d.bounds, text: format!("{name} {:.1}", d.score), colour: colour_of_class(d.class) }
                }
            }
        };
        // The surest are drawn last, over the others.
        let labels: Vec<Label> = told.iter().rev().map(label).collect();
        let bytes = draw_boxes(picture, &labels).to_png();
        write_atomic(&out.join(format!("{name}.png")), |w| w.write_all(&bytes))?;
        Ok(())
    }

    /// Writes what was found as a data set.
    fn annotate(&self, detector: &Rcnn, gathered: &Gathered) -> Result<()> {
        let (Some(folder), Some(to)) = (&self.annotate, self.to) else { return Ok(()) };
        let part = Part { name: "all".to_owned(), pictures: gathered.annotated.clone() };
        let set = BoxSet {
            format: to.into(),
            path: self.images[0].clone(),
            classes: detector.classes.clone(),
            class_numbers: (1..=detector.classes.len() as i64).collect(),
            parts: vec![part],
            faults: Vec::new(),
            notes: Vec::new(),
        };
        let done = convert(&set, to.into(), folder, PictureFiles::Link)?;
        for note in &done.notes {
            remark(&format!("note: {note}"));
        }
        remark(&format!("{}: {} pictures with {} objects", folder.display(), done.pictures, done.objects));
        Ok(())
    }
}

/// Where the time went, on stderr.
fn sum_up(gathered: &Gathered) {
    if gathered.pictures < 2 {
        return;
    }
    let n = gathered.pictures as f64;
    let Seconds { proposing, warping, network, judging, regions } = gathered.seconds;
    let each = (proposing + warping + network + judging) / n;
    let share = |seconds: f64| format!("{:.3} s", seconds / n);
    remark(&format!(
        "{} pictures, {each:.3} s each: proposing {}, warping {}, the network {}, judging {}; {:.0} regions each",
        gathered.pictures,
        share(proposing),
        share(warping),
        share(network),
        share(judging),
        regions as f64 / n
    ));
}

fn sum(a: &Seconds, b: &Seconds) -> Seconds {
    Seconds {
        proposing: a.proposing + b.proposing,
        warping: a.warping + b.warping,
        network: a.network + b.network,
        judging: a.judging + b.judging,
        regions: a.regions + b.regions,
    }
}
