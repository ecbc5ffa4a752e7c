//! Encodings: the shortest one of each instruction with a register and a register or memory operand.
//!
//! `dynasm!` has a fixed size for what a register or displacement given at run time takes: a prefix always, and four bytes. The forms that most
//! code consists of are therefore encoded here, and so are those with a condition in the opcode.

use super::regs::{R14, RSP};
use crate::isa::buffer::Code;
use dynasmrt::DynasmApi;

/// A register or a place in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rm {
    /// A register.
    Reg(u8),
    /// `[rsp + displacement]`
    Frame(i32),
    /// `[base + displacement]`
    At(u8, i32),
    /// `[base + index + displacement]`
    Sum(u8, u8, i32),
    /// A constant of 8 bytes behind the function.
    Const(u64),
}

impl Rm {
    /// Whether it is a register, or an address made of it.
    pub(super) fn uses(self, reg: u8) -> bool {
        match self {
            Rm::Reg(r) | Rm::At(r, _) | Rm::Sum(R14, r, _) => r == reg,
            Rm::Sum(base, index, _) => base == reg || index == reg,
            Rm::Frame(_) | Rm::Const(_) => false,
        }
    }
}

/// An opcode with what stands in front of it.
#[derive(Clone, Copy)]
pub(super) struct Opcode {
    prefix: u8,
    /// How many bytes stand behind the prefixes.
    len: u8,
    /// These bytes, the first one lowest.
    bytes: u32,
}

impl Opcode {
    /// The bytes of an instruction up to the opcode, the first one lowest, and how many there are.
    #[inline(always)]
    fn after(self, rex: u8) -> (u64, u32) {
        let prefix = u32::from(self.prefix != 0);
        let (rex, len) = if rex != 0 { (0x40 | rex, prefix + 1) } else { (0, prefix) };
        let head = u64::from(self.prefix) | u64::from(rex) << (8 * prefix);
        (head | u64::from(self.bytes) << (8 * len), len + u32::from(self.len))
    }
}

/// An opcode of one byte.
pub(super) const fn op(byte: u8) -> Opcode {
    Opcode { prefix: 0, len: 1, bytes: byte as u32 }
}

/// An opcode behind `0f`.
pub(super) const fn op_0f(byte: u8) -> Opcode {
    op_p0f(0, byte)
}

/// An opcode behind a prefix and `0f`.
pub(super) const fn op_p0f(prefix: u8, byte: u8) -> Opcode {
    Opcode { prefix, len: 2, bytes: 0x0f | (byte as u32) << 8 }
}

/// An opcode behind `66 0f 3a`.
pub(super) const fn op_660f3a(byte: u8) -> Opcode {
    Opcode { prefix: 0x66, len: 3, bytes: 0x3a0f | (byte as u32) << 16 }
}

/// An opcode behind the prefix for operands of 16 bits.
pub(super) const fn op_66(byte: u8) -> Opcode {
    Opcode { prefix: 0x66, len: 1, bytes: byte as u32 }
}

/// The instructions that `add` stands first of, by their number in the instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alu {
    Add = 0,
    Or = 1,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

impl Alu {
    pub(super) fn commutes(self) -> bool {
        !matches!(self, Alu::Sub | Alu::Cmp)
    }
}

/// The shifts and rotations, by their number in the instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    Rol = 0,
    Ror = 1,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// Conditions, by their number in the instruction set.
pub(super) mod cc {
    pub(in super::super) const O: u8 = 0;
    pub(in super::super) const NO: u8 = 1;
    pub(in super::super) const B: u8 = 2;
    pub(in super::super) const AE: u8 = 3;
    pub(in super::super) const E: u8 = 4;
    pub(in super::super) const NE: u8 = 5;
    pub(in super::super) const BE: u8 = 6;
    pub(in super::super) const A: u8 = 7;
    pub(in super::super) const S: u8 = 8;
    pub(in super::super) const NS: u8 = 9;
    pub(in super::super) const P: u8 = 10;
    pub(in super::super) const NP: u8 = 11;
    pub(in super::super) const L: u8 = 12;
    pub(in super::super) const GE: u8 = 13;
    pub(in super::super) const LE: u8 = 14;
    pub(in super::super) const G: u8 = 15;
}

/// Code, and the constants behind it.
pub(super) struct Asm<'a> {
    pub(super) code: &'a mut Code,
    /// Displacements that lead to constants.
    pub(super) consts: Vec<(u32, u64)>,
}

const W: u8 = 0x48;

/// The number of rsp stands for no index.
const NO_INDEX: u8 = RSP;

fn rex(wide: bool) -> u8 {
    if wide { W } else { 0 }
}

/// Whether a constant can be an immediate operand.
pub(super) fn imm(wide: bool, bits: u64) -> Option<i32> {
    if wide { i32::try_from(bits as i64).ok() } else { Some(bits as u32 as i32) }
}

impl Asm<'_> {
    pub(super) fn at(&self) -> u32 {
        self.code.at()
    }

    /// `opcode reg, rm` or `opcode rm, reg`. `rex` is 0, 0x48 for operands of 64 bits, or 0x40 where a register of 8 bits needs a prefix.
    #[inline(always)]
    pub(super) fn rm(&mut self, opcode: Opcode, rex: u8, reg: u8, rm: Rm) {
        match rm {
            Rm::Reg(r) => self.with_register(opcode, rex, reg, r),
            Rm::Frame(at) => self.with_memory(opcode, rex, reg, RSP, NO_INDEX, at),
            Rm::At(base, at) => self.with_memory(opcode, rex, reg, base, NO_INDEX, at),
            Rm::Sum(base, index, at) => self.with_memory(opcode, rex, reg, base, index, at),
            Rm::Const(value) => self.with_constant(opcode, rex, reg, value),
        }
    }

    fn with_register(&mut self, opcode: Opcode, rex: u8, reg: u8, r: u8) {
        let (head, len) = opcode.after(rex | (reg >> 3) << 2 | r >> 3);
        let last = 0xc0 | (reg & 7) << 3 | r & 7;
        self.put((head | u64::from(last) << (8 * len)).to_le_bytes(), len + 1);
    }

    fn with_memory(&mut self, opcode: Opcode, rex: u8, reg: u8, base: u8, index: u8, at: i32) {
        let (head, len) = opcode.after(rex | (reg >> 3) << 2 | (index & 8) >> 2 | base >> 3);
        // rbp and r13 as a base always have a displacement.
        let (mode, size) = if i32::from(at as i8) == at {
            let size = u8::from(at != 0 || base & 7 == 5);
            (size << 6, u32::from(size))
        } else {
            (0x80, 4)
        };
        // What stands behind the opcode, the first byte lowest.
        let first = u64::from(mode | (reg & 7) << 3);
        // rsp and r12 as a base always have the second byte.
        let (mut tail, tail_len) = if index != NO_INDEX || base & 7 == 4 {
            (first | 4 | u64::from((index & 7) << 3 | base & 7) << 8, 2)
        } else {
            (first | u64::from(base & 7), 1)
        };
        tail |= u64::from(at as u32) << (8 * tail_len);
        let low = head | tail << (8 * len);
        let high = tail >> (64 - 8 * len);
        let bytes = u128::from(low) | u128::from(high) << 64;
        self.put(bytes.to_le_bytes(), len + tail_len + size);
    }

    #[cold]
    fn with_constant(&mut self, opcode: Opcode, rex: u8, reg: u8, value: u64) {
        let (head, len) = opcode.after(rex | (reg >> 3) << 2);
        let last = (reg & 7) << 3 | 5;
        self.put((head | u64::from(last) << (8 * len)).to_le_bytes(), len + 1);
        self.consts.push((self.at(), value));
        self.code.push_i32(0);
    }

    /// Appends the first of these bytes.
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N], len: u32) {
        let len = self.code.bytes.len() + len as usize;
        self.code.bytes.extend_from_slice(&bytes);
        self.code.bytes.truncate(len);
    }

    /// An opcode of one byte, and a displacement that is not known yet. Returns where that stands.
    pub(super) fn ahead(&mut self, opcode: u8) -> u32 {
        self.code.bytes.extend_from_slice(&[opcode, 0, 0, 0, 0]);
        self.at() - 4
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.code.push(byte);
    }

    /// `alu reg, rm`
    pub(super) fn alu(&mut self, alu: Alu, wide: bool, reg: u8, with: Rm) {
        self.rm(op((alu as u8) << 3 | 3), rex(wide), reg, with);
    }

    /// `alu rm, reg`
    pub(super) fn alu_to(&mut self, alu: Alu, wide: bool, to: Rm, reg: u8) {
        self.rm(op((alu as u8) << 3 | 1), rex(wide), reg, to);
    }

    /// `alu rm, immediate`. Not for a constant behind the function.
    pub(super) fn alu_imm(&mut self, alu: Alu, wide: bool, to: Rm, value: i32) {
        if let Ok(short) = i8::try_from(value) {
            self.rm(op(0x83), rex(wide), alu as u8, to);
            self.byte(short as u8);
        } else {
            self.rm(op(0x81), rex(wide), alu as u8, to);
            self.code.push_i32(value);
        }
    }

    /// `test reg, rm`
    pub(super) fn test(&mut self, wide: bool, reg: u8, with: Rm) {
        self.rm(op(0x85), rex(wide), reg, with);
    }

    /// `test rm, immediate`
    pub(super) fn test_imm(&mut self, wide: bool, with: Rm, value: i32) {
        match with {
            Rm::Reg(reg) if (0..128).contains(&value) => {
                self.rm(op(0xf6), if reg >= 4 { 0x40 } else { 0 }, 0, with);
                self.byte(value as u8);
            }
            _ => {
                self.rm(op(0xf7), rex(wide), 0, with);
                self.code.push_i32(value);
            }
        }
    }

    /// `cmp reg, [r14 + at]`, and a jump if it is greater. Returns where the displacement of that stands.
    pub(super) fn jump_above(&mut self, reg: u8, at: i8) -> u32 {
        let (rex, last) = (0x49 | (reg >> 3) << 2, 0x46 | (reg & 7) << 3);
        let bytes = [rex, 0x3b, last, at as u8, 0x0f, 0x80 | cc::G, 0, 0, 0, 0];
        self.code.bytes.extend_from_slice(&bytes);
        self.at() - 4
    }

    /// `mov reg, rm`
    pub(super) fn mov(&mut self, wide: bool, reg: u8, from: Rm) {
        self.rm(op(0x8b), rex(wide), reg, from);
    }

    /// `mov rm, reg`
    pub(super) fn mov_to(&mut self, wide: bool, to: Rm, reg: u8) {
        self.rm(op(0x89), rex(wide), reg, to);
    }

    /// `mov rm, immediate`, with its sign extended.
    pub(super) fn mov_to_imm(&mut self, wide: bool, to: Rm, value: i32) {
        self.rm(op(0xc7), rex(wide), 0, to);
        self.code.push_i32(value);
    }

    /// `mov reg, immediate`. Leaves the flags alone.
    pub(super) fn mov_imm(&mut self, reg: u8, bits: u64) {
        if let Ok(short) = u32::try_from(bits) {
            if reg >= 8 {
                self.byte(0x41);
            }
            self.byte(0xb8 | reg & 7);
            self.code.push_u32(short);
        } else if let Ok(signed) = i32::try_from(bits as i64) {
            self.mov_to_imm(true, Rm::Reg(reg), signed);
        } else {
            self.byte(0x48 | reg >> 3);
            self.byte(0xb8 | reg & 7);
            self.code.push_i64(bits as i64);
        }
    }

    /// Sets a register to zero, and changes flags.
    pub(super) fn zero(&mut self, reg: u8) {
        self.alu_to(Alu::Xor, false, Rm::Reg(reg), reg);
    }

    /// `lea reg, [memory]`
    pub(super) fn lea(&mut self, wide: bool, reg: u8, of: Rm) {
        self.rm(op(0x8d), rex(wide), reg, of);
    }

    /// `lea reg, [base + (index << shift)]`
    pub(super) fn lea_scaled(&mut self, wide: bool, reg: u8, base: u8, index: u8, shift: u8) {
        let bits = rex(wide) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;
        if bits != 0 {
            self.byte(0x40 | bits);
        }
        self.byte(0x8d);
        // rbp and r13 as a base always have a displacement.
        let displacement = base & 7 == 5;
        self.byte(if displacement { 0x44 } else { 0x04 } | (reg & 7) << 3);
        self.byte(shift << 6 | (index & 7) << 3 | base & 7);
        if displacement {
            self.byte(0);
        }
    }

    /// `lea reg, [(index << shift) + displacement]`
    pub(super) fn lea_table(&mut self, wide: bool, reg: u8, index: u8, shift: u8, at: i32) {
        let bits = rex(wide) | (reg >> 3) << 2 | (index >> 3) << 1;
        if bits != 0 {
            self.byte(0x40 | bits);
        }
        self.byte(0x8d);
        self.byte(0x04 | (reg & 7) << 3);
        self.byte(shift << 6 | (index & 7) << 3 | 5);
        self.code.push_i32(at);
    }

    /// `imul reg, rm`
    pub(super) fn imul(&mut self, wide: bool, reg: u8, with: Rm) {
        self.rm(op_0f(0xaf), rex(wide), reg, with);
    }

    /// `imul reg, rm, immediate`
    pub(super) fn imul_imm(&mut self, wide: bool, reg: u8, from: Rm, value: i32) {
        if let Ok(short) = i8::try_from(value) {
            self.rm(op(0x6b), rex(wide), reg, from);
            self.byte(short as u8);
        } else {
            self.rm(op(0x69), rex(wide), reg, from);
            self.code.push_i32(value);
        }
    }

    /// One of the instructions with opcode `f7`: `neg` is 3, `mul` 4, `div` 6, `idiv` 7.
    pub(super) fn unary(&mut self, number: u8, wide: bool, rm: Rm) {
        self.rm(op(0xf7), rex(wide), number, rm);
    }

    /// `shift reg, count`
    pub(super) fn shift_imm(&mut self, shift: Shift, wide: bool, reg: u8, count: u8) {
        if count == 1 {
            self.rm(op(0xd1), rex(wide), shift as u8, Rm::Reg(reg));
        } else {
            self.rm(op(0xc1), rex(wide), shift as u8, Rm::Reg(reg));
            self.byte(count);
        }
    }

    /// `shift reg, cl`
    pub(super) fn shift_cl(&mut self, shift: Shift, wide: bool, reg: u8) {
        self.rm(op(0xd3), rex(wide), shift as u8, Rm::Reg(reg));
    }

    /// `shlx`, `shrx` or `sarx reg, from, count`
    pub(super) fn shift_x(&mut self, shift: Shift, wide: bool, reg: u8, from: u8, count: u8) {
        let prefix = match shift {
            Shift::Shl => 1,
            Shift::Sar => 2,
            _ => 3,
        };
        self.vex(2, prefix, wide, 0xf7, reg, from, count);
    }

    /// `rorx reg, from, count`
    pub(super) fn rorx(&mut self, wide: bool, reg: u8, from: u8, count: u8) {
        self.vex(3, 3, wide, 0xf0, reg, from, 0);
        self.byte(count);
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of the encoding")]
    fn vex(&mut self, map: u8, prefix: u8, wide: bool, opcode: u8, reg: u8, rm: u8, second: u8) {
        let bytes = [
            0xc4,
            (!reg >> 3 & 1) << 7 | 0x40 | (!rm >> 3 & 1) << 5 | map,
            u8::from(wide) << 7 | (!second & 15) << 3 | prefix,
            opcode,
            0xc0 | (reg & 7) << 3 | rm & 7,
        ];
        self.code.bytes.extend_from_slice(&bytes);
    }

    /// Sets the low byte of a register to a condition.
    pub(super) fn setcc(&mut self, condition: u8, reg: u8) {
        self.rm(op_0f(0x90 | condition), if reg >= 4 { 0x40 } else { 0 }, 0, Rm::Reg(reg));
    }

    /// `movzx reg, low byte of from`
    pub(super) fn movzx8(&mut self, reg: u8, from: u8) {
        self.rm(op_0f(0xb6), if from >= 4 { 0x40 } else { 0 }, reg, Rm::Reg(from));
    }

    /// `cmov reg, rm`
    pub(super) fn cmov(&mut self, condition: u8, wide: bool, reg: u8, from: Rm) {
        self.rm(op_0f(0x40 | condition), rex(wide), reg, from);
    }

    /// An instruction with two operands in the registers for floats, the second perhaps in memory.
    pub(super) fn sse(&mut self, opcode: Opcode, reg: u8, with: Rm) {
        self.rm(opcode, 0, reg, with);
    }

    /// An instruction between registers for floats and integers of this width.
    pub(super) fn sse_int(&mut self, opcode: Opcode, wide: bool, reg: u8, with: Rm) {
        self.rm(opcode, rex(wide), reg, with);
    }

    /// A jump over a few instructions, to where [`Asm::land`] is called.
    #[must_use]
    pub(super) fn skip(&mut self, condition: u8) -> u32 {
        self.byte(0x70 | condition);
        self.byte(0);
        self.at()
    }

    /// The same, in any case.
    #[must_use]
    pub(super) fn skip_always(&mut self) -> u32 {
        self.byte(0xeb);
        self.byte(0);
        self.at()
    }

    /// Here a jump of [`Asm::skip`] leads.
    pub(super) fn land(&mut self, from: u32) {
        let distance = self.at() - from;
        debug_assert!(distance < 128, "a jump over {distance} bytes");
        self.code.bytes[from as usize - 1] = distance as u8;
    }

    /// A jump to a place that is not known yet. Returns where its displacement stands.
    pub(super) fn jump_if(&mut self, condition: u8) -> u32 {
        self.code.bytes.extend_from_slice(&[0x0f, 0x80 | condition, 0, 0, 0, 0]);
        self.at() - 4
    }

    /// The same, in any case.
    pub(super) fn jump(&mut self) -> u32 {
        self.ahead(0xe9)
    }

    /// A jump back to a place.
    pub(super) fn jump_back(&mut self, condition: Option<u8>, to: u32) {
        let distance = i64::from(to) - i64::from(self.at());
        if distance - 2 >= -128 {
            self.byte(condition.map_or(0xeb, |condition| 0x70 | condition));
            return self.byte((distance - 2) as u8);
        }
        let at = match condition {
            Some(condition) => self.jump_if(condition),
            None => self.jump(),
        };
        self.lead(at, to);
    }

    /// Lets a displacement lead to a place.
    pub(super) fn lead(&mut self, at: u32, to: u32) {
        lead(&mut self.code.bytes, at, to);
    }
}

/// Lets the displacement at `at`, which ends its instruction, lead to `to`.
pub(super) fn lead(code: &mut [u8], at: u32, to: u32) {
    let displacement = to.wrapping_sub(at).wrapping_sub(4);
    if let Some(bytes) = code.get_mut(at as usize..).and_then(|code| code.first_chunk_mut()) {
        *bytes = displacement.to_le_bytes();
    }
}
