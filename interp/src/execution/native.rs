//! Compiled code: calling it, and being called by it.

use super::{
    rebuild::{Rebuilt, Stopped},
    roots::At,
    *,
};
use alloc::boxed::Box;
use core::slice;
use kinglet_core::{
    error::WasmBacktrace,
    runtime::{
        native::{self, InterpreterExit, NativeExit},
        trace::Trace,
    },
};

/// The interpreter, for compiled code that calls functions which are not compiled.
pub static INTERPRETER: &dyn native::Interpreter = &Bytecode;

struct Bytecode;

impl native::Interpreter for Bytecode {
    fn call(
        &self,
        store: &mut StoreInner,
        data: &mut dyn Any,
        func: FuncAddr,
        slots: &mut [u64],
        may_stop: bool,
    ) -> Result<InterpreterExit, Error> {
        if !may_stop {
            return call(store, data, func, slots).map(|()| InterpreterExit::Done);
        }
        let vm = store.funcs[func];
        let mut execution = Execution::empty(store);
        let mut machine = Machine::new(&mut execution, store, data);
        machine.may_stop = true;
        machine.enter(vm, slots)?;
        let exit = machine.run()?;
        drop(machine);
        if exit != Exit::Done {
            return Ok(InterpreterExit::Stopped(Box::new(Stopped { execution, exit })));
        }
        copy(execution.results(), slots);
        store.give_stack(execution.stack);
        Ok(InterpreterExit::Done)
    }

    fn backtrace(&self, store: &StoreInner, trace: &Trace) -> Option<WasmBacktrace> {
        super::backtrace::backtrace(store, trace)
    }
}

impl Machine<'_> {
    /// Calls the function at hand, whose frame has been opened, if it is a compiled one.
    pub(super) fn call_compiled(&mut self, func: FuncIdx) -> Option<Result<Flow, Error>> {
        let addr = InstanceAddr(self.cx.instance);
        self.store.instance(addr).native.as_ref()?.entry(func)?;
        let callee = self.store.ref_func(addr, func);
        let VmFunc { params, results, .. } = self.store.funcs[callee];
        let (fp, header) = (self.fp(), self.fp() + usize::from(params));
        // Results may be written over the header.
        let (word, pin) = (self.execution.stack[header], self.execution.stack[header + 1]);
        let caller = Position {
            ip: word as u32,
            fp: fp - (word >> 32) as usize / SLOT_SIZE as usize,
            acc: 0,
            pin,
            ..self.position()
        };
        let end = fp + usize::from(params.max(results));
        let stack = self.execution.stack[fp..end].as_mut_ptr();
        self.return_fuel();
        self.store.stack_in_use = self.in_use + end + self.store.max_stack / MAX_NESTED;
        let standing = self.execution.standing(At::Call(caller));
        // SAFETY: it is a range of the stack, which stays where it is; `standing` reads slots of the callers only.
        let slots = unsafe { slice::from_raw_parts_mut(stack, end - fp) };
        let exit = self.store.during(&standing, |store| {
            store.call_compiled(self.data, callee, slots, self.may_stop)
        });
        self.store.stack_in_use = self.in_use;
        Some(self.after_native(func, exit?, word, caller, fp))
    }

    fn after_native(
        &mut self,
        func: FuncIdx,
        exit: Result<NativeExit, Error>,
        word: u64,
        caller: Position,
        fp: usize,
    ) -> Result<Flow, Error> {
        match exit {
            Ok(NativeExit::Done) => {
                self.cx.saved.ip = self.cx.code.wrapping_add(caller.ip as usize);
                self.cx.saved.fp = self.cx.saved.fp.wrapping_sub(fp - caller.fp);
                self.cx.saved.pin = caller.pin;
                // A single result is expected in the accumulator of its class as well.
                self.cx.saved.acc = self.execution.stack[fp];
                Ok(Flow::Code)
            }
            Ok(NativeExit::Suspended(suspended)) => {
                let rebuilt = Rebuilt::above(self.store, self.execution, word, caller, fp);
                Ok(Flow::Stopped(rebuilt.rebuild(func, *suspended)?))
            }
            Err(error) => self.native_failed(error, caller),
        }
    }

    /// Compiled code has failed. If it has thrown an exception, that is thrown on from where it was called.
    #[cold]
    fn native_failed(&mut self, error: Error, mut caller: Position) -> Result<Flow, Error> {
        let then = match caller.ip {
            STOP => Then::Finish,
            CROSS_RETURN => match self.execution.crossings.pop() {
                Some(Crossing { instance, return_to, .. }) => {
                    (caller.instance, caller.ip) = (instance, return_to);
                    Then::Continue(caller)
                }
                None => Then::Finish,
            },
            _ => Then::Continue(caller),
        };
        if let Some(exception) = self.store.thrown(&error) {
            self.execution.left = core::mem::take(&mut self.store.left);
            self.execution.state = State::Throw { exception, then };
            return Ok(Flow::State);
        }
        self.execution.state = State::Failed(then);
        Err(error)
    }
}
