//! Opening a data set of boxes, and the words about what was found in it.

use crate::commands::predict::Pictures;
use crate::figures::thousands;
use crate::progress::{Bar, remark};
use anyhow::Result;
use std::path::{Path, PathBuf};
use striate_data::Limits;
use striate_detect::sets::{BoxSet, OpenOptions};
use striate_kernels::Cpu;

/// How a data set of boxes is opened.
#[derive(clap::Args)]
#[command(next_help_heading = "Data")]
pub struct BoxArgs {
    /// Read the pictures' headers only, instead of decoding each before anything is begun
    #[arg(long)]
    headers: bool,
    /// Most pixels a picture may have
    #[arg(long, value_name = "N", default_value_t = 100_000_000)]
    pub max_pixels: u64,
    /// How many faults to tell at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    faults: usize,
}

impl BoxArgs {
    /// Opens a data set with a progress bar, and says on stderr what it is and what is wrong with it.
    pub fn open(&self, path: &Path, cpu: &Cpu) -> Result<BoxSet> {
        let options = OpenOptions { decode: !self.headers, limits: Limits { max_pixels: self.max_pixels } };
        let set = BoxSet::open(path, &options, cpu, &Bar::new())?;
        let part = |part: &striate_detect::sets::Part| {
            let objects: usize = part.pictures.iter().map(|p| p.objects.len()).sum();
            let (pictures, objects) = (thousands(part.pictures.len() as u64), thousands(objects as u64));
            format!("{} {pictures} pictures with {objects} objects", part.name)
        };
        let parts: Vec<String> = set.parts.iter().map(part).collect();
        let (path, format) = (set.path.display(), set.format.name());
        remark(&format!("{path}: {format}, {} classes; {}", set.classes.len(), parts.join(", ")));
        for note in &set.notes {
            remark(&format!("note: {note}"));
        }
        for fault in set.faults.iter().take(self.faults) {
            remark(&format!("warning: {fault}"));
        }
        if set.faults.len() > self.faults {
            remark(&format!("warning: and {} more faults", thousands((set.faults.len() - self.faults) as u64)));
        }
        Ok(set)
    }
}

/// The files that were named, and the pictures of folders and below, in order.
pub fn files_of(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let empty = |folder: &Path| remark(&format!("warning: {}: no pictures in this folder", folder.display()));
    Pictures::new(paths, empty).collect()
}
