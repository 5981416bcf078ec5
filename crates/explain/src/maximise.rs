//! An image that excites a unit (Erhan et al. 2009, "Visualizing higher-layer features of a deep network"; Simonyan et al. 2013,
//! arXiv:1312.6034, section 2): gradient ascent from grey with a little noise, kept natural by decay, blur and levels that stay
//! possible (Yosinski et al. 2015, arXiv:1506.06579), and by shifting the image about between steps.

use crate::probe::Probe;
use crate::{ExplainError, Subject};
use striate_engine::Rule;
use striate_graph::{NodeId, Shape};
use striate_kernels::{hash, normal};

/// How the image is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// Steps.
    pub steps: usize,
    /// How far a step goes, as a share of the range from black to white, in the mean over the pixels.
    pub rate: f32,
    /// The share by which the image fades towards grey in a step.
    pub decay: f32,
    /// Steps from one blur to the next; 0: never.
    pub blur_every: usize,
    /// The most pixels by which the image is shifted before a step, and back after it.
    pub jitter: usize,
    /// Of what is drawn by lot.
    pub seed: u64,
}

impl Default for Ascent {
    fn default() -> Ascent {
        Ascent { steps: 200, rate: 0.02, decay: 0.005, blur_every: 8, jitter: 4, seed: 0 }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Maximised {
    /// The image, as an input.
    pub input: Vec<f32>,
    /// The unit's activation on the grey image, and on the image found.
    pub values: [f32; 2],
}

/// Finds an image for a channel of a layer: for its unit in the middle, or the class's score where the layer is a vector.
///
/// # Errors
/// If there is no such channel, or a setting is out of range.
pub fn maximise(subject: &Subject, layer: NodeId, channel: usize, ascent: &Ascent) -> Result<Maximised, ExplainError> {
    let node = subject.graph.node(layer);
    if channel >= node.shape.c {
        let why = format!("it has {} channels, the first being 0", node.shape.c);
        return Err(ExplainError::Layer { what: "maximising", layer: node.name.clone(), why });
    }
    let fine = |v: f32| v.is_finite() && v >= 0.0;
    if ascent.steps == 0 || !fine(ascent.rate) || !(0.0..=1.0).contains(&ascent.decay) {
        return Err(ExplainError::Setting("take 1 step or more, a rate from 0, and a decay from 0 to 1".into()));
    }
    let (shape, s) = (subject.graph.input().shape, node.shape);
    let unit = (s.h / 2 * s.w + s.w / 2) * s.c + channel;
    let mut seed = vec![0.0; s.len()];
    seed[unit] = 1.0;
    let mut probe = Probe::new(subject, &[layer], &[], 1)?;
    let (grey, low, high) = (subject.level(0.5), subject.level(0.0), subject.level(1.0));
    let c = shape.c;
    let range = |i: usize| high[i % c] - low[i % c];
    let noise = |i: usize| grey[i % c] + 0.02 * range(i) * normal(ascent.seed, i as u64);
    let mut image: Vec<f32> = (0..shape.len()).map(noise).collect();
    probe.forward(&image)?;
    let before = probe.activation(layer)?[unit];
    for step in 0..ascent.steps {
        let shift = shift(ascent, step, shape);
        probe.forward(&shifted(&image, shape, shift))?;
        probe.sweep(Rule::Gradient, layer, &seed)?;
        let back = [shape.h - shift[0], shape.w - shift[1]];
        let gradient = shifted(probe.by_input()?, shape, back);
        let mean = gradient.iter().map(|g| f64::from(g.abs())).sum::<f64>() / gradient.len() as f64;
        // A unit that nothing excites here is looked for from another noise.
        let scale = if mean > 0.0 { ascent.rate / mean as f32 } else { 0.0 };
        for (i, (v, g)) in image.iter_mut().zip(&gradient).enumerate() {
            let lot = if mean > 0.0 { 0.0 } else { 0.02 * normal(hash(ascent.seed, step as u64 + 1), i as u64) };
            let faded = *v + ascent.decay * (grey[i % c] - *v);
            *v = (faded + range(i) * (scale * g + lot)).clamp(low[i % c], high[i % c]);
        }
        if ascent.blur_every > 0 && (step + 1) % ascent.blur_every == 0 && step + 1 < ascent.steps {
            image = blurred(&image, shape);
        }
    }
    probe.forward(&image)?;
    let after = probe.activation(layer)?[unit];
    Ok(Maximised { input: image, values: [before, after] })
}

/// By how many rows and columns the image is shifted in a step.
fn shift(ascent: &Ascent, step: usize, shape: Shape) -> [usize; 2] {
    let lot = hash(ascent.seed ^ 0x5eed, step as u64);
    let of = |bits: u64, side: usize| bits as usize % (ascent.jitter.min(side - 1) + 1);
    [of(lot & 0xffff, shape.h), of((lot >> 16) & 0xffff, shape.w)]
}

/// The image moved down and to the right; what leaves it comes back at the other side.
fn shifted(image: &[f32], shape: Shape, [down, right]: [usize; 2]) -> Vec<f32> {
    let (h, w, c) = (shape.h, shape.w, shape.c);
    let mut out = Vec::with_capacity(image.len());
    for y in 0..h {
        let row = (y + h - down % h) % h * w;
        for x in 0..w {
            let at = (row + (x + w - right % w) % w) * c;
            out.extend_from_slice(&image[at..at + c]);
        }
    }
    out
}

/// Each pixel by its neighbours, weighted ¼, ½, ¼ along both sides; edges repeat.
fn blurred(image: &[f32], shape: Shape) -> Vec<f32> {
    let (h, w, c) = (shape.h, shape.w, shape.c);
    let pass = |from: &[f32], step: usize, len: usize| -> Vec<f32> {
        let value = |i: usize| {
            let at = i / step % len;
            let before = if at > 0 { from[i - step] } else { from[i] };
            let after = if at + 1 < len { from[i + step] } else { from[i] };
            0.25 * before + 0.5 * from[i] + 0.25 * after
        };
        (0..from.len()).map(value).collect()
    };
    pass(&pass(image, c, w), w * c, h)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{kinked, linear};

    #[test]
    fn a_linear_units_best_image_has_its_weights_signs() {
        let subject = linear();
        let layer = subject.graph.find("fc").unwrap();
        let ascent = Ascent { decay: 0.0, blur_every: 0, jitter: 0, rate: 0.2, steps: 2000, ..Ascent::default() };
        let found = maximise(&subject, layer, 1, &ascent).unwrap();
        let weights = &subject.parameters.get("fc.weight").unwrap()[20..];
        let (low, high) = (subject.level(0.0)[0], subject.level(1.0)[0]);
        for (v, w) in found.input.iter().zip(weights) {
            assert_eq!(*v, if *w > 0.0 { high } else { low });
        }
        assert!(found.values[1] > found.values[0]);
    }

    #[test]
    fn activations_rise_in_every_layer() {
        let subject = kinked();
        for name in ["conv1", "relu1", "conv2", "fc"] {
            let layer = subject.graph.find(name).unwrap();
            let found = maximise(&subject, layer, 1, &Ascent { steps: 40, ..Ascent::default() }).unwrap();
            assert!(found.values[1] > found.values[0], "{name}: {:?}", found.values);
            let (low, high) = (subject.level(0.0)[0], subject.level(1.0)[0]);
            assert!(found.input.iter().all(|v| (low..=high).contains(v)));
        }
        let layer = subject.graph.find("fc").unwrap();
        assert!(maximise(&subject, layer, 3, &Ascent::default()).unwrap_err().to_string().contains("3 channels"));
    }

    #[test]
    fn shifting_back_is_nothing() {
        let shape = Shape::new(3, 4, 2);
        let image: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let there = shifted(&image, shape, [2, 1]);
        assert_ne!(there, image);
        assert_eq!(shifted(&there, shape, [3 - 2, 4 - 1]), image);
        assert_eq!(blurred(&[5.0; 24], shape), [5.0; 24]);
        let total: f32 = blurred(&image, shape).iter().sum();
        assert!((total - image.iter().sum::<f32>()).abs() < 1e-3);
    }
}
