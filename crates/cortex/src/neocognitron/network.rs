//! The Neocognitron of K. Fukushima, "Neocognitron for handwritten digit recognition", Neurocomputing 51, 161–180 (2003),
//! DOI 10.1016/S0925-2312(02)00614-8.
//!
//! `U_0 → U_G → U_S1 → U_C1 → U_S2 → U_C2 → U_S3 → U_C3 → U_S4 → U_C4`: contrast, then edges of 16 directions, then features
//! learnt without a teacher twice, then whole patterns learnt with one. Deviations: planes of S-cells have odd sides (the paper
//! staggers S- and C-cells by half a cell); widths and strengths of the connections to C-cells are our own.

use super::c_layer::{CLayer, Saturation, pooling};
use super::interpolation::Lines;
use super::window::bell;
use super::{Competition, Contrast, Inhibition, Maps, Retina, SLayer, Window};
use crate::CortexError;
use serde::{Deserialize, Serialize};
use striate_data::Picture;
use striate_kernels::Cpu;

/// Cells along the sides of `U_0`, `U_G`, of the layers of S-cells and of those of C-cells.
pub const INPUT: usize = 65;
const CONTRAST: usize = 71;
const S_SIDES: [usize; 4] = [69, 39, 23, 5];
const C_SIDES: [usize; 3] = [37, 21, 13];
/// Directions of edges in `U_S1`.
pub const EDGES: usize = 16;

/// Everything that is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What pictures are scaled to on the input layer; the margin is room to shift them in.
    pub picture: usize,
    /// Thresholds of recognition of the four stages.
    pub theta: [f32; 4],
    /// How the second and the third stage learn.
    pub competition: [Competition; 2],
    /// The speed of learning of the first and of the last stage. The higher it is, the less answers depend on contrast.
    pub q: [f32; 2],
    /// The width of the V-cells' patterns as a share of their radius.
    pub v_width: f32,
    /// Strength, width, width of the surround and its share, of the connections to the C-cells of three stages.
    pub pooling: [[f32; 4]; 3],
    /// Pictures that the stages without a teacher learn from, the first ones.
    pub unsupervised: usize,
    /// The most rounds through all pictures that the last stage learns in.
    pub rounds: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let competition = |theta| Competition { theta, q: 1e4, area: 2, faintest: 0.3, most: 200 };
        Self {
            picture: 56,
            theta: [0.55, 0.45, 0.48, 0.30],
            competition: [competition(0.58), competition(0.58)],
            q: [1e4; 2],
            v_width: 0.6,
            pooling: [[6.0, 1.5, 3.0, 0.4], [4.0, 1.5, 3.0, 0.4], [2.5, 1.5, 3.0, 0.0]],
            unsupervised: 300,
            rounds: 5,
        }
    }
}

/// The network and what it has learnt.
#[derive(Clone, Debug)]
pub struct Neocognitron {
    /// What was chosen.
    pub settings: Settings,
    /// The classes' names.
    pub classes: Vec<String>,
    /// The class of each plane of the last layer.
    pub labels: Vec<u32>,
    pub(super) s: [SLayer; 4],
    pub(super) c: Vec<CLayer>,
    contrast: Contrast,
    retina: Retina,
    lines: Option<Lines>,
}

/// What every layer answers to one picture.
#[derive(Clone, Debug)]
pub struct Response {
    /// The layers' names, `U_0` first, and their outputs.
    pub layers: Vec<(String, Maps)>,
    /// The winner's class, and each class's strongest answer; `None` if the last layer is silent.
    pub class: Option<u32>,
    /// Each class's strongest answer.
    pub scores: Vec<f32>,
}

impl Neocognitron {
    /// A network that has learnt nothing yet, for these classes.
    pub fn new(cpu: &Cpu, settings: Settings, classes: Vec<String>) -> Self {
        let layer = |stage: usize, from: usize, sources: usize, reach: usize| {
            let window = Window { from, to: S_SIDES[stage], stride: 1, reach };
            SLayer::new(window, sources, v_pattern(&window, settings.v_width), Inhibition::Norm)
        };
        let s = [
            layer(0, CONTRAST, 2, 3),
            layer(1, C_SIDES[0], EDGES, 3),
            layer(2, C_SIDES[1], 0, 3),
            layer(3, C_SIDES[2], 0, 4),
        ];
        let contrast = Contrast::new(cpu, INPUT, CONTRAST);
        let retina = Retina::new(INPUT, settings.picture);
        Self { settings, classes, labels: Vec::new(), s, c: Vec::new(), contrast, retina, lines: None }
    }

    /// The layers of S-cells, with what they have learnt.
    pub fn s_layers(&self) -> &[SLayer; 4] {
        &self.s
    }

    /// Gives the planes of S-stage `stage` (0 to 3) to the C-cells behind it and to the stage behind those.
    pub(super) fn connect(&mut self, cpu: &Cpu, stage: usize) {
        self.s[stage].ready(cpu);
        let planes = self.s[stage].planes.len();
        self.c.truncate(stage);
        if stage < 3 {
            let window = Self::c_window(stage);
            let [strength, centre, surround, share] = self.settings.pooling[stage];
            let d = pooling(&window, strength, centre, surround, share);
            self.c.push(CLayer::new(cpu, &window, planes, &d, Saturation::Alone));
            self.s[stage + 1].sources = planes;
        }
    }

    /// What the C-cells of a stage see.
    pub(super) fn c_window(stage: usize) -> Window {
        Window { from: S_SIDES[stage], to: C_SIDES[stage], stride: 2, reach: [6, 5, 3][stage] }
    }

    /// What the cells of `U_G` see, but for their reach.
    pub(super) fn contrast_window() -> Window {
        Window { from: INPUT, to: CONTRAST, stride: 1, reach: 0 }
    }

    /// The receptors' answers to a picture.
    pub(super) fn receptors(&self, picture: &Picture) -> Maps {
        self.retina.see(picture)
    }

    /// The answers of one layer of S-cells to a picture.
    pub(super) fn stage(&self, cpu: &Cpu, picture: &Picture, stage: usize) -> Maps {
        let maps = self.pass(cpu, self.see(cpu, picture), 0, stage);
        self.s[stage].respond(cpu, &maps, self.settings.theta[stage])
    }

    /// The contrast that the network sees in a picture.
    pub fn see(&self, cpu: &Cpu, picture: &Picture) -> Maps {
        self.contrast.respond(cpu, &self.retina.see(picture))
    }

    /// The contrast of a drawing on the input layer.
    pub(super) fn see_drawing(&self, cpu: &Cpu, drawing: &Maps) -> Maps {
        self.contrast.respond(cpu, drawing)
    }

    /// What the C-cells of the stages from `from` to `to - 1` make of the answers before them.
    pub(super) fn pass(&self, cpu: &Cpu, maps: Maps, from: usize, to: usize) -> Maps {
        (from..to).fold(maps, |maps, stage| {
            self.c[stage].respond(cpu, &self.s[stage].respond(cpu, &maps, self.settings.theta[stage]))
        })
    }

    /// Recognises from now on by vectors between those of the last layer's planes, as Fukushima did from 2007 on, instead of
    /// by the planes alone; or ends that.
    pub fn interpolate(&mut self, on: bool) {
        self.lines = on.then(|| Lines::between(&self.s[3], &self.labels, self.classes.len()));
    }

    /// The class that the network takes a picture for, and each class's strongest answer (`U_C4`).
    pub fn recognise(&self, cpu: &Cpu, picture: &Picture) -> (Option<u32>, Vec<f32>) {
        let maps = self.pass(cpu, self.see(cpu, picture), 0, self.c.len());
        match &self.lines {
            None => self.judge(&self.s[3].respond(cpu, &maps, self.settings.theta[3])),
            Some(lines) => self.interpolated(lines, cpu, &maps),
        }
    }

    /// The likest class, and what cells that had learnt the likest vectors would answer.
    fn interpolated(&self, lines: &Lines, cpu: &Cpu, maps: &Maps) -> (Option<u32>, Vec<f32>) {
        let theta = self.settings.theta[3];
        let answer = |s: f32| ((s - theta) / (1.0 - theta)).max(0.0);
        let likeness = lines.likeness(&self.s[3].similarities(cpu, maps));
        let scores: Vec<f32> = likeness.into_iter().map(answer).collect();
        let best = (0..scores.len()).reduce(|a, b| if scores[b] > scores[a] { b } else { a });
        (best.filter(|class| scores[*class] > 0.0).map(|class| class as u32), scores)
    }

    /// The winner of `U_S4` and the answers of `U_C4`.
    fn judge(&self, last: &Maps) -> (Option<u32>, Vec<f32>) {
        let mut scores = vec![0.0_f32; self.classes.len()];
        for cell in last.values.chunks_exact(last.planes.max(1)) {
            for (u, label) in cell.iter().zip(&self.labels) {
                scores[*label as usize] = scores[*label as usize].max(*u);
            }
        }
        (last.strongest().map(|(_, k, _, _)| self.labels[k]), scores)
    }

    /// What every layer answers to a picture.
    pub fn respond(&self, cpu: &Cpu, picture: &Picture) -> Response {
        let receptors = self.retina.see(picture);
        let contrast = self.contrast.respond(cpu, &receptors);
        let mut layers = vec![("U0".to_owned(), receptors), ("UG".to_owned(), contrast.clone())];
        let mut maps = contrast;
        for (stage, c) in self.c.iter().enumerate() {
            let s = self.s[stage].respond(cpu, &maps, self.settings.theta[stage]);
            maps = c.respond(cpu, &s);
            layers.push((format!("US{}", stage + 1), s));
            layers.push((format!("UC{}", stage + 1), maps.clone()));
        }
        let last = self.s[3].respond(cpu, &maps, self.settings.theta[3]);
        let (class, scores) = match &self.lines {
            None => self.judge(&last),
            Some(lines) => self.interpolated(lines, cpu, &maps),
        };
        layers.push(("US4".to_owned(), last));
        layers.push(("UC4".to_owned(), Maps { side: 1, planes: scores.len(), values: scores.clone() }));
        Response { layers, class, scores }
    }

    /// The classes of many pictures, on all threads.
    pub fn recognise_all(&self, cpu: &Cpu, pictures: &[Picture]) -> Vec<Option<u32>> {
        map(cpu, pictures, |picture| self.recognise(cpu, picture).0)
    }
}

/// `c(ν)` of V-cells: falls with the distance.
fn v_pattern(window: &Window, width: f32) -> Vec<f32> {
    let radius = window.reach as f32 + 0.3;
    window.pattern(|dy, dx| bell(dy, dx, width * radius, radius))
}

/// `f` of each, in order, one picture a piece.
pub(super) fn map<T: Sync, R: Send>(cpu: &Cpu, all: &[T], f: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    let mut out: Vec<Option<R>> = (0..all.len()).map(|_| None).collect();
    cpu.chunks(&mut out, 1, |i, to| to[0] = Some(f(&all[i])));
    out.into_iter().flatten().collect()
}

impl Settings {
    /// Fails where a value cannot be meant.
    ///
    /// # Errors
    /// The value, and what it must be.
    pub fn check(&self) -> Result<(), CortexError> {
        let between = |what, value: f32, low: f32, high: f32| {
            if value > low && value < high {
                Ok(())
            } else {
                Err(CortexError::value(what, value, format!("above {low} and below {high}")))
            }
        };
        self.theta.iter().try_for_each(|t| between("a threshold of recognition", *t, 0.0, 1.0))?;
        for rules in &self.competition {
            between("a threshold of learning", rules.theta, 0.0, 1.0)?;
            between("a speed of learning", rules.q, 0.0, 1e12)?;
            between("the faintest share", rules.faintest, -1e-6, 1.0)?;
            between("the number of planes", rules.most as f32, 0.0, 1e4)?;
            between("the area of competition", rules.area as f32, -1.0, 1e3)?;
        }
        self.q.iter().try_for_each(|q| between("a speed of learning", *q, 0.0, 1e12))?;
        between("the pictures' size on the input layer", self.picture as f32, 7.0, INPUT as f32 + 1.0)?;
        between("the V-cells' width", self.v_width, 0.0, 1e3)?;
        self.pooling.iter().flatten().try_for_each(|p| between("a strength or width of pooling", *p, -1e-6, 1e6))?;
        if self.unsupervised == 0 || self.rounds == 0 {
            return Err(CortexError::value("the number of pictures or rounds", 0, "1 or more"));
        }
        Ok(())
    }
}
