//! Where long work reports how far it is; the command line draws a bar from it.

/// Hears how far a piece of work has come. Called from worker threads, so implementors are shared.
pub trait Progress: Sync {
    /// Work named `what` ("checking images") begins; it will take `total` steps.
    fn start(&self, what: &str, total: u64);
    /// `n` more steps are done.
    fn advance(&self, n: u64);
    /// The work that was started last has ended.
    fn finish(&self);
}

/// Hears nothing and says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _what: &str, _total: u64) {}
    fn advance(&self, _n: u64) {}
    fn finish(&self) {}
}
