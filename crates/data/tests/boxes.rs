//! VOC's and COCO's annotations as classification of boxes: which pixels each box is, parts, what is left out and why.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use striate_data::{Check, DataSet, Limits, OpenOptions, Sample, Silent, Source, SourceKind, Split};
use tempfile::TempDir;

/// A grey picture of `width`×`height` whose pixel in column x of row y has the level 10·y + x.
fn picture(width: u8, height: u8) -> Vec<u8> {
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| 10 * y + x));
    format!("P5 {width} {height} 255\n").into_bytes().into_iter().chain(pixels).collect()
}

fn open_with(path: &Path, options: &OpenOptions) -> Result<DataSet, String> {
    let options = OpenOptions { max_unreadable_share: 0.5, ..options.clone() };
    DataSet::open(path.to_str().unwrap(), &options, &Silent).map_err(|error| error.to_string())
}

fn open(path: &Path) -> Result<DataSet, String> {
    open_with(path, &OpenOptions::default())
}

fn pixels(sample: &Sample) -> (u32, Vec<u8>) {
    let picture = sample.read(&Limits::default()).unwrap();
    (picture.width, picture.pixels)
}

fn left_out(set: &DataSet, root: &TempDir) -> Vec<String> {
    set.left_out.iter().map(|l| l.to_string().replace(root.path().to_str().unwrap(), "ROOT")).collect()
}

fn write(root: &TempDir, path: &str, content: impl AsRef<[u8]>) {
    let path = root.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// `(name, xmin, ymin, xmax, ymax)`.
type Object<'a> = (&'a str, i32, i32, i32, i32);

fn voc(size: (u32, u32), objects: &[Object<'_>]) -> String {
    let mut text = format!("<annotation><size><width>{}</width><height>{}</height></size>", size.0, size.1);
    for (name, xmin, ymin, xmax, ymax) in objects {
        write!(
            text,
            "<object><name>{name}</name><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax>\
             <ymax>{ymax}</ymax></bndbox></object>"
        )
        .unwrap();
    }
    text + "</annotation>"
}

/// Pictures a to f of 8×6 pixels, each with two cats and a dog.
fn voc_folder() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for id in ["a", "b", "c", "d", "e", "f"] {
        write(&root, &format!("JPEGImages/{id}.pgm"), picture(8, 6));
        let objects = [("cat", 1, 1, 2, 2), ("dog", 3, 2, 8, 6), ("cat", 7, 5, 8, 6)];
        write(&root, &format!("Annotations/{id}.xml"), voc((8, 6), &objects));
    }
    root
}

#[test]
fn voc_counts_pixels_from_1_and_includes_both_edges() {
    let root = voc_folder();
    let set = open(root.path()).unwrap();
    assert_eq!((set.kind, set.val_drawn), (SourceKind::VocBoxes, true));
    assert_eq!(set.classes, ["cat", "dog"]);
    assert_eq!((set.train.counts_per_class(2), set.val.counts_per_class(2)), (vec![10, 5], vec![2, 1]));
    let group = |split: &Split| split.samples.iter().map(|s| s.group.clone().unwrap()).collect::<Vec<_>>();
    assert!(group(&set.train).iter().all(|g| !group(&set.val).contains(g)), "boxes of one picture stay together");
    let [first, second, third] = &set.val.samples[..] else { panic!("{:?}", set.val.samples) };
    assert_eq!((first.label, pixels(first)), (0, (2, vec![0, 1, 10, 11])));
    assert_eq!((second.label, pixels(second).0, pixels(second).1.len()), (1, 6, 30));
    assert_eq!((pixels(second).1[0], pixels(third)), (12, (2, vec![46, 47, 56, 57])));
    assert!(first.name().ends_with(".pgm[0,0 2×2]"), "{}", first.name());

    let wide = open_with(root.path(), &OpenOptions { box_margin: 0.5, ..OpenOptions::default() }).unwrap();
    assert_eq!(pixels(&wide.val.samples[0]).1, [0, 1, 2, 10, 11, 12, 20, 21, 22]);
    assert_ne!(wide.fingerprint, set.fingerprint, "other pixels are trained on");
    let quick = open_with(root.path(), &OpenOptions { check: Check::Headers, ..OpenOptions::default() }).unwrap();
    assert_eq!((quick.fingerprint, quick.typical), (set.fingerprint, set.typical));
    assert!(open_with(root.path(), &OpenOptions { box_margin: f64::NAN, ..OpenOptions::default() }).is_err());
}

#[test]
fn voc_lists_are_the_parts() {
    let root = voc_folder();
    write(&root, "ImageSets/Main/train.txt", "a\nb\n\n");
    write(&root, "ImageSets/Main/val.txt", "c  1\r\n");
    write(&root, "ImageSets/Main/trainval.txt", "a\nb\nc\n");
    write(&root, "ImageSets/Main/test.txt", "d\ne\nx\n");
    write(&root, "ImageSets/Main/cat_train.txt", "f 1\n");
    // The folder itself, or the only one in it.
    let around = tempfile::tempdir().unwrap();
    let inside = around.path().join("VOC2007");
    fs::rename(root.path(), &inside).unwrap();
    for path in [around.path(), &inside] {
        let set = open(path).unwrap();
        assert_eq!((set.train.len(), set.val.len(), set.test.as_ref().unwrap().len()), (6, 3, 6));
        assert!(!set.val_drawn);
        let out = left_out(&set, &around);
        assert_eq!(out, ["ROOT/VOC2007/Annotations/x.xml is listed in ImageSets/Main, but has no annotation"]);
        assert_eq!(set.warnings, ["1 annotation in none of the lists in ImageSets/Main, and passed over"]);
    }
    fs::write(inside.join("ImageSets/Main/test.txt"), "a\n").unwrap();
    assert!(
        open(&inside)
            .unwrap_err()
            .ends_with("test.txt: line 1: a is listed in train.txt too; each picture is of one part")
    );
    fs::remove_file(inside.join("ImageSets/Main/train.txt")).unwrap();
    fs::remove_file(inside.join("ImageSets/Main/test.txt")).unwrap();
    let set = open(&inside).unwrap();
    assert_eq!((set.train.len(), set.val.len(), set.val_drawn), (6, 3, true), "drawn from trainval");
}

#[test]
fn voc_boxes_that_are_none_are_left_out_and_named() {
    let root = voc_folder();
    let (cat, dog) = (("cat", 1, 1, 2, 2), ("dog", 3, 2, 8, 6));
    write(
        &root,
        "Annotations/a.xml",
        voc((8, 6), &[cat, ("dog", 5, 2, 5, 4), ("dog", 3, 4, 6, 2), ("cat", 9, 1, 12, 3)]),
    );
    write(&root, "Annotations/b.xml", voc((0, 0), &[("dog", -3, 0, 3, 99)]));
    write(&root, "Annotations/c.xml", voc((6, 8), &[cat]));
    write(&root, "Annotations/d.xml", voc((8, 6), &[cat]).replace("<bndbox>", "<difficult>1</difficult><bndbox>"));
    write(&root, "Annotations/e.xml", "<annotation><object>");
    write(&root, "Annotations/g.xml", voc((8, 6), &[cat]));
    write(&root, "Annotations/h.xml", voc((8, 6), &[]));
    write(&root, "JPEGImages/h.pgm", picture(8, 6));
    for id in ["i", "j", "k", "l"] {
        write(&root, &format!("JPEGImages/{id}.pgm"), picture(8, 6));
        write(&root, &format!("Annotations/{id}.xml"), voc((8, 6), &[cat, dog]));
    }
    let set = open(root.path()).unwrap();
    assert_eq!(
        left_out(&set, &root),
        [
            "ROOT/JPEGImages/a.pgm[4,1 1×3] is no box: its edges are 5 to 5 and 2 to 4",
            "ROOT/JPEGImages/a.pgm[2,3 4×-1] is no box: its edges are 3 to 6 and 4 to 2",
            "ROOT/Annotations/e.xml is no annotation that can be read: it ends within <annotation><object>",
            "ROOT/Annotations/g.xml has no picture of its name in JPEGImages",
            "ROOT/JPEGImages/a.pgm[8,0 4×3] lies outside of its picture of 8×6 pixels",
            "ROOT/JPEGImages/c.pgm[0,0 2×2] is in a picture of 8×6 pixels, but the annotation is made for 6×8; \
             correct the annotation",
        ]
    );
    assert_eq!(set.warnings, ["1 box marked as difficult and left out", "1 picture without boxes"]);
    let all = set.all();
    let clipped = all.samples.iter().find(|s| s.name().contains("b.pgm")).unwrap();
    assert_eq!((pixels(clipped).0, pixels(clipped).1.len()), (3, 18), "what reaches beyond is clipped");
    fs::remove_dir_all(root.path().join("JPEGImages")).unwrap();
    assert!(open(root.path()).unwrap_err().ends_with("but no pictures in JPEGImages beside them"));
}

/// Six pictures 1 to 6 of 8×6 pixels, each with a cat and a dog, and what else is asked for.
fn coco(more: &str) -> String {
    let list = |one: &dyn Fn(usize) -> String| (1..=6).map(one).collect::<Vec<_>>().join(", ");
    let images = list(&|i| format!("{{\"id\": {i}, \"file_name\": \"{i}.pgm\", \"width\": 8, \"height\": 6}}"));
    let boxes = list(&|i| {
        format!(
            "{{\"id\": {i}, \"image_id\": {i}, \"category_id\": 18, \"bbox\": [1.4, 2, 3, 2.2], \"iscrowd\": 0, \
             \"segmentation\": [[1, 2]]}}, {{\"id\": 1{i}, \"image_id\": {i}, \"category_id\": 3, \"bbox\": [0, 0, 8, 6]}}"
        )
    });
    format!(
        "{{\"info\": {{}}, \"images\": [{images}], \"annotations\": [{boxes}{more}], \"categories\": \
         [{{\"id\": 18, \"name\": \"ant\"}}, {{\"id\": 3, \"name\": \"dog\"}}, {{\"id\": 1, \"name\": \"unused\"}}]}}"
    )
}

fn coco_pictures(root: &TempDir, folder: &str) {
    (1..=6).for_each(|i| write(root, &format!("{folder}/{i}.pgm"), picture(8, 6)));
}

#[test]
fn coco_boxes_are_corners_and_sizes() {
    let root = tempfile::tempdir().unwrap();
    for part in ["train2017", "val2017"] {
        coco_pictures(&root, part);
        write(&root, &format!("annotations/instances_{part}.json"), coco(""));
        write(&root, &format!("annotations/captions_{part}.json"), coco(""));
    }
    let set = open(root.path()).unwrap();
    assert_eq!((set.kind, set.val_drawn, set.train.len(), set.val.len()), (SourceKind::CocoBoxes, false, 12, 12));
    assert_eq!(set.classes, ["dog", "ant"], "in the order of their ids");
    assert_eq!(set.warnings, ["there are no training images of 'unused', so they are left out"]);
    let ant = &set.train.samples[0];
    assert_eq!((ant.label, pixels(ant)), (1, (3, vec![21, 22, 23, 31, 32, 33])), "edges 1.4, 2, 4.4, 4.2 rounded");
    assert_eq!(ant.group.as_deref(), Some("1.pgm"));
    let Source::Cut(cut) = &ant.source else { panic!("{:?}", ant.source) };
    assert!(cut.picture.source.name().ends_with("train2017/1.pgm"));

    let one = open(&root.path().join("annotations/instances_val2017.json")).unwrap();
    assert_eq!((one.train.len() + one.val.len(), one.val_drawn), (12, true));
    let roboflow = tempfile::tempdir().unwrap();
    for part in ["train", "valid"] {
        coco_pictures(&roboflow, part);
        write(&roboflow, &format!("{part}/_annotations.coco.json"), coco(""));
    }
    let set = open(roboflow.path()).unwrap();
    assert_eq!((set.kind, set.train.len(), set.val.len()), (SourceKind::CocoBoxes, 12, 12));
    let flat = tempfile::tempdir().unwrap();
    coco_pictures(&flat, "images");
    write(&flat, "boxes.json", coco(""));
    assert_eq!(open(flat.path()).unwrap().all().len(), 12);
}

#[test]
fn coco_boxes_that_are_none_are_left_out_and_named() {
    let root = tempfile::tempdir().unwrap();
    coco_pictures(&root, "images");
    let wrong = |id: u32, image: u32, category: u32, bbox: &str, crowd: u32| {
        format!(
            ", {{\"id\": {id}, \"image_id\": {image}, \"category_id\": {category}, \"bbox\": {bbox}, \"iscrowd\": {crowd}}}"
        )
    };
    let more = [
        wrong(90, 1, 18, "[0, 0, 4, 4]", 1),
        wrong(91, 1, 18, "[0, 0, 0, 4]", 0),
        wrong(92, 1, 18, "[3, 3, 2, -1.5]", 0),
        wrong(93, 99, 18, "[0, 0, 4, 4]", 0),
        wrong(94, 1, 77, "[0, 0, 4, 4]", 0),
        wrong(95, 2, 18, "[8, 0, 4, 4]", 0),
        wrong(96, 2, 18, "null", 0),
        wrong(97, 2, 18, "[7.9, 0, 0.05, 0.05]", 0),
    ];
    write(&root, "boxes.json", coco(&more.concat()));
    let set = open(root.path()).unwrap();
    assert_eq!(
        left_out(&set, &root),
        [
            "ROOT/boxes.json[annotation 91] is no box: it is 0 wide and 4 high",
            "ROOT/boxes.json[annotation 92] is no box: it is 2 wide and -1.5 high",
            "ROOT/boxes.json[annotation 94] is of category 77, which the file does not list",
            "ROOT/boxes.json[annotation 96] has no box of four numbers",
            "ROOT/boxes.json[annotation 93] is of image 99, which the file does not list",
            "ROOT/images/2.pgm[8,0 4×4] lies outside of its picture of 8×6 pixels",
        ]
    );
    assert!(set.warnings.contains(&"1 box of crowds left out".to_owned()), "{:?}", set.warnings);
    assert_eq!(set.all().len(), 13);
    let thin = set.all().samples.into_iter().find(|s| s.name().ends_with("2.pgm[7,0 1×1]")).unwrap();
    assert_eq!(pixels(&thin), (1, vec![7]), "a box thinner than a pixel is one pixel");

    let message = |text: String| {
        write(&root, "boxes.json", text);
        open(root.path()).unwrap_err()
    };
    let said = message(coco("").replace("\"dog\"", "\"ant\""));
    assert!(said.ends_with("boxes.json: has two categories called 'ant'"), "{said}");
    let said = message(coco("").replace("\"id\": 3,", "\"id\": 18,"));
    assert!(said.ends_with("has two categories with the id 18"), "{said}");
    let said = message(coco("").replace(".pgm", ".jpg"));
    assert!(said.contains("boxes.json: its first picture, 1.jpg, is in none of "), "{said}");
    let said = message(coco("")[..600].to_owned());
    assert!(said.contains("boxes.json: is not as COCO's annotations are: EOF while parsing"), "{said}");
    let said = message(coco("").replace("[1.4, 2, 3, 2.2]", "[1.4, 2, 3]"));
    assert!(said.contains("invalid length 3"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is changed in annotations, there is a data set or a message, and boxes are cut or refused.
    #[test]
    fn damage_never_panics(
        is_voc in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), b' '..b'~'), 0..6),
        number in prop::option::of(any::<f64>()),
        end in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let root = tempfile::tempdir().unwrap();
        write(&root, "JPEGImages/a.pgm", picture(8, 6));
        coco_pictures(&root, "images");
        let number = number.map_or("1".to_owned(), |number| number.to_string());
        let text = if is_voc {
            voc((8, 6), &[("cat", 1, 1, 2, 2), ("dog", 3, 2, 8, 6)]).replace(">1<", &format!(">{number}<"))
        } else {
            coco("").replace("1.4", &number)
        };
        let mut bytes = text.into_bytes();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(end.map_or(bytes.len(), |end| end.index(bytes.len())));
        write(&root, if is_voc { "Annotations/a.xml" } else { "boxes.json" }, bytes);
        let options = OpenOptions { max_unreadable_share: 1.0, box_margin: 0.3, ..OpenOptions::default() };
        if let Ok(set) = DataSet::open(root.path().to_str().unwrap(), &options, &Silent) {
            set.all().samples.iter().for_each(|sample| drop(sample.read(&Limits::default())));
        }
    }
}
