//! What a run does when its epochs no longer get better: lower the rate (a plateau), or end.

use serde::{Deserialize, Serialize};

/// Epochs without a lower loss, and what came of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// The least loss so far.
    least: Option<f64>,
    /// Epochs since.
    waited: u32,
    /// How often the rate was lowered.
    pub lowered: u32,
}

/// A loss counts as lower if it is so by this share.
const BY: f64 = 1e-4;

impl Plateau {
    /// Takes an epoch's loss in. True if the rate is lowered now: after more than `patience` epochs without a lower loss, as
    /// `PyTorch`'s `ReduceLROnPlateau` counts.
    pub fn take(&mut self, loss: f64, patience: u32) -> bool {
        if self.least.is_none_or(|least| loss < least * (1.0 - BY)) {
            (self.least, self.waited) = (Some(loss), 0);
            return false;
        }
        self.waited += 1;
        if self.waited <= patience {
            return false;
        }
        (self.waited, self.lowered) = (0, self.lowered + 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=2)` on the same losses lowers the rate after
    /// the same epochs.
    #[test]
    fn the_rate_is_lowered_when_torch_lowers_it() {
        let losses = [1.0, 0.9, 0.95, 0.92, 0.91, 0.93, 0.899, 0.89999, 0.9, 0.91, 0.95, 0.5, 0.6, 0.6, 0.6];
        let mut plateau = Plateau::default();
        let after: Vec<usize> =
            (1..).zip(losses).filter(|(_, l)| plateau.take(*l, 2)).map(|(epoch, _)| epoch).collect();
        assert_eq!((after.as_slice(), plateau.lowered), ([5, 10, 15].as_slice(), 3));
    }
}
