//! What the tests of the command line share: a place to run the program in, what it said, and data sets made on the spot.

// Each test file is a crate of its own and uses its part of this one.
#![allow(dead_code)]

use assert_cmd::Command;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// The program under test.
pub const STRIATE: &str = env!("CARGO_BIN_EXE_striate");

/// A folder that the program is run in; it goes with everything that was written there.
pub struct Place(TempDir);

/// What a run of the program left: its exit code and what it printed.
pub struct Said {
    /// The exit code.
    pub code: i32,
    /// What is meant for other programs.
    pub stdout: String,
    /// What is meant for people.
    pub stderr: String,
}

impl Place {
    /// An empty folder.
    pub fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, with its folders, and returns its path.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs the program here to its end.
    pub fn striate<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Said {
        let mut command = Command::new(STRIATE);
        let output = command.args(args).current_dir(self.path()).timeout(Duration::from_secs(300)).output().unwrap();
        Said {
            code: output.status.code().expect("the program ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the program with these words, separated by spaces.
    pub fn run(&self, words: &str) -> Said {
        self.striate(words.split_whitespace())
    }

    /// A model of the built-in digits that knows most of them, trained once for all tests of a file.
    pub fn digits_model(&self) -> PathBuf {
        static MODEL: OnceLock<Vec<u8>> = OnceLock::new();
        let bytes = MODEL.get_or_init(|| {
            let place = Place::new();
            place.run("train digits --epochs 12").succeeded();
            fs::read(place.path().join("runs/train/lenet5/weights/best.safetensors")).unwrap()
        });
        self.file("digits.safetensors", bytes)
    }
}

impl Said {
    /// Asserts that the exit code is 0.
    #[track_caller]
    pub fn succeeded(self) -> Said {
        self.exited(0)
    }

    /// Asserts the exit code, that nobody met a panic, and that a failure is explained.
    #[track_caller]
    pub fn exited(self, code: i32) -> Said {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert!(code == 0 || self.stderr.contains("error: "), "a failure without an error: {}", self.stderr);
        self
    }

    /// Asserts that stderr says all of these.
    #[track_caller]
    pub fn explains(self, texts: &[&str]) -> Said {
        for text in texts {
            assert!(self.stderr.contains(text), "nothing says `{text}` in: {}", self.stderr);
        }
        self
    }

    /// The last line of stdout, which must be JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: `{last}`; stderr: {}", self.stderr))
    }

    /// Every line of stdout, each of which must be JSON.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: `{line}`"));
        self.stdout.lines().map(parse).collect()
    }
}

/// A number of a JSON object.
#[track_caller]
pub fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("no number `{key}` in {object}"))
}

/// A file beside these tests, which `make_fixtures.py` made.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A 16×16 grey picture in the PGM format: a bright bar, lying or standing, in or beside the middle by the picture's number.
pub fn bar(lying: bool, picture: usize) -> Vec<u8> {
    let level = |x: usize, y: usize| {
        let across = if lying { y } else { x };
        let speckle = (7 * x + 13 * y + 29 * picture) % 31;
        let inside = (6..12).contains(&(across + picture % 3));
        (if inside { 200 } else { 20 } + speckle) as u8
    };
    let pixels = (0..256).map(|i| level(i % 16, i / 16));
    b"P5\n16 16\n255\n".iter().copied().chain(pixels).collect()
}

/// Writes `each` pictures of the classes `lying` and `standing` below `folder`.
pub fn write_bars(place: &Place, folder: &str, each: usize) {
    for (class, lying) in [("lying", true), ("standing", false)] {
        for i in 0..each {
            place.file(&format!("{folder}/{class}/{i:02}.pgm"), &bar(lying, i));
        }
    }
}
