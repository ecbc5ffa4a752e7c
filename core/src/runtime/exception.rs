//! Tags and exceptions.

use super::{
    StoreInner,
    registry::{TypeDef, TypeIds},
};
use crate::{
    Shared,
    error::{Error, ThrownException},
    index::{InstanceAddr, TagAddr, TagIdx},
    types::{FuncType, slot_count},
};

/// Whether an error is an exception on its way. Without the feature, none are thrown.
pub fn is_thrown(error: &Error) -> bool {
    cfg!(feature = "gc") && error.is::<ThrownException>()
}

/// A tag (spec, 4.2.11): what tells exceptions apart, and says what they carry.
pub struct Tag {
    def: Shared<TypeDef>,
    /// Which tag of which instance it is, if it is none of the host's.
    pub origin: Option<(InstanceAddr, TagIdx)>,
}

impl Tag {
    /// The type. Its parameters are what exceptions carry; it has no results.
    ///
    /// # Panics
    /// Never: whoever adds a tag gives it a function type.
    pub fn ty(&self) -> &FuncType {
        self.def.ty().as_func().expect("tags have function types")
    }

    /// The id of the type in the engine.
    pub fn engine_type(&self) -> u32 {
        self.def.id
    }

    /// How many slots the values of an exception take.
    pub fn slots(&self) -> usize {
        slot_count(self.ty().params()) as usize
    }
}

impl StoreInner {
    /// Adds a tag that an instance defines, which keeps its type in use.
    pub(super) fn add_tag(
        &mut self,
        def: Shared<TypeDef>,
        instance: InstanceAddr,
        tag: TagIdx,
    ) -> TagAddr {
        self.push_tag(Tag { def, origin: Some((instance, tag)) })
    }

    /// Adds a tag of the host, of a type of functions. The caller [keeps](StoreInner::keep_type) it in use.
    pub fn add_host_tag(&mut self, types: &TypeIds) -> TagAddr {
        self.push_tag(Tag { def: types.defs()[0].clone(), origin: None })
    }

    fn push_tag(&mut self, tag: Tag) -> TagAddr {
        self.tags.push(tag);
        TagAddr(self.tags.len() as u32 - 1)
    }

    /// A tag.
    pub fn tag(&self, addr: TagAddr) -> &Tag {
        &self.tags[addr]
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

    /// The exception that is thrown by returning this error, if one is. It is taken.
    pub fn thrown(&mut self, error: &Error) -> Option<u32> {
        if is_thrown(error) { self.take_pending_exception() } else { None }
    }

    /// Whether an exception is on its way through the host.
    pub fn has_pending_exception(&self) -> bool {
        self.pending_exception.is_some()
    }
}
