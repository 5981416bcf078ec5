//! The images whose features are nearest to a query's.

use super::{Args, Distance, Extractor, Table};
use crate::commands::print_line;
use crate::contact_sheet::{Part, draw};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use striate_data::{Picture, Preprocessing, read};
use striate_weights::write_atomic;

/// Of a contact sheet's pictures, the longer side.
const SIDE: u32 = 160;

/// A query's neighbours.
pub(super) struct Found {
    query: PathBuf,
    /// Rows and distances, the nearest first.
    nearest: Vec<(usize, f64)>,
}

impl Args {
    /// Finds the neighbours of every query, and writes the sheet if there is to be one.
    pub(super) fn neighbours(
        &self,
        table: &Table,
        extractor: &mut Extractor,
        preprocessing: &Preprocessing,
    ) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        let (mut rows, limits) = (Vec::new(), self.read.limits());
        for query in &self.nearest {
            let picture = read(query, &limits).with_context(|| query.display().to_string())?;
            let mut image = vec![0.0; preprocessing.len()];
            preprocessing.apply(&picture, &mut image);
            let features = extractor.of(&image, 1)?;
            let nearest = nearest(table, query, &features, self.k as usize, self.distance);
            if self.sheet.is_some() {
                let of = |&(row, _): &(usize, f64)| table.samples[row].read(&limits).ok();
                let pictures = [Some(picture)].into_iter().chain(nearest.iter().map(of)).flatten();
                let name = query.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                rows.push((vec![name], pictures.map(|p| square(&p)).collect()));
            }
            found.push(Found { query: query.clone(), nearest });
        }
        if let Some(file) = &self.sheet {
            let columns = ["query".to_owned()].into_iter().chain((1..=self.k).map(|i| i.to_string())).collect();
            let part = Part { title: String::new(), columns, rows };
            let png = draw("queries and their nearest images", (SIDE, SIDE), &[part]).to_png();
            write_atomic(file, |out| out.write_all(&png))?;
        }
        Ok(found)
    }
}

/// A picture in a white square.
fn square(picture: &Picture) -> Picture {
    let small = picture.shrunk(SIDE).to_colour();
    let mut square = Picture::filled(SIDE, SIDE, &[255; 3]);
    square.paste(&small, (SIDE - small.width) / 2, (SIDE - small.height) / 2);
    square
}

/// The `k` nearest rows but for the query's own; of equally near ones the first.
fn nearest(table: &Table, query: &Path, features: &[f32], k: usize, by: Distance) -> Vec<(usize, f64)> {
    let own = query.canonicalize().ok();
    let is_own = |row: usize| own.is_some() && Path::new(&table.files[row]).canonicalize().ok() == own;
    let mut all: Vec<(usize, f64)> =
        (0..table.rows()).map(|row| (row, distance(table.row(row), features, by))).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    all.into_iter().filter(|(row, _)| !is_own(*row)).take(k).collect()
}

/// One less the cosine of the angle, or the distance.
fn distance(a: &[f32], b: &[f32], by: Distance) -> f64 {
    let sum = |of: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| of((*a).into(), (*b).into())).sum::<f64>();
    match by {
        Distance::Euclid => sum(&|a, b| (a - b) * (a - b)).sqrt(),
        Distance::Cosine => {
            let norms = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
            if norms > 0.0 { 1.0 - sum(&|a, b| a * b) / norms } else { 1.0 }
        }
    }
}

impl Found {
    /// As an object.
    pub(super) fn object(&self, table: &Table) -> Value {
        let one = |&(row, distance): &(usize, f64)| json!({"file": table.files[row], "class": table.class(row), "part": table.parts[row], "distance": distance});
        let nearest: Vec<Value> = self.nearest.iter().map(one).collect();
        json!({"query": self.query, "nearest": nearest})
    }

    /// In words.
    pub(super) fn print(&self, table: &Table) -> Result<()> {
        print_line(&format!("nearest to {}:", self.query.display()))?;
        for (row, distance) in &self.nearest {
            print_line(&format!("  {distance:.4}  {}  {}", table.class(*row), table.files[*row]))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first() {
        let table = Table {
            values: vec![1.0, 0.0, 0.0, 2.0, 3.0, 3.0],
            len: 2,
            files: ["a", "b", "c"].map(String::from).to_vec(),
            labels: vec![0; 3],
            parts: vec!["train"; 3],
            classes: vec!["x".into()],
            samples: vec![],
        };
        let order = |query: &[f32], by| {
            let found = nearest(&table, Path::new("nowhere"), query, 3, by);
            found.into_iter().map(|(row, _)| row).collect::<Vec<_>>()
        };
        assert_eq!(order(&[9.0, 9.0], Distance::Cosine), [2, 0, 1]);
        assert_eq!(order(&[0.1, 0.9], Distance::Euclid), [1, 0, 2]);
        assert!((distance(&[1.0, 0.0], &[1.0, 1.0], Distance::Cosine) - (1.0 - 0.5_f64.sqrt())).abs() < 1e-12);
        assert_eq!(distance(&[0.0, 0.0], &[1.0, 1.0], Distance::Cosine), 1.0, "no direction");
    }
}
