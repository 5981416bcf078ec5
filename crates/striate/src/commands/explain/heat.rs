//! Heat maps of one method, and of several side by side.

use super::Common;
use super::pictures::{PicturesArgs, Shown};
use crate::commands::print_table;
use anyhow::Result;
use serde_json::{Value, json};
use std::process::ExitCode;
use striate_explain::{
    Array, Bar, Colours, Explanation, Heat, METHODS, Method, Occluded, Settings, Sheet, Subject, Tile, Trust, choose,
    find, occlude,
};

/// What a single method takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    pictures: PicturesArgs,
    #[command(flatten)]
    tuning: Tuning,
    /// Also measure how far the map can be trusted: deletion, insertion, ROAD, randomised weights
    #[arg(long)]
    trust: bool,
}

/// What comparing takes.
#[derive(clap::Args)]
pub struct CompareArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    pictures: PicturesArgs,
    #[command(flatten)]
    tuning: Tuning,
    /// The methods, with commas between [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    methods: Vec<String>,
}

/// What the methods leave open.
#[derive(clap::Args)]
struct Tuning {
    /// The class that is explained, by name or number [default: the most probable one of each picture]
    #[arg(long, value_name = "C")]
    class: Option<String>,
    /// Grad-CAM's layer, and that of occlusion's strongest map [default: the last map before pooling]
    #[arg(long, value_name = "NODE")]
    layer: Option<String>,
    /// Noisy copies that smoothgrad averages over
    #[arg(long, value_name = "N", default_value_t = 50)]
    samples: usize,
    /// The deviation of smoothgrad's noise, as a share of the input's range
    #[arg(long, value_name = "SHARE", default_value_t = 0.15)]
    noise: f32,
    /// The most steps of integrated gradients
    #[arg(long, value_name = "N", default_value_t = 1024)]
    steps: usize,
    /// The level from which integrated gradients start: 0 (black) to 1 (white)
    #[arg(long, value_name = "LEVEL", default_value_t = 0.0)]
    baseline: f32,
    /// The side of the occluding square in pixels of the input [default: a quarter of the shorter side]
    #[arg(long, value_name = "PIXELS")]
    window: Option<usize>,
    /// Pixels from one place of the square to the next [default: a quarter of the window]
    #[arg(long, value_name = "PIXELS")]
    stride: Option<usize>,
    /// Decides what is drawn by lot
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Tuning {
    fn settings(&self, subject: &Subject, batch: usize) -> Result<Settings> {
        let layer = match &self.layer {
            None => None,
            Some(name) => match choose(&subject.graph, std::slice::from_ref(name))?[..] {
                [layer] => Some(layer),
                ref several => anyhow::bail!("`{name}` fits {} layers; name one", several.len()),
            },
        };
        Ok(Settings {
            layer,
            batch,
            samples: self.samples,
            noise: self.noise,
            seed: self.seed,
            most_steps: self.steps,
            baseline: self.baseline,
            window: self.window,
            stride: self.stride,
            ..Settings::default()
        })
    }
}

/// Pictures with their maps are shown at least this long, enlarged by a whole factor.
const LEAST: u32 = 224;
/// Where methods stand side by side, pictures are shown at most this long.
const MOST: u32 = 448;

impl Args {
    /// Explains each picture by one method.
    pub fn run(&self, name: &str) -> Result<ExitCode> {
        let (looked, method) = (self.common.read()?, find(name)?);
        let subject = &looked.subject;
        let settings = self.tuning.settings(subject, self.common.batch())?;
        let several = matches!(name, "smoothgrad" | "integrated");
        Common::must_fit(subject, if several { settings.batch } else { 1 })?;
        let mut results = self.common.results(name)?;
        self.pictures.each(subject, &mut results, self.tuning.class.as_deref(), 1, |shown, results| {
            let mut panels = Vec::new();
            let found = if name == "occlusion" {
                let occluded = occlude(subject, &shown.input, shown.class, &settings)?;
                panels = figure_seven(&occluded, subject);
                occluded.explanation(subject)
            } else {
                method.explain(subject, &shown.input, shown.class, &settings)?
            };
            let trust = if self.trust { Some(trust(subject, shown, &found.heat, method, &settings)?) } else { None };
            let mut sheet = Sheet::new(format!("{name}: {}", shown.answer(subject)), 3);
            sheet.least = LEAST;
            sheet.tiles.push(Tile::new(shown.picture.to_colour(), [shown.base(), size(shown)]));
            let (tiles, bar) = tiles(shown, &found, method);
            sheet.tiles.extend(tiles);
            sheet.tiles.extend(panels);
            sheet.bars.push(bar);
            sheet.notes.push(method.source().to_owned());
            sheet.notes.extend(notes(&found, trust.as_ref()));
            results.sheet(&shown.name, &sheet)?;
            results.array(&format!("{}_raw", shown.name), &found.raw)?;
            let heat = Array::new(&[found.heat.h, found.heat.w], found.heat.values.clone());
            results.array(&format!("{}_heat", shown.name), &heat)?;
            let line = format!("{}: {}", shown.file, shown.answer(subject));
            results.entry(entry(subject, shown, &found, trust.as_ref()), &line)
        })?;
        results.finish()
    }
}

impl CompareArgs {
    /// Explains each picture by several methods.
    pub fn run(&self) -> Result<ExitCode> {
        let looked = self.common.read()?;
        let subject = &looked.subject;
        let settings = self.tuning.settings(subject, self.common.batch())?;
        let methods: Vec<&dyn Method> = if self.methods.is_empty() {
            METHODS.to_vec()
        } else {
            self.methods.iter().map(|name| Ok(find(name)?)).collect::<Result<_>>()?
        };
        Common::must_fit(subject, settings.batch)?;
        let mut results = self.common.results("compare")?;
        let mut rows = Vec::new();
        self.pictures.each(subject, &mut results, self.tuning.class.as_deref(), methods.len(), |shown, results| {
            let mut sheet = Sheet::new(shown.answer(subject), 3);
            sheet.least = LEAST;
            sheet.tiles.push(Tile::new(shown.picture.to_colour().shrunk(MOST), [shown.base(), size(shown)]));
            let mut all = Vec::new();
            for method in &methods {
                let found = method.explain(subject, &shown.input, shown.class, &settings)?;
                let measured = trust(subject, shown, &found.heat, *method, &settings)?;
                let ([mut overlay, _], _) = tiles(shown, &found, *method);
                overlay.picture = overlay.picture.shrunk(MOST);
                let random = measured.randomised.as_ref().map_or(0.0, |r| r.all_random);
                let figures = [measured.deletion.area, measured.insertion.area, measured.road.combined, random];
                overlay.caption = vec![
                    method.name().to_owned(),
                    format!("deletion {:.3}", figures[0]),
                    format!("insertion {:.3}", figures[1]),
                    format!("ROAD {:.3}", figures[2]),
                    format!("random {:.2}", figures[3]),
                ];
                sheet.tiles.push(overlay);
                let row = [shown.file.clone(), method.name().to_owned()];
                rows.push(row.into_iter().chain(figures.map(|f| format!("{f:.3}"))).collect::<Vec<_>>());
                let mut entry = entry(subject, shown, &found, Some(&measured));
                entry["method"] = json!(method.name());
                all.push(entry);
                results.array(&format!("{}_{}", shown.name, method.name()), &found.raw)?;
                results.step();
            }
            sheet.notes.extend(MEANING.map(str::to_owned));
            results.sheet(&shown.name, &sheet)?;
            results.entry(json!({"file": shown.file, "methods": all}), "")
        })?;
        let code = results.finish()?;
        if !self.common.json {
            print_table(&["picture", "method", "deletion", "insertion", "ROAD", "random weights"], &rows)?;
        }
        Ok(code)
    }
}

/// What the figures of trust mean.
const MEANING: [&str; 4] = [
    "deletion: the mean probability as the most important pixels go; less is better",
    "insertion: the mean probability as they come back; more is better",
    "ROAD: above 0 the map tells what matters, at 0 it is as good as lots",
    "random: rank correlation with the map of a network of random weights; 0 is better",
];

fn trust(subject: &Subject, shown: &Shown, heat: &Heat, method: &dyn Method, settings: &Settings) -> Result<Trust> {
    Ok(Trust::of(subject, &shown.input, shown.class, heat, Some(method), settings)?)
}

fn size(shown: &Shown) -> String {
    format!("{}×{} pixels", shown.picture.width, shown.picture.height)
}

/// What was found, in lines.
fn notes(found: &Explanation, trust: Option<&Trust>) -> Vec<String> {
    let fact = |key: &str| found.facts.get(key);
    let mut notes = Vec::new();
    if let Some(why) = fact("why").and_then(Value::as_str) {
        let layer = fact("layer").and_then(Value::as_str).unwrap_or_default();
        notes.push(if why.contains(layer) { why.to_owned() } else { format!("{layer}: {why}") });
    }
    if let (Some(gap), Some(steps)) = (fact("completeness_gap").and_then(Value::as_f64), fact("steps")) {
        notes.push(format!("{steps} steps; the sum differs from the score's change by {:.2} %", 100.0 * gap.abs()));
    }
    if let Some(trust) = trust {
        let random = trust.randomised.as_ref().map_or(0.0, |r| r.all_random);
        let (deletion, insertion, road) = (trust.deletion.area, trust.insertion.area, trust.road.combined);
        notes.push(format!(
            "deletion {deletion:.3}, insertion {insertion:.3}, ROAD {road:.3}, random weights {random:.2}"
        ));
        notes.extend(MEANING.map(str::to_owned));
    }
    notes
}

/// A map on the picture, and the map itself, at the picture's size; and its scale.
fn tiles(shown: &Shown, found: &Explanation, method: &dyn Method) -> ([Tile; 2], Bar) {
    let colours = if found.signed { Colours::Signed } else { Colours::Rising };
    let heat = shown.on_picture(&found.heat);
    let ends = colours.ends(&heat);
    let over =
        Tile::new(colours.over(&shown.picture, &heat, ends), [method.name().to_owned(), "on the picture".into()]);
    let alone = Tile::new(colours.paint(&heat, ends), ["the map".to_owned()]);
    let [low, high] = ends.map(|v| format!("{v:.2e}"));
    ([over, alone], Bar { colours, low, high, what: method.about().to_owned() })
}

/// The other panels of the paper's figure 7: the probability and the strongest map's activation at every place of the square,
/// and the most probable class.
fn figure_seven(found: &Occluded, subject: &Subject) -> Vec<Tile> {
    let (h, w) = (found.rows.len(), found.columns.len());
    let at_places = |values: &[f32], what: Vec<String>| {
        let heat = Heat::new(h, w, values.to_vec());
        let ends = Colours::Rising.ends(&heat);
        let scale = [format!("0 to {:.3}", ends[1])];
        Tile::new(Colours::Rising.paint(&heat, ends), what.into_iter().chain(scale))
    };
    let (layer, channel) = &found.map;
    let strongest = vec![format!("total of {layer}"), format!("channel {channel}")];
    // Every class that is ever the most probable gets a level.
    let mut classes = found.best.clone();
    classes.sort_unstable();
    classes.dedup();
    let place = |class: &usize| classes.iter().position(|c| c == class).unwrap_or(0) as f32;
    let levels: Vec<f32> = found.best.iter().map(place).collect();
    let most = (classes.len().max(2) - 1) as f32;
    let names = classes.iter().take(4).map(|c| subject.classes[*c].clone());
    let more = classes.len().saturating_sub(4);
    let more = (more > 0).then(|| format!("and {more} more"));
    let caption = ["most probable class:".to_owned()].into_iter().chain(names).chain(more);
    vec![
        at_places(&found.probability, vec!["probability".into(), "at each place".into()]),
        at_places(&found.strongest, strongest),
        Tile::new(Colours::Rising.paint(&Heat::new(h, w, levels), [0.0, most]), caption),
    ]
}

/// All figures about one picture.
fn entry(subject: &Subject, shown: &Shown, found: &Explanation, trust: Option<&Trust>) -> Value {
    let mut entry = json!({
        "file": shown.file,
        "class": subject.classes[shown.class],
        "index": shown.class,
        "probability": shown.probability,
        "facts": found.facts,
    });
    if let Some(trust) = trust {
        entry["trust"] = json!(trust);
    }
    entry
}
