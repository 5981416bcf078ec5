//! PyTorch's files (`torch.save`): since version 1.6 a zip archive of a pickle and a file for each storage, before that
//! pickles one behind the other and the storages behind them. A tensor is a view of a storage: an offset, sides and strides;
//! several may share one.

mod state;
mod storages;

use super::cursor::Cursor;
use super::pickle::load;
use super::zip::Archive;
use super::{ForeignWeights, Format};
use state::{find, tensors};
use storages::{Storages, in_archive, legacy};

/// What a file of the old form begins with: a pickle of protocol 2 of the number 0x1950a86a20f9469cfc6c.
const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Whether these bytes begin as a pickle does.
pub(super) fn looks_pickled(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}

/// Reads an archive.
pub(super) fn read_zip(archive: &Archive<'_>) -> Result<ForeignWeights, String> {
    if archive.find("constants.pkl").is_some() {
        return Err("is a TorchScript program, not weights: save its `state_dict()` instead".into());
    }
    let entry = archive.find("data.pkl").ok_or("has no `data.pkl`, as PyTorch's archives do")?;
    let folder = entry.name.strip_suffix("data.pkl").unwrap_or_default();
    let order = archive.entries.iter().find(|e| e.name.strip_prefix(folder) == Some("byteorder"));
    let little = match order {
        Some(entry) => archive.read(entry)?.starts_with(b"little"),
        None => true,
    };
    let bytes = archive.read(entry)?;
    let pickle = load(&bytes)?;
    let storages = in_archive(archive, folder, little);
    finish(Format::TorchZip, &pickle, storages)
}

/// Reads a file of the old form.
pub(super) fn read_legacy(bytes: &[u8]) -> Result<ForeignWeights, String> {
    if !bytes.starts_with(MAGIC) {
        return match load(bytes) {
            Ok(_) => {
                Err("is a pickle that `torch.save` did not write: there are no tensors in it that can be read".into())
            }
            Err(why) => Err(why),
        };
    }
    let mut at = MAGIC.len();
    // The version, what wrote it, the object, and the storages' keys.
    let mut pickles = Vec::new();
    for _ in 0..4 {
        let pickle = load(&bytes[at..])?;
        at += pickle.len;
        pickles.push(pickle);
    }
    let [_, _, object, keys] = &pickles[..] else { return Err("is cut short".into()) };
    let storages = legacy(object, keys, Cursor::at(bytes, at as u64)?)?;
    finish(Format::TorchLegacy, object, storages)
}

fn finish(
    format: Format,
    pickle: &super::pickle::Pickle,
    mut storages: Storages<'_>,
) -> Result<ForeignWeights, String> {
    let (entries, mut notes) = find(pickle)?;
    let tensors = tensors(pickle, &entries, &mut storages, &mut notes)?;
    Ok(ForeignWeights { format, tensors, notes, extra: None })
}
