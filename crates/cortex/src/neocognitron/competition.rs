//! Who learns: winner-take-all without a teacher, over hypercolumns.
//!
//! Around each place all cells of all planes compete; who answers most strongly in its neighbourhood is a seed cell, and its
//! whole plane takes over what it learns. Of several in one plane only the strongest is. Where something is to be seen and
//! nobody answers at the (higher) threshold of learning, a new plane begins with it.

use super::{Maps, SLayer};
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// The rules of learning without a teacher.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Competition {
    /// The threshold of learning, above that of recognition.
    pub theta: f32,
    /// The speed of learning.
    pub q: f32,
    /// A cell competes with those at most so many cells away, along and across.
    pub area: usize,
    /// What is weaker than this share of the picture's strongest place begins no plane.
    pub faintest: f32,
    /// The most planes.
    pub most: usize,
}

/// A cell by its plane and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The plane.
    pub k: usize,
    /// The row.
    pub y: usize,
    /// The column.
    pub x: usize,
}

/// Places where competition is over.
pub(super) struct Taken {
    side: usize,
    places: Vec<bool>,
}

impl Taken {
    fn around(&mut self, y: usize, x: usize, area: usize) {
        for row in y.saturating_sub(area)..=(y + area).min(self.side - 1) {
            let columns = x.saturating_sub(area)..=(x + area).min(self.side - 1);
            self.places[row * self.side..][columns].fill(true);
        }
    }
}

/// The seed cells among these answers, the strongest first, and the places around winners.
pub(super) fn seeds(answers: &Maps, area: usize) -> (Vec<Seed>, Taken) {
    let mut cells: Vec<(usize, f32)> = answers.values.iter().copied().enumerate().filter(|(_, u)| *u > 0.0).collect();
    // Equals keep their order.
    cells.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut taken = Taken { side: answers.side, places: vec![false; answers.side * answers.side] };
    let mut has_seed = vec![false; answers.planes];
    let mut found = Vec::new();
    for (i, _) in cells {
        let (place, k) = (i / answers.planes, i % answers.planes);
        if taken.places[place] {
            continue;
        }
        let seed = Seed { k, y: place / answers.side, x: place % answers.side };
        taken.around(seed.y, seed.x, area);
        if !std::mem::replace(&mut has_seed[k], true) {
            found.push(seed);
        }
    }
    (found, taken)
}

/// Shows the layer one picture to learn from, and returns the seed cells, those of new planes last.
pub fn learn(layer: &mut SLayer, cpu: &Cpu, maps: &Maps, rules: &Competition) -> Vec<Seed> {
    let answers = layer.respond(cpu, maps, rules.theta);
    let (mut found, mut taken) = seeds(&answers, rules.area);
    for (place, cell) in answers.values.chunks_exact(answers.planes.max(1)).enumerate() {
        taken.places[place] |= cell.iter().any(|u| *u > 0.0);
    }
    let known = layer.planes.len();
    for seed in &found {
        layer.reinforce(seed.k, seed.y, seed.x, maps, rules.q);
    }
    let v = layer.v(maps);
    let mut places: Vec<usize> = (0..v.len()).collect();
    places.sort_by(|a, b| v[*b].total_cmp(&v[*a]));
    let least = rules.faintest * places.first().map_or(0.0, |p| v[*p]);
    for place in places.into_iter().take_while(|p| v[*p] > least) {
        let (y, x) = (place / answers.side, place % answers.side);
        if layer.planes.len() >= rules.most {
            break;
        }
        let fresh = || known..layer.planes.len();
        if taken.places[place] || fresh().any(|k| layer.similarity(k, y, x, maps) > rules.theta) {
            continue;
        }
        let k = layer.grow();
        layer.reinforce(k, y, x, maps, rules.q);
        taken.around(y, x, rules.area);
        found.push(Seed { k, y, x });
    }
    if !found.is_empty() {
        layer.ready(cpu);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{Inhibition, Window};
    use super::*;

    #[test]
    fn winners_are_apart_and_one_a_plane() {
        let mut answers = Maps::silent(9, 2);
        let mut set = |y: usize, x: usize, k: usize, u: f32| answers.values[(y * 9 + x) * 2 + k] = u;
        set(1, 1, 0, 0.9);
        set(2, 2, 1, 0.8);
        set(7, 7, 0, 0.5);
        set(7, 1, 1, 0.4);
        let (found, taken) = seeds(&answers, 2);
        // (2, 2) lies too near to the winner; (7, 7) is the second of its plane, and wins its area only.
        assert_eq!(found, [Seed { k: 0, y: 1, x: 1 }, Seed { k: 1, y: 7, x: 1 }]);
        assert!(taken.places[8 * 9 + 8] && !taken.places[4 * 9 + 4]);
    }

    #[test]
    fn different_features_get_planes_of_their_own_and_same_ones_do_not() {
        let cpu = Cpu::new(1).unwrap();
        let window = Window { from: 15, to: 15, stride: 1, reach: 1 };
        let mut layer = SLayer::new(window, 1, window.pattern(|_, _| 1.0), Inhibition::Norm);
        let rules = Competition { theta: 0.8, q: 1e4, area: 2, faintest: 0.5, most: 9 };
        // A lying and a standing stroke.
        let mut picture = Maps::silent(15, 1);
        for i in 2..6 {
            picture.values[3 * 15 + i] = 1.0;
            picture.values[(i + 6) * 15 + 11] = 1.0;
        }
        learn(&mut layer, &cpu, &picture, &rules);
        let planes = layer.planes.len();
        assert!((2..=6).contains(&planes), "strokes and their ends: {planes}");
        let mut turned = picture.clone();
        turned.values.reverse();
        // Turned by half a turn: the same strokes, the ends changed.
        let again = learn(&mut layer, &cpu, &picture, &rules);
        assert_eq!(layer.planes.len(), planes, "nothing new in the same picture");
        assert!(!again.is_empty());
        assert!(learn(&mut layer, &cpu, &Maps::silent(15, 1), &rules).is_empty(), "nothing to see");
    }
}
