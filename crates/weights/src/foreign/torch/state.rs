//! Which of the dictionaries in a PyTorch file is the state of a network, and its tensors' values.

use super::super::number::{Number, count};
use super::super::pickle::{Global, Id, Pickle, Value};
use super::super::{ForeignTensor, listed};
use super::storages::{Named, Storages, named};

/// Names of a checkpoint's entries that hold a network's state, the best first. Averaged weights are those that score best,
/// and what timm takes where a file has both.
const STATES: [&str; 11] = [
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "state_dict",
    "model_state_dict",
    "model",
    "network",
    "net",
    "module",
    "weights",
    "params",
];

/// A named entry of a state.
pub(super) type Entry = (String, Id);

/// How deep states may lie in a file, and how deep their own names may be parted.
const DEEPEST: usize = 8;

/// The tensors' names and places, and what is to be said of them.
pub(super) fn find(pickle: &Pickle) -> Result<(Vec<Entry>, Vec<String>), String> {
    let mut notes = Vec::new();
    let mut at = pickle.root;
    for _ in 0..DEEPEST {
        let Value::Dict(entries) = pickle.value(at) else { break };
        let of = |name: &str| entries.iter().rfind(|(key, _)| pickle.text(*key) == Some(name)).map(|(_, value)| *value);
        let state = STATES.iter().filter_map(|name| Some((name, of(name)?)));
        let state = { state }.find(|(_, value)| matches!(pickle.value(*value), Value::Dict(_)));
        match state {
            Some((name, value)) if !entries.iter().any(|(_, v)| is_tensor(pickle, *v)) => {
                let others = entries.iter().filter_map(|(key, _)| pickle.text(*key)).filter(|key| key != name);
                let others: Vec<&str> = others.collect();
                let beside =
                    if others.is_empty() { String::new() } else { format!("; beside it: {}", listed(&others)) };
                notes.push(format!("the weights are its entry `{name}`{beside}"));
                at = value;
            }
            _ => break,
        }
    }
    let (mut found, mut room) = (Vec::new(), MOST_ENTRIES);
    collect(pickle, at, "", 0, &mut room, &mut found)?;
    if found.is_empty() {
        return Err("holds no tensors by name: save a `state_dict()`".into());
    }
    Ok((found, notes))
}

fn is_tensor(pickle: &Pickle, id: Id) -> bool {
    matches!(pickle.value(id), Value::Call(Global::Tensor | Global::TypedTensor, _))
}

/// More than any checkpoint has; dictionaries that hold each other end here.
const MOST_ENTRIES: usize = 1 << 20;

/// Adds a dictionary's tensors, those of dictionaries in it with both names.
fn collect(
    pickle: &Pickle,
    at: Id,
    prefix: &str,
    depth: usize,
    room: &mut usize,
    found: &mut Vec<Entry>,
) -> Result<(), String> {
    let Value::Dict(entries) = pickle.value(at) else { return Ok(()) };
    for (key, value) in entries {
        *room = room.checked_sub(1).ok_or("has more entries than any checkpoint")?;
        let Some(key) = pickle.text(*key) else { continue };
        if is_tensor(pickle, *value) {
            found.push((format!("{prefix}{key}"), *value));
        } else if depth < DEEPEST {
            collect(pickle, *value, &format!("{prefix}{key}."), depth + 1, room, found)?;
        }
    }
    Ok(())
}

/// The values of the tensors that are weights. Tensors that share a storage get a copy each; together they may be so many
/// times as large as what the file holds.
pub(super) fn tensors(
    pickle: &Pickle,
    entries: &[Entry],
    storages: &mut Storages<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<ForeignTensor>, String> {
    const MOST_SHARED: usize = 4;
    let (mut tensors, mut whole, mut taken) = (Vec::new(), Vec::new(), 0usize);
    for (name, id) in entries {
        let told = |why: String| format!("its tensor `{name}` {why}");
        let view = view(pickle, *id).ok_or_else(|| told("is described in a way that is not known".into()))?;
        if !view.number.is_float() {
            whole.push(name.as_str());
            continue;
        }
        let values = count(&view.shape).map_err(told)?;
        let little_endian = storages.little_endian;
        let bytes = storages.get(&view.storage.key).map_err(told)?;
        let read = view.read(bytes, values, little_endian).map_err(told)?;
        taken = taken.saturating_add(values.saturating_mul(view.number.size()));
        if taken > storages.total.saturating_mul(MOST_SHARED) {
            return Err(told("and others share the same values too often".into()));
        }
        tensors.push(ForeignTensor { name: name.clone(), shape: view.shape, values: read });
    }
    if !whole.is_empty() {
        notes.push(format!(
            "{} of whole numbers are no weights: {}",
            super::super::tensors(whole.len()),
            listed(&whole)
        ));
    }
    Ok(tensors)
}

/// A view of a storage, in values of `number`.
struct View {
    storage: Named,
    number: Number,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// What a call describes: `(storage, offset, sides, strides, …)`, with the type in the seventh place of version 3.
fn view(pickle: &Pickle, id: Id) -> Option<View> {
    let Value::Call(global, arguments) = pickle.value(id) else { return None };
    let arguments = pickle.members(*arguments)?;
    let [storage, offset, shape, strides, ..] = arguments else { return None };
    let storage = named(pickle, *storage)?;
    let number = match (storage.number, global) {
        (Some(number), _) => number,
        (None, Global::TypedTensor) => match pickle.value(*arguments.get(6)?) {
            Value::Global(Global::Number(number)) => *number,
            _ => return None,
        },
        (None, _) => return None,
    };
    let offset = pickle.size(*offset)?.checked_add(storage.first)?;
    let (shape, strides) = (pickle.sizes(*shape)?, pickle.sizes(*strides)?);
    (shape.len() == strides.len()).then_some(View { storage, number, offset, shape, strides })
}

impl View {
    /// The values in order, the last side innermost.
    fn read(&self, bytes: &[u8], values: usize, little_endian: bool) -> Result<Vec<f32>, String> {
        let size = self.number.size();
        let held = bytes.len() / size;
        let reach = self.shape.iter().zip(&self.strides).try_fold(self.offset, |last, (&side, &stride)| {
            last.checked_add(side.saturating_sub(1).checked_mul(stride)?)
        });
        if values == 0 {
            return Ok(Vec::new());
        }
        if reach.is_none_or(|last| last >= held) {
            let (offset, shape, strides) = (self.offset, &self.shape, &self.strides);
            let Named { key, len, .. } = &self.storage;
            let view = format!("views {shape:?} from {offset} on in steps of {strides:?}");
            return Err(format!("{view}, beyond storage `{key}` of {len} values"));
        }
        if values > held {
            return Err(format!("has {values} values, but its storage {held}"));
        }
        let convert = |bytes: &[u8]| {
            if little_endian { self.number.values(bytes) } else { self.number.big_endian(bytes) }
        };
        if self.contiguous() {
            return Ok(convert(&bytes[self.offset * size..][..values * size]));
        }
        let mut gathered = Vec::with_capacity(values * size);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..values {
            let at = self.offset + index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum::<usize>();
            gathered.extend_from_slice(&bytes[at * size..][..size]);
            for (i, side) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < *side {
                    break;
                }
                *i = 0;
            }
        }
        Ok(convert(&gathered))
    }

    fn contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&side, &stride)| {
            let fine = side == 1 || stride == expected;
            expected *= side;
            fine
        })
    }
}
