//! One finding of the page, with pictures: single ones in rows, copies side by side.

use crate::figures::thousands;
use crate::page::escape;
use crate::progress::Bar;
use std::collections::BTreeMap;
use striate_data::{Case, Fault, Finding, Place, Report, Thumbnail, data_uri};

/// The longer side of thumbnails, twice what is shown on ordinary screens.
const SIDE: u32 = 240;
/// Pictures up to this size are enlarged, with square pixels.
const SMALL: u32 = 48;
/// Members of a group that are shown.
const MEMBERS: usize = 6;

/// The thumbnails of a page by the images' indices, each made once; `None` of what cannot be shown.
pub struct Pictures(BTreeMap<usize, Option<Thumbnail>>);

impl Pictures {
    /// Of all images that a page with so many examples shows.
    pub fn of(report: &Report, examples: usize, workers: usize, bar: &Bar) -> Pictures {
        let cases = report.findings.iter().flat_map(|finding| finding.cases.iter().take(examples));
        let places = cases.flat_map(|case| case.places.iter().take(MEMBERS));
        let mut images: Vec<usize> = places.filter_map(|place| place.image).collect();
        images.sort_unstable();
        images.dedup();
        let thumbnails = report.thumbnails(&images, SIDE, workers, bar);
        Pictures(images.into_iter().zip(thumbnails).collect())
    }
}

/// A finding with up to `examples` cases.
pub fn section(finding: &Finding, pictures: &Pictures, examples: usize) -> String {
    let (fault, n) = (finding.fault, finding.cases.len());
    let severity = fault.severity().name();
    let shown = &finding.cases[..n.min(examples)];
    let (listed, pictured): (Vec<&Case>, Vec<&Case>) =
        shown.iter().partition(|case| case.places.iter().all(|place| place.image.is_none()));
    let mut body = String::new();
    if !pictured.is_empty() {
        let cases: String = pictured.iter().map(|case| pictured_case(case, fault, pictures)).collect();
        body.push_str(&format!("<div class=\"cases\">\n{cases}</div>\n"));
    }
    if !listed.is_empty() {
        let item = |case: &&Case| format!("<li>{}</li>\n", listed_case(case));
        let items = listed.iter().map(item).collect::<Vec<_>>().concat();
        body.push_str(&format!("<ul class=\"files\">\n{items}</ul>\n"));
    }
    if n > shown.len() {
        let more = thousands((n - shown.len()) as u64);
        body.push_str(&format!("<p class=\"soft\">… and {more} more; --json lists all</p>\n"));
    }
    format!(
        "<section class=\"card\" id=\"{code}\">\n<h2><span class=\"badge {severity}\">{severity}</span> {}: {} <code>{code}</code></h2>\n\
         <p class=\"soft\">{}</p>\n{body}</section>\n",
        thousands(n as u64),
        escape(fault.title()),
        escape(fault.remedy()),
        code = fault.code(),
    )
}

fn pictured_case(case: &Case, fault: Fault, pictures: &Pictures) -> String {
    if let [place] = case.places.as_slice() {
        return figure(place, &case.detail, fault, pictures);
    }
    let figures: String = case.places.iter().take(MEMBERS).map(|place| figure(place, "", fault, pictures)).collect();
    let more = match case.places.len().saturating_sub(MEMBERS) {
        0 => String::new(),
        n => format!("<p class=\"soft\">and {} more</p>", thousands(n as u64)),
    };
    let detail =
        if case.detail.is_empty() { String::new() } else { format!("<p class=\"soft\">{}</p>", escape(&case.detail)) };
    format!("<div class=\"group\"><div class=\"row\">\n{figures}</div>{more}{detail}</div>\n")
}

fn figure(place: &Place, detail: &str, fault: Fault, pictures: &Pictures) -> String {
    let thumbnail = place.image.and_then(|image| pictures.0.get(&image)?.as_ref());
    let path = escape(&place.path);
    let frame = match thumbnail {
        Some(Thumbnail { width, height, jpeg }) => {
            let small = if *width.max(height) <= SMALL { " class=\"small\"" } else { "" };
            format!("<div class=\"frame\"><img{small} src=\"{}\" alt=\"{path}\"></div>", data_uri("image/jpeg", jpeg))
        }
        None => "<div class=\"frame none\">cannot be shown</div>".to_owned(),
    };
    let out = place.excess && fault.is_excluded();
    let (class, tag) =
        if out { (" class=\"out\"", "<br><span class=\"tag\">left out by --clean</span>") } else { ("", "") };
    let detail =
        if detail.is_empty() { String::new() } else { format!("<br><span class=\"soft\">{}</span>", escape(detail)) };
    format!("<figure{class}>{frame}<figcaption>{path}{detail}{tag}</figcaption></figure>\n")
}

/// A case without pictures.
fn listed_case(case: &Case) -> String {
    let paths: Vec<String> = case.places.iter().map(|place| escape(&place.path)).collect();
    match (paths.join(", "), escape(&case.detail)) {
        (paths, detail) if paths.is_empty() => detail,
        (paths, detail) if detail.is_empty() => paths,
        (paths, detail) => format!("{paths} <span class=\"soft\">{detail}</span>"),
    }
}
