// Which operand kinds every op has forms for. Shared between the build script, which makes opcodes and handlers of them,
// and the sink, which chooses among them.

use kinglet_core::op::{Class, Num, Row};

/// Where an operand of a form is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// In a slot of the frame.
    Slot,
    /// In the accumulator of its class.
    Acc,
    /// In the code.
    Imm,
    /// In the register of the pinned local.
    Pin,
}

use Kind::{Acc as A, Imm as I, Pin as P, Slot as S};

/// Combinations of kinds of a two-operand form.
pub(crate) type Pairs = &'static [(Kind, Kind)];

/// Operands that may be exchanged need no mirrored forms.
const SYMMETRIC: Pairs = &[(S, S), (A, S), (S, I), (A, I), (P, S), (P, A), (P, I), (P, P)];
const FULL: Pairs = &[
    (S, S),
    (A, S),
    (S, A),
    (S, I),
    (A, I),
    (P, S),
    (P, A),
    (P, I),
    (P, P),
    (S, P),
    (A, P),
    (I, S),
    (I, A),
    (I, P),
];
const SYMMETRIC_F32: Pairs = &[(S, S), (A, S), (S, I), (A, I)];
const FULL_F32: Pairs = &[(S, S), (A, S), (S, A), (S, I), (A, I), (I, S), (I, A)];
const RARE: Pairs = &[(S, S), (A, S), (S, A), (S, I), (A, I)];

/// Every list of pairs, so that a list has a number.
pub(crate) const LISTS: [Pairs; 5] = [SYMMETRIC, FULL, SYMMETRIC_F32, FULL_F32, RARE];

/// The number in [`LISTS`] of the pairs that the op of a row has forms for.
pub(crate) fn list(row: &Row) -> usize {
    let symmetric = row.commutes || row.class == Class::cmp;
    match (row.rare, row.from, symmetric) {
        (true, ..) => 4,
        (false, Some(Num::f32), true) => 2,
        (false, Some(Num::f32), false) => 3,
        (false, _, true) => 0,
        (false, _, false) => 1,
    }
}

/// How many destinations the forms of an op with results of type `to` have: accumulator, accumulator and slot, and the pinned
/// local where there is one of the class and the op is not rare. Their opcodes follow each other in this order.
pub(crate) fn destinations(to: Num, rare: bool) -> usize {
    if rare || to == Num::f32 { 2 } else { 3 }
}

/// The kinds of the operand of a one-operand form.
pub(crate) fn unary_kinds(row: &Row) -> &'static [Kind] {
    if row.rare || row.from == Some(Num::f32) { &[S, A] } else { &[S, A, P] }
}

/// The kinds of the address of a load or store.
pub(crate) const ADDRESS: &[Kind] = &[S, A, P, I];

/// The kinds of the value of a store of type `from`.
pub(crate) fn value_kinds(from: Num) -> &'static [Kind] {
    if from == Num::f32 { &[S, A, I] } else { &[S, A, I, P] }
}

/// The kinds of a condition or index.
pub(crate) const CONDITION: &[Kind] = &[S, A, P];
