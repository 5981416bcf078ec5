//! The object that `striate summary --json` prints. Its keys stay.

use super::analysis::{Analysis, LayerFigures};
use serde_json::{Value, json};
use striate_train::precision_name;

pub fn object(a: &Analysis<'_>) -> Value {
    let t = &a.totals;
    json!({
        "name": a.graph.name(),
        "parameters": t.parameters, "trainable": a.trainable(), "auxiliary_parameters": t.auxiliary_parameters,
        "statistics": t.statistics, "total": a.total(),
        "parameters_without_classifier": t.parameters - t.classifier_parameters, "classifier": a.classifier,
        "multiply_adds": t.multiply_adds, "flops": t.multiply_adds.saturating_mul(2),
        "auxiliary_multiply_adds": t.auxiliary_multiply_adds,
        "training_multiply_adds": a.training_multiply_adds(),
        "batch": a.batch, "precision": precision_name(a.precision), "estimate": false,
        "weights_bytes": a.weights_bytes(), "predict_bytes": a.predict_bytes, "train_bytes": a.train_bytes,
        "least_train_bytes": a.least_train_bytes,
        "layers": a.layers.iter().map(|l| layer(a, l)).collect::<Vec<_>>(),
    })
}

fn layer(a: &Analysis<'_>, l: &LayerFigures<'_>) -> Value {
    let (node, window) = (l.node, a.graph.window(l.node));
    let field = l.field.spans().map(|[rows, columns]| {
        json!({
            "size": [rows.size(), columns.size()],
            "jump": [rows.jump, columns.jump],
            "centre": [rows.centre(), columns.centre()],
        })
    });
    json!({
        "name": node.name, "kind": node.layer.kind(), "attributes": node.layer.describe(), "inputs": l.inputs,
        "kernel": window.map(|w| w.kernel), "stride": window.map(|w| w.stride), "padding": window.map(|w| w.padding),
        "output": [node.shape.h, node.shape.w, node.shape.c],
        "parameters": node.trained(), "trainable": node.trained(), "statistics": node.untrained(),
        "multiply_adds": l.multiply_adds, "flops": l.multiply_adds.saturating_mul(2),
        "training_multiply_adds": l.training_multiply_adds.saturating_mul(a.batch as u64),
        "activation_bytes": l.activation_bytes,
        "receptive_field": field, "whole": field.is_none(),
        "formula": l.formula, "auxiliary": l.auxiliary,
    })
}
