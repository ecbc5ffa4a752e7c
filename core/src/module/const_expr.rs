//! Constant expressions (spec, 3.4.15): initial values and offsets, with an evaluator of their own.

use crate::index::{FuncIdx, GlobalIdx};
use alloc::{boxed::Box, vec::Vec};

/// A constant expression in postfix order. Validation has made sure that it leaves exactly one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConstExpr {
    /// The common case: one operator.
    One(ConstOp),
    /// Operators in postfix order.
    Many(Box<[ConstOp]>),
}

/// An operator of a constant expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstOp {
    /// A number, by the bits of its slot.
    Const(u64),
    /// A vector, by the bits of its slots.
    Vector([u64; 2]),
    /// The value of a global.
    GlobalGet(GlobalIdx),
    /// The null reference.
    RefNull,
    /// A reference to a function.
    RefFunc(FuncIdx),
    /// `i32.add`
    I32Add,
    /// `i32.sub`
    I32Sub,
    /// `i32.mul`
    I32Mul,
    /// `i64.add`
    I64Add,
    /// `i64.sub`
    I64Sub,
    /// `i64.mul`
    I64Mul,
}

impl ConstExpr {
    /// The value of the expression, as the bits of two slots, of which all types but `v128` use the first; `global` and `func` say what globals hold and functions are called.
    pub fn eval(
        &self,
        global: &mut dyn FnMut(GlobalIdx) -> [u64; 2],
        func: &mut dyn FnMut(FuncIdx) -> u64,
    ) -> [u64; 2] {
        let ops = match self {
            ConstExpr::One(op) => core::slice::from_ref(op),
            ConstExpr::Many(ops) => ops,
        };
        let mut stack = Vec::with_capacity(2);
        for &op in ops {
            let value = match op {
                ConstOp::Const(bits) => [bits, 0],
                ConstOp::Vector(bits) => bits,
                ConstOp::GlobalGet(i) => global(i),
                ConstOp::RefNull => [0, 0],
                ConstOp::RefFunc(i) => [func(i), 0],
                arithmetic => {
                    let [b, _] = stack.pop().unwrap_or_default();
                    let [a, _] = stack.pop().unwrap_or_default();
                    [binary(arithmetic, a, b), 0]
                }
            };
            stack.push(value);
        }
        stack.pop().unwrap_or_default()
    }
}

fn binary(op: ConstOp, a: u64, b: u64) -> u64 {
    let narrow = |v: u32| u64::from(v);
    match op {
        ConstOp::I32Add => narrow((a as u32).wrapping_add(b as u32)),
        ConstOp::I32Sub => narrow((a as u32).wrapping_sub(b as u32)),
        ConstOp::I32Mul => narrow((a as u32).wrapping_mul(b as u32)),
        ConstOp::I64Add => a.wrapping_add(b),
        ConstOp::I64Sub => a.wrapping_sub(b),
        _ => a.wrapping_mul(b),
    }
}
