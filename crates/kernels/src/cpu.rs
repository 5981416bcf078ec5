//! The machine as kernels see it: a pool of threads and an instruction set. Workers flush denormals to zero, because
//! arithmetic on them is up to 200 times slower; hence even one thread is a worker and never the caller's thread.

use crate::isa::{Isa, IsaError};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A pool of threads and the instruction set its kernels use.
pub struct Cpu {
    pool: ThreadPool,
    isa: Isa,
}

impl Cpu {
    /// A pool of `threads` workers (0: as many as the machine has cores for us) with the instruction set
    /// [`Isa::from_env`] finds. Where the system refuses that many threads, there are fewer.
    ///
    /// # Errors
    /// `STRIATE_ISA` is set to something unknown or unavailable.
    ///
    /// # Panics
    /// If the system refuses to start even one thread.
    pub fn new(threads: usize) -> Result<Self, IsaError> {
        Self::with_isa(threads, Isa::from_env()?)
    }

    /// As [`Cpu::new`], with a given instruction set.
    ///
    /// # Errors
    /// This machine lacks `isa`.
    ///
    /// # Panics
    /// If the system refuses to start even one thread.
    pub fn with_isa(threads: usize, isa: Isa) -> Result<Self, IsaError> {
        let isa = isa.checked()?;
        let wanted = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        // Halving: a system short of threads refuses a few at most times.
        let mut count = wanted;
        loop {
            match build(count) {
                Ok(pool) => return Ok(Self { pool, isa }),
                Err(error) if count == 1 => panic!("no thread could be started: {error}"),
                Err(_) => count /= 2,
            }
        }
    }

    /// Number of workers.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The instruction set kernels run with.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Runs `f` on a worker and returns its result. A caller that makes many kernel calls wraps them all in one
    /// `install`: calls from inside cost next to nothing.
    pub fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        self.pool.install(f)
    }

    /// Calls `f(0)`, `f(1)`, … `f(pieces - 1)`, each once, on any worker. Whoever is free takes the next piece, so
    /// that an interrupted core delays only the piece it holds.
    pub fn run(&self, pieces: usize, f: impl Fn(usize) + Sync + Send) {
        self.run_with_seat(pieces, |_, piece| f(piece));
    }

    /// As [`Cpu::run`], but calls `f(seat, piece)`: no two calls that run at the same time have the same seat, which is
    /// below [`Cpu::threads`]. For work space that pieces cannot share; results may not depend on it.
    pub fn run_with_seat(&self, pieces: usize, f: impl Fn(usize, usize) + Sync + Send) {
        let next = AtomicUsize::new(0);
        let work = |seat| {
            loop {
                let piece = next.fetch_add(1, Ordering::Relaxed);
                if piece >= pieces {
                    break;
                }
                f(seat, piece);
            }
        };
        let takers = self.threads().min(pieces);
        self.pool.install(|| {
            if takers <= 1 {
                work(0);
            } else {
                (0..takers).into_par_iter().with_max_len(1).for_each(work);
            }
        });
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
        f.debug_struct("Cpu").field("threads", &self.threads()).field("isa", &self.isa).finish_non_exhaustive()
    }
}

fn build(threads: usize) -> Result<ThreadPool, rayon::ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("striate-{i}"))
        .start_handler(|_| flush_denormals())
        .build()
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
pub(crate) struct SharedMut(*mut f32);

// Safety: only a pointer; whoever writes through it vouches that threads write disjoint elements.
unsafe impl Send for SharedMut {}
// Safety: as above.
unsafe impl Sync for SharedMut {}

impl SharedMut {
    pub(crate) fn new(slice: &mut [f32]) -> Self {
        Self(slice.as_mut_ptr())
    }

    pub(crate) fn get(self) -> *mut f32 {
        self.0
    }
}

/// Makes this thread treat denormal operands and results as zero.
fn flush_denormals() {
    #[cfg(target_arch = "x86_64")]
    {
        const FLUSH_TO_ZERO: u32 = 1 << 15;
        const DENORMALS_ARE_ZERO: u32 = 1 << 6;
        let mut control = 0_u32;
        // Safety: reads the control register into a local.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags)) };
        control |= FLUSH_TO_ZERO | DENORMALS_ARE_ZERO;
        // Safety: changes only how denormals are treated, on a thread that runs nothing but kernels.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack, preserves_flags)) };
    }
    #[cfg(target_arch = "aarch64")]
    {
        const FLUSH_TO_ZERO: u64 = 1 << 24;
        let mut control: u64;
        // Safety: reads the control register.
        unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags)) };
        control |= FLUSH_TO_ZERO;
        // Safety: changes only how denormals are treated, on a thread that runs nothing but kernels.
        unsafe { std::arch::asm!("msr fpcr, {}", in(reg) control, options(nomem, nostack, preserves_flags)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

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
    fn workers_flush_denormals() {
        for threads in [1, 2] {
            let cpu = Cpu::new(threads).unwrap();
            let mut out = [1.0_f32; 8];
            cpu.chunks(&mut out, 1, |_, x| x[0] = black_box(1e-30) * black_box(1e-10));
            assert_eq!(out, [0.0; 8]);
        }
    }
}
