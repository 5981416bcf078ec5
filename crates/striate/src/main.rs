//! The command line: one verb a file under `commands`. Exit codes: 0 done, 1 failed, 2 wrong usage.

mod commands;
mod contact_sheet;
mod diary;
mod figures;
mod page;
mod pipeline_model;
mod plot;
mod progress;
mod report;
mod timing;

use clap::Parser;
use std::process::ExitCode;

/// A convolutional-network workbench: train, evaluate and use image classifiers, offline and fast on a CPU.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 110, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,
}

const EXAMPLES: &str = "\
Examples:
  striate train digits                                    train on the built-in handwritten digits
  striate train photos/                                   train on a folder with one folder of images per class
  striate eval runs/train/resnet20/weights/best.safetensors photos/
  striate predict runs/train/resnet20/weights/best.safetensors cat.jpg
  striate runs                                            what was trained, and how good it is
  striate compare photos/                                 a network beside hand-made features
  striate summary lenet5                                  layers, shapes, parameters, cost";

/// An error with its causes, but for those that the text before them tells already.
fn whole(e: &anyhow::Error) -> String {
    e.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        match (text.is_empty(), text.contains(&cause)) {
            (true, _) => cause,
            (_, true) => text,
            (_, false) => format!("{text}: {cause}"),
        }
    })
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(code) => code,
        // A reader that went away (`striate models | head`) is no failure.
        Err(e) if e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) => {
            ExitCode::SUCCESS
        }
        Err(e) => {
            progress::remark(&format!("error: {}", whole(&e)));
            ExitCode::FAILURE
        }
    }
}
