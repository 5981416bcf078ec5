//! An evaluation as tables: `confusion.csv` (rows are true classes, columns predictions) and `predictions.csv` (a row an
//! image), written whole or not at all.

use super::{Confusion, KEPT, Prediction, Predictions};
use crate::TrainError;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use striate_weights::write_atomic;

/// Columns of `predictions.csv` before those of the second to fifth class.
const COLUMNS: [&str; 8] =
    ["file", "label", "prediction", "probability", "label_probability", "rank", "loss", "squared_error"];
const BEHIND: [&str; KEPT - 1] = ["second", "third", "fourth", "fifth"];

/// Writes a confusion matrix: a header of `true class` and the classes' names, then a row a true class.
///
/// # Errors
/// If the file cannot be written.
pub fn write_confusion(path: &Path, confusion: &Confusion, classes: &[String]) -> Result<(), TrainError> {
    let header: Vec<&str> = [r"true \ predicted"].into_iter().chain(classes.iter().map(String::as_str)).collect();
    let row = |(i, class): (usize, &String)| {
        let counts = confusion.row(i).iter().map(ToString::to_string);
        [class.clone()].into_iter().chain(counts).collect::<Vec<String>>()
    };
    write_table(path, &header, classes.iter().enumerate().map(row))
}

/// Writes predictions, a row an image: its file (`name` of its place), class, predicted class and what else
/// [`Prediction`] holds. `rank` is 0 where the class was recognised.
///
/// # Errors
/// If the file cannot be written.
pub fn write_predictions(
    path: &Path,
    predictions: &Predictions,
    classes: &[String],
    name: impl Fn(usize) -> String,
) -> Result<(), TrainError> {
    let pairs = BEHIND.iter().flat_map(|place| [(*place).to_owned(), format!("{place}_probability")]);
    let header: Vec<String> = COLUMNS.iter().map(ToString::to_string).chain(pairs).collect();
    let class = |i: u32| classes.get(i as usize).cloned().unwrap_or_else(|| i.to_string());
    let row = |p: &Prediction| {
        let mut cells = vec![name(p.index), class(p.label), class(p.predicted()), p.confidence().to_string()];
        cells.extend([p.own.to_string(), p.rank.to_string(), p.loss.to_string(), p.squared_error.to_string()]);
        let behind = (1..KEPT).map(|i| p.top.get(i));
        cells
            .extend(behind.flat_map(|t| t.map_or([String::new(), String::new()], |&(c, q)| [class(c), q.to_string()])));
        cells
    };
    write_table(path, &header, predictions.images.iter().map(row))
}

fn write_table<S: AsRef<[u8]>>(
    path: &Path,
    header: &[S],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<(), TrainError> {
    Ok(write_atomic(path, |w: &mut dyn Write| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(header).map_err(std::io::Error::other)?;
        for row in rows {
            csv.write_record(&row).map_err(std::io::Error::other)?;
        }
        csv.flush()
    })?)
}

/// Reads what [`write_predictions`] wrote: the files' names, and the predictions, whose places count the rows.
///
/// # Errors
/// If the file cannot be read, or a row is none of this kind: with the line and the column.
pub fn read_predictions(path: &Path, classes: &[String]) -> Result<(Vec<String>, Predictions), TrainError> {
    let wrong = |why: String| TrainError::Model { path: path.to_path_buf(), why };
    let unreadable = |e: csv::Error| wrong(e.to_string());
    let mut reader = csv::Reader::from_path(path).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    if !COLUMNS.iter().zip(&header).all(|(a, b)| *a == b) || header.len() < COLUMNS.len() {
        return Err(wrong(format!("its columns must begin with {}", COLUMNS.join(","))));
    }
    let places: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let (mut names, mut predictions) = (Vec::new(), Predictions::new(classes.len()));
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |i: usize| record.get(i).unwrap_or_default();
        let class = |i: usize| {
            let known = places.get(cell(i)).copied();
            known.ok_or_else(|| wrong(format!("line {line}: `{}` is no class of the model", cell(i))))
        };
        let number = |i: usize| {
            let column = header.get(i).unwrap_or("a probability");
            let parsed = cell(i).parse::<f32>();
            parsed.map_err(|_| wrong(format!("line {line}: {column} must be a number, not `{}`", cell(i))))
        };
        let mut p = Prediction {
            index: names.len(),
            label: class(1)?,
            top: [(class(2)?, number(3)?)].into_iter().collect(),
            own: number(4)?,
            rank: number(5)? as u32,
            loss: number(6)?,
            squared_error: number(7)?,
        };
        for place in (COLUMNS.len()..record.len().saturating_sub(1)).step_by(2).filter(|&i| !cell(i).is_empty()) {
            p.top.push((class(place)?, number(place + 1)?));
        }
        names.push(cell(0).to_owned());
        predictions.images.push(p);
    }
    Ok((names, predictions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn classes() -> Vec<String> {
        ["ant", "bee, \"honey\"", "γ"].map(String::from).to_vec()
    }

    fn example() -> Predictions {
        let mut all = Predictions::new(3);
        all.add(&[2.0, 1.0, 0.0, 0.5, 0.25, 9.0], &[0, 1], &[4, 6]);
        all
    }

    #[test]
    fn predictions_are_read_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("predictions.csv");
        write_predictions(&path, &example(), &classes(), |i| format!("a, {i}.jpg")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("file,label,prediction,probability,label_probability,rank,"), "{text}");
        let (names, read) = read_predictions(&path, &classes()).unwrap();
        assert_eq!(names, ["a, 4.jpg", "a, 6.jpg"]);
        let mut meant = example();
        meant.images.iter_mut().zip(0..).for_each(|(p, i)| p.index = i);
        assert_eq!(read, meant, "every float comes back to the bit");
    }

    #[test]
    fn a_table_of_another_kind_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("predictions.csv");
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            read_predictions(&path, &classes()).unwrap_err().to_string()
        };
        assert!(refused("path,label\n").contains("must begin with file,label,prediction"));
        let header = COLUMNS.join(",");
        assert!(refused(&format!("{header}\na.jpg,wasp,ant,1,1,0,0,0\n")).contains("line 2: `wasp` is no class"));
        assert!(
            refused(&format!("{header}\na.jpg,ant,ant,x,1,0,0,0\n")).contains("line 2: probability must be a number")
        );
    }

    #[test]
    fn the_confusion_has_names_on_both_sides() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("confusion.csv");
        write_confusion(&path, &example().confusion(), &classes()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let quoted = r#""bee, ""honey""""#;
        assert_eq!(text, format!("true \\ predicted,ant,{quoted},γ\nant,1,0,0\n{quoted},0,0,1\nγ,0,0,0\n"));
    }
}
