//! Classical pipelines on the command line (`striate train --model hog+svm` and what uses its model), and `striate compare`.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use support::{Place, fixture, number, write_bars};

#[test]
fn a_pipeline_trains_scores_predicts_and_leaves_a_run() {
    let place = Place::new();
    let trained = place.run("train digits --model hog+svm --json --out runs").succeeded().json();
    assert_eq!(trained["part"], "val");
    // Ten classes: a tenth is chance. The digits of 8×8 pixels give HOG cells of 2×2 little to count.
    assert!(number(&trained, "accuracy") > 0.9, "{trained}");
    let run = place.path().join("runs/hog+linear_svm");
    for name in
        ["config.toml", "run.json", "metrics.csv", "report.html", "MODEL_CARD.md", "confusion.csv", "predictions.csv"]
    {
        assert!(run.join(name).exists(), "no {name}");
    }
    let model = trained["model"].as_str().unwrap();
    assert_eq!(fs::metadata(place.path().join(model)).unwrap().len() as f64, number(&trained, "bytes"));
    let card = fs::read_to_string(run.join("MODEL_CARD.md")).unwrap();
    assert!(card.contains("## Pipeline") && card.contains("hog+linear\\_svm"), "{card}");

    // The file knows which images were held out, and threads make no difference.
    let scored = place.run(&format!("eval {model} digits --json --threads 1")).succeeded().json();
    for key in ["accuracy", "images", "loss", "top5"] {
        assert_eq!(number(&scored, key), number(&trained, key), "{key}");
    }
    place.run(&format!("eval {model} digits --report page.html --predictions all.csv")).succeeded();
    assert!(fs::read_to_string(place.path().join("page.html")).unwrap().contains("<h2>Pipeline</h2>"));

    let pictures = (0..10).map(|digit| fixture(&format!("hand_{digit}.png")).display().to_string());
    let words = ["predict".to_owned(), model.to_owned(), "--json".into(), "--top".into(), "2".into()];
    let lines = place.striate(words.into_iter().chain(pictures)).succeeded().json_lines();
    assert_eq!(lines.len(), 10);
    for line in &lines {
        let two = line["predictions"].as_array().unwrap();
        assert!(two.len() == 2 && number(&two[0], "probability") >= number(&two[1], "probability"), "{line}");
    }
    let listed = place.run("runs runs --json").succeeded().json();
    assert_eq!(
        (listed["model"].as_str(), number(&listed, "accuracy")),
        (Some("hog+linear_svm"), number(&trained, "accuracy"))
    );
}

#[test]
fn the_same_seed_gives_the_same_file_at_any_number_of_threads() {
    let place = Place::new();
    let bytes = |threads: u32, name: &str| {
        place.run(&format!("train digits --model patches+svm --seed 3 --threads {threads} --name {name}")).succeeded();
        fs::read(place.path().join(format!("runs/train/{name}/weights/best.safetensors"))).unwrap()
    };
    assert!(bytes(1, "one") == bytes(3, "three"));
}

#[test]
fn wrong_use_is_refused_with_a_sentence() {
    let place = Place::new();
    place
        .run("train digits --model hgo+svm")
        .exited(1)
        .explains(&["\"hgo\" is no feature, transform or classifier, did you mean hog?"]);
    place.run("train digits --model hog+svm --epochs 3").exited(1).explains(&["--epochs is for networks"]);
    place.run("train digits --model hog+").exited(1);
    let trained = place.run("train digits --model raw+bayes --json").succeeded().json();
    let model = trained["model"].as_str().unwrap();
    // A red square: no grey picture.
    let red: Vec<u8> = b"P6\n8 8\n255\n".iter().copied().chain([250, 10, 10].repeat(64)).collect();
    place.file("red.ppm", &red);
    place
        .run(&format!("predict {model} red.ppm"))
        .exited(1)
        .explains(&["red.ppm cannot be taken: the picture has 3 channels, but pictures of 1 were fitted on; convert it to grey first"]);
    place
        .run(&format!("predict {model} red.ppm --full-size"))
        .exited(1)
        .explains(&["--full-size, --crops and --flip are for networks"]);
    place.run(&format!("summary {model}")).exited(1).explains(&["holds a classical pipeline, not a network"]);

    write_bars(&place, "few", 4);
    place
        .run("compare few --folds 9 --pipelines raw+knn --minutes 0.1")
        .exited(1)
        .explains(&["settings are chosen in 9 folds"]);
    place.run("compare digits --minutes 0").exited(1).explains(&["--minutes must be more than 0"]);
    place.run("compare digits --pipelines hog").exited(1).explains(&["there is no classifier"]);
}

#[test]
fn a_comparison_leaves_a_report_with_words_from_its_figures() {
    let place = Place::new();
    let said =
        place.run("compare digits --minutes 0.15 --pipelines raw+knn,hog+svm --seed 2 --json --out c").succeeded();
    let found = said.json();
    let methods = found["methods"].as_array().unwrap();
    let names: Vec<_> = methods.iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["raw+k_nearest", "hog+linear_svm", "lenet5"]);
    for method in methods {
        let points = method["points"].as_array().unwrap();
        assert!(points.len() >= 2, "{method}");
        for p in points {
            let (low, high) = (p["interval"][0].as_f64().unwrap(), p["interval"][1].as_f64().unwrap());
            assert!(low <= number(p, "accuracy") && number(p, "accuracy") <= high, "{p}");
        }
        assert!(number(&points[0], "images") == 100.0 && number(&points[0], "per_class") == 10.0, "{method}");
        let changed = method["robustness"].as_array().unwrap();
        assert_eq!(changed.len(), 18);
        let file = place.path().join("c/digits/models").join(method["model"].as_str().unwrap());
        assert_eq!(fs::metadata(file).unwrap().len() as f64, number(points.last().unwrap(), "bytes"));
    }
    let pairs = found["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 2);
    for pair in pairs {
        let p = number(&pair["test"], "p");
        assert!((0.0..=1.0).contains(&p), "{pair}");
    }
    let page = fs::read_to_string(place.path().join("c/digits/report.html")).unwrap();
    for heading in ["Data needed", "Feature extraction", "Training cost", "Generalisation", "Changed images"] {
        assert!(page.contains(&format!("<h2>{heading}</h2>")), "no {heading}");
    }
    assert!(page.contains("raw+k_nearest") && page.contains("McNemar"));
    let written = fs::read_to_string(place.path().join("c/digits/comparison.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), found);
    // What was compared can be used.
    let scored =
        place.run("eval c/digits/models/hog+linear_svm.safetensors digits --part val --json").succeeded().json();
    assert_eq!(number(&scored, "images"), 359.0);
}
