//! The figures of a report.

use super::report::{ClassCount, Figures, Finding, Report};
use super::{Examined, survey};
use crate::decode::Limits;
use std::collections::BTreeMap;

pub(super) fn report(examined: Examined, findings: Vec<Finding>, limits: Limits) -> Report {
    let figures = figures(&examined);
    let survey::Survey { name, has_parts, classes, images, .. } = examined.survey;
    let mut parts: Vec<_> = images.iter().map(|image| image.part).collect();
    parts.sort_unstable();
    parts.dedup();
    let mut counts = vec![vec![0; parts.len()]; classes.len()];
    for image in &images {
        if let Ok(part) = parts.binary_search(&image.part) {
            counts[image.sample.label as usize][part] += 1;
        }
    }
    Report {
        name,
        parts: parts.iter().map(|part| if has_parts { part.name() } else { "" }).collect(),
        classes: classes.into_iter().zip(counts).map(|(name, images)| ClassCount { name, images }).collect(),
        figures,
        findings,
        samples: images.into_iter().map(|image| image.sample).collect(),
        limits,
    }
}

fn figures(examined: &Examined) -> Figures {
    let mut formats = BTreeMap::<&'static str, usize>::new();
    let (mut grey, mut widths, mut heights) = (0, Vec::new(), Vec::new());
    for (_, image) in examined.images() {
        *formats.entry(image.stored.as_ref().map_or("in memory", |stored| stored.format)).or_default() += 1;
        grey += usize::from(image.looks.grey);
        widths.push(image.looks.width);
        heights.push(image.looks.height);
    }
    let readable = widths.len();
    let mut formats: Vec<_> = formats.into_iter().collect();
    formats.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    Figures {
        images: examined.records.len(),
        readable,
        bytes: examined.records.iter().map(|record| record.bytes).sum(),
        passed_over: examined.survey.passed_over,
        formats,
        grey,
        widths: spread(widths),
        heights: spread(heights),
    }
}

/// The least, the median and the largest.
fn spread(mut sizes: Vec<u32>) -> [u32; 3] {
    sizes.sort_unstable();
    match sizes.as_slice() {
        [] => [0; 3],
        [least, ..] => [*least, sizes[sizes.len() / 2], sizes[sizes.len() - 1]],
    }
}
