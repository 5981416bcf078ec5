//! How a machine multiplies bf16, and what `STRIATE_BF16` says of it.

use super::amx::granted;
use crate::isa::{Isa, IsaError};
use crate::simd::Kernel;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx512, Simd};

/// The environment variable that says how bf16 are multiplied.
pub(crate) const VARIABLE: &str = "STRIATE_BF16";

/// How convolutions of bf16 are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Bf16 {
    /// Widened, by the kernels for floats.
    #[default]
    Widened,
    /// As dot products of pairs in vector registers (AVX512-BF16).
    Dot,
    /// On matrix tiles (AMX-BF16).
    Amx,
}

/// Runs `kernel`, whose dot products are the machine's own instruction where `own` and `isa` is AVX-512.
pub(super) fn dispatch_dots<K: Kernel>(isa: Isa, own: bool, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if own && isa == Isa::Avx512 {
        assert!(has_dots(), "this machine has no dot products of its own");
        // Safety: the features were detected above.
        return unsafe { Avx512::<true>::new() }.call(kernel);
    }
    let _ = own;
    isa.dispatch(kernel)
}

/// Whether this machine has AVX512-BF16.
fn has_dots() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        Isa::Avx512.is_available() && is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether dot products of pairs are faster here than multiply-adds of floats: on AMD's they are twice as fast, while Intel's
/// take as long for them as for as many products of floats.
fn dots_pay() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let vendor = std::arch::x86_64::__cpuid(0);
        [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD" && has_dots()
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl Bf16 {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Widened, Self::Dot, Self::Amx];

    /// The name used in `STRIATE_BF16` and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Widened => "widen",
            Self::Dot => "dot",
            Self::Amx => "amx",
        }
    }

    /// Whether this machine can, and its system lets it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Widened => true,
            Self::Dot => has_dots(),
            Self::Amx => granted(),
        }
    }

    /// The best way of this machine, whatever the environment says: by its features and its maker.
    pub fn detect() -> Self {
        if granted() {
            Self::Amx
        } else if dots_pay() {
            Self::Dot
        } else {
            Self::Widened
        }
    }

    /// The way of kernels of `isa`: what `STRIATE_BF16` asks for, or the best of this machine; beside other sets than AVX-512,
    /// bf16 are widened.
    ///
    /// # Errors
    /// `STRIATE_BF16` is no way, or one that this machine lacks.
    pub fn from_env(isa: Isa) -> Result<Self, IsaError> {
        let wish = std::env::var_os(VARIABLE).unwrap_or_default();
        let way = Self::wished(&wish.to_string_lossy())?;
        Ok(if isa == Isa::Avx512 { way } else { Self::Widened })
    }

    fn wished(name: &str) -> Result<Self, IsaError> {
        if name.is_empty() {
            return Ok(Self::detect());
        }
        let found = Self::ALL.into_iter().find(|way| way.name().eq_ignore_ascii_case(name));
        let way = found.ok_or_else(|| IsaError::UnknownBf16 { name: name.to_owned() })?;
        if way.is_available() { Ok(way) } else { Err(IsaError::UnavailableBf16 { wanted: way }) }
    }
}

/// The names of the ways that this machine has.
pub(crate) fn names() -> String {
    let available = Bf16::ALL.into_iter().filter(|way| way.is_available());
    available.map(Bf16::name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_wishes() {
        for way in Bf16::ALL {
            match Bf16::wished(&way.name().to_uppercase()) {
                Ok(found) => assert!(found == way && way.is_available()),
                Err(error) => {
                    let text = error.to_string();
                    assert!(
                        !way.is_available() && text.contains(way.name()) && text.contains("it has widen"),
                        "{text}"
                    );
                }
            }
        }
        assert_eq!(Bf16::wished(""), Ok(Bf16::detect()));
        let error = Bf16::wished("fast").unwrap_err().to_string();
        assert_eq!(error, "STRIATE_BF16: unknown way \"fast\" to multiply bf16; expected one of widen, dot, amx");
    }

    #[test]
    fn the_best_way_is_there_and_needs_avx512() {
        assert!(Bf16::detect().is_available());
        for isa in Isa::available().into_iter().filter(|isa| *isa != Isa::Avx512) {
            assert_eq!(Bf16::from_env(isa), Ok(Bf16::Widened));
        }
    }
}
