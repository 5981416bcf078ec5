//! The deconvnet from units and channels of any layer down to pixels (Zeiler and Fergus 2013, arXiv:1311.2901, section 2.1):
//! all other activations of the layer are set to zero, and what is left is unpooled by the recorded switches, rectified and
//! filtered back, layer by layer. The rules for what the paper's network has not are those of [`Rule`].

use crate::probe::Probe;
use crate::{ExplainError, Subject};
use striate_engine::Rule;
use striate_graph::{NodeId, Shape};

/// What of a layer is projected down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// A channel's largest activation.
    Strongest(usize),
    /// One unit: its channel, row and column.
    Unit(usize, [usize; 2]),
    /// All activations of a channel.
    Channel(usize),
}

/// A picture that a part of a layer projects to.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// The channel.
    pub channel: usize,
    /// The unit's row and column, or the strongest's of a whole channel.
    pub cell: [usize; 2],
    /// The unit's activation.
    pub value: f32,
    /// One value for each of the input's.
    pub values: Vec<f32>,
    /// What the unit sees of the input, or all for a whole channel.
    pub field: Field,
}

/// Rows and columns of an input, the ends not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Behind the last row.
    pub bottom: usize,
    /// Behind the last column.
    pub right: usize,
}

impl Field {
    /// All of an input.
    pub fn whole(input: Shape) -> Field {
        Field { top: 0, left: 0, bottom: input.h, right: input.w }
    }

    /// What a unit of a layer sees of the input, padding cut off.
    pub fn of(subject: &Subject, layer: NodeId, cell: [usize; 2]) -> Field {
        let input = subject.graph.input().shape;
        let Some(spans) = subject.graph.receptive_fields()[layer.index()].spans() else { return Field::whole(input) };
        let side = |axis: usize, len: usize| {
            let at = cell[axis] as f64 * spans[axis].jump;
            let first = (spans[axis].first + at).floor().clamp(0.0, (len - 1) as f64) as usize;
            let last = (spans[axis].last + at).ceil().clamp(0.0, (len - 1) as f64) as usize;
            (first, last.max(first) + 1)
        };
        let ((top, bottom), (left, right)) = (side(0, input.h), side(1, input.w));
        Field { top, left, bottom, right }
    }

    /// The part of an input's values, rows first.
    pub fn cut(&self, values: &[f32], input: Shape) -> Vec<f32> {
        let row = |y: usize| &values[(y * input.w + self.left) * input.c..(y * input.w + self.right) * input.c];
        (self.top..self.bottom).flat_map(row).copied().collect()
    }

    /// Rows and columns.
    pub fn size(&self) -> [usize; 2] {
        [self.bottom - self.top, self.right - self.left]
    }
}

/// The row and column of a channel's largest activation, and that; the first of equal ones.
pub fn strongest(map: &[f32], shape: Shape, channel: usize) -> ([usize; 2], f32) {
    let mut best = (0, map[channel]);
    for (cell, value) in map.iter().skip(channel).step_by(shape.c).enumerate() {
        if *value > best.1 {
            best = (cell, *value);
        }
    }
    ([best.0 / shape.w, best.0 % shape.w], best.1)
}

/// A network planned for projections from some layers.
pub struct Projector<'a> {
    subject: &'a Subject,
    probe: Probe<'a>,
    batch: usize,
}

impl<'a> Projector<'a> {
    /// Plans for projections from these layers, up to `batch` at once.
    ///
    /// # Errors
    /// If the batch is 0, or the memory cannot be had.
    pub fn new(subject: &'a Subject, layers: &[NodeId], batch: usize) -> Result<Projector<'a>, ExplainError> {
        Ok(Projector { subject, probe: Probe::new(subject, layers, &[], batch)?, batch })
    }

    /// Projects parts of a layer, for one input.
    ///
    /// # Errors
    /// If the layer was not planned for, or has no such channel or cell.
    pub fn project(
        &mut self,
        rule: Rule,
        input: &[f32],
        layer: NodeId,
        parts: &[Which],
    ) -> Result<Vec<Projection>, ExplainError> {
        let all: Vec<(&[f32], Which)> = parts.iter().map(|part| (input, *part)).collect();
        self.project_each(rule, layer, &all)
    }

    /// Projects a part of a layer for each of several inputs.
    ///
    /// # Errors
    /// As [`Projector::project`].
    pub fn project_each(
        &mut self,
        rule: Rule,
        layer: NodeId,
        parts: &[(&[f32], Which)],
    ) -> Result<Vec<Projection>, ExplainError> {
        let node = self.subject.graph.node(layer);
        let shape = node.shape;
        for (_, part) in parts {
            let (channel, [y, x]) = match part {
                Which::Strongest(channel) | Which::Channel(channel) => (*channel, [0, 0]),
                Which::Unit(channel, cell) => (*channel, *cell),
            };
            if channel >= shape.c || y >= shape.h || x >= shape.w {
                let why = format!("there is no channel {channel} at row {y}, column {x} of {shape}");
                return Err(ExplainError::Layer { what: "a projection", layer: node.name.clone(), why });
            }
        }
        let mut found = Vec::new();
        for parts in parts.chunks(self.batch) {
            let images: Vec<f32> = parts.iter().flat_map(|(input, _)| input.iter().copied()).collect();
            self.probe.forward(&images)?;
            let mut seed = self.probe.activation(layer)?.to_vec();
            let mut units = Vec::new();
            for (map, (_, part)) in seed.chunks_exact_mut(shape.len()).zip(parts) {
                units.push(alone(map, shape, *part));
            }
            self.probe.sweep(rule, layer, &seed)?;
            let len = images.len() / parts.len();
            for ((values, (channel, cell, value)), (_, part)) in
                self.probe.by_input()?.chunks_exact(len).zip(units).zip(parts)
            {
                let field = match part {
                    Which::Channel(_) => Field::whole(self.subject.graph.input().shape),
                    _ => Field::of(self.subject, layer, cell),
                };
                found.push(Projection { channel, cell, value, values: values.to_vec(), field });
            }
        }
        Ok(found)
    }
}

/// Sets all of a map to zero but for a part, and returns the part's channel, cell and value.
fn alone(map: &mut [f32], shape: Shape, part: Which) -> (usize, [usize; 2], f32) {
    let (channel, cell) = match part {
        Which::Strongest(channel) | Which::Channel(channel) => (channel, strongest(map, shape, channel).0),
        Which::Unit(channel, cell) => (channel, cell),
    };
    let at = (cell[0] * shape.w + cell[1]) * shape.c + channel;
    let value = map[at];
    for (i, v) in map.iter_mut().enumerate() {
        let kept = if matches!(part, Which::Channel(_)) { i % shape.c == channel } else { i == at };
        if !kept {
            *v = 0.0;
        }
    }
    (channel, cell, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{kinked, picture};

    #[test]
    fn projections_stay_in_the_receptive_field() {
        let (subject, input) = (kinked(), picture(&kinked()));
        let shape = subject.graph.input().shape;
        for name in ["conv1", "relu1", "pool1", "conv2", "relu2"] {
            let layer = subject.graph.find(name).unwrap();
            let mut projector = Projector::new(&subject, &[layer], 3).unwrap();
            let parts: Vec<Which> = (0..subject.graph.node(layer).shape.c).map(Which::Strongest).collect();
            for rule in [Rule::Deconvnet, Rule::Guided, Rule::Gradient] {
                for found in projector.project(rule, &input, layer, &parts).unwrap() {
                    let Field { top, left, bottom, right } = found.field;
                    for (i, v) in found.values.iter().enumerate() {
                        let (y, x) = (i / (shape.w * shape.c), i / shape.c % shape.w);
                        let inside = (top..bottom).contains(&y) && (left..right).contains(&x);
                        assert!(inside || *v == 0.0, "{name}, {rule:?}: {v} at {y}, {x} outside {:?}", found.field);
                    }
                }
            }
        }
    }

    #[test]
    fn a_first_layers_projection_is_its_filter() {
        // From a unit of the first convolution down there is its filter alone, times its activation.
        let (subject, input) = (kinked(), picture(&kinked()));
        let layer = subject.graph.find("conv1").unwrap();
        let mut projector = Projector::new(&subject, &[layer], 1).unwrap();
        let found = &projector.project(Rule::Deconvnet, &input, layer, &[Which::Unit(4, [3, 2])]).unwrap()[0];
        assert_eq!(found.field, Field { top: 2, left: 1, bottom: 5, right: 4 });
        let weights = &subject.parameters.get("conv1.weight").unwrap()[4 * 27..5 * 27];
        let shape = subject.graph.input().shape;
        for (i, v) in found.field.cut(&found.values, shape).iter().enumerate() {
            let (tap, channel) = (i / 3, i % 3);
            let expected = found.value * weights[channel * 9 + tap];
            assert!((v - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{v} and {expected}");
        }
    }

    #[test]
    fn units_that_are_not_there_are_refused() {
        let (subject, input) = (kinked(), picture(&kinked()));
        let layer = subject.graph.find("relu2").unwrap();
        let mut projector = Projector::new(&subject, &[layer], 1).unwrap();
        for part in [Which::Strongest(8), Which::Unit(0, [3, 0]), Which::Unit(0, [0, 3])] {
            let e = projector.project(Rule::Deconvnet, &input, layer, &[part]).unwrap_err().to_string();
            assert!(e.contains("`relu2`") && e.contains("3×3×8"), "{e}");
        }
    }
}
