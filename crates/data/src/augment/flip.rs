//! Pictures mirrored left to right and upside down.

use crate::picture::Picture;

/// Mirrored left to right.
pub(crate) fn mirrored(mut picture: Picture) -> Picture {
    let (stride, channels) = (picture.stride(), usize::from(picture.channels));
    for row in picture.pixels.chunks_exact_mut(stride) {
        row.reverse();
        // Whole rows are reversed by samples, so each pixel's channels must be turned back.
        row.chunks_exact_mut(channels).for_each(<[u8]>::reverse);
    }
    picture
}

/// The last row first.
pub(super) fn upside_down(picture: &Picture) -> Picture {
    let pixels = picture.pixels.chunks_exact(picture.stride()).rev().flatten().copied().collect();
    Picture { pixels, ..*picture }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_keep_colours() {
        let colour = Picture { width: 2, height: 1, channels: 3, pixels: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(mirrored(colour.clone()).pixels, [4, 5, 6, 1, 2, 3]);
        assert_eq!(upside_down(&colour), colour);
        let grey = Picture { width: 3, height: 2, channels: 1, pixels: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(mirrored(grey.clone()).pixels, [3, 2, 1, 6, 5, 4]);
        assert_eq!(upside_down(&grey).pixels, [4, 5, 6, 1, 2, 3]);
    }
}
