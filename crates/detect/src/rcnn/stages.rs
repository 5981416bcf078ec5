//! What a step of training leaves on disk. The file's name holds a hash of the step's key, all that its result depends on, so that
//! runs with other settings keep theirs in the same folder, and a step is not repeated when only a later one changes.

use crate::error::DetectError;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use striate_kernels::hash;
use striate_weights::{StateFile, TensorRef};

/// A step's result, or where it is to be.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    path: PathBuf,
    key: String,
}

impl Stage {
    /// A step called `name`, whose result depends on `key`.
    pub(super) fn new(folder: &Path, name: &str, key: String) -> Self {
        let path = folder.join(format!("{name}-{:016x}.safetensors", digest(&key)));
        Self { path, key }
    }

    /// What its result depends on.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The result, if the step was done.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn read(&self) -> Result<Option<StateFile>, DetectError> {
        if !self.path.exists() {
            return Ok(None);
        }
        let file = StateFile::read(&self.path)?;
        if file.description["key"] == json!(self.key) {
            return Ok(Some(file));
        }
        Err(DetectError::format(&self.path, "is of a run with other settings; remove it, or give another folder"))
    }

    /// Whether the step was done.
    pub(super) fn is_done(&self) -> bool {
        self.path.exists()
    }

    /// Writes the result.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(&self, details: &Value, tensors: &[TensorRef<'_>]) -> Result<(), DetectError> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(DetectError::io(folder, "making the folder"))?;
        }
        StateFile::write(&self.path, &json!({ "key": self.key, "details": details }), tensors)?;
        Ok(())
    }

    /// What is wrong with the file.
    pub(super) fn wrong(&self, problem: &str) -> DetectError {
        DetectError::format(&self.path, format!("{problem}; remove it"))
    }
}

/// A hash of a text.
pub(super) fn digest(text: &str) -> u64 {
    text.bytes().fold(0, |sum, byte| hash(sum, u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_found_by_their_keys() {
        let place = tempfile::tempdir().unwrap();
        let stage = |key: &str| Stage::new(place.path(), "boxes", key.to_owned());
        assert!(stage("a").read().unwrap().is_none());
        stage("a").write(&json!([1, 2]), &[TensorRef { name: "x", shape: &[2], values: &[3.0, 4.0] }]).unwrap();
        let file = stage("a").read().unwrap().unwrap();
        assert_eq!(
            (file.description["details"][1].as_u64(), &file.tensors["x"].values[..]),
            (Some(2), &[3.0, 4.0][..])
        );
        assert!(stage("b").read().unwrap().is_none() && stage("a").is_done() && !stage("b").is_done());
        std::fs::copy(&stage("a").path, &stage("b").path).unwrap();
        assert!(stage("b").read().unwrap_err().to_string().contains("other settings"));
    }
}
