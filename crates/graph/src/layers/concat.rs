//! Maps of one height and width laid behind each other along the channels (GoogLeNet's inception modules).

use crate::{Backward, Forward, Layer, Misfit, Shape};
use serde::{Deserialize, Serialize};
use striate_kernels::GradientSlot;

/// Its inputs' channels, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concat;

impl Layer for Concat {
    fn infer(&self, inputs: &[Shape]) -> Result<Shape, Misfit> {
        let [first, .., _] = inputs else {
            return Err(Misfit::new(format!("it takes two inputs or more, not {}", inputs.len())));
        };
        if inputs.iter().any(|s| (s.h, s.w) != (first.h, first.w)) {
            return Err(Misfit::new("the inputs' heights or widths differ"));
        }
        let c = inputs.iter().try_fold(0usize, |sum, s| sum.checked_add(s.c));
        Ok(Shape { c: c.ok_or_else(|| Misfit::new("too many channels"))?, ..*first })
    }

    fn forward(&self, pass: Forward<'_>) {
        let Forward { setting, inputs, output, .. } = pass;
        let Shape { w, c, .. } = setting.shape;
        setting.cpu.chunks(output, w * c, |row, out| {
            let mut at = 0;
            for (x, s) in inputs.iter().zip(setting.shapes) {
                let x = &x[row * w * s.c..][..w * s.c];
                for (out, x) in out.chunks_exact_mut(c).zip(x.chunks_exact(s.c)) {
                    out[at..at + s.c].copy_from_slice(x);
                }
                at += s.c;
            }
        });
    }

    fn backward(&self, pass: Backward<'_, '_>) {
        let Backward { setting, dy, dx, .. } = pass;
        let Shape { w, c, .. } = setting.shape;
        let mut at = 0;
        for (dx, s) in dx.iter_mut().zip(setting.shapes) {
            if let Some(GradientSlot { values: dx, adds }) = dx.take() {
                setting.cpu.chunks(dx, w * s.c, |row, dx| {
                    let dy = &dy[row * w * c..][..w * c];
                    for (dx, dy) in dx.chunks_exact_mut(s.c).zip(dy.chunks_exact(c)) {
                        if adds {
                            dx.iter_mut().zip(&dy[at..]).for_each(|(dx, dy)| *dx += dy);
                        } else {
                            dx.copy_from_slice(&dy[at..at + s.c]);
                        }
                    }
                });
            }
            at += s.c;
        }
    }
}

#[cfg(test)]
pub(super) fn examples() -> Vec<(Concat, Vec<Shape>)> {
    let s = |c| Shape::new(3, 2, c);
    vec![(Concat, vec![s(2), s(3)]), (Concat, vec![s(1), s(4), s(2)])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_and_widths_must_agree() {
        assert!(Concat.infer(&[Shape::new(2, 2, 3), Shape::new(2, 3, 3)]).is_err());
        assert!(Concat.infer(&[Shape::new(2, 2, 3)]).is_err());
    }
}
