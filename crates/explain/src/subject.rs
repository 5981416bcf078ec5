//! What is looked into: a network with its parameters, how pictures are prepared for it, and its classes' names.

use crate::ExplainError;
use std::sync::Arc;
use striate_data::{Picture, Preprocessing};
use striate_engine::{Parameters, Request, Session};
use striate_graph::{AnyLayer, Graph, NodeId};
use striate_kernels::{Cpu, softmax};

/// A trained classifier.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The network.
    pub graph: Arc<Graph>,
    /// Its parameters' values.
    pub parameters: Parameters,
    /// How a picture becomes its input.
    pub preprocessing: Preprocessing,
    /// The classes' names, in the order of its outputs.
    pub classes: Vec<String>,
    /// What computes.
    pub cpu: Arc<Cpu>,
}

impl Subject {
    /// Puts the parts together.
    ///
    /// # Errors
    /// If preprocessing makes no input of this network, or the classes are not as many as its answers.
    pub fn new(
        graph: Arc<Graph>,
        parameters: Parameters,
        preprocessing: Preprocessing,
        classes: Vec<String>,
        cpu: Arc<Cpu>,
    ) -> Result<Subject, ExplainError> {
        let (input, output, p) = (graph.input().shape, graph.output().shape, &preprocessing);
        let (h, w, c) = (p.height as usize, p.width as usize, usize::from(p.channels));
        if (h, w, c) != (input.h, input.w, input.c) {
            return Err(ExplainError::Model(format!(
                "it prepares {h}×{w}×{c} images for a network that takes {input}"
            )));
        }
        if !output.is_vector() || output.c != classes.len() {
            let n = classes.len();
            return Err(ExplainError::Model(format!("it names {n} classes for a network that answers {output}")));
        }
        Ok(Subject { graph, parameters, preprocessing, classes, cpu })
    }

    /// The node of the classes' scores: the output, or what a softmax at the end makes probabilities of. Explanations are of
    /// unnormalised scores, for a probability rises as well where another class's evidence goes (Simonyan et al. 2013,
    /// arXiv:1312.6034, section 2).
    pub fn scores(&self) -> NodeId {
        let output = self.graph.output();
        match output.layer {
            AnyLayer::Softmax(_) => output.inputs[0],
            _ => self.graph.output_id(),
        }
    }

    /// The network's input for a picture: height · width · channels.
    pub fn input(&self, picture: &Picture) -> Vec<f32> {
        let mut input = vec![0.0; self.preprocessing.len()];
        self.preprocessing.apply(picture, &mut input);
        input
    }

    /// What a level from 0 (black) to 1 (white) is in each channel of an input.
    pub fn level(&self, level: f32) -> Vec<f32> {
        let p = &self.preprocessing;
        p.mean.iter().zip(&p.std).map(|(mean, std)| (level - mean) / std).collect()
    }

    /// An input of one level all over.
    pub fn blank(&self, level: f32) -> Vec<f32> {
        let pixel = self.level(level);
        pixel.repeat(self.preprocessing.len() / pixel.len())
    }

    /// The picture that an input shows: levels outside 0 to 255 are cut off.
    pub fn picture(&self, input: &[f32]) -> Picture {
        self.preprocessing.denormalise(input)
    }

    /// The class of this name or number.
    ///
    /// # Errors
    /// If there is none, with the nearest name.
    pub fn class(&self, text: &str) -> Result<usize, ExplainError> {
        if let Some(class) = self.classes.iter().position(|name| name == text) {
            return Ok(class);
        }
        match text.parse::<usize>() {
            Ok(class) if class < self.classes.len() => Ok(class),
            _ => {
                let lower = text.to_lowercase();
                let near = self.classes.iter().find(|name| name.to_lowercase().contains(&lower) && !lower.is_empty());
                let hint = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                Err(ExplainError::Class { found: text.into(), last: self.classes.len() - 1, hint })
            }
        }
    }
}

/// A subject planned to be asked for probabilities.
pub struct Predictor<'a> {
    subject: &'a Subject,
    session: Session,
    batch: usize,
    taps: Vec<NodeId>,
}

/// What a predictor says of each batch: the images' first index, their number, their probabilities, and the activations.
pub type Seen<'s> = dyn FnMut(usize, usize, &[f32], &[&[f32]]) + 's;

impl<'a> Predictor<'a> {
    /// Plans for up to `batch` images at once, with the activations of `taps` to be looked at.
    ///
    /// # Errors
    /// If the batch is 0, or the memory cannot be had.
    pub fn new(subject: &'a Subject, batch: usize, taps: &[NodeId]) -> Result<Predictor<'a>, ExplainError> {
        let request = Request { taps: taps.to_vec(), ..Request::predict(batch) };
        let session = Session::new(subject.graph.clone(), subject.cpu.clone(), &request)?;
        Ok(Predictor { subject, session, batch, taps: taps.to_vec() })
    }

    /// The most images at once.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Runs any number of images, batch by batch, and shows each batch's results.
    ///
    /// # Errors
    /// If they are no inputs of this network.
    pub fn run(&mut self, images: &[f32], seen: &mut Seen<'_>) -> Result<(), ExplainError> {
        let len = self.subject.preprocessing.len();
        let is_softmax = self.subject.scores() != self.subject.graph.output_id();
        let mut first = 0;
        for part in images.chunks(self.batch * len) {
            let n = part.len() / len;
            let answers = self.session.forward(&self.subject.parameters, part, n, 0)?;
            let mut probabilities = answers.to_vec();
            if !is_softmax {
                softmax(&self.subject.cpu, answers, answers.len() / n, &mut probabilities);
            }
            let activations: Result<Vec<&[f32]>, _> = self.taps.iter().map(|id| self.session.activation(*id)).collect();
            seen(first, n, &probabilities, &activations?);
            first += n;
        }
        Ok(())
    }

    /// The probabilities of any number of images: as many rows as images.
    ///
    /// # Errors
    /// As [`Predictor::run`].
    pub fn probabilities(&mut self, images: &[f32]) -> Result<Vec<f32>, ExplainError> {
        let mut all = Vec::new();
        self.run(images, &mut |_, _, probabilities, _| all.extend_from_slice(probabilities))?;
        Ok(all)
    }
}

/// The index of the largest value; of equal ones the first, 0 for none.
pub(crate) fn largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best
}
