//! What each class counts in the loss: all alike, by how rare they are, or as a table says.

use crate::TrainError;
use std::collections::HashMap;
use std::path::Path;
use striate_data::DataSet;

/// The weights that `wish` names, in the order of the classes; none where all count alike.
///
/// `none`; `balanced`: `n / (k · n_c)` for `n_c` of `n` training images in one of `k` classes, so that all classes together count
/// alike and the mean over the images is 1 (King and Zeng 2001, as scikit-learn has it); or the path of a table with the columns
/// `class` and `weight`.
///
/// # Errors
/// If the table cannot be read, or does not give each class a weight.
pub(crate) fn class_weights(wish: &str, data: &DataSet) -> Result<Vec<f64>, TrainError> {
    match wish {
        "none" => Ok(Vec::new()),
        "balanced" => {
            let mut counts = vec![0usize; data.classes.len()];
            for sample in &data.train.samples {
                counts[sample.label as usize] += 1;
            }
            Ok(balanced(&counts))
        }
        path => from_table(Path::new(path), &data.classes),
    }
}

/// Classes without images count like an average one: nothing is learnt of them.
fn balanced(counts: &[usize]) -> Vec<f64> {
    let classes = counts.iter().filter(|count| **count > 0).count();
    let images: usize = counts.iter().sum();
    let weight = |count: usize| images as f64 / (classes as f64 * count as f64);
    counts.iter().map(|&count| if count > 0 { weight(count) } else { 1.0 }).collect()
}

fn from_table(path: &Path, classes: &[String]) -> Result<Vec<f64>, TrainError> {
    let wrong = |why: String| TrainError::Model { path: path.to_path_buf(), why };
    let file = std::fs::File::open(path).map_err(|source| TrainError::File { path: path.to_path_buf(), source })?;
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header = table.headers().map_err(|e| wrong(e.to_string()))?.clone();
    let column = |name: &str| {
        let place = header.iter().position(|h| h.eq_ignore_ascii_case(name));
        place
            .ok_or_else(|| wrong(format!("there is no column `{name}`: a table of class weights has class and weight")))
    };
    let (class, weight) = (column("class")?, column("weight")?);
    let mut given = HashMap::new();
    for (line, row) in (2..).zip(table.records()) {
        let row = row.map_err(|e| wrong(e.to_string()))?;
        let (class, text) = (row.get(class).unwrap_or_default(), row.get(weight).unwrap_or_default());
        if !classes.iter().any(|c| c == class) {
            return Err(wrong(format!("line {line}: the data has no class `{class}`")));
        }
        let value = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
        let value =
            value.ok_or_else(|| wrong(format!("line {line}: `{text}` is no weight: give a number, 0 or more")))?;
        if given.insert(class.to_owned(), value).is_some() {
            return Err(wrong(format!("line {line}: the class `{class}` has a weight already")));
        }
    }
    let of =
        |class: &String| given.get(class).copied().ok_or_else(|| wrong(format!("the class `{class}` has no weight")));
    let weights: Vec<f64> = classes.iter().map(of).collect::<Result<_, _>>()?;
    if weights.iter().all(|w| *w == 0.0) {
        return Err(wrong("all weights are 0: there would be nothing to learn".into()));
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_classes_count_alike_and_images_1_on_average() {
        let counts = [90, 9, 1, 0];
        let weights = balanced(&counts);
        for (count, weight) in counts.iter().zip(&weights).take(3) {
            assert!((weight * *count as f64 - 100.0 / 3.0).abs() < 1e-9, "a third of all that counts");
        }
        let mean = counts.iter().zip(&weights).map(|(&n, w)| n as f64 * w).sum::<f64>() / 100.0;
        assert!((mean - 1.0).abs() < 1e-12);
        assert_eq!(weights[3], 1.0);
    }

    #[test]
    fn tables_are_read_and_their_faults_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights.csv");
        let classes = ["ant", "bee"].map(String::from);
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            from_table(&path, &classes)
        };
        assert_eq!(read("class,weight\nbee, 2.5\nant,1\n").unwrap(), [1.0, 2.5]);
        for (text, fault) in [
            ("class,weight\nbee,2\n", "the class `ant` has no weight"),
            ("class,weight\nwasp,2\n", "line 2: the data has no class `wasp`"),
            ("class,weight\nant,1\nbee,-1\n", "line 3: `-1` is no weight"),
            ("class,weight\nant,1\nant,1\n", "line 3: the class `ant` has a weight already"),
            ("class,weight\nant,0\nbee,0\n", "all weights are 0"),
            ("name,weight\nant,1\n", "no column `class`"),
        ] {
            let e = read(text).unwrap_err().to_string();
            assert!(e.contains(fault) && e.contains("weights.csv"), "{e}");
        }
    }
}
