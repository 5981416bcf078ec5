//! What a layer of cells answers to one picture: square cell-planes, stored pixel by pixel with the planes innermost.

/// The outputs of one layer: cell (y, x) of plane k lies at `(y * side + x) * planes + k`.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// Cells on each side of a plane.
    pub side: usize,
    /// Cell-planes.
    pub planes: usize,
    /// The outputs, none below 0.
    pub values: Vec<f32>,
}

impl Maps {
    /// A layer that is silent.
    pub fn silent(side: usize, planes: usize) -> Self {
        Self { side, planes, values: vec![0.0; side * side * planes] }
    }

    /// The outputs of all planes at cell (y, x).
    pub fn at(&self, y: usize, x: usize) -> &[f32] {
        let start = (y * self.side + x) * self.planes;
        &self.values[start..start + self.planes]
    }

    /// One plane, row by row.
    pub fn plane(&self, k: usize) -> Vec<f32> {
        self.values.iter().skip(k).step_by(self.planes.max(1)).copied().collect()
    }

    /// The largest output with its plane and place (plane, y, x); the first of equals. `None` where all cells are silent.
    pub fn strongest(&self) -> Option<(f32, usize, usize, usize)> {
        let mut best = (0.0, 0);
        for (i, &v) in self.values.iter().enumerate() {
            if v > best.0 {
                best = (v, i);
            }
        }
        let (cell, k) = (best.1 / self.planes.max(1), best.1 % self.planes.max(1));
        (best.0 > 0.0).then(|| (best.0, k, cell / self.side, cell % self.side))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_cell_is_the_first_of_equals() {
        let mut maps = Maps::silent(3, 2);
        assert_eq!(maps.strongest(), None);
        maps.values[2 * (3 + 2) + 1] = 0.5;
        maps.values[2 * 8] = 0.5;
        assert_eq!(maps.strongest(), Some((0.5, 1, 1, 2)));
        assert_eq!(maps.at(1, 2), [0.0, 0.5]);
        assert_eq!(maps.plane(1)[5], 0.5);
    }
}
