//! `run.json`: what was asked of a run, on which machine, and how it ended. A run that is stopped and taken up again has an
//! attempt for each time. Times are seconds since 1970.

use crate::TrainError;
use crate::tensorboard::host;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use striate_kernels::Cpu;
use striate_weights::write_atomic;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its process is alive, as far as can be told from here.
    Running,
    /// All epochs are done.
    Finished,
    /// It was interrupted, or its process was ended.
    Stopped,
    /// It ended with an error.
    Failed,
}

impl State {
    /// As a word.
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Finished => "finished",
            State::Stopped => "stopped",
            State::Failed => "failed",
        }
    }
}

/// One time that a run was worked on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The command, as a shell would take it.
    pub command: String,
    /// The folder that it was given in.
    pub folder: String,
    /// When it began.
    pub started: u64,
    /// When it ended; absent while it runs, and where it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    /// As it was when it last wrote.
    pub state: State,
    /// The error it ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The machine's name.
    pub host: String,
    /// The processor.
    pub processor: String,
    /// Threads that computed.
    pub threads: usize,
    /// The instruction set that they used.
    pub isa: String,
    /// The process.
    pub pid: u32,
    /// When the process began, in the system's own count, which tells it from a later one of the same number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_started: Option<u64>,
    /// The most memory that the process had at once, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// The version of Striate.
    pub striate: String,
}

impl Attempt {
    /// One that begins now, in this process.
    pub fn begin(command: String, cpu: &Cpu) -> Attempt {
        let folder = std::env::current_dir().map(|f| f.display().to_string()).unwrap_or_default();
        let pid = std::process::id();
        Attempt {
            command,
            folder,
            started: now(),
            ended: None,
            state: State::Running,
            error: None,
            host: host(),
            processor: processor(),
            threads: cpu.threads(),
            isa: cpu.isa().name().into(),
            pid,
            process_started: process_start(pid),
            peak_memory: None,
            striate: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// How it stands now: what says that it runs, but whose process is gone, was stopped.
    pub fn state(&self) -> State {
        let elsewhere = self.host != host() || !Path::new("/proc/self/stat").exists();
        let alive =
            elsewhere || process_start(self.pid).is_some_and(|t| self.process_started.is_none_or(|own| own == t));
        if self.state == State::Running && !alive { State::Stopped } else { self.state }
    }
}

/// All attempts of a run, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Each time that the run was worked on.
    pub attempts: Vec<Attempt>,
}

impl Record {
    /// Reads a run's record; `None` where it has none.
    ///
    /// # Errors
    /// If it is there but cannot be read.
    pub fn read(run: &Path) -> Result<Option<Record>, TrainError> {
        let path = run.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainError::File { path, source }),
        };
        let record = serde_json::from_str(&text);
        record.map(Some).map_err(|e| TrainError::Model { path, why: format!("it is no record of a run: {e}") })
    }

    /// Notes in a run's folder that an attempt begins.
    ///
    /// # Errors
    /// If the record cannot be read or written.
    pub fn begin(run: &Path, attempt: Attempt) -> Result<Record, TrainError> {
        let mut record = Record::read(run)?.unwrap_or_default();
        record.attempts.push(attempt);
        record.write(run)?;
        Ok(record)
    }

    /// Notes how the last attempt ended. The peak memory is that of this process, in bytes.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn end(
        &mut self,
        run: &Path,
        state: State,
        error: Option<String>,
        peak_memory: Option<u64>,
    ) -> Result<(), TrainError> {
        if let Some(last) = self.attempts.last_mut() {
            (last.state, last.error, last.peak_memory, last.ended) = (state, error, peak_memory, Some(now()));
        }
        self.write(run)
    }

    fn write(&self, run: &Path) -> Result<(), TrainError> {
        let path = run.join(NAME);
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| TrainError::File { path: path.clone(), source: std::io::Error::other(e) })?;
        Ok(write_atomic(&path, |w| writeln!(w, "{text}"))?)
    }
}

const NAME: &str = "run.json";

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The processor's name; the architecture where the system does not say.
fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// When a process began, in clock ticks since the system started; `None` if there is none, or the system does not say.
fn process_start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; behind it come fields 3, 4, …, of which the 22nd is meant.
    stat.rsplit_once(')')?.1.split_whitespace().nth(22 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), None);
        let cpu = Cpu::new(1).unwrap();
        let mut first = Record::begin(dir.path(), Attempt::begin("striate train digits".into(), &cpu)).unwrap();
        assert_eq!(Record::read(dir.path()).unwrap().unwrap(), first);
        assert_eq!(first.attempts[0].state(), State::Running, "this process is alive");
        first.end(dir.path(), State::Failed, Some("no room".into()), Some(7)).unwrap();
        let second = Record::begin(dir.path(), Attempt::begin("striate train --resume".into(), &cpu)).unwrap();
        let states: Vec<_> = second.attempts.iter().map(Attempt::state).collect();
        assert_eq!(states, [State::Failed, State::Running]);
        assert_eq!((second.attempts[0].error.as_deref(), second.attempts[0].peak_memory), (Some("no room"), Some(7)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_that_is_gone_does_not_run() {
        let cpu = Cpu::new(1).unwrap();
        let alive = Attempt::begin(String::new(), &cpu);
        let later = Attempt { process_started: alive.process_started.map(|t| t - 1), ..alive.clone() };
        assert_eq!((alive.state(), later.state()), (State::Running, State::Stopped));
        let gone = Attempt { pid: u32::MAX, ..alive.clone() };
        assert_eq!(gone.state(), State::Stopped);
        assert_eq!(Attempt { host: "another".into(), ..gone }.state(), State::Running, "nobody can tell from here");
    }

    #[test]
    fn a_record_of_another_kind_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NAME), "[]").unwrap();
        let e = Record::read(dir.path()).unwrap_err().to_string();
        assert!(e.contains("run.json") && e.contains("no record of a run"), "{e}");
    }
}
