//! The names that a pickle of weights may ask for.

use super::super::number::Number;

/// A name that may be asked for, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    /// `collections.OrderedDict`, `builtins.dict`.
    Dict,
    /// `torch._utils._rebuild_tensor`, also of version 2: a view of a storage.
    Tensor,
    /// `torch._utils._rebuild_tensor_v3`: a view of bytes, with the type behind.
    TypedTensor,
    /// `torch._utils._rebuild_parameter`: the tensor that it is called with.
    Parameter,
    /// `torch.FloatStorage` and its like, and `torch.float32` and its like.
    Number(Number),
    /// `torch.storage.UntypedStorage`: bytes.
    Bytes,
    /// `torch.Size`: the tuple that it is called with.
    Size,
    /// What checkpoints hold beside weights: settings, numbers of `NumPy`, devices.
    Inert,
}

impl Global {
    /// What a name stands for.
    ///
    /// # Errors
    /// If weights have no need of it.
    pub(crate) fn find(module: &str, name: &str) -> Result<Global, String> {
        use Number as N;
        let found = match (module, name) {
            ("collections", "OrderedDict") | ("builtins" | "__builtin__", "dict") => Global::Dict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::Tensor,
            ("torch._utils", "_rebuild_tensor_v3") => Global::TypedTensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::Parameter,
            ("torch", "Size") => Global::Size,
            ("torch.storage" | "torch", "UntypedStorage") => Global::Bytes,
            ("torch", "FloatStorage" | "float32") => Global::Number(N::F32),
            ("torch", "DoubleStorage" | "float64") => Global::Number(N::F64),
            ("torch", "HalfStorage" | "float16") => Global::Number(N::F16),
            ("torch", "BFloat16Storage" | "bfloat16") => Global::Number(N::Bf16),
            ("torch", "LongStorage" | "int64") => Global::Number(N::I64),
            ("torch", "IntStorage" | "int32") => Global::Number(N::I32),
            ("torch", "ShortStorage" | "int16") => Global::Number(N::I16),
            ("torch", "CharStorage" | "int8") => Global::Number(N::I8),
            ("torch", "ByteStorage" | "uint8") => Global::Number(N::U8),
            ("torch", "BoolStorage" | "bool") => Global::Number(N::Bool),
            ("torch", "device")
            | ("argparse", "Namespace")
            | ("collections", "defaultdict" | "Counter")
            | (
                "builtins" | "__builtin__",
                "set" | "frozenset" | "list" | "tuple" | "int" | "float" | "str" | "bool" | "bytes" | "bytearray"
                | "complex" | "slice" | "range" | "object",
            )
            | ("_codecs", "encode")
            | ("copyreg" | "copy_reg", "_reconstructor")
            | ("numpy", "dtype" | "ndarray" | "float64" | "float32" | "int64")
            | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar" | "_reconstruct")
            | ("pathlib", "Path" | "PosixPath" | "PurePosixPath" | "WindowsPath" | "PureWindowsPath") => Global::Inert,
            ("torch.storage", "TypedStorage" | "_TypedStorage") => {
                return Err(format!("holds a `{module}.{name}` by itself: save a `state_dict()` instead"));
            }
            ("__main__", _) => return Err(whole(module, name)),
            _ if module.starts_with("torch.nn.modules") || module.starts_with("torchvision.models") => {
                return Err(whole(module, name));
            }
            _ if module.starts_with("__torch__") => {
                return Err("is a TorchScript program, not weights: save its `state_dict()` instead".into());
            }
            _ => {
                return Err(format!("asks for `{module}.{name}`, which weights have no need of: it was not run"));
            }
        };
        Ok(found)
    }
}

fn whole(module: &str, name: &str) -> String {
    format!("holds an object of `{module}.{name}`, a whole model with its code: save its `state_dict()` instead")
}
