//! Batches, decoded and preprocessed ahead of the network by worker threads.
//!
//! The epoch's order is cut into batches and these into pieces of at most 16 images. A piece is one worker's job. Only
//! the pieces of the next `ahead` batches are handed out, so memory stays flat; they are put together by number, so
//! batches are the same at any number of workers.

use crate::augment::{Augment, Mixed};
use crate::decode::Limits;
use crate::error::LeftOut;
use crate::preprocess::Preprocessing;
use crate::seeded::Lots;
use crate::split::Split;
use crate::stages::{StageTimes, StageWatch};
use crate::views::Views;
use crate::workers;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Images in a piece: few enough that the first batch is shared among workers.
const PIECE: usize = 16;

/// How batches are made.
#[allow(clippy::struct_excessive_bools)] // Choices that do not depend on each other.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// Images in a batch, at least 1.
    pub batch: usize,
    /// Decides the order and the augmentation.
    pub seed: u64,
    /// Whether the order is drawn by lot, anew for every epoch.
    pub shuffle: bool,
    /// Whether every class is drawn equally often, images of small ones several times an epoch; with `shuffle` only.
    pub balanced: bool,
    /// Which epoch this is; enters the lots.
    pub epoch: u64,
    /// The batch to begin with; earlier ones are not decoded. For resuming within an epoch.
    pub first_batch: usize,
    /// Whether a last batch that is not full is dropped.
    pub drop_last: bool,
    /// Changes made to each image, if any.
    pub augment: Option<Augment>,
    /// How often each image is looked at, where nothing is changed by lot.
    pub views: Views,
    /// Threads that decode, at least 1.
    pub workers: usize,
    /// How many batches are prepared beyond the one in use, at least 1.
    pub ahead: usize,
    /// Bounds on what is decoded.
    pub limits: Limits,
    /// Whether each stage is timed, see [`Batch::times`].
    pub timed: bool,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self {
            batch: 32,
            seed: 0,
            shuffle: false,
            balanced: false,
            epoch: 0,
            first_batch: 0,
            drop_last: false,
            augment: None,
            views: Views::default(),
            workers: workers::available(),
            ahead: 2,
            limits: Limits::default(),
            timed: false,
        }
    }
}

impl LoaderOptions {
    /// The samples of an epoch in the order in which they come: the remainder by the number of all samples is one's index; balanced
    /// draws of one sample differ by multiples of that number.
    pub fn order(&self, split: &Split) -> Vec<usize> {
        let mut order: Vec<usize> = (0..split.len()).collect();
        if self.shuffle {
            let mut lots = Lots::new(self.seed, &[ORDER, self.epoch]);
            if self.balanced {
                order = balanced(split, &mut lots);
            }
            lots.shuffle(&mut order);
        }
        order
    }

    /// How many batches so many images make.
    pub fn batches(&self, images: usize) -> usize {
        let batch = self.batch.max(1);
        if self.drop_last { images / batch } else { images.div_ceil(batch) }
    }
}

/// Images with their labels, ready for the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Which batch of the epoch this is, from 0.
    pub number: usize,
    /// NHWC: `len()` · views · height · width · channels values, the views of an image one after the other.
    pub images: Vec<f32>,
    /// Each image's class.
    pub labels: Vec<u32>,
    /// What the images were mixed with, if they were.
    pub mixed: Option<Mixed>,
    /// Each image's index in its split.
    pub indices: Vec<usize>,
    /// Files that turned out unreadable; their images are missing here, so a batch can be short or even empty.
    pub failed: Vec<LeftOut>,
    /// What each stage took; zero unless [`LoaderOptions::timed`].
    pub times: StageTimes,
}

impl Batch {
    /// How many images there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether every file failed.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The class that each image has most of: its own, but where its partner has the larger share.
    pub fn heavier(&self) -> &[u32] {
        match &self.mixed {
            Some(mixed) if mixed.share < 0.5 => &mixed.partners,
            _ => &self.labels,
        }
    }
}

/// Part of a batch to be made, with a buffer to make it in.
struct Job {
    number: usize,
    indices: Vec<usize>,
    piece: Batch,
}

type Made = (usize, thread::Result<Batch>);

/// An iterator over one epoch's batches. Dropping it early stops its threads.
pub struct Loader {
    /// Draws of samples, see [`balanced`].
    order: Vec<usize>,
    batch: usize,
    ahead: usize,
    /// The next batch to be returned, and the number of them in all.
    next: usize,
    batches: usize,
    /// The next piece to be handed out and the next to be put into a batch.
    next_piece: usize,
    wanted_piece: usize,
    waiting: BTreeMap<usize, thread::Result<Batch>>,
    spare_pieces: Vec<Batch>,
    spare: Option<Batch>,
    jobs: Option<Sender<Job>>,
    /// The workers' end of the jobs, to empty it when the loader is dropped.
    to_make: Receiver<Job>,
    made: Receiver<Made>,
    threads: Vec<JoinHandle<()>>,
    maker: Arc<Maker>,
}

impl Loader {
    /// Starts the threads; the first batches are being made when this returns.
    pub fn new(split: Arc<Split>, preprocessing: Preprocessing, options: LoaderOptions) -> Self {
        let batch = options.batch.max(1);
        let ahead = options.ahead.max(1);
        let order = options.order(&split);
        let batches = options.batches(order.len());
        let next = options.first_batch.min(batches);
        // Room for every piece that can be under way, so that neither side ever waits to hand one over.
        let room = (ahead + 1) * batch.div_ceil(PIECE);
        let (jobs, to_make) = bounded::<Job>(room);
        let (hand_over, made) = bounded::<Made>(room);
        let workers = options.workers.max(1);
        let maker = Arc::new(Maker { split, preprocessing, options });
        let threads = (0..workers).map(|_| {
            let (maker, to_make, hand_over) = (Arc::clone(&maker), to_make.clone(), hand_over.clone());
            thread::spawn(move || maker.run(&to_make, &hand_over))
        });
        let threads = threads.collect();
        let next_piece = next * batch.div_ceil(PIECE);
        let mut loader = Self {
            order,
            batch,
            ahead,
            next,
            batches,
            next_piece,
            wanted_piece: next_piece,
            waiting: BTreeMap::new(),
            spare_pieces: Vec::new(),
            spare: None,
            jobs: Some(jobs),
            to_make,
            made,
            threads,
            maker,
        };
        loader.hand_out();
        loader
    }

    /// How many batches are still to come.
    pub fn remaining(&self) -> usize {
        self.batches - self.next
    }

    /// Takes a used batch back, so that the next one is made in its memory.
    pub fn recycle(&mut self, batch: Batch) {
        self.spare = Some(batch);
    }

    /// Pieces in every batch but a short last one.
    fn pieces_per_batch(&self) -> usize {
        self.batch.div_ceil(PIECE)
    }

    /// The samples of a piece; beyond the end of a short last batch there are none.
    fn samples_of(&self, piece: usize) -> &[usize] {
        let (batch, within) = (piece / self.pieces_per_batch(), piece % self.pieces_per_batch());
        let end = ((batch + 1) * self.batch).min(self.order.len());
        let from = (batch * self.batch + within * PIECE).min(end);
        &self.order[from..(from + PIECE).min(end)]
    }

    /// Hands out the pieces of the batches up to `ahead` beyond the next.
    fn hand_out(&mut self) {
        let until = (self.next + self.ahead).min(self.batches) * self.pieces_per_batch();
        while self.next_piece < until {
            let number = self.next_piece;
            let indices = self.samples_of(number).to_vec();
            let piece = self.spare_pieces.pop().unwrap_or_default();
            if let Some(jobs) = &self.jobs {
                // Fails only when all workers are gone, which the next receive reports.
                let _ = jobs.send(Job { number, indices, piece });
            }
            self.next_piece += 1;
        }
    }

    /// Waits for the piece that comes next.
    fn receive(&mut self) -> Option<Batch> {
        loop {
            if let Some(piece) = self.waiting.remove(&self.wanted_piece) {
                self.wanted_piece += 1;
                return Some(piece.unwrap_or_else(|panic| resume_unwind(panic)));
            }
            let (number, piece) = self.made.recv().ok()?;
            self.waiting.insert(number, piece);
        }
    }
}

/// Keeps these draws apart from others of the same seed.
const ORDER: u64 = 1;

/// As many samples as there are, of every class that has any equally many (but for one): whole rounds through its members,
/// each in an order drawn anew. The rounds number the draws of a sample: of its `n`-th draw the entry is its index plus `n` times
/// the number of all samples, so that it is changed otherwise than in the draws before.
fn balanced(split: &Split, lots: &mut Lots) -> Vec<usize> {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, sample) in split.samples.iter().enumerate() {
        members.entry(sample.label).or_default().push(index);
    }
    let classes = members.len();
    let mut order = Vec::with_capacity(split.len());
    for (class, mut members) in members.into_values().enumerate() {
        let wanted = (class + 1) * split.len() / classes - class * split.len() / classes;
        for taken in 0..wanted {
            let place = taken % members.len();
            if place == 0 {
                lots.shuffle(&mut members);
            }
            order.push(members[place] + taken / members.len() * split.len());
        }
    }
    order
}

impl Iterator for Loader {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.next >= self.batches {
            return None;
        }
        let mut batch = self.spare.take().unwrap_or_default();
        batch.clear(self.next);
        for _ in 0..self.pieces_per_batch() {
            let mut piece = self.receive()?;
            batch.images.extend_from_slice(&piece.images);
            batch.labels.extend_from_slice(&piece.labels);
            batch.indices.extend_from_slice(&piece.indices);
            batch.failed.append(&mut piece.failed);
            batch.times += piece.times;
            self.spare_pieces.push(piece);
        }
        self.next += 1;
        self.hand_out();
        self.maker.mix(&mut batch);
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining(), Some(self.remaining()))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // Jobs not begun are taken back; without a sender their queue then ends. Pieces still being made have room in
        // the other queue, so no worker waits.
        self.jobs = None;
        while self.to_make.try_recv().is_ok() {}
        for thread in self.threads.drain(..) {
            // Its panic, if any, was handed over as a piece.
            let _ = thread.join();
        }
    }
}

impl Batch {
    fn clear(&mut self, number: usize) {
        self.number = number;
        self.images.clear();
        self.labels.clear();
        self.mixed = None;
        self.indices.clear();
        self.failed.clear();
        self.times = StageTimes::default();
    }
}

/// What workers share.
struct Maker {
    split: Arc<Split>,
    preprocessing: Preprocessing,
    options: LoaderOptions,
}

impl Maker {
    fn run(&self, jobs: &Receiver<Job>, made: &Sender<Made>) {
        for Job { number, indices, mut piece } in jobs {
            let result = catch_unwind(AssertUnwindSafe(|| {
                piece.clear(number);
                for index in indices {
                    self.add(index, &mut piece);
                }
                piece
            }));
            if made.send((number, result)).is_err() {
                return;
            }
        }
    }

    /// Appends one sample, or its failure.
    fn add(&self, draw: usize, piece: &mut Batch) {
        let LoaderOptions { seed, epoch, augment, views, limits, timed, .. } = &self.options;
        let index = draw % self.split.len();
        let sample = &self.split.samples[index];
        let mut watch = StageWatch::start(*timed);
        let read = sample.read(limits);
        watch.lap(&mut piece.times.decode);
        let picture = match read {
            Ok(picture) => picture,
            Err(error) => {
                piece.failed.push(LeftOut { path: sample.name().into(), reason: error.to_string() });
                return;
            }
        };
        let mut fitted = match augment {
            Some(augment) => vec![augment.fit(&self.preprocessing, &picture, *seed, *epoch, draw)],
            None => self.preprocessing.views(&picture, *views),
        };
        watch.lap(&mut piece.times.fit);
        if let Some(augment) = augment {
            fitted = fitted.into_iter().map(|fitted| augment.apply(fitted, *seed, *epoch, draw)).collect();
        }
        watch.lap(&mut piece.times.augment);
        for fitted in &fitted {
            let start = piece.images.len();
            piece.images.resize(start + self.preprocessing.len(), 0.0);
            self.preprocessing.normalise(fitted, &mut piece.images[start..]);
        }
        watch.lap(&mut piece.times.normalise);
        piece.times.images += usize::from(*timed);
        piece.labels.push(sample.label);
        piece.indices.push(index);
    }

    /// Mixes the images of a whole batch.
    fn mix(&self, batch: &mut Batch) {
        let LoaderOptions { seed, epoch, augment, timed, .. } = &self.options;
        let Some(augment) = augment else { return };
        let mut watch = StageWatch::start(*timed);
        let size = (self.preprocessing.height as usize, self.preprocessing.width as usize);
        let place = (*seed, *epoch, batch.number);
        batch.mixed = augment.mix.apply(&mut batch.images, &batch.labels, size, place);
        watch.lap(&mut batch.times.augment);
    }
}
