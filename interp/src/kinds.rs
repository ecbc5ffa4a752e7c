// Which operand kinds every op has forms for. Shared between the build script, which makes opcodes and handlers of them,
// and the sink, which chooses among them.

use kinglet_core::op::Num;

/// Where an operand of a form is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    /// In a slot of the frame.
    Slot,
    /// In the accumulator of its class.
    Acc,
    /// In the register of the pinned local.
    Pin,
    /// In the code.
    Imm,
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

/// For each list and two kinds, `4 * first + second`, the number of the pair, or [`NO_PAIR`].
#[allow(dead_code, reason = "the build script does not look pairs up")]
pub(crate) static PAIRS: [[u8; 16]; LISTS.len()] = {
    let mut table = [[NO_PAIR; 16]; LISTS.len()];
    let mut list = 0;
    while list < LISTS.len() {
        let mut pair = 0;
        while pair < LISTS[list].len() {
            let (a, b) = LISTS[list][pair];
            table[list][4 * a as usize + b as usize] = pair as u8;
            pair += 1;
        }
        list += 1;
    }
    table
};

/// What stands in [`PAIRS`] for a pair that a list does not have.
pub(crate) const NO_PAIR: u8 = u8::MAX;

/// How many kinds, in their order, the address of a load or store has.
pub(crate) const ADDRESS: usize = 4;

/// How many kinds a reference has whose object is looked into. It is never pinned, and no constant but null.
#[cfg_attr(not(feature = "gc"), allow(dead_code, reason = "there are no objects"))]
pub(crate) const REFERENCE: usize = 2;

/// How fields and elements are read: what they are kept as, and the type of the value.
#[cfg_attr(not(feature = "gc"), allow(dead_code, reason = "there are no objects"))]
pub(crate) const GETS: [(Num, Num); 8] = [
    (Num::i8, Num::u32),
    (Num::u8, Num::u32),
    (Num::i16, Num::u32),
    (Num::u16, Num::u32),
    (Num::u32, Num::u32),
    (Num::u64, Num::u64),
    (Num::f32, Num::f32),
    (Num::f64, Num::f64),
];

/// How they are written.
#[cfg_attr(not(feature = "gc"), allow(dead_code, reason = "there are no objects"))]
pub(crate) const SETS: [(Num, Num); 6] = [
    (Num::u8, Num::u32),
    (Num::u16, Num::u32),
    (Num::u32, Num::u32),
    (Num::u64, Num::u64),
    (Num::f32, Num::f32),
    (Num::f64, Num::f64),
];

/// How many destinations a value of a type that is read has.
#[cfg_attr(not(feature = "gc"), allow(dead_code, reason = "there are no objects"))]
pub(crate) fn destinations(value: Num) -> usize {
    if value == Num::f32 { 2 } else { 3 }
}

/// How many kinds a scalar has that becomes a lane of a vector.
#[cfg_attr(not(feature = "simd"), allow(dead_code, reason = "there are no vectors"))]
pub(crate) const SCALAR: usize = 2;

/// How many kinds a condition or index has.
pub(crate) const CONDITION: usize = 3;

/// The kinds of a single operand, in the order of its forms. Most ops have forms for the first few.
pub(crate) const KINDS: [Kind; 4] = [S, A, P, I];

/// The kinds of a value of type `ty` that is stored or returned: all there are.
pub(crate) fn value_kinds(ty: Num) -> &'static [Kind] {
    if ty == Num::f32 { &[S, A, I] } else { &KINDS }
}
