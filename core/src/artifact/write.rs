//! Writing an artifact, section by section, in the order in which [`super::read`] reads it.

use super::{Header, Image, Needs, VERSION, code, elf, names, section};
use crate::{
    module::{
        const_expr::{ConstExpr, ConstOp},
        features::Features,
        *,
    },
    types::*,
};
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// Makes an artifact of a module that was decoded with `features` and what the interpreter has made of it.
pub fn write(module: &Module, image: &Image<'_>, features: &Features) -> Vec<u8> {
    let header = Header {
        version: VERSION,
        op_set: image.op_set,
        metered: image.metered,
        features: Module::features_used(&module.wasm, features),
        wasm_sha256: Sha256::digest(&*module.wasm).into(),
    };
    let header = header.to_bytes();
    let mut writer = Writer::default();
    writer.module(module);
    let Writer { bytes, data } = writer;
    let (needs, names) = (needs(&image.needs), names::write(module));
    let mut sections = Vec::from([
        (section::HEADER, &header[..]),
        (section::MODULE, &bytes),
        (section::CODE, &image.code),
        (section::TABLES, &image.tables),
        (section::DATA, &data),
        (section::NEEDS, &needs),
    ]);
    sections.extend(names.as_deref().map(|names| (section::NAMES, names)));
    elf::write(&sections)
}

fn needs(needs: &Needs) -> Vec<u8> {
    let mut writer = Writer::default();
    for slots in &needs.stack {
        writer.number(slots.map_or(0, |slots| u64::from(slots) + 1));
    }
    writer.bytes
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    /// The contents of data segments.
    data: Vec<u8>,
}

impl Writer {
    fn module(&mut self, module: &Module) {
        self.types(module);
        self.number(module.imports.len() as u64);
        for import in &module.imports {
            self.name(&import.module);
            self.name(&import.name);
            self.import_type(&import.ty);
        }
        let own = &module.funcs[module.imported_funcs as usize..];
        self.number(own.len() as u64);
        own.iter().for_each(|ty| self.number(ty.0.into()));
        self.number(module.table_inits.len() as u64);
        for (ty, init) in
            module.tables[module.imported_tables as usize..].iter().zip(&module.table_inits)
        {
            self.table_type(ty);
            self.flag(init.is_some());
            init.iter().for_each(|init| self.expr(init));
        }
        let own = &module.memories[module.imported_memories as usize..];
        self.number(own.len() as u64);
        own.iter().for_each(|ty| self.memory_type(ty));
        self.number(module.global_inits.len() as u64);
        for (ty, init) in
            module.globals[module.imported_globals as usize..].iter().zip(&module.global_inits)
        {
            self.global_type(ty);
            self.expr(init);
        }
        let own = &module.tags[module.imported_tags as usize..];
        self.number(own.len() as u64);
        own.iter().for_each(|ty| self.number(ty.0.into()));
        self.exports(module);
        self.flag(module.start.is_some());
        module.start.iter().for_each(|func| self.number(func.0.into()));
        self.elems(module);
        self.datas(module);
    }

    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn flag(&mut self, flag: bool) {
        self.byte(flag.into());
    }

    /// An unsigned LEB128 number.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn name(&mut self, name: &str) {
        self.number(name.len() as u64);
        self.bytes.extend(name.bytes());
    }

    fn types(&mut self, module: &Module) {
        self.number(module.types.len() as u64);
        for (i, ty) in (1..).zip(&module.types) {
            let kind = code::KINDS.iter().position(|&kind| kind == ty.composite.kind());
            let mut flags = (kind.unwrap_or(0) as u8) << code::KIND_SHIFT;
            if ty.is_final {
                flags |= code::FINAL;
            }
            if ty.supertype.is_some() {
                flags |= code::HAS_SUPERTYPE;
            }
            // Groups without types are left out: nobody can name them.
            if module.rec_groups.binary_search(&i).is_ok() {
                flags |= code::ENDS_GROUP;
            }
            self.byte(flags);
        }
        for ty in &module.types {
            ty.supertype.iter().for_each(|supertype| self.number((*supertype).into()));
            match &ty.composite {
                CompositeType::Func(ty) => {
                    for types in [ty.params(), ty.results()] {
                        self.number(types.len() as u64);
                        types.iter().for_each(|ty| self.val_type(*ty));
                    }
                }
                CompositeType::Struct(ty) => {
                    self.number(ty.fields.len() as u64);
                    ty.fields.iter().for_each(|field| self.field_type(field));
                }
                CompositeType::Array(ty) => self.field_type(&ty.element),
            }
        }
    }

    fn field_type(&mut self, ty: &FieldType) {
        match ty.storage {
            StorageType::I8 => self.byte(code::I8),
            StorageType::I16 => self.byte(code::I16),
            StorageType::Val(ty) => self.val_type(ty),
        }
        self.flag(ty.mutability == Mutability::Var);
    }

    fn val_type(&mut self, ty: ValType) {
        self.byte(match ty {
            ValType::I32 => code::I32,
            ValType::I64 => code::I64,
            ValType::F32 => code::F32,
            ValType::F64 => code::F64,
            ValType::V128 => code::V128,
            ValType::FUNCREF => code::FUNCREF,
            ValType::EXTERNREF => code::EXTERNREF,
            ValType::Ref(ty) => {
                self.byte(if ty.nullable { code::REF_NULLABLE } else { code::REF });
                return self.number(ty.heap.number().into());
            }
        });
    }

    fn limits(&mut self, minimum: u64, maximum: Option<u64>) {
        self.number(minimum);
        maximum.iter().for_each(|maximum| self.number(*maximum));
    }

    fn table_type(&mut self, ty: &TableType) {
        self.val_type(ValType::Ref(ty.element));
        self.byte(size_flags(ty.is_64, ty.maximum));
        self.limits(ty.minimum, ty.maximum);
    }

    fn memory_type(&mut self, ty: &MemoryType) {
        let mut flags = size_flags(ty.is_64, ty.maximum);
        if ty.shared {
            flags |= code::SHARED;
        }
        if ty.page_size_log2 == 0 {
            flags |= code::PAGES_OF_A_BYTE;
        }
        self.byte(flags);
        self.limits(ty.minimum, ty.maximum);
    }

    fn global_type(&mut self, ty: &GlobalType) {
        self.val_type(ty.content);
        self.flag(ty.mutability == Mutability::Var);
    }

    fn import_type(&mut self, ty: &ImportType) {
        match ty {
            ImportType::Func(ty) => {
                self.byte(code::FUNC);
                self.number(ty.0.into());
            }
            ImportType::Table(ty) => {
                self.byte(code::TABLE);
                self.table_type(ty);
            }
            ImportType::Memory(ty) => {
                self.byte(code::MEMORY);
                self.memory_type(ty);
            }
            ImportType::Global(ty) => {
                self.byte(code::GLOBAL);
                self.global_type(ty);
            }
            ImportType::Tag(ty) => {
                self.byte(code::TAG);
                self.number(ty.0.into());
            }
        }
    }

    fn expr(&mut self, expr: &ConstExpr) {
        let ops = expr.ops();
        self.number(ops.len() as u64);
        ops.iter().for_each(|op| self.const_op(op));
    }

    fn const_op(&mut self, op: &ConstOp) {
        let (number, operand) = match *op {
            ConstOp::Const(bits) => (code::CONST, Some(bits)),
            ConstOp::Vector(bits) => {
                self.byte(code::VECTOR);
                self.bytes.extend(bits.iter().flat_map(|bits| bits.to_le_bytes()));
                return;
            }
            ConstOp::GlobalGet(global) => (code::GLOBAL_GET, Some(global.0.into())),
            ConstOp::RefNull => (code::REF_NULL, None),
            ConstOp::RefFunc(func) => (code::REF_FUNC, Some(func.0.into())),
            ConstOp::I32Add => (code::I32_ADD, None),
            ConstOp::I32Sub => (code::I32_SUB, None),
            ConstOp::I32Mul => (code::I32_MUL, None),
            ConstOp::I64Add => (code::I64_ADD, None),
            ConstOp::I64Sub => (code::I64_SUB, None),
            ConstOp::I64Mul => (code::I64_MUL, None),
            ConstOp::RefI31 => (code::REF_I31, None),
            // How many fields it has, its type says.
            ConstOp::StructNew(ty, _) => (code::STRUCT_NEW, Some(ty.0.into())),
            ConstOp::StructNewDefault(ty) => (code::STRUCT_NEW_DEFAULT, Some(ty.0.into())),
            ConstOp::ArrayNew(ty) => (code::ARRAY_NEW, Some(ty.0.into())),
            ConstOp::ArrayNewDefault(ty) => (code::ARRAY_NEW_DEFAULT, Some(ty.0.into())),
            ConstOp::ArrayNewFixed(ty, count) => {
                self.byte(code::ARRAY_NEW_FIXED);
                self.number(ty.0.into());
                return self.number(count.into());
            }
        };
        self.byte(number);
        operand.iter().for_each(|operand| self.number(*operand));
    }

    fn exports(&mut self, module: &Module) {
        self.number(module.exports.len() as u64);
        for export in &module.exports {
            self.name(&export.name);
            let (kind, index) = match export.item {
                ExportItem::Func(index) => (code::FUNC, index.0),
                ExportItem::Table(index) => (code::TABLE, index.0),
                ExportItem::Memory(index) => (code::MEMORY, index.0),
                ExportItem::Global(index) => (code::GLOBAL, index.0),
                ExportItem::Tag(index) => (code::TAG, index.0),
            };
            self.byte(kind);
            self.number(index.into());
        }
        module.exports_by_name.iter().for_each(|i| self.number((*i).into()));
    }

    fn elems(&mut self, module: &Module) {
        self.number(module.elems.len() as u64);
        for elem in &module.elems {
            let exprs = matches!(elem.items, ElemItems::Exprs(_));
            let mode = match elem.mode {
                SegmentMode::Active { .. } => code::ACTIVE,
                SegmentMode::Passive => code::PASSIVE,
                SegmentMode::Declared => code::DECLARED,
            };
            self.byte(mode | if exprs { code::EXPRS } else { 0 });
            if let SegmentMode::Active { into, offset } = &elem.mode {
                self.number(into.0.into());
                self.expr(offset);
            }
            if exprs {
                self.val_type(ValType::Ref(elem.ty));
            }
            self.number(elem.items.len() as u64);
            match &elem.items {
                ElemItems::Funcs(funcs) => funcs.iter().for_each(|func| self.number(func.0.into())),
                ElemItems::Exprs(exprs) => exprs.iter().for_each(|expr| self.expr(expr)),
            }
        }
    }

    fn datas(&mut self, module: &Module) {
        self.number(module.datas.len() as u64);
        for data in &module.datas {
            match &data.mode {
                SegmentMode::Active { into, offset } => {
                    self.byte(code::ACTIVE);
                    self.number(into.0.into());
                    self.expr(offset);
                }
                SegmentMode::Passive | SegmentMode::Declared => self.byte(code::PASSIVE),
            }
            self.number(self.data.len() as u64);
            self.number(data.bytes.len() as u64);
            self.data.extend(&module.wasm[data.bytes.clone()]);
        }
    }
}

fn size_flags(is_64: bool, maximum: Option<u64>) -> u8 {
    (if is_64 { code::IS_64 } else { 0 }) | (if maximum.is_some() { code::HAS_MAXIMUM } else { 0 })
}
