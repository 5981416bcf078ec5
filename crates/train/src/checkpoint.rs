//! Checkpoints of a run: all that it takes to go on as if it had never stopped, to the bit. The newest and the one before it
//! stand in the run's folder; each is whole or absent, and compared with its checksum when it is read.

use crate::patience::Plateau;
use crate::{EpochRow, Optimizer, Score, Tally, TrainError};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use striate_engine::{Parameters, Tensors};
use striate_weights::{StateFile, TensorRef, WeightsError};

/// How far a run has come, beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The epoch in progress, from 1.
    pub epoch: u32,
    /// Batches of it that are done.
    pub batches: usize,
    /// What was counted over them.
    pub tally: Tally,
    /// Steps since the start of the run.
    pub steps: u64,
    /// Steps of the optimiser: those whose loss was finite.
    pub updates: u32,
    /// A row for each epoch that is done.
    pub rows: Vec<EpochRow>,
    /// The best score so far, and its epoch.
    pub best: Option<(Score, u32)>,
    /// What learning rates are multiplied by, since the run was taken back after the loss was no longer a number.
    pub rate_factor: f64,
    /// Epochs without a lower loss, where those lower the rate.
    #[serde(default)]
    pub plateau: Plateau,
    /// It was to compute in bf16 where that is as accurate, and was found not to be.
    pub full_precision: bool,
    /// Seconds of training so far.
    pub seconds: f64,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress {
            epoch: 1,
            batches: 0,
            tally: Tally::default(),
            steps: 0,
            updates: 0,
            rows: Vec::new(),
            best: None,
            rate_factor: 1.0,
            plateau: Plateau::default(),
            full_precision: false,
            seconds: 0.0,
        }
    }
}

/// A run as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// How far it had come.
    pub progress: Progress,
    file: StateFile,
    path: PathBuf,
}

/// The checkpoints' places in their folder.
const NEWEST: &str = "newest.safetensors";
const BEFORE: &str = "before.safetensors";
const NEXT: &str = "next.safetensors";

/// Tensors' names begin with what they are.
const PARAMETERS: &str = "parameters/";
const AVERAGE: &str = "average/";
const FROZEN: &str = "frozen/";

impl Checkpoint {
    /// Writes the newest checkpoint into `folder`, and keeps the one that was the newest. `frozen` are the values of a frozen
    /// part that do not stay as they came: statistics are gathered.
    ///
    /// # Errors
    /// If it cannot be written; those that were there stay.
    pub fn write(
        folder: &Path,
        progress: &Progress,
        parameters: &Parameters,
        optimizer: &Optimizer,
        average: Option<&Parameters>,
        frozen: Option<&Parameters>,
    ) -> Result<(), TrainError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| TrainError::File { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let description = serde_json::to_value(progress)
            .map_err(|e| TrainError::File { path: folder.to_path_buf(), source: std::io::Error::other(e) })?;
        let average = average.map(|average| (AVERAGE, average));
        let frozen = frozen.map(|frozen| (FROZEN, frozen));
        let kinds = [(PARAMETERS, parameters)].into_iter().chain(optimizer.state()).chain(average).chain(frozen);
        let named: Vec<(String, &[usize], &[f32])> = kinds
            .flat_map(|(kind, tensors)| tensors.iter().map(move |(name, spec, values)| (kind, name, spec, values)))
            .filter(|(.., values)| !values.is_empty())
            .map(|(kind, name, spec, values)| (format!("{kind}{name}"), spec.shape.as_slice(), values))
            .collect();
        let tensors: Vec<TensorRef<'_>> =
            named.iter().map(|(name, shape, values)| TensorRef { name, shape, values }).collect();
        let [next, newest, before] = [NEXT, NEWEST, BEFORE].map(|name| folder.join(name));
        StateFile::write(&next, &description, &tensors)?;
        match fs::rename(&newest, &before) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(&newest)(e)),
            _ => fs::rename(&next, &newest).map_err(failed(&next)),
        }
    }

    /// Reads the newest checkpoint of `folder` that is whole. Of those that are damaged, `hear` is told.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(folder: &Path, mut hear: impl FnMut(&TrainError)) -> Result<Checkpoint, TrainError> {
        let mut found = None;
        // A kill between two renamings leaves the newest as the next.
        for name in [NEXT, NEWEST, BEFORE] {
            let path = folder.join(name);
            match Checkpoint::read_file(&path) {
                Ok(checkpoint) => {
                    found = Some(checkpoint);
                    break;
                }
                Err(TrainError::Weights(WeightsError::Read { source, .. })) if source.kind() == ErrorKind::NotFound => {
                }
                Err(e) => hear(&e),
            }
        }
        found.ok_or_else(|| {
            let why = "there is no checkpoint to go on from: the run ended before it wrote its first";
            TrainError::Model { path: folder.to_path_buf(), why: why.into() }
        })
    }

    fn read_file(path: &Path) -> Result<Checkpoint, TrainError> {
        let mut file = StateFile::read(path)?;
        let progress = serde_json::from_value(file.description.take()).map_err(|e| TrainError::Model {
            path: path.to_path_buf(),
            why: format!("its position is unreadable: {e}"),
        })?;
        Ok(Checkpoint { progress, file, path: path.to_path_buf() })
    }

    /// Gives a run its parameters and its optimiser's state back.
    ///
    /// # Errors
    /// If they are another network's, or another optimiser's.
    pub fn restore(&self, parameters: &mut Parameters, optimizer: &mut Optimizer) -> Result<(), TrainError> {
        self.fill(PARAMETERS, parameters)?;
        for (kind, tensors) in optimizer.state_mut(self.progress.updates) {
            self.fill(kind, tensors)?;
        }
        Ok(())
    }

    /// Gives a run the average of its parameters back.
    ///
    /// # Errors
    /// If there is none, or it is another network's.
    pub fn restore_average(&self, average: &mut Parameters) -> Result<(), TrainError> {
        self.fill(AVERAGE, average)
    }

    /// Gives a frozen part its values back.
    ///
    /// # Errors
    /// If there are none, or they are another network's.
    pub fn restore_frozen(&self, frozen: &mut Parameters) -> Result<(), TrainError> {
        self.fill(FROZEN, frozen)
    }

    fn fill(&self, kind: &str, tensors: &mut Tensors) -> Result<(), TrainError> {
        for (name, spec, values) in tensors.iter_mut().filter(|(.., values)| !values.is_empty()) {
            let found = self.file.tensors.get(&format!("{kind}{name}"));
            let Some(tensor) = found.filter(|t| t.shape == spec.shape) else {
                let why = format!("lacks `{kind}{name}` of shape {:?}, which the run's network has", spec.shape);
                return Err(TrainError::Model { path: self.path.clone(), why });
            };
            values.copy_from_slice(&tensor.values);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rule;
    use striate_engine::Scheme;
    use striate_graph::layers::{BatchNorm, Linear};
    use striate_graph::{Builder, Shape};
    use striate_kernels::Cpu;

    fn network(outputs: usize) -> (Parameters, Optimizer) {
        let mut g = Builder::new("small");
        let x = g.input(Shape::vector(3));
        let x = g.add("bn", BatchNorm::new(), x);
        let x = g.add("fc", Linear::new(outputs), x);
        let p = Parameters::init(&g.finish(x).unwrap(), Scheme::He, 1);
        let o = Optimizer::new(Rule::named("adamw").unwrap(), &p);
        (p, o)
    }

    fn write(folder: &Path, steps: u64, p: &Parameters, o: &Optimizer) {
        let progress = Progress { steps, updates: 2, tally: Tally::default(), ..Progress::default() };
        Checkpoint::write(folder, &progress, p, o, None, None).unwrap();
    }

    #[test]
    fn a_restored_run_takes_the_same_next_step() {
        let dir = tempfile::tempdir().unwrap();
        let cpu = Cpu::new(1).unwrap();
        let (mut p, mut o) = network(4);
        let mut g = p.zeros_like(true);
        g.fill(0.25);
        o.step(&cpu, &mut p, &g, 0.1);
        g.fill(-0.5);
        o.step(&cpu, &mut p, &g, 0.1);
        write(dir.path(), 2, &p, &o);
        let (mut q, mut r) = network(4);
        let checkpoint = Checkpoint::read(dir.path(), |e| panic!("{e}")).unwrap();
        checkpoint.restore(&mut q, &mut r).unwrap();
        o.step(&cpu, &mut p, &g, 0.1);
        r.step(&cpu, &mut q, &g, 0.1);
        assert!(p.iter().zip(q.iter()).all(|(a, b)| a.2 == b.2));
        let (mut q, mut r) = network(5);
        let e = checkpoint.restore(&mut q, &mut r).unwrap_err().to_string();
        assert!(e.contains("lacks `parameters/fc.weight` of shape [5, 3]"), "{e}");
    }

    #[test]
    fn a_damaged_checkpoint_gives_way_to_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let (p, o) = network(4);
        let e = Checkpoint::read(dir.path(), |_| {}).unwrap_err().to_string();
        assert!(e.contains("no checkpoint"), "{e}");
        write(dir.path(), 1, &p, &o);
        write(dir.path(), 2, &p, &o);
        let steps =
            |told: &mut Vec<String>| Checkpoint::read(dir.path(), |e| told.push(e.to_string())).unwrap().progress.steps;
        let mut told = Vec::new();
        assert_eq!((steps(&mut told), told.len()), (2, 0));
        let newest = dir.path().join(NEWEST);
        let mut bytes = fs::read(&newest).unwrap();
        let at = bytes.len() - 3;
        bytes[at] ^= 1;
        fs::write(&newest, bytes).unwrap();
        assert_eq!(steps(&mut told), 1);
        assert!(told[0].contains("newest.safetensors: is damaged"), "{told:?}");
        // Killed between the renamings.
        fs::remove_file(&newest).unwrap();
        assert_eq!(steps(&mut told), 1);
        write(dir.path(), 3, &p, &o);
        assert_eq!((steps(&mut told), told.len()), (3, 1));
    }
}
