//! What an evaluation of detections leaves for people: a page with curves, what went wrong, and pictures of the worst.

use super::eval::{mistake_name, share};
use crate::figures::thousands;
use crate::page::{Cell, Page, escape};
use crate::plot::{Panel, figure};
use std::path::Path;
use striate_data::{Limits, Picture, data_uri};
use striate_detect::evaluate::coco::CocoScores;
use striate_detect::evaluate::errors::{Error, ErrorAnalysis, Mistake};
use striate_detect::evaluate::voc::{VocClass, VocScores};
use striate_detect::sets::{BoxSet, Part};
use striate_detect::{BoundingBox, Detection, Label, Shape, Warp, draw_boxes};

/// Detections, what they were held against, and what came of it.
pub struct Judged<'a> {
    /// The data set.
    pub set: &'a BoxSet,
    /// The part that is judged by.
    pub part: &'a Part,
    /// The file of the detections.
    pub found: &'a Path,
    /// The detections.
    pub detections: &'a [Detection],
    /// By VOC's measure.
    pub voc: &'a VocScores,
    /// The IoU for that.
    pub iou: f64,
    /// By COCO's.
    pub coco: &'a CocoScores,
    /// What went wrong.
    pub errors: &'a ErrorAnalysis,
    /// Bounds that pictures are held to.
    pub limits: Limits,
}

/// Curves that one plot can hold.
const CURVES: usize = 7;
/// Points of a curve that are drawn.
const POINTS: usize = 200;
/// Pictures of each kind of mistake.
const SHOWN: usize = 6;
/// Pixels on a side of such a picture, and those of them that are around what went wrong.
const SIDE: u32 = 300;
const AROUND: u32 = 80;
const OBJECT: [u8; 3] = [0, 158, 115];
const WRONG: [u8; 3] = [213, 94, 0];

/// The page.
pub fn page(judged: &Judged<'_>) -> String {
    let Judged { set, part, voc, coco, errors, .. } = judged;
    let objects: usize = part.pictures.iter().map(|p| p.objects.len()).sum();
    let mut page = Page::new(&format!("Detections in {}", set.path.display()));
    let (pictures, found) = (part.pictures.len() as u64, judged.detections.len() as u64);
    page.paragraph(&format!(
        "{} detections of {} in the {} pictures of part {}, which have {} objects.",
        thousands(found),
        judged.found.display(),
        thousands(pictures),
        part.name,
        thousands(objects as u64)
    ));
    let tile = |what: &str, value: Option<f64>, remark: &str| (what.to_owned(), share(value), remark.to_owned());
    page.tiles(&[
        tile(&format!("mAP at IoU {}", judged.iou), voc.map, "VOC, area"),
        tile("mAP, 11 points", voc.map11, "VOC 2007"),
        tile("AP", coco.ap, "COCO, IoU 0.50 to 0.95"),
        tile("AP75", coco.ap75, "COCO, IoU 0.75"),
        tile("AR100", coco.ar100, "COCO"),
    ]);
    classes(&mut page, judged);
    page.section("Precision and recall");
    curves(&mut page, judged);
    page.section("What went wrong");
    page.paragraph(
        "Each wrong detection has one mistake, and each object that none of them was meant for is missed (TIDE, Bolya et al. \
         2020). The cost is how much AP at IoU 0.5 would rise if that kind alone were repaired; costs do not add up.",
    );
    let row = |(mistake, count, cost): &(Mistake, usize, f64)| {
        let bar = format!("<span class=\"bar\" style=\"width:{:.0}px\"></span> {cost:.4}", 400.0 * cost);
        vec![
            Cell::text(mistake_name(*mistake)),
            Cell::figure(&thousands(*count as u64), *count as f64),
            Cell::html(bar, *cost),
        ]
    };
    let rows: Vec<Vec<Cell>> = errors.costs.iter().map(row).collect();
    page.table(&["mistake", "number", "cost in AP50"], &rows);
    gallery(&mut page, judged);
    page.finish()
}

fn classes(page: &mut Page, judged: &Judged<'_>) {
    page.section("Classes");
    let figure = |value: Option<f64>| Cell::figure(&share(value), value.unwrap_or(f64::NAN));
    let count = |n: usize| Cell::figure(&thousands(n as u64), n as f64);
    let each = judged.set.classes.iter().zip(&judged.voc.classes).zip(&judged.coco.classes);
    let rows: Vec<Vec<Cell>> = each
        .map(|((name, v), c)| {
            let counts = [Cell::text(name), count(v.objects), count(v.detections)];
            counts.into_iter().chain([v.ap, v.ap11, c.ap, c.ap50, c.ar100].map(figure)).collect()
        })
        .collect();
    let at = format!("AP@{}", judged.iou);
    page.table(&["class", "objects", "detections", &at, "11-point", "COCO AP", "COCO AP50", "AR"], &rows);
}

/// The curves of the classes with the most objects.
fn curves(page: &mut Page, judged: &Judged<'_>) {
    let mut order: Vec<usize> = (0..judged.set.classes.len()).collect();
    order.retain(|&c| judged.voc.classes[c].objects > 0 && !judged.voc.classes[c].curve.is_empty());
    order.sort_by_key(|&c| std::cmp::Reverse(judged.voc.classes[c].objects));
    let left_out = order.len().saturating_sub(CURVES);
    order.truncate(CURVES);
    if order.is_empty() {
        return page.paragraph("No class has objects and detections.");
    }
    let names: Vec<String> = order.iter().map(|&c| judged.set.classes[c].clone()).collect();
    let panel = Panel {
        title: format!("IoU {}", judged.iou),
        x: "recall, %".to_owned(),
        y: "precision, %".to_owned(),
        log: false,
        lines: order.iter().map(|&c| points(&judged.voc.classes[c])).collect(),
    };
    page.figure(&figure("", &names, &[panel]), "precision against recall, class by class");
    if left_out > 0 {
        page.note(&format!("The {CURVES} classes with the most objects; {left_out} others are in the table."));
    }
}

/// A curve in per cent: as many of its points as can be told apart, and always the last.
fn points(class: &VocClass) -> Vec<(f64, f64)> {
    let step = class.curve.len().div_ceil(POINTS).max(1);
    let kept = class.curve.iter().enumerate().filter(|(i, _)| i % step == 0 || i + 1 == class.curve.len());
    kept.map(|(_, point)| (100.0 * point.recall, 100.0 * point.precision)).collect()
}

/// The surest mistakes of each kind, and the largest objects that were missed.
fn gallery(page: &mut Page, judged: &Judged<'_>) {
    for mistake in Mistake::ALL {
        let mut all: Vec<&Error> = judged.errors.errors.iter().filter(|e| e.mistake == mistake).collect();
        if all.is_empty() {
            continue;
        }
        let weight = |e: &Error| match (e.detection, e.object) {
            (Some(detection), _) => judged.detections[detection].score,
            (None, Some(object)) => judged.part.pictures[e.image].objects[object].area(),
            (None, None) => 0.0,
        };
        all.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        page.section(&format!("Mistake: {}", mistake_name(mistake)));
        let mut html = "<div class=\"pictures\">\n".to_owned();
        for error in all.iter().take(SHOWN) {
            html += &card(error, judged);
        }
        page.html(&(html + "</div>"));
        if all.len() > SHOWN {
            let which = if mistake == Mistake::Missed { "largest" } else { "surest" };
            page.note(&format!("The {SHOWN} {which} of {}.", thousands(all.len() as u64)));
        }
    }
    page.note("Green: objects as they are annotated. Orange: the detection that is wrong.");
}

fn card(error: &Error, judged: &Judged<'_>) -> String {
    let picture = &judged.part.pictures[error.image];
    let class = |c: usize| escape(&judged.set.classes[c]);
    let detection = error.detection.map(|d| &judged.detections[d]);
    let object = error.object.map(|o| &picture.objects[o]);
    let said = detection
        .map(|d| format!("found: <b class=\"wrong\">{}</b> {:.2}<br>", class(d.class), d.score))
        .unwrap_or_default();
    let true_one = object.map(|o| format!("object: <b class=\"right\">{}</b>", class(o.class))).unwrap_or_default();
    let overlap = match (detection, object) {
        (Some(d), Some(o)) => format!(", IoU {:.2}", d.bounds.iou(&o.bounds)),
        _ => String::new(),
    };
    let around = around(detection.map(|d| d.bounds), object.map(|o| o.bounds));
    let image = around.and_then(|around| shown(error, judged, &around));
    let image = image.unwrap_or_else(|| "<div class=\"lost\">no picture</div>".to_owned());
    let name = escape(&picture.id);
    format!(
        "<figure>{image}<figcaption>{said}{true_one}{overlap}<br><span class=\"note\">{name}</span></figcaption></figure>\n"
    )
}

/// The box around both.
fn around(a: Option<BoundingBox>, b: Option<BoundingBox>) -> Option<BoundingBox> {
    match (a, b) {
        (Some(a), Some(b)) => {
            let (left, top) = (a.x.min(b.x), a.y.min(b.y));
            Some(BoundingBox::between(left, top, a.right().max(b.right()), a.bottom().max(b.bottom())))
        }
        (a, b) => a.or(b),
    }
}

/// What went wrong and its surroundings, with boxes.
fn shown(error: &Error, judged: &Judged<'_>, around: &BoundingBox) -> Option<String> {
    let annotated = &judged.part.pictures[error.image];
    let picture = striate_data::read(&annotated.path, &judged.limits).ok()?;
    let label = |bounds: BoundingBox, colour: [u8; 3]| Label { bounds, text: String::new(), colour };
    let mut labels: Vec<Label> = annotated.objects.iter().map(|o| label(o.bounds, OBJECT)).collect();
    labels.extend(error.detection.map(|d| label(judged.detections[d].bounds, WRONG)));
    let drawn: Picture = draw_boxes(&picture, &labels);
    let warp = Warp { context: AROUND, shape: Shape::Square, ..Warp::new(SIDE, vec![128; 3]) };
    let cut = warp.cut(&drawn, around).ok()?;
    Some(format!("<img alt=\"\" src=\"{}\">", data_uri("image/jpeg", &cut.to_jpeg(88)?)))
}
