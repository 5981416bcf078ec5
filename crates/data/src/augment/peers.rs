//! Operations against those of Pillow and torchvision: `tests/fixtures/augmented.json`, which `make_augmented.py` beside it
//! writes. To the bit where the same is meant, else within a level.

use super::affine::{Origin, warped};
use super::{auto, blur, colour, crop, hue, sharpness};
use crate::picture::Picture;
use crate::seeded::Lots;
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/augmented.json")).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn picture(fixture: &Value) -> Picture {
    let side = |name: &str| fixture[name].as_u64().unwrap() as u32;
    Picture { width: side("width"), height: side("height"), channels: 3, pixels: bytes(&fixture["pixels"]) }
}

fn four_times(picture: &Picture) -> Picture {
    let (w, h) = (picture.width, picture.height);
    let mut four = Picture::filled(2 * w, 2 * h, &[0, 0, 0]);
    for (x, y) in [(0, 0), (w, 0), (0, h), (w, h)] {
        four.paste(picture, x, y);
    }
    four
}

/// What the operation of a case makes of the picture.
fn changed(case: &Value, picture: Picture) -> Picture {
    let x = case["x"].as_f64().unwrap_or(f64::NAN);
    match case["operation"].as_str().unwrap() {
        "brightness" => colour::brightness(picture, x as f32),
        "contrast" => colour::contrast(picture, x as f32),
        "saturation" => colour::saturation(picture, x as f32),
        "sharpness" => sharpness::changed(&picture, x as f32),
        "posterize" => colour::posterize(picture, x as u32),
        "solarize" => colour::solarize(picture, x),
        "autocontrast" => colour::autocontrast(picture),
        "equalize" => colour::equalize(four_times(&picture)),
        "grey" => colour::grey(picture),
        "hue" => hue::turned(picture, x as f32),
        "blur" => blur::blurred(&picture, x),
        "rotate" => warped(&picture, Origin::turned(x)),
        "auto" => {
            let (name, up, wide) = (case["name"].as_str().unwrap(), case["up"] == true, case["wide"] == true);
            auto::tests::by_name(name, picture, x as u32, wide, up)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn operations_are_those_of_pillow_and_torchvision() {
    let fixture = fixture();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() > 60);
    for case in cases {
        let found = changed(case, picture(&fixture));
        let what = format!("{} {} {} {}", case["operation"], case["name"], case["x"], case["up"]);
        for (peer, allowed) in [("pillow", 0), ("tensor", 1)] {
            if case[peer].is_string() {
                let expected = bytes(&case[peer]);
                let off = found.pixels.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert_eq!(found.pixels.len(), expected.len());
                assert!(off <= allowed, "{what}: off by {off} from {peer}\n{:?}\n{expected:?}", found.pixels);
            }
        }
    }
}

#[test]
fn windows_are_distributed_as_torchvisions() {
    let fixture = fixture();
    for case in fixture["windows"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let pair = |name: &str| [0, 1].map(|i| case[name][i].as_f64().unwrap());
        let (width, height, n) = (number("width"), number("height"), 20_000);
        let mut lots = Lots::new(9, &[]);
        let mut samples = vec![[0.0; 4]; n];
        for sample in &mut samples {
            let w = crop::draw(&mut lots, pair("area"), pair("ratio"), width as u32, height as u32);
            let [x, y, w, h] = [w.x, w.y, w.width, w.height].map(f64::from);
            *sample = [w * h / (width * height), (w / h).ln(), (x + w / 2.0) / width, (y + h / 2.0) / height];
        }
        for (i, what) in ["share", "log_ratio", "centre_x", "centre_y"].into_iter().enumerate() {
            let mean = samples.iter().map(|s| s[i]).sum::<f64>() / n as f64;
            let deviation = (samples.iter().map(|s| (s[i] - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
            let [their_mean, their_deviation] = pair(what);
            // Both are means of 20,000: their difference has √2 standard errors.
            let error = 5.0 * 2.0_f64.sqrt() * their_deviation / (n as f64).sqrt();
            assert!((mean - their_mean).abs() <= error, "{case}: {what} is {mean}");
            assert!((deviation - their_deviation).abs() <= error, "{case}: {what} deviates by {deviation}");
        }
    }
}
