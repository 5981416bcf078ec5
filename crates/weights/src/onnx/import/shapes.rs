//! What turns, joins, cuts and pads.

use super::windows::pair;
use super::{Axes, Importer, Node, Place, Value, repeated};
use striate_graph::layers::{Concat, Conv, Flatten, ZeroPadShortcut};
use striate_graph::{Padding, Shape};

impl<'m> Importer<'m> {
    pub(super) fn reshape(&mut self, node: &'m Node) -> Result<Value, String> {
        if let Value::Channel(place) = *self.first(node)? {
            let axes = self.ints(node, 1).or_else(|| node.ints("axes").map(<[i64]>::to_vec)).unwrap_or_default();
            return match (node.op.as_str(), &axes[..]) {
                ("Unsqueeze", [1 | -3]) => Ok(Value::Place(place)),
                _ => Err("one channel without its axis can only be given it again".into()),
            };
        }
        let input = self.place(&node.inputs[0])?;
        let x = self.shape(input);
        let current = sides(input, x);
        let wanted = match node.op.as_str() {
            "Flatten" => match node.int("axis", 1) {
                1 => vec![1, x.len() as i64],
                other => return Err(format!("its axis is {other}; 1 can be read")),
            },
            "Reshape" => {
                let given = self.ints(node, 1).or_else(|| node.ints("shape").map(<[i64]>::to_vec));
                let given = given.ok_or("the sides that it gives are not known")?;
                resolved(&given, &current, x).ok_or_else(|| format!("{current:?} cannot have sides {given:?}"))?
            }
            _ => {
                let axes = self.ints(node, 1).or_else(|| node.ints("axes").map(<[i64]>::to_vec)).unwrap_or_default();
                if node.op == "Unsqueeze" && axes == [1] && current.len() == 2 {
                    return Ok(Value::Row(input));
                }
                moved(&node.op, &axes, &current)
                    .ok_or_else(|| format!("axes {axes:?} of {current:?} cannot be moved"))?
            }
        };
        self.viewed(node, input, &current, &wanted)
    }

    /// A value seen with other sides.
    fn viewed(&mut self, node: &'m Node, input: Place, current: &[i64], wanted: &[i64]) -> Result<Value, String> {
        let x = self.shape(input);
        let with = |axes: Axes| Ok(Value::Place(Place { axes, ..input }));
        match (wanted, input.axes) {
            _ if wanted == current => with(input.axes),
            ([_, n], Axes::Nchw | Axes::Nhwc) if *n == x.len() as i64 => {
                if x.is_vector() {
                    return with(Axes::Flat { hwc: None });
                }
                let hwc = (input.axes == Axes::Nhwc).then_some(x);
                let name = self.name(node);
                self.add(&name, Flatten, &[input], &[], Axes::Flat { hwc }).map(Value::Place)
            }
            ([_, c, 1, 1], _) if x.is_vector() && *c == x.c as i64 => with(Axes::Nchw),
            ([_, 1, 1, c], _) if x.is_vector() && *c == x.c as i64 => with(Axes::Nhwc),
            _ => Err(format!("{current:?} seen as {wanted:?} cannot be read: flattening can")),
        }
    }

    pub(super) fn transpose(&mut self, node: &'m Node) -> Result<Value, String> {
        let place = self.place(&node.inputs[0])?;
        let vector = self.shape(place).is_vector();
        let order = node.ints("perm").map_or_else(|| vec![3, 2, 1, 0], <[i64]>::to_vec);
        let axes = match (&order[..], place.axes) {
            ([0, 1, 2, 3] | [0, 1], axes) => axes,
            ([0, 3, 1, 2], Axes::Nhwc) => Axes::Nchw,
            ([0, 2, 3, 1], Axes::Nchw) => Axes::Nhwc,
            ([0, 1, 3, 2], axes) if vector && axes == Axes::Nchw => axes,
            _ => return Err(format!("the order {order:?} of {:?} cannot be read", place.axes)),
        };
        Ok(Value::Place(Place { axes, ..place }))
    }

    pub(super) fn concat(&mut self, node: &'m Node) -> Result<Value, String> {
        let places = node.inputs.iter().map(|name| self.place(name)).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = places.first() else { return Err("it joins nothing".into()) };
        let axes = first.axes;
        let (rank, channels) = match axes {
            Axes::Nchw => (4, 1),
            Axes::Nhwc => (4, 3),
            Axes::Flat { hwc: None } => (2, 1),
            Axes::Flat { .. } => return Err("vectors of maps whose channels are last cannot be joined".into()),
        };
        let axis = node.int("axis", 1);
        if places.iter().any(|p| p.axes != axes) || (if axis < 0 { axis + rank } else { axis }) != channels {
            return Err(format!("it joins along axis {axis}; along channels it can be read"));
        }
        if let [only] = places[..] {
            return Ok(Value::Place(only));
        }
        if repeated(&places) {
            return Err("it joins a value to itself".into());
        }
        let name = self.name(node);
        self.add(&name, Concat, &places, &[], axes).map(Value::Place)
    }

    pub(super) fn pad(&mut self, node: &'m Node) -> Result<Value, String> {
        let pads = self.ints(node, 1).or_else(|| node.ints("pads").map(<[i64]>::to_vec));
        let pads = pads.ok_or("its pads are not known")?;
        if node.text("mode").unwrap_or("constant") != "constant" {
            return Err(format!("mode {} cannot be read; zeros can", node.text("mode").unwrap_or_default()));
        }
        let given = node.inputs.get(2).is_some_and(|n| !n.is_empty());
        let value = if given { self.floats(node, 2)?.1.first().copied() } else { Some(node.float("value", 0.0)) };
        if value != Some(0.0) {
            return Err("it pads with other values than zero".into());
        }
        if node.inputs.get(3).is_some_and(|n| !n.is_empty()) {
            return Err("its axes cannot be read: pad all".into());
        }
        let pads: Option<Vec<usize>> = pads.iter().map(|&p| usize::try_from(p).ok()).collect();
        let pads = pads.filter(|p| p.len() == 8).ok_or("its pads are not eight numbers of 0 or more")?;
        let (before, behind) = pads.split_at(4);
        let (place, stride) = match self.first(node)?.clone() {
            Value::Strided(place, stride) => (place, stride),
            _ => (self.place(&node.inputs[0])?, 1),
        };
        let spatial = match place.axes {
            Axes::Nchw => [2, 3],
            Axes::Nhwc => [1, 2],
            Axes::Flat { .. } => return Err("it takes a map, not a vector".into()),
        };
        let channels = 6 - spatial[0] - spatial[1];
        if before[0] + behind[0] > 0 {
            return Err("it pads the batch".into());
        }
        let widened = before[channels] + behind[channels];
        let [h, w] = spatial;
        let around = Padding { top: before[h], left: before[w], bottom: behind[h], right: behind[w] };
        if widened == 0 {
            // Zeros around every so-many-th pixel: those pixels first.
            let place = if stride == 1 { place } else { self.place(&node.inputs[0])? };
            return Ok(Value::Padded(place, around));
        }
        if around != Padding::default() || before[channels] != widened / 2 {
            return Err("it widens channels other than evenly on both sides".into());
        }
        let layer = ZeroPadShortcut::new(self.shape(place).c.saturating_add(widened), stride);
        let name = self.name(node);
        self.add(&name, layer, &[place], &[], place.axes).map(Value::Place)
    }

    /// One channel of a map, as GoogLeNet's exports take them to scale each.
    pub(super) fn gather(&mut self, node: &'m Node) -> Result<Value, String> {
        let place = self.map(&node.inputs[0])?;
        let c = self.shape(place).c;
        let (axis, indices) = (node.int("axis", 0), self.ints(node, 1).ok_or("its indices are not known")?);
        let (1 | -3, &[index]) = (axis, &indices[..]) else {
            return Err(format!("it takes {indices:?} along axis {axis}; one channel of a map can be taken"));
        };
        let at = usize::try_from(if index < 0 { index.saturating_add(c as i64) } else { index });
        let at = at.ok().filter(|at| *at < c).ok_or_else(|| format!("there is no channel {index} among {c}"))?;
        let mut weight = self.filled(c, 0.0)?;
        weight[at] = 1.0;
        let bare = node.inputs.get(1).and_then(|n| self.constant(n)).is_some_and(|a| a.shape.is_empty());
        let name = self.name(node);
        let channel = self.add(&name, Conv::new(1, 1).no_bias(), &[place], &[weight], Axes::Nchw)?;
        Ok(if bare { Value::Channel(channel) } else { Value::Place(channel) })
    }

    pub(super) fn slice(&mut self, node: &'m Node) -> Result<Value, String> {
        let place = self.map(&node.inputs[0])?;
        let x = self.shape(place);
        let list = |name: &str, input: usize| node.ints(name).map(<[i64]>::to_vec).or_else(|| self.ints(node, input));
        let starts = list("starts", 1).ok_or("its starts are not known")?;
        let ends = list("ends", 2).ok_or("its ends are not known")?;
        let axes = list("axes", 3).unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = self.ints(node, 4).unwrap_or_else(|| vec![1; starts.len()]);
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return Err("its starts, ends, axes and steps differ in number".into());
        }
        let mut stride = [1, 1];
        for (i, &axis) in axes.iter().enumerate() {
            let axis = if axis < 0 { axis + 4 } else { axis };
            let side = [1, x.c, x.h, x.w].get(axis as usize).copied().ok_or("its axes are beyond four")?;
            if starts[i] != 0 || ends[i] < side as i64 {
                return Err("a part of a map cannot be cut out; every second pixel and so on can".into());
            }
            match (axis, steps[i]) {
                (_, 1) => {}
                (2 | 3, step) if step > 1 => stride[axis as usize - 2] = step,
                (_, step) => return Err(format!("it takes every {step}th of axis {axis}")),
            }
        }
        let [h, w] = pair(&stride, "steps")?;
        if h != w {
            return Err(format!("its steps of {h} and {w} differ"));
        }
        Ok(if h == 1 { Value::Place(place) } else { Value::Strided(place, h) })
    }
}

/// A value's sides as ONNX counts them, one image.
fn sides(place: Place, x: Shape) -> Vec<i64> {
    let [h, w, c] = [x.h, x.w, x.c].map(|n| n as i64);
    match place.axes {
        Axes::Nchw => vec![1, c, h, w],
        Axes::Nhwc => vec![1, h, w, c],
        Axes::Flat { .. } => vec![1, c],
    }
}

/// Sides with those that are open filled in: the first is the batch's, whatever it says.
fn resolved(given: &[i64], current: &[i64], x: Shape) -> Option<Vec<i64>> {
    let (first, rest) = given.split_first()?;
    let mut sides = vec![1];
    for (i, &side) in rest.iter().enumerate() {
        sides.push(if side == 0 { *current.get(i + 1)? } else { side });
    }
    let open: Vec<usize> = (1..sides.len()).filter(|&i| sides[i] == -1).collect();
    let known = sides.iter().filter(|s| **s != -1).try_fold(1i64, |n, s| n.checked_mul(*s)).filter(|n| *n > 0)?;
    if let [i] = open[..] {
        sides[i] = x.len() as i64 / known;
    }
    let all = sides.iter().try_fold(1i64, |n, s| n.checked_mul(*s))?;
    (open.len() <= 1 && *first >= -1 && all == x.len() as i64).then_some(sides)
}

/// Sides without, or with more, that are 1.
fn moved(op: &str, axes: &[i64], current: &[i64]) -> Option<Vec<i64>> {
    let mut sides = current.to_vec();
    if op == "Squeeze" {
        let rank = sides.len() as i64;
        let gone: Vec<i64> = if axes.is_empty() {
            (1..rank).filter(|&i| sides[i as usize] == 1).collect()
        } else {
            axes.iter().map(|a| if *a < 0 { a + rank } else { *a }).collect()
        };
        if gone.iter().any(|a| sides.get(*a as usize) != Some(&1)) {
            return None;
        }
        let mut at = 0;
        sides.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
        return Some(sides);
    }
    let rank = sides.len() + axes.len();
    let mut axes: Vec<i64> = axes.iter().map(|a| if *a < 0 { a + rank as i64 } else { *a }).collect();
    axes.sort_unstable();
    for a in axes {
        let a = usize::try_from(a).ok().filter(|a| *a <= sides.len())?;
        sides.insert(a, 1);
    }
    Some(sides)
}
