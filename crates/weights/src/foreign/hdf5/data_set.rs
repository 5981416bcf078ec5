//! Data sets: their shape, their type, and their values where the layout says that they lie.

use super::super::cursor::Cursor;
use super::super::number::count;
use super::header::{Header, Kind};
use super::{Datatype, Hdf5, UNDEFINED, Values, chunks, dataspace};
use std::borrow::Cow;

/// A data set's shape and values, the last side innermost; `None` where they are no floats.
pub(super) fn read(file: &Hdf5<'_>, header: &Header<'_>) -> Result<Option<Values>, String> {
    let space = header.message(Kind::Dataspace).ok_or("a data set has no shape")?;
    let datatype = header.message(Kind::Datatype).ok_or("a data set has no type")?;
    let layout = header.message(Kind::Layout).ok_or("a data set has no layout")?;
    let (shape, datatype) = (dataspace(space)?, Datatype::read(datatype)?);
    let Datatype::Number(number, little_endian) = datatype else { return Ok(None) };
    if !number.is_float() {
        return Ok(None);
    }
    let values = count(&shape)?;
    let size = values.checked_mul(number.size()).ok_or("a data set is too large")?;
    file.unpack(size)?;
    let bytes = bytes(file, header, layout, &shape, number.size(), size)?;
    let values = if little_endian { number.values(&bytes) } else { number.big_endian(&bytes) };
    Ok(Some((shape, values)))
}

fn bytes<'a>(
    file: &Hdf5<'a>,
    header: &Header<'a>,
    layout: &'a [u8],
    shape: &[usize],
    element: usize,
    size: usize,
) -> Result<Cow<'a, [u8]>, String> {
    let mut c = Cursor::new(layout);
    let (version, class) = (c.u8()?, c.u8()?);
    match (version, class) {
        (3 | 4, 0) => {
            let held = usize::from(c.u16()?);
            if held != size {
                return Err(format!("a data set of {size} bytes has {held}"));
            }
            Ok(Cow::Borrowed(c.take(held)?))
        }
        (3 | 4, 1) => {
            let (address, held) = (c.u64()?, c.u64()?);
            if address == UNDEFINED {
                // Nothing was written: zeros, unless there is nothing to be written either.
                return if size == 0 { Ok(Cow::Borrowed(&[])) } else { Err("a data set was never written".into()) };
            }
            if held != size as u64 {
                return Err(format!("a data set of {size} bytes has {held}"));
            }
            Ok(Cow::Borrowed(file.cursor(address)?.take(size)?))
        }
        (3, 2) => {
            let dimensions = usize::from(c.u8()?);
            let tree = c.u64()?;
            let sides = (0..dimensions).map(|_| c.u32().map(|s| s as usize)).collect::<Result<Vec<_>, _>>()?;
            let filters = header.message(Kind::Filters).map(chunks::Filters::read).transpose()?.unwrap_or_default();
            let Some((&last, chunk)) = sides.split_last() else { return Err("a chunk has no sides".into()) };
            if chunk.len() != shape.len() || last != element || chunk.contains(&0) {
                return Err(format!("chunks of {chunk:?} do not fit a data set of {shape:?}"));
            }
            if tree == UNDEFINED {
                return Err("a data set was never written".into());
            }
            chunks::read(file, tree, shape, chunk, element, &filters).map(Cow::Owned)
        }
        (_, 3) => Err("a virtual data set cannot be read: its values are in another file".into()),
        (4, _) => Err(
            "a data set's chunks are indexed in a way that cannot be read: write the file without `libver=\"latest\"`"
                .into(),
        ),
        _ => Err(format!("a data set's layout has version {version}; 3 and 4 can be read")),
    }
}
