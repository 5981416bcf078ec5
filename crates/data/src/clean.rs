//! Cleaning manifests: tables of path, action, fault and detail that say which images are left out. The files stay.
//!
//! Paths are relative to the data set's folder, with `/` between names. Actions are `exclude` and `keep`; a file is left out
//! if any of its rows excludes it.

use crate::columns::{self, Column};
use crate::error::{self, DataError, counted};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a cleaning manifest leaves out.
#[derive(Debug)]
pub(crate) struct Cleaning {
    file: PathBuf,
    /// The files left out, and whether each was met.
    excluded: BTreeMap<String, Cell<bool>>,
}

impl Cleaning {
    /// Reads a manifest.
    ///
    /// # Errors
    /// If it cannot be read, lacks the column `path` or `action`, or a row has no path or another action.
    pub(crate) fn read(file: &Path) -> Result<Self, DataError> {
        let mut excluded = BTreeMap::new();
        let columns = [Column { name: "path", needed: true }, Column { name: "action", needed: true }];
        columns::each_row(file, &columns, |_, [path, action]| {
            if path.is_empty() {
                return Err("the path is empty".to_owned());
            }
            match action.trim() {
                "exclude" => drop(excluded.insert(plain(path), Cell::new(false))),
                "keep" => {}
                other => return Err(format!("the action is '{other}', but must be exclude or keep")),
            }
            Ok(())
        })?;
        Ok(Self { file: file.to_owned(), excluded })
    }

    /// Whether the file with this path, relative to the data set's folder and with `/` between names, is left out.
    pub(crate) fn excludes(&self, path: &str) -> bool {
        self.excluded.get(path).inspect(|met| met.set(true)).is_some()
    }

    /// What to say where so many images were left out.
    pub(crate) fn said(&self, images: usize) -> String {
        let are = if images == 1 { "is" } else { "are" };
        format!("{} {are} left out, as {} says", counted(images, "image"), self.file.display())
    }

    /// What a person should know when every file has been asked for: paths that are not there are a sign of another
    /// folder, or of files that have moved.
    pub(crate) fn warning(&self) -> Option<String> {
        let unmet: Vec<String> =
            self.excluded.iter().filter(|(_, met)| !met.get()).map(|(path, _)| path.clone()).collect();
        (!unmet.is_empty()).then(|| {
            format!(
                "{} excludes {}, of which {} not among the images: {}",
                self.file.display(),
                counted(self.excluded.len(), "file"),
                if unmet.len() == 1 { "1 is".to_owned() } else { format!("{} are", unmet.len()) },
                error::quoted(&unmet, 3)
            )
        })
    }
}

/// The path without a leading `./`, and with `/` where another system wrote `\`.
fn plain(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    if cfg!(windows) { path.replace('\\', "/") } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Cleaning, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("clean.csv");
        std::fs::write(&file, text).unwrap();
        Cleaning::read(&file).map_err(|e| e.to_string().replace(&dir.path().display().to_string(), "DIR"))
    }

    #[test]
    fn any_row_may_exclude_a_file() {
        let text = "path,action,fault,detail\n\
            cat/1.jpg,keep,grey,\n\
            \"cat/1, cut.jpg\",exclude,truncated,\"ends early, at 7\"\n\
            cat/1.jpg,exclude,duplicate,of cat/2.jpg\n\
            ./dog/3.jpg,exclude,,\n\
            dog/4.jpg,keep,,\n";
        let cleaning = read(text).unwrap();
        assert!(cleaning.excludes("cat/1.jpg") && cleaning.excludes("cat/1, cut.jpg"));
        assert!(!cleaning.excludes("dog/4.jpg") && !cleaning.excludes("1.jpg"));
        let warning = cleaning.warning().unwrap();
        assert!(warning.ends_with("excludes 3 files, of which 1 is not among the images: 'dog/3.jpg'"), "{warning}");
        assert!(cleaning.excludes("dog/3.jpg"));
        assert_eq!(cleaning.warning(), None);
    }

    #[test]
    fn tabs_and_other_orders_of_columns_are_read() {
        let cleaning = read("\u{feff}Action\tpath\r\nexclude\ta b.png\r\nkeep\tc.png\r\n").unwrap();
        assert!(cleaning.excludes("a b.png") && !cleaning.excludes("c.png"));
    }

    #[test]
    fn mistakes_are_named_by_line() {
        let says = |text, said: &str| {
            let message = read(text).unwrap_err();
            assert!(message.contains(said), "{message}");
        };
        says(
            "path,action\na,exclude\nb,delete\n",
            "DIR/clean.csv, line 3: the action is 'delete', but must be exclude",
        );
        says("path,action\n,exclude\n", "line 2: the path is empty");
        says(
            "paths,action\na,keep\n",
            "a column 'path' is expected, and the first line names 'paths', 'action'; is 'paths'",
        );
        says("", "a column 'path' is expected");
        says("path,action\n\u{fffd}", "the action is ''");
        assert!(Cleaning::read(Path::new("/no/such/clean.csv")).unwrap_err().to_string().contains("reading failed"));
    }
}
