//! Which images of a data set a model is scored on: those that it has not seen, if nothing else is asked for.

use super::data_args::DataArgs;
use crate::progress::Bar;
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::path::Path;
use std::sync::Arc;
use striate_data::{DataSet, Split};
use striate_train::{Model, Trained};

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    Train,
    Val,
    Test,
    All,
}

/// A data set, as a model needs it.
pub struct Opened {
    /// With the model's classes where it is to be scored, and with those images held out that were held out in its training.
    pub data: DataSet,
    /// Whether the model was trained on it.
    pub same: bool,
}

impl Opened {
    /// Opens a data set for a network, whose file is named in messages.
    pub fn for_model(model: &Model, file: &Path, spec: &str, args: &DataArgs) -> Result<Opened> {
        Opened::for_trained(&model.card.classes, model.card.trained.as_ref(), file, spec, args)
    }

    /// Opens a data set for any model of these classes that was trained so.
    pub fn for_trained(
        classes: &[String],
        trained: Option<&Trained>,
        file: &Path,
        spec: &str,
        args: &DataArgs,
    ) -> Result<Opened> {
        let opened = Opened::for_images(trained, file, spec, args)?;
        Ok(Opened { data: opened.data.with_classes(classes)?, ..opened })
    }

    /// The same with the data set's own classes, which need not be the model's: for its images alone.
    pub fn for_images(trained: Option<&Trained>, file: &Path, spec: &str, args: &DataArgs) -> Result<Opened> {
        // The same seed and share as in training hold the same images out.
        let (seed, share) = trained.map_or((0, None), |t| (t.seed, t.val_share));
        let data = args.open(spec, seed, args.val_share.or(share))?;
        let data = fold_held_out(data, trained, file, spec, args)?;
        let same = trained.is_some_and(|t| t.fingerprint == data.fingerprint);
        Ok(Opened { data, same })
    }

    /// The part that the model has not seen, a test part before all others.
    pub fn unseen(&self) -> Part {
        if self.data.test.is_some() { Part::Test } else { self.held_out() }
    }

    /// The part that the model was not trained on, a test part apart.
    pub fn held_out(&self) -> Part {
        if self.same || !self.data.val_drawn { Part::Val } else { Part::All }
    }

    /// The images of a part.
    pub fn images(&self, part: Part) -> Result<Arc<Split>> {
        let data = &self.data;
        let split = match (part, &data.test) {
            (Part::Train, _) => data.train.clone(),
            (Part::Val, _) => data.val.clone(),
            (Part::Test, Some(test)) => test.clone(),
            (Part::Test, None) => anyhow::bail!("{} has no test part; choose --part val or all", data.name),
            (Part::All, _) => Arc::new(data.all()),
        };
        if split.is_empty() {
            anyhow::bail!("{} has no {} images", data.name, part.short());
        }
        Ok(split)
    }
}

impl Part {
    /// Its name in a text.
    pub fn spelt(self) -> &'static str {
        match self {
            Part::Train => "training",
            Part::Val => "validation",
            Part::Test => "test",
            Part::All => "all",
        }
    }

    /// Its name as it is given.
    pub fn short(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Val => "val",
            Part::Test => "test",
            Part::All => "all",
        }
    }
}

/// The data set with that fold for validation which the model was not trained on, if it was trained on this data in folds
/// and nothing else is asked for.
fn fold_held_out(
    data: DataSet,
    trained: Option<&Trained>,
    file: &Path,
    spec: &str,
    args: &DataArgs,
) -> Result<DataSet> {
    let Some(t) = trained.filter(|_| args.fold.is_none()) else { return Ok(data) };
    match (t.fold, t.folds) {
        (Some(fold), Some(folds)) if t.fingerprint == data.fingerprint => {
            let sets = data.folds(folds, t.seed, args.limits(), args.workers(), &Bar::new())?;
            let set = (1..).zip(sets).find(|(number, _)| *number == fold).map(|(_, set)| set);
            set.with_context(|| format!("{}: fold {fold} of {folds} cannot be", file.display()))
        }
        // Folds of the data's own; which is held out is part of its fingerprint.
        (Some(fold), None) if t.data == data.name => args.open_fold(spec, t.seed, t.val_share, Some(fold)),
        _ => Ok(data),
    }
}
