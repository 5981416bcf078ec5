//! Safetensors files of others: names, shapes and types in JSON, then the values.

use super::number::Number;
use super::{ForeignTensor, ForeignWeights, Format, listed, tensors};
use safetensors::{Dtype, SafeTensors};

/// Whether these bytes begin with a length and a JSON object.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    u64::from_le_bytes(*length) <= rest.len() as u64 && rest.first() == Some(&b'{')
}

/// Reads a file's bytes.
pub(super) fn read(bytes: &[u8]) -> Result<ForeignWeights, String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let (mut weights, mut whole) = (Vec::new(), Vec::new());
    let names = metadata.offset_keys();
    for name in &names {
        let view = file.tensor(name).map_err(|e| e.to_string())?;
        let number = number(view.dtype())
            .ok_or_else(|| format!("its tensor `{name}` is {:?}; F16, BF16, F32 and F64 can be read", view.dtype()))?;
        if number.is_float() {
            let (shape, values) = (view.shape().to_vec(), number.values(view.data()));
            weights.push(ForeignTensor { name: name.clone(), shape, values });
        } else {
            whole.push(name.as_str());
        }
    }
    let mut notes = Vec::new();
    if !whole.is_empty() {
        notes.push(format!("{} of whole numbers are no weights: {}", tensors(whole.len()), listed(&whole)));
    }
    let extra = metadata.metadata().as_ref().and_then(|m| serde_json::to_value(m).ok());
    Ok(ForeignWeights { format: Format::Safetensors, tensors: weights, notes, extra })
}

fn number(dtype: Dtype) -> Option<Number> {
    Some(match dtype {
        Dtype::F16 => Number::F16,
        Dtype::BF16 => Number::Bf16,
        Dtype::F32 => Number::F32,
        Dtype::F64 => Number::F64,
        Dtype::I8 => Number::I8,
        Dtype::U8 => Number::U8,
        Dtype::I16 => Number::I16,
        Dtype::U16 => Number::U16,
        Dtype::I32 => Number::I32,
        Dtype::U32 => Number::U32,
        Dtype::I64 => Number::I64,
        Dtype::U64 => Number::U64,
        Dtype::BOOL => Number::Bool,
        _ => return None,
    })
}
