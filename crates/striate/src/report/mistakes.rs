//! The most confident mistakes, with their pictures.

use super::Scored;
use crate::figures::percent;
use crate::page::{Page, escape};
use striate_data::{Limits, Picture, data_uri};
use striate_train::Prediction;

/// Mistakes that are shown.
const SHOWN: usize = 24;
/// The longest side of a picture in the page, in pixels, and its quality as a JPEG.
const SIDE: u32 = 300;
const QUALITY: u8 = 85;
/// Pictures of at most this side are shown with their pixels.
const SMALL: u32 = 64;

/// Shows them; a picture that cannot be read is replaced by a word.
pub fn gallery(page: &mut Page, scored: &Scored, classes: &[String], limits: Limits) {
    let wrong = scored.predictions.confident_mistakes();
    if wrong.is_empty() {
        return page.paragraph("Every image was recognised.");
    }
    let mut html = "<div class=\"pictures\">\n".to_owned();
    for p in wrong.iter().take(SHOWN) {
        html += &card(p, scored, classes, limits);
    }
    page.html(&(html + "</div>"));
    if wrong.len() > SHOWN {
        page.note(&format!(
            "{SHOWN} of {} mistakes. A run's predictions.csv lists all images, as `striate eval --predictions` does.",
            wrong.len()
        ));
    }
}

fn card(p: &Prediction, scored: &Scored, classes: &[String], limits: Limits) -> String {
    let image = scored.picture(p, limits).and_then(|picture| img(&picture));
    let class = |i: u32| classes.get(i as usize).map(|c| escape(c)).unwrap_or_default();
    let share = |p: f32| percent(f64::from(p));
    format!(
        "<figure>{}<figcaption>true: <b class=\"right\">{}</b> {}<br>taken for: <b class=\"wrong\">{}</b> {}<br><span \
         class=\"note\">{}</span></figcaption></figure>\n",
        image.unwrap_or_else(|| "<div class=\"lost\">no picture</div>".into()),
        class(p.label),
        share(p.own),
        class(p.predicted()),
        share(p.confidence()),
        escape(&scored.name(p)),
    )
}

fn img(picture: &Picture) -> Option<String> {
    let small = picture.width.max(picture.height) <= SMALL;
    let jpeg = picture.shrunk(SIDE).to_jpeg(if small { 95 } else { QUALITY })?;
    let class = if small { " class=\"pixels\"" } else { "" };
    Some(format!("<img{class} alt=\"\" src=\"{}\">", data_uri("image/jpeg", &jpeg)))
}
