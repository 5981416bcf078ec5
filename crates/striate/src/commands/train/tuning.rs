//! The options of `striate train` that begin with a trained network, and the words about what is tuned of it.

use crate::figures::{bytes, percent, thousands};
use crate::progress::remark;
use anyhow::Result;
use clap::ValueEnum;
use std::path::PathBuf;
use striate_graph::AnyLayer;
use striate_train::transfer::{FrozenNorm, Origin, Start, Transfer, Tune, stages, units};

/// What a run begins with, and what of it is tuned.
#[derive(clap::Args)]
#[command(next_help_heading = "Transfer")]
pub(super) struct TuningArgs {
    /// A model file to begin with, instead of random weights; its last layer is made anew where the classes are others
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["alpha", "shortcut", "padding", "no_heads", "find_lr"])]
    from: Option<PathBuf>,
    /// What is tuned: head, the last layer alone; last:K, so many layers or blocks from the end; from:NODE, that and all
    /// behind it; all [default: head]
    #[arg(long, value_name = "PART", requires = "from")]
    tune: Option<Tune>,
    /// Make the last layer anew even if the classes are the same
    #[arg(long, requires = "from")]
    new_head: bool,
    /// What batch normalisation of frozen layers does: frozen, it keeps the statistics it came with; train, it takes and
    /// gathers the batches'
    #[arg(long, value_enum, value_name = "STATE", default_value = "frozen", hide_possible_values = true)]
    bn: NormName,
    /// The learning rate of what is tuned before the head, as a share of the head's
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    backbone_lr: f64,
    /// What that share is multiplied by with each layer or block farther from the head
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    layer_decay: f64,
    /// Warm the head up: so many epochs at first in which it alone is tuned
    #[arg(long, value_name = "EPOCHS", default_value_t = 0)]
    head_epochs: u32,
    /// Unfreeze gradually: after every so many epochs one more layer or block is tuned, up to what --tune says; 0: at once
    #[arg(long, value_name = "EPOCHS", default_value_t = 0)]
    unfreeze_every: u32,
}

/// A state of batch normalisation on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum NormName {
    Frozen,
    Train,
}

impl TuningArgs {
    /// The network to begin with, if there is one.
    pub(super) fn origin(&self) -> Result<Option<Origin>> {
        let Some(path) = &self.from else { return Ok(None) };
        let transfer = Transfer {
            from: path.clone(),
            sha256: String::new(),
            tune: self.tune.clone().unwrap_or(Tune::Head),
            new_head: self.new_head,
            batch_norm: match self.bn {
                NormName::Frozen => FrozenNorm::Frozen,
                NormName::Train => FrozenNorm::Train,
            },
            backbone_rate: self.backbone_lr,
            layer_decay: self.layer_decay,
            head_epochs: self.head_epochs,
            unfreeze_every: self.unfreeze_every,
            kept_features: 0,
        };
        Ok(Some(Origin::read(path, transfer)?))
    }
}

/// Says what a run begins with and what it tunes.
pub(super) fn announce(start: &Start, transfer: &Transfer) -> Result<()> {
    remark(&format!("begins with {}", transfer.from.display()));
    start.notes.iter().for_each(|note| remark(&format!("  {note}")));
    let (frozen, tuned) = start.parts(transfer)?;
    let (all, stages) = (units(&start.graph), stages(&start.graph, transfer)?);
    let first = tuned.nodes().iter().find(|node| !node.params.is_empty()).map_or("", |node| node.name.as_str());
    let (some, of) = (tuned.parameter_count(), start.graph.parameter_count());
    let share = percent(some as f64 / of.max(1) as f64);
    let (some, of) = (thousands(some as u64), thousands(of as u64));
    match &frozen {
        None => remark(&format!("tuned: all {of} parameters")),
        Some(frozen) => {
            remark(&format!(
                "tuned: `{first}` and what comes behind it, {some} of {of} parameters ({share}); frozen: what comes before, \
                 which runs forward only and keeps no activations"
            ));
            if frozen.nodes().iter().any(|n| matches!(n.layer, AnyLayer::BatchNorm(_))) {
                remark(match transfer.batch_norm {
                    FrozenNorm::Frozen => {
                        "batch normalisation of frozen layers is frozen too: it keeps the statistics it came with (--bn train: \
                         takes the batches')"
                    }
                    FrozenNorm::Train => {
                        "batch normalisation of frozen layers takes and gathers the batches' statistics"
                    }
                });
            }
        }
    }
    if let [first, .., last] = &stages[..] {
        let from = |epoch: u32| if epoch == 1 { "at first".into() } else { format!("from epoch {epoch} on") };
        remark(&format!("the head alone is tuned {}, all that is to be {}", from(first.epoch), from(last.epoch)));
    }
    if all.first().is_some_and(|head| stages.iter().any(|stage| stage.cut < head.before)) {
        let each = if transfer.layer_decay == 1.0 {
            String::new()
        } else {
            format!(", times {} for every layer or block farther from it", transfer.layer_decay)
        };
        remark(&format!("learning rate before the head: {} of the head's{each}", transfer.backbone_rate));
    }
    if transfer.kept_features > 0 {
        let size = bytes(transfer.kept_features);
        remark(&format!(
            "images are not changed by lot: features of the frozen part are computed once and kept, up to {size}"
        ));
    }
    Ok(())
}
