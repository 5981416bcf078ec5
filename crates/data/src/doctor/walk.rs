//! Walking a folder that may be in any state: nothing stops it, and what is wrong is noted.

use super::fault::Fault;
use super::names;
use super::report::{Case, Place};
use super::survey::relative;
use crate::data_set::Part;
use crate::decode;
use crate::folders::{self, ClassFolder, Entries};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A walk through a data set's folder.
pub(super) struct Walk<'a> {
    root: &'a Path,
    /// Without links, to tell which links lead out.
    real_root: PathBuf,
    folders: Vec<ClassFolder>,
    passed_over: usize,
    faults: Vec<(Fault, Case)>,
    /// Whether folders at the top are parts.
    pub(super) by_parts: bool,
    /// The class folder that is being walked.
    within: Option<(Part, String)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a Path) -> Self {
        let real_root = folders::real_path(root);
        Self { root, real_root, folders: Vec::new(), passed_over: 0, faults: Vec::new(), by_parts: false, within: None }
    }

    /// The class folders with images, the number of files passed over, and the faults.
    pub(super) fn finish(self) -> (Vec<ClassFolder>, usize, Vec<(Fault, Case)>) {
        (self.folders, self.passed_over, self.faults)
    }

    pub(super) fn note(&mut self, fault: Fault, case: Case) {
        self.faults.push((fault, case));
    }

    /// Notes a fault of a folder or of a file that is not among the images.
    pub(super) fn note_folder(&mut self, fault: Fault, path: &Path, detail: &str) {
        let place = self.place(path);
        self.note(fault, Case::at(place, detail));
    }

    fn place(&self, path: &Path) -> Place {
        let (part, class) = match &self.within {
            Some((part, class)) => (self.by_parts.then(|| part.name()), Some(class.clone())),
            None => (None, None),
        };
        Place { path: relative(self.root, path), part, class, image: None, excess: false }
    }

    /// A folder's content, its names and links looked at; `None` where it cannot be listed.
    pub(super) fn entries(&mut self, folder: &Path) -> Option<Entries> {
        let entries = match fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(error) => {
                let fault =
                    if error.kind() == ErrorKind::PermissionDenied { Fault::NoPermission } else { Fault::Damaged };
                self.note_folder(fault, folder, &format!("cannot be listed: {error}"));
                return None;
            }
        };
        let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        self.look_at_names(&paths);
        let mut found = Entries::default();
        for path in paths {
            if !self.leads_somewhere(&path) {
                continue;
            }
            if !path.is_dir() {
                found.files.push(path);
            } else if !folders::is_hidden(&path) {
                found.folders.push(path);
            }
        }
        Some(found)
    }

    fn look_at_names(&mut self, paths: &[PathBuf]) {
        let mut seen: BTreeMap<String, &PathBuf> = BTreeMap::new();
        for path in paths.iter().filter(|path| !folders::is_hidden(path)) {
            if let Some(what) = path.file_name().and_then(names::odd) {
                self.note_folder(Fault::OddName, path, &what);
            }
            if let Some(what) = names::long(&relative(self.root, path)).filter(|_| !path.is_dir()) {
                self.note_folder(Fault::LongName, path, &what);
            }
            if let Some(other) = seen.insert(folders::name(path).to_lowercase(), path) {
                let places = vec![self.place(other), self.place(path)];
                self.note(Fault::CaseCollision, Case { detail: "in one folder".to_owned(), places });
            }
        }
    }

    /// Whether a path leads to something; links that lead nowhere or out of the data set are noted.
    fn leads_somewhere(&mut self, path: &Path) -> bool {
        if !path.is_symlink() || folders::is_hidden(path) {
            return true;
        }
        let target = fs::read_link(path).map_or_else(|_| String::new(), |to| format!("links to {}", to.display()));
        match fs::canonicalize(path) {
            Ok(real) if !real.starts_with(&self.real_root) => self.note_folder(Fault::LinkOutside, path, &target),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            Err(error) => {
                let reason =
                    if error.kind() == ErrorKind::NotFound { "which is not there".into() } else { error.to_string() };
                let place = Place { excess: folders::is_image(path), ..self.place(path) };
                self.note(Fault::BrokenLink, Case::at(place, format!("{target}, {reason}")));
                return false;
            }
        }
        true
    }

    /// Files beside class folders, which are passed over.
    pub(super) fn outside(&mut self, files: &[PathBuf]) {
        for file in files {
            self.passed_over += 1;
            if folders::is_image(file) {
                self.note_folder(Fault::OutsideClass, file, "");
            }
        }
    }

    /// A class's folder.
    pub(super) fn class(&mut self, part: Part, folder: &Path) {
        self.within = Some((part, folders::name(folder)));
        let mut files = Vec::new();
        let parent = folder.parent().map_or_else(PathBuf::new, folders::real_path);
        let mut above = parent.ancestors().map(Path::to_owned).collect();
        self.walk(folder, &mut above, &mut files);
        files.sort();
        if files.is_empty() {
            self.note_folder(Fault::EmptyClass, folder, "");
        }
        self.folders.push(ClassFolder { part, class: folders::name(folder), path: folder.to_owned(), files });
        self.within = None;
    }

    /// Collects images below `folder`; `above` holds the real paths of the folders on the way, against loops of links.
    fn walk(&mut self, folder: &Path, above: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) {
        let real = folders::real_path(folder);
        if above.contains(&real) {
            self.note_folder(Fault::LinkLoop, folder, "");
            return;
        }
        let Some(inside) = self.entries(folder) else { return };
        above.push(real);
        for file in inside.files {
            if folders::is_image(&file) {
                files.push(file);
            } else {
                self.pass_over(&file);
            }
        }
        for inner in &inside.folders {
            self.walk(inner, above, files);
        }
        above.pop();
    }

    /// A file in a class folder that is not named as an image.
    fn pass_over(&mut self, file: &Path) {
        self.passed_over += 1;
        if folders::is_hidden(file) {
            return;
        }
        if folders::is_other_image(file) {
            self.note_folder(Fault::OtherFormat, file, "");
        } else if begins_like_an_image(file) {
            self.note_folder(Fault::ImageNotNamedSo, file, "");
        }
    }
}

/// A file that cannot be read is none; what is read of a device or pipe could block, so only real files are opened.
fn begins_like_an_image(file: &Path) -> bool {
    let mut start = Vec::new();
    file.is_file()
        && File::open(file).is_ok_and(|file| file.take(64).read_to_end(&mut start).is_ok())
        && decode::begins_like_an_image(&start)
}
