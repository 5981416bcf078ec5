//! Which cells of one plane a cell of the next layer is connected to: a square of cells around the place that corresponds
//! to its own. Planes of different sizes lie centred over each other; a middle that falls between two cells goes to the
//! upper left one. Cells beyond the plane's edge are silent.

use striate_kernels::ConvGeometry;

/// The geometry of the connections between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Cells on each side of the plane that is read.
    pub from: usize,
    /// Cells on each side of the plane that reads.
    pub to: usize,
    /// Cells of the plane that is read between neighbours of the other.
    pub stride: usize,
    /// Cells seen to each side of the middle.
    pub reach: usize,
}

impl Window {
    /// Cells along one side of the window.
    pub fn size(&self) -> usize {
        2 * self.reach + 1
    }

    /// Cells in the window.
    pub fn taps(&self) -> usize {
        self.size() * self.size()
    }

    /// The cell that lies over the middle of the first cell's window; may be before the plane's edge.
    pub fn first(&self) -> isize {
        let slack = (self.from as isize - 1) - (self.stride * (self.to - 1)) as isize;
        slack.div_euclid(2)
    }

    /// The cell over the middle of the window of cell `i`.
    pub fn middle(&self, i: usize) -> isize {
        self.first() + (self.stride * i) as isize
    }

    /// The strength of each connection by its offset (dy, dx), row by row.
    pub fn pattern(&self, strength: impl Fn(f32, f32) -> f32) -> Vec<f32> {
        let reach = self.reach as isize;
        let offsets = || -reach..=reach;
        offsets()
            .flat_map(|dy| offsets().map(move |dx| (dy, dx)))
            .map(|(dy, dx)| strength(dy as f32, dx as f32))
            .collect()
    }

    /// The same as a convolution of one picture.
    ///
    /// # Panics
    /// If the first window begins behind the plane's first cell, as no layer's does.
    pub fn geometry(&self, planes_in: usize, planes_out: usize, groups: usize) -> ConvGeometry {
        let pad = self.reach as isize - self.first();
        assert!(pad >= 0, "a window that leaves out the edge: {self:?}");
        ConvGeometry {
            n: 1,
            h: self.from,
            w: self.from,
            c_in: planes_in,
            out_h: self.to,
            out_w: self.to,
            c_out: planes_out,
            kernel: [self.size(); 2],
            stride: [self.stride; 2],
            pad: [pad as usize; 2],
            dilation: [1; 2],
            groups,
        }
    }

    /// Calls `f(tap, cell)` for each connection of cell (y, x) that lies on the plane: the tap's number in
    /// [`Window::pattern`] and the number of the cell that is read.
    pub fn each(&self, y: usize, x: usize, mut f: impl FnMut(usize, usize)) {
        let (reach, from) = (self.reach as isize, self.from as isize);
        let (middle_y, middle_x) = (self.middle(y), self.middle(x));
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let (sy, sx) = (middle_y + dy, middle_x + dx);
                if (0..from).contains(&sy) && (0..from).contains(&sx) {
                    f(((dy + reach) as usize) * self.size() + (dx + reach) as usize, (sy * from + sx) as usize);
                }
            }
        }
    }
}

/// A bell of width `sigma`, cut off at distance `radius`.
pub(crate) fn bell(dy: f32, dx: f32, sigma: f32, radius: f32) -> f32 {
    let square = dy * dy + dx * dx;
    if square < radius * radius { (-square / (2.0 * sigma * sigma)).exp() } else { 0.0 }
}

/// The reach of a disc of this radius: whole cells below it.
pub(crate) fn reach(radius: f32) -> usize {
    (radius.ceil() as usize).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_lie_centred_over_each_other() {
        let window = |from, to, stride| Window { from, to, stride, reach: 3 };
        assert_eq!((window(71, 69, 1).first(), window(69, 37, 2).first(), window(13, 5, 1).first()), (1, -2, 4));
        assert_eq!(window(16, 10, 2).first(), -2, "half a cell goes to the upper left");
        let w = window(69, 37, 2);
        // The middles of the first and the last window lie equally far outside.
        assert_eq!((w.middle(0), w.middle(36)), (-2, 70));
        assert_eq!(w.geometry(4, 4, 4).pad, [5, 5]);
    }

    #[test]
    fn taps_beyond_the_edge_are_left_out() {
        let w = Window { from: 4, to: 4, stride: 1, reach: 1 };
        let mut seen = Vec::new();
        w.each(0, 3, |tap, cell| seen.push((tap, cell)));
        assert_eq!(seen, [(3, 2), (4, 3), (6, 6), (7, 7)]);
        assert_eq!(w.pattern(|dy, dx| 10.0 * dy + dx)[..4], [-11.0, -10.0, -9.0, -1.0]);
    }

    #[test]
    fn discs_end_at_their_radius() {
        assert_eq!([reach(3.3), reach(3.0), reach(1.0), reach(0.5)], [3, 2, 0, 0]);
        assert_eq!((bell(3.0, 0.0, 1.0, 3.0), bell(0.0, 0.0, 1.0, 3.0)), (0.0, 1.0));
    }
}
