//! What S-planes have learnt, shown by the pictures that they answer most strongly: the part of the input layer that the cell
//! looks at.

use super::network::{INPUT, Neocognitron, map};
use super::{Maps, Window};
use crate::plate::Image;
use striate_data::Picture;
use striate_kernels::Cpu;

/// Pixels of the input layer to each side of a cell's middle that are shown, by the stage.
const SHOWN: [isize; 4] = [6, 13, 22, 32];

impl Neocognitron {
    /// For each plane of S-stage `stage` (0 to 3): what it answers most strongly in these pictures, or `None` if it is silent.
    pub fn features(&self, cpu: &Cpu, pictures: &[Picture], stage: usize) -> Vec<Option<Image>> {
        let strongest = map(cpu, pictures, |picture| {
            let answers = self.stage(cpu, picture, stage);
            (0..answers.planes)
                .map(|k| {
                    let plane = answers.plane(k);
                    (0..plane.len()).fold((0.0_f32, 0), |best, i| if plane[i] > best.0 { (plane[i], i) } else { best })
                })
                .collect::<Vec<(f32, usize)>>()
        });
        let side = self.s[stage].window.to;
        (0..self.s[stage].planes.len())
            .map(|k| {
                let all = strongest.iter().enumerate().map(|(p, answers)| (answers[k], p));
                let ((u, cell), p) = all.reduce(|a, b| if b.0.0 > a.0.0 { b } else { a })?;
                (u > 0.0).then(|| self.seen_by(&self.receptors(&pictures[p]), stage, cell / side, cell % side))
            })
            .collect()
    }

    /// The part of the input layer around the middle of a cell's receptive field; black beyond its edge.
    fn seen_by(&self, receptors: &Maps, stage: usize, y: usize, x: usize) -> Image {
        let (middle_y, middle_x) = (self.middle(stage, y), self.middle(stage, x));
        let (shown, n) = (SHOWN[stage], 2 * SHOWN[stage] + 1);
        let level = |i: isize| {
            let (py, px) = (middle_y - shown + i / n, middle_x - shown + i % n);
            let inside = (0..INPUT as isize).contains(&py) && (0..INPUT as isize).contains(&px);
            if inside { receptors.values[(py * INPUT as isize + px) as usize] } else { 0.0 }
        };
        let values: Vec<f32> = (0..n * n).map(level).collect();
        Image::of(n as usize, &values, |v| [(255.0 * (1.0 - v)).round() as u8; 3])
    }

    /// The row (or column) of the input layer under row `i` of an S-stage.
    fn middle(&self, stage: usize, i: usize) -> isize {
        let mut place = self.s[stage].window.middle(i);
        for below in (0..stage).rev() {
            place = over(&Self::c_window(below), place);
            place = over(&self.s[below].window, place);
        }
        over(&Self::contrast_window(), place)
    }
}

/// [`Window::middle`] of a place that may lie beyond the edge.
fn over(window: &Window, i: isize) -> isize {
    window.first() + window.stride as isize * i
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn the_middle_of_every_stage_lies_over_the_middle_of_the_input() {
        let cpu = Cpu::new(1).unwrap();
        let network = Neocognitron::new(&cpu, Settings::default(), Vec::new());
        for stage in 0..4 {
            let side = network.s[stage].window.to;
            assert_eq!(network.middle(stage, side / 2), 32, "stage {stage}");
            // Neighbours are 1, 2, 4 and 8 receptors apart.
            assert_eq!(network.middle(stage, side / 2 + 1), 32 + (1 << stage));
        }
    }
}
