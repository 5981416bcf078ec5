//! What can be wrong with an experiment or a model; messages say what was expected and what was found.

use thiserror::Error;

/// An error of this room.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CortexError {
    /// A value that cannot be meant.
    #[error("{what} is {found}, but must be {expected}")]
    Value {
        /// What has the value.
        what: &'static str,
        /// The value.
        found: String,
        /// The values that can be.
        expected: String,
    },
    /// A file does not hold what it should.
    #[error("{0}")]
    Content(String),
    /// A picture could not be encoded.
    #[error("the picture cannot be encoded: {0}")]
    Png(#[from] png::EncodingError),
    /// A picture could not be decoded; the message reads on from its name.
    #[error("{name} {source}")]
    Picture {
        /// The picture's name.
        name: String,
        /// Why.
        source: striate_data::DecodeError,
    },
}

impl CortexError {
    /// A value that cannot be meant.
    #[allow(clippy::needless_pass_by_value)] // Numbers and texts as they come.
    pub(crate) fn value(what: &'static str, found: impl ToString, expected: impl Into<String>) -> Self {
        Self::Value { what, found: found.to_string(), expected: expected.into() }
    }
}

/// Fails unless `value` is finite and above 0.
pub(crate) fn positive(what: &'static str, value: f64) -> Result<f64, CortexError> {
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(CortexError::value(what, value, "a number above 0")) }
}
