//! What compiled code reads and writes beyond the instance: the part of a store that it reaches through [`VmInstance::store`].

use super::{VmFunc, VmInstance, empty_memory};
use crate::{
    error::Error,
    index::{FuncAddr, FuncIdx, InstanceAddr},
    runtime::{
        StoreInner,
        native::{Native, NativeExit},
    },
};
use alloc::boxed::Box;
use core::{any::Any, ptr};

/// The part of a store that compiled code uses. There is one per store, at a fixed address.
#[repr(C)]
#[derive(Debug)]
pub struct VmStore {
    /// The lowest stack pointer that a function may have after its prologue.
    pub stack_limit: usize,
    /// Fuel left of the current slice.
    pub fuel: u64,
    /// The stack pointer at the call by which the innermost activation of compiled code was entered.
    pub entry_sp: usize,
    /// Where the stub that has entered it keeps what it restores.
    pub entry_frame: usize,
    /// The stack pointer of compiled code at its last call of the runtime. The return address stands 8 bytes below, the registers
    /// that functions save, in the order of their numbers, further below.
    pub last_sp: usize,
    /// The store's functions. A handle is an index into them plus one.
    pub funcs: *const VmFunc,
    /// The store's managed heap.
    pub heap: *mut u8,
    /// The innermost activation, for the runtime's functions. Null if there is none.
    pub activation: *mut (),
    /// Slots used by the executions below the innermost activation.
    pub in_use: usize,
    /// Where to go on when an exception has been caught: program counter, stack pointer, instance, and the registers that
    /// functions save.
    pub landing: [usize; 16],
    /// The runtime's functions.
    pub runtime: *const VmRuntime,
    /// Stands for the instance of functions that are not compiled.
    pub outside: VmInstance,
}

/// The runtime's functions, as compiled code calls them: by the C calling convention of the host.
///
/// Each is called from a stub that has saved the registers that functions save, and `last_sp`. A status that is not 0 ends the activation;
/// [`VmRuntime::LANDED`] goes on as `landing` says.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VmRuntime {
    /// An op that the runtime does: instance, slots, `op | immediate 0 << 32`, `immediate 1 | immediate 2 << 32`.
    pub op: extern "C" fn(*const VmInstance, *mut u64, u64, u64) -> u64,
    /// The slice of fuel does not suffice: instance, all registers, the cost. On return, the cost has been taken.
    pub fuel: extern "C" fn(*const VmInstance, *mut u64, u64) -> u64,
    /// A function's type is not exactly the one that an indirect call wants: instance, the function, the index of the type in the
    /// module. Succeeds if it is a subtype.
    pub check_type: extern "C" fn(*const VmInstance, *const VmFunc, u64) -> u64,
    /// Traps: instance, code of the trap. Never succeeds.
    pub trap: extern "C" fn(*const VmInstance, u64) -> u64,
    /// Calls a function that is not compiled: the caller's instance, slots, and a [`VmFunc`] or `index of the caller's module * 2 + 1`.
    pub call: extern "C" fn(*const VmInstance, *mut u64, usize) -> u64,
}

impl VmRuntime {
    /// The status that says to go on where an exception is caught.
    pub const LANDED: u64 = 2;
}

impl VmStore {
    /// One that nothing has run in.
    pub const fn new() -> VmStore {
        VmStore {
            stack_limit: 0,
            fuel: 0,
            entry_sp: 0,
            entry_frame: 0,
            last_sp: 0,
            funcs: ptr::null(),
            heap: ptr::null_mut(),
            activation: ptr::null_mut(),
            in_use: 0,
            landing: [0; 16],
            runtime: ptr::null(),
            outside: VmInstance {
                globals: ptr::null(),
                tables: ptr::null(),
                memories: ptr::null(),
                types: ptr::null(),
                imported_funcs: ptr::null(),
                addr: u32::MAX,
                memory: ptr::null(),
                store: ptr::null_mut(),
            },
        }
    }
}

impl Default for VmStore {
    fn default() -> VmStore {
        VmStore::new()
    }
}

/// What stands for the instance of functions that are not compiled.
pub(crate) fn outside(store: *mut VmStore) -> *const VmInstance {
    store.cast::<u8>().wrapping_add(core::mem::offset_of!(VmStore, outside)).cast()
}

/// A [`VmStore`] at a fixed address.
pub(crate) struct OwnedVmStore(ptr::NonNull<VmStore>);

impl OwnedVmStore {
    pub(crate) fn new() -> OwnedVmStore {
        let store = ptr::NonNull::from(Box::leak(Box::new(VmStore::new())));
        // SAFETY: just allocated, and nobody else has it.
        unsafe {
            let outside = &raw mut (*store.as_ptr()).outside;
            (*outside).store = store.as_ptr();
            (*outside).memory = empty_memory();
        }
        OwnedVmStore(store)
    }

    pub(crate) fn as_ptr(&self) -> *mut VmStore {
        self.0.as_ptr()
    }

    /// Slots used by the executions up to the innermost activation, at its last call of the runtime.
    pub(crate) fn in_use(&self) -> usize {
        // SAFETY: it is there as long as this, and only who has the store exclusively writes to it.
        let vm = unsafe { self.0.as_ref() };
        vm.in_use + (vm.entry_sp - vm.last_sp) / size_of::<u64>()
    }
}

impl Drop for OwnedVmStore {
    fn drop(&mut self) {
        // SAFETY: the pointer is from a box that nothing else frees.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// What it takes to call a compiled function, found out once. It is all there as long as the store.
#[derive(Clone, Copy, Debug)]
pub struct Prepared {
    store: usize,
    slots: usize,
    /// How many bytes of stack it may take.
    room: usize,
    enter: *const u8,
    code: *const u8,
    instance: *const VmInstance,
}

// SAFETY: as for `VmInstance`: nobody follows the pointers without having the store.
unsafe impl Send for Prepared {}
// SAFETY: as above.
unsafe impl Sync for Prepared {}

impl Prepared {
    /// The id of the store that it is for.
    #[inline]
    pub fn store(&self) -> usize {
        self.store
    }

    /// How many slots a call takes.
    #[inline]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// How many bytes of stack it may take in the outermost call.
    #[inline]
    pub fn room(&self) -> usize {
        self.room
    }

    /// The code that enters the function: see [`Native::enter`].
    #[inline]
    pub fn enter(&self) -> *const u8 {
        self.enter
    }

    /// The function's code.
    #[inline]
    pub fn code(&self) -> *const u8 {
        self.code
    }

    /// The function's instance.
    #[inline]
    pub fn instance(&self) -> *const VmInstance {
        self.instance
    }
}

impl StoreInner {
    /// Lets compiled code see where the functions are, which have moved.
    pub(crate) fn publish_funcs(&mut self) {
        // SAFETY: it is there as long as the store, which nobody else is using.
        unsafe { (*self.vm()).funcs = self.funcs.as_ptr() };
    }

    /// Prepares calls of a function, if it is compiled and can be entered.
    pub fn prepare(&self, func: FuncAddr) -> Option<Prepared> {
        let VmFunc { code, vm, index, instance, params, results, .. } = self.funcs[func];
        // Without any stack, calls are errors.
        if code.is_null() || self.max_stack == 0 {
            return None;
        }
        let native = self.instance(InstanceAddr(instance)).native.as_ref()?;
        let enter = native.enter(FuncIdx(index))?;
        let slots = params.max(results).into();
        let room = self.max_stack.saturating_mul(size_of::<u64>());
        Some(Prepared { store: self.id(), slots, room, enter, code, instance: vm })
    }

    /// Calls a function, if it is compiled: see [`Native::call`].
    #[inline]
    pub fn call_compiled(
        &mut self,
        data: &mut dyn Any,
        func: FuncAddr,
        slots: &mut [u64],
        may_stop: bool,
    ) -> Option<Result<NativeExit, Error>> {
        let VmFunc { code, instance, .. } = self.funcs[func];
        if code.is_null() {
            return None;
        }
        let native = ptr::from_ref(self.instance(InstanceAddr(instance)).native.as_deref()?);
        // SAFETY: instances, and the code that they share, stay where they are as long as the store lives, which the callee has
        // borrowed.
        let native: &dyn Native = unsafe { &*native };
        Some(native.call(self, data, func, slots, may_stop))
    }
}

// SAFETY: it owns the value, as a box does; only who has the store for themselves follows the pointers in it.
unsafe impl Send for OwnedVmStore {}
// SAFETY: a shared reference gives a pointer only.
unsafe impl Sync for OwnedVmStore {}
