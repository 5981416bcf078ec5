//! Values that lie in another file beside the ONNX file (`external_data` of `onnx.proto`): PyTorch's newer exporter writes all
//! weights so. A place is named by the file, which must lie in the same folder or below it, an offset and a length.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Component, Path};
use std::rc::Rc;

/// The folder of an ONNX file, and what was read of it.
pub(super) struct Beside<'p> {
    /// `None`: only bytes are known, and nothing lies beside them.
    folder: Option<&'p Path>,
    files: RefCell<HashMap<String, Rc<Vec<u8>>>>,
    /// Bytes that may still be taken.
    room: Cell<usize>,
}

/// Tensors may share values, but not by the gigabyte.
const MOST_SHARED: usize = 4;

impl<'p> Beside<'p> {
    pub(super) fn new(folder: Option<&'p Path>) -> Self {
        Beside { folder, files: RefCell::default(), room: Cell::new(0) }
    }

    /// What a tensor's entries point to.
    pub(super) fn values(&self, entries: &[(String, String)]) -> Result<Vec<u8>, String> {
        let entry = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let location = entry("location").ok_or("has its values in another file, but does not say in which")?;
        let number = |name: &str| match entry(name) {
            Some(text) => text.parse().map(Some).map_err(|_| format!("has its values at {name} `{text}`")),
            None => Ok(None),
        };
        let (offset, length): (Option<usize>, Option<usize>) = (number("offset")?, number("length")?);
        let bytes = self.file(location)?;
        let start = offset.unwrap_or(0);
        let end = length.map_or(Some(bytes.len()), |len| start.checked_add(len));
        let part = end.and_then(|end| bytes.get(start..end)).ok_or_else(|| {
            let length = length.map_or("the rest".to_owned(), |n| format!("{n} bytes"));
            format!("has its values in `{location}`, {length} from byte {start} on, but that has {} bytes", bytes.len())
        })?;
        let room = self.room.get().checked_sub(part.len());
        self.room.set(room.ok_or_else(|| format!("and others share the values in `{location}` too often"))?);
        Ok(part.to_vec())
    }

    /// Bytes of all files that were read.
    pub(super) fn held(&self) -> usize {
        self.files.borrow().values().map(|bytes| bytes.len()).sum()
    }

    /// A file in the folder, read once.
    fn file(&self, location: &str) -> Result<Rc<Vec<u8>>, String> {
        if let Some(bytes) = self.files.borrow().get(location) {
            return Ok(bytes.clone());
        }
        let folder = self.folder.ok_or_else(|| format!("has its values in another file, `{location}`"))?;
        let inside = Path::new(location).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if !inside || location.is_empty() {
            return Err(format!("has its values in `{location}`, which is not beside the file: it was not opened"));
        }
        let path = folder.join(location);
        if !path.is_file() {
            return Err(format!(
                "has its values in the file `{location}`, which belongs beside this one and is not there"
            ));
        }
        let bytes =
            std::fs::read(&path).map_err(|e| format!("has its values in `{location}`, which cannot be read: {e}"))?;
        self.room.set(self.room.get().saturating_add(bytes.len().saturating_mul(MOST_SHARED)));
        let bytes = Rc::new(bytes);
        self.files.borrow_mut().insert(location.to_owned(), bytes.clone());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn parts_of_a_file_beside_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("m.data"), b"0123456789").unwrap();
        let beside = Beside::new(Some(dir.path()));
        let of = |all: &[(&str, &str)]| beside.values(&entries(all));
        assert_eq!(of(&[("location", "m.data"), ("offset", "2"), ("length", "3")]).unwrap(), b"234");
        assert_eq!(of(&[("location", "m.data")]).unwrap(), b"0123456789");
        let e = of(&[("location", "m.data"), ("offset", "8"), ("length", "3")]).unwrap_err();
        assert!(e.contains("3 bytes from byte 8 on, but that has 10 bytes"), "{e}");
        // Forty bytes may be taken; 13 are.
        (0..2).for_each(|_| drop(of(&[("location", "m.data")]).unwrap()));
        assert!(of(&[("location", "m.data")]).unwrap_err().contains("too often"));
    }

    #[test]
    fn nothing_is_opened_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let beside = Beside::new(Some(dir.path()));
        for location in ["/etc/passwd", "../m.data", "a/../../m.data", ""] {
            let e = beside.values(&entries(&[("location", location)])).unwrap_err();
            assert!(e.contains("not beside the file"), "{e}");
        }
        let e = beside.values(&entries(&[("location", "m.data")])).unwrap_err();
        assert!(e.contains("`m.data`, which belongs beside this one and is not there"), "{e}");
        assert!(Beside::new(None).values(&entries(&[("location", "m")])).unwrap_err().contains("another file, `m`"));
    }
}
