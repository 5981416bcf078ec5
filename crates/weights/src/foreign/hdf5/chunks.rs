//! Data sets in chunks: blocks of one shape found through a tree, each shuffled, deflated and checked by filters.

use super::super::cursor::Cursor;
use super::Hdf5;
use flate2::read::ZlibDecoder;
use std::borrow::Cow;
use std::io::Read;

/// What was done to each chunk, in order.
#[derive(Debug, Default)]
pub(super) struct Filters(Vec<Filter>);

#[derive(Debug)]
enum Filter {
    Deflate,
    /// Values of so many bytes, first bytes first.
    Shuffle(usize),
    /// A checksum of four bytes behind.
    Fletcher32,
}

impl Filters {
    /// Reads a filter pipeline message.
    pub(super) fn read(message: &[u8]) -> Result<Filters, String> {
        let mut c = Cursor::new(message);
        let (version, count) = (c.u8()?, c.u8()?);
        if version == 1 {
            c.skip(6)?;
        }
        let mut filters = Vec::new();
        for _ in 0..count {
            let id = c.u16()?;
            let name = if version == 1 || id >= 256 { c.u16()? } else { 0 };
            let (_flags, values) = (c.u16()?, c.u16()?);
            let name = usize::from(name);
            c.skip(if version == 1 { name.next_multiple_of(8) } else { name })?;
            let values = (0..values).map(|_| c.u32()).collect::<Result<Vec<_>, _>>()?;
            if version == 1 && values.len() % 2 == 1 {
                c.skip(4)?;
            }
            filters.push(match id {
                1 => Filter::Deflate,
                2 => Filter::Shuffle(values.first().copied().unwrap_or(1).max(1) as usize),
                3 => Filter::Fletcher32,
                other => {
                    return Err(format!(
                        "a data set is packed by filter {other}; deflate, shuffle and fletcher32 can be read"
                    ));
                }
            });
        }
        Ok(Filters(filters))
    }

    /// A chunk of `size` bytes as it was before.
    fn undo<'a>(&self, packed: &'a [u8], mask: u32, size: usize) -> Result<Cow<'a, [u8]>, String> {
        let mut bytes = Cow::Borrowed(packed);
        for (i, filter) in self.0.iter().enumerate().rev() {
            if mask >> i.min(31) & 1 == 1 {
                continue;
            }
            bytes = match filter {
                Filter::Deflate => {
                    let mut out = Vec::new();
                    // A checksum may follow.
                    let most = size as u64 + 4;
                    ZlibDecoder::new(&bytes[..]).take(most).read_to_end(&mut out).map_err(|e| e.to_string())?;
                    Cow::Owned(out)
                }
                Filter::Shuffle(element) => Cow::Owned(unshuffled(&bytes, *element)),
                Filter::Fletcher32 => {
                    let len = bytes.len().checked_sub(4).ok_or("a chunk has no checksum")?;
                    Cow::Owned(bytes[..len].to_vec())
                }
            };
        }
        if bytes.len() != size {
            return Err(format!("a chunk of {size} bytes has {}", bytes.len()));
        }
        Ok(bytes)
    }
}

fn unshuffled(bytes: &[u8], element: usize) -> Vec<u8> {
    let n = bytes.len() / element;
    let mut out = bytes.to_vec();
    for i in 0..n {
        for b in 0..element {
            out[i * element + b] = bytes[b * n + i];
        }
    }
    out
}

/// The values' bytes, the last side innermost. Chunks that are not there are zeros.
pub(super) fn read(
    file: &Hdf5<'_>,
    tree: u64,
    shape: &[usize],
    chunk: &[usize],
    element: usize,
    filters: &Filters,
) -> Result<Vec<u8>, String> {
    let total = shape.iter().product::<usize>() * element;
    let size = chunk.iter().try_fold(element, |n, &side| n.checked_mul(side)).ok_or("a chunk is too large")?;
    // A chunk may reach beyond a small data set, but not by gigabytes.
    if size > total.saturating_mul(64).max(1 << 20) {
        return Err(format!("a data set of {total} bytes has chunks of {size}"));
    }
    let mut left: usize = shape.iter().zip(chunk).map(|(side, c)| side.div_ceil(*c)).product();
    let mut out = vec![0; total];
    let mut nodes = vec![tree];
    while let Some(node) = nodes.pop() {
        let (level, used, mut c) = file.tree_node(node, 1)?;
        for _ in 0..used {
            file.step()?;
            let (packed, mask) = (c.u32()? as usize, c.u32()?);
            let mut first = Vec::with_capacity(shape.len());
            for _ in shape {
                first.push(usize::try_from(c.u64()?).map_err(|e| e.to_string())?);
            }
            c.skip(8)?;
            let child = c.u64()?;
            if level > 0 {
                nodes.push(child);
                continue;
            }
            left = left.checked_sub(1).ok_or("a data set has more chunks than there is room for")?;
            let packed = file.cursor(child)?.take(packed)?;
            if first.iter().zip(shape).any(|(f, side)| f >= side) {
                return Err(format!("a chunk at {first:?} is outside a data set of {shape:?}"));
            }
            place(&filters.undo(packed, mask, size)?, &first, chunk, shape, element, &mut out);
        }
    }
    Ok(out)
}

/// Copies what of a chunk lies in the data set, row by row.
fn place(bytes: &[u8], first: &[usize], chunk: &[usize], shape: &[usize], element: usize, out: &mut [u8]) {
    let Some((&width, outer)) = chunk.split_last() else {
        out.copy_from_slice(&bytes[..out.len()]);
        return;
    };
    let last = shape.len() - 1;
    let row = width.min(shape[last] - first[last]) * element;
    let mut index = vec![0; outer.len()];
    for source in bytes.chunks_exact(width * element) {
        let inside = index.iter().zip(first).zip(shape).all(|((i, f), side)| i + f < *side);
        if inside {
            let place = index.iter().zip(first).zip(shape).fold(0, |at, ((i, f), side)| at * side + i + f);
            let at = (place * shape[last] + first[last]) * element;
            out[at..at + row].copy_from_slice(&source[..row]);
        }
        for (i, side) in index.iter_mut().zip(outer).rev() {
            *i += 1;
            if *i < *side {
                break;
            }
            *i = 0;
        }
    }
}
