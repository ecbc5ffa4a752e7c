//! Indices and addresses: an index counts within one module, an address within one store (spec, 4.2).

macro_rules! newtypes {
    ($( $(#[$doc:meta])* $name:ident; )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in the vector that this number counts in.
            #[inline]
            pub const fn at(self) -> usize {
                self.0 as usize
            }
        }
    )* };
}

newtypes! {
    /// A type of a module.
    TypeIdx;
    /// A function of a module, imported ones first.
    FuncIdx;
    /// A table of a module, imported ones first.
    TableIdx;
    /// A memory of a module, imported ones first.
    MemoryIdx;
    /// A global of a module, imported ones first.
    GlobalIdx;
    /// A tag of a module, imported ones first.
    TagIdx;
    /// An element segment of a module.
    ElemIdx;
    /// A data segment of a module.
    DataIdx;

    /// A function type of an engine: equal types have equal ids, whatever module they come from.
    TypeId;
    /// A function of a store.
    FuncAddr;
    /// A table of a store.
    TableAddr;
    /// A memory of a store.
    MemoryAddr;
    /// A global of a store.
    GlobalAddr;
    /// A tag of a store.
    TagAddr;
    /// An instance of a store.
    InstanceAddr;
}
