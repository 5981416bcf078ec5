//! What `striate summary` prints for people: a line a layer, and the sums.

use super::analysis::{Analysis, LayerFigures};
use crate::commands::{print_line, print_table};
use crate::figures::{bytes, decimal, shortened, thousands};
use anyhow::Result;
use striate_graph::{ReceptiveField, Span};
use striate_train::precision_name;

/// Columns that the plain table takes at most, as far as shortening attributes can make it; --wide has them whole.
const COLUMNS: usize = 110;
/// Characters that attributes are not shortened below.
const LEAST: usize = 14;
/// Where the kind with its attributes stands.
const KIND: usize = 1;
/// Names of layers that are spelt out before the rest is counted.
const NAMED: usize = 4;

pub fn print(a: &Analysis<'_>, wide: bool, formula: bool) -> Result<()> {
    let mut header = vec!["layer", "kind", "output", "parameters", "multiply-adds", "memory", "sees", "jump", "centre"];
    if wide {
        header.push("untrained");
    }
    if formula {
        header.push("size");
    }
    let mut rows: Vec<Vec<String>> = a.layers.iter().map(|l| row(l, wide, formula)).collect();
    if !wide {
        let width =
            |c: usize| rows.iter().map(|r| r[c].chars().count()).fold(header[c].chars().count(), usize::max) + 2;
        let others: usize = (0..header.len()).filter(|&c| c != KIND).map(width).sum();
        let room = COLUMNS.saturating_sub(others).max(LEAST);
        for row in &mut rows {
            row[KIND] = shortened(&row[KIND], room);
        }
    }
    print_table(&header, &rows)?;
    print_line("")?;
    parameters(a)?;
    cost(a)?;
    memory(a)
}

fn row(l: &LayerFigures<'_>, wide: bool, formula: bool) -> Vec<String> {
    let figure = |n: u64| if n == 0 { String::new() } else { thousands(n) };
    let kind = [l.node.layer.kind(), &l.node.layer.describe()].join(" ");
    let mut row = vec![
        l.node.name.clone(),
        kind.trim_end().into(),
        l.node.shape.to_string(),
        figure(l.node.trained() as u64),
        figure(l.multiply_adds),
        bytes(l.activation_bytes),
        seen(&l.field, Span::size),
    ];
    let part = |what: fn(&Span) -> f64| match l.field {
        ReceptiveField::Whole => String::new(),
        ReceptiveField::Part(_) => seen(&l.field, what),
    };
    row.extend([part(|s| s.jump), part(Span::centre)]);
    if wide {
        row.push(figure(l.node.untrained() as u64));
    }
    if formula {
        row.push(l.formula.clone().unwrap_or_default());
    }
    row
}

/// Something of a receptive field along both axes, once where they agree.
fn seen(field: &ReceptiveField, what: impl Fn(&Span) -> f64) -> String {
    let Some([rows, columns]) = field.spans() else { return "whole".into() };
    let [rows, columns] = [what(&rows), what(&columns)].map(decimal);
    if rows == columns { rows } else { format!("{rows}×{columns}") }
}

fn parameters(a: &Analysis<'_>) -> Result<()> {
    let t = &a.totals;
    let statistics = t.statistics - t.auxiliary_statistics;
    let [all, trained, not] = [t.parameters + statistics, t.parameters, statistics].map(|n| thousands(n as u64));
    print_line(&format!("parameters      {all} in all: {trained} trained, {not} not (gathered or fixed)"))?;
    let named = match &a.classifier[..] {
        [] => "it has none".into(),
        names if names.len() <= NAMED => names.join(", "),
        names => format!("{} and {} more layers", names[..NAMED - 1].join(", "), names.len() + 1 - NAMED),
    };
    let without = thousands((t.parameters - t.classifier_parameters) as u64);
    print_line(&format!("                {without} trained without the classifier ({named})"))?;
    if t.auxiliary_parameters > 0 {
        let [with, heads] = [a.trainable(), t.auxiliary_parameters].map(|n| thousands(n as u64));
        print_line(&format!("                {with} trained with the auxiliary classifiers, which have {heads}"))?;
    }
    Ok(())
}

fn cost(a: &Analysis<'_>) -> Result<()> {
    let t = &a.totals;
    let [macs, flops, step] =
        [t.multiply_adds, t.multiply_adds.saturating_mul(2), a.training_multiply_adds()].map(thousands);
    print_line(&format!("cost            {macs} multiply-adds an image ({flops} FLOPs)"))?;
    if t.auxiliary_multiply_adds > 0 {
        let heads = thousands(t.auxiliary_multiply_adds);
        print_line(&format!("                {heads} more for the auxiliary classifiers"))?;
    }
    let batch = a.batch;
    print_line(&format!("                {step} multiply-adds a training step at batch {batch}, forward and backward"))
}

fn memory(a: &Analysis<'_>) -> Result<()> {
    let (batch, precision) = (a.batch, precision_name(a.precision));
    let [weights, predict, train, least] =
        [a.weights_bytes(), a.predict_bytes, a.train_bytes, a.least_train_bytes].map(bytes);
    print_line(&format!("memory          {weights} of weights, as in a file"))?;
    print_line(&format!(
        "                {predict} more to predict, {train} more to train at batch {batch} in {precision}"
    ))?;
    if a.least_train_bytes < a.train_bytes {
        print_line(&format!("                {least} to train, if what is cheap is computed again"))?;
    }
    Ok(())
}
