//! The machine as kernels see it: threads and an instruction set. Kernels run with denormals flushed to zero, on workers and
//! on the thread that calls, because arithmetic on them is up to 200 times slower.

use crate::bf16::Bf16;
use crate::crew::Crew;
use crate::denormals;
use crate::isa::{Isa, IsaError};
use std::fmt;

/// Some threads, of which the caller's is one, and the instruction set that kernels use on them.
pub struct Cpu {
    crew: Crew,
    isa: Isa,
    bf16: Bf16,
}

impl Cpu {
    /// `threads` threads, the caller's included (0: as many as the machine has cores for us), with the instruction set
    /// [`Isa::from_env`] finds. Where the system refuses that many threads, there are fewer.
    ///
    /// # Errors
    /// `STRIATE_ISA` is set to something unknown or unavailable, or `STRIATE_BF16` to something unknown or unavailable.
    pub fn new(threads: usize) -> Result<Self, IsaError> {
        Self::with_isa(threads, Isa::from_env()?)
    }

    /// As [`Cpu::new`], with a given instruction set.
    ///
    /// # Errors
    /// This machine lacks `isa`, or `STRIATE_BF16` is set to something unknown or unavailable.
    pub fn with_isa(threads: usize, isa: Isa) -> Result<Self, IsaError> {
        let isa = isa.checked()?;
        let bf16 = Bf16::from_env(isa)?;
        let mut count = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        // Halving: a system short of threads refuses a few at most times. One thread is the caller's, and always there.
        loop {
            match Crew::new(count) {
                Ok(crew) => return Ok(Self { crew, isa, bf16 }),
                Err(_) => count /= 2,
            }
        }
    }

    /// Number of threads that take pieces of a run, the caller's included.
    pub fn threads(&self) -> usize {
        self.crew.threads()
    }

    /// The instruction set kernels run with.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How bf16 are multiplied: as [`Bf16::from_env`] finds.
    pub fn bf16(&self) -> Bf16 {
        self.bf16
    }

    /// Runs `f` on this thread, with denormals flushed to zero meanwhile as they are in kernels, and returns its result.
    pub fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        let _flush = denormals::Flush::new();
        f()
    }

    /// Calls `f(0)`, `f(1)`, … `f(pieces - 1)`, each once, on any thread, the caller's too. Whoever is free takes the next
    /// piece, so that an interrupted core delays only the piece it holds.
    ///
    /// A run inside a piece, and one that another thread asks for at the same time, keeps to the thread that asked.
    ///
    /// # Panics
    /// If a piece panics, as that does, once no piece runs any more; pieces that had not begun are left out.
    pub fn run(&self, pieces: usize, f: impl Fn(usize) + Sync + Send) {
        self.run_with_seat(pieces, |_, piece| f(piece));
    }

    /// As [`Cpu::run`], but calls `f(seat, piece)`: no two calls of this run at the same time have the same seat, which
    /// is below [`Cpu::threads`]. For work space that pieces cannot share; results may not depend on it.
    pub fn run_with_seat(&self, pieces: usize, f: impl Fn(usize, usize) + Sync + Send) {
        self.crew.run(pieces, &f);
    }

    /// Cuts `out` into pieces of `chunk` elements (the last may be shorter) and calls `f(index, piece)` for each.
    ///
    /// # Panics
    /// If `chunk` is zero.
    pub fn chunks<T: Send>(&self, out: &mut [T], chunk: usize, f: impl Fn(usize, &mut [T]) + Sync + Send) {
        let out = Pieces::new(out, chunk);
        self.run(out.count(), |i| {
            // Safety: `run` hands out each index below the count once.
            f(i, unsafe { out.get(i) });
        });
    }

    /// As [`Cpu::chunks`] for two slices cut into equally many pieces, each by its own length.
    ///
    /// # Panics
    /// If a chunk length is zero or the slices give different numbers of pieces.
    pub fn chunks2<T: Send, U: Send>(
        &self,
        a: &mut [T],
        a_chunk: usize,
        b: &mut [U],
        b_chunk: usize,
        f: impl Fn(usize, &mut [T], &mut [U]) + Sync + Send,
    ) {
        let (a, b) = (Pieces::new(a, a_chunk), Pieces::new(b, b_chunk));
        assert_eq!(a.count(), b.count(), "slices zipped by chunk must have equally many chunks");
        self.run(a.count(), |i| {
            // Safety: `run` hands out each index below the count once.
            let (a, b) = unsafe { (a.get(i), b.get(i)) };
            f(i, a, b);
        });
    }
}

impl fmt::Debug for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cpu")
            .field("threads", &self.threads())
            .field("isa", &self.isa)
            .field("bf16", &self.bf16)
            .finish_non_exhaustive()
    }
}

/// A slice cut into pieces that different threads may hold at once.
pub(crate) struct Pieces<T> {
    start: *mut T,
    len: usize,
    chunk: usize,
}

// Safety: handing a piece to another thread is handing over its `T`s.
unsafe impl<T: Send> Sync for Pieces<T> {}

impl<T> Pieces<T> {
    pub(crate) fn new(slice: &mut [T], chunk: usize) -> Self {
        assert!(chunk > 0, "a chunk must hold at least one element");
        Self { start: slice.as_mut_ptr(), len: slice.len(), chunk }
    }

    pub(crate) fn count(&self) -> usize {
        self.len.div_ceil(self.chunk)
    }

    /// # Safety
    /// The slice given to `new` is still borrowed, and no two pieces of the same index live at once.
    #[allow(clippy::mut_from_ref)] // Disjoint pieces, as stated above.
    pub(crate) unsafe fn get(&self, index: usize) -> &mut [T] {
        let start = index * self.chunk;
        assert!(start < self.len, "piece {index} of {}", self.count());
        // Safety: start..start + len lies in the slice and in no other piece.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), self.chunk.min(self.len - start)) }
    }

    /// Elements that are not cut into equal pieces.
    ///
    /// # Safety
    /// The slice given to `new` is still borrowed, and nothing else that lives at once overlaps the range.
    #[allow(clippy::mut_from_ref)] // Disjoint ranges, as stated above.
    pub(crate) unsafe fn range(&self, range: std::ops::Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "elements {range:?} of {}", self.len);
        // Safety: the range lies in the slice, and the caller vouches that nothing else holds it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

/// A pointer that pieces share to write disjoint, interleaved parts of one slice.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut<T = f32>(*mut T);

// Safety: only a pointer; whoever writes through it vouches that threads write disjoint elements.
unsafe impl<T: Send> Send for SharedMut<T> {}
// Safety: as above.
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T: Copy> SharedMut<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    pub(crate) fn get(self) -> *mut T {
        self.0
    }

    /// The same place as elements of another type.
    pub(crate) fn cast<U: Copy>(self) -> SharedMut<U> {
        SharedMut(self.0.cast())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    #[test]
    fn every_piece_runs_once() {
        for threads in [1, 2, 8] {
            let cpu = Cpu::new(threads).unwrap();
            assert_eq!(cpu.threads(), threads);
            for pieces in [0, 1, 2, 100] {
                let calls: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
                cpu.run(pieces, |i| {
                    calls[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(calls.iter().all(|c| c.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn chunks_cover_a_slice_and_know_their_index() {
        let cpu = Cpu::new(2).unwrap();
        let mut out = vec![0; 10];
        cpu.chunks(&mut out, 4, |i, piece| piece.fill(i + piece.len() * 10));
        assert_eq!(out, [40, 40, 40, 40, 41, 41, 41, 41, 22, 22]);
        let (mut a, mut b) = (vec![0; 5], vec![0; 3]);
        cpu.chunks2(&mut a, 2, &mut b, 1, |i, a, b| {
            a.fill(i);
            b[0] = a.len();
        });
        assert_eq!((a, b), (vec![0, 0, 1, 1, 2], vec![2, 2, 1]));
        cpu.chunks(&mut [0.0; 0], 3, |_, _| panic!("no piece in an empty slice"));
    }

    #[test]
    #[should_panic(expected = "equally many chunks")]
    fn unequal_zips_panic() {
        Cpu::new(1).unwrap().chunks2(&mut [0; 4], 2, &mut [0; 4], 1, |_, _, _| {});
    }

    #[test]
    fn nested_calls_and_results_work() {
        let cpu = Cpu::new(2).unwrap();
        let sum = AtomicUsize::new(0);
        let answer = cpu.install(|| {
            cpu.run(5, |i| {
                cpu.run(i, |j| {
                    sum.fetch_add(j, Ordering::Relaxed);
                });
            });
            42
        });
        assert_eq!((answer, sum.into_inner()), (42, 1 + 3 + 6));
    }

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn denormals_are_flushed_in_pieces_and_kept_outside() {
        let tiny = || black_box(black_box(1e-30_f32) * black_box(1e-10));
        for threads in [1, 2] {
            let cpu = Cpu::new(threads).unwrap();
            let mut out = [1.0_f32; 8];
            cpu.chunks(&mut out, 1, |_, x| x[0] = tiny());
            assert_eq!(out, [0.0; 8]);
            assert_eq!(cpu.install(tiny), 0.0);
            assert!(tiny() > 0.0, "the caller's own arithmetic");
            let broken = catch_unwind(AssertUnwindSafe(|| cpu.install(|| cpu.run(1, |_| panic!("broken")))));
            assert!(broken.is_err() && tiny() > 0.0, "after a panic too");
        }
    }

    #[test]
    fn seats_are_not_shared() {
        let cpu = Cpu::new(4).unwrap();
        let taken: Vec<AtomicBool> = (0..cpu.threads()).map(|_| AtomicBool::new(false)).collect();
        let seats = |inner: usize| {
            let taken: Vec<AtomicBool> = (0..cpu.threads()).map(|_| AtomicBool::new(false)).collect();
            cpu.run_with_seat(inner, |seat, _| {
                assert!(!taken[seat].swap(true, Ordering::SeqCst), "seat {seat} of a run inside a piece");
                taken[seat].store(false, Ordering::SeqCst);
            });
        };
        for _ in 0..200 {
            cpu.run_with_seat(9, |seat, piece| {
                assert!(!taken[seat].swap(true, Ordering::SeqCst), "seat {seat}");
                seats(piece);
                taken[seat].store(false, Ordering::SeqCst);
            });
        }
    }

    #[test]
    fn several_threads_may_use_one_cpu() {
        let cpu = Cpu::new(3).unwrap();
        std::thread::scope(|scope| {
            for user in 0..4 {
                let cpu = &cpu;
                scope.spawn(move || {
                    for round in 0..500 {
                        let sum = AtomicUsize::new(0);
                        cpu.run(10, |i| {
                            sum.fetch_add(i + round * user, Ordering::Relaxed);
                        });
                        assert_eq!(sum.into_inner(), 45 + 10 * round * user);
                    }
                });
            }
        });
    }

    #[test]
    fn sleeping_workers_wake() {
        let cpu = Cpu::new(2).unwrap();
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(2));
            // Each piece waits for the other: two threads must have come.
            let arrived = AtomicUsize::new(0);
            let begun = Instant::now();
            cpu.run(2, |_| {
                arrived.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < 2 {
                    assert!(begun.elapsed() < Duration::from_secs(60), "the worker did not wake");
                    std::thread::yield_now();
                }
            });
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_when_all_have_stopped() {
        let cpu = Cpu::new(3).unwrap();
        for round in 0..50 {
            let (running, ids) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
            let work = |piece: usize| {
                running.fetch_add(1, Ordering::SeqCst);
                ids.lock().unwrap().push(std::thread::current().id());
                let broken = piece == round % 7;
                std::thread::sleep(Duration::from_micros(50));
                running.fetch_sub(1, Ordering::SeqCst);
                assert!(!broken, "piece {piece} is broken");
            };
            let panic = catch_unwind(AssertUnwindSafe(|| cpu.run(20, work))).unwrap_err();
            assert_eq!(running.into_inner(), 0);
            assert_eq!(*panic.downcast::<String>().unwrap(), format!("piece {} is broken", round % 7));
            // The threads are there for the next run.
            let calls = AtomicUsize::new(0);
            cpu.run(20, |_| {
                calls.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(calls.into_inner(), 20);
        }
    }

    #[test]
    fn dropping_ends_the_threads() {
        /// Counts the threads that ended.
        struct Ended(&'static AtomicUsize);
        impl Drop for Ended {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        static ENDED: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static MARK: std::cell::RefCell<Option<Ended>> = const { std::cell::RefCell::new(None) });
        let cpu = Cpu::new(3).unwrap();
        let (caller, arrived) = (std::thread::current().id(), AtomicUsize::new(0));
        cpu.run(3, |_| {
            // All three threads are here before any leaves.
            arrived.fetch_add(1, Ordering::SeqCst);
            while arrived.load(Ordering::SeqCst) < 3 {
                std::thread::yield_now();
            }
            if std::thread::current().id() != caller {
                MARK.with(|mark| *mark.borrow_mut() = Some(Ended(&ENDED)));
            }
        });
        drop(cpu);
        assert_eq!(ENDED.load(Ordering::SeqCst), 2);
    }
}
