//! The messages of an ONNX file that matter here, by the field numbers of `onnx.proto` (github.com/onnx/onnx).

use super::beside::Beside;
use super::wire::{Field, fields};
use crate::foreign::{Number, count};
use std::borrow::Cow;
use std::rc::Rc;

/// A whole file.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) producer: String,
    /// The version of ONNX's own operators.
    pub(super) opset: i64,
    /// Other sets of operators.
    pub(super) domains: Vec<String>,
    pub(super) graph: Graph,
    pub(super) metadata: Vec<(String, String)>,
}

/// A graph.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) name: String,
    pub(super) nodes: Vec<Node>,
    pub(super) initialisers: Vec<(String, Array)>,
    pub(super) inputs: Vec<ValueInfo>,
    pub(super) outputs: Vec<ValueInfo>,
}

/// A node.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) op: String,
    pub(super) domain: String,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    pub(super) attributes: Vec<Attribute>,
}

/// A node's attribute.
#[derive(Debug, Default)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) float: Option<f32>,
    pub(super) int: Option<i64>,
    pub(super) text: Option<String>,
    pub(super) tensor: Option<Array>,
    pub(super) floats: Vec<f32>,
    pub(super) ints: Vec<i64>,
}

/// A graph's input or output; sides that are not told are `None`.
#[derive(Debug, Default)]
pub(super) struct ValueInfo {
    pub(super) name: String,
    pub(super) sides: Option<Vec<Option<usize>>>,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) data: Data,
}

/// A constant's values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Floats(Rc<Vec<f32>>),
    Ints(Vec<i64>),
    /// Texts and the like, and whole numbers that are more than sides or indices.
    Other,
}

/// Sides and indices are a handful; longer lists are not kept.
pub(super) const MOST_INTS: usize = 4096;

impl Model {
    /// Reads a file, and what lies beside it.
    pub(super) fn read(bytes: &[u8], beside: &Beside<'_>) -> Result<Model, String> {
        let mut model = Model::default();
        let mut graph = None;
        for field in fields(bytes) {
            match field? {
                (2, f) => model.producer = f.text()?,
                (7, f) => graph = Some(Graph::read(f.bytes()?, beside)?),
                (8, f) => model.opset_import(f.bytes()?)?,
                (14, f) => model.metadata.push(entry(f.bytes()?)?),
                _ => {}
            }
        }
        model.graph = graph.ok_or("it has no graph")?;
        Ok(model)
    }

    fn opset_import(&mut self, bytes: &[u8]) -> Result<(), String> {
        let (mut domain, mut version) = (String::new(), 0);
        for field in fields(bytes) {
            match field? {
                (1, f) => domain = f.text()?,
                (2, f) => version = f.int()?,
                _ => {}
            }
        }
        if domain.is_empty() || domain == "ai.onnx" {
            self.opset = version;
        } else {
            self.domains.push(domain);
        }
        Ok(())
    }
}

fn entry(bytes: &[u8]) -> Result<(String, String), String> {
    let mut entry = (String::new(), String::new());
    for field in fields(bytes) {
        match field? {
            (1, f) => entry.0 = f.text()?,
            (2, f) => entry.1 = f.text()?,
            _ => {}
        }
    }
    Ok(entry)
}

impl Graph {
    fn read(bytes: &[u8], beside: &Beside<'_>) -> Result<Graph, String> {
        let mut graph = Graph::default();
        for field in fields(bytes) {
            match field? {
                (1, f) => graph.nodes.push(Node::read(f.bytes()?, beside)?),
                (2, f) => graph.name = f.text()?,
                (5, f) => graph.initialisers.push(tensor(f.bytes()?, beside)?),
                (11, f) => graph.inputs.push(ValueInfo::read(f.bytes()?)?),
                (12, f) => graph.outputs.push(ValueInfo::read(f.bytes()?)?),
                (15, _) => return Err("its sparse initialisers cannot be read".into()),
                _ => {}
            }
        }
        Ok(graph)
    }
}

impl Node {
    fn read(bytes: &[u8], beside: &Beside<'_>) -> Result<Node, String> {
        let mut node = Node::default();
        for field in fields(bytes) {
            match field? {
                (1, f) => node.inputs.push(f.text()?),
                (2, f) => node.outputs.push(f.text()?),
                (3, f) => node.name = f.text()?,
                (4, f) => node.op = f.text()?,
                (5, f) => node.attributes.push(Attribute::read(f.bytes()?, beside)?),
                (7, f) => node.domain = f.text()?,
                _ => {}
            }
        }
        Ok(node)
    }
}

impl Attribute {
    fn read(bytes: &[u8], beside: &Beside<'_>) -> Result<Attribute, String> {
        let mut a = Attribute::default();
        for field in fields(bytes) {
            match field? {
                (1, f) => a.name = f.text()?,
                (2, f) => a.float = Some(f.float()?),
                (3, f) => a.int = Some(f.int()?),
                (4, f) => a.text = Some(String::from_utf8_lossy(f.bytes()?).into_owned()),
                (5, f) => a.tensor = Some(tensor(f.bytes()?, beside)?.1),
                (7, f) => f.floats(&mut a.floats)?,
                (8, f) => f.ints(&mut a.ints)?,
                _ => {}
            }
        }
        Ok(a)
    }
}

impl ValueInfo {
    fn read(bytes: &[u8]) -> Result<ValueInfo, String> {
        let mut value = ValueInfo::default();
        for field in fields(bytes) {
            match field? {
                (1, f) => value.name = f.text()?,
                // Type, of a tensor, its shape.
                (2, f) => {
                    for tensor in messages(f.bytes()?, 1)? {
                        for shape in messages(tensor, 2)? {
                            value.sides = Some(messages(shape, 1)?.into_iter().map(side).collect::<Result<_, _>>()?);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(value)
    }
}

/// All messages in the field of this number.
fn messages(bytes: &[u8], number: u64) -> Result<Vec<&[u8]>, String> {
    let mut all = Vec::new();
    for field in fields(bytes) {
        if let (n, Field::Bytes(bytes)) = field?
            && n == number
        {
            all.push(bytes);
        }
    }
    Ok(all)
}

/// A side, if it is a positive number.
fn side(bytes: &[u8]) -> Result<Option<usize>, String> {
    for field in fields(bytes) {
        if let (1, f) = field? {
            return Ok(usize::try_from(f.int()?).ok().filter(|n| *n > 0));
        }
    }
    Ok(None)
}

/// A tensor with its name.
fn tensor(bytes: &[u8], beside: &Beside<'_>) -> Result<(String, Array), String> {
    let (mut dims, mut kind, mut name) = (Vec::new(), 0, String::new());
    let (mut floats, mut ints, mut raw) = (Vec::new(), Vec::new(), None);
    let (mut external, mut place) = (false, Vec::new());
    for field in fields(bytes) {
        match field? {
            (1, f) => f.ints(&mut dims)?,
            (2, f) => kind = f.int()?,
            (4, f) => f.floats(&mut floats)?,
            (5 | 7 | 11, f) => f.ints(&mut ints)?,
            (8, f) => name = f.text()?,
            (9, f) => raw = Some(Cow::Borrowed(f.bytes()?)),
            (10, f) => f.doubles(&mut floats)?,
            (13, f) => place.push(entry(f.bytes()?)?),
            (14, f) => external = f.int()? == 1,
            _ => {}
        }
    }
    let told = |why: String| format!("its tensor `{name}` {why}");
    if external {
        raw = Some(Cow::Owned(beside.values(&place).map_err(told)?));
    }
    let shape = dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<Vec<_>>>();
    let shape = shape.ok_or_else(|| told(format!("has sides {dims:?}")))?;
    let Some(number) = number(kind) else { return Ok((name, Array { shape, data: Data::Other })) };
    let values = count(&shape).map_err(told)?;
    let data = if number.is_float() {
        let read = match raw {
            Some(raw) => number.values(&raw),
            // 16-bit floats stand as whole numbers.
            None if !ints.is_empty() => {
                let bytes: Vec<u8> = ints.iter().flat_map(|n| (*n as u16).to_le_bytes()).collect();
                number.values(&bytes)
            }
            None => floats,
        };
        (read.len() == values).then(|| Data::Floats(Rc::new(read)))
    } else {
        let read = match raw {
            Some(raw) => whole(number, &raw),
            None => ints,
        };
        let fits = read.len() == values;
        let data = if read.len() > MOST_INTS { Data::Other } else { Data::Ints(read) };
        fits.then_some(data)
    };
    let data = data.ok_or_else(|| told(format!("has not the {values} values of its shape {shape:?}")))?;
    Ok((name, Array { shape, data }))
}

/// Whole numbers from bytes.
fn whole(number: Number, raw: &[u8]) -> Vec<i64> {
    let signed = matches!(number, Number::I8 | Number::I16 | Number::I32 | Number::I64);
    let one = |bytes: &[u8]| {
        let fill = if signed && bytes.last().is_some_and(|b| b & 128 != 0) { -1 } else { 0 };
        bytes.iter().rev().fold(fill, |n: i64, &b| n << 8 | i64::from(b))
    };
    raw.chunks_exact(number.size()).map(one).collect()
}

/// `TensorProto.DataType`.
fn number(kind: i64) -> Option<Number> {
    Some(match kind {
        1 => Number::F32,
        2 => Number::U8,
        3 => Number::I8,
        4 => Number::U16,
        5 => Number::I16,
        6 => Number::I32,
        7 => Number::I64,
        9 => Number::Bool,
        10 => Number::F16,
        11 => Number::F64,
        12 => Number::U32,
        13 => Number::U64,
        16 => Number::Bf16,
        _ => return None,
    })
}

impl Node {
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name == name)
    }

    pub(super) fn int(&self, name: &str, otherwise: i64) -> i64 {
        self.attribute(name).and_then(|a| a.int).unwrap_or(otherwise)
    }

    pub(super) fn float(&self, name: &str, otherwise: f32) -> f32 {
        self.attribute(name).and_then(|a| a.float).unwrap_or(otherwise)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.attribute(name).and_then(|a| a.text.as_deref())
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| &a.ints[..]).filter(|ints| !ints.is_empty())
    }
}
