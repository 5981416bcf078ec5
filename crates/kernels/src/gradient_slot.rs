//! Where a gradient goes: to a place of its own, or to one where other gradients are gathered too.

use crate::cpu::Pieces;
use std::ops::Range;

/// Where a gradient goes. Of two readers of a tensor, the first can assign its gradient and the second add to it, so that
/// nobody has to write zeros first.
#[derive(Debug)]
pub struct GradientSlot<'a> {
    /// Of the shape of what the gradient is by. Where it is assigned, its contents before do not matter.
    pub values: &'a mut [f32],
    /// Add to the values instead of assigning them.
    pub adds: bool,
}

impl<'a> GradientSlot<'a> {
    /// Assigns.
    pub fn assign(values: &'a mut [f32]) -> Self {
        Self { values, adds: false }
    }

    /// Adds.
    pub fn add(values: &'a mut [f32]) -> Self {
        Self { values, adds: true }
    }
}

/// A slot whose parts different threads may hold at once.
pub(crate) struct SharedSlot {
    values: Pieces<f32>,
    adds: bool,
}

impl SharedSlot {
    #[allow(clippy::needless_pass_by_value)] // Takes over the exclusive borrow.
    pub(crate) fn new(slot: GradientSlot<'_>) -> Self {
        Self { values: Pieces::new(slot.values, 1), adds: slot.adds }
    }

    /// The slot of some elements.
    ///
    /// # Safety
    /// The slot given to `new` is still borrowed, and nothing else that lives at once overlaps the range.
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> GradientSlot<'_> {
        // Safety: as the caller vouches.
        GradientSlot { values: unsafe { self.values.range(range) }, adds: self.adds }
    }
}
