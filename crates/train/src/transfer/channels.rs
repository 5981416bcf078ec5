//! First layers for another number of colours: weights of colour pictures made ones of grey pictures, and the other way
//! round, so that a picture without colour gives what it gave before.

use striate_graph::{AnyLayer, Graph};

/// Whether a network's first layers can be given another number of input channels: all that take its input are
/// convolutions over all channels.
pub(super) fn adaptable(graph: &Graph) -> bool {
    let input = graph.input_id();
    let mut readers = graph.nodes().iter().filter(|node| node.inputs.contains(&input)).peekable();
    readers.peek().is_some() && readers.all(|node| matches!(node.layer, AnyLayer::Conv(conv) if conv.groups == 1))
}

/// The weight `[out, from, kh, kw]` of a convolution for `to` channels: the sum of a filter's channels for one, and equal
/// parts of a filter of one. `area` is kh·kw.
pub(super) fn adapt(weight: &[f32], from: usize, to: usize, area: usize) -> Vec<f32> {
    let mut adapted = Vec::with_capacity(weight.len() / from * to);
    for filter in weight.chunks_exact(from * area) {
        let sum = |i: usize| filter.iter().skip(i).step_by(area).sum::<f32>();
        for _ in 0..to {
            adapted.extend((0..area).map(|i| sum(i) / to as f32));
        }
    }
    adapted
}

/// A mean or deviation of each channel, for `to` channels.
pub(super) fn spread(values: &[f32], to: usize) -> Vec<f32> {
    if values.len() == to {
        return values.to_vec();
    }
    vec![values.iter().sum::<f32>() / values.len() as f32; to]
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_graph::layers::{Conv, Flatten, Linear};
    use striate_graph::{Builder, Shape};

    #[test]
    fn a_grey_picture_gives_what_it_gave_in_colour() {
        // Two filters of 3 channels and 2 cells.
        let weight: Vec<f32> = (1..=12).map(|v| v as f32).collect();
        assert_eq!(adapt(&weight, 3, 1, 2), [1.0 + 3.0 + 5.0, 2.0 + 4.0 + 6.0, 7.0 + 9.0 + 11.0, 8.0 + 10.0 + 12.0]);
        let grey = adapt(&[3.0, 6.0], 1, 3, 2);
        assert_eq!(grey, [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
        assert_eq!(adapt(&grey, 3, 1, 2), [3.0, 6.0]);
        assert_eq!((spread(&[0.25, 0.5, 0.75], 1), spread(&[0.5], 3)), (vec![0.5], vec![0.5; 3]));
    }

    #[test]
    fn only_convolutions_over_all_channels_can_be_adapted() {
        let first = |layer: AnyLayer| {
            let mut g = Builder::new("n");
            let x = g.input(Shape::new(4, 4, 3));
            let x = g.add("first", layer, x);
            let x = g.add("flat", Flatten, x);
            let x = g.add("fc", Linear::new(2), x);
            adaptable(&g.finish(x).unwrap())
        };
        assert!(first(Conv::new(3, 3).into()));
        assert!(!first(Conv::new(3, 3).groups(3).into()));
        assert!(!first(Flatten.into()));
    }
}
