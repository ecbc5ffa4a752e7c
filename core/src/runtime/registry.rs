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
    sync::Mutex,
    types::{ArrayType, FuncType, StructType, SubType},
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::ops::Deref;

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
        &self.types[self.place as usize]
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
    by_key: BTreeMap<Shared<[SubType]>, u32>,
    groups: Vec<Option<Group>>,
    free_groups: Vec<u32>,
    types: Vec<Option<Shared<TypeDef>>>,
    free_types: Vec<u32>,
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
                None => defs[index as usize].id,
            };
            let key = types[start..end as usize].iter().map(|ty| ty.map(&number)).collect();
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
        let def = registered.types.get(id as usize)?.clone()?;
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
        let def = |id: u32| registered.types.get(id as usize).and_then(Option::as_deref);
        def(a).zip(def(b)).is_some_and(|(a, b)| a.is_subtype_of(b))
    }
}

impl Registered {
    fn members(&self, group: u32) -> &[Shared<TypeDef>] {
        self.groups[group as usize].as_ref().map_or(&[], |group| &group.types)
    }

    fn use_group(&mut self, group: u32) {
        if let Some(group) = &mut self.groups[group as usize] {
            group.users += 1;
        }
    }

    /// The group with this key, which has one more user now.
    fn add(&mut self, key: Vec<SubType>) -> u32 {
        if let Some(&group) = self.by_key.get(&*key) {
            self.use_group(group);
            return group;
        }
        let mut recursive = false;
        for id in key.iter().flat_map(SubType::named) {
            if id & PLACE != 0 {
                recursive = true;
            } else if let Some(def) = &self.types[id as usize] {
                self.use_group(def.group);
            }
        }
        let group = take(&mut self.free_groups, &mut self.groups);
        let ids: Vec<u32> =
            key.iter().map(|_| take(&mut self.free_types, &mut self.types)).collect();
        let id = |n: u32| if n & PLACE == 0 { n } else { ids[(n & !PLACE) as usize] };
        let key: Shared<[SubType]> = key.into();
        let types =
            if recursive { key.iter().map(|ty| ty.map(&id)).collect() } else { key.clone() };
        for (place, ty) in types.iter().enumerate() {
            // A supertype stands before its subtypes.
            let parent = ty.supertype.and_then(|parent| self.types[parent as usize].as_deref());
            let supers = parent.map(|parent| parent.supers.iter().copied().chain([parent.id]));
            self.types[ids[place] as usize] = Some(Shared::new(TypeDef {
                id: ids[place],
                supers: supers.into_iter().flatten().collect(),
                types: types.clone(),
                place: place as u32,
                group,
            }));
        }
        let types = ids.iter().filter_map(|&id| self.types[id as usize].clone()).collect();
        self.by_key.insert(key.clone(), group);
        self.groups[group as usize] = Some(Group { key, types, users: 1 });
        group
    }

    /// Takes a user from each of these groups. Those that have none left are forgotten.
    fn release(&mut self, mut groups: Vec<u32>) {
        while let Some(group) = groups.pop() {
            let slot = &mut self.groups[group as usize];
            let Some(entry) = slot else { continue };
            entry.users -= 1;
            if entry.users > 0 {
                continue;
            }
            let Some(Group { key, types, .. }) = slot.take() else { continue };
            self.free_groups.push(group);
            self.by_key.remove(&key);
            for id in key.iter().flat_map(SubType::named).filter(|id| id & PLACE == 0) {
                groups.extend(self.types[id as usize].as_ref().map(|def| def.group));
            }
            for def in types {
                self.types[def.id as usize] = None;
                self.free_types.push(def.id);
            }
        }
    }
}

/// A free place of a list.
fn take<T>(free: &mut Vec<u32>, list: &mut Vec<Option<T>>) -> u32 {
    free.pop().unwrap_or_else(|| {
        list.push(None);
        list.len() as u32 - 1
    })
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
        self.defs[index].ty().as_func().expect("a function type")
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
    /// The types that are in use for the store's sake.
    kept: BTreeMap<u32, Shared<TypeIds>>,
}

type Page = [Option<Shared<TypeDef>>; PAGE];
/// Where memory is little, so are pages.
const PAGE: usize = if cfg!(feature = "std") { 256 } else { 8 };

impl KnownTypes {
    /// Keeps a single type in use from now on.
    pub(super) fn keep(&mut self, types: &Shared<TypeIds>) {
        self.kept.entry(types[0]).or_insert_with(|| types.clone());
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
        assert!(registry.0.lock().by_key.is_empty());
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
        assert!(registry.0.lock().groups.iter().all(Option::is_none));
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
        assert!(registry.0.lock().by_key.is_empty());
    }
}
