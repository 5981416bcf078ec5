//! What became of a file's tensors and a network's parameters.

/// A parameter that has its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The network's name for it.
    pub parameter: String,
    /// The file's.
    pub tensor: String,
    /// The parameter's shape.
    pub shape: Vec<usize>,
}

/// A parameter or a tensor that has no counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// How a file's tensors were matched to a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchReport {
    /// By what: a library's names, or order and shapes.
    pub by: String,
    /// What matched, in the network's order.
    pub matched: Vec<Match>,
    /// The network's parameters that have no values; none in a network that is handed out.
    pub missing: Vec<Leftover>,
    /// The file's tensors that nothing takes.
    pub unused: Vec<Leftover>,
    /// What is to be known beside.
    pub remarks: Vec<String>,
}

impl MatchReport {
    /// In a sentence: `62 of 62 parameters by torchvision's names`.
    pub fn summary(&self) -> String {
        let (matched, all) = (self.matched.len(), self.matched.len() + self.missing.len());
        let unused = match self.unused.len() {
            0 => String::new(),
            1 => format!("; nothing takes `{}`", self.unused[0].name),
            n => format!("; nothing takes {n} of the file's tensors"),
        };
        format!("{matched} of {all} parameters by {}{unused}", self.by)
    }
}
