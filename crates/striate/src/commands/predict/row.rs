//! What is told of one picture: a row of a table, a line of JSON, or a line of text.

use crate::figures::percent;
use serde::{Deserialize, Serialize};
use std::path::Path;
use striate_train::{Answer, Reading, Unknown};

/// What is told of a picture; of one that could not be read, only why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The file.
    pub path: String,
    /// The likeliest class.
    pub class: Option<String>,
    /// Its probability.
    pub probability: Option<f32>,
    /// Whether the score lies below the threshold; nothing where there is no threshold.
    pub unknown: Option<bool>,
    /// The likeliest classes, in order.
    pub predictions: Vec<Prediction>,
    /// Why there is no answer.
    pub error: Option<String>,
}

/// A class and its probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The class's name.
    pub class: String,
    /// Its place among the network's outputs.
    pub index: usize,
    /// Its probability.
    pub probability: f32,
}

/// What is told of a picture on stdout.
#[derive(Serialize)]
pub struct Line<'a> {
    file: &'a str,
    unknown: Option<bool>,
    predictions: &'a [Prediction],
}

impl Row {
    /// A picture that has no answer.
    pub fn failed(path: &Path, why: &str) -> Row {
        Row { path: path.to_string_lossy().into_owned(), error: Some(why.to_owned()), ..Row::default() }
    }

    /// The line of JSON on stdout.
    pub fn object(&self) -> Line<'_> {
        Line { file: &self.path, unknown: self.unknown, predictions: &self.predictions }
    }

    /// The line of text on stdout.
    pub fn line(&self) -> String {
        let named = |p: &Prediction| format!("{} {}", p.class, percent(f64::from(p.probability)));
        let all = self.predictions.iter().map(named).collect::<Vec<_>>().join(", ");
        let path = &self.path;
        if self.unknown == Some(true) { format!("{path}: unknown ({all})") } else { format!("{path}: {all}") }
    }
}

/// How logits become rows.
#[derive(Clone, Debug)]
pub struct Judge {
    /// How they are read.
    pub reading: Reading,
    /// Below this score a picture is unknown.
    pub threshold: Option<f64>,
    /// How many of the likeliest classes are told.
    pub top: usize,
    /// The classes' names.
    pub classes: Vec<String>,
}

impl Judge {
    /// The row of a picture; `logits` has a row of classes for each look at it.
    pub fn row(&self, path: &Path, logits: &[f32]) -> Row {
        let Answer { probabilities, known } = self.reading.answer(logits, self.classes.len());
        if probabilities.iter().any(|p| !p.is_finite()) {
            return Row::failed(path, "gets an answer that is not a number: the network's values are broken");
        }
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        // Of equal ones the first stands first.
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let of = |index: usize| {
            let probability = probabilities[index] as f32;
            Prediction { class: self.classes[index].clone(), index, probability }
        };
        let predictions: Vec<Prediction> = order.into_iter().take(self.top).map(of).collect();
        let first = predictions.first();
        Row {
            path: path.to_string_lossy().into_owned(),
            class: first.map(|p| p.class.clone()),
            probability: first.map(|p| p.probability),
            unknown: self.threshold.map(|threshold| Unknown::is_unknown(threshold, known)),
            predictions,
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_the_threshold() {
        let classes = ["ant", "bee", "cat"].map(String::from).to_vec();
        let judge = |threshold| Judge { reading: Reading::PLAIN, threshold, top: 2, classes: classes.clone() };
        let logits = [0.1f32, 0.6, 0.3].map(f32::ln);
        let row = judge(Some(0.7)).row(Path::new("a.jpg"), &logits);
        assert_eq!((row.class.as_deref(), row.unknown, row.predictions.len()), (Some("bee"), Some(true), 2));
        assert_eq!(row.line(), "a.jpg: unknown (bee 60.00 %, cat 30.00 %)");
        assert_eq!(judge(Some(0.5)).row(Path::new("a.jpg"), &logits).unknown, Some(false));
        assert_eq!(judge(None).row(Path::new("a.jpg"), &logits).line(), "a.jpg: bee 60.00 %, cat 30.00 %");
        let broken = judge(None).row(Path::new("a.jpg"), &[f32::NAN; 3]);
        assert!(broken.class.is_none() && broken.error.unwrap().contains("not a number"));
    }
}
