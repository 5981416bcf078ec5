//! Data sets of boxes as VOC's, COCO's or YOLO's files. Files are written whole or not at all.

use super::convert::{PictureFiles, Placed};
use super::{BoxSet, Format};
use crate::detection::Object;
use crate::error::DetectError;
use quick_xml::escape::escape;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// Writes a file whole or not at all, and the folder it is in.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DetectError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(DetectError::io(folder, "making the folder"))?;
    }
    Ok(striate_weights::write_atomic(path, |out| out.write_all(bytes))?)
}

/// The folder of a part's pictures, below the data set's.
pub(super) fn picture_folder(format: Format, part: &str) -> String {
    match format {
        Format::Voc => "JPEGImages".to_owned(),
        Format::Coco | Format::Yolo => format!("images/{part}"),
    }
}

/// Writes all annotations. `placed` has the pictures' new names, part by part.
pub(super) fn annotations(
    set: &BoxSet,
    format: Format,
    out: &Path,
    placed: &[Vec<Placed>],
    pictures: PictureFiles,
) -> Result<(), DetectError> {
    match format {
        Format::Voc => voc(set, out, placed),
        Format::Coco => coco(set, out, placed),
        Format::Yolo => yolo(set, out, placed, pictures),
    }
}

fn voc(set: &BoxSet, out: &Path, placed: &[Vec<Placed>]) -> Result<(), DetectError> {
    for (part, placed) in set.parts.iter().zip(placed) {
        let mut list = String::new();
        for (picture, Placed { file, stem }) in part.pictures.iter().zip(placed) {
            list.push_str(stem);
            list.push('\n');
            let mut text = format!(
                "<annotation>\n  <folder>JPEGImages</folder>\n  <filename>{}</filename>\n  <size>\n    \
                 <width>{}</width>\n    <height>{}</height>\n    <depth>3</depth>\n  </size>\n",
                escape(file.as_str()),
                picture.width,
                picture.height
            );
            for object in &picture.objects {
                voc_object(&mut text, object, &set.classes[object.class]);
            }
            text.push_str("</annotation>\n");
            write_whole(&out.join("Annotations").join(format!("{stem}.xml")), text.as_bytes())?;
        }
        // A single part without a name needs no list.
        if part.name != "all" {
            write_whole(&out.join("ImageSets/Main").join(format!("{}.txt", part.name)), list.as_bytes())?;
        }
    }
    Ok(())
}

fn voc_object(text: &mut String, object: &Object, class: &str) {
    let b = &object.bounds;
    // A crowd counts neither way, which VOC calls difficult.
    let difficult = u8::from(!object.counts());
    let _ = write!(
        text,
        "  <object>\n    <name>{}</name>\n    <difficult>{difficult}</difficult>\n    <bndbox>\n      \
         <xmin>{}</xmin>\n      <ymin>{}</ymin>\n      <xmax>{}</xmax>\n      <ymax>{}</ymax>\n    \
         </bndbox>\n  </object>\n",
        escape(class),
        b.x + 1.0,
        b.y + 1.0,
        b.right(),
        b.bottom()
    );
}

fn coco(set: &BoxSet, out: &Path, placed: &[Vec<Placed>]) -> Result<(), DetectError> {
    let categories: Vec<Value> =
        set.class_numbers.iter().zip(&set.classes).map(|(id, name)| json!({ "id": id, "name": name })).collect();
    let mut number = 0u64;
    for (part, placed) in set.parts.iter().zip(placed) {
        let (mut images, mut annotations) = (Vec::new(), Vec::new());
        for (picture, Placed { file, .. }) in part.pictures.iter().zip(placed) {
            let (id, width, height) = (picture.number, picture.width, picture.height);
            images.push(json!({ "id": id, "file_name": file, "width": width, "height": height }));
            for object in &picture.objects {
                number += 1;
                let b = &object.bounds;
                let mut fields = Map::new();
                fields.insert("id".to_owned(), json!(number));
                fields.insert("image_id".to_owned(), json!(id));
                fields.insert("category_id".to_owned(), json!(set.class_numbers[object.class]));
                fields.insert("bbox".to_owned(), json!([b.x, b.y, b.width, b.height]));
                fields.insert("area".to_owned(), json!(object.area()));
                fields.insert("iscrowd".to_owned(), json!(u8::from(object.crowd)));
                if object.difficult {
                    fields.insert("ignore".to_owned(), json!(1));
                }
                annotations.push(Value::Object(fields));
            }
        }
        let document = json!({ "images": images, "annotations": annotations, "categories": categories });
        let file = out.join("annotations").join(format!("instances_{}.json", part.name));
        write_whole(&file, document.to_string().as_bytes())?;
    }
    Ok(())
}

fn yolo(set: &BoxSet, out: &Path, placed: &[Vec<Placed>], pictures: PictureFiles) -> Result<(), DetectError> {
    let mut data = String::new();
    for (part, placed) in set.parts.iter().zip(placed) {
        let name = if part.name == "all" { "train" } else { &part.name };
        let _ = writeln!(data, "{name}: images/{}", part.name);
        // So that the folder that data.yaml names is there.
        if pictures == PictureFiles::LeaveOut {
            let folder = out.join("images").join(&part.name);
            std::fs::create_dir_all(&folder).map_err(DetectError::io(&folder, "making the folder"))?;
        }
        for (picture, Placed { stem, .. }) in part.pictures.iter().zip(placed) {
            let mut text = String::new();
            let (w, h) = (f64::from(picture.width), f64::from(picture.height));
            for object in picture.objects.iter().filter(|o| !o.crowd) {
                let b = &object.bounds;
                let (x, y) = ((b.x + b.width / 2.0) / w, (b.y + b.height / 2.0) / h);
                let _ = writeln!(text, "{} {x} {y} {} {}", object.class, b.width / w, b.height / h);
            }
            write_whole(&out.join("labels").join(&part.name).join(format!("{stem}.txt")), text.as_bytes())?;
        }
    }
    let _ = writeln!(data, "\nnc: {}\nnames:", set.classes.len());
    for (number, name) in set.classes.iter().enumerate() {
        // Names may hold anything; quotes inside are what the other kind is for.
        let quote = if name.contains('"') { '\'' } else { '"' };
        let _ = writeln!(data, "  {number}: {quote}{name}{quote}");
    }
    write_whole(&out.join("data.yaml"), data.as_bytes())
}
