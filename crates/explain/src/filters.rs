//! A convolution's filters as pictures, each scaled by itself.

use crate::{ExplainError, Subject, colours};
use striate_data::Picture;
use striate_graph::{AnyLayer, NodeId};

/// The filters of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Filters<'a> {
    /// O×I×H×W, as in checkpoints.
    pub values: &'a [f32],
    /// Filters.
    pub count: usize,
    /// Channels that each filter reads.
    pub channels: usize,
    /// Rows and columns.
    pub kernel: [usize; 2],
    /// From one place to the next, rows and columns.
    pub stride: [usize; 2],
}

impl<'a> Filters<'a> {
    /// The filters of a convolution.
    ///
    /// # Errors
    /// If the layer is none.
    pub fn of(subject: &'a Subject, layer: NodeId) -> Result<Filters<'a>, ExplainError> {
        let node = subject.graph.node(layer);
        let AnyLayer::Conv(conv) = &node.layer else {
            let why = format!("it is a layer of kind {}, and only convolutions have filters", node.layer.kind());
            return Err(ExplainError::Layer { what: "a picture of filters", layer: node.name.clone(), why });
        };
        let count = conv.out_channels;
        let values = subject.parameters.of(layer)[0].as_slice();
        let (kernel, stride) = (conv.window.kernel, conv.window.stride);
        Ok(Filters { values, count, channels: values.len() / (count * kernel[0] * kernel[1]), kernel, stride })
    }

    /// One filter's values: channels, rows, columns.
    pub fn values_of(&self, filter: usize) -> &'a [f32] {
        let len = self.channels * self.kernel[0] * self.kernel[1];
        &self.values[filter * len..(filter + 1) * len]
    }

    /// A filter as a picture: in colour if it reads three channels, else its channels side by side, `most` of them. Zero is
    /// mid-grey, and the filter's largest absolute value black or white.
    pub fn picture(&self, filter: usize, most: usize) -> Picture {
        let ([h, w], values) = (self.kernel, self.values_of(filter));
        if self.channels == 3 {
            // Channels become the innermost axis.
            let innermost: Vec<f32> = (0..h * w).flat_map(|tap| (0..3).map(move |c| values[c * h * w + tap])).collect();
            return colours::projection(&innermost, h, w);
        }
        let shown = self.channels.min(most.max(1));
        let across = (shown as f64).sqrt().ceil() as usize;
        let down = shown.div_ceil(across);
        // A line of zeros between channels.
        let (width, height) = (across * (w + 1) - 1, down * (h + 1) - 1);
        let mut all = vec![0.0; width * height];
        for channel in 0..shown {
            let (top, left) = (channel / across * (h + 1), channel % across * (w + 1));
            for (tap, v) in values[channel * h * w..(channel + 1) * h * w].iter().enumerate() {
                all[(top + tap / w) * width + left + tap % w] = *v;
            }
        }
        colours::projection(&all, height, width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::kinked;

    #[test]
    fn filters_are_shown_as_they_are_stored() {
        let subject = kinked();
        let first = Filters::of(&subject, subject.graph.find("conv1").unwrap()).unwrap();
        assert_eq!((first.count, first.channels, first.kernel), (6, 3, [3, 3]));
        let (picture, values) = (first.picture(2, 16), first.values_of(2));
        assert_eq!((picture.width, picture.height), (3, 3));
        let most = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        // Row 1, column 2 in green: channel 1, tap 5.
        let green = (127.5 + 127.5 * values[9 + 5] / most).round() as u8;
        assert_eq!(picture.pixel(2, 1)[1], green);
        // Six channels of 3×3: three across, two down.
        let second = Filters::of(&subject, subject.graph.find("conv2").unwrap()).unwrap().picture(0, 16);
        assert_eq!((second.width, second.height), (11, 7));
        let e = Filters::of(&subject, subject.graph.find("fc").unwrap()).unwrap_err().to_string();
        assert!(e.contains("`fc`") && e.contains("kind linear"), "{e}");
    }
}
