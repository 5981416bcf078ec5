//! Which column of a table says what.

use crate::error::{near, quoted};

/// What a column can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Path,
    Label,
    Split,
    Group,
    Fold,
    Sha256,
}

/// Every column with its names, in any case; where a table has several of them, the first in this order counts.
const NAMES: [(Column, &[&str]); 6] = [
    (Column::Path, &["path", "image", "file", "filename", "file_name", "filepath", "image_path"]),
    (Column::Label, &["label", "class", "category"]),
    (Column::Split, &["split"]),
    (Column::Group, &["group"]),
    (Column::Fold, &["fold"]),
    (Column::Sha256, &["sha256"]),
];

/// The texts of one row, by column; empty ones are as good as missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields([Option<String>; NAMES.len()]);

impl Fields {
    pub(super) fn get(&self, column: Column) -> Option<&str> {
        self.0[column as usize].as_deref()
    }

    pub(super) fn set(&mut self, column: Column, text: &str) {
        let text = text.trim();
        self.0[column as usize] = (!text.is_empty()).then(|| text.to_owned());
    }
}

/// For each name of a header what it says, if anything.
pub(super) fn assign(header: &[&str]) -> Vec<Option<Column>> {
    let mut of = vec![None; header.len()];
    for (column, names) in NAMES {
        let place = |name: &&str| header.iter().position(|found| found.trim().eq_ignore_ascii_case(name));
        if let Some(place) = names.iter().find_map(place) {
            of[place] = Some(column);
        }
    }
    of
}

/// The same where another column than `group` says what belongs together; or what to say where there is no such `noun`.
pub(super) fn assign_grouped(header: &[&str], group: Option<&str>, noun: &str) -> Result<Vec<Option<Column>>, String> {
    let mut of = assign(header);
    let Some(group) = group else { return Ok(of) };
    let Some(place) = header.iter().position(|found| found.trim().eq_ignore_ascii_case(group)) else {
        let found: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        return Err(format!("there is no {noun} called {group}, only {}", quoted(&found, 10)));
    };
    of.iter_mut().filter(|column| **column == Some(Column::Group)).for_each(|column| *column = None);
    if let Some(taken) = of[place].replace(Column::Group) {
        return Err(format!("the {noun} {group} says something else already ({taken:?}): name another for groups"));
    }
    Ok(of)
}

/// Whether there is what every table needs.
pub(super) fn are_enough(of: &[Option<Column>]) -> bool {
    of.contains(&Some(Column::Path)) && of.contains(&Some(Column::Label))
}

/// What to say where a path or a label is missing among `found`.
pub(super) fn missing(found: &[&str], noun: &str) -> String {
    let of = assign(found);
    let lacks = if of.contains(&Some(Column::Path)) { Column::Label } else { Column::Path };
    let (_, names) = NAMES[lacks as usize];
    let alike: Vec<String> = found.iter().flat_map(|name| near(name.trim(), names.iter().copied())).take(1).collect();
    let meant = alike.first().map_or_else(String::new, |name| format!("; did you mean {name}?"));
    let found: Vec<String> = found.iter().map(|name| name.trim().to_owned()).collect();
    format!("there is no {noun} called {}, only {}{meant}", names.join(", "), quoted(&found, 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_by_name_and_the_first_name_counts() {
        use Column::{Fold, Label, Path, Split};
        assert_eq!(assign(&["Image", " label ", "x"]), [Some(Path), Some(Label), None]);
        assert_eq!(
            assign(&["class", "label", "fold", "file", "path"]),
            [None, Some(Label), Some(Fold), None, Some(Path)]
        );
        assert_eq!(assign(&["SPLIT", "split"]), [Some(Split), None]);
        assert!(are_enough(&assign(&["filename", "category"])) && !are_enough(&assign(&["filename", "split"])));
    }

    #[test]
    fn another_column_may_name_the_groups() {
        use Column::{Group, Label, Path};
        let header = ["path", "label", "group", "Patient"];
        let of = assign_grouped(&header, Some("patient"), "column").unwrap();
        assert_eq!(of, [Some(Path), Some(Label), None, Some(Group)]);
        assert_eq!(assign_grouped(&header, None, "column").unwrap(), assign(&header));
        assert_eq!(assign_grouped(&header, Some("group"), "column").unwrap(), assign(&header));
        let e = assign_grouped(&header, Some("subject"), "column").unwrap_err();
        assert_eq!(e, "there is no column called subject, only 'path', 'label', 'group', 'Patient'");
        assert!(assign_grouped(&header, Some("label"), "column").unwrap_err().contains("says something else already"));
    }

    #[test]
    fn a_missing_column_is_named_with_what_is_alike() {
        assert_eq!(
            missing(&["path", "lable"], "column"),
            "there is no column called label, class, category, only 'path', 'lable'; did you mean label?"
        );
        assert!(missing(&["cats/1.jpg", "cat"], "column").starts_with("there is no column called path, image, file"));
    }
}
