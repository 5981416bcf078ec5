//! An exponential moving average of a network's weights, which generalises better than the last step's (Polyak and Juditsky
//! 1992; as Inception was evaluated, Szegedy et al. 2016, arXiv:1512.00567).

use striate_engine::{Parameters, Tensors};
use striate_kernels::Cpu;

/// The average, gathered statistics included.
#[derive(Clone, Debug)]
pub struct Average {
    decay: f64,
    values: Tensors,
}

impl Average {
    /// Begins with these values; of every later step `1 − decay` is taken in.
    pub fn new(decay: f64, parameters: &Parameters) -> Average {
        Average { decay, values: parameters.clone() }
    }

    /// Takes the parameters in after the `steps`-th step of the run, from 1. At first more of them, `9 / (steps + 10)` at
    /// least, so that the random start is soon forgotten.
    pub fn take(&mut self, cpu: &Cpu, parameters: &Parameters, steps: u64) {
        /// Floats of a piece.
        const PIECE: usize = 1 << 14;
        let share = (1.0 - self.decay).max(9.0 / (steps as f64 + 10.0)) as f32;
        for ((.., average), (.., values)) in self.values.iter_mut().zip(parameters.iter()) {
            cpu.chunks(average, PIECE, |i, average| {
                for (a, v) in average.iter_mut().zip(&values[i * PIECE..]) {
                    *a += share * (v - *a);
                }
            });
        }
    }

    /// The average.
    pub fn parameters(&self) -> &Parameters {
        &self.values
    }

    /// The average, to be given back.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_graph::layers::Linear;
    use striate_graph::{Builder, Shape};

    #[test]
    fn the_average_follows_its_formula_at_any_thread_count() {
        let mut g = Builder::new("linear");
        let x = g.input(Shape::vector(300));
        let y = g.add("fc", Linear::new(100), x);
        let graph = g.finish(y).unwrap();
        let run = |threads| {
            let cpu = Cpu::new(threads).unwrap();
            let mut p = Parameters::zeros(&graph);
            let mut average = Average::new(0.9, &p);
            for step in 1..=200 {
                p.fill(1.0);
                average.take(&cpu, &p, step);
            }
            average.parameters().get("fc.weight").unwrap().to_vec()
        };
        let (one, three) = (run(1), run(3));
        assert_eq!(one, three);
        // What is left of the zeros: the product of 1 − share, 1 / 11 after the first step.
        let left: f64 = (1..=200).map(|t| 1.0 - 0.1_f64.max(9.0 / (f64::from(t) + 10.0))).product();
        assert!(one.iter().all(|v| (f64::from(*v) - (1.0 - left)).abs() < 1e-6), "{} {left}", one[0]);
    }
}
