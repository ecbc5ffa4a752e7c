//! Which `try_table` is the innermost one where: how tiers look at what they have recorded, when something is thrown.

use core::iter;

/// A `try_table`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// The one whose turn it is when no clause of this one fits.
    pub outer: Option<u32>,
    /// Its clauses: from and up to a place in the list of all clauses.
    pub clauses: (u32, u32),
}

/// From which position of the code on which `try_table` is the innermost one.
pub type Segment = (u32, Option<u32>);

/// The clauses that may catch what is thrown at a position: those of the innermost `try_table` first.
pub fn innermost_first<'a, C>(
    segments: &[Segment],
    tries: &'a [Try],
    clauses: &'a [C],
    at: u32,
) -> impl Iterator<Item = &'a C> {
    let behind = segments.partition_point(|segment| segment.0 <= at);
    let number = behind.checked_sub(1).and_then(|last| segments[last].1);
    let get = |number: u32| tries.get(number as usize);
    iter::successors(number.and_then(get), move |inner| inner.outer.and_then(get)).flat_map(
        move |table| {
            let (first, end) = table.clauses;
            &clauses[first as usize..end as usize]
        },
    )
}
