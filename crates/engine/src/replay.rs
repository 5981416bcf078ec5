//! Activations that the backward sweep computes again instead of having them kept for it (Chen et al. 2016,
//! arXiv:1604.06174): of steps that cost little beside convolutions. They are dropped behind their last forward reader and
//! replayed just before the first backward pass that reads them, from inputs that are kept, or were replayed before.
//!
//! Which ones, the largest sum of what is alive at one time decides. A chain of residual sums replayed as a whole is alive as
//! a whole, so sets that keep every so many of a chain's are tried; the best is then bettered step by step.

use crate::arena::{Lifetime, place};
use crate::plan::{ACTIVATION, AGAIN, GRADIENT, PARTS, Place, Planned, Planner, VALUES};
use crate::program::{Kind, Program};
use smallvec::SmallVec;
use striate_graph::{AnyLayer, NodeId};

/// The times of a plan of so many steps: step i runs forward at time i, and backward at its own time behind n, at which the
/// sweep starts; before each backward time is one for replays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) steps: usize,
}

impl Clock {
    /// Of a step's backward pass.
    pub(crate) fn back(self, step: usize) -> usize {
        3 * self.steps - 2 * step
    }

    /// Of what is replayed for a step's backward pass.
    pub(crate) fn replay(self, step: usize) -> usize {
        self.back(step) - 1
    }

    /// The step for whose backward pass something is replayed at this time.
    pub(crate) fn replayed_for(self, time: usize) -> usize {
        (3 * self.steps - 1 - time) / 2
    }

    /// Behind everything.
    pub(crate) fn end(self) -> usize {
        3 * self.steps + 1
    }
}

/// When a node's activations are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reads {
    /// The last step that writes them or reads them forward.
    pub(crate) forward: usize,
    /// The first and the last time in the sweep.
    pub(crate) sweep: Option<(usize, usize)>,
}

impl Reads {
    /// They are read from one time of the sweep to another, too.
    pub(crate) fn add(&mut self, first: usize, last: usize) {
        let (f, l) = self.sweep.unwrap_or((first, last));
        self.sweep = Some((f.min(first), l.max(last)));
    }
}

/// How long a node's activations live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// The last time, or that of their first life.
    pub(crate) last: usize,
    /// When they are replayed, and the last time then.
    pub(crate) again: Option<(usize, usize)>,
}

/// A step, as a replay sees it; nodes by index.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    pub(crate) output: usize,
    pub(crate) inputs: SmallVec<[usize; 4]>,
    /// Whether it may be replayed.
    pub(crate) may: bool,
}

/// What is known of a plan before it is decided what is replayed.
#[derive(Debug)]
pub(crate) struct Replays {
    pub(crate) clock: Clock,
    pub(crate) steps: Vec<Replay>,
    /// Of each node's activations.
    pub(crate) reads: Vec<Reads>,
}

impl Replays {
    /// How long each node's activations live if these steps are replayed where they are needed.
    pub(crate) fn spans(&self, chosen: &[bool]) -> Vec<Span> {
        let mut reads = self.reads.clone();
        let mut spans = vec![Span::default(); reads.len()];
        // All that reads a step's output stands behind it.
        for (step, _) in self.steps.iter().zip(chosen).rev().filter(|(_, chosen)| **chosen) {
            spans[step.output].again = reads[step.output].sweep;
            if let Some((first, _)) = reads[step.output].sweep {
                step.inputs.iter().for_each(|&input| reads[input].add(first, first));
            }
        }
        for (span, reads) in spans.iter_mut().zip(&reads) {
            let kept_until = reads.sweep.filter(|_| span.again.is_none()).map_or(0, |(_, last)| last);
            span.last = reads.forward.max(kept_until);
        }
        spans
    }

    /// The steps whose replay takes the least memory, and of such the least work. `activations` of each node, from
    /// their first writing on; `others` is what else is alive.
    pub(crate) fn choose(&self, activations: &[Lifetime], others: &[Lifetime]) -> Vec<bool> {
        /// Every so many of the sums that may be replayed are kept.
        const PERIODS: [usize; 10] = [1, 2, 3, 4, 5, 6, 8, 10, 12, usize::MAX];
        const ROUNDS: usize = 4;
        let mut base = vec![0; self.clock.end() + 2];
        for l in others {
            alive(&mut base, l.len, l.first, l.last);
        }
        let mut sums = Vec::new();
        let mut cost = |chosen: &[bool]| {
            sums.clone_from(&base);
            let mut work = 0;
            for (span, buffer) in self.spans(chosen).iter().zip(activations) {
                alive(&mut sums, buffer.len, buffer.first, span.last.max(buffer.last));
                if let Some((first, last)) = span.again {
                    alive(&mut sums, buffer.len, first, last);
                    work += buffer.len;
                }
            }
            let mut sum = 0;
            let peak = sums.iter().map(|change| {
                sum += change;
                sum
            });
            (peak.max(), work)
        };
        let start = |period: usize| {
            let mut joints = 0;
            let replayed = |step: &Replay| {
                let joint = step.may && step.inputs.len() > 1;
                joints += usize::from(joint);
                step.may && !(joint && joints % period == 0)
            };
            self.steps.iter().map(replayed).collect::<Vec<bool>>()
        };
        let mut best = vec![false; self.steps.len()];
        let mut least = cost(&best);
        for set in PERIODS.map(start) {
            let found = cost(&set);
            if found < least {
                (best, least) = (set, found);
            }
        }
        for _ in 0..ROUNDS {
            let before = least;
            for i in (0..best.len()).filter(|&i| self.steps[i].may) {
                best[i] = !best[i];
                let found = cost(&best);
                if found < least {
                    least = found;
                } else {
                    best[i] = !best[i];
                }
            }
            if least == before {
                break;
            }
        }
        best
    }
}

/// Adds `len` to what is alive from `first` to `last`, as changes from one time to the next.
fn alive(changes: &mut [isize], len: usize, first: usize, last: usize) {
    let len = isize::try_from(len).unwrap_or(isize::MAX);
    changes[first] += len;
    changes[last + 1] -= len;
}

impl Planner<'_> {
    /// What may be replayed: in training, steps without a convolution's or linear layer's cost. A layer without parameters has
    /// none, and normalisation keeps its statistics.
    pub(crate) fn replays(
        &self,
        clock: Clock,
        program: &Program,
        steps: &[Planned],
        places: &[Place],
        reads: Vec<Reads>,
    ) -> Replays {
        let root = |id: NodeId| program.root[id.index()].index();
        let step = |planned: &Planned| {
            let output = planned.step.output();
            let cheap = match planned.step.kind {
                Kind::Conv(_) => false,
                Kind::Norm(_) => true,
                Kind::Layer => self.graph.node(output).params.is_empty(),
            };
            Replay {
                output: output.index(),
                inputs: planned.step.inputs(self.graph).map(root).collect(),
                may: cheap && !places[output.index()].keeps_activation,
            }
        };
        Replays { clock, steps: steps.iter().map(step).collect(), reads }
    }

    /// The steps to be replayed: none, unless that is asked for and the arena gets smaller.
    fn chosen(&self, replays: &Replays, floats: &[[Lifetime; PARTS]]) -> Vec<bool> {
        let none = vec![false; replays.steps.len()];
        if !self.request.recompute || !self.request.training {
            return none;
        }
        let activations: Vec<Lifetime> = floats.iter().map(|buffers| buffers[ACTIVATION]).collect();
        let others: Vec<Lifetime> = floats.iter().flat_map(|buffers| [buffers[VALUES], buffers[GRADIENT]]).collect();
        let chosen = replays.choose(&activations, &others);
        let total = |chosen: &[bool]| {
            let mut floats = floats.to_vec();
            floats.iter_mut().zip(replays.spans(chosen)).for_each(|(buffers, span)| live(buffers, span));
            place(floats.as_flattened()).1
        };
        if total(&chosen) < total(&none) { chosen } else { none }
    }

    /// Chooses, lets all activations live as long as they must, and tells the steps what to run again.
    pub(crate) fn replay(
        &self,
        replays: &Replays,
        steps: &mut [Planned],
        floats: &mut [[Lifetime; PARTS]],
        switches: &mut [Lifetime],
    ) {
        let spans = replays.spans(&self.chosen(replays, floats));
        floats.iter_mut().zip(&spans).for_each(|(buffers, span)| live(buffers, *span));
        for (i, step) in replays.steps.iter().enumerate() {
            let Some((first, _)) = spans[step.output].again else { continue };
            steps[replays.clock.replayed_for(first)].replays.push(i);
            // Maxima alone are found faster, and their places can wait (`Session::switches_of`).
            let late = matches!(self.graph.nodes()[step.output].layer, AnyLayer::MaxPool(_));
            let switches = &mut switches[step.output];
            switches.first = if late { first } else { switches.first };
            switches.last = switches.last.max(first);
        }
    }
}

/// Lets a node's activations live so long.
fn live(buffers: &mut [Lifetime; PARTS], span: Span) {
    let activation = &mut buffers[ACTIVATION];
    activation.last = activation.last.max(span.last);
    if let Some((first, last)) = span.again {
        buffers[AGAIN] = Lifetime { len: activation.len, first, last };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    /// Convolutions with a cheap step behind each, which the next convolution reads backward. Nodes: 0 is the input,
    /// 2i + 1 a convolution, 2i + 2 what is behind it; with `sums`, that reads what is behind the convolution before, too.
    fn chain(pairs: usize, sums: bool) -> (Replays, Vec<Lifetime>) {
        let clock = Clock { steps: 2 * pairs };
        let mut reads = vec![Reads::default(); 2 * pairs + 1];
        let mut steps = Vec::new();
        for i in 0..2 * pairs {
            let (cheap, output) = (i % 2 == 1, i + 1);
            let mut inputs: SmallVec<[usize; 4]> = smallvec![i];
            reads[i].add(clock.replay(i), clock.back(i));
            if cheap && sums && i > 1 {
                inputs.push(i - 1);
            }
            for &input in &inputs {
                reads[input].forward = i;
            }
            reads[output].forward = i;
            steps.push(Replay { output, inputs, may: cheap });
        }
        let buffer = |node: usize| Lifetime { len: 1, first: node.saturating_sub(1), last: 0 };
        (Replays { clock, steps, reads }, (0..=2 * pairs).map(buffer).collect())
    }

    /// The most values alive at one time.
    fn peak(replays: &Replays, buffers: &[Lifetime], chosen: &[bool]) -> usize {
        let spans = replays.spans(chosen);
        let alive = |time: usize| {
            let at = |(span, buffer): (&Span, &Lifetime)| {
                let first = (buffer.first..=span.last).contains(&time);
                let again = span.again.is_some_and(|(first, last)| (first..=last).contains(&time));
                assert!(!(first && again), "alive twice at {time}");
                if first || again { buffer.len } else { 0 }
            };
            spans.iter().zip(buffers).map(at).sum::<usize>()
        };
        (0..=replays.clock.end()).map(alive).max().unwrap_or(0)
    }

    #[test]
    fn times_are_in_order() {
        let clock = Clock { steps: 7 };
        let mut before = clock.steps;
        for step in (0..7).rev() {
            assert!(before < clock.replay(step) && clock.replay(step) < clock.back(step));
            assert_eq!(clock.replayed_for(clock.replay(step)), step);
            before = clock.back(step);
        }
        assert!(before < clock.end());
    }

    #[test]
    fn behind_convolutions_half_is_kept() {
        let (replays, buffers) = chain(20, false);
        let (none, chosen) = (vec![false; 40], replays.choose(&buffers, &[]));
        assert_eq!(peak(&replays, &buffers, &none), 40 + 1);
        let again = replays.spans(&chosen).iter().filter(|span| span.again.is_some()).count();
        assert_eq!(again, 19, "all but the last, which nobody reads in the sweep");
        // The input, the convolutions' outputs, and one that is needed at the moment.
        assert_eq!(peak(&replays, &buffers, &chosen), 1 + 20 + 1);
    }

    #[test]
    fn chains_of_sums_are_cut() {
        let (replays, buffers) = chain(36, true);
        let all: Vec<bool> = replays.steps.iter().map(|s| s.may).collect();
        let found = peak(&replays, &buffers, &replays.choose(&buffers, &[]));
        // For the last convolution's sweep, all of the chain before it is alive at once, beside the other convolutions' outputs and
        // the input. Better: every sixth is kept, and as many replayed at once.
        assert_eq!(peak(&replays, &buffers, &all), 35 + 35 + 1);
        assert!(found <= 36 + 1 + 6 + 6, "{found}");
    }

    #[test]
    fn what_helps_nothing_is_not_replayed() {
        let (replays, buffers) = chain(5, false);
        // Something large is alive all the time that the first steps' activations are dead.
        let others = [Lifetime { len: 100, first: 0, last: 1 }];
        assert_eq!(replays.choose(&buffers, &others), vec![false; 10]);
    }
}
