//! Function types of an engine: equal types have equal ids.

use crate::{Shared, sync::Mutex, types::SubType};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::ops::Deref;

/// The function types that are in use in an engine. Clones share it.
#[derive(Clone, Default)]
pub struct TypeRegistry(Shared<Mutex<Types>>);

#[derive(Default)]
struct Types {
    ids: BTreeMap<Shared<SubType>, u32>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
}

struct Entry {
    ty: Shared<SubType>,
    users: usize,
}

impl TypeRegistry {
    /// The ids of these types, which stay theirs as long as the answer lives.
    pub fn register(&self, types: &[SubType]) -> TypeIds {
        let mut registered = self.0.lock();
        let ids = types.iter().map(|ty| registered.add(ty)).collect();
        drop(registered);
        TypeIds { ids, registry: self.clone() }
    }
}

impl Types {
    fn add(&mut self, ty: &SubType) -> u32 {
        if let Some(&id) = self.ids.get(ty) {
            if let Some(entry) = &mut self.entries[id as usize] {
                entry.users += 1;
            }
            return id;
        }
        let ty = Shared::new(ty.clone());
        let entry = Some(Entry { ty: ty.clone(), users: 1 });
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        self.ids.insert(ty, id);
        id
    }

    fn remove(&mut self, id: u32) {
        let entry = &mut self.entries[id as usize];
        if let Some(Entry { ty, users }) = entry {
            *users -= 1;
            if *users == 0 {
                self.ids.remove(ty);
                *entry = None;
                self.free.push(id);
            }
        }
    }
}

/// Ids of types, in the order in which they were registered.
pub struct TypeIds {
    ids: Box<[u32]>,
    registry: TypeRegistry,
}

impl Deref for TypeIds {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.ids
    }
}

impl Drop for TypeIds {
    fn drop(&mut self) {
        let mut types = self.registry.0.lock();
        for &id in &self.ids {
            types.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{FuncType, ValType};

    #[test]
    fn ids_live_as_long_as_their_users() {
        let registry = TypeRegistry::default();
        let [a, b] = [ValType::I32, ValType::I64].map(|ty| SubType::from(FuncType::new([ty], [])));
        let first = registry.register(&[a.clone(), b.clone(), a.clone()]);
        assert_eq!((first[0], first[2]), (0, 0));
        let second = registry.register(core::slice::from_ref(&b));
        assert_eq!(second[0], first[1]);
        drop(first);
        assert_eq!(registry.register(&[b])[0], second[0]);
        assert_eq!(registry.0.lock().ids.len(), 1);
        drop(second);
        assert!(registry.0.lock().ids.is_empty());
    }
}
