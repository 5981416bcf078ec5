//! A row of the zoo: an architecture's name, facts and builder.

use striate_graph::{Graph, GraphError, Shape};
use thiserror::Error;

/// An architecture with its published facts.
#[derive(Debug)]
pub struct Architecture {
    /// The name on the command line.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Authors, year, and where it was published.
    pub paper: &'static str,
    /// The input it was published for.
    pub input: Shape,
    /// The classes it was published for.
    pub classes: usize,
    /// What is published about it.
    pub published: Published,
    /// Builds it for an input and a number of classes.
    pub(crate) graph: fn(name: &str, input: Shape, classes: usize) -> Result<Graph, GraphError>,
}

/// Published figures, at the published input and number of classes.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    /// Trained parameters.
    pub parameters: usize,
    /// Multiply-adds of convolutions and linear layers for one image.
    pub multiply_adds: Option<u64>,
    /// What was reached, on which data.
    pub accuracy: &'static str,
}

/// What a builder may choose; `None` is as published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Height, width and channels of the images.
    pub input: Option<Shape>,
    /// Classes.
    pub classes: Option<usize>,
}

/// Why there is no such network.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ZooError {
    /// No architecture of this name.
    #[error("no architecture is named `{name}`: {hint}`striate models` lists them")]
    Unknown {
        /// The name asked for.
        name: String,
        /// `did you mean …? `, or empty.
        hint: String,
    },
    /// No class to tell apart.
    #[error("`{0}` needs at least one class")]
    NoClasses(&'static str),
    /// The options do not fit the architecture.
    #[error("`{name}` cannot be built for {input} images and {classes} classes: {why}")]
    Unfit {
        /// The architecture.
        name: &'static str,
        /// The input asked for.
        input: Shape,
        /// The classes asked for.
        classes: usize,
        /// The node that does not fit.
        why: Box<GraphError>,
    },
}

impl Architecture {
    /// Builds the network.
    ///
    /// # Errors
    /// If it does not fit the options, with the node and the shapes.
    pub fn build(&self, options: &Options) -> Result<Graph, ZooError> {
        let (input, classes) = (options.input.unwrap_or(self.input), options.classes.unwrap_or(self.classes));
        if classes == 0 {
            return Err(ZooError::NoClasses(self.name));
        }
        (self.graph)(self.name, input, classes).map_err(|why| ZooError::Unfit {
            name: self.name,
            input,
            classes,
            why: Box::new(why),
        })
    }
}
