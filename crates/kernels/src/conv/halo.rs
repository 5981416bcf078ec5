//! A copy of an activation in a frame of zeros, so that no tap of a pass needs a bounds check.
//! Only worth its traffic where channels are few.

use super::axis::Axis;
use crate::Cpu;

/// Floats of the framed copy of n images: `(n, rows.extent, cols.extent, channels)`.
pub(super) fn len(n: usize, rows: &Axis, cols: &Axis, channels: usize) -> usize {
    n * rows.extent() * cols.extent() * channels
}

/// Copies `input (n, rows.in_len, cols.in_len, channels)` to the coordinates `shift .. shift + extent` of both axes.
pub(super) fn copy(cpu: &Cpu, n: usize, rows: &Axis, cols: &Axis, channels: usize, input: &[f32], out: &mut [f32]) {
    let row_len = cols.extent() * channels;
    let in_row_len = cols.in_len * channels;
    // Columns of the frame that hold input: from `left` on, `width` of them, the first being input column `skip`.
    let left = cols.shift.min(0).unsigned_abs().min(cols.extent());
    let skip = cols.shift.max(0) as usize;
    let width = cols.in_len.saturating_sub(skip).min(cols.extent() - left);
    let out = &mut out[..n * rows.extent() * row_len];
    cpu.chunks(out, (16384 / row_len).max(1) * row_len, |piece, out| {
        let first = piece * (16384 / row_len).max(1);
        for (row, out) in (first..).zip(out.chunks_exact_mut(row_len)) {
            let (image, y) = (row / rows.extent(), (row % rows.extent()) as isize + rows.shift);
            if y < 0 || y as usize >= rows.in_len {
                out.fill(0.0);
                continue;
            }
            let source = &input[(image * rows.in_len + y as usize) * in_row_len..][..in_row_len];
            out[..left * channels].fill(0.0);
            out[left * channels..][..width * channels].copy_from_slice(&source[skip * channels..][..width * channels]);
            out[(left + width) * channels..].fill(0.0);
        }
    });
}
