//! What of a network is tuned, as it is asked for and as `config.toml` keeps it.

use crate::TrainError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use striate_data::Preprocessing;
use striate_graph::Graph;

/// Which layers of a network are tuned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Tune {
    /// All of them.
    All,
    /// The last layer with weights alone; what comes before is a feature extractor.
    Head,
    /// So many units from the end: layers, or blocks of parallel paths ([`units`](super::units)); 1 is the head.
    Last(usize),
    /// The node of this name and what comes behind it.
    From(String),
}

impl FromStr for Tune {
    type Err = String;

    fn from_str(text: &str) -> Result<Tune, String> {
        let wrong = || format!("expected all, head, last:K or from:NODE, not `{text}`");
        match (text, text.split_once(':')) {
            ("all", _) => Ok(Tune::All),
            ("head", _) => Ok(Tune::Head),
            (_, Some(("last", k))) => {
                k.parse().ok().filter(|k| *k > 0).map(Tune::Last).ok_or_else(|| format!("{}: K counts from 1", wrong()))
            }
            (_, Some(("from", node))) if !node.is_empty() => Ok(Tune::From(node.into())),
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Tune {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Tune::All => f.write_str("all"),
            Tune::Head => f.write_str("head"),
            Tune::Last(k) => write!(f, "last:{k}"),
            Tune::From(node) => write!(f, "from:{node}"),
        }
    }
}

impl From<Tune> for String {
    fn from(tune: Tune) -> String {
        tune.to_string()
    }
}

impl TryFrom<String> for Tune {
    type Error = String;

    fn try_from(text: String) -> Result<Tune, String> {
        text.parse()
    }
}

/// What batch normalisation does in layers that are frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrozenNorm {
    /// It is frozen too: it normalises by the statistics that it came with.
    #[default]
    Frozen,
    /// It normalises by each batch's statistics, and gathers them; scale and shift stay.
    Train,
}

/// How a network is transferred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// The model file that it comes from.
    pub from: PathBuf,
    /// That file's SHA-256.
    pub sha256: String,
    /// What is tuned.
    pub tune: Tune,
    /// Whether the head is made anew, for other classes.
    pub new_head: bool,
    /// What batch normalisation of frozen layers does.
    pub batch_norm: FrozenNorm,
    /// The learning rate of what is tuned before the head, as a share of the head's.
    pub backbone_rate: f64,
    /// What that share is multiplied by with every unit farther from the head.
    pub layer_decay: f64,
    /// Epochs at first in which the head alone is tuned.
    pub head_epochs: u32,
    /// Epochs after which one more unit is tuned, until all are that shall be; 0: all from the first.
    pub unfreeze_every: u32,
    /// Bytes that features of the frozen part may take, where they are computed once and kept; 0 where they are not.
    #[serde(default)]
    pub kept_features: usize,
}

/// A trained network that another task begins with, and how; what the recipe reads of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The network as it came.
    pub graph: Graph,
    /// Its classes.
    pub classes: Vec<String>,
    /// How it takes pictures.
    pub preprocessing: Preprocessing,
    /// How it is transferred.
    pub transfer: Transfer,
}

/// What a model file says of the tuning that made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The model file that it began with, without its folder.
    pub from: String,
    /// What was tuned: `all`, `head`, `last:K`, `from:NODE`.
    pub tune: Tune,
    /// Values that were tuned.
    pub parameters: usize,
    /// Values that could have been.
    pub of: usize,
}

impl Transfer {
    /// Checks what does not depend on the network.
    ///
    /// # Errors
    /// Which wish cannot be.
    pub fn check(&self) -> Result<(), TrainError> {
        let share = |option: &str, value: f64| {
            if value > 0.0 && value <= 10.0 {
                return Ok(());
            }
            Err(TrainError::Setting(format!("{option} must be more than 0 and at most 10, not {value}")))
        };
        share("--backbone-lr", self.backbone_rate)?;
        share("--layer-decay", self.layer_decay)?;
        if self.tune == Tune::Head && (self.head_epochs > 0 || self.unfreeze_every > 0) {
            let why = "--tune head tunes nothing but the head: --head-epochs and --unfreeze-every need another --tune";
            return Err(TrainError::Setting(why.into()));
        }
        Ok(())
    }

    /// The model file's name without its folder.
    pub fn name(&self) -> String {
        let name = Path::new(&self.from).file_name();
        name.map_or_else(|| self.from.display().to_string(), |n| n.to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tuned_is_read_and_written() {
        for text in ["all", "head", "last:3", "from:layer4.1.conv1"] {
            assert_eq!(text.parse::<Tune>().unwrap().to_string(), text);
        }
        for text in ["", "none", "last", "last:", "last:0", "last:-1", "from:", "first:2"] {
            assert!(text.parse::<Tune>().unwrap_err().contains("expected all, head, last:K or from:NODE"), "{text}");
        }
    }
}
