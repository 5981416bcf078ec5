//! What classifiers learn from: rows of features with a label each.

use crate::error::ClassicError;
use crate::lots::Lots;
use crate::matrix::Matrix;

/// Rows of features and their classes, checked: finite values, as many labels as rows, and at least one row of each of two or
/// more classes.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    rows: &'a Matrix,
    labels: &'a [u32],
    classes: usize,
}

impl<'a> Labelled<'a> {
    /// # Errors
    /// [`ClassicError::NoImages`], [`ClassicError::Labels`], [`ClassicError::Label`], [`ClassicError::OneClass`],
    /// [`ClassicError::MissingClass`] or [`ClassicError::NotFinite`], in this order.
    pub fn new(rows: &'a Matrix, labels: &'a [u32], classes: usize) -> Result<Self, ClassicError> {
        if rows.rows() == 0 {
            return Err(ClassicError::NoImages);
        }
        check_labels(rows.rows(), labels, classes)?;
        rows.check_finite()?;
        Ok(Self { rows, labels, classes })
    }

    /// The features.
    pub fn rows(&self) -> &'a Matrix {
        self.rows
    }

    /// A class for each row.
    pub fn labels(&self) -> &'a [u32] {
        self.labels
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The rows of each class, in order.
    pub(crate) fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.classes];
        for (row, &label) in self.labels.iter().enumerate() {
            members[label as usize].push(row);
        }
        members
    }
}

/// As [`Labelled::new`], before there are features.
pub(crate) fn check_labels(images: usize, labels: &[u32], classes: usize) -> Result<(), ClassicError> {
    if labels.len() != images {
        return Err(ClassicError::Labels { images, labels: labels.len() });
    }
    let mut counts = vec![0_usize; classes];
    for (image, &label) in labels.iter().enumerate() {
        match counts.get_mut(label as usize) {
            Some(count) => *count += 1,
            None => return Err(ClassicError::Label { image, label, classes }),
        }
    }
    if counts.iter().filter(|&&n| n > 0).count() < 2 {
        return Err(ClassicError::OneClass { class: labels.first().copied().unwrap_or(0), images });
    }
    match counts.iter().position(|&n| n == 0) {
        Some(class) => Err(ClassicError::MissingClass { class, classes }),
        None => Ok(()),
    }
}

/// Which of `folds` each row is left out of, drawn by `seed` so that every class is in all alike.
///
/// # Errors
/// [`ClassicError::Few`] where a class has fewer rows than there are folds, [`ClassicError::Option`] for fewer than 2 folds.
pub fn folds(labels: &[u32], classes: usize, folds: usize, seed: u64) -> Result<Vec<usize>, ClassicError> {
    crate::error::require(folds >= 2, "cross-validation", "folds", folds, "2 or more")?;
    check_labels(labels.len(), labels, classes)?;
    let mut fold_of = vec![0; labels.len()];
    let mut next = 0;
    for class in 0..classes as u32 {
        let mut members: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
        if members.len() < folds {
            let of = format!("{folds} folds: class {class}");
            return Err(ClassicError::Few { of, least: folds, found: members.len() });
        }
        Lots::new(seed, &[0x666f, u64::from(class)]).shuffle(&mut members);
        for row in members {
            fold_of[row] = next % folds;
            next += 1;
        }
    }
    Ok(fold_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_labels_are_refused_with_a_sentence() {
        let rows = Matrix::new(3, 1, vec![0.0; 3]).unwrap();
        let error = |labels: &[u32], classes| Labelled::new(&rows, labels, classes).unwrap_err().to_string();
        assert_eq!(error(&[0, 1], 2), "there are 2 labels for 3 images; every image needs one");
        assert_eq!(error(&[0, 1, 2], 2), "image 2 has label 2, but there are 2 classes, 0 to 1");
        let sentence = "all 3 training images are of class 1; telling classes apart needs two or more";
        assert_eq!(error(&[1, 1, 1], 2), sentence);
        assert!(error(&[0, 2, 2], 3).starts_with("class 1 of 3 has no training image"));
        let empty = Matrix::new(0, 1, Vec::new()).unwrap();
        assert_eq!(Labelled::new(&empty, &[], 2).unwrap_err(), ClassicError::NoImages);
    }

    #[test]
    fn folds_hold_every_class_alike() {
        let labels: Vec<u32> = (0..50).map(|i| u32::from(i % 5 == 0)).collect();
        let of = folds(&labels, 2, 5, 1).unwrap();
        for fold in 0..5 {
            let count = |class| (0..50).filter(|&i| of[i] == fold && labels[i] == class).count();
            assert_eq!((count(0), count(1)), (8, 2));
        }
        assert_eq!(of, folds(&labels, 2, 5, 1).unwrap());
        assert_ne!(of, folds(&labels, 2, 5, 2).unwrap());
        let error = folds(&labels, 2, 11, 1).unwrap_err().to_string();
        assert_eq!(error, "11 folds: class 1 needs 11 images or more, found 10");
    }
}
