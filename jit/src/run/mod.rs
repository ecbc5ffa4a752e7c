//! Running compiled code.
//!
//! | module | what it does |
//! |---|---|
//! | here | the code of a module, and calls of its functions |
//! | `registry` | whose code is at an address |
//! | `functions` | what compiled code calls |
//! | `ops` | the ops that are left to the runtime |
//! | `walk` | the frames on the native stack |
//! | `roots` | the managed references in them |
//! | `unwind` | exceptions |
//! | `stop` | errors with their backtraces, and frames for the other tier |

#![allow(unsafe_code, reason = "runs compiled code, and reads the stack that it leaves")]

mod functions;
mod ops;
mod registry;
mod roots;
mod stop;
mod unwind;
mod walk;

use crate::{
    compile::{CompiledFunction, CompiledModule, Machine, NONE, Options, function_at},
    load::{CodeMemory, stack_bounds},
    notes::FunctionNotes,
};
use functions::RUNTIME;
use kinglet_core::{
    Shared,
    error::Error,
    index::{FuncAddr, FuncIdx},
    module::Module,
    runtime::{
        StoreInner,
        native::{Native, NativeExit, Suspended},
        vmctx::{
            VmInstance,
            native::{Prepared, VmStore},
        },
    },
    trap::Trap,
};
use std::{
    any::Any,
    cell::Cell,
    collections::BTreeMap,
    fmt,
    mem::ManuallyDrop,
    panic::resume_unwind,
    ptr,
    sync::{Arc, Mutex, PoisonError},
};

/// The code of a module, where it runs.
pub struct NativeCode {
    memory: CodeMemory,
    module: Shared<Module>,
    /// How many functions the module imports.
    imported: u32,
    machine: Machine,
    options: Options,
    entries: Box<[u32]>,
    enters: Box<[u32]>,
    functions: Box<[CompiledFunction]>,
    /// Notes of the functions that somebody wanted to know about.
    notes: Mutex<BTreeMap<FuncIdx, Arc<FunctionNotes>>>,
}

/// Enters compiled code: instance, slots, code. The status is 0 if it has returned.
type Enter = extern "C" fn(*const VmInstance, *mut u64, *const u8) -> u64;

/// What the runtime's functions have to know about the call that entered compiled code.
struct Activation {
    store: *mut StoreInner,
    data: *mut dyn Any,
    may_stop: bool,
    ended: Ended,
}

/// How an activation has ended, if not by returning.
enum Ended {
    Not,
    Error(Error),
    Panic(Box<dyn Any + Send>),
    Suspended(Box<Suspended>),
}

/// Bytes of the stack that are left to the host: compiled code stops before.
const HEADROOM: usize = 192 << 10;

impl NativeCode {
    /// Puts the code of a module where it can run. It must have been compiled for this machine.
    ///
    /// # Errors
    /// The operating system has no memory for it; or it is for another machine.
    pub fn new(
        module: Shared<Module>,
        compiled: CompiledModule,
    ) -> Result<Shared<NativeCode>, Error> {
        if Some(compiled.machine) != Machine::host() {
            return Err(Error::msg("the code is for another machine"));
        }
        let memory = CodeMemory::new(&compiled.code)
            .map_err(|error| Error::new(error).context("no memory for code"))?;
        let code = Shared::new(NativeCode {
            memory,
            imported: module.imported_funcs,
            module,
            machine: compiled.machine,
            options: Options { metered: compiled.metered },
            entries: compiled.entries,
            enters: compiled.enters,
            functions: compiled.functions,
            notes: Mutex::default(),
        });
        registry::add(&code);
        Ok(code)
    }

    /// How many functions it has.
    pub fn functions(&self) -> usize {
        self.functions.len()
    }

    /// Bytes of code.
    pub fn size(&self) -> usize {
        self.memory.bytes().len()
    }

    /// The function that a return address leads back to.
    fn function_at(&self, address: usize) -> Option<CompiledFunction> {
        // It may be the first address behind the code.
        let offset = self.memory.offset(address - 1)? + 1;
        function_at(&self.functions, offset)
    }

    /// What is known of a function.
    fn notes(&self, function: CompiledFunction) -> Option<Arc<FunctionNotes>> {
        let CompiledFunction { func, start, end } = function;
        let mut known = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notes) = known.get(&func) {
            return Some(notes.clone());
        }
        let (notes, unlinked) =
            FunctionNotes::new(&self.module, &self.machine, self.options, func)?;
        let linked = &self.memory.bytes()[start as usize..end as usize];
        // Otherwise the notes would be about other code.
        assert!(unlinked.is(linked), "function {} was compiled differently before", func.0);
        let notes = Arc::new(notes);
        known.insert(func, notes.clone());
        Some(notes)
    }

    /// The position of a function among those that the module defines.
    fn position(&self, func: FuncIdx) -> Option<usize> {
        func.0.checked_sub(self.imported).map(|at| at as usize)
    }
}

impl Drop for NativeCode {
    fn drop(&mut self) {
        registry::remove(self.memory.base().addr());
    }
}

impl fmt::Debug for NativeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeCode").field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl Native for NativeCode {
    fn entry(&self, func: FuncIdx) -> Option<*const u8> {
        let entry = *self.entries.get(self.position(func)?)?;
        (entry != NONE).then(|| self.memory.base().wrapping_add(entry as usize))
    }

    fn enter(&self, func: FuncIdx) -> Option<*const u8> {
        let enter = *self.enters.get(self.position(func)?)?;
        // Whose fuel is counted needs more than that.
        let can = enter != NONE && !self.options.metered;
        can.then(|| self.memory.base().wrapping_add(enter as usize))
    }

    fn call(
        &self,
        store: &mut StoreInner,
        data: &mut dyn Any,
        func: FuncAddr,
        slots: &mut [u64],
        may_stop: bool,
    ) -> Result<NativeExit, Error> {
        let callee = &store.funcs[func.at()];
        let (code, instance) = (callee.code, callee.vm);
        let enter = self.enters[callee.index.wrapping_sub(self.imported) as usize];
        // An instance has the code of one module for all of its functions.
        let own = self.memory.offset(code.addr()).is_some() && enter != NONE;
        let enough = slots.len() >= usize::from(callee.params.max(callee.results));
        assert!(own && enough, "a call of another module's function, or with too few slots");
        let in_use = store.stack_used();
        let room = store.max_stack.saturating_sub(in_use);
        if room == 0 {
            return Err(Trap::StackOverflow.into());
        }
        let vm = store.vm();
        let mut activation = Activation::new(store, data, may_stop);
        let here = (&raw const activation).addr();
        let lowest = lowest(here, room.saturating_mul(size_of::<u64>()));
        // SAFETY: ENTER: the stub was made for functions of this type; `store` is not used by anybody but the runtime's functions
        // until it returns, which they get by way of `activation`.
        let status = unsafe {
            let stub = self.memory.base().add(enter as usize);
            let stub = std::mem::transmute::<*const u8, Enter>(stub);
            let outer = (*vm).activation;
            let limit = if outer.is_null() { bottom(here) } else { (*vm).stack_limit };
            let below = (limit, (*vm).fuel, (*vm).in_use);
            let entered = ((*vm).entry_sp, (*vm).entry_frame, (*vm).last_sp);
            activation.refresh(vm);
            (*vm).runtime = &raw const RUNTIME;
            (*vm).activation = (&raw mut *activation).cast();
            ((*vm).stack_limit, (*vm).fuel, (*vm).in_use) = (lowest.max(limit), 0, in_use);
            let status = stub(instance, slots.as_mut_ptr(), code);
            activation.return_fuel(vm);
            ((*vm).stack_limit, (*vm).fuel, (*vm).in_use) = below;
            ((*vm).entry_sp, (*vm).entry_frame, (*vm).last_sp) = entered;
            (*vm).activation = outer;
            activation.store().stack_in_use = in_use;
            status
        };
        if status == 0 { Ok(NativeExit::Done) } else { activation.end() }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Calls a compiled function that has been prepared: `slots` holds the arguments, and then the results. `None` if the call has to go by
/// [`Native::call`].
///
/// # Errors
/// As there.
///
/// # Panics
/// If it is a function of another store, or there are too few slots.
#[inline]
pub fn call(
    function: &Prepared,
    store: &mut StoreInner,
    data: &mut dyn Any,
    slots: &mut [u64],
) -> Option<Result<(), Error>> {
    let fits = function.store() == store.id() && slots.len() >= function.slots();
    assert!(fits, "a call of another store's function, or with too few slots");
    let vm = store.vm();
    // SAFETY: nobody else uses it, since the store is borrowed.
    let outermost = store.stack_in_use == 0 && unsafe { (*vm).activation.is_null() };
    if !outermost {
        return None;
    }
    let mut activation = Activation::new(store, data, false);
    let here = (&raw const activation).addr();
    // SAFETY: ENTER: the code is what enters functions of this type; `store` is not used by anybody but the runtime's functions
    // until it returns, which they get by way of `activation`.
    let status = unsafe {
        let stub = std::mem::transmute::<*const u8, Enter>(function.enter());
        activation.refresh(vm);
        (*vm).stack_limit = lowest(here, function.room()).max(bottom(here));
        (*vm).runtime = &raw const RUNTIME;
        (*vm).activation = (&raw mut *activation).cast();
        let status = stub(function.instance(), slots.as_mut_ptr(), function.code());
        (*vm).activation = ptr::null_mut();
        activation.store().stack_in_use = 0;
        status
    };
    Some(if status == 0 { Ok(()) } else { activation.fail() })
}

impl Activation {
    #[inline]
    fn new(store: *mut StoreInner, data: &mut dyn Any, may_stop: bool) -> ManuallyDrop<Activation> {
        let data: *mut (dyn Any + '_) = data;
        // SAFETY: only the lifetime in the type changes; nobody uses the pointer after the call that this is of.
        let data: *mut (dyn Any + 'static) = unsafe { std::mem::transmute(data) };
        // What it has to drop is taken out by who finds that it has ended.
        ManuallyDrop::new(Activation { store, data, may_stop, ended: Ended::Not })
    }

    /// # Safety
    /// Nobody else may be using the store.
    #[inline]
    unsafe fn store<'a>(&self) -> &'a mut StoreInner {
        // SAFETY: ENTER: the store is borrowed by the call that this is the activation of.
        unsafe { &mut *self.store }
    }

    /// # Safety
    /// Nobody else may be using the data.
    #[inline]
    unsafe fn data<'a>(&mut self) -> &'a mut &'a mut dyn Any {
        // SAFETY: ENTER: the pointer is from a reference, which the call that this is the activation of does not use.
        unsafe { &mut *(&raw mut self.data).cast::<&mut dyn Any>() }
    }

    /// Lets compiled code see where the heap is, which may have moved.
    ///
    /// # Safety
    /// `vm` must be the store's.
    #[inline]
    unsafe fn refresh(&self, vm: *mut VmStore) {
        // SAFETY: ENTER, and as promised.
        unsafe { (*vm).heap = (*self.store).heap.base() };
    }

    /// Gives what is left of the slice back to the store.
    ///
    /// # Safety
    /// `vm` must be the store's.
    #[inline]
    unsafe fn return_fuel(&self, vm: *mut VmStore) {
        // SAFETY: ENTER, and as promised.
        unsafe {
            if (*self.store).consume_fuel {
                (*self.store).fuel = (*self.store).fuel.saturating_add((*vm).fuel);
                (*vm).fuel = 0;
            }
        }
    }

    /// What has become of a call that has not returned, and may not stop.
    #[cold]
    #[inline(never)]
    fn fail(&mut self) -> Result<(), Error> {
        self.end().map(|_| ())
    }

    /// What has become of a call that has not returned.
    #[cold]
    #[inline(never)]
    fn end(&mut self) -> Result<NativeExit, Error> {
        match std::mem::replace(&mut self.ended, Ended::Not) {
            Ended::Error(error) => Err(error),
            Ended::Suspended(suspended) => Ok(NativeExit::Suspended(suspended)),
            Ended::Panic(panic) => resume_unwind(panic),
            Ended::Not => unreachable!("compiled code ends by itself only by returning"),
        }
    }
}

/// The lowest stack pointer that compiled code may have which may take so many bytes, where the stack pointer is `here`.
#[inline]
fn lowest(here: usize, room: usize) -> usize {
    here.saturating_sub(room)
}

/// The stack of a thread.
#[derive(Clone, Copy)]
struct Stack {
    start: usize,
    /// Zero if that has not been found out.
    size: usize,
    /// The lowest stack pointer that compiled code may have there.
    bottom: usize,
}

thread_local! {
    static STACK: Cell<Stack> = const { Cell::new(Stack { start: 0, size: 0, bottom: 0 }) };
}

/// The lowest stack pointer that compiled code may have on this thread, where the stack pointer is `here`.
#[inline]
fn bottom(here: usize) -> usize {
    let stack = STACK.get();
    if stack.has(here) { stack.bottom } else { other_bottom(here) }
}

/// The same, where the stack is not known.
#[cold]
fn other_bottom(here: usize) -> usize {
    if STACK.get().size == 0 {
        let (start, end) = stack_bounds().unwrap_or((0, usize::MAX));
        let size = end - start;
        // A thread with a small stack keeps half of it.
        STACK.set(Stack { start, size, bottom: start + HEADROOM.min(size / 2) });
    }
    // A stack that somebody else has made for this call is not the thread's: nothing is known of it.
    let stack = STACK.get();
    if stack.has(here) { stack.bottom } else { 0 }
}

impl Stack {
    #[inline]
    fn has(self, address: usize) -> bool {
        address.wrapping_sub(self.start) < self.size
    }
}
