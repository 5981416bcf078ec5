//! The options of `striate train` that change the loss, the gradients and what becomes of the weights.

use striate_train::Wishes;

/// What a run dwells on, and when it ends.
#[derive(clap::Args)]
#[command(next_help_heading = "Recipe")]
pub(super) struct RecipeArgs {
    /// The share of every target that is spread over all classes
    #[arg(long, value_name = "SHARE")]
    label_smoothing: Option<f64>,
    /// What each class counts in the loss: none; balanced, which lets all classes count alike together; or a CSV table with the
    /// columns class and weight [default: none]
    #[arg(long, value_name = "WEIGHTS")]
    class_weights: Option<String>,
    /// Draw every class equally often: images of small classes come several times an epoch
    #[arg(long)]
    balanced_sampling: bool,
    /// Score and keep an average of the weights, of which each step keeps this share, such as 0.999
    #[arg(long, value_name = "DECAY")]
    ema: Option<f64>,
    /// Scale a step's gradients down, all together, where their norm is larger
    #[arg(long, value_name = "NORM")]
    clip_norm: Option<f64>,
    /// Batches a step: a step of B × N images, of which B are in memory at a time. Batch normalisation sees each batch alone
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) accumulate: usize,
    /// End after so many epochs without a better one on the held-out images [default: all epochs are trained]
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u32).range(1..))]
    patience: Option<u32>,
    /// Spare parameters from weight decay whose names hold one of these, besides biases and normalisation: `fc,layer1`
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    no_decay: Vec<String>,
}

impl RecipeArgs {
    /// Adds them to the wishes.
    pub(super) fn add_to(&self, wishes: &mut Wishes) {
        wishes.label_smoothing = self.label_smoothing;
        wishes.class_weights.clone_from(&self.class_weights);
        wishes.balanced_sampling = self.balanced_sampling;
        wishes.ema = self.ema;
        wishes.clip_norm = self.clip_norm;
        wishes.accumulate = Some(self.accumulate);
        wishes.patience = self.patience;
        wishes.no_decay.clone_from(&self.no_decay);
    }
}
