//! Instances, and how they come to be (spec, 4.5.4).

use super::{
    Code, StoreInner,
    func::LocalFuncs,
    registry::TypeIds,
    vmctx::{VmFunc, VmInstance, VmPointers, empty_memory},
};
use crate::{
    Shared,
    error::Error,
    index::*,
    module::{ElemItems, ExportItem, Module, SegmentMode, const_expr::ConstExpr},
    types::slot_count,
};
use alloc::{boxed::Box, vec::Vec};
use core::any::Any;

/// A module and its executable form: what instances are made from.
#[derive(Clone)]
pub struct Program {
    /// The module.
    pub module: Shared<Module>,
    /// Its executable form.
    pub code: Shared<dyn Code>,
    /// Ids of its types in the engine.
    pub types: Shared<TypeIds>,
    /// The functions that it exports and defines, each once.
    pub exported_funcs: Shared<[FuncIdx]>,
}

impl Program {
    /// Puts a module and its executable form together; `types` are the ids of the module's types.
    pub fn new(module: Shared<Module>, code: Shared<dyn Code>, types: TypeIds) -> Program {
        let mut funcs: Vec<FuncIdx> = module
            .exports
            .iter()
            .filter_map(|export| match export.item {
                ExportItem::Func(func) if func.0 >= module.imported_funcs => Some(func),
                _ => None,
            })
            .collect();
        funcs.sort_unstable();
        funcs.dedup();
        Program { module, code, types: Shared::new(types), exported_funcs: funcs.into() }
    }
}

/// An object that can be imported or exported (spec, 4.2.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternVal {
    /// A function.
    Func(FuncAddr),
    /// A table.
    Table(TableAddr),
    /// A memory.
    Memory(MemoryAddr),
    /// A global.
    Global(GlobalAddr),
    /// A tag.
    Tag(TagAddr),
}

/// An instance of a module (spec, 4.2.5). It does not change once it exists; what can change is its objects.
pub struct Instance {
    /// What its code sees.
    pub vm: VmInstance,
    /// The module that it is an instance of.
    pub module: Shared<Module>,
    /// The executable form of the module.
    pub code: Shared<dyn Code>,
    /// Addresses of imported functions, then of all tables, memories, globals and tags.
    addrs: Box<[u32]>,
    /// Keep what `vm` points to alive.
    _types: Shared<TypeIds>,
    _pointers: VmPointers,
}

/// An instance, and what changes about it.
pub(super) struct InstanceEntry {
    /// Shared, so that it can be read while the rest of the store changes.
    pub(super) instance: Shared<Instance>,
    pub(super) funcs: LocalFuncs,
    /// Segments that were dropped. Empty if none was; those that are not passive do not count.
    pub(super) dropped_elems: Vec<bool>,
    pub(super) dropped_datas: Vec<bool>,
}

impl Instance {
    /// The address of one of its tables.
    pub fn table(&self, index: TableIdx) -> TableAddr {
        TableAddr(self.addrs[self.module.imported_funcs as usize + index.at()])
    }

    /// The address of one of its memories.
    pub fn memory(&self, index: MemoryIdx) -> MemoryAddr {
        let before = self.module.imported_funcs as usize + self.module.tables.len();
        MemoryAddr(self.addrs[before + index.at()])
    }

    /// The address of one of its globals.
    pub fn global(&self, index: GlobalIdx) -> GlobalAddr {
        let before = self.addrs.len() - self.module.globals.len() - self.module.tags.len();
        GlobalAddr(self.addrs[before + index.at()])
    }

    /// The address of one of its tags.
    pub fn tag(&self, index: TagIdx) -> TagAddr {
        TagAddr(self.addrs[self.addrs.len() - self.module.tags.len() + index.at()])
    }

    fn local_func(&self, index: FuncIdx) -> VmFunc {
        local_func(&self.module, &self._types, InstanceAddr(self.vm.addr), index)
    }
}

fn local_func(module: &Module, types: &TypeIds, instance: InstanceAddr, index: FuncIdx) -> VmFunc {
    let (ty, id) = (module.func_type(index), types[module.funcs[index.at()].at()]);
    // Validation allows 1000 parameters and results at most.
    let [params, results] = [ty.params(), ty.results()].map(|types| slot_count(types) as u16);
    VmFunc { ty: id, instance: instance.0, index: index.0, params, results }
}

impl StoreInner {
    /// Creates an instance, up to but without the call of its start function.
    ///
    /// `imports` has an object for each import of the module, in order, of the right type.
    ///
    /// # Errors
    /// A limit was met, or a segment does not fit: then what was written so far stays written, as the specification asks.
    pub fn instantiate(
        &mut self,
        data: &mut dyn Any,
        program: &Program,
        imports: &[ExternVal],
    ) -> Result<InstanceAddr, Error> {
        let module = &*program.module;
        debug_assert_eq!(imports.len(), module.imports.len());
        let own_tables = module.tables.len() - module.imported_tables as usize;
        let own_memories = module.memories.len() - module.imported_memories as usize;
        self.check_counts(data, 1, own_tables, own_memories)?;

        let addr = InstanceAddr(self.instances.len() as u32);
        let mut space = AddressSpace::new(module, imports);
        for ty in &module.tables[module.imported_tables as usize..] {
            space.tables.push(self.create_table(data, *ty)?.0);
        }
        for ty in &module.memories[module.imported_memories as usize..] {
            space.memories.push(self.create_memory(data, *ty)?.0);
        }
        for ty in &module.tags[module.imported_tags as usize..] {
            space.tags.push(self.add_tag(module.signature(*ty).clone(), program.types[ty.at()]).0);
        }
        // From here on nothing fails before the instance exists: functions may be referred to.
        let mut funcs = LocalFuncs::default();
        for &func in &*program.exported_funcs {
            let make = || local_func(module, &program.types, addr, func);
            funcs.addr(&mut self.funcs, module.funcs.len(), func, make);
        }
        for (i, init) in module.global_inits.iter().enumerate() {
            let ty = module.globals[module.imported_globals as usize + i];
            let (globals, entries) = (&self.globals, &mut self.funcs);
            let bits =
                init.eval(&mut |i| globals[space.globals[i.at()] as usize].get(), &mut |i| {
                    match space.funcs.get(i.at()) {
                        Some(&imported) => u64::from(imported) + 1,
                        None => {
                            let make = || local_func(module, &program.types, addr, i);
                            u64::from(funcs.addr(entries, module.funcs.len(), i, make).0) + 1
                        }
                    }
                });
            space.globals.push(self.add_global(ty, bits).0);
        }
        let instance = self.link(addr, program, space);
        self.instances.push(InstanceEntry {
            instance: Shared::new(instance),
            funcs,
            dropped_elems: Vec::new(),
            dropped_datas: Vec::new(),
        });
        self.init_tables(addr, module)?;
        self.run_segments(addr, module)?;
        Ok(addr)
    }

    fn link(&self, addr: InstanceAddr, program: &Program, space: AddressSpace) -> Instance {
        let AddressSpace { funcs, tables, memories, globals, tags } = space;
        let mut pointers = Vec::with_capacity(globals.len() + tables.len() + memories.len().max(1));
        pointers.extend(globals.iter().map(|&i| self.globals[i as usize].cell().cast::<()>()));
        pointers.extend(tables.iter().map(|&i| self.tables[i as usize].vm().cast::<()>()));
        pointers.extend(memories.iter().map(|&i| self.memories[i as usize].vm().cast::<()>()));
        if memories.is_empty() {
            pointers.push(empty_memory().cast());
        }
        let pointers = VmPointers(pointers.into());
        let mut addrs = funcs;
        addrs.reserve_exact(tables.len() + memories.len() + globals.len() + tags.len());
        addrs.extend(tables.iter().chain(&memories).chain(&globals).chain(&tags));
        let addrs: Box<[u32]> = addrs.into();
        let first = pointers.0.as_ptr();
        let vm = VmInstance {
            globals: first.cast(),
            tables: first.wrapping_add(globals.len()).cast(),
            memories: first.wrapping_add(globals.len() + tables.len()).cast(),
            types: program.types.as_ptr(),
            imported_funcs: addrs.as_ptr(),
            addr: addr.0,
        };
        Instance {
            vm,
            module: program.module.clone(),
            code: program.code.clone(),
            addrs,
            _types: program.types.clone(),
            _pointers: pointers,
        }
    }

    fn init_tables(&mut self, addr: InstanceAddr, module: &Module) -> Result<(), Error> {
        for (i, init) in module.table_inits.iter().enumerate() {
            if let Some(init) = init {
                let handle = self.eval(addr, init) as u32;
                let table = self.instance(addr).table(TableIdx(module.imported_tables + i as u32));
                self.tables[table.at()].elems_mut().fill(handle);
            }
        }
        Ok(())
    }

    /// Copies the active segments.
    fn run_segments(&mut self, addr: InstanceAddr, module: &Module) -> Result<(), Error> {
        for elem in &module.elems {
            if let SegmentMode::Active { into, offset } = &elem.mode {
                let start = self.eval(addr, offset);
                self.write_elems(addr, *into, &elem.items, start, 0, elem.items.len() as u64)?;
            }
        }
        for data in &module.datas {
            if let SegmentMode::Active { into, offset } = &data.mode {
                let start = self.eval(addr, offset);
                self.write_bytes(addr, *into, &module.wasm[data.bytes.clone()], start)?;
            }
        }
        Ok(())
    }

    /// The value of a constant expression of an instance's module, as the bits of a slot.
    pub(super) fn eval(&mut self, addr: InstanceAddr, expr: &ConstExpr) -> u64 {
        let InstanceEntry { instance, funcs, .. } = &mut self.instances[addr.at()];
        let (globals, entries) = (&self.globals, &mut self.funcs);
        let [bits, _] = expr.eval(&mut |i| globals[instance.global(i).at()].get(), &mut |i| {
            u64::from(func_addr(entries, instance, funcs, i).0) + 1
        });
        bits
    }

    /// The handles of a segment's items, from `start`.
    pub(super) fn elem_handle(&mut self, addr: InstanceAddr, items: &ElemItems, at: usize) -> u32 {
        match items {
            ElemItems::Funcs(funcs) => self.ref_func(addr, funcs[at]).0 + 1,
            ElemItems::Exprs(exprs) => self.eval(addr, &exprs[at]) as u32,
        }
    }

    /// The address of one of an instance's functions, which it gets at first need.
    pub fn ref_func(&mut self, addr: InstanceAddr, func: FuncIdx) -> FuncAddr {
        let InstanceEntry { instance, funcs, .. } = &mut self.instances[addr.at()];
        func_addr(&mut self.funcs, instance, funcs, func)
    }

    /// What an instance exports under `name`.
    pub fn export(&self, addr: InstanceAddr, name: &str) -> Option<ExternVal> {
        let item = self.instance(addr).module.export(name)?.item;
        Some(self.export_item(addr, item))
    }

    /// The object that one of an instance's exports stands for.
    pub fn export_item(&self, addr: InstanceAddr, item: ExportItem) -> ExternVal {
        let InstanceEntry { instance, funcs, .. } = &self.instances[addr.at()];
        match item {
            ExportItem::Func(i) if i.0 < instance.module.imported_funcs => {
                ExternVal::Func(FuncAddr(instance.addrs[i.at()]))
            }
            ExportItem::Func(i) => {
                ExternVal::Func(funcs.get(i).expect("exported functions get their addresses first"))
            }
            ExportItem::Table(i) => ExternVal::Table(instance.table(i)),
            ExportItem::Memory(i) => ExternVal::Memory(instance.memory(i)),
            ExportItem::Global(i) => ExternVal::Global(instance.global(i)),
            ExportItem::Tag(i) => ExternVal::Tag(instance.tag(i)),
        }
    }
}

fn func_addr(
    entries: &mut Vec<VmFunc>,
    instance: &Instance,
    funcs: &mut LocalFuncs,
    func: FuncIdx,
) -> FuncAddr {
    if func.0 < instance.module.imported_funcs {
        return FuncAddr(instance.addrs[func.at()]);
    }
    funcs.addr(entries, instance.module.funcs.len(), func, || instance.local_func(func))
}

/// Addresses of an instance's objects, by index.
struct AddressSpace {
    /// Imported ones only.
    funcs: Vec<u32>,
    tables: Vec<u32>,
    memories: Vec<u32>,
    globals: Vec<u32>,
    tags: Vec<u32>,
}

impl AddressSpace {
    fn new(module: &Module, imports: &[ExternVal]) -> AddressSpace {
        let mut space = AddressSpace {
            funcs: Vec::with_capacity(module.imported_funcs as usize),
            tables: Vec::with_capacity(module.tables.len()),
            memories: Vec::with_capacity(module.memories.len()),
            globals: Vec::with_capacity(module.globals.len()),
            tags: Vec::with_capacity(module.tags.len()),
        };
        for import in imports {
            match import {
                ExternVal::Func(addr) => space.funcs.push(addr.0),
                ExternVal::Table(addr) => space.tables.push(addr.0),
                ExternVal::Memory(addr) => space.memories.push(addr.0),
                ExternVal::Global(addr) => space.globals.push(addr.0),
                ExternVal::Tag(addr) => space.tags.push(addr.0),
            }
        }
        space
    }
}
