//! The logits of held-out images with their classes, for what is fitted to them; of very many, some evenly chosen.

/// The most values that are kept: 64 MB, 16,777 images of 1,000 classes.
const MOST: usize = 1 << 24;

/// Rows of logits, and the class of each row's image.
#[derive(Clone, Debug)]
pub struct Logits {
    classes: usize,
    /// Of so many images one is kept.
    every: usize,
    values: Vec<f32>,
    labels: Vec<u32>,
}

impl Logits {
    /// None yet, of a part of `images` images.
    pub fn new(classes: usize, images: usize) -> Logits {
        let every = (images * classes).div_ceil(MOST).max(1);
        Logits { classes, every, values: Vec::new(), labels: Vec::new() }
    }

    /// Adds a batch: its logits (rows of as many values as there are classes), labels, and places in the part, by which
    /// images are chosen where they are too many. Rows with values that are no numbers are left out.
    pub fn add(&mut self, logits: &[f32], labels: &[u32], indices: &[usize]) {
        for ((row, &label), index) in logits.chunks_exact(self.classes.max(1)).zip(labels).zip(indices) {
            if index.is_multiple_of(self.every) && row.iter().all(|v| v.is_finite()) {
                self.values.extend_from_slice(row);
                self.labels.push(label);
            }
        }
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Images that are kept.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Each image's logits and class.
    pub fn rows(&self) -> impl Iterator<Item = (&[f32], u32)> {
        self.values.chunks_exact(self.classes.max(1)).zip(self.labels.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_some_are_kept_evenly() {
        let mut all = Logits::new(2, 3 * MOST / 2);
        for i in 0..10 {
            all.add(&[i as f32, 0.0], &[i as u32], &[i]);
        }
        assert_eq!(all.rows().map(|(_, label)| label).collect::<Vec<_>>(), [0, 3, 6, 9]);
        let mut all = Logits::new(2, 10);
        all.add(&[0.0, 1.0, f32::NAN, 1.0, f32::INFINITY, 0.0, 5.0, 6.0], &[1, 1, 0, 0], &[0, 1, 2, 3]);
        assert_eq!(all.rows().collect::<Vec<_>>(), [(&[0.0, 1.0][..], 1), (&[5.0, 6.0], 0)]);
        assert_eq!((all.len(), all.is_empty(), all.classes()), (2, false, 2));
    }
}
