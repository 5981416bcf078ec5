//! Features computed once for the whole picture, and regions pooled from them: the idea of SPP-net (He et al. 2014,
//! arXiv:1406.4729) and Fast R-CNN (Girshick 2015, arXiv:1504.08083).
//!
//! The network is parted behind its last map. The picture goes through the first part at a few sizes, each half as large as the
//! one before; a region, widened by its context, takes the size at which it is nearest to the network's input, and the cells
//! that lie in it are pooled by maximum to a map as the second part was trained for. The network was fine-tuned on warped
//! regions; machines and regressors learn from what is pooled here.

use super::extract::Reading;
use super::network::Readout;
use super::windows::Windows;
use crate::bounding_box::BoundingBox;
use crate::error::DetectError;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;
use striate_data::Picture;
use striate_engine::{Parameters, Request, Session};
use striate_graph::{Graph, NodeId, Shape, Span};
use striate_kernels::Cpu;

/// Sizes of pictures that a plan is kept for.
const PLANS: usize = 16;

/// A network that reads regions of whole pictures.
pub(super) struct Shared {
    /// Up to the last map, for an input of the network's own size.
    trunk: Graph,
    trunk_parameters: Parameters,
    /// Rows, then columns: what the cells of the last map see.
    spans: [Span; 2],
    /// Its plans, by the picture's height and width.
    plans: HashMap<(usize, usize), Session>,
    head: Session,
    head_parameters: Parameters,
    /// The judged node in the head, or the last map itself.
    features: Option<NodeId>,
    /// The shape of the last map, for the network's own input.
    map: Shape,
    windows: Windows,
    cpu: Arc<Cpu>,
    batch: usize,
    maps: Vec<f32>,
    pub(super) seconds: [f64; 2],
}

/// The picture's last map at one size.
struct Level {
    /// How much larger than the picture what the network saw was.
    scale: [f64; 2],
    shape: Shape,
    values: Vec<f32>,
}

impl Shared {
    pub(super) fn new(
        graph: &Arc<Graph>,
        parameters: &Parameters,
        windows: &Windows,
        readout: Readout,
        cpu: &Arc<Cpu>,
        batch: usize,
    ) -> Result<Self, DetectError> {
        let network = |why: &str| DetectError::Network { network: graph.name().to_owned(), why: why.to_owned() };
        let node = graph.node(readout.pooled);
        if !graph.passages().contains(&readout.pooled) || node.shape.is_vector() {
            let why = format!("has no map at `{}` that everything passes through, to pool regions from", node.name);
            return Err(network(&why));
        }
        let spans = graph.receptive_fields()[readout.pooled.index()].spans();
        let spans = spans.ok_or_else(|| network("has a last map whose cells see the whole picture"))?;
        let (trunk, head) = (graph.until(readout.pooled), graph.behind(readout.pooled)?);
        let mut all = parameters.clone();
        let (trunk_parameters, head_parameters) = (all.take_part(&trunk)?, all.take_part(&head)?);
        let name = &graph.node(readout.features).name;
        let features = (readout.features != readout.pooled).then(|| head.find(name)).transpose()?;
        let request = Request { taps: features.into_iter().collect(), ..Request::predict(batch) };
        let head = Session::new(Arc::new(head), cpu.clone(), &request)?;
        let maps = vec![0.0; batch * node.shape.len()];
        Ok(Self {
            trunk,
            trunk_parameters,
            spans,
            plans: HashMap::new(),
            head,
            head_parameters,
            features,
            map: node.shape,
            windows: windows.clone(),
            cpu: cpu.clone(),
            batch,
            maps,
            seconds: [0.0; 2],
        })
    }

    pub(super) fn lengths(&self) -> (usize, usize) {
        let features = self.features.map_or(self.map.len(), |id| self.head.graph().node(id).shape.len());
        (features, self.map.len())
    }

    pub(super) fn read(
        &mut self,
        picture: &Picture,
        boxes: &[BoundingBox],
        take: &mut dyn FnMut(&Reading<'_>),
    ) -> Result<(), DetectError> {
        let regions: Vec<BoundingBox> = boxes.iter().map(|b| self.windows.widened(b)).collect();
        let side = f64::from(self.windows.side());
        let depth = |region: &BoundingBox| depth_of(region, side, picture);
        let deepest = regions.iter().map(depth).max().unwrap_or(0);
        let begun = Instant::now();
        let mut levels: Vec<Option<Level>> = Vec::new();
        for level in 0..=deepest {
            let asked = regions.iter().any(|region| depth(region) == level);
            levels.push(if asked { Some(self.level(picture, level)?) } else { None });
        }
        self.seconds[1] += begun.elapsed().as_secs_f64();
        let len = self.map.len();
        for (at, part) in regions.chunks(self.batch).enumerate() {
            let begun = Instant::now();
            let (map, spans, maps) = (self.map, self.spans, &mut self.maps[..part.len() * len]);
            self.cpu.chunks(maps, len, |i, out| {
                if let Some(level) = &levels[depth(&part[i]) as usize] {
                    level.pool(&part[i], spans, map, out);
                }
            });
            self.seconds[0] += begun.elapsed().as_secs_f64();
            let begun = Instant::now();
            self.head.forward(&self.head_parameters, maps, part.len(), 0)?;
            self.seconds[1] += begun.elapsed().as_secs_f64();
            let logits = self.head.activation(self.head.graph().output_id())?;
            let features = match self.features {
                Some(id) => self.head.activation(id)?,
                None => &*maps,
            };
            let (l, f) = (logits.len() / part.len(), features.len() / part.len());
            for i in 0..part.len() {
                take(&Reading {
                    region: at * self.batch + i,
                    features: &features[i * f..(i + 1) * f],
                    pooled: &maps[i * len..(i + 1) * len],
                    logits: &logits[i * l..(i + 1) * l],
                });
            }
        }
        Ok(())
    }

    /// The last map of a picture halved so many times.
    fn level(&mut self, picture: &Picture, halvings: u32) -> Result<Level, DetectError> {
        // Never smaller than the network's own input, for which the trunk is known to fit.
        let least = f64::from(self.windows.side());
        let length = |length: u32| (f64::from(length) / f64::from(1 << halvings)).round().max(least) as usize;
        let (h, w) = (length(picture.height), length(picture.width));
        if self.plans.len() >= PLANS && !self.plans.contains_key(&(h, w)) {
            self.plans.clear();
        }
        let image = self.windows.whole(picture, w as u32, h as u32);
        let session = match self.plans.entry((h, w)) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => {
                let graph = self.trunk.resized(Shape::new(h, w, self.trunk.input().shape.c))?;
                place.insert(Session::new(Arc::new(graph), self.cpu.clone(), &Request::predict(1))?)
            }
        };
        let values = session.forward(&self.trunk_parameters, &image, 1, 0)?.to_vec();
        let scale = [h as f64 / f64::from(picture.height), w as f64 / f64::from(picture.width)];
        Ok(Level { scale, shape: session.graph().output().shape, values })
    }
}

/// How often a picture is halved so that a region is nearest to the network's input; never enlarged.
fn depth_of(region: &BoundingBox, side: f64, picture: &Picture) -> u32 {
    let size = (region.width * region.height).sqrt() / side;
    // A halved picture is no smaller than the network's input.
    let most = (f64::from(picture.width.max(picture.height)) / side).log2().ceil().max(0.0);
    size.log2().round().clamp(0.0, most) as u32
}

impl Level {
    /// The largest value of each channel in each cell of a grid over the region.
    fn pool(&self, region: &BoundingBox, spans: [Span; 2], map: Shape, out: &mut [f32]) {
        let [down, across] = self.scale;
        let rows = cells(region.y * down, region.bottom() * down, spans[0], self.shape.h);
        let columns = cells(region.x * across, region.right() * across, spans[1], self.shape.w);
        let c = map.c;
        for y in 0..map.h {
            let rows = bin(&rows, y, map.h);
            for x in 0..map.w {
                let out = &mut out[(y * map.w + x) * c..(y * map.w + x + 1) * c];
                out.fill(f32::NEG_INFINITY);
                for row in rows.clone() {
                    for column in bin(&columns, x, map.w) {
                        let cell = &self.values[(row * self.shape.w + column) * c..][..c];
                        for (out, v) in out.iter_mut().zip(cell) {
                            *out = out.max(*v);
                        }
                    }
                }
            }
        }
    }
}

/// The cells of a map whose centres lie between two places of the picture, at least one.
fn cells(from: f64, to: f64, span: Span, count: usize) -> Range<usize> {
    // Pixel p reaches from p to p + 1.
    let place = |v: f64| (v - 0.5 - span.centre()) / span.jump;
    let most = count.max(1) as f64;
    let first = place(from).ceil().clamp(0.0, most - 1.0);
    let end = (place(to).floor() + 1.0).clamp(first + 1.0, most);
    first as usize..end as usize
}

/// The cells of one of `parts` pieces of a stretch; pieces may share cells, and each has one.
fn bin(cells: &Range<usize>, part: usize, parts: usize) -> Range<usize> {
    let first = cells.start + part * cells.len() / parts;
    let end = cells.start + ((part + 1) * cells.len()).div_ceil(parts);
    first..end.max(first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_those_whose_centres_lie_in_the_region() {
        // Centres at 3.5 + 4 i in pixels' numbers, so at 4, 8, 12, … as places.
        let span = Span { first: 0.0, last: 7.0, jump: 4.0 };
        assert_eq!(cells(4.0, 12.0, span, 10), 0..3);
        assert_eq!(cells(4.1, 11.9, span, 10), 1..2);
        assert_eq!(cells(-50.0, 500.0, span, 10), 0..10);
        assert_eq!(cells(5.0, 6.0, span, 10), 1..2, "the next where there is none");
        assert_eq!(cells(300.0, 301.0, span, 10), 9..10);
    }

    #[test]
    fn pieces_cover_a_stretch_and_are_never_empty() {
        assert_eq!([0, 1, 2].map(|i| bin(&(4..10), i, 3)), [4..6, 6..8, 8..10]);
        assert_eq!([0, 1, 2].map(|i| bin(&(4..9), i, 3)), [4..6, 5..8, 7..9]);
        assert_eq!([0, 1, 2].map(|i| bin(&(7..8), i, 3)), [7..8, 7..8, 7..8]);
    }

    #[test]
    fn regions_are_pooled_by_maximum() {
        let shape = Shape::new(4, 4, 2);
        let values = (0..32).map(|i| i as f32 * if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let level = Level { scale: [1.0; 2], shape, values };
        let span = Span { first: 0.0, last: 0.0, jump: 1.0 };
        let mut out = vec![0.0; 8];
        level.pool(&BoundingBox::new(0.0, 0.0, 4.0, 4.0), [span; 2], Shape::new(2, 2, 2), &mut out);
        // Of cells (y, x) the values are 8 y + 2 x and −(8 y + 2 x + 1).
        assert_eq!(out, [10.0, -1.0, 14.0, -5.0, 26.0, -17.0, 30.0, -21.0]);
        level.pool(&BoundingBox::new(2.0, 1.0, 1.0, 1.0), [span; 2], Shape::new(1, 1, 2), &mut out[..2]);
        assert_eq!(out[..2], [12.0, -13.0]);
    }

    #[test]
    fn regions_take_the_size_that_fits() {
        let picture = Picture::filled(400, 300, &[0]);
        let depth = |side: f64| depth_of(&BoundingBox::new(0.0, 0.0, side, side), 32.0, &picture);
        assert_eq!([10.0, 32.0, 44.0, 47.0, 64.0, 130.0, 1e6].map(depth), [0, 0, 0, 1, 1, 2, 4]);
    }
}
