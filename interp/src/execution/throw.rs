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
        let from = self.position();
        match self.execution.catch(self.store, self.data, thrown, from, Doing::Throw)? {
            Some(position) => self.load(position)?,
            None => {
                let object = self.execution.object(self.store, self.data, thrown, from)?;
                return Err(self.store.throw(object).into());
            }
        }
        Ok(Flow::Code)
    }

    /// A host function that was called from where the registers stand has failed. If it throws, the guest may catch that.
    #[cold]
    pub(super) fn host_failed(&mut self, error: Error) -> Result<Flow, Error> {
        let from = self.position();
        let position = self.execution.catch_from_host(self.store, error, from, Doing::Call)?;
        self.load(position)?;
        Ok(Flow::Code)
    }
}

impl Execution {
    /// Answers the call of an asynchronous host function with an error. If that throws an exception, the execution goes on,
    /// for it may catch it.
    ///
    /// # Errors
    /// The error, if it throws none. Or there is no memory to keep alive what the execution refers to.
    pub fn resume_with(&mut self, store: &mut StoreInner, error: Error) -> Result<(), Error> {
        let State::HostCall { then, .. } = self.state else { return Err(error) };
        if !error.is::<ThrownException>() {
            return Err(error);
        }
        let Some(exception) = store.take_pending_exception() else { return Err(error) };
        self.state = State::Throw { exception, then };
        self.hold(store)
    }

    /// Where the guest goes on after the error of a host function, if that throws an exception that the guest catches.
    pub(super) fn catch_after(
        &mut self,
        store: &mut StoreInner,
        error: Error,
        then: Then,
    ) -> Result<Position, Error> {
        match then {
            Then::Continue(from) => self.catch_from_host(store, error, from, Doing::Call),
            Then::Return { from, header } => {
                self.catch_from_host(store, error, from, Doing::Return(header))
            }
            Then::Finish => Err(error),
        }
    }

    fn catch_from_host(
        &mut self,
        store: &mut StoreInner,
        error: Error,
        from: Position,
        doing: Doing,
    ) -> Result<Position, Error> {
        if !error.is::<ThrownException>() {
            return Err(error);
        }
        let Some(object) = store.take_pending_exception() else { return Err(error) };
        match self.catch(store, &mut (), Thrown::Object(object), from, doing)? {
            Some(position) => Ok(position),
            None => {
                // It goes on being this exception.
                store.throw(object);
                Err(error)
            }
        }
    }

    /// If somebody catches an exception: leaves the frames in between, and gives him what it carries.
    fn catch(
        &mut self,
        store: &mut StoreInner,
        data: &mut dyn Any,
        thrown: Thrown,
        from: Position,
        doing: Doing,
    ) -> Result<Option<Position>, Error> {
        let tag = match thrown {
            Thrown::Values { tag, .. } => tag,
            Thrown::Object(object) => store.exception(object).0,
        };
        let Some(Handler { clause, position, crossings }) = self.handler(store, tag, from, doing)
        else {
            return Ok(None);
        };
        // This may fail, and has to come first for it.
        let reference = match clause.reference {
            Some(slot) if clause.wanted => Some((slot, self.object(store, data, thrown, from)?)),
            Some(slot) => Some((slot, 0)),
            None => None,
        };
        let to = position.fp + usize::from(clause.slot);
        if clause.tag.is_some() {
            match thrown {
                Thrown::Values { at, .. } => {
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
        Ok(Some(position))
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

    /// Looks for a handler, frame by frame.
    fn handler(
        &self,
        store: &StoreInner,
        tag: TagAddr,
        mut at: Position,
        mut doing: Doing,
    ) -> Option<Handler> {
        let mut crossings = self.crossings.len();
        let mut instance = store.instance(at.instance);
        loop {
            let fits = |index: TagIdx| instance.tag(index) == tag;
            let header = match doing {
                Doing::Return(header) => header,
                Doing::Throw | Doing::Call => {
                    // What a call returns to may be outside already of what it is in.
                    let op = at.ip - u32::from(matches!(doing, Doing::Call));
                    match code_of(instance).unwind(op, fits)? {
                        Unwind::Caught(clause) => {
                            let position = Position { ip: clause.target, acc: 0, ..at };
                            return Some(Handler { clause, position, crossings });
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
                STOP => return None,
                CROSS_RETURN => {
                    crossings = crossings.checked_sub(1)?;
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
