//! What references may refer to, as small numbers: types of a module that are the same have the same number.

use alloc::vec::Vec;
use core::num::NonZeroU32;
use kinglet_core::{
    module::Module,
    runtime::registry::{TypeIds, TypeRegistry},
    types::{ConcreteType, HeapType, RefType, TypeKind, ValType, slot_count},
};

/// What a slot is known to hold, if that is a reference: null, or a reference of a type. As a number, that is what artifacts have for it.
///
/// Between `extern` and `any` is no difference: references pass from one to the other as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held(NonZeroU32);

impl Held {
    /// Null, of whatever type.
    pub(crate) const NULL: Held = Held(NonZeroU32::MIN);

    /// As a number.
    #[cfg(feature = "compile")]
    pub(crate) fn number(self) -> u32 {
        self.0.get()
    }
}

/// The types of a module.
pub(crate) struct Types {
    ids: TypeIds,
    /// For each of the ids, which are numbers from 0 on, the first type that has it.
    first: Vec<u32>,
}

impl Types {
    pub(crate) fn new(module: &Module) -> Types {
        let ids = TypeRegistry::default().register(&module.types, &module.rec_groups);
        let mut first = Vec::new();
        for (&id, index) in ids.iter().zip(0..) {
            if id as usize >= first.len() {
                first.resize(id as usize + 1, index);
            }
        }
        Types { ids, first }
    }

    fn kind(&self, index: u32) -> Option<TypeKind> {
        self.ids.defs().get(index as usize).map(|def| def.ty().composite.kind())
    }

    /// Whether a type is another, or one of its subtypes.
    pub(crate) fn is_subtype(&self, a: u32, b: u32) -> bool {
        self.ids.defs()[a as usize].is_subtype_of(&self.ids.defs()[b as usize])
    }

    /// References of a type.
    pub(crate) fn of(&self, ty: RefType) -> Held {
        let heap =
            ty.heap.internalized().map(|index| self.first[self.ids[index as usize] as usize]);
        // There are less than 2^30 types.
        let number = 2 + 2 * heap.number() + u32::from(ty.nullable);
        Held(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
    }

    /// References of a type, if values of it are references.
    pub(crate) fn of_value(&self, ty: ValType) -> Option<Held> {
        if let ValType::Ref(ty) = ty { Some(self.of(ty)) } else { None }
    }

    /// References to values of a defined type.
    pub(crate) fn of_defined(&self, index: u32, nullable: bool) -> Held {
        let kind = self.kind(index).unwrap_or(TypeKind::Func);
        self.of(RefType { nullable, heap: HeapType::Concrete(ConcreteType { kind, index }) })
    }

    /// What the values of `types` are, one behind the other, by the slots that they take.
    pub(crate) fn slots(&self, types: &[ValType]) -> impl Iterator<Item = (u32, Option<Held>)> {
        types.iter().scan(0, |next, ty| {
            let slot = *next;
            *next += slot_count(core::slice::from_ref(ty));
            Some((slot, self.of_value(*ty)))
        })
    }

    /// What a number stands for.
    pub(crate) fn with_number(&self, number: u32) -> Option<Held> {
        let Some(number) = number.checked_sub(2) else {
            return (number == Held::NULL.0.get()).then_some(Held::NULL);
        };
        let heap = HeapType::from_number(number / 2, |index| self.kind(index))?;
        Some(self.of(RefType { nullable: number & 1 == 1, heap }))
    }

    /// The type, unless it is null of whatever type. Its index, if it has one, is the first that the type has.
    pub(crate) fn ref_type(&self, held: Held) -> Option<RefType> {
        let number = held.0.get().checked_sub(2)?;
        let heap = HeapType::from_number(number / 2, |index| self.kind(index))?;
        Some(RefType { nullable: number & 1 == 1, heap })
    }

    /// What it is if it is not null: nothing, if it can only be null.
    pub(crate) fn non_null(&self, held: Held) -> Option<HeapType> {
        let heap = self.ref_type(held)?.heap;
        (heap != heap.bottom()).then_some(heap)
    }

    /// Whether the collector has to know of it.
    pub(crate) fn is_managed(&self, held: Held) -> bool {
        self.ref_type(held).is_some_and(|ty| !ty.heap.is_func())
    }

    /// Whether what is held may stand where `other` is expected.
    pub(crate) fn matches(&self, held: Held, other: Held) -> bool {
        held == other
            || match (self.ref_type(held), self.ref_type(other)) {
                (Some(held), Some(other)) => held.matches(other, |a, b| self.is_subtype(a, b)),
                (None, Some(other)) => other.nullable,
                _ => false,
            }
    }

    /// The least that may be either of both, if both are of one hierarchy.
    pub(crate) fn join(&self, a: Held, b: Held) -> Option<Held> {
        if a == b {
            return Some(a);
        }
        let (mut ty, other) = match (self.ref_type(a), self.ref_type(b)) {
            (Some(a), Some(b)) => (a, b),
            (Some(ty), None) | (None, Some(ty)) => {
                return Some(self.of(RefType { nullable: true, ..ty }));
            }
            (None, None) => return Some(Held::NULL),
        };
        let is_subtype = |a, b| self.is_subtype(a, b);
        if ty.heap.matches(other.heap, is_subtype) {
            ty.heap = other.heap;
        }
        while !other.heap.matches(ty.heap, is_subtype) {
            ty.heap = self.above(ty.heap)?;
        }
        ty.nullable |= other.nullable;
        Some(self.of(ty))
    }

    /// The next type above one.
    fn above(&self, heap: HeapType) -> Option<HeapType> {
        Some(match heap {
            HeapType::Concrete(ty) => match self.ids.defs()[ty.index as usize].supers.last() {
                Some(&id) => {
                    HeapType::Concrete(ConcreteType { index: self.first[id as usize], ..ty })
                }
                None => ty.kind.into(),
            },
            HeapType::Struct | HeapType::Array | HeapType::I31 => HeapType::Eq,
            HeapType::Eq => HeapType::Any,
            _ => return None,
        })
    }
}
