//! A comparison as a page, whole in itself, and as a table of text.

use super::distortions::Distortion;
use super::outcome::{Comparison, Method, Point};
use super::words::{crossing, headings, probability, seconds, size};
use crate::commands::{print_line, print_table};
use crate::figures::{bytes, duration, percent, thousands};
use crate::page::{Cell, Page};
use crate::plot::{Panel, figure};
use anyhow::Result;

/// The page.
pub fn page(c: &Comparison) -> String {
    let mut page = Page::new(&format!("Networks and hand-made features on {}", c.data));
    page.paragraph(
        &crossing(c).unwrap_or_else(|| "There is no size that both a network and a pipeline learnt from.".into()),
    );
    if c.stopped {
        page.paragraph("The comparison was ended before it was done: this is what there was.");
    }
    page.tiles(&tiles(c));
    page.section("How accuracy grows with the images");
    page.figure(&learning_curves(c), "accuracy and seconds of learning by the number of training images");
    page.note(&format!(
        "Tested on {} {} images. Horizontally the decimal logarithm of the number of training images: 2 is 100, 3 is 1,000.",
        thousands(c.tested as u64),
        c.part
    ));
    for (heading, sentences) in headings(c) {
        page.section(heading);
        page.html("<ul>");
        for sentence in sentences {
            page.html(&format!("<li>{}</li>", crate::page::escape(&sentence)));
        }
        page.html("</ul>");
    }
    page.section("Each method in the end");
    ends(&mut page, c);
    page.section("Changed images");
    robustness(&mut page, c);
    page.section("Network and pipelines on the same images");
    pairs(&mut page, c);
    page.section("Every measurement");
    points(&mut page, c);
    left_out(&mut page, c);
    page.section("How it was measured");
    page.facts(&facts(c));
    page.finish()
}

fn tiles(c: &Comparison) -> Vec<(String, String, String)> {
    let best = |network: bool| {
        let these = c.methods.iter().filter(|m| m.network == network).filter_map(|m| Some((m, m.last()?)));
        these.reduce(|a, b| if b.1.accuracy > a.1.accuracy { b } else { a })
    };
    let tile = |what: &str, of: Option<(&Method, &Point)>| {
        let (m, p) = of?;
        let [low, high] = p.interval;
        let remark = format!("{}, {} – {}", m.name, percent(low), percent(high));
        Some((what.to_owned(), percent(p.accuracy), remark))
    };
    let mut tiles: Vec<_> =
        [tile("network", best(true)), tile("best pipeline", best(false))].into_iter().flatten().collect();
    let most = c.methods.iter().filter_map(Method::last).map(|p| p.images).max().unwrap_or(0);
    tiles.push(("training images".into(), thousands(most as u64), format!("{} classes", c.classes.len())));
    tiles.push(("took".into(), duration(c.seconds), format!("of {} that were given", duration(c.budget))));
    tiles
}

fn names(c: &Comparison) -> Vec<String> {
    c.methods.iter().map(|m| m.name.clone()).collect()
}

fn learning_curves(c: &Comparison) -> String {
    let lines = |of: &dyn Fn(&Point) -> f64| -> Vec<Vec<(f64, f64)>> {
        let line = |m: &Method| m.points.iter().map(|p| ((p.images as f64).log10(), of(p))).collect();
        c.methods.iter().map(line).collect()
    };
    let panel = |title: &str, y: &str, log, lines| Panel {
        title: title.into(),
        x: "training images, as a power of 10".into(),
        y: y.into(),
        log,
        lines,
    };
    let panels = [
        panel("Accuracy", "share of test images told", false, lines(&|p| p.accuracy)),
        panel("Learning", "seconds", true, lines(&|p| p.seconds)),
    ];
    figure("", &names(c), &panels)
}

/// A figure that is there or not.
fn maybe(text: Option<String>, value: Option<f64>) -> Cell {
    Cell::figure(&text.unwrap_or_else(|| "–".into()), value.unwrap_or(f64::NAN))
}

fn ends(page: &mut Page, c: &Comparison) {
    let header = [
        "method",
        "images",
        "accuracy",
        "95 % interval",
        "on training images",
        "settings",
        "features",
        "learning",
        "choice of settings",
        "an image",
        "file",
        "memory",
    ];
    let row = |m: &Method| {
        let p = m.last()?;
        let [low, high] = p.interval;
        let settings = match p.epochs {
            Some([done, of]) => format!("{done} of {of} epochs"),
            None => p.choice.settings.clone(),
        };
        let chosen = (p.choice.seconds > 0.0).then_some(p.choice.seconds);
        Some(vec![
            Cell::text(&m.name),
            Cell::figure(&thousands(p.images as u64), p.images as f64),
            Cell::figure(&percent(p.accuracy), p.accuracy),
            Cell::text(&format!("{} – {}", percent(low), percent(high))),
            Cell::figure(&percent(p.train_accuracy), p.train_accuracy),
            Cell::text(&settings),
            maybe(p.features.map(|n| thousands(n as u64)), p.features.map(|n| n as f64)),
            Cell::figure(&seconds(p.seconds), p.seconds),
            maybe(chosen.map(seconds), chosen),
            Cell::figure(&format!("{:.0} µs", p.microseconds), p.microseconds),
            maybe(p.bytes.map(size), p.bytes.map(|b| b as f64)),
            maybe(p.memory.map(bytes), p.memory.map(|b| b as f64)),
        ])
    };
    page.table(&header, &c.methods.iter().filter_map(row).collect::<Vec<_>>());
    page.note(
        "Learning includes features, not the choice of settings. An image: when many are told at once. Memory: the most that \
         learning took beside what was there before, images included.",
    );
}

fn robustness(page: &mut Page, c: &Comparison) {
    if c.methods.iter().all(|m| m.robustness.is_empty()) {
        page.paragraph("Not measured.");
        return;
    }
    let panel = |d: Distortion| {
        let (name, unit) = d.name();
        let unchanged = match d {
            Distortion::Scale | Distortion::Contrast => 100.0,
            _ => 0.0,
        };
        let by = if d == Distortion::Rotation { 1.0 } else { 100.0 };
        let line = |m: &Method| {
            let own = m.last().filter(|_| !m.robustness.is_empty()).map(|p| (unchanged, p.accuracy));
            let changed = m.robustness.iter().filter(|r| r.distortion == d).map(|r| (by * r.strength, r.accuracy));
            own.into_iter().chain(changed).collect()
        };
        let lines = c.methods.iter().map(line).collect();
        Panel { title: name.to_owned(), x: unit.into(), y: "share of images told".into(), log: false, lines }
    };
    let panels: Vec<Panel> = Distortion::ALL.into_iter().map(panel).collect();
    page.figure(&figure("", &names(c), &panels), "accuracy by the strength of each change");
    page.note(
        "Each method as it learnt from most images. Unchanged images are told at 0, of scale and contrast at 100 %.",
    );
}

fn pairs(page: &mut Page, c: &Comparison) {
    let header = ["network", "pipeline", "images a class", "network alone", "pipeline alone", "McNemar's exact test"];
    let row = |p: &super::outcome::Pair| {
        let t = p.test;
        vec![
            Cell::text(&p.network),
            Cell::text(&p.pipeline),
            Cell::figure(&thousands(p.per_class as u64), p.per_class as f64),
            Cell::figure(&thousands(t.first_only), t.first_only as f64),
            Cell::figure(&thousands(t.second_only), t.second_only as f64),
            Cell::figure(&probability(t.p), t.p),
        ]
    };
    page.table(&header, &c.pairs.iter().map(row).collect::<Vec<_>>());
    page.note(
        "How many test images are told by one and not by the other, and how probable so uneven a split is by chance.",
    );
}

fn points(page: &mut Page, c: &Comparison) {
    let header = [
        "method",
        "images a class",
        "images",
        "accuracy",
        "95 % interval",
        "on training images",
        "settings",
        "learning",
    ];
    let row = |m: &Method, p: &Point| {
        let [low, high] = p.interval;
        let settings = match p.epochs {
            Some([done, of]) => format!("{done} of {of} epochs"),
            None if p.choice.candidates > 1 && p.choice.folds == 0 => format!("{} (not chosen)", p.choice.settings),
            None => p.choice.settings.clone(),
        };
        vec![
            Cell::text(&m.name),
            Cell::figure(&thousands(p.per_class as u64), p.per_class as f64),
            Cell::figure(&thousands(p.images as u64), p.images as f64),
            Cell::figure(&percent(p.accuracy), p.accuracy),
            Cell::text(&format!("{} – {}", percent(low), percent(high))),
            Cell::figure(&percent(p.train_accuracy), p.train_accuracy),
            Cell::text(&settings),
            Cell::figure(&seconds(p.seconds), p.seconds),
        ]
    };
    let rows: Vec<_> = c.methods.iter().flat_map(|m| m.points.iter().map(move |p| row(m, p))).collect();
    page.table(&header, &rows);
}

fn left_out(page: &mut Page, c: &Comparison) {
    let lines: Vec<String> = c
        .methods
        .iter()
        .flat_map(|m| {
            m.left_out
                .iter()
                .map(move |l| format!("{}, {} images a class: {}", m.name, thousands(l.per_class as u64), l.why))
        })
        .collect();
    if !lines.is_empty() {
        page.note("Left out:");
        page.verbatim(&lines.join("\n"));
    }
}

fn facts(c: &Comparison) -> Vec<(&'static str, String)> {
    let [width, height, channels] = c.size;
    let kind = if channels == 1 { "grey" } else { "colour" };
    vec![
        ("data", format!("{}, {}", c.data, c.source)),
        ("fingerprint", c.fingerprint.clone()),
        ("pictures", format!("{width}×{height} pixels, {kind}, for every method")),
        ("tested on", format!("{} {} images, the same for all; nothing was chosen by them", thousands(c.tested as u64), c.part)),
        (
            "learnt from",
            "the same images by every method; those of a smaller size are part of those of a larger one".into(),
        ),
        (
            "settings of pipelines",
            format!("chosen by cross-validation in {} folds of the images at hand, 2,000 of them at most", c.folds),
        ),
        (
            "the network",
            "by the recipe of `striate train`, its augmentation included, with as many epochs as there was time for; its last weights".into(),
        ),
        ("left out", format!("{} images that could not be read", c.unreadable)),
        ("seed", c.seed.to_string()),
        ("machine", c.machine.clone()),
        ("command", c.command.clone()),
    ]
}

/// The table for a terminal, and the four headings.
pub fn print(c: &Comparison) -> Result<()> {
    let header = ["method", "images", "accuracy", "95 % interval", "learning", "an image", "file"];
    let row = |m: &Method| {
        let p = m.last()?;
        let [low, high] = p.interval;
        Some(vec![
            m.name.clone(),
            thousands(p.images as u64),
            percent(p.accuracy),
            format!("{} – {}", percent(low), percent(high)),
            seconds(p.seconds),
            format!("{:.0} µs", p.microseconds),
            p.bytes.map(size).unwrap_or_default(),
        ])
    };
    print_table(&header, &c.methods.iter().filter_map(row).collect::<Vec<_>>())?;
    for (heading, sentences) in headings(c) {
        print_line(&format!("\n{heading}"))?;
        sentences.iter().try_for_each(|s| print_line(&format!("  {s}")))?;
    }
    Ok(())
}
