//! One JSON object a line; its keys are the columns.

use super::columns::{self, Fields};
use super::{LONGEST_LINE, Row, listing::Listing, wrong};
use crate::bytes;
use crate::error::DataError;
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Adds every line of `stream` to `listing`; empty ones are passed over.
pub(super) fn read(path: &Path, stream: impl Read, listing: &mut Listing<'_>) -> Result<(), DataError> {
    let mut stream = BufReader::new(stream);
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let read = stream.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut text);
        let read = read.map_err(|error| bytes::failed(path, error))? as u64;
        if read == 0 {
            break;
        }
        if read == LONGEST_LINE && !text.ends_with(b"\n") {
            return Err(wrong(path, line, "it is longer than 1 MiB; there must be one object a line"));
        }
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
        if !text.iter().all(u8::is_ascii_whitespace) {
            let object: Map<String, Value> = serde_json::from_slice(text)
                .map_err(|error| wrong(path, line, &format!("it is not one JSON object: {error}")))?;
            let fields = fields(&object, listing).map_err(|problem| wrong(path, line, &problem))?;
            listing.add(&Row { line, fields })?;
        }
    }
    Ok(())
}

fn fields(object: &Map<String, Value>, listing: &mut Listing<'_>) -> Result<Fields, String> {
    let keys: Vec<&str> = object.keys().map(String::as_str).collect();
    let of = columns::assign_grouped(&keys, listing.group_column(), "key")?;
    if !columns::are_enough(&of) {
        return Err(columns::missing(&keys, "key"));
    }
    let mut fields = Fields::default();
    for ((key, value), column) in object.iter().zip(of) {
        let Some(column) = column else {
            listing.pass_over_column(key);
            continue;
        };
        match value {
            Value::Null => {}
            Value::String(text) => fields.set(column, text),
            Value::Number(number) => fields.set(column, &number.to_string()),
            Value::Bool(value) => fields.set(column, &value.to_string()),
            Value::Array(_) | Value::Object(_) => {
                let kind = if value.is_array() { "a list" } else { "an object" };
                return Err(format!("'{key}' is {kind}, but must be a text or a number"));
            }
        }
    }
    Ok(fields)
}
