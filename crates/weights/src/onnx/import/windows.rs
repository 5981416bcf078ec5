//! Convolution, pooling and resizing.

use super::{Axes, Importer, Node, Place, Value};
use striate_graph::layers::{
    AvgPool, Conv, ConvTranspose, GlobalAvgPool, GlobalMaxPool, MaxPool, NormPool, Relu, Relu6,
};
use striate_graph::{AnyLayer, Padding, Shape, Window};

impl<'m> Importer<'m> {
    pub(super) fn convolution(&mut self, node: &'m Node) -> Result<Value, String> {
        let (input, around) = self.with_padding(node)?;
        let (shape, weight) = self.floats(node, 1)?;
        let [out, of_group, kh, kw] = shape[..] else {
            return Err(format!("its kernels are {shape:?}; convolutions here have two dimensions"));
        };
        let transposed = node.op == "ConvTranspose";
        let mut window = window(node, [kh, kw], grown(self.shape(input), around))?;
        let groups = positive(node.int("group", 1), "group")?;
        let mut values = vec![self.copied(&weight)?];
        let bias = node.inputs.get(2).is_some_and(|n| !n.is_empty());
        if bias {
            let (_, bias) = self.floats(node, 2)?;
            values.push(self.copied(&bias)?);
        }
        let name = self.name(node);
        let layer: AnyLayer = if transposed {
            if around != Padding::default() {
                return Err("zeros around a transposed convolution's input cannot be read".into());
            }
            let extra = node.ints("output_padding").map_or(Ok([0; 2]), |v| pair(v, "output_padding"))?;
            if node.attribute("output_shape").is_some() {
                return Err("its output_shape cannot be read; pads and output_padding can".into());
            }
            let out_channels = of_group.checked_mul(groups).ok_or("it has too many channels")?;
            ConvTranspose { out_channels, window, output_padding: extra, groups, bias }.into()
        } else {
            window.padding = sum(window.padding, around);
            Conv { out_channels: out, window, groups, bias }.into()
        };
        self.add(&name, layer, &[input], &values, Axes::Nchw).map(Value::Place)
    }

    /// A copy of values, if there is room for one.
    pub(super) fn copied(&mut self, values: &[f32]) -> Result<Vec<f32>, String> {
        self.reserve(values.len())?;
        Ok(values.to_vec())
    }

    /// A node's input, and the zeros around it that the layer can add itself.
    fn with_padding(&mut self, node: &Node) -> Result<(Place, Padding), String> {
        match self.first(node)?.clone() {
            Value::Padded(place, padding) if place.axes == Axes::Nchw => Ok((place, padding)),
            _ => Ok((self.map(&node.inputs[0])?, Padding::default())),
        }
    }

    pub(super) fn pool(&mut self, node: &'m Node) -> Result<Value, String> {
        let (mut input, mut around) = self.with_padding(node)?;
        let kernel = pair(node.ints("kernel_shape").ok_or("it has no kernel_shape")?, "kernel_shape")?;
        let mut window = window(node, kernel, grown(self.shape(input), around))?;
        // Zeros never win over what a rectifier gives, so that padding may stand for them.
        let harmless = node.op == "MaxPool" && self.never_negative(input);
        let counted = node.op == "AveragePool" && window.padding == Padding::default() && !window.ceil;
        if around != Padding::default() && !harmless && !(counted || node.op == "LpPool") {
            input = self.map(&node.inputs[0])?;
            around = Padding::default();
        }
        let padded = around != Padding::default();
        window.padding = sum(window.padding, around);
        let layer: AnyLayer = match node.op.as_str() {
            "MaxPool" if node.outputs.len() > 1 => return Err("its second output, places, cannot be read".into()),
            "MaxPool" => MaxPool { window }.into(),
            "AveragePool" => {
                let include_padding = padded || node.int("count_include_pad", 0) == 1;
                AvgPool { window, include_padding }.into()
            }
            _ => NormPool { window, p: node.int("p", 2) as f32 }.into(),
        };
        if window.dilation != [1, 1] {
            return Err("pools with dilation cannot be read".into());
        }
        let name = self.name(node);
        self.add(&name, layer, &[input], &[], Axes::Nchw).map(Value::Place)
    }

    /// Whether a place is a rectifier's output.
    fn never_negative(&self, place: Place) -> bool {
        self.rectified.contains(&place.id.index())
    }

    /// Notes that a place is never negative, if its layer says so.
    pub(super) fn note_sign(&mut self, place: Place, layer: &AnyLayer) {
        if *layer == Relu.into() || *layer == Relu6.into() {
            self.rectified.insert(place.id.index());
        }
    }

    pub(super) fn global_pool(&mut self, node: &'m Node) -> Result<Value, String> {
        let input = self.place(&node.inputs[0])?;
        let spatial: &[i64] = match input.axes {
            Axes::Nchw => &[2, 3],
            Axes::Nhwc => &[1, 2],
            Axes::Flat { .. } => return Err("it takes a map, not a vector".into()),
        };
        let reduces = node.op.starts_with("Reduce");
        if reduces {
            let axes = node.ints("axes").map(<[i64]>::to_vec).or_else(|| self.ints(node, 1));
            let mut axes = axes.ok_or("its axes are not known")?;
            axes.iter_mut().filter(|a| **a < 0).for_each(|a| *a += 4);
            axes.sort_unstable();
            if axes != spatial {
                return Err(format!("it reduces axes {axes:?}; height and width together can be"));
            }
        } else {
            self.map(&node.inputs[0])?;
        }
        let layer: AnyLayer = match node.op.as_str() {
            "GlobalAveragePool" | "ReduceMean" => GlobalAvgPool.into(),
            _ => GlobalMaxPool.into(),
        };
        let flat = reduces && node.int("keepdims", 1) == 0;
        let axes = if flat { Axes::Flat { hwc: None } } else { input.axes };
        let name = self.name(node);
        self.add(&name, layer, &[input], &[], axes).map(Value::Place)
    }

    /// Enlarging by whole factors, each pixel repeated.
    pub(super) fn resize(&mut self, node: &'m Node) -> Result<Value, String> {
        let input = self.map(&node.inputs[0])?;
        let x = self.shape(input);
        if node.text("mode").unwrap_or("nearest") != "nearest" {
            return Err(format!("mode {} cannot be read; nearest can", node.text("mode").unwrap_or_default()));
        }
        let modes = (node.text("coordinate_transformation_mode"), node.text("nearest_mode"));
        // By whole factors these all repeat each pixel.
        let repeats = matches!(modes.0, None | Some("asymmetric")) && matches!(modes.1, None | Some("floor"))
            || matches!(modes.0, None | Some("half_pixel" | "pytorch_half_pixel"))
                && matches!(modes.1, None | Some("round_prefer_floor" | "round_prefer_ceil"))
            || node.op == "Upsample";
        let sizes = self.ints(node, 3);
        let scales = self.scales(node);
        let factors = match (&scales[..], sizes.as_deref()) {
            (&[one, same, h, w], _) if one == 1.0 && same == 1.0 => [f64::from(h), f64::from(w)],
            (_, Some(&[_, _, h, w])) => [h as f64 / x.h as f64, w as f64 / x.w as f64],
            _ => return Err("its scales or sizes must be constant, for height and width only".into()),
        };
        if !repeats || factors[0] != factors[1] || !(1.0..=64.0).contains(&factors[0]) || factors[0].fract() != 0.0 {
            return Err(format!(
                "it resizes by {factors:?} with {modes:?}; repeating each pixel up to 64 times can be read"
            ));
        }
        let factor = factors[0] as usize;
        let c = x.c;
        let values = self.filled(c.saturating_mul(factor * factor), 1.0)?;
        let layer = ConvTranspose::new(c, factor).stride(factor).groups(c).no_bias();
        let name = self.name(node);
        self.add(&name, layer, &[input], &[values], Axes::Nchw).map(Value::Place)
    }

    fn scales(&self, node: &Node) -> Vec<f32> {
        let given = [1, 2].into_iter().filter_map(|i| self.floats(node, i).ok());
        let constant = given.map(|(_, values)| values.to_vec()).find(|v| v.len() == 4);
        let attribute = node.attribute("scales").map(|a| a.floats.clone());
        constant.or(attribute).unwrap_or_default()
    }
}

/// The window of a node on a map.
fn window(node: &Node, kernel: [usize; 2], x: Shape) -> Result<Window, String> {
    let two = |name: &str| node.ints(name).map_or(Ok([1; 2]), |v| pair(v, name));
    let mut window = Window {
        kernel,
        stride: two("strides")?,
        padding: Padding::default(),
        dilation: two("dilations")?,
        ceil: node.int("ceil_mode", 0) == 1,
    };
    window.padding = match node.text("auto_pad") {
        None | Some("NOTSET" | "") => match node.ints("pads") {
            None => Padding::default(),
            Some(&[top, left, bottom, right]) => {
                let side = |n| usize::try_from(n).map_err(|_| format!("its pads are {n}"));
                Padding { top: side(top)?, left: side(left)?, bottom: side(bottom)?, right: side(right)? }
            }
            Some(other) => return Err(format!("its pads are {other:?}")),
        },
        Some("VALID") => Padding::default(),
        Some("SAME_UPPER") => Padding::same([x.h, x.w], &window),
        Some("SAME_LOWER") => {
            let Padding { top, left, bottom, right } = Padding::same([x.h, x.w], &window);
            Padding { top: bottom, left: right, bottom: top, right: left }
        }
        Some(other) => return Err(format!("its auto_pad is {other}")),
    };
    Ok(window)
}

/// Two positive numbers.
pub(super) fn pair(values: &[i64], name: &str) -> Result<[usize; 2], String> {
    match *values {
        [a, b] if a >= 0 && b >= 0 => Ok([a as usize, b as usize]),
        _ => Err(format!("its {name} is {values:?}; two numbers are expected")),
    }
}

fn positive(value: i64, name: &str) -> Result<usize, String> {
    usize::try_from(value).ok().filter(|n| *n > 0).ok_or_else(|| format!("its {name} is {value}"))
}

/// A map with rows and columns around it.
fn grown(x: Shape, p: Padding) -> Shape {
    let add = |n: usize, before: usize, behind: usize| n.saturating_add(before).saturating_add(behind);
    Shape { h: add(x.h, p.top, p.bottom), w: add(x.w, p.left, p.right), c: x.c }
}

fn sum(a: Padding, b: Padding) -> Padding {
    let add = |a: usize, b: usize| a.saturating_add(b);
    Padding {
        top: add(a.top, b.top),
        left: add(a.left, b.left),
        bottom: add(a.bottom, b.bottom),
        right: add(a.right, b.right),
    }
}
