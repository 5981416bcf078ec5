//! Damaged files of every form: each is refused or read as something, and nothing panics, hangs, or is allocated by what the
//! file merely says. The seeds are the fixtures of `foreign.rs`.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use std::path::Path;
use std::sync::OnceLock;
use striate_weights::{ForeignWeights, Wish, match_zoo, parse_onnx};

/// The seeds' bytes.
fn seeds() -> &'static [(String, Vec<u8>)] {
    static SEEDS: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign");
        let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        let binary = files.filter(|p| p.extension().is_none_or(|e| e != "json"));
        let mut seeds: Vec<_> = binary
            .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(p).unwrap()))
            .collect();
        seeds.sort();
        seeds
    })
}

/// What is done to a file.
#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    /// Eight bytes that say something very large, or nothing.
    Number(usize, u64),
    Cut(usize),
    Copy(usize, usize, usize),
    Remove(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let far = 0usize..1 << 16;
    let number = prop_oneof![Just(u64::MAX), Just(0), Just(1 << 40), Just(1 << 31), 0u64..1 << 16];
    prop_oneof![
        4 => (far.clone(), any::<u8>()).prop_map(|(at, b)| Damage::Set(at, b)),
        2 => (far.clone(), number).prop_map(|(at, n)| Damage::Number(at, n)),
        1 => far.clone().prop_map(Damage::Cut),
        1 => (far.clone(), far.clone(), 1usize..64).prop_map(|(a, b, n)| Damage::Copy(a, b, n)),
        1 => (far, 1usize..32).prop_map(|(at, n)| Damage::Remove(at, n)),
    ]
}

fn damaged(bytes: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut b = bytes.to_vec();
    for damage in damages {
        if b.is_empty() {
            break;
        }
        let len = b.len();
        match *damage {
            Damage::Set(at, value) => b[at % len] = value,
            Damage::Number(at, n) => b.iter_mut().skip(at % len).zip(n.to_le_bytes()).for_each(|(b, v)| *b = v),
            Damage::Cut(at) => b.truncate(at % len),
            Damage::Copy(from, to, n) => {
                let part: Vec<u8> = b.iter().skip(from % len).take(n).copied().collect();
                b.iter_mut().skip(to % len).zip(part).for_each(|(b, v)| *b = v);
            }
            Damage::Remove(at, n) => drop(b.drain(at % len..(at % len + n).min(len))),
        }
    }
    b
}

/// Reads bytes in every way there is.
fn read(bytes: &[u8]) {
    if let Ok(weights) = ForeignWeights::parse(bytes) {
        // What was read is bounded by the file: views share values at most four times, deflate packs a thousandfold.
        let values: usize = weights.tensors.iter().map(|t| t.values.len()).sum();
        assert!(values <= 1200 * bytes.len(), "{values} values of {} bytes", bytes.len());
    }
    let _ = parse_onnx(bytes, None, Some(16));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_refused_or_read(seed in 0usize..1 << 16, damages in prop::collection::vec(damage(), 1..6)) {
        let (_, bytes) = &seeds()[seed % seeds().len()];
        read(&damaged(bytes, &damages));
    }

    #[test]
    fn noise_behind_a_signature_is_refused(start in 0usize..8, noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let starts: [&[u8]; 8] = [
            b"PK\x03\x04", b"\x89HDF\r\n\x1a\n\x00", b"\x80\x02", b"\x80\x04", b"\x08\x08", b"\x10\0\0\0\0\0\0\0{", b"\x93NUMPY", b"",
        ];
        read(&[starts[start], &noise].concat());
    }
}

/// More by `STRIATE_FUZZ_CASES`, for an hour's run.
fn cases() -> u32 {
    std::env::var("STRIATE_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

#[test]
fn whole_seeds_fit_no_network() {
    for (name, bytes) in seeds() {
        if let Ok(weights) = ForeignWeights::parse(bytes) {
            assert!(match_zoo(weights, Wish::default()).is_err(), "{name}");
        }
    }
}
