//! Which images belong together: a union-find over what they have in common (Galler and Fisher, 1964), and the pattern that
//! tells the subject of an image by its path.

use crate::error::{DataError, counted};
use regex::Regex;
use std::collections::HashMap;
use std::hash::Hash;

/// Images that must stay on one side of a split. At first each image is a group of its own.
#[derive(Clone, Debug)]
pub struct Groups {
    /// Another image of the same group with a lower index, or the image itself.
    parent: Vec<usize>,
}

impl Groups {
    /// So many images, each by itself.
    pub fn apart(images: usize) -> Self {
        Self { parent: (0..images).collect() }
    }

    /// Makes the groups of two images one.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.parent[a.max(b)] = a.min(b);
    }

    /// Joins images with equal keys, one key an image; images without a key are left as they are. This is the seam for
    /// whatever says what belongs together: a pattern, a column, a content hash, a perceptual one.
    pub fn join_alike<K: Eq + Hash>(&mut self, keys: impl IntoIterator<Item = Option<K>>) {
        let mut first = HashMap::new();
        for (image, key) in keys.into_iter().enumerate() {
            if let Some(key) = key {
                let other = *first.entry(key).or_insert(image);
                self.join(image, other);
            }
        }
    }

    /// The number of each image's group, counted from 0 in the order in which groups begin.
    pub fn numbers(&mut self) -> Vec<usize> {
        let mut numbers: Vec<usize> = Vec::with_capacity(self.parent.len());
        let mut next = 0;
        for image in 0..self.parent.len() {
            let first = self.first(image);
            if first == image {
                numbers.push(next);
                next += 1;
            } else {
                numbers.push(numbers[first]);
            }
        }
        numbers
    }

    /// The first image of the group.
    fn first(&mut self, mut image: usize) -> usize {
        while self.parent[image] != image {
            self.parent[image] = self.parent[self.parent[image]];
            image = self.parent[image];
        }
        image
    }
}

/// A regular expression whose one capture in an image's path is the image's subject.
#[derive(Clone, Debug)]
pub struct GroupPattern(Regex);

impl GroupPattern {
    /// Reads a pattern such as `(patient\d+)_`.
    ///
    /// # Errors
    /// [`DataError::Pattern`] if it is no regular expression, or has no capture or several.
    pub fn new(pattern: &str) -> Result<Self, DataError> {
        let wrong = |problem| DataError::Pattern { pattern: pattern.to_owned(), problem };
        let regex = Regex::new(pattern).map_err(|e| wrong(format!("is no regular expression: {e}")))?;
        // The whole match counts as a capture.
        match regex.captures_len() - 1 {
            1 => Ok(Self(regex)),
            n => Err(wrong(format!(
                "has {}, but must have one, which names the group, as in (patient\\d+)_; (?:…) does not capture",
                counted(n, "capture")
            ))),
        }
    }

    /// The pattern as it was given.
    pub fn text(&self) -> &str {
        self.0.as_str()
    }

    /// What the pattern captures in this path, its first match counting.
    pub fn key(&self, path: &str) -> Option<String> {
        Some(self.0.captures(path)?.get(1)?.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_join_through_whatever_they_share() {
        let mut groups = Groups::apart(7);
        groups.join_alike([Some("a"), None, Some("b"), Some("a"), None, None, Some("b")]);
        assert_eq!(groups.numbers(), [0, 1, 2, 0, 3, 4, 2]);
        // 3 and 6 hold the same picture: all of a and b belong together.
        groups.join_alike([None, None, None, Some(1), Some(2), None, Some(1)]);
        assert_eq!(groups.numbers(), [0, 1, 0, 0, 2, 3, 0]);
        assert!(Groups::apart(0).numbers().is_empty());
    }

    #[test]
    fn a_long_chain_is_one_group() {
        let mut groups = Groups::apart(10_000);
        for image in (1..10_000).rev() {
            groups.join(image, image - 1);
        }
        assert!(groups.numbers().iter().all(|&group| group == 0));
    }

    #[test]
    fn a_pattern_finds_the_subject() {
        let pattern = GroupPattern::new(r"(patient\d+)_").unwrap();
        assert_eq!(pattern.key("ill/patient12_left.png"), Some("patient12".to_owned()));
        assert_eq!(pattern.key("ill/patient_left.png"), None);
        // An alternative that matches without its capture names nobody.
        assert_eq!(GroupPattern::new("x|(y)").unwrap().key("x"), None);
    }

    #[test]
    fn a_pattern_that_cannot_name_groups_is_refused() {
        let message = |pattern| GroupPattern::new(pattern).unwrap_err().to_string();
        assert!(message("patient").starts_with("the pattern 'patient' has 0 captures, but must have one"));
        assert!(message("(a)(b)").starts_with("the pattern '(a)(b)' has 2 captures"));
        assert!(message("(a").starts_with("the pattern '(a' is no regular expression:"));
    }
}
