//! Which entries of a shard make a picture with its label.

use super::label::{self, Label};
use super::tar::{Archive, Entry};
use crate::assemble::{Item, Listed};
use crate::data_set::Part;
use crate::error::{DataError, LeftOut, quoted};
use crate::folders;
use crate::sample::{Sample, Source, TarEntry};
use std::path::Path;
use std::sync::Arc;

/// The longest file that is read for a label.
const LONGEST_LABEL: u64 = 1 << 20;

/// The entries of one key, as far as they matter.
#[derive(Default)]
struct Gathered {
    key: String,
    pictures: Vec<Entry>,
    class: Option<Entry>,
    json: Option<Entry>,
    text: Option<Entry>,
    others: usize,
}

/// Adds the pictures of a shard to `listed`; returns how many files of it belong to none.
pub(super) fn list(
    shard: &Path,
    part: Part,
    names: Option<&[String]>,
    listed: &mut Listed,
) -> Result<usize, DataError> {
    let mut archive = Archive::open(shard)?;
    let file: Arc<Path> = shard.into();
    let mut gathered = Gathered::default();
    let mut others = 0;
    while let Some(entry) = archive.next()? {
        let Some((key, extension)) = key(&entry.path) else {
            others += 1;
            continue;
        };
        if key != gathered.key {
            let done = std::mem::replace(&mut gathered, Gathered { key: key.to_owned(), ..Gathered::default() });
            others += done.add_to(listed, &mut archive, &file, part, names)?;
        }
        let extension = extension.to_lowercase();
        match extension.as_str() {
            "cls" => gathered.class = Some(entry),
            "json" => gathered.json = Some(entry),
            "txt" => gathered.text = Some(entry),
            _ if !extension.contains('.') && folders::is_image(Path::new(&format!("x.{extension}"))) => {
                gathered.pictures.push(entry);
            }
            _ => gathered.others += 1,
        }
    }
    others += gathered.add_to(listed, &mut archive, &file, part, names)?;
    if archive.ended_early() {
        let shard = shard.display();
        listed.warnings.push(format!("{shard} has no end mark; perhaps files behind its last are missing"));
    }
    Ok(others)
}

/// A path up to the first dot of its last name, and what follows that; `None` for hidden files and names without a dot.
fn key(path: &str) -> Option<(&str, &str)> {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    let dot = path[name..].find('.').filter(|&dot| dot > 0)?;
    Some((&path[..name + dot], &path[name + dot + 1..]))
}

impl Gathered {
    /// Adds the picture, if there is one; returns how many files belong to none.
    fn add_to(
        self,
        listed: &mut Listed,
        archive: &mut Archive<'_>,
        file: &Arc<Path>,
        part: Part,
        names: Option<&[String]>,
    ) -> Result<usize, DataError> {
        let labels = [&self.class, &self.json, &self.text].into_iter().flatten().count();
        let mut pictures = self.pictures.iter();
        let Some(picture) = pictures.next() else { return Ok(self.others + labels) };
        let path = picture.path.clone().into();
        let entry = TarEntry { archive: Arc::clone(file), path, offset: picture.offset, length: picture.length };
        let source = Source::Tar(entry);
        let found = match pictures.next() {
            Some(other) => Err(format!("is not alone: '{}' is of the same sample", other.path)),
            None => self.label(archive)?.and_then(|label| Ok((class(&label.name, names, listed)?, label.group))),
        };
        match found {
            Ok((label, group)) => {
                let sample = Sample { group: group.map(Into::into), ..Sample::new(source, label) };
                listed.items.push(Item { sample, part, sha256: None });
            }
            Err(reason) => listed.left_out.push(LeftOut { path: source.name().into(), reason }),
        }
        Ok(0)
    }

    /// The label, or why there is none.
    fn label(&self, archive: &mut Archive<'_>) -> Result<Result<Label, String>, DataError> {
        let mut read = |entry: &Entry| -> Result<Result<Vec<u8>, String>, DataError> {
            if entry.length > LONGEST_LABEL {
                return Ok(Err(format!("has a label file '{}' of more than 1 MiB", entry.path)));
            }
            archive.bytes(entry.offset, entry.length).map(Ok)
        };
        if let Some(entry) = &self.class {
            return Ok(read(entry)?.and_then(|bytes| label::of_text(&bytes)));
        }
        if let Some(entry) = &self.json {
            match read(entry)?.and_then(|bytes| label::of_json(&bytes)) {
                Ok(Some(label)) => return Ok(Ok(label)),
                Ok(None) => {}
                Err(reason) => return Ok(Err(reason)),
            }
        }
        match &self.text {
            Some(entry) => Ok(read(entry)?.and_then(|bytes| label::of_text(&bytes))),
            None => Ok(Err("has no label: no .cls, .json with a label, or .txt stands beside it".to_owned())),
        }
    }
}

/// The number of a label's class; where the classes have names, a number is the place of one.
fn class(label: &str, names: Option<&[String]>, listed: &mut Listed) -> Result<u32, String> {
    let Some(names) = names else { return Ok(listed.classes.number(label)) };
    let name = match label.parse::<usize>() {
        Ok(number) => names.get(number).map(String::as_str),
        Err(_) => names.iter().map(String::as_str).find(|name| *name == label),
    };
    match name {
        Some(name) => Ok(listed.classes.number(name)),
        None => {
            Err(format!("has the label '{label}', which is none of the {} classes {}", names.len(), quoted(names, 5)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_at_the_first_dot_of_the_name() {
        assert_eq!(key("a/b.c/0017.seg.png"), Some(("a/b.c/0017", "seg.png")));
        assert_eq!(key("0017.jpg"), Some(("0017", "jpg")));
        for none in ["plain", "a/.hidden", "a.b/plain", ".x", ""] {
            assert_eq!(key(none), None, "{none}");
        }
    }
}
