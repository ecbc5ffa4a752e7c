//! Exceptions to tables of who catches what: nothing is emitted but for what throws.

use super::{Catch, Loc, Operand, Run, Sink, num};
use crate::{
    index::TagIdx,
    types::{FuncType, slot_count},
};
use wasmparser::FrameKind;

impl<S: Sink> Run<'_, S> {
    pub(super) fn visit_throw(&mut self, tag: u32) {
        let ty = self.module.tag_type(TagIdx(tag));
        let base = self.place_top(slot_count(ty.params()));
        self.note_live(self.height());
        self.sink.throw(TagIdx(tag), ty, base);
        self.die();
    }

    pub(super) fn visit_throw_ref(&mut self) {
        self.note_live(self.height());
        let (_, exception) = self.pop();
        self.sink.throw_ref(exception);
        self.die();
    }

    pub(super) fn visit_try_table(&mut self, table: wasmparser::TryTable) {
        // Without a heap that is collected, validation has refused all exceptions.
        if cfg!(not(feature = "gc")) || self.dead > 0 || table.catches.is_empty() {
            return self.enter(FrameKind::Block, table.ty);
        }
        let mut clauses = core::mem::take(&mut self.t.clauses);
        clauses.clear();
        for catch in &table.catches {
            use wasmparser::Catch::*;
            // Labels count from outside of the block.
            let (tag, depth, wants_ref) = match *catch {
                One { tag, label } => (Some(TagIdx(tag)), label, false),
                OneRef { tag, label } => (Some(TagIdx(tag)), label, true),
                All { label } => (None, label, false),
                AllRef { label } => (None, label, true),
            };
            clauses.push(self.clause(tag, depth, wants_ref));
            if tag.is_none() {
                // Nothing gets to those behind it.
                break;
            }
        }
        self.enter(FrameKind::TryTable, table.ty);
        let number = self.begin_try();
        self.sink.catch(number, &clauses);
        self.t.clauses = clauses;
    }

    /// A clause that leads to the block that is `depth` blocks further out.
    fn clause(&mut self, tag: Option<TagIdx>, depth: u32, wants_ref: bool) -> Catch<S::Label> {
        let at = self.t.frames.len() - 1 - depth as usize;
        let module = self.module;
        let frame = &mut self.t.frames[at];
        let goes_back = self.metered && frame.label.is_some() && frame.kind == FrameKind::Loop;
        let (to, height) = match frame.label {
            Some(label) if !goes_back => (label, frame.height),
            // A jump back takes fuel, and a return is more than a jump.
            label => {
                let (height, ty) = (label.map_or(0, |_| frame.height), frame.ty);
                let pad = *frame.pad.get_or_insert_with(|| match label {
                    Some(_) => self.sink.label(height, ty.slot_params(module)),
                    None => self.sink.label(height, ty.slot_results(module)),
                });
                (pad, height)
            }
        };
        let slots = tag.map_or(0, |tag| slot_count(self.module.tag_type(tag).params()));
        Catch {
            tag,
            to,
            height,
            slots,
            reference: wants_ref.then_some(height + slots),
            wanted: true,
            goes_back,
        }
    }

    pub(super) fn begin_try(&mut self) -> u32 {
        self.tries += 1;
        self.sink.begin_try()
    }

    /// Ends a `try_table`, around which `tries` others are open. What it does not catch goes to number `outer` of them.
    pub(super) fn end_try(&mut self, tries: u32, outer: u32) {
        self.tries = tries;
        self.sink.end_try(outer);
    }

    /// Emits where exceptions lead that take more than a jump: `function` stands for returning what they carry.
    pub(super) fn land(&mut self, function: Option<S::Label>) {
        if let Some(pad) = function {
            self.sink.bind(pad, false);
            match self.t.frames[0].ty.func(self.module).map_or(&[][..], FuncType::results) {
                [] => self.sink.ret(None),
                &[ty] => self.sink.ret(Some((num(ty), Operand { loc: Loc::Temp, height: 0 }))),
                results => self.sink.ret_many(0, slot_count(results)),
            }
        }
        for (pad, to, cost, live) in core::mem::take(&mut self.t.pads) {
            self.sink.bind(pad, false);
            self.say_live(live);
            if let Some(point) = self.sink.jump(to, true) {
                self.sink.set_cost(point, cost);
            }
        }
    }
}
