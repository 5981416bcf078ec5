//! The house's own rules, held over the whole workspace: which room may use which, how long a file may be, and that every
//! file says in its first line what it is.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each room may use, from docs/DESIGN.md; rooms that are not built yet are listed too.
const MAY_USE: &[(&str, &[&str])] = &[
    ("kernels", &[]),
    ("graph", &["kernels"]),
    ("engine", &["graph", "kernels"]),
    ("zoo", &["graph"]),
    ("weights", &["graph", "kernels", "zoo"]),
    ("data", &[]),
    ("train", &["engine", "graph", "weights", "data", "zoo", "kernels"]),
    ("explain", &["engine", "graph", "data", "kernels"]),
    ("classic", &["data", "kernels"]),
    ("detect", &["engine", "graph", "train", "data", "classic", "weights", "kernels"]),
    ("cortex", &["data", "kernels"]),
];

/// The longest that a file may be.
const LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The workspace's packages with the workspace packages that each depends on, tests' dependencies left out.
fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let room = |name: &str| name.strip_prefix("striate-").map(str::to_owned);
    let of = |package: &serde_json::Value| {
        let dependencies = package["dependencies"].as_array().unwrap();
        let used =
            dependencies.iter().filter(|d| d["kind"].is_null()).filter_map(|d| room(d["name"].as_str().unwrap()));
        (package["name"].as_str().unwrap().to_owned(), used.collect())
    };
    metadata["packages"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn rooms_use_only_what_they_may() {
    let rooms = rooms();
    assert!(rooms.len() > 5, "{rooms:?}");
    for (package, used) in rooms.iter().filter(|(p, _)| *p != "striate") {
        let room = package.strip_prefix("striate-").unwrap();
        let (_, may) = MAY_USE.iter().find(|(r, _)| *r == room).unwrap_or_else(|| panic!("{room} is not in the table"));
        for other in used {
            assert!(may.contains(&other.as_str()), "{room} may not use {other}");
        }
    }
}

#[test]
fn the_design_states_the_same_table() {
    let design = fs::read_to_string(root().join("docs/DESIGN.md")).unwrap();
    for (room, may) in MAY_USE {
        let may = if may.is_empty() { "–".to_owned() } else { may.join(", ") };
        let row = design.lines().find(|l| l.starts_with(&format!("| {room} |")));
        let row = row.unwrap_or_else(|| panic!("docs/DESIGN.md has no row for {room}"));
        assert!(row.ends_with(&format!("| {may} |")), "docs/DESIGN.md says of {room}: {row}");
    }
}

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, all);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            all.push(entry);
        }
    }
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    assert!(files.len() > 50);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (lines, name) = (text.lines().count(), file.display());
        assert!(lines <= LINES, "{name} has {lines} lines; {LINES} are the most");
        assert!(text.starts_with("//! "), "{name} does not say in its first line what it is");
    }
}

#[test]
fn unsafe_code_stays_in_kernels() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\""));
    for package in rooms().keys().filter(|p| *p != "striate-kernels") {
        let folder = package.strip_prefix("striate-").unwrap_or(package);
        let manifest = fs::read_to_string(root().join("crates").join(folder).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{package} does not take the workspace's lints");
    }
}
