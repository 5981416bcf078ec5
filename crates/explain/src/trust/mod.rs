//! How far a heat map can be trusted, in figures: what the network answers when the pixels are taken away or put back that it
//! calls important, and whether it changes at all when the weights are made random.

mod curves;
mod randomised;
mod road;

pub use curves::{Curve, deletion, insertion};
pub use randomised::{Randomised, randomise, rank_correlation};
pub use road::{Road, road};

use crate::{ExplainError, Heat, Method, Settings, Subject};
use serde::Serialize;

/// Everything that is measured of one heat map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trust {
    /// The probability as the most important pixels are covered: the smaller the area, the better.
    pub deletion: Curve,
    /// The probability as the most important pixels come back on a blurred picture: the larger the area, the better.
    pub insertion: Curve,
    /// Remove and debias.
    pub road: Road,
    /// How alike the maps stay when weights are made random; absent where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub randomised: Option<Randomised>,
}

impl Trust {
    /// Measures a heat map of an input for a class; with `method`, also whether its maps depend on the weights.
    ///
    /// # Errors
    /// If the network cannot be run.
    pub fn of(
        subject: &Subject,
        input: &[f32],
        class: usize,
        heat: &Heat,
        method: Option<&dyn Method>,
        settings: &Settings,
    ) -> Result<Trust, ExplainError> {
        let randomised = method.map(|method| randomise(subject, input, class, method, settings)).transpose()?;
        Ok(Trust {
            deletion: deletion(subject, input, class, heat, settings.batch)?,
            insertion: insertion(subject, input, class, heat, settings.batch)?,
            road: road(subject, input, class, heat, settings.batch)?,
            randomised,
        })
    }
}
