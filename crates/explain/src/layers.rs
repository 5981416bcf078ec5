//! Which layers are looked at: by name, by a pattern with `*` and `?`, or all; and the one that Grad-CAM takes by itself.

use crate::ExplainError;
use striate_graph::{AnyLayer, Graph, NodeId};

/// The nodes of names and patterns, in the network's order, each once. `all` is every node whose activations are its own: not
/// the input, dropout or flatten.
///
/// # Errors
/// If a name or pattern fits no node; with the nearest name there is.
pub fn choose(graph: &Graph, wishes: &[String]) -> Result<Vec<NodeId>, ExplainError> {
    let mut chosen = vec![false; graph.nodes().len()];
    for wish in wishes {
        let mut fits = 0;
        for (id, node) in graph.ids().zip(graph.nodes()) {
            let own = !matches!(node.layer, AnyLayer::Input(_) | AnyLayer::Dropout(_) | AnyLayer::Flatten(_));
            if (wish == "all" && own) || matches_pattern(wish, &node.name) {
                chosen[id.index()] = true;
                fits += 1;
            }
        }
        if fits == 0 {
            if wish.contains(['*', '?']) {
                return Err(ExplainError::Setting(format!("no layer of `{}` fits `{wish}`", graph.name())));
            }
            graph.find(wish)?;
        }
    }
    Ok(graph.ids().filter(|id| chosen[id.index()]).collect())
}

/// Whether a name fits a pattern in which `*` stands for any characters and `?` for one.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // fits[i]: the pattern so far fits the name's first i characters.
    let mut fits = vec![false; name.len() + 1];
    fits[0] = true;
    for p in pattern {
        let mut next = vec![false; name.len() + 1];
        for i in 0..=name.len() {
            next[i] = match p {
                '*' => fits[i] || (i > 0 && next[i - 1]),
                '?' => i > 0 && fits[i - 1],
                c => i > 0 && fits[i - 1] && name[i - 1] == c,
            };
        }
        fits = next;
    }
    fits[name.len()]
}

/// The last map that everything passes through before pooling takes its places away, and why it is the one: Grad-CAM wants
/// the layer of the highest meaning that still says where (Selvaraju et al. 2017, arXiv:1610.02391, section 3).
///
/// # Errors
/// If every layer of the network has one cell only.
pub fn last_map(graph: &Graph) -> Result<(NodeId, String), ExplainError> {
    let plain = graph.without_auxiliary();
    let is_map = |id: &NodeId| {
        let node = plain.node(*id);
        let keeps_places = !matches!(
            node.layer,
            AnyLayer::MaxPool(_)
                | AnyLayer::AvgPool(_)
                | AnyLayer::AdaptiveAvgPool(_)
                | AnyLayer::GlobalAvgPool(_)
                | AnyLayer::GlobalMaxPool(_)
                | AnyLayer::NormPool(_)
                | AnyLayer::FractionalMaxPool(_)
                | AnyLayer::Dropout(_)
                | AnyLayer::LocalResponseNorm(_)
                | AnyLayer::Flatten(_)
        );
        keeps_places && node.shape.h * node.shape.w > 1
    };
    let Some(id) = plain.passages().into_iter().rfind(is_map) else {
        let why = format!("no layer of `{}` has more than one cell", graph.name());
        return Err(ExplainError::Setting(why));
    };
    let node = plain.node(id);
    let (name, s) = (&node.name, node.shape);
    let why = format!(
        "`{name}` is the last map that everything passes through before its {}×{} places are pooled or flattened away",
        s.h, s.w
    );
    Ok((graph.find(name)?, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_zoo::{Options, build};

    #[test]
    fn patterns_fit_as_in_a_shell() {
        let fits = [("conv*", "conv1"), ("*", ""), ("layer?.0.*", "layer2.0.conv1"), ("a*b*c", "aXbYbc"), ("x", "x")];
        assert!(fits.iter().all(|(p, n)| matches_pattern(p, n)));
        let not = [("conv?", "conv"), ("conv", "conv1"), ("*1", "conv12"), ("", "a"), ("a*b", "ba")];
        assert!(not.iter().all(|(p, n)| !matches_pattern(p, n)));
    }

    #[test]
    fn layers_are_chosen_in_order_and_once() {
        let graph = build("lenet5", &Options::default()).unwrap();
        let all = choose(&graph, &["all".into()]).unwrap();
        assert!(all.len() > 5 && all.is_sorted() && !all.contains(&graph.input_id()));
        let name = graph.node(all[1]).name.clone();
        assert_eq!(choose(&graph, &[name.clone(), "all".into(), name]).unwrap(), all);
        assert!(choose(&graph, &["nothing*".into()]).unwrap_err().to_string().contains("fits `nothing*`"));
        assert!(choose(&graph, &["nothing".into()]).is_err());
    }

    #[test]
    fn grad_cams_layer_is_the_last_with_places() {
        // What the papers and their implementations take: the last block's sum behind its ReLU, the last ReLU of VGG.
        for (name, layer, side) in [("resnet18", "layer4.1", 7), ("vgg16", "relu5_3", 14), ("resnet20", "layer3.2", 8)]
        {
            let graph = build(name, &Options::default()).unwrap();
            let (id, why) = last_map(&graph).unwrap();
            let node = graph.node(id);
            assert!(node.name.starts_with(layer) && node.shape.h == side, "{name}: {}", node.name);
            assert!(why.contains(&node.name), "{why}");
        }
    }
}
