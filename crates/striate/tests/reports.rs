//! What runs and evaluations leave for people: the report, the model card, the tables, and `striate runs`.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use support::{Place, number, write_bars};

fn text(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The rows of a table, by its columns' names. No cell of these tables holds a comma.
fn rows(text: &str) -> Vec<HashMap<&str, &str>> {
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    text.lines().skip(1).map(|line| header.iter().copied().zip(line.split(',')).collect()).collect()
}

#[test]
fn a_runs_tables_agree_with_its_score() {
    let place = Place::new();
    let trained = place.run("train digits --epochs 2 --json --out runs").succeeded().json();
    let predictions = text(&place, "runs/lenet5/predictions.csv");
    let rows = rows(&predictions);
    assert_eq!(rows.len() as f64, number(&trained, "images"));
    let n = rows.len() as f64;
    let right = rows.iter().filter(|r| r["label"] == r["prediction"]).count();
    assert_eq!(right as f64 / n, number(&trained, "accuracy"));
    assert_eq!(rows.iter().filter(|r| r["rank"] == "0").count(), right);
    let number_of = |r: &HashMap<&str, &str>, column| r[column].parse::<f64>().unwrap();
    let loss = rows.iter().map(|r| number_of(r, "loss")).sum::<f64>() / n;
    assert!((loss - number(&trained, "loss")).abs() < 1e-5, "{loss}");
    let top5 = rows.iter().filter(|r| number_of(r, "rank") < 5.0).count() as f64 / n;
    assert!((top5 - number(&trained, "top5")).abs() < 1e-12);
    for r in &rows {
        assert!((number_of(r, "loss") + number_of(r, "label_probability").ln()).abs() < 1e-3, "{r:?}");
        let five = ["probability", "second_probability", "fifth_probability"].map(|c| number_of(r, c));
        assert!(five[0] >= five[1] && five[1] >= five[2] && five[0] <= 1.0, "{r:?}");
    }

    let confusion = text(&place, "runs/lenet5/confusion.csv");
    let counts: Vec<Vec<u64>> =
        confusion.lines().skip(1).map(|l| l.split(',').skip(1).map(|c| c.parse().unwrap()).collect()).collect();
    assert_eq!((0..10).map(|i| counts[i][i]).sum::<u64>() as usize, right);
    assert_eq!(counts.iter().flatten().sum::<u64>(), rows.len() as u64);
    let threes = rows.iter().filter(|r| r["label"] == "3" && r["prediction"] == "5").count();
    assert_eq!(counts[3][5], threes as u64);
}

#[test]
fn the_report_is_whole_and_escapes_names() {
    let place = Place::new();
    for (class, lying) in [("a<b>&\"c\"", true), ("standing", false)] {
        for i in 0..8 {
            place.file(&format!("data/{class}/{i:02}.pgm"), &support::bar(lying, i));
        }
    }
    place.run("train data --epochs 1 --out runs").succeeded().explains(&["report runs/lenet5/report.html"]);
    let page = text(&place, "runs/lenet5/report.html");
    for section in
        ["Curves", "What the figures say", "Confusions", "Classes", "Most confident mistakes", "Calibration", "Data"]
    {
        assert!(page.contains(&format!("<h2>{section}</h2>")), "no section {section}");
    }
    assert!(page.contains("a&lt;b&gt;&amp;&quot;c&quot;") && !page.contains("a<b>"));
    assert!(page.contains("striate train data --epochs 1 --out runs"), "the command is told");
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing is fetched");
    assert!(page.ends_with("</html>\n"));
    let card = text(&place, "runs/lenet5/MODEL_CARD.md");
    for part in
        ["## Results", "## Limits", "## Licence", "striate predict runs/lenet5/weights/best.safetensors", "a\\<b\\>&"]
    {
        assert!(card.contains(part), "no {part} in {card}");
    }
    assert!(card.contains("Fewer than 50 training images"), "{card}");
}

#[test]
fn a_report_is_made_again_also_without_the_data() {
    let place = Place::new();
    write_bars(&place, "data", 10);
    place.run("train data --epochs 2 --out runs").succeeded();
    let first = ["confusion.csv", "predictions.csv"].map(|name| text(&place, &format!("runs/lenet5/{name}")));
    for name in ["confusion.csv", "predictions.csv", "report.html", "MODEL_CARD.md"] {
        fs::remove_file(place.path().join("runs/lenet5").join(name)).unwrap();
    }
    let said = place.run("report runs/lenet5 --json").succeeded().json();
    let again = || ["confusion.csv", "predictions.csv"].map(|name| text(&place, &format!("runs/lenet5/{name}")));
    assert_eq!(again(), first, "the same images, the same answers");
    assert_eq!((said["part"].as_str(), number(&said, "images")), (Some("validation"), 4.0));
    let (low, high) = (said["interval"][0].as_f64().unwrap(), said["interval"][1].as_f64().unwrap());
    assert!(low <= number(&said, "accuracy") && number(&said, "accuracy") <= high && high - low > 0.3, "{said}");

    fs::rename(place.path().join("data"), place.path().join("moved")).unwrap();
    let without = place.run("report runs/lenet5 --json").succeeded();
    without.explains(&["warning: the report has no pictures"]);
    assert_eq!(again(), first);
    place.run("report runs/lenet5 --data moved").succeeded();
    fs::remove_file(place.path().join("runs/lenet5/predictions.csv")).unwrap();
    place.run("report runs/lenet5").exited(1).explains(&["--data says where it is now"]);
    place.run("report moved").exited(1).explains(&["there is no run here"]);
}

#[test]
fn an_evaluation_can_leave_a_report() {
    let place = Place::new();
    let model = place.digits_model();
    let words =
        ["eval", model.to_str().unwrap(), "digits", "--report", "out.html", "--predictions", "out.csv", "--json"];
    let said = place.striate(words).succeeded().json();
    let csv = text(&place, "out.csv");
    assert_eq!(rows(&csv).len() as f64, number(&said, "images"));
    assert!(csv.lines().nth(1).unwrap().starts_with("digits["), "{csv}");
    let page = text(&place, "out.html");
    assert!(page.contains("data:image/jpeg;base64,") && !page.contains("<h2>Curves</h2>"));
    // Recall, precision and F1 by their definitions, from the matrix beside them.
    let m: Vec<Vec<f64>> = serde_json::from_value(said["confusion"].clone()).unwrap();
    let column = |j: usize| m.iter().map(|row| row[j]).sum::<f64>();
    let f1 = |i: usize| 2.0 * m[i][i] / (m[i].iter().sum::<f64>() + column(i));
    assert!((number(&said["precision"], "8") - m[8][8] / column(8)).abs() < 1e-12);
    assert!((number(&said["f1"], "8") - f1(8)).abs() < 1e-12);
    assert!((number(&said, "macro_f1") - (0..10).map(f1).sum::<f64>() / 10.0).abs() < 1e-12);
    assert!((0.0..0.5).contains(&number(&said, "ece")) && (0.0..0.5).contains(&number(&said, "brier")), "{said}");
}

#[test]
fn runs_are_listed_filtered_and_compared() {
    let place = Place::new();
    place.run("runs").exited(1).explains(&["there is no such folder"]);
    write_bars(&place, "data", 6);
    place.run("train data --epochs 2 --name slow --lr 0.0001").succeeded();
    place.run("train data --epochs 3 --name fast").succeeded();
    let all = place.run("runs --json").succeeded().json_lines();
    let names: Vec<&str> = all.iter().map(|r| r["run"].as_str().unwrap()).collect();
    assert_eq!(names, ["runs/train/fast", "runs/train/slow"]);
    assert_eq!((number(&all[0], "epochs"), number(&all[0], "planned")), (3.0, 3.0));
    assert!(all.iter().all(|r| r["state"] == "finished" && number(r, "started") > 1.6e9), "{all:?}");
    let sorted = place.run("runs --sort epochs --reverse --limit 1 --json").succeeded().json_lines();
    assert_eq!((sorted.len(), sorted[0]["run"].as_str()), (1, Some("runs/train/slow")));
    assert!(place.run("runs --model resnet20 --json").succeeded().stdout.is_empty());
    assert!(place.run("runs --state failed").succeeded().stdout.contains("no run is left by these filters"));
    let table = place.run("runs").succeeded().stdout;
    assert!(table.contains("train/fast") && table.contains("3/3") && table.contains("finished"), "{table}");

    let said = place.run("runs compare slow fast --svg curves.svg --json").succeeded().json();
    let settings = said["settings"].as_object().unwrap();
    assert_eq!(settings.keys().collect::<Vec<_>>(), ["epochs", "learning_rate"]);
    assert_eq!(settings["learning_rate"][0], "0.0001");
    assert_eq!(said["runs"][1]["run"], "runs/train/fast");
    let svg = text(&place, "curves.svg");
    assert!(svg.contains(">slow<") && svg.contains("Validation accuracy"));
    let shown = place.run("runs compare slow fast").succeeded().stdout;
    assert!(shown.contains("learning_rate") && shown.contains("best accuracy") && !shown.contains("seed"), "{shown}");
    place.run("runs compare slow runs/train/slow").exited(1).explains(&["is given twice"]);
    place.run("runs compare slow nowhere").exited(1).explains(&["nowhere", "no run here"]);
}

#[test]
fn a_run_that_failed_or_was_killed_says_so() {
    let place = Place::new();
    write_bars(&place, "data", 6);
    place.run("train data --epochs 5 --lr 1e30 --name broken").exited(1);
    let run: Value = serde_json::from_str(&text(&place, "runs/train/broken/run.json")).unwrap();
    assert_eq!(run["attempts"][0]["state"], "failed");
    assert!(run["attempts"][0]["error"].as_str().unwrap().contains("lower it with --lr"), "{run}");
    // Without a report: nothing is worth telling.
    assert!(!place.path().join("runs/train/broken/report.html").exists());
    let listed = place.run("runs --json").succeeded().json();
    assert_eq!(listed["state"], "failed");
}

#[test]
fn event_files_are_where_tensorboard_looks() {
    let place = Place::new();
    write_bars(&place, "data", 6);
    place.run("train data --epochs 2 --event-steps 1 --name r").succeeded();
    let events = |folder: &Path| -> Vec<Vec<u8>> {
        let files = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        let named = files.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with("events.out.tfevents."));
        named.map(|p| fs::read(p).unwrap()).collect()
    };
    let (epochs, steps) =
        (events(&place.path().join("runs/train/r")), events(&place.path().join("runs/train/r/steps")));
    assert_eq!((epochs.len(), steps.len()), (1, 1));
    let holds = |bytes: &[u8], tag: &str| bytes.windows(tag.len()).filter(|w| *w == tag.as_bytes()).count();
    assert_eq!((holds(&epochs[0], "val/accuracy"), holds(&epochs[0], "images_per_second")), (2, 2));
    assert!(holds(&steps[0], "train/loss") >= 2 && holds(&steps[0], "val/") == 0);
}
