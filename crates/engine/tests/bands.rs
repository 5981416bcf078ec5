//! Images in bands of rows against whole images: the same answers, in memory that does not grow with the image.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use striate_engine::{Bands, EngineError, Memory, Parameters, Precision, Request, Scheme, Session};
use striate_graph::layers::{
    Add, AvgPool, BatchNorm, Concat, Conv, Flatten, GlobalMaxPool, Linear, LocalResponseNorm, MaxPool, Relu,
    ZeroPadShortcut,
};
use striate_graph::{Builder, Graph, Padding, Shape};
use striate_kernels::{Cpu, uniform};
use striate_zoo::{Options, build};

/// Values in every tensor, so that a border taken for image, or image for a border, shows.
fn parameters(graph: &Graph) -> Parameters {
    let mut p = Parameters::init(graph, Scheme::He, 7);
    for (_, spec, values) in p.iter_mut().filter(|(_, spec, _)| spec.shape.len() == 1) {
        assert_eq!(values.len(), spec.len());
        values.iter_mut().zip(0..).for_each(|(v, i)| *v += 0.3 * uniform(11, i));
    }
    p
}

fn pixel(i: usize) -> f32 {
    uniform(3, i as u64) - 0.5
}

/// The whole image's answer.
fn whole(graph: &Graph, p: &Parameters, input: Shape) -> Vec<f32> {
    let graph = Arc::new(graph.without_auxiliary().resized(input).unwrap());
    let image: Vec<f32> = (0..input.len()).map(pixel).collect();
    let cpu = Arc::new(Cpu::new(2).unwrap());
    let own = p.clone().take_part(&graph).unwrap();
    let mut session = Session::new(graph, cpu, &Request::predict(1)).unwrap();
    session.forward(&own, &image, 1, 0).unwrap().to_vec()
}

fn banded(graph: &Graph, p: &mut Parameters, input: Shape, limit: usize) -> (Bands, Vec<f32>) {
    let cpu = Arc::new(Cpu::new(2).unwrap());
    let bands = Bands::new(graph, cpu, input, Precision::F32, limit).unwrap();
    let row = input.w * input.c;
    let answer = bands.forward(p, |rows, pixels| {
        assert_eq!(pixels.len(), rows.len() * row);
        pixels.iter_mut().zip(rows.start * row..).for_each(|(v, i)| *v = pixel(i));
    });
    (bands, answer.unwrap())
}

/// The least memory that an image of this shape can be taken through in.
fn least(graph: &Graph, input: Shape) -> usize {
    match Bands::new(graph, Arc::new(Cpu::new(2).unwrap()), input, Precision::F32, 1) {
        Err(EngineError::Image { smallest, limit: 1, .. }) => smallest,
        other => panic!("{other:?}"),
    }
}

/// Asserts that bands answer as the whole image does, in the least memory and in some more.
fn assert_same(graph: &Graph, input: Shape, at_least: usize) {
    let mut p = parameters(graph);
    let expected = whole(graph, &p, input);
    let scale = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let alone = Memory::of(&graph.without_auxiliary().resized(input).unwrap(), &Request::predict(1)).unwrap().total();
    let least = least(graph, input);
    assert!(least < alone, "{}: {least} of {alone} bytes", graph.name());
    for limit in [least, usize::midpoint(least, alone)] {
        let (bands, answer) = banded(graph, &mut p, input, limit);
        let name = format!("{} at {input} in {limit} bytes, {:?}", graph.name(), bands.bands());
        assert!(bands.memory() <= limit, "{name}");
        if limit == least {
            assert!(bands.bands().len() >= at_least, "{name}, alone {alone}");
        }
        let kept: Vec<_> = bands.bands().iter().map(|b| b.kept.clone()).collect();
        assert!(kept[0].start == 0 && kept.windows(2).all(|w| w[0].end == w[1].start), "{name}");
        let worst = expected.iter().zip(&answer).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(worst <= 1e-5 * scale, "{name}: off by {worst} of {scale}");
        // The parameters are where they were.
        assert!(parameters(graph).iter().zip(p.iter()).all(|((.., a), (.., b))| a == b));
    }
}

/// Paddings on one side, strides, a dilation, pooling that rounds up, branches of different reach, shortcuts of both kinds.
fn branching(input: Shape) -> Graph {
    let mut g = Builder::new("branching");
    let x = g.input(input);
    let below = Padding { top: 0, left: 0, bottom: 1, right: 1 };
    let mut x = g.add("stem", Conv::new(8, 3).stride(2).padding(below), x);
    x = g.add("stem_relu", Relu, x);
    x = g.add("lrn", LocalResponseNorm::alexnet(), x);
    x = g.add("pool", MaxPool::new(3).stride(2).ceil(), x);
    let one = g.add("one", Conv::new(4, 1), x);
    let five = g.add("five", Conv::new(6, 5).pad(2), x);
    let wide = g.add("wide", Conv::new(5, 3).pad(2).dilation(2), x);
    let pooled = g.add("pooled", MaxPool::new(3).stride(1).pad(1), x);
    x = g.add("concat", Concat, [one, five, wide, pooled]);
    let c = g.add("block.conv1", Conv::new(32, 3).stride(2).pad(1).no_bias(), x);
    let b = g.add("block.bn1", BatchNorm::new(), c);
    let r = g.add("block.relu1", Relu, b);
    let c = g.add("block.conv2", Conv::new(32, 3).pad(1), r);
    let s = g.add("block.shortcut", ZeroPadShortcut::new(32, 2), x);
    let a = g.add("block.add", Add, [c, s]);
    x = g.add("block.relu2", Relu, a);
    x = g.add("mean", AvgPool::new(2).stride(2), x);
    x = g.add("last", Conv::new(12, 3), x);
    x = g.add("max", GlobalMaxPool, x);
    x = g.add("fc", Linear::new(5), x);
    g.finish(x).unwrap()
}

#[test]
fn branches_paddings_and_strides_meet_at_every_seam() {
    // Heights that leave something over at each stride.
    for height in [640, 643, 701, 730] {
        assert_same(&branching(Shape::new(64, 64, 3)), Shape::new(height, 72, 3), 3);
    }
}

#[test]
fn published_networks_answer_as_on_the_whole_image() {
    let of = |name: &str| build(name, &Options { classes: Some(10), ..Options::default() }).unwrap();
    let small = |name: &str| {
        let input = Some(Shape::new(64, 64, 3));
        build(name, &Options { input, classes: Some(10), auxiliary: Some(false), ..Options::default() }).unwrap()
    };
    // Its prepared weights take so much that few bands save as much as many.
    assert_same(&of("resnet18"), Shape::new(1500, 200, 3), 2);
    assert_same(&small("googlenet"), Shape::new(700, 40, 3), 3);
    assert_same(&small("googlenet_paper"), Shape::new(643, 48, 3), 3);
    assert_same(&of("mobilenet_v1_0.25"), Shape::new(1001, 64, 3), 3);
    assert_same(&of("resnet20"), Shape::new(500, 32, 3), 3);
}

#[test]
fn adaptive_pooling_sees_the_whole_map() {
    // VGG's map of 7×7 is divided anew for every image; a narrow one stands for its sixteen layers.
    let mut g = Builder::new("narrow_vgg");
    let mut x = g.input(Shape::new(56, 56, 3));
    for (i, channels) in [8, 12, 16].into_iter().enumerate() {
        x = g.add(format!("conv{i}"), Conv::new(channels, 3).pad(1), x);
        x = g.add(format!("relu{i}"), Relu, x);
        x = g.add(format!("pool{i}"), MaxPool::new(2), x);
    }
    x = g.add("avgpool", striate_graph::layers::AdaptiveAvgPool::new(7, 7), x);
    x = g.add("flatten", Flatten, x);
    x = g.add("fc", Linear::new(6), x);
    let graph = g.finish(x).unwrap();
    // 560 rows leave a map whose rows are a multiple of 7, where the pooling's reach looks like a window's.
    for height in [560, 601] {
        assert_same(&graph, Shape::new(height, 56, 3), 3);
    }
}

#[test]
fn memory_grows_by_the_small_map_alone() {
    let graph = build("mobilenet_v1_0.25", &Options { classes: Some(10), ..Options::default() }).unwrap();
    let input = |height| Shape::new(height, 256, 3);
    let cpu = Arc::new(Cpu::new(2).unwrap());
    // The map that bands make has 256 channels and a cell for 32×32 pixels: a byte a pixel. What is behind has its own copy.
    let map = |height: usize| 4 * 256 * height.div_ceil(32) * 8;
    let short = least(&graph, input(1500));
    for height in [3000, 12_000, 48_000] {
        let limit = short + 2 * map(height);
        let bands = Bands::new(&graph, cpu.clone(), input(height), Precision::F32, limit).unwrap();
        assert!(bands.memory() <= limit && bands.bands().len() > height / 3000, "{height}: {:?}", bands.bands());
        let alone = Memory::of(&graph.resized(input(height)).unwrap(), &Request::predict(1)).unwrap().total();
        assert!(alone > 3 * limit, "{height}: whole, it takes {alone}, where {limit} do");
    }
}

#[test]
fn an_image_that_fits_is_not_cut() {
    let graph = build("resnet20", &Options::default()).unwrap();
    let mut p = parameters(&graph);
    let input = Shape::new(60, 48, 3);
    let (bands, answer) = banded(&graph, &mut p, input, 1 << 30);
    assert_eq!(bands.bands().len(), 1);
    assert_eq!(answer, whole(&graph, &p, input));
}

#[test]
fn networks_of_one_size_say_so() {
    let refused = |name: &str, input: Shape| {
        let graph = build(name, &Options::default()).unwrap();
        let cpu = Arc::new(Cpu::new(1).unwrap());
        match Bands::new(&graph, cpu, input, Precision::F32, 1 << 30) {
            Err(e @ EngineError::Size { .. }) => e.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let e = refused("lenet5", Shape::new(64, 64, 1));
    assert!(e.contains("`lenet5`") && e.contains("(linear)") && e.contains("any size"), "{e}");
    let e = refused("resnet20", Shape::new(64, 64, 1));
    assert!(e.contains("3 channels"), "{e}");
    assert!(refused("googlenet", Shape::new(3, 3, 3)).contains("does not fit"));
}
