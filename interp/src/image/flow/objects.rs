//! Structures, arrays, casts, and what is done to several slots at once.

use super::{Fail, Flow, NO_REFERENCE, Operands};
use crate::{forms::code, image::types::Held};
use kinglet_core::{
    index::ElemIdx,
    module::ElemItems,
    op::{Num, Op},
    runtime::gc::layout::{Storage, StructLayout},
    types::{
        CastTarget, CompositeType, FieldType, HeapType, Mutability, RefType, StorageType,
        StructType, TypeKind, ValType,
    },
};

impl<'a> Flow<'a> {
    /// The field of a structure at an offset; `None` if there can only be null.
    pub(super) fn field(
        &mut self,
        object: Option<Held>,
        offset: u32,
    ) -> Result<Option<FieldType>, Fail> {
        let index = match self.types.non_null(object.ok_or(NO_REFERENCE)?) {
            None => return Ok(None),
            Some(HeapType::Concrete(ty)) => ty.index,
            Some(_) => return Err(NO_OBJECT.into()),
        };
        let CompositeType::Struct(ty) = &self.module.types[index as usize].composite else {
            return Err(NO_OBJECT.into());
        };
        let offsets = self.fields.entry(index).or_insert_with(|| {
            let layout =
                StructLayout::new(ty.fields.iter().map(|field| Storage::of(field.storage)));
            layout.fields.iter().map(|field| field.offset).collect()
        });
        let number = offsets.binary_search(&offset).map_err(|_| "there is no field there")?;
        Ok(Some(ty.fields[number]))
    }

    /// The elements of the array in the first slot; `None` if there can only be null.
    pub(super) fn element(&self, o: &Operands) -> Result<Option<FieldType>, Fail> {
        let held = self.state.get(o.slots.items[0]).ok_or(NO_REFERENCE)?;
        match self.types.non_null(held) {
            None => Ok(None),
            Some(HeapType::Concrete(ty)) if ty.kind == TypeKind::Array => {
                Ok(Some(self.array(ty.index)?))
            }
            Some(_) => Err(NO_OBJECT.into()),
        }
    }

    /// What is read from a field or element.
    pub(super) fn accessed(
        &self,
        field: FieldType,
        access: (Num, Num),
    ) -> Result<Option<Held>, Fail> {
        if !fits(field.storage, access) {
            return Err("a field is kept in another way".into());
        }
        Ok(self.types.of_value(field.storage.unpack()))
    }

    /// A field or element is written.
    pub(super) fn assigned(
        &self,
        field: FieldType,
        access: (Num, Num),
        value: Option<Held>,
    ) -> Result<(), Fail> {
        let wanted = self.accessed(field, access)?;
        assignable(field)?;
        wanted.map_or(Ok(()), |wanted| self.want(value, wanted))
    }

    /// A test of what a reference is, or a cast, which gives the reference.
    pub(super) fn cast(&self, opcode: u16, o: &Operands) -> Result<Option<Held>, Fail> {
        let (number, flags) = (o.numbers.items[0], o.numbers.items[1]);
        let known = CastTarget::NULLABLE | CastTarget::ABSTRACT | CastTarget::FUNCTION;
        let flag = |flag: u16| flags & u32::from(flag) != 0;
        let (is_abstract, is_func) = (flag(CastTarget::ABSTRACT), flag(CastTarget::FUNCTION));
        let is_other =
            matches!(opcode, code::REF_TEST_OTHER..code::REF_CAST | code::REF_CAST_OTHER..);
        let count = if is_abstract { HeapType::ABSTRACT.len() } else { self.module.types.len() };
        let is_sound = flags & !u32::from(known) == 0
            && !(is_abstract && is_func)
            && (is_other || !is_abstract && !is_func)
            && (number as usize) < count;
        if !is_sound {
            return Err("a cast to what is no type".into());
        }
        let nullable = flag(CastTarget::NULLABLE);
        let to = if is_abstract {
            self.types.of(RefType { nullable, heap: HeapType::ABSTRACT[number as usize] })
        } else {
            let kind = self.module.types[number as usize].composite.kind();
            if (kind == TypeKind::Func) != is_func {
                return Err("a cast to what is no type".into());
            }
            self.types.of_defined(number, nullable)
        };
        let top = self.types.ref_type(to).map_or(HeapType::Any, |ty| ty.heap.top());
        self.want(self.operand(opcode, o, 0, 0), self.nullable(top))?;
        Ok(if opcode < code::REF_CAST { None } else { Some(to) })
    }

    /// An op of the class `slots`: operands and results in a row.
    pub(super) fn slots(&mut self, op: Op, o: &Operands) -> Result<(), Fail> {
        let (module, types, base) = (self.module, self.types, o.base);
        let [x, y, ..] = o.numbers.items;
        let slot = |i: u32| u16::try_from(u32::from(base) + i).unwrap_or(u16::MAX);
        let table = |i: u32| types.of(module.tables[i as usize].element);
        let mut result = None;
        match op {
            Op::MemoryCopy
            | Op::MemoryFill
            | Op::MemoryInit
            | Op::DataDrop
            | Op::ElemDrop
            | Op::AtomicFence => return Ok(()),
            Op::MemorySize | Op::MemoryGrow | Op::TableSize => {}
            Op::TableGet => result = Some(table(x)),
            Op::TableSet | Op::TableFill => {
                return self.want(self.state.get(slot(1)), table(x));
            }
            Op::TableGrow => self.want(self.state.get(slot(0)), table(x))?,
            Op::TableCopy => return self.want(Some(table(y)), table(x)),
            Op::TableInit => return self.want(Some(self.elements(y)?), table(x)),
            Op::RefFunc => result = Some(types.of_defined(module.funcs[x as usize].0, false)),
            Op::StructNew | Op::StructNewDefault => {
                let fields = &self.structure(x)?.fields;
                if op == Op::StructNew {
                    self.want_fields(base, fields, 1)?;
                } else {
                    fields.iter().try_for_each(|field| defaultable(*field))?;
                }
                self.spend(fields.len())?;
                result = Some(types.of_defined(x, false));
            }
            Op::ArrayNew => {
                let element = self.array(x)?;
                self.want_fields(base, &[element], 1)?;
                result = Some(types.of_defined(x, false));
            }
            Op::ArrayNewDefault => {
                defaultable(self.array(x)?)?;
                result = Some(types.of_defined(x, false));
            }
            Op::ArrayNewFixed => {
                let element = self.array(x)?;
                self.want_fields(base, &[element], y)?;
                result = Some(types.of_defined(x, false));
            }
            Op::ArrayNewData => {
                self.fill_from_data(self.array(x)?, y)?;
                result = Some(types.of_defined(x, false));
            }
            Op::ArrayNewElem => {
                self.fill_from_elements(self.array(x)?, y)?;
                result = Some(types.of_defined(x, false));
            }
            Op::StructGet | Op::StructSet => {
                let field = self.structure(x)?.fields.get(y as usize);
                let field = *field.ok_or("there is no field of that number")?;
                self.want(self.state.get(base), types.of_defined(x, true))?;
                if op == Op::StructSet {
                    assignable(field)?;
                    return self.want_fields(slot(1), &[field], 1);
                }
                self.state.set(slot(1), None);
                result = types.of_value(field.storage.unpack());
            }
            Op::ArrayGet | Op::ArraySet | Op::ArrayFill => {
                let element = self.array(x)?;
                self.want(self.state.get(base), types.of_defined(x, true))?;
                if op != Op::ArrayGet {
                    assignable(element)?;
                    let behind = u32::from(op == Op::ArrayFill);
                    self.room(base, 2 + behind + Storage::of(element.storage).slots() as u32)?;
                    return self.want_fields(slot(2), &[element], 1);
                }
                self.state.set(slot(1), None);
                result = types.of_value(element.storage.unpack());
            }
            Op::ArrayCopy => {
                let (to, from) = (self.array(x)?, self.array(y)?);
                self.room(base, 5)?;
                self.want(self.state.get(base), types.of_defined(x, true))?;
                self.want(self.state.get(slot(2)), types.of_defined(y, true))?;
                assignable(to)?;
                let same = match (from.storage, to.storage) {
                    (StorageType::Val(ValType::Ref(from)), StorageType::Val(ValType::Ref(to))) => {
                        types.matches(types.of(from), types.of(to))
                    }
                    (from, to) => from == to,
                };
                return if same { Ok(()) } else { Err("elements of another type".into()) };
            }
            Op::ArrayInitData | Op::ArrayInitElem => {
                let element = self.array(x)?;
                self.room(base, 4)?;
                self.want(self.state.get(base), types.of_defined(x, true))?;
                assignable(element)?;
                return if op == Op::ArrayInitData {
                    self.fill_from_data(element, y)
                } else {
                    self.fill_from_elements(element, y)
                };
            }
            _ => return Err("an op that is not known".into()),
        }
        self.state.set(base, result);
        Ok(())
    }

    /// That many slots from `base` on lie in the frame.
    fn room(&self, base: u16, count: u32) -> Result<(), Fail> {
        let lies = u32::from(base).checked_add(count).is_some_and(|end| end <= self.frame);
        if lies { Ok(()) } else { Err("operands do not lie in the frame".into()) }
    }

    /// Slots from `base` on hold values for these fields, `times` over.
    fn want_fields(&mut self, base: u16, fields: &[FieldType], times: u32) -> Result<(), Fail> {
        let slots = |field: &FieldType| Storage::of(field.storage).slots();
        let count = fields.iter().map(slots).sum::<usize>().saturating_mul(times as usize);
        self.room(base, u32::try_from(count).unwrap_or(u32::MAX))?;
        self.spend(count)?;
        let mut at = base;
        for field in (0..times).flat_map(|_| fields) {
            if let Some(wanted) = self.types.of_value(field.storage.unpack()) {
                self.want(self.state.get(at), wanted)?;
            }
            at += slots(field) as u16;
        }
        Ok(())
    }

    fn structure(&self, ty: u32) -> Result<&'a StructType, Fail> {
        let ty = self.module.types.get(ty as usize).and_then(|ty| ty.as_struct());
        ty.ok_or_else(|| "it is no type of structures".into())
    }

    /// The elements of arrays of a type.
    fn array(&self, ty: u32) -> Result<FieldType, Fail> {
        let ty = self.module.types.get(ty as usize).and_then(|ty| ty.as_array());
        ty.map(|ty| ty.element).ok_or_else(|| "it is no type of arrays".into())
    }

    /// What the elements of a segment are.
    fn elements(&self, segment: u32) -> Result<Held, Fail> {
        let elem =
            self.module.elems.get(ElemIdx(segment).at()).ok_or("an index is out of range")?;
        Ok(match elem.items {
            // Functions are not null.
            ElemItems::Funcs(_) => self.non_null(HeapType::Func),
            ElemItems::Exprs(_) => self.types.of(elem.ty),
        })
    }

    /// Elements of an array come from an element segment.
    fn fill_from_elements(&self, element: FieldType, segment: u32) -> Result<(), Fail> {
        let wanted = self.types.of_value(element.storage.unpack());
        self.want(Some(self.elements(segment)?), wanted.ok_or("elements that are no references")?)
    }

    /// Elements of an array come from a data segment.
    fn fill_from_data(&self, element: FieldType, segment: u32) -> Result<(), Fail> {
        if segment as usize >= self.module.datas.len() {
            return Err("an index is out of range".into());
        }
        if element.storage.unpack().is_ref() {
            return Err("references made of data".into());
        }
        Ok(())
    }
}

const NO_OBJECT: &str = "an object is of no type, or of one of others";

/// How a field is read or written by the form of this number in its family, of which each way has so many forms.
pub(super) fn access(ways: &[(Num, Num)], number: u16, forms: impl Fn(Num) -> usize) -> (Num, Num) {
    let mut number = usize::from(number);
    for &(stored, value) in ways {
        match number.checked_sub(forms(value)) {
            Some(rest) => number = rest,
            None => return (stored, value),
        }
    }
    // There are no more.
    ways[0]
}

/// Whether something that is kept in this way can be read or written in that.
fn fits(storage: StorageType, access: (Num, Num)) -> bool {
    let ways: &[_] = match storage {
        StorageType::I8 => &[(Num::i8, Num::u32), (Num::u8, Num::u32)],
        StorageType::I16 => &[(Num::i16, Num::u32), (Num::u16, Num::u32)],
        StorageType::Val(ValType::I32 | ValType::Ref(_)) => &[(Num::u32, Num::u32)],
        StorageType::Val(ValType::I64) => &[(Num::u64, Num::u64)],
        StorageType::Val(ValType::F32) => &[(Num::f32, Num::f32)],
        StorageType::Val(ValType::F64) => &[(Num::f64, Num::f64)],
        StorageType::Val(ValType::V128) => &[],
    };
    ways.contains(&access)
}

fn assignable(field: FieldType) -> Result<(), Fail> {
    // A subtype may have a narrower type for what cannot be assigned.
    if field.mutability == Mutability::Var {
        Ok(())
    } else {
        Err("it assigns a field that cannot be".into())
    }
}

fn defaultable(field: FieldType) -> Result<(), Fail> {
    match field.storage {
        StorageType::Val(ValType::Ref(ty)) if !ty.nullable => {
            Err("a field without a default".into())
        }
        _ => Ok(()),
    }
}
