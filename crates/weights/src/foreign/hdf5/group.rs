//! A group's members: in a symbol table (a tree of tables, and names in a heap), or as links in the group's header.

use super::super::cursor::Cursor;
use super::header::{Header, Kind};
use super::{Hdf5, UNDEFINED};

/// The members' names and addresses.
pub(super) fn members(file: &Hdf5<'_>, header: &Header<'_>) -> Result<Vec<(String, u64)>, String> {
    let mut found = Vec::new();
    if let Some(table) = header.message(Kind::SymbolTable) {
        let mut c = Cursor::new(table);
        let (tree, heap) = (c.u64()?, c.u64()?);
        let names = names(file, heap)?;
        let mut nodes = vec![tree];
        while let Some(node) = nodes.pop() {
            let (level, used, mut c) = file.tree_node(node, 0)?;
            let mut children = Vec::with_capacity(used.into());
            for _ in 0..used {
                c.skip(8)?;
                children.push(c.u64()?);
            }
            if level > 0 {
                nodes.extend(children.into_iter().rev());
                continue;
            }
            for child in children {
                symbols(file, child, names, &mut found)?;
            }
        }
    }
    for link in header.messages(Kind::Link) {
        found.extend(self::link(link)?);
    }
    if let Some(info) = header.message(Kind::LinkInfo) {
        let mut c = Cursor::new(info);
        let (_version, flags) = (c.u8()?, c.u8()?);
        if flags & 1 != 0 {
            c.skip(8)?;
        }
        if c.u64()? != UNDEFINED {
            return Err("a group keeps its links in a fractal heap, which cannot be read: write the file without `libver=\"latest\"` and `track_order`".into());
        }
    }
    Ok(found)
}

/// The bytes of a local heap's names.
fn names<'a>(file: &Hdf5<'a>, heap: u64) -> Result<&'a [u8], String> {
    let mut c = file.cursor(heap)?;
    c.expect(b"HEAP")?;
    c.skip(4)?;
    let len = usize::try_from(c.u64()?).map_err(|e| e.to_string())?;
    c.skip(8)?;
    file.cursor(c.u64()?)?.take(len)
}

/// Adds what one table names.
fn symbols(file: &Hdf5<'_>, at: u64, names: &[u8], found: &mut Vec<(String, u64)>) -> Result<(), String> {
    let mut c = file.cursor(at)?;
    c.expect(b"SNOD")?;
    c.skip(2)?;
    for _ in 0..c.u16()? {
        file.step()?;
        let (name, address) = (c.u64()?, c.u64()?);
        c.skip(24)?;
        let rest = usize::try_from(name).ok().and_then(|at| names.get(at..)).ok_or("a name lies beyond its heap")?;
        let len = rest.iter().position(|&b| b == 0).ok_or("a name in a heap has no end")?;
        found.push((String::from_utf8_lossy(&rest[..len.min(LONGEST)]).into_owned(), address));
    }
    Ok(())
}

/// The longest name: a heap may be pointed to by many.
const LONGEST: usize = 1024;

/// A link's name and address; `None` for those to elsewhere.
fn link(message: &[u8]) -> Result<Option<(String, u64)>, String> {
    let mut c = Cursor::new(message);
    let (version, flags) = (c.u8()?, c.u8()?);
    if version != 1 {
        return Err(format!("a link has version {version}; 1 can be read"));
    }
    let kind = if flags & 8 != 0 { c.u8()? } else { 0 };
    if flags & 4 != 0 {
        c.skip(8)?;
    }
    if flags & 16 != 0 {
        c.skip(1)?;
    }
    let len = usize::try_from(c.uint(1 << (flags & 3))?).map_err(|e| e.to_string())?;
    let name = String::from_utf8_lossy(c.take(len)?).into_owned();
    Ok(if kind == 0 { Some((name, c.u64()?)) } else { None })
}
