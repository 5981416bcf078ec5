//! `striate cortex neocognitron first`: the network of 1980 on five digits.

use crate::commands::{Machine, print_json, print_line, print_table};
use anyhow::Result;
use serde_json::json;
use std::process::ExitCode;
use striate_cortex::neocognitron::{SelfOrganised, YEAR_1980};

/// Let the Neocognitron of 1980 learn the digits 0 to 4 by itself, and show which cell answers to each, wherever it lies
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate cortex neocognitron first
  striate cortex neocognitron first --rounds 20 --json

With --json: {\"rounds\", \"cells\": [plane, …], \"shifts\": [{\"shift\": [x, y], \"cells\": [plane or null, …]}, …], \"kept\"}.")]
pub struct Args {
    /// How often each digit is shown
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// The seed of the connections that have learnt nothing; with one in five, two digits come to share a cell
    #[arg(long, value_name = "N", default_value_t = 5)]
    seed: u64,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

const SHIFTS: [[isize; 2]; 9] = [[0, 0], [1, 0], [2, 0], [-2, 0], [0, 1], [0, 2], [0, -2], [2, 2], [-2, -2]];

impl Args {
    /// Learns and prints.
    pub fn run(self) -> Result<ExitCode> {
        let cpu = self.machine.cpu()?;
        let mut network = SelfOrganised::new(&cpu, YEAR_1980, self.seed);
        for _ in 0..self.rounds {
            for digit in SelfOrganised::digits([0, 0]) {
                network.learn(&cpu, &digit)?;
            }
        }
        let cells: Vec<Vec<Option<usize>>> = SHIFTS
            .iter()
            .map(|shift| SelfOrganised::digits(*shift).iter().map(|d| network.recognise(&cpu, d)).collect())
            .collect();
        let kept = cells.iter().flatten().zip(cells[0].iter().cycle()).filter(|(a, b)| a.is_some() && a == b).count();
        let share = kept as f64 / (SHIFTS.len() * cells[0].len()) as f64;
        if self.json {
            let shifts: Vec<serde_json::Value> =
                SHIFTS.iter().zip(&cells).map(|(s, c)| json!({ "shift": s, "cells": c })).collect();
            print_json(&json!({ "rounds": self.rounds, "cells": cells[0], "shifts": shifts, "kept": share }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let name = |cell: &Option<usize>| cell.map_or_else(|| "none".to_owned(), |k| (k + 1).to_string());
        let row = |(shift, cells): (&[isize; 2], &Vec<Option<usize>>)| {
            [format!("{}, {}", shift[0], shift[1])].into_iter().chain(cells.iter().map(name)).collect()
        };
        let rows: Vec<Vec<String>> = SHIFTS.iter().zip(&cells).map(row).collect();
        print_table(&["shift (right, down)", "0", "1", "2", "3", "4"], &rows)?;
        print_line("")?;
        print_line(&format!("the same cell of UC3 answers to {:.0} % of digits wherever they lie", 100.0 * share))?;
        Ok(ExitCode::SUCCESS)
    }
}
