//! The types of an engine: equal types have equal ids, whichever modules they come from.
//!
//! Types are equal if their recursion groups are (spec, 3.1.4): the groups are alike member by member, where a member that
//! names another of its group does so by the same place in it. So groups are kept by a *key*, the list of their types, in which
//! types outside stand as ids and types of the group itself by their place. Equal keys are equal groups.
//!
//! Every type knows its supertypes from the root on, so whether one is a subtype of another is one look at that list. The lock is
//! for those who add and remove; running code asks its store, which keeps what it has met in [`KnownTypes`].

use crate::{
    Shared,
    index::{TypeIdx, out_of_range},
    sync::Mutex,
    types::{ArrayType, FuncType, StructType, SubType},
};
use alloc::{boxed::Box, vec::Vec};
use core::{cmp::Ordering, ops::Deref};

/// The types that are in use in an engine. Clones share it.
#[derive(Clone, Default)]
pub struct TypeRegistry(Shared<Mutex<Registered>>);

/// A type of an engine. Types that it names stand in it by their ids.
#[derive(Debug)]
pub struct TypeDef {
    /// Its id.
    pub id: u32,
    /// Ids of its supertypes, from the one that has none to the nearest.
    pub supers: Box<[u32]>,
    /// All types of its group, and which one this is.
    types: Shared<[SubType]>,
    place: u32,
    group: u32,
}

impl TypeDef {
    /// The type.
    pub fn ty(&self) -> &SubType {
        &self.types[TypeIdx(self.place)]
    }

    /// Whether it is more than a type of functions without supertypes.
    pub(super) fn is_notable(&self) -> bool {
        !self.supers.is_empty() || self.ty().as_func().is_none()
    }

    /// Whether it is `other`, or one of its subtypes.
    pub fn is_subtype_of(&self, other: &TypeDef) -> bool {
        self.id == other.id || self.supers.get(other.supers.len()) == Some(&other.id)
    }
}

#[derive(Default)]
struct Registered {
    by_key: Sorted,
    groups: Places<Group>,
    types: Places<Shared<TypeDef>>,
}

struct Group {
    key: Shared<[SubType]>,
    types: Box<[Shared<TypeDef>]>,
    /// Lists of types that have it, and types of other groups that name one of its types.
    users: usize,
}

/// In a key, a place in the group and not an id.
const PLACE: u32 = 1 << 31;

impl TypeRegistry {
    /// The types of a module, which stay in use as long as the answer lives. They name each other by index; `groups` says
    /// at which index each recursion group ends. Validation has seen them.
    pub fn register(&self, types: &[SubType], groups: &[u32]) -> TypeIds {
        let mut registered = self.0.lock();
        let mut defs: Vec<Shared<TypeDef>> = Vec::with_capacity(types.len());
        let mut list = Vec::with_capacity(groups.len());
        for &end in groups {
            let start = defs.len();
            let number = |index: u32| match (index as usize).checked_sub(start) {
                Some(place) => PLACE | place as u32,
                None => defs[TypeIdx(index)].id,
            };
            let key = types.get(start..end as usize).unwrap_or_default();
            let key = key.iter().map(|ty| ty.map(&number)).collect();
            let group = registered.add(key);
            list.push(group);
            defs.extend(registered.members(group).iter().cloned());
        }
        drop(registered);
        TypeIds::new(defs, list, self.clone())
    }

    /// A type that names others, if any, by their ids. They must be in use.
    pub fn register_one(&self, ty: SubType) -> TypeIds {
        let mut registered = self.0.lock();
        let group = registered.add(Vec::from([ty]));
        let defs = registered.members(group).to_vec();
        drop(registered);
        TypeIds::new(defs, Vec::from([group]), self.clone())
    }

    /// Whether both are the same registry.
    pub fn same(a: &TypeRegistry, b: &TypeRegistry) -> bool {
        Shared::ptr_eq(&a.0, &b.0)
    }

    /// Keeps a type in use that is, and so all that it names.
    pub fn keep(&self, id: u32) -> Option<TypeIds> {
        let mut registered = self.0.lock();
        let def = registered.types.get(id)?.clone();
        registered.use_group(def.group);
        drop(registered);
        let group = def.group;
        Some(TypeIds::new(Vec::from([def]), Vec::from([group]), self.clone()))
    }

    /// Whether type `a` is type `b`, or one of its subtypes. Both must be in use.
    pub fn is_subtype(&self, a: u32, b: u32) -> bool {
        if a == b {
            return true;
        }
        let registered = self.0.lock();
        let def = |id: u32| registered.types.get(id);
        def(a).zip(def(b)).is_some_and(|(a, b)| a.is_subtype_of(b))
    }
}

impl Registered {
    fn members(&self, group: u32) -> &[Shared<TypeDef>] {
        self.groups.get(group).map_or(&[], |group| &group.types)
    }

    fn use_group(&mut self, group: u32) {
        if let Some(group) = self.groups.get_mut(group) {
            group.users += 1;
        }
    }

    /// Where the group with this key is, or belongs.
    fn find(&self, key: &[SubType]) -> Result<Place, Place> {
        let order = |group: &Group| (*group.key).cmp(key);
        self.by_key.find(|group| self.groups.get(group).map_or(Ordering::Less, order))
    }

    /// The group with this key, which has one more user now.
    fn add(&mut self, key: Vec<SubType>) -> u32 {
        let place = match self.find(&key) {
            Ok(place) => {
                let group = self.by_key.get(place);
                self.use_group(group);
                return group;
            }
            Err(place) => place,
        };
        let mut recursive = false;
        for ty in &key {
            ty.for_each_named(&mut |id| {
                if id & PLACE != 0 {
                    recursive = true;
                } else if let Some(def) = self.types.get(id)
                    && let Some(group) = self.groups.get_mut(def.group)
                {
                    group.users += 1;
                }
            });
        }
        let group = self.groups.take();
        let ids: Vec<u32> = key.iter().map(|_| self.types.take()).collect();
        let id = |n: u32| if n & PLACE == 0 { n } else { ids[TypeIdx(n & !PLACE)] };
        let key: Shared<[SubType]> = key.into();
        let types =
            if recursive { key.iter().map(|ty| ty.map(&id)).collect() } else { key.clone() };
        let mut defs = Vec::with_capacity(ids.len());
        for ((place, ty), &id) in types.iter().enumerate().zip(&ids) {
            let mut supers = Vec::new();
            // A supertype stands before its subtypes.
            if let Some(parent) = ty.supertype.and_then(|parent| self.types.get(parent)) {
                supers.reserve_exact(parent.supers.len() + 1);
                supers.extend_from_slice(&parent.supers);
                supers.push(parent.id);
            }
            let def = Shared::new(TypeDef {
                id,
                supers: supers.into(),
                types: types.clone(),
                place: place as u32,
                group,
            });
            self.types.set(id, def.clone());
            defs.push(def);
        }
        self.by_key.insert(place, group);
        self.groups.set(group, Group { key, types: defs.into(), users: 1 });
        group
    }

    /// Takes a user from each of these groups. Those that have none left are forgotten.
    fn release(&mut self, mut groups: Vec<u32>) {
        while let Some(group) = groups.pop() {
            let Some(entry) = self.groups.get_mut(group) else { continue };
            entry.users -= 1;
            if entry.users > 0 {
                continue;
            }
            let key = entry.key.clone();
            if let Ok(place) = self.find(&key) {
                self.by_key.remove(place);
            }
            let types = self.groups.free(group).map(|group| group.types);
            for ty in &*key {
                // Places in the group are no ids, and nothing is found there.
                ty.for_each_named(&mut |id| groups.extend(self.types.get(id).map(|def| def.group)));
            }
            for def in types.iter().flatten() {
                self.types.free(def.id);
            }
        }
    }
}

/// Groups in the order of their keys: a list in pieces, so that in the middle of many there is room for another soon.
#[derive(Default)]
struct Sorted(Vec<Vec<u32>>);

/// A piece of [`Sorted`], and a place in it.
type Place = (usize, usize);

/// The most groups of a piece. A piece has at least one.
const PIECE: usize = 512;

impl Sorted {
    /// Where the group is that is equal to something by `order`, or where that would have to be.
    fn find(&self, order: impl Fn(u32) -> Ordering) -> Result<Place, Place> {
        let behind = self.0.partition_point(|piece| order(piece[0]).is_le());
        let piece = behind.saturating_sub(1);
        let groups = self.0.get(piece).map_or(&[][..], |groups| groups);
        let found = groups.binary_search_by(|&group| order(group));
        found.map(|at| (piece, at)).map_err(|at| (piece, at))
    }

    fn get(&self, (piece, at): Place) -> u32 {
        self.0[piece][at]
    }

    fn insert(&mut self, (piece, at): Place, group: u32) {
        if self.0.is_empty() {
            self.0.push(Vec::new());
        }
        let Some(groups) = self.0.get_mut(piece) else { return };
        groups.insert(at, group);
        if groups.len() > PIECE {
            let rest = groups.split_off(PIECE / 2);
            self.0.insert(piece + 1, rest);
        }
    }

    fn remove(&mut self, (piece, at): Place) {
        let Some(groups) = self.0.get_mut(piece) else { return };
        groups.remove(at);
        if groups.is_empty() {
            self.0.remove(piece);
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

/// A list with free places, which are used again.
struct Places<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Places<T> {
    fn default() -> Places<T> {
        Places { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> Places<T> {
    fn get(&self, at: u32) -> Option<&T> {
        self.entries.get(at as usize)?.as_ref()
    }

    fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.entries.get_mut(at as usize)?.as_mut()
    }

    /// A place that is free until now.
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() as u32 - 1
        })
    }

    /// Fills a place that has been taken.
    fn set(&mut self, at: u32, entry: T) {
        if let Some(place) = self.entries.get_mut(at as usize) {
            *place = Some(entry);
        }
    }

    /// Frees a place. Answers what was there.
    fn free(&mut self, at: u32) -> Option<T> {
        self.free.push(at);
        self.entries.get_mut(at as usize)?.take()
    }
}

/// Types that are in use, in the order in which they were registered. As a slice, their ids.
pub struct TypeIds {
    ids: Box<[u32]>,
    defs: Box<[Shared<TypeDef>]>,
    groups: Vec<u32>,
    /// Whether there are others than functions without supertypes.
    notable: bool,
    registry: TypeRegistry,
}

impl TypeIds {
    fn new(defs: Vec<Shared<TypeDef>>, groups: Vec<u32>, registry: TypeRegistry) -> TypeIds {
        let ids = defs.iter().map(|def| def.id).collect();
        let notable = defs.iter().any(|def| def.is_notable());
        TypeIds { ids, defs: defs.into(), groups, notable, registry }
    }

    /// The types themselves.
    pub fn defs(&self) -> &[Shared<TypeDef>] {
        &self.defs
    }

    /// Those that are more than types of functions without supertypes.
    pub(super) fn notable(&self) -> impl Iterator<Item = &Shared<TypeDef>> {
        let defs: &[_] = if self.notable { &self.defs } else { &[] };
        defs.iter().filter(|def| def.is_notable())
    }

    /// Where they are registered.
    pub fn registry(&self) -> &TypeRegistry {
        &self.registry
    }

    /// The function type at `index`.
    ///
    /// # Panics
    /// If it is none.
    pub fn func(&self, index: usize) -> &FuncType {
        match self.defs.get(index).and_then(|def| def.ty().as_func()) {
            Some(ty) => ty,
            None => out_of_range(),
        }
    }

    /// The structure type at `index`.
    ///
    /// # Panics
    /// If it is none.
    pub fn structure(&self, index: usize) -> &StructType {
        self.defs[index].ty().as_struct().expect("a structure type")
    }

    /// The array type at `index`.
    ///
    /// # Panics
    /// If it is none.
    pub fn array(&self, index: usize) -> &ArrayType {
        self.defs[index].ty().as_array().expect("an array type")
    }
}

impl Clone for TypeIds {
    fn clone(&self) -> TypeIds {
        let mut registered = self.registry.0.lock();
        self.groups.iter().for_each(|&group| registered.use_group(group));
        drop(registered);
        TypeIds {
            ids: self.ids.clone(),
            defs: self.defs.clone(),
            groups: self.groups.clone(),
            notable: self.notable,
            registry: self.registry.clone(),
        }
    }
}

impl Deref for TypeIds {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.ids
    }
}

impl Drop for TypeIds {
    fn drop(&mut self) {
        let groups = core::mem::take(&mut self.groups);
        self.registry.0.lock().release(groups);
    }
}

impl core::fmt::Debug for TypeIds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(&*self.defs).finish()
    }
}

/// The types whose values a store may hold, by id, to ask without a lock: all structure and array types, and the function types that
/// have a supertype.
#[derive(Default)]
pub struct KnownTypes {
    /// By the higher bits of the id, and then the lower.
    pages: Vec<Option<Box<Page>>>,
    /// The types that are in use for the store's sake, by their ids.
    kept: Vec<Shared<TypeIds>>,
}

type Page = [Option<Shared<TypeDef>>; PAGE];
/// Where memory is little, so are pages.
const PAGE: usize = if cfg!(feature = "std") { 256 } else { 8 };

impl KnownTypes {
    /// Keeps a single type in use from now on.
    pub(super) fn keep(&mut self, types: &Shared<TypeIds>) {
        if let Err(at) = self.kept.binary_search_by_key(&types[0], |kept| kept[0]) {
            self.kept.insert(at, types.clone());
        }
    }

    /// Adds the types of a list. Whoever has it keeps them in use.
    pub fn add(&mut self, types: &TypeIds) {
        for def in types.notable() {
            let (page, at) = (def.id as usize / PAGE, def.id as usize % PAGE);
            if page >= self.pages.len() {
                self.pages.resize_with(page + 1, || None);
            }
            let page = self.pages[page].get_or_insert_with(|| Box::new([const { None }; PAGE]));
            page[at].get_or_insert_with(|| def.clone());
        }
    }

    /// The type with an id, if it has been added.
    #[inline]
    pub fn get(&self, id: u32) -> Option<&Shared<TypeDef>> {
        self.pages.get(id as usize / PAGE)?.as_ref()?[id as usize % PAGE].as_ref()
    }

    /// Whether type `a` is type `b`, or one of its subtypes.
    pub fn is_subtype(&self, a: u32, b: u32) -> bool {
        let supers = |id| self.get(id).map(|def| &*def.supers);
        // A type of values that is not here has no supertypes. Of the other one, only the host may have heard.
        a == b
            || supers(a).is_some_and(|above| match supers(b) {
                Some(its) => above.get(its.len()) == Some(&b),
                None => above.contains(&b),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::*;
    use alloc::vec;

    fn func(params: &[ValType]) -> SubType {
        FuncType::new(params.iter().copied(), []).into()
    }

    fn reference(index: u32) -> ValType {
        let heap = HeapType::Concrete(ConcreteType { kind: TypeKind::Struct, index });
        ValType::Ref(RefType { nullable: true, heap })
    }

    fn structure(supertype: Option<u32>, fields: &[ValType]) -> SubType {
        let field =
            |&ty| FieldType { storage: StorageType::Val(ty), mutability: Mutability::Const };
        let fields = fields.iter().map(field).collect();
        let composite = CompositeType::Struct(StructType { fields });
        SubType { is_final: false, supertype, composite }
    }

    #[test]
    fn ids_live_as_long_as_their_users() {
        let registry = TypeRegistry::default();
        let [a, b] = [ValType::I32, ValType::I64].map(|ty| func(&[ty]));
        let first = registry.register(&[a.clone(), b.clone(), a.clone()], &[1, 2, 3]);
        assert_eq!((first[0], first[2]), (0, 0));
        let second = registry.register_one(b.clone());
        assert_eq!(second[0], first[1]);
        drop(first);
        assert_eq!(registry.register_one(b)[0], second[0]);
        assert_eq!(registry.0.lock().by_key.len(), 1);
        drop(second);
        assert!(registry.0.lock().by_key.0.is_empty());
    }

    #[test]
    fn groups_are_equal_whatever_stands_around_them() {
        let registry = TypeRegistry::default();
        let first = registry.register(&[structure(None, &[reference(0)])], &[1]);
        let types = [func(&[]), structure(None, &[reference(1)]), structure(None, &[reference(1)])];
        let second = registry.register(&types, &[1, 2, 3]);
        assert_eq!(first[0], second[1]);
        // It names the type before it and not itself.
        assert_ne!(second[1], second[2]);
        // The same two structures, each naming the other, but in one group.
        let pair = [structure(None, &[reference(1)]), structure(None, &[reference(0)])];
        let third = registry.register(&pair, &[2]);
        assert!(third[0] != third[1] && third.iter().all(|id| !second.contains(id)));
        let fourth = registry.register(&pair, &[2]);
        assert_eq!(third[..], fourth[..]);
    }

    #[test]
    fn a_group_keeps_what_it_names() {
        let registry = TypeRegistry::default();
        let types = [structure(None, &[]), structure(Some(0), &[]), func(&[reference(1)])];
        let module = registry.register(&types, &[1, 2, 3]);
        let root = module[0];
        let last = registry.keep(module[2]).unwrap();
        drop(module);
        assert_eq!(registry.register(&types[..1], &[1])[0], root);
        drop(last);
        assert!(registry.0.lock().groups.entries.iter().all(Option::is_none));
    }

    #[test]
    fn subtypes_are_found_by_depth() {
        let registry = TypeRegistry::default();
        let types = [
            structure(None, &[]),
            structure(Some(0), &[]),
            structure(Some(1), &[ValType::I32]),
            structure(Some(0), &[ValType::I64]),
        ];
        let ids = registry.register(&types, &[1, 3, 4]);
        let mut known = KnownTypes::default();
        known.add(&ids);
        for (a, supers) in [vec![0], vec![0, 1], vec![0, 1, 2], vec![0, 3]].into_iter().enumerate()
        {
            for b in 0..4 {
                let expected = supers.contains(&b);
                assert_eq!(registry.is_subtype(ids[a], ids[b]), expected, "{a} {b}");
                assert_eq!(known.is_subtype(ids[a], ids[b]), expected, "{a} {b}");
            }
        }
    }

    #[test]
    fn long_chains_of_groups_are_forgotten_without_recursion() {
        let registry = TypeRegistry::default();
        let count = 20_000;
        let types: Vec<_> = (0..count)
            .map(|i: u32| structure(None, i.checked_sub(1).map(reference).as_slice()))
            .collect();
        let groups: Vec<u32> = (1..=count).collect();
        let ids = registry.register(&types, &groups);
        let last = registry.keep(ids[ids.len() - 1]);
        drop(ids);
        assert_eq!(registry.0.lock().by_key.len(), count as usize);
        drop(last);
        assert!(registry.0.lock().by_key.0.is_empty());
    }
}
