//! `striate split`: the table it writes and prints, what it says of one that is no longer true; and training on folds.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use support::{Place, bar, number, write_bars};

/// The table's rows, by their first column.
fn rows(table: &str) -> BTreeMap<String, Vec<String>> {
    let split = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    table.lines().skip(1).map(|line| (split(line)[0].clone(), split(line))).collect()
}

#[test]
fn a_split_is_written_printed_and_true() {
    let place = Place::new();
    write_bars(&place, "data", 40);
    let said = place.run("split data --val 0.25 --test 0.125 --out tables.csv").succeeded();
    let text: Vec<Vec<&str>> = said.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(text[0].join(" "), "class images train share val share test share");
    assert_eq!(text[1].join(" "), "lying 40 25 62.5 % 10 25.0 % 5 12.5 %");
    assert_eq!(text[3].join(" "), "all 80 50 62.5 % 20 25.0 % 10 12.5 %");
    assert_eq!(text[4].join(" "), "groups 80 50 20 10");
    assert!(
        said.stdout.contains("at most, in percentage points: train 0.00 (lying), val 0.00 (lying), test 0.00 (lying)")
    );
    let table = fs::read_to_string(place.path().join("tables.csv")).unwrap();
    assert!(table.starts_with("path,label,split,group,fold,sha256\ndata/lying/00.pgm,lying,"), "{table}");
    assert_eq!(rows(&table).values().filter(|row| row[2] == "val").count(), 20);
    place.run("split data --out tables.csv").exited(1).explains(&["tables.csv is already there"]);
    assert_eq!(fs::read_to_string(place.path().join("tables.csv")).unwrap(), table);

    let result = place.run("split data --json --out again.csv").succeeded().json();
    assert_eq!((number(&result, "images"), number(&result, "groups")), (80.0, 80.0));
    assert_eq!(result["parts"].as_array().unwrap().len(), 2);
    let val = &result["parts"][1];
    assert_eq!((val["name"].as_str(), number(val, "images"), number(val, "wished")), (Some("val"), 16.0, 0.2));
    assert_eq!((number(&val["classes"], "standing"), number(val, "off")), (8.0, 0.0));
    let printed = place.run("split data --out -").succeeded().stdout;
    assert_eq!(printed, fs::read_to_string(place.path().join("again.csv")).unwrap(), "the same seed, the same table");
    assert_ne!(place.run("split data --seed 1 --out -").succeeded().stdout, printed);
}

#[test]
fn folds_keep_subjects_together() {
    let place = Place::new();
    for i in 0..60 {
        let class = ["lying", "standing"][i % 2];
        place.file(&format!("scans/{class}/patient{}_{i}.pgm", i % 15), &bar(i % 2 == 0, i));
    }
    let words = ["split", "scans", "--group-by", r"(patient\d+)_", "--folds", "5", "--out", "f.csv"];
    let said = place.striate(words).succeeded();
    assert!(said.stdout.lines().next().unwrap().contains("fold 5"), "{}", said.stdout);
    let table = rows(&fs::read_to_string(place.path().join("f.csv")).unwrap());
    let mut folds = BTreeMap::new();
    for (path, row) in &table {
        let patient = path.split(['/', '_']).nth(2).unwrap().to_owned();
        assert_eq!(row[3], patient);
        assert_eq!(folds.entry(patient).or_insert_with(|| row[4].clone()), &row[4], "{path}");
        assert_eq!(row[2] == "val", row[4] == "1");
    }
    assert_eq!((table.len(), folds.len()), (60, 15));
    let sizes = (1..=5).map(|fold| table.values().filter(|row| row[4] == fold.to_string()).count());
    assert_eq!(sizes.collect::<Vec<_>>(), [12; 5]);
    let words = ["split", "scans", "--group-by", r"patient\d+", "--out", "g.csv"];
    place.striate(words).exited(1).explains(&["has 0 captures, but must have one"]);
}

#[test]
fn a_table_is_checked_against_the_files() {
    let place = Place::new();
    write_bars(&place, "data", 10);
    place.run("split data --out data/split.csv").succeeded();
    let said = place.run("split --check data/split.csv").succeeded();
    assert_eq!(said.stdout, "20 images are there and unchanged, and no group is in two parts\n");
    fs::rename(place.path().join("data/lying/03.pgm"), place.path().join("data/standing/new.pgm")).unwrap();
    place.file("data/lying/04.pgm", &bar(true, 90));
    fs::remove_file(place.path().join("data/lying/05.pgm")).unwrap();
    let said = place.run("split --check data/split.csv").exited(1).explains(&["data/split.csv: 3 faults in 20 rows"]);
    let told: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(
        told,
        [
            "lying/03.pgm is now data/standing/new.pgm",
            "lying/04.pgm has changed: its SHA-256 is another",
            "lying/05.pgm is not there, nor is its content under another name",
        ]
    );
    let result = place.run("split --check data/split.csv --json").exited(1).json();
    let kinds: Vec<&str> = result["faults"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds, number(&result, "rows")), (vec!["moved", "changed", "missing"], 20.0));
    place.run("split --check none.csv").exited(1).explains(&["none.csv: reading failed"]);
    assert_eq!(place.run("split").code, 2);
    assert_eq!(place.run("split data --check data/split.csv --val 0.5").code, 2);
}

#[test]
fn what_is_cleaned_away_is_in_no_part() {
    let place = Place::new();
    write_bars(&place, "data", 10);
    place.file("clean.csv", b"path,action,fault,detail\nlying/03.pgm,exclude,duplicate,\nlying/04.pgm,keep,grey,\n");
    let said = place.run("split data --clean clean.csv --out -").succeeded();
    let said = said.explains(&["warning: 1 image is left out, as clean.csv says"]);
    let table = rows(&said.stdout);
    assert_eq!(table.len(), 19);
    assert!(!table.contains_key("data/lying/03.pgm") && table.contains_key("data/lying/04.pgm"));
    let said = place.run("train data --clean clean.csv --epochs 1 --out runs").succeeded();
    said.explains(&["15 training, 4 validation images", "1 image is left out"]);
    place.file("bad.csv", b"path,action\nlying/03.pgm,delete\n");
    place.run("train data --clean bad.csv").exited(1).explains(&["bad.csv, line 2: the action is 'delete'"]);
}

#[test]
fn training_on_folds_scores_every_image_once_and_sums_up() {
    let place = Place::new();
    write_bars(&place, "data", 20);
    let said = place.run("train data --folds 3 --epochs 2 --out runs --json").succeeded();
    assert_eq!(said.stdout.lines().count(), 1, "{}", said.stdout);
    let result = said.json();
    let folds = result["folds"].as_array().unwrap();
    assert_eq!((folds.len(), result["run"].as_str()), (3, Some("runs/lenet5")));
    assert_eq!(folds.iter().map(|fold| number(fold, "images")).sum::<f64>(), 40.0);
    let accuracies: Vec<f64> = folds.iter().map(|fold| number(fold, "accuracy")).collect();
    let mean = accuracies.iter().sum::<f64>() / 3.0;
    let deviation = (accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
    assert!((number(&result["mean"], "accuracy") - mean).abs() < 1e-12, "{result}");
    assert!((number(&result["deviation"], "accuracy") - deviation).abs() < 1e-12, "{result}");
    let kept = fs::read_to_string(place.path().join("runs/lenet5/folds.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&kept).unwrap(), result);

    for (number_of, fold) in (1..).zip(folds) {
        let run = place.path().join(format!("runs/lenet5/fold{number_of}"));
        let config = fs::read_to_string(run.join("config.toml")).unwrap();
        assert!(config.contains(&format!("fold = {number_of}\nfolds = 3\n")), "{config}");
        // The model's file tells which images it was not trained on.
        let model = run.join("weights/best.safetensors");
        let scored = place.striate(["eval", model.to_str().unwrap(), "data", "--json"]).succeeded().json();
        assert_eq!(scored["part"], "val");
        for figure in ["accuracy", "images"] {
            assert_eq!(number(&scored, figure), number(fold, figure), "{figure} of fold {number_of}");
        }
        // Batches of other sizes add in another order.
        assert!((number(&scored, "loss") - number(fold, "loss")).abs() < 1e-5, "{scored}");
    }
    assert_eq!(place.run("train data --folds 3 --val-share 0.1").code, 2);
    place.run("train data --folds 1").exited(1).explains(&["the number of folds is 1, but must be 2 to 1000"]);
    place.run("train data --fold 1").exited(1).explains(&["only a table with a column 'fold' has folds"]);
    let said = place.run("train data --folds 2 --epochs 1 --out runs --name two").succeeded();
    let last: Vec<&str> = said.stdout.lines().collect();
    assert!(last[0].starts_with("fold 1: ") && last[1].starts_with("fold 2: "), "{}", said.stdout);
    assert!(last[2].starts_with("mean of 2 folds: ") && last[2].contains(" ± "), "{}", said.stdout);
}
