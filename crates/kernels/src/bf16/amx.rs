//! The machine's own tiles: AMX-BF16 of x86-64 (Intel, *Software Developer's Manual*, volume 1, chapter 18), which Linux lets a
//! process use once it has asked. No compiler keeps anything in tile registers, so that what one statement loads is there
//! for the next; a thread's are configured when [`Amx`] is made, and given back when it is dropped.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) use machine::Amx;

/// Never made where there are no such tiles.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub(super) type Amx = super::tiles::Emulated;

/// Whether this machine has AMX-BF16 and the system lets this process use it, for which it is asked once.
pub(crate) fn granted() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        static GRANTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *GRANTED.get_or_init(|| machine::has_tiles() && machine::ask())
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    false
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod machine {
    use super::super::tiles::{ROW, Tiles};
    use std::arch::asm;

    /// Registers c and d of a leaf of CPUID.
    fn features(leaf: u32) -> (u32, u32) {
        let (c, d);
        // Safety: every x86-64 has CPUID; rbx, which the compiler keeps for itself, is put back.
        unsafe {
            asm!("mov {b:r}, rbx", "cpuid", "xchg {b:r}, rbx", b = out(reg) _, inlateout("eax") leaf => _,
                inlateout("ecx") 0 => c, lateout("edx") d, options(nostack, preserves_flags));
        }
        (c, d)
    }

    /// Whether the processor has AMX-TILE and AMX-BF16, and the system saves tiles and their configuration.
    pub(super) fn has_tiles() -> bool {
        /// CPUID 1, c: XGETBV can be used.
        const XSAVE: u32 = 1 << 27;
        /// CPUID 7, d.
        const FEATURES: u32 = 1 << 22 | 1 << 24;
        /// XCR0.
        const SAVED: u32 = 1 << 17 | 1 << 18;
        if features(1).0 & XSAVE == 0 || features(7).1 & FEATURES != FEATURES {
            return false;
        }
        let saved: u32;
        // Safety: the system has enabled the instruction, as asked above.
        unsafe {
            asm!("xgetbv", in("ecx") 0, out("eax") saved, out("edx") _, options(nomem, nostack, preserves_flags));
        }
        saved & SAVED == SAVED
    }

    /// Asks Linux for room for tiles in this process's state, on all threads.
    pub(super) fn ask() -> bool {
        const ARCH_PRCTL: i64 = 158;
        const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
        const XTILEDATA: i64 = 18;
        let failed: i64;
        // Safety: the call changes nothing but what this process may use; the kernel keeps all but the named registers.
        unsafe {
            asm!("syscall", inlateout("rax") ARCH_PRCTL => failed, in("rdi") ARCH_REQ_XCOMP_PERM, in("rsi") XTILEDATA,
                lateout("rcx") _, lateout("r11") _, options(nostack));
        }
        failed == 0
    }

    /// What LDTILECFG reads.
    #[repr(C, align(64))]
    struct Configuration {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    /// A thread's tile registers.
    pub(in crate::bf16) struct Amx(());

    impl Drop for Amx {
        fn drop(&mut self) {
            // Safety: a value exists only where there are tiles.
            unsafe { asm!("tilerelease", options(nostack, preserves_flags)) };
        }
    }

    impl Tiles for Amx {
        #[inline(always)]
        unsafe fn new(rows: usize) -> Self {
            let (mut row_bytes, mut each) = ([0; 16], [0; 16]);
            row_bytes[..8].fill(ROW as u16);
            each[..6].fill(rows as u8);
            each[6..8].fill(16);
            let configuration = Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows: each };
            // Safety: the caller vouches for the machine and the rows.
            unsafe {
                asm!("ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, preserves_flags, readonly));
            }
            Self(())
        }

        #[inline(always)]
        fn zero<const T: usize>(&mut self) {
            // Safety: a value exists only where there are tiles.
            unsafe { asm!("tilezero tmm{t}", t = const T, options(nostack, preserves_flags)) };
        }

        #[inline(always)]
        unsafe fn load<const T: usize>(&mut self, from: *const u8, pitch: usize) {
            // Safety: a value exists only where there are tiles; the caller vouches for the memory.
            unsafe {
                asm!("tileloadd tmm{t}, [{from} + {pitch}]", t = const T, from = in(reg) from, pitch = in(reg) pitch,
                    options(nostack, preserves_flags, readonly));
            }
        }

        #[inline(always)]
        fn dot<const C: usize, const A: usize, const B: usize>(&mut self) {
            // Safety: a value exists only where there are tiles.
            unsafe {
                asm!("tdpbf16ps tmm{c}, tmm{a}, tmm{b}", c = const C, a = const A, b = const B,
                    options(nostack, preserves_flags));
            }
        }

        #[inline(always)]
        unsafe fn store<const T: usize>(&self, to: *mut u8, pitch: usize) {
            // Safety: a value exists only where there are tiles; the caller vouches for the memory.
            unsafe {
                asm!("tilestored [{to} + {pitch}], tmm{t}", t = const T, to = in(reg) to, pitch = in(reg) pitch,
                    options(nostack, preserves_flags));
            }
        }
    }
}
