//! What is told while a run goes: a bar or lines within an epoch, a line at its end; and the wish to stop.

use crate::commands::PrecisionArgs;
use crate::commands::data_args::list;
use crate::diary::Diary;
use crate::figures::{duration, percent};
use crate::progress::{Bar, remark};
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use striate_data::LeftOut;
use striate_train::{Decision, EpochRow, StepReport, Watch};

/// Interrupts nearer to the first than this are the same one: some senders signal a process and its group.
const ONE_INTERRUPT: Duration = Duration::from_secs(1);

/// A flag that the first Ctrl-C (or SIGTERM) raises; a later one ends the program at once.
pub fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let (raised, mut first) = (stop.clone(), None::<Instant>);
    ctrlc::set_handler(move || match first {
        Some(first) if first.elapsed() >= ONE_INTERRUPT => std::process::exit(130),
        Some(_) => {}
        None => {
            first = Some(Instant::now());
            raised.store(true, Ordering::Relaxed);
            remark("stopping after this step; again to stop at once");
        }
    })?;
    Ok(stop)
}

/// A line an epoch, and a bar or a line now and then within.
pub(super) struct Lines<'a> {
    pub(super) bar: Bar,
    pub(super) epochs: u32,
    pub(super) precision: &'a PrecisionArgs,
    pub(super) diary: Diary,
    /// Images whose features are computed, while they are.
    pub(super) computed: usize,
}

impl Watch for Lines<'_> {
    fn precision(&mut self, decision: &Decision) {
        self.bar.suspend(|| self.precision.tell(decision));
    }

    fn step(&mut self, r: &StepReport) {
        if r.step == 1 {
            self.bar.begin(&format!("epoch {}/{}", r.epoch, self.epochs), r.steps);
        }
        self.bar.at(r.step, || {
            let (loss, accuracy, speed) = (r.score.loss, percent(r.score.accuracy), r.images_per_second);
            format!("loss {loss:.3} acc {accuracy} {speed:.0} images/s, run left {}", duration(r.seconds_left))
        });
        if r.step == r.steps {
            self.bar.end();
        }
        self.diary.step(r).into_iter().for_each(|complaint| self.bar.line(&complaint));
    }

    fn epoch(&mut self, row: &EpochRow, best: bool) {
        let width = self.epochs.to_string().len();
        let val = match (row.val_loss, row.val_accuracy, row.val_top5) {
            (Some(loss), Some(accuracy), Some(top5)) => {
                format!("  val loss {loss:.4} acc {} top5 {}", percent(accuracy), percent(top5))
            }
            _ => String::new(),
        };
        let (loss, accuracy, speed) = (row.train_loss, percent(row.train_accuracy), row.images_per_second);
        let (epoch, epochs, lr, star) = (row.epoch, self.epochs, row.learning_rate, if best { " *" } else { "" });
        let left = row.seconds / f64::from(epoch) * f64::from(epochs - epoch);
        self.bar.line(&format!(
            "epoch {epoch:width$}/{epochs}  loss {loss:.4} acc {accuracy}{val}  lr {lr:.2e}  {speed:.0} images/s  left {}{star}",
            duration(left)
        ));
        self.diary.epoch(row).into_iter().for_each(|complaint| self.bar.line(&complaint));
    }

    fn note(&mut self, what: &str) {
        self.bar.line(what);
    }

    fn features(&mut self, done: usize, images: usize) {
        if self.computed == 0 {
            self.bar.begin("computing features", images as u64);
        }
        self.computed = done;
        self.bar.at(done as u64, String::new);
        if done == images {
            self.bar.end();
            self.computed = 0;
        }
    }

    fn left_out(&mut self, files: &[LeftOut]) {
        self.bar.line(&format!("warning: {} images became unreadable and are left out:", files.len()));
        list(files);
    }
}
