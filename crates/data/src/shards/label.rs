//! What a label file of a shard says.

use serde_json::Value;

/// The keys under which a sample's JSON may have its label, the first counts.
const KEYS: [&str; 4] = ["label", "cls", "class", "category"];

/// A sample's label, and its group if its JSON has one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) name: String,
    pub(super) group: Option<String>,
}

/// What a `.cls` or `.txt` file says.
pub(super) fn of_text(bytes: &[u8]) -> Result<Label, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "has a label that is not UTF-8".to_owned())?.trim();
    if text.is_empty() {
        return Err("has an empty label".to_owned());
    }
    if text.contains('\n') {
        return Err("has a label of several lines".to_owned());
    }
    Ok(Label { name: text.to_owned(), group: None })
}

/// What a `.json` file says: an object with a label, or the label itself. `None` if it says nothing about it.
pub(super) fn of_json(bytes: &[u8]) -> Result<Option<Label>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("has damaged JSON beside it: {error}"))?;
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    let name = match &value {
        Value::Object(fields) => KEYS.iter().find_map(|key| plain(fields.get(*key)?)),
        other => plain(other),
    };
    let group = value.get("group").and_then(plain);
    Ok(name.map(|name| Label { name, group }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_numbers_or_names() {
        let name = |label: Result<Label, String>| label.map(|label| label.name);
        assert_eq!(name(of_text(b" 7\n")), Ok("7".to_owned()));
        assert_eq!(name(of_text("Bär".as_bytes())), Ok("Bär".to_owned()));
        for wrong in [&b""[..], b" \n", b"a\nb", b"\xFF"] {
            assert!(of_text(wrong).is_err(), "{wrong:?}");
        }
        let json = |text: &str| of_json(text.as_bytes()).map(|label| label.map(|label| (label.name, label.group)));
        assert_eq!(json(r#"{"label": 3, "group": "p1"}"#), Ok(Some(("3".to_owned(), Some("p1".to_owned())))));
        assert_eq!(json(r#"{"class": "dog", "width": 3}"#), Ok(Some(("dog".to_owned(), None))));
        assert_eq!(json("12"), Ok(Some(("12".to_owned(), None))));
        assert_eq!(json(r#"{"label": [1, 2], "width": 3}"#), Ok(None));
        assert!(json("{").is_err());
    }
}
