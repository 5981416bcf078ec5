//! Names that make trouble: of files on other systems, and of classes that are probably one.

use std::collections::BTreeMap;

/// The longest path, relative to the data set, that leaves room for the folders around it: Windows takes 260 characters
/// in all unless told otherwise.
const LONGEST: usize = 200;

/// Device names of Windows, which no file may have, whatever its extension.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// What other systems do not take about a file's or folder's name, as half a sentence behind it.
pub(super) fn odd(name: &std::ffi::OsStr) -> Option<String> {
    let Some(text) = name.to_str() else {
        return Some("is not UTF-8, so no table can name it".to_owned());
    };
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Some(format!("has the control character U+{:04X}", u32::from(c)));
    }
    if let Some(c) = text.chars().find(|c| r#"<>:"|?*\"#.contains(*c)) {
        return Some(format!("has a {c}, which Windows does not take"));
    }
    if text.ends_with(['.', ' ']) || text.starts_with(' ') {
        return Some("begins with a space or ends with one or a dot, which Windows drops".to_owned());
    }
    let stem = text.split('.').next().unwrap_or(text).to_lowercase();
    DEVICES.contains(&stem.as_str()).then(|| "is the name of a device on Windows".to_owned())
}

/// What is too long about a path relative to the data set, as half a sentence behind it.
pub(super) fn long(path: &str) -> Option<String> {
    let length = path.chars().count();
    (length > LONGEST).then(|| format!("has {length} characters below the data set's folder"))
}

/// Pairs of `names`, with their numbers of images, that are probably one class, and why.
///
/// Those that differ only in case, spaces, dashes and underscores; and those of five letters and more that are one edit
/// apart, if one has at most a quarter of the other's images: misspelt folders are small. Numbers in names are never
/// taken for misspelt.
pub(super) fn alike(names: &[(String, usize)]) -> Vec<(usize, usize, &'static str)> {
    let mut pairs = Vec::new();
    let mut plain: BTreeMap<String, usize> = BTreeMap::new();
    for (i, (name, _)) in names.iter().enumerate() {
        let key: String = name.to_lowercase().chars().filter(|c| !" -_.".contains(*c)).collect();
        match plain.get(&key) {
            Some(&earlier) => pairs.push((earlier, i, "differ only in case, spaces or dashes")),
            None => drop(plain.insert(key, i)),
        }
    }
    let letters = |name: &str| name.chars().count() >= 5 && !name.chars().any(|c| c.is_ascii_digit());
    let plain: Vec<(&String, usize)> = plain.iter().map(|(key, &i)| (key, i)).filter(|(key, _)| letters(key)).collect();
    for (at, &(a, i)) in plain.iter().enumerate() {
        for &(b, j) in &plain[at + 1..] {
            let (few, many) = (names[i].1.min(names[j].1), names[i].1.max(names[j].1));
            if 4 * few <= many && a.len().abs_diff(b.len()) <= 1 && strsim::osa_distance(a, b) == 1 {
                pairs.push((i.min(j), i.max(j), "differ by one letter"));
            }
        }
    }
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn names_that_travel_are_left_alone() {
        for name in ["cat.jpg", "été 1 (2).jpeg", "猫.png", "a.b.c", "console.png", "com10.png"] {
            assert_eq!(odd(OsStr::new(name)), None, "{name}");
        }
        let wrong =
            ["a:b.jpg", "what?.png", "dot.", " lead.png", "tail ", "tab\t.png", "CON", "aux.jpg", "lpt1.tar.gz"];
        for name in wrong {
            assert!(odd(OsStr::new(name)).is_some(), "{name}");
        }
        assert!(long(&"a/".repeat(100)).is_none() && long(&"é".repeat(201)).is_some());
    }

    #[test]
    fn classes_that_are_probably_one_are_paired() {
        let pairs = |names: &[(&str, usize)]| {
            let names: Vec<_> = names.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
            alike(&names).into_iter().map(|(i, j, _)| (i, j)).collect::<Vec<_>>()
        };
        assert_eq!(pairs(&[("Golden Retriever", 9), ("dog", 5), ("golden_retriever", 9)]), [(0, 2)]);
        assert_eq!(pairs(&[("airplane", 500), ("airplan", 3), ("automobile", 500)]), [(0, 1)]);
        assert_eq!(pairs(&[("hornet", 50), ("cornet", 50)]), [], "both are large");
        assert_eq!(pairs(&[("cat", 500), ("car", 3), ("n01440764", 500), ("n01440765", 2)]), []);
        assert_eq!(pairs(&[("zebra", 80), ("zerba", 0)]), [(0, 1)], "two letters in the wrong order");
    }
}
