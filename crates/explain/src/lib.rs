//! Looking inside a trained classifier: what a unit saw, and which part of the picture decides. Everything is computed by the
//! engine's own passes: a [`Probe`] runs pictures forward and sweeps back by a [`Rule`](striate_engine::Rule).
//!
//! * [`METHODS`]: heat maps of a picture for a class, and [`Trust`]: how far to believe them.
//! * [`Projector`]: the deconvnet from units of any layer; [`Top`]: the strongest activations over a data set.
//! * [`Filters`], [`ChannelMap`], [`maximise`], [`correspondence`], and the diagnosis [`LayerFigures`], [`Usage`].
//! * [`Sheet`]: pictures with captions and scale bars as PNG and SVG; [`Array`]: raw values as `.npy`.
//!
//! ```
//! use std::sync::Arc;
//! use striate_data::{Fit, Picture, Preprocessing};
//! use striate_engine::{Parameters, Scheme};
//! use striate_explain::{Settings, Subject, find};
//! use striate_graph::{Builder, Shape, layers::{Conv, GlobalAvgPool, Linear, Relu}};
//! use striate_kernels::Cpu;
//!
//! let mut g = Builder::new("tiny");
//! let x = g.input(Shape::new(8, 8, 1));
//! let c = g.add("conv", Conv::new(4, 3), x);
//! let r = g.add("relu", Relu, c);
//! let m = g.add("mean", GlobalAvgPool, r);
//! let y = g.add("fc", Linear::new(2), m);
//! let graph = Arc::new(g.finish(y)?);
//! let parameters = Parameters::init(&graph, Scheme::He, 1);
//! let preprocessing = Preprocessing::new(8, 8, 1, Fit::Stretch);
//! let classes = vec!["cat".to_owned(), "dog".to_owned()];
//! let subject = Subject::new(graph, parameters, preprocessing, classes, Arc::new(Cpu::new(1)?))?;
//!
//! let input = subject.input(&Picture::filled(8, 8, &[200]));
//! let found = find("gradcam")?.explain(&subject, &input, subject.class("dog")?, &Settings::default())?;
//! assert_eq!((found.heat.h, found.heat.w), (8, 8));
//! assert_eq!(found.facts["layer"], "relu");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod colours;
mod correspondence;
mod diagnose;
mod error;
#[cfg(test)]
mod examples;
mod filters;
mod heat;
mod layers;
mod maps;
mod maximise;
mod methods;
mod mosaic;
mod npy;
mod probe;
mod project;
mod sheet;
mod subject;
mod top;
mod trust;

pub use colours::Colours;
pub use correspondence::{Consistency, Parts, anywhere, correspondence};
pub use diagnose::{FilterFigures, LayerFigures, UnitFigures, Usage};
pub use error::ExplainError;
pub use filters::Filters;
pub use heat::{Heat, Reduce};
pub use layers::{choose, last_map};
pub use maps::ChannelMap;
pub use maximise::{Ascent, Maximised, maximise};
pub use methods::{Explanation, GradCam, GradCamPlusPlus, METHODS, Method, Occluded, Path, Settings, find, occlude};
pub use mosaic::{mosaic, part};
pub use npy::{Array, npy_header};
pub use probe::Probe;
pub use project::{Field, Projection, Projector, Which, strongest};
pub use sheet::{Bar, Sheet, Tile};
pub use subject::{Predictor, Seen, Subject};
pub use top::{Strong, Top};
pub use trust::{Curve, Randomised, Road, Trust, deletion, insertion, randomise, rank_correlation, road};
