//! Gradient clipping by the global norm (Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063).

use striate_engine::Tensors;
use striate_kernels::Cpu;

/// Floats of a piece.
const PIECE: usize = 1 << 14;

/// Scales all gradients down together so that their norm is `most` at most. Returns the norm they had; where that is no
/// number they are left as they are.
pub fn clip(cpu: &Cpu, gradients: &mut Tensors, most: f64) -> f64 {
    let norm = norm(cpu, gradients);
    if norm > most && norm.is_finite() {
        let scale = (most / norm) as f32;
        for (.., values) in gradients.iter_mut() {
            cpu.chunks(values, PIECE, |_, values| values.iter_mut().for_each(|v| *v *= scale));
        }
    }
    norm
}

/// The root of the sum of all squares, in f64; pieces are added in order.
pub fn norm(cpu: &Cpu, gradients: &Tensors) -> f64 {
    let mut total = 0.0;
    for (.., values) in gradients.iter() {
        let mut sums = vec![0.0_f64; values.len().div_ceil(PIECE)];
        cpu.chunks(&mut sums, 1, |i, sum| {
            let piece = &values[i * PIECE..((i + 1) * PIECE).min(values.len())];
            sum[0] = piece.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
        });
        total += sums.iter().sum::<f64>();
    }
    total.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_graph::layers::Linear;
    use striate_graph::{Builder, Shape};

    fn gradients(value: f32) -> Tensors {
        let mut g = Builder::new("linear");
        let x = g.input(Shape::vector(300));
        let y = g.add("fc", Linear::new(100), x);
        let mut t = Tensors::zeros(&g.finish(y).unwrap());
        t.fill(value);
        t
    }

    #[test]
    fn the_norm_is_clipped_and_the_direction_kept() {
        // 30,100 values of 0.5: a norm of √7525.
        let cpu = Cpu::new(2).unwrap();
        let mut g = gradients(0.5);
        assert!((clip(&cpu, &mut g, 1e3) - 7525.0_f64.sqrt()).abs() < 1e-9);
        assert!(g.get("fc.bias").unwrap().iter().all(|v| *v == 0.5), "small enough as it is");
        assert!((clip(&cpu, &mut g, 1.0) - 7525.0_f64.sqrt()).abs() < 1e-9);
        assert!((norm(&cpu, &g) - 1.0).abs() < 1e-6);
        let first = g.get("fc.weight").unwrap()[0];
        assert!(g.iter().all(|(.., values)| values.iter().all(|v| *v == first)));
    }

    #[test]
    fn what_is_no_number_is_left_alone() {
        let cpu = Cpu::new(1).unwrap();
        let mut g = gradients(f32::INFINITY);
        assert!(clip(&cpu, &mut g, 1.0).is_infinite());
        assert!(g.get("fc.bias").unwrap().iter().all(|v| v.is_infinite()));
    }
}
