//! Exceptions: finding who catches one, and going there.
//!
//! The search changes nothing. Until it has found a handler, all frames are still there, and where none catches, they are
//! what the backtrace shows.

use super::{roots::At, *};
use crate::{code::Unwind, handlers::Clause};
use kinglet_core::index::{TagAddr, TagIdx};

/// An exception on its way.
#[derive(Clone, Copy)]
enum Thrown {
    /// Just thrown: what it carries stands in slots from `at` on, and it is no object yet.
    Values { tag: TagAddr, at: usize },
    /// An object.
    Object(u32),
}

/// What a frame is doing when an exception gets there.
#[derive(Clone, Copy)]
pub(super) enum Doing {
    /// It throws.
    Throw,
    /// It has called; its position is the one to return to.
    Call,
    /// It is about to return, and catches nothing any more. Its header is in this slot.
    Return(u16),
}

/// Who catches an exception.
struct Handler {
    clause: Clause,
    /// Where to go on.
    position: Position,
    /// Crossings that are not left.
    crossings: usize,
}

/// What it costs in fuel to look at a frame. A clause costs one unit.
const FRAME_COST: u64 = 10;

/// A search that has looked at all that it may.
struct Exhausted;

impl Machine<'_> {
    /// `tag, base`
    pub(super) fn throw(&mut self) -> Result<Flow, Error> {
        let tag = TagIdx(self.operand(0));
        let at = self.fp() + usize::from(self.operand::<u16>(4));
        let tag = self.store.instance(InstanceAddr(self.cx.instance)).tag(tag);
        self.raise(Thrown::Values { tag, at })
    }

    /// `exception`
    pub(super) fn throw_ref(&mut self) -> Result<Flow, Error> {
        let slot = self.fp() + usize::from(self.operand::<u16>(0));
        match self.execution.stack[slot] as u32 {
            0 => Err(Trap::NullReference.into()),
            exception => self.raise(Thrown::Object(exception)),
        }
    }

    fn raise(&mut self, thrown: Thrown) -> Result<Flow, Error> {
        self.execution.left.clear();
        Ok(match self.unwind(thrown, self.position(), Doing::Throw)? {
            Unwound::To(position) => {
                self.load(position)?;
                Flow::Code
            }
            Unwound::Stopped(exit) => Flow::Exit(exit),
        })
    }

    /// A host function has failed. If it throws an exception, that is thrown on from where it was called.
    #[cold]
    pub(super) fn host_failed(&mut self, error: Error, then: Then) -> Result<Flow, Error> {
        match self.store.thrown(&error) {
            Some(exception) => {
                self.execution.left.clear();
                self.execution.state = State::Throw { exception, then };
                Ok(Flow::State)
            }
            None => Err(error.from_host()),
        }
    }

    /// Throws an exception of a host function on.
    pub(super) fn throw_from_host(
        &mut self,
        exception: u32,
        then: Then,
    ) -> Result<Option<Exit>, Error> {
        if cfg!(not(feature = "gc")) {
            // Nobody has thrown it, so nobody need be able to catch it.
            return Err(Trap::UnreachableCodeReached.into());
        }
        let (from, doing) = match then {
            Then::Continue(from) => (from, Doing::Call),
            Then::Return { from, header } => (from, Doing::Return(header)),
            Then::Finish => return Err(self.store.throw(exception).into()),
        };
        Ok(match self.unwind(Thrown::Object(exception), from, doing)? {
            Unwound::To(position) => {
                self.execution.state = State::Code(position);
                None
            }
            Unwound::Stopped(exit) => Some(exit),
        })
    }

    /// Sees to it that the search can begin once more, with at least twice as much fuel, so that it is not for long. It gives up only when all
    /// that there is does not suffice: how much of it is in the slice is of no interest, nor in which tier the search has begun.
    fn supply_more(&mut self) -> Option<Exit> {
        let had = self.cx.fuel;
        if self.store.consume_fuel && self.store.fuel > 0 {
            let all = self.store.fuel.saturating_add(had);
            return self.supply(had.saturating_mul(2).max(FRAME_COST).min(all));
        }
        let paid = self.execution.left.paid;
        let exit = self.supply(had.saturating_add(paid).saturating_mul(2).max(FRAME_COST));
        if exit == Some(Exit::OutOfFuel) {
            self.store.fuel = self.store.fuel.saturating_add(paid);
            self.execution.left.owed += core::mem::take(&mut self.execution.left.paid);
        }
        exit
    }

    /// Goes where an exception is caught, or fails with it.
    fn unwind(&mut self, thrown: Thrown, from: Position, doing: Doing) -> Result<Unwound, Error> {
        let tag = match thrown {
            Thrown::Values { tag, .. } => tag,
            Thrown::Object(object) => self.store.exception(object).0,
        };
        let metered = code_of(self.store.instance(from.instance)).is_metered();
        loop {
            let mut fuel = if metered { self.cx.fuel } else { u64::MAX };
            let owed = self.execution.left.owed;
            let found = fuel.checked_sub(owed).ok_or(Exhausted).and_then(|rest| {
                fuel = rest;
                self.execution.handler(self.store, tag, from, doing, &mut fuel)
            });
            match found {
                Ok(handler) => {
                    let left = &mut self.execution.left;
                    left.owed = 0;
                    if metered {
                        left.paid += self.cx.fuel - fuel;
                        self.cx.fuel = fuel;
                    }
                    return match handler {
                        Some(handler) => self
                            .execution
                            .catch(self.store, self.data, thrown, from, handler)
                            .map(Unwound::To),
                        None => {
                            let object =
                                self.execution.object(self.store, self.data, thrown, from)?;
                            Err(self.store.throw(object).into())
                        }
                    };
                }
                Err(Exhausted) => {
                    if let Some(exit) = self.supply_more() {
                        return Ok(Unwound::Stopped(exit));
                    }
                }
            }
        }
    }
}

/// What has become of an exception that was not the end.
enum Unwound {
    /// It has been caught. The execution goes on there.
    To(Position),
    /// It has not been caught yet, and nothing has changed.
    Stopped(Exit),
}

impl Execution {
    /// Answers the call of an asynchronous host function with an error. If that throws an exception, the execution goes on,
    /// for it may catch it.
    ///
    /// # Errors
    /// The error, if it throws none. Or there is no memory to keep alive what the execution refers to.
    pub fn resume_with(&mut self, store: &mut StoreInner, error: Error) -> Result<(), Error> {
        let State::HostCall { then, .. } = self.state else { return Err(error) };
        let Some(exception) = store.thrown(&error) else { return Err(error) };
        self.left.clear();
        self.state = State::Throw { exception, then };
        self.hold(store)
    }

    /// Leaves the frames up to a handler, and gives it what the exception carries. Answers where to go on.
    fn catch(
        &mut self,
        store: &mut StoreInner,
        data: &mut dyn Any,
        thrown: Thrown,
        from: Position,
        Handler { clause, position, crossings }: Handler,
    ) -> Result<Position, Error> {
        // This may fail, and has to come first for it.
        let reference = match clause.reference {
            Some(slot) if clause.wanted => Some((slot, self.object(store, data, thrown, from)?)),
            Some(slot) => Some((slot, 0)),
            None => None,
        };
        let to = position.fp + usize::from(clause.slot);
        if clause.tag.is_some() {
            match thrown {
                Thrown::Values { tag, at } => {
                    self.stack.copy_within(at..at + store.tag(tag).slots(), to);
                }
                Thrown::Object(object) => {
                    let (_, values) = store.exception(object);
                    self.stack[to..to + values.len()].copy_from_slice(values);
                }
            }
        }
        if let Some((slot, object)) = reference {
            self.stack[position.fp + usize::from(slot)] = u64::from(object);
        }
        self.crossings.truncate(crossings);
        Ok(position)
    }

    /// The exception as an object. If it is none yet, it is thrown from the op at `from`.
    fn object(
        &self,
        store: &mut StoreInner,
        data: &mut dyn Any,
        thrown: Thrown,
        from: Position,
    ) -> Result<u32, Error> {
        match thrown {
            Thrown::Values { tag, at } => {
                let values = &self.stack[at..at + store.tag(tag).slots()];
                let standing = self.standing(At::Op(from));
                store.during(&standing, |store| store.new_exception(data, tag, values))
            }
            Thrown::Object(object) => Ok(object),
        }
    }

    /// Looks for a handler, frame by frame, as long as the fuel lasts.
    fn handler(
        &self,
        store: &StoreInner,
        tag: TagAddr,
        mut at: Position,
        mut doing: Doing,
        fuel: &mut u64,
    ) -> Result<Option<Handler>, Exhausted> {
        let mut crossings = self.crossings.len();
        let mut instance = store.instance(at.instance);
        loop {
            let fits = |index: TagIdx| instance.tag(index) == tag;
            let header = match doing {
                Doing::Return(header) => header,
                Doing::Throw | Doing::Call => {
                    let mut left = fuel.checked_sub(FRAME_COST).ok_or(Exhausted)?;
                    // What a call returns to may be outside already of what it is in.
                    let op = at.ip - u32::from(matches!(doing, Doing::Call));
                    let unwind = code_of(instance).unwind(op, fits, &mut left);
                    *fuel = left;
                    match unwind.ok_or(Exhausted)? {
                        Unwind::Caught(clause) => {
                            let position = Position { ip: clause.target, acc: 0, ..at };
                            return Ok(Some(Handler { clause, position, crossings }));
                        }
                        Unwind::Leave { header, saved_pin } => {
                            if let Some(slot) = saved_pin {
                                let bits = self.stack[at.fp + usize::from(slot)];
                                at.pin_f64 = f64::from_bits(bits);
                            }
                            header
                        }
                    }
                }
            };
            let header = at.fp + usize::from(header);
            let word = self.stack[header];
            at.pin = self.stack[header + 1];
            at.fp -= (word >> 32) as usize / SLOT_SIZE as usize;
            at.ip = match word as u32 {
                STOP => return Ok(None),
                CROSS_RETURN => {
                    crossings -= 1;
                    let Crossing { instance: caller, return_to, .. } = self.crossings[crossings];
                    at.instance = caller;
                    instance = store.instance(caller);
                    return_to
                }
                offset => offset,
            };
            doing = Doing::Call;
        }
    }
}
