//! Progress: bars on a terminal, plain lines now and then elsewhere. Always on stderr.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Prints a line on stderr. If nobody can hear it any more, that is no reason to stop.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Seconds between plain lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// One piece of work's progress at a time.
pub struct Bar {
    bar: ProgressBar,
    /// When to print the next plain line; `None` on a terminal.
    next_line: Option<Mutex<Instant>>,
    what: Mutex<String>,
}

impl Bar {
    /// Nothing is shown before work starts.
    pub fn new() -> Bar {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        let terminal = std::io::stderr().is_terminal();
        Bar { bar, next_line: (!terminal).then(|| Mutex::new(Instant::now() + EVERY)), what: Mutex::default() }
    }

    /// Begins `total` steps of work named `what`.
    pub fn begin(&self, what: &str, total: u64) {
        what.clone_into(&mut lock(&self.what));
        self.bar.reset();
        self.bar.set_length(total);
        self.bar.set_prefix(what.to_owned());
        self.bar.set_message("");
        if self.next_line.is_none() {
            let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}");
            if let Ok(style) = style {
                self.bar.set_style(style);
            }
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// `done` steps of the work are done; `message` is said beside.
    pub fn at(&self, done: u64, message: impl FnOnce() -> String) {
        self.bar.set_position(done);
        match &self.next_line {
            None => self.bar.set_message(message()),
            Some(next) => {
                let mut next = lock(next);
                if Instant::now() >= *next {
                    *next = Instant::now() + EVERY;
                    let total = self.bar.length().unwrap_or(0);
                    remark(&format!("{} {done}/{total} {}", lock(&self.what), message()));
                }
            }
        }
    }

    /// The work is over; the bar goes.
    pub fn end(&self) {
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Prints without disturbing the bar.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Prints a line without disturbing the bar.
    pub fn line(&self, text: &str) {
        self.suspend(|| remark(text));
        if let Some(next) = &self.next_line {
            *lock(next) = Instant::now() + EVERY;
        }
    }
}

/// A poisoned lock here only means that another thread died while printing.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl striate_data::Progress for Bar {
    fn start(&self, what: &str, total: u64) {
        self.begin(what, total);
    }

    fn advance(&self, n: u64) {
        let done = self.bar.position() + n;
        self.at(done, String::new);
    }

    fn finish(&self) {
        self.end();
    }
}
