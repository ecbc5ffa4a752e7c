//! The instructions for exceptions from before `try_table`: `try`, `catch`, `catch_all`, `rethrow`, `delegate`.
//!
//! They become the same tables. The handlers of a `try` stand behind its body, as the block's other arms. In each of them, the slot
//! of the lowest operand belongs to a reference to the exception, for `rethrow`.

use super::{Catch, Loc, Num, Operand, Run, Sink, control::Frame, num};
use crate::{index::TagIdx, types::slot_count};
use wasmparser::{BlockType, FrameKind};

impl<S: Sink> Run<'_, S> {
    pub(super) fn visit_try(&mut self, ty: BlockType) {
        self.enter(FrameKind::LegacyTry, ty);
        if self.dead == 0 {
            let number = self.begin_try();
            if let Some(frame) = self.t.frames.last_mut() {
                frame.number = number;
            }
        }
    }

    pub(super) fn visit_catch(&mut self, tag: u32) {
        self.enter_catch(FrameKind::LegacyCatch, Some(TagIdx(tag)));
    }

    pub(super) fn visit_catch_all(&mut self) {
        self.enter_catch(FrameKind::LegacyCatchAll, None);
    }

    fn enter_catch(&mut self, kind: FrameKind, tag: Option<TagIdx>) {
        if self.dead > 1 {
            if let Some(last) = self.t.dead.last_mut() {
                *last = kind;
            }
            return;
        }
        let Some(frame) = self.t.frames.last_mut() else { return };
        let (height, ty, label, tries) = (frame.height, frame.ty, frame.label, frame.tries);
        let number = frame.number;
        let ends_body = core::mem::replace(&mut frame.kind, kind) == FrameKind::LegacyTry;
        if self.dead == 0 {
            self.place_results(height, ty.result_slots(self.module));
            if let Some(label) = label {
                self.sink.jump(label, false);
            }
        }
        if ends_body {
            self.end_try(tries, tries);
        }
        self.dead = 0;
        self.truncate(height);
        let params = tag.map_or(&[][..], |tag| self.module.tag_type(tag).params());
        let types = [Num::handle].into_iter().chain(params.iter().copied().map(num));
        let to = self.sink.bind_handler(number, height, types);
        self.push_temp(Num::handle);
        self.push_types(params);
        let clause = Catch {
            tag,
            to,
            height: height + 1,
            slots: slot_count(params),
            reference: Some(height),
            wanted: false,
            goes_back: false,
        };
        if let Some(frame) = self.t.frames.last_mut() {
            frame.clauses.push(clause);
        }
    }

    /// The end of the whole: now it is known what is caught.
    pub(super) fn end_old_try(&mut self, frame: &Frame<S::Label, S::FuelPoint>) {
        if frame.kind == FrameKind::LegacyTry {
            self.end_try(frame.tries, frame.tries);
        }
        self.sink.catch(frame.number, &frame.clauses);
    }

    pub(super) fn visit_rethrow(&mut self, depth: u32) {
        let at = self.t.frames.len() - 1 - depth as usize;
        let frame = &mut self.t.frames[at];
        if let Some(clause) = frame.clauses.last_mut() {
            clause.wanted = true;
        }
        let height = frame.height;
        self.note_live(self.height());
        self.sink.throw_ref(Operand { loc: Loc::Temp, height });
        self.die();
    }

    pub(super) fn visit_delegate(&mut self, depth: u32) {
        if self.dead <= 1 {
            // Labels count from outside of the block.
            let at = self.t.frames.len() - 1;
            let to = &self.t.frames[at - 1 - depth as usize];
            // To a block that catches, or to whoever catches around it.
            let catches = matches!(to.kind, FrameKind::LegacyTry | FrameKind::TryTable);
            let outer = to.tries + u32::from(catches);
            self.t.frames[at].kind = FrameKind::Block;
            self.end_try(self.t.frames[at].tries, outer);
        }
        self.visit_end();
    }
}
