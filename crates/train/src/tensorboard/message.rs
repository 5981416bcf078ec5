//! The messages of an event file, in Protocol Buffers' encoding, written by hand: `Event`, `Summary` and `SessionLog` of
//! `tensorboard/compat/proto/{event,summary}.proto`, of which a dozen fields are needed.

const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const LENGTH: u64 = 2;
const FOUR_BYTES: u64 = 5;

/// What an event says.
pub(super) enum What<'a> {
    /// The format's version: the first event of a file.
    Version,
    /// A run went on from here: what was said of this step and later ones no longer holds.
    Restart,
    /// Named values.
    Scalars(&'a [(&'a str, f64)]),
}

/// An `Event` at a time (seconds since 1970) and a step.
pub(super) fn event(wall_time: f64, step: i64, what: &What<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    key(&mut out, 1, EIGHT_BYTES);
    out.extend(wall_time.to_le_bytes());
    key(&mut out, 2, VARINT);
    varint(&mut out, step as u64);
    match what {
        What::Version => nested(&mut out, 3, b"brain.Event:2"),
        What::Restart => nested(&mut out, 7, &session_start()),
        What::Scalars(values) => nested(&mut out, 5, &summary(values)),
    }
    out
}

/// A `SessionLog` whose status is START.
fn session_start() -> Vec<u8> {
    let mut out = Vec::new();
    key(&mut out, 1, VARINT);
    varint(&mut out, 1);
    out
}

/// A `Summary` of simple values.
fn summary(values: &[(&str, f64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (tag, value) in values {
        let mut one = Vec::new();
        nested(&mut one, 1, tag.as_bytes());
        key(&mut one, 2, FOUR_BYTES);
        one.extend((*value as f32).to_le_bytes());
        nested(&mut out, 1, &one);
    }
    out
}

fn nested(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    key(out, field, LENGTH);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn key(out: &mut Vec<u8>, field: u64, kind: u64) {
    varint(out, (field << 3) | kind);
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n as u8) | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_encoded_as_the_format_documents() {
        // "150" and "testing" are the examples of Protocol Buffers' encoding guide.
        let mut out = Vec::new();
        key(&mut out, 1, VARINT);
        varint(&mut out, 150);
        nested(&mut out, 2, b"testing");
        assert_eq!(out, [&[0x08, 0x96, 0x01, 0x12, 0x07][..], b"testing"].concat());
    }

    #[test]
    fn an_event_is_its_fields_in_order() {
        let bytes = event(1.0, 300, &What::Scalars(&[("a", 0.5)]));
        let mut meant = vec![0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xac, 0x02, 0x2a, 10];
        meant.extend([0x0a, 8, 0x0a, 1, b'a', 0x15, 0, 0, 0, 0x3f]);
        assert_eq!(bytes, meant);
        assert_eq!(event(1.0, 3, &What::Restart)[9..], [0x10, 3, 0x3a, 2, 0x08, 1]);
    }
}
