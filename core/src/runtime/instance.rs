//! Instances, and how they come to be (spec, 4.5.4).

use super::{
    Code, StoreInner,
    func::LocalFuncs,
    make_room,
    registry::TypeIds,
    vmctx::{VmFunc, VmInstance, VmPointers, empty_memory},
};
#[cfg(feature = "native")]
use super::{native::Native, vmctx::native::outside};
use crate::{
    Shared,
    error::Error,
    index::{out_of_range, *},
    module::{
        ElemItems, ExportItem, Module, SegmentMode,
        const_expr::{ConstEnv, ConstExpr},
    },
    types::{StorageType, ValType, slot_count},
};
use alloc::{boxed::Box, vec::Vec};
use core::{any::Any, ops::Range};

/// A module and its executable form: what instances are made from.
#[derive(Clone)]
pub struct Program {
    /// The module.
    pub module: Shared<Module>,
    /// Its executable form.
    pub code: Shared<dyn Code>,
    /// Its compiled code, if it has any.
    #[cfg(feature = "native")]
    pub native: Option<Shared<dyn Native>>,
    /// Ids of its types in the engine.
    pub types: Shared<TypeIds>,
}

impl Program {
    /// Puts a module and its executable form together; `types` are the ids of the module's types.
    pub fn new(module: Shared<Module>, code: Shared<dyn Code>, types: TypeIds) -> Program {
        Program {
            module,
            code,
            #[cfg(feature = "native")]
            native: None,
            types: Shared::new(types),
        }
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
    /// The compiled code of the module, if it has any.
    #[cfg(feature = "native")]
    pub native: Option<Shared<dyn Native>>,
    /// The types of the module.
    pub types: Shared<TypeIds>,
    /// Keeps what `vm` points to alive.
    _pointers: VmPointers,
}

/// An instance, and what changes about it.
pub(super) struct InstanceEntry {
    /// Shared, so that it can be read while the rest of the store changes.
    pub(super) instance: Shared<Instance>,
    pub(super) funcs: LocalFuncs,
    /// For each element segment that is made of constant expressions and can be used later, its elements, as handles. Empty if no
    /// segment is.
    pub(super) elems: Vec<Box<[u32]>>,
    /// Segments that were dropped. Empty if none was; those that are not passive do not count.
    pub(super) dropped_elems: Vec<bool>,
    pub(super) dropped_datas: Vec<bool>,
}

impl Instance {
    /// The address of one of its tables.
    pub fn table(&self, index: TableIdx) -> TableAddr {
        TableAddr(self.addr(self.module.imported_funcs as usize + index.at()))
    }

    /// The address of one of its memories.
    pub fn memory(&self, index: MemoryIdx) -> MemoryAddr {
        let before = self.module.imported_funcs as usize + self.module.tables.len();
        MemoryAddr(self.addr(before + index.at()))
    }

    /// The address of one of its globals.
    pub fn global(&self, index: GlobalIdx) -> GlobalAddr {
        let before = self.addrs.len() - self.module.globals.len() - self.module.tags.len();
        GlobalAddr(self.addr(before + index.at()))
    }

    /// The address of one of its tags.
    pub fn tag(&self, index: TagIdx) -> TagAddr {
        TagAddr(self.addr(self.addrs.len() - self.module.tags.len() + index.at()))
    }

    fn addr(&self, at: usize) -> u32 {
        match self.addrs.get(at) {
            Some(&addr) => addr,
            None => out_of_range(),
        }
    }

    /// A function that the module defines. Its code keeps the address of this instance.
    fn local_func(&self, index: FuncIdx) -> VmFunc {
        let (ty, id) = (self.module.func_type(index), self.types[self.module.funcs[index]]);
        // Validation allows 1000 parameters and results at most.
        let [params, results] = [ty.params(), ty.results()].map(|types| slot_count(types) as u16);
        #[cfg(feature = "native")]
        let (code, vm) = match self.native.as_ref().and_then(|native| native.entry(index)) {
            Some(code) => (code, core::ptr::from_ref(&self.vm)),
            None => (core::ptr::null(), outside(self.vm.store)),
        };
        VmFunc {
            ty: id,
            instance: self.vm.addr,
            index: index.0,
            params,
            results,
            #[cfg(feature = "native")]
            code,
            #[cfg(feature = "native")]
            vm,
        }
    }
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
        let mut space = AddressSpace::new(module, imports)?;
        make_room(&mut self.tables, own_tables)?;
        for ty in module.tables.iter().skip(module.imported_tables as usize) {
            let ty = ty.map(|i| program.types[TypeIdx(i)]);
            space.add(ExternVal::Table(self.create_table(data, ty)?));
        }
        make_room(&mut self.memories, own_memories)?;
        for ty in module.memories.iter().skip(module.imported_memories as usize) {
            space.add(ExternVal::Memory(self.create_memory(data, *ty)?));
        }
        for (i, ty) in module.tags.iter().enumerate().skip(module.imported_tags as usize) {
            let def = program.types.defs()[*ty].clone();
            space.add(ExternVal::Tag(self.add_tag(def, addr, TagIdx(i as u32))));
        }
        make_room(&mut self.globals, module.global_inits.len())?;
        for ty in module.globals.iter().skip(module.imported_globals as usize) {
            let ty = ty.map(|i| program.types[TypeIdx(i)]);
            space.add(ExternVal::Global(self.add_global(ty, [0; 2])?));
        }
        let mut funcs = LocalFuncs::new(module.funcs.len())?;
        let named = module.elems.iter().map(|elem| elem.items.len());
        let named = named.sum::<usize>().saturating_add(module.exports.len());
        make_room(&mut self.funcs, named.min(module.funcs.len() - module.imported_funcs as usize))?;
        make_room(&mut self.instances, 1)?;
        // From here on nothing fails before the instance exists: functions may be referred to.
        self.add_types(&program.types);
        let instance = Shared::new(self.link(addr, program, space));
        for export in &module.exports {
            let ExportItem::Func(func) = export.item else { continue };
            if func.0 >= module.imported_funcs {
                let make = || instance.local_func(func);
                funcs.addr(&mut self.funcs, func, make);
            }
        }
        #[cfg(feature = "native")]
        self.publish_funcs();
        self.instances.push(InstanceEntry {
            instance,
            funcs,
            elems: Vec::new(),
            dropped_elems: Vec::new(),
            dropped_datas: Vec::new(),
        });
        let scope = self.heap.roots.enter();
        let result = self.initialize(data, addr, module);
        self.heap.roots.leave(scope);
        result.map(|()| addr)
    }

    /// Gives globals, tables and segments their initial values, and copies the active segments.
    fn initialize(
        &mut self,
        data: &mut dyn Any,
        addr: InstanceAddr,
        module: &Module,
    ) -> Result<(), Error> {
        for (i, init) in module.global_inits.iter().enumerate() {
            let bits = self.eval(data, addr, init)?;
            let global = self.instance(addr).global(GlobalIdx(module.imported_globals + i as u32));
            self.globals[global].set(bits);
        }
        for (i, init) in module.table_inits.iter().enumerate() {
            if let Some(init) = init {
                let handle = self.eval(data, addr, init)?[0] as u32;
                let table = self.instance(addr).table(TableIdx(module.imported_tables + i as u32));
                self.tables[table].elems_mut().fill(handle);
            }
        }
        for (i, elem) in module.elems.iter().enumerate() {
            if let (SegmentMode::Passive, ElemItems::Exprs(items)) = (&elem.mode, &elem.items) {
                let items = self.eval_items(data, addr, items)?;
                let elems = &mut self.instances[addr].elems;
                if elems.is_empty() {
                    make_room(elems, module.elems.len())?;
                }
                elems.resize_with(module.elems.len(), Box::default);
                elems[ElemIdx(i as u32)] = items;
            }
        }
        self.run_segments(data, addr, module)
    }

    fn link(&self, addr: InstanceAddr, program: &Program, space: AddressSpace) -> Instance {
        let AddressSpace { addrs, next: [funcs, tables, memories, globals, _], mut pointers } =
            space;
        let addrs: Box<[u32]> = addrs.into();
        let of = |range: Range<usize>| addrs.get(range).unwrap_or_default().iter();
        for &addr in of(memories..globals) {
            pointers.push(self.globals[GlobalAddr(addr)].cell().cast::<()>());
        }
        for &addr in of(funcs..tables) {
            pointers.push(self.tables[TableAddr(addr)].vm().cast());
        }
        for &addr in of(tables..memories) {
            pointers.push(self.memories[MemoryAddr(addr)].vm().cast());
        }
        if memories == tables {
            pointers.push(empty_memory().cast());
        }
        let pointers = VmPointers(pointers.into());
        let first = pointers.0.as_ptr();
        // How many pointers stand before those to tables, and to memories.
        let (tables, memories) = (globals - memories, globals - memories + tables - funcs);
        let vm = VmInstance {
            globals: first.cast(),
            tables: first.wrapping_add(tables).cast(),
            memories: first.wrapping_add(memories).cast(),
            types: program.types.as_ptr(),
            imported_funcs: addrs.as_ptr(),
            addr: addr.0,
            #[cfg(feature = "native")]
            memory: pointers.0[memories].cast(),
            #[cfg(feature = "native")]
            store: self.vm(),
        };
        Instance {
            vm,
            module: program.module.clone(),
            code: program.code.clone(),
            #[cfg(feature = "native")]
            native: program.native.clone(),
            addrs,
            types: program.types.clone(),
            _pointers: pointers,
        }
    }

    /// Copies the active segments.
    fn run_segments(
        &mut self,
        data: &mut dyn Any,
        addr: InstanceAddr,
        module: &Module,
    ) -> Result<(), Error> {
        for elem in &module.elems {
            if let SegmentMode::Active { into, offset } = &elem.mode {
                let [start, _] = self.eval(data, addr, offset)?;
                match &elem.items {
                    ElemItems::Funcs(items) => {
                        self.write_funcs(addr, *into, items, start, 0, items.len() as u64)?;
                    }
                    ElemItems::Exprs(items) => {
                        let items = self.eval_items(data, addr, items)?;
                        self.write_handles(addr, *into, &items, start)?;
                    }
                }
            }
        }
        for segment in &module.datas {
            if let SegmentMode::Active { into, offset } = &segment.mode {
                let [start, _] = self.eval(data, addr, offset)?;
                self.write_bytes(addr, *into, &module.wasm[segment.bytes.clone()], start)?;
            }
        }
        Ok(())
    }

    /// The value of a constant expression of an instance's module, as the bits of two slots. New objects are roots of the scope that is
    /// open.
    fn eval(
        &mut self,
        data: &mut dyn Any,
        addr: InstanceAddr,
        expr: &ConstExpr,
    ) -> Result<[u64; 2], Error> {
        expr.eval(&mut Env { store: self, data, addr })
    }

    fn eval_items(
        &mut self,
        data: &mut dyn Any,
        addr: InstanceAddr,
        items: &[ConstExpr],
    ) -> Result<Box<[u32]>, Error> {
        let mut handles = room(items.len())?;
        for item in items {
            handles.push(self.eval(data, addr, item)?[0] as u32);
        }
        Ok(handles.into())
    }

    /// An element of a segment, as a handle. The segment is passive and has not been dropped, and the index is in bounds.
    pub fn elem(&mut self, addr: InstanceAddr, segment: ElemIdx, at: usize) -> u32 {
        let entry = &self.instances[addr];
        match &entry.instance.module.elems[segment].items {
            ElemItems::Funcs(funcs) => {
                let func = funcs[at];
                self.ref_func(addr, func).0 + 1
            }
            ElemItems::Exprs(_) => entry.elems[segment][at],
        }
    }

    /// The address of one of an instance's functions, which it gets at first need.
    pub fn ref_func(&mut self, addr: InstanceAddr, func: FuncIdx) -> FuncAddr {
        let InstanceEntry { instance, funcs, .. } = &mut self.instances[addr];
        let addr = func_addr(&mut self.funcs, instance, funcs, func);
        #[cfg(feature = "native")]
        self.publish_funcs();
        addr
    }

    /// What an instance exports under `name`.
    pub fn export(&self, addr: InstanceAddr, name: &str) -> Option<ExternVal> {
        let item = self.instance(addr).module.export(name)?.item;
        Some(self.export_item(addr, item))
    }

    /// The object that one of an instance's exports stands for.
    pub fn export_item(&self, addr: InstanceAddr, item: ExportItem) -> ExternVal {
        let InstanceEntry { instance, funcs, .. } = &self.instances[addr];
        match item {
            ExportItem::Func(i) if i.0 < instance.module.imported_funcs => {
                ExternVal::Func(FuncAddr(instance.addrs[i]))
            }
            ExportItem::Func(i) => {
                // Exported functions get their addresses first.
                ExternVal::Func(funcs.get(i).unwrap_or_else(|| out_of_range()))
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
        return FuncAddr(instance.addrs[func]);
    }
    funcs.addr(entries, func, || instance.local_func(func))
}

/// What the constant expressions of an instance are about.
struct Env<'s> {
    store: &'s mut StoreInner,
    data: &'s mut dyn Any,
    addr: InstanceAddr,
}

impl Env<'_> {
    fn engine_type(&self, ty: TypeIdx) -> u32 {
        self.store.instance(self.addr).types[ty]
    }

    /// Keeps a new object until the scope ends.
    fn root(&mut self, handle: u32) -> u64 {
        self.store.heap.roots.add(handle);
        handle.into()
    }
}

impl ConstEnv for Env<'_> {
    fn global(&mut self, global: GlobalIdx) -> [u64; 2] {
        let addr = self.store.instance(self.addr).global(global);
        self.store.global(addr).get()
    }

    fn func(&mut self, func: FuncIdx) -> u64 {
        u64::from(self.store.ref_func(self.addr, func).0) + 1
    }

    fn structure(&mut self, ty: TypeIdx, fields: Option<&[[u64; 2]]>) -> Result<u64, Error> {
        let id = self.engine_type(ty);
        let Some(fields) = fields else {
            let handle = self.store.new_struct_default(self.data, id)?;
            return Ok(self.root(handle));
        };
        let types = &self.store.instance(self.addr).types.structure(ty.at()).fields;
        let mut slots = Vec::with_capacity(fields.len());
        for (ty, bits) in types.iter().zip(fields) {
            let count = if ty.storage == StorageType::Val(ValType::V128) { 2 } else { 1 };
            slots.extend(&bits[..count]);
        }
        let handle = self.store.new_struct(self.data, id, &slots)?;
        Ok(self.root(handle))
    }

    fn array(&mut self, ty: TypeIdx, element: [u64; 2], len: u32) -> Result<u64, Error> {
        let id = self.engine_type(ty);
        let handle = self.store.new_array(self.data, id, len)?;
        self.store.heap.fill_array(handle, 0, element, len)?;
        Ok(self.root(handle))
    }

    fn array_of(&mut self, ty: TypeIdx, elements: &[[u64; 2]]) -> Result<u64, Error> {
        let id = self.engine_type(ty);
        let handle = self.store.new_array(self.data, id, elements.len() as u32)?;
        for (i, &element) in elements.iter().enumerate() {
            self.store.heap.set_element(handle, i as u32, element);
        }
        Ok(self.root(handle))
    }
}

/// Addresses of an instance's objects, while these come to be.
struct AddressSpace {
    /// As an [`Instance`] has them.
    addrs: Vec<u32>,
    /// Where the next of each kind goes.
    next: [usize; 5],
    /// Room for pointers to globals, tables and memories.
    pointers: Vec<*mut ()>,
}

impl AddressSpace {
    fn new(module: &Module, imports: &[ExternVal]) -> Result<AddressSpace, Error> {
        let (tables, memories, globals) =
            (module.tables.len(), module.memories.len(), module.globals.len());
        let end = module.imported_funcs as usize;
        let next =
            [0, end, end + tables, end + tables + memories, end + tables + memories + globals];
        let mut space = AddressSpace {
            addrs: room(next[4] + module.tags.len())?,
            next,
            pointers: room(globals + tables + memories.max(1))?,
        };
        space.addrs.resize(next[4] + module.tags.len(), 0);
        imports.iter().for_each(|&import| space.add(import));
        Ok(space)
    }

    fn add(&mut self, object: ExternVal) {
        let (kind, addr) = match object {
            ExternVal::Func(addr) => (0, addr.0),
            ExternVal::Table(addr) => (1, addr.0),
            ExternVal::Memory(addr) => (2, addr.0),
            ExternVal::Global(addr) => (3, addr.0),
            ExternVal::Tag(addr) => (4, addr.0),
        };
        if let Some(next) = self.next.get_mut(kind)
            && let Some(place) = self.addrs.get_mut(*next)
        {
            *place = addr;
            *next += 1;
        }
    }
}

/// An empty list with room for `count` entries.
fn room<T>(count: usize) -> Result<Vec<T>, Error> {
    let mut list = Vec::new();
    make_room(&mut list, count)?;
    Ok(list)
}
