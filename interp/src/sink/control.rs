//! Labels, jumps, calls; and what the translator calls, in one place.

use super::{Arg, Builder, CLASSES, Comparison, Fixup, Label, class};
use crate::{
    exec::regs::FRAME_HEADER,
    forms::{code, row},
    handlers::Clause,
    kinds::{CONDITION, LISTS, REFERENCE},
};
use kinglet_core::{
    error::Error,
    index::{GlobalIdx, TagIdx, TypeIdx},
    op::{Num, Op},
    translate::{Callee, Catch, Live, Loc, MemArg, Operand, Shape, Sink},
    types::{FuncType, ValType, slot_count},
};
#[cfg(feature = "gc")]
use kinglet_core::{translate::Access, types::CastTarget};

impl Sink for Builder {
    type Label = u32;
    type FuelPoint = usize;

    fn begin(&mut self, shape: &Shape<'_>) -> Result<(), Error> {
        self.start(shape);
        let pin = self.pins[0].map_or(0, |local| self.local_slot(local));
        self.slot(pin);
        if self.locals > self.params {
            let first = self.local_slot(self.params);
            self.op(code::ZERO);
            self.slot(first);
            self.slot(self.locals - self.params);
            self.slot(pin);
        }
        if let (Some(save), Some(local)) = (self.saved_pin, self.pins[2]) {
            let local = self.local_slot(local);
            self.op(code::SAVE_PIN);
            self.slot(save);
            self.slot(local);
        }
        self.last = None;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        debug_assert!(
            self.labels.iter().all(|l| l.fixup == 0),
            "every label that is jumped to is bound"
        );
        self.finish()
    }

    fn position(&mut self, offset: usize) -> Result<(), Error> {
        self.offset = offset;
        self.check_size()
    }

    fn live(&mut self, refs: Live) {
        if let Some(safepoints) = &mut self.safepoints {
            safepoints.live = Some(refs);
        }
    }

    fn unary(&mut self, op: Op, a: Operand, to: u32) {
        self.emit_unary(op, a, to);
    }

    fn binary(&mut self, op: Op, a: Operand, b: Operand, to: u32) {
        self.emit_binary(op, a, b, to);
    }

    fn load(&mut self, op: Op, address: Operand, at: MemArg, to: u32) {
        self.emit_load(op, address, at, to);
    }

    fn store(&mut self, op: Op, address: Operand, value: Operand, at: MemArg) {
        self.emit_store(op, address, value, at);
    }

    fn multi(&mut self, op: Op, operands: u32, _: u32, base: u32) {
        self.settle(u32::MAX);
        let last = self.home(base + operands - 1);
        self.op(row(op).forms);
        self.slot(last - (operands - 1));
        self.forget();
    }

    fn atomic(&mut self, op: Op, at: MemArg, base: u32) {
        self.settle(u32::MAX);
        let slot = self.home(base + 2);
        // It may wait, and be interrupted.
        self.safepoint(row(op).forms);
        #[cfg(feature = "native")]
        self.note_wait(self.code.len() as u32 - 2, slot - 2);
        self.u16(at.memory.0 as u16);
        self.u64(at.offset);
        self.slot(slot - 2);
        self.forget();
    }

    fn slots(&mut self, op: Op, immediates: [u32; 2], _: u32, _: Option<Num>, base: u32) {
        self.settle(u32::MAX);
        let slot = self.home(base + 2);
        self.safepoint(row(op).forms);
        immediates.into_iter().for_each(|immediate| self.u32(immediate));
        self.slot(slot - 2);
        self.forget();
    }

    #[cfg(feature = "gc")]
    fn ref_test(&mut self, to: CastTarget, a: Operand, height: u32) {
        self.emit_ref_test(to, a, height);
    }

    #[cfg(feature = "gc")]
    fn ref_cast(&mut self, to: CastTarget, a: Operand, height: u32) {
        self.emit_ref_cast(to, a, height);
    }

    #[cfg(feature = "gc")]
    fn struct_get(&mut self, access: Access, offset: u32, object: Operand, _: Num, to: u32) {
        self.emit_struct_get(access, offset, object, to);
    }

    #[cfg(feature = "gc")]
    fn struct_set(&mut self, access: Access, offset: u32, object: Operand, value: Operand) {
        self.emit_struct_set(access, offset, object, value);
    }

    #[cfg(feature = "gc")]
    fn array_get(&mut self, access: Access, array: Operand, index: Operand, _: Num, to: u32) {
        self.emit_array_get(access, array, index, to);
    }

    #[cfg(feature = "gc")]
    fn array_set(&mut self, access: Access, array: Operand, index: Operand, value: Operand) {
        self.emit_array_set(access, array, index, value);
    }

    #[cfg(feature = "gc")]
    fn array_len(&mut self, array: Operand, to: u32) {
        self.emit_array_len(array, to);
    }

    #[cfg(feature = "simd")]
    fn vector(&mut self, op: Op, operands: &[Operand], immediate: u128, to: u32) {
        self.emit_vector(op, operands, immediate, to);
    }

    #[cfg(feature = "simd")]
    fn vector_access(&mut self, op: Op, operands: &[Operand], at: MemArg, lane: u8, to: u32) {
        self.emit_vector_access(op, operands, at, lane, to);
    }

    #[cfg(feature = "simd")]
    fn vector_const(&mut self, bits: u128, to: u32) {
        self.emit_vector_const(bits, to);
    }

    fn select(&mut self, ty: Num, condition: Operand, a: Operand, b: Operand, to: u32) {
        self.emit_select(ty, condition, a, b, to);
    }

    fn local_set(&mut self, local: u32, ty: Num, value: Operand) {
        self.emit_local_set(local, ty, value);
    }

    fn global_get(&mut self, global: GlobalIdx, ty: Num, to: u32) {
        self.emit_global_get(global, ty, to);
    }

    fn global_set(&mut self, global: GlobalIdx, ty: Num, value: Operand) {
        self.emit_global_set(global, ty, value);
    }

    fn discard(&mut self, ty: Num, value: Operand) {
        self.emit_discard(ty, value);
    }

    fn place(&mut self, ty: Num, value: Operand, to: u32) {
        self.emit_place(ty, value, to);
    }

    fn keep(&mut self, ty: Num, value: Operand) {
        self.emit_place(ty, value, value.height);
    }

    fn settle(&mut self, height: u32) {
        if self.staged.is_some_and(|staged| staged.height < height) {
            self.flush();
        }
        for class in 0..CLASSES {
            self.store_pending(class, height);
        }
    }

    fn label(&mut self, _: u32, _: impl Iterator<Item = Num>) -> u32 {
        self.labels.push(Label::default());
        self.labels.len() as u32 - 1
    }

    fn bind(&mut self, label: u32, reachable: bool) {
        let Label { fixup, catches, .. } = self.labels[label as usize];
        if reachable {
            if fixup == 0 && !catches {
                // Nobody jumps here: control only comes from above, and everything stays known.
                self.labels[label as usize].at = Some(self.code.len());
                return;
            }
            self.settle(u32::MAX);
        }
        self.staged = None;
        self.forget();
        let here = self.code.len();
        self.labels[label as usize] = Label { at: Some(here), fixup: 0, catches };
        let mut next = fixup;
        while let Some(i) = next.checked_sub(1) {
            let Fixup { at, next: other } = self.fixups[i];
            self.set_distance(at, here);
            next = other;
        }
    }

    fn bind_loop(&mut self, _: u32, _: impl Iterator<Item = Num>) -> u32 {
        self.settle(u32::MAX);
        self.forget();
        self.labels.push(Label { at: Some(self.code.len()), ..Label::default() });
        self.labels.len() as u32 - 1
    }

    fn bind_handler(&mut self, _: u32, height: u32, types: impl Iterator<Item = Num>) -> u32 {
        let label = self.label(height, types);
        self.bind(label, false);
        label
    }

    fn jump(&mut self, to: u32, metered: bool) -> Option<usize> {
        self.flush();
        if metered {
            self.safepoint(code::BR_FUEL);
            #[cfg(feature = "native")]
            self.note_fuel(self.code.len() as u32 - 2);
            self.distance(to);
            self.u32(0);
            self.last = None;
            return Some(self.code.len() - 4);
        }
        self.op(code::BR);
        self.distance(to);
        self.last = None;
        None
    }

    fn jump_if(&mut self, condition: Operand, when: bool, to: u32) {
        match self.staged.take() {
            Some(staged) if condition.loc == Loc::Temp && staged.height == condition.height => {
                self.compare_and_branch(staged, when);
            }
            other => {
                self.staged = other;
                self.flush();
                let (kind, condition) = self.take_kind(Num::u32, condition, CONDITION);
                self.op(kind + if when { code::BR_IF } else { code::BR_IF_NOT });
                self.arg(condition);
            }
        }
        self.distance(to);
        self.last = None;
    }

    fn jump_table(&mut self, index: Operand, targets: &[u32]) {
        self.flush();
        let (kind, index) = self.take_kind(Num::u32, index, CONDITION);
        self.op(code::BR_TABLE + kind);
        self.u32(targets.len() as u32 - 1);
        self.arg(index);
        for &target in targets {
            self.distance(target);
        }
        self.last = None;
    }

    fn fuel(&mut self) -> usize {
        self.safepoint(code::FUEL);
        #[cfg(feature = "native")]
        self.note_fuel(self.code.len() as u32 - 2);
        self.u32(0);
        self.last = None;
        self.code.len() - 4
    }

    fn set_cost(&mut self, point: usize, cost: u32) {
        self.code[point..point + 4].copy_from_slice(&cost.to_le_bytes());
    }

    fn call(&mut self, callee: Callee, _: TypeIdx, ty: &FuncType, base: u32) {
        let mirrored = self.emit_call(callee, ty, base, false);
        self.forget();
        if let (true, [result]) = (mirrored, ty.results())
            && *result != ValType::V128
        {
            self.accs[class(kinglet_core::translate::num(*result))].temp = Some(base);
        }
    }

    fn tail_call(&mut self, callee: Callee, _: TypeIdx, ty: &FuncType, base: u32) {
        self.emit_call(callee, ty, base, true);
        self.forget();
    }

    fn ret(&mut self, value: Option<(Num, Operand)>) {
        self.flush();
        let header = self.params;
        let Some((ty, operand)) = value else {
            self.restore_pin();
            self.op(code::RET);
            self.slot(header);
            self.last = None;
            return;
        };
        #[cfg(feature = "simd")]
        if ty == Num::v128 {
            return self.emit_vector_ret(operand);
        }
        let (mut kind, mut arg) = self.take_value(ty, operand);
        if arg == Arg::Pin && class(ty) == 2 {
            // The register is about to be the caller's again.
            (kind, arg) = (0, self.take_slot(ty, operand));
        }
        self.restore_pin();
        let first = match ty {
            Num::u32 => code::RET_I32,
            Num::f32 => code::RET_F32,
            Num::f64 => code::RET_F64,
            _ => code::RET_I64,
        };
        self.op(first + kind);
        self.slot(header);
        self.arg(arg);
        self.last = None;
    }

    fn ret_many(&mut self, base: u32, count: u32) {
        self.settle(u32::MAX);
        self.restore_pin();
        let (header, first) = (self.params, self.home(base));
        self.op(code::RET_MANY);
        self.slot(header);
        self.slot(first);
        self.slot(count);
        self.last = None;
    }

    fn begin_try(&mut self) -> u32 {
        self.handlers.begin(self.code.len() as u32)
    }

    fn end_try(&mut self, outer: u32) {
        self.handlers.end(self.code.len() as u32, outer);
    }

    fn catch(&mut self, number: u32, clauses: &[Catch<u32>]) {
        for clause in clauses {
            self.labels[clause.to as usize].catches = true;
            // The highest slot that is written: the reference stands behind the values, or in front of them.
            self.home(clause.height + clause.slots);
        }
        let first = self.home(0);
        self.handlers.catch(
            number,
            clauses.iter().map(|clause| Clause {
                tag: clause.tag,
                target: clause.to,
                slot: (first + clause.height) as u16,
                reference: clause.reference.map(|height| (first + height) as u16),
                wanted: clause.wanted,
            }),
        );
    }

    fn throw(&mut self, tag: TagIdx, _: &FuncType, base: u32) {
        // All operands are in slots where garbage can be collected.
        self.settle(u32::MAX);
        let first = self.home(base);
        self.safepoint(code::THROW);
        #[cfg(feature = "native")]
        let at = self.code.len() as u32 - 2;
        self.u32(tag.0);
        self.slot(first);
        #[cfg(feature = "native")]
        self.note_call(at, first, false);
        self.last = None;
    }

    fn throw_ref(&mut self, exception: Operand) {
        // Finding who catches it takes fuel, for which the execution may wait.
        self.settle(u32::MAX);
        let slot = self.take_slot(Num::handle, exception);
        self.safepoint(code::THROW_REF);
        #[cfg(feature = "native")]
        let at = self.code.len() as u32 - 2;
        self.arg(slot);
        #[cfg(feature = "native")]
        self.note_call(at, 0, false);
        self.last = None;
    }

    fn unreachable(&mut self) {
        self.flush();
        self.op(code::UNREACHABLE);
        self.last = None;
    }
}

impl Builder {
    /// A branch with its comparison; the distance is to follow.
    fn compare_and_branch(&mut self, staged: Comparison, when: bool) {
        let Comparison { op, pair, args, height } = staged;
        if self.is_small() && matches!(row(op).from, Num::f32 | Num::f64) {
            // There are no branches on floats in the small set.
            self.emit_comparison(staged);
            let slot = self.home(height);
            self.op(if when { code::BR_IF } else { code::BR_IF_NOT });
            return self.slot(slot);
        }
        if let (Op::I32Eq | Op::I32Ne, [value, Arg::Imm(0)]) = (op, args) {
            let first = if (op == Op::I32Ne) == when { code::BR_IF } else { code::BR_IF_NOT };
            self.op(first + value.kind() as u16);
            return self.arg(value);
        }
        let opcode = match (when, op.negated()) {
            (true, _) => row(op).branches,
            (false, Some(negated)) => row(negated).branches,
            (false, None) => row(op).branches + LISTS[usize::from(row(op).list)].len() as u16,
        };
        self.op(opcode + pair);
        args.into_iter().for_each(|arg| self.arg(arg));
    }

    /// The distance from here to a label.
    fn distance(&mut self, to: u32) {
        let at = self.code.len();
        self.u32(0);
        let label = &mut self.labels[to as usize];
        match label.at {
            Some(target) => self.set_distance(at, target),
            None => {
                self.fixups.push(Fixup { at, next: label.fixup });
                label.fixup = self.fixups.len();
            }
        }
    }

    fn set_distance(&mut self, at: usize, target: usize) {
        let distance = target as i32 - at as i32;
        self.code[at..at + 4].copy_from_slice(&distance.to_le_bytes());
    }

    /// Returns whether a single result comes in the accumulator as well.
    fn emit_call(&mut self, callee: Callee, ty: &FuncType, base: u32, tail: bool) -> bool {
        self.flush();
        let index = match callee {
            // The execution reads the operands of tail calls from slots.
            Callee::Table { index, is_64, .. } if tail => {
                Some((0, self.take_slot(index_type(is_64), index)))
            }
            Callee::Table { index, is_64, .. } => {
                Some(self.take_kind(index_type(is_64), index, CONDITION))
            }
            Callee::Ref { func } if tail => Some((0, self.take_slot(Num::u64, func))),
            Callee::Ref { func } => Some(self.take_kind(Num::u64, func, REFERENCE)),
            _ => None,
        };
        self.settle(u32::MAX);
        if tail {
            self.restore_pin();
        }
        let (params, results) = (slot_count(ty.params()), slot_count(ty.results()));
        let header = self.home(base + params + FRAME_HEADER as u32) - FRAME_HEADER as u32;
        // Functions of the host leave their results there, also when they are called in place of this one.
        self.max_height = self.max_height.max(base + results);
        let opcode = match (callee, tail) {
            (Callee::Func(_), false) => code::CALL,
            (Callee::Func(_), true) => code::TAIL_CALL,
            (Callee::Import(_), false) => code::CALL_IMPORT,
            (Callee::Import(_), true) => code::TAIL_CALL_IMPORT,
            (Callee::Table { is_64: false, .. }, false) => code::CALL_INDIRECT,
            (Callee::Table { is_64: true, .. }, false) => code::CALL_INDIRECT64,
            (Callee::Table { is_64: false, .. }, true) => code::TAIL_CALL_INDIRECT,
            (Callee::Table { is_64: true, .. }, true) => code::TAIL_CALL_INDIRECT64,
            (Callee::Ref { .. }, false) => code::CALL_REF,
            (Callee::Ref { .. }, true) => code::TAIL_CALL_REF,
        };
        self.safepoint(opcode + index.map_or(0, |(kind, _)| kind));
        #[cfg(feature = "native")]
        let at = self.code.len() as u32 - 2;
        match callee {
            Callee::Func(func) | Callee::Import(func) => self.u32(func.0),
            Callee::Table { table, ty, .. } => {
                self.u32(ty.0);
                self.u16(table.0 as u16);
            }
            Callee::Ref { .. } => {}
        }
        self.slot(header - params);
        self.slot(header);
        if tail {
            self.slot(self.params);
        }
        if let Some((_, index)) = index {
            self.arg(index);
        }
        #[cfg(feature = "native")]
        self.note_call(at, header - params, tail);
        !matches!(callee, Callee::Import(_))
    }

    /// Gives the caller its pinned `f64` local back.
    pub(super) fn restore_pin(&mut self) {
        if let Some(save) = self.saved_pin {
            self.op(code::RESTORE_PIN);
            self.slot(save);
        }
    }
}

fn index_type(is_64: bool) -> Num {
    if is_64 { Num::u64 } else { Num::u32 }
}
