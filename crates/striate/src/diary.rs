//! What is noted of a run while it goes: its record, `run.json`, and its curves for TensorBoard. Training goes on without the
//! curves if they cannot be written.

use crate::figures::peak_memory;
use crate::report::command_line;
use anyhow::Result;
use std::path::{Path, PathBuf};
use striate_kernels::Cpu;
use striate_train::{Attempt, EpochRow, Outcome, Record, State, StepReport, TensorBoard, TrainError};

/// The notes of one run.
pub struct Diary {
    run: PathBuf,
    record: Record,
    board: Option<TensorBoard>,
}

impl Diary {
    /// Begins it in the run's folder, or goes on with it. With `every`, there is a point of the curves every so many steps too.
    pub fn begin(run: &Path, cpu: &Cpu, every: Option<u64>) -> Result<Diary> {
        let board = TensorBoard::create(run, every)?;
        let record = Record::begin(run, Attempt::begin(command_line(), cpu))?;
        Ok(Diary { run: run.to_owned(), record, board: Some(board) })
    }

    /// A step was made; what cannot be written is told, once.
    pub fn step(&mut self, report: &StepReport) -> Option<String> {
        self.note(|board| board.step(report))
    }

    /// An epoch ended; likewise.
    pub fn epoch(&mut self, row: &EpochRow) -> Option<String> {
        self.note(|board| board.epoch(row))
    }

    fn note(&mut self, write: impl FnOnce(&mut TensorBoard) -> Result<(), TrainError>) -> Option<String> {
        let e = write(self.board.as_mut()?).err()?;
        self.board = None;
        Some(format!("warning: no more is noted for TensorBoard: {e}"))
    }

    /// The run ended.
    pub fn end(&mut self, outcome: &Result<Outcome, TrainError>) -> Result<()> {
        let (state, error) = match outcome {
            Err(e) => (State::Failed, Some(e.to_string())),
            Ok(o) if o.stopped => (State::Stopped, None),
            Ok(_) => (State::Finished, None),
        };
        Ok(self.record.end(&self.run, state, error, peak_memory().map(|bytes| bytes as u64))?)
    }
}
