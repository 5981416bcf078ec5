//! Broken pictures, folders, model files and options: what is wrong is named, what can go on does, and the exit codes are 1
//! for failures and 2 for wrong usage.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use support::{Place, fixture, number, write_bars};

/// Two good classes of 20 pictures, and one of everything that goes wrong.
fn broken_data(place: &Place) {
    write_bars(place, "data", 20);
    let jpeg = fs::read(fixture("speckled.jpg")).unwrap();
    place.file("data/standing/whole.jpg", &jpeg);
    place.file("data/standing/cut.jpg", &jpeg[..jpeg.len() * 2 / 3]);
    place.file("data/standing/text.jpg", b"I am not a picture.\n");
    place.file("data/lying/huge.png", &fs::read(fixture("huge.png")).unwrap());
    place.file("data/lying/one.pgm", b"P5\n1 1\n255\n\x80");
    place.file("data/lying/notes.txt", b"photographed on Monday");
    fs::create_dir(place.path().join("data/empty")).unwrap();
}

#[test]
fn training_goes_on_without_what_is_broken_and_names_it() {
    let place = Place::new();
    broken_data(&place);
    let said = place.run("train data --epochs 2 --out runs --json").succeeded().explains(&[
        // 42 pictures, the whole JPEG and the 1×1 one among them.
        "34 training, 8 validation images of 2 classes",
        "1 other files were passed over",
        "data/empty has no images",
        "class 'empty' is left out",
        "3 image files are left out",
        "data/standing/cut.jpg is a JPEG file that is cut short",
        "data/standing/text.jpg is not an image",
        "data/lying/huge.png declares 20000×20000",
    ]);
    assert!(!said.stderr.contains("one.pgm"), "a picture of one pixel is a picture: {}", said.stderr);
    assert_eq!(number(&said.json(), "images"), 8.0);
    assert!(place.path().join("runs/lenet5/weights/best.safetensors").is_file());
}

#[test]
fn more_broken_pictures_than_tolerated_stop_it_before_it_begins() {
    let place = Place::new();
    broken_data(&place);
    place.run("train data --epochs 2 --out runs --max-unreadable 0.05").exited(1).explains(&[
        "3 of 45 image files (6.7 %) cannot be used, more than the tolerated 5.0 %",
        "cut.jpg",
        "text.jpg",
        "huge.png",
    ]);
    assert!(!place.path().join("runs").exists());
}

#[test]
fn folders_that_cannot_be_meant_are_explained() {
    let place = Place::new();
    write_bars(&place, "pets/both", 3);
    place.file("single/cat/1.pgm", b"P5\n1 1\n255\n\x80");
    place.file("single/cat/2.pgm", b"P5\n1 1\n255\n\x80");
    fs::create_dir(place.path().join("void")).unwrap();
    place.file("mixed/val/a/1.pgm", b"P5\n1 1\n255\n\x80");
    for (data, reasons) in [
        ("single", ["only one class, 'cat', has images", "two or more"]),
        ("pets", ["only one class, 'both'", "did you mean pets/both?"]),
        ("void", ["void: no images found; the folder is empty", "FOLDER/<class>/*.jpg"]),
        ("pest", ["pest: there is no such file or folder", "did you mean pets?"]),
        ("digit", ["digit: there is no such file or folder", "did you mean digits?"]),
        ("mixed", ["no train", "give its folder"]),
    ] {
        place.run(&format!("train {data} --epochs 1 --out runs")).exited(1).explains(&reasons);
    }
    assert!(!place.path().join("runs").exists(), "nothing was begun");
}

#[test]
fn misspelt_names_get_a_suggestion() {
    let place = Place::new();
    place.run("train digits --model lenet --out runs").exited(1).explains(&["lenet", "did you mean", "lenet5"]);
    place.run("train digits --optimizer adamv --out runs").exited(1).explains(&["adamv", "sgd, adamw"]);
    place.run("train digits --schedule cosin --out runs").exited(1).explains(&["cosin", "cosine, step, one-cycle"]);
    place.run("train digits --fit strech --out runs").exited(1).explains(&["strech", "stretch"]);
    place.run("summary resnet21").exited(1).explains(&["resnet21", "did you mean", "resnet20"]);
    place.run("models lenet_5").exited(1).explains(&["did you mean", "lenet5"]);
    place.run("train digits --epoch 3 --out runs").exited(2).explains(&["--epoch", "--epochs"]);
    place.run("trian digits").exited(2).explains(&["trian", "train"]);
    assert!(!place.path().join("runs").exists(), "nothing was begun");
}

#[test]
fn wrong_usage_exits_with_2() {
    let place = Place::new();
    for words in ["train", "predict", "predict model.safetensors", "eval model.safetensors", "bench", "bench infer"] {
        let said = place.run(words);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{words}: {}", said.stderr);
        assert!(said.stderr.contains("Usage: striate"), "{words}: {}", said.stderr);
    }
    place.run("train digits --epochs three").exited(2).explains(&["three", "--epochs"]);
    place.run("train digits --seed -1").exited(2);
    place.run("train digits --threads 1000000").exited(2).explains(&["--threads"]);
    place.run("predict a.safetensors b.png --top 0").exited(2).explains(&["--top"]);
    place.run("bench infer --model lenet5 --batch 0").exited(2).explains(&["--batch"]);
}

#[test]
fn settings_that_cannot_be_are_refused_before_anything_is_begun() {
    let place = Place::new();
    for (options, reason) in [
        ("--lr nan", "--lr must be more than 0, not NaN"),
        ("--lr 0", "--lr must be more than 0, not 0"),
        ("--lr inf", "--lr must be more than 0, not inf"),
        ("--epochs 0", "--epochs must be at least 1"),
        ("--batch 0", "--batch must be at least 1"),
        ("--imgsz 0", "--imgsz must be 1 to"),
        ("--weight-decay=-1", "--weight-decay must be 0 or more"),
        ("--imgsz 3", "conv"),
        ("--val-share 1", "0 or more and below 1"),
        ("--max-unreadable 2", "from 0 to 1"),
    ] {
        place.run(&format!("train digits --out runs {options}")).exited(1).explains(&[reason]);
    }
    assert!(!place.path().join("runs").exists(), "nothing was begun");
}

#[test]
fn a_batch_beyond_the_data_is_all_of_the_data() {
    let place = Place::new();
    write_bars(&place, "data", 6);
    let said = place.run("train data --epochs 1 --batch 4000000000 --out runs --json").succeeded();
    assert!((0.0..=1.0).contains(&number(&said.json(), "accuracy")));
}

#[test]
fn a_learning_rate_that_explodes_is_told() {
    let place = Place::new();
    let said = place.run("train digits --epochs 2 --optimizer sgd --lr 1e30 --out runs").exited(1);
    said.explains(&["the loss became", "lower it with --lr"]);
}

#[test]
fn files_that_are_no_models_are_refused_in_words() {
    let place = Place::new();
    place.run("train digits --epochs 1 --out runs").succeeded();
    let whole = fs::read(place.path().join("runs/lenet5/weights/best.safetensors")).unwrap();
    place.file("picture.jpg", &fs::read(fixture("speckled.jpg")).unwrap());
    place.file("cut.safetensors", &whole[..whole.len() / 2]);
    place.file("empty.safetensors", b"");
    let picture = fixture("hand_0.png");
    let picture = picture.to_str().unwrap();
    for (model, reason) in [
        ("picture.jpg", "picture.jpg: is not a safetensors file"),
        ("cut.safetensors", "cut.safetensors: is not a safetensors file"),
        ("empty.safetensors", "empty.safetensors: is not a safetensors file"),
        ("missing.safetensors", "missing.safetensors"),
    ] {
        for said in [
            place.striate(["predict", model, picture]),
            place.striate(["eval", model, "digits"]),
            place.striate(["summary", model]),
        ] {
            let said = said.exited(1).explains(&[reason]);
            assert_eq!(said.stdout, "", "{model}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let place = Place::new();
    place.file("taken", b"a file where a folder should be");
    place.run("train digits --epochs 1 --out taken/runs").exited(1).explains(&["taken", "Not a directory"]);
}
