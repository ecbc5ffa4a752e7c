//! Calls that leave the current instance.

use super::{roots::At, *};
use core::{ops::Range, slice};
use kinglet_core::{Shared, runtime::func::SyncHostCall};

impl Machine<'_> {
    /// `func, base, header`
    pub(super) fn call_import(&mut self) -> Result<Flow, Error> {
        let callee = self.import(self.operand(0));
        let (base, header) = (self.operand(4), self.operand(6));
        self.skip(8);
        self.call(callee, base, header)
    }

    /// `type, table, base, header, index`
    pub(super) fn call_indirect(&mut self) -> Result<Flow, Error> {
        // The handler leaves the index in the accumulator.
        let callee = self.element(self.cx.saved.acc)?;
        let (base, header) = (self.operand(6), self.operand(8));
        let in_slot = matches!(
            self.opcode(),
            code::CALL_INDIRECT
                | small::CALL_INDIRECT
                | code::CALL_INDIRECT64
                | small::CALL_INDIRECT64
        );
        self.skip(if in_slot { 12 } else { 10 });
        self.call(callee, base, header)
    }

    /// `func, base, header, own header`
    pub(super) fn tail_call_import(&mut self) -> Result<Flow, Error> {
        let callee = self.import(self.operand(0));
        let (base, header, own) = (self.operand(4), self.operand(6), self.operand(8));
        self.tail_call(callee, base, header, own)
    }

    /// `type, table, base, header, own header, index`
    pub(super) fn tail_call_indirect(&mut self) -> Result<Flow, Error> {
        let slot: u16 = self.operand(12);
        let index = self.execution.stack[self.fp() + usize::from(slot)];
        let narrow = matches!(self.opcode(), code::TAIL_CALL_INDIRECT | small::TAIL_CALL_INDIRECT);
        let index = if narrow { u64::from(index as u32) } else { index };
        let callee = self.element(index)?;
        let (base, header, own) = (self.operand(6), self.operand(8), self.operand(10));
        self.tail_call(callee, base, header, own)
    }

    /// `base, header, reference`
    pub(super) fn call_ref(&mut self) -> Result<Flow, Error> {
        // The handler leaves the reference in the accumulator, and null to a trap.
        let callee = FuncAddr(self.cx.saved.acc as u32 - 1);
        let (base, header) = (self.operand(0), self.operand(2));
        let in_slot = matches!(self.opcode(), code::CALL_REF | small::CALL_REF);
        self.skip(if in_slot { 6 } else { 4 });
        self.call(callee, base, header)
    }

    /// `base, header, own header, reference`
    pub(super) fn tail_call_ref(&mut self) -> Result<Flow, Error> {
        let slot: u16 = self.operand(6);
        let handle = self.execution.stack[self.fp() + usize::from(slot)] as u32;
        let callee = FuncAddr(handle.checked_sub(1).ok_or(Trap::NullFunctionReference)?);
        let (base, header, own) = (self.operand(0), self.operand(2), self.operand(4));
        self.tail_call(callee, base, header, own)
    }

    /// An imported function.
    fn import(&self, func: u32) -> FuncAddr {
        // SAFETY: INSTANCE.
        FuncAddr(unsafe { *self.cx.imported_funcs.add(func as usize) })
    }

    /// The function that an element of a table refers to, by the operands of the op at hand.
    fn element(&self, index: u64) -> Result<FuncAddr, Trap> {
        let (ty, table): (u32, u16) = (self.operand(0), self.operand(4));
        // SAFETY: INSTANCE.
        let (table, ty) =
            unsafe { (&**self.cx.tables.add(usize::from(table)), *self.cx.types.add(ty as usize)) };
        if index >= table.len as u64 {
            return Err(Trap::TableOutOfBounds);
        }
        // SAFETY: the index has been checked.
        let handle = unsafe { *table.elems.add(index as usize) };
        let func = FuncAddr(handle.checked_sub(1).ok_or(Trap::IndirectCallToNull)?);
        let actual = self.store.funcs[func].ty;
        if actual != ty && !self.store.types.is_subtype(actual, ty) {
            return Err(Trap::BadSignature);
        }
        Ok(func)
    }

    /// Calls a function whose arguments stand from slot `base` on; the registers stand where it returns to.
    fn call(&mut self, callee: FuncAddr, base: u16, header: u16) -> Result<Flow, Error> {
        let vm = self.store.funcs[callee];
        if vm.instance == VmFunc::HOST {
            return self.call_host_from_code(callee, vm.index, self.fp() + usize::from(base));
        }
        let from = self.position();
        let slot = from.fp + usize::from(base);
        let frame = from.fp + usize::from(header);
        self.execution.stack[frame] =
            u64::from(CROSS_RETURN) | u64::from(u32::from(base) * SLOT_SIZE) << 32;
        self.execution.stack[frame + 1] = from.pin;
        self.execution.crossings.push(Crossing {
            instance: from.instance,
            return_to: from.ip,
            base: u32::from(base),
        });
        self.cross(vm, slot)
    }

    /// Calls a function in place of the current one, whose header is in slot `own`.
    fn tail_call(
        &mut self,
        callee: FuncAddr,
        base: u16,
        header: u16,
        own: u16,
    ) -> Result<Flow, Error> {
        let vm = self.store.funcs[callee];
        let from = self.position();
        let slot = from.fp + usize::from(base);
        if vm.instance == VmFunc::HOST {
            return Ok(self.stop_at_host(callee, slot, Then::Return { from, header: own }));
        }
        let stack = &mut self.execution.stack;
        let mut word = stack[from.fp + usize::from(own)];
        let pin = stack[from.fp + usize::from(own) + 1];
        let params = usize::from(header - base);
        stack.copy_within(slot..slot + params, from.fp);
        let return_to = word as u32;
        if vm.instance != from.instance.0 && return_to != STOP && return_to != CROSS_RETURN {
            let base = (word >> 32) as u32 / SLOT_SIZE;
            let instance = from.instance;
            self.execution.crossings.push(Crossing { instance, return_to, base });
            word = word & !u64::from(u32::MAX) | u64::from(CROSS_RETURN);
        }
        let stack = &mut self.execution.stack;
        stack[from.fp + params] = word;
        stack[from.fp + params + 1] = pin;
        self.cross(vm, from.fp)
    }

    /// Enters a function of any instance in the frame at slot `fp`.
    fn cross(&mut self, vm: VmFunc, fp: usize) -> Result<Flow, Error> {
        self.load_instance(InstanceAddr(vm.instance), fp)?;
        self.begin(vm.index, fp);
        Ok(Flow::Code)
    }

    /// A function that another instance called has returned.
    pub(super) fn cross_return(&mut self) -> Result<Flow, Error> {
        let fp = self.fp();
        if let Some(Crossing { instance, return_to, base }) = self.execution.crossings.pop() {
            self.load_instance(instance, fp)?;
            self.cx.saved.ip = self.cx.code.wrapping_add(return_to as usize);
            // A single result is expected in the accumulator of its class as well.
            self.cx.saved.acc = self.execution.stack[fp + base as usize];
        }
        Ok(Flow::Code)
    }

    /// Calls a host function with the slots from `base` on and goes on in code, if it is one that can simply be called.
    #[inline]
    fn call_host_from_code(
        &mut self,
        func: FuncAddr,
        index: u32,
        base: usize,
    ) -> Result<Flow, Error> {
        let host = ptr::from_ref(self.store.host_func(index));
        // SAFETY: a store's host functions stay where they are as long as it lives.
        let host = unsafe { &*host };
        let HostCall::Sync(call) = &host.call else {
            return Ok(self.stop_at_host(func, base, Then::Continue(self.position())));
        };
        let caller = Some(InstanceAddr(self.cx.instance));
        if let Err(error) = self.invoke(call, caller, base, host.slots, None) {
            let then = Then::Continue(self.position());
            // So that a backtrace names the call, and not what comes after it.
            self.stop_at_host(func, base, then);
            return self.host_failed(error, then);
        }
        self.cx.saved.acc = self.execution.stack[base];
        Ok(Flow::Code)
    }

    /// Leaves the call of a host function to [`Machine::call_host`].
    fn stop_at_host(&mut self, func: FuncAddr, base: usize, then: Then) -> Flow {
        let caller = Some(InstanceAddr(self.cx.instance));
        let params = host_func(self.store, func).params as usize;
        self.execution.state = State::HostCall { func, caller, base, params, then };
        Flow::State
    }

    /// Calls a host function, or says that only the embedder can.
    pub(super) fn call_host(
        &mut self,
        func: FuncAddr,
        caller: Option<InstanceAddr>,
        base: usize,
        then: Then,
    ) -> Result<Option<Exit>, Error> {
        let host = host_func(self.store, func).clone();
        let HostCall::Sync(call) = &host.call else { return Ok(Some(Exit::HostCall)) };
        if let Err(error) = self.invoke(call, caller, base, host.slots, Some(then)) {
            return self.host_failed(error, then).map(|_| None);
        }
        self.execution.state = self.execution.after_host_call(base, host.results as usize, then);
        Ok(None)
    }

    /// Calls a function of the host from code, where the registers are, or from where `then` says.
    #[inline]
    fn invoke(
        &mut self,
        call: &SyncHostCall,
        caller: Option<InstanceAddr>,
        base: usize,
        slots: u32,
        then: Option<Then>,
    ) -> Result<(), Error> {
        self.return_fuel();
        let end = base + slots as usize;
        self.store.stack_in_use = self.in_use + end + self.store.max_stack / MAX_NESTED;
        let scope = self.store.heap.roots.enter();
        let result = if self.store.heap.is_used() {
            self.invoke_standing(call, caller, base..end, then)
        } else {
            call(self.store, &mut self.data, caller.into(), &mut self.execution.stack[base..end])
        };
        self.store.heap.roots.leave(scope);
        self.store.stack_in_use = self.in_use;
        result
    }

    /// The same, where collections must find what this execution refers to.
    #[inline(never)]
    fn invoke_standing(
        &mut self,
        call: &SyncHostCall,
        caller: Option<InstanceAddr>,
        slots: Range<usize>,
        then: Option<Then>,
    ) -> Result<(), Error> {
        let at = then.map_or_else(|| At::Call(self.position()), At::from);
        let stack = self.execution.stack[slots.clone()].as_mut_ptr();
        // The arguments are read before anything else happens, and what has been read is a root of the function's scope.
        let standing = self.execution.standing(at);
        // SAFETY: `slots` is a range of the stack, which stays where it is; `standing` reads other slots only.
        let slots = unsafe { slice::from_raw_parts_mut(stack, slots.len()) };
        self.store.during(&standing, |store| call(store, &mut self.data, caller.into(), slots))
    }
}

fn host_func(store: &StoreInner, addr: FuncAddr) -> &Shared<HostFunc> {
    store.as_host_func(addr).expect("an execution waits for a host function")
}
