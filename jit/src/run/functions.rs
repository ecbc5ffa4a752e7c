//! What compiled code calls, by way of its stubs.

use super::{Activation, Ended, stop::End, walk::Here};
use kinglet_core::{
    error::Error,
    index::{FuncAddr, FuncIdx, InstanceAddr},
    runtime::{
        HostCall, StoreInner,
        func::HostFunc,
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

/// How many executions can be nested by host functions that call guests, for the native stack that they take: each counts
/// for a share of what they may use together.
const MAX_NESTED: usize = 256;
/// Slots that a call of the interpreter counts for besides, for what it takes of the native stack.
const INTERPRETER_SLOTS: usize = 128;
/// Units of fuel between two looks at the store: for more, and for interrupts.
const FUEL_SLICE: u64 = 10_000;

/// A call of the runtime by compiled code.
pub(super) struct Call<'a> {
    pub(super) activation: &'a mut Activation,
    pub(super) vm: *mut VmStore,
    /// The instance of the code that calls.
    pub(super) instance: *const VmInstance,
}

/// Does what a function of the runtime does, and answers with the status.
///
/// # Safety
/// Compiled code of the instance must have called.
#[inline(always)]
unsafe fn serve(
    instance: *const VmInstance,
    act: impl FnOnce(&mut Call<'_>) -> Result<(), End>,
) -> u64 {
    // SAFETY: STOPPED: the instance is one of the store's, and somebody has entered compiled code.
    let (vm, activation) = unsafe {
        let vm = (*instance).store;
        (vm, (*vm).activation.cast::<Activation>())
    };
    // A panic must not reach compiled code.
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: STOPPED: the activation stands in the frame of `NativeCode::call`, and only the runtime's functions use it.
        let mut call = Call { activation: unsafe { &mut *activation }, vm, instance };
        match act(&mut call) {
            Ok(()) => DONE,
            Err(end) => call.end(end),
        }
    }));
    match result {
        Ok(status) => status,
        Err(panic) => {
            // SAFETY: as above.
            unsafe { (*activation).ended = Ended::Panic(panic) };
            ENDED
        }
    }
}

extern "C" fn op(instance: *const VmInstance, slots: *mut u64, first: u64, second: u64) -> u64 {
    // SAFETY: STOPPED.
    unsafe { serve(instance, |call| call.op(slots, [first, second])) }
}

extern "C" fn fuel(instance: *const VmInstance, registers: *mut u64, cost: u64) -> u64 {
    // SAFETY: STOPPED.
    unsafe { serve(instance, |call| call.fuel(registers, cost)) }
}

extern "C" fn check_type(instance: *const VmInstance, func: *const VmFunc, ty: u64) -> u64 {
    // SAFETY: STOPPED; indices of types have been validated.
    unsafe {
        serve(instance, |call| {
            let (actual, wanted) = ((*func).ty, *(*instance).types.add(ty as usize));
            if call.store().types.is_subtype(actual, wanted) {
                Ok(())
            } else {
                Err(Trap::BadSignature.into())
            }
        })
    }
}

extern "C" fn trap(instance: *const VmInstance, code: u64) -> u64 {
    let trap = Trap::from_code(code as u8).unwrap_or(Trap::UnreachableCodeReached);
    // SAFETY: STOPPED.
    unsafe { serve(instance, |_| Err(trap.into())) }
}

extern "C" fn call(instance: *const VmInstance, slots: *mut u64, callee: usize) -> u64 {
    // SAFETY: STOPPED.
    unsafe { serve(instance, |call| call.outside(slots, callee)) }
}

impl<'a> Call<'a> {
    /// The store.
    #[inline]
    pub(super) fn store(&self) -> &'a mut StoreInner {
        // SAFETY: STOPPED: compiled code stands still, and so does everybody below; callers use one of these at a time.
        unsafe { self.activation.store() }
    }

    /// The data of the store.
    #[inline]
    pub(super) fn data(&self) -> &'a mut dyn Any {
        // SAFETY: as for the store.
        unsafe { &mut *self.activation.data }
    }

    /// The instance of the code that calls.
    #[inline]
    pub(super) fn addr(&self) -> InstanceAddr {
        // SAFETY: STOPPED.
        InstanceAddr(unsafe { (*self.instance).addr })
    }

    /// Where the code that calls stands.
    #[inline]
    pub(super) fn here(&self) -> Here {
        // SAFETY: STOPPED.
        unsafe { Here::new(self.vm, self.instance) }
    }

    /// Lets compiled code see what may have moved.
    #[inline]
    pub(super) fn refresh(&self) {
        // SAFETY: STOPPED.
        unsafe { self.activation.refresh(self.vm) };
    }

    /// The slice of fuel does not suffice.
    fn fuel(&mut self, registers: *const u64, cost: u64) -> Result<(), End> {
        if let Err(then) = self.supply(cost) {
            return Err(self.stop(then, Some(registers)));
        }
        // SAFETY: STOPPED.
        unsafe { (*self.vm).fuel -= cost };
        Ok(())
    }

    /// Sees to it that the slice suffices for something, or says why not.
    pub(super) fn supply(&mut self, cost: u64) -> Result<(), Then> {
        let store = self.store();
        if store.interrupted() {
            return Err(Then::Interrupted(Vec::new()));
        }
        // SAFETY: STOPPED.
        unsafe {
            self.activation.return_fuel(self.vm);
            if !store.consume_fuel {
                (*self.vm).fuel = FUEL_SLICE.max(cost);
                return Ok(());
            }
            if store.fuel < cost {
                return Err(Then::OutOfFuel(cost));
            }
            (*self.vm).fuel = store.fuel.min(FUEL_SLICE.max(cost));
            store.fuel -= (*self.vm).fuel;
        }
        Ok(())
    }

    /// Calls a function that is not compiled.
    #[inline]
    fn outside(&mut self, slots: *mut u64, callee: usize) -> Result<(), End> {
        // SAFETY: STOPPED: it is a function of the store's list, or the number of one of the module.
        unsafe {
            if callee & 1 == 0 {
                let func = *(callee as *const VmFunc);
                if func.instance == VmFunc::HOST {
                    let host = ptr::from_ref(self.store().host_func(func.index));
                    // A store's host functions stay where they are as long as it lives.
                    return self.host(&*host, slots, callee);
                }
            }
        }
        self.interpreted(slots, callee)
    }

    /// The address of a function that is called.
    fn func_addr(&self, callee: usize) -> FuncAddr {
        if callee & 1 == 0 {
            // SAFETY: STOPPED.
            let first = unsafe { (*self.vm).funcs.addr() };
            FuncAddr(((callee - first) / size_of::<VmFunc>()) as u32)
        } else {
            self.store().ref_func(self.addr(), FuncIdx((callee / 2) as u32))
        }
    }

    /// Calls a function of the host.
    #[inline]
    fn host(&mut self, host: &HostFunc, slots: *mut u64, callee: usize) -> Result<(), End> {
        let HostCall::Sync(function) = &host.call else {
            return Err(self.stop_at_host(host, slots, callee));
        };
        let (store, data) = (self.store(), self.data());
        // SAFETY: STOPPED: the stub has put the arguments in slots, and made room for as many as the results take.
        let slots = unsafe { slice::from_raw_parts_mut(slots, host.slots as usize) };
        let in_use = self.activation.in_use;
        // SAFETY: STOPPED.
        unsafe { self.activation.return_fuel(self.vm) };
        store.stack_in_use = in_use + self.used() + store.max_stack / MAX_NESTED;
        let scope = store.heap.roots.enter();
        let caller = Some(self.addr());
        // The arguments are read before anything else happens, and what has been read is a root of the function's scope.
        let here = self.here();
        let result = if store.heap.is_used() {
            store.during(&here.standing(None), |store| function(store, data, caller, slots))
        } else {
            function(store, data, caller, slots)
        };
        store.heap.roots.leave(scope);
        store.stack_in_use = in_use;
        self.refresh();
        match result {
            Ok(()) => Ok(()),
            Err(error) => self.failed(here, error, false),
        }
    }

    /// Slots' worth of native stack that this activation uses.
    #[inline]
    fn used(&self) -> usize {
        // SAFETY: STOPPED.
        unsafe { ((*self.vm).entry_sp - (*self.vm).last_sp) / size_of::<u64>() }
    }

    /// An asynchronous function of the host is called: only the embedder can do that.
    #[cold]
    fn stop_at_host(&mut self, host: &HostFunc, slots: *mut u64, callee: usize) -> End {
        // SAFETY: STOPPED: the stub has put the arguments in slots.
        let args = unsafe { slice::from_raw_parts(slots, host.params as usize) };
        let then = Then::HostCall(self.func_addr(callee), args.to_vec());
        self.stop(then, None)
    }

    /// Calls a function of a guest that is not compiled.
    #[inline(never)]
    fn interpreted(&mut self, slots: *mut u64, callee: usize) -> Result<(), End> {
        let func = self.func_addr(callee);
        let (store, data) = (self.store(), self.data());
        let vm = store.funcs[func.at()];
        let Some(interpreter) = store.interpreter() else {
            return Err(Error::msg("there is no interpreter for what is not compiled").into());
        };
        let count = usize::from(vm.params.max(vm.results));
        // SAFETY: STOPPED: the stub has put the arguments in slots, and made room for as many as the results take.
        let slots = unsafe { slice::from_raw_parts_mut(slots, count) };
        let (in_use, may_stop) = (self.activation.in_use, self.activation.may_stop);
        // SAFETY: STOPPED.
        unsafe { self.activation.return_fuel(self.vm) };
        store.stack_in_use = in_use + self.used() + INTERPRETER_SLOTS;
        let here = self.here();
        let result = if store.heap.is_used() {
            store.during(&here.standing(None), |store| {
                interpreter.call(store, data, func, slots, may_stop)
            })
        } else {
            interpreter.call(store, data, func, slots, may_stop)
        };
        store.stack_in_use = in_use;
        self.refresh();
        match result {
            Ok(InterpreterExit::Done) => Ok(()),
            Ok(InterpreterExit::Stopped(execution)) => {
                Err(self.stop_at(here, Then::Called(execution), None))
            }
            Err(error) => self.failed(here, error, true),
        }
    }

    /// What was called has failed. If it throws an exception, that is thrown on from here.
    #[cold]
    fn failed(&mut self, here: Here, error: Error, of_guest: bool) -> Result<(), End> {
        match self.store().thrown(&error) {
            Some(exception) => Err(self.throw_at(here, exception)),
            None => Err(End::Error(here, error, of_guest)),
        }
    }

    /// Ends the activation, or goes on where somebody has caught an exception. Answers with the status.
    #[cold]
    fn end(&mut self, end: End) -> u64 {
        self.activation.ended = match end {
            End::Landed => return VmRuntime::LANDED,
            End::Error(here, error, of_guest) => {
                Ended::Error(self.with_backtrace(here, error, of_guest))
            }
            End::Trap(error) => Ended::Error(self.with_backtrace(self.here(), error, false)),
            End::Suspended(suspended) => Ended::Suspended(suspended),
        };
        ENDED
    }
}
