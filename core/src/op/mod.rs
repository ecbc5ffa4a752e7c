//! Base ops: what the [`translate`](crate::translate) module hands to a sink, described by one table.

mod simd;
mod table;

use crate::{for_each_op, with_vector_ops};

/// The type of a numeric operand, as handlers and compilers see it: sign and reference types do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "spelled as in the rows of the table")]
pub enum Num {
    /// Signed byte, in memory only.
    i8,
    /// Unsigned byte, in memory only.
    u8,
    /// Signed 16-bit integer, in memory only.
    i16,
    /// Unsigned 16-bit integer, in memory only.
    u16,
    /// Signed 32-bit integer, in memory only.
    i32,
    /// `i32`
    u32,
    /// `i64`
    u64,
    /// A reference that the collector has to know of: any but one to a function. In a slot like a `u64`.
    handle,
    /// `f32`
    f32,
    /// `f64`
    f64,
    /// `v128`: two slots, the low half first.
    v128,
    /// The `i32` that a comparison gives.
    bool,
}

impl Num {
    /// How many slots a value takes.
    #[inline]
    pub fn slots(self) -> u32 {
        if self == Num::v128 { 2 } else { 1 }
    }
}

/// How an op takes operands and gives results; see [`for_each_op!`](crate::for_each_op).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "spelled as in the rows of the table")]
pub enum Class {
    /// One operand, one result.
    un,
    /// One operand, one result, may trap.
    un_trap,
    /// Two operands, one result.
    bin,
    /// Two operands, one result, may trap.
    bin_trap,
    /// Two operands, a truth value.
    cmp,
    /// Reads memory.
    load,
    /// Writes memory.
    store,
    /// One vector, a vector.
    vun,
    /// Two vectors, a vector.
    vbin,
    /// Three vectors, a vector.
    vternary,
    /// A vector and an `i32`, a vector.
    vshift,
    /// A vector, an integer.
    vtest,
    /// A scalar, a vector of it.
    splat,
    /// A lane of a vector.
    extract,
    /// A vector, and a scalar for one of its lanes.
    replace,
    /// Two vectors, sixteen bytes of both.
    shuffle,
    /// Two vectors, bytes of the first that the second names.
    swizzle,
    /// Reads a vector from memory.
    vload,
    /// Reads eight bytes from memory and widens their lanes, a vector.
    vwiden,
    /// Writes a vector to memory.
    vstore,
    /// Reads a lane from memory: address and vector, a vector.
    load_lane,
    /// Writes a lane to memory: address and vector.
    store_lane,
    /// Operands and results in consecutive slots, computed from nothing else.
    multi,
    /// Reads memory, as if at one moment.
    atomic_load,
    /// Writes memory, as if at one moment.
    atomic_store,
    /// Reads, adds and writes, as if at one moment. So do those that follow, with other ops.
    atomic_add,
    /// Subtracts.
    atomic_sub,
    /// Bitwise "and".
    atomic_and,
    /// Bitwise "or".
    atomic_or,
    /// Bitwise "exclusive or".
    atomic_xor,
    /// Exchanges.
    atomic_xchg,
    /// Exchanges if what it finds is the first operand.
    atomic_cmpxchg,
    /// Waits at an address.
    atomic_wait,
    /// Wakes who waits at an address.
    atomic_notify,
    /// Operands and results in consecutive slots.
    slots,
}

impl Class {
    /// How many operands an op of one of the atomic classes has, with the address; `None` for the other classes.
    pub fn atomic_operands(self) -> Option<u32> {
        match self {
            Class::atomic_load => Some(1),
            Class::atomic_cmpxchg | Class::atomic_wait => Some(3),
            Class::atomic_store
            | Class::atomic_add
            | Class::atomic_sub
            | Class::atomic_and
            | Class::atomic_or
            | Class::atomic_xor
            | Class::atomic_xchg
            | Class::atomic_notify => Some(2),
            _ => None,
        }
    }
}

/// Which of the interpreter's ops the code of a module may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum OpSet {
    /// A form or two for each op, with all values in slots. Every build has them, also the smallest.
    Small,
    /// All forms of single ops, with values in registers where that pays. Every build has them that has room for more than the small set.
    Standard,
    /// The fused ops as well, which take threaded code: the fastest.
    #[default]
    Fused,
}

impl OpSet {
    /// The op set of this number, which is what artifacts have.
    pub fn from_number(number: u8) -> Option<OpSet> {
        [OpSet::Small, OpSet::Standard, OpSet::Fused].get(usize::from(number)).copied()
    }
}

/// What the table says about an op.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name in the text format with `.` written `_`.
    pub name: &'static str,
    /// Its variant of [`Op`].
    pub variant: &'static str,
    /// How it takes operands.
    pub class: Class,
    /// Type of the operands; of what is in memory for a load. `None` for the classes `multi` and `slots`.
    pub from: Option<Num>,
    /// Type of the result; of what is in memory for a store. `None` for the classes `multi` and `slots`.
    pub to: Option<Num>,
    /// Whether operands may be exchanged.
    pub commutes: bool,
    /// Whether the op is too rare for special forms.
    pub rare: bool,
}

macro_rules! num {
    (0) => {
        None
    };
    (1) => {
        None
    };
    (2) => {
        None
    };
    (3) => {
        None
    };
    (4) => {
        None
    };
    ($ty:ident) => {
        Some(Num::$ty)
    };
}

macro_rules! result {
    (bool) => {
        Num::u32
    };
    (0) => {
        Num::u32
    };
    (1) => {
        Num::u32
    };
    (2) => {
        Num::u64
    };
    ($ty:ident) => {
        Num::$ty
    };
}

macro_rules! has {
    ($wanted:ident) => { false };
    (commutes commutes $($rest:ident)*) => { true };
    (rare rare $($rest:ident)*) => { true };
    ($wanted:ident $other:ident $($rest:ident)*) => { has!($wanted $($rest)*) };
}

macro_rules! define {
    ($( $name:ident = $Name:ident, $class:ident($from:tt -> $to:tt), [$($flag:ident)*]; )*) => {
        /// A base op.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        #[allow(missing_docs, reason = "named after the operators of the specification")]
        pub enum Op { $( $Name, )* }

        /// Columns of the table that running code and the translator look at: small enough to stay in the cache, and on small targets
        /// all that there is of it.
        static CLASSES: &[Class] = &[$( Class::$class, )*];
        static OPERANDS: &[Option<Num>] = &[$( num!($from), )*];
        static RESULTS: &[Num] = &[$( result!($to), )*];

        static OPS: &[Op] = &[$( Op::$Name, )*];
    };
}

macro_rules! rows {
    ($( $name:ident = $Name:ident, $class:ident($from:tt -> $to:tt), [$($flag:ident)*]; )*) => {
        /// The whole table, whatever the features: rows of ops that this build does not have come first, then those of [`Op`], in its order.
        pub static ROWS: &[Row] = &[$( Row {
            name: stringify!($name),
            variant: stringify!($Name),
            class: Class::$class,
            from: num!($from),
            to: num!($to),
            commutes: has!(commutes $($flag)*),
            rare: has!(rare $($flag)*),
        }, )*];
    };
}

for_each_op!(define);
with_vector_ops! { rows! {} }

impl Op {
    /// All that this build has, in the order of their numbers.
    pub const ALL: &[Op] = OPS;

    /// The op whose number in the table this is.
    #[inline]
    pub fn from_number(number: u16) -> Option<Op> {
        OPS.get(usize::from(number)).copied()
    }

    /// What the table says about the op.
    #[inline]
    pub fn row(self) -> &'static Row {
        &ROWS[ROWS.len() - Op::ALL.len() + self as usize]
    }

    /// How the op takes operands.
    #[inline]
    pub fn class(self) -> Class {
        CLASSES[self as usize]
    }

    /// Type of the operands; of what is in memory for a load and for the atomic classes. `None` for the classes `multi` and `slots`.
    #[inline]
    pub fn operand(self) -> Option<Num> {
        OPERANDS[self as usize]
    }

    /// Type of the result; of what is in memory for a store. Comparisons give an `i32`.
    #[inline]
    pub fn result(self) -> Num {
        RESULTS[self as usize]
    }

    /// The comparison that holds exactly when this one does not. Floats have none: NaN makes both false.
    pub fn negated(self) -> Option<Op> {
        use Op::*;
        Some(match self {
            I32Eq => I32Ne,
            I32Ne => I32Eq,
            I32LtS => I32GeS,
            I32GeS => I32LtS,
            I32LtU => I32GeU,
            I32GeU => I32LtU,
            I32GtS => I32LeS,
            I32LeS => I32GtS,
            I32GtU => I32LeU,
            I32LeU => I32GtU,
            I64Eq => I64Ne,
            I64Ne => I64Eq,
            I64LtS => I64GeS,
            I64GeS => I64LtS,
            I64LtU => I64GeU,
            I64GeU => I64LtU,
            I64GtS => I64LeS,
            I64LeS => I64GtS,
            I64GtU => I64LeU,
            I64LeU => I64GtU,
            F32Eq => F32Ne,
            F32Ne => F32Eq,
            F64Eq => F64Ne,
            F64Ne => F64Eq,
            _ => return None,
        })
    }

    /// The comparison that gives the same with its operands exchanged.
    pub fn swapped(self) -> Option<Op> {
        use Op::*;
        Some(match self {
            I32Eq | I32Ne | I64Eq | I64Ne | F32Eq | F32Ne | F64Eq | F64Ne => self,
            I32LtS => I32GtS,
            I32GtS => I32LtS,
            I32LtU => I32GtU,
            I32GtU => I32LtU,
            I32LeS => I32GeS,
            I32GeS => I32LeS,
            I32LeU => I32GeU,
            I32GeU => I32LeU,
            I64LtS => I64GtS,
            I64GtS => I64LtS,
            I64LtU => I64GtU,
            I64GtU => I64LtU,
            I64LeS => I64GeS,
            I64GeS => I64LeS,
            I64LeU => I64GeU,
            I64GeU => I64LeU,
            F32Lt => F32Gt,
            F32Gt => F32Lt,
            F32Le => F32Ge,
            F32Ge => F32Le,
            F64Lt => F64Gt,
            F64Gt => F64Lt,
            F64Le => F64Ge,
            F64Ge => F64Le,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn ops_have_their_own_rows() {
        for (number, &op) in Op::ALL.iter().enumerate() {
            assert_eq!(op as usize, number);
            assert_eq!(op.row().variant, format!("{op:?}"));
            assert_eq!(op.row().class, op.class());
        }
    }

    #[test]
    fn negation_and_exchange_are_involutions_on_comparisons() {
        for op in Op::ALL {
            assert_eq!(op.swapped().is_some(), op.class() == Class::cmp, "{op:?}");
            for other in [op.negated(), op.swapped()].into_iter().flatten() {
                assert_eq!(other.operand(), op.operand());
            }
            assert!(op.negated().is_none_or(|n| n.negated() == Some(*op)));
            assert!(op.swapped().is_none_or(|n| n.swapped() == Some(*op)));
        }
    }
}
