//! The contrast-extracting layer `U_G` of 2003: cells with concentric receptive fields, on-centre in plane 0 and off-centre in
//! plane 1, whose connections sum to zero, so that even light is not answered:
//! `u_G(n, k) = φ[±Σ_ν a_G(ν) u_0(n + ν)]`, φ\[x\] = max(x, 0).

use super::window::{bell, reach};
use super::{Connections, Maps, Window};
use striate_kernels::Cpu;

/// The radius of a receptive field, in pixels.
const RADIUS: f32 = 3.3;
/// Widths of centre and surround.
const CENTRE: f32 = 1.0;
const SURROUND: f32 = 2.5;
/// What centre and surround each sum to: the answer to light that covers the centre alone.
const STRENGTH: f32 = 2.0;

/// The layer `U_G`.
#[derive(Clone, Debug)]
pub struct Contrast {
    connections: Connections,
}

impl Contrast {
    /// Reads a picture of `from`² and has planes of `to`² cells.
    pub fn new(cpu: &Cpu, from: usize, to: usize) -> Self {
        let window = Window { from, to, stride: 1, reach: reach(RADIUS) };
        let on = pattern(&window);
        let off: Vec<f32> = on.iter().map(|a| -a).collect();
        Self { connections: Connections::full(cpu, &window, 1, 2, &[on, off].concat()) }
    }

    /// What the layer answers to a picture of one plane.
    pub fn respond(&self, cpu: &Cpu, picture: &Maps) -> Maps {
        let mut maps = self.connections.sum(cpu, picture);
        maps.values.iter_mut().for_each(|u| *u = u.max(0.0));
        maps
    }
}

/// `a_G`: a narrow bell less a wide one.
fn pattern(window: &Window) -> Vec<f32> {
    let share = |sigma| {
        let bells = window.pattern(|dy, dx| bell(dy, dx, sigma, RADIUS));
        let sum: f32 = bells.iter().sum();
        bells.into_iter().map(move |b| STRENGTH * b / sum)
    };
    share(CENTRE).zip(share(SURROUND)).map(|(centre, surround)| centre - surround).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_light_is_not_answered_and_a_spot_is() {
        let cpu = Cpu::new(1).unwrap();
        let layer = Contrast::new(&cpu, 21, 15);
        let light = Maps { side: 21, planes: 1, values: vec![0.7; 441] };
        assert!(layer.respond(&cpu, &light).values.iter().all(|u| *u < 1e-5));
        let mut spot = Maps::silent(21, 1);
        spot.values[10 * 21 + 10] = 1.0;
        let answer = layer.respond(&cpu, &spot);
        assert!(answer.at(7, 7)[0] > 0.1 && answer.at(7, 7)[1] == 0.0, "on in the centre");
        assert!(answer.at(7, 4)[0] == 0.0 && answer.at(7, 4)[1] > 0.01, "off in the surround");
    }
}
