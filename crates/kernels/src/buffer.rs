//! Storage for floats: on a cache line, so that full vectors never straddle two, and in pages that the system hands out together.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::slice_from_raw_parts_mut;

/// Floats in a cache line.
const LINE: usize = 16;

/// A fixed number of `f32` on 64-byte aligned memory; dereferences to `[f32]`.
///
/// ```
/// use striate_kernels::Buffer;
/// let mut b = Buffer::zeroed(3);
/// b[1] = 2.0;
/// assert_eq!(*b, [0.0, 2.0, 0.0]);
/// assert_eq!(b.as_ptr().addr() % 64, 0);
/// ```
#[derive(Default)]
pub struct Buffer {
    /// With a line more than is used.
    floats: Box<[f32]>,
    /// Where the first line starts.
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    ///
    /// # Panics
    /// If there are more than a machine can address; ends the program if the system has not memory enough.
    pub fn zeroed(len: usize) -> Self {
        let Some(buffer) = Self::try_zeroed(len) else {
            let layout = Layout::array::<f32>(len);
            handle_alloc_error(layout.unwrap_or_else(|_| panic!("a buffer of {len} floats")));
        };
        buffer
    }

    /// `len` zeros, or `None` if the system has not memory enough. Memory straight from the system is zero as it is, and is
    /// not touched before it is used.
    pub fn try_zeroed(len: usize) -> Option<Self> {
        let room = len.checked_add(LINE)?;
        let layout = Layout::array::<f32>(room).ok()?;
        // Safety: the layout has a size.
        let memory: *mut f32 = unsafe { alloc_zeroed(layout) }.cast();
        if memory.is_null() {
            return None;
        }
        // Safety: allocated by the global allocator as a box of so many floats is, and zero is a float.
        let mut floats = unsafe { Box::from_raw(slice_from_raw_parts_mut(memory, room)) };
        huge_pages(&mut floats);
        let start = floats.as_ptr().align_offset(4 * LINE);
        Some(Self { floats, start, len })
    }
}

/// Bytes from which on huge pages are asked for.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

/// Asks the system for pages of megabytes, before the first touch: a page of 4 KB costs a microsecond or two then, which for a
/// hundred megabytes of prepared weights is longer than a network takes. A wish; whether it is followed does not matter.
#[cfg(target_os = "linux")]
fn huge_pages(room: &mut [f32]) {
    /// `MADV_HUGEPAGE` of Linux.
    const HUGE: i32 = 14;
    if std::mem::size_of_val(room) >= LARGE {
        advise(room, HUGE);
    }
}

/// Gives the system advice on the whole pages in some memory that leaves their contents as they are.
#[cfg(target_os = "linux")]
fn advise(room: &mut [f32], advice: i32) {
    /// The largest pages that Linux is built with.
    const PAGE: usize = 1 << 16;
    unsafe extern "C" {
        fn madvise(start: *mut u8, bytes: usize, advice: i32) -> i32;
    }
    let start: *mut u8 = room.as_mut_ptr().cast();
    let skipped = start.align_offset(PAGE);
    let whole = std::mem::size_of_val(room).saturating_sub(skipped) / PAGE * PAGE;
    if whole > 0 {
        // Safety: whole pages within memory that is borrowed uniquely.
        unsafe { madvise(start.wrapping_add(skipped), whole, advice) };
    }
}

#[cfg(not(target_os = "linux"))]
fn huge_pages(_room: &mut [f32]) {}

/// So many zeros that are about to be written over. Their pages are asked for all at once: one by one, at their first touch,
/// they take longer than reading a file into them.
///
/// ```
/// assert_eq!(striate_kernels::zeros_to_fill(3), [0.0; 3]);
/// ```
pub fn zeros_to_fill(len: usize) -> Vec<f32> {
    #[allow(unused_mut)]
    let mut zeros = vec![0.0; len];
    #[cfg(target_os = "linux")]
    {
        /// `MADV_POPULATE_WRITE`, of Linux 5.14; older ones take no notice.
        const POPULATE: i32 = 23;
        huge_pages(&mut zeros);
        advise(&mut zeros, POPULATE);
    }
    zeros
}

impl From<&[f32]> for Buffer {
    fn from(values: &[f32]) -> Self {
        let mut buffer = Self::zeroed(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Self::from(&self[..])
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.floats[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.floats[self.start..self.start + self.len]
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the floats, of which a session has millions.
        f.debug_struct("Buffer").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_zeroed_aligned_and_cloned() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut buffer = Buffer::zeroed(len);
            assert_eq!(*buffer, vec![0.0; len]);
            assert_eq!(buffer.as_ptr().addr() % 64, 0);
            buffer.fill(3.0);
            let copy = buffer.clone();
            buffer.fill(4.0);
            assert_eq!(*copy, vec![3.0; len]);
            assert_eq!(copy.as_ptr().addr() % 64, 0);
        }
        assert!(Buffer::default().is_empty());
    }

    /// Large enough for huge pages, and neither a whole number of them nor of lines.
    #[test]
    fn large_ones_are_zeroed_whole_too() {
        for len in [(4 << 18) + 7, (9 << 18) + 70_001] {
            assert!(Buffer::zeroed(len).iter().all(|&v| v == 0.0));
            let mut buffer = Buffer::try_zeroed(len).unwrap();
            assert!(buffer.len() == len && buffer.iter().all(|&v| v == 0.0));
            buffer.fill(1.0);
            assert_eq!((buffer[0], buffer[len - 1]), (1.0, 1.0));
        }
    }
}
