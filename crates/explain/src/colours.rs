//! Colours of maps that the colour-blind can read: viridis for what is none or more (van der Walt and Smith 2015; its lightness
//! rises evenly), and purple to orange for what has a sign (`ColorBrewer`'s `PuOr`, Harrower and Brewer 2003).

use crate::Heat;
use serde::Serialize;
use striate_data::Picture;

/// A colour map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Colours {
    /// From 0 (dark) to the largest (bright).
    Rising,
    /// From the most negative (purple) over 0 (white) to the most positive (orange).
    Signed,
}

const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 45, 123],
    [59, 82, 139],
    [44, 114, 142],
    [33, 144, 140],
    [39, 173, 129],
    [93, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

const PUOR: [[u8; 3]; 11] = [
    [45, 0, 75],
    [84, 39, 136],
    [128, 115, 172],
    [178, 171, 210],
    [216, 218, 235],
    [247, 247, 247],
    [254, 224, 182],
    [253, 184, 99],
    [224, 130, 20],
    [179, 88, 6],
    [127, 59, 8],
];

/// What is drawn where there is no value.
pub const NOTHING: [u8; 3] = [128, 128, 128];

impl Colours {
    /// The colour of a place on the map, 0 to 1; NaN is [`NOTHING`].
    pub fn at(self, place: f32) -> [u8; 3] {
        if place.is_nan() {
            return NOTHING;
        }
        let table: &[[u8; 3]] = match self {
            Colours::Rising => &VIRIDIS,
            Colours::Signed => &PUOR,
        };
        let at = place.clamp(0.0, 1.0) * (table.len() - 1) as f32;
        let low = (at as usize).min(table.len() - 2);
        let share = at - low as f32;
        let mix = |c: usize| f32::from(table[low][c]) * (1.0 - share) + f32::from(table[low + 1][c]) * share;
        std::array::from_fn(|c| mix(c).round() as u8)
    }

    /// The values at both ends for a map: 0 and the largest, or the largest absolute value with both signs. High tails
    /// are cut: the hundredth part of the pixels with the most extreme values may lie beyond the ends.
    pub fn ends(self, heat: &Heat) -> [f32; 2] {
        let mut sizes: Vec<f32> = heat
            .values
            .iter()
            .filter(|v| v.is_finite())
            .map(|v| if self == Colours::Signed { v.abs() } else { v.max(0.0) })
            .collect();
        sizes.sort_by(f32::total_cmp);
        let last = sizes.len().saturating_sub(1) * 99 / 100;
        let most = sizes.get(last).copied().unwrap_or(0.0);
        // A map that is nothing nearly everywhere still shows what there is.
        let most = if most > 0.0 { most } else { sizes.last().copied().unwrap_or(0.0) };
        let most = if most > 0.0 { most } else { 1.0 };
        match self {
            Colours::Rising => [0.0, most],
            Colours::Signed => [-most, most],
        }
    }

    /// A map as a picture.
    pub fn paint(self, heat: &Heat, [low, high]: [f32; 2]) -> Picture {
        let pixels = heat.values.iter().flat_map(|v| self.at((v - low) / (high - low))).collect();
        Picture { width: heat.w as u32, height: heat.h as u32, channels: 3, pixels }
    }

    /// A map laid over the picture, in grey, of which it is: the larger a value's size, the more of its colour. What has
    /// no value is darkened.
    ///
    /// # Panics
    /// If the two are not of one size.
    pub fn over(self, picture: &Picture, heat: &Heat, [low, high]: [f32; 2]) -> Picture {
        assert_eq!((picture.width as usize, picture.height as usize), (heat.w, heat.h), "one size");
        let grey = picture.to_grey();
        let pixel = |(level, v): (&u8, &f32)| -> [u8; 3] {
            if v.is_nan() {
                return [level / 3; 3];
            }
            let place = (v - low) / (high - low);
            let size = if self == Colours::Signed { (2.0 * place - 1.0).abs() } else { place };
            let share = 0.15 + 0.6 * size.clamp(0.0, 1.0);
            let colour = self.at(place);
            colour.map(|c| (f32::from(c) * share + f32::from(*level) * (1.0 - share)).round() as u8)
        };
        let pixels = grey.pixels.iter().zip(&heat.values).flat_map(pixel).collect();
        Picture { width: picture.width, height: picture.height, channels: 3, pixels }
    }
}

/// Values around zero as a picture of their own: zero is mid-grey, the largest absolute value black or white. Three channels
/// are colours, any other number becomes its mean. As the paper's plates of projections.
pub fn projection(values: &[f32], h: usize, w: usize) -> Picture {
    let c = values.len() / (h * w);
    let most = values.iter().fold(0.0, |m: f32, v| if v.abs() > m { v.abs() } else { m });
    let scale = if most > 0.0 { 127.5 / most } else { 0.0 };
    let level = |v: f32| (127.5 + scale * v).round().clamp(0.0, 255.0) as u8;
    let pixel = |v: &[f32]| -> [u8; 3] {
        match v {
            [r, g, b] => [level(*r), level(*g), level(*b)],
            _ => [level(v.iter().sum::<f32>() / c as f32); 3],
        }
    };
    let pixels = values.chunks_exact(c).flat_map(pixel).collect();
    Picture { width: w as u32, height: h as u32, channels: 3, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the eye takes for lightness, roughly: BT.601's luma.
    fn luma([r, g, b]: [u8; 3]) -> f32 {
        0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
    }

    #[test]
    fn lightness_says_the_value() {
        let rising: Vec<f32> = (0..=64).map(|i| luma(Colours::Rising.at(i as f32 / 64.0))).collect();
        assert!(rising.windows(2).all(|w| w[0] < w[1] + 0.5), "{rising:?}");
        let signed: Vec<f32> = (0..=32).map(|i| luma(Colours::Signed.at(0.5 + i as f32 / 64.0))).collect();
        assert!(signed.windows(2).all(|w| w[0] + 0.5 > w[1]), "{signed:?}");
        // Of one size, the signs differ in blue against red, which every kind of colour blindness keeps apart.
        for i in 2..=16 {
            let (up, down) = (Colours::Signed.at(0.5 + i as f32 / 32.0), Colours::Signed.at(0.5 - i as f32 / 32.0));
            assert!(i16::from(down[2]) - i16::from(up[2]) > 20, "{up:?} {down:?}");
        }
    }

    #[test]
    fn ends_are_even_and_never_nothing() {
        assert_eq!(Colours::Signed.ends(&Heat::new(1, 3, vec![-2.0, 1.0, 0.5])), [-1.0, 1.0]);
        assert_eq!(Colours::Rising.ends(&Heat::new(1, 2, vec![0.0, 0.0])), [0.0, 1.0]);
        assert_eq!(Colours::Rising.ends(&Heat::new(1, 3, vec![0.0, f32::NAN, 4.0])), [0.0, 4.0]);
    }

    #[test]
    fn pictures_have_a_colour_for_every_value() {
        let heat = Heat::new(1, 3, vec![0.0, 1.0, f32::NAN]);
        let painted = Colours::Rising.paint(&heat, [0.0, 1.0]);
        assert_eq!(painted.pixels, [[68, 1, 84], [253, 231, 37], NOTHING].concat());
        let over = Colours::Rising.over(&Picture::filled(3, 1, &[90]), &heat, [0.0, 1.0]);
        assert_eq!((over.channels, &over.pixels[6..]), (3, &[30, 30, 30][..]));
        assert_eq!(projection(&[0.0, -1.0, 0.5], 1, 1).pixels, [128, 0, 191]);
        assert_eq!(projection(&[0.0, 2.0], 2, 1).pixels, [128, 128, 128, 255, 255, 255]);
    }
}
