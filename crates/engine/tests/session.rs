//! A session as its users see it: taps, sweeps from any node, several starts at once, batches smaller than planned, memory,
//! and the same bits at any number of threads.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use striate_engine::{EngineError, Memory, Parameters, Request, Scheme, Session, Tensors};
use striate_graph::layers::{
    Add, AvgPool, BatchNorm, Concat, Conv, Dropout, Flatten, GlobalAvgPool, Linear, MaxPool, Rbf, Relu, Tanh,
};
use striate_graph::{Builder, Graph, NodeId, Shape};
use striate_kernels::{Cpu, uniform};

/// A residual sum, a concatenation, a second head and a branch that leads nowhere; smooth, so that differences mean something.
fn smooth() -> Graph {
    let mut g = Builder::new("smooth");
    let x = g.input(Shape::new(6, 5, 3));
    let a = g.add("conv1", Conv::new(4, 3).pad(1), x);
    let a = g.add("tanh1", Tanh, a);
    let b = g.add("conv2", Conv::new(4, 3).pad(1).no_bias(), a);
    let b = g.add("bn2", BatchNorm::new(), b);
    let sum = g.add("add", Add, [b, a]);
    let c = g.add("conv3", Conv::new(3, 3).stride(2).pad(1), sum);
    let d = g.add("pool3", AvgPool::new(2).stride(2).pad(1), sum);
    let d = g.add("conv4", Conv::new(2, 2), d);
    let e = g.add("conv5", Conv::new(2, 1), c);
    let nowhere = g.add("nowhere", Conv::new(5, 1), e);
    g.add("nowhere_bn", BatchNorm::new(), nowhere);
    let joined = g.add("concat", Concat, [e, c]);
    let f = g.add("flatten", Flatten, d);
    g.add("aux", Linear::new(2), f);
    let y = g.add("pool", GlobalAvgPool, joined);
    let y = g.add("fc", Linear::new(4), y);
    g.finish(y).unwrap()
}

/// Every kind that saves something for backward: switches, masks, statistics, outputs.
fn kinked() -> Graph {
    let mut g = Builder::new("kinked");
    let x = g.input(Shape::new(9, 8, 2));
    let a = g.add("conv", Conv::new(6, 3).pad(1).no_bias(), x);
    let a = g.add("bn", BatchNorm::new(), a);
    let a = g.add("relu", Relu, a);
    let p = g.add("pool", MaxPool::new(3).stride(2).pad(1), a);
    let b = g.add("branch", Conv::new(6, 3).pad(1).groups(6), p);
    let s = g.add("add", Add, [p, b]);
    let c = g.add("concat", Concat, [s, p, b]);
    let d = g.add("drop", Dropout::new(0.3), c);
    let f = g.add("flatten", Flatten, d);
    let y = g.add("fc", Linear::new(5), f);
    g.finish(y).unwrap()
}

fn leads_to_output(graph: &Graph, id: NodeId) -> bool {
    let users = graph.ids().filter(|&user| graph.node(user).inputs.contains(&id));
    id == graph.output_id() || users.into_iter().any(|user| leads_to_output(graph, user))
}

fn cpu(threads: usize) -> Arc<Cpu> {
    Arc::new(Cpu::new(threads).unwrap())
}

fn noise(seed: u64, len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| uniform(seed, i) - 0.5).collect()
}

/// Initialised parameters, none of them neutral.
fn parameters(graph: &Graph) -> Parameters {
    let mut p = Parameters::init(graph, Scheme::Glorot, 5);
    for (i, (_, spec, values)) in p.iter_mut().enumerate() {
        let scale = if spec.name == "running_var" { 0.5 } else { 0.2 };
        values.iter_mut().enumerate().for_each(|(j, v)| *v += scale * (uniform(40 + i as u64, j as u64) - 0.5));
    }
    p
}

fn images(graph: &Graph, batch: usize) -> Vec<f32> {
    noise(77, batch * graph.input().shape.len())
}

fn bits(v: &[f32]) -> Vec<u32> {
    v.iter().map(|x| x.to_bits()).collect()
}

fn tensor_bits(t: &Tensors) -> Vec<Vec<u32>> {
    t.iter().map(|(.., v)| bits(v)).collect()
}

fn every(graph: &Graph) -> Vec<NodeId> {
    graph.ids().collect()
}

/// A request whose sweeps start at the named nodes.
fn sweep(graph: &Graph, batch: usize, starts: &[&str]) -> Request {
    let backward_from = starts.iter().map(|n| graph.find(n).unwrap()).collect();
    Request { backward_from, ..Request::train(graph, batch) }
}

/// One forward pass and one sweep: the session and the parameters' gradients.
fn swept(graph: &Arc<Graph>, request: &Request, batch: usize, seeds: &[(&str, &[f32])]) -> (Session, Tensors) {
    let p = parameters(graph);
    let mut session = Session::new(graph.clone(), cpu(2), request).unwrap();
    session.forward(&p, &images(graph, batch), batch, 9).unwrap();
    let mut gradients = p.zeros_like(false);
    let seeds: Vec<_> = seeds.iter().map(|(n, dy)| (graph.find(n).unwrap(), *dy)).collect();
    session.backward(&p, &seeds, &mut gradients).unwrap();
    (session, gradients)
}

#[test]
fn a_tap_reads_what_a_session_with_every_tap_reads() {
    for graph in [smooth(), kinked()].map(Arc::new) {
        let (p, x) = (parameters(&graph), images(&graph, 3));
        for training in [false, true] {
            let session = |taps| {
                // What is joined depends on the taps, and rounds otherwise.
                let request = Request { training, taps, passes: false, ..Request::predict(3) };
                let mut s = Session::new(graph.clone(), cpu(2), &request).unwrap();
                s.forward(&p, &x, 3, 1).unwrap();
                s
            };
            let all = session(every(&graph));
            for id in graph.ids() {
                let one = session(vec![id]);
                assert_eq!(
                    bits(one.activation(id).unwrap()),
                    bits(all.activation(id).unwrap()),
                    "{}",
                    graph.node(id).name
                );
                assert_eq!(one.activation(id).unwrap().len(), 3 * graph.node(id).shape.len());
                let others = graph.ids().filter(|&o| o != id && o != graph.output_id());
                for other in others {
                    assert!(matches!(one.activation(other), Err(EngineError::NotKept { .. })));
                }
            }
        }
    }
}

#[test]
fn taps_do_not_change_a_training_step() {
    for graph in [smooth(), kinked()].map(Arc::new) {
        let dy = noise(3, 3 * graph.output().shape.len());
        let output = graph.output().name.clone();
        let plain = Request::train(&graph, 3);
        let tapped = Request { taps: every(&graph), gradient_taps: every(&graph), ..plain.clone() };
        let (_, without) = swept(&graph, &plain, 3, &[(&output, &dy)]);
        let (_, with) = swept(&graph, &tapped, 3, &[(&output, &dy)]);
        assert_eq!(tensor_bits(&without), tensor_bits(&with), "{}", graph.name());
    }
}

/// Σ dy · activation, in f64, of a fresh pass.
fn loss(s: &mut Session, p: &Parameters, x: &[f32], batch: usize, seeds: &[(NodeId, &[f32])]) -> f64 {
    s.forward(p, x, batch, 9).unwrap();
    let dot = |(id, dy): &(NodeId, &[f32])| -> f64 {
        s.activation(*id).unwrap().iter().zip(*dy).map(|(y, d)| f64::from(*y) * f64::from(*d)).sum()
    };
    seeds.iter().map(dot).sum()
}

/// Compares the sweep from these nodes with central differences, by the input and by every parameter.
fn check_differences(starts: &[&str], training: bool) {
    const STEP: f32 = 1.0 / 128.0;
    let (graph, batch) = (Arc::new(smooth()), 2);
    let seeds: Vec<(NodeId, Vec<f32>)> = starts
        .iter()
        .map(|n| graph.find(n).unwrap())
        .map(|id| (id, noise(11 + id.index() as u64, batch * graph.node(id).shape.len())))
        .collect();
    let seeds: Vec<(NodeId, &[f32])> = seeds.iter().map(|(id, dy)| (*id, dy.as_slice())).collect();
    let ids: Vec<NodeId> = seeds.iter().map(|s| s.0).collect();
    let input = graph.find("input").unwrap();
    let request = Request { training, taps: ids, gradient_taps: vec![input], ..sweep(&graph, batch, starts) };
    let mut s = Session::new(graph.clone(), cpu(1), &request).unwrap();
    let (mut p, mut x) = (parameters(&graph), images(&graph, batch));
    let mut gradients = p.zeros_like(false);
    s.forward(&p, &x, batch, 9).unwrap();
    s.backward(&p, &seeds, &mut gradients).unwrap();
    let dx = s.gradient(input).unwrap().to_vec();

    let close = |by: &str, all: &[f32], g: f32, up: f64, down: f64| {
        let difference = (up - down) / (2.0 * f64::from(STEP));
        let scale = all.iter().fold(0.05f64, |m, v| m.max(f64::from(v.abs())));
        let off = (f64::from(g) - difference).abs() / scale;
        assert!(off < 5e-3, "{starts:?} {by}: {g} by backward, {difference} by differences");
    };
    for i in (0..x.len()).step_by(3) {
        let at = x[i];
        x[i] = at + STEP;
        let up = loss(&mut s, &p, &x, batch, &seeds);
        x[i] = at - STEP;
        let down = loss(&mut s, &p, &x, batch, &seeds);
        x[i] = at;
        close("input", &dx, dx[i], up, down);
    }
    let names: Vec<String> = p.iter().filter(|t| t.1.trainable).map(|t| t.0.to_owned()).collect();
    for name in names {
        let gradient = gradients.get(&name).unwrap();
        let start = p.get(&name).unwrap().to_vec();
        for i in (0..start.len()).step_by(5) {
            let mut moved = start.clone();
            moved[i] = start[i] + STEP;
            p.set(&name, moved.as_slice()).unwrap();
            let up = loss(&mut s, &p, &x, batch, &seeds);
            moved[i] = start[i] - STEP;
            p.set(&name, moved.as_slice()).unwrap();
            let down = loss(&mut s, &p, &x, batch, &seeds);
            close(&name, gradient, gradient[i], up, down);
        }
        p.set(&name, start).unwrap();
    }
}

#[test]
fn sweeps_from_inner_nodes_equal_central_differences() {
    for start in ["conv1", "add", "concat", "aux", "fc"] {
        check_differences(&[start], true);
    }
    check_differences(&["concat"], false);
}

#[test]
fn sweeps_from_several_nodes_equal_central_differences() {
    // Two heads; a node and another behind it; three at once.
    check_differences(&["fc", "aux"], true);
    check_differences(&["add", "concat"], true);
    check_differences(&["fc", "tanh1", "aux"], false);
}

#[test]
fn a_planned_start_without_a_seed_adds_nothing() {
    let graph = Arc::new(smooth());
    let dy = noise(4, 2 * graph.output().shape.len());
    let (_, alone) = swept(&graph, &sweep(&graph, 2, &["fc"]), 2, &[("fc", &dy)]);
    let (_, both) = swept(&graph, &sweep(&graph, 2, &["fc", "add"]), 2, &[("fc", &dy)]);
    for ((name, _, a), (.., b)) in alone.iter().zip(both.iter()) {
        // 0 + g and −0 may differ in sign only.
        assert!(a.iter().zip(b).all(|(a, b)| a == b), "{name}");
    }
}

#[test]
fn a_gradient_tap_reads_what_a_session_with_every_tap_reads() {
    for graph in [smooth(), kinked()].map(Arc::new) {
        let output = graph.output().name.clone();
        let dy = noise(3, 3 * graph.output().shape.len());
        let request = |gradient_taps, parameter_gradients| Request {
            gradient_taps,
            parameter_gradients,
            ..Request::train(&graph, 3)
        };
        let (all, _) = swept(&graph, &request(every(&graph), true), 3, &[(&output, &dy)]);
        assert_eq!(all.gradient(graph.output_id()).unwrap(), dy);
        for id in graph.ids() {
            let name = &graph.node(id).name;
            if !leads_to_output(&graph, id) {
                assert!(all.gradient(id).is_err(), "no gradient reaches {name}");
                continue;
            }
            for parameter_gradients in [false, true] {
                let (one, _) = swept(&graph, &request(vec![id], parameter_gradients), 3, &[(&output, &dy)]);
                assert_eq!(bits(one.gradient(id).unwrap()), bits(all.gradient(id).unwrap()), "{name}");
            }
        }
    }
}

#[test]
fn parameters_get_no_gradient_unless_it_is_asked_for() {
    let graph = Arc::new(kinked());
    let (p, dy) = (parameters(&graph), noise(3, 3 * 5));
    let input = graph.find("input").unwrap();
    let request = Request { parameter_gradients: false, gradient_taps: vec![input], ..Request::train(&graph, 3) };
    let mut session = Session::new(graph.clone(), cpu(2), &request).unwrap();
    session.forward(&p, &images(&graph, 3), 3, 9).unwrap();
    let mut untouched = p.zeros_like(false);
    untouched.fill(7.0);
    session.backward(&p, &[(graph.output_id(), &dy)], &mut untouched).unwrap();
    assert!(untouched.iter().all(|(.., v)| v.iter().all(|&g| g == 7.0)));
    assert!(session.gradient(input).unwrap().iter().any(|&g| g != 0.0));
}

#[test]
fn gradients_of_parameters_are_assigned() {
    let graph = Arc::new(kinked());
    let (p, x, dy) = (parameters(&graph), images(&graph, 3), noise(3, 3 * 5));
    let mut session = Session::new(graph.clone(), cpu(2), &Request::train(&graph, 3)).unwrap();
    let mut gradients = p.zeros_like(true);
    let mut once = Vec::new();
    for _ in 0..2 {
        session.forward(&p, &x, 3, 9).unwrap();
        session.backward(&p, &[(graph.output_id(), &dy)], &mut gradients).unwrap();
        once.push(tensor_bits(&gradients));
        gradients.iter_mut().for_each(|(.., g)| g.fill(f32::NAN));
    }
    assert_eq!(once[0], once[1]);
}

/// All that a step gives: logits, every activation and gradient, parameters' gradients, gathered statistics.
fn step(graph: &Arc<Graph>, cpu: Arc<Cpu>, planned: usize, batch: usize) -> Vec<Vec<u32>> {
    let request = Request {
        taps: every(graph),
        gradient_taps: vec![graph.ids().next().unwrap()],
        ..Request::train(graph, planned)
    };
    let mut p = parameters(graph);
    let mut session = Session::new(graph.clone(), cpu, &request).unwrap();
    if planned > batch {
        // Leave other values behind, everywhere.
        session.forward(&p, &vec![3.0; planned * graph.input().shape.len()], planned, 2).unwrap();
        let dy = vec![1.0; planned * graph.output().shape.len()];
        session.backward(&p, &[(graph.output_id(), &dy)], &mut p.zeros_like(true)).unwrap();
    }
    let mut all = vec![bits(session.forward(&p, &images(graph, batch), batch, 9).unwrap())];
    let mut gradients = p.zeros_like(true);
    let dy = noise(3, batch * graph.output().shape.len());
    session.backward(&p, &[(graph.output_id(), &dy)], &mut gradients).unwrap();
    session.gather_statistics(&mut p);
    all.extend(graph.ids().map(|id| bits(session.activation(id).unwrap())));
    all.push(bits(session.gradient(graph.ids().next().unwrap()).unwrap()));
    all.extend(tensor_bits(&gradients));
    all.extend(tensor_bits(&p));
    all
}

#[test]
fn a_batch_smaller_than_planned_gives_the_bits_of_a_session_planned_for_it() {
    for graph in [smooth(), kinked()].map(Arc::new) {
        for batch in [1, 2, 4] {
            let (fitted, roomy) = (step(&graph, cpu(2), batch, batch), step(&graph, cpu(2), 5, batch));
            assert!(fitted == roomy, "{} at batch {batch}", graph.name());
        }
    }
}

#[test]
fn a_training_step_has_the_same_bits_at_any_number_of_threads() {
    let resnet = Arc::new(striate_zoo::build("resnet20", &striate_zoo::Options::default()).unwrap());
    let lenet = Arc::new(striate_zoo::build("lenet5", &striate_zoo::Options::default()).unwrap());
    for graph in [resnet, lenet, Arc::new(kinked())] {
        let one = step(&graph, cpu(1), 8, 8);
        for threads in [2, 8] {
            assert!(step(&graph, cpu(threads), 8, 8) == one, "{} at {threads} threads", graph.name());
        }
    }
}

#[test]
fn buffers_share_memory() {
    let graph = striate_zoo::build("resnet20", &striate_zoo::Options::default()).unwrap();
    let predict = Memory::of(&graph, &Request::predict(16)).unwrap();
    // A chain of blocks holds three maps of 32×32×16 at most.
    assert!(predict.buffers <= 3 * 16 * 32 * 32 * 16 * 4 + 16 * 32 * 32 * 3 * 4, "{predict:?}");
    assert!(predict.buffers * 4 < predict.unshared, "{predict:?}");
    let train = Memory::of(&graph, &Request::train(&graph, 16)).unwrap();
    assert!(train.buffers * 10 < train.unshared * 6, "{train:?}");
    let all = Request { taps: every(&graph), gradient_taps: every(&graph), ..Request::train(&graph, 16) };
    assert!(Memory::of(&graph, &all).unwrap().buffers > train.buffers);
    let saliency = Request {
        training: false,
        parameter_gradients: false,
        gradient_taps: vec![graph.ids().next().unwrap()],
        ..Request::train(&graph, 16)
    };
    assert!(Memory::of(&graph, &saliency).unwrap().buffers <= train.buffers);
}

#[test]
fn misuse_is_answered_in_words() {
    let graph = Arc::new(kinked());
    let (p, x) = (parameters(&graph), images(&graph, 3));
    let mut s = Session::new(graph.clone(), cpu(1), &Request::train(&graph, 3)).unwrap();
    let mut gradients = p.zeros_like(true);
    let dy = noise(3, 3 * 5);
    let seeds = [(graph.output_id(), dy.as_slice())];
    assert!(s.backward(&p, &seeds, &mut gradients).is_err(), "nothing was run forward");
    for (images, batch) in [(&x[..], 4), (&x[..], 0), (&x[1..], 3)] {
        assert!(s.forward(&p, images, batch, 0).is_err());
    }
    let foreign = parameters(&smooth());
    assert!(matches!(s.forward(&foreign, &x, 3, 0), Err(EngineError::Parameter { .. })));
    s.forward(&p, &x, 3, 0).unwrap();
    let inner = graph.find("relu").unwrap();
    // Seeds are checked before anything is changed.
    let e = s.backward(&p, &[(inner, &dy)], &mut gradients).unwrap_err().to_string();
    assert!(e.contains("`relu`") && e.contains("not planned"), "{e}");
    assert!(s.backward(&p, &[(graph.output_id(), &dy[1..])], &mut gradients).is_err());
    assert!(s.gradient(inner).is_err());
    s.backward(&p, &seeds, &mut gradients).unwrap();
    // Gradients now lie where activations were.
    assert_eq!(s.backward(&p, &seeds, &mut gradients), Err(EngineError::UsedUp));
    assert!(Session::new(graph, cpu(1), &Request::predict(0)).is_err());
}

#[test]
fn nothing_is_read_before_it_is_computed() {
    let graph = Arc::new(kinked());
    let (output, input) = (graph.output_id(), graph.find("input").unwrap());
    let request = Request { gradient_taps: vec![input], ..Request::train(&graph, 3) };
    let mut s = Session::new(graph.clone(), cpu(1), &request).unwrap();
    assert!(matches!(s.activation(output), Err(EngineError::NotRun { .. })));
    s.forward(&parameters(&graph), &images(&graph, 3), 3, 0).unwrap();
    assert!(s.activation(output).is_ok());
    assert!(matches!(s.gradient(input), Err(EngineError::NotRun { .. })));
}

#[test]
fn seeds_of_one_node_add_up() {
    let graph = Arc::new(kinked());
    let dy = noise(3, 3 * 5);
    let (twice, half): (Vec<f32>, Vec<f32>) = dy.iter().map(|d| (2.0 * d, *d)).unzip();
    let (_, one) = swept(&graph, &Request::train(&graph, 3), 3, &[("fc", &twice)]);
    let (_, two) = swept(&graph, &Request::train(&graph, 3), 3, &[("fc", &half), ("fc", &half)]);
    assert_eq!(tensor_bits(&one), tensor_bits(&two));
}

#[test]
fn what_the_answer_does_not_depend_on_is_not_computed() {
    let graph = smooth();
    let plain = Memory::of(&graph, &Request::predict(1)).unwrap();
    let taps = vec![graph.find("nowhere_bn").unwrap(), graph.find("aux").unwrap()];
    let tapped = Memory::of(&graph, &Request { taps, ..Request::predict(1) }).unwrap();
    assert!(plain.unshared < tapped.unshared, "{plain:?} {tapped:?}");
}

/// A map of 60,001 × 60,001 is allowed in a file, and 13 GiB an image.
#[test]
fn memory_that_cannot_be_had_is_an_error() {
    let mut g = Builder::new("vast");
    let x = g.input(Shape::new(1, 1, 3));
    let map = g.add("conv", Conv::new(1, 1).pad(30_000), x);
    let x = g.add("pool", GlobalAvgPool, map);
    let graph = Arc::new(g.finish(x).unwrap());
    for batch in [1 << 20, usize::MAX / 2, usize::MAX] {
        // The tap asks for the maps of all images.
        let request = Request { taps: vec![map], ..Request::predict(batch) };
        let e = Session::new(graph.clone(), cpu(1), &request).err().unwrap();
        assert!(matches!(e, EngineError::TooLarge { .. }), "{e}");
    }
}

#[test]
fn switches_of_one_pool_outlive_the_next_pools() {
    let mut g = Builder::new("pools");
    let x = g.input(Shape::new(8, 8, 1));
    let y = g.add("pool1", MaxPool::new(2), x);
    let y = g.add("pool2", MaxPool::new(2), y);
    let graph = Arc::new(g.finish(y).unwrap());
    let request = Request { gradient_taps: vec![x], ..Request::train(&graph, 3) };
    let (session, _) = swept(&graph, &request, 3, &[("pool2", &[1.0; 3 * 4])]);
    // Both pools pass the gradient on to the largest of 4×4 pixels.
    let (dx, images) = (session.gradient(x).unwrap(), images(&graph, 3));
    for i in 0..images.len() {
        let (row, column) = (i / 8 / 4 * 4, i % 8 / 4 * 4);
        let window = (row..row + 4).flat_map(|r| &images[r * 8 + column..][..4]);
        let largest = window.copied().fold(f32::MIN, f32::max);
        assert_eq!(dx[i], if images[i] == largest { 1.0 } else { 0.0 }, "pixel {i}");
    }
}

#[test]
fn statistics_can_be_gathered_before_the_sweep_or_after_it() {
    // So narrow that statistics are the largest buffers, and would be written over first.
    let mut g = Builder::new("narrow");
    let mut x = g.input(Shape::vector(8));
    for i in 0..4 {
        x = g.add(format!("fc{i}"), Linear::new(8).no_bias(), x);
        x = g.add(format!("bn{i}"), BatchNorm::new(), x);
    }
    let graph = Arc::new(g.finish(x).unwrap());
    let p = parameters(&graph);
    let mut session = Session::new(graph.clone(), cpu(2), &Request::train(&graph, 2)).unwrap();
    session.forward(&p, &images(&graph, 2), 2, 0).unwrap();
    let (mut before, mut after) = (p.clone(), p.clone());
    session.gather_statistics(&mut before);
    session.backward(&p, &[(graph.output_id(), &noise(3, 16))], &mut p.zeros_like(true)).unwrap();
    session.gather_statistics(&mut after);
    assert!(tensor_bits(&before) == tensor_bits(&after));
    assert_ne!(before.get("bn3.running_mean"), p.get("bn3.running_mean"));
}

#[test]
fn fixed_codes_pass_gradients_on_and_stay() {
    let mut g = Builder::new("codes");
    let x = g.input(Shape::vector(6));
    let f = g.add("fc", Linear::new(4), x);
    let y = g.add("rbf", Rbf::new(3), f);
    let graph = Arc::new(g.finish(y).unwrap());
    let mut p = Parameters::init(&graph, Scheme::Glorot, 5);
    let codes = p.get("rbf.weight").unwrap().to_vec();
    let request = Request { taps: vec![f], gradient_taps: vec![f], ..Request::train(&graph, 2) };
    let mut session = Session::new(graph.clone(), cpu(2), &request).unwrap();
    session.forward(&p, &images(&graph, 2), 2, 0).unwrap();
    let (mut gradients, dy) = (p.zeros_like(true), noise(3, 6));
    assert!(gradients.get("rbf.weight").unwrap().is_empty());
    session.backward(&p, &[(y, &dy)], &mut gradients).unwrap();
    session.gather_statistics(&mut p);
    assert_eq!(p.get("rbf.weight").unwrap(), codes);
    let (at, df) = (session.activation(f).unwrap(), session.gradient(f).unwrap());
    for i in 0..8 {
        let terms = (0..3).map(|k| -2.0 * dy[i / 4 * 3 + k] * (at[i] - codes[k * 4 + i % 4]));
        assert!((df[i] - terms.sum::<f32>()).abs() < 1e-5, "{i}");
    }
    assert!(gradients.get("fc.weight").unwrap().iter().any(|&d| d != 0.0));
}
