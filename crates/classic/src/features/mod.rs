//! From a picture to numbers: the list of features, and what each owes. Settings become an extractor, which for some is the
//! settings themselves and for others holds what was learnt from the training pictures.

mod colour_space;
mod dense_sift;
mod gradient;

pub use dense_sift::DenseSift;

use crate::error::ClassicError;
use crate::pictures::{Pictures, Size};
use serde::{Deserialize, Serialize};
use striate_data::Picture;
use striate_kernels::Cpu;

/// Settings of a feature.
pub trait Feature {
    /// What extracts it.
    type Extractor: Extract;

    /// Whether its values share one range, so that a linear classifier needs no scaling before it.
    const ALIKE: bool = true;

    /// Settings that suit pictures of this size; the defaults where they do.
    #[must_use]
    fn suited(self, _size: Size) -> Self
    where
        Self: Sized,
    {
        self
    }

    /// Checks the settings and learns what there is to learn from `pictures`; draws depend on `seed`.
    ///
    /// # Errors
    /// Settings outside their range, and pictures that cannot be read or are too small.
    fn learn(&self, cpu: &Cpu, pictures: &dyn Pictures, seed: u64) -> Result<Self::Extractor, ClassicError>;
}

/// A feature ready to be extracted.
pub trait Extract {
    /// How many values a picture of this size becomes.
    ///
    /// # Errors
    /// [`ClassicError::TooSmall`] where its window does not fit, [`ClassicError::Channels`] where it was learnt on others.
    fn len(&self, size: Size) -> Result<usize, ClassicError>;

    /// Assigns the values of a picture, as many as [`Extract::len`] says of its size, to `out`.
    fn extract(&self, cpu: &Cpu, picture: &Picture, out: &mut [f32]);

    /// Whether stored values agree with each other, so that nothing can go wrong when extracting.
    ///
    /// # Errors
    /// [`ClassicError::Damaged`], or a setting outside its range.
    fn check(&self) -> Result<(), ClassicError>;
}

/// Makes the modules and the enums of the list.
macro_rules! features {
    ($($(#[$doc:meta])* $kind:ident => $settings:ident, $extractor:ident;)+) => {
        $(mod $kind; pub use $kind::*;)+

        /// A feature by its settings.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum FeatureKind {
            $($(#[$doc])* $settings($settings),)+
        }

        impl FeatureKind {
            /// The name of each.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($kind),)+];

            /// Every feature with its default settings.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$settings($settings::default()),)+]
            }

            /// Its name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$settings(_) => stringify!($kind),)+ }
            }

            /// Whether its values share one range, so that a linear classifier needs no scaling before it.
            pub fn alike(&self) -> bool {
                match self { $(Self::$settings(_) => <$settings as Feature>::ALIKE,)+ }
            }

            /// The same with settings that suit pictures of this size.
            #[must_use]
            pub fn suited(self, size: Size) -> Self {
                match self { $(Self::$settings(s) => Self::$settings(s.suited(size)),)+ }
            }

            /// As [`Feature::learn`].
            ///
            /// # Errors
            /// As [`Feature::learn`].
            pub fn learn(&self, cpu: &Cpu, pictures: &dyn Pictures, seed: u64) -> Result<Extractor, ClassicError> {
                match self { $(Self::$settings(s) => s.learn(cpu, pictures, seed).map(Extractor::$settings),)+ }
            }
        }

        /// A feature ready to be extracted.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Extractor {
            $($(#[$doc])* $settings($extractor),)+
        }

        impl Extract for Extractor {
            fn len(&self, size: Size) -> Result<usize, ClassicError> {
                match self { $(Self::$settings(e) => e.len(size),)+ }
            }

            fn extract(&self, cpu: &Cpu, picture: &Picture, out: &mut [f32]) {
                match self { $(Self::$settings(e) => e.extract(cpu, picture, out),)+ }
            }

            fn check(&self) -> Result<(), ClassicError> {
                match self { $(Self::$settings(e) => e.check(),)+ }
            }
        }
    };
}

features! {
    /// The pixels themselves.
    raw => Raw, Raw;
    /// How often colours occur.
    colour_histogram => ColourHistogram, ColourHistogram;
    /// Histograms of oriented gradients.
    hog => Hog, Hog;
    /// Local binary patterns.
    lbp => Lbp, Lbp;
    /// Texture by the co-occurrence of grey levels.
    glcm => Glcm, Glcm;
    /// Energies of a bank of Gabor filters.
    gabor => Gabor, Gabor;
    /// Visual words: histograms of dense SIFT descriptors.
    visual_words => VisualWords, WordHistogram;
    /// Patches told by a dictionary that k-means learnt.
    patch_dictionary => PatchDictionary, PatchEncoder;
}

/// The cell of `cells` that position `at` of `length` lies in.
fn cell_of(at: usize, length: usize, cells: usize) -> usize {
    at * cells / length
}

/// The error of a window that needs `least` (height, width) and does not fit.
fn at_least(feature: &'static str, size: Size, least: [usize; 2]) -> Result<(), ClassicError> {
    let [least_height, least_width] = least;
    if size.height >= least_height && size.width >= least_width {
        return Ok(());
    }
    Err(ClassicError::TooSmall { feature, width: size.width, height: size.height, least_width, least_height })
}
