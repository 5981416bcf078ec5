//! `striate train --find-lr`: the learning rate range test, as a picture and a number.

use super::Args;
use crate::commands::data_args::describe;
use crate::commands::{print_json, print_line, write_text};
use crate::plot::{Panel, figure};
use crate::progress::Bar;
use anyhow::Result;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use striate_kernels::Cpu;
use striate_train::{Config, find_learning_rate};

impl Args {
    /// Tries learning rates on the data and ends.
    pub(super) fn find_rate(&self, data: &str, file: &Path, cpu: &Arc<Cpu>) -> Result<ExitCode> {
        let data = self.data_args.open(data, self.seed, self.data_args.val_share)?;
        describe(&data);
        let mut config = Config::choose(&data, &self.wishes()?)?;
        Args::announce(&config, &data, None)?;
        let (limits, workers) = (self.data_args.limits(), self.data_args.workers());
        config.measure(&data, limits, workers)?;
        let bar = Bar::new();
        let test = find_learning_rate(&config, &data, cpu, workers, limits, |step, steps| {
            if step == 1 {
                bar.begin("trying learning rates", u64::from(steps));
            }
            bar.at(u64::from(step), String::new);
        })?;
        bar.end();
        let mut lines = vec![Vec::new(), Vec::new()];
        for point in &test.points {
            lines[0].push((point.rate.log10(), point.loss));
            lines[1].push((point.rate.log10(), point.smooth));
        }
        let mut names = vec!["loss of a batch".to_owned(), "smoothed".to_owned()];
        if let Some(rate) = test.suggestion {
            let finite = test.points.iter().map(|p| p.smooth).filter(|loss| loss.is_finite());
            let (low, high) = finite.fold((f64::INFINITY, 0.0_f64), |(low, high), l| (low.min(l), high.max(l)));
            lines.push(vec![(rate.log10(), low), (rate.log10(), high)]);
            names.push(format!("suggested: {rate:.2e}"));
        }
        let panel = Panel {
            title: format!("{} on {}", config.model, data.name),
            x: "learning rate, as a power of 10".into(),
            y: "loss, nats".into(),
            log: false,
            lines,
        };
        write_text(file, &figure("", &names, &[panel]))?;
        if self.json {
            let points = test.points.iter().map(|p| json!({ "rate": p.rate, "loss": p.loss, "smooth": p.smooth }));
            let points: Vec<_> = points.collect();
            print_json(&json!({ "suggestion": test.suggestion, "picture": file.to_string_lossy(), "points": points }))?;
            return Ok(ExitCode::SUCCESS);
        }
        match test.suggestion {
            Some(rate) => print_line(&format!(
                "the loss falls fastest at about {rate:.2e}: try --lr {rate:.1e} (the recipe would take {:.1e})",
                config.learning_rate
            ))?,
            None => print_line("the loss never fell: nothing can be suggested")?,
        }
        print_line(&format!("picture {}", file.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
