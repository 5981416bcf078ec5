#![allow(missing_docs, clippy::all, unused)]
use crate::{Activation, Cpu};
#[derive(Debug)]
pub struct GradientSlot<'a> {
    pub values: &'a mut [f32],
    pub adds: bool,
}
pub fn normalise_activate(
    cpu: &Cpu,
    x: &[f32],
    c: usize,
    mean: &[f32],
    inv_std: &[f32],
    gamma: &[f32],
    beta: &[f32],
    residual: Option<&[f32]>,
    activation: Activation,
    y: &mut [f32],
) {
    todo!()
}
pub fn normalise_activate_backward(
    cpu: &Cpu,
    x: &[f32],
    y: &[f32],
    dy: &[f32],
    c: usize,
    mean: &[f32],
    inv_std: &[f32],
    gamma: &[f32],
    activation: Activation,
    dx: Option<GradientSlot>,
    dresidual: Option<GradientSlot>,
    dgamma: &mut [f32],
    dbeta: &mut [f32],
    scratch: &mut [f32],
) {
    todo!()
}
pub fn activate_backward(
    cpu: &Cpu,
    y: &[f32],
    dy: &mut [f32],
    c: usize,
    activation: Activation,
    dbias: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    todo!()
}
