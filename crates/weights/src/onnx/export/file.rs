//! The file around a graph's nodes: initialisers, input, output, versions and metadata. Values are written from where they
//! lie, so that writing takes no memory of the model's size.

use super::{Exporter, OUTPUT, OnnxOptions};
use crate::onnx::wire::Message;
use crate::{WeightsError, write_atomic};
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;
use striate_graph::Shape;

/// ONNX's IR version of opset 17's time.
const IR: i64 = 8;
const OPSET: i64 = 17;

/// A constant of the graph.
pub(super) struct Initialiser<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Values<'a>,
}

pub(super) enum Values<'a> {
    Floats(Cow<'a, [f32]>),
    Ints(Vec<i64>),
}

impl Initialiser<'_> {
    /// The message up to its values, and their bytes.
    fn head(&self) -> (Message, u64) {
        let (kind, bytes) = match &self.values {
            Values::Floats(values) => (1, 4 * values.len() as u64),
            Values::Ints(values) => (7, 8 * values.len() as u64),
        };
        let message = Message::default().ints(1, self.shape.iter().map(|&s| s as i64)).int(2, kind);
        (message.bytes(8, &self.name).begin(9, bytes), bytes)
    }

    fn put(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.values {
            Values::Floats(values) => crate::model_writer::write_floats(out, values),
            Values::Ints(values) => values.iter().try_for_each(|v| out.write_all(&v.to_le_bytes())),
        }
    }
}

/// Writes the file.
pub(super) fn write(path: &Path, exporter: &Exporter<'_>, options: &OnnxOptions) -> Result<(), WeightsError> {
    write_atomic(path, |out| put(out, exporter, options))
}

/// Writes the file's bytes.
pub(super) fn put(out: &mut dyn Write, exporter: &Exporter<'_>, options: &OnnxOptions) -> io::Result<()> {
    let graph = exporter.graph;
    let mut nodes = Message::default();
    for node in &exporter.nodes {
        nodes = nodes.bytes(1, node);
    }
    let nodes = nodes.bytes(2, graph.name());
    let heads: Vec<(Message, u64)> = exporter
        .initialisers
        .iter()
        .map(|i| {
            let (head, bytes) = i.head();
            let mut framed = Message::default().begin(5, head.0.len() as u64 + bytes);
            framed.0.extend(&head.0);
            (framed, bytes)
        })
        .collect();
    let tail = Message::default()
        .bytes(11, value_info(&graph.input().name, graph.input().shape))
        .bytes(12, value_info(OUTPUT, graph.output().shape));
    let held: u64 = heads.iter().map(|(head, bytes)| head.0.len() as u64 + bytes).sum();
    let size = nodes.0.len() as u64 + held + tail.0.len() as u64;
    let start = Message::default()
        .int(1, IR)
        .bytes(2, "striate")
        .bytes(3, env!("CARGO_PKG_VERSION"))
        .bytes(8, Message::default().bytes(1, "").int(2, OPSET))
        .begin(7, size);
    out.write_all(&start.0)?;
    out.write_all(&nodes.0)?;
    for ((head, _), initialiser) in heads.iter().zip(&exporter.initialisers) {
        out.write_all(&head.0)?;
        initialiser.put(out)?;
    }
    out.write_all(&tail.0)?;
    let entry =
        |m: Message, (key, value): &(String, String)| m.bytes(14, Message::default().bytes(1, key).bytes(2, value));
    out.write_all(&options.metadata.iter().fold(Message::default(), entry).0)
}

/// The name, type and sides of the input or output; the batch may be of any size.
fn value_info(name: &str, shape: Shape) -> Message {
    let side = |n: usize| Message::default().int(1, n as i64);
    let batch = Message::default().bytes(2, "N");
    let mut sides = Message::default().bytes(1, batch).bytes(1, side(shape.c));
    if !shape.is_vector() {
        sides = sides.bytes(1, side(shape.h)).bytes(1, side(shape.w));
    }
    let tensor = Message::default().int(1, 1).bytes(2, sides);
    Message::default().bytes(1, name).bytes(2, Message::default().bytes(1, tensor))
}
