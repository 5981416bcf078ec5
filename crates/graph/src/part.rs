//! Parts of a network, and the network at another size: the nodes that everything passes through, what comes before such a
//! node, and what comes behind.

use crate::layers::Input;
use crate::{AnyLayer, Builder, Change, Graph, GraphError, NodeId, Shape};

impl Graph {
    /// The network for images of this shape: names and layers stay, and shapes follow. Paddings that were chosen for the
    /// old size are what they were.
    ///
    /// # Errors
    /// If a layer does not fit.
    pub fn resized(&self, input: Shape) -> Result<Graph, GraphError> {
        self.rewrite(|node| match node.layer {
            AnyLayer::Input(_) => Change::Replace(Input::new(input).into()),
            _ => Change::Keep,
        })
    }

    /// The nodes between input and output that everything passes through, in order: what comes behind one depends on
    /// nothing before it but through it. For networks without auxiliary classifiers.
    pub fn passages(&self) -> Vec<NodeId> {
        let mut last_user: Vec<usize> = (0..self.nodes.len()).collect();
        for (i, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|input| last_user[input.index()] = i);
        }
        let mut reached = 0;
        let mut passages = Vec::new();
        for id in self.ids() {
            if id.index() > 0 && reached <= id.index() && id.index() < self.output.index() {
                passages.push(id);
            }
            reached = reached.max(last_user[id.index()]);
        }
        passages
    }

    /// What computes this node: it becomes the output.
    pub fn until(&self, id: NodeId) -> Graph {
        Graph { output: id, auxiliary: Vec::new(), ..self.clone() }.without_auxiliary()
    }

    /// What comes behind a node that everything passes through; it takes that node's activations as its images.
    ///
    /// # Errors
    /// If something behind it depends on what is before it.
    pub fn behind(&self, id: NodeId) -> Result<Graph, GraphError> {
        let mut builder = Builder::new(self.name());
        let mut moved = vec![None; self.nodes.len()];
        moved[id.index()] = Some(builder.input(self.node(id).shape));
        for (node, at) in self.nodes.iter().zip(self.ids()).skip(id.index() + 1) {
            let inputs: Option<Vec<NodeId>> = node.inputs.iter().map(|i| moved[i.index()]).collect();
            let inputs = inputs.ok_or_else(|| self.not_behind(id, &node.name))?;
            moved[at.index()] = Some(builder.add(&node.name, node.layer.clone(), inputs));
        }
        let output = moved[self.output.index()].ok_or_else(|| self.not_behind(id, &self.output().name))?;
        builder.finish(output)
    }

    fn not_behind(&self, id: NodeId, node: &str) -> GraphError {
        GraphError::NotBehind { graph: self.name.clone(), passage: self.node(id).name.clone(), node: node.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Add, Conv, GlobalAvgPool, Linear, MaxPool, Relu};

    /// A stem, a residual block, pooling and a classifier.
    fn network() -> Graph {
        let mut g = Builder::new("n");
        let x = g.input(Shape::new(8, 6, 3));
        let stem = g.add("stem", Conv::new(4, 3).pad(1), x);
        let pool = g.add("pool", MaxPool::new(2), stem);
        let conv = g.add("block.conv", Conv::new(4, 3).pad(1), pool);
        let add = g.add("block.add", Add, [conv, pool]);
        let relu = g.add("relu", Relu, add);
        let mean = g.add("mean", GlobalAvgPool, relu);
        let fc = g.add("fc", Linear::new(2), mean);
        g.finish(fc).unwrap()
    }

    #[test]
    fn passages_are_where_all_paths_meet() {
        let g = network();
        let names: Vec<&str> = g.passages().into_iter().map(|id| g.node(id).name.as_str()).collect();
        // Not the block's convolution: the pooling's map goes by it.
        assert_eq!(names, ["stem", "pool", "block.add", "relu", "mean"]);
    }

    #[test]
    fn parts_follow_one_another() {
        let g = network();
        for id in g.passages() {
            let (before, behind) = (g.until(id), g.behind(id).unwrap());
            assert_eq!(before.output().name, g.node(id).name);
            assert_eq!(behind.input().shape, before.output().shape);
            assert_eq!(behind.output().shape, g.output().shape);
            assert_eq!(before.nodes().len() + behind.nodes().len(), g.nodes().len() + 1);
            let params: Vec<String> = before.params().chain(behind.params()).map(|(name, _)| name).collect();
            assert_eq!(params, g.params().map(|(name, _)| name).collect::<Vec<_>>());
        }
        let e = g.behind(g.find("block.conv").unwrap()).unwrap_err().to_string();
        assert!(e.contains("`block.add`") && e.contains("`block.conv`"), "{e}");
    }

    #[test]
    fn shapes_follow_the_images() {
        let g = network().resized(Shape::new(33, 20, 3)).unwrap();
        let shape = |name: &str| g.node(g.find(name).unwrap()).shape;
        assert_eq!((shape("relu"), shape("fc")), (Shape::new(16, 10, 4), Shape::vector(2)));
        assert_eq!(g.resized(Shape::new(8, 6, 3)).unwrap(), network());
        assert!(network().resized(Shape::new(1, 1, 3)).unwrap_err().to_string().contains("`pool`"));
    }
}
