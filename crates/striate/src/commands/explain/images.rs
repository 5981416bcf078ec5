//! The images of a data set that a method goes over: those that the model has not seen, unless others are asked for.

use super::Looked;
use crate::commands::data_args::{DataArgs, list};
use crate::commands::parts::{Opened, Part};
use crate::progress::{Bar, remark};
use anyhow::Result;
use std::sync::Arc;
use striate_data::{Batch, Limits, Loader, LoaderOptions, Split};

/// Which images.
#[derive(clap::Args)]
pub struct ImagesArgs {
    /// The data set: as for `striate train`
    data: String,
    /// Which images [default: as `striate eval` does, those that the model has not seen]
    #[arg(long, value_enum)]
    part: Option<Part>,
    #[command(flatten)]
    data_args: DataArgs,
}

/// A part of a data set.
pub struct Images {
    /// Its images.
    pub split: Arc<Split>,
    /// Which part it is.
    pub part: Part,
    /// Bounds on what is decoded.
    pub limits: Limits,
    options: LoaderOptions,
}

impl ImagesArgs {
    /// Opens the data set.
    pub fn open(&self, looked: &Looked) -> Result<Images> {
        let opened = Opened::for_images(looked.card.trained.as_ref(), &looked.file, &self.data, &self.data_args)?;
        let part = self.part.unwrap_or_else(|| opened.unseen());
        Ok(Images {
            split: opened.images(part)?,
            part,
            limits: self.data_args.limits(),
            options: self.data_args.loading(),
        })
    }
}

impl Images {
    /// Shows `see` batch after batch of the network's inputs, `most` images or a few more, with a bar of progress. Those that
    /// cannot be read are told. Drawn by lot if not all are wanted, for data sets come class by class.
    pub fn each(
        &self,
        looked: &Looked,
        what: &str,
        batch: usize,
        most: usize,
        mut see: impl FnMut(&Batch) -> Result<()>,
    ) -> Result<()> {
        let options = LoaderOptions { batch, shuffle: most < self.split.len(), ..self.options.clone() };
        let mut loader = Loader::new(self.split.clone(), looked.subject.preprocessing.clone(), options);
        let bar = Bar::new();
        bar.begin(what, self.split.len().min(most) as u64);
        let (mut seen, mut failed) = (0, Vec::new());
        while let Some(mut batch) = loader.next() {
            if !batch.is_empty() {
                see(&batch)?;
            }
            failed.append(&mut batch.failed);
            seen += batch.len();
            bar.at(seen as u64, String::new);
            loader.recycle(batch);
            if seen >= most {
                break;
            }
        }
        bar.end();
        if !failed.is_empty() {
            remark(&format!("warning: {} images could not be read and are not counted:", failed.len()));
            list(&failed);
        }
        Ok(())
    }
}
