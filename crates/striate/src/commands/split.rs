//! `striate split`: a data set into parts or folds, as a manifest.

use super::data_args::{ReadArgs, list};
use super::{print_json, print_line, print_table, write_text};
use crate::figures::thousands;
use crate::progress::{Bar, remark};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use striate_data::{GroupPattern, SplitInto, SplitOptions, Splitting, Verification};

/// Split a data set into training, validation and test parts, or into folds
#[derive(clap::Args)]
#[command(after_help = "\
Writes a table with the columns path,label,split,group,fold,sha256: a row an image, paths relative to the table. Images are \
neither copied nor moved. Classes keep their shares; what belongs together stays together: images with the same content, \
images in whose paths the pattern captures the same text, groups that the data names (of a table the column group, or \
--group-column). The same seed gives the same table.

With --folds, each image is in one fold, and fold 1 is the validation part. A test part that the data has already stays as it \
is, and what belongs together with its images is left out of training.

Examples:
  striate split photos/ --out split.csv
  striate split photos/ --val 0.15 --test 0.15 --seed 7 --out split.csv
  striate split scans/ --group-by '(patient\\d+)_' --folds 5 --out folds.csv
  striate split scans.csv --group-column patient --duplicates near --out split.csv
  striate split --check split.csv

--check says which images of a table are gone, have changed, are now elsewhere (told by content), or are in two parts with \
others of their group, and fails if there are any.

With --json: {\"out\", \"images\", \"groups\", \"parts\": [{\"name\", \"part\", \"fold\", \"images\", \"wished\", \"groups\", \
\"classes\": {class: images}, \"off\"}], \"warnings\", …}; `off` is how far a class's share in the part is from its share in \
all, at most. With --check: {\"rows\", \"without_hash\", \"faults\": [{\"kind\", \"text\"}]}")]
pub struct Args {
    /// The data set: as for `striate train`, with images in files of their own
    #[arg(required_unless_present = "check")]
    data: Option<String>,
    /// The table that is written; `-` for stdout
    #[arg(short, long, value_name = "FILE", default_value = "split.csv")]
    out: PathBuf,
    /// Share for validation
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, conflicts_with = "folds")]
    val: f64,
    /// Share for testing
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    test: f64,
    /// Folds instead of a validation part
    #[arg(long, value_name = "K")]
    folds: Option<u32>,
    /// A regular expression with one capture: images in whose paths (relative to the data) it captures the same stay together
    #[arg(long, value_name = "PATTERN")]
    group_by: Option<String>,
    /// Which copies stay together
    #[arg(long, value_enum, default_value = "exact")]
    duplicates: Duplicates,
    /// Split everything anew, also a test part that the data has
    #[arg(long)]
    pool: bool,
    /// The seed of every draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Hold a table against the images that are there, instead of writing one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "val", "test", "folds", "group_by", "duplicates", "pool", "seed"])]
    check: Option<PathBuf>,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Duplicates {
    /// Files with the same content
    Exact,
    /// These, and pictures that look almost alike, as `striate doctor` finds them
    Near,
    /// None; copies may be in several parts
    None,
}

/// Most classes in the table that is printed.
const MOST_CLASSES: usize = 60;

impl Args {
    /// Splits, or checks a split.
    pub fn run(self) -> Result<ExitCode> {
        if let Some(table) = &self.check {
            return self.check(table);
        }
        let stdout = self.out == Path::new("-");
        if !stdout && self.out.exists() {
            bail!("{} is already there: remove it, or name another table with --out", self.out.display());
        }
        if stdout && self.json {
            bail!("--out - and --json both print on stdout; give a file");
        }
        let pattern = self.group_by.as_deref().map(GroupPattern::new).transpose()?;
        let spec = self.data.as_deref().context("no data set is given")?;
        let data = self.read.open_whole(spec)?;
        let into = match self.folds {
            Some(folds) => SplitInto::Folds { folds, test: self.test },
            None => SplitInto::Parts { val: self.val, test: self.test },
        };
        let options = SplitOptions {
            into,
            pattern,
            copies: self.duplicates != Duplicates::None,
            near: (self.duplicates == Duplicates::Near).then(|| self.read.limits()),
            pool: self.pool,
            seed: self.seed,
            workers: self.read.workers(),
        };
        let spec = Path::new(spec);
        let root = if spec.is_dir() { spec } else { spec.parent().unwrap_or(Path::new("")) };
        let split = striate_data::split(&data, root, &options, &Bar::new())?;
        striate_data::write_manifest::<anyhow::Error>(&split, &self.out, |text| write_text(&self.out, text))?;
        if !stdout {
            self.report(&split)?;
        }
        warn(&split);
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, split: &Splitting) -> Result<()> {
        if self.json {
            return print_json(&self.summary(split));
        }
        print_counts(split)?;
        let off = split.off();
        let told = split.places.iter().zip(&off).filter_map(|(place, off)| {
            let (off, class) = (*off)?;
            Some(format!("{} {:.2} ({})", place.name, 100.0 * off, split.classes[class]))
        });
        let told = told.collect::<Vec<_>>().join(", ");
        print_line(&format!("a class's share is off its share in all by at most, in percentage points: {told}"))?;
        print_line(&format!("table {}", self.out.display()))
    }

    fn summary(&self, split: &Splitting) -> Value {
        let (counts, groups, off) = (split.counts(), split.groups(), split.off());
        let part = |(i, place): (usize, &striate_data::Portion)| {
            let classes: serde_json::Map<_, _> =
                split.classes.iter().zip(&counts[i]).map(|(class, n)| (class.clone(), json!(n))).collect();
            json!({
                "name": place.name, "part": place.part.name(), "fold": place.fold, "wished": place.share,
                "images": counts[i].iter().sum::<usize>(), "groups": groups[i], "classes": classes,
                "off": off[i].map(|(off, _)| off), "off_class": off[i].map(|(_, class)| &split.classes[class]),
            })
        };
        json!({
            "out": self.out.to_string_lossy(), "seed": self.seed, "images": split.images.len(),
            "groups": groups.iter().sum::<usize>(),
            "parts": split.places.iter().enumerate().map(part).collect::<Vec<_>>(),
            "warnings": split.warnings,
            "left_out": split.left_out.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }

    fn check(&self, table: &Path) -> Result<ExitCode> {
        let data = self.data.as_deref().map(Path::new);
        let v = striate_data::verify(table, data, self.read.workers(), &Bar::new())?;
        let Verification { rows, without_hash, faults } = &v;
        let (rows, unhashed) = (thousands(*rows as u64), thousands(*without_hash as u64));
        if self.json {
            let faults: Vec<_> = faults.iter().map(|f| json!({ "kind": f.kind(), "text": f.to_string() })).collect();
            print_json(&json!({ "rows": v.rows, "without_hash": v.without_hash, "faults": faults }))?;
        } else {
            faults.iter().try_for_each(|fault| print_line(&fault.to_string()))?;
        }
        if *without_hash > 0 {
            remark(&format!("note: {unhashed} rows have no hash, so only the presence of their files was checked"));
        }
        if !faults.is_empty() {
            bail!("{}: {} faults in {rows} rows", table.display(), thousands(faults.len() as u64));
        }
        if !self.json {
            print_line(&format!("{rows} images are there and unchanged, and no group is in two parts"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Classes × parts: images of a class, and which share of the class they are.
fn print_counts(split: &Splitting) -> Result<()> {
    let (counts, groups) = (split.counts(), split.groups());
    let cells = |name: &str, numbers: Vec<usize>, shares: bool| {
        let all: usize = numbers.iter().sum();
        let share =
            |n: usize| if shares { format!("{:.1} %", 100.0 * n as f64 / all.max(1) as f64) } else { String::new() };
        let pairs = numbers.into_iter().flat_map(|n| [thousands(n as u64), share(n)]);
        [name.to_owned(), thousands(all as u64)].into_iter().chain(pairs).collect::<Vec<_>>()
    };
    let of_class = |class: usize| counts.iter().map(|counts| counts[class]).collect::<Vec<_>>();
    let present: Vec<usize> =
        (0..split.classes.len()).filter(|&class| of_class(class).iter().sum::<usize>() > 0).collect();
    let mut rows: Vec<Vec<String>> =
        present.iter().take(MOST_CLASSES).map(|&class| cells(&split.classes[class], of_class(class), true)).collect();
    rows.push(cells("all", counts.iter().map(|counts| counts.iter().sum()).collect(), true));
    rows.push(cells("groups", groups, false));
    let header: Vec<&str> = ["class", "images"]
        .into_iter()
        .chain(split.places.iter().flat_map(|place| [place.name.as_str(), "share"]))
        .collect();
    print_table(&header, &rows)?;
    if present.len() > MOST_CLASSES {
        print_line(&format!("… and {} more classes; --json tells all", present.len() - MOST_CLASSES))?;
    }
    Ok(())
}

fn warn(split: &Splitting) {
    for warning in &split.warnings {
        remark(&format!("warning: {warning}"));
    }
    if !split.left_out.is_empty() {
        remark(&format!("warning: {} images could not be read and are left out:", split.left_out.len()));
        list(&split.left_out);
    }
}
