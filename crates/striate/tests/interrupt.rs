//! Training that is killed or interrupted: every file in the run's folder is whole, and Ctrl-C ends it cleanly.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::{Place, STRIATE, number, write_bars};

/// Long enough for a loaded machine, short enough to end a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run in the background; killed if the test ends before it.
struct Running(Child);

impl Running {
    fn start(place: &Place, words: &str) -> Running {
        let mut command = Command::new(STRIATE);
        command.args(words.split_whitespace()).current_dir(place.path()).stdin(Stdio::null());
        let out = |name: &str| fs::File::create(place.path().join(name)).unwrap();
        Running(command.stdout(out("stdout")).stderr(out("stderr")).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
        assert!(status.success(), "the program was gone before {name}");
    }

    /// The exit code; `None` if a signal ended it.
    fn end(mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < PATIENCE, "{what} does not appear");
        sleep(Duration::from_millis(1));
    }
}

fn text(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path().join(name)).unwrap()
}

/// Every file below, but for leftovers of an interrupted write, which are known by their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let hidden = path.file_name().unwrap().to_str().unwrap().starts_with('.');
        if path.is_dir() {
            found.extend(files(&path));
        } else if !(hidden && path.extension().is_some_and(|e| e == "tmp")) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Asserts that the file holds all that it should, and returns the rows of metrics it has.
fn assert_whole(place: &Place, file: &Path, config: &str) -> usize {
    match file.file_name().unwrap().to_str().unwrap() {
        "config.toml" => assert_eq!(fs::read_to_string(file).unwrap(), config),
        "metrics.csv" => {
            let text = fs::read_to_string(file).unwrap();
            assert!(text.starts_with("epoch,learning_rate,") && text.ends_with('\n'), "{text}");
            let rows: Vec<&str> = text.lines().skip(1).collect();
            for (i, row) in rows.iter().enumerate() {
                let values: Vec<f64> = row.split(',').map(|value| value.parse().unwrap()).collect();
                assert_eq!((values.len(), values[0]), (9, (i + 1) as f64), "{row}");
            }
            return rows.len();
        }
        "best.safetensors" | "last.safetensors" => {
            let said = place.striate(["summary".as_ref(), file.as_os_str(), "--json".as_ref()]).succeeded();
            assert_eq!(number(&said.json(), "parameters"), 61_026.0);
        }
        "newest.safetensors" | "before.safetensors" | "next.safetensors" => {
            let state = striate_weights::StateFile::read(file).unwrap();
            assert!(state.description["steps"].as_u64().unwrap() > 0);
        }
        "run.json" => {
            let record: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
            assert_eq!(record["attempts"][0]["state"], "running", "killed before it could say more");
        }
        name if name.starts_with("events.out.tfevents.") => assert_whole_records(&fs::read(file).unwrap()),
        other => panic!("an unexpected file: {other}"),
    }
    0
}

/// Event files grow by records: a length of eight bytes, four of checksum, so many, four of checksum.
fn assert_whole_records(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes = &bytes[8 + 4 + length + 4..];
    }
}

#[test]
fn a_kill_at_any_moment_leaves_whole_files() {
    let place = Place::new();
    // Six pictures a class make epochs so short that most of the time is spent on writing files.
    write_bars(&place, "data", 6);
    let train = "train data --epochs 100000 --out";
    place.run("train data --epochs 1 --out one").succeeded();
    let config = text(&place, "one/lenet5/config.toml").replace("epochs = 1\n", "epochs = 100000\n");
    let (mut most_rows, mut loaded) = (0, 0);
    for moment in 0..12u64 {
        let run = Running::start(&place, &format!("{train} killed{moment}"));
        let folder = place.path().join(format!("killed{moment}/lenet5"));
        match moment % 3 {
            0 => wait_for("the run's folder", || folder.exists()),
            1 => wait_for("the first weights", || folder.join("weights/last.safetensors").exists()),
            _ => wait_for("three epochs", || {
                fs::read_to_string(folder.join("metrics.csv")).is_ok_and(|text| text.lines().count() > 3)
            }),
        }
        sleep(Duration::from_micros(moment * moment * 700));
        run.signal("-KILL");
        assert_eq!(run.end(), None, "it was still running when it was killed");
        let found = files(&folder);
        let rows = found.iter().map(|file| assert_whole(&place, file, &config)).max().unwrap_or(0);
        most_rows = most_rows.max(rows);
        loaded += found.iter().filter(|f| f.extension().is_some_and(|e| e == "safetensors")).count();
        if rows > 0 {
            let kept = found.iter().filter(|f| !f.starts_with(folder.join("checkpoint"))).count();
            assert_eq!(kept, 6, "metrics come after configuration, record, events and both weights: {found:?}");
        }
    }
    assert!(
        most_rows >= 3 && loaded >= 8,
        "the kills came too early to show anything: {most_rows} rows, {loaded} weights"
    );
}

#[test]
fn a_run_killed_again_and_again_becomes_what_it_would_have_been() {
    let place = Place::new();
    write_bars(&place, "data", 40);
    let words = "train data --model lenet5 --epochs 40 --batch 8 --seed 9 --out runs";
    place.run(&format!("{words} --name whole")).succeeded();
    // Checkpoints with every step, so that kills fall into writing them, too.
    let mut run = Running::start(&place, &format!("{words} --name killed --checkpoint-every 0"));
    let newest = place.path().join("runs/killed/checkpoint/newest.safetensors");
    wait_for("the first checkpoint", || newest.exists());
    let mut kills = 0;
    let mut moment = 7u64;
    while kills < 12 {
        // From 0 to 127 ms, differently each time.
        moment = moment * 1_103_515_245 % (1 << 31) + 12_345;
        sleep(Duration::from_millis(moment >> 8 & 127));
        if run.0.try_wait().unwrap().is_some() {
            break;
        }
        run.signal("-KILL");
        assert_eq!(run.end(), None);
        kills += 1;
        run = Running::start(&place, "train --resume runs/killed --checkpoint-every 0");
        wait_for("the run to go on", || text(&place, "stderr").contains("goes on in epoch"));
    }
    assert!(kills >= 10, "the run was over after {kills} kills");
    assert_eq!(run.end(), Some(0), "{}", text(&place, "stderr"));
    for weights in ["weights/last.safetensors", "weights/best.safetensors", "config.toml"] {
        let bytes = |run: &str| fs::read(place.path().join("runs").join(run).join(weights)).unwrap();
        assert!(bytes("killed") == bytes("whole"), "{weights}");
    }
    let metrics = |run: &str| -> Vec<String> {
        let rows = text(&place, &format!("runs/{run}/metrics.csv"));
        rows.lines().map(|l| l.rsplitn(3, ',').nth(2).unwrap().to_owned()).collect()
    };
    assert_eq!(metrics("killed"), metrics("whole"));
    let done = place.run("train --resume runs/killed").exited(1);
    done.explains(&["all 40 epochs are done", "--epochs N"]);
    place.run("train --resume runs/killed --epochs 41 --json").succeeded().explains(&["extended by 1 epochs"]);
    place.run("train --resume runs/killed --lr 1").exited(2);
    place.run("train --resume data").exited(1).explains(&["is no run's folder"]);
    place.run("train").exited(2);
}

#[test]
fn ctrl_c_ends_cleanly_with_the_newest_weights() {
    let place = Place::new();
    let run = Running::start(&place, "train digits --epochs 1000 --out runs --json");
    wait_for("the second epoch", || text(&place, "stderr").contains("epoch    2/1000"));
    let start = Instant::now();
    run.signal("-INT");
    assert_eq!(run.end(), Some(1));
    assert!(start.elapsed() < Duration::from_secs(20), "a step does not take {:?}", start.elapsed());
    let stderr = text(&place, "stderr");
    for said in ["stopping after this step", "stopped after", "runs/lenet5/weights/last.safetensors"] {
        assert!(stderr.contains(said), "nothing says `{said}` in {stderr}");
    }
    let result: serde_json::Value = serde_json::from_str(text(&place, "stdout").trim()).unwrap();
    assert_eq!(result["stopped"], true);
    let epochs = number(&result, "epochs");
    assert!((2.0..1000.0).contains(&epochs), "{result}");
    let rows = text(&place, "runs/lenet5/metrics.csv").lines().count() - 1;
    assert_eq!(rows as f64, epochs, "a row for each finished epoch");
    for weights in ["last", "best"] {
        let model = format!("runs/lenet5/weights/{weights}.safetensors");
        let scored = place.run(&format!("eval {model} digits --json")).succeeded().json();
        assert!(number(&scored, "accuracy") > 0.2, "{scored}");
    }
    let leftovers = fs::read_dir(place.path().join("runs/lenet5/weights")).unwrap().count();
    assert_eq!(leftovers, 2, "a clean end leaves no temporary files");
}

#[test]
fn ctrl_c_leaves_what_was_measured_of_gradients() {
    let place = Place::new();
    let run = Running::start(&place, "gradients digits lenet5:relu lenet5:tanh --steps 1000000 --out runs --json");
    wait_for("the run's folder", || place.path().join("runs/lenet5-relu_lenet5-tanh").exists());
    sleep(Duration::from_secs(1));
    run.signal("-INT");
    assert_eq!(run.end(), Some(1));
    let result: serde_json::Value = serde_json::from_str(text(&place, "stdout").trim()).unwrap();
    let variants: Vec<_> = result["variants"].as_array().unwrap().iter().map(|v| v["variant"].as_str()).collect();
    assert_eq!((&result["stopped"], variants), (&true.into(), vec![Some("lenet5:relu")]));
    let steps = text(&place, "runs/lenet5-relu_lenet5-tanh/loss.csv").lines().count() - 1;
    assert!((1..1_000_000).contains(&steps), "{steps}");
    let names: Vec<_> =
        files(&place.path().join("runs")).iter().filter_map(|f| f.file_name()?.to_str().map(str::to_owned)).collect();
    assert_eq!(names, ["gradients.csv", "gradients.svg", "loss.csv", "summary.json"]);
}

#[test]
fn an_interrupt_that_comes_twice_is_one() {
    let place = Place::new();
    let run = Running::start(&place, "train digits --epochs 1000 --out runs");
    wait_for("the second epoch", || text(&place, "stderr").contains("epoch    2/1000"));
    // As when a sender signals a process and then its group; of different kinds, since equal ones may arrive as one.
    let id = run.0.id();
    let both = Command::new("sh").args(["-c", &format!("kill -INT {id}; kill -TERM {id}")]).status().unwrap();
    assert!(both.success());
    assert_eq!(run.end(), Some(1));
    assert!(text(&place, "stderr").contains("the newest weights are"), "{}", text(&place, "stderr"));
}

#[test]
fn termination_in_the_first_epoch_keeps_its_weights() {
    let place = Place::new();
    // Small batches of large inputs make the first epoch long enough to be met.
    let run = Running::start(&place, "train digits --imgsz 128 --batch 2 --epochs 3 --out runs --threads 1");
    wait_for("the run's configuration", || place.path().join("runs/lenet5/config.toml").exists());
    run.signal("-TERM");
    assert_eq!(run.end(), Some(1));
    let stderr = text(&place, "stderr");
    assert!(stderr.contains("stopped after 0 of 3 epochs"), "{stderr}");
    assert!(text(&place, "stdout").contains("last.safetensors"), "{}", text(&place, "stdout"));
    let run = place.path().join("runs/lenet5");
    let mut names: Vec<_> = files(&run).iter().map(|f| f.strip_prefix(&run).unwrap().display().to_string()).collect();
    names.retain(|name| !name.starts_with("events.out.tfevents."));
    assert_eq!(names, ["checkpoint/newest.safetensors", "config.toml", "run.json", "weights/last.safetensors"]);
    place.run("eval runs/lenet5/weights/last.safetensors digits").succeeded();
}
