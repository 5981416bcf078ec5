//! Event files read back by a reader that shares nothing with the writer: its own checksum, bit by bit, and its own decoding.

use super::*;

/// CRC-32C by its definition: division of polynomials over GF(2), a bit at a time.
fn crc(data: &[u8]) -> u32 {
    let bits = data.iter().flat_map(|byte| (0..8).map(move |i| u32::from((byte >> i) & 1)));
    let step = |register: u32, bit: u32| {
        let out = (register ^ bit) & 1;
        (register >> 1) ^ if out == 1 { 0x1EDC_6F41u32.reverse_bits() } else { 0 }
    };
    !bits.fold(u32::MAX, step)
}

fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[derive(Debug, Default, PartialEq)]
struct Read {
    step: i64,
    version: Option<String>,
    session: Option<u64>,
    scalars: Vec<(String, f32)>,
}

/// A field's number with its number or its bytes, and what is left behind it.
fn field(bytes: &[u8]) -> (u64, u64, &[u8], &[u8]) {
    let (key, rest) = number(bytes);
    match key & 7 {
        0 => {
            let (value, rest) = number(rest);
            (key >> 3, value, &[], rest)
        }
        1 => (key >> 3, u64::from_le_bytes(rest[..8].try_into().unwrap()), &[], &rest[8..]),
        5 => (key >> 3, u64::from(u32::from_le_bytes(rest[..4].try_into().unwrap())), &[], &rest[4..]),
        2 => {
            let (length, rest) = number(rest);
            (key >> 3, 0, &rest[..length as usize], &rest[length as usize..])
        }
        kind => panic!("a field of kind {kind}"),
    }
}

fn number(bytes: &[u8]) -> (u64, &[u8]) {
    let length = bytes.iter().position(|b| b & 0x80 == 0).unwrap() + 1;
    let value = bytes[..length].iter().rev().fold(0, |n, b| (n << 7) | u64::from(b & 0x7f));
    (value, &bytes[length..])
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (number, value, inner, rest) = field(bytes);
        all.push((number, value, inner));
        bytes = rest;
    }
    all
}

fn decode(message: &[u8]) -> Read {
    let mut read = Read::default();
    for (number, value, inner) in fields(message) {
        match number {
            1 => assert!(f64::from_bits(value) > 1.6e9, "a time before 2020"),
            2 => read.step = value as i64,
            3 => read.version = Some(String::from_utf8(inner.to_vec()).unwrap()),
            5 => read.scalars.extend(fields(inner).into_iter().map(|(n, _, one)| {
                assert_eq!(n, 1);
                let parts = fields(one);
                (String::from_utf8(parts[0].2.to_vec()).unwrap(), f32::from_bits(parts[1].1 as u32))
            })),
            7 => read.session = Some(fields(inner)[0].1),
            n => panic!("an event's field {n}"),
        }
    }
    read
}

fn read(path: &Path) -> Vec<Read> {
    let bytes = fs::read(path).unwrap();
    let (mut left, mut all) = (&bytes[..], Vec::new());
    while !left.is_empty() {
        let (length, rest) = left.split_at(8);
        let n = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        assert_eq!(word(0), masked(crc(length)));
        assert_eq!(word(4 + n), masked(crc(&rest[4..4 + n])));
        all.push(decode(&rest[4..4 + n]));
        left = &rest[8 + n..];
    }
    all
}

fn row(epoch: u32, val: Option<f64>) -> EpochRow {
    EpochRow {
        epoch,
        learning_rate: 0.125,
        train_loss: 1.5,
        train_accuracy: 0.5,
        val_loss: val,
        val_accuracy: val,
        val_top5: val,
        images_per_second: 300.0,
        seconds: 2.0,
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()).collect();
    all.sort();
    all
}

#[test]
fn an_epoch_is_a_point_on_every_curve() {
    let dir = tempfile::tempdir().unwrap();
    let mut board = TensorBoard::create(dir.path(), None).unwrap();
    board.epoch(&row(1, Some(0.25))).unwrap();
    board.epoch(&row(300, None)).unwrap();
    let all = read(&files(dir.path())[0]);
    assert_eq!(all[0], Read { version: Some("brain.Event:2".into()), ..Read::default() });
    let tags: Vec<&str> = all[1].scalars.iter().map(|(tag, _)| tag.as_str()).collect();
    let every = "train/loss train/accuracy val/loss val/accuracy val/top5 learning_rate images_per_second";
    assert_eq!(tags, every.split(' ').collect::<Vec<_>>());
    assert_eq!((all[1].step, all[1].scalars[2].1, all[1].scalars[5].1), (1, 0.25, 0.125));
    assert_eq!((all[2].step, all[2].scalars.len(), all.len()), (300, 4, 3), "no validation, no point");
}

#[test]
fn a_run_that_goes_on_says_from_where() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = TensorBoard::create(dir.path(), None).unwrap();
    (1..=3).for_each(|e| first.epoch(&row(e, None)).unwrap());
    // Taken back to the end of epoch 1 within a session.
    first.epoch(&row(2, None)).unwrap();
    let mut second = TensorBoard::create(dir.path(), None).unwrap();
    (2..=3).for_each(|e| second.epoch(&row(e, None)).unwrap());
    let files = files(dir.path());
    assert_eq!(files.len(), 2);
    assert_eq!(files[1], second.epochs.path, "the later file is read later");
    let starts =
        |path: &Path| -> Vec<(i64, Option<u64>)> { read(path)[1..].iter().map(|r| (r.step, r.session)).collect() };
    assert_eq!(starts(&files[0]), [(1, None), (2, None), (3, None), (2, Some(1)), (2, None)]);
    assert_eq!(starts(&files[1]), [(2, Some(1)), (2, None), (3, None)]);
}

#[test]
fn single_steps_have_a_file_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut board = TensorBoard::create(dir.path(), Some(4)).unwrap();
    for (epoch, step) in [(1, 3), (1, 4), (1, 6), (2, 2), (2, 5)] {
        let report = StepReport {
            epoch,
            step,
            steps: 6,
            score: crate::Score { loss: f64::from(epoch), ..crate::Score::default() },
            images_per_second: 10.0,
            learning_rate: 0.5,
            seconds_left: 0.0,
        };
        board.step(&report).unwrap();
    }
    let all = read(&files(&dir.path().join("steps"))[0]);
    let points: Vec<_> = all[1..].iter().map(|r| (r.step, r.scalars[0].1)).collect();
    assert_eq!(points, [(4, 1.0), (8, 2.0)]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let e = TensorBoard::create(&file, None).unwrap_err().to_string();
    assert!(e.contains("file"), "{e}");
}
