//! The sanity check of randomised weights (Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim 2018, arXiv:1810.03292, section 3):
//! from the classifier down, one layer after another gets random weights; a map that says something about the network must
//! change. How alike the maps stay is told by the rank correlation of their absolute values.

use crate::{ExplainError, Method, Settings, Subject};
use serde::Serialize;
use striate_engine::{Parameters, Scheme};
use striate_graph::NodeId;

/// How alike maps stay as more and more layers are random.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Randomised {
    /// The last layer made random in each step: it and all behind it are.
    pub down_to: Vec<String>,
    /// The rank correlation with the trained network's map, of absolute values.
    pub correlations: Vec<f64>,
    /// With all weights random: near 0 the map depends on the weights, near 1 it does not.
    pub all_random: f64,
}

/// The most steps of a cascade.
const STEPS: usize = 6;

/// Makes layers random from the classifier down, and compares the method's maps.
///
/// # Errors
/// As the method.
pub fn randomise(
    subject: &Subject,
    input: &[f32],
    class: usize,
    method: &dyn Method,
    settings: &Settings,
) -> Result<Randomised, ExplainError> {
    let trained = method.explain(subject, input, class, settings)?.heat.values;
    let graph = &subject.graph;
    let random = Parameters::init(graph, Scheme::for_graph(graph), settings.seed);
    let weighted: Vec<NodeId> = graph.ids().rev().filter(|id| !graph.node(*id).params.is_empty()).collect();
    let steps = STEPS.min(weighted.len());
    let mut changed = subject.clone();
    let (mut down_to, mut correlations, mut done) = (Vec::new(), Vec::new(), 0);
    for step in 1..=steps {
        let until = step * weighted.len() / steps;
        for id in &weighted[done..until] {
            changed.parameters.of_mut(*id).clone_from_slice(random.of(*id));
        }
        done = until;
        let map = method.explain(&changed, input, class, settings)?.heat.values;
        down_to.push(graph.node(weighted[until - 1]).name.clone());
        correlations.push(rank_correlation(&absolute(&trained), &absolute(&map)));
    }
    let all_random = correlations.last().copied().unwrap_or(1.0);
    Ok(Randomised { down_to, correlations, all_random })
}

fn absolute(values: &[f32]) -> Vec<f32> {
    values.iter().map(|v| v.abs()).collect()
}

/// Spearman's rank correlation, equal values sharing their mean rank; 0 where one of the two is even.
pub fn rank_correlation(a: &[f32], b: &[f32]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let below = (dot(&a, &a) * dot(&b, &b)).sqrt();
    if below > 0.0 { dot(&a, &b) / below } else { 0.0 }
}

/// Each value's place in order, from 0; that of equal ones is their mean.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    while first < order.len() {
        let same = order[first..].iter().take_while(|i| values[**i] == values[order[first]]).count().max(1);
        for i in &order[first..first + same] {
            ranks[*i] = first as f64 + (same as f64 - 1.0) / 2.0;
        }
        first += same;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{kinked, picture};
    use crate::methods::find;

    #[test]
    fn rank_correlation_is_scipys() {
        // Ranks from 0, equal values sharing theirs: 1, 1½+1, 1½+1, 4, 0 and 2, 3, 0, 4, 1; then Pearson's correlation.
        let (a, b) = ([1.0, 2.5, 2.5, 4.0, 0.0], [2.0, 3.0, 0.0, 4.0, 1.0]);
        let cov: f64 = a.iter().zip(b).map(|(a, b): (&f64, f64)| (a - 2.0) * (b - 2.0)).sum();
        let var = |v: [f64; 5]| v.iter().map(|v| (v - 2.0) * (v - 2.0)).sum::<f64>();
        assert_eq!(ranks(&[1.0, 2.0, 2.0, 4.0, 0.0]), [1.0, 2.5, 2.5, 4.0, 0.0]);
        let found = rank_correlation(&[1.0, 2.0, 2.0, 4.0, 0.0], &[3.0, 5.0, 1.0, 9.0, 2.0]);
        assert!((found - cov / (var(a) * var(b)).sqrt()).abs() < 1e-12);
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[9.0, 5.0, 1.0]), -1.0);
        assert_eq!(rank_correlation(&[1.0, 1.0], &[0.0, 5.0]), 0.0);
    }

    #[test]
    fn the_cascade_ends_with_every_layer_random() {
        let (subject, input) = (kinked(), picture(&kinked()));
        let method = find("saliency").unwrap();
        let found = randomise(&subject, &input, 0, method, &Settings::default()).unwrap();
        assert_eq!(found.down_to, ["fc", "conv2", "bn1", "conv1"]);
        assert_eq!(found.all_random, found.correlations[3]);
        assert!(found.correlations.iter().all(|c| (-1.0..=1.0).contains(c)), "{found:?}");
        // The subject itself stays as it was.
        assert_eq!(method.explain(&subject, &input, 0, &Settings::default()), {
            method.explain(&subject.clone(), &input, 0, &Settings::default())
        });
    }
}
