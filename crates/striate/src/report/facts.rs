//! The parts of a report that tell how a result came about: network, data, configuration, machine, commands.

use super::Subject;
use crate::figures::{bytes, date, duration, thousands};
use crate::page::Page;
use std::fs;
use striate_data::DataSet;
use striate_train::Attempt;

/// Adds the sections.
pub fn sections(page: &mut Page, s: &Subject<'_>) {
    page.section(if s.about.epochs { "Network" } else { "Pipeline" });
    page.facts(&network(s));
    page.section("Data");
    page.facts(&data(s));
    if let Some(data) = s.data.filter(|d| !d.warnings.is_empty() || !d.left_out.is_empty()) {
        warnings(page, data);
    }
    let config = s.run.and_then(|run| fs::read_to_string(run.path.join("config.toml")).ok());
    if let Some(config) = config {
        page.section("Configuration");
        page.verbatim(config.trim_end());
    }
    page.section("Machine and time");
    let attempts = s.run.and_then(|run| run.record.as_ref()).map_or(&[][..], |r| &r.attempts);
    for attempt in attempts {
        page.facts(&machine(attempt));
    }
    if attempts.is_empty() {
        page.facts(&[("command", s.command.to_owned())]);
    }
}

/// The network and its file.
pub fn network(s: &Subject<'_>) -> Vec<(&'static str, String)> {
    let mut facts = s.about.facts.clone();
    facts.push(("classes", s.classes().len().to_string()));
    facts.push(("file", s.file.display().to_string()));
    facts.push(("licence", s.about.licence.map_or_else(|| "not stated".into(), str::to_owned)));
    facts
}

/// The data that were trained on, and those that were scored, if they are others.
pub fn data(s: &Subject<'_>) -> Vec<(&'static str, String)> {
    let trained = s.about.trained;
    let mut facts = Vec::new();
    if let Some(t) = trained {
        facts.push(("trained on", format!("{}, {} images", t.data, thousands(t.images as u64))));
        facts.push(("fingerprint", t.fingerprint.clone()));
    }
    let Some(data) = s.data else {
        facts.push(("scored", format!("{} images", thousands(s.scored.predictions.images.len() as u64))));
        return facts;
    };
    let other = trained.is_some_and(|t| t.fingerprint != data.fingerprint);
    if other || trained.is_none() {
        facts.push(("scored on", data.name.clone()));
        facts.push(("its fingerprint", data.fingerprint.clone()));
    }
    facts.push(("from", data.source.clone()));
    let count = |n: usize| thousands(n as u64);
    let test = data.test.as_ref().map(|t| format!(", {} test", count(t.len()))).unwrap_or_default();
    facts.push(("images", format!("{} training, {} validation{test}", count(data.train.len()), count(data.val.len()))));
    let t = data.typical;
    let kind = if t.channels == 1 { "grey" } else { "colour" };
    facts.push(("typically", format!("{}×{} pixels, {kind}", t.width, t.height)));
    facts.push(("left out", format!("{} unreadable files", count(data.left_out.len()))));
    facts
}

/// Warnings and files left out that a report lists.
const LISTED: usize = 50;

fn warnings(page: &mut Page, data: &DataSet) {
    let all = data.warnings.iter().cloned().chain(data.left_out.iter().map(ToString::to_string));
    let lines: Vec<String> = all.take(LISTED).collect();
    let more = (data.warnings.len() + data.left_out.len()).saturating_sub(lines.len());
    page.verbatim(&lines.join("\n"));
    if more > 0 {
        page.note(&format!("{more} more are left out here."));
    }
}

/// One time that a run was worked on.
pub fn machine(a: &Attempt) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("command", a.command.clone()),
        ("in", a.folder.clone()),
        ("began", date(a.started)),
        ("machine", format!("{}: {}, {} threads, {}", a.host, a.processor, a.threads, a.isa)),
        ("Striate", a.striate.clone()),
    ];
    let took = a.ended.map(|e| format!(" after {}", duration(e.saturating_sub(a.started) as f64))).unwrap_or_default();
    let why = a.error.as_ref().map(|e| format!(": {e}")).unwrap_or_default();
    facts.push(("state", format!("{}{took}{why}", a.state().name())));
    facts.extend(a.peak_memory.map(|peak| ("memory, the most at once", bytes(peak as usize))));
    facts
}
