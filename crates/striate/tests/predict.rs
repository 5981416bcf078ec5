//! `striate eval` and `striate predict` on a model that was just trained, with pictures made outside the program.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use support::{Place, Said, fixture, number, write_bars};

#[test]
fn eval_gives_exactly_what_train_reported() {
    let place = Place::new();
    let trained = place.run("train digits --epochs 3 --seed 5 --json --out runs").succeeded().json();
    let model = trained["model"].as_str().unwrap();
    // The model file knows which images were held out; the batch and the threads make no difference.
    let scored = place.run(&format!("eval {model} digits --json --batch 7 --threads 1")).succeeded().json();
    assert_eq!((number(&scored, "images"), scored["part"].as_str()), (359.0, Some("val")));
    assert_eq!(number(&scored, "accuracy"), number(&trained, "accuracy"));
    assert_eq!(number(&scored, "top5"), number(&trained, "top5"));
    assert!((number(&scored, "loss") - number(&trained, "loss")).abs() < 1e-5, "{scored} {trained}");

    let rows = scored["confusion"].as_array().unwrap();
    let at = |i: usize, j: usize| rows[i][j].as_u64().unwrap();
    let right: u64 = (0..10).map(|i| at(i, i)).sum();
    let all: u64 = (0..100).map(|k| at(k / 10, k % 10)).sum();
    assert_eq!((all, right as f64 / all as f64), (359, number(&scored, "accuracy")));
    let of_three: u64 = (0..10).map(|j| at(3, j)).sum();
    assert_eq!(number(&scored["recall"], "3"), at(3, 3) as f64 / of_three as f64);
}

#[test]
fn eval_of_all_images_says_that_some_were_learnt_from() {
    let place = Place::new();
    let model = place.digits_model();
    let said = place.run(&format!("eval {} digits --part all", model.display())).succeeded();
    assert!(said.stdout.contains("of 1,797 all images right"), "{}", said.stdout);
    said.explains(&["warning: among these images are those that the model was trained on"]);
}

/// The first class told for each picture, by the picture's name.
fn firsts(said: &Said) -> Vec<(String, String)> {
    let name = |file: &str| file.rsplit('/').next().unwrap().to_owned();
    let of = |line: &serde_json::Value| {
        (name(line["file"].as_str().unwrap()), line["predictions"][0]["class"].as_str().unwrap().to_owned())
    };
    said.json_lines().iter().map(of).collect()
}

#[test]
fn digits_on_paper_are_read() {
    let place = Place::new();
    let model = place.digits_model();
    let predict = |kind: &str| {
        let files = (0..10).map(|digit| fixture(&format!("{kind}_{digit}.png")));
        place.striate(["predict".into(), model.clone(), "--json".into()].into_iter().chain(files)).succeeded()
    };
    let right = |of: &[(String, String)]| of.iter().filter(|(file, class)| file[5..6] == **class).count();
    // Handwriting, enlarged and turned dark on white.
    let hand = firsts(&predict("hand"));
    assert!(right(&hand) >= 8, "{hand:?}");
    // Printed digits are another hand than those that were learnt from: some shapes are common to both.
    let font = firsts(&predict("font"));
    assert_eq!(font.len(), 10);
    for sure in [0, 3, 5] {
        assert_eq!(font[sure], (format!("font_{sure}.png"), sure.to_string()), "{font:?}");
    }
}

#[test]
fn a_prediction_is_a_line_of_json_a_picture() {
    let place = Place::new();
    let model = place.digits_model();
    let said =
        place.striate(["predict".as_ref(), model.as_os_str(), fixture("hand_0.png").as_os_str(), "--json".as_ref()]);
    let lines = said.succeeded().json_lines();
    assert_eq!((lines.len(), lines[0]["file"].as_str()), (1, fixture("hand_0.png").to_str()));
    let predictions = lines[0]["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 3, "three unless --top says otherwise");
    let probabilities: Vec<f64> = predictions.iter().map(|p| number(p, "probability")).collect();
    assert!(probabilities.is_sorted_by(|a, b| a >= b), "{probabilities:?}");
    assert_eq!((predictions[0]["class"].as_str(), number(&predictions[0], "index")), (Some("0"), 0.0));

    let all = place.striate([
        "predict".as_ref(),
        model.as_os_str(),
        fixture("hand_0.png").as_os_str(),
        "--json".as_ref(),
        "--top=99".as_ref(),
    ]);
    let all = all.succeeded().json();
    let sum: f64 = all["predictions"].as_array().unwrap().iter().map(|p| number(p, "probability")).sum();
    assert_eq!(all["predictions"].as_array().unwrap().len(), 10, "as many as there are classes");
    assert!((sum - 1.0).abs() < 1e-4, "probabilities sum to {sum}");
}

#[test]
fn folders_are_walked_in_order_and_batches_change_nothing() {
    let place = Place::new();
    place.digits_model();
    for (name, digit) in [("b ü/1.png", 1), ("b ü/0.png", 0), ("a.png", 7), ("deep/er/4.PNG", 4)] {
        place.file(&format!("pictures/{name}"), &fs::read(fixture(&format!("hand_{digit}.png"))).unwrap());
    }
    place.file("pictures/notes.txt", b"not a picture");
    let said = place.run("predict digits.safetensors pictures --batch 1").succeeded();
    let files: Vec<&str> = said.stdout.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(files, ["pictures/a.png", "pictures/b ü/0.png", "pictures/b ü/1.png", "pictures/deep/er/4.PNG"]);
    assert_eq!(place.run("predict digits.safetensors pictures --batch 3 --threads 1").succeeded().stdout, said.stdout);
}

#[test]
fn a_bad_picture_is_named_and_the_good_one_told() {
    let place = Place::new();
    place.digits_model();
    place.file("good.png", &fs::read(fixture("hand_6.png")).unwrap());
    let jpeg = fs::read(fixture("speckled.jpg")).unwrap();
    place.file("cut.jpg", &jpeg[..jpeg.len() / 2]);
    let said = place.run("predict digits.safetensors cut.jpg good.png missing.png --json").exited(1);
    assert_eq!(firsts(&said), [("good.png".to_owned(), "6".to_owned())]);
    said.explains(&["error: cut.jpg is a JPEG file that is cut short", "missing.png", "No such file"]);
}

#[test]
fn classes_that_the_model_does_not_know_are_named() {
    let place = Place::new();
    place.digits_model();
    write_bars(&place, "data", 3);
    place
        .run("eval digits.safetensors data")
        .exited(1)
        .explains(&["classes that the model does not know: 'lying', 'standing'", "the model knows '0', '1'"]);
}
