//! Event files for TensorBoard, written as a run goes: `events.out.tfevents.<time>.<host>.striate` in the run's folder, with a
//! point an epoch, and another in its folder `steps`, with a point every so many steps, where that is asked for.
//!
//! A run that goes on writes a new file. Its first point is preceded by a session's start, by which TensorBoard forgets what
//! earlier files say of that step and later ones; so is a point whose step does not follow the one before.

mod message;
mod record;

use crate::{EpochRow, StepReport, TrainError};
use message::{What, event};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// One event file. It grows by whole records, which are handed to the system at once.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
    /// The step of the last point; `None` before the first.
    last: Option<i64>,
    /// Whether earlier files tell of the same run.
    continues: bool,
}

impl EventFile {
    /// Makes a new file in a folder, which is made if there is none.
    ///
    /// # Errors
    /// If it cannot be made or written.
    pub fn create(folder: &Path) -> Result<EventFile, TrainError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let earlier = times(folder).map_err(at(folder))?;
        // TensorBoard reads the files in the order of their names.
        let time = earlier.iter().copied().max().map_or(now() as u64, |t| t.max(now() as u64));
        let name = format!("events.out.tfevents.{time:010}.{}.striate", host());
        for n in 1u32.. {
            let path = folder.join(if n == 1 { name.clone() } else { format!("{name}.{n}") });
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut events = EventFile { path, file, last: None, continues: !earlier.is_empty() };
                    events.write(0, &What::Version)?;
                    return Ok(events);
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(at(&path)(e)),
            }
        }
        unreachable!("four thousand million files in one second")
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a point to each of these curves. Values that are not finite are drawn as such by TensorBoard.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, step: i64, values: &[(&str, f64)]) -> Result<(), TrainError> {
        let taken_back = self.last.map_or(self.continues, |last| step <= last);
        if taken_back {
            self.write(step, &What::Restart)?;
        }
        self.write(step, &What::Scalars(values))?;
        self.last = Some(step);
        Ok(())
    }

    fn write(&mut self, step: i64, what: &What<'_>) -> Result<(), TrainError> {
        let record = record::framed(&event(now(), step, what));
        self.file.write_all(&record).map_err(at(&self.path))
    }
}

/// The curves of a run.
#[derive(Debug)]
pub struct TensorBoard {
    epochs: EventFile,
    /// The file of single steps, and every how many of them there is a point.
    steps: Option<(EventFile, u64)>,
}

impl TensorBoard {
    /// Begins, or goes on with, the curves of the run in this folder. With `every`, there is also a point every so many steps.
    ///
    /// # Errors
    /// If a file cannot be made.
    pub fn create(run: &Path, every: Option<u64>) -> Result<TensorBoard, TrainError> {
        let steps =
            every.map(|n| Ok::<_, TrainError>((EventFile::create(&run.join("steps"))?, n.max(1)))).transpose()?;
        Ok(TensorBoard { epochs: EventFile::create(run)?, steps })
    }

    /// An epoch ended: a point at the epoch's number.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        let always = [
            ("train/loss", Some(row.train_loss)),
            ("train/accuracy", Some(row.train_accuracy)),
            ("val/loss", row.val_loss),
            ("val/accuracy", row.val_accuracy),
            ("val/top5", row.val_top5),
            ("learning_rate", Some(row.learning_rate)),
            ("images_per_second", Some(row.images_per_second)),
        ];
        let values: Vec<(&str, f64)> = always.into_iter().filter_map(|(tag, v)| Some((tag, v?))).collect();
        self.epochs.add(i64::from(row.epoch), &values)
    }

    /// A step was made: a point at its number since the start of the run, if it is one of those. Loss and accuracy are over
    /// the epoch so far.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn step(&mut self, report: &StepReport) -> Result<(), TrainError> {
        let Some((file, every)) = &mut self.steps else { return Ok(()) };
        let step = u64::from(report.epoch.max(1) - 1) * report.steps + report.step;
        if !step.is_multiple_of(*every) {
            return Ok(());
        }
        let (score, rate, speed) = (report.score, report.learning_rate, report.images_per_second);
        file.add(
            step as i64,
            &[
                ("train/loss", score.loss),
                ("train/accuracy", score.accuracy),
                ("learning_rate", rate),
                ("images_per_second", speed),
            ],
        )
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> TrainError + use<> {
    let path = path.to_path_buf();
    move |source| TrainError::File { path, source }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// The times in the names of a folder's event files.
fn times(folder: &Path) -> std::io::Result<Vec<u64>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let time = name.to_str().and_then(|n| n.strip_prefix("events.out.tfevents."));
        all.extend(time.and_then(|t| t.split('.').next()).and_then(|t| t.parse::<u64>().ok()));
    }
    Ok(all)
}

/// The machine's name, of letters, digits, `.`, `-` and `_` only; `localhost` where it has none.
pub(crate) fn host() -> String {
    let name =
        fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default();
    let plain: String = name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    if plain.is_empty() { "localhost".into() } else { plain }
}

#[cfg(test)]
mod tests;
