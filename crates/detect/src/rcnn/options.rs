//! The settings of an R-CNN. Defaults are the paper's and its code's, for a network that was trained on ImageNet.

use crate::error::DetectError;
use crate::propose::ProposeOptions;
use crate::warp::Shape;
use serde::{Deserialize, Serialize};
use striate_train::Curve;

/// How regions come from a picture into the network; prediction needs them too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionOptions {
    /// How they are proposed.
    pub propose: ProposeOptions,
    /// Pixels of context on each side of the network's input.
    pub context: u32,
    /// How a region comes to be a square.
    pub shape: Shape,
    /// Whether features are computed once for the whole picture and regions pooled from them, instead of being warped.
    pub shared: bool,
}

impl RegionOptions {
    /// The paper's for an input of this side: as much context as 16 pixels of 227.
    pub fn for_side(side: u32) -> Self {
        let context = (f64::from(side) * 16.0 / 227.0).round() as u32;
        Self { propose: ProposeOptions::default(), context, shape: Shape::Warp, shared: false }
    }

    /// Holds them against the side of a network's input.
    pub(super) fn check(&self, side: u32) -> Result<(), DetectError> {
        self.propose.check()?;
        if self.context.saturating_mul(2) >= side {
            let (option, value) = ("context", self.context.to_string());
            return Err(DetectError::Option { option, value, expected: "below half of the network's input" });
        }
        Ok(())
    }
}

/// What judges a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Classifier {
    /// A linear support vector machine a class on the network's features.
    #[default]
    Svm,
    /// The network's own output (appendix B of the paper: 3.3 points of mAP less on VOC 2007).
    Softmax,
}

/// Fine-tuning: the network learns the regions' classes and the background.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FineTune {
    /// Steps of gradient descent.
    pub steps: u32,
    /// Regions of objects in a step.
    pub positives: usize,
    /// Regions of background in a step.
    pub negatives: usize,
    /// The IoU from which a region is of the object that it overlaps most.
    pub overlap: f64,
    /// The highest learning rate: 0.001 in the paper, a tenth of what the network was trained with.
    pub learning_rate: f64,
    /// How it moves.
    pub curve: Curve,
    /// The share of the last step that is kept.
    pub momentum: f64,
    /// The L2 penalty.
    pub weight_decay: f64,
}

impl FineTune {
    /// The paper's, for a network that knows pictures already: 70,000 steps, a tenth of the rate after each 20,000, of which
    /// the last drop is left out.
    pub fn paper() -> Self {
        let curve = Curve::Step { at: [2.0 / 7.0, 4.0 / 7.0], factor: 0.1 };
        Self { steps: 70_000, learning_rate: 0.001, curve, ..Self::from_scratch() }
    }

    /// For a network that knows nothing yet: one cycle of a high rate. No part of the paper.
    pub fn from_scratch() -> Self {
        Self {
            steps: 2_000,
            positives: 32,
            negatives: 96,
            overlap: 0.5,
            learning_rate: 0.1,
            curve: Curve::OneCycle,
            momentum: 0.9,
            weight_decay: 5e-4,
        }
    }

    /// Regions in a step.
    pub fn batch(&self) -> usize {
        self.positives + self.negatives
    }
}

/// The support vector machines and the hard negatives that they learn from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mining {
    /// What an example within the margin costs.
    pub c: f64,
    /// How many times as much a positive one costs.
    pub positive_weight: f64,
    /// The value of the constant feature that the bias is the weight of.
    pub bias: f64,
    /// Regions that overlap every object of the class by less are negative; 0.3 was found to matter much.
    pub overlap: f64,
    /// A negative that scores above this is hard.
    pub hard: f64,
    /// One that scores below this is forgotten.
    pub easy: f64,
    /// New hard negatives after which a machine is trained again.
    pub retrain: usize,
    /// Passes over the pictures.
    pub epochs: u32,
}

impl Default for Mining {
    fn default() -> Self {
        Self {
            c: 1e-3,
            positive_weight: 2.0,
            bias: 10.0,
            overlap: 0.3,
            hard: -1.0001,
            easy: -1.2,
            retrain: 2000,
            epochs: 1,
        }
    }
}

/// The regressors that move boxes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// The penalty λ.
    pub lambda: f64,
    /// The IoU from which a proposal is an example.
    pub overlap: f64,
}

impl Default for Regression {
    fn default() -> Self {
        Self { lambda: 1000.0, overlap: 0.6 }
    }
}

/// All of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainOptions {
    /// How regions come into the network.
    pub regions: RegionOptions,
    /// Fine-tuning; `None` takes the network's features as they are.
    pub fine_tune: Option<FineTune>,
    /// The node whose activations are judged; `None` is the input of the network's last layer (fc7 of AlexNet).
    pub features: Option<String>,
    /// The node whose activations move boxes; `None` is the network's last map (pool5 of AlexNet).
    pub pooled: Option<String>,
    /// What judges.
    pub classifier: Classifier,
    /// How the machines are trained.
    pub mining: Mining,
    /// The regressors; `None` leaves boxes where they were proposed.
    pub regression: Option<Regression>,
    /// Regions that go through the network at once where nothing is learnt.
    pub batch: usize,
    /// The seed of everything random.
    pub seed: u64,
}

impl TrainOptions {
    /// The usual ones around these.
    pub fn new(regions: RegionOptions, fine_tune: Option<FineTune>) -> Self {
        Self {
            regions,
            fine_tune,
            features: None,
            pooled: None,
            classifier: Classifier::Svm,
            mining: Mining::default(),
            regression: Some(Regression::default()),
            batch: 64,
            seed: 0,
        }
    }

    pub(super) fn check(&self, side: u32) -> Result<(), DetectError> {
        let wrong = |option, value: String, expected| Err(DetectError::Option { option, value, expected });
        self.regions.check(side)?;
        if self.batch == 0 {
            return wrong("the number of regions at once", "0".to_owned(), "1 or more");
        }
        if let Some(tune) = &self.fine_tune {
            if tune.positives == 0 || tune.negatives == 0 {
                return wrong("the number of regions in a step", "0 of a kind".to_owned(), "1 or more of each kind");
            }
            if !(tune.learning_rate > 0.0 && tune.learning_rate.is_finite()) {
                return wrong("the learning rate", tune.learning_rate.to_string(), "above 0");
            }
            if tune.steps == 0 {
                return wrong("the number of steps", "0".to_owned(), "1 or more; or leave fine-tuning out");
            }
        }
        if !(self.mining.c > 0.0 && self.mining.c.is_finite()) {
            return wrong("the C of the support vector machines", self.mining.c.to_string(), "above 0");
        }
        if self.regression.is_some_and(|r| !(r.lambda > 0.0 && r.lambda.is_finite())) {
            let found = self.regression.map_or(0.0, |r| r.lambda);
            return wrong("the λ of the regressors", found.to_string(), "above 0");
        }
        Ok(())
    }
}
