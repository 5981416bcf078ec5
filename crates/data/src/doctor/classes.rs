//! Faults of classes: their sizes, their names, parts that lack them, and properties of files that give them away.

use super::Examined;
use super::fault::Fault;
use super::names;
use super::report::Case;
use crate::data_set::Part;
use crate::error;
use std::collections::BTreeMap;

/// Fewer training images than these are few.
const FEW: usize = 10;
/// A class this many times as large as another is much larger.
const MUCH: usize = 5;
/// A property gives a class away if this share of it has it, and at most the rest of the others.
const TELLING: f64 = 0.95;
/// Classes of fewer readable images are not asked what gives them away.
const ENOUGH: usize = 10;
/// Classes that one message names at most.
const NAMED: usize = 10;

pub(super) fn look(examined: &Examined, note: &mut impl FnMut(Fault, Case)) {
    let survey = &examined.survey;
    let mut counts = BTreeMap::<Part, Vec<usize>>::new();
    for image in &survey.images {
        counts.entry(image.part).or_insert_with(|| vec![0; survey.classes.len()])[image.sample.label as usize] += 1;
    }
    let none = vec![0; survey.classes.len()];
    let train = counts.get(&Part::Train).unwrap_or(&none);
    let name = |class: usize| survey.classes[class].as_str();
    if train.iter().filter(|&&n| n > 0).count() < 2 {
        let found = match train.iter().position(|&n| n > 0) {
            Some(class) => format!("only '{}' has training images", name(class)),
            None => "no class has training images".to_owned(),
        };
        note(Fault::OneClass, Case::about(found));
    }
    for (part, counts) in counts.iter().filter(|(part, _)| **part != Part::Train) {
        let missing: Vec<String> =
            (0..counts.len()).filter(|&c| train[c] > 0 && counts[c] == 0).map(|c| name(c).to_owned()).collect();
        if !missing.is_empty() {
            note(
                Fault::ClassMissing,
                Case::about(format!("no {} images of {}", part.name(), error::quoted(&missing, NAMED))),
            );
        }
    }
    sizes(&survey.classes, train, note);
    unknown(&survey.classes, &counts, train, note);
    let sized: Vec<(String, usize)> =
        (0..train.len()).map(|c| (name(c).to_owned(), counts.values().map(|n| n[c]).sum())).collect();
    for (a, b, why) in names::alike(&sized) {
        let ((a, n), (b, m)) = (&sized[a], &sized[b]);
        note(Fault::ClassNamesAlike, Case::about(format!("'{a}' ({n} images) and '{b}' ({m} images) {why}")));
    }
    tells(examined, note);
}

/// Classes that other parts have and training does not.
fn unknown(
    classes: &[String],
    counts: &BTreeMap<Part, Vec<usize>>,
    train: &[usize],
    note: &mut impl FnMut(Fault, Case),
) {
    let trained = || (0..train.len()).filter(|&c| train[c] > 0).map(|c| classes[c].as_str());
    for class in (0..train.len()).filter(|&c| train[c] == 0) {
        let with = counts.iter().filter(|(_, counts)| counts[class] > 0);
        let elsewhere: Vec<String> =
            with.map(|(part, n)| error::counted(n[class], &format!("{} image", part.name()))).collect();
        if !elsewhere.is_empty() {
            let near = error::near(&classes[class], trained());
            let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
            note(
                Fault::UnknownClass,
                Case::about(format!("'{}' has {}{hint}", classes[class], elsewhere.join(" and "))),
            );
        }
    }
}

/// Few images, and very uneven ones.
fn sizes(classes: &[String], train: &[usize], note: &mut impl FnMut(Fault, Case)) {
    let filled: Vec<usize> = (0..train.len()).filter(|&c| train[c] > 0).collect();
    for &class in filled.iter().filter(|&&c| train[c] < FEW) {
        note(
            Fault::FewImages,
            Case::about(format!("'{}' has {}", classes[class], error::counted(train[class], "training image"))),
        );
    }
    let Some(&most) = filled.iter().rev().max_by_key(|&&c| train[c]) else { return };
    let mut small: Vec<usize> = filled.into_iter().filter(|&c| train[most] >= MUCH * train[c]).collect();
    small.sort_by_key(|&c| train[c]);
    if let Some(&least) = small.first() {
        let named: Vec<String> =
            small.iter().take(NAMED).map(|&c| format!("'{}' has {}", classes[c], train[c])).collect();
        let more = small.len() - named.len();
        let more = if more > 0 { format!(" and {more} more few") } else { String::new() };
        let times = train[most] as f64 / train[least] as f64;
        let (named, largest, n) = (named.join(", "), &classes[most], train[most]);
        note(
            Fault::Imbalance,
            Case::about(format!("{named}{more}; '{largest}' has {n} training images, up to {times:.0} times as many")),
        );
    }
}

/// Properties of files that nearly all images of one class have and nearly none of the others.
fn tells(examined: &Examined, note: &mut impl FnMut(Fault, Case)) {
    let classes = &examined.survey.classes;
    let mut totals = vec![0usize; classes.len()];
    let mut with = BTreeMap::<String, Vec<usize>>::new();
    for (i, image) in examined.images() {
        let class = examined.survey.images[i].sample.label as usize;
        totals[class] += 1;
        let looks = &image.looks;
        let format = image.stored.as_ref().map(|stored| format!("are {} files", stored.format));
        let size = format!("have {}×{} pixels", looks.width, looks.height);
        let grey = looks.grey.then(|| "are grey".to_owned());
        for property in [format, Some(size), grey].into_iter().flatten() {
            with.entry(property).or_insert_with(|| vec![0; classes.len()])[class] += 1;
        }
    }
    let all: usize = totals.iter().sum();
    for (property, with) in with {
        let has: usize = with.iter().sum();
        for class in (0..classes.len()).filter(|&c| totals[c] >= ENOUGH && all - totals[c] >= ENOUGH) {
            let inside = with[class] as f64 / totals[class] as f64;
            let outside = (has - with[class]) as f64 / (all - totals[class]) as f64;
            if inside >= TELLING && outside <= 1.0 - TELLING {
                note(
                    Fault::ClassTell,
                    Case::about(format!(
                        "{:.0} % of '{}' {property}, and {:.0} % of all others",
                        100.0 * inside,
                        classes[class],
                        100.0 * outside
                    )),
                );
            }
        }
    }
}
