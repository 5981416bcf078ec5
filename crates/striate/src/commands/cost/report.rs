//! Alternatives side by side: what they cost by the formulas, each against the first of its group, and what they take here.

use super::Common;
use crate::commands::{must_fit_to_predict, print_json, print_line, print_table};
use crate::figures::{bytes, thousands};
use crate::progress::Bar;
use crate::timing::{self, HEADER, Measurement, Peak, Timing};
use anyhow::Result;
use serde_json::{Value, json};
use std::sync::Arc;
use striate_engine::{Memory, Precision, Request};
use striate_graph::Graph;
use striate_train::Economy;

/// One way of doing it.
pub struct Alternative {
    /// What it is called in the table.
    pub name: String,
    /// The network, without auxiliary classifiers.
    pub graph: Arc<Graph>,
    /// What was reached with it, where that is published.
    pub published: &'static str,
}

impl Alternative {
    /// A network under its own name.
    pub fn of(graph: &Graph) -> Alternative {
        Alternative::named(graph.name(), graph)
    }

    /// A network under another name.
    pub fn named(name: impl Into<String>, graph: &Graph) -> Alternative {
        Alternative { name: name.into(), graph: Arc::new(graph.without_auxiliary()), published: "" }
    }
}

/// Alternatives to each other; the first is what the others are compared with.
pub struct Group {
    /// What is compared.
    pub title: String,
    /// What the formula says; may be empty.
    pub note: String,
    /// At least one.
    pub alternatives: Vec<Alternative>,
}

/// Groups with what was measured of them.
pub struct Report {
    groups: Vec<Group>,
    /// One for each alternative of each group; empty unless measured.
    timings: Vec<Vec<Timing>>,
    peak: Option<Peak>,
}

impl Report {
    /// Measures if asked to.
    pub fn new(groups: Vec<Group>, common: &Common) -> Result<Report> {
        let batch = common.batch as usize;
        let mut report = Report { groups, timings: Vec::new(), peak: None };
        if !common.measure {
            return Ok(report);
        }
        let cpu = common.machine.cpu()?;
        report.peak = Some(Peak::of(&cpu));
        let count = report.groups.iter().map(|g| g.alternatives.len()).sum::<usize>();
        let bar = Bar::new();
        bar.begin("measuring", count as u64);
        let mut done = 0;
        for group in &report.groups {
            let mut timings = Vec::new();
            for a in &group.alternatives {
                must_fit_to_predict(&a.graph, batch, Precision::F32)?;
                bar.at(done, || a.name.clone());
                let measurement = Measurement {
                    graph: &a.graph,
                    cpu: &cpu,
                    batch,
                    seconds: common.seconds,
                    nodes: true,
                    algorithm: None,
                    precision: Precision::F32,
                    economy: Economy::NONE,
                };
                timings.push(measurement.predict()?);
                done += 1;
            }
            report.timings.push(timings);
        }
        bar.end();
        Ok(report)
    }

    /// Prints tables, or one object.
    pub fn print(&self, common: &Common) -> Result<()> {
        if common.json {
            return print_json(&json!({
                "groups": (0..self.groups.len()).map(|g| self.object(g)).collect::<Result<Vec<_>>>()?,
                "peak_gflops": self.peak.as_ref().map(Peak::gflops),
            }));
        }
        if let Some(peak) = &self.peak {
            let batch = common.batch;
            let images = if batch == 1 { "image" } else { "images" };
            print_line(&format!("Times are of {batch} {images} at once; the peak is {:.0} GFLOP/s.\n", peak.gflops()))?;
        }
        for (i, group) in self.groups.iter().enumerate() {
            if i > 0 {
                print_line("")?;
            }
            print_line(&group.title)?;
            if !group.note.is_empty() {
                print_line(&group.note)?;
            }
            self.table(i)?;
            self.layers(i)?;
        }
        Ok(())
    }

    fn table(&self, group: usize) -> Result<()> {
        let alternatives = &self.groups[group].alternatives;
        let first = &alternatives[0].graph;
        let windows = alternatives.iter().all(|a| sees(&a.graph).is_some());
        let mut header = vec!["", "parameters", "of first", "multiply-adds", "of first"];
        // Twice the multiply-adds; with the times beside there is no room for them.
        let flops = self.peak.is_none();
        if flops {
            header.push("FLOPs");
        }
        header.push("memory");
        if windows {
            header.push("sees");
        }
        if self.peak.is_some() {
            header.extend(["ms", "of first", "GFLOP/s", "of peak"]);
        }
        let mut rows = Vec::new();
        for (i, a) in alternatives.iter().enumerate() {
            let g = &a.graph;
            let (parameters, macs) = (g.parameter_count() as u64, g.multiply_adds());
            let mut row = vec![
                a.name.clone(),
                thousands(parameters),
                share(parameters as f64, first.parameter_count() as f64),
                thousands(macs),
                share(macs as f64, first.multiply_adds() as f64),
            ];
            if flops {
                row.push(thousands(macs.saturating_mul(2)));
            }
            row.push(bytes(memory(g)?));
            if let (true, Some([h, w])) = (windows, sees(g)) {
                row.push(format!("{h}×{w}"));
            }
            if let (Some(peak), Some(timings)) = (&self.peak, self.timings.get(group)) {
                let (t, seconds) = (&timings[i], timings[i].median());
                let macs = macs.saturating_mul(t.batch as u64);
                row.extend([
                    format!("{:.3}", 1e3 * seconds),
                    share(seconds, timings[0].median()),
                    format!("{:.1}", 2e-9 * macs as f64 / seconds),
                    peak.share(macs, seconds).map(|s| format!("{:.0} %", 100.0 * s)).unwrap_or_default(),
                ]);
            }
            rows.push(row);
        }
        print_table(&header, &rows)?;
        let mut published = alternatives.iter().filter(|a| !a.published.is_empty());
        published.try_for_each(|a| print_line(&format!("{}: {}", a.name, a.published)))
    }

    /// Each alternative's layers with their times, if measured.
    fn layers(&self, group: usize) -> Result<()> {
        let (Some(peak), Some(timings)) = (&self.peak, self.timings.get(group)) else { return Ok(()) };
        let columns = [0, 1, 2, 3, 5, 6];
        for (a, t) in self.groups[group].alternatives.iter().zip(timings) {
            print_line(&format!("\n{}, layer by layer", a.name))?;
            let rows = timing::rows(&a.graph, t, peak).into_iter().map(|row| columns.map(|c| row[c].clone()).to_vec());
            print_table(&columns.map(|c| HEADER[c]), &rows.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn object(&self, group: usize) -> Result<Value> {
        let Group { title, note, alternatives } = &self.groups[group];
        let first = &alternatives[0].graph;
        let mut objects = Vec::new();
        for (i, a) in alternatives.iter().enumerate() {
            let (g, macs) = (&a.graph, a.graph.multiply_adds());
            let mut object = json!({
                "name": a.name, "parameters": g.parameter_count(), "multiply_adds": macs, "flops": macs.saturating_mul(2),
                "ratio": macs as f64 / first.multiply_adds() as f64,
                "parameter_ratio": g.parameter_count() as f64 / first.parameter_count() as f64,
                "predict_bytes": memory(g)?, "receptive_field": sees(g),
            });
            if let (Some(peak), Some(timings)) = (&self.peak, self.timings.get(group)) {
                let (t, seconds) = (&timings[i], timings[i].median());
                object["ms"] = (1e3 * seconds).into();
                object["time_ratio"] = (seconds / timings[0].median()).into();
                object["peak_share"] = peak.share(macs.saturating_mul(t.batch as u64), seconds).into();
                object["layers"] = timing::objects(g, t, peak).into();
            }
            objects.push(object);
        }
        Ok(json!({"title": title, "note": note, "alternatives": objects}))
    }
}

/// The rows and columns of its input that a cell of the network's answer depends on; `None` for all.
fn sees(graph: &Graph) -> Option<[f64; 2]> {
    let field = graph.receptive_fields().into_iter().nth(graph.output_id().index())?;
    Some(field.spans()?.map(|span| span.size()))
}

/// Bytes to predict one image, weights included.
fn memory(graph: &Graph) -> Result<usize> {
    let memory = Memory::of(graph, &Request::predict(1))?;
    Ok(memory.total() + 4 * (graph.parameter_count() + graph.statistic_count()))
}

/// One figure as a share of another: `0.720`.
fn share(part: f64, whole: f64) -> String {
    if whole > 0.0 { format!("{:.3}", part / whole) } else { String::new() }
}
