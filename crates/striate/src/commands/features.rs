//! `striate features`: what a node of a network makes of images, as a table; the images nearest to one; a map of all.

mod map;
mod nearest;
mod numpy;
mod parquet;
mod project;

use super::data_args::{ReadArgs, list};
use super::{Machine, must_fit, print_json, print_line};
use crate::figures::{duration, thousands};
use crate::progress::{Bar, remark};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use striate_data::{LeftOut, Loader, LoaderOptions, Sample, Split};
use striate_engine::Precision;
use striate_kernels::Cpu;
use striate_train::Model;
use striate_train::transfer::{Backbone, FrozenNorm, units};
use striate_weights::write_atomic;

/// A network's features of images: a table, neighbours, a map
#[derive(clap::Args)]
#[command(after_help = "\
The features of an image are the activations of a node. Maps are averaged over their cells, unless --pool says otherwise.

Examples:
  striate features mobilenet.safetensors photos/ -o photos.npz
  striate features resnet18.safetensors photos/ --layer layer3.1.relu2 -o photos.parquet
  striate features resnet18.safetensors photos/ --nearest query.jpg --sheet nearest.png
  striate features resnet18.safetensors photos/ --map photos.svg

The file's ending says what is written: .npy, one array of as many rows as images, with a table of the rows beside it as .csv; \
.npz, the arrays features, labels, files, parts and classes; .parquet, the columns file, class, part, and a column a value, f0 and on. \
Neighbours are those whose features have the smallest angle to the query's (--distance euclid: the smallest distance). The map \
puts images on two principal components, or, from fifty of them, where t-SNE puts them.

With --json: {\"rows\", \"values\", \"layer\", \"file\", \"map\", \"left_out\", \"neighbours\": [{\"query\", \"nearest\": [{\"file\", \"class\", \
\"part\", \"distance\"}]}]}")]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// The data set
    data: String,
    /// The node [default: the one that the last layer with weights takes]
    #[arg(long, value_name = "NODE")]
    layer: Option<String>,
    /// What becomes of maps: mean, averaged over their cells; max, the largest of them; none, all values
    #[arg(long, value_enum, value_name = "RULE", default_value = "mean", hide_possible_values = true)]
    pool: Pool,
    /// Where features are written: FILE.npy, FILE.npz or FILE.parquet
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Tell the images nearest to this one
    #[arg(long, value_name = "IMAGE")]
    nearest: Vec<PathBuf>,
    /// How many
    #[arg(short, long, value_name = "K", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    k: u32,
    /// By what they are near: cosine, euclid
    #[arg(long, value_enum, value_name = "RULE", default_value = "cosine", hide_possible_values = true)]
    distance: Distance,
    /// Also write the queries beside their neighbours, into a PNG file
    #[arg(long, value_name = "FILE", requires = "nearest")]
    sheet: Option<PathBuf>,
    /// Write a map of the images, each a thumbnail, into an SVG file
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// How the map is made: tsne, pca
    #[arg(long, value_enum, value_name = "METHOD", default_value = "tsne", hide_possible_values = true)]
    method: Method,
    /// About how many neighbours t-SNE keeps together
    #[arg(long, value_name = "N", default_value_t = 30.0)]
    perplexity: f64,
    /// Images on the map, at most: spread evenly over all
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(2..=5000))]
    most: u32,
    /// Images at once
    #[arg(short, long, value_name = "B", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    read: ReadArgs,
}

/// What becomes of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pool {
    Mean,
    Max,
    None,
}

/// By what images are near each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Distance {
    Cosine,
    Euclid,
}

/// How a map is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    Tsne,
    Pca,
}

/// Images with their features.
#[derive(Default)]
struct Table {
    /// One row behind another.
    values: Vec<f32>,
    /// Values of a row.
    len: usize,
    files: Vec<String>,
    labels: Vec<u32>,
    parts: Vec<&'static str>,
    classes: Vec<String>,
    samples: Vec<Sample>,
}

impl Table {
    fn rows(&self) -> usize {
        self.labels.len()
    }

    fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.len..(i + 1) * self.len]
    }

    fn class(&self, row: usize) -> &str {
        self.classes.get(self.labels[row] as usize).map_or("", String::as_str)
    }
}

/// Principal components that t-SNE begins with.
const COMPONENTS: usize = 50;

/// A network up to a node.
struct Extractor {
    backbone: Backbone,
    pool: Pool,
    /// Cells of the node's map, and its channels.
    cells: usize,
    channels: usize,
}

impl Extractor {
    /// Values of an image.
    fn len(&self) -> usize {
        if self.pool == Pool::None { self.cells * self.channels } else { self.channels }
    }

    fn of(&mut self, images: &[f32], n: usize) -> Result<Vec<f32>> {
        let (cells, channels) = (self.cells, self.channels);
        let maps = self.backbone.features(images, n, false)?;
        if self.pool == Pool::None || cells == 1 {
            return Ok(maps.to_vec());
        }
        let mut out = Vec::with_capacity(n * channels);
        for map in maps.chunks_exact(cells * channels) {
            for c in 0..channels {
                let cells_of = map.iter().skip(c).step_by(channels);
                out.push(match self.pool {
                    Pool::Max => cells_of.copied().fold(f32::NEG_INFINITY, f32::max),
                    _ => cells_of.sum::<f32>() / cells as f32,
                });
            }
        }
        Ok(out)
    }
}

impl Args {
    /// Computes.
    pub fn run(self) -> Result<ExitCode> {
        let kind = self.out.as_deref().map(Kind::of).transpose()?;
        if kind.is_none() && self.nearest.is_empty() && self.map.is_none() {
            bail!("nothing is asked for: give -o FILE, --nearest IMAGE or --map FILE");
        }
        let (cpu, model) = (self.machine.cpu()?, Model::read(&self.model)?);
        let preprocessing = model.card.preprocessing.clone();
        let layer = self.layer(&model)?;
        let mut extractor = self.extractor(model, &layer, &cpu)?;
        let data = self.read.open_whole(&self.data)?;
        let parts = [("train", Some(&data.train)), ("val", Some(&data.val)), ("test", data.test.as_ref())];
        let mut table = Table { len: extractor.len(), classes: data.classes.clone(), ..Table::default() };
        let images: usize = parts.iter().map(|(_, split)| split.map_or(0, |split| split.len())).sum();
        must_fit(4 * images.saturating_mul(table.len))?;
        let (begun, bar, mut left_out) = (Instant::now(), Bar::new(), Vec::new());
        bar.begin("computing features", images as u64);
        for (part, split) in parts.into_iter().filter_map(|(part, split)| Some((part, split?))) {
            let failed = self.add(&mut table, &mut extractor, (part, split), &preprocessing, &bar)?;
            left_out.extend(failed);
        }
        bar.end();
        let (rows, values) = (table.rows(), table.len);
        ensure!(rows > 0, "{}: not one image could be read", self.data);
        if !left_out.is_empty() {
            remark(&format!("warning: {} images could not be read and are left out:", left_out.len()));
            list(&left_out);
        }
        let took = duration(begun.elapsed().as_secs_f64());
        let what = format!("{} images, {} values each of `{layer}`", thousands(rows as u64), thousands(values as u64));
        remark(&format!("{what}, in {took}"));
        if let (Some(kind), Some(file)) = (kind, &self.out) {
            kind.write(&table, file)?;
        }
        if let Some(file) = &self.map {
            self.draw(&table, &cpu, &layer, file)?;
        }
        let found = self.neighbours(&table, &mut extractor, &preprocessing)?;
        if self.json {
            let neighbours: Vec<Value> = found.iter().map(|f| f.object(&table)).collect();
            print_json(&json!({
                "rows": rows, "values": values, "layer": layer, "file": self.out, "map": self.map, "left_out": left_out.len(),
                "neighbours": neighbours,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        found.iter().try_for_each(|f| f.print(&table))?;
        let mut written = [&self.out, &self.map, &self.sheet].into_iter().flatten();
        written.try_for_each(|file| print_line(&format!("{}: {what}", file.display())))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The node's name.
    fn layer(&self, model: &Model) -> Result<String> {
        let plain = model.graph.without_auxiliary();
        if let Some(name) = &self.layer {
            return Ok(model.graph.node(model.graph.find(name)?).name.clone());
        }
        let head = units(&plain).into_iter().next().context("the network has no layer with weights: give --layer")?;
        Ok(plain.node(head.before).name.clone())
    }

    fn extractor(&self, model: Model, layer: &str, cpu: &Arc<Cpu>) -> Result<Extractor> {
        let Model { graph, mut parameters, .. } = model;
        let id = graph.find(layer)?;
        let shape = graph.node(id).shape;
        let planned = (self.batch as usize, Precision::F32, FrozenNorm::Frozen);
        let backbone = Backbone::new(&graph, id, &mut parameters, cpu.clone(), planned)?;
        Ok(Extractor { backbone, pool: self.pool, cells: shape.h * shape.w, channels: shape.c })
    }

    fn loading(&self) -> LoaderOptions {
        let (workers, limits) = (self.read.workers(), self.read.limits());
        LoaderOptions { batch: self.batch as usize, workers, limits, ..LoaderOptions::default() }
    }

    /// Adds the images of a part; returns those that could not be read.
    fn add(
        &self,
        table: &mut Table,
        extractor: &mut Extractor,
        (part, split): (&'static str, &Arc<Split>),
        preprocessing: &striate_data::Preprocessing,
        bar: &Bar,
    ) -> Result<Vec<LeftOut>> {
        let mut left_out = Vec::new();
        let mut loader = Loader::new(split.clone(), preprocessing.clone(), self.loading());
        while let Some(mut batch) = loader.next() {
            left_out.append(&mut batch.failed);
            table.values.extend(extractor.of(&batch.images, batch.len())?);
            for &index in &batch.indices {
                let sample = &split.samples[index];
                table.files.push(sample.name());
                table.labels.push(sample.label);
                table.parts.push(part);
                table.samples.push(sample.clone());
            }
            bar.at((table.rows() + left_out.len()) as u64, String::new);
            loader.recycle(batch);
        }
        Ok(left_out)
    }

    /// Draws the map.
    fn draw(&self, table: &Table, cpu: &Cpu, layer: &str, file: &Path) -> Result<()> {
        ensure!(self.perplexity >= 1.0 && self.perplexity.is_finite(), "--perplexity must be 1 or more");
        let (rows, most) = (table.rows(), self.most as usize);
        let shown: Vec<usize> =
            if rows <= most { (0..rows).collect() } else { (0..most).map(|i| i * rows / most).collect() };
        if shown.len() < rows {
            remark(&format!("the map shows {} of {rows} images, spread evenly; --most shows more", shown.len()));
        }
        let values: Vec<f32> = shown.iter().flat_map(|&row| table.row(row).iter().copied()).collect();
        let count = if self.method == Method::Pca { 2 } else { COMPONENTS };
        let (scores, shares) = cpu.install(|| project::principal(cpu, &values, table.len, count));
        let count = shares.len();
        let (places, how) = match self.method {
            Method::Pca => {
                let second = |row: &[f64]| row.get(1).copied().unwrap_or(0.0);
                let places = scores.chunks_exact(count).map(|row| [row[0], second(row)]).collect();
                let share = 100.0 * shares.iter().take(2).sum::<f64>();
                (places, format!("two principal components, {share:.0} % of the variance"))
            }
            Method::Tsne => {
                let bar = Bar::new();
                let mut begun = false;
                let places = project::tsne(cpu, &scores, count, self.perplexity, |step, steps| {
                    if !std::mem::replace(&mut begun, true) {
                        bar.begin("t-SNE", steps as u64);
                    }
                    bar.at(step as u64, String::new);
                });
                bar.end();
                (places, format!("t-SNE of {count} principal components"))
            }
        };
        let title = format!("{} images by `{layer}`: {how}", shown.len());
        let svg = map::draw(&title, table, &shown, &places, self.read.limits());
        write_atomic(file, |out| out.write_all(svg.as_bytes()))?;
        Ok(())
    }
}

/// What a file of features is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Npy,
    Npz,
    Parquet,
}

impl Kind {
    fn of(file: &Path) -> Result<Kind> {
        match file.extension().map(|e| e.to_string_lossy().to_lowercase()).as_deref() {
            Some("npy") => Ok(Kind::Npy),
            Some("npz") => Ok(Kind::Npz),
            Some("parquet" | "pq") => Ok(Kind::Parquet),
            _ => bail!("{}: the ending must be .npy, .npz or .parquet", file.display()),
        }
    }

    fn write(self, table: &Table, file: &Path) -> Result<()> {
        write_atomic(file, |out| match self {
            Kind::Npy => numpy::npy(table, out),
            Kind::Npz => numpy::npz(table, out),
            Kind::Parquet => parquet::write(table, out),
        })?;
        if self == Kind::Npy {
            let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            let mut rows = "file,class,label,part\n".to_owned();
            for i in 0..table.rows() {
                let (name, class) = (quoted(&table.files[i]), quoted(table.class(i)));
                rows += &format!("{name},{class},{},{}\n", table.labels[i], table.parts[i]);
            }
            write_atomic(&file.with_extension("csv"), |out| out.write_all(rows.as_bytes()))?;
        }
        Ok(())
    }
}
