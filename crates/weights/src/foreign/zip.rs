//! Reading zip archives (PKWARE's APPNOTE 6.3): stored and deflated entries, zip64. Nothing is unpacked beyond the size that
//! the directory declares, and nothing that deflate could not have packed.

use super::cursor::Cursor;
use flate2::read::DeflateDecoder;
use std::borrow::Cow;
use std::io::Read;

/// An archive's bytes and directory.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    pub(crate) entries: Vec<Entry>,
}

/// One file of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    method: u16,
    packed: u64,
    size: u64,
    offset: u64,
}

/// The most that deflate makes of a byte.
const MOST_DEFLATED: u64 = 1032;

impl<'a> Archive<'a> {
    /// Reads the directory.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Archive<'a>, String> {
        const END: &[u8] = b"PK\x05\x06";
        let from = bytes.len().saturating_sub(65_557);
        let end = bytes[from..].windows(4).rposition(|w| w == END).ok_or("is a zip archive without its end")? + from;
        let mut c = Cursor::at(bytes, end as u64)?;
        c.skip(10)?;
        let mut count = u64::from(c.u16()?);
        c.skip(4)?;
        let mut start = u64::from(c.u32()?);
        if let Some(locator) = end.checked_sub(20)
            && bytes[locator..].starts_with(b"PK\x06\x07")
        {
            let record = Cursor::at(bytes, locator as u64 + 8)?.u64()?;
            let mut c = Cursor::at(bytes, record)?;
            c.expect(b"PK\x06\x06")?;
            c.skip(28)?;
            count = c.u64()?;
            c.skip(8)?;
            start = c.u64()?;
        }
        let mut c = Cursor::at(bytes, start)?;
        let mut entries = Vec::new();
        // Each entry takes 46 bytes at least, so that a lie about their number ends the loop.
        for _ in 0..count {
            entries.push(entry(&mut c)?);
        }
        // So that reading them all is bounded by the file.
        let packed = entries.iter().try_fold(0u64, |sum, e| sum.checked_add(e.packed));
        if packed.is_none_or(|sum| sum > bytes.len() as u64) {
            return Err("its entries lie on top of each other, or beyond its end".into());
        }
        Ok(Archive { bytes, entries })
    }

    /// The entry whose name ends so, behind a folder or alone.
    pub(crate) fn find(&self, ending: &str) -> Option<&Entry> {
        let named = |e: &&Entry| e.name.strip_suffix(ending).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
        self.entries.iter().find(named)
    }

    /// What an entry holds.
    pub(crate) fn read(&self, entry: &Entry) -> Result<Cow<'a, [u8]>, String> {
        let told = |why: String| format!("its entry `{}` cannot be read: {why}", entry.name);
        self.unpack(entry).map_err(told)
    }

    fn unpack(&self, entry: &Entry) -> Result<Cow<'a, [u8]>, String> {
        let mut c = Cursor::at(self.bytes, entry.offset)?;
        c.expect(b"PK\x03\x04")?;
        c.skip(22)?;
        let (name, extra) = (c.u16()?, c.u16()?);
        c.skip(usize::from(name) + usize::from(extra))?;
        let packed = c.take(usize::try_from(entry.packed).map_err(|e| e.to_string())?)?;
        match entry.method {
            0 if entry.packed == entry.size => Ok(Cow::Borrowed(packed)),
            8 if entry.size <= entry.packed.saturating_mul(MOST_DEFLATED) => {
                let mut unpacked = Vec::new();
                DeflateDecoder::new(packed).take(entry.size).read_to_end(&mut unpacked).map_err(|e| e.to_string())?;
                if unpacked.len() as u64 != entry.size {
                    return Err(format!("it has {} of {} bytes", unpacked.len(), entry.size));
                }
                Ok(Cow::Owned(unpacked))
            }
            0 | 8 => Err(format!("{} bytes cannot hold its {}", entry.packed, entry.size)),
            other => Err(format!("it is packed by method {other}; stored and deflated entries can be read")),
        }
    }
}

/// The directory's next entry.
fn entry(c: &mut Cursor<'_>) -> Result<Entry, String> {
    c.expect(b"PK\x01\x02")?;
    c.skip(4)?;
    let flags = c.u16()?;
    let method = c.u16()?;
    c.skip(8)?;
    let (mut packed, mut size) = (u64::from(c.u32()?), u64::from(c.u32()?));
    let (name, extra, comment) = (c.u16()?, c.u16()?, c.u16()?);
    c.skip(8)?;
    let mut offset = u64::from(c.u32()?);
    let name = String::from_utf8_lossy(c.take(name.into())?).into_owned();
    if flags & 1 != 0 {
        return Err(format!("its entry `{name}` is encrypted"));
    }
    let mut extra = Cursor::new(c.take(extra.into())?);
    while extra.left() >= 4 {
        let (id, len) = (extra.u16()?, extra.u16()?);
        let mut field = Cursor::new(extra.take(len.into())?);
        if id == 1 {
            // Zip64: what did not fit into 32 bits, in this order.
            for value in [&mut size, &mut packed, &mut offset] {
                if *value == u64::from(u32::MAX) {
                    *value = field.u64()?;
                }
            }
        }
    }
    c.skip(comment.into())?;
    Ok(Entry { name, method, packed, size, offset })
}
