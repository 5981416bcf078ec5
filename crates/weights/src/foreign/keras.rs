//! Keras's files. Up to version 2, and as `.h5` still: a group a layer, which lists its weights' names. Since version 3
//! `.weights.h5`, alone or in a `.keras` archive beside `config.json`: groups by the layers' kinds (`conv2d`, `conv2d_1`, …)
//! with weights numbered under `vars`. Either way a weight is called `layer/kernel` here, `layer/gamma` and so on.

use super::hdf5::{Hdf5, Object};
use super::zip::{Archive, Entry};
use super::{ForeignTensor, ForeignWeights, Format};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Reads an archive.
pub(super) fn read_archive(archive: &Archive<'_>, weights: &Entry) -> Result<ForeignWeights, String> {
    let config = match archive.find("config.json") {
        Some(entry) => serde_json::from_slice(&archive.read(entry)?).ok(),
        None => None,
    };
    let bytes = archive.read(weights)?;
    let file = Hdf5::open(&bytes)?;
    numbered(&file.root()?, Format::KerasArchive, config)
}

/// Reads a file of HDF5.
pub(super) fn read(bytes: &[u8]) -> Result<ForeignWeights, String> {
    let file = Hdf5::open(bytes)?;
    let root = file.root()?;
    let config = root.texts("model_config")?.and_then(|t| serde_json::from_str(t.first()?).ok());
    let group = root.find("model_weights")?;
    let group = group.as_ref().unwrap_or(&root);
    match split_texts(group, "layer_names")? {
        Some(layers) => named(group, &layers, config),
        None => numbered(&root, Format::KerasHdf5, config),
    }
}

/// An attribute of many texts, which Keras parts where it is too long: `names0`, `names1`, ….
fn split_texts(object: &Object<'_, '_>, name: &str) -> Result<Option<Vec<String>>, String> {
    if let Some(texts) = object.texts(name)? {
        return Ok(Some(texts));
    }
    let mut all = Vec::new();
    for i in 0.. {
        match object.texts(&format!("{name}{i}"))? {
            Some(texts) => all.extend(texts),
            None => break,
        }
    }
    Ok((!all.is_empty()).then_some(all))
}

/// Weights by the names that layers list.
fn named(group: &Object<'_, '_>, layers: &[String], config: Option<Value>) -> Result<ForeignWeights, String> {
    let (mut tensors, mut notes) = (Vec::new(), Vec::new());
    let mut taken = HashSet::new();
    for layer in layers {
        let Some(object) = group.find(layer)? else {
            return Err(format!("it lists a layer `{layer}` that is not there"));
        };
        for weight in split_texts(&object, "weight_names")?.unwrap_or_default() {
            let data = object.find(&weight)?.filter(Object::is_data_set);
            let data = data.ok_or_else(|| format!("layer `{layer}` lists a weight `{weight}` that is not there"))?;
            let told = |why: String| format!("weight `{weight}` of layer `{layer}`: {why}");
            let Some((shape, values)) = data.values().map_err(told)? else { continue };
            let mut name = plain(layer, &weight);
            if !taken.insert(name.clone()) {
                name = format!("{layer}/{weight}");
            }
            tensors.push(ForeignTensor { name, shape, values });
        }
    }
    if tensors.is_empty() {
        notes.push("none of its layers has weights".into());
    }
    Ok(ForeignWeights { format: Format::KerasHdf5, tensors, notes, extra: config })
}

/// `layer/kernel` of `model/layer/kernel:0`.
fn plain(layer: &str, weight: &str) -> String {
    let weight = weight.split_once(':').map_or(weight, |(name, _)| name);
    let mut parts = weight.rsplit('/');
    match (parts.next(), parts.next()) {
        (Some(kind), Some(of)) => format!("{of}/{kind}"),
        _ => format!("{layer}/{}", first_version(layer, weight).unwrap_or(weight)),
    }
}

/// What Keras 1 called `conv1_W`, `conv1_b_1` and so on, as files of VGG still do. Its deviations were variances.
fn first_version(layer: &str, weight: &str) -> Option<&'static str> {
    let kind = weight.strip_prefix(layer)?.strip_prefix('_')?;
    let kind = kind.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
    Some(match kind {
        "W" => "kernel",
        "b" => "bias",
        "gamma" => "gamma",
        "beta" => "beta",
        "running_mean" => "moving_mean",
        "running_std" => "moving_variance",
        _ => return None,
    })
}

/// Weights numbered under `vars`.
fn numbered(root: &Object<'_, '_>, format: Format, config: Option<Value>) -> Result<ForeignWeights, String> {
    let names = config.as_ref().map(layer_names).unwrap_or_default();
    let mut groups = Vec::new();
    collect(root, "", 0, &mut groups)?;
    if groups.is_empty() {
        return Err("it is not of Keras: it lists no layers and numbers no weights".into());
    }
    // Where the model is known, in its order; elsewhere by kind and number.
    let place = |g: &Numbered| names.get(&g.kind).map_or(usize::MAX, |(place, _)| *place);
    groups.sort_by_key(|g| (place(g), natural(&g.kind)));
    let mut tensors = Vec::new();
    for Numbered { kind, name, weights } in groups {
        let known = names.get(&kind).map(|(_, name)| name.clone());
        let layer = name.or(known).unwrap_or(kind);
        let kinds = kinds(&weights);
        for (i, (shape, values)) in weights.into_iter().enumerate() {
            let weight = kinds.get(i).map_or_else(|| format!("vars/{i}"), |k| (*k).to_owned());
            tensors.push(ForeignTensor { name: format!("{layer}/{weight}"), shape, values });
        }
    }
    Ok(ForeignWeights { format, tensors, notes: Vec::new(), extra: config })
}

/// A layer's weights by number.
struct Numbered {
    /// The group's name: `conv2d_1`.
    kind: String,
    /// The layer's name, where the group says it.
    name: Option<String>,
    weights: Vec<(Vec<usize>, Vec<f32>)>,
}

/// Adds all layers at and below a group.
fn collect(object: &Object<'_, '_>, name: &str, depth: usize, found: &mut Vec<Numbered>) -> Result<(), String> {
    const DEEPEST: usize = 32;
    if depth > DEEPEST {
        return Err("its groups are deeper than any model's".into());
    }
    for (member, address) in object.members()? {
        if depth == 0 && member.starts_with("optimizer") {
            continue;
        }
        let child = object.open(address)?;
        if member != "vars" {
            if !child.is_data_set() {
                collect(&child, &member, depth + 1, found)?;
            }
            continue;
        }
        let mut members = child.members()?;
        members.sort_by_key(|(number, _)| natural(number));
        let mut weights = Vec::new();
        for (_, address) in members {
            let data = child.open(address)?;
            if data.is_data_set()
                && let Some(read) = data.values()?
            {
                weights.push(read);
            }
        }
        if !weights.is_empty() {
            let own = object.texts("name")?.and_then(|t| t.into_iter().next());
            found.push(Numbered { kind: name.to_owned(), name: own, weights });
        }
    }
    Ok(())
}

/// What a layer's weights are, as far as their shapes tell.
fn kinds(weights: &[(Vec<usize>, Vec<f32>)]) -> &'static [&'static str] {
    let vector = |i: usize| weights.get(i).is_some_and(|(shape, _)| shape.len() == 1);
    match weights.len() {
        1 | 2 if !vector(0) => &["kernel", "bias"],
        4 if (0..4).all(vector) => &["gamma", "beta", "moving_mean", "moving_variance"],
        _ => &[],
    }
}

/// A name in the order of people: its numbers by value.
fn natural(name: &str) -> (String, u64) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.trim_end_matches('_').to_owned(), name[stem.len()..].parse().unwrap_or(0))
}

/// The layers' places and names by their groups' names, from a model's description.
fn layer_names(config: &Value) -> HashMap<String, (usize, String)> {
    let layers = config.pointer("/config/layers").and_then(Value::as_array);
    let (mut names, mut counts) = (HashMap::new(), HashMap::new());
    for (place, layer) in layers.into_iter().flatten().enumerate() {
        let class = layer.get("class_name").and_then(Value::as_str);
        let name = layer.pointer("/config/name").and_then(Value::as_str);
        let (Some(class), Some(name)) = (class, name) else { continue };
        let kind = snake_case(class);
        let count = counts.entry(kind.clone()).or_insert(0);
        let group = if *count == 0 { kind } else { format!("{kind}_{count}") };
        *count += 1;
        names.insert(group, (place, name.to_owned()));
    }
    names
}

/// `depthwise_conv2d` of `DepthwiseConv2D`, as Keras does it.
fn snake_case(class: &str) -> String {
    let chars: Vec<char> = class.chars().collect();
    let mut name = String::new();
    for (i, c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|b| chars[b]);
        let upper_then_lower = c.is_uppercase() && chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        let starts = before.is_some_and(|b| upper_then_lower || (c.is_uppercase() && b.is_lowercase()));
        if starts {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kerass() {
        for (class, group) in [
            ("Conv2D", "conv2d"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("BatchNormalization", "batch_normalization"),
            ("Dense", "dense"),
            ("ReLU", "re_lu"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
        ] {
            assert_eq!(snake_case(class), group);
        }
        assert_eq!(plain("conv1", "conv1/kernel:0"), "conv1/kernel");
        assert_eq!(plain("m", "model/conv1/kernel:0"), "conv1/kernel");
        assert_eq!(plain("conv1", "kernel"), "conv1/kernel");
        assert_eq!(plain("block1_conv1", "block1_conv1_W_1:0"), "block1_conv1/kernel");
        assert_eq!(plain("bn", "bn_running_std"), "bn/moving_variance");
        let mut names = ["conv2d_10", "conv2d", "conv2d_2", "dense"];
        names.sort_by_key(|n| natural(n));
        assert_eq!(names, ["conv2d", "conv2d_2", "conv2d_10", "dense"]);
    }
}
