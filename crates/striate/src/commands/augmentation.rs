//! The contact sheet of `train --show-augmentation`: a few training pictures, each as it is scored and as the network sees it in
//! its first epochs; and what mixing makes of them.

use super::print_line;
use crate::contact_sheet::{Part, draw};
use crate::progress::remark;
use anyhow::Result;
use std::path::Path;
use striate_data::{DataSet, Fit, Limits, Picture, Preprocessing, Way};
use striate_train::Config;
use striate_weights::write_atomic;

/// Pictures, and the epochs that are shown of each.
const PICTURES: usize = 8;
const EPOCHS: u64 = 8;
/// Batches that are mixed, and how many of them are shown.
const BATCHES: usize = 16;
const MOST_MIXED: usize = 4;
/// The whole picture is drawn finer than the input, up to this side.
const FINE: u32 = 512;

/// A picture that is shown.
struct Shown {
    index: usize,
    label: u32,
    picture: Picture,
}

/// Writes the sheet, and says where it is.
pub fn show(config: &Config, data: &DataSet, limits: Limits, file: &Path) -> Result<()> {
    let shown = choose(data, limits);
    if shown.is_empty() {
        anyhow::bail!("{} has no training image that can be read", data.name);
    }
    let mut parts = vec![draws(config, data, &shown)];
    if !config.augment.mix.is_off() {
        if shown.len() > 1 {
            parts.push(mixtures(config, data, &shown));
        } else {
            remark("one picture alone is not mixed, so no mixed ones are shown");
        }
    }
    let title = format!("{}, input {}: {}", config.model, config.input(), config.augment);
    let size = (config.preprocessing.width, config.preprocessing.height);
    let png = draw(&title, size, &parts).to_png();
    write_atomic(file, |out| out.write_all(&png))?;
    print_line(&format!("{}: {} pictures, augmentation {}", file.display(), shown.len(), config.augment))
}

/// The first pictures of classes spread evenly over all, and further ones of each where there are few classes.
fn choose(data: &DataSet, limits: Limits) -> Vec<Shown> {
    let mut of_class = vec![Vec::new(); data.classes.len()];
    for (index, sample) in data.train.samples.iter().enumerate() {
        of_class[sample.label as usize].push(index);
    }
    of_class.retain(|indices| !indices.is_empty());
    let classes = of_class.len().min(PICTURES);
    let spread: Vec<&Vec<usize>> = (0..classes).map(|i| &of_class[i * of_class.len() / classes]).collect();
    let rounds = spread.iter().map(|indices| indices.len()).max().unwrap_or(0);
    let in_turn = (0..rounds).flat_map(|round| spread.iter().filter_map(move |indices| indices.get(round)));
    let read = |&index: &usize| {
        let sample = &data.train.samples[index];
        Some(Shown { index, label: sample.label, picture: sample.read(&limits).ok()? })
    };
    let mut shown: Vec<Shown> = in_turn.filter_map(read).take(PICTURES).collect();
    shown.sort_by_key(|s| (s.label, s.index));
    shown
}

/// The picture of this epoch, in 8 bits.
fn seen(config: &Config, s: &Shown, epoch: u64) -> Picture {
    let Config { augment, preprocessing, seed, .. } = config;
    augment.apply(augment.fit(preprocessing, &s.picture, *seed, epoch, s.index), *seed, epoch, s.index)
}

fn draws(config: &Config, data: &DataSet, shown: &[Shown]) -> Part {
    let p = &config.preprocessing;
    let finer = (FINE / p.width.max(p.height)).max(1);
    let row = |s: &Shown| {
        let whole = Preprocessing::new(finer * p.width, finer * p.height, 3, Fit::Letterbox).fit(&s.picture);
        let first = [whole, p.fit(&s.picture)].into_iter();
        let name = vec![data.classes[s.label as usize].clone(), format!("{}×{}", s.picture.width, s.picture.height)];
        (name, first.chain((1..=EPOCHS).map(|epoch| seen(config, s, epoch))).collect())
    };
    Part {
        title: "the whole picture, as it is scored, and as the network sees it in training".into(),
        columns: ["picture".into(), "scored".into()]
            .into_iter()
            .chain((1..=EPOCHS).map(|epoch| format!("epoch {epoch}")))
            .collect(),
        rows: shown.iter().map(row).collect(),
    }
}

fn mixtures(config: &Config, data: &DataSet, shown: &[Shown]) -> Part {
    let p = &config.preprocessing;
    let labels: Vec<u32> = shown.iter().map(|s| s.label).collect();
    let row = |number: usize| {
        let mut images = vec![0.0; shown.len() * p.len()];
        for (s, image) in shown.iter().zip(images.chunks_exact_mut(p.len())) {
            p.normalise(&seen(config, s, 1), image);
        }
        let size = (p.height as usize, p.width as usize);
        let mixed = config.augment.mix.apply(&mut images, &labels, size, (config.seed, 1, number))?;
        let way = if mixed.way == Way::Mixup { "mixup" } else { "cutmix" };
        let own = format!("{:.0} % its own", 100.0 * mixed.share);
        let name = vec![format!("batch {}", number + 1), way.to_owned(), own];
        let pictures = images.chunks_exact(p.len()).map(|image| p.denormalise(image)).collect();
        Some(((mixed.share - 0.5).abs(), (name, pictures)))
    };
    let mut rows: Vec<_> = (0..BATCHES).filter_map(row).collect();
    rows.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    rows.truncate(MOST_MIXED);
    Part {
        title: format!(
            "epoch 1, most mixed of {BATCHES} batches: each with the one to its left, the first with the last"
        ),
        columns: labels.iter().map(|&label| data.classes[label as usize].clone()).collect(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    }
}
