//! A data set that is split: where each image went, and how well every class kept its share.

use crate::data_set::Part;
use crate::error::{self, LeftOut};
use std::collections::HashSet;
use std::path::PathBuf;

/// A data set that is split.
#[derive(Clone, Debug)]
pub struct Splitting {
    /// The classes' names; [`SplitImage::label`] is an index into them.
    pub classes: Vec<String>,
    /// Where images went; [`SplitImage::place`] is an index into them. Each has an image at least.
    pub places: Vec<Portion>,
    /// The images in the order of their paths.
    pub images: Vec<SplitImage>,
    /// What a person should know, a sentence each.
    pub warnings: Vec<String>,
    /// Images that could not be read.
    pub left_out: Vec<LeftOut>,
}

/// A part or a fold.
#[derive(Clone, Debug, PartialEq)]
pub struct Portion {
    /// `train`, `val`, `test` or `fold 1`.
    pub name: String,
    /// What it is for. Of folds, the first is the validation part.
    pub part: Part,
    /// Its number, for a fold; the first is 1.
    pub fold: Option<u32>,
    /// The share of the images divided that was wished for it; `None` for a test part that the source had.
    pub share: Option<f64>,
}

/// One image of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitImage {
    /// Its file.
    pub file: PathBuf,
    /// Its class.
    pub label: u32,
    /// Where it went.
    pub place: usize,
    /// The number of its group; images of one group are in one place.
    pub group: usize,
    /// The name of its group; empty for an image that belongs together with no other and whose group was not named.
    pub group_name: String,
    /// Its content's SHA-256.
    pub content: [u8; 32],
}

/// A class is worth a warning where the share of it that a place got is farther than this from the wished one.
const FAR: f64 = 0.05;
/// The most such warnings.
const WARNED: usize = 5;

impl Splitting {
    /// Images of each class in each place: `[place][class]`.
    pub fn counts(&self) -> Vec<Vec<usize>> {
        let mut counts = vec![vec![0; self.classes.len()]; self.places.len()];
        for image in &self.images {
            counts[image.place][image.label as usize] += 1;
        }
        counts
    }

    /// How many groups each place has.
    pub fn groups(&self) -> Vec<usize> {
        let mut groups = vec![HashSet::new(); self.places.len()];
        for image in &self.images {
            groups[image.place].insert(image.group);
        }
        groups.iter().map(HashSet::len).collect()
    }

    /// For each place, how far the share of a class among its images is from that among all divided images, at most, and
    /// the class; `None` for a test part that the source had.
    pub fn off(&self) -> Vec<Option<(f64, usize)>> {
        let (counts, sizes) = (self.counts(), self.sizes());
        let share = |n: usize, all: usize| n as f64 / all.max(1) as f64;
        let all: usize = sizes.iter().sum();
        let of_place = |(place, counts): (&Portion, &Vec<usize>)| {
            place.share?;
            let images: usize = counts.iter().sum();
            let off = |class: usize| (share(counts[class], images) - share(sizes[class], all)).abs();
            (0..sizes.len()).map(|class| (off(class), class)).max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
        };
        self.places.iter().zip(&counts).map(of_place).collect()
    }

    /// The images of each class that were divided.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.classes.len()];
        let divided = self.images.iter().filter(|image| self.places[image.place].share.is_some());
        divided.for_each(|image| sizes[image.label as usize] += 1);
        sizes
    }

    /// Adds what is to be said of classes that could not be given their shares.
    pub(super) fn with_warnings(mut self) -> Self {
        let too_few = self.classes_of_too_few_groups();
        let far = self.classes_far_off(&too_few);
        let places = self.places.iter().filter(|place| place.share.is_some()).count();
        let what = if self.places.iter().any(|place| place.fold.is_some()) { "folds" } else { "parts" };
        if !too_few.is_empty() {
            let names: Vec<String> = too_few.iter().map(|&class| self.classes[class].clone()).collect();
            self.warnings.push(format!(
                "{} in fewer groups than there are {what} ({places}), so some {what} have no image of {}: {}",
                if names.len() == 1 { "1 class comes".to_owned() } else { format!("{} classes come", names.len()) },
                if names.len() == 1 { "it" } else { "them" },
                error::quoted(&names, 10)
            ));
        }
        self.warnings.extend(far);
        self
    }

    fn classes_of_too_few_groups(&self) -> Vec<usize> {
        let places = self.places.iter().filter(|place| place.share.is_some()).count();
        let mut groups = vec![HashSet::new(); self.classes.len()];
        for image in self.images.iter().filter(|image| self.places[image.place].share.is_some()) {
            groups[image.label as usize].insert(image.group);
        }
        (0..groups.len()).filter(|&class| (1..places).contains(&groups[class].len())).collect()
    }

    /// What to say of classes of which some place got far more or less than its share, the farthest first.
    fn classes_far_off(&self, but: &[usize]) -> Vec<String> {
        let (counts, sizes) = (self.counts(), self.sizes());
        let mut far: Vec<(f64, usize, usize)> = Vec::new();
        for class in (0..sizes.len()).filter(|class| sizes[*class] > 0 && !but.contains(class)) {
            let off = |(place, share): (usize, f64)| {
                let images = counts[place][class] as f64 - share * sizes[class] as f64;
                (images.abs() >= 1.0).then_some((images.abs() / sizes[class] as f64, place, class))
            };
            let shares = self.places.iter().enumerate().filter_map(|(place, p)| Some((place, p.share?)));
            far.extend(shares.filter_map(off).max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(off, ..)| *off > FAR));
        }
        far.sort_by(|a, b| b.0.total_cmp(&a.0));
        let said = |&(_, place, class): &(f64, usize, usize)| {
            let (got, share) = (counts[place][class] as f64 / sizes[class] as f64, self.places[place].share);
            let (name, class) = (&self.places[place].name, &self.classes[class]);
            let (got, wished) = (100.0 * got, 100.0 * share.unwrap_or(0.0));
            format!(
                "{name} has {got:.1} % of class '{class}' instead of {wished:.1} %: its groups do not divide better"
            )
        };
        let mut warnings: Vec<String> = far.iter().take(WARNED).map(said).collect();
        if far.len() > WARNED {
            warnings.push(format!("the same is so of {} more classes", far.len() - WARNED));
        }
        warnings
    }
}
