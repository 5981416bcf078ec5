//! Which columns of a Parquet file are the picture, the label and the group, by what Hugging Face notes, else by name.

use super::footer::{Column, Footer, Type};
use crate::error::quoted;
use serde_json::Value;

/// Names that pictures go by, and labels; the first counts.
const IMAGES: [&str; 6] = ["image", "img", "picture", "photo", "bytes", "image_bytes"];
const LABELS: [&str; 6] = ["label", "labels", "class", "category", "target", "cls"];

/// Places in the footer's columns.
pub(super) struct Roles {
    pub(super) image: usize,
    pub(super) label: usize,
    pub(super) group: Option<usize>,
    pub(super) warnings: Vec<String>,
}

/// What each column is for, or what is missing.
pub(super) fn roles(footer: &Footer) -> Result<Roles, String> {
    let columns = &footer.columns;
    let noted = noted(footer);
    let is = |column: &Column, kind: &str| feature(noted.as_ref(), column).is_some_and(|found| found == kind);
    let holds_bytes = |column: &Column| column.kind == Type::ByteArray && !column.repeated;
    let scalar = |column: &Column| column.path.len() == 1 && !column.repeated && column.kind.tells_apart();

    let bytes_of = |name: &str| {
        columns.iter().position(|column| {
            holds_bytes(column) && column.path[0] == name && (column.path.len() == 1 || column.path[1..] == ["bytes"])
        })
    };
    let image = columns
        .iter()
        .find(|column| holds_bytes(column) && is(column, "Image"))
        .and_then(|column| bytes_of(&column.path[0]))
        .or_else(|| IMAGES.iter().find_map(|name| bytes_of(name)))
        .or_else(|| columns.iter().position(|column| holds_bytes(column) && column.path[1..] == ["bytes"]));
    let named = |name: &str| columns.iter().position(|c| scalar(c) && c.path[0].eq_ignore_ascii_case(name));
    let declared: Vec<usize> =
        (0..columns.len()).filter(|&i| scalar(&columns[i]) && is(&columns[i], "ClassLabel")).collect();
    let by_name = LABELS.iter().find_map(|name| named(name));
    let label = by_name.filter(|place| declared.is_empty() || declared.contains(place)).or(declared.first().copied());

    let found: Vec<String> = columns.iter().map(|column| column.path.join(".")).collect();
    let lacks = |what: &str| format!("has no column of {what}, only {}", quoted(&found, 10));
    let image = image.ok_or_else(|| lacks("pictures (image: bytes, or a structure with bytes)"))?;
    let label = label.ok_or_else(|| lacks("labels (label, class or category)"))?;
    let others: Vec<String> = declared.iter().filter(|&&i| i != label).map(|&i| found[i].clone()).collect();
    let mut warnings = Vec::new();
    if !others.is_empty() {
        warnings.push(format!("the label is '{}'; {} is not used", found[label], quoted(&others, 10)));
    }
    Ok(Roles { image, label, group: named("group").filter(|group| *group != label), warnings })
}

/// The names of the classes, where they are noted.
pub(super) fn class_names(footer: &Footer, roles: &Roles) -> Option<Vec<String>> {
    let noted = noted(footer)?;
    let names = noted.get(&footer.columns[roles.label].path[0])?.get("names")?.as_array()?;
    let names: Option<Vec<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
    names.filter(|names| !names.is_empty())
}

/// The features of the data set that Hugging Face notes, by column.
fn noted(footer: &Footer) -> Option<Value> {
    let mut noted: Value = serde_json::from_str(footer.huggingface.as_ref()?).ok()?;
    noted.pointer_mut("/info/features").map(Value::take)
}

fn feature<'a>(noted: Option<&'a Value>, column: &Column) -> Option<&'a str> {
    noted?.get(&column.path[0])?.get("_type")?.as_str()
}
