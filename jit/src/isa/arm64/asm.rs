//! Moves, constants, addresses, and the instructions that have a condition or a target: those are put together here, since the
//! assembler knows neither as values.
//!
//! Registers are numbers. Immediates are checked before they get to the assembler, which panics if they do not fit.

use crate::isa::buffer::Code;
use dynasmrt::{
    DynasmApi,
    aarch64::{
        encode_floating_point_immediate, encode_logical_immediate_32bit,
        encode_logical_immediate_64bit,
    },
    dynasm,
};

/// Scratch registers: for the first operand and the result, the second operand, and what else is needed on the way.
pub(super) const S0: u8 = 16;
pub(super) const S1: u8 = 17;
pub(super) const S2: u8 = 15;
/// Scratch registers for floats.
pub(super) const F0: u8 = 30;
pub(super) const F1: u8 = 31;
/// Zero, or the stack pointer where an instruction takes that.
pub(super) const ZERO: u8 = 31;
pub(super) const SP: u8 = 31;
/// The instance.
pub(super) const INSTANCE: u8 = 28;
/// The first byte of its first memory.
pub(super) const BASE: u8 = 27;

/// A condition by its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cond(pub(super) u8);

impl Cond {
    pub(super) const EQ: Cond = Cond(0);
    pub(super) const NE: Cond = Cond(1);
    pub(super) const HS: Cond = Cond(2);
    pub(super) const LO: Cond = Cond(3);
    pub(super) const MI: Cond = Cond(4);
    pub(super) const PL: Cond = Cond(5);
    pub(super) const VS: Cond = Cond(6);
    pub(super) const HI: Cond = Cond(8);
    pub(super) const LS: Cond = Cond(9);
    pub(super) const GE: Cond = Cond(10);
    pub(super) const LT: Cond = Cond(11);
    pub(super) const GT: Cond = Cond(12);
    pub(super) const LE: Cond = Cond(13);

    /// The one that holds exactly when this does not.
    pub(super) fn not(self) -> Cond {
        Cond(self.0 ^ 1)
    }
}

/// An instruction on registers of 64 or of 32 bits.
macro_rules! sized {
    ($asm:expr, $wide:expr, $op:ident $d:expr, $a:expr) => {
        if $wide {
            dynasm!($asm.code ; .arch aarch64 ; $op X($d), X($a))
        } else {
            dynasm!($asm.code ; .arch aarch64 ; $op W($d), W($a))
        }
    };
    ($asm:expr, $wide:expr, $op:ident $d:expr, $a:expr, $b:expr) => {
        if $wide {
            dynasm!($asm.code ; .arch aarch64 ; $op X($d), X($a), X($b))
        } else {
            dynasm!($asm.code ; .arch aarch64 ; $op W($d), W($a), W($b))
        }
    };
    ($asm:expr, $wide:expr, $op:ident $d:expr, $a:expr, $b:expr, $c:expr) => {
        if $wide {
            dynasm!($asm.code ; .arch aarch64 ; $op X($d), X($a), X($b), X($c))
        } else {
            dynasm!($asm.code ; .arch aarch64 ; $op W($d), W($a), W($b), W($c))
        }
    };
}

/// The same, with a last operand that is an immediate. The second one is a register that may be the stack pointer for `sp`.
macro_rules! sized_imm {
    ($asm:expr, $wide:expr, sp $op:ident $d:expr, $a:expr, $imm:expr) => {
        if $wide {
            dynasm!($asm.code ; .arch aarch64 ; $op XSP($d), XSP($a), $imm)
        } else {
            dynasm!($asm.code ; .arch aarch64 ; $op WSP($d), WSP($a), $imm)
        }
    };
    ($asm:expr, $wide:expr, $op:ident $d:expr, $a:expr, $imm:expr) => {
        if $wide {
            dynasm!($asm.code ; .arch aarch64 ; $op X($d), X($a), $imm)
        } else {
            dynasm!($asm.code ; .arch aarch64 ; $op W($d), W($a), $imm)
        }
    };
}

/// An instruction on floats of 64 or of 32 bits.
macro_rules! float {
    ($asm:expr, $wide:expr, $op:ident $($reg:expr),+) => {
        if $wide {
            dynasm!($asm.code ; .arch aarch64 ; $op $(D($reg)),+)
        } else {
            dynasm!($asm.code ; .arch aarch64 ; $op $(S($reg)),+)
        }
    };
}

pub(super) use {float, sized, sized_imm};

/// What writes instructions.
pub(super) struct Asm<'a> {
    /// Where they go.
    pub(super) code: &'a mut Code,
}

impl Asm<'_> {
    /// `d = a`
    pub(super) fn mov(&mut self, d: u8, a: u8) {
        if d != a {
            dynasm!(self.code ; .arch aarch64 ; mov X(d), X(a));
        }
    }

    /// `d = a` with the upper half zero.
    pub(super) fn mov32(&mut self, d: u8, a: u8) {
        dynasm!(self.code ; .arch aarch64 ; mov W(d), W(a));
    }

    /// `d = a` for floats of both sizes.
    pub(super) fn fmov(&mut self, d: u8, a: u8) {
        if d != a {
            dynasm!(self.code ; .arch aarch64 ; fmov D(d), D(a));
        }
    }

    /// `d = value`
    pub(super) fn imm(&mut self, d: u8, value: u64) {
        let wide = value > u64::from(u32::MAX);
        let halves = if wide { 4 } else { 2 };
        let half = |i: u32| (value >> (16 * i)) as u32 & 0xffff;
        let zeros = (0..halves).filter(|&i| half(i) == 0).count();
        let ones = (0..halves).filter(|&i| half(i) == 0xffff).count();
        let logical = if wide {
            encode_logical_immediate_64bit(value).is_some()
        } else {
            encode_logical_immediate_32bit(value as u32).is_some()
        };
        if logical && zeros.max(ones) + 1 < halves as usize {
            if wide {
                dynasm!(self.code ; .arch aarch64 ; orr XSP(d), xzr, value);
            } else {
                dynasm!(self.code ; .arch aarch64 ; orr WSP(d), wzr, value as u32);
            }
            return;
        }
        // MOVN starts from ones, MOVZ from zeros; MOVK fills in the halves that differ.
        let negative = ones > zeros;
        let filler = if negative { 0xffff } else { 0 };
        let mut rest = (0..halves).filter(|&i| half(i) != filler);
        let first = rest.next().unwrap_or(0);
        let (start, field) =
            if negative { (0x1280_0000, half(first) ^ 0xffff) } else { (0x5280_0000, half(first)) };
        let sf = u32::from(wide) << 31;
        self.code.push_u32(start | sf | first << 21 | field << 5 | u32::from(d));
        for i in rest {
            self.code.push_u32(0x7280_0000 | sf | i << 21 | half(i) << 5 | u32::from(d));
        }
    }

    /// `d = bits` for a float. Uses [`S2`].
    pub(super) fn float(&mut self, d: u8, bits: u64, wide: bool) {
        let value = if wide {
            let value = f64::from_bits(bits);
            (f64::from(value as f32).to_bits() == bits).then_some(value as f32)
        } else {
            Some(f32::from_bits(bits as u32))
        };
        if bits == 0 {
            dynasm!(self.code ; .arch aarch64 ; fmov D(d), xzr);
        } else if let Some(value) = value.filter(|&v| encode_floating_point_immediate(v).is_some())
        {
            if wide {
                dynasm!(self.code ; .arch aarch64 ; fmov D(d), value);
            } else {
                dynasm!(self.code ; .arch aarch64 ; fmov S(d), value);
            }
        } else {
            self.imm(S2, bits);
            if wide {
                dynasm!(self.code ; .arch aarch64 ; fmov D(d), X(S2));
            } else {
                dynasm!(self.code ; .arch aarch64 ; fmov S(d), W(S2));
            }
        }
    }

    /// `d = a + value` modulo the size, where `value` fits an instruction; otherwise does nothing and returns false.
    pub(super) fn add_imm(&mut self, wide: bool, d: u8, a: u8, value: i64) -> bool {
        let Some((imm, shifted)) = arithmetic(value.unsigned_abs()) else { return false };
        match (value < 0, shifted, wide) {
            (false, false, _) => sized_imm!(self, wide, sp add d, a, imm),
            (true, false, _) => sized_imm!(self, wide, sp sub d, a, imm),
            (false, true, true) => {
                dynasm!(self.code ; .arch aarch64 ; add XSP(d), XSP(a), imm, lsl 12)
            }
            (false, true, false) => {
                dynasm!(self.code ; .arch aarch64 ; add WSP(d), WSP(a), imm, lsl 12)
            }
            (true, true, true) => {
                dynasm!(self.code ; .arch aarch64 ; sub XSP(d), XSP(a), imm, lsl 12)
            }
            (true, true, false) => {
                dynasm!(self.code ; .arch aarch64 ; sub WSP(d), WSP(a), imm, lsl 12)
            }
        }
        true
    }

    /// `d = a + value` for 64 bits and any value below 2^32. Uses `temp` if it has to.
    pub(super) fn add_offset(&mut self, d: u8, a: u8, value: u32, temp: u8) {
        if !self.add_imm(true, d, a, value.into()) {
            self.imm(temp, value.into());
            dynasm!(self.code ; .arch aarch64 ; add X(d), X(a), X(temp));
        }
    }

    /// Compares with a constant, if it fits an instruction; otherwise does nothing and returns false.
    pub(super) fn cmp_imm(&mut self, wide: bool, a: u8, value: i64) -> bool {
        let Some((imm, shifted)) = arithmetic(value.unsigned_abs()) else { return false };
        // CMN of the negated value sets the same flags.
        match (value < 0, shifted, wide) {
            (false, false, true) => dynasm!(self.code ; .arch aarch64 ; cmp XSP(a), imm),
            (false, false, false) => dynasm!(self.code ; .arch aarch64 ; cmp WSP(a), imm),
            (true, false, true) => dynasm!(self.code ; .arch aarch64 ; cmn XSP(a), imm),
            (true, false, false) => dynasm!(self.code ; .arch aarch64 ; cmn WSP(a), imm),
            (false, true, true) => dynasm!(self.code ; .arch aarch64 ; cmp XSP(a), imm, lsl 12),
            (false, true, false) => dynasm!(self.code ; .arch aarch64 ; cmp WSP(a), imm, lsl 12),
            (true, true, true) => dynasm!(self.code ; .arch aarch64 ; cmn XSP(a), imm, lsl 12),
            (true, true, false) => dynasm!(self.code ; .arch aarch64 ; cmn WSP(a), imm, lsl 12),
        }
        true
    }

    /// Adds to the stack pointer. Below 2^24.
    pub(super) fn add_sp(&mut self, bytes: u32) {
        let (high, low) = (bytes >> 12 & 0xfff, bytes & 0xfff);
        if high != 0 {
            dynasm!(self.code ; .arch aarch64 ; add sp, sp, high, lsl 12);
        }
        if low != 0 {
            dynasm!(self.code ; .arch aarch64 ; add sp, sp, low);
        }
    }

    /// Subtracts from the stack pointer, and puts the difference in `d`. Below 2^24.
    pub(super) fn sub_sp(&mut self, d: u8, bytes: u32) {
        let (high, low) = (bytes >> 12 & 0xfff, bytes & 0xfff);
        let mut from = SP;
        if high != 0 {
            dynasm!(self.code ; .arch aarch64 ; sub XSP(d), XSP(from), high, lsl 12);
            from = d;
        }
        if low != 0 {
            dynasm!(self.code ; .arch aarch64 ; sub XSP(d), XSP(from), low);
        }
    }

    /// Reads 64 bits at `base + at`. If `d` is `base` and `at` is beyond 32760, uses [`S2`].
    pub(super) fn load(&mut self, d: u8, base: u8, at: u32) {
        if at < 8 * 4096 && at.is_multiple_of(8) {
            dynasm!(self.code ; .arch aarch64 ; ldr X(d), [XSP(base), at]);
        } else {
            let temp = if d == base { S2 } else { d };
            self.imm(temp, at.into());
            dynasm!(self.code ; .arch aarch64 ; ldr X(d), [XSP(base), X(temp)]);
        }
    }

    /// Reads 32 bits at `base + at`, as [`Asm::load`] does.
    pub(super) fn load32(&mut self, d: u8, base: u8, at: u32) {
        if at < 4 * 4096 && at.is_multiple_of(4) {
            dynasm!(self.code ; .arch aarch64 ; ldr W(d), [XSP(base), at]);
        } else {
            let temp = if d == base { S2 } else { d };
            self.imm(temp, at.into());
            dynasm!(self.code ; .arch aarch64 ; ldr W(d), [XSP(base), X(temp)]);
        }
    }

    /// Writes 64 bits at `base + at`. Uses [`S2`] beyond 32760.
    pub(super) fn store(&mut self, s: u8, base: u8, at: u32) {
        if at < 8 * 4096 && at.is_multiple_of(8) {
            dynasm!(self.code ; .arch aarch64 ; str X(s), [XSP(base), at]);
        } else {
            self.imm(S2, at.into());
            dynasm!(self.code ; .arch aarch64 ; str X(s), [XSP(base), X(S2)]);
        }
    }

    /// Reads a float at `base + at`. Uses [`S2`] if it is far.
    pub(super) fn load_float(&mut self, wide: bool, d: u8, base: u8, at: u32) {
        let near = at < 4 * 4096 && at.is_multiple_of(8);
        if !near {
            self.imm(S2, at.into());
        }
        match (near, wide) {
            (true, true) => dynasm!(self.code ; .arch aarch64 ; ldr D(d), [XSP(base), at]),
            (true, false) => dynasm!(self.code ; .arch aarch64 ; ldr S(d), [XSP(base), at]),
            (false, true) => dynasm!(self.code ; .arch aarch64 ; ldr D(d), [XSP(base), X(S2)]),
            (false, false) => dynasm!(self.code ; .arch aarch64 ; ldr S(d), [XSP(base), X(S2)]),
        }
    }

    /// Writes a float of either size at `base + at`, as 64 bits. Uses [`S2`] if it is far.
    pub(super) fn store_float(&mut self, s: u8, base: u8, at: u32) {
        if at < 8 * 4096 && at.is_multiple_of(8) {
            dynasm!(self.code ; .arch aarch64 ; str D(s), [XSP(base), at]);
        } else {
            self.imm(S2, at.into());
            dynasm!(self.code ; .arch aarch64 ; str D(s), [XSP(base), X(S2)]);
        }
    }

    /// `d = condition ? 1 : 0`
    pub(super) fn cset(&mut self, d: u8, cond: Cond) {
        self.code.push_u32(0x1a9f_07e0 | u32::from(cond.not().0) << 12 | u32::from(d));
    }

    /// `d = condition ? a : b`
    pub(super) fn csel(&mut self, wide: bool, d: u8, a: u8, b: u8, cond: Cond) {
        self.code.push_u32(0x1a80_0000 | u32::from(wide) << 31 | three(d, a, b, cond));
    }

    /// `d = condition ? a : b` for floats.
    pub(super) fn fcsel(&mut self, wide: bool, d: u8, a: u8, b: u8, cond: Cond) {
        self.code.push_u32(0x1e20_0c00 | u32::from(wide) << 22 | three(d, a, b, cond));
    }

    /// Jumps if the condition holds. Returns where the instruction stands, for [`link`].
    pub(super) fn jump_if(&mut self, cond: Cond) -> u32 {
        self.branch(0x5400_0000 | u32::from(cond.0))
    }

    /// Jumps if a register is zero, or if it is not.
    pub(super) fn jump_if_zero(&mut self, wide: bool, reg: u8, zero: bool) -> u32 {
        let op = if zero { 0x3400_0000 } else { 0x3500_0000 };
        self.branch(op | u32::from(wide) << 31 | u32::from(reg))
    }

    /// Jumps.
    pub(super) fn jump(&mut self) -> u32 {
        self.branch(0x1400_0000)
    }

    /// Calls.
    pub(super) fn call(&mut self) -> u32 {
        self.branch(0x9400_0000)
    }

    /// The address of what it is linked to.
    pub(super) fn adr(&mut self, d: u8) -> u32 {
        self.branch(0x1000_0000 | u32::from(d))
    }

    /// Lets a branch lead here. It is near enough.
    pub(super) fn here(&mut self, at: u32) {
        let target = self.code.at();
        link(&mut self.code.bytes, at, target);
    }

    /// Where execution never gets.
    pub(super) fn stop(&mut self) {
        dynasm!(self.code ; .arch aarch64 ; brk 0);
    }

    fn branch(&mut self, word: u32) -> u32 {
        let at = self.code.at();
        self.code.push_u32(word);
        at
    }
}

/// The parts of an immediate of ADD and the like: 12 bits, and whether they are shifted by 12.
fn arithmetic(value: u64) -> Option<(u32, bool)> {
    match value {
        0..=0xfff => Some((value as u32, false)),
        0x1000..=0xff_ffff if value & 0xfff == 0 => Some(((value >> 12) as u32, true)),
        _ => None,
    }
}

fn three(d: u8, a: u8, b: u8, cond: Cond) -> u32 {
    u32::from(b) << 16 | u32::from(cond.0) << 12 | u32::from(a) << 5 | u32::from(d)
}

/// Lets the branch or ADR at `at` lead to `target`. Returns whether it reaches; if it does not, nothing changes.
pub(super) fn link(code: &mut [u8], at: u32, target: u32) -> bool {
    let Some(place) = code.get_mut(at as usize..).and_then(|rest| rest.first_chunk_mut::<4>())
    else {
        return false;
    };
    let word = u32::from_le_bytes(*place);
    let distance = i64::from(target) - i64::from(at);
    let fits = |bits: u32, value: i64| value >> (bits - 1) == 0 || value >> (bits - 1) == -1;
    let words = distance >> 2;
    let linked = if word & 0x7c00_0000 == 0x1400_0000 {
        // B, BL
        fits(26, words).then_some(word & 0xfc00_0000 | words as u32 & 0x03ff_ffff)
    } else if word & 0x1f00_0000 == 0x1000_0000 {
        // ADR
        let (high, low) = ((distance >> 2) as u32 & 0x7_ffff, distance as u32 & 3);
        fits(21, distance).then_some(word & 0x9f00_001f | low << 29 | high << 5)
    } else {
        // B.cond, CBZ, CBNZ
        fits(19, words).then_some(word & 0xff00_001f | (words as u32 & 0x7_ffff) << 5)
    };
    let Some(linked) = linked else { return false };
    *place = linked.to_le_bytes();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(emit: impl Fn(&mut Asm<'_>)) -> Vec<u32> {
        let mut code = Code::default();
        emit(&mut Asm { code: &mut code });
        code.bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect()
    }

    #[test]
    fn constants() {
        let imm = |value| words(|asm| asm.imm(3, value));
        assert_eq!(imm(0), [0x52800003]);
        assert_eq!(imm(0x1234), [0x52824683]);
        assert_eq!(imm(0x1234_0000), [0x52a24683]);
        assert_eq!(imm(0xffff_fffe), [0x12800023]);
        assert_eq!(imm(0xffff_ffff), [0x12800003]);
        assert_eq!(imm(u64::MAX), [0x92800003]);
        assert_eq!(imm(0x1234_5678), [0x528acf03, 0x72a24683]);
        assert_eq!(imm(0x5555_5555), [0x3200f3e3]);
        assert_eq!(imm(0xffff_0000_ffff_0000), [0xb2103fe3]);
        assert_eq!(imm(0x1_0000_0000), [0xd2c00023]);
        assert_eq!(imm(0x8000_0000_0000_0000), [0xd2f00003]);
        assert_eq!(imm(0x1234_5678_9abc_def0).len(), 4);
        assert_eq!(imm(0xffff_5678_ffff_def0), [0x928421e3, 0xf2cacf03]);
    }

    #[test]
    fn float_constants() {
        assert_eq!(words(|asm| asm.float(2, 0, true)), [0x9e6703e2]);
        assert_eq!(words(|asm| asm.float(2, 1f64.to_bits(), true)), [0x1e6e1002]);
        assert_eq!(words(|asm| asm.float(2, (-1f32).to_bits().into(), false)), [0x1e3e1002]);
        assert_eq!(words(|asm| asm.float(2, 1 << 63, true)), [0xd2f0000f, 0x9e6701e2]);
        assert_eq!(words(|asm| asm.float(2, 1 << 31, false)), [0x52b0000f, 0x1e2701e2]);
        assert_eq!(words(|asm| asm.float(2, 0.1f64.to_bits(), true)).len(), 5);
    }

    #[test]
    fn additions() {
        let add = |wide, value| {
            words(|asm| {
                asm.add_imm(wide, 1, 2, value);
            })
        };
        assert_eq!(add(true, 1), [0x91000441]);
        assert_eq!(add(false, -1), [0x51000441]);
        assert_eq!(add(true, 0x1000), [0x91400441]);
        assert_eq!(add(false, -0xff_f000), [0x517ffc41]);
        assert!(add(true, 0x1001).is_empty() && add(true, i64::MIN).is_empty());
        assert_eq!(words(|asm| asm.add_offset(1, 2, 0x1001, 17)), [0x52820031, 0x8b110041]);
        assert_eq!(words(|asm| asm.sub_sp(SP, 0x1010)), [0xd14007ff, 0xd10043ff]);
        assert_eq!(words(|asm| asm.sub_sp(16, 0x1010)), [0xd14007f0, 0xd1004210]);
        assert_eq!(words(|asm| asm.add_sp(16)), [0x910043ff]);
        assert_eq!(words(|asm| assert!(asm.cmp_imm(true, 1, -5))), [0xb100143f]);
        assert_eq!(words(|asm| assert!(asm.cmp_imm(false, 1, 0x2000))), [0x7140083f]);
    }

    #[test]
    fn near_and_far_memory() {
        assert_eq!(words(|asm| asm.load(1, SP, 8)), [0xf94007e1]);
        assert_eq!(words(|asm| asm.load(1, SP, 32760)), [0xf97fffe1]);
        assert_eq!(words(|asm| asm.load(1, SP, 32768)), [0x52900001, 0xf8616be1]);
        assert_eq!(words(|asm| asm.load(1, 1, 65536)), [0x52a0002f, 0xf86f6821]);
        assert_eq!(words(|asm| asm.store(1, SP, 32768)), [0x5290000f, 0xf82f6be1]);
        assert_eq!(words(|asm| asm.load32(1, 2, 16380)), [0xb97ffc41]);
        assert_eq!(words(|asm| asm.load32(1, 2, 16384)), [0x52880001, 0xb8616841]);
        assert_eq!(words(|asm| asm.load_float(true, 1, SP, 8)), [0xfd4007e1]);
        assert_eq!(words(|asm| asm.load_float(false, 1, SP, 8)), [0xbd400be1]);
        assert_eq!(words(|asm| asm.load_float(false, 1, SP, 16384)), [0x5288000f, 0xbc6f6be1]);
        assert_eq!(words(|asm| asm.store_float(1, SP, 32768)), [0x5290000f, 0xfc2f6be1]);
    }

    #[test]
    fn conditions() {
        assert_eq!(words(|asm| asm.cset(1, Cond::EQ)), [0x1a9f17e1]);
        assert_eq!(words(|asm| asm.csel(true, 1, 2, 3, Cond::LT)), [0x9a83b041]);
        assert_eq!(words(|asm| asm.fcsel(true, 1, 2, 3, Cond::MI)), [0x1e634c41]);
        assert_eq!(words(|asm| asm.fcsel(false, 1, 2, 3, Cond::MI)), [0x1e234c41]);
    }

    #[test]
    fn links() {
        let linked = |word: u32, at: u32, target: u32| {
            let mut code = vec![0; at as usize];
            code.extend(word.to_le_bytes());
            link(&mut code, at, target)
                .then(|| u32::from_le_bytes(code[at as usize..].try_into().unwrap()))
        };
        assert_eq!(linked(0x14000000, 8, 0), Some(0x17fffffe));
        assert_eq!(linked(0x97ffffff, 0, 16), Some(0x94000004));
        assert_eq!(linked(0x94000000, 0, 0x7ff_fffc), Some(0x95ffffff));
        assert_eq!(linked(0x94000000, 0, 0x800_0000), None);
        assert_eq!(linked(0x54000001, 0, 8), Some(0x54000041));
        assert_eq!(linked(0x54000001, 4, 0), Some(0x54ffffe1));
        assert_eq!(linked(0x54000001, 0, 0xf_fffc), Some(0x547fffe1));
        assert_eq!(linked(0x54000001, 0, 0x10_0000), None);
        assert_eq!(linked(0xb4000010, 0, 4), Some(0xb4000030));
        assert_eq!(linked(0x10000011, 0, 16), Some(0x10000091));
        assert_eq!(linked(0x10000011, 0, 7), Some(0x70000031));
        assert!(!link(&mut [0; 3], 0, 4));
    }
}
