//! Backtraces of the guest.

use super::*;
use crate::sink::Point;
use alloc::collections::BTreeMap;
use kinglet_core::{
    error::{FrameInfo, WasmBacktrace},
    types::slot_count,
};

/// Frames of a backtrace, at most: the innermost ones.
const MAX_FRAMES: usize = 64;

impl Execution {
    /// Adds where the guest stands to an error that does not say so yet, or only of what has been called.
    pub(super) fn with_backtrace(&self, store: &StoreInner, error: Error) -> Error {
        let inner = error.wasm_backtrace().map_or(0, |inner| inner.frames().len());
        if inner > 0 && !matches!(self.state, State::Failed(_)) {
            return error;
        }
        let frames = self.frames(store, MAX_FRAMES.saturating_sub(inner));
        if frames.is_empty() { error } else { error.with_backtrace(WasmBacktrace::new(frames)) }
    }

    fn frames(&self, store: &StoreInner, most: usize) -> Vec<FrameInfo> {
        let (mut at, mut exact) = match self.state {
            State::Code(position) => (position, true),
            State::HostCall { then, .. } | State::Throw { then, .. } | State::Failed(then) => {
                match then {
                    Then::Continue(from) | Then::Return { from, .. } => (from, false),
                    Then::Finish => return Vec::new(),
                }
            }
            State::Over => return Vec::new(),
        };
        let mut points = Points::default();
        let mut crossings = self.crossings.iter().rev();
        let mut frames = Vec::new();
        while frames.len() < most {
            let instance = store.instance(at.instance);
            let Some((func, start)) = code_of(instance).find(at.ip) else { break };
            let offset = points.find(instance, at.instance, func, at.ip - start, exact);
            let body = instance.module.body(func).map_or(0, |body| body.range.start);
            frames.push(FrameInfo {
                func,
                name: instance.module.func_name(func).map(ToString::to_string),
                module_name: instance.module.name().map(ToString::to_string),
                module_offset: offset,
                func_offset: offset.map(|offset| offset.saturating_sub(body)),
            });
            exact = false;
            let header = at.fp + slot_count(instance.module.func_type(func).params()) as usize;
            let word = self.stack[header];
            at.fp -= (word >> 32) as usize / SLOT_SIZE as usize;
            at.ip = match word as u32 {
                STOP => break,
                CROSS_RETURN => {
                    let Some(crossing) = crossings.next() else { break };
                    at.instance = crossing.instance;
                    crossing.return_to
                }
                offset => offset,
            };
        }
        frames
    }
}

/// Where ops come from, for each function that a backtrace has met.
#[derive(Default)]
struct Points(BTreeMap<(InstanceAddr, FuncIdx), Vec<Point>>);

impl Points {
    /// The offset in the binary of the op at `at` of a function's code, or of the call before it.
    fn find(
        &mut self,
        instance: &kinglet_core::runtime::instance::Instance,
        addr: InstanceAddr,
        func: FuncIdx,
        at: u32,
        exact: bool,
    ) -> Option<usize> {
        let points = self.0.entry((addr, func)).or_insert_with(|| {
            code_of(instance)
                .translated(&instance.module, func)
                .map(|translated| translated.points)
                .unwrap_or_default()
        });
        let end =
            points.partition_point(|point| if exact { point.code <= at } else { point.code < at });
        Some(points[end.checked_sub(1)?].offset as usize)
    }
}
