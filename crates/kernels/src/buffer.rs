//! Storage for floats that starts on a cache line, so that full vectors never straddle two.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Floats in a cache line.
const LINE: usize = 16;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A fixed number of `f32` on 64-byte aligned memory; dereferences to `[f32]`.
///
/// ```
/// use striate_kernels::Buffer;
/// let mut b = Buffer::zeroed(3);
/// b[1] = 2.0;
/// assert_eq!(*b, [0.0, 2.0, 0.0]);
/// assert_eq!(b.as_ptr().addr() % 64, 0);
/// ```
#[derive(Clone, Default)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        Self { lines: vec![Line([0.0; LINE]); len.div_ceil(LINE)], len }
    }

    /// `len` zeros, or `None` if the system has not memory enough.
    pub fn try_zeroed(len: usize) -> Option<Self> {
        let mut lines = Vec::new();
        lines.try_reserve_exact(len.div_ceil(LINE)).ok()?;
        lines.resize(len.div_ceil(LINE), Line([0.0; LINE]));
        Some(Self { lines, len })
    }
}

impl From<&[f32]> for Buffer {
    fn from(values: &[f32]) -> Self {
        let mut buffer = Self::zeroed(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // Safety: `Line` is sixteen floats without padding, and the lines hold at least `len` floats.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // Safety: as in `deref`, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_zeroed_aligned_and_cloned() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut buffer = Buffer::zeroed(len);
            assert_eq!(*buffer, vec![0.0; len]);
            assert_eq!(buffer.as_ptr().addr() % 64, 0);
            buffer.fill(3.0);
            let copy = buffer.clone();
            buffer.fill(4.0);
            assert_eq!(*copy, vec![3.0; len]);
            assert_eq!(copy.as_ptr().addr() % 64, 0);
        }
        assert!(Buffer::default().is_empty());
    }
}
