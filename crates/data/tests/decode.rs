//! Decoding against Pillow's pixels, files cut short, hostile headers and random damage.
//! Fixtures are made by `fixtures/make_fixtures.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use striate_data::{DecodeError, Fit, Limits, Picture, Preprocessing, decode, probe, read};

#[derive(Deserialize)]
struct Expected {
    width: u32,
    height: u32,
    channels: u8,
    tolerance: u8,
    pixels: String,
}

#[derive(Deserialize)]
struct Resized {
    rule: Fit,
    size: (u32, u32),
    pixels: String,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn expected() -> BTreeMap<String, Expected> {
    serde_json::from_slice(&bytes("expected.json")).unwrap()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn largest_difference(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn every_format_has_pillows_pixels() {
    for (name, expected) in expected() {
        let picture = read(&fixture(&name), &Limits::default()).unwrap_or_else(|error| panic!("{name} {error}"));
        assert_eq!((picture.width, picture.height), (expected.width, expected.height), "{name}");
        assert_eq!(picture.channels, expected.channels, "{name}");
        let difference = largest_difference(&picture.pixels, &from_hex(&expected.pixels));
        assert!(difference <= expected.tolerance, "{name} differs by {difference}, allowed {}", expected.tolerance);
        let header = probe(&bytes(&name), &Limits::default()).unwrap();
        let stored = [(header.width, header.height), (header.height, header.width)];
        assert!(stored.contains(&(picture.width, picture.height)), "{name}: {header:?}");
        assert_eq!(header.channels, picture.channels, "{name}");
    }
}

#[test]
fn resizing_is_pillows_within_one_level() {
    let source = read(&fixture("resize.png"), &Limits::default()).unwrap();
    let cases: Vec<Resized> = serde_json::from_slice(&bytes("resized.json")).unwrap();
    assert_eq!(cases.len(), 10);
    for (i, Resized { rule, size: (width, height), pixels }) in cases.into_iter().enumerate() {
        let channels = if i < 5 { 3 } else { 1 };
        let fitted = Preprocessing::new(width, height, channels, rule).fit(&source);
        let difference = largest_difference(&fitted.pixels, &from_hex(&pixels));
        assert!(difference <= 1, "{rule:?} to {width}×{height}×{channels} differs by {difference}");
    }
}

/// Whatever is cut off, a file either fails or, where only what follows the picture is missing, gives the same pixels.
#[test]
fn a_file_cut_short_is_an_error() {
    let names = expected().into_keys().chain(["photo.jpg".to_owned(), "photo_progressive.jpg".to_owned()]);
    for name in names {
        let whole = bytes(&name);
        let picture = decode(&whole, &Limits::default()).unwrap();
        // A number in plain text may lose its last digits and still be a number.
        let certain = if name == "ascii.pgm" { whole.len() - 3 } else { whole.len() };
        for length in 0..certain {
            match decode(&whole[..length], &Limits::default()) {
                Err(error) => assert!(!error.to_string().is_empty()),
                Ok(_) if ["jpg", "png"].contains(&name.rsplit('.').next().unwrap()) => {
                    panic!("{name} cut to {length} of {} bytes was accepted", whole.len())
                }
                Ok(cut) => assert!(cut == picture, "{name} cut to {length} of {} bytes gave other pixels", whole.len()),
            }
        }
    }
}

#[test]
fn messages_say_what_is_there() {
    let message = |bytes: &[u8]| decode(bytes, &Limits::default()).unwrap_err().to_string();
    assert_eq!(message(b""), "is empty (0 bytes)");
    assert_eq!(
        message(b"Hello, this is no picture"),
        "is not an image that can be read (JPEG, PNG, BMP, GIF, TIFF, WebP, PNM): it begins with the text \"Hello, this is n\""
    );
    assert_eq!(
        message(&bytes("bomb.png")),
        "declares 20000×20000 = 400 million pixels, more than the limit of 100 million; shrink the image or raise the limit"
    );
    let photo = bytes("photo.jpg");
    assert_eq!(
        message(&photo[..photo.len() / 2]),
        format!("is a JPEG file that is cut short: no end-of-image marker in its {} bytes", photo.len() / 2)
    );
    assert!(message(b"P5 0 4 255 ").contains("nothing in it"), "{}", message(b"P5 0 4 255 "));
}

#[test]
fn the_limit_holds_for_every_format() {
    for name in expected().into_keys() {
        let picture = read(&fixture(&name), &Limits::default()).unwrap();
        let pixels = u64::from(picture.width * picture.height);
        assert!(decode(&bytes(&name), &Limits { max_pixels: pixels }).is_ok(), "{name}");
        let limits = Limits { max_pixels: pixels - 1 };
        for refused in [decode(&bytes(&name), &limits).err(), probe(&bytes(&name), &limits).err()] {
            let refused = refused.unwrap_or_else(|| panic!("{name} was accepted"));
            let no_pixels = pixels == 1 && matches!(refused, DecodeError::TooLarge { limit: 0, .. });
            assert!(no_pixels || matches!(refused, DecodeError::TooLarge { .. }), "{name} {refused}");
        }
    }
}

#[test]
fn content_counts_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("really_a.jpg");
    std::fs::copy(fixture("rgb.png"), &path).unwrap();
    assert_eq!(read(&path, &Limits::default()).unwrap(), read(&fixture("rgb.png"), &Limits::default()).unwrap());
}

fn consistent(picture: &Picture) -> bool {
    let size = picture.width as usize * picture.height as usize * usize::from(picture.channels);
    size == picture.pixels.len() && size > 0 && (picture.channels == 1 || picture.channels == 3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// Damage is refused or decoded to something; it never panics and never takes more than the limit allows.
    #[test]
    fn damage_never_panics(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let names: Vec<String> = expected().into_keys().collect();
        let mut bytes = bytes(&names[which.index(names.len())]);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let limits = Limits { max_pixels: 1 << 20 };
        if let Ok(picture) = decode(&bytes, &limits) {
            prop_assert!(consistent(&picture));
        }
        let _ = probe(&bytes, &limits);
    }
}
