//! Occlusion (Zeiler and Fergus 2013, arXiv:1311.2901, section 4.2 and figure 7): a grey square covers one place of the picture
//! after another, and at each are taken the class's probability (7d), the most probable class (7e), and the total activation of
//! the map that is strongest in the uncovered picture (7b). A pixel's value on the heat map is the mean loss of probability
//! over the squares that cover it.

use super::{Explanation, Method, Settings, facts};
use crate::subject::{Predictor, largest};
use crate::{Array, ExplainError, Heat, Subject, last_map};
use serde_json::json;

/// What the class's probability loses.
pub struct Occlusion;

/// What was found at each place of the square: rows × columns places, rows first.
#[derive(Clone, Debug, PartialEq)]
pub struct Occluded {
    /// The square's side, in pixels of the input.
    pub window: usize,
    /// The square's first row at each row of places.
    pub rows: Vec<usize>,
    /// The square's first column at each column of places.
    pub columns: Vec<usize>,
    /// The class's probability with the square there.
    pub probability: Vec<f32>,
    /// The strongest map's total activation.
    pub strongest: Vec<f32>,
    /// The most probable class.
    pub best: Vec<usize>,
    /// Without a square: probability and the map's total.
    pub whole: [f32; 2],
    /// The strongest map's layer and channel.
    pub map: (String, usize),
}

/// The first pixels of windows over a side: every `stride`, and one at the end.
fn places(side: usize, window: usize, stride: usize) -> Vec<usize> {
    let last = side - window;
    (0..=last.div_ceil(stride)).map(|i| (i * stride).min(last)).collect()
}

/// Each channel's sum over a map.
fn totals(map: &[f32], c: usize) -> Vec<f32> {
    let mut sum = vec![0.0; c];
    for cell in map.chunks_exact(c) {
        sum.iter_mut().zip(cell).for_each(|(sum, v)| *sum += v);
    }
    sum
}

/// Moves a grey square over an input.
///
/// # Errors
/// If window or stride is 0, or the window larger than the input.
pub fn occlude(subject: &Subject, input: &[f32], class: usize, settings: &Settings) -> Result<Occluded, ExplainError> {
    let shape = subject.graph.input().shape;
    let short = shape.h.min(shape.w);
    let window = settings.window.unwrap_or((short / 4).max(1));
    let stride = settings.stride.unwrap_or((window / 4).max(1));
    if window == 0 || window > short || stride == 0 {
        let why =
            format!("the square's side must be from 1 to {short} and its stride at least 1, not {window} and {stride}");
        return Err(ExplainError::Setting(why));
    }
    let layer = settings.layer.map_or_else(|| last_map(&subject.graph).map(|(layer, _)| layer), Ok)?;
    let map = subject.graph.node(layer);
    let (rows, columns) = (places(shape.h, window, stride), places(shape.w, window, stride));
    let all: Vec<[usize; 2]> = rows.iter().flat_map(|y| columns.iter().map(move |x| [*y, *x])).collect();
    let batch = settings.batch.clamp(1, all.len());
    let mut predictor = Predictor::new(subject, batch, &[layer])?;
    let (mut whole, mut channel) = ([0.0; 2], 0);
    predictor.run(input, &mut |_, _, probabilities, maps| {
        let sums = totals(maps[0], map.shape.c);
        channel = largest(&sums);
        whole = [probabilities[class], sums[channel]];
    })?;

    let grey = subject.level(0.5);
    let classes = subject.classes.len();
    let (mut probability, mut strongest, mut best) = (Vec::new(), Vec::new(), Vec::new());
    let mut images = Vec::new();
    for places in all.chunks(batch) {
        images.clear();
        for place in places {
            let start = images.len();
            images.extend_from_slice(input);
            cover(&mut images[start..], shape.w, *place, window, &grey);
        }
        predictor.run(&images, &mut |_, n, probabilities, maps| {
            for row in probabilities.chunks_exact(classes) {
                probability.push(row[class]);
                best.push(largest(row));
            }
            for map_of_one in maps[0].chunks_exact(maps[0].len() / n) {
                strongest.push(totals(map_of_one, map.shape.c)[channel]);
            }
        })?;
    }
    Ok(Occluded { window, rows, columns, probability, strongest, best, whole, map: (map.name.clone(), channel) })
}

/// Puts a square of one colour on an image of rows of `w` pixels.
fn cover(image: &mut [f32], w: usize, [y, x]: [usize; 2], window: usize, colour: &[f32]) {
    let c = colour.len();
    for row in y..y + window {
        let start = (row * w + x) * c;
        image[start..start + window * c].chunks_exact_mut(c).for_each(|pixel| pixel.copy_from_slice(colour));
    }
}

impl Occluded {
    /// Values of places, brought to the pixels of an input of `h` × `w`: the mean over the squares that cover each.
    pub fn over_pixels(&self, values: &[f32], h: usize, w: usize) -> Heat {
        let (mut sum, mut count) = (vec![0.0f64; h * w], vec![0u32; h * w]);
        for (i, value) in values.iter().enumerate() {
            let (y, x) = (self.rows[i / self.columns.len()], self.columns[i % self.columns.len()]);
            for row in y..y + self.window {
                for at in row * w + x..row * w + x + self.window {
                    sum[at] += f64::from(*value);
                    count[at] += 1;
                }
            }
        }
        // A stride beyond the window leaves pixels that no square covers.
        let mean = sum.iter().zip(&count).map(|(sum, n)| (sum / f64::from((*n).max(1))) as f32);
        Heat::new(h, w, mean.collect())
    }

    /// What the probability loses at each place.
    pub fn loss(&self) -> Vec<f32> {
        self.probability.iter().map(|p| self.whole[0] - p).collect()
    }

    /// The heat map: what the probability loses, on the pixels.
    pub fn explanation(&self, subject: &Subject) -> Explanation {
        let shape = subject.graph.input().shape;
        let heat = self.over_pixels(&self.loss(), shape.h, shape.w);
        let facts = facts([
            ("window", json!(self.window)),
            ("places", json!([self.rows.len(), self.columns.len()])),
            ("probability", json!(self.whole[0])),
            ("least_probability", json!(self.probability.iter().copied().fold(f32::INFINITY, f32::min))),
            ("strongest_map", json!({"layer": self.map.0, "channel": self.map.1, "total": self.whole[1]})),
        ]);
        let raw = Array::new(&[self.rows.len(), self.columns.len()], self.probability.clone());
        Explanation { heat, signed: true, raw, facts }
    }
}

impl Method for Occlusion {
    fn name(&self) -> &'static str {
        "occlusion"
    }

    fn about(&self) -> &'static str {
        "what the class's probability loses when a square is covered"
    }

    fn source(&self) -> &'static str {
        "Zeiler and Fergus 2013, arXiv:1311.2901"
    }

    fn explain(
        &self,
        subject: &Subject,
        input: &[f32],
        class: usize,
        settings: &Settings,
    ) -> Result<Explanation, ExplainError> {
        Ok(occlude(subject, input, class, settings)?.explanation(subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{kinked, picture};

    #[test]
    fn squares_reach_both_edges() {
        assert_eq!(places(10, 4, 3), [0, 3, 6]);
        assert_eq!(places(11, 4, 3), [0, 3, 6, 7]);
        assert_eq!(places(4, 4, 3), [0]);
        assert_eq!(places(6, 1, 1), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn it_is_what_one_image_after_another_gives() {
        let (subject, input) = (kinked(), picture(&kinked()));
        let settings = Settings { window: Some(2), stride: Some(1), batch: 4, ..Settings::default() };
        let found = occlude(&subject, &input, 1, &settings).unwrap();
        assert_eq!((found.rows.len(), found.columns.len()), (5, 5));
        let layer = subject.graph.find(&found.map.0).unwrap();
        let mut alone = Predictor::new(&subject, 1, &[layer]).unwrap();
        for y in 0..5 {
            for x in 0..5 {
                let mut image = input.clone();
                for (i, v) in image.iter_mut().enumerate() {
                    let (row, column, channel) = (i / 18, i / 3 % 6, i % 3);
                    if (y..y + 2).contains(&row) && (x..x + 2).contains(&column) {
                        let p = &subject.preprocessing;
                        *v = (0.5 - p.mean[channel]) / p.std[channel];
                    }
                }
                alone
                    .run(&image, &mut |_, _, p, maps| {
                        let total: f32 = maps[0].iter().skip(found.map.1).step_by(8).sum();
                        assert!((found.probability[y * 5 + x] - p[1]).abs() < 1e-6);
                        assert!((found.strongest[y * 5 + x] - total).abs() < 1e-4);
                        assert_eq!(found.best[y * 5 + x], largest(p));
                    })
                    .unwrap();
            }
        }
        // A corner lies under one square, the pixel beside it under two.
        let heat = found.over_pixels(&found.probability, 6, 6);
        assert!((heat.values[0] - found.probability[0]).abs() < 1e-6);
        assert!((heat.values[1] - f32::midpoint(found.probability[0], found.probability[1])).abs() < 1e-6);
    }

    #[test]
    fn squares_that_do_not_fit_are_refused() {
        let (subject, input) = (kinked(), picture(&kinked()));
        for (window, stride) in [(0, 1), (7, 1), (2, 0)] {
            let settings = Settings { window: Some(window), stride: Some(stride), ..Settings::default() };
            let e = occlude(&subject, &input, 0, &settings).unwrap_err().to_string();
            assert!(e.contains("from 1 to 6"), "{e}");
        }
    }
}
