//! Tar shards as `WebDataset` has them: files of one sample stand side by side and differ behind the first dot of their
//! names, `0017.jpg` and `0017.cls`.
//!
//! The label is what `.cls` holds, else the label in `.json`, else what `.txt` holds: a number or a name. Numbers are names
//! too, unless `classes.txt` (or `classnames.txt`) beside the shards names the classes from 0 on, one a line. Pictures are
//! read from their places in the shards; nothing is unpacked.

mod label;
mod samples;
mod tar;

use crate::assemble::Listed;
use crate::bytes;
use crate::class_names::ClassNames;
use crate::data_set::{DataSet, SourceKind};
use crate::error::{DataError, counted};
use crate::open::OpenOptions;
use crate::progress::Progress;
use crate::recognise::InParts;
use std::path::Path;

pub(crate) use tar::is_tar;

/// Files that name the classes.
const NAMES: [&str; 2] = ["classes.txt", "classnames.txt"];

/// Opens shards; `path` is what was asked for.
pub(crate) fn open(
    path: &Path,
    shards: &InParts,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<DataSet, DataError> {
    let folder = shards.first().and_then(|(shard, _)| shard.parent()).unwrap_or(path);
    let mut listed = Listed::new(path.to_owned(), folder.to_owned(), SourceKind::TarShards);
    let names = class_names(folder)?;
    listed.classes = names.clone().map_or_else(ClassNames::default, ClassNames::declared);
    let mut others = 0;
    progress.start("listing shards", shards.len() as u64);
    for (shard, part) in shards {
        others += samples::list(shard, *part, names.as_deref(), &mut listed)?;
        progress.advance(1);
    }
    progress.finish();
    if others > 0 {
        listed
            .warnings
            .push(format!("{} of the shards belong to no picture and are passed over", counted(others, "file")));
    }
    if listed.items.is_empty() && !listed.left_out.is_empty() {
        let problem = "no picture has a label: there must be a .cls, .json or .txt file of the same name beside it; \
                       where folders in the archive are the classes, unpack it"
            .to_owned();
        return Err(DataError::Layout { path: path.to_owned(), problem });
    }
    listed.into_data_set(options, progress)
}

/// Why gzipped archives are refused.
pub(crate) fn gzipped(path: &Path) -> DataError {
    let problem = "is a gzipped archive, in which no picture can be found without unpacking all before it; \
                   run gunzip on it once (pictures hardly shrink by gzip)";
    DataError::Layout { path: path.to_owned(), problem: problem.to_owned() }
}

fn class_names(folder: &Path) -> Result<Option<Vec<String>>, DataError> {
    for name in NAMES {
        let path = folder.join(name);
        if path.is_file() {
            let text = bytes::read_up_to(&mut bytes::open(&path)?.stream, 1 << 20, &path)?;
            let text = String::from_utf8_lossy(&text);
            let names: Vec<String> =
                text.lines().map(|line| line.trim().to_owned()).filter(|n| !n.is_empty()).collect();
            let mut sorted = names.clone();
            sorted.sort_unstable();
            if let Some([twice, ..]) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                let problem = format!("the class '{twice}' is there twice");
                return Err(DataError::Format { file: path.display().to_string(), problem });
            }
            return Ok(Some(names));
        }
    }
    Ok(None)
}
