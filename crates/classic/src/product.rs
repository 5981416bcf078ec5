//! Matrix products by the engine's kernels: a linear layer's forward pass is x · Wᵀ, its weight gradient is yᵀ · x.

use striate_kernels::{Algorithm, ConvGeometry, Convolution, Cpu, Destination, Epilogue, WeightGradient};

fn geometry(rows: usize, inputs: usize, outputs: usize) -> ConvGeometry {
    ConvGeometry {
        n: rows,
        h: 1,
        w: 1,
        c_in: inputs,
        out_h: 1,
        out_w: 1,
        c_out: outputs,
        kernel: [1, 1],
        stride: [1, 1],
        pad: [0, 0],
        dilation: [1, 1],
        groups: 1,
    }
}

/// Products x · weightᵀ with a weight that is prepared once.
#[derive(Debug)]
pub(crate) struct Product {
    plan: Convolution,
    prepared: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

impl Product {
    /// For `weight (outputs, inputs)`.
    pub(crate) fn new(cpu: &Cpu, weight: &[f32], inputs: usize) -> Self {
        let outputs = weight.len() / inputs;
        let plan = Convolution::predict(cpu.isa(), &geometry(256, inputs, outputs), Some(Algorithm::Direct));
        let mut prepared = vec![0.0; plan.prepared_len()];
        plan.prepare(cpu, weight, None, &mut prepared);
        Self { plan, prepared, inputs, outputs }
    }

    /// Assigns `y (rows, outputs)` = `x (rows, inputs)` · weightᵀ + bias.
    pub(crate) fn run(&self, cpu: &Cpu, x: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        let rows = x.len() / self.inputs;
        if rows == 0 {
            return;
        }
        let plan = self.plan.batch(rows);
        let mut scratch = vec![0.0; plan.scratch(cpu.threads())];
        let epilogue = Epilogue { bias, ..Epilogue::default() };
        plan.run(cpu, x, &self.prepared, &epilogue, &mut Destination::assign(y, self.outputs), &mut scratch);
    }
}

/// `(rows, outputs)` = `x (rows, inputs)` · `weightᵀ (outputs, inputs)`.
pub(crate) fn product(cpu: &Cpu, x: &[f32], weight: &[f32], inputs: usize) -> Vec<f32> {
    let mut y = vec![0.0; x.len() / inputs * (weight.len() / inputs)];
    Product::new(cpu, weight, inputs).run(cpu, x, None, &mut y);
    y
}

/// Assigns `out (outputs, inputs)` = `yᵀ (rows, outputs)` · `x (rows, inputs)`, or adds it to `out`.
pub(crate) fn turned_product(cpu: &Cpu, y: &[f32], x: &[f32], inputs: usize, adds: bool, out: &mut [f32]) {
    let (rows, outputs) = (x.len() / inputs, out.len() / inputs);
    let plan = WeightGradient::new(cpu.isa(), &geometry(rows, inputs, outputs), Some(Algorithm::Direct));
    let mut scratch = vec![0.0; plan.scratch(cpu.threads())];
    plan.run(cpu, x, y, out, adds, &mut scratch);
}

/// Σ (row − mean)(row − mean)ᵀ over rows of `columns` values, (columns, columns): products of a few rows in f32, summed in f64.
pub(crate) fn scatter(cpu: &Cpu, rows: &[f32], columns: usize, mean: &[f64]) -> Vec<f64> {
    /// Rows of one product.
    const ROWS: usize = 1024;
    let mut sum = vec![0.0_f64; columns * columns];
    let mut squares = vec![0.0; columns * columns];
    let mut centred = vec![0.0; ROWS.min(rows.len() / columns) * columns];
    for rows in rows.chunks(ROWS * columns) {
        let centred = &mut centred[..rows.len()];
        for (to, from) in centred.chunks_exact_mut(columns).zip(rows.chunks_exact(columns)) {
            for ((to, &v), m) in to.iter_mut().zip(from).zip(mean) {
                *to = (f64::from(v) - m) as f32;
            }
        }
        turned_product(cpu, centred, centred, columns, false, &mut squares);
        sum.iter_mut().zip(&squares).for_each(|(sum, &v)| *sum += f64::from(v));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::uniform;

    #[test]
    fn products_match_their_definition_at_any_size_and_thread_count() {
        for (rows, inputs, outputs) in [(1, 1, 1), (3, 5, 2), (40, 17, 33), (300, 70, 9)] {
            let x: Vec<f32> = (0..rows * inputs).map(|i| uniform(1, i as u64) - 0.5).collect();
            let w: Vec<f32> = (0..outputs * inputs).map(|i| uniform(2, i as u64) - 0.5).collect();
            let y: Vec<f32> = (0..rows * outputs).map(|i| uniform(3, i as u64) - 0.5).collect();
            let mut bits: Option<(Vec<f32>, Vec<f32>)> = None;
            for threads in [1, 3] {
                let cpu = Cpu::new(threads).unwrap();
                let forward = product(&cpu, &x, &w, inputs);
                let mut turned = vec![0.0; outputs * inputs];
                turned_product(&cpu, &y, &x, inputs, false, &mut turned);
                for r in 0..rows {
                    for o in 0..outputs {
                        let exact: f64 =
                            (0..inputs).map(|i| f64::from(x[r * inputs + i]) * f64::from(w[o * inputs + i])).sum();
                        assert!((f64::from(forward[r * outputs + o]) - exact).abs() < 1e-5, "row {r}, output {o}");
                    }
                }
                for o in 0..outputs {
                    for i in 0..inputs {
                        let exact: f64 =
                            (0..rows).map(|r| f64::from(y[r * outputs + o]) * f64::from(x[r * inputs + i])).sum();
                        assert!((f64::from(turned[o * inputs + i]) - exact).abs() < 1e-5, "output {o}, input {i}");
                    }
                }
                let (a, b) = bits.get_or_insert_with(|| (forward.clone(), turned.clone()));
                assert!(*a == forward && *b == turned, "{threads} threads");
            }
        }
    }
}
