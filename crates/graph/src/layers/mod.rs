//! The layers: one file each, with attributes, shape rule, parameters, cost, forward and backward; and the list of them.
//!
//! Adding one is a new file and one word in the list below, which gives it its JSON and puts it under the shared check
//! (`check.rs`): the file's `examples` say with which attributes and shapes.

#[cfg(test)]
mod check;
mod pooling;
mod shared_weights;

use crate::Layer;
#[cfg(test)]
use crate::Shape;
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// Declares the modules, the enum over all layers, and its conversions.
macro_rules! layers {
    ($($module:ident => $name:ident),+ $(,)?) => {
        $(mod $module; pub use $module::$name;)+

        /// Any layer.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum AnyLayer {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name)),+
        }

        impl AnyLayer {
            /// Every kind's name, as in JSON.
            pub const KINDS: &[&str] = &[$(stringify!($module)),+];

            /// The kind's name, as in JSON: `max_pool`.
            pub fn kind(&self) -> &'static str {
                match self { $(AnyLayer::$name(_) => stringify!($module)),+ }
            }
        }

        impl Deref for AnyLayer {
            type Target = dyn Layer;

            fn deref(&self) -> &Self::Target {
                match self { $(AnyLayer::$name(layer) => layer),+ }
            }
        }

        $(impl From<$name> for AnyLayer {
            fn from(layer: $name) -> Self { AnyLayer::$name(layer) }
        })+

        #[cfg(test)]
        fn examples() -> Vec<(AnyLayer, Vec<Shape>)> {
            let mut all = Vec::new();
            $(all.extend($module::examples().into_iter().map(|(layer, shapes)| (AnyLayer::from(layer), shapes)));)+
            all
        }
    };
}

layers! {
    adaptive_avg_pool => AdaptiveAvgPool,
    add => Add,
    avg_pool => AvgPool,
    batch_norm => BatchNorm,
    clip => Clip,
    concat => Concat,
    conv => Conv,
    conv_transpose => ConvTranspose,
    dropout => Dropout,
    flatten => Flatten,
    fractional_max_pool => FractionalMaxPool,
    global_avg_pool => GlobalAvgPool,
    global_max_pool => GlobalMaxPool,
    hard_sigmoid => HardSigmoid,
    hard_swish => HardSwish,
    input => Input,
    leaky_relu => LeakyRelu,
    linear => Linear,
    local_response_norm => LocalResponseNorm,
    max_pool => MaxPool,
    max_unpool => MaxUnpool,
    multiply => Multiply,
    norm_pool => NormPool,
    rbf => Rbf,
    relu => Relu,
    relu6 => Relu6,
    scaled_tanh => ScaledTanh,
    sigmoid => Sigmoid,
    softmax => Softmax,
    subsample => Subsample,
    table_conv => TableConv,
    tanh => Tanh,
    zero_pad_shortcut => ZeroPadShortcut,
}

pub use fractional_max_pool::{Regions, Sequence};
