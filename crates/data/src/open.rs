//! Opening a data set: which kind it is, what can be read, which classes there are, what is held for validation.

use crate::check::{self, Seen, Shape};
use crate::clean::Cleaning;
use crate::content::{self, Content};
use crate::data_set::{DataSet, Part, SourceKind, Typical};
use crate::error::{self, DataError, LeftOut};
use crate::fingerprint::Fingerprint;
use crate::folders::{self, ClassFolder, Entries, Listing};
use crate::progress::Progress;
use crate::sample::{Sample, Source};
use crate::split::{self, Split};
use crate::splitting::Groups;
use crate::{cifar, digits, idx, pattern, recognise, workers};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How thoroughly image files are looked at when a data set is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// Each file is decoded entirely.
    #[default]
    Full,
    /// Only formats and sizes are read; damage farther in shows when the file is used.
    Headers,
}

/// How a data set is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Decides which images are held for validation.
    pub seed: u64,
    /// The share of the training images held for validation where the source has no such part, 0 to below 1.
    /// `None` is a sixth where there is a test part (MNIST: 10,000), else a fifth.
    pub val_share: Option<f64>,
    /// The share of image files that may be unreadable, 0 to 1.
    pub max_unreadable_share: f64,
    /// The most pixels an image may have.
    pub max_pixels: u64,
    /// How thoroughly image files are looked at.
    pub check: Check,
    /// Threads that look at them.
    pub workers: usize,
    /// A cleaning manifest: a table with the columns `path`, relative to the data set, and `action`, which is `exclude` for
    /// the images that are left out.
    pub clean: Option<PathBuf>,
    /// Which fold is held for validation, where the source is a table with folds.
    pub fold: Option<u32>,
    /// The column of a table that says which images belong together, if it is not `group`.
    pub group_column: Option<String>,
    /// How far boxes that are cut out of pictures are widened on each side, as a share of their width and height, 0 or more.
    pub box_margin: f64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            val_share: None,
            max_unreadable_share: 0.1,
            max_pixels: 100_000_000,
            check: Check::Full,
            workers: workers::available(),
            clean: None,
            fold: None,
            group_column: None,
            box_margin: 0.0,
        }
    }
}

impl OpenOptions {
    pub(crate) fn val_share_or_default(&self, has_test: bool) -> f64 {
        self.val_share.unwrap_or(if has_test { 1.0 / 6.0 } else { 0.2 })
    }

    /// Refuses a cleaning manifest where the source has no files that it could name.
    pub(crate) fn refuse_cleaning(&self) -> Result<(), DataError> {
        let expected = "left out here: it names image files, and this data set has none";
        self.clean.as_ref().map_or(Ok(()), |file| {
            Err(DataError::Option { option: "the cleaning manifest", value: file.display().to_string(), expected })
        })
    }

    fn validate(&self) -> Result<(), DataError> {
        let wrong =
            |option, value: f64, expected| Err(DataError::Option { option, value: value.to_string(), expected });
        match (self.val_share, self.max_unreadable_share) {
            (Some(share), _) if !(0.0..1.0).contains(&share) => {
                wrong("the share held out for validation", share, "0 or more and below 1")
            }
            (_, share) if !(0.0..=1.0).contains(&share) => {
                wrong("the share of unreadable files tolerated", share, "from 0 to 1")
            }
            _ if !(0.0..=10.0).contains(&self.box_margin) => {
                wrong("the margin of boxes", self.box_margin, "from 0 to 10")
            }
            _ => Ok(()),
        }
    }
}

/// Opens `spec`; see [`DataSet::open`].
pub(crate) fn open(spec: &str, options: &OpenOptions, progress: &dyn Progress) -> Result<DataSet, DataError> {
    options.validate()?;
    let set = open_any(spec, options, progress)?;
    if let (Some(fold), false) = (options.fold, set.kind == SourceKind::Table) {
        let expected = "left out: only a table with a column 'fold' has folds";
        return Err(DataError::Option { option: "the fold for validation", value: fold.to_string(), expected });
    }
    if let (Some(column), false) = (&options.group_column, set.kind == SourceKind::Table) {
        let expected = "left out: only a table has columns";
        return Err(DataError::Option { option: "the column of groups", value: column.clone(), expected });
    }
    Ok(set)
}

fn open_any(spec: &str, options: &OpenOptions, progress: &dyn Progress) -> Result<DataSet, DataError> {
    let path = Path::new(spec);
    if spec == digits::NAME {
        let mut set = digits::open(options)?;
        if path.is_dir() {
            set.warnings.push("the built-in digits are used; for the folder of that name write ./digits".to_owned());
        }
        return Ok(set);
    }
    if path.is_dir() {
        let top = folders::entries(path)?;
        if top.files.iter().any(|file| idx::is_idx_name(file)) {
            return idx::open_folder(path, &top.files, options);
        }
        if top.files.iter().any(|file| cifar::is_cifar_name(file)) {
            return cifar::open_folder(path, &top.files, options);
        }
        if let Some(set) = recognise::open_annotated(path, &top, options, progress)? {
            return Ok(set);
        }
        return open_images(path, &top, options, progress);
    }
    if !path.exists() {
        return match pattern::files(spec) {
            Some(files) => recognise::open_files(path, &files, options, progress),
            None => Err(not_found(path)),
        };
    }
    if idx::is_idx_name(path) {
        return idx::open_file(path, options);
    }
    if cifar::is_cifar_name(path) {
        return cifar::open_file(path, options);
    }
    recognise::open_file(path, options, progress)
}

pub(crate) fn not_found(path: &Path) -> DataError {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let beside = folders::entries(parent).map_or_else(|_| Vec::new(), |top| [top.folders, top.files].concat());
    let mut names: Vec<String> = beside.iter().map(|path| folders::name(path)).collect();
    names.push(digits::NAME.to_owned());
    let near = error::near(&folders::name(path), names.iter().map(String::as_str));
    DataError::NotFound { path: path.to_owned(), near }
}

/// The absolute path as text, for the record.
pub(crate) fn absolute(path: &Path) -> String {
    folders::real_path(path).display().to_string()
}

/// The last part of the path, also of `.` and `..`.
pub(crate) fn display_name(path: &Path) -> String {
    folders::name(&folders::real_path(path))
}

fn open_images(
    root: &Path,
    top: &Entries,
    options: &OpenOptions,
    progress: &dyn Progress,
) -> Result<DataSet, DataError> {
    let listed = folders::list(root, top);
    let has_images = listed.as_ref().is_ok_and(Listing::has_images);
    if !has_images && let Some(set) = recognise::open_shards(root, top, options, progress)? {
        return Ok(set);
    }
    let Listing { kind, mut folders, ignored, mut warnings } = listed?;
    if let Some(file) = &options.clean {
        warnings.extend(leave_out(root, &mut folders, &Cleaning::read(file)?));
    }
    let files: Vec<&PathBuf> = folders.iter().flat_map(|folder| &folder.files).collect();
    if files.is_empty() {
        return Err(no_images(root, top, ignored.files));
    }
    classes(root, top, &folders)?;
    let seen = check::look_at_all(&files, options, progress);
    let left_out = left_out(&files, &seen, options.max_unreadable_share)?;
    let mut contents =
        content::of_seen(&seen, |i| Some(files[i])).into_iter().zip(&seen).filter(|(_, seen)| seen.image.is_ok());
    let fingerprint = fingerprint(root, &folders, &seen);
    let kept = keep_readable(folders, &seen, &mut warnings);
    let classes = classes(root, top, &kept)?;
    let mut parts = [Split::default(), Split::default(), Split::default()];
    let mut copies = [Vec::new(), Vec::new(), Vec::new()];
    for folder in kept {
        let label = classes.binary_search(&folder.class).map_err(|_| unknown_class(&folder, &classes))? as u32;
        let part = folder.part as usize;
        copies[part].extend(contents.by_ref().take(folder.files.len()).map(|(content, _)| content));
        parts[part].samples.extend(folder.files.into_iter().map(|path| Sample::new(Source::File(path), label)));
    }
    let Parts { train, val, val_drawn, test } = Parts::draw(parts, &copies, options, &mut warnings);
    warn_of_gaps(&classes, &val, "validation", &mut warnings);
    if let Some(test) = &test {
        warn_of_gaps(&classes, test, "test", &mut warnings);
    }
    Ok(DataSet {
        name: display_name(root),
        typical: typical(&seen),
        train: Arc::new(train),
        val: Arc::new(val),
        val_drawn,
        test: test.map(Arc::new),
        left_out,
        warnings,
        ignored_files: ignored.files,
        source: absolute(root),
        kind,
        classes,
        fingerprint,
    })
}

/// Drops the files that a cleaning manifest excludes; returns what to say about it.
fn leave_out(root: &Path, folders: &mut [ClassFolder], cleaning: &Cleaning) -> Vec<String> {
    let count = |folders: &[ClassFolder]| folders.iter().map(|folder| folder.files.len()).sum::<usize>();
    let before = count(folders);
    for folder in folders.iter_mut() {
        folder.files.retain(|file| !cleaning.excludes(&relative(root, file)));
    }
    let excluded = before - count(folders);
    let said = (excluded > 0).then(|| cleaning.said(excluded));
    said.into_iter().chain(cleaning.warning()).collect()
}

/// The parts of a data set, a validation part among them.
pub(crate) struct Parts {
    pub(crate) train: Split,
    pub(crate) val: Split,
    pub(crate) val_drawn: bool,
    pub(crate) test: Option<Split>,
}

impl Parts {
    /// From the images for training, validation and test with their contents: draws what is missing for validation, with
    /// copies on one side, and says what is copied from one part to another.
    pub(crate) fn draw(
        parts: [Split; 3],
        contents: &[Vec<Option<Content>>; 3],
        options: &OpenOptions,
        warnings: &mut Vec<String>,
    ) -> Self {
        for (part, name) in [(Part::Val, "validation"), (Part::Test, "test")] {
            warnings.extend(warning_of_leak(&contents[0], &contents[part as usize], name));
        }
        let [mut train, mut val, test] = parts;
        let test = if test.is_empty() { None } else { Some(test) };
        let val_drawn = val.is_empty();
        if val_drawn {
            let mut groups = Groups::apart(train.len());
            groups.join_alike(contents[0].iter().copied());
            let alike = groups.clone();
            (train, val) = train.hold_out(groups, options.val_share_or_default(test.is_some()), options.seed);
            warnings.extend(split::warning_of_copies(alike, &val));
        }
        Self { train, val, val_drawn, test }
    }
}

/// What to say where images of another part are exact copies of training images.
fn warning_of_leak(train: &[Option<Content>], other: &[Option<Content>], part: &str) -> Option<String> {
    let known: HashSet<&Content> = train.iter().flatten().collect();
    match other.iter().flatten().filter(|content| known.contains(content)).count() {
        0 => None,
        1 => Some(format!(
            "1 {part} image is an exact copy of a training image, so its score tells less than it seems to"
        )),
        n => Some(format!(
            "{n} {part} images are exact copies of training images, so scores on them tell less than they seem to"
        )),
    }
}

pub(crate) fn no_images(root: &Path, top: &Entries, ignored: usize) -> DataError {
    let found = match (top.folders.len(), ignored) {
        (0, 0) => "; the folder is empty".to_owned(),
        (folders, files) => {
            format!("; it has {}, and {} passed over", error::counted(folders, "folder"), error::counted(files, "file"))
        }
    };
    let found = found + &table_hint(top);
    DataError::NoImages { path: root.to_owned(), found }
}

/// What may be meant where a table stands beside folders that are no classes.
fn table_hint(top: &Entries) -> String {
    recognise::table_among(&top.files).map_or_else(String::new, |table| format!("; did you mean {}?", table.display()))
}

fn left_out(files: &[&PathBuf], seen: &[Seen], tolerated: f64) -> Result<Vec<LeftOut>, DataError> {
    let unreadable = files.iter().zip(seen).filter_map(|(path, seen)| Some((path, seen.image.as_ref().err()?)));
    let left_out: Vec<LeftOut> =
        unreadable.map(|(path, reason)| LeftOut { path: PathBuf::clone(path), reason: reason.clone() }).collect();
    if left_out.len() as f64 > tolerated * files.len() as f64 {
        return Err(DataError::TooManyUnreadable { left_out, files: files.len(), tolerated });
    }
    Ok(left_out)
}

/// Over every file found, readable or not, so that a quick look gives the same as a thorough one.
fn fingerprint(root: &Path, folders: &[ClassFolder], seen: &[Seen]) -> String {
    let mut hash = Fingerprint::new();
    let files = folders.iter().flat_map(|folder| folder.files.iter().map(move |file| (folder, file)));
    for ((folder, file), seen) in files.zip(seen) {
        hash.add_file(folder.part, &relative(root, file), seen.bytes, &folder.class);
    }
    hash.finish()
}

/// The path within the data set's folder, with `/` between names.
pub(crate) fn relative(root: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(root).unwrap_or(file);
    let names: Vec<_> = relative.iter().map(|name| name.to_string_lossy()).collect();
    names.join("/")
}

/// Drops unreadable files, and folders in which nothing is left.
fn keep_readable(folders: Vec<ClassFolder>, seen: &[Seen], warnings: &mut Vec<String>) -> Vec<ClassFolder> {
    let mut seen = seen.iter();
    let mut kept = Vec::new();
    for mut folder in folders {
        let before = folder.files.len();
        folder.files.retain(|_| seen.next().is_some_and(|seen| seen.image.is_ok()));
        if !folder.files.is_empty() {
            kept.push(folder);
            continue;
        }
        let why = if before == 0 { "has no images" } else { "has no readable images" };
        let class = &folder.class;
        let then = match folder.part {
            Part::Train => format!("there is nothing to learn from, so class '{class}' is left out"),
            Part::Val | Part::Test => format!("nothing can be said about class '{class}' there"),
        };
        warnings.push(format!("{} {why}; {then}", folder.path.display()));
    }
    kept
}

/// The names of the classes that have training images, sorted.
fn classes(root: &Path, top: &Entries, folders: &[ClassFolder]) -> Result<Vec<String>, DataError> {
    let trained = folders.iter().filter(|folder| folder.part == Part::Train && !folder.files.is_empty());
    let mut classes: Vec<String> = trained.map(|folder| folder.class.clone()).collect();
    classes.sort();
    classes.dedup();
    match classes.as_slice() {
        [] => Err(DataError::Layout { path: root.to_owned(), problem: "there are no training images".to_owned() }),
        [class] => {
            let hint = match top.folders.as_slice() {
                [only] if folders::entries(only).is_ok_and(|inside| !inside.folders.is_empty()) => {
                    format!("; did you mean {}?", only.display())
                }
                _ => table_hint(top),
            };
            Err(DataError::OneClass { path: root.to_owned(), class: class.clone(), hint })
        }
        _ => Ok(classes),
    }
}

fn unknown_class(folder: &ClassFolder, classes: &[String]) -> DataError {
    let near = error::near(&folder.class, classes.iter().map(String::as_str));
    DataError::UnknownClass { path: folder.path.clone(), class: folder.class.clone(), near }
}

pub(crate) fn warn_of_gaps(classes: &[String], split: &Split, part: &str, warnings: &mut Vec<String>) {
    let counts = split.counts_per_class(classes.len());
    let without: Vec<String> =
        classes.iter().zip(counts).filter(|(_, count)| *count == 0).map(|(class, _)| class.clone()).collect();
    if !without.is_empty() && !split.is_empty() {
        warnings.push(format!("no {part} images of {}", error::quoted(&without, 10)));
    }
}

pub(crate) fn typical(seen: &[Seen]) -> Typical {
    let shapes: Vec<Shape> = seen.iter().filter_map(|seen| seen.image.as_ref().ok().copied()).collect();
    let median = |mut sizes: Vec<u32>| {
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).copied().unwrap_or(1)
    };
    Typical {
        width: median(shapes.iter().map(|shape| shape.width).collect()),
        height: median(shapes.iter().map(|shape| shape.height).collect()),
        channels: if shapes.iter().all(|shape| shape.grey) { 1 } else { 3 },
    }
}
