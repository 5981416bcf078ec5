//! What can go wrong with features and classifiers. Each message says where, what was expected, what was found, what to do.

/// Why a feature, a transform, a classifier or a pipeline of them could not be made or used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClassicError {
    /// Nothing to learn from.
    #[error("there are no images to learn from")]
    NoImages,
    /// There is nothing to tell apart.
    #[error("all {images} training images are of class {class}; telling classes apart needs two or more")]
    OneClass {
        /// The only class.
        class: u32,
        /// Images of it.
        images: usize,
    },
    /// A class without an image.
    #[error("class {class} of {classes} has no training image; add images of it or leave the class out")]
    MissingClass {
        /// The class.
        class: usize,
        /// Classes there should be.
        classes: usize,
    },
    /// A label that is no class.
    #[error("image {image} has label {label}, but there are {classes} classes, 0 to {}", classes.saturating_sub(1))]
    Label {
        /// The image, counted from 0.
        image: usize,
        /// Its label.
        label: u32,
        /// Classes there are.
        classes: usize,
    },
    /// Labels and images are not equally many.
    #[error("there are {labels} labels for {images} images; every image needs one")]
    Labels {
        /// Images.
        images: usize,
        /// Labels.
        labels: usize,
    },
    /// A value no classifier can use.
    #[error("feature {column} of image {row} is {value}; features must be finite numbers")]
    NotFinite {
        /// The image, counted from 0.
        row: usize,
        /// The feature, counted from 0.
        column: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// As many features as were not fitted on.
    #[error("{of} was fitted on {expected} features an image, found {found}; describe images as they were for fitting")]
    Columns {
        /// What was fitted.
        of: &'static str,
        /// Features it was fitted on.
        expected: usize,
        /// Features that were given.
        found: usize,
    },
    /// Values that are no matrix of the stated size.
    #[error("{values} values are no matrix of {rows} × {columns}, which has at least one column")]
    Shape {
        /// Rows stated.
        rows: usize,
        /// Columns stated.
        columns: usize,
        /// Values given.
        values: usize,
    },
    /// A picture smaller than a feature's window.
    #[error(
        "{feature}: a picture of {width}×{height} is too small; with these settings it needs {least_width}×{least_height} or more"
    )]
    TooSmall {
        /// The feature.
        feature: &'static str,
        /// The picture's width.
        width: usize,
        /// The picture's height.
        height: usize,
        /// The least width.
        least_width: usize,
        /// The least height.
        least_height: usize,
    },
    /// A picture of other channels than were fitted on.
    #[error(
        "the picture has {found} channels, but pictures of {expected} were fitted on; convert it to {} first",
        if *expected == 1 { "grey" } else { "colour" }
    )]
    Channels {
        /// Channels fitted on.
        expected: usize,
        /// Channels of the picture.
        found: usize,
    },
    /// A picture that contradicts itself.
    #[error("a picture of {width}×{height} with {channels} channels cannot hold {samples} samples")]
    Picture {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// Its channels.
        channels: u8,
        /// Samples it holds.
        samples: usize,
    },
    /// A picture that could not be read.
    #[error("{name} {reason}")]
    Unreadable {
        /// The picture.
        name: String,
        /// Why, as half a sentence.
        reason: String,
    },
    /// A setting outside its range.
    #[error("{of}: {option} is {value}; expected {expected}")]
    Option {
        /// What has the setting.
        of: &'static str,
        /// The setting.
        option: &'static str,
        /// Its value.
        value: String,
        /// What is possible.
        expected: &'static str,
    },
    /// Fewer images than something takes.
    #[error("{of} needs {least} images or more, found {found}")]
    Few {
        /// What needs them.
        of: String,
        /// The least.
        least: usize,
        /// Images there are.
        found: usize,
    },
    /// A name of nothing.
    #[error("\"{name}\" is no {kind}{}; there are {}", near(.name, .known), .known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// What was looked for.
        kind: &'static str,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A recipe that cannot be.
    #[error("recipe \"{recipe}\": {problem}; write features, transforms and one classifier, as in hog+pca+linear_svm")]
    Recipe {
        /// The recipe.
        recipe: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A stored model that contradicts itself.
    #[error("the stored {of} is damaged: {problem}")]
    Damaged {
        /// What was stored.
        of: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// An iteration that did not end.
    #[error("{of} did not converge; are there features of very different magnitudes? scale them first")]
    Diverged {
        /// What was computed.
        of: &'static str,
    },
}

/// ", did you mean …?", or nothing.
fn near(name: &str, known: &[&'static str]) -> String {
    let best =
        known.iter().map(|k| (strsim::normalized_damerau_levenshtein(name, k), k)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score >= 0.6).map_or_else(String::new, |(_, k)| format!(", did you mean {k}?"))
}

/// An error unless `fine`.
pub(crate) fn require(
    fine: bool,
    of: &'static str,
    option: &'static str,
    value: impl std::fmt::Debug,
    expected: &'static str,
) -> Result<(), ClassicError> {
    if fine { Ok(()) } else { Err(ClassicError::Option { of, option, value: format!("{value:?}"), expected }) }
}
