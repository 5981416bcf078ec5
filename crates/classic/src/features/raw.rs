//! The pixels themselves, from 0 to 1: rows from the top, channels innermost.

use super::{Extract, Feature};
use crate::error::ClassicError;
use crate::pictures::{Pictures, Size};
use serde::{Deserialize, Serialize};
use striate_data::Picture;
use striate_kernels::Cpu;

/// Samples divided by 255.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raw {}

impl Feature for Raw {
    type Extractor = Self;

    fn learn(&self, _: &Cpu, _: &dyn Pictures, _: u64) -> Result<Self, ClassicError> {
        Ok(*self)
    }
}

impl Extract for Raw {
    fn len(&self, size: Size) -> Result<usize, ClassicError> {
        Ok(size.width * size.height * size.channels)
    }

    fn extract(&self, _: &Cpu, picture: &Picture, out: &mut [f32]) {
        for (out, &v) in out.iter_mut().zip(&picture.pixels) {
            *out = f32::from(v) / 255.0;
        }
    }

    fn check(&self) -> Result<(), ClassicError> {
        Ok(())
    }
}
