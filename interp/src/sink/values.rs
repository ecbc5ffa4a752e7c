//! Ops that compute and move values.

use super::{Arg, Builder, Comparison, class};
use crate::{
    forms::{RowForms, code, row},
    kinds::{ADDRESS, CONDITION, Kind, LISTS, NO_PAIR, PAIRS, value_kinds},
};
use kinglet_core::{
    index::GlobalIdx,
    op::{Num, Op},
    translate::{Loc, MemArg, Operand},
};

impl Builder {
    /// Where an operand is. It is used up: nobody asks for it again.
    pub(super) fn take(&mut self, ty: Num, operand: Operand) -> Arg {
        let arg = self.locate(ty, operand);
        if let (Arg::Acc, Loc::Temp) = (arg, operand.loc)
            && let Some(producer) = &mut self.accs[class(ty)].producer
            && producer.height == operand.height
        {
            producer.pending = false;
        }
        arg
    }

    fn locate(&mut self, ty: Num, operand: Operand) -> Arg {
        let class = class(ty);
        match operand.loc {
            Loc::Const(bits) => match immediate(ty, bits) {
                Some(imm) => Arg::Imm(imm),
                None => {
                    let slot = self.home(operand.height);
                    self.constant_to_slot(bits, slot);
                    Arg::Slot(slot)
                }
            },
            Loc::Local(local) if self.is_small() => Arg::Slot(self.local_slot(local)),
            Loc::Temp if self.is_small() => Arg::Slot(self.home(operand.height)),
            Loc::Local(local) if self.pins[class] == Some(local) => Arg::Pin,
            Loc::Local(local) if self.accs[class].local == Some(local) => Arg::Acc,
            Loc::Local(local) => Arg::Slot(self.local_slot(local)),
            Loc::Temp if self.accs[class].temp == Some(operand.height) => Arg::Acc,
            Loc::Temp => Arg::Slot(self.home(operand.height)),
        }
    }

    /// Makes an operand that was found elsewhere one in a slot.
    fn demote(&mut self, ty: Num, operand: Operand, arg: Arg) -> Arg {
        let class = class(ty);
        match (arg, operand.loc) {
            (Arg::Slot(_), _) => return arg,
            (Arg::Acc, Loc::Local(local)) => return Arg::Slot(self.local_slot(local)),
            _ => {}
        }
        let slot = self.home(operand.height);
        if let Loc::Const(bits) = operand.loc {
            self.constant_to_slot(bits, slot);
        } else if arg == Arg::Pin {
            self.move_to_slot(class, arg, slot);
        } else if let Some(producer) = &mut self.accs[class].producer
            && producer.height == operand.height
        {
            if producer.fixed {
                self.move_to_slot(class, arg, slot);
            } else {
                producer.pending = true;
                self.store_pending(class, u32::MAX);
            }
        }
        Arg::Slot(slot)
    }

    /// The operand, in a slot.
    pub(super) fn take_slot(&mut self, ty: Num, operand: Operand) -> Arg {
        let arg = self.take(ty, operand);
        self.demote(ty, operand, arg)
    }

    /// The operand, in one of the first `count` kinds. Returns which.
    pub(super) fn take_kind(&mut self, ty: Num, operand: Operand, count: usize) -> (u16, Arg) {
        let mut arg = self.take(ty, operand);
        if arg.kind() as usize >= count || self.is_small() {
            arg = self.demote(ty, operand, arg);
        }
        (arg.kind() as u16, arg)
    }

    /// The operand, in any kind that a value of its type has a form for. Returns which.
    pub(super) fn take_value(&mut self, ty: Num, operand: Operand) -> (u16, Arg) {
        let mut arg = self.take(ty, operand);
        if self.is_small() {
            arg = self.demote(ty, operand, arg);
        }
        // There is no pinned `f32`, so that immediates move up.
        let kind = if ty == Num::f32 { arg.kind().min(Kind::Pin) } else { arg.kind() };
        (kind as u16, arg)
    }

    /// Two operands, in a pair of kinds that `op` has a form for; or the op that gives the same with its operands exchanged.
    fn take_pair(&mut self, op: Op, ty: Num, a: Operand, b: Operand) -> (Op, u16, [Arg; 2]) {
        let forms = row(op);
        let pairs = &PAIRS[usize::from(forms.list)];
        let small = self.is_small();
        let find = |a: Arg, b: Arg| {
            let pair = pairs[4 * a.kind() as usize + b.kind() as usize];
            if small && !has_small_form(op, a, b) { NO_PAIR } else { pair }
        };
        let (mut left, mut right) = (self.take(ty, a), self.take(ty, b));
        loop {
            let pair = find(left, right);
            if pair != NO_PAIR {
                return (op, u16::from(pair), [left, right]);
            }
            let pair = find(right, left);
            if pair != NO_PAIR && (forms.commutes || forms.compares) {
                let exchanged = op.swapped().unwrap_or(op);
                return (exchanged, u16::from(pair), [right, left]);
            }
            // Move the operand that is the least likely to have a form out of the way.
            if right.kind() >= left.kind() {
                right = self.demote(ty, b, right);
            } else {
                left = self.demote(ty, a, left);
            }
        }
    }

    pub(super) fn emit_unary(&mut self, op: Op, a: Operand, to: u32) {
        self.flush();
        let &RowForms { forms, operands, destinations, from, to: into, .. } = row(op);
        let (kind, a) = self.take_kind(from, a, usize::from(operands));
        self.op_with_result(forms + kind * u16::from(destinations), into, to);
        self.arg(a);
    }

    pub(super) fn emit_binary(&mut self, op: Op, a: Operand, b: Operand, to: u32) {
        let &RowForms { from, to: into, destinations, compares, .. } = row(op);
        if compares {
            return self.stage(op, from, a, b, to);
        }
        self.flush();
        let (op, b) = match (op, b.loc) {
            (Op::I32Sub, Loc::Const(bits)) => {
                (Op::I32Add, negated(b, u64::from((bits as u32).wrapping_neg())))
            }
            (Op::I64Sub, Loc::Const(bits)) => (Op::I64Add, negated(b, bits.wrapping_neg())),
            _ => (op, b),
        };
        let (op, pair, args) = self.take_pair(op, from, a, b);
        self.op_with_result(row(op).forms + pair * u16::from(destinations), into, to);
        args.into_iter().for_each(|arg| self.arg(arg));
    }

    /// Puts a comparison by until it is known what it is for.
    fn stage(&mut self, op: Op, ty: Num, a: Operand, b: Operand, to: u32) {
        // The opposite of a comparison that waits, by `i32.eqz`.
        if let (Op::I32Eq, Loc::Temp, Loc::Const(0), Some(staged)) = (op, a.loc, b.loc, self.staged)
            && staged.height == a.height
            && let Some(op) = staged.op.negated()
        {
            self.staged = Some(Comparison { op, ..staged });
            return;
        }
        self.flush();
        let (op, pair, args) = self.take_pair(op, ty, a, b);
        self.home(to);
        self.staged = Some(Comparison { op, pair, args, height: to });
    }

    /// Emits the comparison that waits, if there is one, for its value.
    #[inline]
    pub(super) fn flush(&mut self) {
        if let Some(staged) = self.staged.take() {
            self.emit_comparison(staged);
        }
    }

    pub(super) fn emit_comparison(&mut self, Comparison { op, pair, args, height }: Comparison) {
        let &RowForms { forms, destinations, to, .. } = row(op);
        self.op_with_result(forms + pair * u16::from(destinations), to, height);
        args.into_iter().for_each(|arg| self.arg(arg));
    }

    pub(super) fn emit_load(&mut self, op: Op, address: Operand, at: MemArg, to: u32) {
        self.flush();
        let &RowForms { destinations, to: into, .. } = row(op);
        let (forms, destinations) = (access_forms(op, at), u16::from(destinations));
        if let Some(offset) = near(at) {
            let (kind, address) = self.take_kind(Num::u32, address, ADDRESS);
            self.op_with_result(forms + kind * destinations, into, to);
            self.arg(address);
            self.u32(offset);
        } else {
            let address = self.take_slot(address_type(at), address);
            self.op_with_result(forms + ADDRESS as u16 * destinations, into, to);
            self.arg(address);
            self.u16(at.memory.0 as u16);
            self.u64(at.offset);
        }
    }

    pub(super) fn emit_store(&mut self, op: Op, address: Operand, value: Operand, at: MemArg) {
        self.flush();
        let from = row(op).from;
        let (forms, values) = (access_forms(op, at), value_kinds(from).len() as u16);
        if let Some(offset) = near(at) {
            let (a, address) = self.take_kind(Num::u32, address, ADDRESS);
            let (v, value) = self.take_value(from, value);
            self.op(forms + a * values + v);
            self.u32(offset);
            self.arg(address);
            self.arg(value);
        } else {
            let address = self.take_slot(address_type(at), address);
            let value = self.take_slot(from, value);
            self.op(forms + ADDRESS as u16 * values);
            self.arg(address);
            self.u16(at.memory.0 as u16);
            self.u64(at.offset);
            self.arg(value);
        }
    }

    pub(super) fn emit_select(
        &mut self,
        ty: Num,
        condition: Operand,
        a: Operand,
        b: Operand,
        to: u32,
    ) {
        #[cfg(feature = "simd")]
        if ty == Num::v128 {
            return self.emit_vector_select(condition, a, b, to);
        }
        self.flush();
        let (kind, condition) = self.take_kind(Num::u32, condition, CONDITION);
        let b = self.take_slot(ty, b);
        let a = self.take_slot(ty, a);
        let (first, destinations) = match class(ty) {
            0 => (code::SELECT_INT, 3),
            1 => (code::SELECT_F32, 2),
            _ => (code::SELECT_F64, 3),
        };
        self.op_with_result(first + kind * destinations, ty, to);
        self.arg(a);
        self.arg(b);
        self.arg(condition);
    }

    pub(super) fn emit_local_set(&mut self, local: u32, ty: Num, value: Operand) {
        #[cfg(feature = "simd")]
        if ty == Num::v128 {
            return self.emit_vector_local_set(local, value);
        }
        self.flush();
        let class = class(ty);
        if self.pins[class] == Some(local) {
            return self.set_pin(class, ty, value);
        }
        let slot = self.local_slot(local);
        if value.loc == Loc::Temp && self.retarget(class, value.height, slot) {
            self.overwrite(slot);
            (self.accs[class].temp, self.accs[class].local) = (None, Some(local));
            return;
        }
        if let Loc::Const(bits) = value.loc {
            return self.constant_to_slot(bits, slot);
        }
        let from = self.take(ty, value);
        self.move_to_slot(class, from, slot);
        if from == Arg::Acc {
            self.accs[class].local = Some(local);
        }
    }

    fn set_pin(&mut self, class: usize, ty: Num, value: Operand) {
        if value.loc == Loc::Temp && self.retarget_to_pin(class, value.height) {
            return;
        }
        let float = class == 2;
        if let Loc::Const(bits) = value.loc {
            self.op(if float { code::CONST_TO_PIN_F64 } else { code::CONST_TO_PIN_INT });
            return self.u64(bits);
        }
        let from = self.take(ty, value);
        let opcode = match (from, float) {
            (Arg::Pin, _) => return,
            (Arg::Acc, false) => code::ACC_TO_PIN_INT,
            (Arg::Acc, true) => code::ACC_TO_PIN_F64,
            (_, false) => code::SLOT_TO_PIN_INT,
            (_, true) => code::SLOT_TO_PIN_F64,
        };
        self.op(opcode);
        self.arg(from);
    }

    pub(super) fn emit_global_get(&mut self, global: GlobalIdx, ty: Num, to: u32) {
        #[cfg(feature = "simd")]
        if ty == Num::v128 {
            return self.emit_vector_global_get(global, to);
        }
        self.flush();
        let first = match class(ty) {
            0 => code::GLOBAL_GET_INT,
            1 => code::GLOBAL_GET_F32,
            _ => code::GLOBAL_GET_F64,
        };
        self.op_with_result(first, ty, to);
        self.u32(global.0);
    }

    pub(super) fn emit_global_set(&mut self, global: GlobalIdx, ty: Num, value: Operand) {
        #[cfg(feature = "simd")]
        if ty == Num::v128 {
            return self.emit_vector_global_set(global, value);
        }
        self.flush();
        let (kind, value) = self.take_value(ty, value);
        let first = match ty {
            Num::u32 => code::GLOBAL_SET_I32,
            Num::f32 => code::GLOBAL_SET_F32,
            Num::f64 => code::GLOBAL_SET_F64,
            _ => code::GLOBAL_SET_I64,
        };
        self.op(first + kind);
        self.u32(global.0);
        self.arg(value);
    }

    pub(super) fn emit_discard(&mut self, ty: Num, value: Operand) {
        if value.loc != Loc::Temp {
            return;
        }
        match self.staged {
            // Comparisons have no effect but their value.
            Some(staged) if staged.height == value.height => self.staged = None,
            _ => _ = self.take(ty, value),
        }
    }

    pub(super) fn emit_place(&mut self, ty: Num, value: Operand, to: u32) {
        // The operands of the comparison that waits may stand in the slot of its result, or in the next.
        if self.staged.is_some_and(|staged| staged.height <= value.height) {
            self.flush();
        }
        if self.code.len() > self.max_code {
            // The function will be refused; do not fill the memory until then.
            return;
        }
        #[cfg(feature = "simd")]
        if ty == Num::v128 {
            return self.emit_vector_place(value, to);
        }
        let class = class(ty);
        let slot = self.home(to);
        if let Loc::Const(bits) = value.loc {
            return self.constant_to_slot(bits, slot);
        }
        if value.loc == Loc::Temp {
            if to == value.height {
                self.store_pending_at(class, to);
                return;
            }
            if self.retarget(class, value.height, slot) {
                self.overwrite(slot);
                self.accs[class].temp = Some(to);
                return;
            }
            self.store_pending_at(class, value.height);
        }
        let from = self.locate(ty, value);
        self.move_to_slot(class, from, slot);
    }

    /// Has the result at `height` written to its slot, if it is nowhere but in the accumulator.
    fn store_pending_at(&mut self, class: usize, height: u32) {
        if self.accs[class].producer.is_some_and(|p| p.height == height) {
            self.store_pending(class, u32::MAX);
        }
    }
}

/// The immediate that gives a constant of this type, if there is one.
fn immediate(ty: Num, bits: u64) -> Option<i32> {
    match ty {
        Num::u64 | Num::handle => i32::try_from(bits as i64).ok(),
        Num::f64 => {
            let narrow = f64::from_bits(bits) as f32;
            (f64::from(narrow).to_bits() == bits).then_some(narrow.to_bits() as i32)
        }
        _ => Some(bits as i32),
    }
}

/// Whether the small set has a form for these operands.
fn has_small_form(op: Op, a: Arg, b: Arg) -> bool {
    let forms = row(op);
    let integers = matches!(forms.from, Num::u32 | Num::u64);
    // The last list of pairs is that of rare ops.
    let immediate = integers && usize::from(forms.list) + 1 != LISTS.len();
    matches!(a, Arg::Slot(_))
        && (matches!(b, Arg::Slot(_)) || matches!(b, Arg::Imm(_)) && immediate)
}

fn negated(operand: Operand, bits: u64) -> Operand {
    Operand { loc: Loc::Const(bits), ..operand }
}

/// The first opcode of the forms of a load or store.
fn access_forms(op: Op, at: MemArg) -> u16 {
    let forms = row(op);
    if at.shared { forms.shared } else { forms.forms }
}

/// The offset of an access to the first memory, if its address has 32 bits.
pub(super) fn near(at: MemArg) -> Option<u32> {
    if at.is_64 || at.memory.0 != 0 { None } else { u32::try_from(at.offset).ok() }
}

fn address_type(at: MemArg) -> Num {
    if at.is_64 { Num::u64 } else { Num::u32 }
}
