//! How compiled code names an op that the runtime does: in two words, which the stub `Op` hands over as they are.

use crate::ir::RuntimeOp;
use kinglet_core::{index::TagIdx, op::Op};

/// Codes from here on are of what is no op of the table.
const OTHERS: u32 = 0x8000;

impl RuntimeOp {
    /// The number that compiled code knows it by. That of a tag is not part of it, but immediate 0.
    pub fn code(self) -> u32 {
        match self {
            RuntimeOp::Op(op) => op as u32,
            RuntimeOp::RefTest => OTHERS,
            RuntimeOp::RefCast => OTHERS + 1,
            RuntimeOp::StructGet => OTHERS + 2,
            RuntimeOp::StructSet => OTHERS + 3,
            RuntimeOp::ArrayGet => OTHERS + 4,
            RuntimeOp::ArraySet => OTHERS + 5,
            RuntimeOp::ArrayLen => OTHERS + 6,
            RuntimeOp::Throw(_) => OTHERS + 7,
            RuntimeOp::ThrowRef => OTHERS + 8,
        }
    }

    /// The inverse of [`RuntimeOp::code`], with immediate 0 for a tag.
    pub fn from_code(code: u32, immediate: u32) -> Option<RuntimeOp> {
        Some(match code.checked_sub(OTHERS) {
            None => RuntimeOp::Op(Op::from_number(u16::try_from(code).ok()?)?),
            Some(0) => RuntimeOp::RefTest,
            Some(1) => RuntimeOp::RefCast,
            Some(2) => RuntimeOp::StructGet,
            Some(3) => RuntimeOp::StructSet,
            Some(4) => RuntimeOp::ArrayGet,
            Some(5) => RuntimeOp::ArraySet,
            Some(6) => RuntimeOp::ArrayLen,
            Some(7) => RuntimeOp::Throw(TagIdx(immediate)),
            Some(8) => RuntimeOp::ThrowRef,
            Some(_) => return None,
        })
    }

    /// The op and its immediates as compiled code hands them over: the third and fourth argument of
    /// [`VmRuntime::op`](kinglet_core::runtime::vmctx::native::VmRuntime::op).
    pub fn words(self, immediates: [u32; 3]) -> [u64; 2] {
        let first = match self {
            RuntimeOp::Throw(tag) => tag.0,
            _ => immediates[0],
        };
        let word = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        [word(self.code(), first), word(immediates[1], immediates[2])]
    }

    /// The inverse of [`RuntimeOp::words`].
    pub fn from_words([first, second]: [u64; 2]) -> Option<(RuntimeOp, [u32; 3])> {
        let immediates = [(first >> 32) as u32, second as u32, (second >> 32) as u32];
        Some((RuntimeOp::from_code(first as u32, immediates[0])?, immediates))
    }

    /// Whether the bytes of the first memory may be elsewhere afterwards.
    pub fn moves_memory(self) -> bool {
        matches!(self, RuntimeOp::Op(Op::MemoryGrow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        use RuntimeOp::*;
        let others =
            [RefTest, RefCast, StructGet, StructSet, ArrayGet, ArraySet, ArrayLen, ThrowRef];
        for op in kinglet_core::op::Op::ALL.iter().map(|op| Op(*op)).chain(others) {
            assert_eq!(RuntimeOp::from_words(op.words([1, 2, 3])), Some((op, [1, 2, 3])));
        }
        let throw = Throw(TagIdx(5)).words([0, 2, 3]);
        assert_eq!(RuntimeOp::from_words(throw), Some((Throw(TagIdx(5)), [5, 2, 3])));
        assert_eq!(RuntimeOp::from_code(0x8009, 0), None);
        assert_eq!(RuntimeOp::from_code(0x7fff, 0), None);
    }
}
