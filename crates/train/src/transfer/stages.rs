//! Which part of a network is tuned from which epoch on: a new head alone at first, where it is warmed up; then more from the
//! end, unit by unit where it is unfrozen gradually (Howard and Ruder 2018, arXiv:1801.06146, section 3.3).

use super::{Transfer, cut, units};
use crate::TrainError;
use striate_graph::{Graph, NodeId};

/// From an epoch on, what lies behind a node is tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The first epoch, from 1.
    pub epoch: u32,
    /// The node; the network's input where all is tuned.
    pub cut: NodeId,
}

/// A run's stages in order; the first begins with epoch 1, and each tunes more than the one before.
///
/// # Errors
/// If what is to be tuned is not in the network.
pub fn stages(graph: &Graph, transfer: &Transfer) -> Result<Vec<Stage>, TrainError> {
    let target = cut(graph, &transfer.tune)?;
    let (head, every) = (transfer.head_epochs, transfer.unfreeze_every);
    if head == 0 && every == 0 {
        return Ok(vec![Stage { epoch: 1, cut: target }]);
    }
    let all = units(graph);
    let mut stages: Vec<Stage> = Vec::new();
    let mut epoch = 1;
    for (i, unit) in all.iter().map(|unit| unit.before).filter(|before| *before > target).enumerate() {
        if i > 0 && every == 0 {
            break;
        }
        stages.push(Stage { epoch, cut: unit });
        epoch = epoch.saturating_add(if i == 0 && head > 0 { head } else { every });
    }
    stages.push(Stage { epoch, cut: target });
    Ok(stages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::{FrozenNorm, Tune};
    use striate_zoo::{Options, build};

    fn of(tune: &str, head_epochs: u32, unfreeze_every: u32) -> Vec<(u32, String)> {
        let graph = build("resnet18", &Options::default()).unwrap();
        let transfer = Transfer {
            from: "m.safetensors".into(),
            sha256: String::new(),
            tune: tune.parse::<Tune>().unwrap(),
            new_head: true,
            batch_norm: FrozenNorm::Frozen,
            backbone_rate: 0.1,
            layer_decay: 1.0,
            head_epochs,
            unfreeze_every,
            kept_features: 0,
        };
        let name = |s: Stage| (s.epoch, graph.node(s.cut).name.clone());
        stages(&graph, &transfer).unwrap().into_iter().map(name).collect()
    }

    #[test]
    fn more_is_tuned_with_the_epochs() {
        assert_eq!(of("all", 0, 0), [(1, "input".to_owned())]);
        let warmed = of("all", 3, 0);
        assert_eq!((warmed.len(), warmed[0].0, warmed[1].clone()), (2, 1, (4, "input".to_owned())));
        let gradual = of("last:3", 2, 5);
        assert_eq!(gradual.iter().map(|s| s.0).collect::<Vec<_>>(), [1, 3, 8]);
        assert_eq!(gradual[0].1, warmed[0].1, "the head");
        let all = of("all", 0, 2);
        assert_eq!(all.iter().map(|s| s.0).collect::<Vec<_>>(), (0..10).map(|i| 1 + 2 * i).collect::<Vec<_>>());
        assert_eq!(all[9].1, "input");
    }
}
