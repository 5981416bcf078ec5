//! Colour jitter: brightness, contrast, saturation and hue changed in an order drawn by lot, as torchvision's `ColorJitter` does.

use super::{colour, hue};
use crate::picture::Picture;
use crate::seeded::Lots;

/// Changes the colours; `most` are the bounds of brightness, contrast and saturation about 1, and of hue about 0.
pub(super) fn drawn(picture: Picture, lots: &mut Lots, most: [f64; 4]) -> Picture {
    let mut order = [0, 1, 2, 3];
    lots.shuffle(&mut order);
    let factors: [f32; 4] = std::array::from_fn(|kind| match kind {
        3 => lots.within(most[kind]) as f32,
        _ => lots.between((1.0 - most[kind]).max(0.0), 1.0 + most[kind]) as f32,
    });
    let change = |picture, kind: usize| match kind {
        _ if most[kind] == 0.0 => picture,
        0 => colour::brightness(picture, factors[kind]),
        1 => colour::contrast(picture, factors[kind]),
        2 => colour::saturation(picture, factors[kind]),
        _ => hue::turned(picture, factors[kind]),
    };
    order.into_iter().fold(picture, change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_stay_in_their_bounds() {
        let levels = |most| (0..400).map(move |i| (i, most));
        let drawn = |(i, most)| drawn(Picture::filled(1, 1, &[100, 100, 100]), &mut Lots::new(i, &[]), most).pixels[0];
        let bright: Vec<u8> = levels([0.4, 0.0, 0.0, 0.0]).map(drawn).collect();
        assert!(bright.iter().all(|v| (60..=140).contains(v)), "{bright:?}");
        assert!(bright.iter().any(|&v| v < 65) && bright.iter().any(|&v| v > 135));
        // Factors from 0 to 4, of which a 400th makes 100 black; not from −2, of which half would.
        assert!(levels([3.0, 0.0, 0.0, 0.0]).map(drawn).filter(|&v| v == 0).count() < 8);
        // One level has neither contrast nor colour.
        assert!(levels([0.0, 0.9, 0.9, 0.5]).map(drawn).all(|v| v == 100));
    }
}
