//! Registers of x86-64, by their numbers, and how they are used.

use crate::regs::{Reg, RegSet, Registers};

pub(super) const RAX: u8 = 0;
pub(super) const RCX: u8 = 1;
pub(super) const RDX: u8 = 2;
pub(super) const RBX: u8 = 3;
pub(super) const RSP: u8 = 4;
/// Holds the base of the first memory.
pub(super) const R14: u8 = 14;
/// Holds the instance.
pub(super) const R15: u8 = 15;
/// A scratch register for floats.
pub(super) const X14: u8 = 14;
/// A scratch register for floats.
pub(super) const X15: u8 = 15;

const fn int(number: u8) -> Reg {
    Reg::int(number)
}

const fn float(number: u8) -> Reg {
    Reg::float(number)
}

const RDI_RSI_R8_TO_R11: [Reg; 6] = [int(7), int(6), int(8), int(9), int(10), int(11)];

const XMM0_TO_7: [Reg; 8] =
    [float(0), float(1), float(2), float(3), float(4), float(5), float(6), float(7)];

/// See `docs/jit.md`.
pub(super) static REGISTERS: Registers = Registers {
    // xmm0 to xmm13.
    caller_saved: RegSet(RegSet::of(&RDI_RSI_R8_TO_R11).0 | 0x3fff << 32),
    // rbx, rbp, r12, r13.
    callee_saved: RegSet::of(&[int(3), int(5), int(12), int(13)]),
    int_args: &RDI_RSI_R8_TO_R11,
    float_args: &XMM0_TO_7,
};
