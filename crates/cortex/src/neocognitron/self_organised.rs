//! The first Neocognitron: K. Fukushima, "Neocognitron: a self-organizing neural network model for a mechanism of pattern
//! recognition unaffected by shift in position", Biological Cybernetics 36, 193–202 (1980), DOI 10.1007/BF00344251.
//!
//! `U_0 → U_S1 → U_C1 → U_S2 → U_C2 → U_S3 → U_C3` with 24 planes each, all of which learn at once, without a teacher: patterns
//! are shown again and again, and each comes to have a cell of `U_C3` of its own, wherever it lies. All planes are there from
//! the beginning, with very weak excitatory connections and no inhibitory ones, so that what nobody has learnt yet is answered
//! by a plane that has learnt nothing. Deviations: areas are centred to the upper left where half a cell is in question, weak
//! connections are drawn by lot instead of following orientations, and winners are found from the strongest cell downwards
//! instead of column by column.

use super::c_layer::{CLayer, Saturation};
use super::competition::seeds;
use super::{Inhibition, Maps, SLayer, Window};
use crate::CortexError;
use serde::{Deserialize, Serialize};
use striate_kernels::{Cpu, uniform};

/// The numbers that the network of 1980 is made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Year1980 {
    /// Planes of each layer.
    pub planes: usize,
    /// Receptors along a side.
    pub input: usize,
    /// Sides of the layers of S-cells.
    pub s_sides: [usize; 3],
    /// Sides of the layers of C-cells.
    pub c_sides: [usize; 3],
    /// The efficiency of inhibition, r.
    pub r: [f32; 3],
    /// The speed of learning, q. The paper's V-cells' connections sum to 1 over all planes that are read, ours over each, so that
    /// q is divided by the number of planes here.
    pub q: [f32; 3],
    /// The saturation of C-cells, α.
    pub alpha: f32,
    /// Factor by which the V-cells' connections fall from cell to cell, γ.
    pub gamma: f32,
    /// Strength of the C-cells' connections in the middle, and the factor by which they fall, δ̄ and δ.
    pub delta: [(f32, f32); 3],
    /// The strength of connections that have learnt nothing.
    pub weak: f32,
    /// How far cells compete.
    pub area: [usize; 3],
}

/// Sides, planes, r and α are the paper's, and so is q but for the second layer's, which is ten times as large: with the
/// paper's, the third layer begins to learn before the second tells digits apart, and mixes them. The rest is chosen.
pub const YEAR_1980: Year1980 = Year1980 {
    planes: 24,
    input: 16,
    s_sides: [16, 8, 2],
    c_sides: [10, 6, 1],
    r: [4.0, 1.5, 1.5],
    q: [1.0, 160.0, 16.0],
    alpha: 0.5,
    gamma: 0.9,
    delta: [(4.0, 0.8), (2.5, 0.9), (2.5, 0.8)],
    weak: 5e-3,
    area: [1, 2, 2],
};

/// The network of 1980.
#[derive(Clone, Debug)]
pub struct SelfOrganised {
    year: Year1980,
    s: [SLayer; 3],
    c: [CLayer; 3],
}

impl SelfOrganised {
    /// A network that has learnt nothing; its weak connections are drawn by `seed`.
    pub fn new(cpu: &Cpu, year: Year1980, seed: u64) -> Self {
        let fall = |window: &Window, (strength, factor): (f32, f32)| {
            window.pattern(|dy, dx| strength * factor.powf((dy * dy + dx * dx).sqrt()))
        };
        let reads = [year.input, year.c_sides[0], year.c_sides[1]];
        let s = [0, 1, 2].map(|l| {
            let window = Window { from: reads[l], to: year.s_sides[l], stride: 1, reach: 2 };
            let sources = if l == 0 { 1 } else { year.planes };
            let mut layer = SLayer::new(window, sources, fall(&window, (1.0, year.gamma)), Inhibition::Sum);
            for _ in 0..year.planes {
                let k = layer.grow();
                for (i, a) in layer.planes[k].a.iter_mut().enumerate() {
                    *a = year.weak * uniform(seed, (l << 40 | k << 20 | i) as u64) / window.taps() as f32;
                }
            }
            layer.ready(cpu);
            layer
        });
        let c = [0, 1, 2].map(|l| {
            // From 16 to 10 and from 8 to 6 every other cell; the last cell sees all of its plane.
            let window = Window { from: year.s_sides[l], to: year.c_sides[l], stride: 2, reach: 2 };
            CLayer::new(cpu, &window, year.planes, &fall(&window, year.delta[l]), Saturation::Lateral(year.alpha))
        });
        Self { year, s, c }
    }

    /// The layers of S-cells.
    pub fn s_layers(&self) -> &[SLayer; 3] {
        &self.s
    }

    /// What every layer answers: `U_S1`, `U_C1`, … `U_C3`.
    pub fn respond(&self, cpu: &Cpu, picture: &Maps) -> Vec<Maps> {
        let mut all: Vec<Maps> = Vec::new();
        for l in 0..3 {
            let maps = all.last().unwrap_or(picture);
            let s = self.s[l].respond(cpu, maps, self.theta(l));
            let c = self.c[l].respond(cpu, &s);
            all.extend([s, c]);
        }
        all
    }

    fn theta(&self, l: usize) -> f32 {
        self.year.r[l] / (1.0 + self.year.r[l])
    }

    /// The plane of `U_C3` that answers most strongly; `None` if all are silent.
    pub fn recognise(&self, cpu: &Cpu, picture: &Maps) -> Option<usize> {
        self.respond(cpu, picture).last().and_then(Maps::strongest).map(|(_, k, _, _)| k)
    }

    /// Shows one picture of [`Year1980::input`]² receptors to learn from, in all layers at once.
    ///
    /// # Errors
    /// The picture has another size.
    pub fn learn(&mut self, cpu: &Cpu, picture: &Maps) -> Result<(), CortexError> {
        if picture.side != self.year.input || picture.planes != 1 {
            let found = format!("{}×{}×{}", picture.side, picture.side, picture.planes);
            return Err(CortexError::value("the picture", found, format!("{0}×{0}×1", self.year.input)));
        }
        let all = self.respond(cpu, picture);
        for l in 0..3 {
            let read = if l == 0 { picture } else { &all[2 * l - 1] };
            let (found, _) = seeds(&all[2 * l], self.year.area[l]);
            for seed in found {
                self.s[l].reinforce(seed.k, seed.y, seed.x, read, self.year.q[l] / self.s[l].sources as f32);
            }
            self.s[l].ready(cpu);
        }
        Ok(())
    }

    /// The digits 0 to 4 as the receptors see them, `shift` (right, down) from the middle; what leaves the retina is lost.
    pub fn digits(shift: [isize; 2]) -> Vec<Maps> {
        let draw = |digit: &[&str; 9]| {
            let mut maps = Maps::silent(16, 1);
            for (y, row) in digit.iter().enumerate() {
                for (x, cell) in row.bytes().enumerate() {
                    let (py, px) = (y as isize + 3 + shift[1], x as isize + 5 + shift[0]);
                    if cell == b'#' && (0..16).contains(&py) && (0..16).contains(&px) {
                        maps.values[(py * 16 + px) as usize] = 1.0;
                    }
                }
            }
            maps
        };
        DIGITS.iter().map(draw).collect()
    }
}

const DIGITS: [[&str; 9]; 5] = [
    [" #### ", "#    #", "#    #", "#    #", "#    #", "#    #", "#    #", "#    #", " #### "],
    ["  #   ", " ##   ", "# #   ", "  #   ", "  #   ", "  #   ", "  #   ", "  #   ", "##### "],
    [" #### ", "#    #", "     #", "     #", "    # ", "   #  ", "  #   ", " #    ", "######"],
    ["######", "    # ", "   #  ", "  ##  ", "    # ", "     #", "     #", "#    #", " #### "],
    ["    # ", "   ## ", "  # # ", " #  # ", "#   # ", "######", "    # ", "    # ", "    # "],
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A network that was shown each digit 20 times.
    fn learnt(cpu: &Cpu, seed: u64) -> SelfOrganised {
        let mut network = SelfOrganised::new(cpu, YEAR_1980, seed);
        for _ in 0..20 {
            for digit in &SelfOrganised::digits([0, 0]) {
                network.learn(cpu, digit).unwrap();
            }
        }
        network
    }

    fn cells(cpu: &Cpu, network: &SelfOrganised, shift: [isize; 2]) -> Vec<Option<usize>> {
        SelfOrganised::digits(shift).iter().map(|d| network.recognise(cpu, d)).collect()
    }

    fn distinct(cells: &[Option<usize>]) -> usize {
        let mut all: Vec<usize> = cells.iter().copied().flatten().collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    }

    #[test]
    fn each_digit_gets_a_cell_of_its_own_wherever_it_lies() {
        let cpu = Cpu::new(1).unwrap();
        let network = learnt(&cpu, 5);
        let found = cells(&cpu, &network, [0, 0]);
        assert_eq!(distinct(&found), 5, "{found:?}");
        for shift in [[2, 0], [-2, 0], [0, 2], [0, -2], [-2, -2]] {
            assert_eq!(cells(&cpu, &network, shift), found, "shifted by {shift:?}");
        }
    }

    #[test]
    fn most_draws_of_the_weak_connections_tell_all_digits_apart() {
        let cpu = Cpu::new(1).unwrap();
        let told = (1..=10).filter(|seed| distinct(&cells(&cpu, &learnt(&cpu, *seed), [0, 0])) == 5).count();
        assert!(told >= 7, "{told} of 10");
    }
}
