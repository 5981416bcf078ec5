//! The methods that give one heat map of a picture for a class: one file each. Adding one is a new file and one line in
//! [`METHODS`].

mod deconv;
mod grad_cam;
mod guided;
mod integrated;
mod occlusion;
mod saliency;
mod smooth_grad;

pub use grad_cam::{GradCam, GradCamPlusPlus};
pub use integrated::Path;
pub use occlusion::{Occluded, occlude};

use crate::heat::Reduce;
use crate::{Array, ExplainError, Heat, Subject};
use serde_json::{Map, Value};
use striate_graph::NodeId;

/// What a person may choose; each method reads what it knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Grad-CAM's layer, occlusion's strongest map; chosen by the method if `None`.
    pub layer: Option<NodeId>,
    /// Images at once.
    pub batch: usize,
    /// Noisy copies of the picture that `SmoothGrad` averages over.
    pub samples: usize,
    /// The noise's deviation as a share of the input's range.
    pub noise: f32,
    /// Of everything drawn by lot.
    pub seed: u64,
    /// The completeness gap, as a share of the score's change, at which integrated gradients stop adding steps.
    pub tolerance: f64,
    /// The most steps of integrated gradients.
    pub most_steps: usize,
    /// The level that integrated gradients start from, 0 (black) to 1 (white).
    pub baseline: f32,
    /// The side of the occluding square in pixels of the input; a quarter of the shorter side if `None`.
    pub window: Option<usize>,
    /// Pixels from one place of the square to the next; a quarter of the window if `None`.
    pub stride: Option<usize>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            layer: None,
            batch: 16,
            samples: 50,
            noise: 0.15,
            seed: 0,
            tolerance: 0.005,
            most_steps: 1024,
            baseline: 0.0,
            window: None,
            stride: None,
        }
    }
}

/// What a method found.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// One value a pixel of the input: the larger, the more it speaks for the class.
    pub heat: Heat,
    /// Whether values below zero speak against the class; else they are none or do not occur.
    pub signed: bool,
    /// All that was computed, before it became one value a pixel.
    pub raw: Array,
    /// Figures, by name, for the JSON.
    pub facts: Map<String, Value>,
}

impl Explanation {
    /// Of an attribution to every value of the input.
    pub(crate) fn of_input(
        subject: &Subject,
        values: Vec<f32>,
        reduce: Reduce,
        facts: Map<String, Value>,
    ) -> Explanation {
        let s = subject.graph.input().shape;
        let heat = Heat::of_channels(s.h, s.w, &values, reduce);
        Explanation { heat, signed: reduce == Reduce::Sum, raw: Array::new(&[s.h, s.w, s.c], values), facts }
    }
}

/// A way of saying which pixels speak for a class.
pub trait Method: Sync {
    /// As on the command line.
    fn name(&self) -> &'static str;

    /// What the map says, in a line.
    fn about(&self) -> &'static str;

    /// Where it was published.
    fn source(&self) -> &'static str;

    /// The map for one input and class.
    ///
    /// # Errors
    /// If a setting is out of range, or the network is none that the method is made for.
    fn explain(
        &self,
        subject: &Subject,
        input: &[f32],
        class: usize,
        settings: &Settings,
    ) -> Result<Explanation, ExplainError>;
}

/// Every method.
pub static METHODS: &[&dyn Method] = &[
    &saliency::Saliency,
    &guided::Guided,
    &deconv::Deconv,
    &smooth_grad::SmoothGrad,
    &integrated::Integrated,
    &grad_cam::GradCam,
    &grad_cam::GradCamPlusPlus,
    &occlusion::Occlusion,
];

/// The method of this name.
///
/// # Errors
/// If there is none, with the list.
pub fn find(name: &str) -> Result<&'static dyn Method, ExplainError> {
    METHODS.iter().find(|m| m.name() == name).copied().ok_or_else(|| {
        let all: Vec<&str> = METHODS.iter().map(|m| m.name()).collect();
        ExplainError::Setting(format!("there is no method `{name}`: there are {}", all.join(", ")))
    })
}

/// Figures by name.
pub(crate) fn facts<const N: usize>(all: [(&str, Value); N]) -> Map<String, Value> {
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
