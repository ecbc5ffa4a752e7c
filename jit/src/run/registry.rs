//! Whose code is at an address: frames of several modules can be on one stack.

use super::NativeCode;
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, Weak},
};

/// All code there is, by the address where it begins.
static CODE: RwLock<BTreeMap<usize, Weak<NativeCode>>> = RwLock::new(BTreeMap::new());

/// Adds the code of a module.
pub(super) fn add(code: &Arc<NativeCode>) {
    let mut all = CODE.write().unwrap_or_else(PoisonError::into_inner);
    all.insert(code.memory.base().addr(), Arc::downgrade(code));
}

/// Removes the code that begins at an address.
pub(super) fn remove(base: usize) {
    CODE.write().unwrap_or_else(PoisonError::into_inner).remove(&base);
}

/// The code that a return address leads to.
pub(super) fn find(address: usize) -> Option<Arc<NativeCode>> {
    let all = CODE.read().unwrap_or_else(PoisonError::into_inner);
    let (_, code) = all.range(..address).next_back()?;
    code.upgrade().filter(|code| code.memory.offset(address - 1).is_some())
}
