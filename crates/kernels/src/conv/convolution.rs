//! One convolution, planned: an algorithm chosen by its cost (or given), weights prepared once for it, and any number of
//! runs. The data gradient is planned the same way: it is a convolution of dy.

use super::fold::Fold;
use super::linear::Linear;
use super::pass::Pass;
use super::winograd::Winograd;
use super::{ConvGeometry, Destination, Epilogue, depthwise, moments};
use crate::{Cpu, Isa};

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// A register tile of pixels × channels that finds its inputs through pointers; any shape.
    Direct,
    /// One channel a group, vectors over channels.
    Depthwise,
    /// Matrix products of few rows with weights that stay where they are: linear layers on small batches.
    Linear,
    /// Winograd's F(2×2, 3×3).
    Winograd2,
    /// Winograd's F(4×4, 3×3).
    Winograd4,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::Direct, Self::Depthwise, Self::Linear, Self::Winograd2, Self::Winograd4];

    /// The name used in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Depthwise => "depthwise",
            Self::Linear => "linear",
            Self::Winograd2 => "winograd2",
            Self::Winograd4 => "winograd4",
        }
    }
}

/// What a plan computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    Data,
}

/// A planned convolution, or data gradient of one. Weights are prepared for one instruction set, and for any number of
/// images.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    /// The forward convolution's.
    geometry: ConvGeometry,
    isa: Isa,
    direction: Direction,
    /// Weights are prepared once for many runs, not for each.
    once: bool,
    algorithm: Algorithm,
    /// Of the convolution that is computed, which for a data gradient is the turned one.
    winograd: Option<Winograd>,
    /// How the direct data gradient is computed, where x has few channels.
    fold: Option<Fold>,
}

impl Convolution {
    /// The cheapest way to compute y = x ∗ weight with weights that change from run to run; `wish` where it applies.
    pub fn forward(isa: Isa, g: &ConvGeometry, wish: Option<Algorithm>) -> Self {
        Self::plan(isa, g, Direction::Forward, false, wish)
    }

    /// The cheapest way to compute y = x ∗ weight with weights that are prepared once; `wish` where it applies.
    pub fn predict(isa: Isa, g: &ConvGeometry, wish: Option<Algorithm>) -> Self {
        Self::plan(isa, g, Direction::Forward, true, wish)
    }

    /// The cheapest way to compute the gradient by x from that by y; `wish` where it applies.
    pub fn data_gradient(isa: Isa, g: &ConvGeometry, wish: Option<Algorithm>) -> Self {
        Self::plan(isa, g, Direction::Data, false, wish)
    }

    fn plan(isa: Isa, g: &ConvGeometry, direction: Direction, once: bool, wish: Option<Algorithm>) -> Self {
        let ways = Algorithm::ALL.map(|algorithm| Self::by(algorithm, isa, g, direction, once));
        let able = ways.into_iter().filter(Self::applies);
        let wished = able.clone().find(|way| Some(way.algorithm) == wish);
        let cheapest = || able.min_by(|a, b| a.cost().total_cmp(&b.cost()));
        wished.or_else(cheapest).unwrap_or(ways[0])
    }

    fn by(algorithm: Algorithm, isa: Isa, g: &ConvGeometry, direction: Direction, once: bool) -> Self {
        let computed = match direction {
            Direction::Forward => Some(*g),
            Direction::Data => g.turned(),
        };
        let size = match algorithm {
            Algorithm::Winograd2 => 2,
            _ => 4,
        };
        let winograd = matches!(algorithm, Algorithm::Winograd2 | Algorithm::Winograd4);
        let winograd = computed.filter(|_| winograd).and_then(|g| Winograd::new(isa, &g, size));
        let folds = algorithm == Algorithm::Direct && direction == Direction::Data;
        let fold = folds.then(|| Fold::new(isa, g)).flatten();
        Self { geometry: *g, isa, direction, once, algorithm, winograd, fold }
    }

    /// Every way that applies, with its cost.
    pub fn ways(&self) -> impl Iterator<Item = (Algorithm, f64)> {
        let this = *self;
        let by = move |algorithm| Self::by(algorithm, this.isa, &this.geometry, this.direction, this.once);
        let ways = Algorithm::ALL.into_iter().map(by);
        ways.filter(Self::applies).map(|way| (way.algorithm, way.cost()))
    }

    /// The algorithm that was chosen.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The same plan for another number of images: weights prepared for one serve the other.
    #[must_use]
    pub fn batch(self, n: usize) -> Self {
        let winograd = self.winograd.map(|w| w.batch(n));
        let fold = self.fold.map(|fold| fold.batch(n));
        Self { geometry: ConvGeometry { n, ..self.geometry }, winograd, fold, ..self }
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

    /// The estimated cost, in multiply-adds at the machine's peak: products with whole vectors, transforms, and the weights,
    /// which come from memory.
    pub fn cost(&self) -> f64 {
        /// Multiply-adds in the time in which one float comes from memory.
        const FLOAT: f64 = 8.0;
        /// Shares of the peak that the direct tile and products with weights in their place reach.
        const DIRECT: f64 = 0.85;
        const LINEAR: f64 = 0.6;
        let products = self.fold.map_or(self.geometry.multiply_adds(), |fold| fold.multiply_adds()) as f64;
        match self.algorithm {
            Algorithm::Direct => products / DIRECT + FLOAT * self.prepared_len() as f64,
            Algorithm::Depthwise => products,
            Algorithm::Linear if self.once => products / LINEAR + FLOAT * self.geometry.weight_len() as f64,
            // Half, since the others would have to prepare the weights in the same run.
            Algorithm::Linear => products + FLOAT * self.geometry.weight_len() as f64 / 2.0,
            Algorithm::Winograd2 | Algorithm::Winograd4 => self.winograd().cost(),
        }
    }

    fn passes(&self) -> impl Iterator<Item = Pass> {
        let (forward, data) = match self.direction {
            Direction::Forward => (Some(Pass::forward(&self.geometry)), None),
            Direction::Data => (None, Some(Pass::backward_data(&self.geometry))),
        };
        forward.into_iter().chain(data.into_iter().flatten())
    }

    fn winograd(&self) -> &Winograd {
        let Some(winograd) = &self.winograd else { unreachable!("planned where it applies") };
        winograd
    }

    fn linear(&self) -> Linear {
        let g = &self.geometry;
        Linear { n: g.n, inputs: g.c_in, outputs: g.c_out }
    }

    /// Floats of prepared weights; 0 where [`Convolution::run`] takes the weights as they are.
    pub fn prepared_len(&self) -> usize {
        match self.algorithm {
            Algorithm::Direct => match &self.fold {
                Some(fold) => fold.prepared_len(),
                None => self.passes().map(|pass| pass.packed_len()).sum(),
            },
            Algorithm::Depthwise => depthwise::prepared_len(&self.geometry),
            Algorithm::Linear => 0,
            Algorithm::Winograd2 | Algorithm::Winograd4 => self.winograd().prepared_len(),
        }
    }

    /// Whether weights can be scaled while they are prepared.
    pub fn prepares(&self) -> bool {
        self.algorithm != Algorithm::Linear
    }

    /// Prepares the forward convolution's weights `(c_out, c_in / groups, kernel)`, each output channel's times its `scale`
    /// (forward only), into `prepared` of [`Convolution::prepared_len`].
    ///
    /// # Panics
    /// If a length contradicts the geometry, or `cpu` has another instruction set than the plan.
    pub fn prepare(&self, cpu: &Cpu, weight: &[f32], scale: Option<&[f32]>, prepared: &mut [f32]) {
        let g = &self.geometry;
        assert_eq!(cpu.isa(), self.isa, "the instruction set of the plan");
        assert_eq!(weight.len(), g.weight_len(), "weights (c_out, c_in / groups, kernel) for {g:?}");
        assert_eq!(prepared.len(), self.prepared_len(), "room for prepared weights");
        let scalable = self.direction == Direction::Forward && self.prepares();
        assert!(scale.is_none_or(|s| scalable && s.len() == g.c_out), "a scale for each of {} channels", g.c_out);
        match self.algorithm {
            Algorithm::Direct => {
                if let Some(fold) = &self.fold {
                    return fold.prepare(cpu, weight, prepared);
                }
                let mut rest = prepared;
                for pass in self.passes() {
                    let packed;
                    (packed, rest) = rest.split_at_mut(pass.packed_len());
                    pass.pack(cpu, weight, scale, packed);
                }
            }
            Algorithm::Depthwise => depthwise::prepare(cpu, g, weight, scale, prepared),
            Algorithm::Linear => {}
            Algorithm::Winograd2 | Algorithm::Winograd4 => match self.direction {
                Direction::Forward => self.winograd().prepare(cpu, weight, scale, prepared),
                Direction::Data => self.winograd().prepare_turned(cpu, weight, prepared),
            },
        }
    }

    /// Floats of scratch that [`Convolution::run`] needs with `threads` threads.
    pub fn scratch(&self, threads: usize) -> usize {
        match self.algorithm {
            Algorithm::Direct => match &self.fold {
                Some(fold) => fold.scratch(threads),
                None => self.passes().map(|pass| pass.scratch()).max().unwrap_or(0),
            },
            Algorithm::Depthwise | Algorithm::Linear => 0,
            Algorithm::Winograd2 | Algorithm::Winograd4 => self.winograd().scratch(threads),
        }
    }

    /// Floats of moments that [`Convolution::run`] gathers; forward only. `None` where the algorithm cannot.
    pub fn moments_len(&self) -> Option<usize> {
        let blocks = match self.algorithm {
            Algorithm::Direct => Pass::forward(&self.geometry).blocks(self.isa),
            Algorithm::Depthwise => depthwise::moment_blocks(&self.geometry),
            Algorithm::Linear => return None,
            Algorithm::Winograd2 | Algorithm::Winograd4 => self.winograd().moment_blocks(),
        };
        Some(blocks * moments::block_len(self.geometry.c_out))
    }

    /// Computes what was planned: from x `(n, h, w, c_in)` to y `(n, out_h, out_w, c_out)`, or from dy to dx.
    ///
    /// `weights` are those that [`Convolution::prepare`] made, or the plain ones where that makes none; `scratch` of at
    /// least [`Convolution::scratch`] floats.
    ///
    /// # Panics
    /// If a length contradicts the geometry, or moments are asked for together with a residual, an activation or an addition.
    pub fn run(
        &self,
        cpu: &Cpu,
        x: &[f32],
        weights: &[f32],
        epilogue: &Epilogue<'_>,
        to: &mut Destination<'_>,
        scratch: &mut [f32],
    ) {
        self.check(x, epilogue, to);
        let g = &self.geometry;
        let forward = self.direction == Direction::Forward;
        cpu.install(|| match self.algorithm {
            Algorithm::Direct => {
                assert_eq!(weights.len(), self.prepared_len(), "prepared weights");
                if let Some(fold) = &self.fold {
                    return fold.run(cpu, x, weights, epilogue, to, scratch);
                }
                if !forward && !to.adds && !self.covers() {
                    to.fill(g.c_in);
                }
                let mut rest = weights;
                for pass in self.passes() {
                    let packed;
                    (packed, rest) = rest.split_at(pass.packed_len());
                    pass.run(cpu, x, packed, epilogue, to, scratch);
                }
            }
            Algorithm::Depthwise if forward => depthwise::run(cpu, g, x, weights, epilogue, to.again()),
            Algorithm::Depthwise => depthwise::data_gradient(cpu, g, x, weights, to.values, to.adds),
            Algorithm::Linear if forward => self.linear().forward(cpu, x, weights, epilogue, to),
            Algorithm::Linear => self.linear().data_gradient(cpu, x, weights, to.adds, to.values),
            Algorithm::Winograd2 | Algorithm::Winograd4 => {
                self.winograd().run(cpu, x, weights, epilogue, to.again(), scratch);
            }
        });
    }

    /// Whether the passes of a data gradient reach every pixel of dx.
    fn covers(&self) -> bool {
        let reached: usize = self.passes().map(|pass| pass.rows.points * pass.cols.points).sum();
        reached == self.geometry.h * self.geometry.w
    }

    fn check(&self, x: &[f32], epilogue: &Epilogue<'_>, to: &Destination<'_>) {
        let g = &self.geometry;
        g.check_shape();
        let (from, written, channels) = match self.direction {
            Direction::Forward => (g.x_len(), g.y_len(), g.c_out),
            Direction::Data => (g.y_len(), g.x_len(), g.c_in),
        };
        assert_eq!(x.len(), from, "elements of what is read by {:?} of {g:?}", self.direction);
        let pixels = written / channels.max(1);
        assert!(
            to.channel + channels <= to.pitch,
            "channels {} to {} of {}",
            to.channel,
            to.channel + channels,
            to.pitch
        );
        assert_eq!(to.values.len(), pixels * to.pitch, "pixels of {} channels for {g:?}", to.pitch);
        assert!(epilogue.bias.is_none_or(|b| b.len() == channels), "a bias for each of {channels} channels");
        assert!(epilogue.residual.is_none_or(|r| r.len() == written), "a residual of the output's shape");
        let plain = epilogue.residual.is_none() && epilogue.activation == super::Activation::None && !to.adds;
        assert!(plain || !(to.adds && epilogue.residual.is_some()), "a residual or an addition");
        if let Some(moments) = &to.moments {
            assert!(plain && self.direction == Direction::Forward, "moments are those of the plain output");
            assert_eq!(Some(moments.len()), self.moments_len(), "room for moments");
        }
    }
}
