//! What came before convolutional networks: hand-made features of pictures, and the classifiers on them.
//!
//! A [`FeatureKind`] says how a picture becomes numbers, a [`TransformKind`] how those are scaled or reduced, a
//! [`MethodKind`] how classes are told by them. A [`Recipe`] is all three, and fitting it on training pictures gives a
//! [`Pipeline`], which holds everything that telling new pictures takes. What is learnt (scales, dictionaries, components)
//! is learnt from the training pictures alone.
//!
//! Everything is the same, bit for bit, at any number of threads: work is cut by shape, sums are added in a fixed order, and
//! draws depend on a seed only.

mod description;
mod eigen;
mod error;
mod features;
mod k_means;
mod labelled;
mod lots;
mod matrix;
mod methods;
mod pictures;
mod pipeline;
mod product;
mod recipe;
mod transforms;
mod tuning;
mod vector;

pub use description::Description;
pub use error::ClassicError;
pub use features::{
    BlockNorm, Circle, ColourHistogram, ColourSpace, DenseSift, Extract, Extractor, Feature, FeatureKind, Gabor, Glcm,
    Hog, Lbp, PatchDictionary, PatchEncoder, Patterns, Property, Raw, VisualWords, WordHistogram,
};
pub use k_means::{Clusters, KMeans};
pub use labelled::{Labelled, folds};
pub use matrix::Matrix;
pub use methods::{
    BayesModel, Boosted, Classifier, Classify, DecisionTree, DiscriminantModel, Forest, Gamma, GradientBoosting,
    KNearest, LinearDiscriminant, LinearSvm, LinearSvmModel, Loss, Method, MethodKind, NaiveBayes, Neighbours,
    RandomForest, RbfSvm, RbfSvmModel, SoftmaxModel, SoftmaxRegression, TreeModel, Votes,
};
pub use pictures::{Pictures, Size};
pub use pipeline::Pipeline;
pub use recipe::Recipe;
pub use transforms::{
    Apply, ColumnRange, ColumnScale, Components, Fitted, MinMax, Pca, RowScale, Standardise, Transform, TransformKind,
    UnitLength,
};
pub use tuning::{CrossValidation, Examples, Tuning};
