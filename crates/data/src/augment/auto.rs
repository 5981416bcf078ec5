//! `RandAugment` (Cubuk et al. 2019, arXiv:1909.13719) and `TrivialAugment` (Müller and Hutter 2021, arXiv:2103.10158), with the
//! operations and strengths of torchvision's, of which each has a space of its own.
//!
//! Strengths are 0 to 30. Maps are read bilinearly, and black moves in.

use super::affine::{Origin, warped};
use super::{colour, sharpness};
use crate::picture::Picture;
use crate::seeded::Lots;

/// The highest strength.
pub(super) const STRONGEST: u32 = 30;

/// What is done to a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Saturation,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

const OPERATIONS: [Operation; 14] = {
    use Operation as O;
    [
        O::Identity,
        O::ShearX,
        O::ShearY,
        O::TranslateX,
        O::TranslateY,
        O::Rotate,
        O::Brightness,
        O::Saturation,
        O::Contrast,
        O::Sharpness,
        O::Posterize,
        O::Solarize,
        O::AutoContrast,
        O::Equalize,
    ]
};

/// What the operations do at the highest strength.
#[derive(Clone, Copy, Debug)]
struct Space {
    /// Pixels along one axis for each along the other.
    shear: f64,
    /// Horizontally and vertically, in pixels.
    translate: [f64; 2],
    /// Degrees.
    rotate: f64,
    /// How far factors are from 1.
    factor: f64,
    /// Bits lost.
    bits: f64,
}

/// `operations` of the 14, each at strength `magnitude`, either way.
pub(super) fn rand_augment(picture: Picture, lots: &mut Lots, operations: u32, magnitude: u32) -> Picture {
    let space = Space::of(&picture);
    (0..operations).fold(picture, |picture, _| {
        let (operation, up) = (any(lots), lots.coin());
        space.apply(picture, operation, magnitude, up)
    })
}

/// One of the 14 at a strength drawn by lot, either way.
pub(super) fn trivial_augment(picture: Picture, lots: &mut Lots) -> Picture {
    let (operation, magnitude, up) = (any(lots), lots.below(u64::from(STRONGEST) + 1) as u32, lots.coin());
    Space::WIDE.apply(picture, operation, magnitude, up)
}

fn any(lots: &mut Lots) -> Operation {
    OPERATIONS[lots.below(OPERATIONS.len() as u64) as usize]
}

impl Space {
    /// `TrivialAugment`'s.
    const WIDE: Space = Space { shear: 0.99, translate: [32.0; 2], rotate: 135.0, factor: 0.99, bits: 6.0 };

    /// `RandAugment`'s, for pictures of this size; the paper moved pictures of 331 pixels by 150.
    fn of(picture: &Picture) -> Space {
        let translate = [picture.width, picture.height].map(|side| 150.0 / 331.0 * f64::from(side));
        Space { shear: 0.3, translate, rotate: 30.0, factor: 0.9, bits: 4.0 }
    }

    /// Operations that go either way go up, or down.
    fn apply(self, picture: Picture, operation: Operation, magnitude: u32, up: bool) -> Picture {
        let share = f64::from(magnitude) / f64::from(STRONGEST);
        let signed = |most: f64| if up { share * most } else { -share * most };
        let factor = (1.0 + signed(self.factor)) as f32;
        // Shears keep the upper left corner where it is.
        let (w, h) = (f64::from(picture.width), f64::from(picture.height));
        let map = |across: f64, down: f64, plus| warped(&picture, Origin { by: [[1.0, across], [down, 1.0]], plus });
        match operation {
            Operation::Identity => picture,
            Operation::ShearX => map(signed(self.shear), 0.0, [signed(self.shear) * h / 2.0, 0.0]),
            Operation::ShearY => map(0.0, signed(self.shear), [0.0, signed(self.shear) * w / 2.0]),
            Operation::TranslateX => map(0.0, 0.0, [-signed(self.translate[0]).trunc(), 0.0]),
            Operation::TranslateY => map(0.0, 0.0, [0.0, -signed(self.translate[1]).trunc()]),
            Operation::Rotate => warped(&picture, Origin::turned(signed(self.rotate))),
            Operation::Brightness => colour::brightness(picture, factor),
            Operation::Saturation => colour::saturation(picture, factor),
            Operation::Contrast => colour::contrast(picture, factor),
            Operation::Sharpness => sharpness::changed(&picture, factor),
            Operation::Posterize => colour::posterize(picture, 8 - (share * self.bits).round_ties_even() as u32),
            Operation::Solarize => colour::solarize(picture, 255.0 * (1.0 - share)),
            Operation::AutoContrast => colour::autocontrast(picture),
            Operation::Equalize => colour::equalize(picture),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An operation by torchvision's name, at a strength, up; in one of the two spaces.
    pub(in super::super) fn by_name(name: &str, picture: Picture, magnitude: u32, wide: bool, up: bool) -> Picture {
        let space = if wide { Space::WIDE } else { Space::of(&picture) };
        let name = if name == "Color" { "Saturation" } else { name };
        let operation = OPERATIONS.into_iter().find(|o| format!("{o:?}") == name).unwrap();
        space.apply(picture, operation, magnitude, up)
    }
}
