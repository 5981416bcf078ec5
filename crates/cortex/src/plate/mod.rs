//! Figures: SVG plates of experiments and networks, PNG pictures and animations.
//!
//! Text is set in the reader's sans-serif font; lines differ in colour and in dashes. Pictures inside a plate are drawn pixel
//! by pixel, without smoothing.

mod axes;
mod colour;
mod experiment;
mod film;
mod filters;
mod neocognitron;
mod png;
mod svg;

pub use colour::{Rgb, diverging, grey, hue};
pub use experiment::experiment_plate;
pub use film::session_film;
pub use filters::{FilterPicture, filters_plate};
pub use neocognitron::{Panel, features_plate, layers_plate, tolerance_plate};
pub use png::{Image, animation, encode};
pub use svg::Svg;
