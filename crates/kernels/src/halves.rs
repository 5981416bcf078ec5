//! Room for floats seen as room for twice as many bf16 values, so that both kinds can lie in one arena.

/// The halves of some floats, each 16 bits.
pub fn halves(floats: &[f32]) -> &[u16] {
    // Safety: half the size and a laxer alignment, over the same bytes; every pattern of bits is a u16.
    unsafe { std::slice::from_raw_parts(floats.as_ptr().cast(), 2 * floats.len()) }
}

/// As [`halves`], to be changed.
pub fn halves_mut(floats: &mut [f32]) -> &mut [u16] {
    // Safety: as for `halves`, borrowed uniquely; every pattern of bits is an f32, too.
    unsafe { std::slice::from_raw_parts_mut(floats.as_mut_ptr().cast(), 2 * floats.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_is_two_halves() {
        let mut floats = [f32::from_bits(0x0001_0002), 0.0, f32::from_bits(0xffff_0000)];
        let low_first = if cfg!(target_endian = "little") { [2, 1] } else { [1, 2] };
        assert_eq!(halves(&floats)[..2], low_first);
        halves_mut(&mut floats)[2..].fill(0x3f80);
        assert_eq!(floats[2].to_bits(), 0x3f80_3f80);
        assert_eq!(halves(&floats).len(), 6);
    }
}
