//! References to what lives in the managed heap of a store.
//!
//! | type | what it refers to |
//! |---|---|
//! | [`ExternRef`] | a value of the host, or what a guest has passed through `extern.convert_any` |
//! | [`AnyRef`] | whatever a guest makes, or what has passed through `any.convert_extern` |
//! | [`EqRef`] | what `ref.eq` compares: structs, arrays, small integers |
//! | [`StructRef`], [`ArrayRef`] | a struct, an array |
//! | [`I31`] | a small integer, which is no object |
//!
//! The embedder holds them as [`Rooted`] or [`OwnedRooted`].

mod anyref;
mod arrayref;
mod externref;
mod i31;
mod rooted;
mod structref;

pub use anyref::{AnyRef, EqRef};
pub use arrayref::{ArrayRef, ArrayRefPre};
pub use externref::ExternRef;
pub use i31::I31;
pub use rooted::{GcRef, OwnedRooted, RootScope, Rooted, RootedGcRef};
pub use structref::{StructRef, StructRefPre};

pub(crate) use rooted::{Reference, gc_ref, sealed};
