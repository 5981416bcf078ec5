//! `striate cortex see`: what a sheet of orientation and motion cells finds in a picture or a film.

use super::pictures;
use crate::commands::{Machine, print_json, print_line};
use crate::figures::decimal;
use crate::progress::remark;
use anyhow::Result;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use striate_cortex::plate::{Image, encode};
use striate_cortex::sheet::{Columns, Energy, EnergyBank, motion_energy};
use striate_data::{Fit, Picture, Preprocessing};
use striate_train::new_folder;
use striate_weights::write_atomic;

/// Show what a sheet of cortex finds in a picture, or in a folder of frames as a film
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate cortex see photo.jpg
  striate cortex see photo.jpg --wavelength 16          coarser stripes
  striate cortex see frames/ --rate 25                  a film: also which way things move

The folder runs/cortex/see holds orientation.png (hue: orientation, red lying, then counter-clockwise; brightness: strength), \
energy.png, columns.png (the sheet's own preferred orientations, with their pinwheels), answers.png (what its cells answer), \
for films motion.png (hue: direction, red to the right), and see.json. With --json: {\"orientations\": {degrees: share}, \
\"pinwheels\", \"pinwheels_per_hypercolumn\", \"motion\", \"folder\"}.")]
pub struct Args {
    /// A picture, or a folder whose pictures are a film's frames in the order of their names
    source: PathBuf,
    /// Pixels between stripes of the cells' preferred gratings
    #[arg(long, value_name = "PX", default_value_t = 8.0)]
    wavelength: f64,
    /// Orientations that are measured
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=64))]
    orientations: u32,
    /// Pixels across a hypercolumn of the sheet
    #[arg(long, value_name = "PX", default_value_t = 40.0)]
    hypercolumn: f64,
    /// Pictures are brought to this length of their longer side, if they are larger
    #[arg(long, value_name = "PX", default_value_t = 800, value_parser = clap::value_parser!(u32).range(16..=4096))]
    longest: u32,
    /// A film's frames per second
    #[arg(long, value_name = "HZ", default_value_t = 25.0)]
    rate: f64,
    /// The seed of the sheet's columns
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Where the folder is made
    #[arg(long, value_name = "DIR", default_value = "runs/cortex")]
    out: PathBuf,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

impl Args {
    /// Looks, writes and prints.
    pub fn run(self) -> Result<ExitCode> {
        let cpu = self.machine.cpu()?;
        let bank = EnergyBank::new(self.orientations as usize, self.wavelength)?;
        let (_, read) = pictures(&self.source)?;
        let frames = self.fitted(&read);
        let energy = bank.look(&cpu, &frames[0]);
        let columns = Columns::new(energy.width, energy.height, self.hypercolumn, self.seed)?;
        let motion = match frames.len() {
            1 => None,
            _ => Some(motion_energy(&cpu, &bank, &frames, self.rate, 40.0)?),
        };
        let folder = new_folder(&self.out, "see")?;
        remark(&format!("pictures in {}", folder.display()));
        write(&folder, "orientation.png", &energy.orientation_image())?;
        write(&folder, "energy.png", &energy.energy_image())?;
        let pinwheels = columns.pinwheels();
        let mut map = columns.image();
        for (x, y, _) in &pinwheels {
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                map.set(x + dx, y + dy, [255; 3]);
            }
        }
        write(&folder, "columns.png", &map)?;
        write(&folder, "answers.png", &columns.answers(&energy)?)?;
        let sum = motion.as_ref().map(|m| m.vectors.iter().fold([0.0; 2], |s, v| [s[0] + v[0], s[1] + v[1]]));
        if let Some(motion) = &motion {
            write(&folder, "motion.png", &motion.image())?;
        }
        let shares = shares(&energy);
        let area = self.hypercolumn * self.hypercolumn;
        let density = pinwheels.len() as f64 * area / (energy.width * energy.height) as f64;
        let direction = sum.map(|[x, y]| y.atan2(x).to_degrees().rem_euclid(360.0));
        let named: serde_json::Map<String, serde_json::Value> =
            shares.iter().map(|(angle, share)| (decimal(*angle), json!(share))).collect();
        let object = json!({
            "orientations": named,
            "pinwheels": pinwheels.len(),
            "pinwheels_per_hypercolumn": density,
            "motion": direction,
            "folder": folder,
        });
        write_atomic(&folder.join("see.json"), |out| out.write_all(object.to_string().as_bytes()))?;
        if self.json {
            print_json(&object)?;
            return Ok(ExitCode::SUCCESS);
        }
        let list: Vec<String> =
            shares.iter().map(|(angle, share)| format!("{}° {:.0} %", decimal(*angle), 100.0 * share)).collect();
        print_line(&format!("energy by orientation: {}", list.join(", ")))?;
        if let Some(direction) = direction {
            print_line(&format!("the sum of all motion points to {direction:.0}°"))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// All pictures at the first one's size, its longer side bounded.
    fn fitted(&self, pictures: &[Picture]) -> Vec<Picture> {
        let first = &pictures[0];
        let scale = (f64::from(self.longest) / f64::from(first.width.max(first.height))).min(1.0);
        let side = |n: u32| ((f64::from(n) * scale).round() as u32).max(1);
        let fit = Preprocessing::new(side(first.width), side(first.height), 1, Fit::Letterbox);
        pictures.iter().map(|p| fit.fit(p)).collect()
    }
}

/// Each orientation with its share of all energy.
fn shares(energy: &Energy) -> Vec<(f64, f64)> {
    let mut sums = vec![0.0; energy.orientations];
    for i in 0..energy.width * energy.height {
        sums.iter_mut().zip(energy.at(i)).for_each(|(s, e)| *s += f64::from(e));
    }
    let total: f64 = sums.iter().sum::<f64>().max(1e-12);
    let angle = |i: usize| 180.0 * i as f64 / energy.orientations as f64;
    sums.iter().enumerate().map(|(i, s)| (angle(i), s / total)).collect()
}

fn write(folder: &Path, name: &str, image: &Image) -> Result<()> {
    let bytes = encode(image)?;
    Ok(write_atomic(&folder.join(name), |out| out.write_all(&bytes))?)
}
