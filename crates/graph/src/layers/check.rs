//! The check that every layer passes: the shape rule, every output written, gradients against central differences summed
//! in f64, gradients assigned or added as is asked, JSON round trip, and the same bits at 1, 2 and 8 threads.

use super::examples;
use crate::{AnyLayer, Backward, Forward, Setting, Shape};
use striate_kernels::{Cpu, GradientSlot, hash, uniform};

/// All that a layer reads and writes in one step.
struct Run {
    layer: AnyLayer,
    shapes: Vec<Shape>,
    shape: Shape,
    batch: usize,
    training: bool,
    inputs: Vec<Vec<f32>>,
    params: Vec<Vec<f32>>,
    trainable: Vec<bool>,
}

/// What one forward pass leaves.
struct Passed {
    output: Vec<f32>,
    values: Vec<f32>,
    switches: Vec<u16>,
}

/// Gradients by the inputs and the trained parameters.
type Gradients = (Vec<Vec<f32>>, Vec<Vec<f32>>);

/// The seed of every run.
pub(super) const SEED: u64 = 7;

/// Values 1/64 apart around 0, none nearer to 0 than 1/256: steps of 1/512 cross no kink of ReLU or max.
fn spread(seed: u64, len: usize) -> Vec<f32> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by_key(|&i| hash(seed, i as u64));
    let mut v = vec![0.0; len];
    for (rank, i) in order.into_iter().enumerate() {
        v[i] = (rank as f32 - len as f32 / 2.0 + 0.25) / 64.0;
    }
    v
}

impl Run {
    fn new(layer: &AnyLayer, shapes: &[Shape], batch: usize, training: bool) -> Run {
        let shape = layer.infer(shapes).expect("the example fits");
        let inputs = shapes.iter().enumerate().map(|(i, s)| spread(i as u64, batch * s.len())).collect();
        let specs = layer.params(shapes);
        let values = |i: usize, len: usize| (0..len).map(|j| 0.5 + uniform(90 + i as u64, j as u64)).collect();
        let params = specs.iter().enumerate().map(|(i, p)| values(i, p.len())).collect();
        let trainable = specs.iter().map(|p| p.trainable).collect();
        Run { layer: layer.clone(), shapes: shapes.to_vec(), shape, batch, training, inputs, params, trainable }
    }

    fn setting<'a>(&'a self, cpu: &'a Cpu) -> Setting<'a> {
        let Run { batch, training, shape, .. } = *self;
        Setting { cpu, batch, training, seed: SEED, shapes: &self.shapes, shape }
    }

    fn forward(&self, cpu: &Cpu) -> Passed {
        let saved = self.layer.saved(self.batch, &self.shapes, self.shape);
        let mut p = Passed {
            output: vec![f32::NAN; self.batch * self.shape.len()],
            values: vec![f32::NAN; saved.values],
            switches: vec![u16::MAX; saved.switches],
        };
        let mut scratch = vec![f32::NAN; self.layer.scratch(self.batch, &self.shapes, self.shape, false)];
        self.layer.forward(Forward {
            setting: self.setting(cpu),
            inputs: &slices(&self.inputs),
            params: &slices(&self.params),
            output: &mut p.output,
            values: &mut p.values,
            switches: &mut p.switches,
            scratch: &mut scratch,
        });
        p
    }

    /// The gradients of Σ dy · y, added to `start` everywhere; without one, those by the inputs are assigned where there
    /// was NaN.
    fn backward(&self, cpu: &Cpu, passed: &Passed, dy: &[f32], start: Option<f32>) -> Gradients {
        let (before, start) = (start.unwrap_or(f32::NAN), start.unwrap_or(0.0));
        let mut dx: Vec<Vec<f32>> = self.inputs.iter().map(|x| vec![before; x.len()]).collect();
        let mut dparams: Vec<Vec<f32>> = self.params.iter().map(|p| vec![start; p.len()]).collect();
        let mut scratch = vec![f32::NAN; self.layer.scratch(self.batch, &self.shapes, self.shape, true)];
        let needs = self.layer.needs();
        let (seen, hidden) = (slices(&self.inputs), vec![[].as_slice(); self.inputs.len()]);
        let by_param = dparams.iter_mut().zip(&self.trainable).map(|(d, t)| t.then_some(d.as_mut_slice()));
        self.layer.backward(Backward {
            setting: self.setting(cpu),
            inputs: if needs.inputs { &seen } else { &hidden },
            output: if needs.output { &passed.output } else { &[] },
            params: &slices(&self.params),
            values: &passed.values,
            switches: &passed.switches,
            dy,
            dx: &mut dx
                .iter_mut()
                .map(|d| Some(GradientSlot { values: d, adds: !before.is_nan() }))
                .collect::<Vec<_>>(),
            dparams: &mut by_param.collect::<Vec<_>>(),
            scratch: &mut scratch,
        });
        (dx, dparams)
    }

    /// Σ dy · y in f64.
    fn loss(&self, cpu: &Cpu, dy: &[f32]) -> f64 {
        let y = self.forward(cpu).output;
        y.iter().zip(dy).map(|(y, dy)| f64::from(*y) * f64::from(*dy)).sum()
    }

    /// The central difference of the loss by one value of an input or parameter.
    fn difference(&mut self, cpu: &Cpu, dy: &[f32], at: impl Fn(&mut Run) -> &mut f32) -> f64 {
        const STEP: f32 = 1.0 / 512.0;
        let start = *at(self);
        *at(self) = start + STEP;
        let up = self.loss(cpu, dy);
        *at(self) = start - STEP;
        let down = self.loss(cpu, dy);
        *at(self) = start;
        (up - down) / (2.0 * f64::from(STEP))
    }
}

fn slices(v: &[Vec<f32>]) -> Vec<&[f32]> {
    v.iter().map(Vec::as_slice).collect()
}

/// The output of one layer without parameters, for tests that state values.
pub(super) fn forward(layer: &AnyLayer, shapes: &[Shape], batch: usize, inputs: &[&[f32]]) -> Vec<f32> {
    forward_with(layer, shapes, batch, inputs, &[])
}

/// The output of one layer with these parameters, for tests that state values.
pub(super) fn forward_with(
    layer: &AnyLayer,
    shapes: &[Shape],
    batch: usize,
    inputs: &[&[f32]],
    params: &[&[f32]],
) -> Vec<f32> {
    let mut run = Run::new(layer, shapes, batch, true);
    run.inputs = inputs.iter().map(|x| x.to_vec()).collect();
    run.params = params.iter().map(|p| p.to_vec()).collect();
    run.forward(&Cpu::new(1).unwrap()).output
}

/// The gradient by the only input of a layer without parameters, for tests that state values.
pub(super) fn backward(layer: &AnyLayer, shape: Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut run = Run::new(layer, &[shape], 1, true);
    run.inputs = vec![x.to_vec()];
    let cpu = Cpu::new(1).unwrap();
    let passed = run.forward(&cpu);
    run.backward(&cpu, &passed, dy, None).0.remove(0)
}

/// Every example in training and inference mode, at batch 1 (but for training statistics) and 3.
fn runs() -> Vec<Run> {
    let mut all = Vec::new();
    for (layer, shapes) in examples() {
        if matches!(layer, AnyLayer::Input(_)) {
            continue;
        }
        for (batch, training) in [(1, false), (2, true), (3, false)] {
            all.push(Run::new(&layer, &shapes, batch, training));
        }
    }
    all
}

#[test]
fn every_kind_has_an_example() {
    for kind in AnyLayer::KINDS {
        assert!(examples().iter().any(|(l, _)| l.kind() == *kind), "{kind} has no example");
    }
}

#[test]
fn attributes_survive_json() {
    for (layer, _) in examples() {
        let json = serde_json::to_string(&layer).unwrap();
        assert!(json.contains(&format!("\"kind\":\"{}\"", layer.kind())), "{json}");
        assert_eq!(serde_json::from_str::<AnyLayer>(&json).unwrap(), layer, "{json}");
    }
}

#[test]
fn every_output_is_written() {
    let cpu = Cpu::new(2).unwrap();
    for run in runs() {
        let p = run.forward(&cpu);
        assert!(p.output.iter().all(|v| v.is_finite()), "{:?} left outputs unwritten", run.layer);
        assert!(p.values.iter().all(|v| v.is_finite()), "{:?} left saved values unwritten", run.layer);
        assert!(p.switches.iter().all(|&s| s != u16::MAX), "{:?} left switches unwritten", run.layer);
    }
}

#[test]
fn gradients_equal_central_differences() {
    let cpu = Cpu::new(1).unwrap();
    for mut run in runs() {
        let passed = run.forward(&cpu);
        let dy: Vec<f32> = (0..passed.output.len()).map(|i| uniform(3, i as u64) - 0.5).collect();
        let (dx, dparams) = run.backward(&cpu, &passed, &dy, None);
        for (i, gradient) in dx.iter().enumerate() {
            for (j, &g) in gradient.iter().enumerate() {
                let d = run.difference(&cpu, &dy, |r| &mut r.inputs[i][j]);
                assert_close(g, d, gradient, &format!("{:?}: input {i}[{j}]", run.layer));
            }
        }
        for (i, gradient) in dparams.iter().enumerate().filter(|(i, _)| run.trainable[*i]).collect::<Vec<_>>() {
            for (j, &g) in gradient.iter().enumerate() {
                let d = run.difference(&cpu, &dy, |r| &mut r.params[i][j]);
                assert_close(g, d, gradient, &format!("{:?}: parameter {i}[{j}]", run.layer));
            }
        }
    }
}

/// Within 0.2 % of the largest gradient of the tensor: f32 rounding over a step of 2/512.
fn assert_close(backward: f32, difference: f64, all: &[f32], what: &str) {
    let scale = all.iter().fold(0.1f64, |m, g| m.max(f64::from(g.abs())));
    let off = (f64::from(backward) - difference).abs() / scale;
    assert!(off < 2e-3, "{what}: {backward} by backward, {difference} by differences");
}

#[test]
fn gradients_are_assigned_or_added() {
    let cpu = Cpu::new(2).unwrap();
    for run in runs() {
        let passed = run.forward(&cpu);
        let dy: Vec<f32> = (0..passed.output.len()).map(|i| uniform(4, i as u64) - 0.5).collect();
        let assigned = run.backward(&cpu, &passed, &dy, None);
        let added = run.backward(&cpu, &passed, &dy, Some(8.0));
        let both = assigned.0.iter().chain(&assigned.1).zip(added.0.iter().chain(&added.1));
        for (a, b) in both.flat_map(|(a, b)| a.iter().zip(b)) {
            assert!((a + 8.0 - b).abs() < 1e-5 * (8.0 + a.abs()), "{:?}: {a} + 8 became {b}", run.layer);
        }
    }
}

#[test]
fn gradients_that_nobody_asks_for_change_nothing() {
    let cpu = Cpu::new(1).unwrap();
    for mut run in runs() {
        let passed = run.forward(&cpu);
        let dy: Vec<f32> = (0..passed.output.len()).map(|i| uniform(6, i as u64) - 0.5).collect();
        let (dx, _) = run.backward(&cpu, &passed, &dy, None);
        run.trainable.fill(false);
        let (dx_alone, dparams) = run.backward(&cpu, &passed, &dy, None);
        assert_eq!(dx, dx_alone, "{:?}", run.layer);
        assert!(dparams.iter().flatten().all(|&d| d == 0.0), "{:?}", run.layer);
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let cpus = [1, 2, 8].map(|n| Cpu::new(n).unwrap());
    let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for run in runs() {
        let results = cpus.each_ref().map(|cpu| {
            let passed = run.forward(cpu);
            let dy: Vec<f32> = (0..passed.output.len()).map(|i| uniform(5, i as u64) - 0.5).collect();
            let (dx, dp) = run.backward(cpu, &passed, &dy, None);
            (bits(&passed.output), dx.iter().chain(&dp).map(|d| bits(d)).collect::<Vec<_>>())
        });
        assert!(results[0] == results[1] && results[0] == results[2], "{:?}", run.layer);
    }
}
