//! Faults planted in annotations of each format: each is named with its file and place, and the rest is read.

use super::tests::{Place, voc_annotation, voc_object};
use super::*;

/// What a set's faults say, without the folder they are in.
fn told(place: &Place, set: &BoxSet) -> Vec<String> {
    let folder = format!("{}/", place.path().display());
    set.faults.iter().map(|fault| fault.to_string().replace(&folder, "")).collect()
}

/// Holds that for each planted fault there is one message with these words, and no other message.
fn assert_told(place: &Place, set: &BoxSet, expected: &[[&str; 3]]) {
    let told = told(place, set);
    for words in expected {
        let count = told.iter().filter(|t| words.iter().all(|word| t.contains(word))).count();
        assert_eq!(count, 1, "{words:?} in\n{}", told.join("\n"));
    }
    assert_eq!(told.len(), expected.len(), "{}", told.join("\n"));
}

#[test]
fn faults_of_voc_are_named() {
    let place = Place::new();
    let good = || voc_object("dog", ["2", "2", "20", "20"], "");
    let annotated = |objects: &[String]| voc_annotation("x.png", (50, 40), objects);
    let annotations = [
        ("fine", annotated(&[good()])),
        ("cut", annotated(&[good()])[..120].to_owned()),
        ("other", "<html></html>".to_owned()),
        ("lost", voc_annotation("nowhere.png", (50, 40), &[good()])),
        ("sized", voc_annotation("x.png", (51, 40), &[good()])),
        ("damaged", annotated(&[good()])),
        (
            "boxes",
            annotated(&[
                good(),
                voc_object("", ["2", "2", "20", "20"], ""),
                voc_object("cat", ["20", "2", "2", "20"], ""),
                voc_object("cat", ["2", "7", "20", "7"], ""),
                voc_object("cat", ["60", "2", "70", "20"], ""),
                voc_object("cat", ["30", "2", "70", "20"], ""),
                voc_object("cat", ["x", "2", "20", "20"], ""),
                voc_object("cat", ["inf", "2", "20", "20"], ""),
                voc_object("cat", ["1", "2", "20", "20"], "<difficult>maybe</difficult>"),
                "<object><name>cat</name></object>".to_owned(),
                good(),
            ]),
        ),
    ];
    for (name, text) in &annotations {
        place.file(&format!("Annotations/{name}.xml"), text);
        if *name != "lost" {
            place.picture(&format!("JPEGImages/{name}.png"), 50, 40);
        }
    }
    place.file("JPEGImages/damaged.png", b"not a picture");
    place.file("ImageSets/Main/train.txt", "fine\ncut\nother\nlost\nsized\ndamaged\nboxes\nabsent\n");
    place.file("ImageSets/Main/val.txt", "fine\n");
    let set = place.open(".").unwrap();
    assert_told(
        &place,
        &set,
        &[
            ["Annotations/cut.xml", "cannot be read", "it ends within <"],
            ["Annotations/other.xml", "<html>", "<annotation> is expected"],
            ["Annotations/lost.xml", "there is no picture nowhere.png", "the picture is left out"],
            ["Annotations/sized.xml", "made for a picture of 51×40", "has 50×40"],
            ["Annotations/damaged.xml", "its picture is not an image", "left out"],
            ["train.txt, absent", "has no annotations", "absent.xml"],
            ["val.txt, line 1 (fine)", "listed in train.txt too", "left out"],
            ["boxes.xml, object 2:", "there is no <name>", "left out"],
            ["object 3 (cat)", "turned round", "20 to 2"],
            ["object 4 (cat)", "no area", "18 wide and 0 high"],
            ["object 5 (cat)", "outside its picture of 50×40", "left out"],
            ["object 6 (cat)", "reaches beyond its picture", "cut off there"],
            ["object 7 (cat)", "<xmin> is 'x'", "left out"],
            ["object 8 (cat)", "<xmin> is 'inf'", "left out"],
            ["object 9 (cat)", "<difficult> is 'maybe'", "0 or 1"],
            ["object 10 (cat)", "there is no <bndbox>", "left out"],
            ["object 11 (dog)", "same class and box as object 1 (dog)", "left out"],
        ],
    );
    let pictures = &set.parts[0].pictures;
    assert_eq!(pictures.iter().map(|p| p.objects.len()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(set.losses(), 16);
}

#[test]
fn faults_of_coco_are_named() {
    let place = Place::new();
    place.picture("images/a.png", 50, 40);
    let boxes = [
        r#"{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]}"#,
        r#"{"id": 2, "image_id": 5, "category_id": 1, "bbox": [1, 1, 9, 9]}"#,
        r#"{"id": 3, "image_id": 1, "category_id": 4, "bbox": [1, 1, 9, 9]}"#,
        r#"{"id": 4, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9]}"#,
        r#"{"id": 5, "image_id": 1, "category_id": 1, "bbox": [9, 9, -4, 9]}"#,
        r#"{"id": 6, "image_id": 1, "category_id": 1, "bbox": [9, 9, 0, 9]}"#,
        r#"{"id": 7, "image_id": 1, "category_id": 1, "bbox": [90, 9, 5, 9]}"#,
        r#"{"id": 8, "image_id": 1, "category_id": 1, "bbox": [-9, 9, 20, 9]}"#,
        r#"{"id": 9, "image_id": 1, "category_id": 1}"#,
        r#"{"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]}"#,
        r#"{"id": 11, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 8], "iscrowd": 2}"#,
        r#"{"id": 12, "image_id": 1, "category_id": 1, "bbox": [1, 1, null, 8]}"#,
    ];
    let images = r#"[{"id": 1, "file_name": "a.png", "width": 50, "height": 40}, {"id": 1, "file_name": "b.png"},
        {"id": 2, "file_name": "gone.png"}]"#;
    let document = |boxes: &str| {
        format!(r#"{{"images": {images}, "annotations": [{boxes}], "categories": [{{"id": 1, "name": "x"}}]}}"#)
    };
    place.file("annotations/instances_val.json", document(&boxes.join(",")));
    let set = place.open(".").unwrap();
    assert_eq!(set.parts[0].name, "val");
    assert_told(
        &place,
        &set,
        &[
            ["instances_val.json, b.png", "image id 1 is given twice", "the picture is left out"],
            ["instances_val.json, gone", "there is no picture", "gone.png"],
            ["annotation 2:", "of image 5", "does not list"],
            ["annotation 3:", "its class is 4", "the categories are [1]"],
            ["annotation 4:", "four numbers", "[1,1,9]"],
            ["annotation 5:", "turned round", "9 to 5"],
            ["annotation 6:", "no area", "0 wide"],
            ["annotation 7:", "outside its picture", "left out"],
            ["annotation 8:", "reaches beyond", "cut off there"],
            ["annotation 9:", "there is no bbox", "left out"],
            ["annotation at place 10:", "same class and box as annotation 1", "left out"],
            ["annotation 11:", "iscrowd is '2'", "0 or 1"],
            ["annotation 12:", "four numbers", "null"],
        ],
    );
    assert_eq!(set.parts[0].pictures[0].objects.len(), 2);

    // What makes the whole file useless is said at once.
    for (text, words) in [
        ("{\"images\": [".to_owned(), "EOF while parsing"),
        (document("{\"image_id\": \"x\"}"), "invalid type"),
        (
            document("").replace(
                "[{\"id\": 1, \"name\": \"x\"}]",
                "[{\"id\": 1, \"name\": \"x\"}, {\"id\": 1, \"name\": \"y\"}]",
            ),
            "two categories with the id 1",
        ),
        (document("").replace(images, "[]"), "lists no images"),
        (
            document("").replace(images, r#"[{"id": 1, "file_name": "q.png"}]"#),
            "its first picture, q.png, is in none of",
        ),
    ] {
        place.file("annotations/instances_val.json", text);
        let e = place.open(".").unwrap_err().to_string();
        assert!(e.contains(words), "{e}");
    }
}

#[test]
fn faults_of_yolo_are_named() {
    let place = Place::new();
    place.picture("images/train/a.png", 100, 50);
    place.picture("images/train/b.png", 100, 50);
    let lines = [
        "0 0.5 0.5 0.2 0.2",
        "0 0.5 0.5 0.2",
        "2 0.5 0.5 0.2 0.2",
        "1.5 0.5 0.5 0.2 0.2",
        "x 0.5 0.5 0.2 0.2",
        "0 50 20 10 10",
        "0 0.5 0.5 -0.2 0.2",
        "0 0.5 0.5 0.2 0",
        "0 0.95 0.5 0.3 0.2",
        "0 0.5 y 0.2 0.2",
        "0 0.1 0.2 0.5 0.2 0.5 1.6",
        "0 0.5 0.5 0.2 0.2",
        "",
        "1 0.5 0.5 0.2 0.2 0.9",
    ];
    place.file("labels/train/a.txt", lines.join("\n"));
    place.file("labels/train/b.txt", b"\xff\xfe");
    place.file("labels/train/ghost.txt", "0 0.5 0.5 0.2 0.2");
    place.file("data.yaml", "train: images/train\nnames: [x, y]\n");
    let set = place.open(".").unwrap();
    assert_told(
        &place,
        &set,
        &[
            ["labels/train/a.txt, line 2:", "4 fields", "left out"],
            ["line 3:", "its class is 2", "the classes are 0 to 1"],
            ["line 4:", "its class is 1.5", "left out"],
            ["line 5:", "the class is 'x'", "no number"],
            ["line 6:", "the centre's x is 50", "are these pixels?"],
            ["line 7:", "the width is -0.2", "left out"],
            ["line 8:", "no area", "0 high"],
            ["line 9:", "reaches beyond", "cut off there"],
            ["line 10:", "a place is 'y'", "left out"],
            ["line 11:", "a point of the outline is 1.6", "left out"],
            ["line 12:", "same class and box as line 1", "left out"],
            ["line 14:", "6 fields", "left out"],
            ["labels/train/b.txt", "not UTF-8", "the picture is left out"],
            ["labels/train/ghost.txt", "there is no picture ghost.*", "left out"],
        ],
    );
    for (text, words) in [
        ("train: images/train\n", "has no names"),
        ("train: images/train\nnames: [x]\nnc: 2\n", "nc is 2, but names has 1 class"),
        ("train: images/train\nnames: [x, x]\n", "names has 'x' twice"),
        ("train: images/train\nnames:\n  0: a\n  2: b\n", "names has no 1, but 2"),
        ("train: images/nowhere\nnames: [x]\n", "names images/nowhere, and there is no"),
        ("names: [x]\n", "names no train, val or test"),
        ("what\n", "line 1: expected `key: value`"),
    ] {
        place.file("data.yaml", text);
        let e = place.open(".").unwrap_err().to_string();
        assert!(e.contains(words), "{e}");
    }
}

#[test]
fn nothing_is_said_to_be_nothing() {
    let place = Place::new();
    place.file("readme.md", "x");
    let e = place.open(".").unwrap_err().to_string();
    assert!(e.contains("no boxes found") && e.contains("COCO: FOLDER/annotations"), "{e}");
    assert!(place.open("gone").is_err());
    place.file("Annotations/a.xml", "<annotation></annotation>");
    assert!(place.open(".").unwrap_err().to_string().contains("no pictures in JPEGImages"));
}
