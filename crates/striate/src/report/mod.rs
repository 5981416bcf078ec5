//! What a run or an evaluation leaves for people: a page (`report.html`) and a model card. Both tell of the same subject.

mod about;
mod calibrated;
mod card;
mod classes;
mod curves;
mod facts;
mod heat_map;
mod limits;
mod mistakes;
mod reliability;

pub use about::About;
pub use calibrated::in_words;
pub use card::card;

use crate::figures::{bytes, duration, percent, thousands};
use crate::page::Page;
use limits::{Around, limits};
use std::path::Path;
use std::sync::Arc;
use striate_data::{DataSet, Limits, Picture, Split};
use striate_train::{BINS, Confusion, KEPT, Prediction, Predictions, Run, Score, wilson};

/// Images that were scored.
pub struct Scored {
    /// Which they are: validation, training, test, all.
    pub part: &'static str,
    /// What the network made of each.
    pub predictions: Predictions,
    /// True against predicted classes.
    pub confusion: Confusion,
    /// Where they are.
    pub files: Files,
    /// Images that could not be read and are not counted.
    pub unreadable: usize,
}

/// Where scored images are.
pub enum Files {
    /// In a part of a data set; their names are told without the set's folder, which may be known by several names.
    Split(Arc<Split>, Vec<String>),
    /// Only their names are known.
    Names(Vec<String>),
}

impl Scored {
    /// An image's name: its file below the data set's folder.
    pub fn name(&self, p: &Prediction) -> String {
        self.files.name(p.index)
    }

    fn picture(&self, p: &Prediction, limits: Limits) -> Option<Picture> {
        match &self.files {
            Files::Split(split, _) => split.samples.get(p.index)?.read(&limits).ok(),
            Files::Names(_) => None,
        }
    }
}

impl Files {
    /// The name of the image at a place.
    pub fn name(&self, index: usize) -> String {
        match self {
            Files::Names(names) => names.get(index).cloned().unwrap_or_default(),
            Files::Split(split, folders) => {
                let name = split.samples.get(index).map(striate_data::Sample::name).unwrap_or_default();
                let below = folders.iter().find_map(|folder| Path::new(&name).strip_prefix(folder).ok());
                below.map(|b| b.display().to_string()).filter(|b| !b.is_empty()).unwrap_or(name)
            }
        }
    }
}

/// What a report tells of.
pub struct Subject<'a> {
    /// The model.
    pub about: About<'a>,
    /// Its file.
    pub file: &'a Path,
    /// The images it was scored on.
    pub scored: &'a Scored,
    /// The data set they are from, if it is there.
    pub data: Option<&'a DataSet>,
    /// The run that made it, if that is what is told of.
    pub run: Option<&'a Run>,
    /// Its score on the test part, where that is not what was scored.
    pub test: Option<Score>,
    /// The command that is being carried out.
    pub command: &'a str,
    /// Bounds on the pictures that are shown.
    pub limits: Limits,
}

impl Subject<'_> {
    fn classes(&self) -> &[String] {
        self.about.classes
    }

    /// Training images of each class, if the data set at hand is the one that was trained on.
    fn training(&self) -> Option<Vec<usize>> {
        let (data, trained) = (self.data?, self.about.trained?);
        (data.fingerprint == trained.fingerprint).then(|| data.train.counts_per_class(self.classes().len()))
    }

    /// Whether the best epoch was chosen by the scored images.
    fn chosen_by_these(&self) -> bool {
        let same = self.data.zip(self.about.trained).map(|(d, t)| d.fingerprint == t.fingerprint);
        self.about.epochs && self.scored.part == "validation" && (self.run.is_some() || same == Some(true))
    }

    fn sentences(&self) -> Vec<String> {
        let training = self.training();
        let around = Around {
            classes: self.classes(),
            training: training.as_deref(),
            chosen_by_these: self.chosen_by_these(),
            tested: self.test.is_some(),
            unfinished: self.run.map(|r| (r.rows.len() as u32, r.planned)).filter(|(done, planned)| done < planned),
        };
        limits(self.scored, &around)
    }

    fn title(&self) -> String {
        let name = self.about.name.as_str();
        let trained = self.about.trained.map(|t| t.data.as_str());
        let data = self.data.map(|d| d.name.as_str()).or(trained).unwrap_or("images");
        match self.run.map(|run| folder_name(&run.path)) {
            Some(run) if run != name => format!("{run}: {name} on {data}"),
            _ => format!("{name} on {data}"),
        }
    }
}

/// The last part of a path, also of one that ends in dots.
fn folder_name(path: &Path) -> String {
    let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    whole.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}

/// The page, whole in itself.
pub fn page(s: &Subject<'_>) -> String {
    let mut page = Page::new(&s.title());
    let scored = s.scored;
    page.paragraph(&summary(s));
    page.tiles(&tiles(s));
    if let Some(curves) = s.run.filter(|_| s.about.epochs).and_then(|run| curves::curves(&run.rows)) {
        page.section("Curves");
        page.figure(&curves, "loss, accuracy, learning rate and speed over the epochs");
    }
    page.section("What the figures say");
    page.html("<ul>");
    for sentence in s.sentences() {
        page.html(&format!("<li>{}</li>", crate::page::escape(&sentence)));
    }
    page.html("</ul>");
    page.section("Confusions");
    let map = heat_map::heat_map(&scored.confusion, s.classes());
    page.html(&format!("<div class=\"wide\">{}</div>", map.svg));
    if map.left_out > 0 {
        page.note(&format!("{} classes with fewer mistakes are left out of the picture.", map.left_out));
    }
    classes::confusions(&mut page, scored, s.classes());
    page.section("Classes");
    classes::table(&mut page, scored, s.classes(), s.training().as_deref());
    page.section("Most confident mistakes");
    mistakes::gallery(&mut page, scored, s.classes(), s.limits);
    page.section("Calibration");
    let calibration = scored.predictions.calibration(BINS);
    page.paragraph(&reliability::words(&calibration));
    page.html(&format!("<div class=\"wide\">{}</div>", reliability::diagram(&calibration)));
    if let Some(calibrated) = s.about.calibration {
        let how = "`striate predict` answers at this temperature; the figures here are those of the network's own probabilities";
        page.paragraph(&format!("The model is {}. {how}.", in_words(calibrated)));
    }
    facts::sections(&mut page, s);
    page.finish()
}

/// The result in a sentence.
fn summary(s: &Subject<'_>) -> String {
    let score = s.scored.predictions.score();
    let (n, part) = (thousands(score.images as u64), s.scored.part);
    let which = match part {
        "all" => String::new(),
        part => format!("{part} "),
    };
    let epoch = s
        .run
        .filter(|_| s.about.epochs)
        .and_then(Run::best)
        .map(|b| format!(" after epoch {}", b.epoch))
        .unwrap_or_default();
    let unread = match s.scored.unreadable {
        0 => String::new(),
        n => format!(" {n} images could not be read and are not counted."),
    };
    format!("{} of {n} {which}images were recognised{epoch}.{unread}", thousands(s.scored.predictions.right() as u64))
}

/// Key figures: what, the figure, a remark.
fn tiles(s: &Subject<'_>) -> Vec<(String, String, String)> {
    let scored = s.scored;
    let score = scored.predictions.score();
    let tile = |what: &str, figure: String, remark: String| (what.to_owned(), figure, remark);
    let interval = |right: u64, all: u64| {
        let (low, high) = wilson(right, all);
        format!("{} – {}", percent(low), percent(high))
    };
    let (right, all) = (scored.predictions.right() as u64, score.images as u64);
    let mut tiles = vec![tile(&format!("accuracy, {}", scored.part), percent(score.accuracy), interval(right, all))];
    if let Some(test) = s.test {
        let right = (test.accuracy * test.images as f64).round() as u64;
        tiles.push(tile("accuracy, test", percent(test.accuracy), interval(right, test.images as u64)));
    }
    if s.classes().len() > KEPT {
        let error = scored.predictions.top5_error();
        tiles.push(tile("top-5 error", percent(error), "as ImageNet counts it".into()));
    }
    tiles.push(tile("loss", format!("{:.4}", score.loss), "cross-entropy in nats".into()));
    tiles.push(tile("F1", percent(scored.confusion.macro_means().f1), "mean over classes".into()));
    let c = scored.predictions.calibration(BINS);
    tiles.push(tile("calibration error", percent(c.ece), format!("Brier score {:.4}", c.brier)));
    let Some(run) = s.run else { return tiles };
    if let Some(best) = run.best() {
        if s.about.epochs {
            let done = format!("{} of {} done", run.rows.len(), run.planned);
            tiles.push(tile("best epoch", best.epoch.to_string(), done));
        }
        tiles.push(tile("training", duration(run.seconds()), format!("{:.0} images/s", best.images_per_second)));
    }
    let attempts = run.record.iter().flat_map(|r| &r.attempts);
    if let Some(peak) = attempts.filter_map(|a| a.peak_memory).max() {
        tiles.push(tile("memory", bytes(peak as usize), "the most at once".into()));
    }
    tiles
}

/// A word as a shell would take it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+~".contains(c);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The command that this process carries out, as a shell would take it.
pub fn command_line() -> String {
    let mut words = std::env::args_os().map(|word| quoted(&word.to_string_lossy()));
    let program = words.next().unwrap_or_default();
    // Only the program's name: where it lies says nothing.
    let name = Path::new(&program).file_name().map_or(program.clone(), |n| n.to_string_lossy().into_owned());
    [name].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        let all = ["digits", "my photos", "it's", "", "a=1,b", "~x", "$HOME"].map(quoted);
        assert_eq!(all, ["digits", "'my photos'", r"'it'\''s'", "''", "a=1,b", "'~x'", "'$HOME'"]);
    }

    #[test]
    fn names_are_told_below_the_data_sets_folder() {
        use striate_data::{Sample, Source};
        let sample = |path: &str| Sample::new(Source::File(path.into()), 0);
        let split = Split { samples: vec![sample("/d/a/1.jpg"), sample("photos/b/2.jpg"), sample("/e/3.jpg")] };
        let files = Files::Split(Arc::new(split), vec!["/d".into(), "photos".into()]);
        assert_eq!([0, 1, 2, 9].map(|i| files.name(i)), ["a/1.jpg", "b/2.jpg", "/e/3.jpg", ""]);
    }
}
