//! Where the time of an image on its way into a batch goes.

use std::ops::AddAssign;
use std::time::{Duration, Instant};

/// The time that the stages took for some images, summed over the threads that worked on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Images that came through; those that could not be read are not counted, and their time is in `decode`.
    pub images: usize,
    /// Reading the file and decoding it to pixels; copying the pixels of what is in memory.
    pub decode: Duration,
    /// Bringing the picture to the network's size and channels.
    pub fit: Duration,
    /// Changes drawn by lot.
    pub augment: Duration,
    /// From 8-bit pixels to the network's numbers.
    pub normalise: Duration,
}

impl StageTimes {
    /// The stages' names, and the microseconds that each took a thread for an image; 0 without images.
    pub fn per_image(&self) -> [(&'static str, f64); 4] {
        let each = |time: Duration| 1e6 * time.as_secs_f64() / self.images.max(1) as f64;
        [
            ("decode", each(self.decode)),
            ("resize", each(self.fit)),
            ("augment", each(self.augment)),
            ("normalise", each(self.normalise)),
        ]
    }
}

impl AddAssign for StageTimes {
    fn add_assign(&mut self, other: Self) {
        self.images += other.images;
        self.decode += other.decode;
        self.fit += other.fit;
        self.augment += other.augment;
        self.normalise += other.normalise;
    }
}

/// Reads the clock between stages, if that is wanted.
pub(crate) struct StageWatch(Option<Instant>);

impl StageWatch {
    /// Begins the first stage.
    pub(crate) fn start(wanted: bool) -> Self {
        Self(wanted.then(Instant::now))
    }

    /// Ends a stage and begins the next.
    pub(crate) fn lap(&mut self, stage: &mut Duration) {
        if let Some(begun) = &mut self.0 {
            let now = Instant::now();
            *stage += now - *begun;
            *begun = now;
        }
    }
}
