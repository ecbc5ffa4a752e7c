//! Exceptions: finding who catches one, and going there.
//!
//! The search changes nothing. Until it has found a handler, all frames are still there, and where none catches, they are what
//! the backtrace shows.

use super::{
    functions::Call,
    stop::{Callee, End},
    walk::{Frames, Here},
};
use crate::notes::{At, Clause, Kind};
use kinglet_core::{
    index::{InstanceAddr, TagAddr},
    runtime::native::Then,
};
use std::slice;

/// An exception on its way.
#[derive(Clone, Copy)]
pub(super) enum Thrown {
    /// Just thrown: it is no object yet, and what it carries stands here.
    #[cfg_attr(not(feature = "gc"), allow(dead_code, reason = "nothing throws"))]
    Values(TagAddr, *const u64),
    /// An object.
    Object(u32),
}

/// What it costs in fuel to look at a frame. A clause costs one unit.
const FRAME_COST: u64 = 10;

/// A search that has looked at all that it may.
struct Exhausted;

impl Call {
    /// Lands where an exception is caught, or fails with it.
    pub(super) fn raise(self, here: Here, thrown: Thrown, callee: Callee) -> End {
        let store = self.store();
        let tag = match thrown {
            Thrown::Values(tag, _) => tag,
            Thrown::Object(object) => store.exception(object).0,
        };
        loop {
            let mut frames = here.frames(None);
            let metered = !frames.is_over() && frames.code().options.metered;
            // SAFETY: STOPPED.
            let mut fuel = if metered { unsafe { (*self.vm()).fuel } } else { u64::MAX };
            match self.handler(&mut frames, tag, &mut fuel) {
                Ok(clause) => {
                    if metered {
                        // SAFETY: STOPPED.
                        let had = unsafe { std::mem::replace(&mut (*self.vm()).fuel, fuel) };
                        self.store().left.paid += had - fuel;
                    }
                    let caught = match clause {
                        Some(clause) => self.land(here, thrown, &frames, &clause),
                        None => self.object(here, thrown).and_then(|object| {
                            let error = self.store().throw(object).into();
                            Err(End::Error(here, error, callee))
                        }),
                    };
                    return caught.err().unwrap_or(End::Landed);
                }
                Err(Exhausted) => {
                    let Err(then) = self.supply_more() else { continue };
                    let cost = if let Then::OutOfFuel(cost) = then { Some(cost) } else { None };
                    return match self.object(here, thrown) {
                        Ok(object) => self.stop_at(here, Then::Throw(object, cost), None),
                        Err(end) => end,
                    };
                }
            }
        }
    }

    /// Sees to it that the search can begin once more, with at least twice as much fuel, so that it is not for long. It gives up only when all
    /// that there is does not suffice: how much of it is in the slice is of no interest, nor in which tier the search has begun.
    fn supply_more(self) -> Result<(), Then> {
        // SAFETY: STOPPED.
        let had = unsafe { (*self.vm()).fuel };
        let store = self.store();
        if store.consume_fuel && store.fuel > 0 {
            let all = store.fuel.saturating_add(had);
            return self.supply(had.saturating_mul(2).max(FRAME_COST).min(all));
        }
        let paid = store.left.paid;
        let supplied = self.supply(had.saturating_add(paid).saturating_mul(2).max(FRAME_COST));
        if let Err(Then::OutOfFuel(_)) = supplied {
            let store = self.store();
            store.fuel = store.fuel.saturating_add(paid);
            store.left.owed += std::mem::take(&mut store.left.paid);
        }
        supplied
    }

    /// Looks for a handler, frame by frame, as long as the fuel lasts.
    fn handler(
        self,
        frames: &mut Frames,
        tag: TagAddr,
        fuel: &mut u64,
    ) -> Result<Option<Clause>, Exhausted> {
        while !frames.is_over() {
            let site = frames.site();
            // Who calls in place of itself is not there any more, even where its frame is.
            if site.kind != Kind::TailCall {
                *fuel = fuel.checked_sub(FRAME_COST).ok_or(Exhausted)?;
                // SAFETY: STOPPED: it is an instance of the store.
                let addr = InstanceAddr(unsafe { (*frames.instance()).addr });
                let instance = self.store().instance(addr);
                for clause in frames.notes().clauses(site) {
                    *fuel = fuel.checked_sub(1).ok_or(Exhausted)?;
                    if clause.tag.is_none_or(|index| instance.tag(index) == tag) {
                        return Ok(Some(clause.clone()));
                    }
                }
            }
            frames.leave();
        }
        Ok(None)
    }

    /// Gives a handler in the frame that the walk stands at what the exception carries, and says where to go on.
    fn land(self, here: Here, thrown: Thrown, frames: &Frames, clause: &Clause) -> Result<(), End> {
        let reference = match clause.reference {
            Some(at) if clause.wanted => Some((at, u64::from(self.object(here, thrown)?))),
            Some(at) => Some((at, 0)),
            None => None,
        };
        let base = frames.code().memory.base().addr();
        let saved = frames.saved();
        let mut landing = [0; 16];
        landing[0] = base + (frames.function().start + clause.target) as usize;
        landing[1] = frames.sp();
        landing[2] = frames.instance().addr();
        landing[3..3 + saved.len()].copy_from_slice(saved);
        let mut write = |at: At, bits: u64| match at {
            At::Nowhere | At::Const(_) => {}
            // SAFETY: STOPPED: the frame has a value there, which the code of the clause expects.
            At::Stack(at) => unsafe { ((frames.sp() + at as usize) as *mut u64).write(bits) },
            At::Reg(reg) => {
                let at = frames.saved_index(reg).expect("a handler gets nothing in such registers");
                landing[3 + at] = bits as usize;
            }
        };
        if clause.tag.is_some() {
            let values = match thrown {
                // SAFETY: STOPPED: the code has put them there.
                Thrown::Values(tag, values) => unsafe {
                    slice::from_raw_parts(values, self.store().tag(tag).slots())
                },
                Thrown::Object(object) => self.store().exception(object).1,
            };
            for (to, &bits) in frames.notes().caught(clause).iter().zip(values) {
                write(to.at, bits);
            }
        }
        if let Some((at, object)) = reference {
            write(at, object);
        }
        // SAFETY: STOPPED.
        unsafe { (*self.vm()).landing = landing };
        Ok(())
    }

    /// The exception as an object. If it is none yet, it is thrown from where compiled code stands.
    fn object(self, here: Here, thrown: Thrown) -> Result<u32, End> {
        match thrown {
            Thrown::Values(tag, at) => {
                let (store, data) = (self.store(), self.data());
                // SAFETY: STOPPED: the code has put them there.
                let values = unsafe { slice::from_raw_parts(at, store.tag(tag).slots()) };
                let standing = here.standing(Some(at));
                let object =
                    store.during(&standing, |store| store.new_exception(data, tag, values));
                self.refresh();
                Ok(object?)
            }
            Thrown::Object(object) => Ok(object),
        }
    }
}
