//! Data sets of each format made on the spot, read, and converted there and back.

use super::*;
use crate::bounding_box::BoundingBox;
use crate::detection::Detection;
use std::collections::BTreeMap;
use std::fs;
use striate_data::{Picture, Silent};

/// A folder with files in it.
pub(super) struct Place(tempfile::TempDir);

impl Place {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(super) fn picture(&self, name: &str, width: u32, height: u32) {
        self.file(name, Picture::filled(width, height, &[10, 20, 30]).to_png());
    }

    pub(super) fn open(&self, name: &str) -> Result<BoxSet, DetectError> {
        BoxSet::open(&self.path().join(name), &OpenOptions::default(), &Cpu::new(2).unwrap(), &Silent)
    }
}

pub(super) fn voc_object(name: &str, edges: [&str; 4], more: &str) -> String {
    let [a, b, c, d] = edges;
    format!(
        "<object><name>{name}</name>{more}<bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
    )
}

pub(super) fn voc_annotation(file: &str, size: (u32, u32), objects: &[String]) -> String {
    let (w, h) = size;
    let size = format!("<size><width>{w}</width><height>{h}</height><depth>3</depth></size>");
    format!("<annotation><filename>{file}</filename>{size}{}</annotation>", objects.concat())
}

fn voc() -> Place {
    let place = Place::new();
    let objects = [
        voc_object("dog &amp; co", ["1", "1", "20", "10"], ""),
        voc_object("cat", ["5.5", "2", "9.25", "30"], "<difficult>1</difficult><part><name>head</name></part>"),
    ];
    place.file("set/Annotations/a.xml", voc_annotation("a.png", (40, 30), &objects));
    place.file("set/Annotations/b.xml", voc_annotation("b.png", (0, 0), &[]));
    place
        .file("set/Annotations/c.xml", voc_annotation("c.png", (8, 9), &[voc_object("cat", ["3", "2", "6", "4"], "")]));
    for (name, w, h) in [("a", 40, 30), ("b", 12, 7), ("c", 8, 9)] {
        place.picture(&format!("set/JPEGImages/{name}.png"), w, h);
    }
    place.file("set/ImageSets/Main/train.txt", "a\nb\n");
    place.file("set/ImageSets/Main/test.txt", "c 1\n");
    place
}

/// What a set says, without what differs between formats.
fn said(set: &BoxSet) -> BTreeMap<String, Vec<String>> {
    let object = |o: &Object| {
        let BoundingBox { x, y, width, height } = o.bounds;
        format!("{} {x:.6} {y:.6} {width:.6} {height:.6}", set.classes[o.class])
    };
    let picture = |part: &Part, p: &AnnotatedPicture| {
        let key = format!("{} {} {}×{}", part.name, p.id, p.width, p.height);
        (key, p.objects.iter().map(object).collect())
    };
    set.parts.iter().flat_map(|part| part.pictures.iter().map(move |p| picture(part, p))).collect()
}

#[test]
fn voc_folders_are_read() {
    let set = voc().open("set").unwrap();
    assert_eq!(set.faults, []);
    assert_eq!(set.classes, ["cat", "dog & co"]);
    assert_eq!(
        set.parts.iter().map(|p| (p.name.as_str(), p.pictures.len())).collect::<Vec<_>>(),
        [("train", 2), ("test", 1)]
    );
    let a = &set.parts[0].pictures[0];
    assert_eq!((a.id.as_str(), a.number, a.width, a.height), ("a", 1, 40, 30));
    assert_eq!(a.objects[0], Object::new(1, BoundingBox::new(0.0, 0.0, 20.0, 10.0)));
    let cat = Object { difficult: true, ..Object::new(0, BoundingBox::new(4.5, 1.0, 4.75, 29.0)) };
    assert_eq!(a.objects[1], cat);
    assert_eq!(set.notes, ["1 picture without objects"]);
    assert_eq!(set.part(None).unwrap().name, "test");
    let e = set.part(Some("val")).unwrap_err().to_string();
    assert!(e.ends_with("has no part val; its parts are train, test"), "{e}");
}

#[test]
fn every_format_says_the_same_after_conversion() {
    let place = voc();
    let set = place.open("set").unwrap();
    let mut last = set.clone();
    for (i, (name, format)) in [("coco", Format::Coco), ("yolo", Format::Yolo), ("voc", Format::Voc)].iter().enumerate()
    {
        let out = place.path().join(name);
        let done = convert(&last, *format, &out, PictureFiles::Link).unwrap();
        assert_eq!((done.pictures, done.objects), (3, 3));
        last = place.open(name).unwrap();
        assert_eq!((last.format, last.faults.as_slice()), (*format, &[][..]));
        assert_eq!(said(&last), said(&set), "{name}");
        let difficult = last.parts[0].pictures[0].objects[1].difficult;
        // YOLO says nothing of it, so that it is lost from there on.
        assert_eq!(difficult, i == 0, "{name}");
        assert_eq!(done.notes.len(), usize::from(i == 1));
    }
    let e = convert(&set, Format::Voc, &place.path().join("coco"), PictureFiles::Copy).unwrap_err();
    assert!(e.to_string().ends_with("is not empty; give a new folder"), "{e}");
}

#[test]
fn crowds_and_areas_come_from_coco() {
    let place = Place::new();
    place.picture("one.png", 50, 40);
    place.file(
        "boxes.json",
        r#"{"info": {}, "images": [{"id": 7, "file_name": "one.png", "width": 50, "height": 40}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 9, "bbox": [1, 2, 10.5, 20], "area": 77.5, "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [0, 0, 50, 40], "iscrowd": 1}],
        "categories": [{"id": 9, "name": "late"}, {"id": 3, "name": "early", "supercategory": "x"}]}"#,
    );
    let set = place.open("boxes.json").unwrap();
    assert_eq!(
        (set.classes.as_slice(), set.class_numbers.as_slice()),
        (&["early".to_owned(), "late".to_owned()][..], &[3, 9][..])
    );
    assert_eq!(set.parts[0].name, "all");
    let objects = &set.parts[0].pictures[0].objects;
    assert_eq!((objects[0].class, objects[0].area()), (1, 77.5));
    assert!(objects[1].crowd && !objects[1].counts());
    let done = convert(&set, Format::Yolo, &place.path().join("yolo"), PictureFiles::Copy).unwrap();
    assert_eq!((done.objects, done.notes.len()), (1, 1));
    assert!(done.notes[0].starts_with("1 box around crowds left out"));
}

#[test]
fn outlines_and_lists_come_from_yolo() {
    let place = Place::new();
    place.picture("data/images/a.png", 100, 50);
    place.picture("data/images/b.png", 10, 10);
    place.file("data/labels/a.txt", "1 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6\n0.0 0.5 0.5 1 1\n");
    place.file("data/labels/b.txt", "");
    place.file("data/train.txt", "./images/a.png\n");
    place.file("data/data.yaml", "path: /somewhere/else\ntrain: train.txt\nval: [images/b.png.txt]\nnames: [x, y]\n");
    place.file("data/images/b.png.txt", "b.png\n");
    let set = place.open("data").unwrap();
    assert_eq!(set.faults, []);
    let objects = &set.parts[0].pictures[0].objects;
    let close =
        |b: &BoundingBox, c: [f64; 4]| [b.x, b.y, b.width, b.height].iter().zip(c).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(close(&objects[0].bounds, [10.0, 10.0, 40.0, 20.0]) && objects[0].class == 1);
    assert!(close(&objects[1].bounds, [0.0, 0.0, 100.0, 50.0]) && objects[1].class == 0);
    assert_eq!((set.parts[1].name.as_str(), set.parts[1].pictures[0].objects.len()), ("val", 0));
}

#[test]
fn names_that_would_be_the_same_get_a_number() {
    let place = Place::new();
    for name in ["x/one.png", "y/one.png", "x_one.png"] {
        place.picture(&format!("set/images/{name}"), 10, 10);
        place.file(&format!("set/labels/{}", name.replace("png", "txt")), "0 0.5 0.5 0.5 0.5");
    }
    place.file("set/data.yaml", "train: images\nnames:\n  0: it's\n");
    let set = place.open("set").unwrap();
    convert(&set, Format::Voc, &place.path().join("voc"), PictureFiles::Link).unwrap();
    let names: Vec<String> = listed(&place.path().join("voc/JPEGImages"))
        .unwrap()
        .iter()
        .map(|f| f.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["x_one.png", "x_one_2.png", "y_one.png"]);
    assert_eq!(place.open("voc").unwrap().classes, ["it's"]);
}

#[test]
fn results_go_to_a_file_and_come_back() {
    let place = voc();
    let set = place.open("set").unwrap();
    let part = set.part(Some("train")).unwrap();
    let found = |image, class, score| Detection { image, class, bounds: BoundingBox::new(1.0, 2.5, 3.0, 4.0), score };
    let all = [found(1, 0, 0.25), found(0, 1, 0.1 + 0.2)];
    let file = place.path().join("found.json");
    write_results(&file, &set, part, &all).unwrap();
    assert_eq!(read_results(&file, &set, part).unwrap(), all);
    let by_name = r#"[{"image_id": "b", "category_id": "cat", "bbox": [1, 2.5, 3, 4], "score": 0.25}]"#;
    place.file("named.json", by_name);
    assert_eq!(read_results(&place.path().join("named.json"), &set, part).unwrap(), all[..1]);
    for (from, to, told) in [
        ("\"b\"", "\"c\"", "entry 0 (from 0) is of image \"c\", which part train does not have"),
        ("\"cat\"", "7", "entry 0 (from 0) is of class 7; there are 1 cat, 2 dog & co"),
        ("3, 4", "-3, 4", "which cannot be meant"),
        ("3, 4", "3", "is not a list of"),
        ("0.25", "null", "is not a list of"),
    ] {
        place.file("bad.json", by_name.replace(from, to));
        let e = read_results(&place.path().join("bad.json"), &set, part).unwrap_err().to_string();
        assert!(e.contains(told), "{e}");
    }
}
