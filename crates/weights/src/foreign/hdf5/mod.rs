//! HDF5 files (The HDF Group, "HDF5 File Format Specification" 3.0), as far as Keras and h5py write them: superblocks of
//! versions 0 to 3, object headers of versions 1 and 2, groups by symbol tables and by links in their headers, attributes,
//! and data sets that are compact, contiguous or in chunks, shuffled and deflated. What is newer is refused by name.

mod attribute;
mod chunks;
mod data_set;
mod datatype;
mod group;
mod header;

use super::Values;
use super::cursor::Cursor;
use datatype::Datatype;
use header::{Header, Kind};
use std::cell::Cell;

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// What filters and missing chunks may make of a byte of the file, about as much as deflate can.
const MOST_PACKED: usize = 1100;

/// An address that stands for nothing.
const UNDEFINED: u64 = u64::MAX;

/// Where a file of HDF5 begins in these bytes: at the start, or at 512 bytes or a doubling of that.
fn start(bytes: &[u8]) -> Option<usize> {
    let mut places = std::iter::once(0).chain((9..=14).map(|n| 1 << n));
    places.find(|&at| bytes.get(at..).is_some_and(|b| b.starts_with(SIGNATURE)))
}

/// Whether these bytes are a file of HDF5.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    start(bytes).is_some()
}

/// A file.
pub(super) struct Hdf5<'a> {
    bytes: &'a [u8],
    root: u64,
    /// Objects, nodes and messages that may still be looked at: many more than the file has room for are a circle.
    room: Cell<usize>,
    /// Bytes of values that may still be made: what deflate can make of the file, once.
    unpacked: Cell<usize>,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Attribute {
    /// Texts; one for a scalar.
    Texts(Vec<String>),
    /// Something else.
    Other,
}

/// An object of a file: a group, or a data set.
pub(super) struct Object<'f, 'a> {
    file: &'f Hdf5<'a>,
    header: Header<'a>,
}

impl<'a> Hdf5<'a> {
    /// Reads the superblock.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Hdf5<'a>, String> {
        let start = start(bytes).ok_or("it has no signature")?;
        // Addresses count from the base address, which is where the signature stands.
        let bytes = &bytes[start..];
        let mut c = Cursor::new(bytes);
        c.expect(SIGNATURE)?;
        let version = c.u8()?;
        let root = match version {
            0 | 1 => {
                c.skip(4)?;
                sizes(c.u8()?, c.u8()?)?;
                c.skip(1 + 4 + 4)?;
                if version == 1 {
                    c.skip(4)?;
                }
                // Base, free space, end, driver; then the root group's entry, its name's offset first.
                c.skip(4 * 8 + 8)?;
                c.u64()?
            }
            2 | 3 => {
                sizes(c.u8()?, c.u8()?)?;
                // Flags; base, extension, end.
                c.skip(1 + 3 * 8)?;
                c.u64()?
            }
            other => return Err(format!("its superblock has version {other}; 0 to 3 can be read")),
        };
        let (room, unpacked) = (4 * bytes.len() + 4096, bytes.len().saturating_mul(MOST_PACKED));
        Ok(Hdf5 { bytes, root, room: Cell::new(room), unpacked: Cell::new(unpacked) })
    }

    /// The root group.
    pub(super) fn root(&self) -> Result<Object<'_, 'a>, String> {
        self.object(self.root)
    }

    fn object(&self, address: u64) -> Result<Object<'_, 'a>, String> {
        Ok(Object { file: self, header: Header::read(self, address)? })
    }

    fn cursor(&self, address: u64) -> Result<Cursor<'a>, String> {
        Cursor::at(self.bytes, address)
    }

    /// A node of a tree whose entries are of this kind, 0 those of groups and 1 chunks: how far it stands above the leaves, how
    /// many entries it has, and where the first one is.
    fn tree_node(&self, address: u64, kind: u8) -> Result<(u8, u16, Cursor<'a>), String> {
        self.step()?;
        let mut c = self.cursor(address)?;
        c.expect(b"TREE")?;
        let (found, level, used) = (c.u8()?, c.u8()?, c.u16()?);
        if found != kind {
            return Err(format!(
                "a tree's entries are of kind {found}, where {kind} is expected (0: groups, 1: chunks)"
            ));
        }
        // Its neighbours.
        c.skip(16)?;
        Ok((level, used, c))
    }

    /// Counts bytes that are made of the file's.
    fn unpack(&self, bytes: usize) -> Result<(), String> {
        let left = self.unpacked.get().checked_sub(bytes);
        let held = self.bytes.len();
        self.unpacked
            .set(left.ok_or_else(|| format!("it would have more values than a file of {held} bytes can hold"))?);
        Ok(())
    }

    /// Counts a step.
    fn step(&self) -> Result<(), String> {
        let left = self.room.get().checked_sub(1).ok_or("its objects lead in a circle")?;
        self.room.set(left);
        Ok(())
    }
}

/// Offsets and lengths have 8 bytes in every file that is found.
fn sizes(offsets: u8, lengths: u8) -> Result<(), String> {
    match (offsets, lengths) {
        (8, 8) => Ok(()),
        _ => Err(format!("its offsets have {offsets} bytes and its lengths {lengths}; 8 can be read")),
    }
}

impl<'f, 'a> Object<'f, 'a> {
    /// A group's members with their names; none for a data set.
    pub(super) fn members(&self) -> Result<Vec<(String, u64)>, String> {
        group::members(self.file, &self.header)
    }

    /// A member's object.
    pub(super) fn open(&self, address: u64) -> Result<Object<'f, 'a>, String> {
        self.file.object(address)
    }

    /// The object of this path, `a/b/c`.
    pub(super) fn find(&self, path: &str) -> Result<Option<Object<'f, 'a>>, String> {
        let mut at = self.file.object(self.header.address)?;
        for name in path.split('/').filter(|n| !n.is_empty()) {
            let members = at.members()?;
            let Some((_, address)) = members.iter().find(|(n, _)| n == name) else { return Ok(None) };
            at = self.file.object(*address)?;
        }
        Ok(Some(at))
    }

    /// The attribute of this name.
    pub(super) fn attribute(&self, name: &str) -> Result<Option<Attribute>, String> {
        for message in self.header.messages(Kind::Attribute) {
            if let Some(value) = attribute::read(self.file, message, name)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The texts of an attribute.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        Ok(self.attribute(name)?.and_then(|a| match a {
            Attribute::Texts(texts) => Some(texts),
            Attribute::Other => None,
        }))
    }

    /// Whether it is a data set.
    pub(super) fn is_data_set(&self) -> bool {
        self.header.messages(Kind::Layout).next().is_some()
    }

    /// A data set's shape and values; `None` where they are no floats.
    pub(super) fn values(&self) -> Result<Option<Values>, String> {
        data_set::read(self.file, &self.header)
    }
}

/// The sides of a dataspace message. A null space has no values: one side of 0.
fn dataspace(message: &[u8]) -> Result<Vec<usize>, String> {
    let mut c = Cursor::new(message);
    let version = c.u8()?;
    let (rank, _flags) = (c.u8()?, c.u8()?);
    match version {
        1 => c.skip(5)?,
        2 => {
            if c.u8()? == 2 {
                return Ok(vec![0]);
            }
        }
        other => return Err(format!("a dataspace has version {other}; 1 and 2 can be read")),
    }
    (0..rank).map(|_| usize::try_from(c.u64()?).map_err(|e| e.to_string())).collect()
}
