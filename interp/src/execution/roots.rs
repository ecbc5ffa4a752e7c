//! The managed references that an execution holds, for whoever collects garbage.
//!
//! Wherever that can happen, all of them are in slots. Which slots these are says, for each function that stands on the stack, its
//! [code](Code::managed_slots).

use super::*;
use core::slice;
use kinglet_core::{runtime::vmctx::activation::Frames, types::slot_count};

/// An execution that stands still, possibly in the middle of a call of the host.
pub(super) struct Standing<'e> {
    /// The value stack. The host may be writing to slots that hold arguments and results of its function; those are not read.
    stack: *const u64,
    len: usize,
    crossings: &'e [Crossing],
    pub(super) at: At,
    loose: Option<Loose>,
}

/// Values that are on the way from or to a function, and stand from a slot on.
#[derive(Clone, Copy)]
pub(super) enum Loose {
    /// Its arguments.
    Params(FuncAddr, usize),
    /// Its results.
    Results(FuncAddr, usize),
    /// What it has thrown.
    Exception(u32),
}

/// Where an execution stands.
#[derive(Clone, Copy)]
pub(super) enum At {
    /// Before an op, which has its operands.
    Op(Position),
    /// Behind a call.
    Call(Position),
    /// In a function whose frame is done with.
    Leaving(Position),
    /// Nowhere.
    Nowhere,
}

impl From<Then> for At {
    fn from(then: Then) -> At {
        match then {
            Then::Continue(at) => At::Call(at),
            Then::Return { from, .. } => At::Leaving(from),
            Then::Finish => At::Nowhere,
        }
    }
}

impl Execution {
    /// The execution, for somebody who looks for its references while its registers are somewhere else.
    pub(super) fn standing(&self, at: At) -> Standing<'_> {
        Standing {
            stack: self.stack.as_ptr(),
            len: self.stack.len(),
            crossings: &self.crossings,
            at,
            loose: None,
        }
    }

    /// Sees to it that what it refers to stays, while it is in the embedder's hands.
    pub(super) fn hold(&mut self, store: &mut StoreInner) -> Result<(), Error> {
        let (at, loose) = match self.state {
            // Of the first frame, only the arguments are in place.
            State::Code(_) if self.begins.is_some() => {
                (At::Nowhere, self.begins.map(|func| Loose::Params(func, 0)))
            }
            State::Code(at) => (At::Op(at), None),
            State::HostCall { func, base, then, .. } => {
                (then.into(), Some(Loose::Params(func, base)))
            }
            State::Throw { exception, then } => (then.into(), Some(Loose::Exception(exception))),
            State::Failed(_) | State::Over => (At::Nowhere, None),
        };
        self.hold_at(store, at, loose)
    }

    pub(super) fn hold_at(
        &mut self,
        store: &mut StoreInner,
        at: At,
        loose: Option<Loose>,
    ) -> Result<(), Error> {
        self.held = None;
        if cfg!(not(feature = "gc")) || !store.heap.is_used() {
            return Ok(());
        }
        let standing = Standing { loose, ..self.standing(at) };
        let mut roots = Vec::new();
        standing.roots(store, &mut |root| roots.push(root))?;
        self.held = Some(store.heap.roots.hold(&roots));
        Ok(())
    }
}

impl Standing<'_> {
    fn word(&self, slot: usize) -> u64 {
        assert!(slot < self.len, "a slot outside of the value stack");
        // SAFETY: the stack is as long as that, and stays where it is while the execution stands still.
        unsafe { self.stack.add(slot).read() }
    }
}

impl Frames for Standing<'_> {
    fn roots(&self, store: &StoreInner, root: &mut dyn FnMut(u32)) -> Result<(), Error> {
        let (types, mut slot) = match self.loose {
            Some(Loose::Params(func, slot)) => (store.func_type(func).params(), slot),
            Some(Loose::Results(func, slot)) => (store.func_type(func).results(), slot),
            Some(Loose::Exception(exception)) => {
                root(exception);
                (&[][..], 0)
            }
            None => (&[][..], 0),
        };
        for ty in types {
            if ty.is_managed() {
                root(self.word(slot) as u32);
            }
            slot += slot_count(slice::from_ref(ty)) as usize;
        }
        let mut at = match self.at {
            At::Op(at) | At::Call(at) | At::Leaving(at) => at,
            At::Nowhere => return Ok(()),
        };
        let mut innermost = true;
        let mut crossings = self.crossings.iter().rev();
        loop {
            at.ip = match at.ip {
                STOP => return Ok(()),
                CROSS_RETURN => {
                    let Some(crossing) = crossings.next() else { return Ok(()) };
                    at.instance = crossing.instance;
                    crossing.return_to
                }
                offset => offset,
            };
            let instance = store.instance(at.instance);
            let (code, module) = (code_of(instance), &*instance.module);
            let is_behind = !innermost || matches!(self.at, At::Call(_));
            let Some((func, start)) = code.find(at.ip - u32::from(is_behind)) else {
                return Err(Error::msg("no function stands there"));
            };
            if !(innermost && matches!(self.at, At::Leaving(_))) {
                let exact = innermost && matches!(self.at, At::Op(_));
                code.managed_slots(module, func, at.ip - start, exact, |slot| {
                    root(self.word(at.fp + slot) as u32);
                })?;
            }
            innermost = false;
            let header = at.fp + slot_count(module.func_type(func).params()) as usize;
            let word = self.word(header);
            at.fp -= (word >> 32) as usize / SLOT_SIZE as usize;
            at.ip = word as u32;
        }
    }
}
