//! Pictures to learn from or to tell: in memory, or read one by one from a data set's part.

use crate::error::ClassicError;
use std::borrow::Cow;
use striate_data::{Fit, Limits, Picture, Preprocessing, Split};
use striate_kernels::Cpu;

/// Pictures in a fixed order.
pub trait Pictures: Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// The picture with this index.
    ///
    /// # Errors
    /// [`ClassicError::Unreadable`] where its file cannot be decoded.
    fn picture(&self, index: usize) -> Result<Cow<'_, Picture>, ClassicError>;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Pictures for Vec<Picture> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn picture(&self, index: usize) -> Result<Cow<'_, Picture>, ClassicError> {
        Ok(Cow::Borrowed(&self[index]))
    }
}

impl Pictures for Split {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn picture(&self, index: usize) -> Result<Cow<'_, Picture>, ClassicError> {
        let sample = &self.samples[index];
        let read = sample.read(&Limits::default());
        let picture = read.map_err(|e| ClassicError::Unreadable { name: sample.name(), reason: e.to_string() })?;
        Ok(Cow::Owned(picture))
    }
}

/// A picture's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Size {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 for grey, 3 for red-green-blue.
    pub channels: usize,
}

impl Size {
    /// A picture's.
    ///
    /// # Errors
    /// [`ClassicError::Picture`] if its samples are not as many as its size says, or none.
    pub fn of(picture: &Picture) -> Result<Self, ClassicError> {
        let Picture { width, height, channels, ref pixels } = *picture;
        let samples = pixels.len();
        let size = Self { width: width as usize, height: height as usize, channels: usize::from(channels) };
        if samples == 0 || !matches!(channels, 1 | 3) || size.width * size.height * size.channels != samples {
            return Err(ClassicError::Picture { width, height, channels, samples });
        }
        Ok(size)
    }

    /// The picture stretched to this size, of which it must have the channels.
    ///
    /// # Errors
    /// [`ClassicError::Channels`], and as [`Size::of`].
    pub fn fit(self, picture: &Picture) -> Result<Cow<'_, Picture>, ClassicError> {
        let found = Self::of(picture)?;
        if found.channels != self.channels {
            return Err(ClassicError::Channels { expected: self.channels, found: found.channels });
        }
        if found == self {
            return Ok(Cow::Borrowed(picture));
        }
        let fit = Preprocessing::new(self.width as u32, self.height as u32, picture.channels, Fit::Stretch);
        Ok(Cow::Owned(fit.fit(picture)))
    }
}

/// `f` of every picture, computed by `cpu`'s threads, in order; the first error in order where there are any.
pub(crate) fn map<T: Send>(
    cpu: &Cpu,
    pictures: &dyn Pictures,
    f: impl Fn(usize, &Picture) -> Result<T, ClassicError> + Sync + Send,
) -> Result<Vec<T>, ClassicError> {
    let mut results: Vec<Option<Result<T, ClassicError>>> = (0..pictures.len()).map(|_| None).collect();
    cpu.chunks(&mut results, 1, |i, slot| {
        slot[0] = Some(pictures.picture(i).and_then(|picture| f(i, &picture)));
    });
    results.into_iter().flatten().collect()
}
