//! Where the values of PyTorch's tensors lie.

use super::super::cursor::Cursor;
use super::super::number::Number;
use super::super::pickle::{Global, Id, Pickle, Value};
use super::super::zip::Archive;
use std::borrow::Cow;
use std::collections::HashMap;

/// A storage as a pickle names it.
#[derive(Debug, PartialEq)]
pub(super) struct Named {
    pub(super) key: String,
    /// `None`: bytes, whose type the tensor tells.
    pub(super) number: Option<Number>,
    /// Values that it has; bytes, where the type is not told.
    pub(super) len: usize,
    /// Where it begins in the storage that it is a part of.
    pub(super) first: usize,
}

/// What a pickle says of a storage: `("storage", type, key, place, values[, (key, offset, values)])`.
pub(super) fn named(pickle: &Pickle, id: Id) -> Option<Named> {
    let Value::Persistent(id) = pickle.value(id) else { return None };
    let [kind, number, key, _, len, view @ ..] = pickle.members(*id)? else { return None };
    if pickle.text(*kind) != Some("storage") {
        return None;
    }
    let number = match pickle.value(*number) {
        Value::Global(Global::Number(number)) => Some(*number),
        Value::Global(Global::Bytes) => None,
        _ => return None,
    };
    let first = match view.first().and_then(|v| pickle.members(*v)) {
        Some([_, offset, _]) => pickle.size(*offset)?,
        _ => 0,
    };
    let key = pickle.text(*key)?.to_owned();
    Some(Named { key, number, len: pickle.size(*len)?, first })
}

/// The storages' bytes by key.
pub(super) struct Storages<'a> {
    bytes: HashMap<String, Cow<'a, [u8]>>,
    pub(super) little_endian: bool,
    /// What all storages hold, before sharing.
    pub(super) total: usize,
    archive: Option<(&'a Archive<'a>, String)>,
}

impl Storages<'_> {
    /// A storage's bytes.
    pub(super) fn get(&mut self, key: &str) -> Result<&[u8], String> {
        if let Some((archive, folder)) = &self.archive
            && !self.bytes.contains_key(key)
        {
            let name = format!("{folder}{key}");
            let entry = archive.entries.iter().find(|e| e.name == name);
            let bytes = archive.read(entry.ok_or_else(|| format!("lacks its storage `{key}`"))?)?;
            self.total += bytes.len();
            self.bytes.insert(key.to_owned(), bytes);
        }
        self.bytes.get(key).map(AsRef::as_ref).ok_or_else(|| format!("lacks its storage `{key}`"))
    }
}

/// Those of an archive, which are unpacked when they are asked for.
pub(super) fn in_archive<'a>(archive: &'a Archive<'a>, folder: &str, little_endian: bool) -> Storages<'a> {
    let archive = Some((archive, format!("{folder}data/")));
    Storages { bytes: HashMap::new(), little_endian, total: 0, archive }
}

/// Those of an old file: for each key, in the order of the last pickle, a count and so many values.
pub(super) fn legacy<'a>(object: &Pickle, keys: &Pickle, mut c: Cursor<'a>) -> Result<Storages<'a>, String> {
    let mut sizes = HashMap::new();
    for id in object.ids() {
        if let Some(Named { key, number: Some(number), .. }) = named(object, id) {
            sizes.insert(key, number.size());
        }
    }
    let mut storages = Storages { bytes: HashMap::new(), little_endian: true, total: 0, archive: None };
    for &key in keys.members(keys.root).ok_or("does not list its storages")? {
        let key = keys.text(key).ok_or("has a storage without a name")?;
        let size = sizes.get(key).ok_or_else(|| format!("has a storage `{key}` that no tensor is in"))?;
        let count = usize::try_from(c.u64()?).map_err(|e| e.to_string())?;
        let bytes = count.checked_mul(*size).ok_or("has a storage of impossible size")?;
        let bytes =
            c.take(bytes).map_err(|why| format!("its storage `{key}` of {count} values is cut short: {why}"))?;
        storages.total += bytes.len();
        storages.bytes.insert(key.to_owned(), Cow::Borrowed(bytes));
    }
    Ok(storages)
}
