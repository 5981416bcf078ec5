//! Whole runs on an eighth of the built-in digits.

#![allow(clippy::unwrap_used, dead_code, reason = "each test file uses some of it")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use striate_data::{DataSet, LeftOut, Limits, OpenOptions, Silent, Split};
use striate_kernels::Cpu;
use striate_train::{
    Checkpoint, Config, EpochRow, Job, Model, Outcome, RunDir, StepReport, TrainError, Watch, Wishes, train,
};

/// Every eighth of the digits, with a short last batch to train on and one to score.
pub fn digits() -> &'static DataSet {
    static DIGITS: OnceLock<DataSet> = OnceLock::new();
    DIGITS.get_or_init(|| {
        let mut data = DataSet::open("digits", &OpenOptions::default(), &Silent).unwrap();
        for part in [&mut data.train, &mut data.val] {
            *part = Arc::new(Split { samples: part.samples.iter().step_by(8).cloned().collect() });
        }
        assert!(data.train.len() % 16 > 1 && !data.val.len().is_multiple_of(16), "last batches are short");
        data
    })
}

pub fn config(model: &str, epochs: u32) -> Config {
    let wishes = Wishes {
        model: Some(model.into()),
        epochs: Some(epochs),
        batch: Some(16),
        image_size: Some(if model == "lenet5" { 32 } else { 16 }),
        seed: 3,
        ..Wishes::default()
    };
    let mut config = Config::choose(digits(), &wishes).unwrap();
    config.measure(digits(), Limits::default(), 2).unwrap();
    config
}

/// Keeps the rows, and raises the stop flag after so many steps.
struct Notes<'a> {
    rows: Vec<(EpochRow, bool)>,
    steps: u64,
    stop_after: Option<u64>,
    stop: &'a AtomicBool,
    told: Vec<String>,
}

impl Watch for Notes<'_> {
    fn step(&mut self, report: &StepReport) {
        self.steps += 1;
        assert!(report.seconds_left >= 0.0 && report.step <= report.steps);
        if self.stop_after == Some(self.steps) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
    fn epoch(&mut self, row: &EpochRow, best: bool) {
        self.rows.push((row.clone(), best));
    }
    fn left_out(&mut self, files: &[LeftOut]) {
        panic!("{files:?}");
    }
    fn note(&mut self, what: &str) {
        self.told.push(what.to_owned());
    }
}

/// What a run leaves behind.
pub struct Run {
    pub outcome: Result<Outcome, TrainError>,
    pub rows: Vec<(EpochRow, bool)>,
    pub steps: u64,
    pub told: Vec<String>,
    pub dir: RunDir,
    folder: tempfile::TempDir,
}

pub fn run(config: &Config, data: &DataSet, threads: usize, workers: usize, stop_after: Option<u64>) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::create(folder.path(), "run").unwrap();
    go(config, data, (threads, workers), stop_after, (dir, folder), false)
}

/// Goes on with a run from its last checkpoint.
pub fn resume(run: Run, config: &Config, threads: (usize, usize), stop_after: Option<u64>) -> Run {
    let dir = RunDir::open(run.dir.path()).unwrap();
    go(config, digits(), threads, stop_after, (dir, run.folder), true)
}

fn go(
    config: &Config,
    data: &DataSet,
    (threads, workers): (usize, usize),
    stop_after: Option<u64>,
    (mut dir, folder): (RunDir, tempfile::TempDir),
    resumes: bool,
) -> Run {
    let stop = AtomicBool::new(false);
    let cpu = Arc::new(Cpu::new(threads).unwrap());
    let resume = resumes.then(|| Checkpoint::read(&dir.checkpoints(), |e| panic!("{e}")).unwrap());
    let (limits, checkpoint_every) = (Limits::default(), Duration::MAX);
    let job = Job { config, data, cpu, workers, limits, stop: &stop, fast_in_bf16: false, resume, checkpoint_every };
    let mut notes = Notes { rows: Vec::new(), steps: 0, stop_after, stop: &stop, told: Vec::new() };
    let outcome = train(&job, &mut dir, &mut notes);
    Run { outcome, rows: notes.rows, steps: notes.steps, told: notes.told, dir, folder }
}

pub fn bits(path: &Path) -> Vec<(String, Vec<u32>)> {
    let model = Model::read(path).unwrap();
    let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect();
    model.parameters.iter().map(|(name, _, v)| (name.to_owned(), bits(v))).collect()
}

/// The columns that are not times.
pub fn metrics(rows: &[(EpochRow, bool)]) -> Vec<EpochRow> {
    rows.iter().map(|(row, _)| EpochRow { images_per_second: 0.0, seconds: 0.0, ..row.clone() }).collect()
}
