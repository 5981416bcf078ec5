//! Choosing settings by cross-validation (Stone 1974): each part of the training pictures is told by what was learnt from the
//! others, features, scales and dictionaries included. Recipes that differ in their classifiers alone share the rest.

use crate::description::Description;
use crate::error::ClassicError;
use crate::labelled::{Labelled, folds};
use crate::matrix::Matrix;
use crate::pictures::{Pictures, Size};
use crate::recipe::Recipe;
use std::borrow::Cow;
use striate_data::Picture;
use striate_kernels::Cpu;

/// Pictures of known class.
#[derive(Clone, Copy)]
pub struct Examples<'a> {
    /// The pictures.
    pub pictures: &'a dyn Pictures,
    /// A class for each.
    pub labels: &'a [u32],
    /// How many classes there are.
    pub classes: usize,
}

/// How recipes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossValidation {
    /// Parts of the pictures, each held out in turn; 2 or more.
    pub folds: usize,
    /// The size that pictures are brought to.
    pub size: Size,
    /// Of everything drawn by lot.
    pub seed: u64,
}

/// What cross-validation found.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// The recipe that told most of the held-out pictures, the first of equals.
    pub best: usize,
    /// The share that each recipe told, over the folds that all recipes were tried on; `None` where there is no such fold.
    pub accuracies: Option<Vec<f64>>,
    /// How many folds those are.
    pub folds: usize,
}

/// Those of some pictures that have these indices.
struct Chosen<'a> {
    pictures: &'a dyn Pictures,
    indices: &'a [usize],
}

impl Pictures for Chosen<'_> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn picture(&self, index: usize) -> Result<Cow<'_, Picture>, ClassicError> {
        self.pictures.picture(self.indices[index])
    }
}

/// A fold's two sides, described by what was learnt from the first.
struct Sides {
    /// The recipe that they were described by.
    recipe: usize,
    learnt: Matrix,
    held_out: Matrix,
}

impl CrossValidation {
    /// Compares recipes. `go_on` is asked before every fit; where it says no, the folds that are done decide, and the first
    /// recipe where none is.
    ///
    /// # Errors
    /// Fewer pictures of a class than folds, and whatever keeps a recipe from being fitted.
    pub fn compare(
        &self,
        cpu: &Cpu,
        recipes: &[Recipe],
        examples: Examples<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Tuning, ClassicError> {
        let fold_of = folds(examples.labels, examples.classes, self.folds, self.seed)?;
        let (mut right, mut told, mut done) = (vec![0_usize; recipes.len()], 0, 0);
        for fold in 0..self.folds {
            let (out, taken): (Vec<usize>, Vec<usize>) = (0..fold_of.len()).partition(|&i| fold_of[i] == fold);
            let Some(found) = self.fold(cpu, recipes, examples, [&taken, &out], go_on)? else { break };
            for (sum, found) in right.iter_mut().zip(found) {
                *sum += found;
            }
            told += out.len();
            done += 1;
        }
        // Of equals `max_by_key` takes the last.
        let best = (0..recipes.len()).rev().max_by_key(|&i| right[i]).unwrap_or(0);
        let accuracies = (done > 0).then(|| right.iter().map(|&r| r as f64 / told as f64).collect());
        Ok(Tuning { best, accuracies, folds: done })
    }

    /// How many held-out pictures each recipe tells; `None` if it was not to go on.
    fn fold(
        &self,
        cpu: &Cpu,
        recipes: &[Recipe],
        examples: Examples<'_>,
        [taken, out]: [&[usize]; 2],
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<usize>>, ClassicError> {
        let Examples { pictures, labels, classes } = examples;
        let of = |indices: &[usize]| indices.iter().map(|&i| labels[i]).collect::<Vec<u32>>();
        let (taken_labels, out_labels) = (of(taken), of(out));
        let mut sides: Option<Sides> = None;
        let mut right = Vec::with_capacity(recipes.len());
        for (i, recipe) in recipes.iter().enumerate() {
            if !go_on() {
                return Ok(None);
            }
            let like = |other: &Recipe| other.features == recipe.features && other.transforms == recipe.transforms;
            let sides = if let Some(same) = sides.take().filter(|s| like(&recipes[s.recipe])) {
                sides.insert(same)
            } else {
                let chosen = Chosen { pictures, indices: taken };
                let (description, learnt) = Description::learn(cpu, recipe, self.size, &chosen, self.seed)?;
                let held_out = description.rows(cpu, &Chosen { pictures, indices: out })?;
                sides.insert(Sides { recipe: i, learnt, held_out })
            };
            let data = Labelled::new(&sides.learnt, &taken_labels, classes)?;
            let told = recipe.method.fit(cpu, &data, self.seed)?.predict(cpu, &sides.held_out)?;
            right.push(told.iter().zip(&out_labels).filter(|(a, b)| a == b).count());
        }
        Ok(Some(right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::{KNearest, MethodKind};
    use striate_kernels::uniform;

    /// Pictures whose level says the class.
    fn levels() -> (Vec<Picture>, Vec<u32>) {
        let level = |i: u64| 60.0 + 100.0 * (i % 2) as f32 + 90.0 * (uniform(3, i) - 0.5);
        let pictures = (0..120).map(|i| Picture::filled(2, 2, &[level(i) as u8])).collect();
        (pictures, (0..120).map(|i| i % 2).collect())
    }

    fn recipes(size: Size) -> Vec<Recipe> {
        let of = |k| Recipe {
            method: MethodKind::KNearest(KNearest { k, ..KNearest::default() }),
            ..Recipe::parse("raw+knn", size).unwrap()
        };
        // All 80 pictures of the other folds, 40 of each class, are no use as neighbours.
        [80, 1, 9].map(of).to_vec()
    }

    #[test]
    fn what_tells_held_out_pictures_is_chosen() {
        let size = Size { width: 2, height: 2, channels: 1 };
        let (pictures, labels) = levels();
        let examples = Examples { pictures: &pictures, labels: &labels, classes: 2 };
        let all = CrossValidation { folds: 3, size, seed: 1 };
        let mut first = None;
        for threads in [1, 3] {
            let cpu = Cpu::new(threads).unwrap();
            let found = all.compare(&cpu, &recipes(size), examples, &|| true).unwrap();
            let accuracies = found.accuracies.clone().unwrap();
            assert_eq!(found.folds, 3);
            let best = accuracies.iter().copied().fold(0.0, f64::max);
            assert!(found.best != 0 && accuracies[found.best] == best && best > 0.9, "{found:?}");
            assert_eq!(*first.get_or_insert_with(|| found.clone()), found);
        }
    }

    #[test]
    fn time_that_is_over_leaves_the_folds_that_are_done() {
        let size = Size { width: 2, height: 2, channels: 1 };
        let (pictures, labels) = levels();
        let examples = Examples { pictures: &pictures, labels: &labels, classes: 2 };
        let all = CrossValidation { folds: 3, size, seed: 1 };
        let cpu = Cpu::new(1).unwrap();
        let within = |fits: usize| {
            let left = std::cell::Cell::new(fits);
            let go_on = || left.replace(left.get().saturating_sub(1)) > 0;
            all.compare(&cpu, &recipes(size), examples, &go_on).unwrap()
        };
        assert_eq!(within(2), Tuning { best: 0, accuracies: None, folds: 0 });
        assert_eq!(within(5).folds, 1);
        let few = CrossValidation { folds: 61, ..all };
        let error = few.compare(&cpu, &recipes(size), examples, &|| true).unwrap_err().to_string();
        assert_eq!(error, "61 folds: class 0 needs 61 images or more, found 60");
    }
}
