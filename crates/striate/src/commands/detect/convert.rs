//! `striate detect convert`: a data set of boxes from one format to another.

use super::open::BoxArgs;
use super::predict::FormatName;
use crate::commands::{Machine, print_json, print_line};
use crate::progress::remark;
use anyhow::{Result, bail};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use striate_detect::sets::{Format, PictureFiles, convert};

/// Write a data set of boxes in another format
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  striate detect convert bccd/ bccd-coco/ --to coco
  striate detect convert instances_val2017.json yolo/ --to yolo --pictures copy
  striate detect convert mine/data.yaml voc/ --to voc --leave-out        although some boxes are faulty

Faulty boxes and pictures are named; without --leave-out nothing is written then. With --json: one object with pictures, \
objects, faults, notes.")]
pub struct Args {
    /// A data set of boxes: a folder, or COCO's or YOLO's file
    data: PathBuf,
    /// The new folder
    out: PathBuf,
    /// The format
    #[arg(long, value_enum)]
    to: FormatName,
    /// What becomes of the pictures' files: hard links (copies where there can be none), copies, or nothing
    #[arg(long, value_enum, default_value = "link")]
    pictures: PicturesName,
    /// Go on although faulty boxes or pictures are left out
    #[arg(long)]
    leave_out: bool,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    boxes: BoxArgs,
    #[command(flatten)]
    machine: Machine,
}

#[derive(Clone, Copy, ValueEnum)]
enum PicturesName {
    Link,
    Copy,
    None,
}

impl Args {
    /// Converts.
    pub fn run(&self) -> Result<ExitCode> {
        let cpu = self.machine.cpu()?;
        let set = self.boxes.open(&self.data, &cpu)?;
        let losses = set.losses();
        if losses > 0 && !self.leave_out {
            bail!(
                "faults that leave boxes or pictures out: {losses}; repair them, or write --leave-out to go on without"
            );
        }
        let format = Format::from(self.to);
        let pictures = match self.pictures {
            PicturesName::Link => PictureFiles::Link,
            PicturesName::Copy => PictureFiles::Copy,
            PicturesName::None => PictureFiles::LeaveOut,
        };
        let done = convert(&set, format, &self.out, pictures)?;
        for note in &done.notes {
            remark(&format!("note: {note}"));
        }
        if self.json {
            let (pictures, objects, notes) = (done.pictures, done.objects, done.notes);
            print_json(
                &json!({ "pictures": pictures, "objects": objects, "faults": set.faults.len(), "notes": notes }),
            )?;
        } else {
            let (out, format) = (self.out.display(), format.name());
            print_line(&format!("{out}: {format}, {} pictures with {} objects", done.pictures, done.objects))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
