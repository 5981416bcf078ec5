//! Images that are larger than memory allows: the network up to a node that everything passes through is run on overlapping
//! bands of the image's rows, and the rest on the map that they make together, so that memory does not grow with the
//! image's height but by that small map.
//!
//! A band begins at a multiple of the node's jump, so that its cells lie where the whole image's do. It is run as if it were
//! the whole image, and so its first and last cells see padding where there is image; of its map, only the cells are kept
//! whose receptive field lies within the band, or ends where the image does. These are what the whole image's are.

use crate::{EngineError, Memory, Parameters, Precision, Request, Session, Tensors};
use std::ops::Range;
use std::sync::Arc;
use striate_graph::{AnyLayer, Graph, NodeId, Reach, Shape, Span};
use striate_kernels::Cpu;

/// Some rows of the image, and what is kept of what they make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// Rows of the image.
    pub rows: Range<usize>,
    /// Rows of the whole image's map that are taken from this band.
    pub kept: Range<usize>,
    /// The row of the whole image's map that is the first of this band's.
    first: usize,
}

/// How an image of one size goes through a network in a bounded amount of memory.
#[derive(Debug)]
pub struct Bands {
    cpu: Arc<Cpu>,
    precision: Precision,
    /// What is run on bands, for the whole image.
    front: Graph,
    /// What is run on the map that they make, if anything is left.
    back: Option<Arc<Graph>>,
    bands: Vec<Band>,
    need: usize,
}

/// Where the network may be parted, and what its bands cost there.
struct Passage {
    front: Graph,
    back: Arc<Graph>,
    /// What a cell of the front's output sees of the image's rows.
    rows: Span,
    /// Bytes that do not depend on the bands: the map, and what the back takes beside it.
    map: usize,
    behind: usize,
}

impl Bands {
    /// Plans images of this shape, one at a time, in about `limit` bytes beside the parameters, with as little work as can be.
    ///
    /// # Errors
    /// If the network's parameters depend on the size of its images, or the memory does not do for the narrowest bands.
    pub fn new(
        graph: &Graph,
        cpu: Arc<Cpu>,
        input: Shape,
        precision: Precision,
        limit: usize,
    ) -> Result<Bands, EngineError> {
        let whole = resized(&graph.without_auxiliary(), input)?;
        let request = Request { precision, ..Request::predict(1) };
        let need = |graph: &Graph| Memory::of(graph, &request).map(|m| m.total());
        let image = |rows: usize| 4 * rows * input.w * input.c;
        let alone = need(&whole)? + image(input.h) + 4 * whole.output().shape.len();
        if alone <= limit {
            let all = Band { rows: 0..input.h, kept: 0..whole.output().shape.h, first: 0 };
            return Ok(Bands { cpu, precision, front: whole, back: None, bands: vec![all], need: alone });
        }
        let mut smallest = alone;
        let mut best: Option<(f64, Bands)> = None;
        for passage in passages(&whole, &need)? {
            let takes = |height: usize| -> Result<usize, EngineError> {
                let band = need(&at_height(&passage.front, height)?)? + image(height);
                Ok((band + passage.map).max(passage.map + passage.behind))
            };
            let jump = passage.rows.jump as usize;
            let least = passage.least();
            let narrowest = if least < input.h { takes(least)? } else { usize::MAX };
            smallest = smallest.min(narrowest);
            if narrowest > limit {
                continue;
            }
            // The largest multiple of the jump that fits lies in this interval.
            let (mut fits, mut beyond) = (least / jump, input.h.div_ceil(jump));
            while beyond - fits > 1 {
                let middle = usize::midpoint(fits, beyond);
                if takes(middle * jump)? <= limit { fits = middle } else { beyond = middle }
            }
            let height = fits * jump;
            let bands = passage.bands(input.h, height);
            let rows: usize = bands.iter().map(|b| b.rows.len()).sum();
            let again = (rows as f64 / input.h as f64 - 1.0) * passage.front.multiply_adds() as f64;
            if best.as_ref().is_none_or(|(cost, _)| again < *cost) {
                let need = takes(height)?;
                let Passage { front, back, .. } = passage;
                best = Some((again, Bands { cpu: cpu.clone(), precision, front, back: Some(back), bands, need }));
            }
        }
        let error = || EngineError::Image { network: graph.name().into(), image: input.to_string(), smallest, limit };
        best.map(|(_, bands)| bands).ok_or_else(error)
    }

    /// The bands, from the top.
    pub fn bands(&self) -> &[Band] {
        &self.bands
    }

    /// Bytes that an image takes beside the parameters.
    pub fn memory(&self) -> usize {
        self.need
    }

    /// Runs an image through the network and returns the output's activations. `image` writes the rows of the preprocessed
    /// image (NHWC) that it is asked for.
    ///
    /// # Errors
    /// If the parameters are not the network's, or the memory cannot be had.
    pub fn forward(
        &self,
        p: &mut Parameters,
        image: impl FnMut(Range<usize>, &mut [f32]),
    ) -> Result<Vec<f32>, EngineError> {
        let own = p.take_part(&self.front)?;
        let map = self.map(&own, image);
        p.put_part(own);
        let Some(back) = &self.back else { return map };
        let (map, own) = (map?, p.take_part(back)?);
        let answer = self.session(back.clone()).and_then(|mut s| Ok(s.forward(&own, &map, 1, 0)?.to_vec()));
        p.put_part(own);
        answer
    }

    /// The front's output for the whole image.
    fn map(&self, p: &Tensors, mut image: impl FnMut(Range<usize>, &mut [f32])) -> Result<Vec<f32>, EngineError> {
        let (input, map) = (self.front.input().shape, self.front.output().shape);
        let row = map.w * map.c;
        let (mut whole, mut pixels) = (vec![0.0; map.len()], Vec::new());
        let mut planned: Option<(usize, Session)> = None;
        for band in &self.bands {
            let height = band.rows.len();
            if planned.as_ref().is_none_or(|(h, _)| *h != height) {
                // The other session's memory goes first.
                drop(planned.take());
                let session = self.session(Arc::new(at_height(&self.front, height)?))?;
                planned = Some((height, session));
            }
            let Some((_, session)) = &mut planned else { continue };
            pixels.resize(height * input.w * input.c, 0.0);
            image(band.rows.clone(), &mut pixels);
            let made = session.forward(p, &pixels, 1, 0)?;
            let from = (band.kept.start - band.first) * row;
            whole[band.kept.start * row..band.kept.end * row]
                .copy_from_slice(&made[from..from + band.kept.len() * row]);
        }
        Ok(whole)
    }

    fn session(&self, graph: Arc<Graph>) -> Result<Session, EngineError> {
        let request = Request { precision: self.precision, ..Request::predict(1) };
        Session::new(graph, self.cpu.clone(), &request)
    }
}

impl Passage {
    /// Rows of the narrowest band: what a cell sees, and what it takes to begin and end on a multiple of the jump.
    fn least(&self) -> usize {
        let jump = self.rows.jump as usize;
        (self.rows.size() as usize + 2 * jump).next_multiple_of(jump)
    }

    /// Bands of `height` rows, a multiple of the jump and [`Passage::least`] or more, the last one as high as is left.
    fn bands(&self, image: usize, height: usize) -> Vec<Band> {
        let (jump, first, last) = (self.rows.jump as i64, self.rows.first as i64, self.rows.last as i64);
        let (mut bands, mut kept, mut start, all) = (Vec::new(), 0, 0, self.front.output().shape.h);
        loop {
            let end = (start + height).min(image);
            // Cells up to this one see nothing behind the band's last row.
            let until = (end as i64 - 1 - last).div_euclid(jump) + 1;
            let until = if end == image { all } else { all.min(until as usize) };
            bands.push(Band { rows: start..end, kept: kept..until, first: start / jump as usize });
            if until == all {
                return bands;
            }
            kept = until;
            // The last multiple of the jump from which the next cell to be kept sees nothing.
            start = (kept as i64 * jump + first).div_euclid(jump).max(0) as usize * jump as usize;
        }
    }
}

/// The places where the network may be parted: the last node of each jump that everything passes through and before which
/// layers see parts of their inputs alone. What is behind runs on the whole map, and so the last ones take the least.
fn passages(whole: &Graph, need: &impl Fn(&Graph) -> Result<usize, EngineError>) -> Result<Vec<Passage>, EngineError> {
    let fields = whole.receptive_fields();
    let rows = |id: NodeId| fields[id.index()].spans().map(|[rows, _]| rows);
    // What is behind the first layer that is not local cannot be banded.
    let local = whole.ids().skip(1).find(|id| !is_local(whole, *id, &rows)).unwrap_or(whole.output_id());
    let mut places: Vec<(NodeId, Span)> = Vec::new();
    for id in whole.passages().into_iter().filter(|id| *id < local) {
        let Some(span) = rows(id) else { break };
        match places.last_mut() {
            Some(last) if last.1.jump == span.jump => *last = (id, span),
            _ => places.push((id, span)),
        }
    }
    let size = |e: striate_graph::GraphError| EngineError::Size {
        network: whole.name().into(),
        image: whole.input().shape.to_string(),
        why: e.to_string(),
    };
    let passage = |(id, rows): (NodeId, Span)| {
        let (front, back) = (whole.until(id), whole.behind(id).map_err(size)?);
        let (map, behind) = (4 * front.output().shape.len(), need(&back)?);
        Ok(Passage { front, back: Arc::new(back), rows, map, behind })
    };
    places.into_iter().map(passage).collect()
}

/// Whether a node's cells depend on cells around the same place alone, and shift with them by whole cells.
fn is_local(graph: &Graph, id: NodeId, rows: &impl Fn(NodeId) -> Option<Span>) -> bool {
    let node = graph.node(id);
    // Its windows depend on the size of its input.
    if matches!(node.layer, AnyLayer::AdaptiveAvgPool(_)) {
        return false;
    }
    let reach = node.layer.reach(&graph.input_shapes(node), node.shape);
    let mut jumps = node.inputs.iter().map(|i| rows(*i).map(|span| span.jump));
    let first = jumps.next().flatten();
    let alike = first.is_some() && jumps.all(|jump| jump == first);
    alike && matches!(reach, Reach::Cell | Reach::Window(_) | Reach::Subsampled(_))
}

/// The network for images of this shape, whose parameters must be the same.
fn resized(graph: &Graph, input: Shape) -> Result<Graph, EngineError> {
    let error = |why: String| EngineError::Size { network: graph.name().into(), image: input.to_string(), why };
    let channels = graph.input().shape.c;
    if input.c != channels {
        return Err(error(format!("it takes images of {channels} channels")));
    }
    let resized = graph.resized(input).map_err(|e| error(e.to_string()))?;
    for (old, new) in graph.nodes().iter().zip(resized.nodes()) {
        let shapes = |node: &striate_graph::Node| node.params.iter().map(|p| p.shape.clone()).collect::<Vec<_>>();
        if shapes(old) != shapes(new) {
            let (name, kind, taken) = (&old.name, old.layer.kind(), graph.input().shape);
            return Err(error(format!(
                "its weights in `{name}` ({kind}) are for images of {taken}, as it reads every cell of a map; networks that end \
                 in a global or adaptive pooling take any size"
            )));
        }
    }
    Ok(resized)
}

/// A network for images of the same width, and so many rows.
fn at_height(graph: &Graph, height: usize) -> Result<Graph, EngineError> {
    resized(graph, Shape { h: height, ..graph.input().shape })
}
