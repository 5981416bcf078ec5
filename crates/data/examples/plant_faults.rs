//! Plants every kind of fault into a copy of a data set and asks the doctor for them:
//! `cargo run --release -p striate-data --example plant_faults -- photos/ copy/`. Exit code 1 if one is not found.

#[path = "../tests/planting/mod.rs"]
mod planting;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs, io};
use striate_data::{Fault, Limits, Report, Silent, examine};

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let to = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}

/// How many cases of each fault there are.
fn counts(report: &Report) -> BTreeMap<Fault, usize> {
    report.findings.iter().map(|finding| (finding.fault, finding.cases.len())).collect()
}

fn is_found(report: &Report, fault: Fault, at: &str) -> bool {
    let cases = report.findings.iter().filter(|finding| finding.fault == fault).flat_map(|finding| &finding.cases);
    cases.into_iter().any(|case| {
        let about = case.places.is_empty() && case.detail.contains(&format!("'{at}"));
        about || case.places.iter().any(|place| place.path == at)
    })
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [from, to] = paths.as_slice() else {
        return Err(
            "usage: plant_faults FOLDER COPY, a folder with train/<class> and val/<class> or test/<class>, and a new one".into()
        );
    };
    let look = |path: &Path| examine(&path.to_string_lossy(), &Limits::default(), 2, &Silent);
    copy(from, to)?;
    let before = counts(&look(to)?);
    let planted = planting::plant(to);
    let start = Instant::now();
    let report = look(to)?;
    println!("{} images examined in {:.1} s", report.figures.images, start.elapsed().as_secs_f64());
    let after = counts(&report);
    println!("{:20} {:>7} {:>7} {:>7}", "fault", "before", "after", "found");
    let faults: BTreeSet<Fault> = planted.iter().map(|planted| planted.fault).collect();
    let mut missed = 0;
    for fault in faults {
        let mine: Vec<_> = planted.iter().filter(|planted| planted.fault == fault).collect();
        let found = mine.iter().filter(|planted| is_found(&report, fault, &planted.at)).count();
        missed += mine.len() - found;
        let of = |counts: &BTreeMap<Fault, usize>| counts.get(&fault).copied().unwrap_or(0);
        println!("{:20} {:>7} {:>7} {found:>3} of {}", fault.code(), of(&before), of(&after), mine.len());
        for planted in mine.iter().filter(|planted| !is_found(&report, fault, &planted.at)) {
            println!("  missed: {}", planted.at);
        }
    }
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
