//! The gradient of a convolution by its weights, planned: an algorithm chosen by its cost (or given), then any number of runs.

use super::linear::Linear;
use super::pack::Panels;
use super::winograd::WinogradGradient;
use super::{Algorithm, ConvGeometry, backward_weight, depthwise};
use crate::{Cpu, Isa};

/// A planned weight gradient.
#[derive(Clone, Copy, Debug)]
pub struct WeightGradient {
    geometry: ConvGeometry,
    isa: Isa,
    algorithm: Algorithm,
    winograd: Option<WinogradGradient>,
}

impl WeightGradient {
    /// The cheapest way; `wish` where it applies.
    pub fn new(isa: Isa, g: &ConvGeometry, wish: Option<Algorithm>) -> Self {
        let ways = Algorithm::ALL.map(|algorithm| Self::by(algorithm, isa, g));
        let able = ways.into_iter().filter(Self::applies);
        let wished = able.clone().find(|way| Some(way.algorithm) == wish);
        let cheapest = || able.min_by(|a, b| a.cost().total_cmp(&b.cost()));
        wished.or_else(cheapest).unwrap_or(ways[0])
    }

    fn by(algorithm: Algorithm, isa: Isa, g: &ConvGeometry) -> Self {
        let winograd = (algorithm == Algorithm::Winograd4).then(|| WinogradGradient::new(isa, g)).flatten();
        Self { geometry: *g, isa, algorithm, winograd }
    }

    /// The algorithm that was chosen.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Every way that applies, with its cost.
    pub fn ways(&self) -> impl Iterator<Item = (Algorithm, f64)> {
        let this = *self;
        let ways = Algorithm::ALL.into_iter().map(move |algorithm| Self::by(algorithm, this.isa, &this.geometry));
        ways.filter(Self::applies).map(|way| (way.algorithm, way.cost()))
    }

    /// The same plan for another number of images.
    #[must_use]
    pub fn batch(self, n: usize) -> Self {
        let winograd = self.winograd.map(|w| w.batch(n));
        Self { geometry: ConvGeometry { n, ..self.geometry }, winograd, ..self }
    }

    fn applies(&self) -> bool {
        let g = &self.geometry;
        match self.algorithm {
            Algorithm::Direct => !g.is_depthwise(),
            Algorithm::Depthwise => g.is_depthwise(),
            Algorithm::Linear => Linear::applies(g),
            Algorithm::Winograd2 | Algorithm::Winograd4 => self.winograd.is_some(),
        }
    }

    /// The estimated cost, in multiply-adds at the machine's peak.
    pub fn cost(&self) -> f64 {
        /// Share of the peak that the direct tile reaches, counting lanes beyond the last output.
        const DIRECT: f64 = 0.8;
        let products = self.geometry.multiply_adds() as f64;
        match self.algorithm {
            Algorithm::Direct => {
                let outputs = self.geometry.c_out / self.geometry.groups;
                products / DIRECT * Panels::narrow(self.isa, outputs).width() as f64 / outputs as f64
            }
            Algorithm::Depthwise | Algorithm::Linear => products,
            // The transforms count as if they kept to the caches, which pays only where many inputs share that of dy.
            Algorithm::Winograd2 | Algorithm::Winograd4 if self.geometry.c_in < 16 => 2.0 * self.winograd().cost(),
            Algorithm::Winograd2 | Algorithm::Winograd4 => self.winograd().cost(),
        }
    }

    fn winograd(&self) -> &WinogradGradient {
        let Some(winograd) = &self.winograd else { unreachable!("planned where it applies") };
        winograd
    }

    /// Floats of scratch that [`WeightGradient::run`] needs with `threads` threads.
    pub fn scratch(&self, threads: usize) -> usize {
        match self.algorithm {
            Algorithm::Direct => backward_weight::scratch(&self.geometry),
            Algorithm::Depthwise => depthwise::weight_scratch(&self.geometry),
            Algorithm::Linear => 0,
            Algorithm::Winograd2 | Algorithm::Winograd4 => self.winograd().scratch(threads),
        }
    }

    /// Assigns to `dw (c_out, c_in / groups, kernel)`, or with `adds` adds to it, the gradient from x `(n, h, w, c_in)` and dy
    /// `(n, out_h, out_w, c_out)`.
    ///
    /// # Panics
    /// If a length contradicts the geometry.
    pub fn run(&self, cpu: &Cpu, x: &[f32], dy: &[f32], dw: &mut [f32], adds: bool, scratch: &mut [f32]) {
        let g = &self.geometry;
        g.check(x.len(), dw.len(), dy.len(), scratch.len(), self.scratch(cpu.threads()));
        cpu.install(|| match self.algorithm {
            Algorithm::Direct => backward_weight::run(cpu, g, x, dy, dw, adds, scratch),
            Algorithm::Depthwise => depthwise::weight_gradient(cpu, g, x, dy, dw, adds, scratch),
            Algorithm::Linear => {
                Linear { n: g.n, inputs: g.c_in, outputs: g.c_out }.weight_gradient(cpu, x, dy, adds, 0, dw);
            }
            Algorithm::Winograd2 | Algorithm::Winograd4 => self.winograd().run(cpu, x, dy, dw, adds, scratch),
        });
    }

    /// Whether [`WeightGradient::run_rows`] can compute some outputs' weights without the others'.
    pub fn has_rows(&self) -> bool {
        self.algorithm == Algorithm::Linear
    }

    /// Assigns to `dw (outputs, c_in)` the gradients by the weights of some outputs, from the one at `first` on: the same bits
    /// as [`WeightGradient::run`].
    ///
    /// # Panics
    /// If the plan has no rows ([`WeightGradient::has_rows`]), or a length contradicts the geometry.
    pub fn run_rows(&self, cpu: &Cpu, x: &[f32], dy: &[f32], first: usize, dw: &mut [f32]) {
        let g = &self.geometry;
        assert!(self.has_rows(), "{:?} computes all outputs at once", self.algorithm);
        let outputs = dw.len() / g.c_in.max(1);
        assert!(outputs * g.c_in == dw.len() && first + outputs <= g.c_out, "outputs from {first} on for {g:?}");
        let linear = Linear { n: g.n, inputs: g.c_in, outputs: g.c_out };
        cpu.install(|| linear.weight_gradient(cpu, x, dy, false, first, dw));
    }
}
