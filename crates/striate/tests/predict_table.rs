//! Predictions of whole folders as tables: what is in them, and that a killed process leaves nothing that cannot be gone on
//! with.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::{Place, STRIATE, fixture, number};

/// A model and a folder of so many pictures, some of which cannot be read, in folders whose names need quoting.
fn pictures(count: usize) -> Place {
    let place = Place::new();
    place.digits_model();
    let jpeg = fs::read(fixture("speckled.jpg")).unwrap();
    for i in 0..count {
        let digit = fs::read(fixture(&format!("hand_{}.png", i % 10))).unwrap();
        let bytes = match i % 7 {
            3 => &jpeg[..jpeg.len() * 2 / 3 - i % 50],
            5 => &jpeg[..],
            _ => &digit[..],
        };
        place.file(&format!("photos/a, \"{}\"/{i:04}.png", i / 50), bytes);
    }
    place
}

fn bytes(place: &Place, name: &str) -> Vec<u8> {
    fs::read(place.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn text(place: &Place, name: &str) -> String {
    String::from_utf8(bytes(place, name)).unwrap()
}

const PREDICT: &str = "predict digits.safetensors photos";

#[test]
fn every_picture_has_a_row_in_each_format() {
    let place = pictures(60);
    let said =
        place.run(&format!("{PREDICT} --out r.csv --json")).succeeded().explains(&["9 images could not be read"]);
    let sum = said.json();
    assert_eq!((number(&sum, "images"), number(&sum, "unreadable"), number(&sum, "already")), (60.0, 9.0, 0.0));
    place.run(&format!("{PREDICT} --out r.jsonl --batch 7 --workers 1 --threads 1")).succeeded();
    place.run(&format!("{PREDICT} --out r.parquet")).succeeded();

    let csv = text(&place, "r.csv");
    let mut lines = csv.lines();
    assert_eq!(
        lines.next().unwrap(),
        "path,class,probability,unknown,class_2,probability_2,class_3,probability_3,error"
    );
    let objects: Vec<Value> = text(&place, "r.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((objects.len(), csv.lines().count()), (60, 61));
    for (i, (object, line)) in objects.iter().zip(lines).enumerate() {
        let path = format!("photos/a, \"{}\"/{i:04}.png", i / 50);
        assert_eq!(object["path"], *path);
        let quoted = format!("\"{}\",", path.replace('"', "\"\""));
        let rest = line.strip_prefix(&quoted).unwrap_or_else(|| panic!("{line}"));
        if i % 7 == 3 {
            assert!(object["class"].is_null() && object["error"].as_str().unwrap().contains("cut short"), "{object}");
            assert!(rest.starts_with(",,,,,,,") && rest.contains("cut short"), "{line}");
        } else {
            let first = &object["predictions"][0];
            assert_eq!((&object["class"], &object["probability"]), (&first["class"], &first["probability"]));
            let cells: Vec<&str> = rest.split(',').collect();
            assert_eq!(cells[0], first["class"].as_str().unwrap());
            assert!((cells[1].parse::<f64>().unwrap() - number(first, "probability")).abs() < 1e-5, "{line} {object}");
            assert_eq!((cells[2], cells[7]), (object["unknown"].to_string().as_str(), ""));
        }
    }
    let handwritten = objects.iter().enumerate().filter(|(i, _)| ![3, 5].contains(&(i % 7)));
    let right = handwritten.filter(|(i, o)| o["class"].as_str() == Some(&(i % 10).to_string())).count();
    assert!(right > 30, "{right} of 43 digits");

    let parquet = bytes(&place, "r.parquet");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    let holds = |what: &str| parquet.windows(what.len()).any(|w| w == what.as_bytes());
    assert!(holds("photos/a, \"1\"/0059.png") && holds("cut short") && holds("probability_3"));
    assert!(!place.path().join("r.parquet.rows").exists());
}

#[test]
fn tables_are_never_overwritten_unasked_nor_mixed() {
    let place = pictures(20);
    place.run(&format!("{PREDICT} --out r.csv")).succeeded();
    let first = bytes(&place, "r.csv");
    place.run(&format!("{PREDICT} --out r.csv")).exited(1).explains(&[
        "r.csv: is there already",
        "--resume",
        "--overwrite",
    ]);
    place.run(&format!("{PREDICT} --out r.csv --resume --overwrite")).exited(2);
    place.run(&format!("{PREDICT} --resume")).exited(2);
    place.run(&format!("{PREDICT} --out r.txt")).exited(1).explains(&[".csv, .jsonl or .parquet"]);
    place.run(&format!("{PREDICT} --out no/r.csv")).exited(1).explains(&["no/r.csv"]);

    let refused = |options: &str, what: &str| {
        place.run(&format!("{PREDICT} --out r.csv --resume {options}")).exited(1).explains(&[what, "--overwrite"]);
    };
    refused("--top 2", "made with top 3, which is 2 now");
    refused("--no-calibration", "made with ");
    refused("--unknown-below 0.123", "made with unknown_below");
    refused("--crops 5", "made with five_windows false");
    assert_eq!(bytes(&place, "r.csv"), first, "a refusal changes nothing");
    // The same weights with another calibration are another model.
    place.run("calibrate digits.safetensors digits --keep 0.5").succeeded();
    refused("", "made with ");
    fs::remove_file(place.path().join("r.csv.state")).unwrap();
    refused("", "r.csv.state does not say what its rows were made with");
    place.run(&format!("{PREDICT} --out r.csv --overwrite --top 1")).succeeded();
    assert!(text(&place, "r.csv").starts_with("path,class,probability,unknown,error\n"));
    fs::write(place.path().join("r.csv"), "path,class\nx,y\n").unwrap();
    refused("--top 1", "line 1 has the columns path,class and not path,class,probability,unknown,error");
}

#[test]
fn new_pictures_are_added_and_finished_tables_left() {
    let place = pictures(20);
    for out in ["r.csv", "r.parquet"] {
        // As much as a script would say each time.
        place.run(&format!("{PREDICT} --out {out} --resume")).succeeded();
        let first = bytes(&place, out);
        place.run(&format!("{PREDICT} --out {out} --resume")).succeeded();
        assert_eq!(bytes(&place, out), first);
    }
    place.file("photos/0.png", &fs::read(fixture("hand_6.png")).unwrap());
    let said = place.run(&format!("{PREDICT} --out r.csv --resume --json")).succeeded().json();
    assert_eq!((number(&said, "images"), number(&said, "already")), (21.0, 20.0));
    assert!(text(&place, "r.csv").lines().last().unwrap().starts_with("photos/0.png,6,"));
    place.run(&format!("{PREDICT} --out r.parquet --resume")).succeeded().explains(&["r.parquet: is finished"]);
}

#[test]
fn a_row_cut_anywhere_is_made_again() {
    let place = pictures(30);
    for out in ["r.csv", "r.jsonl"] {
        let command = format!("{PREDICT} --out {out} --resume --batch 4");
        place.run(&command).succeeded();
        let whole = bytes(&place, out);
        let path = place.path().join(out);
        // Nothing, in the header, in the first row, and through the last but one and the last.
        for length in [0, 5, 60, 130].into_iter().chain((whole.len() - 400..whole.len()).step_by(23)) {
            fs::write(&path, &whole[..length]).unwrap();
            place.run(&command).succeeded();
            assert!(bytes(&place, out) == whole, "{out} cut at {length} of {}", whole.len());
        }
    }
}

/// A run of the program that is ended with the test, whatever happens.
struct Running(Child);

impl Running {
    fn start(place: &Place, words: &str) -> Running {
        let mut command = Command::new(STRIATE);
        command.args(words.split_whitespace()).current_dir(place.path());
        Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_killed_process_leaves_what_can_be_gone_on_with() {
    let place = pictures(1500);
    for (out, rows) in [("r.csv", "r.csv"), ("r.jsonl", "r.jsonl"), ("r.parquet", "r.parquet.rows")] {
        place.run(&format!("{PREDICT} --out whole-{out} --batch 5")).succeeded();
        let command = format!("{PREDICT} --out {out} --batch 5 --workers 1 --threads 1 --resume");
        let rows = place.path().join(rows);
        let length = || fs::metadata(&rows).map_or(0, |m| m.len());
        let (mut kills, mut moment) = (0, 7u64);
        loop {
            let before = length();
            let mut run = Running::start(&place, &command);
            let start = Instant::now();
            while length() <= before && run.0.try_wait().unwrap().is_none() {
                assert!(start.elapsed() < Duration::from_secs(120), "no row appears");
            }
            // From 0 to 15 ms, differently each time.
            moment = moment * 1_103_515_245 % (1 << 31) + 12_345;
            sleep(Duration::from_micros(moment >> 8 & 0x3FFF));
            if let Some(status) = run.0.try_wait().unwrap() {
                assert!(status.success());
                break;
            }
            // On Unix, SIGKILL.
            run.0.kill().unwrap();
            run.0.wait().unwrap();
            kills += 1;
        }
        assert!(kills >= 3, "{out} was whole after {kills} kills");
        assert!(bytes(&place, out) == bytes(&place, &format!("whole-{out}")), "{out} after {kills} kills");
    }
}
