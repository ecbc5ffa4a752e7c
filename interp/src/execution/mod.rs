//! Running code: everything that hot handlers leave to ordinary Rust.
//!
//! An [`Execution`] is explicit: a value stack and the few registers that survive a stop. Native depth is always one; a call
//! of the guest never is one of the host. So it can stop wherever handlers hand over, and go on later.

mod backtrace;
mod calls;
#[cfg(feature = "native")]
mod native;
mod ops;
#[cfg(feature = "native")]
mod rebuild;
mod roots;
mod throw;

#[cfg(feature = "native")]
pub use native::INTERPRETER;

use self::roots::{At, Loose};
use crate::{
    code::{CROSS_RETURN, Code, STOP},
    dispatch,
    exec::{
        TOKEN, exit,
        regs::{Cx, ENTRIES, FRAME_HEADER, FUNC_HEADER, Operand, SLOT_SIZE},
    },
    forms::{code, small},
};
use alloc::vec::Vec;
use core::{
    any::Any,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};
use kinglet_core::{
    error::Error,
    index::{FuncAddr, FuncIdx, InstanceAddr},
    runtime::{
        HostCall, MAX_NESTED, StoreInner,
        exception::is_thrown,
        func::{CallerAddr, HostFunc},
        gc::roots::Held,
        instance::Instance,
        vmctx::{VmFunc, stack::ValueStack},
    },
    trap::Trap,
};

/// A call of a function that can stop and go on.
///
/// It owns its value stack and does not borrow the store while it stands still.
#[derive(Debug)]
pub struct Execution {
    /// The value stack. Registers that point into it are kept as numbers of slots while the execution stands still.
    stack: ValueStack,
    /// How many slots the results take.
    results: usize,
    /// The fuel that it could not get when it last ran out of it.
    required_fuel: u64,
    state: State,
    /// Calls between instances that have not returned yet.
    crossings: Vec<Crossing>,
    /// The function that it begins with, until it does.
    begins: Option<FuncAddr>,
    /// What it refers to, while it is in the embedder's hands.
    held: Option<Held>,
    /// Frames that the exception on its way has left in compiled code which this has called.
    left: kinglet_core::runtime::trace::Trace,
}

/// Where an execution stands.
#[derive(Debug)]
enum State {
    /// In code.
    Code(Position),
    /// Before a call of a host function: the outermost one, or from code.
    HostCall {
        func: FuncAddr,
        caller: Option<InstanceAddr>,
        base: usize,
        params: usize,
        then: Then,
    },
    /// Behind a call of a host function that has thrown an exception.
    Throw { exception: u32, then: Then },
    /// Behind a call of compiled code that has failed, as long as it takes to say so.
    #[cfg_attr(not(feature = "native"), allow(dead_code, reason = "there is no compiled code"))]
    Failed(Then),
    /// It has returned, or failed.
    Over,
}

/// Where an execution stands in code, without a pointer.
#[derive(Clone, Copy, Debug)]
struct Position {
    instance: InstanceAddr,
    /// Offset in the code of the instance's module.
    ip: u32,
    /// Number of the frame's first slot.
    fp: usize,
    acc: u64,
    pin: u64,
    pin_f64: f64,
}

/// How an execution goes on after a call of a host function.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// In code, with the results where they are.
    Continue(Position),
    /// By returning them from the current frame, whose header is in slot `header`.
    Return { from: Position, header: u16 },
    /// Not at all: it was all there was to call.
    Finish,
}

/// A call of a function of another instance.
#[derive(Clone, Copy, Debug)]
struct Crossing {
    /// Who called.
    instance: InstanceAddr,
    /// Where to go on there.
    return_to: u32,
    /// Slots between the frames of both.
    base: u32,
}

/// Why [`Execution::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The function has returned: see [`Execution::results`].
    Done,
    /// The store's fuel does not suffice to go on.
    OutOfFuel,
    /// Somebody asked the store's code to stop.
    Interrupted,
    /// An asynchronous host function is called: see [`Execution::host_call`].
    HostCall,
}

/// The size of a new value stack in slots. Where memory is little, the first frame says how large it has to be.
const INITIAL_STACK: usize = if cfg!(feature = "std") { 1024 } else { 16 };

/// Calls a function: `slots` holds the arguments, and then the results. Its length must be that of the longer of both.
///
/// # Errors
/// The callee traps or a host function fails. Lack of fuel and interrupts are traps here.
pub fn call(
    store: &mut StoreInner,
    data: &mut dyn Any,
    func: FuncAddr,
    slots: &mut [u64],
) -> Result<(), Error> {
    let vm = store.funcs[func];
    if vm.instance == VmFunc::HOST
        && let host = store.as_host_func(func).cloned()
        && let Some(HostCall::Sync(call)) = host.as_deref().map(|host| &host.call)
    {
        let scope = store.heap.roots.enter();
        let mut data = data;
        let result = call(store, &mut data, CallerAddr::HOST, slots);
        store.heap.roots.leave(scope);
        return result;
    }
    let mut execution = Execution::empty(store);
    let exit = if vm.instance == VmFunc::HOST {
        Exit::HostCall
    } else {
        let mut machine = Machine::new(&mut execution, store, data);
        machine.enter(vm, slots)?;
        machine.run()?
    };
    match exit {
        Exit::Done => copy(execution.results(), slots),
        Exit::OutOfFuel => return Err(execution.fail(store, Trap::OutOfFuel.into())),
        Exit::Interrupted => return Err(execution.fail(store, Trap::Interrupt.into())),
        Exit::HostCall => {
            let message =
                "an asynchronous host function was called where the guest cannot be suspended";
            return Err(execution.fail(store, Error::msg(message)));
        }
    }
    store.give_stack(execution.stack);
    Ok(())
}

impl Execution {
    /// A call of `func` with these arguments, one slot each, that has not begun yet.
    ///
    /// # Errors
    /// There is no memory for the value stack, or not enough is left of what executions of the store may use together.
    ///
    /// # Panics
    /// If there are fewer arguments than parameters.
    pub fn new(store: &mut StoreInner, func: FuncAddr, args: &[u64]) -> Result<Execution, Error> {
        let vm = store.funcs[func];
        let mut execution = Execution::empty(store);
        if vm.instance == VmFunc::HOST {
            let host = store.host_func(vm.index);
            let slots = host.params.max(host.results) as usize;
            execution.reserve(store, slots)?;
            execution.stack[..host.params as usize].copy_from_slice(&args[..host.params as usize]);
            let params = host.params as usize;
            execution.results = host.results as usize;
            execution.state =
                State::HostCall { func, caller: None, base: 0, params, then: Then::Finish };
            execution.hold(store)?;
            return Ok(execution);
        }
        let mut nothing = ();
        let mut machine = Machine::new(&mut execution, store, &mut nothing);
        machine.enter(vm, args)?;
        machine.save();
        drop(machine);
        execution.begins = Some(func);
        execution.hold(store)?;
        Ok(execution)
    }

    /// An execution of nothing.
    fn empty(store: &mut StoreInner) -> Execution {
        let stack = store.take_stack();
        Execution {
            stack,
            results: 0,
            required_fuel: 0,
            state: State::Over,
            crossings: Vec::new(),
            begins: None,
            held: None,
            left: Default::default(),
        }
    }

    /// Runs on, until the function has returned or there is a reason to stop.
    ///
    /// # Errors
    /// The guest traps or a host function fails: then the execution is over. The error has a backtrace of the guest.
    pub fn run(&mut self, store: &mut StoreInner, data: &mut dyn Any) -> Result<Exit, Error> {
        (self.begins, self.held) = (None, None);
        let mut machine = Machine::new(self, store, data);
        #[cfg(feature = "native")]
        {
            machine.may_stop = true;
        }
        let exit = machine.go_on()?;
        drop(machine);
        self.hold(store)?;
        Ok(exit)
    }

    /// The results, one slot each, after [`Exit::Done`].
    pub fn results(&self) -> &[u64] {
        &self.stack[..self.results]
    }

    /// The least fuel with which it gets any further, after [`Exit::OutOfFuel`].
    pub fn required_fuel(&self) -> u64 {
        self.required_fuel
    }

    /// The asynchronous host function that is called after [`Exit::HostCall`], the calling instance, and the arguments.
    ///
    /// # Panics
    /// If there is no such call.
    pub fn host_call(&self) -> (FuncAddr, Option<InstanceAddr>, &[u64]) {
        let State::HostCall { func, caller, base, params, .. } = self.state else {
            panic!("the execution does not wait for a host function");
        };
        (func, caller, &self.stack[base..base + params])
    }

    /// Counts what it takes of the stack as used, while the asynchronous host function runs that is called. Answers what
    /// [`StoreInner::stack_in_use`] is to be again then.
    pub fn nest(&self, store: &mut StoreInner) -> usize {
        let slots = match self.state {
            State::HostCall { base, params, .. } => base + params,
            _ => 0,
        };
        let below = store.stack_in_use;
        store.stack_in_use = store.stack_used() + slots + store.max_stack / MAX_NESTED;
        below
    }

    /// Answers the call of an asynchronous host function with its results, one slot each.
    ///
    /// # Errors
    /// There is no memory to keep alive what the execution refers to.
    pub fn resume(&mut self, store: &mut StoreInner, results: &[u64]) -> Result<(), Error> {
        let State::HostCall { func, base, then, .. } = self.state else { return Ok(()) };
        self.stack[base..base + results.len()].copy_from_slice(results);
        self.state = self.after_host_call(base, results.len(), then);
        let at = if let State::Code(at) = self.state { At::Call(at) } else { At::Nowhere };
        let slot = if let Then::Return { from, .. } = then { from.fp } else { base };
        self.hold_at(store, at, Some(Loose::Results(func, slot)))
    }

    /// Ends the execution for good, giving its stack back. The stack then is of use to later calls.
    pub fn finish(self, store: &mut StoreInner) {
        store.give_stack(self.stack);
    }

    /// How an execution goes on with the results of a host function in the slots from `base`.
    fn after_host_call(&mut self, base: usize, results: usize, then: Then) -> State {
        match then {
            Then::Finish => State::Over,
            // A single result is expected in the accumulator of its class as well.
            Then::Continue(at) => State::Code(Position { acc: self.stack[base], ..at }),
            Then::Return { mut from, header } => {
                let word = self.stack[from.fp + usize::from(header)];
                from.pin = self.stack[from.fp + usize::from(header) + 1];
                self.stack.copy_within(base..base + results, from.fp);
                from.acc = self.stack[from.fp];
                from.ip = word as u32;
                from.fp -= (word >> 32) as usize / SLOT_SIZE as usize;
                State::Code(from)
            }
        }
    }

    /// Ends the execution with an error, which gets a backtrace.
    fn fail(&mut self, store: &mut StoreInner, error: Error) -> Error {
        // The guest below may catch an exception: then nobody looks at what takes longer to find out than all the rest.
        let may_be_caught = store.stack_in_use > 0 && is_thrown(&error);
        let error = if may_be_caught {
            #[cfg(feature = "native")]
            self.leave_frames(store);
            error
        } else {
            self.with_backtrace(store, error)
        };
        self.state = State::Over;
        error
    }

    /// Makes the value stack at least `slots` long.
    #[inline]
    fn reserve(&mut self, store: &StoreInner, slots: usize) -> Result<(), Error> {
        if slots <= self.stack.len() { Ok(()) } else { self.grow(store, slots) }
    }

    #[cold]
    fn grow(&mut self, store: &StoreInner, slots: usize) -> Result<(), Error> {
        let len = self.stack.len();
        let allowed = store.max_stack.saturating_sub(store.stack_used());
        if slots > allowed {
            return Err(Trap::StackOverflow.into());
        }
        // What would be nice to have, or else what it takes.
        let new = slots.max(2 * len).max(INITIAL_STACK).min(allowed);
        if self.stack.grow(new) || self.stack.grow(slots) {
            Ok(())
        } else {
            Err(Trap::StackOverflow.into())
        }
    }
}

/// An execution that runs.
struct Machine<'s> {
    /// What [`StoreInner::stack_used`] was when it began.
    in_use: usize,
    store: &'s mut StoreInner,
    data: &'s mut dyn Any,
    execution: &'s mut Execution,
    cx: Cx,
    /// Whether compiled code may stop, because the execution can go on later.
    #[cfg(feature = "native")]
    may_stop: bool,
}

impl Drop for Machine<'_> {
    /// Whatever happens, a panic of a host function included, the store stays usable.
    fn drop(&mut self) {
        self.store.stack_in_use = self.in_use;
        self.return_fuel();
    }
}

impl<'s> Machine<'s> {
    fn new(
        execution: &'s mut Execution,
        store: &'s mut StoreInner,
        data: &'s mut dyn Any,
    ) -> Machine<'s> {
        Machine {
            in_use: store.stack_used(),
            store,
            data,
            execution,
            cx: Cx::new(),
            #[cfg(feature = "native")]
            may_stop: false,
        }
    }

    /// Puts the frame of the outermost function on the stack, and the registers at its beginning.
    #[inline]
    fn enter(&mut self, vm: VmFunc, args: &[u64]) -> Result<(), Error> {
        let instance = self.store.instance(InstanceAddr(vm.instance));
        let (params, results) = (usize::from(vm.params), usize::from(vm.results));
        let frame_size = point_at(&mut self.cx, instance);
        self.execution.results = results;
        self.reach(frame_size.max(params + FRAME_HEADER).max(results), 0)?;
        let stack = &mut self.execution.stack;
        copy(&args[..params], stack);
        (stack[params], stack[params + 1]) = (STOP.into(), 0);
        self.begin(vm.index, 0);
        Ok(())
    }

    /// Runs from where the registers stand. The execution's state need not say it: short calls do without.
    fn run(&mut self) -> Result<Exit, Error> {
        match self.run_code() {
            Ok(Some(exit)) => Ok(exit),
            Ok(None) => self.go_on(),
            Err(error) => Err(self.execution.fail(self.store, error)),
        }
    }

    /// Runs from the execution's state.
    fn go_on(&mut self) -> Result<Exit, Error> {
        match self.execute() {
            Ok(exit) => Ok(exit),
            Err(error) => Err(self.execution.fail(self.store, error)),
        }
    }

    fn execute(&mut self) -> Result<Exit, Error> {
        loop {
            match self.execution.state {
                State::Over | State::Failed(_) => return Ok(Exit::Done),
                State::HostCall { func, caller, base, then, .. } => {
                    if let Some(exit) = self.call_host(func, caller, base, then)? {
                        return Ok(exit);
                    }
                }
                State::Throw { exception, then } => {
                    if let Some(exit) = self.throw_from_host(exception, then)? {
                        return Ok(exit);
                    }
                }
                State::Code(position) => {
                    self.load(position)?;
                    if let Some(exit) = self.run_code()? {
                        return Ok(exit);
                    }
                }
            }
        }
    }

    /// Runs code until the execution leaves it, or changes where it stands.
    fn run_code(&mut self) -> Result<Option<Exit>, Error> {
        loop {
            // SAFETY: `load` and everything below leave the context as CODE, FRAME and INSTANCE want it.
            let stop = unsafe {
                // Whatever came before may have made the heap grow, or given functions their addresses.
                self.cx.heap = self.store.heap.base();
                self.cx.funcs = self.store.funcs.as_ptr();
                #[cfg(feature = "checked")]
                {
                    self.cx.counts = (self.store.heap.size(), self.store.funcs.len());
                }
                dispatch::run(&mut self.cx)
            };
            match stop {
                exit::DONE => {
                    self.execution.state = State::Over;
                    return Ok(Some(Exit::Done));
                }
                exit::FUEL => {
                    if let Some(exit) = self.refuel() {
                        self.save();
                        return Ok(Some(exit));
                    }
                }
                stop => {
                    let stopped = match stop {
                        #[cfg(feature = "gc")]
                        exit::STRUCT_NEW => self.struct_new(),
                        exit::SLOTS => self.slots(),
                        exit::ATOMIC => self.atomic(),
                        exit::STACK => self.grow_stack(),
                        exit::LAZY => self.translate(),
                        exit::CROSS_RETURN => self.cross_return(),
                        exit::CALL_IMPORT => self.call_import(),
                        exit::CALL_INDIRECT => self.call_indirect(),
                        exit::TAIL_CALL_IMPORT => self.tail_call_import(),
                        exit::TAIL_CALL_INDIRECT => self.tail_call_indirect(),
                        exit::CALL_REF => self.call_ref(),
                        exit::TAIL_CALL_REF => self.tail_call_ref(),
                        #[cfg(feature = "gc")]
                        exit::CAST => self.cast(),
                        exit::THROW if cfg!(feature = "gc") => self.throw(),
                        exit::THROW_REF if cfg!(feature = "gc") => self.throw_ref(),
                        trap => Err(Trap::from_code(trap as u8)
                            .unwrap_or(Trap::UnreachableCodeReached)
                            .into()),
                    };
                    match stopped {
                        Ok(Flow::Code) => {}
                        Ok(Flow::State) => return Ok(None),
                        Ok(Flow::Exit(exit)) => {
                            self.save();
                            return Ok(Some(exit));
                        }
                        Ok(Flow::Stopped(exit)) => return Ok(Some(exit)),
                        Err(error) => {
                            // A call that has failed has said where it stands.
                            let state = &self.execution.state;
                            if !matches!(state, State::HostCall { .. } | State::Failed(_)) {
                                self.save();
                            }
                            return Err(error);
                        }
                    }
                }
            }
        }
    }

    /// Makes the registers those of a position.
    fn load(&mut self, at: Position) -> Result<(), Error> {
        self.load_instance(at.instance, at.fp)?;
        self.cx.saved.ip = self.cx.code.wrapping_add(at.ip as usize);
        self.cx.saved.acc = at.acc;
        self.cx.saved.pin = at.pin;
        self.cx.saved.pin_f64 = at.pin_f64;
        Ok(())
    }

    /// Makes an instance the current one, in the frame at slot `fp`.
    fn load_instance(&mut self, addr: InstanceAddr, fp: usize) -> Result<(), Error> {
        let frame_size = point_at(&mut self.cx, self.store.instance(addr));
        self.reach(frame_size, fp)
    }

    /// Sees to it that a frame of `frame_size` slots fits at slot `fp`, and sets the limit for frames of this size.
    fn reach(&mut self, frame_size: usize, fp: usize) -> Result<(), Error> {
        self.execution.reserve(self.store, fp + frame_size)?;
        let stack = &self.execution.stack;
        let (base, len) = (stack.as_ptr(), stack.len());
        self.cx.saved.fp = base.wrapping_add(fp);
        self.cx.limit = base.wrapping_add(len - frame_size);
        #[cfg(feature = "checked")]
        {
            self.cx.stack = (base, base.wrapping_add(len));
        }
        Ok(())
    }

    /// Where the registers stand.
    fn position(&self) -> Position {
        let saved = &self.cx.saved;
        Position {
            instance: InstanceAddr(self.cx.instance),
            ip: saved.ip.addr().wrapping_sub(self.cx.code.addr()) as u32,
            fp: self.fp(),
            acc: saved.acc,
            pin: saved.pin,
            pin_f64: saved.pin_f64,
        }
    }

    fn save(&mut self) {
        self.execution.state = State::Code(self.position());
    }

    /// The slot that the frame pointer points at.
    fn fp(&self) -> usize {
        (self.cx.saved.fp.addr() - self.execution.stack.as_ptr().addr()) / size_of::<u64>()
    }

    /// The operand `at` bytes behind the opcode of the op that stopped.
    fn operand<T: Operand>(&self, at: usize) -> T {
        // SAFETY: CODE.
        unsafe { T::read(self.cx.saved.ip.add(TOKEN + at)) }
    }

    /// The opcode of the op that stopped, whichever set of ops it is of.
    fn opcode(&self) -> u16 {
        // SAFETY: CODE.
        unsafe { Operand::read(self.cx.saved.ip) }
    }

    /// Goes on behind the op that stopped, which has `operands` bytes of operands.
    fn skip(&mut self, operands: usize) {
        self.cx.saved.ip = self.cx.saved.ip.wrapping_add(TOKEN + operands);
    }

    /// The stack has no room for another frame of the largest size.
    fn grow_stack(&mut self) -> Result<Flow, Error> {
        let fp = self.fp();
        let frame_size = code_of(self.store.instance(InstanceAddr(self.cx.instance))).frame_size();
        self.reach(frame_size, fp)?;
        self.load_pin(fp);
        Ok(Flow::Code)
    }

    /// At the beginning of a function: loads its pinned local.
    fn load_pin(&mut self, fp: usize) {
        // SAFETY: CODE: the header of the function stands in front of its first op.
        let pin: u16 = unsafe { Operand::read(self.cx.saved.ip.sub(FUNC_HEADER)) };
        self.cx.saved.pin = self.execution.stack[fp + usize::from(pin)];
    }

    /// The function at hand is called for the first time, or is compiled.
    fn translate(&mut self) -> Result<Flow, Error> {
        let func: u32 = self.operand(0);
        #[cfg(feature = "native")]
        if let Some(flow) = self.call_compiled(FuncIdx(func)) {
            return flow;
        }
        let instance = InstanceAddr(self.cx.instance);
        let of = self.store.instance(instance);
        code_of(of).translate(&of.module, FuncIdx(func))?;
        let fp = self.fp();
        self.load_instance(instance, fp)?;
        self.begin(func, fp);
        Ok(Flow::Code)
    }

    /// Sets the registers to the beginning of a function of the current instance.
    #[inline]
    fn begin(&mut self, func: u32, fp: usize) {
        let (ip, pin) = entry(self.cx.code, func);
        self.cx.saved.ip = self.cx.code.wrapping_add(ip as usize);
        self.cx.saved.pin = self.execution.stack[fp + usize::from(pin)];
    }

    /// The slice of fuel does not suffice for the op at hand.
    fn refuel(&mut self) -> Option<Exit> {
        let at = if matches!(self.opcode(), code::FUEL | small::FUEL) { 0 } else { 4 };
        self.supply(self.operand::<u32>(at).into())
    }

    /// Sees to it that the slice suffices for something, or says why not.
    fn supply(&mut self, cost: u64) -> Option<Exit> {
        if self.store.interrupted() {
            return Some(Exit::Interrupted);
        }
        self.return_fuel();
        if !self.store.consume_fuel {
            self.cx.fuel = FUEL_SLICE.max(cost);
            return None;
        }
        if self.store.fuel < cost {
            self.execution.required_fuel = cost;
            return Some(Exit::OutOfFuel);
        }
        self.cx.fuel = self.store.fuel.min(FUEL_SLICE.max(cost));
        self.store.fuel -= self.cx.fuel;
        None
    }

    /// Gives what is left of the slice back to the store.
    #[inline]
    fn return_fuel(&mut self) {
        if self.store.consume_fuel {
            let left = core::mem::take(&mut self.cx.fuel);
            self.store.fuel = self.store.fuel.saturating_add(left);
        }
    }
}

/// Units of fuel between two looks at the store: for more, and for interrupts.
const FUEL_SLICE: u64 = 10_000;

/// How a machine goes on after a stop.
enum Flow {
    /// In code, by its registers.
    Code,
    /// As the execution's state says.
    State,
    /// Not now: where the registers stand, it will go on later.
    #[cfg_attr(not(feature = "threads"), allow(dead_code, reason = "nothing waits"))]
    Exit(Exit),
    /// Not now: it will go on as the execution's state says.
    #[cfg_attr(not(feature = "native"), allow(dead_code, reason = "there is no compiled code"))]
    Stopped(Exit),
}

/// Copies slots that have just been written, few as a rule. One at a time, as they were written: a wider load would wait until
/// the stores have reached the cache.
#[inline]
fn copy(from: &[u64], to: &mut [u64]) {
    for (from, to) in from.iter().zip(to) {
        // SAFETY: it is a reference.
        *to = unsafe { ptr::from_ref(from).read_volatile() };
    }
}

/// Lets the context point at an instance. Answers the frame size of its module.
#[inline]
fn point_at(cx: &mut Cx, instance: &Instance) -> usize {
    let (code, vm) = (code_of(instance), &instance.vm);
    cx.code = code.base();
    cx.globals = vm.globals;
    cx.tables = vm.tables;
    cx.memories = vm.memories;
    cx.types = vm.types;
    cx.imported_funcs = vm.imported_funcs;
    cx.instance = vm.addr;
    code.frame_size()
}

/// The bytecode of an instance.
#[inline]
fn code_of(instance: &Instance) -> &Code {
    let code = &*instance.code;
    debug_assert!(code.as_any().is::<Code>());
    // SAFETY: INSTANCE: this crate has made the code of all instances that run on it.
    unsafe { &*ptr::from_ref(code).cast::<Code>() }
}

/// Where the code of a function begins, behind its header, and the slot of its pinned local.
fn entry(code: *const u8, func: u32) -> (u32, u16) {
    // SAFETY: CODE: there is an entry for every function, and every function begins with its header.
    unsafe {
        let entry = u32::from_le(
            (*code.add(ENTRIES + 4 * func as usize).cast::<AtomicU32>()).load(Ordering::Acquire),
        );
        let pin = u16::read(code.add(entry as usize));
        (entry + FUNC_HEADER as u32, pin)
    }
}
