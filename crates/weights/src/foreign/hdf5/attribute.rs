//! Attributes: small values in an object's header. Only texts are read.

use super::super::cursor::Cursor;
use super::super::number::count;
use super::{Attribute, Datatype, Hdf5, dataspace};

/// The attribute in a message, if it is the one of this name.
pub(super) fn read(file: &Hdf5<'_>, message: &[u8], wanted: &str) -> Result<Option<Attribute>, String> {
    let mut c = Cursor::new(message);
    let version = c.u8()?;
    let shared = c.u8()?;
    let (name, datatype, space) = (c.u16()?, c.u16()?, c.u16()?);
    match version {
        1 | 2 => {}
        3 => c.skip(1)?,
        other => return Err(format!("an attribute has version {other}; 1 to 3 can be read")),
    }
    // Version 1 pads each part to 8 bytes.
    let mut part = |len: u16| {
        let len = usize::from(len);
        let bytes = c.take(len)?;
        c.skip(if version == 1 { len.next_multiple_of(8) - len } else { 0 })?;
        Ok::<_, String>(bytes)
    };
    let (name, datatype, space) = (part(name)?, part(datatype)?, part(space)?);
    if name.strip_suffix(b"\0").unwrap_or(name) != wanted.as_bytes() {
        return Ok(None);
    }
    if version > 1 && shared & 3 != 0 {
        return Ok(Some(Attribute::Other));
    }
    let (datatype, values) = (Datatype::read(datatype)?, count(&dataspace(space)?)?);
    let told = |why: String| format!("its attribute `{wanted}` cannot be read: {why}");
    let texts = match datatype {
        Datatype::Text(size) => {
            let bytes = c.take(values.checked_mul(size).ok_or("an attribute is too large")?).map_err(told)?;
            if size == 0 { vec![String::new(); values.min(1)] } else { bytes.chunks_exact(size).map(text).collect() }
        }
        Datatype::HeapText => {
            let bytes = c.take(values.checked_mul(16).ok_or("an attribute is too large")?).map_err(told)?;
            let mut texts = Vec::with_capacity(values);
            for place in bytes.chunks_exact(16) {
                texts.push(heap_text(file, place).map_err(told)?);
            }
            texts
        }
        _ => return Ok(Some(Attribute::Other)),
    };
    Ok(Some(Attribute::Texts(texts)))
}

/// Text up to its padding.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// A text in a global heap: its length, the collection's address, its number there.
fn heap_text(file: &Hdf5<'_>, place: &[u8]) -> Result<String, String> {
    let mut c = Cursor::new(place);
    let (len, collection, wanted) = (c.u32()? as usize, c.u64()?, c.u32()?);
    if collection == 0 || len == 0 {
        return Ok(String::new());
    }
    let mut c = file.cursor(collection)?;
    c.expect(b"GCOL")?;
    c.skip(4)?;
    let size = usize::try_from(c.u64()?).map_err(|e| e.to_string())?;
    let mut c = Cursor::new(c.take(size.saturating_sub(16))?);
    while c.left() >= 16 {
        file.step()?;
        let number = c.u16()?;
        c.skip(6)?;
        let size = usize::try_from(c.u64()?).map_err(|e| e.to_string())?;
        if number == 0 {
            break;
        }
        let object = c.take(size)?;
        if u32::from(number) == wanted {
            return Ok(text(object.get(..len).unwrap_or(object)));
        }
        let gap = size.checked_next_multiple_of(8).ok_or("a heap's object is too large")? - size;
        c.skip(gap.min(c.left()))?;
    }
    Err("a text is not in its heap".into())
}
