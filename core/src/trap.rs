//! Traps: why guest code could not go on.

macro_rules! traps {
    ($( $(#[$doc:meta])* $name:ident = $code:literal, $text:literal; )*) => {
        /// Why guest code could not go on (spec, 4.2 and 4.6).
        ///
        /// `Display` and [`Trap::message`] give the wording that the specification's tests use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Trap { $( $(#[$doc])* $name = $code, )* }

        impl Trap {
            /// Every trap there is.
            pub const ALL: &'static [Trap] = &[$( Trap::$name, )*];

            /// The trap with this code, the inverse of `trap as u8`.
            pub const fn from_code(code: u8) -> Option<Trap> {
                match code { $( $code => Some(Trap::$name), )* _ => None }
            }

            /// What happened, in the words of the specification's tests.
            pub const fn message(self) -> &'static str {
                match self { $( Trap::$name => $text, )* }
            }
        }
    };
}

traps! {
    /// The value stack, or the host's, has no room for another call.
    StackOverflow = 1, "call stack exhausted";
    /// A load, store or bulk operation outside of a memory.
    MemoryOutOfBounds = 2, "out of bounds memory access";
    /// An atomic access at an address that is not a multiple of its size.
    HeapMisaligned = 3, "unaligned atomic";
    /// An access outside of a table.
    TableOutOfBounds = 4, "undefined element: out of bounds table access";
    /// `call_indirect` through a null reference.
    IndirectCallToNull = 5, "uninitialized element";
    /// `call_indirect` to a function of another type.
    BadSignature = 6, "indirect call type mismatch";
    /// A signed division or a conversion whose result does not fit.
    IntegerOverflow = 7, "integer overflow";
    /// A division by zero.
    IntegerDivisionByZero = 8, "integer divide by zero";
    /// A conversion of NaN to an integer.
    BadConversionToInteger = 9, "invalid conversion to integer";
    /// The `unreachable` instruction.
    UnreachableCodeReached = 10, "unreachable";
    /// The embedder asked the guest to stop, or its deadline passed.
    Interrupt = 11, "interrupt";
    /// The guest used up its fuel.
    OutOfFuel = 12, "all fuel consumed by WebAssembly";
    /// A null reference where a value is needed.
    NullReference = 13, "null reference";
    /// A growth that the store's limits refuse, where they ask for a trap.
    GrowthLimited = 14, "growth operation limited";
    /// `memory.atomic.wait` on a memory that is not shared: nobody could end it.
    AtomicWaitNonSharedMemory = 24, "expected shared memory";
    /// An access to a field of the null reference.
    NullStructReference = 40, "null structure reference";
    /// An access to an element of the null reference, or its length.
    NullArrayReference = 41, "null array reference";
    /// An access outside of an array.
    ArrayOutOfBounds = 42, "out of bounds array access";
    /// A cast to a type that the reference is not of.
    CastFailure = 44, "cast failure";
    /// The integer of a null reference.
    NullI31Reference = 45, "null i31 reference";
    /// A call of the null reference.
    NullFunctionReference = 46, "null function reference";
    /// An object that is larger than any heap could be.
    AllocationTooLarge = 43, "allocation size too large";
}

impl core::fmt::Display for Trap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "wasm trap: {}", self.message())
    }
}

impl core::error::Error for Trap {}

#[cfg(test)]
mod tests {
    use super::Trap;

    #[test]
    fn codes_round_trip() {
        for &trap in Trap::ALL {
            assert_eq!(Trap::from_code(trap as u8), Some(trap));
        }
        assert_eq!(Trap::from_code(0), None);
    }
}
