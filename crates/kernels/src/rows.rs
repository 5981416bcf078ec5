//! How kernels walk rows × c. Passes that write take one row after the other, so that every stream runs through memory in
//! order, which the prefetcher of the machine follows. Sums take several rows together, which saves most of their
//! additions, and ask for the next rows themselves.

use crate::simd::Simd;

/// Rows that a sum takes together.
pub(crate) const GROUP: usize = 8;

/// Channels from which rows that are read together lie too far apart for the machine to see what comes next.
const FAR: usize = 64;

/// Elements by which what is read next is asked for in advance where rows are taken one by one. The machine does so itself,
/// but not beyond a page.
const AHEAD: usize = 512;

/// A column of vectors: some channels, at most a vector of them, of the `R` rows that are taken together.
#[derive(Clone, Copy)]
pub(crate) struct Column<const R: usize> {
    /// Channels of a row.
    c: usize,
    /// Elements up to the end of its last row.
    end: usize,
    /// Its first element, in its first row.
    start: usize,
    /// Its first channel; only [`across`] makes columns, and `channel + lanes <= c`.
    channel: usize,
    lanes: usize,
}

impl<const R: usize> Column<R> {
    /// Its vector of a value for each channel.
    #[inline(always)]
    pub(crate) fn constant<S: Simd>(self, s: S, from: &[f32]) -> S::Vector {
        assert!(from.len() >= self.c, "a value for each channel");
        // Safety: channel + lanes <= c.
        s.read(unsafe { std::slice::from_raw_parts(from.as_ptr().add(self.channel), self.lanes) })
    }

    /// Assigns its vector of a value for each channel.
    #[inline(always)]
    pub(crate) fn set_constant<S: Simd>(self, s: S, v: S::Vector, to: &mut [f32]) {
        assert!(to.len() >= self.c, "a value for each channel");
        // Safety: channel + lanes <= c.
        s.write(v, unsafe { std::slice::from_raw_parts_mut(to.as_mut_ptr().add(self.channel), self.lanes) });
    }

    /// Its vectors of rows × c.
    #[inline(always)]
    pub(crate) fn read<S: Simd>(self, s: S, from: &[f32]) -> [S::Vector; R] {
        assert!(from.len() >= self.end, "rows to read");
        let mut out = [s.splat(0.0); R];
        for r in 0..R {
            let at = self.start + r * self.c;
            if R == 1 {
                prefetch(from, at + AHEAD);
            } else if self.c >= FAR {
                prefetch(from, at + R * self.c);
            }
            // Safety: the column lies before the end of its last row.
            out[r] = s.read(unsafe { std::slice::from_raw_parts(from.as_ptr().add(at), self.lanes) });
        }
        out
    }

    /// Assigns its vectors of rows × c, or adds to them.
    #[inline(always)]
    pub(crate) fn write<S: Simd>(self, s: S, v: [S::Vector; R], to: &mut [f32], adds: bool) {
        assert!(to.len() >= self.end, "rows to write");
        for r in 0..R {
            let at = self.start + r * self.c;
            if R == 1 {
                prefetch(to, at + AHEAD);
            }
            // Safety: the column lies before the end of its last row.
            let to = unsafe { std::slice::from_raw_parts_mut(to.as_mut_ptr().add(at), self.lanes) };
            let v = if adds { s.add(s.read(to), v[r]) } else { v[r] };
            s.write(v, to);
        }
    }
}

impl<const R: usize> Column<R> {
    /// The same channels of another row.
    #[inline(always)]
    pub(crate) fn of(self, row: usize) -> Column<1> {
        let Self { c, channel, lanes, .. } = self;
        Column { c, end: (row + 1) * c, start: row * c + channel, channel, lanes }
    }

    /// Assigns its vector of a small integer for each channel.
    #[inline(always)]
    pub(crate) fn set_integer<S: Simd>(self, s: S, v: S::Vector, to: &mut [u16]) {
        assert!(to.len() >= self.c, "an integer for each channel");
        // Safety: channel + lanes <= c.
        s.write_u16(v, unsafe { std::slice::from_raw_parts_mut(to.as_mut_ptr().add(self.channel), self.lanes) });
    }
}

impl Column<1> {
    /// Its vector of rows × c.
    #[inline(always)]
    pub(crate) fn one<S: Simd>(self, s: S, from: &[f32]) -> S::Vector {
        assert!(from.len() >= self.end, "a row to read");
        // Safety: the column lies before the end of its row.
        s.read(unsafe { std::slice::from_raw_parts(from.as_ptr().add(self.start), self.lanes) })
    }

    /// Its vector of rows × c of small integers.
    #[inline(always)]
    pub(crate) fn integers<S: Simd>(self, s: S, from: &[u16]) -> S::Vector {
        assert!(from.len() >= self.end, "a row to read");
        // Safety: the column lies before the end of its row.
        s.read_u16(unsafe { std::slice::from_raw_parts(from.as_ptr().add(self.start), self.lanes) })
    }

    /// Asks for what it will read soon; a row outside the slice does no harm.
    #[inline(always)]
    pub(crate) fn prefetch(self, from: &[f32]) {
        prefetch(from, self.start);
    }
}

/// Asks for the cache line of an element that will be read soon; one outside the slice does no harm.
#[inline(always)]
fn prefetch(from: &[f32], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // Safety: any address can be asked for.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.as_ptr().wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, at);
}

/// What is done to a column.
pub(crate) trait Columns {
    /// Takes a column of `R` rows. Mark it `#[inline(always)]`.
    fn take<S: Simd, const R: usize>(&mut self, s: S, at: Column<R>);
}

/// Takes everything in rows × c, `G` rows after the other.
#[inline(always)]
pub(crate) fn walk<S: Simd, const G: usize>(s: S, rows: usize, c: usize, columns: &mut impl Columns) {
    let groups = rows / G * G;
    for row in (0..groups).step_by(G) {
        across::<S, G>(s, row, c, columns);
    }
    for row in groups..rows {
        across::<S, 1>(s, row, c, columns);
    }
}

/// Takes everything in `R` rows from `row` on.
#[inline(always)]
pub(crate) fn across<S: Simd, const R: usize>(s: S, row: usize, c: usize, columns: &mut impl Columns) {
    let (whole, end) = (c / S::LANES * S::LANES, (row + R) * c);
    for channel in (0..whole).step_by(S::LANES) {
        columns.take::<S, R>(s, Column { c, end, start: row * c + channel, channel, lanes: S::LANES });
    }
    if whole < c {
        columns.take::<S, R>(s, Column { c, end, start: row * c + whole, channel: whole, lanes: c - whole });
    }
}

/// The sum of `R` vectors, in pairs.
#[inline(always)]
pub(crate) fn sum<S: Simd, const R: usize>(s: S, mut v: [S::Vector; R]) -> S::Vector {
    let mut step = 1;
    while step < R {
        for r in (0..R - step).step_by(2 * step) {
            v[r] = s.add(v[r], v[r + step]);
        }
        step *= 2;
    }
    v[0]
}

/// Elements of a piece of a pass that computes each element by itself: whole rows, about 16 384 elements.
pub(crate) fn piece(c: usize) -> usize {
    (16384 / c.max(1)).max(1) * c.max(1)
}
