//! The residual networks for CIFAR-10 (He et al. 2015, arXiv:1512.03385, section 4.2): three stages of n blocks with 16, 32
//! and 64 maps, parameter-free shortcuts (option A), 6n + 2 weighted layers. Nodes are named as in the widely used PyTorch
//! weights (`layer1.0.conv1`, …, `linear`).

use crate::{Architecture, Published};
use striate_graph::layers::{Add, BatchNorm, Conv, GlobalAvgPool, Linear, Relu, ZeroPadShortcut};
use striate_graph::{Builder, Graph, GraphError, NodeId, Shape};

pub(crate) const VARIANTS: &[Architecture] = &[Architecture {
    name: "resnet20",
    about: "residual network of 20 layers for small colour images",
    paper: "He et al. 2015, arXiv:1512.03385",
    input: Shape::new(32, 32, 3),
    classes: 10,
    published: Published { parameters: 269_722, multiply_adds: Some(40_551_040), accuracy: "8.75 % error on CIFAR-10" },
    graph: |name, input, classes| residual(name, 3, input, classes),
}];

const WIDTHS: [usize; 3] = [16, 32, 64];

fn residual(name: &str, blocks: usize, input: Shape, classes: usize) -> Result<Graph, GraphError> {
    let mut g = Builder::new(name);
    let mut x = g.input(input);
    x = g.add("conv1", Conv::new(WIDTHS[0], 3).pad(1).no_bias(), x);
    x = g.add("bn1", BatchNorm::new(), x);
    x = g.add("relu1", Relu, x);
    for (stage, width) in WIDTHS.into_iter().enumerate() {
        for i in 0..blocks {
            let stride = if stage > 0 && i == 0 { 2 } else { 1 };
            x = g.scope(format!("layer{}.{i}", stage + 1), |g| block(g, width, stride, x));
        }
    }
    x = g.add("pool", GlobalAvgPool, x);
    x = g.add("linear", Linear::new(classes), x);
    g.finish(x)
}

fn block(g: &mut Builder, width: usize, stride: usize, input: NodeId) -> NodeId {
    let mut x = g.add("conv1", Conv::new(width, 3).stride(stride).pad(1).no_bias(), input);
    x = g.add("bn1", BatchNorm::new(), x);
    x = g.add("relu1", Relu, x);
    x = g.add("conv2", Conv::new(width, 3).pad(1).no_bias(), x);
    x = g.add("bn2", BatchNorm::new(), x);
    let shortcut = if stride > 1 || g.shape(input).c != width {
        g.add("shortcut", ZeroPadShortcut::new(width, stride), input)
    } else {
        input
    };
    x = g.add("add", Add, [x, shortcut]);
    g.add("relu2", Relu, x)
}
