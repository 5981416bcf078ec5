//! C-cells: each answers when any S-cell of its plane does in its window, so that shifts matter less and less.
//!
//! 2003: `u_C(n, k) = ψ[Σ_ν a_C(ν) u_S(n + ν, k)]`, ψ\[x\] = φ\[x\]/(1 + φ\[x\]); in the first two stages with an inhibitory surround,
//! which keeps line ends apart and features from blurring into each other.
//!
//! 1980: `u_C(n, k) = ψ[(1 + Σ_ν d(ν) u_S(n + ν, k)) / (1 + v_S(n)) − 1]`, ψ\[x\] = φ\[x/(α + x)\], where
//! `v_S(n) = (1/K) Σ_k Σ_ν d(ν) u_S(n + ν, k)` lets the planes inhibit each other.

use super::window::bell;
use super::{Connections, Maps, Window};
use striate_kernels::Cpu;

/// Which year's cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Saturation {
    /// 1980's, with its α.
    Lateral(f32),
    /// 2003's.
    Alone,
}

/// A layer of C-cells of some number of planes.
#[derive(Clone, Debug)]
pub struct CLayer {
    connections: Connections,
    saturation: Saturation,
}

impl CLayer {
    /// Reads `planes` planes by the pattern `d`.
    pub fn new(cpu: &Cpu, window: &Window, planes: usize, d: &[f32], saturation: Saturation) -> Self {
        Self { connections: Connections::within(cpu, window, planes, d), saturation }
    }

    /// What its cells answer.
    pub fn respond(&self, cpu: &Cpu, maps: &Maps) -> Maps {
        let mut out = self.connections.sum(cpu, maps);
        for cell in out.values.chunks_exact_mut(out.planes) {
            match self.saturation {
                Saturation::Alone => cell.iter_mut().for_each(|u| *u = u.max(0.0) / (1.0 + u.max(0.0))),
                Saturation::Lateral(alpha) => {
                    let v = cell.iter().sum::<f32>() / cell.len() as f32;
                    for u in cell {
                        let x = (1.0 + *u) / (1.0 + v) - 1.0;
                        *u = if x > 0.0 { x / (alpha + x) } else { 0.0 };
                    }
                }
            }
        }
        out
    }
}

/// An excitatory bell that sums to `strength`, less an inhibitory one around it of the share `surround`.
pub fn pooling(window: &Window, strength: f32, centre: f32, surround: f32, share: f32) -> Vec<f32> {
    let radius = window.reach as f32 + 0.5;
    let bells = |sigma| window.pattern(move |dy, dx| bell(dy, dx, sigma, radius));
    let (narrow, wide) = (bells(centre), bells(surround));
    let (sum, wide_sum) = (narrow.iter().sum::<f32>(), wide.iter().sum::<f32>());
    narrow.iter().zip(wide).map(|(n, w)| strength * (n / sum - share * w / wide_sum)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_s_cell_is_enough_and_planes_inhibit_each_other_in_1980() {
        let cpu = Cpu::new(1).unwrap();
        let window = Window { from: 5, to: 3, stride: 2, reach: 1 };
        let d = window.pattern(|_, _| 0.5);
        let mut maps = Maps::silent(5, 2);
        maps.values[2 * (2 * 5 + 1)] = 1.0;
        let alone = CLayer::new(&cpu, &window, 2, &d, Saturation::Alone).respond(&cpu, &maps);
        // The S-cell at (2, 1) lies in the windows over (2, 0) and (2, 2).
        let answers: Vec<f32> = alone.plane(0);
        let expected = 0.5 / 1.5;
        assert_eq!(answers, [0.0, 0.0, 0.0, expected, expected, 0.0, 0.0, 0.0, 0.0]);
        let lateral = CLayer::new(&cpu, &window, 2, &d, Saturation::Lateral(0.5)).respond(&cpu, &maps);
        // v is half of one plane's sum.
        let x = 1.5_f32 / 1.25 - 1.0;
        assert!((lateral.at(1, 0)[0] - x / (0.5 + x)).abs() < 1e-6);
        assert_eq!(lateral.at(1, 0)[1], 0.0, "the other plane is inhibited");
    }

    #[test]
    fn surrounds_inhibit() {
        let window = Window { from: 9, to: 9, stride: 1, reach: 4 };
        let d = pooling(&window, 2.0, 1.0, 3.0, 0.5);
        assert!((d.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(d[4 * 9 + 4] > 0.0 && d[4 * 9 + 1] < 0.0);
    }
}
