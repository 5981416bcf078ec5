//! The instruction sets kernels are compiled for, and which of them this machine has.

use crate::bf16::{self, Bf16};
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Kernel, Portable, Simd};

/// The environment variable that forces an instruction set.
const VARIABLE: &str = "STRIATE_ISA";

/// An instruction set. All exist on every machine as names; [`Isa::is_available`] says which can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// Eight-lane arrays that the compiler vectorises for its baseline target.
    Portable,
    /// x86-64 with AVX2 and FMA: vectors of 8.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL: vectors of 16.
    Avx512,
}

/// Why `STRIATE_ISA`, `STRIATE_BF16` or an explicit choice could not be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IsaError {
    /// No instruction set has this name.
    #[error("{VARIABLE}: unknown instruction set \"{name}\"; expected one of portable, avx2, avx512")]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// The machine lacks this instruction set.
    #[error("instruction set {} is not available on this machine; it has {}", wanted.name(), names(&Isa::available()))]
    Unavailable {
        /// The instruction set that was asked for.
        wanted: Isa,
    },
    /// No way to multiply bf16 has this name.
    #[error("{}: unknown way \"{name}\" to multiply bf16; expected one of widen, dot, amx", bf16::VARIABLE)]
    UnknownBf16 {
        /// The name that was given.
        name: String,
    },
    /// The machine cannot multiply bf16 so, or its system does not let it.
    #[error("{}: {} is not available on this machine; it has {}", bf16::VARIABLE, wanted.name(), bf16::names())]
    UnavailableBf16 {
        /// The way that was asked for.
        wanted: Bf16,
    },
}

impl Isa {
    /// Every instruction set, slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The name used in `STRIATE_ISA` and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The instruction sets of this machine, slowest first; never empty.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// The best instruction set of this machine, whatever the environment says.
    pub fn detect() -> Self {
        Self::ALL.into_iter().rev().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }

    /// What `STRIATE_ISA` forces, or the best of this machine where it is unset or empty.
    ///
    /// # Errors
    /// The variable names no instruction set, or one that this machine lacks.
    pub fn from_env() -> Result<Self, IsaError> {
        match std::env::var_os(VARIABLE) {
            Some(name) if !name.is_empty() => Self::from_name(&name.to_string_lossy())?.checked(),
            _ => Ok(Self::detect()),
        }
    }

    /// The instruction set called `name`, in any case, available or not.
    ///
    /// # Errors
    /// No instruction set has this name.
    pub fn from_name(name: &str) -> Result<Self, IsaError> {
        let found = Self::ALL.into_iter().find(|isa| isa.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| IsaError::Unknown { name: name.to_owned() })
    }

    /// Itself, if this machine can run it.
    ///
    /// # Errors
    /// This machine lacks it.
    pub fn checked(self) -> Result<Self, IsaError> {
        if self.is_available() { Ok(self) } else { Err(IsaError::Unavailable { wanted: self }) }
    }

    /// Runs `kernel` compiled for this instruction set.
    ///
    /// # Panics
    /// If this machine lacks the instruction set.
    #[inline]
    pub fn dispatch<K: Kernel>(self, kernel: K) -> K::Output {
        assert!(self.is_available(), "instruction set {} is not available on this machine", self.name());
        match self {
            Self::Portable => Portable.call(kernel),
            // Safety: the features were detected above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { Avx2::new() }.call(kernel),
            // Safety: the features were detected above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { <Avx512>::new() }.call(kernel),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => unreachable!("only x86-64 has this instruction set"),
        }
    }
}

fn names(list: &[Isa]) -> String {
    list.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for isa in Isa::ALL {
            assert_eq!(Isa::from_name(isa.name()), Ok(isa));
            assert_eq!(Isa::from_name(&isa.name().to_uppercase()), Ok(isa));
        }
    }

    #[test]
    fn errors_say_what_is_possible() {
        let unknown = Isa::from_name("sse9").unwrap_err().to_string();
        assert_eq!(unknown, "STRIATE_ISA: unknown instruction set \"sse9\"; expected one of portable, avx2, avx512");
        let unavailable = IsaError::Unavailable { wanted: Isa::Avx512 }.to_string();
        assert!(unavailable.starts_with("instruction set avx512 is not available on this machine; it has portable"));
    }

    #[test]
    fn dispatch_runs_the_instruction_set_it_names() {
        struct Lanes;
        impl Kernel for Lanes {
            type Output = usize;
            fn run<S: Simd>(self, _: S) -> usize {
                S::LANES
            }
        }
        assert_eq!(Isa::available()[0], Isa::Portable);
        assert!(Isa::available().contains(&Isa::detect()));
        for isa in Isa::available() {
            assert_eq!(isa.dispatch(Lanes), if isa == Isa::Avx512 { 16 } else { 8 });
        }
    }
}
