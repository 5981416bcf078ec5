//! `striate cortex`: its files and figures, and what it refuses.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::fs;
use support::{Place, bar, number};

/// The sweep along an axis.
fn along<'a>(said: &'a Value, axis: &str) -> &'a Value {
    said["sweeps"].as_array().unwrap().iter().find(|s| s["axis"] == axis).unwrap()
}

#[test]
fn a_simple_cells_session_is_written_and_told() {
    let place = Place::new();
    let words = "cortex experiment simple --pixels 40 --trials 4 --seconds 0.5 --reverse 18000 --film";
    let said = place.run(&format!("{words} --json")).succeeded().json();
    let orientation = along(&said, "orientation");
    // The Gabor's own: 45°, and half-squaring narrows its half-width of 19.6° at the same contrast.
    assert!((number(orientation, "best") - 45.0).abs() <= 5.0, "{orientation}");
    assert!(number(orientation, "f1_f0") > 1.0, "a simple cell");
    assert!(number(&orientation["fit"], "r2") > 0.95 && number(&orientation["fit"], "half_width") < 20.0);
    assert!(number(&said["reverse"], "correlation") > 0.95, "{}", said["reverse"]);
    let folder = place.path().join(said["folder"].as_str().unwrap());
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert!(text("tuning.csv").starts_with("axis,unit,value,f0,f1,") && text("tuning.csv").lines().count() > 40);
    assert!(text("spikes.csv").lines().count() > 100);
    let plate = text("plate.svg");
    for part in ["<svg", "Receptive field", "Best stimulus: orientation", "half-width", "STA: correlation"] {
        assert!(plate.contains(part), "no {part}");
    }
    assert!(!plate.contains("NaN"));
    assert!(fs::read(folder.join("film.png")).unwrap().windows(4).any(|w| w == b"acTL"), "an animation");
    assert_eq!(serde_json::from_str::<Value>(&text("summary.json")).unwrap(), said);
    place.run(&format!("{words} --threads 1")).succeeded();
    for name in ["tuning.csv", "spikes.csv", "plate.svg"] {
        let again = fs::read_to_string(place.path().join("runs/cortex/simple2").join(name)).unwrap();
        assert!(again == text(name), "{name} depends on the number of threads");
    }
}

#[test]
fn kinds_of_cells_are_told_apart_by_their_numbers() {
    let place = Place::new();
    let session = |words: &str| {
        let words = format!("cortex experiment {words} --pixels 40 --trials 2 --seconds 0.5 --reverse 0 --json");
        place.run(&words).succeeded().json()
    };
    let complex = session("complex --sweep orientation --sweep phase");
    assert!(number(along(&complex, "orientation"), "f1_f0") < 0.1, "{complex}");
    let phases = along(&complex, "phase")["points"].as_array().unwrap();
    let rates: Vec<f64> = phases.iter().map(|p| number(p, "f0")).collect();
    assert!(rates.iter().all(|r| (r / rates[0] - 1.0).abs() < 0.02), "any phase: {rates:?}");
    let direction = session("direction --sweep direction");
    assert!(number(along(&direction, "direction"), "direction_index") > 0.7, "{direction}");
    assert!((number(along(&direction, "direction"), "best") - 135.0).abs() < 1.0);
    let simple = session("simple --sweep direction");
    assert!(number(along(&simple, "direction"), "direction_index") < 0.05, "{simple}");
    let stopped = session("end-stopped --sweep length");
    assert!(number(along(&stopped, "length"), "end_stopping") > 0.7, "{stopped}");
}

#[test]
fn cells_of_the_geniculate_have_no_orientation_and_rows_of_them_do() {
    let place = Place::new();
    let session = |cell: &str| place.run(&format!("cortex experiment {cell} --pixels 40 --trials 2 --json"));
    let lgn = session("lgn").succeeded().json();
    assert!(along(&lgn, "orientation")["fit"].is_null() && along(&lgn, "orientation")["half_width"].is_null(), "{lgn}");
    assert!(along(&lgn, "frequency")["fit"].is_object(), "{lgn}");
    let plate = fs::read_to_string(place.path().join("runs/cortex/lgn/plate.svg")).unwrap();
    assert!(plate.contains("no preferred orientation"));
    let rows = session("hubel-wiesel").succeeded().json();
    assert!((number(along(&rows, "orientation"), "best") - 45.0).abs() <= 5.0, "{rows}");
    assert!(number(&rows["reverse"], "correlation") > 0.8, "{}", rows["reverse"]);
    let stopped = session("end-stopped --sweep width --reverse 0").succeeded().json();
    let answers = along(&stopped, "width")["points"].as_array().unwrap().iter().map(|p| number(p, "f0"));
    assert!(answers.fold(0.0, f64::max) > 10.0, "a bar no longer than its field is answered: {stopped}");
}

#[test]
fn a_sheet_sees_a_pictures_orientation_and_a_films_motion() {
    let place = Place::new();
    let stripes = |t: usize| {
        let level = |x: usize| if (x + 64 - t) % 8 < 4 { 220 } else { 30 };
        let pixels = (0..64 * 64).map(|i| level(i % 64)).collect::<Vec<u8>>();
        [b"P5\n64 64\n255\n".as_slice(), &pixels].concat()
    };
    let file = place.file("stripes.pgm", &stripes(0));
    let said = place.run(&format!("cortex see {} --json", file.display())).succeeded().json();
    let shares = said["orientations"].as_object().unwrap();
    assert!(shares["90"].as_f64().unwrap() > 0.4, "{said}");
    for t in 0..12 {
        place.file(&format!("film/{t:02}.pgm"), &stripes(t));
    }
    let said = place.run("cortex see film --json").succeeded().json();
    let off = (number(&said, "motion") + 180.0) % 360.0 - 180.0;
    assert!(off.abs() < 15.0, "to the right: {said}");
    let folder = place.path().join(said["folder"].as_str().unwrap());
    for name in ["orientation.png", "energy.png", "columns.png", "answers.png", "motion.png", "see.json"] {
        assert!(folder.join(name).is_file(), "no {name}");
    }
}

#[test]
fn the_neocognitron_learns_the_built_in_digits() {
    let place = Place::new();
    let words = "cortex neocognitron train digits --images 150 --features 50 --rounds 1 --json";
    let said = place.run(words).succeeded().json();
    assert!(number(&said, "accuracy") > 0.7, "{said}");
    assert_eq!(said["trained_on"], 150);
    let model = said["model"].as_str().unwrap();
    let scored = place.run(&format!("cortex neocognitron eval {model} digits --json")).succeeded().json();
    assert_eq!(scored["accuracy"], said["accuracy"], "the file holds all of it");
    let shown =
        place.run(&format!("cortex neocognitron show {model} --data digits --images 10 --json")).succeeded().json();
    let folder = place.path().join(shown["folder"].as_str().unwrap());
    assert!(fs::read_to_string(folder.join("layers.svg")).unwrap().contains("US3"));
    assert!(fs::read_to_string(folder.join("features2.svg")).unwrap().contains("US2"));
    let file = place.file("bar.pgm", &bar(false, 0));
    let one =
        place.run(&format!("cortex neocognitron predict {model} {} --ink --json", file.display())).succeeded().json();
    assert!(one["scores"].as_object().unwrap().len() == 10, "{one}");
    let curves = format!("cortex neocognitron tolerance {model} digits --images 5 --linear 100 --json");
    let said = place.run(&curves).succeeded().json();
    assert_eq!(said["curves"].as_array().unwrap().len(), 8, "four distortions of two networks");
}

#[test]
fn the_first_neocognitron_tells_five_digits_apart() {
    let said = Place::new().run("cortex neocognitron first --json").succeeded().json();
    let mut cells: Vec<u64> = said["cells"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    cells.sort_unstable();
    cells.dedup();
    assert_eq!(cells.len(), 5, "{said}");
}

#[test]
fn a_trained_networks_filters_are_fitted_and_its_units_recorded_from() {
    let place = Place::new();
    let model = place.digits_model();
    let said = place.run(&format!("cortex filters {} --json", model.display())).succeeded().json();
    assert!(
        !said["filters"].as_array().unwrap().is_empty() && !said["layers"].as_array().unwrap().is_empty(),
        "{said}"
    );
    let folder = place.path().join(said["folder"].as_str().unwrap());
    assert!(fs::read_to_string(folder.join("filters.svg")).unwrap().contains("lenet5"));
}

#[test]
fn what_cannot_be_done_is_refused_in_words() {
    let place = Place::new();
    let refused = |words: &str, texts: &[&str]| {
        place.run(&format!("cortex {words}")).exited(1).explains(texts);
    };
    refused("experiment simple --pixels 8", &["cycles per degree", "take more pixels"]);
    refused("experiment simple --contrast 2", &["the contrast is 2", "from −1 (black) to 1 (white)"]);
    refused("experiment simple --frequency nan", &["must be a number above 0"]);
    refused("see nowhere.png", &["nowhere.png"]);
    let file = place.file("no.safetensors", b"nothing");
    refused(&format!("neocognitron eval {} digits", file.display()), &["no.safetensors", "is no safetensors file"]);
    refused("neocognitron train digits --theta 0.5,0.5,0.5,1.5", &["a threshold of recognition is 1.5"]);
    for words in ["experiment rod", "experiment simple --sweep colour", "neocognitron train digits --images 0"] {
        place.run(&format!("cortex {words}")).exited(2);
    }
    assert!(!place.path().join("runs").exists(), "a refused run leaves nothing behind");
}
