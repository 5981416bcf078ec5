//! The last write of a depthwise convolution: residual, clamp, adding, moments.

use super::cut::Piece;
use crate::conv::moments::{Block, block_len};
use crate::conv::{Activation, ConvGeometry, Destination, Epilogue};
use crate::cpu::SharedMut;
use crate::simd::Simd;

/// Where sums go, and what is done to them on the way. Sums begin with the bias.
#[derive(Clone, Copy)]
pub(super) struct Sink<'a> {
    bias: Option<&'a [f32]>,
    /// Of (pixels, channels).
    residual: Option<&'a [f32]>,
    bounds: (f32, f32),
    /// Pixels of `pitch` floats, of which the first is at the first channel that is written.
    out: SharedMut,
    pitch: usize,
    channels: usize,
    adds: bool,
    moments: Option<SharedMut>,
}

impl<'a> Sink<'a> {
    /// A sink for the whole output of `g` in `blocks` blocks of rows.
    pub(super) fn new(g: &ConvGeometry, epilogue: &Epilogue<'a>, to: Destination<'a>, blocks: usize) -> Self {
        let (channels, pixels) = (g.c_out, g.n * g.out_h * g.out_w);
        let Destination { values, pitch, channel, adds, moments } = to;
        let clamps = epilogue.activation != Activation::None;
        assert_eq!(values.len(), pixels * pitch, "elements of the destination");
        assert!(channel + channels <= pitch, "{channels} channels from {channel} on of {pitch}");
        assert!(!(adds && clamps), "adding comes without an activation");
        assert!(epilogue.bias.is_none_or(|b| b.len() == channels), "a bias for each of {channels} channels");
        assert!(epilogue.residual.is_none_or(|r| r.len() == pixels * channels), "elements of the residual");
        if let Some(moments) = &moments {
            assert!(!adds && !clamps && epilogue.residual.is_none(), "moments are of sums and bias alone");
            assert_eq!(moments.len(), blocks * block_len(channels), "{blocks} blocks of moments");
        }
        Self {
            bias: epilogue.bias,
            residual: epilogue.residual,
            bounds: epilogue.activation.bounds(),
            out: SharedMut::new(if pixels > 0 { &mut values[channel..] } else { values }),
            pitch,
            channels,
            adds,
            moments: moments.map(SharedMut::new),
        }
    }

    /// A sink for a whole map of `channels`, assigned or added to.
    pub(super) fn plain(values: &'a mut [f32], channels: usize, adds: bool) -> Self {
        Self {
            bias: None,
            residual: None,
            bounds: Activation::None.bounds(),
            out: SharedMut::new(values),
            pitch: channels,
            channels,
            adds,
            moments: None,
        }
    }

    /// What sums of `lanes` channels from `c` on begin with.
    #[inline(always)]
    pub(super) fn start<S: Simd>(&self, s: S, c: usize, lanes: usize) -> S::Vector {
        self.bias.map_or(s.splat(0.0), |bias| s.read(&bias[c..c + lanes]))
    }

    /// States how many pixels of `cols` a row the piece's block has.
    pub(super) fn count(&self, piece: &Piece, cols: usize) {
        if let Some(block) = self.block(piece) {
            block.set_count(piece.rows.len() * cols);
        }
    }

    fn block(&self, piece: &Piece) -> Option<Block> {
        // Safety: `new` checked that there are as many blocks as the cut has.
        self.moments.map(|moments| unsafe { Block::new(moments.get(), piece.block, self.channels) })
    }

    /// Whether nothing is added to sums on their way.
    pub(super) fn is_plain(&self) -> bool {
        self.residual.is_none() && !self.adds
    }

    /// Writes the sums of `lanes` channels from `c` on of a pixel: a full vector where `FULL`, with nothing added where
    /// `PLAIN`.
    ///
    /// # Safety
    /// The pixel and channels exist, and no other thread writes them meanwhile.
    #[inline(always)]
    pub(super) unsafe fn write<S: Simd, const FULL: bool, const PLAIN: bool>(
        self,
        s: S,
        sum: S::Vector,
        pixel: usize,
        c: usize,
        lanes: usize,
    ) {
        debug_assert!(!PLAIN || self.is_plain(), "something is to be added");
        let (mut sum, to) = (sum, self.out.get().wrapping_add(pixel * self.pitch + c));
        // Safety: the residual has the output's pixels and channels, and the caller vouches for those.
        unsafe {
            if let (false, Some(residual)) = (PLAIN, self.residual) {
                sum = s.add(sum, s.load_lanes::<FULL>(residual.as_ptr().add(pixel * self.channels + c), lanes));
            }
            if !PLAIN && self.adds {
                sum = s.add(sum, s.load_lanes::<FULL>(to, lanes));
            }
            let (low, high) = self.bounds;
            s.store_lanes::<FULL>(s.min(s.splat(high), s.max(s.splat(low), sum)), to, lanes);
        }
    }

    /// Takes the moments of `lanes` channels from `c` on of `pixels` pixels from `pixel` on, which were just written;
    /// `before` of the piece's pixels came before these.
    ///
    /// # Safety
    /// As for [`Sink::write`].
    #[inline(always)]
    pub(super) unsafe fn gather<S: Simd, const FULL: bool>(
        &self,
        s: S,
        piece: &Piece,
        (pixel, pixels): (usize, usize),
        before: usize,
        c: usize,
        lanes: usize,
    ) {
        let Some(block) = self.block(piece) else { return };
        let from = self.out.get().wrapping_add(pixel * self.pitch + c).cast_const();
        // Safety: the pixels and channels exist, and this thread alone takes these channels.
        unsafe { block.take::<S, FULL>(s, |i| from.wrapping_add(i * self.pitch), pixels, before, c, lanes) };
    }
}
