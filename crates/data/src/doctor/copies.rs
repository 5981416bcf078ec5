//! The same picture more than once: byte for byte (SHA-256), or nearly so by what it looks like.

use super::Examined;
use super::fault::Fault;
use super::near::{self, Pair};
use super::record::Record;
use super::report::{Case, Place};
use std::collections::BTreeMap;

pub(super) fn look(examined: &Examined, note: &mut impl FnMut(Fault, Case)) {
    let contents = by_content(&examined.records);
    let exact = Faults { conflict: Fault::LabelConflict, leak: Fault::Leak, within: Fault::Duplicate };
    for group in contents.iter().filter(|group| group.len() > 1) {
        exact.note(examined, group, "", note);
    }
    let near = Faults { conflict: Fault::NearConflict, leak: Fault::NearLeak, within: Fault::NearDuplicate };
    for (group, pairs) in by_looks(&examined.records, &contents) {
        near.note(examined, &group, &describe(&pairs), note);
    }
}

/// Readable images grouped by their content, each group in order and by its first; most have one member.
pub(super) fn by_content(records: &[Record]) -> Vec<Vec<usize>> {
    let mut contents = BTreeMap::<[u8; 32], Vec<usize>>::new();
    for (i, record) in records.iter().enumerate() {
        if let Ok(image) = &record.image {
            contents.entry(image.content).or_default().push(i);
        }
    }
    let mut groups: Vec<Vec<usize>> = contents.into_values().collect();
    groups.sort_unstable();
    groups
}

/// Groups by content joined where they look almost alike, only those that were joined, each in order. Blank pictures, which
/// all look alike, are left out.
pub(super) fn by_looks(records: &[Record], contents: &[Vec<usize>]) -> Vec<(Vec<usize>, Vec<Pair>)> {
    let looks = contents.iter().filter_map(|group| Some(&records[group[0]].image.as_ref().ok()?.looks));
    let (contents, looks): (Vec<_>, Vec<_>) = contents.iter().zip(looks).filter(|(_, looks)| !looks.is_blank()).unzip();
    let whole = |(members, pairs): (Vec<usize>, Vec<Pair>)| {
        let mut group: Vec<usize> = members.iter().flat_map(|&i| contents[i].iter().copied()).collect();
        group.sort_unstable();
        (group, pairs)
    };
    near::groups(&looks).into_iter().map(whole).collect()
}

/// How alike the pairs of a group are.
fn describe(pairs: &[Pair]) -> String {
    let least = pairs.iter().map(|pair| pair.correlation).fold(1.0, f32::min);
    let mirrored = if pairs.iter().any(|pair| pair.mirrored) { ", mirrored" } else { "" };
    format!("correlation of {least:.3}{mirrored}")
}

/// What a group of copies is, depending on where they lie.
struct Faults {
    conflict: Fault,
    leak: Fault,
    within: Fault,
}

impl Faults {
    /// Notes a group whose members lie in several classes, or in several parts, or both, or neither.
    fn note(&self, examined: &Examined, group: &[usize], detail: &str, note: &mut impl FnMut(Fault, Case)) {
        let images = &examined.survey.images;
        let several = |differ: &dyn Fn(usize) -> bool| group.iter().any(|&i| differ(i));
        let conflict = several(&|i| images[i].sample.label != images[group[0]].sample.label);
        let leak = several(&|i| images[i].part != images[group[0]].part);
        let case = |excess: &dyn Fn(usize) -> bool| {
            let places: Vec<Place> = group.iter().map(|&i| examined.survey.place(i, excess(i))).collect();
            Case { detail: detail.to_owned(), places }
        };
        if conflict {
            note(self.conflict, case(&|_| true));
        }
        if leak {
            // One stays in the part that is held out the most: results there are what counts.
            let held_out = group.iter().map(|&i| images[i].part).max();
            let stays = group.iter().copied().find(|&i| Some(images[i].part) == held_out);
            note(self.leak, case(&|i| Some(i) != stays));
        }
        if !conflict && !leak {
            note(self.within, case(&|i| i != group[0]));
        }
    }
}
