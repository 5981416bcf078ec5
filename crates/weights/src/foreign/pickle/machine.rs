//! The pickle machine (Python's `pickletools` describes the opcodes): a stack, marks on it, and a memo of kept values. It makes
//! at most one value an opcode, so that memory is bounded by the file's size.

use super::super::cursor::Cursor;
use super::{Global, Id, Pickle, Value};
use std::collections::HashMap;

struct Machine {
    values: Vec<Value>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Entries that dictionaries may still be given as lists, so that one list given often stays within the file's size.
    room: usize,
}

/// Reads the pickle at the beginning of `bytes`.
///
/// # Errors
/// If it is broken, or asks for what weights have no need of.
pub(crate) fn load(bytes: &[u8]) -> Result<Pickle, String> {
    let (values, stack, marks, memo) = (Vec::new(), Vec::new(), Vec::new(), HashMap::new());
    let mut machine = Machine { values, stack, marks, memo, room: bytes.len() };
    let mut c = Cursor::new(bytes);
    while machine.step(&mut c)? {}
    let root = machine.pop()?;
    Ok(Pickle { values: machine.values, root, len: c.position() })
}

impl Machine {
    /// One opcode; false behind the last.
    #[allow(clippy::too_many_lines, clippy::match_same_arms)] // An arm an opcode, as their table has them.
    fn step(&mut self, c: &mut Cursor<'_>) -> Result<bool, String> {
        let op = c.u8()?;
        match op {
            0x80 => match c.u8()? {
                2..=5 => {}
                other => return Err(format!("is a pickle of protocol {other}; 2 to 5 can be read")),
            },
            0x95 => c.skip(8)?,
            b'.' => return Ok(false),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Opaque),
            b'K' => self.int(c.u8()?.into()),
            b'M' => self.int(c.u16()?.into()),
            b'J' => self.int(i64::from(c.u32()? as i32)),
            0x8a => self.long(usize::from(c.u8()?), c)?,
            0x8b => self.long(c.u32()? as usize, c)?,
            b'G' => {
                c.skip(8)?;
                self.push(Value::Opaque);
            }
            b'X' => self.text(u64::from(c.u32()?), c)?,
            0x8c | b'U' => self.text(u64::from(c.u8()?), c)?,
            0x8d => self.text(c.u64()?, c)?,
            b'T' => self.text(u64::from(c.u32()?), c)?,
            b'C' => self.bytes(u64::from(c.u8()?), c)?,
            b'B' => self.bytes(u64::from(c.u32()?), c)?,
            0x8e | 0x96 => self.bytes(c.u64()?, c)?,
            b')' => self.push(Value::Tuple(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            0x8f => self.push(Value::Opaque),
            0x85..=0x87 => self.tuple(usize::from(op - 0x84))?,
            b't' => {
                let members = self.pop_mark()?;
                self.push(Value::Tuple(members));
            }
            b'l' => {
                let members = self.pop_mark()?;
                self.push(Value::List(members));
            }
            b'd' => {
                let members = self.pop_mark()?;
                self.push(Value::Dict(pairs(&members)?));
            }
            b'a' => {
                let member = self.pop()?;
                self.append(&[member])?;
            }
            b'e' => {
                let members = self.pop_mark()?;
                self.append(&members)?;
            }
            0x90 => drop(self.pop_mark()?),
            0x91 => {
                self.pop_mark()?;
                self.push(Value::Opaque);
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[(key, value)])?;
            }
            b'u' => {
                let members = self.pop_mark()?;
                self.set(&pairs(&members)?)?;
            }
            b'q' => self.keep(c.u8()?.into())?,
            b'r' => self.keep(c.u32()?.into())?,
            0x94 => self.keep(self.memo.len() as u64)?,
            b'h' => self.recall(c.u8()?.into())?,
            b'j' => self.recall(c.u32()?.into())?,
            b'c' => {
                let (module, name) = (c.line()?, c.line()?);
                let global = Global::find(&String::from_utf8_lossy(module), &String::from_utf8_lossy(name))?;
                self.push(Value::Global(global));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (&self.values[module.0], &self.values[name.0]) else {
                    return Err("asks for a name that is no text".into());
                };
                let global = Global::find(module, name)?;
                self.push(Value::Global(global));
            }
            b'Q' => {
                let what = self.pop()?;
                self.push(Value::Persistent(what));
            }
            b'R' | 0x81 => {
                let (arguments, what) = (self.pop()?, self.pop()?);
                self.call(what, arguments)?;
            }
            0x92 => {
                let (_, arguments, what) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(what, arguments)?;
            }
            // State of what was built: attributes of dictionaries and of what is no weight.
            b'b' => drop(self.pop()?),
            other => return Err(format!("has opcode {other:#04x}, which pickles of weights do not use")),
        }
        Ok(true)
    }

    fn push(&mut self, value: Value) {
        self.stack.push(Id(self.values.len()));
        self.values.push(value);
    }

    fn int(&mut self, n: i64) {
        self.push(Value::Int(n));
    }

    /// A whole number of so many bytes; those beyond 64 bits are no sizes.
    fn long(&mut self, len: usize, c: &mut Cursor<'_>) -> Result<(), String> {
        let bytes = c.take(len)?;
        if len > 8 {
            self.push(Value::Opaque);
            return Ok(());
        }
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let start = if negative { -1 } else { 0 };
        self.int(bytes.iter().rev().fold(start, |n: i64, &b| n << 8 | i64::from(b)));
        Ok(())
    }

    fn text(&mut self, len: u64, c: &mut Cursor<'_>) -> Result<(), String> {
        let bytes = c.take(usize::try_from(len).map_err(|e| e.to_string())?)?;
        self.push(Value::Text(String::from_utf8_lossy(bytes).into_owned()));
        Ok(())
    }

    fn bytes(&mut self, len: u64, c: &mut Cursor<'_>) -> Result<(), String> {
        c.skip(usize::try_from(len).map_err(|e| e.to_string())?)?;
        self.push(Value::Opaque);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, String> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    /// The last value behind the last mark.
    fn top(&self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.last().filter(|_| self.stack.len() > floor).copied();
        top.ok_or_else(|| "is a broken pickle: it takes a value where none is".into())
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("is a broken pickle: it goes back to a mark that is not there")?;
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, len: usize) -> Result<(), String> {
        let mut members = Vec::with_capacity(len);
        for _ in 0..len {
            members.push(self.pop()?);
        }
        members.reverse();
        self.push(Value::Tuple(members));
        Ok(())
    }

    fn append(&mut self, new: &[Id]) -> Result<(), String> {
        let list = self.top()?;
        if let Value::List(members) = &mut self.values[list.0] {
            members.extend(new);
        }
        Ok(())
    }

    fn set(&mut self, new: &[(Id, Id)]) -> Result<(), String> {
        let dict = self.top()?;
        if let Value::Dict(entries) = &mut self.values[dict.0] {
            entries.extend(new);
        }
        Ok(())
    }

    fn keep(&mut self, at: u64) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(at, top);
        Ok(())
    }

    fn recall(&mut self, at: u64) -> Result<(), String> {
        let kept = self.memo.get(&at).copied();
        let kept = kept.ok_or_else(|| format!("is a broken pickle: it recalls value {at}, which it never kept"))?;
        self.stack.push(kept);
        Ok(())
    }

    /// A call, which is only noted.
    fn call(&mut self, what: Id, arguments: Id) -> Result<(), String> {
        let Value::Global(global) = self.values[what.0] else {
            return Err("is a broken pickle: it calls what is no function".into());
        };
        let first = match &self.values[arguments.0] {
            Value::Tuple(members) => members.first().copied(),
            _ => return Err("is a broken pickle: it calls a function without arguments".into()),
        };
        let value = match (global, first) {
            (Global::Dict, None) => Value::Dict(Vec::new()),
            (Global::Dict, Some(list)) => Value::Dict(self.listed(list)?),
            (Global::Parameter, Some(tensor)) => {
                self.stack.push(tensor);
                return Ok(());
            }
            (Global::Size, Some(tuple)) => {
                self.stack.push(tuple);
                return Ok(());
            }
            (Global::Tensor | Global::TypedTensor, _) => Value::Call(global, arguments),
            _ => Value::Opaque,
        };
        self.push(value);
        Ok(())
    }

    /// The entries of a dictionary given as a list of pairs.
    fn listed(&mut self, list: Id) -> Result<Vec<(Id, Id)>, String> {
        let members = match &self.values[list.0] {
            Value::List(members) | Value::Tuple(members) => &members[..],
            _ => &[],
        };
        let room = self.room.checked_sub(members.len());
        self.room = room.ok_or("is a pickle that gives one list to too many dictionaries")?;
        let pair = |m: &Id| match &self.values[m.0] {
            Value::Tuple(pair) | Value::List(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
            _ => None,
        };
        Ok(members.iter().filter_map(pair).collect())
    }
}

/// Keys and values that follow each other.
fn pairs(members: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = members.as_chunks::<2>();
    if rest.is_empty() {
        return Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect());
    }
    Err("is a broken pickle: a key has no value".into())
}
