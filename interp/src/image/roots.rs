//! Where functions of an artifact have managed references, for whoever collects garbage: what the check knows of slots, found out once more
//! for each function that a collection meets.

use super::{
    Code, Tables,
    flow::{self, Body, Fail, Flow, Get, Joins},
    states::{State, States},
    types::Types,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use kinglet_core::{Shared, error::Error, index::FuncIdx, module::Module, sync::Mutex};

/// What is known of the references in checked code.
#[derive(Default)]
pub(crate) struct References {
    types: Option<Types>,
    /// The functions that handle any.
    funcs: Vec<FuncIdx>,
    /// The functions that collections have met.
    maps: Mutex<BTreeMap<FuncIdx, Shared<StackMap>>>,
}

impl References {
    pub(super) fn new(types: Types, funcs: Vec<FuncIdx>) -> References {
        References { types: Some(types), funcs, maps: Mutex::default() }
    }

    /// Where a function has managed references, if it handles any; the code is the one that has been checked.
    pub(crate) fn stack_map(
        &self,
        module: &Module,
        (code, tables): (Code<'_>, Tables<'_>),
        func: FuncIdx,
    ) -> Result<Option<Shared<StackMap>>, Error> {
        let Some(types) = self.types.as_ref().filter(|_| self.funcs.binary_search(&func).is_ok())
        else {
            return Ok(None);
        };
        let mut maps = self.maps.lock();
        if let Some(map) = maps.get(&func) {
            return Ok(Some(map.clone()));
        }
        let map = Shared::new(StackMap::new(module, code, &tables, types, func)?);
        maps.insert(func, map.clone());
        Ok(Some(map))
    }
}

/// Where slots of a function begin and cease to hold managed references, in the order of its code. It is as large as the function, however
/// many hold some at a time: now and then it says of all of them.
#[derive(Debug, Default)]
pub(crate) struct StackMap {
    changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    /// From this offset of the function on.
    at: u32,
    /// The slot that holds a reference now, or holds none any more. `None`: what follows is all that there is.
    slot: Option<(u16, bool)>,
}

impl StackMap {
    fn new(
        module: &Module,
        code: Code<'_>,
        tables: &Tables<'_>,
        types: &Types,
        func: FuncIdx,
    ) -> Result<StackMap, Error> {
        let body = Body::of(module, code, tables, func)?;
        let mut states = States::default();
        flow::read_states(&mut states, &body, tables, types)?;
        let mut flow = Flow::new(module, code, types, tables.frame_size());
        flow.note_changes();
        let mut notes = Notes {
            states: &states,
            types,
            next: 0,
            map: StackMap::default(),
            held: BTreeSet::new(),
            since: 0,
        };
        flow.function(&body, &mut notes)?;
        Ok(notes.map)
    }

    /// See [`Code::managed_slots`](crate::Code::managed_slots).
    pub(crate) fn slots(&self, at: u32, exact: bool, slot: impl FnMut(usize)) {
        let end = self
            .changes
            .partition_point(|change| if exact { change.at <= at } else { change.at < at });
        let changes = &self.changes[..end];
        let start = changes.iter().rposition(|change| change.slot.is_none()).map_or(0, |at| at + 1);
        let mut slots = BTreeSet::new();
        for &(slot, is_held) in changes[start..].iter().filter_map(|change| change.slot.as_ref()) {
            if is_held {
                slots.insert(slot)
            } else {
                slots.remove(&slot)
            };
        }
        slots.into_iter().map(usize::from).for_each(slot);
    }
}

/// Takes notes on a walk over a function that has been checked.
struct Notes<'a> {
    states: &'a States,
    types: &'a Types,
    /// The number of the next op that has a state.
    next: usize,
    map: StackMap,
    /// The slots that hold managed references.
    held: BTreeSet<u16>,
    /// How many changes there have been since all of them were said.
    since: usize,
}

impl Joins for Notes<'_> {
    fn arrive(&mut self, at: u32, state: &mut State, _: &Types) -> Result<usize, Fail> {
        if let Some((op, slots)) = self.states.nth(self.next)
            && op == at
        {
            self.next += 1;
            state.become_these(slots);
        }
        Ok(0)
    }

    fn leave(&mut self, _: u32, _: Get<'_>, _: &Types) -> Result<usize, Fail> {
        Ok(0)
    }

    fn note(&mut self, at: u32, state: &mut State) {
        for (slot, held) in state.changes.iter_mut().flat_map(|changes| changes.drain(..)) {
            let is_held = held.is_some_and(|held| self.types.is_managed(held));
            let is_new = if is_held { self.held.insert(slot) } else { self.held.remove(&slot) };
            if is_new {
                self.map.changes.push(Change { at, slot: Some((slot, is_held)) });
                self.since += 1;
            }
        }
        if self.since > 2 * self.held.len() + 16 {
            let all = self.held.iter().map(|&slot| Some((slot, true)));
            self.map.changes.extend([None].into_iter().chain(all).map(|slot| Change { at, slot }));
            self.since = 0;
        }
    }
}
