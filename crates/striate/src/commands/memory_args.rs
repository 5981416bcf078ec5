//! `--memory-limit`, and the words about the memory that a run takes: what is expected before it, what was measured after.

use crate::figures::{available_memory, bytes, peak_memory, resident_memory};
use crate::progress::remark;
use anyhow::Result;
use serde_json::{Value, json};
use striate_graph::Graph;
use striate_train::{Choice, Demand, Economy, Need, normalises_batches};

/// The memory that a run may have.
#[derive(clap::Args)]
pub struct MemoryArgs {
    /// The most memory that the process may take: 2GB, 512MiB, or 80% of what is free. If a step does not fit, what is
    /// cheap is computed again instead of being kept; if that does not do, batches are taken in parts, which batch
    /// normalisation sees one at a time [default: what is free]
    #[arg(long, value_name = "SIZE", value_parser = limit)]
    pub memory_limit: Option<Limit>,
}

/// A bound on memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Of all that the process takes.
    Bytes(usize),
    /// Of what is free, for what the process takes beside what it has.
    Share(f64),
}

/// The units of sizes: a longer one before those that it ends in.
const UNITS: [(&str, f64); 11] = [
    ("tib", 1_099_511_627_776.0),
    ("gib", 1_073_741_824.0),
    ("mib", 1_048_576.0),
    ("kib", 1024.0),
    ("tb", 1e12),
    ("gb", 1e9),
    ("mb", 1e6),
    ("kb", 1e3),
    ("g", 1e9),
    ("m", 1e6),
    ("b", 1.0),
];

/// Reads `2GB`, `512MiB`, `1.5 GB`, `80%` or a number of bytes.
pub fn limit(text: &str) -> Result<Limit, String> {
    let wrong = || "give a size such as 2GB or 512MiB, or a share of what is free such as 80%".to_owned();
    let lower = text.trim().to_lowercase();
    let number = |digits: &str| digits.trim().parse::<f64>().ok().filter(|n| *n > 0.0 && n.is_finite());
    if let Some(digits) = lower.strip_suffix('%') {
        let share = number(digits).filter(|n| *n <= 100.0).ok_or_else(wrong)?;
        return Ok(Limit::Share(share / 100.0));
    }
    let unit = UNITS.iter().find_map(|(unit, size)| lower.strip_suffix(unit).map(|digits| (digits, *size)));
    let (digits, size) = unit.unwrap_or((&lower, 1.0));
    let size = number(digits).map(|n| n * size).filter(|n| *n >= 1.0 && *n <= 1e18).ok_or_else(wrong)?;
    Ok(Limit::Bytes(size as usize))
}

/// What a run may have, was given, and is expected to take.
#[derive(Clone)]
pub struct Budget {
    /// What was chosen.
    pub choice: Choice,
    /// Bytes that the process may take in all; `None` where nothing bounds it.
    limit: Option<usize>,
}

impl MemoryArgs {
    /// The bytes that this process may take in all, which has `program` already: what was asked for, but no more than is free.
    /// `None` where the system does not say what is free, and nothing was asked for.
    pub fn limit(&self, program: usize) -> Result<Option<usize>> {
        let free = available_memory();
        let whole = free.map(|free| free.saturating_add(program));
        Ok(match (self.memory_limit, free) {
            (None, _) => whole,
            (Some(Limit::Bytes(n)), _) => Some(whole.map_or(n, |w| w.min(n))),
            (Some(Limit::Share(share)), Some(free)) => Some(program + (share * free as f64) as usize),
            (Some(Limit::Share(_)), None) => {
                anyhow::bail!(
                    "this system does not say how much memory is free: give --memory-limit as a size, such as 2GB"
                )
            }
        })
    }

    /// Chooses how a run's steps save memory, if they must.
    pub fn choose(&self, demand: &Demand<'_>) -> Result<Budget> {
        let limit = self.limit(demand.program)?;
        Ok(Budget { choice: demand.choose(limit.unwrap_or(usize::MAX))?, limit })
    }

    /// Refuses a run that takes more than it may have, and has nothing to save.
    pub fn must_fit(&self, need: Need) -> Result<Budget> {
        let limit = self.limit(need.program)?;
        if let Some(limit) = limit.filter(|limit| need.total() > *limit) {
            let (need, limit) = (bytes(need.total()), bytes(limit));
            let are = if self.memory_limit.is_some() { "may be had" } else { "are free" };
            anyhow::bail!("the network takes {need}, and {limit} {are}: lower the batch or the image size");
        }
        Ok(Budget { choice: Choice { economy: Economy::NONE, need, unsaved: need }, limit })
    }
}

/// What the process has now; nothing where the system does not say.
pub fn program() -> usize {
    resident_memory().unwrap_or(0)
}

impl Budget {
    /// Says what the run will take, and what was chosen so that it does.
    pub fn announce(&self, graph: &Graph, batch: usize) {
        let Choice { economy, need, unsaved } = &self.choice;
        let of = self.limit.map(|l| format!(" of {} that may be had", bytes(l))).unwrap_or_default();
        let words = saved(*economy, batch, normalises_batches(graph));
        let words = if words.is_empty() { words } else { format!("; {words} (else {})", bytes(unsaved.total())) };
        remark(&format!("memory: about {}{of}{words}", bytes(need.total())));
    }

    /// Says what the process took until now, where the system tells.
    pub fn told(&self) -> String {
        let need = bytes(self.choice.need.total());
        match peak_memory() {
            Some(peak) => format!("memory: {} at most in training, where {need} were expected", bytes(peak)),
            None => format!("memory: {need} were expected in training; this system does not say what was taken"),
        }
    }

    /// The same as JSON, in bytes.
    pub fn object(&self) -> Value {
        let Economy { recompute, micro_batches } = self.choice.economy;
        json!({
            "need": self.choice.need.total(), "peak": peak_memory(), "limit": self.limit, "parts": self.choice.need,
            "recompute": recompute, "micro_batches": micro_batches,
        })
    }
}

/// How steps of `batch` images save memory, in words; empty if they do not.
fn saved(economy: Economy, batch: usize, normalises: bool) -> String {
    let again = "what is cheap is computed again";
    let images = economy.images(batch);
    match (economy.micro_batches, economy.recompute) {
        (0 | 1, false) => String::new(),
        (0 | 1, true) => again.into(),
        (parts, recompute) => {
            let again = if recompute { format!(", and {again}") } else { String::new() };
            let sees = if normalises {
                format!("; batch normalisation sees {images} images at a time")
            } else {
                String::new()
            };
            format!("batches of {batch} are taken in {parts} parts of up to {images} images{again}{sees}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let sizes = [
            ("2GB", 2_000_000_000),
            ("512MiB", 512 << 20),
            ("1.5 gb", 1_500_000_000),
            ("3g", 3_000_000_000),
            ("7kb", 7_000),
            ("7KiB", 7 << 10),
            ("123456", 123_456),
            ("99B", 99),
        ];
        for (text, size) in sizes {
            assert_eq!(limit(text), Ok(Limit::Bytes(size)), "{text}");
        }
        assert_eq!(limit("80%"), Ok(Limit::Share(0.8)));
        assert_eq!(limit(" 12.5 % "), Ok(Limit::Share(0.125)));
        for text in ["", "GB", "-1GB", "0", "0%", "101%", "nan", "inf", "1e30GB", "2 pounds", "0.1B"] {
            assert!(limit(text).unwrap_err().contains("2GB"), "{text}");
        }
    }

    #[test]
    fn limits_are_bounded_by_what_is_free() {
        let of = |memory_limit| MemoryArgs { memory_limit }.limit(1_000_000).unwrap();
        assert_eq!(of(Some(Limit::Bytes(2_000_000))), Some(2_000_000), "a few megabytes are free");
        if let Some(free) = available_memory() {
            let (all, half) = (of(None).unwrap() as f64, of(Some(Limit::Share(0.5))).unwrap() as f64);
            // What is free moves while other programs run.
            assert!((all / free as f64 - 1.0).abs() < 0.2 && (half / all - 0.5).abs() < 0.1, "{free} {all} {half}");
            assert!(of(Some(Limit::Bytes(1 << 60))).unwrap() < 1 << 50);
        }
    }

    #[test]
    fn what_is_saved_is_told_in_words() {
        let words = |recompute, micro_batches| saved(Economy { recompute, micro_batches }, 32, true);
        assert_eq!(words(false, 1), "");
        assert_eq!(words(true, 1), "what is cheap is computed again");
        assert_eq!(
            words(true, 4),
            "batches of 32 are taken in 4 parts of up to 8 images, and what is cheap is computed again; \
             batch normalisation sees 8 images at a time"
        );
    }
}
