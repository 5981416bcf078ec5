//! `striate models`: the architectures there are, or one with its facts.

use super::{print_json, print_line, print_table};
use crate::figures::thousands;
use anyhow::Result;
use serde_json::json;
use std::process::ExitCode;
use striate_zoo::{Architecture, Options, all, find};

/// List the architectures, or tell all about one
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate models
  striate models lenet5
  striate models --json        one JSON object a line: name, parameters, multiply_adds, input, classes, paper, …")]
pub struct Args {
    /// The architecture to tell about
    name: Option<String>,
    /// One JSON object a line on stdout
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Prints the table or the facts.
    pub fn run(&self) -> Result<ExitCode> {
        let chosen = match &self.name {
            Some(name) => vec![find(name)?],
            None => all().collect(),
        };
        if self.json {
            chosen.iter().try_for_each(|a| print_json(&facts(a)?))?;
        } else if self.name.is_some() {
            for a in chosen {
                let graph = a.build(&Options::default())?;
                print_line(&format!("{}: {}", a.name, a.about))?;
                print_line(&format!("  paper          {}", a.paper))?;
                print_line(&format!("  input          {}, {} classes", a.input, a.classes))?;
                print_line(&format!("  parameters     {}", thousands(graph.parameter_count() as u64)))?;
                print_line(&format!("  multiply-adds  {}", thousands(graph.multiply_adds())))?;
                print_line(&format!("  accuracy       {}", a.published.accuracy))?;
            }
        } else {
            let row = |a: &&Architecture| -> Result<Vec<String>> {
                let graph = a.build(&Options::default())?;
                let counts = [graph.parameter_count() as u64, graph.multiply_adds()].map(thousands);
                Ok([vec![a.name.into(), a.input.to_string()], counts.to_vec(), vec![a.about.into()]].concat())
            };
            let rows = chosen.iter().map(row).collect::<Result<Vec<_>>>()?;
            print_table(&["name", "input", "parameters", "multiply-adds", "about"], &rows)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn facts(a: &Architecture) -> Result<serde_json::Value> {
    let graph = a.build(&Options::default())?;
    Ok(json!({
        "name": a.name, "about": a.about, "paper": a.paper,
        "input": {"height": a.input.h, "width": a.input.w, "channels": a.input.c},
        "classes": a.classes, "parameters": graph.parameter_count(), "multiply_adds": graph.multiply_adds(),
        "accuracy": a.published.accuracy,
    }))
}
