//! Constant expressions (spec, 3.4.15): initial values and offsets, with an evaluator of their own.

use crate::{
    error::Error,
    index::{FuncIdx, GlobalIdx, TypeIdx},
};
use alloc::{boxed::Box, vec::Vec};

/// A constant expression in postfix order. Validation has made sure that it leaves exactly one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConstExpr {
    /// The common case: one operator.
    One(ConstOp),
    /// Operators in postfix order.
    Many(Box<[ConstOp]>),
}

/// An operator of a constant expression. Those that leave a reference as it is, such as `any.convert_extern`, are left out.
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
    /// `ref.i31`
    RefI31,
    /// `struct.new`, with this many fields
    StructNew(TypeIdx, u32),
    /// `struct.new_default`
    StructNewDefault(TypeIdx),
    /// `array.new`
    ArrayNew(TypeIdx),
    /// `array.new_default`
    ArrayNewDefault(TypeIdx),
    /// `array.new_fixed`, with this many elements
    ArrayNewFixed(TypeIdx, u32),
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

/// What constant expressions are about. Values are the bits of two slots, of which all types but `v128` use the first.
pub trait ConstEnv {
    /// The value of a global.
    fn global(&mut self, global: GlobalIdx) -> [u64; 2];
    /// A reference to a function.
    fn func(&mut self, func: FuncIdx) -> u64;
    /// A reference to a new structure with these fields, or zeros and nulls. It stays valid until the expression ends.
    fn structure(&mut self, ty: TypeIdx, fields: Option<&[[u64; 2]]>) -> Result<u64, Error>;
    /// A reference to a new array that has the same element `len` times. It stays valid until the expression ends.
    fn array(&mut self, ty: TypeIdx, element: [u64; 2], len: u32) -> Result<u64, Error>;
    /// A reference to a new array with these elements. It stays valid until the expression ends.
    fn array_of(&mut self, ty: TypeIdx, elements: &[[u64; 2]]) -> Result<u64, Error>;
}

impl ConstExpr {
    /// Its operators.
    pub fn ops(&self) -> &[ConstOp] {
        match self {
            ConstExpr::One(op) => core::slice::from_ref(op),
            ConstExpr::Many(ops) => ops,
        }
    }

    /// Whether the expression makes an object: then its value is another one every time.
    pub fn allocates(&self) -> bool {
        self.ops().iter().any(ConstOp::allocates)
    }

    /// The value of the expression.
    ///
    /// # Errors
    /// There is no room for a new object.
    pub fn eval(&self, env: &mut impl ConstEnv) -> Result<[u64; 2], Error> {
        let mut stack: Vec<[u64; 2]> = Vec::with_capacity(2);
        for &op in self.ops() {
            let bits = match op {
                ConstOp::Const(bits) => bits,
                ConstOp::Vector(value) => {
                    stack.push(value);
                    continue;
                }
                ConstOp::GlobalGet(i) => {
                    stack.push(env.global(i));
                    continue;
                }
                ConstOp::RefNull => 0,
                ConstOp::RefFunc(i) => env.func(i),
                ConstOp::RefI31 => u64::from((pop(&mut stack) as u32) << 1 | 1),
                // Without the feature, validation lets none of them pass.
                op if cfg!(feature = "gc") && op.allocates() => object(op, &mut stack, env)?,
                arithmetic => {
                    let b = pop(&mut stack);
                    let a = pop(&mut stack);
                    binary(arithmetic, a, b)
                }
            };
            stack.push([bits, 0]);
        }
        Ok(stack.pop().unwrap_or_default())
    }
}

impl ConstOp {
    fn allocates(&self) -> bool {
        use ConstOp::*;
        matches!(
            self,
            StructNew(..)
                | StructNewDefault(_)
                | ArrayNew(_)
                | ArrayNewDefault(_)
                | ArrayNewFixed(..)
        )
    }
}

/// A new object.
fn object(op: ConstOp, stack: &mut Vec<[u64; 2]>, env: &mut impl ConstEnv) -> Result<u64, Error> {
    match op {
        ConstOp::StructNew(ty, count) => {
            let fields = stack.split_off(stack.len() - count as usize);
            env.structure(ty, Some(&fields))
        }
        ConstOp::StructNewDefault(ty) => env.structure(ty, None),
        ConstOp::ArrayNew(ty) => {
            let len = pop(stack) as u32;
            let element = stack.pop().unwrap_or_default();
            env.array(ty, element, len)
        }
        ConstOp::ArrayNewDefault(ty) => {
            let len = pop(stack) as u32;
            env.array(ty, [0; 2], len)
        }
        ConstOp::ArrayNewFixed(ty, count) => {
            let elements = stack.split_off(stack.len() - count as usize);
            env.array_of(ty, &elements)
        }
        _ => unreachable!("an op that makes no object"),
    }
}

fn pop(stack: &mut Vec<[u64; 2]>) -> u64 {
    stack.pop().unwrap_or_default()[0]
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
