//! Objects in pictures: where they may be, where they are said to be, and how good that is.
//!
//! * [`propose`](mod@propose): boxes that may hold objects, by selective search.
//! * [`sets`]: data sets of boxes (VOC, COCO, YOLO), checked and converted.
//! * [`evaluate`]: average precision as VOC and COCO define it, and what errors cost.
//! * [`suppress`] and [`suppress_softly`], [`regression_targets`] and [`regressed`], [`Warp`]: what R-CNN does with regions.
//! * [`rcnn`]: the detector itself, trained and used.
//! * [`draw_boxes`]: pictures with boxes on them.
//!
//! Boxes are in pixels from a picture's upper left corner; see [`BoundingBox`]. Everything gives the same answer at any number
//! of threads.

mod bounding_box;
mod box_regression;
mod detection;
mod draw;
mod error;
pub mod evaluate;
pub mod propose;
pub mod rcnn;
pub mod sets;
mod sums;
mod suppression;
mod warp;

pub use bounding_box::BoundingBox;
pub use box_regression::{LARGEST_CHANGE, Targets, regressed, regression_targets};
pub use detection::{Detection, Object};
pub use draw::{Label, colour_of_class, draw_boxes};
pub use error::DetectError;
pub use suppression::{Decay, suppress, suppress_softly};
pub use warp::{Shape, Warp};
