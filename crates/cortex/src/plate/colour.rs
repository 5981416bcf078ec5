//! Colours for values: grey for light, blue to red for signed weights, hues for angles.

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// Contrast −1 (black) to 1 (white) as grey.
pub fn grey(contrast: f64) -> Rgb {
    [(127.5 * (1.0 + contrast.clamp(-1.0, 1.0))).round() as u8; 3]
}

/// −1 blue, 0 white, 1 red; told apart by colour-blind people too.
pub fn diverging(value: f64) -> Rgb {
    let v = value.clamp(-1.0, 1.0);
    let end: [f64; 3] = if v < 0.0 { [0.0, 90.0, 181.0] } else { [200.0, 60.0, 20.0] };
    end.map(|c| (255.0 + v.abs() * (c - 255.0)).round() as u8)
}

/// An angle as a share of its circle, 0 to 1, as a hue, `brightness` 0 to 1.
pub fn hue(share: f64, brightness: f64) -> Rgb {
    let at = |shift: f64| {
        let h = (share + shift).rem_euclid(1.0) * 6.0;
        let v = (2.0 - (h - 3.0).abs()).clamp(0.0, 1.0);
        (255.0 * brightness.clamp(0.0, 1.0) * (1.0 - v)).round() as u8
    };
    [at(0.0), at(2.0 / 3.0), at(1.0 / 3.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middles_are_as_said() {
        assert_eq!((grey(-1.0), grey(1.0), grey(9.0)), ([0; 3], [255; 3], [255; 3]));
        assert_eq!(diverging(0.0), [255; 3]);
        assert!(diverging(1.0)[0] > diverging(1.0)[2] && diverging(-1.0)[2] > diverging(-1.0)[0]);
        assert_eq!([hue(0.0, 1.0), hue(1.0 / 3.0, 1.0), hue(2.0 / 3.0, 1.0)], [[255, 0, 0], [0, 255, 0], [0, 0, 255]]);
    }
}
