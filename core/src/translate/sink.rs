//! What a tier offers to the translator.

use super::Live;
#[cfg(feature = "gc")]
use crate::types::CastTarget;
use crate::{
    error::Error,
    index::*,
    op::{Num, Op},
    types::FuncType,
};

/// Where the value of an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loc {
    /// In the local of this slot: the operand was read by `local.get` and the local has not been assigned since.
    Local(u32),
    /// In the slot of its height in the operand stack.
    Temp,
    /// A constant, by the bits of its slot.
    Const(u64),
}

/// An operand: where its value is, and its place in the operand stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Where the value is.
    pub loc: Loc,
    /// Its place in the operand stack, counted from 0. The slot of that place is free for a sink to use until another value is pushed there.
    pub height: u32,
}

/// The function that is being translated.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Which function of the module.
    pub func: FuncIdx,
    /// Types of the slots of all locals, parameters first. The second slot of a vector is a `u64`.
    pub locals: &'a [Num],
    /// How many of them are slots of parameters.
    pub params: u32,
    /// How many slots the results of the function take.
    pub results: u32,
    /// Bytes of the body in the binary: what sizes of outputs are judged by.
    pub body_len: usize,
    /// The integer local worth a register, by its slot.
    pub pinned_int: Option<u16>,
    /// The `f64` local worth a register, by its slot.
    pub pinned_f64: Option<u16>,
}

/// The immediate operands of a load or store.
#[derive(Clone, Copy, Debug)]
pub struct MemArg {
    /// Which memory.
    pub memory: MemoryIdx,
    /// Whether it is addressed by `i64`.
    pub is_64: bool,
    /// Whether several threads may use it at the same time.
    pub shared: bool,
    /// Constant part of the address.
    pub offset: u64,
}

/// How a field or element is read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// How it is kept: one of the types that only memory has, `u32` for a reference, or the value's own type.
    pub stored: Num,
    /// The type of the value.
    pub value: Num,
}

/// What a call calls.
#[derive(Clone, Copy, Debug)]
pub enum Callee {
    /// A function of the module.
    Func(FuncIdx),
    /// An imported function.
    Import(FuncIdx),
    /// An element of a table.
    Table {
        /// Which table.
        table: TableIdx,
        /// Whether it is indexed by `i64`.
        is_64: bool,
        /// The type that the element must have.
        ty: TypeIdx,
        /// Which element.
        index: Operand,
    },
    /// What a reference refers to. Its type is right, but it may be null.
    Ref {
        /// The reference.
        func: Operand,
    },
}

/// What catches exceptions: a clause of a `try_table`.
#[derive(Clone, Copy, Debug)]
pub struct Catch<L> {
    /// The tag that an exception must have; `None` if all are caught.
    pub tag: Option<TagIdx>,
    /// Where control goes on.
    pub to: L,
    /// The height from which on the values that the exception carries go to their slots, if it has to have a tag.
    pub height: u32,
    /// How many slots they take.
    pub slots: u32,
    /// The height where a reference to the exception goes, if one does: directly behind the values or in front of them.
    pub reference: Option<u32>,
    /// Whether anybody reads it. Otherwise null will do.
    pub wanted: bool,
    /// Whether control goes on to a loop from there: `to` is bound behind everything else, and does not end a block that is open here.
    pub goes_back: bool,
}

/// Receives the base ops of one function after the other.
///
/// Slots are numbered logically: those of locals from 0 on, height *h* of the operand stack is slot *locals + h*; a tier may lay
/// them out as it likes. A `v128` takes two, also in the operand stack: heights count slots. An operand handed to an op is used up by it; [`place`](Sink::place) alone leaves it as it is.
/// Results go to the height `to`, the place of the result in the operand stack.
pub trait Sink {
    /// A place in the code that jumps lead to.
    type Label: Copy;
    /// A point that takes fuel, the amount of which is known later.
    type FuelPoint: Copy;

    /// Begins a function.
    fn begin(&mut self, shape: &Shape<'_>) -> Result<(), Error>;
    /// Ends the function. Here everything too large for the tier is an error.
    fn end(&mut self) -> Result<(), Error>;
    /// What follows comes from this offset of the binary. Here code that grows out of proportion is an error.
    fn position(&mut self, offset: usize) -> Result<(), Error>;

    /// What collectors of garbage need to know about the op that comes next, which stops or calls: the references on the operand
    /// stack. Only called if the translator takes notes.
    fn live(&mut self, refs: Live);

    /// An op of the classes `un` and `un_trap`.
    fn unary(&mut self, op: Op, a: Operand, to: u32);
    /// An op of the classes `bin`, `bin_trap` and `cmp`.
    fn binary(&mut self, op: Op, a: Operand, b: Operand, to: u32);
    /// An op of the class `load`.
    fn load(&mut self, op: Op, address: Operand, at: MemArg, to: u32);
    /// An op of the class `store`.
    fn store(&mut self, op: Op, address: Operand, value: Operand, at: MemArg);
    /// An op of the class `multi`: operands, and as many results or less, stand at height `base` and above, in their slots.
    fn multi(&mut self, op: Op, operands: u32, results: u32, base: u32);
    /// An op of one of the atomic classes: address, operands and the result stand at height `base` and above, in their slots.
    fn atomic(&mut self, op: Op, at: MemArg, base: u32);
    /// An op of the class `slots`: slots of operands, and a result if there is one, stand at height `base` and above, in their slots.
    fn slots(
        &mut self,
        op: Op,
        immediates: [u32; 2],
        operands: u32,
        result: Option<Num>,
        base: u32,
    );
    /// Tests whether a reference is of a type of its hierarchy.
    #[cfg(feature = "gc")]
    fn ref_test(&mut self, to: CastTarget, a: Operand, height: u32);
    /// The reference, if it is of a type of its hierarchy; traps otherwise.
    #[cfg(feature = "gc")]
    fn ref_cast(&mut self, to: CastTarget, a: Operand, height: u32);

    /// Reads the field of a struct that is `offset` bytes behind its beginning. The result is of type `ty`.
    #[cfg(feature = "gc")]
    fn struct_get(&mut self, access: Access, offset: u32, object: Operand, ty: Num, to: u32);
    /// Writes such a field.
    #[cfg(feature = "gc")]
    fn struct_set(&mut self, access: Access, offset: u32, object: Operand, value: Operand);
    /// Reads an element of an array. The result is of type `ty`.
    #[cfg(feature = "gc")]
    fn array_get(&mut self, access: Access, array: Operand, index: Operand, ty: Num, to: u32);
    /// Writes an element of an array.
    #[cfg(feature = "gc")]
    fn array_set(&mut self, access: Access, array: Operand, index: Operand, value: Operand);
    /// Reads how many elements an array has.
    #[cfg(feature = "gc")]
    fn array_len(&mut self, array: Operand, to: u32);
    /// An op on vectors that does not touch memory. The immediate is the number of a lane, or those of sixteen bytes.
    #[cfg(feature = "simd")]
    fn vector(&mut self, op: Op, operands: &[Operand], immediate: u128, to: u32);
    /// An op between vectors and memory: operands are the address, and the vector if there is one.
    #[cfg(feature = "simd")]
    fn vector_access(&mut self, op: Op, operands: &[Operand], at: MemArg, lane: u8, to: u32);
    /// A vector of these bits.
    #[cfg(feature = "simd")]
    fn vector_const(&mut self, bits: u128, to: u32);
    /// `condition ? a : b`
    fn select(&mut self, ty: Num, condition: Operand, a: Operand, b: Operand, to: u32);
    /// Assigns a local. No operand reads the old value any more.
    fn local_set(&mut self, local: u32, ty: Num, value: Operand);
    /// Reads a global.
    fn global_get(&mut self, global: GlobalIdx, ty: Num, to: u32);
    /// Assigns a global.
    fn global_set(&mut self, global: GlobalIdx, ty: Num, value: Operand);
    /// Forgets a value.
    fn discard(&mut self, ty: Num, value: Operand);

    /// Writes a value to the slot of height `to`, leaving it where it is as well: for the op, the jump or the bound label that comes
    /// next, which takes values there.
    fn place(&mut self, ty: Num, value: Operand, to: u32);
    /// Writes a value to its slot, where it stays: the local that it is read from is about to change, or control flow to split or join.
    fn keep(&mut self, ty: Num, value: Operand);
    /// Writes every value below `height` that is on its way to its slot there: control flow is about to split or join.
    fn settle(&mut self, height: u32);

    /// A label that is bound later. Control brings it values of these types, which stand at height `height` and above, in their slots.
    fn label(&mut self, height: u32, types: impl Iterator<Item = Num>) -> Self::Label;
    /// Binds a label here; `reachable` says whether control also comes from above.
    fn bind(&mut self, label: Self::Label, reachable: bool);
    /// A label bound here that jumps from below lead to. Otherwise as above.
    fn bind_loop(&mut self, height: u32, types: impl Iterator<Item = Num>) -> Self::Label;
    /// A label bound here that only what number `number` catches leads to. Otherwise as above.
    fn bind_handler(
        &mut self,
        number: u32,
        height: u32,
        types: impl Iterator<Item = Num>,
    ) -> Self::Label;
    /// Jumps; at the cost of a fuel point if it is a metered jump back to a loop.
    fn jump(&mut self, to: Self::Label, metered: bool) -> Option<Self::FuelPoint>;
    /// Jumps if the truth of `condition` is `when`.
    fn jump_if(&mut self, condition: Operand, when: bool, to: Self::Label);
    /// Jumps to the target of number `index`, or to the last one. There is at least one.
    fn jump_table(&mut self, index: Operand, targets: &[Self::Label]);
    /// Takes fuel here.
    fn fuel(&mut self) -> Self::FuelPoint;
    /// Says how much fuel a point takes.
    fn set_cost(&mut self, point: Self::FuelPoint, cost: u32);

    /// Calls a function: arguments and results stand at height `base` and above, in their slots. `index` is the number of its type.
    fn call(&mut self, callee: Callee, index: TypeIdx, ty: &FuncType, base: u32);
    /// Calls a function in place of the current one. Arguments stand at height `base` and above, in their slots.
    fn tail_call(&mut self, callee: Callee, index: TypeIdx, ty: &FuncType, base: u32);
    /// Returns no or one value.
    fn ret(&mut self, value: Option<(Num, Operand)>);
    /// Returns values of `count` slots that stand at height `base` and above, in their slots.
    fn ret_many(&mut self, base: u32, count: u32);
    /// What is thrown from here on, up to the matching [`end_try`](Sink::end_try), may be caught here. Answers the number
    /// under which to say by what. All values have been settled; nothing is emitted.
    fn begin_try(&mut self) -> u32;
    /// Ends the innermost one that is open. What it does not catch goes to number `outer` of those that are still open,
    /// counted from 1, the outermost; 0 for none.
    fn end_try(&mut self, outer: u32);
    /// Says what is caught, once for each number: by the first of these clauses that fits. It comes before the labels are bound,
    /// but for those that control reaches in no other way.
    fn catch(&mut self, number: u32, clauses: &[Catch<Self::Label>]);
    /// Throws a new exception. The values that it carries, parameters of `ty`, stand at height `base` and above, in their slots.
    fn throw(&mut self, tag: TagIdx, ty: &FuncType, base: u32);
    /// Throws the exception that a reference refers to.
    fn throw_ref(&mut self, exception: Operand);
    /// Traps.
    fn unreachable(&mut self);
}
