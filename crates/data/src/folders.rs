//! Which files of a folder are images of which class, by the layouts that are understood.
//!
//! `train/<class>/**`, with `val|valid|validation` and `test` beside it, or `<class>/**`. Names of parts may be in any
//! case. A folder called `train` is a class when it holds images itself and other classes stand beside it. Images are
//! found below a class folder at any depth. Everything is sorted by name.

use crate::data_set::{Part, SourceKind};
use crate::error::{DataError, counted};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

const IMAGE: &[&str] = &[
    "jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "gif", "tif", "tiff", "webp", "pbm", "pgm", "ppm", "pnm", "pam",
];
const OTHER_IMAGE: &[&str] = &["heic", "heif", "avif", "jxl", "jp2", "psd", "svg", "dng", "cr2", "nef", "arw", "tga"];

/// The image files of one class in one part.
pub(crate) struct ClassFolder {
    pub(crate) part: Part,
    pub(crate) class: String,
    pub(crate) path: PathBuf,
    pub(crate) files: Vec<PathBuf>,
}

/// What a data set's folder holds.
pub(crate) struct Listing {
    pub(crate) kind: SourceKind,
    pub(crate) folders: Vec<ClassFolder>,
    pub(crate) ignored: Ignored,
    pub(crate) warnings: Vec<String>,
}

/// Files that were passed over.
#[derive(Default)]
pub(crate) struct Ignored {
    pub(crate) files: usize,
    /// Those among them that are images of kinds that are not read, by extension.
    pub(crate) other_images: BTreeMap<String, usize>,
}

/// A folder's direct content, sorted; hidden folders are left out.
#[derive(Default)]
pub(crate) struct Entries {
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) files: Vec<PathBuf>,
}

pub(crate) fn entries(folder: &Path) -> Result<Entries, DataError> {
    let failed = |source| DataError::Io { path: folder.to_owned(), doing: "listing the folder", source };
    let mut found = Entries { folders: Vec::new(), files: Vec::new() };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !path.is_dir() {
            found.files.push(path);
        } else if !is_hidden(&path) {
            found.folders.push(path);
        }
    }
    found.folders.sort();
    found.files.sort();
    Ok(found)
}

pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The path without links, or as it is if the system cannot tell.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

pub(crate) fn is_hidden(path: &Path) -> bool {
    let name = name(path);
    name.starts_with('.') || name == "__MACOSX"
}

/// What stands behind the last dot, in lower case.
pub(crate) fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// Whether a file's name is of an image that is read.
pub(crate) fn is_image(path: &Path) -> bool {
    !is_hidden(path) && IMAGE.contains(&extension(path).as_str())
}

/// Whether a file's name is of an image of a kind that is not read.
pub(crate) fn is_other_image(path: &Path) -> bool {
    !is_hidden(path) && OTHER_IMAGE.contains(&extension(path).as_str())
}

/// The part that a folder's name stands for.
pub(crate) fn part(path: &Path) -> Option<Part> {
    Part::named(&name(path))
}

/// All images below a folder at any depth, sorted. What links in circles is walked once.
pub(crate) fn images_below(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut images = Vec::new();
    let (mut to_do, mut seen) = (vec![folder.to_owned()], HashSet::new());
    while let Some(folder) = to_do.pop() {
        if seen.insert(real_path(&folder)) {
            let inside = entries(&folder)?;
            images.extend(inside.files.into_iter().filter(|file| is_image(file)));
            to_do.extend(inside.folders);
        }
    }
    images.sort();
    Ok(images)
}

/// How a folder is laid out.
pub(crate) struct Layout<'a> {
    /// Whether its folders are parts, else classes.
    pub(crate) by_parts: bool,
    /// The folders that are named as parts, whether they are or not.
    pub(crate) parts: Vec<(Part, &'a PathBuf)>,
    train_has_folders: bool,
}

impl<'a> Layout<'a> {
    /// By the folders at the top.
    pub(crate) fn of(top: &'a Entries) -> Result<Self, DataError> {
        let parts: Vec<(Part, &PathBuf)> = top.folders.iter().filter_map(|f| part(f).map(|part| (part, f))).collect();
        let only_parts = !parts.is_empty() && parts.len() == top.folders.len();
        let train = parts.iter().find(|(part, _)| *part == Part::Train);
        let train_has_folders = match train {
            Some((_, folder)) => !entries(folder)?.folders.is_empty(),
            None => false,
        };
        Ok(Self { by_parts: train_has_folders || only_parts, parts, train_has_folders })
    }

    /// Refuses parts that contradict each other.
    pub(crate) fn check(&self, root: &Path) -> Result<(), DataError> {
        if self.by_parts { check_parts(root, &self.parts, self.train_has_folders) } else { Ok(()) }
    }
}

/// Lists `root` by whichever layout it has.
pub(crate) fn list(root: &Path, top: &Entries) -> Result<Listing, DataError> {
    let layout = Layout::of(top)?;
    layout.check(root)?;
    let kind = if layout.by_parts { SourceKind::SplitFolders } else { SourceKind::ClassFolders };
    let mut listing = Listing { kind, folders: Vec::new(), ignored: Ignored::default(), warnings: Vec::new() };
    if layout.by_parts {
        for folder in top.folders.iter().filter(|folder| part(folder).is_none()) {
            listing.warnings.push(format!("{} was passed over: it is neither train, val nor test", folder.display()));
        }
        listing.pass_over(root, &top.files);
        for (part, folder) in layout.parts {
            let inside = entries(folder)?;
            listing.pass_over(folder, &inside.files);
            listing.add_classes(part, &inside.folders)?;
        }
    } else {
        listing.pass_over(root, &top.files);
        listing.add_classes(Part::Train, &top.folders)?;
    }
    for (extension, count) in &listing.ignored.other_images {
        listing.warnings.push(format!(
            "{} passed over: convert them to JPEG or PNG",
            counted(*count, &format!(".{extension} file"))
        ));
    }
    Ok(listing)
}

fn check_parts(root: &Path, parts: &[(Part, &PathBuf)], train_has_folders: bool) -> Result<(), DataError> {
    let wrong = |problem: String| Err(DataError::Layout { path: root.to_owned(), problem });
    for (i, (part, folder)) in parts.iter().enumerate() {
        if let Some((_, other)) = parts[..i].iter().find(|(earlier, _)| earlier == part) {
            return wrong(format!("{} and {} are both there; keep one of them", name(other), name(folder)));
        }
    }
    match parts.iter().find(|(part, _)| *part == Part::Train) {
        Some((_, folder)) if !train_has_folders => {
            wrong(format!("{} holds no class folders; sort its images into one folder for each class", name(folder)))
        }
        Some(_) => Ok(()),
        None => {
            let names: Vec<String> = parts.iter().map(|(_, folder)| name(folder)).collect();
            wrong(format!("there is {} but no train; to use one part alone, give its folder", names.join(" and ")))
        }
    }
}

impl Listing {
    pub(crate) fn has_images(&self) -> bool {
        self.folders.iter().any(|folder| !folder.files.is_empty())
    }

    /// Counts files outside class folders; images among them are worth a warning.
    fn pass_over(&mut self, folder: &Path, files: &[PathBuf]) {
        let images = files.iter().filter(|file| is_image(file)).count();
        if images > 0 {
            let folder = folder.display();
            self.warnings
                .push(format!("{} directly in {folder} passed over: in no class folder", counted(images, "image")));
        }
        for file in files {
            self.ignored.add(file);
        }
    }

    fn add_classes(&mut self, part: Part, folders: &[PathBuf]) -> Result<(), DataError> {
        for folder in folders {
            let mut files = Vec::new();
            let parent = folder.parent().map_or_else(PathBuf::new, real_path);
            let mut above = parent.ancestors().map(Path::to_owned).collect();
            self.walk(folder, &mut above, &mut files)?;
            files.sort();
            self.folders.push(ClassFolder { part, class: name(folder), path: folder.clone(), files });
        }
        Ok(())
    }

    /// Collects images below `folder`; `above` holds the real paths of the folders on the way, against loops of links.
    fn walk(&mut self, folder: &Path, above: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
        let real = real_path(folder);
        if above.contains(&real) {
            self.warnings.push(format!("{} was passed over: it links to a folder it lies in", folder.display()));
            return Ok(());
        }
        above.push(real);
        let inside = entries(folder)?;
        for file in inside.files {
            if is_image(&file) {
                files.push(file);
            } else {
                self.ignored.add(&file);
            }
        }
        for inner in &inside.folders {
            self.walk(inner, above, files)?;
        }
        above.pop();
        Ok(())
    }
}

impl Ignored {
    fn add(&mut self, file: &Path) {
        self.files += 1;
        if is_other_image(file) {
            *self.other_images.entry(extension(file)).or_default() += 1;
        }
    }
}
