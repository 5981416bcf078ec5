//! `striate doctor`: what is wrong with a data set, as text, JSON or a page with pictures, and a cleaning manifest.

mod object;
mod page;
mod section;
mod text;

use super::data_args::DecodingArgs;
use super::{print_json, write_text};
use crate::figures::thousands;
use crate::progress::{Bar, remark};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use striate_data::{Fault, Report, Severity, examine};

/// Find what is wrong with a data set, before a network learns from it
#[derive(clap::Args)]
#[command(after_help = "\
Every image is read once. Found are files that cannot be read, copies and near copies within and across classes and parts, \
pictures that stand out, uneven and misnamed classes, and names and links that make trouble elsewhere. Nothing is moved, \
changed or deleted.

--clean writes a table of path, action (exclude or keep), fault and detail, one row for each file of each finding. Excluded \
are files that cannot be read, all but one of the same picture in a class, all of the same picture in several classes, and \
those in train that are in val or test too; near copies and pictures that stand out are kept unless --exclude names their \
fault. Change the actions by hand as you like.

Examples:
  striate doctor photos/
  striate doctor photos/ --html doctor.html               the same with pictures, in one file
  striate doctor photos/ --clean clean.csv
  striate doctor photos/ --clean clean.csv --exclude near-leak,blank
  striate doctor photos/ --json --strict                  exit code 1 if there are errors

With --json: {\"data\", \"images\", \"readable\", \"errors\", \"warnings\", \"notices\", \"classes\", \"findings\": [{\"fault\", \
\"severity\", \"title\", \"remedy\", \"count\", \"cases\": [{\"detail\", \"places\": [{\"path\", \"part\", \"class\", \"exclude\"}]}]}], …}")]
pub struct Args {
    /// The data set: as for `striate train`
    data: String,
    /// The findings as one JSON object on stdout
    #[arg(long)]
    json: bool,
    /// The findings as a page with pictures, in one file that needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// A table that says which images to leave out
    #[arg(long, value_name = "FILE")]
    clean: Option<PathBuf>,
    /// Faults whose images are left out too
    #[arg(long, value_name = "FAULT", value_delimiter = ',', value_parser = fault, requires = "clean")]
    exclude: Vec<Fault>,
    /// Cases shown of each finding, in text; the page shows four times as many
    #[arg(long, value_name = "N", default_value_t = 3)]
    examples: usize,
    /// Exit with 1 if there are errors
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    decoding: DecodingArgs,
}

/// A fault by its code.
fn fault(code: &str) -> Result<Fault, String> {
    Fault::find(code).ok_or_else(|| {
        let codes: Vec<&str> = Fault::ALL.iter().map(|fault| fault.code()).collect();
        format!("there is no such fault; there are {}", codes.join(", "))
    })
}

impl Args {
    /// Examines the data set.
    pub fn run(self) -> Result<ExitCode> {
        let start = Instant::now();
        let report = examine(&self.data, &self.decoding.limits(), self.decoding.workers(), &Bar::new())?;
        let seconds = start.elapsed().as_secs_f64();
        if let Some(file) = &self.html {
            let bar = Bar::new();
            write_text(file, &page::page(&report, 4 * self.examples, self.decoding.workers(), &bar))?;
        }
        if let Some(file) = &self.clean {
            write_text(file, &report.cleaning(&self.exclude))?;
        }
        if self.json {
            print_json(&object::object(&report, &self.data, &self.exclude, seconds))?;
        } else if !is_stdout(self.html.as_deref()) && !is_stdout(self.clean.as_deref()) {
            text::print(&report, self.examples, seconds)?;
            self.how_to_go_on(&report);
        }
        let errors = report.count(Severity::Error);
        if self.strict && errors > 0 {
            bail!("{errors} errors were found in {}", self.data);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What was written, and what could be.
    fn how_to_go_on(&self, report: &Report) {
        let data = &self.data;
        match &self.html {
            Some(file) => remark(&format!("pictures of the findings: {}", file.display())),
            None if report.findings.iter().any(|f| f.cases.iter().any(|case| !case.places.is_empty())) => {
                remark(&format!("to see the pictures: striate doctor {data} --html doctor.html"));
            }
            None => {}
        }
        let left_out = report.left_out_by_cleaning(&self.exclude);
        let images =
            if left_out == 1 { "1 image".to_owned() } else { format!("{} images", thousands(left_out as u64)) };
        match &self.clean {
            Some(file) => {
                let file = file.display();
                remark(&format!("{file} leaves out {images}: striate train {data} --clean {file}"));
            }
            None if left_out > 0 => remark(&format!("to leave out {images}: striate doctor {data} --clean clean.csv")),
            None => {}
        }
    }
}

fn is_stdout(file: Option<&Path>) -> bool {
    file == Some(Path::new("-"))
}
