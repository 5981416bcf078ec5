//! S-cells: each answers where the cells that it is connected to look like what its plane has learnt.
//!
//! Fukushima (2003), DOI 10.1016/S0925-2312(02)00614-8, with a the excitatory connections, b the inhibitory one and v the
//! V-cell, which measures how much there is at all:
//!
//! * `u_S(n, k) = θ/(1 − θ) · φ[(1 + Σ_κ Σ_ν a(ν, κ, k) u_C(n + ν, κ)) / (1 + θ b(k) v(n)) − 1]`
//! * `v(n) = √(Σ_κ Σ_ν c(ν) u_C(n + ν, κ)²)`, c falling with the distance, `Σ_ν c(ν) = 1`
//! * `Δa(ν, κ, k) = q c(ν) u_C(n̂ + ν, κ)` at the seed cell n̂ of plane k
//! * `b(k) = √(Σ_κ Σ_ν a(ν, κ, k)² / c(ν))`
//!
//! With strong connections this is (s − θ)/(1 − θ), s = Σ a u / (b v) being the similarity of what is there with what was
//! learnt, a cosine. Fukushima (1980), DOI 10.1007/BF00344251, writes r = θ/(1 − θ) and halves b, which grows by
//! `Δb = q v(n̂) / 2` ([`Inhibition::Sum`]); for a plane that has learnt once the two are the same.

use super::{Connections, Maps, Window};
use serde::{Deserialize, Serialize};
use striate_kernels::Cpu;

/// How a plane's inhibition follows its learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inhibition {
    /// The sum of what its seed cells' V-cells said (1980).
    Sum,
    /// The norm of its excitatory connections (2003).
    Norm,
}

/// What one plane has learnt.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Excitatory connections, (planes that are read, taps).
    pub a: Vec<f32>,
    /// The inhibitory connection.
    pub b: f32,
}

/// A layer of S-cells.
#[derive(Clone, Debug)]
pub struct SLayer {
    /// What its cells see.
    pub window: Window,
    /// Planes that are read.
    pub sources: usize,
    /// Its planes.
    pub planes: Vec<Plane>,
    /// The V-cells' connections; their sum is 1. Zero where there are none.
    c: Vec<f32>,
    inhibition: Inhibition,
    connections: Option<Connections>,
}

impl SLayer {
    /// A layer without planes. `c` is the V-cells' pattern up to a factor.
    pub fn new(window: Window, sources: usize, c: Vec<f32>, inhibition: Inhibition) -> Self {
        let sum: f32 = c.iter().sum();
        let c = c.into_iter().map(|c| c / sum).collect();
        Self { window, sources, planes: Vec::new(), c, inhibition, connections: None }
    }

    /// Makes ready what the planes have learnt by now; [`SLayer::respond`] sees nothing newer.
    pub fn ready(&mut self, cpu: &Cpu) {
        let weights: Vec<f32> = self.planes.iter().flat_map(|p| p.a.iter().copied()).collect();
        self.connections = (!self.planes.is_empty())
            .then(|| Connections::full(cpu, &self.window, self.sources, self.planes.len(), &weights));
    }

    /// The V-cells' answers, one for each of the layer's places.
    pub fn v(&self, maps: &Maps) -> Vec<f32> {
        let squares: Vec<f32> =
            maps.values.chunks_exact(maps.planes).map(|cell| cell.iter().map(|u| u * u).sum()).collect();
        let side = self.window.to;
        let at = |y: usize, x: usize| {
            let mut sum = 0.0;
            self.window.each(y, x, |tap, cell| sum += self.c[tap] * squares[cell]);
            sum.sqrt()
        };
        (0..side * side).map(|i| at(i / side, i % side)).collect()
    }

    /// The S-cells' answers at the threshold θ, 0 < θ < 1, of the planes that were made ready.
    pub fn respond(&self, cpu: &Cpu, maps: &Maps, theta: f32) -> Maps {
        let Some(connections) = &self.connections else { return Maps::silent(self.window.to, self.planes.len()) };
        let v = self.v(maps);
        let mut out = connections.sum(cpu, maps);
        let inhibitory: Vec<f32> = self.planes[..out.planes].iter().map(|p| theta * p.b).collect();
        let gain = theta / (1.0 - theta);
        for (cell, v) in out.values.chunks_exact_mut(inhibitory.len()).zip(v) {
            for (u, b) in cell.iter_mut().zip(&inhibitory) {
                *u = (gain * ((1.0 + *u) / (1.0 + b * v) - 1.0)).max(0.0);
            }
        }
        out
    }

    /// How alike what lies at each place and what each plane has learnt are: 1 the same, 0 nothing in common.
    pub fn similarities(&self, cpu: &Cpu, maps: &Maps) -> Maps {
        let Some(connections) = &self.connections else { return Maps::silent(self.window.to, self.planes.len()) };
        let mut out = connections.sum(cpu, maps);
        for (cell, v) in out.values.chunks_exact_mut(out.planes).zip(self.v(maps)) {
            for (s, plane) in cell.iter_mut().zip(&self.planes) {
                let most = plane.b * v;
                *s = if most > 0.0 { *s / most } else { 0.0 };
            }
        }
        out
    }

    /// How alike what two planes have learnt is ([`Inhibition::Norm`]).
    pub(super) fn cosine(&self, one: usize, other: usize) -> f32 {
        let taps = self.window.taps();
        let (one, other) = (&self.planes[one], &self.planes[other]);
        let rows = one.a.chunks_exact(taps).zip(other.a.chunks_exact(taps));
        let of = |(x, y): (&[f32], &[f32])| -> f32 {
            let each = x.iter().zip(y).zip(&self.c).filter(|(_, c)| **c > 0.0);
            each.map(|((x, y), c)| x * y / c).sum()
        };
        let most = one.b * other.b;
        if most > 0.0 { rows.map(of).sum::<f32>() / most } else { 0.0 }
    }

    /// Σ a u at one place, and the V-cell's answer there.
    fn excitation(&self, k: usize, y: usize, x: usize, maps: &Maps) -> (f32, f32) {
        let (plane, taps) = (&self.planes[k], self.window.taps());
        let (mut e, mut square) = (0.0_f32, 0.0_f32);
        self.window.each(y, x, |tap, cell| {
            for (kappa, u) in maps.values[cell * maps.planes..(cell + 1) * maps.planes].iter().enumerate() {
                e += plane.a[kappa * taps + tap] * u;
                square += self.c[tap] * u * u;
            }
        });
        (e, square.sqrt())
    }

    /// How alike what lies at a place and what plane `k` has learnt by now are: 1 the same, 0 nothing in common.
    pub fn similarity(&self, k: usize, y: usize, x: usize, maps: &Maps) -> f32 {
        let (e, v) = self.excitation(k, y, x, maps);
        let most = self.planes[k].b * v;
        if most > 0.0 { e / most } else { 0.0 }
    }

    /// The answer of one cell, by what its plane has learnt by now; [`SLayer::respond`] gives all of them.
    pub fn answer(&self, k: usize, y: usize, x: usize, maps: &Maps, theta: f32) -> f32 {
        let (e, v) = self.excitation(k, y, x, maps);
        (theta / (1.0 - theta) * ((1.0 + e) / (1.0 + theta * self.planes[k].b * v) - 1.0)).max(0.0)
    }

    /// A new plane, without connections; returns its number.
    pub fn grow(&mut self) -> usize {
        self.planes.push(Plane { a: vec![0.0; self.sources * self.window.taps()], b: 0.0 });
        self.planes.len() - 1
    }

    /// Strengthens the connections of plane `k` by what its seed cell (y, x) sees.
    pub fn reinforce(&mut self, k: usize, y: usize, x: usize, maps: &Maps, q: f32) {
        let (taps, c, plane) = (self.window.taps(), &self.c, &mut self.planes[k]);
        let mut square = 0.0_f32;
        self.window.each(y, x, |tap, cell| {
            for (kappa, u) in maps.values[cell * maps.planes..(cell + 1) * maps.planes].iter().enumerate() {
                plane.a[kappa * taps + tap] += q * c[tap] * u;
                square += c[tap] * u * u;
            }
        });
        match self.inhibition {
            // Twice the paper's b, so that both years share one equation.
            Inhibition::Sum => plane.b += q * square.sqrt(),
            Inhibition::Norm => self.planes[k].b = self.norm(k),
        }
    }

    /// b(k) of 2003. Where c is 0, so is a.
    fn norm(&self, k: usize) -> f32 {
        let of = |row: &[f32]| -> f64 {
            row.iter()
                .zip(&self.c)
                .filter(|(_, c)| **c > 0.0)
                .map(|(a, c)| f64::from(*a) * f64::from(*a) / f64::from(*c))
                .sum()
        };
        self.planes[k].a.chunks_exact(self.window.taps()).map(of).sum::<f64>().sqrt() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(inhibition: Inhibition) -> SLayer {
        let window = Window { from: 7, to: 7, stride: 1, reach: 1 };
        SLayer::new(window, 2, window.pattern(|dy, dx| 1.0 / (1.0 + dy * dy + dx * dx)), inhibition)
    }

    fn picture(seed: u64) -> Maps {
        Maps { side: 7, planes: 2, values: (0..98).map(|i| striate_kernels::uniform(seed, i)).collect() }
    }

    #[test]
    fn what_was_learnt_is_answered_with_one_wherever_it_lies() {
        let cpu = Cpu::new(1).unwrap();
        for inhibition in [Inhibition::Sum, Inhibition::Norm] {
            let mut layer = layer(inhibition);
            let k = layer.grow();
            layer.reinforce(k, 3, 2, &picture(5), 1e5);
            layer.ready(&cpu);
            for theta in [0.3, 0.7] {
                let answer = layer.respond(&cpu, &picture(5), theta);
                assert!((answer.at(3, 2)[0] - 1.0).abs() < 1e-3, "{}", answer.at(3, 2)[0]);
                // Everything else is (s − θ)/(1 − θ) of its similarity.
                for (i, u) in answer.values.iter().enumerate() {
                    let s = layer.similarity(0, i / 7, i % 7, &picture(5));
                    let expected = ((s - theta) / (1.0 - theta)).max(0.0);
                    assert!((u - expected).abs() < 2e-3, "{u} {expected}");
                }
            }
        }
    }

    #[test]
    fn weak_light_is_answered_weakly() {
        let cpu = Cpu::new(1).unwrap();
        let mut layer = layer(Inhibition::Norm);
        layer.grow();
        layer.reinforce(0, 3, 3, &picture(1), 2.0);
        layer.ready(&cpu);
        let faint = Maps { values: picture(1).values.iter().map(|u| u * 0.01).collect(), ..picture(1) };
        let (full, faint) = (layer.respond(&cpu, &picture(1), 0.5), layer.respond(&cpu, &faint, 0.5));
        assert!(full.at(3, 3)[0] > 5.0 * faint.at(3, 3)[0] && faint.at(3, 3)[0] > 0.0);
        // By the equation: e = b v = q v².
        let v = layer.v(&picture(1))[3 * 7 + 3];
        let expected = (1.0 + 2.0 * v * v) / (1.0 + 0.5 * 2.0 * v * v) - 1.0;
        assert!((full.at(3, 3)[0] - expected).abs() < 1e-5);
    }

    #[test]
    fn the_inhibitions_part_after_the_second_learning() {
        let (mut sum, mut norm) = (layer(Inhibition::Sum), layer(Inhibition::Norm));
        for layer in [&mut sum, &mut norm] {
            layer.grow();
            layer.reinforce(0, 3, 3, &picture(1), 1.0);
        }
        assert!((sum.planes[0].b - norm.planes[0].b).abs() < 1e-5);
        for layer in [&mut sum, &mut norm] {
            layer.reinforce(0, 3, 3, &picture(2), 1.0);
        }
        assert!(sum.planes[0].b > norm.planes[0].b + 1e-3, "the sum of norms is above the norm of the sum");
    }

    #[test]
    fn a_layer_without_planes_is_silent() {
        let layer = layer(Inhibition::Norm);
        assert!(layer.respond(&Cpu::new(1).unwrap(), &picture(1), 0.5).values.is_empty());
    }
}
