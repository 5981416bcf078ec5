//! Runs as they lie in their folders: what was planned, what was reached, how they ended. Folders of other versions are read
//! as far as they are understood.

use crate::{EpochRow, Record, State, TrainError};
use std::fs;
use std::path::{Path, PathBuf};
use toml::Value;

/// A run's folder, read.
#[derive(Clone, Debug)]
pub struct Run {
    /// The folder.
    pub path: PathBuf,
    /// Every setting of `config.toml`, by its name (`optimizer.momentum`), in the order of the names.
    pub settings: Vec<(String, String)>,
    /// The rows of `metrics.csv`.
    pub rows: Vec<EpochRow>,
    /// `run.json`, where there is one.
    pub record: Option<Record>,
    /// Epochs that were planned, extensions included.
    pub planned: u32,
    /// How it stands.
    pub state: State,
}

impl Run {
    /// Reads a run's folder.
    ///
    /// # Errors
    /// If it is no run's folder, or one of its files cannot be read.
    pub fn read(path: &Path) -> Result<Run, TrainError> {
        let wrong = |path: &Path, why: String| TrainError::Model { path: path.to_path_buf(), why };
        if !is_run(path) {
            return Err(wrong(path, "there is no run here: a run's folder holds config.toml and weights".into()));
        }
        let file = path.join("config.toml");
        let text = fs::read_to_string(&file).map_err(|source| TrainError::File { path: file.clone(), source })?;
        let config: toml::Table = text.parse().map_err(|e| wrong(&file, format!("it cannot be read: {e}")))?;
        let mut settings = Vec::new();
        config.iter().for_each(|(name, value)| flatten(name, value, &mut settings));
        let metrics = path.join("metrics.csv");
        let rows = if metrics.exists() { read_rows(&metrics)? } else { Vec::new() };
        let record = Record::read(path)?;
        let planned = planned(&config);
        let ended = || if rows.len() as u64 >= u64::from(planned) { State::Finished } else { State::Stopped };
        let state = record.as_ref().and_then(|r| r.attempts.last()).map_or_else(ended, crate::Attempt::state);
        Ok(Run { path: path.to_path_buf(), settings, rows, record, planned, state })
    }

    /// A setting's value.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The best epoch: that with the highest accuracy on the images held out, ties by loss, the earlier of equals; the last
    /// where none are held out. `None` before the first is done.
    pub fn best(&self) -> Option<&EpochRow> {
        let key = |r: &EpochRow| Some((r.val_accuracy?, -r.val_loss?));
        let better = |a: &EpochRow, b: &EpochRow| key(b).is_none() || key(b) > key(a);
        self.rows.iter().reduce(|a, b| if better(a, b) { b } else { a })
    }

    /// Seconds of training so far.
    pub fn seconds(&self) -> f64 {
        self.rows.last().map_or(0.0, |r| r.seconds)
    }

    /// When it was begun, in seconds since 1970; `None` where it has no record.
    pub fn started(&self) -> Option<u64> {
        self.record.as_ref()?.attempts.first().map(|a| a.started)
    }
}

impl EpochRow {
    /// The accuracy that the epoch is judged by: on the images held out, or on the training images where none are.
    pub fn accuracy(&self) -> f64 {
        self.val_accuracy.unwrap_or(self.train_accuracy)
    }
}

/// The runs in a folder and below, in the order of their paths; what cannot be read is told beside.
///
/// # Errors
/// If the folder itself cannot be listed.
pub fn find_runs(folder: &Path) -> Result<(Vec<Run>, Vec<TrainError>), TrainError> {
    let (mut runs, mut wrong) = (Vec::new(), Vec::new());
    search(folder, DEPTH, &mut runs, &mut wrong)?;
    Ok((runs, wrong))
}

/// How deep below the folder runs are looked for: `runs/<verb>/<name>/<fold>` and one more.
const DEPTH: usize = 4;

fn search(folder: &Path, depth: usize, runs: &mut Vec<Run>, wrong: &mut Vec<TrainError>) -> Result<(), TrainError> {
    if is_run(folder) {
        match Run::read(folder) {
            Ok(run) => runs.push(run),
            Err(e) => wrong.push(e),
        }
        return Ok(());
    }
    let failed = |source| TrainError::File { path: folder.to_path_buf(), source };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    for inner in folders.iter().filter(|_| depth > 0) {
        if let Err(e) = search(inner, depth - 1, runs, wrong) {
            wrong.push(e);
        }
    }
    Ok(())
}

/// Other programs have a `config.toml` too.
fn is_run(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    has("config.toml") && (has("weights") || has("metrics.csv") || has("run.json"))
}

fn read_rows(path: &Path) -> Result<Vec<EpochRow>, TrainError> {
    let wrong = |e: csv::Error| TrainError::Model { path: path.to_path_buf(), why: format!("it cannot be read: {e}") };
    let mut reader = csv::Reader::from_path(path).map_err(wrong)?;
    reader.deserialize().collect::<Result<_, _>>().map_err(wrong)
}

/// A table's values under their full names; lists as they are written.
fn flatten(name: &str, value: &Value, settings: &mut Vec<(String, String)>) {
    match value {
        Value::Table(table) => {
            table.iter().for_each(|(inner, value)| flatten(&format!("{name}.{inner}"), value, settings));
        }
        Value::String(text) => settings.push((name.to_owned(), text.clone())),
        value => settings.push((name.to_owned(), value.to_string())),
    }
}

/// The epochs of the plan: as first planned, and each extension.
fn planned(config: &toml::Table) -> u32 {
    let number = |v: &Value| v.as_integer().map_or(0, |n| n.clamp(0, i64::from(u32::MAX)) as u32);
    let extensions = config.get("extensions").and_then(Value::as_array);
    let more = extensions.into_iter().flatten().map(number);
    more.fold(config.get("epochs").map_or(0, number), u32::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "epoch,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,val_top5,images_per_second,seconds";

    fn make(parent: &Path, name: &str, config: &str, rows: &[&str]) -> PathBuf {
        let path = parent.join(name);
        fs::create_dir_all(path.join("weights")).unwrap();
        fs::write(path.join("config.toml"), config).unwrap();
        if !rows.is_empty() {
            fs::write(path.join("metrics.csv"), format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
        }
        path
    }

    #[test]
    fn a_run_is_read_from_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let config = "model = \"lenet5\"\nepochs = 3\nextensions = [2, 1]\n[optimizer]\nname = \"adamw\"\nbetas = [0.9, 0.999]\n";
        let rows = [
            "1,0.1,1.5,0.5,1.0,0.7,1,10,2",
            "2,0.1,1.2,0.6,0.9,0.8,1,10,4",
            "3,0.1,1.1,0.9,0.8,0.8,1,10,6",
            "4,0.1,1,1,0.8,0.8,1,10,8",
        ];
        let run = Run::read(&make(dir.path(), "r", config, &rows)).unwrap();
        assert_eq!((run.planned, run.rows.len(), run.state), (6, 4, State::Stopped));
        assert_eq!(run.setting("optimizer.betas"), Some("[0.9, 0.999]"));
        assert_eq!((run.setting("model"), run.setting("optimizer")), (Some("lenet5"), None));
        assert_eq!(run.best().unwrap().epoch, 3, "ties go to the lower loss, then to the earlier epoch");
        assert_eq!((run.best().unwrap().accuracy(), run.seconds()), (0.8, 8.0));
        let without = ["1,0.1,1.5,0.75,,,,10,2", "2,0.1,1.6,0.5,,,,10,3"];
        let run = Run::read(&make(dir.path(), "s", "epochs = 2", &without)).unwrap();
        assert_eq!((run.best().unwrap().epoch, run.best().unwrap().accuracy()), (2, 0.5));
        assert_eq!(run.state, State::Finished);
    }

    #[test]
    fn runs_are_found_below_and_broken_ones_are_told() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), "train/b", "epochs = 1", &[]);
        make(dir.path(), "train/a/fold1", "epochs = 1", &["1,0.1,1,1,1,1,1,1,1"]);
        make(dir.path(), "train/c", "epochs =", &[]);
        make(dir.path(), "train/d", "epochs = 1", &["x,0.1,1,1,1,1,1,1,1"]);
        fs::create_dir_all(dir.path().join("other")).unwrap();
        fs::write(dir.path().join("other/config.toml"), "[build]").unwrap();
        let (runs, wrong) = find_runs(dir.path()).unwrap();
        let names: Vec<_> = runs.iter().map(|r| r.path.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["train/a/fold1", "train/b"]);
        let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert!(told[0].contains("c/config.toml") && told[1].contains("d/metrics.csv"), "{told:?}");
        assert!(runs[1].best().is_none());
        assert!(find_runs(&dir.path().join("nowhere")).is_err());
        let e = Run::read(dir.path()).unwrap_err().to_string();
        assert!(e.contains("no run here"), "{e}");
    }
}
