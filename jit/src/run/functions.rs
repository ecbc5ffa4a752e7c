//! What compiled code calls, by way of its stubs.

use super::{
    Activation, Ended,
    stop::{Callee, End},
    unwind::Thrown,
    walk::Here,
};
use kinglet_core::{
    error::Error,
    index::{FuncAddr, FuncIdx, InstanceAddr},
    runtime::{
        BY_COMPILED, HostCall, StoreInner,
        func::{HostFunc, SyncHostCall},
        gc::roots::Scope,
        native::{InterpreterExit, Then},
        vmctx::{
            VmFunc, VmInstance,
            native::{VmRuntime, VmStore},
        },
    },
    trap::Trap,
};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr, slice,
};

/// The runtime's functions.
pub(super) static RUNTIME: VmRuntime = VmRuntime { op, fuel, check_type, trap, call };

/// The status of what went well.
const DONE: u64 = 0;
/// The status that ends the activation.
const ENDED: u64 = 1;

/// Slots that a call of the interpreter counts for besides, for what it takes of the native stack.
const INTERPRETER_SLOTS: usize = 128;
/// Units of fuel between two looks at the store: for more, and for interrupts.
const FUEL_SLICE: u64 = 10_000;

/// A call of the runtime by compiled code. One pointer is all that has to be kept while the host runs.
#[derive(Clone, Copy)]
pub(super) struct Call {
    /// The instance of the code that calls.
    pub(super) instance: *const VmInstance,
}

/// Does what a function of the runtime does, and answers with the status.
///
/// # Safety
/// Compiled code of the instance must have called.
#[inline(always)]
unsafe fn serve(instance: *const VmInstance, act: impl FnOnce(Call) -> u64) -> u64 {
    let call = Call { instance };
    // A panic must not reach compiled code.
    match catch_unwind(AssertUnwindSafe(|| act(call))) {
        Ok(status) => status,
        Err(panic) => call.panicked(panic),
    }
}

extern "C" fn op(instance: *const VmInstance, slots: *mut u64, first: u64, second: u64) -> u64 {
    // SAFETY: STOPPED.
    unsafe { serve(instance, |call| call.status(call.op(slots, [first, second]))) }
}

extern "C" fn fuel(instance: *const VmInstance, registers: *mut u64, cost: u64) -> u64 {
    // SAFETY: STOPPED.
    unsafe { serve(instance, |call| call.status(call.fuel(registers, cost))) }
}

extern "C" fn check_type(instance: *const VmInstance, func: *const VmFunc, ty: u64) -> u64 {
    // SAFETY: STOPPED; indices of types have been validated.
    unsafe {
        serve(instance, |call| {
            let (actual, wanted) = ((*func).ty, *(*instance).types.add(ty as usize));
            if call.store().types.is_subtype(actual, wanted) {
                DONE
            } else {
                call.end(Trap::BadSignature.into())
            }
        })
    }
}

extern "C" fn trap(instance: *const VmInstance, code: u64) -> u64 {
    let trap = Trap::from_code(code as u8).unwrap_or(Trap::UnreachableCodeReached);
    // SAFETY: STOPPED.
    unsafe { serve(instance, |call| call.end(trap.into())) }
}

extern "C" fn call(instance: *const VmInstance, slots: *mut u64, callee: usize) -> u64 {
    // SAFETY: STOPPED.
    unsafe { serve(instance, |call| call.outside(slots, callee)) }
}

impl Call {
    /// What compiled code uses of the store.
    #[inline]
    pub(super) fn vm(self) -> *mut VmStore {
        // SAFETY: STOPPED: the instance is one of the store's.
        unsafe { (*self.instance).store }
    }

    /// The innermost activation.
    #[inline]
    fn activation(self) -> *mut Activation {
        // SAFETY: STOPPED: somebody has entered compiled code.
        unsafe { (*self.vm()).activation.cast() }
    }

    /// The store.
    #[inline]
    pub(super) fn store<'a>(self) -> &'a mut StoreInner {
        // SAFETY: STOPPED: compiled code stands still, and so does everybody below; callers use one of these at a time.
        unsafe { (*self.activation()).store() }
    }

    /// The data of the store.
    #[inline]
    pub(super) fn data<'a>(self) -> &'a mut dyn Any {
        // SAFETY: as for the store.
        unsafe { &mut **(*self.activation()).data() }
    }

    /// Whether the activation may stop.
    #[inline]
    pub(super) fn may_stop(self) -> bool {
        // SAFETY: STOPPED.
        unsafe { (*self.activation()).may_stop }
    }

    /// Slots in use below the activation.
    #[inline]
    pub(super) fn in_use(self) -> usize {
        // SAFETY: STOPPED.
        unsafe { (*self.vm()).in_use }
    }

    /// The instance of the code that calls.
    #[inline]
    pub(super) fn addr(self) -> InstanceAddr {
        // SAFETY: STOPPED.
        InstanceAddr(unsafe { (*self.instance).addr })
    }

    /// Where the code that calls stands. Activations in between have left that as it was.
    #[inline]
    pub(super) fn here(self) -> Here {
        let (instance, vm) = (self.instance, self.vm());
        // SAFETY: STOPPED.
        unsafe { Here { instance, sp: (*vm).last_sp, outermost: (*vm).entry_sp } }
    }

    /// Lets compiled code see what may have moved.
    #[inline]
    pub(super) fn refresh(self) {
        // SAFETY: STOPPED.
        unsafe { (*self.activation()).refresh(self.vm()) };
    }

    /// The slice of fuel does not suffice.
    fn fuel(self, registers: *const u64, cost: u64) -> Result<(), End> {
        if let Err(then) = self.supply(cost) {
            return Err(self.stop(then, Some(registers)));
        }
        // SAFETY: STOPPED.
        unsafe { (*self.vm()).fuel -= cost };
        Ok(())
    }

    /// Sees to it that the slice suffices for something, or says why not.
    pub(super) fn supply(self, cost: u64) -> Result<(), Then> {
        let store = self.store();
        if store.interrupted() {
            return Err(Then::Interrupted(Vec::new()));
        }
        // SAFETY: STOPPED.
        unsafe {
            (*self.activation()).return_fuel(self.vm());
            if !store.consume_fuel {
                (*self.vm()).fuel = FUEL_SLICE.max(cost);
                return Ok(());
            }
            if store.fuel < cost {
                return Err(Then::OutOfFuel(cost));
            }
            (*self.vm()).fuel = store.fuel.min(FUEL_SLICE.max(cost));
            store.fuel -= (*self.vm()).fuel;
        }
        Ok(())
    }

    /// Calls a function that is not compiled. Answers with the status.
    #[inline]
    fn outside(self, slots: *mut u64, callee: usize) -> u64 {
        // SAFETY: STOPPED: it is a function of the store's list, or the number of one of the module.
        unsafe {
            let func = callee as *const VmFunc;
            if callee & 1 != 0 || (*func).instance != VmFunc::HOST {
                return self.call_interpreted(slots, callee);
            }
            let activation = self.activation();
            let host = ptr::from_ref((*activation).store().host_func((*func).index));
            // A store's host functions stay where they are as long as it lives.
            self.host(activation, &*host, slots, callee)
        }
    }

    /// The address of a function that is called.
    fn func_addr(self, callee: usize) -> FuncAddr {
        if callee & 1 == 0 {
            // SAFETY: STOPPED.
            let first = unsafe { (*self.vm()).funcs.addr() };
            FuncAddr(((callee - first) / size_of::<VmFunc>()) as u32)
        } else {
            self.store().ref_func(self.addr(), FuncIdx((callee / 2) as u32))
        }
    }

    /// Calls a function of the host. Answers with the status.
    #[inline]
    fn host(
        self,
        activation: *mut Activation,
        host: &HostFunc,
        slots: *mut u64,
        callee: usize,
    ) -> u64 {
        let HostCall::Sync(function) = &host.call else {
            return self.stop_at_host(host, slots, callee);
        };
        // SAFETY: STOPPED.
        let (store, data) = unsafe { ((*activation).store(), (*activation).data()) };
        // SAFETY: STOPPED: the stub has put the arguments in slots, and made room for as many as the results take.
        let slots = unsafe { slice::from_raw_parts_mut(slots, host.slots as usize) };
        store.stack_in_use = BY_COMPILED;
        if store.consume_fuel || !store.heap.is_fresh() {
            return self.host_standing(function, slots);
        }
        let result = function(store, data, self.addr().into(), slots);
        // The store is found anew, so that nothing has to be kept while the host runs.
        if !self.store().heap.is_fresh() {
            return self.heap_begun(result);
        }
        match result {
            Ok(()) => DONE,
            Err(error) => self.host_failed(error),
        }
    }

    /// The same, where fuel is given back, and collections must find what compiled code refers to. The arguments are read before
    /// anything else happens, and what has been read is a root of the function's scope.
    #[cold]
    #[inline(never)]
    fn host_standing(self, function: &SyncHostCall, slots: &mut [u64]) -> u64 {
        let standing = self.here().standing(None);
        let caller = self.addr().into();
        // SAFETY: STOPPED.
        let data = unsafe {
            (*self.activation()).return_fuel(self.vm());
            (*self.activation()).data()
        };
        let scope = self.store().heap.roots.enter();
        let result = self.store().during(&standing, |store| function(store, data, caller, slots));
        self.store().heap.roots.leave(scope);
        self.refresh();
        match result {
            Ok(()) => DONE,
            Err(error) => self.host_failed(error),
        }
    }

    /// The end of the first function of the host that has used the heap, or had roots, which end with it. Answers with the status.
    #[cold]
    #[inline(never)]
    fn heap_begun(self, result: Result<(), Error>) -> u64 {
        self.store().heap.roots.leave(Scope::OUTERMOST);
        self.refresh();
        match result {
            Ok(()) => DONE,
            Err(error) => self.host_failed(error),
        }
    }

    /// A function of the host has failed. Answers with the status.
    #[cold]
    #[inline(never)]
    fn host_failed(self, error: Error) -> u64 {
        self.end(self.failed(self.here(), error, Callee::Host))
    }

    /// Slots' worth of native stack that this activation uses.
    #[inline]
    fn used(self) -> usize {
        let Here { sp, outermost, .. } = self.here();
        (outermost - sp) / size_of::<u64>()
    }

    /// An asynchronous function of the host is called: only the embedder can do that. Answers with the status.
    #[cold]
    #[inline(never)]
    fn stop_at_host(self, host: &HostFunc, slots: *mut u64, callee: usize) -> u64 {
        // SAFETY: STOPPED: the stub has put the arguments in slots.
        let args = unsafe { slice::from_raw_parts(slots, host.params as usize) };
        self.end(self.stop(Then::HostCall(self.func_addr(callee), args.to_vec()), None))
    }

    /// Calls a function of a guest that is not compiled. Answers with the status.
    #[cold]
    #[inline(never)]
    fn call_interpreted(self, slots: *mut u64, callee: usize) -> u64 {
        self.status(self.interpreted(slots, callee))
    }

    #[inline]
    fn interpreted(self, slots: *mut u64, callee: usize) -> Result<(), End> {
        let func = self.func_addr(callee);
        let (store, data, here) = (self.store(), self.data(), self.here());
        let vm = store.funcs[func.at()];
        let Some(interpreter) = store.interpreter() else {
            return Err(Error::msg("there is no interpreter for what is not compiled").into());
        };
        let count = usize::from(vm.params.max(vm.results));
        // SAFETY: STOPPED: the stub has put the arguments in slots, and made room for as many as the results take.
        let slots = unsafe { slice::from_raw_parts_mut(slots, count) };
        let may_stop = self.may_stop();
        // SAFETY: STOPPED.
        unsafe { (*self.activation()).return_fuel(self.vm()) };
        store.stack_in_use = self.in_use() + self.used() + INTERPRETER_SLOTS;
        let result = if store.heap.is_used() {
            store.during(&here.standing(None), |store| {
                interpreter.call(store, data, func, slots, may_stop)
            })
        } else {
            interpreter.call(store, data, func, slots, may_stop)
        };
        self.refresh();
        match result {
            Ok(InterpreterExit::Done) => Ok(()),
            Ok(InterpreterExit::Stopped(execution)) => {
                Err(self.stop_at(here, Then::Called(execution), None))
            }
            Err(error) => Err(self.failed(here, error, Callee::Guest)),
        }
    }

    /// What was called has failed. If it throws an exception, that is thrown on from here.
    #[cold]
    fn failed(self, here: Here, error: Error, callee: Callee) -> End {
        let store = self.store();
        match store.thrown(&error) {
            Some(exception) => {
                if callee == Callee::Host {
                    store.left.clear();
                }
                self.raise(here, Thrown::Object(exception), callee)
            }
            None if callee == Callee::Host => End::Error(here, error.from_host(), callee),
            None => End::Error(here, error, callee),
        }
    }

    /// What compiled code gets to know.
    #[inline]
    fn status(self, result: Result<(), End>) -> u64 {
        match result {
            Ok(()) => DONE,
            Err(end) => self.end(end),
        }
    }

    /// Ends the activation, or goes on where somebody has caught an exception. Answers with the status.
    #[cold]
    fn end(self, end: End) -> u64 {
        self.ended(match end {
            End::Landed => return VmRuntime::LANDED,
            End::Error(here, error, callee) => {
                Ended::Error(self.with_backtrace(here, error, callee))
            }
            End::Trap(error) => {
                Ended::Error(self.with_backtrace(self.here(), error, Callee::Nobody))
            }
            End::Suspended(suspended) => Ended::Suspended(suspended),
        })
    }

    /// Ends the activation with a panic, which goes on outside of compiled code.
    #[cold]
    #[inline(never)]
    fn panicked(self, panic: Box<dyn Any + Send>) -> u64 {
        self.ended(Ended::Panic(panic))
    }

    /// Ends the activation.
    #[cold]
    fn ended(self, how: Ended) -> u64 {
        // SAFETY: STOPPED: the activation stands in the frame of `NativeCode::call`, and only the runtime's functions use it.
        unsafe { (*self.activation()).ended = how };
        ENDED
    }
}
