//! Several files named by one pattern, as shards are: `*` and `?` in a file's name, `{000..099}` and `{train,val}`.
//!
//! Braces are expanded first, anywhere in the pattern; stars stand for any characters of the last name in the path.

use crate::folders;
use std::path::{Path, PathBuf};

/// The most names that braces may stand for.
const MOST: usize = 100_000;

/// The files that `pattern` names, sorted, or `None` if it is no pattern or names none.
pub(crate) fn files(pattern: &str) -> Option<Vec<PathBuf>> {
    if !pattern.contains(['*', '?', '{']) {
        return None;
    }
    let mut files = Vec::new();
    for name in braces(pattern)? {
        let path = Path::new(&name);
        if !name.contains(['*', '?']) {
            files.push(path.to_owned());
            continue;
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let wanted: Vec<char> = folders::name(path).chars().collect();
        let beside = folders::entries(parent.unwrap_or(Path::new("."))).ok()?.files;
        let fitting = beside.iter().filter(|file| fits(&wanted, &folders::name(file).chars().collect::<Vec<_>>()));
        files.extend(fitting.map(|file| parent.unwrap_or(Path::new("")).join(folders::name(file))));
    }
    files.sort();
    files.dedup();
    (!files.is_empty()).then_some(files)
}

/// The texts that the braces in `pattern` stand for; `None` if they are too many or not closed.
fn braces(pattern: &str) -> Option<Vec<String>> {
    let mut done = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('{') {
        let (inside, after) = behind.split_once('}')?;
        let choices = match inside.split_once("..") {
            Some((first, last)) => range(first, last)?,
            None => inside.split(',').map(str::to_owned).collect(),
        };
        if done.len() * choices.len() > MOST {
            return None;
        }
        let with = |text: &String| choices.iter().map(|c| format!("{text}{before}{c}")).collect::<Vec<_>>();
        done = done.iter().flat_map(with).collect();
        rest = after;
    }
    Some(done.into_iter().map(|text| text + rest).collect())
}

/// `007..012` with the zeros in front that the first number has.
fn range(first: &str, last: &str) -> Option<Vec<String>> {
    let (from, to): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    let digits = first.len();
    (from <= to && to - from < MOST && digits < 20).then(|| (from..=to).map(|n| format!("{n:0digits$}")).collect())
}

/// Whether `name` fits a pattern of stars, question marks and plain characters.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where the last star stands, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_numbers_and_choices() {
        assert_eq!(braces("a-{08..11}.tar").unwrap(), ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]);
        assert_eq!(braces("{x,y}{1..2}").unwrap(), ["x1", "x2", "y1", "y2"]);
        assert_eq!(braces("plain").unwrap(), ["plain"]);
        for wrong in ["a{1..", "a{2..1}", "a{1..x}", "a{0..999999999}", "{0..99999}{0..9}"] {
            assert_eq!(braces(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn stars_take_any_characters() {
        let fits =
            |pattern: &str, name: &str| fits(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>());
        for (pattern, name) in [("*", ""), ("*.tar", "a.tar"), ("a*b*c", "a-b-bxc"), ("a?c", "abc"), ("**", "x")] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("?", ""), ("*.tar", "a.tar.gz"), ("a*b", "abc"), ("abc", "ab"), ("", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_found_and_sorted() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b-1.tar", "a-2.tar", "a-1.tar", "c.txt"] {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        let found = |pattern: &str| files(root.path().join(pattern).to_str().unwrap());
        let names = |pattern: &str| found(pattern).unwrap().iter().map(|f| folders::name(f)).collect::<Vec<_>>();
        assert_eq!(names("*.tar"), ["a-1.tar", "a-2.tar", "b-1.tar"]);
        assert_eq!(names("{b,a}-?.tar"), ["a-1.tar", "a-2.tar", "b-1.tar"]);
        assert_eq!(names("{b,a}-1.tar"), ["a-1.tar", "b-1.tar"]);
        assert_eq!(found("x*"), None);
        assert_eq!(found("a-1.tar"), None, "no pattern");
    }
}
