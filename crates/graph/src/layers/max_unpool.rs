//! Unpooling (Zeiler and Fergus 2013, arXiv:1311.2901): values go back to where the maxima that they stand for came from, and
//! zeros everywhere else. Where overlapping windows share a winner their values add up, so that unpooling is exactly the
//! transpose of max pooling with these switches; PyTorch's `max_unpool2d` keeps one of them instead.

use super::pooling::{geometry, pooled};
use crate::{Backward, Forward, Layer, Misfit, Reach, Saved, Setting, Shape, Window};
use serde::{Deserialize, Serialize};
use striate_kernels::{GradientSlot, PoolGeometry, max_pool_backward, max_pool_forward, max_pool_gather};

/// Puts each value of its first input, the map to unpool, where a window of its second, the map that was pooled, had its
/// maximum. Nothing flows back to the second: it only names places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxUnpool {
    /// The window of the max pooling to be undone.
    #[serde(flatten)]
    pub window: Window,
}

impl MaxUnpool {
    /// Undoes max pooling by `window`, which is [`MaxPool`](super::MaxPool)'s.
    pub fn new(window: Window) -> Self {
        MaxUnpool { window }
    }

    /// The geometry of the pooling to be undone, from the second input's shape to the first's.
    fn geometry(&self, s: &Setting<'_>) -> PoolGeometry {
        geometry(&self.window, &Setting { shapes: &s.shapes[1..], shape: s.shapes[0], ..*s })
    }
}

impl Layer for MaxUnpool {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let [y, x] = *inputs else {
            let n = inputs.len();
            return Err(Misfit::new(format!("it takes two inputs, the map to unpool and the one pooled, not {n}")));
        };
        let [h, w] = pooled(&self.window, x)?;
        let made = Shape::new(h, w, x.c);
        if y == made {
            Ok(x)
        } else {
            Err(Misfit::new(format!("pooling makes {made} of its second input, but its first is {y}")))
        }
    }

    fn reach(&self, _inputs: &[Shape], _output: Shape) -> Reach {
        Reach::Unpooled(self.window)
    }

    fn describe(&self) -> String {
        self.window.describe()
    }

    fn saved(&self, batch: usize, inputs: &[Shape], _output: Shape) -> Saved {
        Saved { values: 0, switches: batch * inputs[0].len() }
    }

    /// Forward finds the maxima again, for their places.
    fn scratch(&self, batch: usize, inputs: &[Shape], _output: Shape, _backward: bool) -> usize {
        batch * inputs[0].len()
    }

    fn forward(&self, pass: Forward<'_>) {
        let Forward { setting, inputs, output, switches, scratch, .. } = pass;
        let g = self.geometry(&setting);
        max_pool_forward(setting.cpu, &g, inputs[1], &mut scratch[..inputs[0].len()], Some(switches));
        max_pool_backward(setting.cpu, &g, inputs[0], switches, GradientSlot::assign(output));
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let g = self.geometry(&pass.setting);
        let [dx, pooled] = pass.dx else { unreachable!("two inputs") };
        if let Some(dx) = dx.take() {
            max_pool_gather(pass.setting.cpu, &g, pass.dy, pass.switches, dx);
        }
        if let Some(zeros) = pooled.take() {
            zeros.accumulate(pass.setting.cpu);
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(MaxUnpool, Vec<Shape>)> {
    let padded = Window { padding: crate::Padding::all(1), ..Window::square(3, 2) };
    let ceil = Window { ceil: true, ..Window::square(3, 2) };
    vec![
        (MaxUnpool::new(Window::square(2, 2)), vec![Shape::new(2, 3, 3), Shape::new(4, 6, 3)]),
        (MaxUnpool::new(padded), vec![Shape::new(3, 3, 2), Shape::new(5, 6, 2)]),
        (MaxUnpool::new(ceil), vec![Shape::new(3, 2, 2), Shape::new(6, 5, 2)]),
        (MaxUnpool::new(Window::square(3, 1)), vec![Shape::new(2, 2, 2), Shape::new(4, 4, 2)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyLayer;
    use crate::layers::check::forward;

    #[test]
    fn values_return_to_the_winners() {
        let x = [1.0, 5.0, 2.0, 0.0, 3.0, 4.0, 8.0, 8.0];
        let shapes = [Shape::new(1, 2, 1), Shape::new(2, 4, 1)];
        let y = forward(&AnyLayer::from(MaxUnpool::new(Window::square(2, 2))), &shapes, 1, &[&[10.0, 20.0], &x]);
        assert_eq!(y, [0.0, 10.0, 0.0, 0.0, 0.0, 0.0, 20.0, 0.0]);
    }

    #[test]
    fn values_of_windows_that_share_a_winner_add_up() {
        let x = [0.0, 1.0, 9.0, 1.0, 0.0];
        let window = Window { kernel: [1, 3], ..Window::square(1, 1) };
        let shapes = [Shape::new(1, 3, 1), Shape::new(1, 5, 1)];
        let y = forward(&AnyLayer::from(MaxUnpool::new(window)), &shapes, 1, &[&[1.0, 2.0, 4.0], &x]);
        assert_eq!(y, [0.0, 0.0, 7.0, 0.0, 0.0]);
    }

    #[test]
    fn what_pooling_would_not_have_made_is_refused() {
        let unpool = MaxUnpool::new(Window::square(2, 2));
        let e = unpool.infer(&[Shape::new(2, 2, 3), Shape::new(4, 6, 3)]).unwrap_err().to_string();
        assert_eq!(e, "pooling makes 2×3×3 of its second input, but its first is 2×2×3");
        assert!(unpool.infer(&[Shape::new(2, 2, 3)]).unwrap_err().to_string().contains("two inputs"));
    }
}
