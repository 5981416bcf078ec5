//! What can be computed while reading: shapes, and weights that are turned before they are used.

use super::{Array, Axes, Data, Importer, Node, Value};
use crate::onnx::proto::MOST_INTS;
use std::rc::Rc;

/// The node's value, where all that it takes is known; the shape of what is not known is known too.
pub(super) fn fold(importer: &mut Importer<'_>, node: &Node) -> Result<Option<Array>, String> {
    if node.op == "Constant" {
        return constant(node).map(Some);
    }
    if node.op == "Shape" {
        return shape(importer, node);
    }
    let named = node.inputs.iter().filter(|n| !n.is_empty());
    let Some(inputs) = named.map(|n| importer.constant(n).cloned()).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let Some(first) = inputs.first() else { return Ok(None) };
    let folded = match node.op.as_str() {
        "Identity" | "Cast" => first.clone(),
        "Reshape" => reshaped(first, &numbers(inputs.get(1))?)?,
        "Flatten" => reshaped(first, &[first.shape.first().map_or(1, |&s| s as i64), -1])?,
        "Unsqueeze" | "Squeeze" => squeezed(node, first, inputs.get(1))?,
        "Transpose" => transposed(importer, node, first)?,
        "Concat" => concatenated(&inputs)?,
        "Gather" => gathered(first, &numbers(inputs.get(1))?, inputs.get(1))?,
        "Slice" => sliced(node, first, &inputs)?,
        "Add" | "Sub" | "Mul" | "Div" => computed(&node.op, first, inputs.get(1))?,
        _ => return Ok(None),
    };
    Ok(Some(folded))
}

fn constant(node: &Node) -> Result<Array, String> {
    if let Some(tensor) = node.attribute("value").and_then(|a| a.tensor.clone()) {
        return Ok(tensor);
    }
    let ints = |shape: Vec<usize>, values: Vec<i64>| Array { shape, data: Data::Ints(values) };
    let floats = |shape: Vec<usize>, values: Vec<f32>| Array { shape, data: Data::Floats(Rc::new(values)) };
    for a in &node.attributes {
        match (a.name.as_str(), a.int, a.float) {
            ("value_int", Some(n), _) => return Ok(ints(vec![], vec![n])),
            ("value_float", _, Some(v)) => return Ok(floats(vec![], vec![v])),
            ("value_ints", ..) => return Ok(ints(vec![a.ints.len()], a.ints.clone())),
            ("value_floats", ..) => return Ok(floats(vec![a.floats.len()], a.floats.clone())),
            _ => {}
        }
    }
    Err("its value is none of numbers".into())
}

/// A value's sides as ONNX counts them. The batch's is given as 1, which what is computed of it then means too.
fn shape(importer: &mut Importer<'_>, node: &Node) -> Result<Option<Array>, String> {
    let sides = match importer.first(node)? {
        Value::Constant(array) => array.shape.iter().map(|&s| s as i64).collect(),
        Value::Place(place) => {
            let s = importer.shape(*place);
            let [h, w, c] = [s.h, s.w, s.c].map(|n| n as i64);
            match place.axes {
                Axes::Nchw => vec![1, c, h, w],
                Axes::Nhwc => vec![1, h, w, c],
                Axes::Flat { .. } => vec![1, c],
            }
        }
        _ => return Err("the shape of what is padded or cut cannot be asked for".into()),
    };
    let (start, end) = (node.int("start", 0), node.int("end", sides.len() as i64));
    let [start, end] = [start, end].map(|at| clamped(at, sides.len()));
    let kept = sides.get(start..end).unwrap_or_default().to_vec();
    Ok(Some(Array { shape: vec![kept.len()], data: Data::Ints(kept) }))
}

/// An index that may count from the end, within what is there.
fn clamped(at: i64, len: usize) -> usize {
    let len = len as i64;
    (if at < 0 { at.saturating_add(len) } else { at }).clamp(0, len) as usize
}

fn numbers(array: Option<&Array>) -> Result<Vec<i64>, String> {
    match array {
        Some(Array { data: Data::Ints(values), .. }) if values.len() <= MOST_INTS => Ok(values.clone()),
        _ => Err("whole numbers were expected".into()),
    }
}

fn len(array: &Array) -> usize {
    match &array.data {
        Data::Floats(values) => values.len(),
        Data::Ints(values) => values.len(),
        Data::Other => 0,
    }
}

fn reshaped(array: &Array, sides: &[i64]) -> Result<Array, String> {
    let (len, mut shape, mut open) = (len(array), Vec::new(), None);
    for (i, &side) in sides.iter().enumerate() {
        shape.push(match side {
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            0 => *array.shape.get(i).ok_or("a side of 0 has nothing to stand for")?,
            n => usize::try_from(n).map_err(|_| format!("it cannot have sides {sides:?}"))?,
        });
    }
    let known = shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s)).filter(|n| *n > 0);
    let known = known.ok_or_else(|| format!("it cannot have sides {sides:?}"))?;
    if let Some(i) = open {
        shape[i] = len / known;
    }
    if shape.iter().product::<usize>() != len {
        return Err(format!("{len} values cannot have sides {sides:?}"));
    }
    Ok(Array { shape, data: array.data.clone() })
}

fn squeezed(node: &Node, array: &Array, axes: Option<&Array>) -> Result<Array, String> {
    let axes = match (node.ints("axes"), axes) {
        (Some(axes), _) => axes.to_vec(),
        (None, Some(_)) => numbers(axes)?,
        (None, None) => Vec::new(),
    };
    let mut shape = array.shape.clone();
    if node.op == "Unsqueeze" {
        let rank = shape.len() + axes.len();
        let mut axes: Vec<usize> = axes.iter().map(|&a| clamped(a, rank)).collect();
        axes.sort_unstable();
        for a in axes {
            if a > shape.len() {
                return Err(format!("it has no axis {a}"));
            }
            shape.insert(a, 1);
        }
    } else {
        let rank = shape.len();
        let axes: Vec<usize> = axes.iter().map(|&a| clamped(a, rank)).collect();
        let mut at = 0;
        shape.retain(|&side| {
            at += 1;
            side != 1 || !(axes.is_empty() || axes.contains(&(at - 1)))
        });
    }
    Ok(Array { shape, data: array.data.clone() })
}

fn transposed(importer: &mut Importer<'_>, node: &Node, array: &Array) -> Result<Array, String> {
    let rank = array.shape.len();
    let order: Vec<usize> = match node.ints("perm") {
        Some(perm) => perm.iter().map(|&p| usize::try_from(p).unwrap_or(rank)).collect(),
        None => (0..rank).rev().collect(),
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted != (0..rank).collect::<Vec<_>>() {
        return Err(format!("its perm {order:?} is no order of {rank} axes"));
    }
    let Data::Floats(values) = &array.data else { return Err("only numbers can be turned".into()) };
    importer.reserve(values.len())?;
    let mut strides = vec![1; rank];
    for i in (1..rank).rev() {
        strides[i - 1] = strides[i] * array.shape[i];
    }
    let shape: Vec<usize> = order.iter().map(|&a| array.shape[a]).collect();
    let steps: Vec<usize> = order.iter().map(|&a| strides[a]).collect();
    let mut index = vec![0; rank];
    let mut turned = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        turned.push(values[index.iter().zip(&steps).map(|(i, s)| i * s).sum::<usize>()]);
        for (i, side) in index.iter_mut().zip(&shape).rev() {
            *i += 1;
            if *i < *side {
                break;
            }
            *i = 0;
        }
    }
    Ok(Array { shape, data: Data::Floats(Rc::new(turned)) })
}

/// Lists joined; of floats, if any is.
fn concatenated(inputs: &[Array]) -> Result<Array, String> {
    if inputs.iter().map(len).sum::<usize>() > MOST_INTS || inputs.iter().any(|a| a.shape.len() > 1) {
        return Err("it joins more numbers than a shape has".into());
    }
    if !inputs.iter().any(|a| matches!(a.data, Data::Floats(_))) {
        let all = inputs.iter().map(|a| numbers(Some(a))).collect::<Result<Vec<_>, _>>()?.concat();
        return Ok(Array { shape: vec![all.len()], data: Data::Ints(all) });
    }
    let mut all = Vec::new();
    for input in inputs {
        match &input.data {
            Data::Floats(values) => all.extend(values.iter()),
            Data::Ints(values) => all.extend(values.iter().map(|v| *v as f32)),
            Data::Other => return Err("it joins what is no number".into()),
        }
    }
    Ok(Array { shape: vec![all.len()], data: Data::Floats(Rc::new(all)) })
}

fn gathered(array: &Array, indices: &[i64], given: Option<&Array>) -> Result<Array, String> {
    let values = numbers(Some(array))?;
    let at = |i: i64| values.get(clamped(i, values.len())).copied().ok_or_else(|| format!("there is no index {i}"));
    let found = indices.iter().map(|&i| at(i)).collect::<Result<Vec<_>, _>>()?;
    Ok(Array { shape: given.map(|g| g.shape.clone()).unwrap_or_default(), data: Data::Ints(found) })
}

fn sliced(node: &Node, array: &Array, inputs: &[Array]) -> Result<Array, String> {
    let values = numbers(Some(array))?;
    let bound = |name: &str, input: usize| match node.ints(name) {
        Some(ints) => Ok(ints.to_vec()),
        None => numbers(inputs.get(input)),
    };
    let (starts, ends) = (bound("starts", 1)?, bound("ends", 2)?);
    let ([start], [end], true) = (&starts[..], &ends[..], inputs.len() < 5) else {
        return Err("only a run of a list of numbers can be cut out".into());
    };
    let range = clamped(*start, values.len())..clamped(*end, values.len());
    let kept = values.get(range).unwrap_or_default().to_vec();
    Ok(Array { shape: vec![kept.len()], data: Data::Ints(kept) })
}

fn computed(op: &str, a: &Array, b: Option<&Array>) -> Result<Array, String> {
    let (x, y) = (numbers(Some(a))?, numbers(b)?);
    let one = |x: i64, y: i64| match op {
        "Add" => x.checked_add(y),
        "Sub" => x.checked_sub(y),
        "Mul" => x.checked_mul(y),
        _ => x.checked_div(y),
    };
    let values: Option<Vec<i64>> = match (&x[..], &y[..]) {
        (x, [y]) => x.iter().map(|x| one(*x, *y)).collect(),
        (x, y) if x.len() == y.len() => x.iter().zip(y).map(|(x, y)| one(*x, *y)).collect(),
        _ => None,
    };
    let values = values.ok_or("it cannot be computed")?;
    Ok(Array { shape: a.shape.clone(), data: Data::Ints(values) })
}
