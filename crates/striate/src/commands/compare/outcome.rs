//! What a comparison found: the object that `comparison.json` holds, and what can be read off it.

use super::contender::Choice;
use super::distortions::Distortion;
use super::statistics::McNemar;
use serde::Serialize;

/// A comparison.
#[derive(Serialize)]
pub struct Comparison {
    /// The data set's name.
    pub data: String,
    /// Where it is.
    pub source: String,
    /// A hash of its contents.
    pub fingerprint: String,
    /// Its classes.
    pub classes: Vec<String>,
    /// The pictures' width, height and channels for every method.
    pub size: [usize; 3],
    /// Test images.
    pub tested: usize,
    /// Where they are from: test or validation.
    pub part: &'static str,
    /// Images that could not be read.
    pub unreadable: usize,
    /// The seed of everything random.
    pub seed: u64,
    /// Folds of the cross-validations.
    pub folds: usize,
    /// Seconds that it might take, about, and that it took.
    pub budget: f64,
    /// Seconds that it took.
    pub seconds: f64,
    /// Whether it was ended before it was done.
    pub stopped: bool,
    /// The processor, threads and instruction set.
    pub machine: String,
    /// The command.
    pub command: String,
    /// Each method.
    pub methods: Vec<Method>,
    /// The network against each pipeline, at the largest size that both learnt from.
    pub pairs: Vec<Pair>,
    /// Where the network overtakes.
    pub crossing: Crossing,
}

/// A method.
#[derive(Serialize)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Whether it is a network.
    pub network: bool,
    /// The learning curve, ascending.
    pub points: Vec<Point>,
    /// Sizes that were left out, and why.
    pub left_out: Vec<LeftOut>,
    /// Accuracy on changed images, of what learnt from most images; none where that was not measured.
    pub robustness: Vec<Changed>,
    /// The file of what learnt from most images.
    pub model: Option<String>,
}

/// A size that a method did not learn from.
#[derive(Serialize)]
pub struct LeftOut {
    /// Images of each class.
    pub per_class: usize,
    /// Why, as half a sentence.
    pub why: String,
}

/// A method that learnt from so many images.
#[derive(Serialize)]
pub struct Point {
    /// Images of each class, where it has so many.
    pub per_class: usize,
    /// Images in all.
    pub images: usize,
    /// The share of test images that it tells.
    pub accuracy: f64,
    /// Wilson's interval, 95 %.
    pub interval: [f64; 2],
    /// The share of as many training images that it tells; of those it learnt from.
    pub train_accuracy: f64,
    /// How its settings were chosen.
    pub choice: Choice,
    /// Seconds for the features of the training images; null for networks.
    pub features_seconds: Option<f64>,
    /// Seconds of learning, features included, the choice of settings not.
    pub seconds: f64,
    /// Microseconds to tell one image, of many at once.
    pub microseconds: f64,
    /// Epochs, and what the recipe would have taken; null for pipelines.
    pub epochs: Option<[u32; 2]>,
    /// Figures that the classifier sees of an image; null for networks, which see the pixels.
    pub features: Option<usize>,
    /// Bytes of the model file.
    pub bytes: Option<u64>,
    /// Bytes of memory that learning took beside what was there before; null where the system does not say.
    pub memory: Option<usize>,
    /// What it took each test image for.
    #[serde(skip)]
    pub told: Vec<u32>,
}

/// Accuracy on images that were changed.
#[derive(Serialize)]
pub struct Changed {
    /// How.
    pub distortion: Distortion,
    /// How much.
    pub strength: f64,
    /// The share told.
    pub accuracy: f64,
}

/// The network against a pipeline.
#[derive(Serialize)]
pub struct Pair {
    /// The network.
    pub network: String,
    /// The pipeline.
    pub pipeline: String,
    /// Images of each class that both learnt from.
    pub per_class: usize,
    /// The network being the first.
    pub test: McNemar,
}

/// Where the network overtakes the best pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Crossing {
    /// It is ahead from the smallest size on.
    Always,
    /// It is ahead from this size on, and was not before.
    From {
        /// Images of each class.
        per_class: usize,
        /// The largest size at which it was not ahead.
        behind: usize,
    },
    /// It is not ahead at the largest size.
    Never,
    /// There is no size that both learnt from.
    Unknown,
}

impl Method {
    /// What learnt from most images.
    pub fn last(&self) -> Option<&Point> {
        self.points.last()
    }

    /// What learnt from so many.
    pub fn at(&self, per_class: usize) -> Option<&Point> {
        self.points.iter().find(|p| p.per_class == per_class)
    }

    /// The mean share of changed images that it tells, over its share of the unchanged ones: 1 where changes do not matter.
    pub fn kept(&self, unchanged: f64) -> Option<f64> {
        let n = self.robustness.len();
        (n > 0 && unchanged > 0.0)
            .then(|| self.robustness.iter().map(|c| c.accuracy).sum::<f64>() / n as f64 / unchanged)
    }
}

/// The network and the best pipeline at each size that both learnt from: images of each class, and their accuracies.
pub fn duels(methods: &[Method]) -> Vec<(usize, f64, f64)> {
    let Some(network) = methods.iter().find(|m| m.network) else { return Vec::new() };
    let best = |per_class| {
        let rivals = methods.iter().filter(|m| !m.network).filter_map(|m| m.at(per_class));
        rivals.map(|p| p.accuracy).reduce(f64::max)
    };
    network.points.iter().filter_map(|p| Some((p.per_class, p.accuracy, best(p.per_class)?))).collect()
}

impl Crossing {
    /// Of these methods.
    pub fn of(methods: &[Method]) -> Crossing {
        let duels = duels(methods);
        let Some((largest, network, rival)) = duels.last() else { return Crossing::Unknown };
        if network <= rival {
            return Crossing::Never;
        }
        match duels.iter().rposition(|(_, network, rival)| network <= rival) {
            None => Crossing::Always,
            Some(at) => Crossing::From { per_class: duels.get(at + 1).map_or(*largest, |d| d.0), behind: duels[at].0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(network: bool, accuracies: &[(usize, f64)]) -> Method {
        let choice =
            Choice { settings: String::new(), candidates: 1, folds: 0, images: 0, accuracy: None, seconds: 0.0 };
        let point = |&(per_class, accuracy): &(usize, f64)| Point {
            per_class,
            images: 2 * per_class,
            accuracy,
            interval: [0.0, 1.0],
            train_accuracy: 1.0,
            choice: choice.clone(),
            features_seconds: None,
            seconds: 1.0,
            microseconds: 1.0,
            epochs: None,
            features: None,
            bytes: None,
            memory: None,
            told: Vec::new(),
        };
        Method {
            name: "m".into(),
            network,
            points: accuracies.iter().map(point).collect(),
            left_out: Vec::new(),
            robustness: Vec::new(),
            model: None,
        }
    }

    #[test]
    fn the_crossing_is_where_the_network_stays_ahead() {
        let pipelines =
            [method(false, &[(10, 0.5), (30, 0.6), (100, 0.7), (300, 0.8)]), method(false, &[(10, 0.4), (30, 0.65)])];
        let against = |network: &[(usize, f64)]| {
            let [a, b] = &pipelines;
            let again =
                |m: &Method| method(false, &m.points.iter().map(|p| (p.per_class, p.accuracy)).collect::<Vec<_>>());
            Crossing::of(&[again(a), method(true, network), again(b)])
        };
        assert_eq!(against(&[(10, 0.6), (30, 0.7), (100, 0.8), (300, 0.9)]), Crossing::Always);
        let from = Crossing::From { per_class: 100, behind: 30 };
        assert_eq!(against(&[(10, 0.6), (30, 0.65), (100, 0.8), (300, 0.9)]), from, "being level is not being ahead");
        assert_eq!(against(&[(10, 0.6), (30, 0.7), (100, 0.8), (300, 0.79)]), Crossing::Never);
        assert_eq!(against(&[]), Crossing::Unknown);
        assert_eq!(against(&[(1000, 1.0)]), Crossing::Unknown);
    }
}
