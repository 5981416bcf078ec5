//! What a run is about to do: its data, its configuration, its folder and the memory it may take; for a new run, and for one
//! that goes on.

use super::{Args, tuning};
use crate::commands::data_args::{HeldOut, describe};
use crate::commands::memory_args::{Budget, program};
use crate::figures::thousands;
use crate::progress::remark;
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;
use striate_data::{DataSet, LoaderOptions};
use striate_engine::{Parameters, Precision};
use striate_graph::Graph;
use striate_train::transfer::{FrozenNorm, Start};
use striate_train::{Checkpoint, Config, Demand, PrecisionWish, Run, RunDir, State};

/// What is about to be done.
pub(super) struct Plan {
    pub(super) data: DataSet,
    pub(super) config: Config,
    pub(super) run: RunDir,
    pub(super) budget: Budget,
    /// Where to go on.
    pub(super) resume: Option<Checkpoint>,
}

/// Batches that are in memory at once: the one in use, and those that are made ahead.
fn batches() -> usize {
    1 + LoaderOptions::default().ahead
}

/// A picture takes this many times its pixels while it is decoded, brought to size and changed by lot.
const COPIES: usize = 3;

/// Features may take this part of the memory that there is.
const KEPT: usize = 4;

/// The network that is trained.
fn network(c: &Config, data: &DataSet, start: Option<&Start>) -> Result<Arc<Graph>> {
    match start {
        Some(start) => Ok(start.graph.clone()),
        None => Ok(Arc::new(striate_zoo::build(&c.model, &c.options(data.classes.len()))?)),
    }
}

impl Args {
    /// A new run.
    pub(super) fn begin(&self, data: &str) -> Result<Plan> {
        let data = self.data_args.open(data, self.seed, self.data_args.val_share)?;
        describe(&data);
        let mut config = Config::choose(&data, &self.wishes()?)?;
        let start = self.start(&mut config, &data, false)?;
        Args::announce(&config, &data, start.as_ref())?;
        let budget = self.make_fit(&config, &data, start.as_ref(), false)?;
        config.save(budget.choice.economy);
        let name = self.name.clone().unwrap_or_else(|| config.model.clone());
        self.begin_run(data, config, budget, &self.out, &name)
    }

    /// A new run of this configuration, with a folder of its own.
    pub(super) fn begin_run(
        &self,
        data: DataSet,
        mut config: Config,
        budget: Budget,
        out: &Path,
        name: &str,
    ) -> Result<Plan> {
        if config.transfer.is_none() {
            remark("measuring the images' mean and deviation");
        }
        config.measure(&data, self.data_args.limits(), self.data_args.workers())?;
        let run = RunDir::create(out, name)?;
        Ok(Plan { data, config, run, budget, resume: None })
    }

    /// A run that exists, from its last checkpoint on.
    pub(super) fn go_on(&self, path: &Path) -> Result<Plan> {
        let run = RunDir::open(path)?;
        let mut config: Config = run.config()?;
        if Run::read(path)?.state == State::Running {
            anyhow::bail!("{}: another process is at work on this run", path.display());
        }
        let checkpoint = Checkpoint::read(&run.checkpoints(), |e| remark(&format!("warning: {e}")))?;
        let held = HeldOut::of(&config);
        let data = self.data_args.reopen(&config.data, &held)?;
        describe(&data);
        if data.fingerprint != config.fingerprint {
            anyhow::bail!(
                "{}: the data {} are not those that the run was begun with (their fingerprint is {}, not {}): its epochs \
                 would not be what they were",
                path.display(),
                config.data,
                data.fingerprint,
                config.fingerprint
            );
        }
        let planned = config.total_epochs();
        config.extend(self.epochs.unwrap_or(planned))?;
        let (done, all) = (checkpoint.progress.epoch - 1, config.total_epochs());
        if done >= all {
            anyhow::bail!("{}: all {all} epochs are done; --epochs N, above {all}, extends the run", path.display());
        }
        let start = self.start(&mut config, &data, true)?;
        Args::announce(&config, &data, start.as_ref())?;
        if all > planned {
            remark(&format!(
                "extended by {} epochs: a cycle of their own, whose learning rate falls from a fifth of the highest, or stays",
                all - planned
            ));
        }
        let budget = self.make_fit(&config, &data, start.as_ref(), true)?;
        remark(&format!("goes on in epoch {}, after {} steps", done + 1, thousands(checkpoint.progress.steps)));
        Ok(Plan { data, config, run, budget, resume: Some(checkpoint) })
    }

    /// What a transfer begins with. A new run is told how much of its features it may keep.
    pub(super) fn start(&self, c: &mut Config, data: &DataSet, goes_on: bool) -> Result<Option<Start>> {
        let Some(transfer) = &c.transfer else { return Ok(None) };
        let mut start = Start::read(c, transfer, data.classes.len())?;
        // The run reads its values itself; here they would count twice.
        start.parameters = Parameters::zeros(&start.graph);
        if !goes_on && c.augment.is_none() && transfer.batch_norm == FrozenNorm::Frozen {
            let had = program();
            let most = self.memory.limit(had)?.map_or(usize::MAX, |limit| limit.saturating_sub(had) / KEPT);
            let bytes = start.features(transfer, data.train.len() + data.val.len(), most)?;
            c.transfer.iter_mut().for_each(|transfer| transfer.kept_features = bytes);
        }
        Ok(Some(start))
    }

    /// Says what will be done.
    pub(super) fn announce(c: &Config, data: &DataSet, start: Option<&Start>) -> Result<()> {
        let graph = network(c, data, start)?;
        let (count, macs) = (thousands(graph.parameter_count() as u64), thousands(graph.multiply_adds()));
        remark(&format!("{}: {count} parameters, {macs} multiply-adds an image, input {}", c.model, c.input()));
        let optimizer = match c.optimizer {
            striate_train::Rule::Sgd { .. } => "sgd",
            striate_train::Rule::AdamW { .. } => "adamw",
        };
        let (epochs, batch, lr, seed) = (c.total_epochs(), c.batch, c.learning_rate, c.seed);
        remark(&format!("{epochs} epochs, batch {batch}, {optimizer} at up to {lr}, seed {seed}"));
        remark(&format!("augmentation {}", c.augment));
        if let (Some(start), Some(transfer)) = (start, &c.transfer) {
            tuning::announce(start, transfer)?;
        }
        if !c.augment.mix.is_off() {
            let what = "the training loss is that of both classes, and the accuracy counts the larger share's";
            remark(&format!("images are mixed: {what}"));
        }
        Ok(())
    }

    /// What the run takes, and how it is made to fit into memory: as it was before, for one that goes on.
    pub(super) fn make_fit(&self, c: &Config, data: &DataSet, start: Option<&Start>, goes_on: bool) -> Result<Budget> {
        let (frozen, graph) = match (start, &c.transfer) {
            (Some(start), Some(transfer)) => start.parts(transfer)?,
            _ => (None, striate_zoo::build(&c.model, &c.options(data.classes.len()))?),
        };
        let norm = c.transfer.as_ref().map(|t| t.batch_norm).unwrap_or_default();
        let picture = data.typical.width as usize * data.typical.height as usize * usize::from(data.typical.channels);
        let demand = Demand {
            graph: &graph,
            rule: c.optimizer,
            batch: c.batch.min(data.train.len()).max(1),
            // What is checked may go on in f32.
            precision: if c.precision == PrecisionWish::Bf16 { Precision::Bf16 } else { Precision::F32 },
            algorithm: None,
            scores: !data.val.is_empty(),
            clips: c.clip_norm.is_some(),
            averages: c.ema.is_some(),
            parts: self.recipe.accumulate,
            batches: batches(),
            pictures: COPIES * self.data_args.workers() * picture,
            program: program(),
            frozen: frozen.as_ref().map(|frozen| (frozen, norm)),
            kept: c.transfer.as_ref().map_or(0, |t| t.kept_features),
        };
        let budget = if goes_on {
            let need = demand.need(c.economy())?;
            let mut budget = self.memory.must_fit(need)?;
            budget.choice.economy = c.economy();
            budget
        } else {
            self.memory.choose(&demand)?
        };
        budget.announce(&graph, demand.batch);
        Ok(budget)
    }
}
