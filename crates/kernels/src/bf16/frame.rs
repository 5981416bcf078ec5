//! Which input rows some output rows need, in an order in which one output row further down is always one input row further:
//! sorted by their place modulo the vertical stride. What lies outside the image is zero.

use crate::conv::ConvGeometry;

/// The input rows of `rows` output rows of one image, from `first` on.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) g: &'a ConvGeometry,
    pub(super) first: usize,
    pub(super) rows: usize,
}

impl<'a> Frame<'a> {
    /// Places modulo the stride that kernel rows can have.
    fn phases(&self) -> usize {
        self.g.stride[0].min((self.g.kernel[0] - 1) * self.g.dilation[0] + 1)
    }

    fn rows_of_phase(&self) -> usize {
        self.rows + (self.g.kernel[0] - 1) * self.g.dilation[0] / self.g.stride[0]
    }

    /// Input rows, some of which may lie outside the image or be read by no kernel row.
    pub(super) fn len(&self) -> usize {
        self.phases() * self.rows_of_phase()
    }

    /// The input row that output row `first` reads under kernel row `ky`; output row `first + i` reads the i-th after it.
    pub(super) fn under(&self, ky: usize) -> usize {
        let below = ky * self.g.dilation[0];
        below % self.g.stride[0] * self.rows_of_phase() + below / self.g.stride[0]
    }

    /// Input row `i` of image `image` of x, if it lies inside.
    pub(super) fn row(&self, x: &'a [u16], image: usize, i: usize) -> Option<&'a [u16]> {
        let (phase, down) = (i / self.rows_of_phase(), i % self.rows_of_phase());
        let y = ((self.first + down) * self.g.stride[0] + phase).wrapping_sub(self.g.pad[0]);
        let row = self.g.w * self.g.c_in;
        (y < self.g.h).then(|| &x[(image * self.g.h + y) * row..][..row])
    }
}

/// Writes to `to` an input row behind `pad` zeros, with zeros behind, or cut off; zeros alone where there is none.
#[inline(always)]
pub(super) fn put_row(row: Option<&[u16]>, pad: usize, to: &mut [u16]) {
    let row = row.unwrap_or_default();
    let pad = pad.min(to.len());
    let len = row.len().min(to.len() - pad);
    to[..pad].fill(0);
    to[pad..pad + len].copy_from_slice(&row[..len]);
    to[pad + len..].fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_row_finds_the_input_rows_of_its_kernel_rows() {
        for (kernel, stride, pad, dilation) in
            [(3, 1, 1, 1), (3, 2, 1, 1), (7, 2, 3, 1), (1, 2, 0, 1), (3, 3, 2, 2), (2, 5, 0, 1)]
        {
            let (h, c) = (13, 2);
            let out_h = (h + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
            let g = ConvGeometry {
                n: 2,
                h,
                w: 1,
                c_in: c,
                out_h,
                out_w: 1,
                c_out: 1,
                kernel: [kernel, 1],
                stride: [stride, 1],
                pad: [pad, 0],
                dilation: [dilation, 1],
                groups: 1,
            };
            let x: Vec<u16> = (0..2 * h * c).map(|i| i as u16).collect();
            for (first, rows) in (0..out_h).flat_map(|first| (1..=out_h - first).map(move |rows| (first, rows))) {
                let frame = Frame { g: &g, first, rows };
                for (i, ky) in (0..rows).flat_map(|i| (0..kernel).map(move |ky| (i, ky))) {
                    let at = frame.under(ky) + i;
                    assert!(at < frame.len());
                    let y = ((first + i) * stride + ky * dilation).wrapping_sub(pad);
                    let expected = (y < h).then(|| &x[(h + y) * c..][..c]);
                    assert_eq!(frame.row(&x, 1, at), expected, "row {i} of {rows} from {first} under {ky} of {g:?}");
                }
            }
        }
    }

    #[test]
    fn rows_are_framed_and_cut() {
        let mut to = [9; 5];
        for (row, pad, expected) in [
            (Some(&[1, 2][..]), 1, [0, 1, 2, 0, 0]),
            (Some(&[1, 2]), 4, [0, 0, 0, 0, 1]),
            (Some(&[1, 2]), 7, [0; 5]),
            (Some(&[1, 2, 3, 4, 5, 6]), 0, [1, 2, 3, 4, 5]),
            (None, 2, [0; 5]),
        ] {
            to.fill(9);
            put_row(row, pad, &mut to);
            assert_eq!(to, expected);
        }
    }
}
