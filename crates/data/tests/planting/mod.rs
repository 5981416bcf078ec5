//! A clean data set of made-up pictures, and a script that plants one fault of each kind into any data set with parts.
//!
//! Each fault takes an image of the training part out of its place, changes it and puts it back, under another name or
//! format where the fault is one of those; so a fault never makes another picture a copy.

// The test and the example use their part of this.
#![allow(dead_code, clippy::unwrap_used, reason = "a test fails by panicking")]

mod formats;
mod scene;

#[allow(unused_imports, reason = "the example plants into a given set")]
pub use scene::clean_set;

use formats::{encoded, exif_turned, indexed_bmp, two_frames};
use image::{DynamicImage, ImageFormat, imageops};
use std::fs;
use std::path::{Path, PathBuf};
use striate_data::Fault;

/// A fault that was planted, and where: a path, or a word that the finding's text must have.
pub struct Planted {
    /// The fault.
    pub fault: Fault,
    /// The file's path relative to the data set, or a class.
    pub at: String,
}

/// Plants every kind of fault that this system allows into the data set at `root`, which has train, and val or test.
pub fn plant(root: &Path) -> Vec<Planted> {
    let mut garden = Garden::new(root);
    garden.unreadable();
    garden.storage();
    garden.appearance();
    garden.copies();
    garden.classes();
    garden.files();
    garden.planted
}

struct Garden {
    root: PathBuf,
    /// The first two classes and their training images that nothing was done to.
    classes: [String; 2],
    free: [Vec<PathBuf>; 2],
    turn: usize,
    /// The part beside train.
    held_out: &'static str,
    planted: Vec<Planted>,
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

impl Garden {
    fn new(root: &Path) -> Self {
        let classes: Vec<String> = sorted(&root.join("train"))
            .iter()
            .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        let classes = [classes[0].clone(), classes[1].clone()];
        let free = [0, 1].map(|i: usize| sorted(&root.join("train").join(&classes[i])));
        let held_out = if root.join("val").is_dir() { "val" } else { "test" };
        Self { root: root.to_owned(), classes, free, turn: 0, held_out, planted: Vec::new() }
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap().to_str().unwrap().to_owned()
    }

    fn note(&mut self, fault: Fault, at: &str) {
        self.planted.push(Planted { fault, at: at.to_owned() });
    }

    /// An image that nothing was done to, of the class with this number.
    fn victim_of(&mut self, class: usize) -> (PathBuf, DynamicImage) {
        loop {
            let path = self.free[class].pop().expect("the data set has too few training images");
            if let Ok(picture) = image::ImageReader::open(&path).unwrap().with_guessed_format().unwrap().decode()
                && colourful(&picture)
            {
                return (path, picture);
            }
        }
    }

    /// One of either class in turn.
    fn victim(&mut self) -> (PathBuf, DynamicImage) {
        self.turn += 1;
        self.victim_of(self.turn % 2)
    }

    /// Puts bytes in a victim's place, under a name with this ending.
    fn replace(&mut self, fault: Fault, victim: &Path, ending: &str, bytes: &[u8]) {
        fs::remove_file(victim).unwrap();
        let path = victim.with_file_name(format!("planted_{}.{ending}", fault.code()));
        fs::write(&path, bytes).unwrap();
        let at = self.relative(&path);
        self.note(fault, &at);
    }

    /// Puts a changed picture in a victim's place, as PNG.
    fn change(&mut self, fault: Fault, change: impl Fn(DynamicImage) -> DynamicImage) {
        let (victim, picture) = self.victim();
        self.replace(fault, &victim, "png", &encoded(&change(picture), ImageFormat::Png));
    }

    fn unreadable(&mut self) {
        for (format, ending) in [(ImageFormat::Jpeg, "jpg"), (ImageFormat::Png, "png")] {
            let (victim, picture) = self.victim();
            let bytes = encoded(&picture.to_rgb8().into(), format);
            self.replace(Fault::Truncated, &victim, ending, &bytes[..bytes.len() * 2 / 3]);
        }
        let (victim, _) = self.victim();
        self.replace(Fault::EmptyFile, &victim, "jpg", b"");
        let (victim, _) = self.victim();
        self.replace(Fault::NotAnImage, &victim, "jpg", b"<!DOCTYPE html><title>404 Not Found</title>");
        let (victim, picture) = self.victim();
        let mut bytes = encoded(&picture, ImageFormat::Png);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        self.replace(Fault::Damaged, &victim, "png", &bytes);
        let (victim, picture) = self.victim();
        let bytes = encoded(&picture.to_rgb32f().into(), ImageFormat::Tiff);
        self.replace(Fault::Unsupported, &victim, "tif", &bytes);
        let (victim, _) = self.victim();
        self.replace(Fault::TooLarge, &victim, "png", include_bytes!("../fixtures/bomb.png"));
    }

    fn storage(&mut self) {
        let (victim, picture) = self.victim();
        self.replace(Fault::WrongExtension, &victim, "jpg", &encoded(&picture, ImageFormat::Png));
        let (victim, picture) = self.victim();
        let bytes = exif_turned(&encoded(&picture.to_rgb8().into(), ImageFormat::Jpeg));
        self.replace(Fault::Orientation, &victim, "jpg", &bytes);
        let (victim, _) = self.victim();
        self.replace(Fault::Cmyk, &victim, "jpg", include_bytes!("../fixtures/cmyk.jpg"));
        self.change(Fault::Transparent, |picture| {
            let mut picture = picture.to_rgba8();
            let half = picture.height() / 2;
            picture.enumerate_pixels_mut().filter(|(_, y, _)| *y < half).for_each(|(_, _, p)| p.0[3] = 200);
            picture.into()
        });
        self.change(Fault::SixteenBit, |picture| picture.to_rgb16().into());
        let (victim, picture) = self.victim();
        self.replace(Fault::Palette, &victim, "bmp", &indexed_bmp(&picture.to_rgb8()));
        let (victim, picture) = self.victim();
        self.replace(Fault::Animated, &victim, "gif", &two_frames(&picture));
    }

    fn appearance(&mut self) {
        self.change(Fault::Grey, |picture| picture.to_luma8().into());
        self.change(Fault::Blank, |picture| {
            image::RgbImage::from_pixel(picture.width(), picture.height(), image::Rgb([120, 131, 140])).into()
        });
        self.change(Fault::Tiny, |picture| picture.resize_exact(5, 4, imageops::FilterType::Triangle));
        self.change(Fault::Huge, |picture| {
            let (w, h) = (picture.width(), picture.height());
            let times = (1_100_000.0 / f64::from(w * h)).sqrt().max(5.0);
            let longer = |side| (f64::from(side) * times) as u32;
            picture.resize_exact(longer(w), longer(h), imageops::FilterType::CatmullRom)
        });
        self.change(Fault::ExtremeShape, |picture| picture.crop_imm(0, 0, picture.width(), picture.width() / 7));
        let levels = |picture: DynamicImage, change: fn(u8) -> u8| {
            let mut picture = picture.to_rgb8();
            picture.iter_mut().for_each(|v| *v = change(*v));
            picture.into()
        };
        self.change(Fault::Dark, move |picture| levels(picture, |v| v / 12));
        self.change(Fault::Bright, move |picture| levels(picture, |v| 255 - v / 12));
        self.change(Fault::Blurred, |picture| picture.blur(picture.width() as f32 / 10.0));
    }

    fn copies(&mut self) {
        let val = sorted(&self.root.join(self.held_out).join(&self.classes[0]));
        // Byte for byte: over another of the class, over one of another class, over one of another part.
        for (fault, from, to) in
            [(Fault::Duplicate, 0, Some(0)), (Fault::LabelConflict, 0, Some(1)), (Fault::Leak, 0, None)]
        {
            let (original, _) = self.victim_of(from);
            let over = to.map_or_else(|| val[0].clone(), |class| self.victim_of(class).0);
            fs::remove_file(&over).unwrap();
            let ending = original.extension().unwrap().to_str().unwrap();
            let copy = over.with_file_name(format!("planted_{}.{ending}", fault.code()));
            fs::copy(&original, &copy).unwrap();
            for path in [original, copy] {
                let at = self.relative(&path);
                self.note(fault, &at);
            }
        }
        // Smaller, brighter and compressed again; across parts mirrored as well.
        for (fault, from, to) in
            [(Fault::NearDuplicate, 0, Some(0)), (Fault::NearConflict, 0, Some(1)), (Fault::NearLeak, 0, None)]
        {
            let (original, picture) = self.victim_of(from);
            let over = to.map_or_else(|| val[1].clone(), |class| self.victim_of(class).0);
            let smaller = picture.resize(picture.width() * 9 / 10, picture.height(), imageops::FilterType::Triangle);
            let changed = imageops::brighten(&smaller.to_rgb8(), 8);
            let changed = if to.is_none() { imageops::flip_horizontal(&changed) } else { changed };
            self.replace(fault, &over, "jpg", &encoded(&changed.into(), ImageFormat::Jpeg));
            let at = self.relative(&original);
            self.note(fault, &at);
        }
    }

    /// Moves a training image to another folder of `root`.
    fn transplant(&mut self, to: &str) -> PathBuf {
        let (from, _) = self.victim();
        let folder = self.root.join(to);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(from.file_name().unwrap());
        fs::rename(from, &path).unwrap();
        path
    }

    fn classes(&mut self) {
        self.transplant("train/rarely");
        self.transplant("train/rarely");
        for fault in [Fault::FewImages, Fault::Imbalance, Fault::ClassMissing] {
            self.note(fault, "rarely");
        }
        self.transplant(&format!("{}/nowhere else", self.held_out));
        self.note(Fault::UnknownClass, "nowhere else");
        let (upper, lower) = (self.classes[1].to_uppercase(), self.classes[1].to_lowercase());
        let other = if self.classes[1] == upper { lower } else { upper };
        self.transplant(&format!("train/{other} "));
        self.note(Fault::ClassNamesAlike, &other);
        fs::create_dir(self.root.join("train/hollow")).unwrap();
        self.note(Fault::EmptyClass, "train/hollow");
        for i in 0..12 {
            let folder = self.root.join("train/told by format");
            fs::create_dir_all(&folder).unwrap();
            let picture = scene::scene(9_000 + i, 61, 47).into();
            fs::write(folder.join(format!("{i}.webp")), encoded(&picture, ImageFormat::WebP)).unwrap();
        }
        self.note(Fault::ClassTell, "told by format");
    }

    fn files(&mut self) {
        let stray = self.transplant("train");
        self.note_path(Fault::OutsideClass, &stray);
        self.transplant("extra");
        self.note(Fault::OutsideParts, "extra");
        let class = self.root.join("train").join(&self.classes[0]);
        let (victim, _) = self.victim_of(0);
        self.replace(Fault::OtherFormat, &victim, "heic", b"\0\0\0\x18ftypheic");
        let (victim, picture) = self.victim();
        self.replace(Fault::ImageNotNamedSo, &victim, "dat", &encoded(&picture, ImageFormat::Png));
        let (victim, picture) = self.victim();
        self.replace(Fault::OddName, &victim, "what?.png", &encoded(&picture, ImageFormat::Png));
        let nested = format!("train/{}/{}/{}/{}", self.classes[0], "a".repeat(70), "b".repeat(70), "c".repeat(70));
        let long = self.transplant(&nested);
        self.note_path(Fault::LongName, &long);
        for name in ["Planted_Case.png", "planted_case.png"] {
            let (victim, picture) = self.victim_of(0);
            fs::remove_file(victim).unwrap();
            let path = class.join(name);
            fs::write(&path, encoded(&picture, ImageFormat::Png)).unwrap();
            self.note_path(Fault::CaseCollision, &path);
        }
        #[cfg(unix)]
        self.links_and_rights(&class);
    }

    fn note_path(&mut self, fault: Fault, path: &Path) {
        let at = self.relative(path);
        self.note(fault, &at);
    }

    #[cfg(unix)]
    fn links_and_rights(&mut self, class: &Path) {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let broken = class.join("planted_link.jpg");
        symlink("nowhere.jpg", &broken).unwrap();
        self.note_path(Fault::BrokenLink, &broken);
        let around = class.join("planted_loop");
        symlink(class, &around).unwrap();
        self.note_path(Fault::LinkLoop, &around);
        let (victim, _) = self.victim_of(0);
        let ending = victim.extension().unwrap().display();
        let elsewhere = format!("{}_outside.{ending}", self.root.file_name().unwrap().display());
        let elsewhere = self.root.with_file_name(elsewhere);
        let out = class.join(format!("planted_outside.{ending}"));
        fs::rename(&victim, &elsewhere).unwrap();
        symlink(fs::canonicalize(&elsewhere).unwrap(), &out).unwrap();
        self.note_path(Fault::LinkOutside, &out);
        let (locked, _) = self.victim_of(0);
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
        // Whoever may read everything is not stopped by this.
        if fs::read(&locked).is_err() {
            self.note_path(Fault::NoPermission, &locked);
        }
    }
}

/// Whether a picture has colour and ordinary brightness, so that what is planted shows.
fn colourful(picture: &DynamicImage) -> bool {
    let picture = picture.to_rgb8();
    let mean = picture.iter().map(|&v| f64::from(v)).sum::<f64>() / picture.len() as f64;
    (70.0..180.0).contains(&mean) && picture.pixels().any(|p| p.0[0].abs_diff(p.0[2]) > 20)
}
