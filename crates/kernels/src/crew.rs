//! The threads behind a `Cpu`, made for runs of some ten microseconds: idle workers look out for the next run a while before
//! they sleep, and no run waits for a worker that has not begun. The caller takes pieces too. A run allocates nothing.
//!
//! Each seat begins with a share of the pieces of its own, the same part of every run: what a layer wrote is then most often in
//! the cache of the core that reads it in the next. Who has finished a share helps with the others.

use crate::denormals;
use std::any::Any;
use std::hint::spin_loop;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long an idle worker looks out for work before it sleeps. Waking it takes about 10 µs of the caller's and as long again
/// until it begins; between the steps of a network it should stay awake, and not much longer.
const LOOK_OUT: Duration = Duration::from_micros(50);

/// Looks at the state before another thread may have the core, about a microsecond.
const LOOKS: usize = 32;

/// In [`Shared::state`]: how many workers are inside the run.
const INSIDE: usize = OPEN - 1;

/// In [`Shared::state`]: the run is open to workers.
const OPEN: usize = 1 << 16;

/// One more run in [`Shared::state`].
const RUN: usize = OPEN << 1;

/// How many pieces of a seat's share have been taken, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Taken(AtomicUsize);

/// One run, on its caller's stack.
struct Job<'a> {
    work: &'a (dyn Fn(usize, usize) + Sync),
    pieces: usize,
    /// One for each of the run's shares.
    taken: &'a [Taken],
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Job<'_> {
    /// Takes the pieces of the seat's share and then those that other seats have not come to. The first panic is kept, and
    /// leaves no piece to take.
    fn take(&self, seat: usize) {
        let shares = self.taken.len();
        let pieces = || {
            for share in (seat..shares).chain(0..seat.min(shares)) {
                let (begin, end) = (self.pieces * share / shares, self.pieces * (share + 1) / shares);
                loop {
                    let piece = begin + self.taken[share].0.fetch_add(1, Ordering::Relaxed);
                    if piece >= end {
                        break;
                    }
                    (self.work)(seat, piece);
                }
            }
        };
        // A broken piece breaks the whole run, whose caller hears of it.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(pieces)) {
            self.taken.iter().for_each(|taken| taken.0.store(self.pieces, Ordering::Relaxed));
            self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
        }
    }
}

/// What idle workers read all the time, on cache lines of its own.
#[repr(align(128))]
struct Shared {
    /// The number of the newest run, [`OPEN`], and how many workers are inside.
    state: AtomicUsize,
    /// The run that workers may enter while it is open.
    job: AtomicPtr<Job<'static>>,
    stop: AtomicBool,
}

/// Worker threads; each has a seat from 1 on, and seat 0 is the caller's.
pub(crate) struct Crew {
    /// A caller has the workers.
    busy: AtomicBool,
    /// A run's shares, one for each thread.
    shares: Vec<Taken>,
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Crew {
    /// A crew for runs on `threads` threads, of which the caller is one; at most as many as can be counted inside.
    pub(crate) fn new(threads: usize) -> io::Result<Self> {
        let shared =
            Shared { state: AtomicUsize::new(0), job: AtomicPtr::new(null_mut()), stop: AtomicBool::new(false) };
        let shares = (0..threads.clamp(1, OPEN)).map(|_| Taken::default()).collect();
        let mut crew = Self { busy: AtomicBool::new(false), shares, shared: Arc::new(shared), workers: Vec::new() };
        for seat in 1..threads.min(OPEN) {
            let shared = Arc::clone(&crew.shared);
            let thread = thread::Builder::new().name(format!("striate-{seat}"));
            crew.workers.push(thread.spawn(move || shared.serve(seat))?);
        }
        Ok(crew)
    }

    pub(crate) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `work(seat, piece)` for each piece below `pieces`, and returns when all are done. Alone, on seat 0, where
    /// the workers are busy with another run: inside a piece of one, or when another thread calls at the same time.
    pub(crate) fn run(&self, pieces: usize, work: &(dyn Fn(usize, usize) + Sync)) {
        let _flush = denormals::Flush::new();
        let takers = self.threads().min(pieces);
        if takers <= 1 || self.busy.swap(true, Ordering::Acquire) {
            (0..pieces).for_each(|piece| work(0, piece));
            return;
        }
        let taken = &self.shares[..takers];
        for taken in taken {
            taken.0.store(0, Ordering::Relaxed);
        }
        let job = Job { work, pieces, taken, panic: Mutex::new(None) };
        self.shared.open(&job);
        for worker in &self.workers[..takers - 1] {
            worker.thread().unpark();
        }
        job.take(0);
        self.shared.close();
        self.busy.store(false, Ordering::Release);
        if let Some(panic) = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker ends without a panic: it catches those of its pieces.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// Lets workers enter a run; none is inside another.
    fn open(&self, job: &Job) {
        self.job.store((&raw const *job).cast_mut().cast(), Ordering::Relaxed);
        let runs = self.state.load(Ordering::Relaxed) / RUN;
        self.state.store(runs.wrapping_add(1).wrapping_mul(RUN) | OPEN, Ordering::Release);
    }

    /// Lets no worker enter any more and waits for those inside.
    fn close(&self) {
        self.state.fetch_and(!OPEN, Ordering::Relaxed);
        loop {
            for _ in 0..LOOKS {
                if self.state.load(Ordering::Acquire) & INSIDE == 0 {
                    return;
                }
                spin_loop();
            }
            // A worker that lost its core, perhaps to this thread, needs one to go on.
            thread::yield_now();
        }
    }

    /// A worker's life.
    fn serve(&self, seat: usize) {
        let _flush = denormals::Flush::new();
        let (mut idle, mut last) = (Instant::now(), 0);
        while !self.stop.load(Ordering::Acquire) {
            if let Some(run) = self.enter(last) {
                // Safety: the job lives until its caller's `close` has seen this worker leave.
                unsafe { &*self.job.load(Ordering::Relaxed) }.take(seat);
                self.state.fetch_sub(1, Ordering::Release);
                (idle, last) = (Instant::now(), run);
            } else if idle.elapsed() > LOOK_OUT {
                // Returns at once where a run was opened after the last look.
                thread::park();
                idle = Instant::now();
            } else {
                // Where threads share a core, the caller may be waiting for this one.
                thread::yield_now();
            }
        }
    }

    /// Looks out for an open run other than `last` for about a microsecond, enters it and returns its number.
    fn enter(&self, last: usize) -> Option<usize> {
        for _ in 0..LOOKS {
            let state = self.state.load(Ordering::Relaxed);
            if state & OPEN == 0 || state / RUN == last {
                spin_loop();
            } else if self.state.compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Some(state / RUN);
            }
        }
        None
    }
}
