//! Object headers: lists of messages that say what an object is, in blocks that continue each other.

use super::super::cursor::Cursor;
use super::Hdf5;

/// What a message is about; its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dataspace = 0x01,
    LinkInfo = 0x02,
    Datatype = 0x03,
    Link = 0x06,
    Layout = 0x08,
    Filters = 0x0b,
    Attribute = 0x0c,
    SymbolTable = 0x11,
}

const CONTINUATION: u16 = 0x10;

/// An object's messages.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub(super) address: u64,
    messages: Vec<(u16, &'a [u8])>,
}

impl<'a> Header<'a> {
    /// Reads the header at an address.
    pub(super) fn read(file: &Hdf5<'a>, address: u64) -> Result<Header<'a>, String> {
        file.step()?;
        let mut c = file.cursor(address)?;
        let mut header = Header { address, messages: Vec::new() };
        // Blocks that are still to be read: address, length.
        let mut blocks: Vec<(u64, u64)> = Vec::new();
        let first = c.u8()?;
        if first == 1 {
            c.skip(1)?;
            // Their number includes the empty ones; the blocks' lengths end them as well.
            c.skip(2 + 4)?;
            let size = c.u32()?;
            c.skip(4)?;
            blocks.push((c.position() as u64, u64::from(size)));
            while let Some((at, len)) = blocks.pop() {
                header.block(file, at, len, 1, false, &mut blocks)?;
            }
            return Ok(header);
        }
        let mut c = file.cursor(address)?;
        c.expect(b"OHDR").map_err(|_| format!("there is no object at byte {address}"))?;
        let (version, flags) = (c.u8()?, c.u8()?);
        if version != 2 {
            return Err(format!("an object's header has version {version}; 1 and 2 can be read"));
        }
        if flags & 0x20 != 0 {
            c.skip(16)?;
        }
        if flags & 0x10 != 0 {
            c.skip(4)?;
        }
        let size = c.uint(1 << (flags & 3))?;
        let ordered = flags & 4 != 0;
        header.block(file, c.position() as u64, size, 2, ordered, &mut blocks)?;
        while let Some((at, len)) = blocks.pop() {
            file.cursor(at)?.expect(b"OCHK")?;
            // Its signature before, its checksum behind.
            let len = len.checked_sub(8).ok_or("a block of an object's header is too short")?;
            header.block(file, at + 4, len, 2, ordered, &mut blocks)?;
        }
        Ok(header)
    }

    /// Adds the messages of one block.
    fn block(
        &mut self,
        file: &Hdf5<'a>,
        at: u64,
        len: u64,
        version: u8,
        ordered: bool,
        blocks: &mut Vec<(u64, u64)>,
    ) -> Result<(), String> {
        let len = usize::try_from(len).map_err(|e| e.to_string())?;
        let mut c = Cursor::new(file.cursor(at)?.take(len)?);
        let prefix = match (version, ordered) {
            (1, _) => 8,
            (_, true) => 6,
            _ => 4,
        };
        // What is left behind the last message is a gap.
        while c.left() >= prefix {
            file.step()?;
            let (kind, size, flags);
            if version == 1 {
                (kind, size, flags) = (c.u16()?, c.u16()?, c.u8()?);
                c.skip(3)?;
            } else {
                (kind, size, flags) = (u16::from(c.u8()?), c.u16()?, c.u8()?);
                c.skip(if ordered { 2 } else { 0 })?;
            }
            let data = c.take(size.into())?;
            if kind == CONTINUATION {
                let mut c = Cursor::new(data);
                blocks.push((c.u64()?, c.u64()?));
            } else if flags & 2 == 0 {
                self.messages.push((kind, data));
            } else if [Kind::Datatype as u16, Kind::Dataspace as u16].contains(&kind) {
                return Err("an object shares its type with others, which cannot be read".into());
            }
        }
        Ok(())
    }

    /// The messages of a kind.
    pub(super) fn messages(&self, kind: Kind) -> impl Iterator<Item = &'a [u8]> {
        self.messages.iter().filter(move |(k, _)| *k == kind as u16).map(|(_, data)| *data)
    }

    /// The only message of a kind.
    pub(super) fn message(&self, kind: Kind) -> Option<&'a [u8]> {
        self.messages(kind).next()
    }
}
