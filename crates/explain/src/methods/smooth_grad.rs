//! `SmoothGrad` (Smilkov, Thorat, Kim, Viégas and Wattenberg 2017, arXiv:1706.03825): the mean gradient over copies of the
//! picture with normal noise, whose deviation is a share of the input's range (0.1 to 0.2 in the paper).

use super::{Explanation, Method, Settings, facts};
use crate::heat::Reduce;
use crate::probe::Probe;
use crate::{ExplainError, Heat, Subject};
use serde_json::json;
use striate_engine::Rule;
use striate_kernels::normal;

/// The mean gradient around the picture.
pub struct SmoothGrad;

impl Method for SmoothGrad {
    fn name(&self) -> &'static str {
        "smoothgrad"
    }

    fn about(&self) -> &'static str {
        "the gradient, averaged over noisy copies of the picture"
    }

    fn source(&self) -> &'static str {
        "Smilkov et al. 2017, arXiv:1706.03825"
    }

    fn explain(
        &self,
        subject: &Subject,
        input: &[f32],
        class: usize,
        settings: &Settings,
    ) -> Result<Explanation, ExplainError> {
        let Settings { samples, noise, seed, .. } = *settings;
        if samples == 0 || !(noise.is_finite() && noise >= 0.0) {
            let why = format!("SmoothGrad takes 1 sample or more and noise from 0, not {samples} and {noise}");
            return Err(ExplainError::Setting(why));
        }
        let [low, high] = Heat::new(1, input.len(), input.to_vec()).range();
        let deviation = noise * (high - low);
        let batch = settings.batch.clamp(1, samples);
        let mut probe = Probe::new(subject, &[subject.scores()], &[], batch)?;
        let mut sum = vec![0.0f64; input.len()];
        let mut done = 0;
        while done < samples {
            let n = batch.min(samples - done);
            let first = (done * input.len()) as u64;
            let noisy = |(i, v): (u64, &f32)| v + deviation * normal(seed, first + i);
            let images: Vec<f32> = (0..).zip(input.iter().cycle().take(n * input.len())).map(noisy).collect();
            probe.of_class(Rule::Gradient, &images, class)?;
            for gradient in probe.by_input()?.chunks_exact(input.len()) {
                sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += f64::from(*g));
            }
            done += n;
        }
        let mean = sum.iter().map(|sum| (sum / samples as f64) as f32).collect();
        let facts = facts([("samples", json!(samples)), ("deviation", json!(deviation))]);
        Ok(Explanation::of_input(subject, mean, Reduce::LargestAbsolute, facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{kinked, picture};
    use crate::methods::find;

    #[test]
    fn without_noise_it_is_the_gradient() {
        let (subject, input) = (kinked(), picture(&kinked()));
        let settings = Settings { noise: 0.0, samples: 5, batch: 2, ..Settings::default() };
        let smooth = SmoothGrad.explain(&subject, &input, 1, &settings).unwrap();
        let plain = find("saliency").unwrap().explain(&subject, &input, 1, &settings).unwrap();
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-6 * (1.0 + b.abs());
        assert!(smooth.raw.values.iter().zip(&plain.raw.values).all(near));
    }

    #[test]
    fn batches_do_not_matter_and_seeds_do() {
        let (subject, input) = (kinked(), picture(&kinked()));
        let at = |batch, seed| {
            let settings = Settings { samples: 7, batch, seed, ..Settings::default() };
            SmoothGrad.explain(&subject, &input, 0, &settings).unwrap().heat.values
        };
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * (1.0 + b.abs());
        assert!(at(1, 0).iter().zip(&at(4, 0)).all(near));
        assert_ne!(at(4, 0), at(4, 1));
        let none = Settings { samples: 0, ..Settings::default() };
        assert!(SmoothGrad.explain(&subject, &input, 0, &none).unwrap_err().to_string().contains("1 sample or more"));
    }
}
