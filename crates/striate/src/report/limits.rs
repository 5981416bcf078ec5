//! What an evaluation's figures do and do not say, in plain words. Every sentence follows from the figures by a rule that
//! stands here.

use super::Scored;
use crate::figures::{percent, thousands};
use striate_train::{BINS, ClassScore, wilson};

/// Training images of a class below which it is named as having few.
const FEW: usize = 50;
/// Scored images of a class below which its own figures are not to be relied on.
const FEW_SCORED: u64 = 10;
/// How many times as many images the largest class has, for the set to count as unbalanced.
const UNBALANCED: usize = 5;
/// A difference between how sure and how right a network is, in points of a share, that is worth a sentence.
const OFF: f64 = 0.05;
/// Names that a sentence lists.
const LISTED: usize = 6;

/// What else there is to know beside the scored images.
pub struct Around<'a> {
    /// The classes' names.
    pub classes: &'a [String],
    /// Training images of each class, where they are known.
    pub training: Option<&'a [usize]>,
    /// Whether the epoch was chosen by the scored images.
    pub chosen_by_these: bool,
    /// Whether there is a test score beside.
    pub tested: bool,
    /// Epochs done and planned, where they differ.
    pub unfinished: Option<(u32, u32)>,
}

/// The sentences.
pub fn limits(scored: &Scored, around: &Around<'_>) -> Vec<String> {
    let scores = scored.confusion.scores();
    let all = [
        Some(accuracy(scored)),
        choice(scored, around),
        around.unfinished.map(|(done, planned)| {
            format!(
                "The run ended after {done} of {planned} epochs, so the network may not have learnt all that it could."
            )
        }),
        few_training(around),
        unbalanced(around),
        few_scored(around.classes, &scores),
        weak(scored, around.classes, &scores),
        never_said(around.classes, &scores),
        confused(scored, around.classes, &scores),
        sureness(scored),
        Some(format!(
            "The network takes every picture for one of its {} classes, also one that shows none of them; and what pictures \
             from elsewhere (another camera, another place) bring was not measured.",
            around.classes.len()
        )),
    ];
    all.into_iter().flatten().collect()
}

fn accuracy(scored: &Scored) -> String {
    let (right, all) = (scored.predictions.right() as u64, scored.predictions.images.len() as u64);
    let (low, high) = wilson(right, all);
    format!(
        "The accuracy was measured on {} images; on many more like them it would probably lie between {} and {} (95 % interval).",
        thousands(all),
        percent(low),
        percent(high)
    )
}

fn choice(scored: &Scored, around: &Around<'_>) -> Option<String> {
    if scored.part == "training" {
        return Some(
            "No images were held out: these are the images it was trained on, and new ones will be harder.".into(),
        );
    }
    let beside = if around.tested { "the test score was not" } else { "there is no test part to tell by how much" };
    around
        .chosen_by_these
        .then(|| format!("The best epoch was chosen by these images, which flatters it a little; {beside}."))
}

fn few_training(around: &Around<'_>) -> Option<String> {
    let counts = around.training?;
    let few: Vec<String> = (counts.iter().zip(around.classes).filter(|&(&n, _)| n < FEW))
        .map(|(n, class)| format!("{class} ({n})"))
        .collect();
    listed(&few).map(|names| format!("Fewer than {FEW} training images: {names}."))
}

fn unbalanced(around: &Around<'_>) -> Option<String> {
    let counts = around.training?;
    let largest = (0..counts.len()).min_by_key(|&i| std::cmp::Reverse(counts[i]))?;
    let smallest = (0..counts.len()).filter(|&i| counts[i] > 0).min_by_key(|&i| counts[i])?;
    let (most, least) = (counts[largest], counts[smallest]);
    (most >= UNBALANCED * least).then(|| {
        let (large, small) = (&around.classes[largest], &around.classes[smallest]);
        format!("The classes are unbalanced: {large} has {most} training images, {small} {least}.")
    })
}

fn few_scored(classes: &[String], scores: &[ClassScore]) -> Option<String> {
    let few: Vec<String> = (scores.iter().zip(classes).filter(|(s, _)| s.support < FEW_SCORED))
        .map(|(s, class)| format!("{class} ({})", s.support))
        .collect();
    let names = listed(&few)?;
    Some(format!("Fewer than {FEW_SCORED} images were scored of {names}: figures of such a class say little."))
}

/// Classes whose recall lies below the accuracy with its whole interval. Of many classes some do by chance.
fn weak(scored: &Scored, classes: &[String], scores: &[ClassScore]) -> Option<String> {
    let accuracy = scored.confusion.right() as f64 / scored.confusion.images().max(1) as f64;
    let mut weak: Vec<(f64, &str)> = (scores.iter().zip(classes))
        .filter(|(s, _)| s.support >= FEW_SCORED && wilson(s.right, s.support).1 < accuracy)
        .map(|(s, class)| (s.recall().unwrap_or(0.0), class.as_str()))
        .collect();
    weak.sort_by(|a, b| a.0.total_cmp(&b.0));
    let named: Vec<String> = weak.iter().map(|(recall, class)| format!("{class} ({})", percent(*recall))).collect();
    listed(&named).map(|names| {
        format!("Recognised less often than the rest (their 95 % intervals lie below the accuracy): {names}.")
    })
}

fn never_said(classes: &[String], scores: &[ClassScore]) -> Option<String> {
    let never: Vec<String> =
        scores.iter().zip(classes).filter(|(s, _)| s.predicted == 0 && s.support > 0).map(|(_, c)| c.clone()).collect();
    listed(&never).map(|names| format!("Never given as an answer: {names}."))
}

/// Pairs in which a tenth of a class or more, and three images at least, were taken for another.
fn confused(scored: &Scored, classes: &[String], scores: &[ClassScore]) -> Option<String> {
    let often = |m: &striate_train::Mistaken| m.images >= 3 && 10 * m.images >= scores[m.truth].support;
    let pairs: Vec<String> = (scored.confusion.mistakes().iter().filter(|m| often(m)))
        .map(|m| {
            let (truth, prediction) = (&classes[m.truth], &classes[m.prediction]);
            format!("{truth} for {prediction} ({} of {})", m.images, scores[m.truth].support)
        })
        .collect();
    listed(&pairs).map(|names| format!("Often taken for another: {names}."))
}

fn sureness(scored: &Scored) -> Option<String> {
    let c = scored.predictions.calibration(BINS);
    let (sure, right) = (percent(c.confidence), percent(c.accuracy));
    match c.confidence - c.accuracy {
        gap if gap > OFF => Some(format!(
            "Its probabilities are too high: {sure} on average, where {right} were right. Do not take them at their word."
        )),
        gap if gap < -OFF => {
            Some(format!("Its probabilities are too low: {sure} on average, where {right} were right."))
        }
        _ => None,
    }
}

/// Names in a row, the first few; `None` without any.
fn listed(names: &[String]) -> Option<String> {
    let more = names.len().saturating_sub(LISTED);
    let first = names[..names.len() - more].join(", ");
    match (names.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(first),
        (false, more) => Some(format!("{first} and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_train::Predictions;

    /// So many images of each class, of which so many are right, the others taken for the next class; all said with this logit.
    fn scored(part: &'static str, classes: &[(usize, usize)], logit: f32) -> Scored {
        let n = classes.len();
        let mut predictions = Predictions::new(n);
        for (class, &(images, right)) in classes.iter().enumerate() {
            for i in 0..images {
                let said = if i < right { class } else { (class + 1) % n };
                let row: Vec<f32> = (0..n).map(|c| if c == said { logit } else { 0.0 }).collect();
                predictions.add(&row, &[class as u32], &[i]);
            }
        }
        let confusion = predictions.confusion();
        Scored { part, predictions, confusion, files: super::super::Files::Names(Vec::new()), unreadable: 0 }
    }

    fn names(n: usize) -> Vec<String> {
        ["ant", "bee", "fly", "moth"][..n].iter().map(ToString::to_string).collect()
    }

    fn around<'a>(classes: &'a [String], training: &'a [usize]) -> Around<'a> {
        Around { classes, training: Some(training), chosen_by_these: false, tested: false, unfinished: None }
    }

    #[test]
    fn a_good_result_has_little_to_be_said() {
        let classes = names(2);
        let said = limits(&scored("test", &[(100, 99), (100, 99)], 4.6), &around(&classes, &[500, 400]));
        // Wilson's interval of 198 of 200.
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("200 images") && said[0].contains("between 96.43 % and 99.73 %"), "{}", said[0]);
        assert!(said[1].contains("one of its 2 classes"), "{}", said[1]);
    }

    #[test]
    fn every_weakness_is_named() {
        let classes = names(4);
        let s = scored("validation", &[(100, 98), (40, 10), (5, 5), (12, 0)], 9.0);
        let given =
            Around { chosen_by_these: true, unfinished: Some((3, 10)), ..around(&classes, &[600, 45, 600, 600]) };
        let said = limits(&s, &given).join("\n");
        for text in [
            "chosen by these images, which flatters it a little; there is no test part",
            "after 3 of 10 epochs",
            "Fewer than 50 training images: bee (45).",
            "ant has 600 training images, bee 45",
            "Fewer than 10 images were scored of fly (5)",
            "below the accuracy): moth (0.00 %), bee (25.00 %).",
            "Never given as an answer: moth.",
            "bee for fly (30 of 40), moth for ant (12 of 12)",
            "too high",
        ] {
            assert!(said.contains(text), "nothing says `{text}` in:\n{said}");
        }
        let tested = limits(&s, &Around { tested: true, ..given }).join("\n");
        assert!(tested.contains("the test score was not"), "{tested}");
    }

    #[test]
    fn training_images_are_no_test() {
        let classes = names(2);
        let said = limits(&scored("training", &[(60, 60), (60, 60)], 0.4), &around(&classes, &[60, 60])).join("\n");
        assert!(said.contains("the images it was trained on") && said.contains("too low"), "{said}");
    }

    #[test]
    fn long_lists_are_cut() {
        let all: Vec<String> = (0..9).map(|i| i.to_string()).collect();
        assert_eq!(listed(&all).unwrap(), "0, 1, 2, 3, 4, 5 and 3 more");
        assert_eq!(listed(&[]), None);
    }
}
