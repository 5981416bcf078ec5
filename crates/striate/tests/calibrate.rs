//! Calibration: at the end of training, by its own verb, in evaluations and in answers.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use support::{Place, fixture, number, write_bars};

/// The bytes of a model file's tensors, and the calibration in its description.
fn parts(path: &Path) -> (Vec<u8>, Value) {
    let bytes = fs::read(path).unwrap();
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..end]).unwrap();
    let document: Value = serde_json::from_str(header["__metadata__"]["striate"].as_str().unwrap()).unwrap();
    (bytes[end..].to_vec(), document["details"]["calibration"].clone())
}

#[test]
fn training_ends_with_a_calibration_and_the_verb_makes_the_same() {
    let place = Place::new();
    let trained = place.run("train digits --epochs 6 --json --out runs").succeeded();
    let (object, model) = (trained.json(), "runs/lenet5/weights/best.safetensors");
    let path = place.path().join(model);
    let (weights, card) = parts(&path);
    assert_eq!(object["calibration"], card);
    assert_eq!(number(&card, "images"), number(&object, "images"));
    trained.explains(&["calibrated on 359 held-out images: temperature"]);
    let page = fs::read_to_string(place.path().join("runs/lenet5/report.html")).unwrap();
    assert!(page.contains("The model is calibrated on 359 held-out images"));

    // Everything again from the file, with the threshold by energy, into another file.
    let words = format!("calibrate {model} digits --score energy --keep 0.9 --out other.safetensors --json");
    let said = place.run(&words).succeeded().json();
    let (others, other) = parts(&place.path().join("other.safetensors"));
    assert!(others == weights, "weights stay as they are to the bit");
    assert!((number(&other, "temperature") / number(&card, "temperature") - 1.0).abs() < 1e-4, "{other} {card}");
    assert_eq!((said["part"].as_str(), said["rough"].as_bool()), (Some("val"), Some(false)));
    assert_eq!(said["unknown"], other["unknown"]);
    assert_eq!(
        (other["unknown"]["score"].as_str(), card["unknown"]["score"].as_str()),
        (Some("energy"), Some("max-probability"))
    );
    let kept = |c: &Value| c["unknown"]["kept"].as_f64().unwrap();
    assert!((0.9..0.91).contains(&kept(&other)) && (0.95..0.96).contains(&kept(&card)), "{other} {card}");

    // In place, the file becomes what training left.
    place.run("calibrate other.safetensors digits").succeeded();
    let (again, third) = parts(&place.path().join("other.safetensors"));
    assert!(again == weights);
    assert_eq!(third["unknown"]["score"], "max-probability");

    let scored = place.run(&format!("eval {model} digits --json")).succeeded().json();
    assert_eq!(number(&scored, "accuracy"), number(&object, "accuracy"), "a temperature changes no class");
    let c = &scored["calibration"];
    assert!((number(c, "ece_before") - number(&card, "ece_before")).abs() < 1e-3, "{c} {card}");
    assert!((number(c, "ece_after") - number(&card, "ece_after")).abs() < 1e-3, "{c} {card}");
    // The temperature was fitted to these images: no other has less loss.
    assert!(number(c, "loss_after") <= number(&scored, "loss") + 1e-7, "{c} {scored}");
    // Kept and right, of all: counted from both sides, but for one image that rounding may move.
    let both = [number(c, "coverage") * number(c, "accuracy"), kept(&card) * number(&scored, "accuracy")];
    assert!((both[0] - both[1]).abs() < 1.5 / 359.0, "{both:?}");
    let text = place.run(&format!("eval {model} digits")).succeeded().stdout;
    assert!(text.contains("top-5 error") && text.contains("at the model's temperature"), "{text}");
}

#[test]
fn answers_are_tempered_and_may_be_unknown() {
    let place = Place::new();
    let model = place.digits_model();
    let temperature = number(&parts(&model).1, "temperature");
    let file = fixture("hand_0.png");
    let predict = |more: &[&str]| {
        let words = ["predict", model.to_str().unwrap(), file.to_str().unwrap(), "--json", "--top=10"];
        place.striate(words.iter().chain(more)).succeeded().json()
    };
    let probabilities = |said: &Value| {
        let mut all = [0.0; 10];
        for p in said["predictions"].as_array().unwrap() {
            all[p["index"].as_u64().unwrap() as usize] = number(p, "probability");
        }
        all
    };
    let (own, tempered) = (predict(&["--no-calibration"]), predict(&[]));
    assert!(own["unknown"].is_null() && tempered["unknown"].is_boolean(), "{own} {tempered}");
    // softmax(z / T) is softmax(z) to the power of 1/T, brought to a sum of 1.
    let raised = probabilities(&own).map(|p: f64| p.powf(1.0 / temperature));
    let sum: f64 = raised.iter().sum();
    for (found, raised) in probabilities(&tempered).iter().zip(raised) {
        assert!((found - raised / sum).abs() < 1e-5, "{found} {}", raised / sum);
    }

    assert_eq!(predict(&["--unknown-below", "0"])["unknown"], false);
    let unknown = predict(&["--unknown-below", "1"]);
    assert_eq!((&unknown["unknown"], &unknown["predictions"]), (&true.into(), &tempered["predictions"]));
    let words = ["predict", model.to_str().unwrap(), file.to_str().unwrap(), "--unknown-below=1", "--no-calibration"];
    let text = place.striate(words).succeeded().stdout;
    assert!(text.contains("hand_0.png: unknown (0 "), "{text}");
    let words = ["predict", model.to_str().unwrap(), file.to_str().unwrap(), "--unknown-below=3"];
    place.striate(words).exited(1).explains(&["--unknown-below is 3", "from 0 to 1 is possible"]);
}

#[test]
fn an_energy_may_be_any_number() {
    let place = Place::new();
    place.digits_model();
    place.run("calibrate digits.safetensors digits --score energy").succeeded();
    let hand = fixture("hand_0.png");
    let predict = |below: &str| {
        let words = ["predict", "digits.safetensors", hand.to_str().unwrap(), below];
        place.striate(words).succeeded().stdout
    };
    let (low, high) = (predict("--unknown-below=-100"), predict("--unknown-below=1000"));
    assert!(!low.contains("unknown") && high.contains(": unknown ("), "{low} {high}");
    assert_eq!(low.split(": ").nth(1).unwrap().trim(), high.split(&['(', ')']).nth(1).unwrap());
}

#[test]
fn few_images_are_told_and_bad_wishes_refused() {
    let place = Place::new();
    write_bars(&place, "data", 6);
    place
        .run("train data --epochs 2 --out runs")
        .succeeded()
        .explains(&["threshold are rough", "held-out images are few"]);
    let model = "runs/lenet5/weights/best.safetensors";
    let said = place.run(&format!("calibrate {model} data --json")).succeeded();
    assert_eq!(said.json()["rough"], true);
    said.explains(&["are rough"]);
    place.run(&format!("calibrate {model} data --keep 0")).exited(2).explains(&["above 0 and up to 1"]);
    place.run(&format!("calibrate {model} data --score size")).exited(2);
    place.run(&format!("eval {model} data --crops 3")).exited(2).explains(&["expected 1, 5 or 10"]);

    // Nothing is held out: nothing to calibrate on.
    place.run("train data --epochs 1 --val-share 0 --out none").succeeded();
    assert!(parts(&place.path().join("none/lenet5/weights/best.safetensors")).1.is_null());
    let said = place.run("calibrate none/lenet5/weights/best.safetensors data").exited(1);
    said.explains(&["calibrating takes images that the model was not trained on", "has no val images"]);
}

#[test]
fn several_looks_are_told_and_count_an_image_once() {
    let place = Place::new();
    place.digits_model();
    let once = place.run("eval digits.safetensors digits --json").succeeded().json();
    for (options, views) in [("--flip", 2.0), ("--crops 5", 5.0), ("--crops 10", 10.0), ("--crops 5 --flip", 10.0)] {
        let said = place.run(&format!("eval digits.safetensors digits --json --batch 50 {options}")).succeeded().json();
        assert_eq!((number(&said, "views"), number(&said, "images")), (views, number(&once, "images")));
        assert!(number(&said, "loss") != number(&once, "loss"), "{options} changes nothing");
        assert_eq!(number(&said, "top5_error"), 1.0 - number(&said, "top5"));
    }
    let hand = fixture("hand_0.png");
    let words = ["predict", "digits.safetensors", hand.to_str().unwrap(), "--json", "--crops=5"];
    let said = place.striate(words).succeeded().json();
    assert_eq!(said["predictions"][0]["class"], "0");
    place.striate(words.iter().chain(&["--full-size"])).exited(2);
}
