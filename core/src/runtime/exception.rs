//! Tags and exceptions.

use super::{
    StoreInner,
    registry::{TypeIds, TypeRegistry},
};
use crate::{
    error::ThrownException,
    index::TagAddr,
    types::{FuncType, slot_count},
};

/// A tag (spec, 4.2.11): what tells exceptions apart, and says what they carry.
pub struct Tag {
    ty: FuncType,
    id: u32,
    /// Keeps `id` the type's, if no instance does.
    _types: Option<TypeIds>,
}

impl Tag {
    /// The type. Its parameters are what exceptions carry; it has no results.
    pub fn ty(&self) -> &FuncType {
        &self.ty
    }

    /// The id of the type in the engine.
    pub fn engine_type(&self) -> u32 {
        self.id
    }

    /// How many slots the values of an exception take.
    pub fn slots(&self) -> usize {
        slot_count(self.ty.params()) as usize
    }
}

impl StoreInner {
    /// Adds a tag of a type whose id an instance keeps.
    pub(super) fn add_tag(&mut self, ty: FuncType, id: u32) -> TagAddr {
        self.push_tag(Tag { ty, id, _types: None })
    }

    /// Adds a tag of the host; `registry` is its engine's.
    pub fn add_host_tag(&mut self, registry: &TypeRegistry, ty: FuncType) -> TagAddr {
        let types = registry.register_one(ty.clone().into());
        self.push_tag(Tag { ty, id: types[0], _types: Some(types) })
    }

    fn push_tag(&mut self, tag: Tag) -> TagAddr {
        self.tags.push(tag);
        TagAddr(self.tags.len() as u32 - 1)
    }

    /// A tag.
    pub fn tag(&self, addr: TagAddr) -> &Tag {
        &self.tags[addr.at()]
    }

    /// Begins to throw an exception to the host, or on behalf of it: whoever gets the error finds the exception by
    /// [`StoreInner::take_pending_exception`].
    pub fn throw(&mut self, handle: u32) -> ThrownException {
        self.pending_exception = Some(handle);
        ThrownException
    }

    /// The exception that is on its way through the host, which is over.
    pub fn take_pending_exception(&mut self) -> Option<u32> {
        self.pending_exception.take()
    }

    /// Whether an exception is on its way through the host.
    pub fn has_pending_exception(&self) -> bool {
        self.pending_exception.is_some()
    }
}
