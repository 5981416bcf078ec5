//! Selective search as a whole: the same at any number of threads, and of use on pictures with known things.

use super::*;
use crate::bounding_box::BoundingBox;

/// Discs and bars of several colours on a ground with a slow change of light.
fn scene(width: u32, height: u32) -> (Picture, Vec<BoundingBox>) {
    let things: [(i32, i32, i32, i32, [u8; 3]); 4] = [
        (30, 40, 60, 50, [200, 40, 30]),
        (150, 30, 80, 90, [40, 170, 60]),
        (60, 150, 120, 40, [40, 60, 200]),
        (230, 140, 50, 70, [220, 200, 40]),
    ];
    let mut picture = Picture::filled(width, height, &[0, 0, 0]);
    for y in 0..height {
        for x in 0..width {
            let light = 90
                + (x * 40 / width) as u8
                + (y * 30 / height) as u8
                + (striate_kernels::hash(1, u64::from(y * width + x)) % 6) as u8;
            let mut colour = [light; 3];
            for (left, top, w, h, of_thing) in things {
                // Ellipses that fill their boxes.
                let across = (f64::from(x) + 0.5 - f64::from(left)) / f64::from(w) * 2.0 - 1.0;
                let down = (f64::from(y) + 0.5 - f64::from(top)) / f64::from(h) * 2.0 - 1.0;
                if across * across + down * down <= 1.0 {
                    colour = of_thing;
                }
            }
            let at = (y * width + x) as usize * 3;
            picture.pixels[at..at + 3].copy_from_slice(&colour);
        }
    }
    let boxes = things.map(|(x, y, w, h, _)| BoundingBox::new(x.into(), y.into(), w.into(), h.into()));
    (picture, boxes.to_vec())
}

#[test]
fn things_are_found_in_every_mode_and_more_boxes_are_better() {
    let (picture, things) = scene(320, 240);
    let cpu = Cpu::new(2).unwrap();
    let mut counts = Vec::new();
    for (name, mode) in Mode::ALL {
        let options = ProposeOptions { strategies: Strategies::of(mode), ..ProposeOptions::default() };
        let proposals = propose(&picture, &options, &cpu).unwrap();
        for thing in &things {
            let best = proposals.iter().map(|p| p.bounds.iou(thing)).fold(0.0, f64::max);
            assert!(best > 0.75, "{name}: {thing} is met by {best}");
        }
        let inside = |b: &BoundingBox| b.clipped(320, 240).is_some_and(|c| c.iou(b) > 1.0 - 1e-9);
        assert!(proposals.iter().all(|p| inside(&p.bounds)), "{name}");
        counts.push(proposals.len());
    }
    assert!(counts[0] < counts[1] && counts[1] < counts[2], "{counts:?}");
}

#[test]
fn the_same_boxes_in_the_same_order_at_any_number_of_threads() {
    let (picture, _) = scene(200, 150);
    let options = ProposeOptions::default();
    let one = propose(&picture, &options, &Cpu::new(1).unwrap()).unwrap();
    assert!(one.len() > 20, "{}", one.len());
    for threads in [2, 3, 7] {
        assert_eq!(propose(&picture, &options, &Cpu::new(threads).unwrap()).unwrap(), one, "{threads} threads");
    }
}

#[test]
fn any_picture_passes() {
    let cpu = Cpu::new(1).unwrap();
    let options = ProposeOptions::default();
    for (w, h) in [(1, 1), (10, 10), (3, 400), (700, 2)] {
        for level in [&[128][..], &[0, 0, 0], &[255, 255, 255]] {
            let proposals = propose(&Picture::filled(w, h, level), &options, &cpu).unwrap();
            assert!(proposals.len() <= 1, "a picture of one colour is one region");
        }
    }
    // Too flat for boxes of 20 pixels: no proposals, and no failure.
    assert!(propose(&Picture::filled(900, 3, &[7]), &options, &cpu).unwrap().is_empty());
    let e = propose(&Picture::filled(9, 9, &[7]), &ProposeOptions { width: Some(0), ..options }, &cpu).unwrap_err();
    assert!(e.to_string().contains("but must be from 1 to 16384"), "{e}");
}

#[test]
fn large_pictures_are_worked_on_in_a_bounded_size() {
    let options = ProposeOptions { width: None, ..ProposeOptions::default() };
    let large = Picture { width: 8000, height: 6000, channels: 1, pixels: Vec::new() };
    let (w, h) = options.size(&large);
    assert!(w * h <= 4_001_000 && w > 2200, "{w}×{h}");
    assert_eq!(ProposeOptions::default().size(&large), (500, 375));
    let thin = Picture { width: 1, height: 60_000, channels: 1, pixels: Vec::new() };
    let (w, h) = ProposeOptions::default().size(&thin);
    assert!(w >= 1 && h <= 16_384);
}
