//! How values are passed between compiled functions: the same on every operating system.
//!
//! The first integers and the first floats go in registers, the others on the stack: word *i* of a call stands 8*i* bytes above the stack pointer
//! at the call. Results are passed in the same way, in the same registers and words. `docs/jit.md` has the whole convention.

use crate::{
    ir::Ty,
    regs::{Reg, Registers},
};
use kinglet_core::{
    translate::num,
    types::{FuncType, ValType},
};

/// Where a value is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// In a register.
    Reg(Reg),
    /// In a word of the stack.
    Stack(u32),
}

/// Assigns places to values one after the other.
#[derive(Clone, Debug)]
pub struct Assigner {
    registers: &'static Registers,
    ints: usize,
    floats: usize,
    /// How many words of the stack have been taken.
    pub words: u32,
}

impl Assigner {
    /// For a new list of values.
    pub fn new(registers: &'static Registers) -> Assigner {
        Assigner { registers, ints: 0, floats: 0, words: 0 }
    }

    /// The place of the next value.
    #[inline]
    pub fn next(&mut self, is_float: bool) -> Passed {
        let (regs, used) = if is_float {
            (self.registers.float_args, &mut self.floats)
        } else {
            (self.registers.int_args, &mut self.ints)
        };
        match regs.get(*used) {
            Some(&reg) => {
                *used += 1;
                Passed::Reg(reg)
            }
            None => {
                self.words += 1;
                Passed::Stack(self.words - 1)
            }
        }
    }
}

/// The types of the values of a function type, in order; `None` if there is a vector among them.
pub fn types(types: &[ValType]) -> Option<Vec<Ty>> {
    types.iter().map(|&ty| Ty::of(num(ty))).collect()
}

/// How many words of the stack a call of a function of this type needs, for arguments or results.
pub fn stack_words(registers: &'static Registers, ty: &FuncType) -> u32 {
    let words = |types: &[ValType]| {
        if types.len() <= registers.int_args.len().min(registers.float_args.len()) {
            return 0;
        }
        let mut assigner = Assigner::new(registers);
        for &ty in types {
            assigner.next(matches!(ty, ValType::F32 | ValType::F64));
        }
        assigner.words
    };
    words(ty.params()).max(words(ty.results()))
}

/// What entering and leaving compiled code depends on of a function type: which of the values are floats of which size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The arguments.
    pub params: Box<[Ty]>,
    /// The results.
    pub results: Box<[Ty]>,
}

impl Shape {
    /// The shape of a function type; `None` if it has vectors. Handles pass as `i64`.
    pub fn of(ty: &FuncType) -> Option<Shape> {
        let plain = |types: &[ValType]| -> Option<Box<[Ty]>> {
            types
                .iter()
                .map(|&ty| Ty::of(num(ty)).map(|ty| if ty == Ty::Ref { Ty::I64 } else { ty }))
                .collect()
        };
        Some(Shape { params: plain(ty.params())?, results: plain(ty.results())? })
    }
}
