//! `striate detect eval`: how good detections are, as VOC and COCO measure it, and what their errors cost.

use super::open::BoxArgs;
use super::report::{Judged, page};
use crate::commands::{Machine, print_json, print_line, print_table, write_text};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use striate_data::Limits;
use striate_detect::evaluate::{check, coco, errors, voc};
use striate_detect::sets::{BoxSet, read_results};

/// Judge detections: average precision of VOC and COCO, and errors
#[derive(clap::Args)]
#[command(after_help = "\
FOUND is a JSON list of {\"image_id\", \"category_id\", \"bbox\": [x, y, width, height], \"score\"}, COCO's format of results. \
image_id is the picture's number, or its name without ending; category_id the class's number (of VOC and YOLO: from 1, in \
order), or its name.

Examples:
  striate detect eval bccd/ found.json --part test
  striate detect eval instances_val2017.json found.json --json
  striate detect eval bccd/ found.json --report found.html

With --json: one object with voc (map, map11, classes), coco (ap, ap50, ap75, ap_small, …, ar100, classes), errors (a mistake's \
count and cost), classes, images, objects, detections.")]
pub struct Args {
    /// A data set of boxes
    data: PathBuf,
    /// What a detector found
    found: PathBuf,
    /// The part to judge by [default: the only one, else test, else val]
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// IoU from which VOC's precision takes a detection as right
    #[arg(long, value_name = "IOU", default_value_t = 0.5)]
    iou: f64,
    /// A page with curves, what went wrong, and pictures of it
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    boxes: BoxArgs,
    #[command(flatten)]
    machine: Machine,
}

impl Args {
    /// Judges.
    pub fn run(&self) -> Result<ExitCode> {
        anyhow::ensure!((0.0..=1.0).contains(&self.iou), "--iou is {}, but must be from 0 to 1", self.iou);
        let cpu = self.machine.cpu()?;
        let set = self.boxes.open(&self.data, &cpu)?;
        let part = set.part(self.part.as_deref())?;
        let detections = read_results(&self.found, &set, part)?;
        let (truths, classes) = (BoxSet::truths(part), set.classes.len());
        check(&truths, classes, &detections)?;
        let by_voc = voc::evaluate(&truths, classes, &detections, self.iou);
        let by_coco = coco::evaluate(&truths, classes, &detections);
        let analysis = errors::analyse(&truths, classes, &detections);
        if let Some(file) = &self.report {
            let (detections, limits) = (&detections, Limits { max_pixels: self.boxes.max_pixels });
            let (set, found, iou, errors) = (&set, self.found.as_path(), self.iou, &analysis);
            let judged = Judged { set, part, found, detections, voc: &by_voc, iou, coco: &by_coco, errors, limits };
            write_text(file, &page(&judged))?;
        }
        if self.json {
            let cost = |(mistake, count, cost): &(errors::Mistake, usize, f64)| json!({ "mistake": mistake, "count": count, "cost": cost });
            let costs: Vec<Value> = analysis.costs.iter().map(cost).collect();
            let objects: usize = truths.iter().map(Vec::len).sum();
            print_json(&json!({
                "voc": by_voc, "coco": by_coco, "classes": set.classes, "part": part.name, "iou": self.iou,
                "errors": { "ap50": analysis.ap50, "mistakes": costs, "false_positives": analysis.false_positives,
                    "false_negatives": analysis.false_negatives },
                "images": truths.len(), "objects": objects, "detections": detections.len(),
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        print_classes(&set, &by_voc, &by_coco, self.iou)?;
        print_line("")?;
        print_coco(&by_coco)?;
        print_line("")?;
        print_errors(&analysis)?;
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"))
}

fn print_classes(set: &BoxSet, by_voc: &voc::VocScores, by_coco: &coco::CocoScores, iou: f64) -> Result<()> {
    let at = format!("AP@{iou}");
    let header = ["class", "objects", "detections", at.as_str(), "11-point", "COCO AP", "COCO AP50", "AR"];
    let row = |((name, v), c): ((&String, &voc::VocClass), &coco::CocoClass)| {
        let counts = [name.clone(), v.objects.to_string(), v.detections.to_string()];
        [counts.to_vec(), [v.ap, v.ap11, c.ap, c.ap50, c.ar100].map(share).to_vec()].concat()
    };
    let classes = set.classes.iter().zip(&by_voc.classes).zip(&by_coco.classes);
    let mut rows: Vec<Vec<String>> = classes.map(row).collect();
    let mean = [by_voc.map, by_voc.map11, by_coco.ap, by_coco.ap50, by_coco.ar100].map(share);
    rows.push([vec!["mean".to_owned(), String::new(), String::new()], mean.to_vec()].concat());
    print_table(&header, &rows)
}

fn print_coco(scores: &coco::CocoScores) -> Result<()> {
    let figures = [
        ("AP, IoU 0.50 to 0.95", scores.ap),
        ("AP, IoU 0.50", scores.ap50),
        ("AP, IoU 0.75", scores.ap75),
        ("AP, small objects", scores.ap_small),
        ("AP, medium", scores.ap_medium),
        ("AP, large", scores.ap_large),
        ("AR, 1 detection a picture", scores.ar1),
        ("AR, 10", scores.ar10),
        ("AR, 100", scores.ar100),
        ("AR, small objects", scores.ar_small),
        ("AR, medium", scores.ar_medium),
        ("AR, large", scores.ar_large),
    ];
    let rows: Vec<Vec<String>> = figures.iter().map(|(name, v)| vec![(*name).to_owned(), share(*v)]).collect();
    print_table(&["COCO", "value"], &rows)
}

/// What a mistake is called.
pub(super) fn mistake_name(mistake: errors::Mistake) -> &'static str {
    match mistake {
        errors::Mistake::Class => "another class",
        errors::Mistake::Location => "off its place",
        errors::Mistake::ClassAndLocation => "both",
        errors::Mistake::Duplicate => "found before",
        errors::Mistake::Background => "nothing there",
        errors::Mistake::Missed => "missed",
    }
}

fn print_errors(analysis: &errors::ErrorAnalysis) -> Result<()> {
    let row = |(mistake, count, cost): &(errors::Mistake, usize, f64)| {
        vec![mistake_name(*mistake).to_owned(), count.to_string(), format!("{cost:.4}")]
    };
    let mut rows: Vec<Vec<String>> = analysis.costs.iter().map(row).collect();
    let all = [("all wrong detections", analysis.false_positives), ("all objects not found", analysis.false_negatives)];
    rows.extend(all.map(|(name, cost)| vec![name.to_owned(), String::new(), format!("{cost:.4}")]));
    print_table(&["mistake", "number", "cost in AP50"], &rows)
}
