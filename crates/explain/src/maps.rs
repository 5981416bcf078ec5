//! A layer's activations as pictures, one a channel, with those marked that are nowhere above zero.

use crate::{Colours, Heat};
use striate_data::Picture;
use striate_graph::Shape;

/// One channel's activations.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelMap {
    /// The channel.
    pub channel: usize,
    /// The activations.
    pub heat: Heat,
    /// Whether none is above zero, or all are the same.
    pub dead: bool,
}

impl ChannelMap {
    /// Every channel of a map.
    pub fn all(map: &[f32], shape: Shape) -> Vec<ChannelMap> {
        let of = |channel: usize| {
            let values: Vec<f32> = map.iter().skip(channel).step_by(shape.c).copied().collect();
            let dead = values.iter().all(|v| *v <= 0.0) || (values.len() > 1 && values.iter().all(|v| *v == values[0]));
            ChannelMap { channel, heat: Heat::new(shape.h, shape.w, values), dead }
        };
        (0..shape.c).map(of).collect()
    }

    /// The map in colours: from 0 where nothing is below it, else around 0.
    pub fn picture(&self) -> Picture {
        let signed = self.heat.range()[0] < 0.0;
        let colours = if signed { Colours::Signed } else { Colours::Rising };
        colours.paint(&self.heat, colours.ends(&self.heat))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_apart_and_dead_ones_are_told() {
        // Two cells of four channels: one lives, one is zero, one negative, one the same everywhere.
        let maps = ChannelMap::all(&[1.0, 0.0, -1.0, 5.0, 0.5, 0.0, -2.0, 5.0], Shape::new(1, 2, 4));
        assert_eq!(maps.iter().map(|m| m.dead).collect::<Vec<_>>(), [false, true, true, true]);
        assert_eq!(maps[0].heat.values, [1.0, 0.5]);
        // The single value of a vector's unit is not dead for being alone.
        assert!(!ChannelMap::all(&[3.0], Shape::vector(1))[0].dead);
        assert_eq!(maps[0].picture().width, 2);
    }
}
