//! Sums of maps, scales and shifts by constants, and distances to codes.

use super::{Array, Axes, Data, Importer, Node, Place, Value, repeated};
use striate_graph::layers::{Add, Conv, Multiply, Rbf};

impl<'m> Importer<'m> {
    pub(super) fn arithmetic(&mut self, node: &'m Node) -> Result<Value, String> {
        match (node.op.as_str(), &node.inputs[..]) {
            ("Neg", [x]) => self.negated(node, x),
            ("ReduceSumSquare", [x, ..]) => match self.value(x)?.clone() {
                Value::Difference(place, codes) if self.sums_rows(node) => Ok(Value::Distance(place, codes)),
                _ => Err("only the distance to codes is a sum of squares here".into()),
            },
            ("Sub" | "Mul" | "Div" | "Add", [a, b]) => match (self.constant(a).cloned(), self.constant(b).cloned()) {
                (None, Some(constant)) => self.by_constant(node, a, &constant, false),
                (Some(constant), None) => self.by_constant(node, b, &constant, true),
                (None, None) if node.op == "Add" => self.sum(node),
                (None, None) if node.op == "Mul" => self.product(node, a, b),
                _ => Err("maps can be added and multiplied, but no layer computes this of two".into()),
            },
            ("Add" | "Sum", [_, _, ..]) => self.sum(node),
            ("Sum", [only]) => self.place(only).map(Value::Place),
            _ => Err(format!("it takes {} inputs", node.inputs.len())),
        }
    }

    /// The sum of two or more values of one shape.
    fn sum(&mut self, node: &'m Node) -> Result<Value, String> {
        let places = node.inputs.iter().map(|name| self.place(name)).collect::<Result<Vec<_>, _>>()?;
        let axes = places[0].axes;
        if places.iter().any(|p| p.axes != axes) {
            return Err("its inputs have their axes in different orders".into());
        }
        if repeated(&places) {
            return Err("it adds a value to itself".into());
        }
        let name = self.name(node);
        self.add(&name, Add, &places, &[], axes).map(Value::Place)
    }

    /// The product of two values of one shape, or of a map and a vector of its channels.
    fn product(&mut self, node: &'m Node, a: &str, b: &str) -> Result<Value, String> {
        let (a, b) = (self.place(a)?, self.place(b)?);
        let swapped = self.shape(a).is_vector() && !self.shape(b).is_vector();
        let (map, by) = if swapped { (b, a) } else { (a, b) };
        if map.axes != by.axes {
            return Err("its inputs have their axes in different orders".into());
        }
        if map.id == by.id {
            return Err("it multiplies a value by itself".into());
        }
        let name = self.name(node);
        self.add(&name, Multiply, &[map, by], &[], map.axes).map(Value::Place)
    }

    /// x + c, x − c, c − x, x · c or x / c with a number for all or one for each channel.
    fn by_constant(&mut self, node: &'m Node, x: &str, constant: &Array, first: bool) -> Result<Value, String> {
        if let (Value::Row(place), "Sub", false) = (self.value(x)?.clone(), node.op.as_str(), first) {
            return Ok(Value::Difference(place, constant.clone()));
        }
        let input = self.place(x)?;
        let by = self.by_channel(constant, input)?;
        let c = by.len();
        self.reserve(2 * c)?;
        let (scale, shift): (Vec<f32>, Vec<f32>) = match (node.op.as_str(), first) {
            ("Add", _) => (vec![1.0; c], by),
            ("Sub", false) => (vec![1.0; c], by.iter().map(|v| -v).collect()),
            ("Sub", true) => (vec![-1.0; c], by),
            ("Mul", _) => (by, vec![0.0; c]),
            ("Div", false) => (by.iter().map(|v| 1.0 / v).collect(), vec![0.0; c]),
            _ => return Err("a constant divided by a value cannot be read".into()),
        };
        let name = self.name(node);
        self.scaled(&name, input, scale, shift)
    }

    /// A scale and a shift for each channel.
    fn scaled(&mut self, name: &str, input: Place, scale: Vec<f32>, shift: Vec<f32>) -> Result<Value, String> {
        let c = scale.len();
        let conv = Conv::new(c, 1).groups(c);
        self.add(name, conv, &[input], &[scale, shift], input.axes).map(Value::Place)
    }

    /// A constant's value for each channel of a place.
    fn by_channel(&self, constant: &Array, input: Place) -> Result<Vec<f32>, String> {
        let Data::Floats(values) = &constant.data else { return Err("its constant is none of floats".into()) };
        let c = self.shape(input).c;
        if let [one] = values[..] {
            return Ok(vec![one; c]);
        }
        // Aligned at the last axis, all sides but the channels' are one.
        let behind = match input.axes {
            Axes::Nchw => 2,
            Axes::Nhwc | Axes::Flat { hwc: None } => 0,
            Axes::Flat { .. } => return Err("a constant for each pixel of a map cannot be read".into()),
        };
        let sides = &constant.shape;
        let at = sides.len().checked_sub(behind + 1).filter(|&at| sides[at] == c && values.len() == c);
        at.ok_or_else(|| format!("its constant of {sides:?} is not one for each of {c} channels"))?;
        Ok(values.to_vec())
    }

    fn negated(&mut self, node: &'m Node, x: &str) -> Result<Value, String> {
        let Value::Distance(place, codes) = self.value(x)?.clone() else {
            let input = self.place(x)?;
            let c = self.shape(input).c;
            let (scale, shift) = (self.filled(c, -1.0)?, self.filled(c, 0.0)?);
            let name = self.name(node);
            return self.scaled(&name, input, scale, shift);
        };
        let (Data::Floats(values), [.., classes, _]) = (&codes.data, &codes.shape[..]) else {
            return Err("its codes are no matrix".into());
        };
        let values = self.copied(values)?;
        let name = self.name(node);
        let axes = Axes::Flat { hwc: None };
        self.add(&name, Rbf::new(*classes), &[place], &[values], axes).map(Value::Place)
    }

    /// Whether a reduction takes the last of three axes away.
    fn sums_rows(&self, node: &Node) -> bool {
        let axes = node.ints("axes").map(<[i64]>::to_vec).or_else(|| self.ints(node, 1));
        matches!(axes.as_deref(), Some([2 | -1])) && node.int("keepdims", 1) == 0
    }
}
