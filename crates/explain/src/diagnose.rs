//! What is wrong with a network's filters, as Zeiler and Fergus asked it of AlexNet (2013, arXiv:1311.2901, section 4.1 and
//! figure 6): first-layer filters of extremely high and low frequency with hardly any between, dead ones, and aliasing by the
//! stride of 4, for which they took 7×7 filters of stride 2 instead of 11×11 of stride 4. Beside these: filters that are nearly
//! the same, channels that no image excites, and units that saturate.
//!
//! Frequencies are in cycles a pixel: ½ is the finest that pixels can show, 1 / (2 S) the finest that places S apart can.

use crate::filters::Filters;
use crate::subject::Predictor;
use crate::{ExplainError, Subject};
use serde::Serialize;
use striate_graph::{AnyLayer, NodeId};

/// What is known of one filter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilterFigures {
    /// Its number.
    pub filter: usize,
    /// √Σw².
    pub norm: f64,
    /// The mean of |f| over the filter's power without its constant part, in cycles a pixel; 0 for a constant.
    pub frequency: f64,
    /// The share of its power, without the constant part, at frequencies that its stride cannot tell from lower ones.
    pub aliased: f64,
}

/// What is known of a convolution's filters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerFigures {
    /// The node.
    pub layer: String,
    /// Each filter's figures.
    pub filters: Vec<FilterFigures>,
    /// Filters whose norm is below a hundredth of the median.
    pub dead: Vec<usize>,
    /// Pairs whose directions differ by less than about 18°: the cosine between them is above 0.95, or below −0.95.
    pub alike: Vec<(usize, usize, f64)>,
}

/// What is known of a layer's units over images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnitFigures {
    /// The node.
    pub layer: String,
    /// Channels that are above zero nowhere in any image; empty for layers that do not rectify.
    pub unused: Vec<usize>,
    /// Channels of which most activations are at a bound: 6 of ReLU6, within a hundredth of the range of a bound of tanh and
    /// sigmoid.
    pub saturated: Vec<usize>,
    /// Channels.
    pub channels: usize,
}

/// Sides of the grid on which power is taken.
const GRID: usize = 32;

impl LayerFigures {
    /// Looks at a convolution's filters.
    ///
    /// # Errors
    /// If the layer is none.
    pub fn of(subject: &Subject, layer: NodeId) -> Result<LayerFigures, ExplainError> {
        let filters = Filters::of(subject, layer)?;
        let figures: Vec<FilterFigures> = (0..filters.count).map(|filter| figures(&filters, filter)).collect();
        let mut norms: Vec<f64> = figures.iter().map(|f| f.norm).collect();
        norms.sort_by(f64::total_cmp);
        let bound = norms[norms.len() / 2] / 100.0;
        let dead: Vec<usize> = figures.iter().filter(|f| f.norm <= bound).map(|f| f.filter).collect();
        let mut alike = Vec::new();
        for a in (0..filters.count).filter(|a| !dead.contains(a)) {
            for b in (0..a).filter(|b| !dead.contains(b)) {
                let all = filters.values_of(a).iter().zip(filters.values_of(b));
                let dot: f64 = all.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                let cosine = dot / (figures[a].norm * figures[b].norm);
                if cosine.abs() > 0.95 {
                    alike.push((b, a, cosine));
                }
            }
        }
        Ok(LayerFigures { layer: subject.graph.node(layer).name.clone(), filters: figures, dead, alike })
    }

    /// What a first layer's figures mean, in sentences.
    pub fn words(&self, kernel: [usize; 2], stride: [usize; 2]) -> Vec<String> {
        let alive: Vec<&FilterFigures> = self.filters.iter().filter(|f| !self.dead.contains(&f.filter)).collect();
        let (n, count) =
            (self.filters.len(), |test: &dyn Fn(&FilterFigures) -> bool| alive.iter().filter(|f| test(f)).count());
        let ([kh, kw], [sh, _]) = (kernel, stride);
        let mut words = Vec::new();
        if !self.dead.is_empty() {
            words.push(format!(
                "{} of {n} filters are dead: their weights are less than a hundredth of the others'",
                self.dead.len()
            ));
        }
        if kh.max(kw) >= 5 {
            // Less than half a wave fits into the filter, and waves finer than three pixels.
            let slow = count(&|f| f.frequency < 0.5 / kh.max(kw) as f64);
            let fast = count(&|f| f.frequency > 1.0 / 3.0);
            let between = alive.len() - slow - fast;
            if 2 * between < alive.len() {
                words.push(format!(
                    "{slow} filters are of very low and {fast} of very high frequency, and only {between} lie between: as \
                     Zeiler and Fergus found in AlexNet, whose 11×11 filters they replaced by 7×7"
                ));
            }
        }
        let aliased = alive.iter().map(|f| f.aliased).sum::<f64>() / alive.len().max(1) as f64;
        if sh > 1 && aliased > 0.5 {
            words.push(format!(
                "at a stride of {sh}, {:.0} % of the filters' power is at frequencies above 1/{} of a cycle a pixel, which \
                 the next layer cannot tell from lower ones (aliasing): a smaller stride would keep them apart, as 2 did \
                 in ZFNet where AlexNet had 4",
                100.0 * aliased,
                2 * sh
            ));
        }
        if !self.alike.is_empty() {
            let (a, b, cosine) = self.alike[0];
            words.push(format!(
                "{} pairs of filters are nearly the same up to sign, such as {a} and {b} (cosine {cosine:.3}): they do \
                 the work of one",
                self.alike.len()
            ));
        }
        if words.is_empty() {
            words.push(format!("the {n} filters are alive, all different, and cover the frequencies between"));
        }
        words
    }
}

/// A filter's norm, frequency and aliasing.
fn figures(filters: &Filters<'_>, filter: usize) -> FilterFigures {
    let ([kh, kw], values) = (filters.kernel, filters.values_of(filter));
    let norm = values.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    let (mut total, mut moment, mut beyond) = (0.0, 0.0, 0.0);
    // Filters of one tap have one frequency only, and those of many channels deep in a network say nothing about pixels.
    if kh * kw > 1 && filters.channels <= 4 {
        for plane in values.chunks_exact(kh * kw) {
            let mean = plane.iter().map(|v| f64::from(*v)).sum::<f64>() / plane.len() as f64;
            for (v, u) in (0..GRID).flat_map(|v| (0..=GRID / 2).map(move |u| (v, u))) {
                let (fx, fy) = (u as f64 / GRID as f64, signed(v));
                let (mut re, mut im) = (0.0, 0.0);
                for (tap, w) in plane.iter().enumerate() {
                    let angle = std::f64::consts::TAU * (fx * (tap % kw) as f64 + fy * (tap / kw) as f64);
                    re += (f64::from(*w) - mean) * angle.cos();
                    im += (f64::from(*w) - mean) * angle.sin();
                }
                // Columns of the half that is left out are the mirror of these.
                let power = (re * re + im * im) * if u == 0 || u == GRID / 2 { 1.0 } else { 2.0 };
                total += power;
                moment += power * fx.hypot(fy);
                let [sh, sw] = filters.stride;
                if fx > 0.5 / sw as f64 || fy.abs() > 0.5 / sh as f64 {
                    beyond += power;
                }
            }
        }
    }
    let share = |part: f64| if total > 1e-12 * norm * norm { part / total } else { 0.0 };
    FilterFigures { filter, norm, frequency: share(moment), aliased: share(beyond) }
}

/// A row of the grid as a frequency from −½ to ½.
fn signed(v: usize) -> f64 {
    if v <= GRID / 2 { v as f64 / GRID as f64 } else { v as f64 / GRID as f64 - 1.0 }
}

/// Counts over images how each channel of the layers that rectify or saturate is used.
pub struct Usage<'a> {
    predictor: Predictor<'a>,
    subject: &'a Subject,
    layers: Vec<NodeId>,
    /// For each layer and channel: activations, those above zero, those at a bound.
    counts: Vec<Vec<[u64; 3]>>,
}

/// The lower and upper bound of what a layer gives, if it has one.
fn bounds(layer: &AnyLayer) -> Option<(Option<f32>, Option<f32>)> {
    match layer {
        AnyLayer::Relu(_) => Some((None, None)),
        AnyLayer::Relu6(_) => Some((None, Some(6.0))),
        AnyLayer::Tanh(_) => Some((Some(-0.98), Some(0.98))),
        AnyLayer::Sigmoid(_) => Some((Some(0.01), Some(0.99))),
        _ => None,
    }
}

impl<'a> Usage<'a> {
    /// Plans for batches of up to `batch` images.
    ///
    /// # Errors
    /// If the batch is 0, or the memory cannot be had.
    pub fn new(subject: &'a Subject, batch: usize) -> Result<Usage<'a>, ExplainError> {
        let graph = &subject.graph;
        let needed = graph.predicting();
        let layers: Vec<NodeId> =
            graph.ids().filter(|id| needed[id.index()] && bounds(&graph.node(*id).layer).is_some()).collect();
        let counts = layers.iter().map(|id| vec![[0; 3]; graph.node(*id).shape.c]).collect();
        Ok(Usage { predictor: Predictor::new(subject, batch, &layers)?, subject, layers, counts })
    }

    /// Takes images in.
    ///
    /// # Errors
    /// If they are no inputs of this network.
    pub fn add(&mut self, images: &[f32]) -> Result<(), ExplainError> {
        let Usage { predictor, subject, layers, counts } = self;
        predictor.run(images, &mut |_, _, _, maps| {
            for ((map, id), counts) in maps.iter().zip(layers.iter()).zip(counts.iter_mut()) {
                let (low, high) = bounds(&subject.graph.node(*id).layer).unwrap_or_default();
                let (low, high) = (low.unwrap_or(f32::NEG_INFINITY), high.unwrap_or(f32::INFINITY));
                for cell in map.chunks_exact(counts.len()) {
                    for (count, v) in counts.iter_mut().zip(cell) {
                        count[0] += 1;
                        count[1] += u64::from(*v > 0.0);
                        count[2] += u64::from(*v <= low || *v >= high);
                    }
                }
            }
        })
    }

    /// What the images so far say of each layer.
    pub fn figures(&self) -> Vec<UnitFigures> {
        let of = |(id, counts): (&NodeId, &Vec<[u64; 3]>)| {
            let node = self.subject.graph.node(*id);
            let rectifies = matches!(node.layer, AnyLayer::Relu(_) | AnyLayer::Relu6(_));
            let channels = |test: &dyn Fn(&[u64; 3]) -> bool| -> Vec<usize> {
                counts.iter().enumerate().filter(|(_, count)| test(count)).map(|(channel, _)| channel).collect()
            };
            UnitFigures {
                layer: node.name.clone(),
                unused: channels(&|count| rectifies && count[1] == 0),
                saturated: channels(&|count| 2 * count[2] > count[0]),
                channels: counts.len(),
            }
        };
        self.layers.iter().zip(&self.counts).map(of).collect()
    }
}

impl UnitFigures {
    /// What the figures mean, in sentences; none where there is nothing to say.
    pub fn words(&self) -> Vec<String> {
        let (layer, n) = (&self.layer, self.channels);
        let mut words = Vec::new();
        if !self.unused.is_empty() {
            let k = self.unused.len();
            words.push(format!(
                "{k} of {n} channels of `{layer}` are zero everywhere in every image: they can be left out"
            ));
        }
        if !self.saturated.is_empty() {
            let k = self.saturated.len();
            words.push(format!(
                "{k} of {n} channels of `{layer}` are mostly at their bound, where no gradient passes: smaller weights or \
                 normalisation before it would bring them back"
            ));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::kinked;

    /// One-channel filters of a side, from a function of column and row.
    fn one(side: usize, stride: usize, w: impl Fn(f64, f64) -> f64) -> FilterFigures {
        let values: Vec<f32> = (0..side * side).map(|i| w((i % side) as f64, (i / side) as f64) as f32).collect();
        let filters = Filters { values: &values, count: 1, channels: 1, kernel: [side; 2], stride: [stride; 2] };
        figures(&filters, 0)
    }

    #[test]
    fn a_wave_has_its_frequency() {
        for f in [0.125, 0.25, 0.4] {
            let found = one(11, 4, |x, _| (std::f64::consts::TAU * f * x).cos());
            assert!((found.frequency - f).abs() < 0.08, "{f}: {found:?}");
        }
        // A chequerboard is the finest there is along both sides: √½ cycles along the diagonal.
        let finest = one(8, 1, |x, y| if (x + y) % 2.0 == 0.0 { 1.0 } else { -1.0 });
        assert!((finest.frequency - 0.5f64.hypot(0.5)).abs() < 0.1, "{finest:?}");
        assert_eq!(one(5, 1, |_, _| 3.0).frequency, 0.0);
    }

    #[test]
    fn strides_alias_what_is_too_fine_for_them() {
        // Eleven taps blur a wave's frequency by about 1/11.
        let wave = |f: f64, stride| one(11, stride, |x, _| (std::f64::consts::TAU * f * x).cos()).aliased;
        let [free, coarse, fine] = [wave(0.25, 1), wave(0.1, 2), wave(0.3, 4)];
        assert!(free < 0.01 && coarse < 0.2 && fine > 0.8, "{free} {coarse} {fine}");
    }

    #[test]
    fn dead_and_alike_filters_are_found() {
        let mut subject = kinked();
        let layer = subject.graph.find("conv1").unwrap();
        let weights = &mut subject.parameters.of_mut(layer)[0];
        let first: Vec<f32> = weights[..27].iter().map(|w| -2.0 * w).collect();
        weights[27 * 3..27 * 4].copy_from_slice(&first);
        weights[27 * 5..].fill(1e-7);
        let found = LayerFigures::of(&subject, layer).unwrap();
        assert_eq!(found.dead, [5]);
        assert!(found.alike.iter().any(|(a, b, cosine)| (*a, *b) == (0, 3) && *cosine < -0.999), "{:?}", found.alike);
        let words = found.words([3, 3], [1, 1]);
        assert!(words.iter().any(|w| w.contains("1 of 6 filters are dead")), "{words:?}");
        assert!(words.iter().any(|w| w.contains("0 and 3")), "{words:?}");
    }

    #[test]
    fn channels_that_nothing_excites_are_found() {
        let mut subject = kinked();
        let layer = subject.graph.find("conv2").unwrap();
        subject.parameters.of_mut(layer)[1][6] = -1e6;
        let mut usage = Usage::new(&subject, 2).unwrap();
        let images: Vec<f32> = (0..3).flat_map(|_| crate::examples::picture(&subject)).collect();
        usage.add(&images).unwrap();
        let figures = usage.figures();
        let last = figures.iter().find(|f| f.layer == "relu2").unwrap();
        assert!(last.unused.contains(&6) && last.saturated.is_empty() && last.channels == 8, "{last:?}");
        assert!(last.words()[0].contains("channels of `relu2`"));
    }
}
