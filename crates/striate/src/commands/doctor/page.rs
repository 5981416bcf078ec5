//! A report as one HTML file: the figures, the classes, and each finding with pictures. It needs no network and no scripts.

use super::section::{Pictures, section};
use super::text::{figures, size_in_all, verdict};
use crate::figures::thousands;
use crate::page::escape;
use crate::progress::Bar;
use striate_data::{Report, Severity};

const STYLE: &str = include_str!("page.css");

/// The page, with up to `examples` cases of each finding.
pub fn page(report: &Report, examples: usize, workers: usize, bar: &Bar) -> String {
    let pictures = Pictures::of(report, examples, workers, bar);
    let name = escape(&report.name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}: what the doctor found</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header><h1>{name}</h1><p class=\"soft\">{}</p></header>\n",
        escape(&figures(report))
    );
    page.push_str(&tiles(report));
    page.push_str(&contents(report));
    page.push_str(&classes(report));
    for finding in &report.findings {
        page.push_str(&section(finding, &pictures, examples));
    }
    page.push_str(&format!(
        "<footer>striate doctor {}. Nothing was moved, changed or deleted.</footer>\n</main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    ));
    page
}

fn tiles(report: &Report) -> String {
    let f = &report.figures;
    let tile =
        |class: &str, figure: &str, name: &str| format!("<div class=\"tile {class}\"><b>{figure}</b>{name}</div>\n");
    let count = |severity: Severity| {
        let n = report.count(severity);
        tile(if n > 0 { severity.name() } else { "good" }, &thousands(n as u64), &format!("{}s", severity.name()))
    };
    let unreadable = match f.images - f.readable {
        0 => tile("good", "all", "readable"),
        n => tile("error", &thousands(n as u64), "unreadable"),
    };
    format!(
        "<div class=\"tiles\">\n{}{unreadable}{}{}{}{}{}</div>\n",
        tile("", &thousands(f.images as u64), "images"),
        tile("", &thousands(report.classes.len() as u64), "classes"),
        tile("", &size_in_all(report), "in all"),
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Notice),
    )
}

fn contents(report: &Report) -> String {
    if report.findings.is_empty() {
        return format!("<div class=\"card\"><p>{}.</p></div>\n", verdict(report));
    }
    let row = |finding: &striate_data::Finding| {
        let (code, severity) = (finding.fault.code(), finding.fault.severity().name());
        format!(
            "<tr><td class=\"n\">{}</td><td><a href=\"#{code}\">{}</a></td><td><span class=\"badge {severity}\">{severity}</span></td></tr>\n",
            thousands(finding.cases.len() as u64),
            escape(finding.fault.title())
        )
    };
    let rows: String = report.findings.iter().map(row).collect();
    format!("<div class=\"card\"><h2>Findings</h2><table class=\"contents\">\n{rows}</table></div>\n")
}

/// Classes that are listed one by one; more are folded away.
const LISTED: usize = 40;

fn classes(report: &Report) -> String {
    let total = |images: &[usize]| images.iter().sum::<usize>();
    let most = report.classes.iter().map(|class| total(&class.images)).max().unwrap_or(0).max(1);
    let has_parts = report.parts.iter().any(|part| !part.is_empty());
    let head = |part: &&str| format!("<th>{}</th>", if has_parts { part } else { "images" });
    let heads = report.parts.iter().map(head).collect::<Vec<_>>().concat();
    let row = |class: &striate_data::ClassCount| {
        let cell = |n: &usize| format!("<td>{}</td>", thousands(*n as u64));
        let cells = class.images.iter().map(cell).collect::<Vec<_>>().concat();
        let bar = |(part, n): (usize, &usize)| {
            let share = 100.0 * *n as f64 / most as f64;
            if *n > 0 { format!("<span class=\"p{part}\" style=\"width:{share:.2}%\"></span>") } else { String::new() }
        };
        let bars: String = class.images.iter().enumerate().map(bar).collect();
        format!("<tr><td>{}</td>{cells}<td class=\"bar\">{bars}</td></tr>\n", escape(&class.name))
    };
    let rows: String = report.classes.iter().map(row).collect();
    let table = format!("<table class=\"classes\">\n<tr><th>class</th>{heads}<th></th></tr>\n{rows}</table>");
    let table = if report.classes.len() > LISTED {
        format!("<details><summary>all {}</summary>{table}</details>", thousands(report.classes.len() as u64))
    } else {
        table
    };
    format!("<div class=\"card\"><h2>Classes</h2>{table}</div>\n")
}
