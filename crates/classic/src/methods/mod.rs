//! From features to classes: the list of classifiers, and what each owes.

mod bins;
mod coupling;
mod lbfgs;
mod platt;
mod smo;
mod tree;

use crate::error::ClassicError;
use crate::labelled::Labelled;
use crate::matrix::Matrix;
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// Settings of a classifier.
pub trait Method {
    /// What is learnt.
    type Model: Classify;

    /// Learns from labelled rows; draws depend on `seed`, and nothing on the number of threads.
    ///
    /// # Errors
    /// Settings outside their range, and too few rows for them.
    fn fit(&self, cpu: &Cpu, data: &Labelled<'_>, seed: u64) -> Result<Self::Model, ClassicError>;
}

/// A classifier that has been learnt.
pub trait Classify {
    /// Features of a row.
    fn inputs(&self) -> usize;

    /// Classes.
    fn classes(&self) -> usize;

    /// (rows, classes): the larger, the likelier; each classifier has its own scale. Rows are checked already.
    fn scores(&self, cpu: &Cpu, rows: &Matrix) -> Matrix;

    /// (rows, classes), each row with the sum 1; `None` if it was fitted without what that takes. Rows are checked already.
    fn probabilities(&self, cpu: &Cpu, rows: &Matrix) -> Option<Matrix>;

    /// Whether stored values agree with each other, so that nothing can go wrong when they are used.
    ///
    /// # Errors
    /// [`ClassicError::Damaged`].
    fn check(&self) -> Result<(), ClassicError>;
}

/// Makes the modules and the enums of the list.
macro_rules! methods {
    ($($(#[$doc:meta])* $kind:ident => $settings:ident, $model:ident;)+) => {
        $(mod $kind; pub use $kind::*;)+

        /// A classifier by its settings.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum MethodKind {
            $($(#[$doc])* $settings($settings),)+
        }

        impl MethodKind {
            /// The name of each.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($kind),)+];

            /// Every classifier with its default settings.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$settings($settings::default()),)+]
            }

            /// Its name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$settings(_) => stringify!($kind),)+ }
            }

            /// As [`Method::fit`].
            ///
            /// # Errors
            /// As [`Method::fit`].
            pub fn fit(&self, cpu: &Cpu, data: &Labelled<'_>, seed: u64) -> Result<Classifier, ClassicError> {
                match self { $(Self::$settings(s) => s.fit(cpu, data, seed).map(Classifier::$settings),)+ }
            }
        }

        /// A classifier that has been learnt.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Classifier {
            $($(#[$doc])* $settings($model),)+
        }

        impl Classifier {
            fn model(&self) -> &dyn Classify {
                match self { $(Self::$settings(m) => m,)+ }
            }

            /// Its name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$settings(_) => stringify!($kind),)+ }
            }
        }
    };
}

methods! {
    /// Softmax regression, also called multinomial logistic regression.
    softmax_regression => SoftmaxRegression, SoftmaxModel;
    /// A linear support vector machine for each class against the rest.
    linear_svm => LinearSvm, LinearSvmModel;
    /// Support vector machines with a Gaussian kernel, for each pair of classes.
    rbf_svm => RbfSvm, RbfSvmModel;
    /// The classes of the nearest training rows.
    k_nearest => KNearest, Neighbours;
    /// A decision tree.
    decision_tree => DecisionTree, TreeModel;
    /// A random forest.
    random_forest => RandomForest, Forest;
    /// Gradient boosting of trees.
    gradient_boosting => GradientBoosting, Boosted;
    /// Gaussian naive Bayes.
    naive_bayes => NaiveBayes, BayesModel;
    /// Linear discriminant analysis.
    linear_discriminant => LinearDiscriminant, DiscriminantModel;
}

impl Classifier {
    /// Features of a row.
    pub fn inputs(&self) -> usize {
        self.model().inputs()
    }

    /// Classes.
    pub fn classes(&self) -> usize {
        self.model().classes()
    }

    /// (rows, classes): the larger, the likelier; each classifier has its own scale.
    ///
    /// # Errors
    /// [`ClassicError::Columns`] and [`ClassicError::NotFinite`].
    pub fn scores(&self, cpu: &Cpu, rows: &Matrix) -> Result<Matrix, ClassicError> {
        rows.check_for(self.name(), self.inputs())?;
        Ok(self.model().scores(cpu, rows))
    }

    /// (rows, classes), each row with the sum 1; `None` if it was fitted without what that takes.
    ///
    /// # Errors
    /// [`ClassicError::Columns`] and [`ClassicError::NotFinite`].
    pub fn probabilities(&self, cpu: &Cpu, rows: &Matrix) -> Result<Option<Matrix>, ClassicError> {
        rows.check_for(self.name(), self.inputs())?;
        Ok(self.model().probabilities(cpu, rows))
    }

    /// The class with the largest score for each row, the first of equals.
    ///
    /// # Errors
    /// [`ClassicError::Columns`] and [`ClassicError::NotFinite`].
    pub fn predict(&self, cpu: &Cpu, rows: &Matrix) -> Result<Vec<u32>, ClassicError> {
        Ok(self.scores(cpu, rows)?.iter().map(|scores| largest(scores) as u32).collect())
    }

    /// Whether stored values agree with each other, so that nothing can go wrong when they are used.
    ///
    /// # Errors
    /// [`ClassicError::Damaged`].
    pub fn check(&self) -> Result<(), ClassicError> {
        if self.inputs() == 0 || self.classes() < 2 {
            let problem = format!("it has {} inputs and {} classes", self.inputs(), self.classes());
            return Err(ClassicError::Damaged { of: self.name(), problem });
        }
        self.model().check()
    }
}

/// The place of the largest value, the first of equals.
fn largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best
}

/// An error that says what of a stored model does not fit, unless `fine`.
fn sound(fine: bool, of: &'static str, problem: &str) -> Result<(), ClassicError> {
    if fine { Ok(()) } else { Err(ClassicError::Damaged { of, problem: problem.to_owned() }) }
}

fn finite(values: &[f32]) -> bool {
    values.iter().all(|v| v.is_finite())
}
