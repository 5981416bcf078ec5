//! A pipeline by its settings: features, transforms, one classifier. Its short form joins their names, as in
//! `hog+pca+linear_svm`; `svm` is short for `linear_svm`, `colour` for `colour_histogram` and so on.

use crate::error::ClassicError;
use crate::features::FeatureKind;
use crate::methods::MethodKind;
use crate::pictures::Size;
use crate::transforms::{Standardise, TransformKind};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Features, transforms and a classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Features, whose values stand one after the other; at least one.
    pub features: Vec<FeatureKind>,
    /// Transforms in order.
    pub transforms: Vec<TransformKind>,
    /// The classifier.
    pub method: MethodKind,
}

/// Short names and what they are short for.
const SHORT: &[(&str, &str)] = &[
    ("colour", "colour_histogram"),
    ("color", "colour_histogram"),
    ("color_histogram", "colour_histogram"),
    ("pixels", "raw"),
    ("words", "visual_words"),
    ("sift", "visual_words"),
    ("patches", "patch_dictionary"),
    ("standardize", "standardise"),
    ("logistic", "softmax_regression"),
    ("softmax", "softmax_regression"),
    ("svm", "linear_svm"),
    ("rbf", "rbf_svm"),
    ("knn", "k_nearest"),
    ("tree", "decision_tree"),
    ("forest", "random_forest"),
    ("boosting", "gradient_boosting"),
    ("bayes", "naive_bayes"),
    ("lda", "linear_discriminant"),
];

impl Recipe {
    /// The recipe that `text` is short for, with settings that suit pictures of `size`.
    ///
    /// Where values of the features differ in range, and no transform and no tree is asked for, `standardise` is added.
    ///
    /// # Errors
    /// [`ClassicError::Unknown`] for names of nothing, [`ClassicError::Recipe`] where features or the classifier are missing
    /// or out of order.
    ///
    /// ```
    /// use striate_classic::{Recipe, Size};
    /// let size = Size { width: 28, height: 28, channels: 1 };
    /// assert_eq!(Recipe::parse("hog+svm", size)?.to_string(), "hog+linear_svm");
    /// assert_eq!(Recipe::parse("glcm+svm", size)?.to_string(), "glcm+standardise+linear_svm");
    /// # Ok::<(), striate_classic::ClassicError>(())
    /// ```
    pub fn parse(text: &str, size: Size) -> Result<Self, ClassicError> {
        let wrong = |problem| ClassicError::Recipe { recipe: text.to_owned(), problem };
        let (mut features, mut transforms, mut method) = (Vec::new(), Vec::new(), None);
        for name in text.split('+').map(str::trim) {
            let name = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| *long);
            if let Some(feature) = FeatureKind::all().into_iter().find(|f| f.name() == name) {
                if !transforms.is_empty() || method.is_some() {
                    return Err(wrong("features come first"));
                }
                features.push(feature.suited(size));
            } else if let Some(transform) = TransformKind::all().into_iter().find(|t| t.name() == name) {
                if features.is_empty() || method.is_some() {
                    return Err(wrong("transforms stand between features and classifier"));
                }
                transforms.push(transform);
            } else if let Some(found) = MethodKind::all().into_iter().find(|m| m.name() == name) {
                if method.replace(found).is_some() {
                    return Err(wrong("there are two classifiers"));
                }
            } else {
                let known = [FeatureKind::NAMES, TransformKind::NAMES, MethodKind::NAMES].concat();
                let kind = "feature, transform or classifier";
                return Err(ClassicError::Unknown { name: name.to_owned(), kind, known });
            }
        }
        if features.is_empty() {
            return Err(wrong("there is no feature"));
        }
        let Some(method) = method else { return Err(wrong("there is no classifier")) };
        let trees = matches!(
            method,
            MethodKind::DecisionTree(_) | MethodKind::RandomForest(_) | MethodKind::GradientBoosting(_)
        );
        if transforms.is_empty() && !trees && !features.iter().all(FeatureKind::alike) {
            transforms.push(TransformKind::Standardise(Standardise {}));
        }
        Ok(Self { features, transforms, method })
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let features = self.features.iter().map(FeatureKind::name);
        let transforms = self.transforms.iter().map(TransformKind::name);
        let names: Vec<&str> = features.chain(transforms).chain([self.method.name()]).collect();
        f.write_str(&names.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 28, height: 28, channels: 1 };

    #[test]
    fn every_name_is_understood() {
        for (_, long) in SHORT {
            let known = [FeatureKind::NAMES, TransformKind::NAMES, MethodKind::NAMES].concat();
            assert!(known.contains(long), "{long}");
        }
        let text = "raw+colour+hog+lbp+glcm+gabor+words+patches+standardise+pca+rbf";
        let recipe = Recipe::parse(text, SIZE).unwrap();
        let long = "raw+colour_histogram+hog+lbp+glcm+gabor+visual_words+patch_dictionary+standardise+pca+rbf_svm";
        assert_eq!(recipe.to_string(), long);
        let json = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe);
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_sentence() {
        let error = |text| Recipe::parse(text, SIZE).unwrap_err().to_string();
        assert!(error("hgo+svm").starts_with("\"hgo\" is no feature, transform or classifier, did you mean hog?"));
        assert!(error("hog").contains("there is no classifier"));
        assert!(error("svm").contains("there is no feature"));
        assert!(error("hog+svm+knn").contains("there are two classifiers"));
        assert!(error("pca+hog+svm").contains("transforms stand between"));
        assert!(error("hog+pca+raw+svm").contains("features come first"));
    }
}
