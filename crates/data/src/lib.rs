//! Images in: decoding, data sets, splits, augmentation and batches.
//!
//! A [`DataSet`] is opened from a folder, from IDX or CIFAR files, or from the digits built into the library.
//! A [`Preprocessing`] says how a decoded [`Picture`] becomes a network's input; it travels inside the model file.
//! A [`Loader`] decodes, augments and preprocesses ahead of the network and yields [`Batch`]es.
//!
//! Pixels are 8-bit, rows from the top, channels innermost (grey, or red-green-blue). Everything that is drawn by
//! lot depends on a seed only, never on the machine, the time or the number of threads.
//!
//! ```
//! use std::sync::Arc;
//! use striate_data::{DataSet, Fit, Loader, LoaderOptions, OpenOptions, Preprocessing, Silent};
//!
//! let digits = DataSet::open("digits", &OpenOptions::default(), &Silent)?;
//! let preprocessing = Preprocessing::new(8, 8, 1, Fit::Stretch);
//! let loader = Loader::new(Arc::clone(&digits.train), preprocessing, LoaderOptions::default());
//! let images: usize = loader.map(|batch| batch.len()).sum();
//! assert_eq!(images, digits.train.samples.len());
//! # Ok::<(), striate_data::DataError>(())
//! ```

mod augment;
mod bytes;
mod check;
mod cifar;
mod data_set;
mod decode;
mod digits;
mod encode;
mod error;
mod fingerprint;
mod fit;
mod folders;
mod idx;
mod ink;
mod jpeg;
mod loader;
mod mean_std;
mod memory;
mod open;
mod picture;
mod preprocess;
mod progress;
mod sample;
mod seeded;
mod split;
mod stages;
mod truncation;
mod workers;

pub use augment::{Augment, Step};
pub use data_set::{DataSet, SourceKind, Typical};
pub use decode::{DecodeError, Header, Limits, decode, probe, read};
pub use error::{DataError, LeftOut};
pub use fit::Fit;
pub use loader::{Batch, Loader, LoaderOptions};
pub use mean_std::mean_std;
pub use open::{Check, OpenOptions};
pub use picture::Picture;
pub use preprocess::Preprocessing;
pub use progress::{Progress, Silent};
pub use sample::{MemoryImages, Sample, Source};
pub use split::Split;
pub use stages::StageTimes;
