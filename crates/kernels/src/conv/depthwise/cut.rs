//! How a map is cut into pieces: rows of an image by channels. By shape alone.

use std::ops::Range;

/// A map of n images, cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    n: usize,
    rows: usize,
    channels: usize,
    /// Rows of a piece.
    height: usize,
}

/// Some rows of an image, some channels of each pixel.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) image: usize,
    pub(super) rows: Range<usize>,
    pub(super) channels: Range<usize>,
    /// The same for all pieces of the same rows.
    pub(super) block: usize,
}

/// Channels of a piece.
const WIDTH: usize = 64;

/// Floats of a piece, about: enough to outweigh handing it out by far, few enough to stay in a second-level cache with what
/// they are computed from.
const FLOATS: std::ops::RangeInclusive<usize> = 8192..=32768;

impl Cut {
    /// About 32 pieces where the map is of a middling size, of an even number of rows but for the last, as rows are walked in
    /// pairs.
    pub(super) fn new(n: usize, rows: usize, cols: usize, channels: usize) -> Self {
        let wanted = (n * rows * cols * channels / 32).clamp(*FLOATS.start(), *FLOATS.end());
        let heights = rows * cols * channels.min(WIDTH) / wanted;
        Self { n, rows, channels, height: rows.div_ceil(heights.max(1)).next_multiple_of(2).max(2) }
    }

    /// Blocks of rows.
    pub(super) fn blocks(&self) -> usize {
        self.n * self.rows.div_ceil(self.height)
    }

    pub(super) fn pieces(&self) -> usize {
        self.blocks() * self.channels.div_ceil(WIDTH)
    }

    pub(super) fn piece(&self, index: usize) -> Piece {
        let (widths, heights) = (self.channels.div_ceil(WIDTH), self.rows.div_ceil(self.height));
        let (block, channel) = (index / widths, index % widths * WIDTH);
        let row = block % heights * self.height;
        Piece {
            image: block / heights,
            rows: row..(row + self.height).min(self.rows),
            channels: channel..(channel + WIDTH).min(self.channels),
            block,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_map_once() {
        for (n, rows, cols, channels) in
            [(1, 1, 1, 1), (2, 7, 7, 40), (1, 112, 112, 32), (3, 14, 13, 517), (2, 0, 3, 5)]
        {
            let cut = Cut::new(n, rows, cols, channels);
            let mut seen = vec![0; n * rows * channels];
            for piece in (0..cut.pieces()).map(|i| cut.piece(i)) {
                assert!(piece.block < cut.blocks() && piece.channels.start.is_multiple_of(16));
                for row in piece.rows {
                    for channel in piece.channels.clone() {
                        seen[(piece.image * rows + row) * channels + channel] += 1;
                    }
                }
            }
            assert!(seen.iter().all(|&s| s == 1));
        }
    }
}
