//! Images in: decoding, data sets, splits, augmentation and batches.
//!
//! A [`DataSet`] is opened from a folder, from a table, shards or annotations, from IDX or CIFAR files, or from the digits
//! built into the library.
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

mod assemble;
mod augment;
mod bytes;
mod check;
mod cifar;
mod class_names;
mod clean;
mod coco;
mod columns;
mod content;
mod data_set;
mod data_uri;
mod decode;
mod digits;
mod doctor;
mod encode;
mod error;
mod fingerprint;
mod fit;
mod folders;
mod idx;
mod ink;
mod jpeg;
mod lettering;
mod loader;
mod mean_std;
mod memory;
mod open;
mod parquet;
mod pattern;
mod picture;
mod placement;
mod preprocess;
mod progress;
mod recognise;
mod region;
mod sample;
mod seeded;
mod shards;
mod split;
mod splitting;
mod stages;
mod stored;
mod table;
mod truncation;
mod views;
mod voc;
mod workers;
mod xml;

pub use augment::{Augment, AugmentError, Border, Mix, Mixed, Step, Subject, Way};
pub use content::sha256_of_file;
pub use data_set::{DataSet, Part, SourceKind, Typical};
pub use data_uri::data_uri;
pub use decode::{DecodeError, Header, Limits, decode, probe, read};
pub use doctor::{Case, ClassCount, Fault, Figures, Finding, Place, Report, Severity, Thumbnail, examine, find_copies};
pub use error::{DataError, LeftOut};
pub use fit::Fit;
pub use lettering::{LETTER, text_width};
pub use loader::{Batch, Loader, LoaderOptions};
pub use mean_std::mean_std;
pub use open::{Check, OpenOptions};
pub use parquet::{Images as ParquetImages, Kind as ParquetKind, Values as ParquetValues, Writer as ParquetWriter};
pub use picture::Picture;
pub use placement::Placement;
pub use preprocess::Preprocessing;
pub use progress::{Progress, Silent};
pub use region::{Annotated, Cut, Region};
pub use sample::{MemoryImages, Sample, Source, TarEntry};
pub use split::Split;
pub use splitting::{
    GroupPattern, Groups, Portion, SplitFault, SplitImage, SplitInto, SplitOptions, Splitting, Verification, split,
    verify, write_manifest,
};
pub use stages::StageTimes;
pub use views::Views;
pub use xml::Element as XmlElement;
