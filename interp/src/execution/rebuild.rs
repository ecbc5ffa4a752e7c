//! Going on where compiled code has stopped: its frames become frames of bytecode.

use super::{Then, *};
use crate::sites::{CallSite, Sites};
use alloc::boxed::Box;
use kinglet_core::{
    Shared,
    runtime::native::{self, NativeFrame, Suspended},
};

/// An execution that compiled code had called, and that has stopped.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) execution: Execution,
    pub(super) exit: Exit,
}

/// An execution that gets more frames. What stands here is about the next one, as its caller left it.
pub(super) struct Rebuilt<'m> {
    store: &'m mut StoreInner,
    execution: &'m mut Execution,
    /// Its first slot.
    fp: usize,
    /// Its header: where it returns to, and the caller's pinned integer.
    word: u64,
    pin: u64,
    /// The instance in whose code it returns, if it returns to code.
    instance: InstanceAddr,
    /// The pinned `f64` of the caller.
    pin_f64: f64,
}

/// How many times as much stack as otherwise frames may take that have been rebuilt: those of compiled code are smaller.
const LARGER: usize = 8;

impl<'m> Rebuilt<'m> {
    /// An execution that gets frames above that of `caller`, from slot `fp` on, the first with this header.
    pub(super) fn above(
        store: &'m mut StoreInner,
        execution: &'m mut Execution,
        word: u64,
        caller: Position,
        fp: usize,
    ) -> Rebuilt<'m> {
        let Position { instance, pin, pin_f64, .. } = caller;
        Rebuilt { store, execution, fp, word, pin, instance, pin_f64 }
    }

    /// Adds the frames of what had been called as `func`, and sets where the execution stands. Answers why it has stopped.
    pub(super) fn rebuild(mut self, func: FuncIdx, suspended: Suspended) -> Result<Exit, Error> {
        let Suspended { mut frames, then } = suspended;
        let Some(innermost) = frames.pop() else { return self.stand_alone(func, then) };
        for frame in frames {
            let sites = self.sites(frame.instance, frame.func)?;
            let call = sites.call(frame.offset).ok_or_else(lost)?;
            self.call(&frame, &sites, call)?;
        }
        self.stand(&innermost, then)
    }

    fn sites(&self, instance: InstanceAddr, func: FuncIdx) -> Result<Shared<Sites>, Error> {
        let instance = self.store.instance(instance);
        code_of(instance).sites(&instance.module, func)
    }

    /// Adds a frame that has called the next one.
    fn call(&mut self, frame: &NativeFrame, sites: &Sites, call: CallSite) -> Result<(), Error> {
        // The callee takes the place of a frame that has called it so.
        if call.is_tail {
            return Ok(());
        }
        let Position { fp, pin, pin_f64, .. } = self.open(frame, sites)?;
        let (return_to, delta) = (sites.start + call.behind, u32::from(call.base) * SLOT_SIZE);
        self.word = u64::from(return_to) | u64::from(delta) << 32;
        (self.pin, self.pin_f64) = (pin, pin_f64);
        self.fp = fp + usize::from(call.base);
        Ok(())
    }

    /// Writes a frame. Answers with the registers, at the beginning of the function's code.
    fn open(&mut self, frame: &NativeFrame, sites: &Sites) -> Result<Position, Error> {
        self.cross(frame.instance);
        let frame_size = code_of(self.store.instance(frame.instance)).frame_size();
        self.reserve(self.fp + frame_size)?;
        let stack = &mut self.execution.stack[self.fp..];
        let header = usize::from(sites.header);
        let (params, others) = frame.locals.split_at_checked(header).ok_or_else(lost)?;
        stack[..header].copy_from_slice(params);
        stack[header..header + FRAME_HEADER].copy_from_slice(&[self.word, self.pin]);
        stack[usize::from(sites.locals)..][..others.len()].copy_from_slice(others);
        for &(height, bits) in &frame.operands {
            stack[usize::from(sites.operands) + height as usize] = bits;
        }
        let mut pin_f64 = self.pin_f64;
        if let Some((local, save)) = sites.pin_f64 {
            stack[usize::from(save)] = pin_f64.to_bits();
            pin_f64 = f64::from_bits(stack[usize::from(local)]);
        }
        Ok(Position {
            instance: frame.instance,
            ip: sites.start,
            fp: self.fp,
            acc: 0,
            pin: stack[usize::from(sites.pin)],
            pin_f64,
        })
    }

    /// The next frame is one of this instance: if it returns to another, it does so by a crossing.
    fn cross(&mut self, to: InstanceAddr) {
        let from = core::mem::replace(&mut self.instance, to);
        let return_to = self.word as u32;
        if to == from || return_to == STOP || return_to == CROSS_RETURN {
            return;
        }
        let base = (self.word >> 32) as u32 / SLOT_SIZE;
        self.execution.crossings.push(Crossing { instance: from, return_to, base });
        self.word = self.word & !u64::from(u32::MAX) | u64::from(CROSS_RETURN);
    }

    /// Adds the innermost frame, and what it is about to do.
    fn stand(mut self, frame: &NativeFrame, then: native::Then) -> Result<Exit, Error> {
        let sites = self.sites(frame.instance, frame.func)?;
        let call = || sites.call(frame.offset).ok_or_else(lost);
        let point = || frame.fuel_point.and_then(|point| sites.fuel(point));
        match then {
            native::Then::OutOfFuel(cost) => {
                let point = point().ok_or_else(lost)?;
                let mut at = self.open(frame, &sites)?;
                at.ip += point;
                self.execution.required_fuel = cost;
                self.execution.state = State::Code(at);
                Ok(Exit::OutOfFuel)
            }
            native::Then::Interrupted(args) => {
                let mut at = self.open(frame, &sites)?;
                at.ip += match point() {
                    Some(point) => point,
                    None => {
                        let site = sites.wait(frame.offset).ok_or_else(lost)?;
                        self.put(at.fp + usize::from(site.base), &args);
                        site.at
                    }
                };
                self.execution.state = State::Code(at);
                Ok(Exit::Interrupted)
            }
            native::Then::HostCall(func, args) => {
                let (call, pin_f64) = (call()?, self.pin_f64);
                let mut at = self.open(frame, &sites)?;
                let base = at.fp + usize::from(call.base);
                let then = if call.is_tail {
                    at.ip += call.at;
                    let from = Position { pin_f64, ..at };
                    Then::Return { from, header: sites.header }
                } else {
                    at.ip += call.behind;
                    Then::Continue(at)
                };
                self.put_args(func, base, &args)?;
                let (caller, params) = (Some(frame.instance), args.len());
                self.execution.state = State::HostCall { func, caller, base, params, then };
                Ok(Exit::HostCall)
            }
            native::Then::Throw(exception, fuel) => {
                self.execution.left = core::mem::take(&mut self.store.left);
                let call = call()?;
                let mut at = self.open(frame, &sites)?;
                // The op's own operands have been used up, but a collection may look at them.
                let used = frame.operands.iter().map(|&(height, _)| height + 1).max().unwrap_or(0);
                let operands = at.fp + usize::from(sites.operands) + used as usize;
                let frame_size = code_of(self.store.instance(frame.instance)).frame_size();
                self.execution.stack[operands..at.fp + frame_size].fill(0);
                let then = if call.is_tail {
                    at.ip += call.at;
                    let from = Position { pin_f64: self.pin_f64, ..at };
                    Then::Return { from, header: sites.header }
                } else {
                    at.ip += call.behind;
                    Then::Continue(at)
                };
                self.execution.state = State::Throw { exception, then };
                Ok(match fuel {
                    Some(cost) => {
                        self.execution.required_fuel = cost;
                        Exit::OutOfFuel
                    }
                    None => Exit::Interrupted,
                })
            }
            native::Then::Called(stopped) => {
                let stopped: Box<Stopped> = stopped.downcast().map_err(|_| lost())?;
                self.call(frame, &sites, call()?)?;
                self.append(stopped.execution)?;
                Ok(stopped.exit)
            }
        }
    }

    /// There is no frame left: `func`, or somebody whom it has called in place of itself, has called in place of itself.
    fn stand_alone(mut self, func: FuncIdx, then: native::Then) -> Result<Exit, Error> {
        match then {
            native::Then::HostCall(host, args) => {
                // As if the function itself had done it, before anything else.
                let instance = self.instance;
                let (sites, pin_f64) = (self.sites(instance, func)?, self.pin_f64);
                let frame = NativeFrame {
                    instance,
                    func,
                    offset: 0,
                    fuel_point: None,
                    locals: alloc::vec![0; sites.header.into()],
                    operands: Vec::new(),
                };
                let from = Position { pin_f64, ..self.open(&frame, &sites)? };
                let then = Then::Return { from, header: sites.header };
                let base = from.fp + usize::from(sites.operands);
                self.put_args(host, base, &args)?;
                let (func, caller, params) = (host, Some(instance), args.len());
                self.execution.state = State::HostCall { func, caller, base, params, then };
                Ok(Exit::HostCall)
            }
            native::Then::Called(stopped) => {
                let stopped: Box<Stopped> = stopped.downcast().map_err(|_| lost())?;
                self.append(stopped.execution)?;
                Ok(stopped.exit)
            }
            native::Then::OutOfFuel(_) | native::Then::Interrupted(_) | native::Then::Throw(..) => {
                Err(lost())
            }
        }
    }

    /// Writes the arguments of a host function, and makes room for its results.
    fn put_args(&mut self, func: FuncAddr, base: usize, args: &[u64]) -> Result<(), Error> {
        let slots = self.store.as_host_func(func).map_or(0, |host| host.slots as usize);
        self.reserve(base + slots.max(args.len()))?;
        self.put(base, args);
        Ok(())
    }

    fn put(&mut self, at: usize, values: &[u64]) {
        self.execution.stack[at..at + values.len()].copy_from_slice(values);
    }

    /// Adds the frames of another execution, and goes on as that would have.
    fn append(mut self, mut upper: Execution) -> Result<(), Error> {
        let bottom = upper.bottom(self.store).ok_or_else(lost)?;
        self.cross(bottom.instance);
        upper.stack[bottom.header..][..FRAME_HEADER].copy_from_slice(&[self.word, self.pin]);
        let used = &upper.stack[..bottom.used.min(upper.stack.len())];
        self.reserve(self.fp + used.len())?;
        self.put(self.fp, used);
        self.execution.crossings.append(&mut upper.crossings);
        self.execution.left = upper.left;
        self.execution.required_fuel = upper.required_fuel;
        let (fp, mut pin_f64) = (self.fp, Some(self.pin_f64));
        if let Some(slot) = bottom.saved_pin {
            self.execution.stack[fp + slot] = self.pin_f64.to_bits();
            pin_f64 = None;
        }
        let shift = |at: Position| Position {
            fp: at.fp + fp,
            pin_f64: pin_f64.unwrap_or(at.pin_f64),
            ..at
        };
        let shift_then = |then| match then {
            Then::Continue(at) => Then::Continue(shift(at)),
            Then::Return { from, header } => Then::Return { from: shift(from), header },
            Then::Finish => Then::Finish,
        };
        self.execution.state = match upper.state {
            State::Code(at) => State::Code(shift(at)),
            State::HostCall { func, caller, base, params, then } => {
                let (base, then) = (base + fp, shift_then(then));
                State::HostCall { func, caller, base, params, then }
            }
            State::Throw { exception, then } => State::Throw { exception, then: shift_then(then) },
            over @ (State::Failed(_) | State::Over) => over,
        };
        self.store.give_stack(upper.stack);
        Ok(())
    }

    /// Makes the value stack at least so long.
    fn reserve(&mut self, slots: usize) -> Result<(), Error> {
        let stack = &mut self.execution.stack;
        if slots <= stack.len() {
            return Ok(());
        }
        if slots > self.store.max_stack.saturating_mul(LARGER) {
            return Err(Trap::StackOverflow.into());
        }
        if !stack.grow(slots.max((2 * stack.len()).min(self.store.max_stack))) {
            return Err(Trap::StackOverflow.into());
        }
        Ok(())
    }
}

/// The outermost frame of an execution.
struct Bottom {
    instance: InstanceAddr,
    /// The slot of its header.
    header: usize,
    /// The slot that keeps the pinned `f64` of whoever has called the execution, if some frame has one.
    saved_pin: Option<usize>,
    /// How many slots all frames take.
    used: usize,
}

impl Execution {
    fn bottom(&self, store: &StoreInner) -> Option<Bottom> {
        let (mut at, mut leaves, mut is_behind) = match self.state {
            State::Code(at) => (at, false, false),
            State::HostCall { then, .. } | State::Throw { then, .. } => match then {
                Then::Continue(at) => (at, false, true),
                Then::Return { from, .. } => (from, true, false),
                Then::Finish => return None,
            },
            State::Failed(_) | State::Over => return None,
        };
        let used = at.fp + code_of(store.instance(at.instance)).frame_size();
        let mut crossings = self.crossings.iter().rev();
        let mut saved_pin = None;
        loop {
            let op = at.ip - u32::from(is_behind);
            let (header, saved) = code_of(store.instance(at.instance)).frame(op)?;
            // Who leaves has restored it already.
            if let (Some(slot), false) = (saved, leaves) {
                saved_pin = Some(at.fp + usize::from(slot));
            }
            (leaves, is_behind) = (false, true);
            let header = at.fp + usize::from(header);
            let word = *self.stack.get(header)?;
            at.ip = match word as u32 {
                STOP => return Some(Bottom { instance: at.instance, header, saved_pin, used }),
                CROSS_RETURN => {
                    let crossing = crossings.next()?;
                    at.instance = crossing.instance;
                    crossing.return_to
                }
                offset => offset,
            };
            at.fp -= (word >> 32) as usize / SLOT_SIZE as usize;
        }
    }
}

/// The tiers do not agree on what the code of a function is.
#[cold]
fn lost() -> Error {
    debug_assert!(false, "frames of compiled code are not where bytecode can go on");
    Error::msg("compiled code stopped where the interpreter cannot go on")
}
