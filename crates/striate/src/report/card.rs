//! The model card (Mitchell et al. 2018, arXiv:1810.03993): what a model is, what it was trained on, how good it is, and where
//! it is not, as Markdown.

use super::{Subject, facts, in_words};
use crate::figures::{percent, thousands};
use striate_train::{BINS, KEPT, wilson};

/// The card.
pub fn card(s: &Subject<'_>) -> String {
    let (classes, scored) = (s.classes(), s.scored);
    let mut text = format!("# {}\n\n", inline(&s.title()));
    text += &format!(
        "An image classifier: a picture in, a probability for each of {} classes out. Made with Striate {}.\n\n",
        classes.len(),
        s.about.striate
    );
    text += if s.about.epochs { "## Network\n\n" } else { "## Pipeline\n\n" };
    text += &list(&facts::network(s));
    text += "\n## Data\n\n";
    text += &list(&facts::data(s));
    if let Some(counts) = s.training() {
        let (least, most) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
        text += &format!("* training images of a class: {} to {}\n", thousands(least as u64), thousands(most as u64));
    }
    text += &training(s);
    text += "\n## Results\n\n| images | accuracy | 95 % interval | loss |";
    let ranked = classes.len() > KEPT;
    text += if ranked { " top-5 error |\n|---|---|---|---|---|\n" } else { "\n|---|---|---|---|\n" };
    let score = scored.predictions.score();
    for (part, score) in [(scored.part, Some(score)), ("test", s.test)] {
        let Some(score) = score else { continue };
        let (low, high) = wilson((score.accuracy * score.images as f64).round() as u64, score.images as u64);
        let images = format!("{} {part}", thousands(score.images as u64));
        let (accuracy, low, high, loss) = (percent(score.accuracy), percent(low), percent(high), score.loss);
        text += &format!("| {images} | {accuracy} | {low} – {high} | {loss:.4} |");
        text += &if ranked { format!(" {} |\n", percent(1.0 - score.top5)) } else { "\n".into() };
    }
    let (c, f1) = (scored.predictions.calibration(BINS), scored.confusion.macro_means().f1);
    text += &format!(
        "\nF1, mean over classes: {}. Expected calibration error: {} ({BINS} bins). Brier score: {:.4}.\n",
        percent(f1),
        percent(c.ece),
        c.brier
    );
    if let Some(calibrated) = s.about.calibration {
        let how = "`striate predict` answers so; the figures above are those of the network's own probabilities";
        text += &format!("\nThe model is {}; {how}.\n", inline(&in_words(calibrated)));
    }
    text += &format!("\n### By class, on the {} images\n\n", scored.part);
    text += "| class | images | precision | recall | F1 |\n|---|---:|---:|---:|---:|\n";
    let share = |s: Option<f64>| s.map_or("–".into(), percent);
    for (class, s) in classes.iter().zip(scored.confusion.scores()) {
        let (precision, recall, f1) = (share(s.precision()), share(s.recall()), share(s.f1()));
        text += &format!("| {} | {} | {precision} | {recall} | {f1} |\n", inline(class), thousands(s.support));
    }
    text += "\n## Limits\n\n";
    for sentence in s.sentences() {
        text += &format!("* {}\n", inline(&sentence));
    }
    let licence = s.about.licence;
    let licence = licence.map_or("Not stated. That of the training images may bind the weights too.".into(), inline);
    text += &format!("\n## Licence\n\n{licence}\n");
    text += &format!(
        "\n## Use\n\n```sh\nstriate predict {} PICTURE…\nstriate eval {} DATA\n```\n",
        super::quoted(&s.file.display().to_string()),
        super::quoted(&s.file.display().to_string())
    );
    text
}

/// How it was trained, of a run; what the model says of itself otherwise.
fn training(s: &Subject<'_>) -> String {
    let mut text = "\n## Training\n\n".to_owned();
    let Some(run) = s.run else {
        let trained = s.about.trained;
        return text
            + &trained.map_or("Not by Striate, or not recorded.\n".into(), |t| {
                format!("* epoch {} of {}, seed {}\n", t.epoch, t.epochs, t.seed)
            });
    };
    let best = run.best().filter(|_| s.about.epochs);
    let best = best.map(|b| format!("* epochs: {} of {}, the best being {}\n", run.rows.len(), run.planned, b.epoch));
    text += &best.unwrap_or_default();
    for name in ["optimizer.name", "learning_rate", "schedule.name", "batch", "seed"] {
        let value =
            run.setting(name).map(|v| format!("* {}: {}\n", name.replace(".name", "").replace('_', " "), inline(v)));
        text += &value.unwrap_or_default();
    }
    text += if s.about.epochs {
        "* all settings: config.toml; every epoch: metrics.csv; pictures and curves: report.html\n"
    } else {
        "* all settings: config.toml; pictures: report.html\n"
    };
    if let Some(a) = run.record.as_ref().and_then(|r| r.attempts.last()) {
        text += &format!("* on {}, {} threads, {}\n", inline(&a.processor), a.threads, a.isa);
        text += &format!("* by `{}`\n", a.command.replace('`', "'"));
    }
    text
}

fn list(facts: &[(&str, String)]) -> String {
    let lines = facts.iter().map(|(name, value)| format!("* {name}: {}\n", inline(value)));
    lines.collect::<Vec<_>>().concat()
}

/// A text that stays in its line and its cell, and means itself.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_cells() {
        assert_eq!(inline("a|b\nc"), "a\\|b c");
        assert_eq!(inline("<b>*x*</b>"), "\\<b\\>\\*x\\*\\</b\\>");
    }
}
