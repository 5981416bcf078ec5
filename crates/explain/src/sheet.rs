//! Sheets of pictures with captions and scale bars: one layout, written as PNG or as SVG.

use crate::Colours;
use std::fmt::Write;
use striate_data::{LETTER, Picture, data_uri, text_width};

/// A picture with what is written under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// The picture.
    pub picture: Picture,
    /// Lines under it.
    pub caption: Vec<String>,
    /// Whether it is framed and crossed out: a channel that is dead.
    pub marked: bool,
}

impl Tile {
    /// A picture with lines under it.
    pub fn new(picture: Picture, caption: impl IntoIterator<Item = String>) -> Tile {
        Tile { picture, caption: caption.into_iter().collect(), marked: false }
    }
}

/// A colour map with the values at its ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// The map.
    pub colours: Colours,
    /// What stands at the lower end.
    pub low: String,
    /// What stands at the upper end.
    pub high: String,
    /// What is shown.
    pub what: String,
}

/// Pictures in rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// The heading.
    pub title: String,
    /// Lines below all.
    pub notes: Vec<String>,
    /// Tiles in a row.
    pub columns: usize,
    /// The pictures.
    pub tiles: Vec<Tile>,
    /// Scale bars.
    pub bars: Vec<Bar>,
    /// Smaller pictures are enlarged, by a whole factor, until their longer side is about so long.
    pub least: u32,
}

/// Where everything is, in pixels.
struct Layout {
    width: u32,
    height: u32,
    /// The letters' scale.
    scale: u32,
    /// For each tile, its corner, its picture's size, and how often it is enlarged.
    tiles: Vec<([u32; 2], [u32; 2], u32)>,
    /// Each bar's corner.
    bars: Vec<[u32; 2]>,
    /// The notes' first line.
    notes: u32,
}

const MARGIN: u32 = 12;
const GAP: u32 = 8;
/// Between a picture or bar and its first line, and between lines.
const LEADING: u32 = 3;
const BAR: [u32; 2] = [160, 12];
/// Pictures from this width on get letters of twice the size.
const WIDE: u32 = 180;
const PAPER: [u8; 3] = [255, 255, 255];
const INK: [u8; 3] = [20, 20, 20];
const MARK: [u8; 3] = [200, 30, 30];

impl Layout {
    /// From one line of text to the next.
    fn line(&self) -> u32 {
        line(self.scale)
    }

    /// A bar's width and height: room for the words at both ends.
    fn bar(&self) -> [u32; 2] {
        [BAR[0] * self.scale, BAR[1]]
    }
}

fn line(scale: u32) -> u32 {
    LETTER * scale + LEADING
}

/// Lines of text, each with where it begins.
fn lines(all: &[String], top: u32, line: u32) -> impl Iterator<Item = (u32, &String)> {
    (top..).step_by(line as usize).zip(all)
}

impl Sheet {
    /// An empty sheet.
    pub fn new(title: impl Into<String>, columns: usize) -> Sheet {
        let title = title.into();
        Sheet { title, notes: Vec::new(), columns: columns.max(1), tiles: Vec::new(), bars: Vec::new(), least: 96 }
    }

    /// An empty sheet with columns for about as many rows, for so many tiles.
    pub fn square(title: impl Into<String>, tiles: usize) -> Sheet {
        Sheet::new(title, (tiles as f64).sqrt().ceil() as usize)
    }

    fn layout(&self) -> Layout {
        let zoom = |tile: &Tile| (self.least / tile.picture.width.max(tile.picture.height).max(1)).max(1);
        let size = |tile: &Tile| [tile.picture.width, tile.picture.height].map(|side| side * zoom(tile));
        let widest = self.tiles.iter().map(|t| size(t)[0]).max().unwrap_or(0);
        let scale = if widest >= WIDE { 2 } else { 1 };
        let line = line(scale);
        let most_lines = |tiles: &[Tile]| tiles.iter().map(|t| t.caption.len()).max().unwrap_or(0) as u32;
        let text = |tile: &Tile| tile.caption.iter().map(|c| text_width(c, scale)).max().unwrap_or(0);
        let column = |c: usize| {
            let tiles = self.tiles.iter().skip(c).step_by(self.columns);
            tiles.map(|t| size(t)[0].max(text(t))).max().unwrap_or(0)
        };
        let widths: Vec<u32> = (0..self.columns.min(self.tiles.len())).map(column).collect();
        let mut y = MARGIN + LETTER * 2 + GAP;
        let mut tiles = Vec::new();
        for row in self.tiles.chunks(self.columns) {
            let mut x = MARGIN;
            for (tile, width) in row.iter().zip(&widths) {
                tiles.push(([x, y], size(tile), zoom(tile)));
                x += width + GAP;
            }
            let tallest = row.iter().map(|t| size(t)[1]).max().unwrap_or(0);
            y += tallest + LEADING + most_lines(row) * line + GAP;
        }
        let mut bars = Vec::new();
        for _ in &self.bars {
            bars.push([MARGIN, y]);
            y += BAR[1] + LEADING + line + GAP;
        }
        let notes = y;
        y += self.notes.len() as u32 * line + MARGIN;
        let words = self.notes.iter().map(|n| text_width(n, scale)).chain([text_width(&self.title, 2)]);
        let bar = |b: &Bar| BAR[0] * scale + 2 * GAP + text_width(&b.what, scale);
        let content = widths.iter().map(|w| w + GAP).sum::<u32>().saturating_sub(GAP);
        let width = words.chain(self.bars.iter().map(bar)).max().unwrap_or(0).max(content) + 2 * MARGIN;
        Layout { width, height: y, scale, tiles, bars, notes }
    }

    /// The sheet as a picture.
    pub fn draw(&self) -> Picture {
        let layout = self.layout();
        let (scale, line, [wide, _]) = (layout.scale, layout.line(), layout.bar());
        let mut sheet = Picture::filled(layout.width, layout.height, &PAPER);
        sheet.write(&self.title, MARGIN, MARGIN, 2, &INK);
        for (tile, &([x, y], [w, h], zoom)) in self.tiles.iter().zip(&layout.tiles) {
            sheet.paste(&tile.picture.to_colour().enlarged(zoom), x, y);
            if tile.marked {
                cross(&mut sheet, [x, y], [w, h]);
            }
            for (y, caption) in lines(&tile.caption, y + h + LEADING, line) {
                sheet.write(caption, x, y, scale, &INK);
            }
        }
        for (bar, &[x, y]) in self.bars.iter().zip(&layout.bars) {
            for i in 0..wide {
                sheet.fill(x + i, y, 1, BAR[1], &bar.colours.at(i as f32 / (wide - 1) as f32));
            }
            let below = y + BAR[1] + LEADING;
            sheet.write(&bar.low, x, below, scale, &INK);
            let right = (x + wide).saturating_sub(text_width(&bar.high, scale));
            sheet.write(&bar.high, right, below, scale, &INK);
            sheet.write(&bar.what, x + wide + GAP, y, scale, &INK);
        }
        for (y, note) in lines(&self.notes, layout.notes, line) {
            sheet.write(note, MARGIN, y, scale, &INK);
        }
        sheet
    }

    /// The sheet as a PNG file.
    pub fn to_png(&self) -> Vec<u8> {
        self.draw().to_png()
    }

    /// The sheet as an SVG file: text stays text, pictures are PNGs inside, enlarged without smoothing.
    pub fn to_svg(&self) -> String {
        let layout = self.layout();
        let (width, height, size, line) = (layout.width, layout.height, LETTER * layout.scale, layout.line());
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" font-family=\"sans-serif\" fill=\"#141414\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
        );
        let mut write = |text: &str, x: u32, top: u32, size: u32, anchor: &str| {
            // Writing into a string cannot fail. Letters of most fonts are wider than half their height by little.
            let (baseline, size) = (top + size, f64::from(size) * 1.15);
            let text = escaped(text);
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{baseline}\" font-size=\"{size:.1}\" text-anchor=\"{anchor}\">{text}</text>"
            );
        };
        write(&self.title, MARGIN, MARGIN, 2 * LETTER, "start");
        for (tile, &([x, y], [_, h], _)) in self.tiles.iter().zip(&layout.tiles) {
            for (y, caption) in lines(&tile.caption, y + h + LEADING, line) {
                write(caption, x, y, size, "start");
            }
        }
        for (bar, &[x, y]) in self.bars.iter().zip(&layout.bars) {
            write(&bar.low, x, y + BAR[1] + LEADING, size, "start");
            write(&bar.high, x + layout.bar()[0], y + BAR[1] + LEADING, size, "end");
            write(&bar.what, x + layout.bar()[0] + GAP, y, size, "start");
        }
        for (y, note) in lines(&self.notes, layout.notes, line) {
            write(note, MARGIN, y, size, "start");
        }
        for (tile, &(at, size, _)) in self.tiles.iter().zip(&layout.tiles) {
            svg += &image(&tile.picture, at, size);
        }
        for (bar, &at) in self.bars.iter().zip(&layout.bars) {
            let pixels = (0..64).flat_map(|i| bar.colours.at(i as f32 / 63.0)).collect();
            svg += &image(&Picture { width: 64, height: 1, channels: 3, pixels }, at, layout.bar());
        }
        for (_, &([x, y], [w, h], _)) in self.tiles.iter().zip(&layout.tiles).filter(|(tile, _)| tile.marked) {
            let (right, bottom) = (x + w, y + h);
            svg += &format!(
                "<path d=\"M{x} {y}H{right}V{bottom}H{x}ZL{right} {bottom}M{right} {y}L{x} {bottom}\" fill=\"none\" \
                 stroke=\"#c81e1e\" stroke-width=\"2\"/>\n"
            );
        }
        svg += "</svg>\n";
        svg
    }
}

/// A picture at a place of an SVG file.
fn image(picture: &Picture, [x, y]: [u32; 2], [w, h]: [u32; 2]) -> String {
    let data = data_uri("image/png", &picture.to_png());
    format!(
        "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" \
         style=\"image-rendering:pixelated\" href=\"{data}\"/>\n"
    )
}

/// A frame and both diagonals.
fn cross(sheet: &mut Picture, [x, y]: [u32; 2], [w, h]: [u32; 2]) {
    for i in 0..w {
        let down = i * (h - 1) / (w - 1).max(1);
        for row in [0, h - 1, down, h - 1 - down] {
            sheet.fill(x + i, y + row, 1, 1, &MARK);
        }
    }
    sheet.fill(x, y, 1, h, &MARK);
    sheet.fill(x + w - 1, y, 1, h, &MARK);
}

/// Text so that it means itself in XML, which may hold no control characters.
fn escaped(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_data::{Limits, decode};

    fn sheet() -> Sheet {
        let mut sheet = Sheet::new("Two & one", 2);
        for (i, size) in [(0u8, (30, 20)), (1, (200, 120)), (2, (8, 8))] {
            let tile = Tile::new(Picture::filled(size.0, size.1, &[i, 100, 200]), [format!("tile {i}"), "<>".into()]);
            sheet.tiles.push(Tile { marked: i == 2, ..tile });
        }
        let bar = Bar { colours: Colours::Signed, low: "−1".into(), high: "1".into(), what: "what".into() };
        sheet.bars.push(bar);
        sheet.notes.push("a note".into());
        sheet
    }

    #[test]
    fn nothing_overlaps_or_leaves_the_sheet() {
        let sheet = sheet();
        let layout = sheet.layout();
        let line = layout.line();
        let boxes: Vec<[u32; 4]> = layout
            .tiles
            .iter()
            .map(|([x, y], [w, h], _)| [*x, *y, x + w, y + h + LEADING + 2 * line])
            .chain(layout.bars.iter().map(|[x, y]| [*x, *y, x + layout.bar()[0], y + BAR[1] + LEADING + line]))
            .chain([[MARGIN, layout.notes, MARGIN + 1, layout.notes + line]])
            .collect();
        for (i, a) in boxes.iter().enumerate() {
            assert!(a[2] <= layout.width && a[3] <= layout.height, "{a:?}");
            for b in &boxes[..i] {
                assert!(a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1], "{a:?} {b:?}");
            }
        }
        // Small pictures are enlarged by whole factors.
        assert_eq!(layout.tiles.iter().map(|t| t.2).collect::<Vec<_>>(), [3, 1, 12]);
    }

    #[test]
    fn both_formats_can_be_read() {
        let sheet = sheet();
        let read = decode(&sheet.to_png(), &Limits::default()).unwrap();
        assert_eq!(read, sheet.draw());
        let svg = sheet.to_svg();
        assert_eq!(svg.matches("<image ").count(), 4);
        assert!(svg.contains("Two &amp; one") && svg.contains("&lt;&gt;") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<path ").count(), 1);
    }
}
