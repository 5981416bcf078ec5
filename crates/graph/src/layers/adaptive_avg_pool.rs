//! Adaptive average pooling: a map of any size to one of a given size. By PyTorch's rule output i of M is the mean of inputs
//! ⌊i·N / M⌋ up to ⌈(i + 1)·N / M⌉ − 1 of N: neighbours overlap where M does not divide N, and more outputs than inputs
//! repeat them.

use crate::layer::only;
use crate::window::MOST;
use crate::{Backward, Forward, Layer, Misfit, Reach, Setting, Shape, Span, Window};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::ops::Range;
use striate_kernels::{PoolRegions, region_avg_pool_backward, region_avg_pool_forward};

/// Means that leave a map of the given size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdaptiveAvgPool {
    /// Rows and columns that come out.
    pub output: [usize; 2],
}

impl AdaptiveAvgPool {
    /// To `rows`×`columns`.
    pub fn new(rows: usize, columns: usize) -> Self {
        AdaptiveAvgPool { output: [rows, columns] }
    }
}

/// Ranges of rows or columns; those of the usual sizes, up to 8, need no allocation.
type Ranges = SmallVec<[Range<usize>; 8]>;

/// What each of `m` outputs covers of `n` rows or columns.
fn covered(n: usize, m: usize) -> Ranges {
    (0..m).map(|i| i * n / m..((i + 1) * n).div_ceil(m)).collect()
}

/// Between what lines every output's inputs lie: rounding moves their ends by less than one, by multiples of gcd(n, m) / m.
fn span(n: usize, m: usize) -> Span {
    let (jump, mut gcd, mut rest) = (n as f64 / m as f64, n, m);
    while rest > 0 {
        (gcd, rest) = (rest, gcd % rest);
    }
    let rounding = 1.0 - gcd as f64 / m as f64;
    Span { first: -rounding, last: jump - 1.0 + rounding, jump }
}

/// The rows and the columns that outputs cover.
fn regions(s: &Setting<'_>) -> [Ranges; 2] {
    let x = s.shapes[0];
    [covered(x.h, s.shape.h), covered(x.w, s.shape.w)]
}

/// The kernels' view of them.
fn geometry<'a>(s: &Setting<'_>, [rows, columns]: &'a [Ranges; 2]) -> PoolRegions<'a> {
    let Shape { h, w, c } = s.shapes[0];
    PoolRegions { n: s.batch, h, w, c, rows, columns }
}

impl Layer for AdaptiveAvgPool {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let x = only(inputs)?;
        let [h, w] = self.output;
        if self.output.iter().any(|side| !(1..=MOST).contains(side)) {
            return Err(Misfit::new(format!("its output's sides must be between 1 and {MOST}, not {h}×{w}")));
        }
        Ok(Shape::new(h, w, x.c))
    }

    fn reach(&self, inputs: &[Shape], output: Shape) -> Reach {
        let (x, sides) = (inputs[0], self.output);
        if x.h.is_multiple_of(sides[0]) && x.w.is_multiple_of(sides[1]) {
            let kernel = [x.h / sides[0], x.w / sides[1]];
            return Reach::Window(Window { kernel, stride: kernel, ..Window::square(1, 1) });
        }
        Reach::Fractional([span(x.h, output.h), span(x.w, output.w)])
    }

    fn describe(&self) -> String {
        format!("to {}×{}", self.output[0], self.output[1])
    }

    fn forward(&self, pass: Forward<'_>) {
        let regions = regions(&pass.setting);
        let g = geometry(&pass.setting, &regions);
        region_avg_pool_forward(pass.setting.cpu, &g, pass.inputs[0], pass.output);
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let regions = regions(&pass.setting);
        let g = geometry(&pass.setting, &regions);
        if let Some(dx) = pass.dx[0].take() {
            region_avg_pool_backward(pass.setting.cpu, &g, pass.dy, dx);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(AdaptiveAvgPool, Vec<Shape>)> {
    vec![
        (AdaptiveAvgPool::new(2, 3), vec![Shape::new(4, 6, 3)]),
        (AdaptiveAvgPool::new(3, 4), vec![Shape::new(5, 6, 2)]),
        (AdaptiveAvgPool::new(5, 3), vec![Shape::new(3, 2, 2)]),
        (AdaptiveAvgPool::new(1, 1), vec![Shape::new(3, 4, 2)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;
    use crate::layers::pooling::{assert_near, sawtooth};

    #[test]
    fn means_are_those_of_pytorch() {
        // adaptive_avg_pool2d(x, output).
        let at = |h, w, [rows, columns]: [usize; 2], expected: &[f32]| {
            let layer = AnyLayer::from(AdaptiveAvgPool::new(rows, columns));
            assert_near(&forward(&layer, &[Shape::new(h, w, 1)], 1, &[&sawtooth(h * w)]), expected);
        };
        let smaller = [2.97917, 2.77083, 4.1875, 2.14583, 4.14583, 5.77083, 3.52083, 5.14583];
        at(5, 6, [2, 4], &smaller);
        at(5, 6, [3, 3], &[2.6875, 3.1875, 0.9375, 3.5625, 4.97917, 2.72917, 4.4375, 4.9375, 5.4375]);
        let larger = [
            -3.0, 0.5625, 4.125, -1.375, 2.1875, 5.75, 0.25, 3.8125, 7.375, 1.875, 2.6875, 3.5, 3.5, 1.5625, -0.375,
        ];
        at(3, 2, [5, 3], &larger);
        at(7, 1, [3, 2], &[0.45833, 0.45833, 3.70833, 3.70833, 3.29167, 3.29167]);
    }

    #[test]
    fn maps_without_rows_or_columns_are_refused() {
        for (rows, columns) in [(0, 1), (3, 0), (1 << 17, 1)] {
            let e = AdaptiveAvgPool::new(rows, columns).infer(&[Shape::new(4, 4, 1)]).unwrap_err().to_string();
            assert!(e.contains(&format!("not {rows}×{columns}")), "{e}");
        }
    }
}
