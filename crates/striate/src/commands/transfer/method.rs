//! The ways of transfer learning that are compared, one row each.

use anyhow::Result;
use std::path::{Path, PathBuf};
use striate_data::DataSet;
use striate_graph::{AnyLayer, Graph};
use striate_train::transfer::{FrozenNorm, Origin, Transfer, Tune};
use striate_train::{Config, Wishes};

/// A way to make a network tell other classes apart.
#[derive(Debug)]
pub(super) struct Method {
    /// On the command line and in tables.
    pub(super) name: &'static str,
    /// In sentences.
    pub(super) about: &'static str,
    /// Begins with random weights.
    pub(super) random: bool,
    /// Computes features once, of unchanged images.
    pub(super) keeps: bool,
    tune: fn(usize) -> Tune,
}

/// All of them, the cheapest to run last but for what all layers take.
pub(super) static METHODS: [Method; 5] = [
    Method {
        name: "scratch",
        about: "the network from random weights",
        random: true,
        keeps: false,
        tune: |_| Tune::All,
    },
    Method {
        name: "features",
        about: "a linear classifier on the frozen network's features",
        random: false,
        keeps: true,
        tune: |_| Tune::Head,
    },
    Method {
        name: "head",
        about: "a new last layer, trained on changed images",
        random: false,
        keeps: false,
        tune: |_| Tune::Head,
    },
    Method { name: "last", about: "the last layers or blocks tuned", random: false, keeps: false, tune: Tune::Last },
    Method { name: "all", about: "all layers tuned", random: false, keeps: false, tune: |_| Tune::All },
];

/// The way of this name.
pub(super) fn named(name: &str) -> Result<&'static Method, String> {
    let names = || METHODS.iter().map(|m| m.name).collect::<Vec<_>>().join(", ");
    METHODS.iter().find(|m| m.name == name).ok_or_else(|| format!("expected some of {}", names()))
}

/// Epochs, batch, augmentation, seed; as the recipe has them without.
pub(super) type Chosen = (Option<u32>, Option<usize>, Option<String>, u64);

impl Method {
    /// How it is trained.
    pub(super) fn config(
        &self,
        data: &DataSet,
        from: &Path,
        (last, graph): (usize, &Graph),
        (epochs, batch, augment, seed): Chosen,
    ) -> Result<Config> {
        let transfer = Transfer {
            from: PathBuf::new(),
            sha256: String::new(),
            tune: (self.tune)(last),
            new_head: true,
            batch_norm: FrozenNorm::Frozen,
            backbone_rate: if self.random { 1.0 } else { 0.1 },
            layer_decay: 1.0,
            head_epochs: 0,
            unfreeze_every: 0,
            kept_features: 0,
        };
        let mut wishes = Wishes {
            origin: Some(Origin::read(from, transfer)?),
            epochs,
            batch,
            // What is changed by lot, and how much, is the same for all that see changed images.
            augment: if self.keeps { Some("none".into()) } else { Some(augment.unwrap_or_else(|| "light".into())) },
            seed,
            ..Wishes::default()
        };
        if self.random {
            // As the recipe trains such a network from nothing.
            let normalised = graph.nodes().iter().any(|n| matches!(n.layer, AnyLayer::BatchNorm(_)));
            let images = batch.unwrap_or(16).min(128) as f64;
            let (optimizer, rate) = if normalised { ("sgd", 0.1 * images / 128.0) } else { ("adamw", 3e-3) };
            (wishes.optimizer, wishes.learning_rate) = (Some(optimizer.into()), Some(rate));
        }
        Ok(Config::choose(data, &wishes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_found_by_their_names() {
        assert!(METHODS.iter().all(|m| named(m.name).unwrap().name == m.name));
        assert_eq!(named("svm").unwrap_err(), "expected some of scratch, features, head, last, all");
    }
}
