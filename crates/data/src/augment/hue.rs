//! Hues turned: to hue, saturation and value (Smith 1978, DOI 10.1145/800248.807361) and back, in 32 bits, without the 8-bit
//! hues between that Pillow has.

use crate::picture::Picture;

/// Every pixel's hue turned by `turns` of the circle, −½ to ½; grey pictures stay.
pub(super) fn turned(mut picture: Picture, turns: f32) -> Picture {
    if picture.channels == 3 {
        let (pixels, _) = picture.pixels.as_chunks_mut::<3>();
        for p in pixels {
            *p = pixel(*p, 6.0 * turns);
        }
    }
    picture
}

/// A pixel turned by so many sixths of the circle, −3 to 3.
fn pixel([r, g, b]: [u8; 3], sixths: f32) -> [u8; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most == least {
        return [r, g, b];
    }
    let range = f32::from(most - least);
    let difference = |a: u8, b: u8| (f32::from(a) - f32::from(b)) / range;
    let hue = if r == most {
        difference(g, b)
    } else if g == most {
        2.0 + difference(b, r)
    } else {
        4.0 + difference(r, g)
    };
    // From −4 to 8, brought to 0 to 6; what is a little below 0 may round to 6.
    let mut hue = hue + sixths;
    if hue < 0.0 {
        hue += 6.0;
    }
    if hue >= 6.0 {
        hue -= 6.0;
    }
    let sector = hue as u32;
    let share = hue - sector as f32;
    let level = |below: f32| (f32::from(most) - range * below + 0.5) as u8;
    let (falling, rising) = (level(share), level(1.0 - share));
    match sector {
        0 => [most, rising, least],
        1 => [falling, most, least],
        2 => [least, most, rising],
        3 => [least, falling, most],
        4 => [rising, least, most],
        _ => [most, least, falling],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirds_of_a_turn_swap_the_channels() {
        for p in [[255, 0, 0], [200, 100, 50], [10, 20, 250], [7, 7, 7], [0, 0, 0], [255, 254, 255], [3, 9, 9]] {
            let [r, g, b] = p;
            assert_eq!(pixel(p, 0.0), p);
            assert_eq!(pixel(p, 2.0), [b, r, g], "red becomes green");
            assert_eq!(pixel(p, -2.0), [g, b, r]);
            assert_eq!(pixel(p, 3.0), pixel(p, -3.0));
        }
        assert_eq!(pixel([255, 0, 0], 1.0), [255, 255, 0]);
        assert_eq!(pixel([255, 0, 0], 0.5), [255, 128, 0]);
    }
}
