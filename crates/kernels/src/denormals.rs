//! Denormals: numbers below 1e-38, arithmetic on which is up to 200 times slower. Kernels treat them as zero.

/// While it lives, this thread treats denormal operands and results as zero. The compiler knows nothing of that: what it folds
/// beforehand may keep denormals, and arithmetic whose result is not stored meanwhile may run later. Nothing depends on it.
pub(crate) struct Flush {
    /// What the control register held.
    before: control::Register,
}

impl Flush {
    pub(crate) fn new() -> Self {
        let before = control::get();
        if before | control::FLUSH != before {
            control::set(before | control::FLUSH);
        }
        Self { before }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if self.before | control::FLUSH != self.before {
            control::set(self.before);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod control {
    use std::arch::asm;

    pub(super) type Register = u32;
    /// Flush results to zero, and take denormal operands as zeros.
    pub(super) const FLUSH: Register = 1 << 15 | 1 << 6;

    pub(super) fn get() -> Register {
        let mut control = 0;
        // Safety: writes the control register to a local.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags)) };
        control
    }

    pub(super) fn set(control: Register) {
        // Safety: a value that `get` returned, changed only in how denormals are treated.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack, preserves_flags, readonly)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod control {
    use std::arch::asm;

    pub(super) type Register = u64;
    /// Flush operands and results to zero.
    pub(super) const FLUSH: Register = 1 << 24;

    pub(super) fn get() -> Register {
        let control;
        // Safety: reads the control register.
        unsafe { asm!("mrs {}, fpcr", out(reg) control, options(nostack, preserves_flags)) };
        control
    }

    pub(super) fn set(control: Register) {
        // Safety: a value that `get` returned, changed only in how denormals are treated.
        unsafe { asm!("msr fpcr, {}", in(reg) control, options(nostack, preserves_flags)) };
    }
}

/// Elsewhere denormals stay as they are.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod control {
    pub(super) type Register = u32;
    pub(super) const FLUSH: Register = 0;

    pub(super) fn get() -> Register {
        0
    }

    pub(super) fn set(_: Register) {}
}

#[cfg(test)]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn flushes_while_it_lives() {
        let product = || black_box(black_box(1e-30_f32) * black_box(1e-10));
        let operand = || black_box(black_box(1e-40_f32) * black_box(1e10));
        assert!(product() > 0.0 && operand() > 0.0, "a thread starts without flushing");
        let outer = Flush::new();
        drop(Flush::new());
        assert_eq!((product(), operand()), (0.0, 0.0), "an inner one leaves the outer alone");
        drop(outer);
        assert!(product() > 0.0 && operand() > 0.0);
    }
}
