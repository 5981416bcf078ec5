//! What the pooling layers share: which windows they take, and the kernels' view of one at work.

use crate::{Misfit, Setting, Shape, Window};
use striate_kernels::PoolGeometry;

/// The size that a pooling window leaves; every window must hold at least one cell of the map.
pub(super) fn pooled(window: &Window, x: Shape) -> Result<[usize; 2], Misfit> {
    let Window { kernel: [kh, kw], padding: p, .. } = *window;
    let size = window.output(x)?;
    if window.dilation != [1, 1] {
        return Err(Misfit::new("pooling windows cannot be dilated"));
    }
    if p.top.max(p.bottom) >= kh || p.left.max(p.right) >= kw {
        return Err(Misfit::new(format!("its padding is as large as its {kh}×{kw} window")));
    }
    if kh * kw > 1 << 16 {
        return Err(Misfit::new(format!("its {kh}×{kw} window has more than 65,536 cells")));
    }
    Ok(size)
}

/// The kernels' view of a pooling window at work.
pub(super) fn geometry(window: &Window, s: &Setting<'_>) -> PoolGeometry {
    let (x, y, p) = (s.shapes[0], s.shape, window.padding);
    PoolGeometry {
        n: s.batch,
        h: x.h,
        w: x.w,
        c: x.c,
        out_h: y.h,
        out_w: y.w,
        kernel: window.kernel,
        stride: window.stride,
        pad: [p.top, p.left],
        pad_end: [p.bottom, p.right],
    }
}
