//! Whether a file that was written answers as the model does: the same images of noise through both.

use super::Who;
use crate::progress::Bar;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use striate_engine::{Parameters, Request, Session, Tensors};
use striate_graph::{Graph, Shape};
use striate_kernels::{Cpu, hash, uniform};
use striate_train::Model;
use striate_weights::{ForeignWeights, Tensor, parse_onnx};

/// What answers may differ by, in units of the largest logit and never less than 1: what summing in another order does.
const ALLOWED: f64 = 1e-4;

/// What verifying found.
pub(super) struct Verdict {
    images: usize,
    with: &'static str,
    /// The largest difference of logits, and what it may be.
    difference: f64,
    allowed: f64,
}

impl Verdict {
    pub(super) fn passed(&self) -> bool {
        // Written so that NaN fails.
        self.difference <= self.allowed
    }

    pub(super) fn json(&self) -> Value {
        let Verdict { images, with, difference, allowed } = self;
        json!({"images": images, "with": with, "difference": difference, "allowed": allowed})
    }

    pub(super) fn sentence(&self) -> String {
        let Verdict { images, with, difference, allowed } = self;
        let verdict = if self.passed() { "the same answers" } else { "OTHER ANSWERS" };
        format!(
            "{verdict} on {images} images in {with}: logits differ by up to {difference:.1e} of {allowed:.1e} allowed"
        )
    }

    fn of(ours: &[f32], theirs: &[f32], images: usize, with: &'static str) -> Result<Verdict> {
        ensure!(ours.len() == theirs.len(), "the file gives {} values, the model {}", theirs.len(), ours.len());
        let largest = ours.iter().fold(1.0, |m: f64, v| m.max(f64::from(v.abs())));
        let mut difference: f64 = 0.0;
        for (a, b) in ours.iter().zip(theirs) {
            let d = f64::from(a - b).abs();
            difference = if d.is_nan() { f64::NAN } else { difference.max(d) };
        }
        Ok(Verdict { images, with, difference, allowed: ALLOWED * largest })
    }
}

/// Pixels of noise from 0 to 255, NHWC.
fn noise(shape: Shape, images: usize) -> Vec<f32> {
    let seed = hash(0, 6);
    (0..shape.len() * images).map(|i| (uniform(seed, i as u64) * 256.0).floor().min(255.0)).collect()
}

/// The inputs that a model's preprocessing makes of pixels.
fn prepared(model: &Model, pixels: &[f32]) -> Vec<f32> {
    let p = &model.card.preprocessing;
    let c = p.mean.len();
    pixels.iter().enumerate().map(|(i, v)| (v / 255.0 - p.mean[i % c]) / p.std[i % c]).collect()
}

/// The logits of a network for some images, one at a time.
fn logits(cpu: &Arc<Cpu>, graph: &Arc<Graph>, parameters: &Parameters, images: &[f32]) -> Result<Vec<f32>> {
    let one = graph.input().shape.len();
    let bar = Bar::new();
    bar.begin("verifying", (images.len() / one) as u64);
    let mut session = Session::new(graph.clone(), cpu.clone(), &Request::predict(1))?;
    let mut all = Vec::new();
    for (image, done) in images.chunks_exact(one).zip(1..) {
        all.extend_from_slice(session.forward(parameters, image, 1, 0)?);
        bar.at(done, String::new);
    }
    bar.end();
    Ok(all)
}

fn parameters(graph: &Graph, tensors: BTreeMap<String, Tensor>) -> Result<Parameters> {
    let mut parameters = Tensors::zeros(graph);
    for (name, tensor) in tensors {
        parameters.set(&name, tensor.values)?;
    }
    Ok(parameters)
}

/// An ONNX file.
pub(super) fn onnx(
    cpu: &Arc<Cpu>,
    model: &Model,
    file: &Path,
    images: usize,
    inside: bool,
    who: Who,
) -> Result<Verdict> {
    let pixels = noise(model.graph.input().shape, images);
    let inputs = prepared(model, &pixels);
    let ours = logits(cpu, &model.graph, &model.parameters, &inputs)?;
    let given = if inside { &pixels } else { &inputs };
    if who == Who::Onnxruntime {
        let theirs = onnxruntime(file, model.graph.input().shape, given)?;
        return Verdict::of(&ours, &theirs, images, "ONNX Runtime");
    }
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let read = parse_onnx(&bytes, None, None).map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
    let parameters = parameters(&read.graph, read.tensors)?;
    let theirs = logits(cpu, &Arc::new(read.graph), &parameters, given)?;
    Verdict::of(&ours, &theirs, images, "Striate's reader of ONNX")
}

/// A model file.
pub(super) fn model_file(cpu: &Arc<Cpu>, model: &Model, file: &Path, images: usize) -> Result<Verdict> {
    let inputs = prepared(model, &noise(model.graph.input().shape, images));
    let ours = logits(cpu, &model.graph, &model.parameters, &inputs)?;
    let read = Model::read(file)?;
    let theirs = logits(cpu, &read.graph, &read.parameters, &inputs)?;
    Verdict::of(&ours, &theirs, images, "Striate")
}

/// A `state_dict`: its tensors follow the network's order.
pub(super) fn state_dict(cpu: &Arc<Cpu>, model: &Model, graph: &Graph, file: &Path, images: usize) -> Result<Verdict> {
    let read = ForeignWeights::read(file)?;
    ensure!(read.tensors.len() == graph.params().count(), "the file has {} tensors", read.tensors.len());
    let named =
        graph.params().zip(read.tensors).map(|((name, _), t)| (name, Tensor { shape: t.shape, values: t.values }));
    let parameters = parameters(graph, named.collect())?;
    let inputs = prepared(model, &noise(model.graph.input().shape, images));
    let ours = logits(cpu, &model.graph, &model.parameters, &inputs)?;
    let theirs = logits(cpu, &Arc::new(graph.clone()), &parameters, &inputs)?;
    Verdict::of(&ours, &theirs, images, "Striate")
}

/// What runs the file in Python: the file, the inputs as raw floats, their sides, where the outputs go.
const SCRIPT: &str = "\
import sys, numpy, onnxruntime
model, inputs, sides, outputs = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
x = numpy.fromfile(inputs, '<f4').reshape([int(s) for s in sides.split(',')])
name = session.get_inputs()[0].name
y = numpy.concatenate([session.run(None, {name: image[None]})[0].reshape(-1) for image in x])
y.astype('<f4').tofile(outputs)
";

/// The logits of ONNX Runtime for images NHWC.
fn onnxruntime(file: &Path, shape: Shape, images: &[f32]) -> Result<Vec<f32>> {
    let Shape { h, w, c } = shape;
    let mut bytes = Vec::with_capacity(4 * images.len());
    for image in images.chunks_exact(shape.len()) {
        for channel in 0..c {
            for pixel in image.chunks_exact(c) {
                bytes.extend(pixel[channel].to_le_bytes());
            }
        }
    }
    let n = images.len() / shape.len();
    let sides = if shape.is_vector() { format!("{n},{c}") } else { format!("{n},{c},{h},{w}") };
    let folder = std::env::temp_dir().join(format!("striate-verify-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let (inputs, outputs) = (folder.join("inputs"), folder.join("outputs"));
    let run = || -> Result<Vec<f32>> {
        std::fs::write(&inputs, &bytes).with_context(|| inputs.display().to_string())?;
        let python = std::env::var_os("STRIATE_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(&python);
        command.args(["-c", SCRIPT]).arg(file).arg(&inputs).arg(&sides).arg(&outputs);
        let output = command.output().with_context(|| format!("{}: cannot be run", python.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("nothing").to_owned();
            bail!("ONNX Runtime failed ({last}); STRIATE_PYTHON names a Python that has onnxruntime and numpy");
        }
        let read = std::fs::read(&outputs).with_context(|| outputs.display().to_string())?;
        Ok(read.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    };
    let result = run();
    // Whatever came of it, nothing is left behind; a folder that stays is no reason to fail.
    let _ = std::fs::remove_dir_all(&folder);
    result
}
