//! The comparison itself: every size of training set, every method, within the time that there is.

use super::contender::{Contender, Effort, Learnt, Terms};
use super::distortions::Distortion;
use super::ground::{Ground, Subset};
use super::outcome::{Changed, LeftOut, Method, Point};
use crate::figures::{duration, peak_memory, percent, resident_memory, thousands};
use crate::progress::{Bar, remark};
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use striate_data::Split;
use striate_kernels::Cpu;
use striate_train::{Trained, wilson};

/// What a comparison has to go by.
pub struct Bout<'a> {
    /// The threads.
    pub cpu: Arc<Cpu>,
    /// The images.
    pub ground: &'a Ground,
    /// Who takes part.
    pub contenders: &'a [Contender],
    /// Parts of the images for cross-validation.
    pub folds: usize,
    /// Of everything drawn by lot.
    pub seed: u64,
    /// Seconds for everything, about.
    pub budget: f64,
    /// Test images that are changed, at most.
    pub changed: usize,
    /// Raised when all is to end.
    pub stop: &'a AtomicBool,
}

/// Shares of the time: the network's, and that of all pipelines together. The rest is for changed images.
const NETWORK: f64 = 0.4;
const PIPELINES: f64 = 0.5;

/// Training images that accuracy on the training images is measured with, at most.
const LOOKED_AT: usize = 1000;

/// The least time for something, in seconds.
const LEAST: f64 = 1.0;

/// A method's accuracy on a part.
fn share(told: &[u32], split: &Split) -> (u64, f64) {
    let right = told.iter().zip(&split.samples).filter(|(told, s)| **told == s.label).count();
    (right as u64, right as f64 / split.len().max(1) as f64)
}

/// Forgets the most memory that was taken so far, where the system can.
fn forget_peak() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

impl Bout<'_> {
    /// Runs it; what learnt from most images stands beside each method. An interrupt ends it early, with what there is.
    pub fn run(&self) -> Result<Vec<(Method, Option<Learnt>)>> {
        let sizes = self.ground.sizes();
        let subsets: Vec<usize> = sizes.iter().map(|&n| self.ground.subset(n).labels.len()).collect();
        let mut all: Vec<(Method, Option<Learnt>)> = self.contenders.iter().map(|c| (new(c), None)).collect();
        'sizes: for (i, &per_class) in sizes.iter().enumerate() {
            let subset = self.ground.subset(per_class);
            for (contender, (method, learnt)) in self.contenders.iter().zip(&mut all) {
                if let Some(why) = self.too_long(contender, method, subsets[i]) {
                    method.left_out.push(LeftOut { per_class, why });
                    continue;
                }
                let terms = self.terms(contender, method, &subsets[i..]);
                match self.point(contender, &subset, terms) {
                    Ok(Some((new, point))) => {
                        self.tell(method, &point);
                        method.points.push(point);
                        *learnt = Some(new);
                    }
                    Ok(None) => break 'sizes,
                    Err(e) => {
                        remark(&format!("{}, {} images: {e:#}", method.name, thousands(subsets[i] as u64)));
                        method.left_out.push(LeftOut { per_class, why: format!("{e:#}") });
                    }
                }
                if self.stop.load(Ordering::Relaxed) {
                    break 'sizes;
                }
            }
        }
        if all.iter().all(|(method, _)| method.points.is_empty()) {
            anyhow::bail!("no method has learnt anything");
        }
        Ok(all)
    }

    fn tell(&self, method: &Method, p: &Point) {
        let n = thousands(p.images as u64);
        let took = duration(p.seconds + p.choice.seconds);
        let epochs = p.epochs.map(|[done, of]| format!(", {done} of {of} epochs")).unwrap_or_default();
        let tested = thousands(self.ground.test.len() as u64);
        let (name, accuracy) = (&method.name, percent(p.accuracy));
        remark(&format!("{name}, {n} images: {accuracy} of {tested} right, {took}{epochs}"));
    }

    /// Seconds that a method may take in all.
    fn allowance(&self, contender: &Contender) -> f64 {
        if contender.is_network() {
            return NETWORK * self.budget;
        }
        let pipelines = self.contenders.iter().filter(|c| !c.is_network()).count();
        PIPELINES * self.budget / pipelines.max(1) as f64
    }

    fn spent(&self, method: &Method) -> f64 {
        let telling = |p: &Point| p.microseconds * 1e-6 * self.ground.test.len() as f64;
        method.points.iter().map(|p| p.seconds + p.choice.seconds + telling(p)).sum()
    }

    /// Why a pipeline cannot learn from so many images in its time; `None` if it can, as far as its last fit tells. Networks
    /// take fewer epochs instead.
    fn too_long(&self, contender: &Contender, method: &Method, images: usize) -> Option<String> {
        let last = method.last().filter(|_| !contender.is_network())?;
        let ratio = images as f64 / last.images as f64;
        let telling = last.microseconds * 1e-6 * self.ground.test.len() as f64;
        let expected = last.seconds * ratio.powi(contender.growth()) + last.choice.seconds + telling * ratio;
        let left = (self.allowance(contender) - self.spent(method)).max(0.0);
        (expected > left)
            .then(|| format!("about {} would have been needed, and {} were left", duration(expected), duration(left)))
    }

    /// What the next fit may take; `images` are those of this size and of those that come.
    fn terms(&self, contender: &Contender, method: &Method, images: &[usize]) -> Terms<'_> {
        let left = self.allowance(contender) - self.spent(method);
        let weight = |n: usize| (n as f64).sqrt();
        let share = weight(images[0]) / images.iter().map(|&n| weight(n)).sum::<f64>();
        let training = (left * share).max(LEAST);
        let tuning = (left / (3.0 * images.len() as f64)).max(LEAST);
        Terms { folds: self.folds, tuning, training, seed: self.seed, stop: self.stop }
    }

    /// A method learns and is tested.
    fn point(&self, contender: &Contender, subset: &Subset, terms: Terms<'_>) -> Result<Option<(Learnt, Point)>> {
        let (ground, before) = (self.ground, resident_memory());
        let forgotten = forget_peak();
        let Some((learnt, effort)) = contender.learn(&self.cpu, ground, subset, terms)? else { return Ok(None) };
        let took = peak_memory().zip(before).map(|(peak, before)| peak.saturating_sub(before));
        let Effort { choice, features_seconds, seconds, epochs, features } = effort;
        let begun = Instant::now();
        let told = learnt.tell(&self.cpu, &ground.test)?;
        let microseconds = begun.elapsed().as_secs_f64() * 1e6 / ground.test.len() as f64;
        let (right, accuracy) = share(&told, &ground.test);
        let (low, high) = wilson(right, ground.test.len() as u64);
        let every = subset.split.len().div_ceil(LOOKED_AT);
        let some = Arc::new(Split { samples: subset.split.samples.iter().step_by(every).cloned().collect() });
        let (_, train_accuracy) = share(&learnt.tell(&self.cpu, &some)?, &some);
        let point = Point {
            per_class: subset.per_class,
            images: subset.labels.len(),
            accuracy,
            interval: [low, high],
            train_accuracy,
            choice,
            features_seconds,
            seconds,
            microseconds,
            epochs,
            features,
            bytes: None,
            memory: took.filter(|_| forgotten),
            told,
        };
        Ok(Some((learnt, point)))
    }

    /// Tests each method, as it learnt from most images, on changed ones.
    pub fn change(&self, all: &mut [(Method, Option<Learnt>)]) -> Result<()> {
        let bar = Bar::new();
        let kinds = Distortion::ALL.into_iter().flat_map(|d| d.strengths().map(|s| (d, s)));
        bar.begin("telling changed images", kinds.clone().count() as u64);
        for (done, (distortion, strength)) in (1..).zip(kinds) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let changed = self.ground.changed(self.changed, |picture, i| distortion.of(picture, strength, i))?;
            for (method, learnt) in all.iter_mut() {
                let Some(learnt) = learnt else { continue };
                let (_, accuracy) = share(&learnt.tell(&self.cpu, &changed)?, &changed);
                method.robustness.push(Changed { distortion, strength, accuracy });
            }
            bar.at(done, || distortion.name().0.to_owned());
        }
        bar.end();
        Ok(())
    }

    /// Writes what learnt from most images into a folder.
    pub fn write(&self, all: Vec<(Method, Option<Learnt>)>, folder: &Path) -> Vec<Method> {
        let mut methods = Vec::with_capacity(all.len());
        for (mut method, learnt) in all {
            if let (Some(learnt), Some(point)) = (learnt, method.points.last_mut()) {
                let name = format!("{}.safetensors", method.name);
                let trained = self.trained(point);
                match learnt.write(&folder.join(&name), self.ground, trained) {
                    Ok(bytes) => (point.bytes, method.model) = (Some(bytes), Some(name)),
                    Err(e) => remark(&format!("warning: {name} was not written: {e:#}")),
                }
            }
            methods.push(method);
        }
        methods
    }

    fn trained(&self, point: &Point) -> Trained {
        let [epoch, _] = point.epochs.unwrap_or([1, 1]);
        Trained {
            data: self.ground.data.name.clone(),
            fingerprint: self.ground.data.fingerprint.clone(),
            images: point.images,
            epoch,
            epochs: epoch,
            seed: self.seed,
            val_share: None,
            precision: None,
            fold: None,
            folds: None,
            score: None,
            tuned: None,
        }
    }
}

fn new(contender: &Contender) -> Method {
    Method {
        name: contender.name(),
        network: contender.is_network(),
        points: Vec::new(),
        left_out: Vec::new(),
        robustness: Vec::new(),
        model: None,
    }
}
