//! What a layer is drawn as: a box, a slice of the box before it, or a circle; and its colour in drawing and legend. The
//! colours differ in lightness too, so that a grey print can be read.

use crate::{AnyLayer, Graph, Node};

/// Layers that look alike in a drawing, in the legend's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Input,
    Convolution,
    Depthwise,
    Transposed,
    Pooling,
    Linear,
    Join,
    Shortcut,
    Flatten,
    Other,
    Normalisation,
    Activation,
    Dropout,
}

impl Kind {
    pub(super) fn of(graph: &Graph, node: &Node) -> Kind {
        match node.layer.kind() {
            "input" => Kind::Input,
            "conv" => match &node.layer {
                AnyLayer::Conv(conv) if conv.groups > 1 && conv.groups == graph.node(node.inputs[0]).shape.c => {
                    Kind::Depthwise
                }
                _ => Kind::Convolution,
            },
            "table_conv" => Kind::Convolution,
            "conv_transpose" => Kind::Transposed,
            "linear" | "rbf" => Kind::Linear,
            "add" | "concat" | "multiply" => Kind::Join,
            "zero_pad_shortcut" => Kind::Shortcut,
            "flatten" => Kind::Flatten,
            "batch_norm" | "local_response_norm" => Kind::Normalisation,
            "relu" | "relu6" | "leaky_relu" | "clip" | "tanh" | "scaled_tanh" | "sigmoid" | "softmax"
            | "hard_sigmoid" | "hard_swish" => Kind::Activation,
            "dropout" => Kind::Dropout,
            "subsample" | "max_unpool" => Kind::Pooling,
            other if other.ends_with("_pool") => Kind::Pooling,
            _ => Kind::Other,
        }
    }

    /// Whether a layer of this kind leaves its map as it was and is drawn as a slice of it.
    pub(super) fn is_slice(self) -> bool {
        matches!(self, Kind::Normalisation | Kind::Activation | Kind::Dropout)
    }

    /// Red, green, blue of the front.
    pub(super) fn colour(self) -> [u8; 3] {
        match self {
            Kind::Input => [236, 236, 236],
            Kind::Convolution => [250, 208, 112],
            Kind::Depthwise => [238, 142, 70],
            Kind::Transposed => [206, 220, 100],
            Kind::Pooling => [196, 72, 84],
            Kind::Linear => [92, 146, 214],
            Kind::Join => [136, 190, 126],
            Kind::Shortcut => [178, 216, 232],
            Kind::Flatten => [206, 212, 220],
            Kind::Other => [190, 170, 150],
            Kind::Normalisation => [150, 128, 200],
            Kind::Activation => [110, 32, 60],
            Kind::Dropout => [250, 250, 250],
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Input => "input",
            Kind::Convolution => "convolution",
            Kind::Depthwise => "depthwise convolution",
            Kind::Transposed => "transposed convolution",
            Kind::Pooling => "pooling",
            Kind::Linear => "linear",
            Kind::Join => "join",
            Kind::Shortcut => "shortcut",
            Kind::Flatten => "flatten",
            Kind::Other => "other",
            Kind::Normalisation => "normalisation",
            Kind::Activation => "activation",
            Kind::Dropout => "dropout",
        }
    }
}

/// A layer's attributes as a label has them: `3×3/2, 64`. What the shape or the colour tells already is left away.
pub(super) fn attributes(graph: &Graph, node: &Node) -> String {
    let full = node.layer.describe();
    let mut words: Vec<&str> = Vec::new();
    let mut rest = full.split(' ').filter(|w| !w.is_empty());
    while let Some(word) = rest.next() {
        match word {
            "pad" | "no" => _ = rest.next(),
            "ceil" => {}
            _ => words.push(word),
        }
    }
    let window = words.first().copied().unwrap_or_default();
    if Kind::of(graph, node) == Kind::Depthwise {
        return format!("{window} dw");
    }
    let what = words.join(" ");
    let before = match node.layer.kind() {
        "table_conv" => return format!("{window}, {}", node.shape.c),
        "conv" | "conv_transpose" => return format!("{what}, {}", node.shape.c),
        "input" | "linear" | "concat" | "norm_pool" => return what,
        "add" => "+",
        "avg_pool" | "adaptive_avg_pool" => "average",
        "zero_pad_shortcut" => "zeros",
        "global_avg_pool" => "global average",
        other => &other.trim_end_matches("_pool").replace('_', " "),
    };
    [before, &what].join(" ").trim_end().to_owned()
}
