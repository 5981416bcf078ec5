//! Pictures that are explained: as they are, as the network takes them, and what it takes them for.

use super::results::Results;
use crate::commands::predict::Pictures;
use crate::figures::percent;
use crate::progress::remark;
use anyhow::Result;
use std::path::{Path, PathBuf};
use striate_data::{Limits, Picture, Placement};
use striate_explain::{Heat, Predictor, Subject};
use striate_train::best;

/// Which pictures.
#[derive(clap::Args)]
pub struct PicturesArgs {
    /// Pictures, or folders of pictures
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Most pixels a picture may have
    #[arg(long, value_name = "N", default_value_t = 100_000_000)]
    max_pixels: u64,
}

/// One picture.
pub struct Shown {
    /// The file.
    pub file: String,
    /// A name for the files about it.
    pub name: String,
    /// The picture at its own size, upright; the network's input where nothing of it is in that.
    pub picture: Picture,
    placement: Placement,
    /// The network's input.
    pub input: Vec<f32>,
    /// The class that is explained.
    pub class: usize,
    /// Its probability.
    pub probability: f32,
}

impl PicturesArgs {
    /// Calls `each` with every picture that can be read, and the class of this name or number or else the most probable one;
    /// the others are named. A picture is `steps` pieces of work.
    pub fn each(
        &self,
        subject: &Subject,
        results: &mut Results,
        class: Option<&str>,
        steps: usize,
        mut each: impl FnMut(&Shown, &mut Results) -> Result<()>,
    ) -> Result<()> {
        let class = class.map(|text| subject.class(text)).transpose()?;
        let without = |folder: &Path| remark(&format!("warning: {}: no pictures in this folder", folder.display()));
        let files = Pictures::new(&self.images, without).collect::<Result<Vec<PathBuf>>>()?;
        let mut predictor = Predictor::new(subject, 1, &[])?;
        results.begin("explaining", files.len() * steps);
        for (i, file) in files.iter().enumerate() {
            match striate_data::read(file, &Limits { max_pixels: self.max_pixels }) {
                Ok(picture) => {
                    let name = results.name(&file.file_stem().unwrap_or_default().to_string_lossy());
                    let shown = Shown::new(subject, &mut predictor, file, name, picture, class)?;
                    each(&shown, results)?;
                }
                Err(e) => results.failed(&format!("{} {e}", file.display())),
            }
            results.at((i + 1) * steps);
        }
        Ok(())
    }
}

impl Shown {
    fn new(
        subject: &Subject,
        predictor: &mut Predictor<'_>,
        file: &Path,
        name: String,
        picture: Picture,
        class: Option<usize>,
    ) -> Result<Shown> {
        let input = subject.input(&picture);
        let probabilities = predictor.probabilities(&input)?;
        let class = class.unwrap_or_else(|| best(&probabilities));
        let (picture, placement) = match subject.preprocessing.placement(&picture) {
            Some(placement) => (picture, placement),
            None => (subject.picture(&input), Placement { scale: [1.0; 2], offset: [0.0; 2] }),
        };
        let (file, probability) = (file.to_string_lossy().into_owned(), probabilities[class]);
        Ok(Shown { file, name, picture, placement, input, class, probability })
    }

    /// The file's name without its folder.
    pub fn base(&self) -> String {
        Path::new(&self.file).file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A map of the input's size, on the picture's own pixels.
    pub fn on_picture(&self, heat: &Heat) -> Heat {
        heat.on_picture(&self.placement, self.picture.width, self.picture.height)
    }

    /// `cat 97.31 %`.
    pub fn answer(&self, subject: &Subject) -> String {
        format!("{} {}", subject.classes[self.class], percent(f64::from(self.probability)))
    }
}
