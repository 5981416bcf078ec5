//! Where a gradient goes: to a place of its own, or to one where other gradients are gathered too.

use crate::Cpu;
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

/// Elements that are zeroed together.
const PIECE: usize = 1 << 15;

impl<'a> GradientSlot<'a> {
    /// Assigns.
    pub fn assign(values: &'a mut [f32]) -> Self {
        Self { values, adds: false }
    }

    /// Adds.
    pub fn add(values: &'a mut [f32]) -> Self {
        Self { values, adds: true }
    }

    /// The values, to be added to: zeroed where the slot assigns.
    pub fn accumulate(self, cpu: &Cpu) -> &'a mut [f32] {
        if !self.adds {
            cpu.chunks(self.values, PIECE, |_, values| values.fill(0.0));
        }
        self.values
    }

    /// As [`Cpu::chunks`], for an `f` that adds: where the slot assigns, each piece is zeroed just before.
    ///
    /// # Panics
    /// If `chunk` is zero.
    pub fn add_in_chunks(self, cpu: &Cpu, chunk: usize, f: impl Fn(usize, &mut [f32]) + Sync + Send) {
        cpu.chunks(self.values, chunk, |i, values| {
            if !self.adds {
                values.fill(0.0);
            }
            f(i, values);
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_assigns_is_zeroed_and_what_adds_is_kept() {
        let cpu = Cpu::new(2).unwrap();
        for (adds, start, kept) in [(false, f32::NAN, 0.0), (true, 8.0, 8.0)] {
            for len in [0, 5, PIECE + 3] {
                let mut values = vec![start; len];
                GradientSlot { values: &mut values, adds }.accumulate(&cpu).iter_mut().for_each(|v| *v += 1.0);
                assert!(values.iter().all(|&v| v == kept + 1.0));
                values.fill(start);
                let slot = GradientSlot { values: &mut values, adds };
                slot.add_in_chunks(&cpu, 3, |i, part| part.iter_mut().for_each(|v| *v += i as f32));
                assert!(values.iter().enumerate().all(|(i, &v)| v == kept + (i / 3) as f32));
            }
        }
    }
}
