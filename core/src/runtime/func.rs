//! Functions.

use super::{
    StoreInner, make_room,
    registry::{TypeDef, TypeIds},
    vmctx::VmFunc,
};
use crate::{
    Shared,
    error::Error,
    index::{FuncAddr, FuncIdx, InstanceAddr, out_of_range},
    sync::{AnyThreaded, Threaded},
    types::{FuncType, slot_count},
};
use alloc::{boxed::Box, vec::Vec};
use core::any::Any;

/// A function of the host, not bound to a store.
pub struct HostFunc {
    /// Its type in the engine, kept in use.
    types: Shared<TypeIds>,
    /// How many slots its parameters take.
    pub params: u32,
    /// How many slots its results take.
    pub results: u32,
    /// How many slots a call takes: for its parameters, and then for its results.
    pub slots: u32,
    /// What it does.
    pub call: HostCall,
}

/// What a function of the host does.
pub enum HostCall {
    /// It is called and returns.
    Sync(SyncHostCall),
    /// It gives a future, which only the embedder can drive: execution stops there. What stands here is the embedder's.
    Async(Shared<AnyThreaded>),
}

/// The erased form of a host closure: called with the store, the store's data, who calls, and the slots, which hold the arguments
/// first and then the results. All that fits into the registers that arguments are passed in.
pub type SyncHostCall = Box<dyn SyncHostFn>;

/// A closure that can be a [`SyncHostCall`].
pub trait SyncHostFn:
    Fn(&mut StoreInner, &mut &mut dyn Any, CallerAddr, &mut [u64]) -> Result<(), Error> + Threaded
{
}

impl<F> SyncHostFn for F where
    F: Fn(&mut StoreInner, &mut &mut dyn Any, CallerAddr, &mut [u64]) -> Result<(), Error>
        + Threaded
{
}

/// Who calls a function of the host: an instance, or the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerAddr(u32);

impl CallerAddr {
    /// The host.
    pub const HOST: CallerAddr = CallerAddr(u32::MAX);

    /// The instance, if it is one.
    #[inline]
    pub fn instance(self) -> Option<InstanceAddr> {
        (self != CallerAddr::HOST).then_some(InstanceAddr(self.0))
    }
}

impl From<InstanceAddr> for CallerAddr {
    #[inline]
    fn from(instance: InstanceAddr) -> CallerAddr {
        CallerAddr(instance.0)
    }
}

impl From<Option<InstanceAddr>> for CallerAddr {
    #[inline]
    fn from(instance: Option<InstanceAddr>) -> CallerAddr {
        instance.map_or(CallerAddr::HOST, CallerAddr::from)
    }
}

impl HostFunc {
    /// A function of this type, which is one of functions.
    pub fn new(types: Shared<TypeIds>, call: HostCall) -> HostFunc {
        let ty = types.func(0);
        let (params, results) = (slot_count(ty.params()), slot_count(ty.results()));
        HostFunc { params, results, slots: params.max(results), types, call }
    }

    /// Its type.
    pub fn ty(&self) -> &FuncType {
        self.types.func(0)
    }

    /// The id of its type in the engine.
    pub fn engine_type(&self) -> u32 {
        self.types[0]
    }
}

/// The functions of an instance that the store has an entry for: by index in the module, as handles.
///
/// Entries are made at first need, so that creating an instance does not take time for every function of its module.
pub(super) struct LocalFuncs(Vec<u32>);

impl LocalFuncs {
    /// For a module that has `count` functions, imported ones included.
    pub(super) fn new(count: usize) -> Result<LocalFuncs, Error> {
        let mut handles = Vec::new();
        make_room(&mut handles, count)?;
        handles.resize(count, 0);
        Ok(LocalFuncs(handles))
    }

    /// The address of a function that the module defines.
    pub(super) fn addr(
        &mut self,
        funcs: &mut Vec<VmFunc>,
        func: FuncIdx,
        make: impl FnOnce() -> VmFunc,
    ) -> FuncAddr {
        let handle = &mut self.0[func];
        if *handle == 0 {
            funcs.push(make());
            *handle = funcs.len() as u32;
        }
        FuncAddr(*handle - 1)
    }

    /// The address of a function, if it has been asked for before.
    pub(super) fn get(&self, func: FuncIdx) -> Option<FuncAddr> {
        self.0[func].checked_sub(1).map(FuncAddr)
    }
}

impl StoreInner {
    /// Adds a function of the host.
    pub fn add_host_func(&mut self, func: Shared<HostFunc>) -> FuncAddr {
        let addr = FuncAddr(self.funcs.len() as u32);
        let index = self.host_funcs.len() as u32;
        let (ty, instance) = (func.engine_type(), VmFunc::HOST);
        self.add_types(&func.types);
        self.funcs.push(VmFunc {
            ty,
            instance,
            index,
            params: 0,
            results: 0,
            #[cfg(feature = "native")]
            code: core::ptr::null(),
            #[cfg(feature = "native")]
            vm: super::vmctx::native::outside(self.vm()),
        });
        self.host_funcs.push(func);
        #[cfg(feature = "native")]
        self.publish_funcs();
        addr
    }

    /// The function of the host that a [`VmFunc`] names by `index`. It stays where it is as long as the store lives.
    #[inline]
    pub fn host_func(&self, index: u32) -> &HostFunc {
        match self.host_funcs.get(index as usize) {
            Some(func) => func,
            None => out_of_range(),
        }
    }

    /// The function of the host at `addr`, if it is one.
    pub fn as_host_func(&self, addr: FuncAddr) -> Option<&Shared<HostFunc>> {
        let func = self.funcs[addr];
        if func.instance == VmFunc::HOST { self.host_funcs.get(func.index as usize) } else { None }
    }

    /// The type of a function.
    pub fn func_type(&self, addr: FuncAddr) -> &FuncType {
        let func = self.funcs[addr];
        if func.instance == VmFunc::HOST {
            self.host_func(func.index).ty()
        } else {
            let instance = self.instance(InstanceAddr(func.instance));
            instance.types.func(instance.module.funcs[FuncIdx(func.index)].at())
        }
    }

    /// The type of a function in the engine.
    pub fn func_def(&self, addr: FuncAddr) -> &Shared<TypeDef> {
        let func = self.funcs[addr];
        if func.instance == VmFunc::HOST {
            &self.host_func(func.index).types.defs()[0]
        } else {
            let instance = self.instance(InstanceAddr(func.instance));
            &instance.types.defs()[instance.module.funcs[FuncIdx(func.index)]]
        }
    }
}
