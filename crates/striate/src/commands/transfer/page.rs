//! The report: the recommendation, the ways beside each other, and their curves over the share of images.

use super::shares::words;
use super::summary::{Cell, Summary};
use crate::figures::{bytes, duration, percent, thousands};
use crate::page::{Cell as Square, Page};
use crate::plot::{Panel, figure};

/// The page.
pub(super) fn page(name: &str, summary: &Summary, facts: &[(&str, String)]) -> String {
    let mut page = Page::new(&format!("Transfer to {name}"));
    page.paragraph(&summary.recommendation.why);
    if !summary.complete {
        page.paragraph("The comparison was stopped: what follows is of the trials that were done.");
    }
    let tile = |c: &Cell| {
        let remark = format!("{} – {}, {}", percent(c.low), percent(c.high), duration(c.seconds));
        (c.method.name.to_owned(), percent(c.accuracy), remark)
    };
    page.tiles(&summary.full().map(tile).collect::<Vec<_>>());
    page.section("Accuracy over the share of images");
    page.figure(&curves(summary), "accuracy of each way over the share of the training images");
    let scored = thousands(summary.scored as u64);
    page.note(&format!(
        "Scored on {scored} {} images that nothing was trained on or chosen by. Points are means over the seeds; intervals stand \
         in the table. All ways see as many images; smaller shares up to five times as often.",
        summary.part
    ));
    page.section("All ways and shares");
    let header = ["way", "images", "share", "accuracy", "95 % interval", "seconds", "memory", "trials"];
    let row = |c: &Cell| {
        let interval = format!("{} – {}", percent(c.low), percent(c.high));
        vec![
            Square::text(c.method.name),
            Square::figure(&thousands(c.images as u64), c.images as f64),
            Square::figure(&words(c.share), c.share),
            Square::figure(&percent(c.accuracy), c.accuracy),
            Square::figure(&interval, c.low),
            Square::figure(&format!("{:.1}", c.seconds), c.seconds),
            Square::figure(&bytes(c.memory), c.memory as f64),
            Square::figure(&c.trials.to_string(), c.trials as f64),
        ]
    };
    page.table(&header, &summary.cells.iter().map(row).collect::<Vec<_>>());
    page.note("Seconds are of one training, features included. Memory is what the training takes by its plan, beside the program.");
    page.section("Ways");
    let mut ways: Vec<(&str, String)> = Vec::new();
    for cell in &summary.cells {
        if !ways.iter().any(|(name, _)| *name == cell.method.name) {
            ways.push((cell.method.name, cell.method.about.to_owned()));
        }
    }
    page.facts(&ways);
    page.section("How it was compared");
    page.facts(facts);
    page.finish()
}

/// A line for each way.
fn curves(summary: &Summary) -> String {
    let mut names: Vec<String> = Vec::new();
    for cell in &summary.cells {
        if !names.iter().any(|name| name == cell.method.name) {
            names.push(cell.method.name.into());
        }
    }
    let line = |name: &String| {
        let own = summary.cells.iter().filter(|c| c.method.name == name);
        own.map(|c| (c.images as f64, 100.0 * c.accuracy)).collect()
    };
    let lines = names.iter().map(line).collect();
    let panel = Panel {
        title: format!("{} images held out", thousands(summary.scored as u64)),
        x: "training images".into(),
        y: "accuracy, %".into(),
        log: false,
        lines,
    };
    figure("", &names, &[panel])
}
