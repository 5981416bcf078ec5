//! Crop windows drawn by lot, as torchvision's `RandomResizedCrop` samples them: the area uniformly, the logarithm of the ratio
//! uniformly, ten tries, then the largest centred window of an allowed ratio.

use crate::seeded::Lots;

/// A part of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

const TRIES: usize = 10;

/// A window in a picture of `width` × `height`, of a share of its area and a ratio of width to height within these bounds.
pub(super) fn draw(lots: &mut Lots, area: [f64; 2], ratio: [f64; 2], width: u32, height: u32) -> Window {
    let whole = f64::from(width) * f64::from(height);
    let (narrow, wide) = (libm::log(ratio[0]), libm::log(ratio[1]));
    for _ in 0..TRIES {
        let target = whole * lots.between(area[0], area[1]);
        let aspect = libm::exp(lots.between(narrow, wide));
        let w = (target * aspect).sqrt().round_ties_even();
        let h = (target / aspect).sqrt().round_ties_even();
        if (1.0..=f64::from(width)).contains(&w) && (1.0..=f64::from(height)).contains(&h) {
            let (w, h) = (w as u32, h as u32);
            let mut place = |room: u32| lots.below(u64::from(room) + 1) as u32;
            return Window { x: place(width - w), y: place(height - h), width: w, height: h };
        }
    }
    central(ratio, width, height)
}

/// The largest window in the middle whose ratio is allowed.
fn central([narrow, wide]: [f64; 2], width: u32, height: u32) -> Window {
    let side = |length: f64, most: u32| (length.round_ties_even() as u32).clamp(1, most);
    let (w, h) = match f64::from(width) / f64::from(height) {
        shape if shape < narrow => (width, side(f64::from(width) / narrow, height)),
        shape if shape > wide => (side(f64::from(height) * wide, width), height),
        _ => (width, height),
    };
    Window { x: (width - w) / 2, y: (height - h) / 2, width: w, height: h }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_inside_and_have_the_area_and_ratio_asked_for() {
        let (area, ratio) = ([0.2, 0.6], [0.75, 4.0 / 3.0]);
        let mut lots = Lots::new(1, &[]);
        let (mut left, mut right) = (u32::MAX, 0);
        for _ in 0..5000 {
            let w = draw(&mut lots, area, ratio, 200, 160);
            assert!(w.x + w.width <= 200 && w.y + w.height <= 160, "{w:?}");
            let share = f64::from(w.width * w.height) / (200.0 * 160.0);
            // A side is rounded by half a pixel of at least 69.
            assert!((0.197..0.603).contains(&share), "{w:?} {share}");
            assert!((0.74..1.35).contains(&(f64::from(w.width) / f64::from(w.height))), "{w:?}");
            (left, right) = (left.min(w.x), right.max(w.x + w.width));
        }
        assert_eq!((left, right), (0, 200), "windows reach both ends");
    }

    #[test]
    fn pictures_without_room_for_any_window_give_their_middle() {
        let ratio = [0.75, 4.0 / 3.0];
        // No window of a third of the area or more is as square as asked.
        let middle = |w, h| draw(&mut Lots::new(1, &[]), [0.35, 1.0], ratio, w, h);
        assert_eq!(middle(300, 30), Window { x: 130, y: 0, width: 40, height: 30 });
        assert_eq!(middle(30, 300), Window { x: 0, y: 130, width: 30, height: 40 });
        assert_eq!(middle(1, 1_000_000), Window { x: 0, y: 499_999, width: 1, height: 1 });
        assert_eq!(middle(1, 1), Window { x: 0, y: 0, width: 1, height: 1 });
    }
}
