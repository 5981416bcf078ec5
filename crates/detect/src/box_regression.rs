//! Bounding-box regression: what a regressor learns, and what its answer does to a box (Girshick et al. 2014,
//! arXiv:1311.2524, appendix C, equations 1 to 4 and 6 to 9 of version 5).
//!
//! Offsets are between centres, relative to the proposal's size; sizes are compared by their logarithm. Sizes follow the
//! boxes here, edge to edge; the authors' code adds 1e-14 to them, which a box without area would need.

use crate::bounding_box::BoundingBox;

/// `[t_x, t_y, t_w, t_h]`: how to come from a proposal to the object.
pub type Targets = [f64; 4];

/// What a regressor should answer for a proposal, given the object's true box. Both have an area.
pub fn regression_targets(proposal: &BoundingBox, truth: &BoundingBox) -> Targets {
    let (px, py) = centre(proposal);
    let (gx, gy) = centre(truth);
    [
        (gx - px) / proposal.width,
        (gy - py) / proposal.height,
        (truth.width / proposal.width).ln(),
        (truth.height / proposal.height).ln(),
    ]
}

/// The box that a regressor's answer makes of a proposal: the inverse of [`regression_targets`].
///
/// Logarithms of sizes beyond ±[`LARGEST_CHANGE`] are cut off there, so that a wild answer gives no endless box.
///
/// ```
/// use striate_detect::{BoundingBox, regressed, regression_targets};
/// let proposal = BoundingBox::new(10.0, 20.0, 30.0, 40.0);
/// let truth = BoundingBox::new(16.0, 16.0, 60.0, 20.0);
/// let targets = regression_targets(&proposal, &truth);
/// assert_eq!(targets, [0.7, -0.35, 2f64.ln(), 0.5f64.ln()]);
/// let back = regressed(&proposal, &targets);
/// assert!((back.x - truth.x).abs() < 1e-12 && (back.width - truth.width).abs() < 1e-12);
/// ```
pub fn regressed(proposal: &BoundingBox, targets: &Targets) -> BoundingBox {
    let (px, py) = centre(proposal);
    let [tx, ty, tw, th] = *targets;
    let (x, y) = (proposal.width * tx + px, proposal.height * ty + py);
    let change = |t: f64| t.clamp(-LARGEST_CHANGE, LARGEST_CHANGE).exp();
    let (width, height) = (proposal.width * change(tw), proposal.height * change(th));
    BoundingBox::new(x - width / 2.0, y - height / 2.0, width, height)
}

/// The logarithm of 1000/16, a usual bound in later detectors.
pub const LARGEST_CHANGE: f64 = 4.135_166_556_742_356;

fn centre(b: &BoundingBox) -> (f64, f64) {
    (b.x + b.width / 2.0, b.y + b.height / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bound_is_the_logarithm_that_it_is_said_to_be() {
        assert!((LARGEST_CHANGE - (1000.0f64 / 16.0).ln()).abs() < 1e-15);
        let proposal = BoundingBox::new(0.0, 0.0, 10.0, 10.0);
        assert!((regressed(&proposal, &[0.0, 0.0, 1e9, -1e9]).width - 625.0).abs() < 1e-9);
        assert_eq!(regressed(&proposal, &[0.0; 4]), proposal);
    }

    proptest! {
        #[test]
        fn what_targets_do_can_be_undone(p in prop::array::uniform4(1.0..50.0f64), g in prop::array::uniform4(1.0..50.0f64)) {
            let p = BoundingBox::new(p[0], p[1], p[2], p[3]);
            let g = BoundingBox::new(g[0], g[1], g[2], g[3]);
            let back = regressed(&p, &regression_targets(&p, &g));
            for (a, b) in [(back.x, g.x), (back.y, g.y), (back.width, g.width), (back.height, g.height)] {
                prop_assert!((a - b).abs() < 1e-10, "{back} for {g}");
            }
        }
    }
}
