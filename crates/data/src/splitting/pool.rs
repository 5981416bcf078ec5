//! The images of a data set on their way through a split: gathered, hashed, grouped, divided.

use super::groups::Groups;
use super::outcome::{SplitImage, Splitting};
use super::stratify::{Division, Roles};
use super::{GroupPattern, SplitInto, SplitOptions};
use crate::content::{self, Content};
use crate::data_set::DataSet;
use crate::doctor;
use crate::error::{self, DataError, LeftOut};
use crate::open;
use crate::progress::Progress;
use crate::sample::{Sample, Source};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One image that is to be put somewhere.
struct Candidate {
    file: PathBuf,
    label: u32,
    /// Whether it stays in the test part that the source has.
    tests: bool,
    content: Content,
    /// What its group is called by its source or its path.
    key: Option<Arc<str>>,
    /// The number of its group.
    group: usize,
}

/// All images, in the order of their paths.
pub(super) struct Pool {
    images: Vec<Candidate>,
    left_out: Vec<LeftOut>,
    warnings: Vec<String>,
}

impl Pool {
    /// The images of all parts, each with its content's hash.
    pub(super) fn gather(data: &DataSet, options: &SplitOptions, progress: &dyn Progress) -> Result<Self, DataError> {
        let test = data.test.iter().flat_map(|test| &test.samples).map(|sample| (sample, !options.pool));
        let learnt = data.train.samples.iter().chain(&data.val.samples).map(|sample| (sample, false));
        let all: Vec<(&Sample, bool)> = learnt.chain(test).collect();
        if options.into.test() > 0.0 && all.iter().any(|(_, tests)| *tests) {
            let expected = "left out, since the data has a test part; to draw it anew, pool all images (--pool)";
            let value = options.into.test().to_string();
            return Err(DataError::Option { option: "the share for testing", value, expected });
        }
        let files: Vec<&Path> = all.iter().map(|(sample, _)| file(sample, data)).collect::<Result<_, _>>()?;
        let contents = content::of_files(&files, options.workers, progress);
        let mut pool = Self { images: Vec::new(), left_out: Vec::new(), warnings: Vec::new() };
        for (((sample, tests), file), content) in all.iter().zip(files).zip(contents) {
            let (file, tests) = (file.to_owned(), *tests);
            match content {
                Ok(content) => {
                    let (label, key) = (sample.label, sample.group.clone());
                    pool.images.push(Candidate { file, label, tests, content, key, group: 0 });
                }
                Err(error) => pool.left_out.push(LeftOut { path: file, reason: format!("cannot be read: {error}") }),
            }
        }
        pool.images.sort_by(|a, b| a.file.cmp(&b.file));
        match (pool.images.is_empty(), pool.left_out.first()) {
            (true, Some(first)) => Err(DataError::NoneReadable { tried: all.len(), first: first.clone() }),
            _ => Ok(pool),
        }
    }

    /// Finds out which images belong together: by what the source says, by the pattern, by content, by what else there is.
    pub(super) fn group(
        &mut self,
        root: &Path,
        options: &SplitOptions,
        progress: &dyn Progress,
    ) -> Result<(), DataError> {
        let mut groups = Groups::apart(self.images.len());
        groups.join_alike(self.images.iter().map(|image| image.key.as_deref()));
        if let Some(pattern) = &options.pattern {
            let keys = self.match_paths(root, pattern)?;
            groups.join_alike(keys.iter().map(Option::as_deref));
            self.images
                .iter_mut()
                .zip(keys)
                .for_each(|(image, key)| image.key = key.map(Arc::from).or(image.key.take()));
        }
        if options.copies {
            groups.join_alike(self.images.iter().map(|image| Some(image.content)));
        }
        if let Some(limits) = options.near {
            let file = |image: &Candidate| Sample::new(Source::File(image.file.clone()), image.label);
            let samples: Vec<Sample> = self.images.iter().map(file).collect();
            let mut keys = vec![None; samples.len()];
            for (key, alike) in
                doctor::find_copies(&samples, true, &limits, options.workers, progress).iter().enumerate()
            {
                for &image in alike {
                    keys[image] = Some(key);
                }
            }
            groups.join_alike(keys);
        }
        self.images.iter_mut().zip(groups.numbers()).for_each(|(image, group)| image.group = group);
        Ok(())
    }

    fn match_paths(&mut self, root: &Path, pattern: &GroupPattern) -> Result<Vec<Option<String>>, DataError> {
        let paths: Vec<String> = self.images.iter().map(|image| open::relative(root, &image.file)).collect();
        let keys: Vec<Option<String>> = paths.iter().map(|path| pattern.key(path)).collect();
        let unnamed: Vec<String> =
            paths.iter().zip(&keys).filter(|(_, key)| key.is_none()).map(|(path, _)| path.clone()).collect();
        if unnamed.len() == paths.len() {
            let problem = format!("matches none of the {} paths, such as {}", paths.len(), error::quoted(&paths, 2));
            return Err(DataError::Pattern { pattern: pattern.text().to_owned(), problem });
        }
        if !unnamed.is_empty() {
            self.warnings.push(format!(
                "the pattern matches {} of {} paths; the other images count as unrelated: {}",
                paths.len() - unnamed.len(),
                paths.len(),
                error::quoted(&unnamed, 3)
            ));
        }
        Ok(keys)
    }

    /// Leaves out what belongs together with images of the test part that stays, but is not in it.
    pub(super) fn leave_out_leaks(&mut self) {
        let tested: HashSet<usize> = self.images.iter().filter(|image| image.tests).map(|image| image.group).collect();
        let (kept, leaks): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.images).into_iter().partition(|i| i.tests || !tested.contains(&i.group));
        self.images = kept;
        if !leaks.is_empty() {
            let names: Vec<String> = leaks.iter().map(|image| image.file.display().to_string()).collect();
            self.warnings.push(format!(
                "{} in a group with images of the test part, as a copy or by name, and left out of the split: {}",
                if leaks.len() == 1 { "1 image is".to_owned() } else { format!("{} images are", leaks.len()) },
                error::quoted(&names, 3)
            ));
        }
    }

    /// The place of each image, an index into [`SplitInto::places`].
    pub(super) fn divide(&self, options: &SplitOptions) -> Vec<usize> {
        let free: Vec<usize> = (0..self.images.len()).filter(|&i| !self.images[i].tests).collect();
        // What is not free is in the test part, the last place.
        match options.into {
            SplitInto::Parts { val, test } => {
                let mut places = vec![2; self.images.len()];
                self.divide_into(&free, &[1.0 - val - test, val, test], Roles::Parts, options.seed, &mut places);
                places
            }
            SplitInto::Folds { folds, test } => {
                let last = folds as usize;
                let mut places = vec![last; self.images.len()];
                let mut drawn = vec![0; self.images.len()];
                self.divide_into(&free, &[1.0 - test, test], Roles::Parts, options.seed, &mut drawn);
                let rest: Vec<usize> = free.into_iter().filter(|&i| drawn[i] == 0).collect();
                let shares = vec![1.0 / f64::from(folds); last];
                self.divide_into(&rest, &shares, Roles::Folds, options.seed, &mut places);
                places
            }
        }
    }

    fn divide_into(&self, images: &[usize], shares: &[f64], roles: Roles, seed: u64, places: &mut [usize]) {
        let labels: Vec<u32> = images.iter().map(|&i| self.images[i].label).collect();
        let mut groups = Groups::apart(images.len());
        groups.join_alike(images.iter().map(|&i| Some(self.images[i].group)));
        let division = Division { labels: &labels, groups: &groups.numbers(), shares, roles, seed };
        images.iter().zip(division.divide()).for_each(|(&i, place)| places[i] = place);
    }

    /// Puts it all together; places without an image are dropped.
    pub(super) fn into_splitting(self, classes: Vec<String>, into: SplitInto, places: &[usize]) -> Splitting {
        let names = self.group_names();
        let mut all = into.places();
        if self.images.iter().any(|image| image.tests) {
            // The test part was there before, so nothing was wished of it.
            all.last_mut().into_iter().for_each(|test| test.share = None);
        }
        let used: Vec<bool> =
            (0..all.len()).map(|place| all[place].share != Some(0.0) && places.contains(&place)).collect();
        let image = |(image, &place): (Candidate, &usize)| SplitImage {
            group_name: names.get(&image.group).cloned().unwrap_or_default(),
            file: image.file,
            label: image.label,
            place: used[..place].iter().filter(|used| **used).count(),
            group: image.group,
            content: image.content,
        };
        let images = self.images.into_iter().zip(places).map(image).collect();
        let mut keep = used.iter();
        all.retain(|_| keep.next().is_some_and(|used| *used));
        Splitting { classes, places: all, images, warnings: self.warnings, left_out: self.left_out }.with_warnings()
    }

    /// What groups are called: the first of their images' keys by alphabet; else, for more than one image, a hash.
    fn group_names(&self) -> BTreeMap<usize, String> {
        let mut keys: BTreeMap<usize, (Option<&str>, usize, &Content)> = BTreeMap::new();
        for image in &self.images {
            let (key, images, _) = keys.entry(image.group).or_insert((None, 0, &image.content));
            *images += 1;
            *key = match (*key, image.key.as_deref()) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        let name = |(group, (key, images, content)): (usize, (Option<&str>, usize, &Content))| match key {
            Some(key) => Some((group, key.to_owned())),
            None if images > 1 => Some((group, format!("sha256:{}", &content::hex(content)[..16]))),
            None => None,
        };
        keys.into_iter().filter_map(name).collect()
    }
}

fn file<'a>(sample: &'a Sample, data: &DataSet) -> Result<&'a Path, DataError> {
    if let Source::File(path) = &sample.source {
        return Ok(path);
    }
    let problem = format!(
        "a split names image files, and {} is not in a file of its own; it can be trained on as it is",
        sample.name()
    );
    Err(DataError::Layout { path: PathBuf::from(&data.source), problem })
}
