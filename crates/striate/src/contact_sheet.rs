//! Contact sheets: labelled rows of pictures under headings, as one picture.

use striate_data::{Fit, Picture, Preprocessing};

/// Rows of pictures with a heading over each column.
#[derive(Clone, Debug)]
pub struct Part {
    /// A line above.
    pub title: String,
    /// The headings.
    pub columns: Vec<String>,
    /// Each row's name, in lines, and its pictures.
    pub rows: Vec<(Vec<String>, Vec<Picture>)>,
}

/// A tile's longer side is at least this long, and at most twice as long.
const TILE: u32 = 128;
/// Between tiles, and around the sheet.
const GAP: u32 = 4;
const MARGIN: u32 = 12;
/// How often letters are enlarged, their side then, and the height of a line.
const SCALE: u32 = 2;
const LETTER: u32 = SCALE * striate_data::LETTER;
const LINE: u32 = 22;
/// Characters of a row's name.
const NAME: u32 = 14;
const PAPER: [u8; 3] = [255, 255, 255];
const INK: [u8; 3] = [30, 30, 30];
const PALE: [u8; 3] = [110, 110, 110];

/// The sheet, for pictures of `w` × `h` pixels: tiles are as large, times a whole number, or reduced. Pictures of other sizes
/// are brought to that one.
pub fn draw(title: &str, (w, h): (u32, u32), parts: &[Part]) -> Picture {
    let (tile_w, tile_h) = match w.max(h) {
        side if side < 2 * TILE => (w * TILE.div_ceil(side), h * TILE.div_ceil(side)),
        side => ((2 * TILE * w / side).max(1), (2 * TILE * h / side).max(1)),
    };
    let columns = parts.iter().map(|p| p.columns.len()).max().unwrap_or(0) as u32;
    let rows = |part: &Part| part.rows.len() as u32;
    let left = MARGIN + NAME * LETTER;
    let width = left + columns * (tile_w + GAP) + MARGIN;
    let heights = parts.iter().map(|part| 3 * LINE + rows(part) * (tile_h + GAP));
    let mut sheet = Picture::filled(width, 2 * MARGIN + LINE + heights.sum::<u32>(), &PAPER);
    write(&mut sheet, MARGIN, MARGIN, title, INK, width - 2 * MARGIN);
    let mut y = MARGIN + LINE;
    for part in parts {
        y += LINE;
        write(&mut sheet, MARGIN, y, &part.title, PALE, width - 2 * MARGIN);
        y += LINE;
        for (heading, x) in part.columns.iter().zip((left..).step_by((tile_w + GAP) as usize)) {
            write(&mut sheet, x, y, heading, INK, tile_w);
        }
        y += LINE;
        for (name, pictures) in &part.rows {
            for (line, at) in name.iter().zip((y..).step_by(LINE as usize)) {
                write(&mut sheet, MARGIN, at, line, INK, (NAME - 1) * LETTER);
            }
            for (picture, x) in pictures.iter().zip((left..).step_by((tile_w + GAP) as usize)) {
                sheet.paste(&tile(picture, tile_w, tile_h), x, y);
            }
            y += tile_h + GAP;
        }
    }
    sheet
}

/// The picture at this size and in colour: each pixel a square where that is possible, else resized.
fn tile(picture: &Picture, width: u32, height: u32) -> Picture {
    let picture = picture.to_colour();
    if !width.is_multiple_of(picture.width) || !height.is_multiple_of(picture.height) {
        return Preprocessing::new(width, height, 3, Fit::Stretch).fit(&picture);
    }
    let (across, down) = (width / picture.width, height / picture.height);
    let mut tile = Picture::filled(width, height, &PAPER);
    for y in 0..picture.height {
        for x in 0..picture.width {
            tile.paste(&Picture::filled(across, down, picture.pixel(x, y)), x * across, y * down);
        }
    }
    tile
}

/// Writes a line whose upper left corner is at (x, y), as far as it fits into `room` pixels.
fn write(sheet: &mut Picture, x: u32, y: u32, text: &str, colour: [u8; 3], room: u32) {
    let fitting: String = text.chars().take((room / LETTER) as usize).collect();
    sheet.write(&fitting, x, y, SCALE, &colour);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_and_letters_stand_where_they_belong() {
        let picture = |level: u8| Picture::filled(32, 16, &[level]);
        let row = (vec!["à?\u{4e2d}".into()], vec![picture(10), picture(20)]);
        let part =
            Part { title: "part".into(), columns: vec!["one".into(), "two".into()], rows: vec![row.clone(), row] };
        let sheet = draw("title", (32, 16), &[part.clone(), part]);
        let left = MARGIN + NAME * LETTER;
        assert_eq!(sheet.width, left + 2 * (128 + GAP) + MARGIN);
        assert_eq!(sheet.height, 2 * MARGIN + LINE + 2 * (3 * LINE + 2 * (64 + GAP)));
        let top = MARGIN + 4 * LINE;
        assert_eq!((sheet.pixel(left, top), sheet.pixel(left + 127, top + 63)), (&[10; 3][..], &[10; 3][..]));
        assert_eq!(sheet.pixel(left + 128 + GAP, top + 64 + GAP), [20; 3]);
        assert_eq!(sheet.pixel(left + 128, top), PAPER, "a gap");
        // What the font lacks looks like the question mark before it.
        let letter = |n: u32| -> Vec<&[u8]> {
            (0..256).map(|i| sheet.pixel(MARGIN + n * LETTER + i % 16, top + i / 16)).collect()
        };
        assert!(letter(0).contains(&&INK[..]) && letter(0) != letter(1));
        assert_eq!(letter(1), letter(2));
    }

    #[test]
    fn large_pictures_are_reduced_and_long_texts_cut() {
        let rows = vec![(vec!["x".repeat(100)], vec![Picture::filled(900, 300, &[1, 2, 3])])];
        let part = Part { title: "y".repeat(1000), columns: vec!["z".repeat(99)], rows };
        let sheet = draw(&"t".repeat(1000), (900, 300), &[part]);
        assert!(sheet.width < 600 && sheet.height < 300, "{sheet:?}");
        assert!(draw("nothing", (1, 1), &[]).width > 0);
    }
}
