//! The table of classes and the list of the largest confusions.

use super::Scored;
use crate::figures::{percent, thousands};
use crate::page::{Cell, Page};
use striate_train::wilson;

/// Pairs that are listed.
const PAIRS: usize = 15;

/// A row a class: images, precision, recall with its interval, F1, and what it is most often taken for.
pub fn table(page: &mut Page, scored: &Scored, classes: &[String], training: Option<&[usize]>) {
    let scores = scored.confusion.scores();
    let share = |s: Option<f64>| Cell::figure(&s.map_or("–".into(), percent), s.unwrap_or(f64::NAN));
    let count = |n: u64| Cell::figure(&thousands(n), n as f64);
    let mut rows = Vec::new();
    for (i, (class, s)) in classes.iter().zip(&scores).enumerate() {
        let (low, high) = wilson(s.right, s.support);
        let interval = if s.support > 0 { format!("{} – {}", percent(low), percent(high)) } else { "–".into() };
        let bar = format!("<span class=\"bar\" style=\"width:{:.0}px\"></span>", 60.0 * s.recall().unwrap_or(0.0));
        let wrong = scored.confusion.row(i).iter().enumerate().filter(|&(j, &n)| j != i && n > 0);
        let most = wrong.max_by_key(|&(j, &n)| (n, usize::MAX - j));
        let taken_for = most.map(|(j, n)| format!("{} ({n})", classes[j])).unwrap_or_default();
        let mut row = vec![Cell::text(class)];
        row.extend(training.map(|t| count(t[i] as u64)));
        row.extend([count(s.support), share(s.precision()), share(s.recall())]);
        row.push(Cell::html(bar, s.recall().unwrap_or(f64::NAN)));
        row.extend([Cell::text(&interval), share(s.f1()), Cell::text(&taken_for)]);
        rows.push(row);
    }
    let mut header = vec!["class"];
    header.extend(training.map(|_| "training images"));
    header.extend(["images", "precision", "recall", "", "95 % interval", "F1", "most often taken for"]);
    page.table(&header, &rows);
    let (m, w) = (scored.confusion.macro_means(), scored.confusion.weighted_means());
    page.note(&format!(
        "Means over classes: precision {}, recall {}, F1 {}; weighted by images: {}, {}, {}.",
        percent(m.precision),
        percent(m.recall),
        percent(m.f1),
        percent(w.precision),
        percent(w.recall),
        percent(w.f1)
    ));
}

/// The most frequent confusions.
pub fn confusions(page: &mut Page, scored: &Scored, classes: &[String]) {
    let scores = scored.confusion.scores();
    let mistakes = scored.confusion.mistakes();
    if mistakes.is_empty() {
        return page.paragraph("No image was taken for another class.");
    }
    let row = |m: &striate_train::Mistaken| {
        let share = m.images as f64 / scores[m.truth].support as f64;
        vec![
            Cell::text(&classes[m.truth]),
            Cell::text(&classes[m.prediction]),
            Cell::figure(&thousands(m.images), m.images as f64),
            Cell::figure(&percent(share), share),
        ]
    };
    let rows: Vec<_> = mistakes.iter().take(PAIRS).map(row).collect();
    page.table(&["true class", "taken for", "images", "of the class"], &rows);
    if mistakes.len() > PAIRS {
        page.note(&format!("The {PAIRS} largest of {} kinds of confusion.", mistakes.len()));
    }
}
