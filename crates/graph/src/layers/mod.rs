//! The layers: one file each, with attributes, shape rule, parameters, cost, forward and backward; and the list of them.
//!
//! Adding one is a new file and one word in the list below, which gives it its JSON and puts it under the shared check
//! (`check.rs`): the file's `examples` say with which attributes and shapes.

#[cfg(test)]
mod check;

use crate::{Backward, Forward, Layer, Misfit, Needs, ParamSpec, Saved, Setting, Shape};
use serde::{Deserialize, Serialize};

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

            fn layer(&self) -> &dyn Layer {
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
    add => Add,
    avg_pool => AvgPool,
    batch_norm => BatchNorm,
    concat => Concat,
    conv => Conv,
    dropout => Dropout,
    flatten => Flatten,
    global_avg_pool => GlobalAvgPool,
    input => Input,
    linear => Linear,
    max_pool => MaxPool,
    relu => Relu,
    sigmoid => Sigmoid,
    softmax => Softmax,
    tanh => Tanh,
    zero_pad_shortcut => ZeroPadShortcut,
}

impl Layer for AnyLayer {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        self.layer().infer(inputs)
    }
    fn params(&self, inputs: &[Shape]) -> Vec<ParamSpec> {
        self.layer().params(inputs)
    }
    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        self.layer().multiply_adds(inputs, output)
    }
    fn describe(&self) -> String {
        self.layer().describe()
    }
    fn needs(&self) -> Needs {
        self.layer().needs()
    }
    fn saved(&self, batch: usize, inputs: &[Shape], output: Shape) -> Saved {
        self.layer().saved(batch, inputs, output)
    }
    fn scratch(&self, batch: usize, inputs: &[Shape], output: Shape, backward: bool) -> usize {
        self.layer().scratch(batch, inputs, output, backward)
    }
    fn forward(&self, pass: Forward<'_>) {
        self.layer().forward(pass);
    }
    fn backward(&self, pass: Backward<'_, '_>) {
        self.layer().backward(pass);
    }
    fn gather(&self, setting: Setting<'_>, values: &[f32], params: &mut [&mut [f32]]) {
        self.layer().gather(setting, values, params);
    }
}
