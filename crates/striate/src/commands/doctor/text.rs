//! A report for people at a terminal: a summary, then the findings, worst first, with a few examples of each.

use crate::commands::print_line;
use crate::figures::{bytes, duration, thousands};
use anyhow::Result;
use striate_data::{Case, Finding, Report, Severity};

/// Classes that are listed; of more, the largest and the smallest are told.
const CLASSES: usize = 20;
/// Members of a group that one line names.
const MEMBERS: usize = 4;

/// Prints a report, with `examples` cases of each finding.
pub fn print(report: &Report, examples: usize, seconds: f64) -> Result<()> {
    for line in summary(report, seconds) {
        print_line(&line)?;
    }
    for finding in &report.findings {
        print_line("")?;
        for line in lines(finding, examples) {
            print_line(&line)?;
        }
    }
    Ok(())
}

/// `3 errors, 1 warning and 12 notices`, or that there are none.
pub fn verdict(report: &Report) -> String {
    let count = |severity: Severity| match report.count(severity) {
        0 => None,
        1 => Some(format!("1 {}", severity.name())),
        n => Some(format!("{} {}s", thousands(n as u64), severity.name())),
    };
    let counts: Vec<String> =
        [Severity::Error, Severity::Warning, Severity::Notice].into_iter().filter_map(count).collect();
    match counts.as_slice() {
        [] => "nothing wrong was found".to_owned(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

/// What the images are, in a line: `60,000 images of 10 classes, JPEG, 32×32, 140.2 MB`.
pub fn figures(report: &Report) -> String {
    let f = &report.figures;
    let formats: Vec<&str> = f.formats.iter().map(|(name, _)| *name).take(4).collect();
    let size =
        |[least, median, most]: [u32; 3]| if least == most { median.to_string() } else { format!("{least}–{most}") };
    let sizes = match (f.widths, f.heights) {
        _ if f.readable == 0 => String::new(),
        (w, h) if w[0] == w[2] && h[0] == h[2] => format!(", {}×{}", w[1], h[1]),
        (w, h) => format!(", {} wide and {} high, mostly about {}×{}", size(w), size(h), w[1], h[1]),
    };
    let formats = if formats.is_empty() { String::new() } else { format!(", {}", formats.join(", ")) };
    let (images, classes) = (thousands(f.images as u64), thousands(report.classes.len() as u64));
    format!("{images} images of {classes} classes{formats}{sizes}, {}", size_in_all(report))
}

/// What all files take: `33.7 kB`, `140.2 MB`.
pub fn size_in_all(report: &Report) -> String {
    match report.figures.bytes {
        n @ 0..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        n => bytes(n as usize),
    }
}

fn summary(report: &Report, seconds: f64) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", report.name, figures(report))];
    let total = |part: usize| report.classes.iter().map(|class| class.images[part]).sum::<usize>() as u64;
    if report.parts.iter().any(|part| !part.is_empty()) {
        let parts: Vec<String> =
            report.parts.iter().enumerate().map(|(i, part)| format!("{part} {}", thousands(total(i)))).collect();
        lines.push(format!("  parts: {}", parts.join(", ")));
    }
    let count = |class: &striate_data::ClassCount| class.images.iter().sum::<usize>() as u64;
    if report.classes.len() <= CLASSES {
        let classes: Vec<String> =
            report.classes.iter().map(|class| format!("{} {}", class.name, thousands(count(class)))).collect();
        lines.push(format!("  classes: {}", classes.join(", ")));
    } else {
        let mut sizes: Vec<_> = report.classes.iter().map(|class| (count(class), &class.name)).collect();
        sizes.sort();
        if let (Some((least, small)), Some((most, large))) = (sizes.first(), sizes.last()) {
            let (least, most) = (thousands(*least), thousands(*most));
            lines.push(format!("  classes: from {least} images ({small}) to {most} ({large})"));
        }
    }
    lines.push(format!("{}, in {}", verdict(report), duration(seconds)));
    lines
}

fn lines(finding: &Finding, examples: usize) -> Vec<String> {
    let (fault, n) = (finding.fault, finding.cases.len());
    let head = format!("{:<8} {}: {} ({})", fault.severity().name(), thousands(n as u64), fault.title(), fault.code());
    let cases = finding.cases.iter().take(examples).map(|case| format!("    {}", line(case)));
    let more = (n > examples).then(|| format!("    … and {} more", thousands((n - examples) as u64)));
    let remedy = format!("    → {}", fault.remedy());
    [head].into_iter().chain(cases).chain(more).chain([remedy]).collect()
}

/// `a.jpg is …`, or `a.jpg = b.jpg`, or the detail alone.
fn line(case: &Case) -> String {
    let names: Vec<&str> = case.places.iter().take(MEMBERS).map(|place| place.path.as_str()).collect();
    let more = case.places.len().saturating_sub(MEMBERS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match (names.as_slice(), case.detail.as_str()) {
        ([], detail) => detail.to_owned(),
        (_, "") => format!("{}{more}", names.join(" = ")),
        ([one], detail) => format!("{one} {detail}"),
        (_, detail) => format!("{}{more} ({detail})", names.join(" ≈ ")),
    }
}
