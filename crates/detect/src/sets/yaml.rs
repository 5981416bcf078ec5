//! As much YAML as `data.yaml` needs: keys with a value, a list or numbered names, in one line or in indented ones.

use std::collections::BTreeMap;

/// A key's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Numbered(BTreeMap<usize, String>),
}

/// The keys of the outermost level; what lies deeper than lists and numbered names is passed over.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let mut found = BTreeMap::new();
    let lines: Vec<(usize, &str)> =
        (1..).zip(text.trim_start_matches('\u{feff}').lines().map(without_comment)).collect();
    let mut at = 0;
    while at < lines.len() {
        let (number, line) = lines[at];
        at += 1;
        if line.trim().is_empty() || line == "---" || line == "..." {
            continue;
        }
        if line.starts_with(char::is_whitespace) {
            return Err(format!("line {number}: is indented below nothing"));
        }
        let Some((key, value)) = line.split_once(':') else {
            return Err(format!("line {number}: expected `key: value`, found '{line}'"));
        };
        // A list in square brackets may go over several lines.
        let mut value = value.trim().to_owned();
        while value.starts_with(['[', '{']) && !closed(&value) && at < lines.len() {
            value.push(' ');
            value.push_str(lines[at].1.trim());
            at += 1;
        }
        let value = if value.is_empty() {
            let start = at;
            let belongs = |line: &str| line.trim().is_empty() || line.starts_with([' ', '\t', '-']);
            while at < lines.len() && belongs(lines[at].1) {
                at += 1;
            }
            block(&lines[start..at])?
        } else {
            flow(&value).map_err(|problem| format!("line {number}: {problem}"))?
        };
        if found.insert(unquoted(key), value).is_some() {
            return Err(format!("line {number}: {} is given twice", key.trim()));
        }
    }
    Ok(found)
}

fn closed(value: &str) -> bool {
    value.ends_with([']', '}'])
}

/// Without what follows a `#` that is not in quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match quote {
            Some(q) if c == q => quote = None,
            None if (c == '"' || c == '\'') && !before.is_alphanumeric() => quote = Some(c),
            None if c == '#' && before.is_whitespace() => return line[..at].trim_end(),
            _ => {}
        }
        before = c;
    }
    line.trim_end()
}

fn unquoted(text: &str) -> String {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.to_owned();
        }
    }
    text.to_owned()
}

/// `[a, b]`, `{0: a, 1: b}`, or a text.
fn flow(value: &str) -> Result<Value, String> {
    let inside = |open: char, close: char| value.strip_prefix(open).map(|rest| rest.strip_suffix(close));
    if let Some(list) = inside('[', ']') {
        let list = list.ok_or("a list begins with [ and does not end with ]")?;
        return Ok(Value::List(pieces(list)));
    }
    if let Some(map) = inside('{', '}') {
        let map = map.ok_or("numbered names begin with { and do not end with }")?;
        let mut names = BTreeMap::new();
        for piece in pieces(map) {
            let (number, name) = numbered(&piece)?;
            names.insert(number, name);
        }
        return Ok(Value::Numbered(names));
    }
    Ok(Value::Text(unquoted(value)))
}

/// What stands between commas that are not in quotes.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            None if c == '"' || (c == '\'' && pieces.last().is_some_and(|p| p.trim().is_empty())) => quote = Some(c),
            None if c == ',' => {
                pieces.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    let mut pieces: Vec<String> = pieces.iter().map(|piece| unquoted(piece)).collect();
    // A comma may stand behind the last.
    if pieces.last().is_some_and(String::is_empty) {
        pieces.pop();
    }
    pieces
}

fn numbered(text: &str) -> Result<(usize, String), String> {
    let parted = text.split_once(':').and_then(|(n, name)| Some((unquoted(n).parse().ok()?, unquoted(name))));
    parted.ok_or_else(|| format!("expected `number: name`, found '{}'", text.trim()))
}

/// Lines below a key: `- a`, or `0: a`.
fn block(lines: &[(usize, &str)]) -> Result<Value, String> {
    let (mut list, mut names) = (Vec::new(), BTreeMap::new());
    for (number, line) in lines.iter().filter(|(_, line)| !line.trim().is_empty()) {
        let line = line.trim();
        if let Some(item) = line.strip_prefix('-') {
            list.push(unquoted(item));
        } else if let Ok((n, name)) = numbered(line) {
            if names.insert(n, name).is_some() {
                return Err(format!("line {number}: {n} is given twice"));
            }
        } else if !line.contains(':') {
            return Err(format!("line {number}: expected `- name` or `number: name`, found '{line}'"));
        }
    }
    Ok(if names.is_empty() { Value::List(list) } else { Value::Numbered(names) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_files_are_read() {
        let list = |names: &[&str]| Value::List(names.iter().map(|&n| n.to_owned()).collect());
        let text = "# data\ntrain: ../train/images  # here\nnc: 3\nnames: ['a, b', \"c#d\", it's]\n\
            roboflow:\n  workspace: x\n  version: 2\nother:\n- one\n- two\n";
        let found = parse(text).unwrap();
        assert_eq!(found["train"], Value::Text("../train/images".to_owned()));
        assert_eq!(found["names"], list(&["a, b", "c#d", "it's"]));
        assert_eq!(found["other"], list(&["one", "two"]));
        let numbered = |text: &str| parse(text).unwrap().remove("names").unwrap();
        let expected = Value::Numbered([(0, "a".to_owned()), (1, "b c".to_owned())].into());
        assert_eq!(numbered("names:\n  0: a\n\n  1: 'b c' # last\nx: y\n"), expected);
        assert_eq!(numbered("names: {0: a,\n 1: b c}\n"), expected);
        assert_eq!(numbered("names: [\n a,\n b,\n]"), list(&["a", "b"]));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, told) in [
            ("a: 1\nno colon", "line 2: expected `key: value`, found 'no colon'"),
            ("names: [a, b", "line 1: a list begins with [ and does not end with ]"),
            ("names: {x: a}", "line 1: expected `number: name`, found 'x: a'"),
            ("names:\n  0: a\n  0: b", "line 3: 0 is given twice"),
            ("a: 1\na: 2", "line 2: a is given twice"),
            ("  a: 1", "line 1: is indented below nothing"),
        ] {
            assert_eq!(parse(text).unwrap_err(), told);
        }
    }

    proptest! {
        #[test]
        fn anything_passes(text in "[a-c:\\[\\]{},'\"# \n\t0-2-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
