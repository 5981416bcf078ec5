//! `striate train --augment` and the contact sheet of `--show-augmentation`.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use striate_data::{Limits, Picture, read};
use support::{Place, write_bars};

fn sheet(place: &Place, name: &str) -> Picture {
    read(&place.path().join(name), &Limits::default()).unwrap()
}

/// How many levels a part of the sheet has.
fn levels(sheet: &Picture, x: u32, y: u32, side: u32) -> usize {
    let pixels = (0..side * side).map(|i| sheet.pixel(x + i % side, y + i / side)[0]);
    pixels.collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn a_sheet_shows_the_pictures_and_ends() {
    let place = Place::new();
    let said = place.run("train digits --augment strong --show-augmentation sheet.png --out runs").succeeded();
    assert!(said.stdout.starts_with("sheet.png: 8 pictures, augmentation affine=15:0.2:0.3,shift=2,erase=0.25"));
    assert!(!place.path().join("runs").exists(), "nothing is trained");
    let (first, whole) = (fs::read(place.path().join("sheet.png")).unwrap(), sheet(&place, "sheet.png"));
    // Tiles of 4 × 32 pixels: 8 rows of 10 and, mixed, 4 rows of 8.
    assert!(whole.width > 10 * 128 && whole.height > 12 * 128, "{whole:?}");
    assert!(whole.width < 2000 && whole.height < 2000, "{whole:?}");
    place.run("train digits --augment strong --show-augmentation sheet.png").succeeded();
    assert!(fs::read(place.path().join("sheet.png")).unwrap() == first, "the same draws");
    place.run("train digits --augment strong --show-augmentation sheet.png --seed 1").succeeded();
    assert!(fs::read(place.path().join("sheet.png")).unwrap() != first, "the seed's draws");
}

#[test]
fn the_sheet_has_a_default_name_and_follows_the_list() {
    let place = Place::new();
    write_bars(&place, "data", 3);
    let said = place.run("train data --augment none --show-augmentation").succeeded();
    assert_eq!(said.stdout, "augmentation.png: 4 pictures, augmentation none\n");
    let plain = sheet(&place, "augmentation.png");
    place.run("train data --augment erase=1 --show-augmentation noise.png").succeeded();
    let noise = sheet(&place, "noise.png");
    assert_eq!((plain.width, plain.height), (noise.width, noise.height));
    // The tile of the first picture in its first epoch: a bar in few levels, and with a rectangle of noise.
    let (x, y) = (plain.width - 12 - 8 * 132, 12 + 4 * 22);
    let (plain, noise) = (levels(&plain, x, y, 128), levels(&noise, x, y, 128));
    assert!(noise > plain, "{noise} levels, {plain} without noise");
}

#[test]
fn the_list_is_recorded_and_mistakes_are_explained() {
    let place = Place::new();
    write_bars(&place, "data", 12);
    let words = "train data --epochs 2 --out runs --augment standard,vflip,mixup=0.4 --shift 1";
    place.run(words).succeeded().explains(&[
        "augmentation affine=10:0.15:0.2,shift=1,vflip,mixup=0.4",
        "images are mixed: the training loss is that of both classes",
    ]);
    let config = fs::read_to_string(place.path().join("runs/lenet5/config.toml")).unwrap();
    for line in ["step = \"vertical_flip\"", "pixels = 1", "mixup = 0.4"] {
        assert!(config.lines().any(|l| l == line), "no `{line}` in {config}");
    }
    place.run("train data --augment flop").exited(1).explains(&["--augment: `flop` is no augmentation", "flip"]);
    place.run("train data --augment erase=2").exited(1).explains(&["`erase=2`: the share of images is 2; 0 to 1"]);
    place.run("train data --show-augmentation no/such/folder.png").exited(1).explains(&["no/such/folder.png"]);
}
