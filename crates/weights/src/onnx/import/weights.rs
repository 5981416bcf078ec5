//! Linear layers, normalisation, and activations.

use super::{Array, Axes, Data, Importer, Node, Place, Value};
use striate_graph::layers::{
    BatchNorm, Clip, HardSigmoid, HardSwish, LeakyRelu, Linear, LocalResponseNorm, Relu, Relu6, Sigmoid, Softmax, Tanh,
};
use striate_graph::{AnyLayer, Shape};

impl<'m> Importer<'m> {
    pub(super) fn linear(&mut self, node: &'m Node) -> Result<Value, String> {
        let input = self.place(&node.inputs[0])?;
        let x = self.shape(input);
        let Axes::Flat { hwc } = input.axes else {
            return Err(format!("it takes a vector, not a map of {x}"));
        };
        let (shape, weight) = self.floats(node, 1)?;
        let gemm = node.op == "Gemm";
        let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
        if gemm && node.int("transA", 0) == 1 {
            return Err("its transA cannot be read".into());
        }
        let [rows, columns] = shape[..] else { return Err(format!("its matrix is {shape:?}")) };
        let turned = gemm && node.int("transB", 0) == 1;
        let (inside, outside) = if turned { (columns, rows) } else { (rows, columns) };
        if inside != x.c {
            return Err(format!("it multiplies {inside} features, but {} come in", x.c));
        }
        self.reserve(weight.len())?;
        // Ours is [out, in], and a map's features stand channels first.
        let place = |i: usize| hwc.map_or(i, |s| (i % (s.h * s.w)) * s.c + i / (s.h * s.w));
        let value = |o: usize, i: usize| if turned { weight[o * inside + i] } else { weight[i * outside + o] };
        let of = |o: usize| (0..inside).map(move |i| (o, i));
        let mut values: Vec<f32> = (0..outside).flat_map(of).map(|(o, i)| value(o, place(i))).collect();
        if gemm && alpha != 1.0 {
            for value in &mut values {
                *value *= alpha;
            }
        }
        let name = self.name(node);
        let (bias, output) = self.bias(node, gemm, beta, outside)?;
        let has_bias = bias.is_some();
        let values: Vec<Vec<f32>> = [Some(values), bias].into_iter().flatten().collect();
        let layer = Linear { out_features: outside, bias: has_bias };
        let made = Value::Place(self.add(&name, layer, &[input], &values, Axes::Flat { hwc: None })?);
        if let Some(output) = output {
            self.values.insert(output, made.clone());
        }
        Ok(made)
    }

    /// A linear layer's bias: its own, or that of an addition which alone takes it, with that addition's output.
    fn bias(
        &mut self,
        node: &'m Node,
        gemm: bool,
        beta: f32,
        outside: usize,
    ) -> Result<(Option<Vec<f32>>, Option<&'m str>), String> {
        if gemm {
            if node.inputs.get(2).is_none_or(String::is_empty) {
                return Ok((None, None));
            }
            let (_, bias) = self.floats(node, 2)?;
            self.reserve(outside)?;
            return match bias.len() {
                1 => Ok((Some(vec![bias[0] * beta; outside]), None)),
                _ => Ok((Some(bias.iter().map(|v| v * beta).collect()), None)),
            };
        }
        let Some((index, user)) = self.only_user(&node.outputs[0]).filter(|(_, user)| user.op == "Add") else {
            return Ok((None, None));
        };
        let other = user.inputs.iter().find(|n| **n != node.outputs[0]);
        let Some(Array { data: Data::Floats(values), .. }) = other.and_then(|n| self.constant(n)) else {
            return Ok((None, None));
        };
        if values.len() != outside {
            return Ok((None, None));
        }
        let values = values.clone();
        self.done.insert(index);
        Ok((Some(self.copied(&values)?), user.outputs.first().map(String::as_str)))
    }

    pub(super) fn batch_norm(&mut self, node: &'m Node) -> Result<Value, String> {
        let input = self.place(&node.inputs[0])?;
        if node.int("training_mode", 0) == 1 || node.int("is_test", 1) == 0 {
            return Err("it is in training mode: export the network for prediction".into());
        }
        if input.axes == Axes::Nhwc && !self.shape(input).is_vector() {
            return Err("it normalises rows of a map whose channels are last".into());
        }
        let mut values = Vec::with_capacity(4);
        for i in 1..5 {
            let (_, vector) = self.floats(node, i)?;
            values.push(self.copied(&vector)?);
        }
        let layer = BatchNorm::new().epsilon(node.float("epsilon", 1e-5));
        let name = self.name(node);
        self.add(&name, layer, &[input], &values, input.axes).map(Value::Place)
    }

    pub(super) fn activation(&mut self, node: &'m Node) -> Result<Value, String> {
        let input = self.place(&node.inputs[0])?;
        let x = self.shape(input);
        let layer: AnyLayer = match node.op.as_str() {
            "Relu" => Relu.into(),
            "Sigmoid" => Sigmoid.into(),
            "Tanh" => Tanh.into(),
            "LeakyRelu" => LeakyRelu::new().slope(node.float("alpha", 0.01)).into(),
            "PRelu" => {
                let (_, slopes) = self.floats(node, 1)?;
                match slopes.first() {
                    Some(&slope) if slopes.iter().all(|s| *s == slope) => LeakyRelu::new().slope(slope).into(),
                    _ => return Err("its slopes differ by channel".into()),
                }
            }
            "Clip" => self.clip(node)?,
            "HardSwish" => HardSwish.into(),
            "HardSigmoid" => HardSigmoid { slope: node.float("alpha", 0.2), offset: node.float("beta", 0.5) }.into(),
            "Softmax" => return self.softmax(node, input, x),
            _ => {
                self.map(&node.inputs[0])?;
                let size = node.int("size", 0);
                if size <= 0 || size % 2 == 0 {
                    return Err(format!("its size is {size}; odd ones can be read"));
                }
                let (alpha, beta, bias) =
                    (node.float("alpha", 1e-4), node.float("beta", 0.75), node.float("bias", 1.0));
                LocalResponseNorm::mean(size as usize, alpha, beta, bias).into()
            }
        };
        let name = self.name(node);
        let place = self.add(&name, layer.clone(), &[input], &[], input.axes)?;
        self.note_sign(place, &layer);
        Ok(Value::Place(place))
    }

    /// A clip, which at 0 or at 0 and 6 has a name of its own.
    fn clip(&self, node: &Node) -> Result<AnyLayer, String> {
        let bound = |name: &str, input: usize, otherwise: f32| -> Result<f32, String> {
            match node.inputs.get(input).filter(|n| !n.is_empty()) {
                Some(_) => self.floats(node, input)?.1.first().copied().ok_or_else(|| "a bound is empty".into()),
                None => Ok(node.float(name, otherwise)),
            }
        };
        let (low, high) = (bound("min", 1, f32::NEG_INFINITY)?, bound("max", 2, f32::INFINITY)?);
        if low == 0.0 && high == 6.0 {
            return Ok(Relu6.into());
        }
        if low == 0.0 && high >= f32::MAX {
            return Ok(Relu.into());
        }
        let bound = |v: f32| (v.abs() < f32::MAX).then_some(v);
        Ok(Clip { low: bound(low), high: bound(high) }.into())
    }

    fn softmax(&mut self, node: &'m Node, input: Place, x: Shape) -> Result<Value, String> {
        let rank = if matches!(input.axes, Axes::Flat { .. }) { 2 } else { 4 };
        let axis = node.int("axis", if self.opset < 13 { 1 } else { -1 });
        let axis = if axis < 0 { axis + rank } else { axis };
        let channels = if input.axes == Axes::Nhwc { 3 } else { 1 };
        // Before opset 13 everything from the axis on counts together.
        if axis != channels || (self.opset < 13 && !x.is_vector()) {
            return Err(format!("it is taken over axis {axis}; over channels it can be read"));
        }
        let name = self.name(node);
        self.add(&name, Softmax::new(), &[input], &[], input.axes).map(Value::Place)
    }
}
