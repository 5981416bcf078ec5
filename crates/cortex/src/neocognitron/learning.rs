//! How the Neocognitron of 2003 learns, stage by stage: each stage begins when the one before it has ended.

use super::competition::learn;
use super::network::{EDGES, INPUT, Neocognitron, Settings, map};
use super::{Maps, SLayer};
use crate::CortexError;
use striate_data::Picture;
use striate_kernels::Cpu;

/// Pictures of the last stage whose winners are found together, by what the planes had learnt before them.
const GROUP: usize = 32;

/// How far learning is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The stage, 1 to 4.
    pub stage: usize,
    /// The round through the pictures, from 1; 0 while they pass through the stages before the last.
    pub round: usize,
    /// Pictures shown in this round.
    pub shown: usize,
    /// Pictures in a round.
    pub of: usize,
    /// The stage's planes by now.
    pub planes: usize,
    /// Pictures of this round that were not recognised; the last stage only.
    pub wrong: usize,
}

impl Neocognitron {
    /// Learns from pictures with their classes. `progress` is told now and then, and ends learning early by `false`: the
    /// network then knows what it has learnt by then.
    ///
    /// # Errors
    /// There are no pictures, not as many labels, or a label that is no class.
    pub fn learn(
        cpu: &Cpu,
        settings: Settings,
        classes: Vec<String>,
        pictures: &[Picture],
        labels: &[u32],
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Self, CortexError> {
        if pictures.is_empty() || pictures.len() != labels.len() {
            let found = format!("{} pictures and {} labels", pictures.len(), labels.len());
            return Err(CortexError::value("what is learnt from", found, "one or more pictures, each with a label"));
        }
        if let Some(label) = labels.iter().find(|l| **l as usize >= classes.len()) {
            return Err(CortexError::value("a label", label, format!("below {} classes", classes.len())));
        }
        settings.check()?;
        let mut network = Self::new(cpu, settings, classes);
        network.learn_edges(cpu);
        let first = &pictures[..pictures.len().min(settings.unsupervised)];
        let mut maps = map(cpu, first, |p| network.pass(cpu, network.see(cpu, p), 0, 1));
        let mut go = true;
        for stage in [1, 2] {
            let of = maps.len();
            for (shown, maps) in maps.iter().enumerate() {
                if !go && !network.s[stage].planes.is_empty() {
                    break;
                }
                learn(&mut network.s[stage], cpu, maps, &settings.competition[stage - 1]);
                let planes = network.s[stage].planes.len();
                go = progress(Progress { stage: stage + 1, round: 1, shown: shown + 1, of, planes, wrong: 0 });
            }
            if network.s[stage].planes.is_empty() {
                return Err(CortexError::value(
                    "what the pictures show",
                    "nothing",
                    "a pattern brighter than its ground",
                ));
            }
            network.connect(cpu, stage);
            maps = map(cpu, &maps, |m| network.pass(cpu, m.clone(), stage, stage + 1));
        }
        let of = pictures.len();
        for rest in pictures[maps.len()..].chunks(4 * GROUP) {
            maps.extend(map(cpu, rest, |p| network.pass(cpu, network.see(cpu, p), 0, 3)));
            go = go && progress(Progress { stage: 4, round: 0, shown: maps.len(), of, planes: 0, wrong: 0 });
            if !go {
                break;
            }
        }
        network.learn_patterns(cpu, &maps, labels, &mut |p| go && progress(p));
        Ok(network)
    }

    /// Stage 1: a straight edge through the middle in each of 16 directions, the bright side in that direction.
    pub(super) fn learn_edges(&mut self, cpu: &Cpu) {
        let middle = self.s[0].window.to / 2;
        for k in 0..EDGES {
            let edge = self.see_drawing(cpu, &edge(k as f32 / EDGES as f32 * std::f32::consts::TAU));
            let plane = self.s[0].grow();
            self.s[0].reinforce(plane, middle, middle, &edge, self.settings.q[0]);
        }
        self.connect(cpu, 0);
    }

    /// Stage 4: the winner of all cells learns if it has the picture's label; otherwise, or if all are silent, a new plane
    /// with that label begins with the picture. Ends when a round brings no new plane.
    ///
    /// Deviation: winners are found for groups of pictures at once, by planes as they were before the group; planes that began
    /// within the group compete too.
    fn learn_patterns(&mut self, cpu: &Cpu, maps: &[Maps], labels: &[u32], progress: &mut dyn FnMut(Progress) -> bool) {
        let (theta, q, of) = (self.settings.theta[3], self.settings.q[1], maps.len());
        for round in 1..=self.settings.rounds {
            let (mut wrong, mut shown) = (0, 0);
            for (maps, labels) in maps.chunks(GROUP).zip(labels.chunks(GROUP)) {
                let layer = &self.s[3];
                let known = layer.planes.len();
                let winners = map(cpu, maps, |m| layer.respond(cpu, m, theta).strongest());
                for ((maps, &label), winner) in maps.iter().zip(labels).zip(winners) {
                    let fresh =
                        (known..self.s[3].planes.len()).filter_map(|k| strongest_of(&self.s[3], k, maps, theta));
                    // The first of equals.
                    let winner = winner.into_iter().chain(fresh).reduce(|a, b| if b.0 > a.0 { b } else { a });
                    match winner {
                        Some((_, k, y, x)) if self.labels[k] == label => self.s[3].reinforce(k, y, x, maps, q),
                        _ => {
                            wrong += 1;
                            let (k, middle) = (self.s[3].grow(), self.s[3].window.to / 2);
                            self.s[3].reinforce(k, middle, middle, maps, q);
                            self.labels.push(label);
                        }
                    }
                }
                self.s[3].ready(cpu);
                shown += maps.len();
                let planes = self.labels.len();
                if !progress(Progress { stage: 4, round, shown, of, planes, wrong }) {
                    return;
                }
            }
            if wrong == 0 {
                return;
            }
        }
    }
}

/// The strongest cell of one plane: its answer, the plane and the place.
fn strongest_of(layer: &SLayer, k: usize, maps: &Maps, theta: f32) -> Option<(f32, usize, usize, usize)> {
    let side = layer.window.to;
    let cells = (0..side * side).map(|i| (layer.answer(k, i / side, i % side, maps, theta), k, i / side, i % side));
    cells.filter(|c| c.0 > 0.0).reduce(|a, b| if b.0 > a.0 { b } else { a })
}

/// A straight edge on the input layer, bright towards `angle` (counter-clockwise from the right), a pixel wide.
fn edge(angle: f32) -> Maps {
    let mut maps = Maps::silent(INPUT, 1);
    let middle = (INPUT / 2) as f32;
    let (sin, cos) = angle.sin_cos();
    for (i, u) in maps.values.iter_mut().enumerate() {
        let (x, y) = ((i % INPUT) as f32 - middle, middle - (i / INPUT) as f32);
        *u = (x * cos + y * sin + 0.5).clamp(0.0, 1.0);
    }
    maps
}
