//! Heat maps: one value a pixel of the network's input, brought to the picture's own pixels to be shown.

use striate_data::Placement;

/// A map of values, rows from the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// h · w values.
    pub values: Vec<f32>,
}

/// How an input's channels become one value a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// The largest absolute value (Simonyan et al. 2013, arXiv:1312.6034, section 3.1).
    LargestAbsolute,
    /// The sum, with signs.
    Sum,
}

impl Heat {
    /// A map.
    ///
    /// # Panics
    /// If there are not h · w values.
    pub fn new(h: usize, w: usize, values: Vec<f32>) -> Heat {
        assert_eq!(values.len(), h * w, "a value for each of {h}×{w} cells");
        Heat { h, w, values }
    }

    /// A map from values with channels, innermost.
    pub fn of_channels(h: usize, w: usize, values: &[f32], reduce: Reduce) -> Heat {
        let c = values.len() / (h * w);
        let pixel = |v: &[f32]| match reduce {
            Reduce::LargestAbsolute => v.iter().fold(0.0, |m: f32, v| if v.abs() > m { v.abs() } else { m }),
            Reduce::Sum => v.iter().sum(),
        };
        Heat::new(h, w, values.chunks_exact(c).map(pixel).collect())
    }

    /// The smallest and largest value.
    pub fn range(&self) -> [f32; 2] {
        let fold = |pick: fn(f32, f32) -> f32, start| self.values.iter().copied().fold(start, pick);
        [fold(f32::min, f32::INFINITY), fold(f32::max, f32::NEG_INFINITY)]
    }

    /// The value at a point, in cells, the middle of the first at ½: bilinear between middles, constant beyond the outer
    /// ones.
    pub fn at(&self, x: f64, y: f64) -> f32 {
        let axis = |v: f64, n: usize| {
            let v = (v - 0.5).clamp(0.0, (n - 1) as f64);
            let low = (v.floor() as usize).min(n - 1);
            (low, (low + 1).min(n - 1), (v - low as f64) as f32)
        };
        let ((x0, x1, fx), (y0, y1, fy)) = (axis(x, self.w), axis(y, self.h));
        let value = |x: usize, y: usize| self.values[y * self.w + x];
        let row = |y| value(x0, y) * (1.0 - fx) + value(x1, y) * fx;
        row(y0) * (1.0 - fy) + row(y1) * fy
    }

    /// The map in another size: bilinear, corners where they were, as `OpenCV`'s and PyTorch's without `align_corners`.
    pub fn resized(&self, h: usize, w: usize) -> Heat {
        let (sx, sy) = (self.w as f64 / w as f64, self.h as f64 / h as f64);
        let value = |i: usize| self.at(((i % w) as f64 + 0.5) * sx, ((i / w) as f64 + 0.5) * sy);
        Heat::new(h, w, (0..h * w).map(value).collect())
    }

    /// The map, which is of the input's size, on the pixels of a picture of which that input was made; NaN where the
    /// picture was cut off.
    pub fn on_picture(&self, placement: &Placement, width: u32, height: u32) -> Heat {
        let (w, h) = (width as usize, height as usize);
        let value = |i: usize| {
            let [x, y] = placement.to_input([(i % w) as f64 + 0.5, (i / w) as f64 + 0.5]);
            let inside = x >= 0.0 && y >= 0.0 && x <= self.w as f64 && y <= self.h as f64;
            if inside { self.at(x, y) } else { f32::NAN }
        };
        Heat::new(h, w, (0..w * h).map(value).collect())
    }

    /// The cells from the largest to the smallest value; of equal ones the first comes first.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.values.len()).collect();
        order.sort_by(|&a, &b| self.values[b].total_cmp(&self.values[a]).then(a.cmp(&b)));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resizing_is_pytorchs() {
        // torch.nn.functional.interpolate([[0, 1], [2, 3]], size=4, mode="bilinear"): middles at ¼ steps, edges constant.
        let four = Heat::new(2, 2, vec![0.0, 1.0, 2.0, 3.0]).resized(4, 4);
        assert_eq!(four.values[..4], [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(four.values[4..8], [0.5, 0.75, 1.25, 1.5]);
        assert_eq!(four.resized(4, 4), four);
    }

    #[test]
    fn what_was_cut_off_has_no_value() {
        let heat = Heat::new(2, 2, vec![1.0, 2.0, 3.0, 4.0]);
        // A picture of 6×2 whose middle third is the input.
        let on = heat.on_picture(&Placement { scale: [1.0, 1.0], offset: [-2.0, 0.0] }, 6, 2);
        assert!(on.values[0].is_nan() && on.values[5].is_nan());
        assert_eq!((on.values[2], on.values[3], on.values[8], on.values[9]), (1.0, 2.0, 3.0, 4.0));
    }

    #[test]
    fn channels_are_reduced_and_cells_ordered() {
        let values = [1.0, -3.0, 0.5, 0.25, -1.0, -1.0];
        let heat = Heat::of_channels(1, 3, &values, Reduce::LargestAbsolute);
        assert_eq!(heat.values, [3.0, 0.5, 1.0]);
        assert_eq!(heat.order(), [0, 2, 1]);
        assert_eq!(Heat::of_channels(1, 3, &values, Reduce::Sum).values, [-2.0, 0.75, -2.0]);
        assert_eq!(heat.range(), [0.5, 3.0]);
    }
}
