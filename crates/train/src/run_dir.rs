//! A run's folder, `runs/<verb>/<name>[N]`: its resolved configuration, one row of metrics an epoch, and the weights. Nothing
//! is ever overwritten by another run, and every file is whole at any moment.

use crate::TrainError;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Component, Path, PathBuf};
use striate_weights::write_atomic;

/// The folder of one run.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    rows: Vec<EpochRow>,
}

/// One row of `metrics.csv`. Validation columns are empty where no images are held out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// From 1.
    pub epoch: u32,
    /// Of the epoch's last step.
    pub learning_rate: f64,
    /// Over the epoch's batches, while the weights moved. Where images are mixed, that of both their classes.
    pub train_loss: f64,
    /// Likewise; where images are mixed, the class with the larger share counts.
    pub train_accuracy: f64,
    /// After the epoch.
    pub val_loss: Option<f64>,
    /// After the epoch.
    pub val_accuracy: Option<f64>,
    /// After the epoch.
    pub val_top5: Option<f64>,
    /// Training images per second, loading included, validation not.
    pub images_per_second: f64,
    /// Since the start of the run.
    pub seconds: f64,
}

/// Makes a new folder `name` in `parent`, or `name2`, `name3`, … if it is taken, and returns its path.
///
/// # Errors
/// If `name` is not a plain name, or the folder cannot be made.
pub fn new_folder(parent: &Path, name: &str) -> Result<PathBuf, TrainError> {
    let plain = Path::new(name).components().eq([Component::Normal(name.as_ref())]);
    if !plain {
        return Err(TrainError::Setting(format!(
            "`{name}` cannot name a run's folder: give a plain name, without `/`"
        )));
    }
    fs::create_dir_all(parent).map_err(at(parent))?;
    for n in 1u32.. {
        let path = parent.join(if n == 1 { name.to_owned() } else { format!("{name}{n}") });
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(at(&path)(e)),
        }
    }
    unreachable!("four thousand million runs")
}

/// Names the file or folder that an error of the system is about.
fn at(path: &Path) -> impl FnOnce(std::io::Error) -> TrainError + use<> {
    let path = path.to_path_buf();
    move |source| TrainError::File { path, source }
}

impl RunDir {
    /// Makes a new folder `name` in `parent`, or `name2`, `name3`, … if it is taken.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(parent: &Path, name: &str) -> Result<RunDir, TrainError> {
        let path = new_folder(parent, name)?;
        let weights = path.join("weights");
        fs::create_dir(&weights).map_err(at(&weights))?;
        Ok(RunDir { path, rows: Vec::new() })
    }

    /// The folder of a run that exists, to go on with it.
    ///
    /// # Errors
    /// If it is no run's folder.
    pub fn open(path: &Path) -> Result<RunDir, TrainError> {
        if !path.join("config.toml").is_file() || !path.join("weights").is_dir() {
            let why = "is no run's folder: config.toml and weights/ are not there".to_owned();
            return Err(TrainError::Model { path: path.to_path_buf(), why });
        }
        Ok(RunDir { path: path.to_path_buf(), rows: Vec::new() })
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// If it cannot be read, or is no configuration of this kind.
    pub fn config<T: serde::de::DeserializeOwned>(&self) -> Result<T, TrainError> {
        let path = self.path.join("config.toml");
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        toml::from_str(&text).map_err(|e| TrainError::Model { path, why: e.to_string() })
    }

    /// Where checkpoints are kept.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the newest weights are kept.
    pub fn last(&self) -> PathBuf {
        self.path.join("weights/last.safetensors")
    }

    /// Where the best weights are kept.
    pub fn best(&self) -> PathBuf {
        self.path.join("weights/best.safetensors")
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_config(&self, config: &impl Serialize) -> Result<(), TrainError> {
        let path = self.path.join("config.toml");
        let text = toml::to_string(config)
            .map_err(|e| TrainError::File { path: path.clone(), source: std::io::Error::other(e) })?;
        Ok(write_atomic(&path, |w| w.write_all(text.as_bytes()))?)
    }

    /// Adds a row to `metrics.csv`. The file is small, so it is written anew, and never seen half-written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add_row(&mut self, row: EpochRow) -> Result<(), TrainError> {
        self.rows.push(row);
        self.write_rows()
    }

    /// Makes `metrics.csv` hold just these rows; without any, there is none.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn set_rows(&mut self, rows: Vec<EpochRow>) -> Result<(), TrainError> {
        self.rows = rows;
        if self.rows.is_empty() { Ok(()) } else { self.write_rows() }
    }

    fn write_rows(&self) -> Result<(), TrainError> {
        let rows = &self.rows;
        Ok(write_atomic(&self.path.join("metrics.csv"), |w: &mut dyn Write| {
            let mut csv = csv::Writer::from_writer(w);
            rows.iter().try_for_each(|row| csv.serialize(row)).map_err(std::io::Error::other)?;
            csv.flush()
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_a_number() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<_> = (0..3)
            .map(|_| RunDir::create(&dir.path().join("runs/train"), "lenet5").unwrap())
            .map(|r| r.path().file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["lenet5", "lenet52", "lenet53"]);
    }

    #[test]
    fn a_name_is_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", ".", "..", "a/b", "../out", "/tmp"] {
            let e = RunDir::create(dir.path(), name).unwrap_err().to_string();
            assert!(e.contains("cannot name a run's folder"), "{name}: {e}");
        }
    }

    #[test]
    fn metrics_have_one_header_and_a_row_an_epoch() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = RunDir::create(dir.path(), "r").unwrap();
        let row = |epoch, val| EpochRow {
            epoch,
            learning_rate: 0.1,
            train_loss: 1.5,
            train_accuracy: 0.5,
            val_loss: val,
            val_accuracy: val,
            val_top5: val,
            images_per_second: 100.0,
            seconds: 2.0,
        };
        for (epoch, val) in [(1, Some(0.25)), (2, None)] {
            run.add_row(row(epoch, val)).unwrap();
        }
        let text = fs::read_to_string(run.path().join("metrics.csv")).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("epoch,learning_rate,train_loss"));
        assert_eq!(lines[1], "1,0.1,1.5,0.5,0.25,0.25,0.25,100.0,2.0");
        assert_eq!(lines[2], "2,0.1,1.5,0.5,,,,100.0,2.0");
    }
}
