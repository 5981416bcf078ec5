//! The shape of one image's activations at a node: height × width × channels, NHWC without the N.

use crate::Misfit;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Height, width and channels of one image's activations. A vector of `c` features is 1×1×c.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels, innermost in memory.
    pub c: usize,
}

/// The most values that one image may have at a node: 2³², 16 GiB as f32. Graphs come from files too.
const MOST: usize = 1 << 32;

impl Shape {
    /// A map of `h` rows and `w` columns with `c` channels.
    pub const fn new(h: usize, w: usize, c: usize) -> Self {
        Shape { h, w, c }
    }

    /// A vector of `c` features.
    pub const fn vector(c: usize) -> Self {
        Shape { h: 1, w: 1, c }
    }

    /// Values per image.
    pub const fn len(self) -> usize {
        self.h * self.w * self.c
    }

    /// True if a side is zero, which no node's shape is.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// True for 1×1×c.
    pub const fn is_vector(self) -> bool {
        self.h == 1 && self.w == 1
    }

    /// The shape itself if no side is zero and its size can be computed with.
    pub(crate) fn checked(self) -> Result<Self, Misfit> {
        let len = self.h.checked_mul(self.w).and_then(|n| n.checked_mul(self.c));
        match len {
            Some(0) => Err(Misfit::new(format!("its output would be {self}: no side may be zero"))),
            Some(n) if n <= MOST => Ok(self),
            _ => Err(Misfit::new(format!("its output would be {self}, more than {MOST} values an image"))),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_vector() { write!(f, "{}", self.c) } else { write!(f, "{}×{}×{}", self.h, self.w, self.c) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_print_as_people_write_them() {
        assert_eq!(Shape::new(28, 14, 6).to_string(), "28×14×6");
        assert_eq!(Shape::vector(120).to_string(), "120");
    }

    #[test]
    fn sizes_that_cannot_be_computed_with_are_refused() {
        assert!(Shape::new(usize::MAX, 3, 2).checked().is_err());
        assert!(Shape::new(1 << 20, 1 << 20, 1).checked().is_err());
        assert!(Shape::new(3, 0, 2).checked().is_err());
        assert!(Shape::new(224, 224, 64).checked().is_ok());
    }
}
