//! Ops on vectors. A vector is always in its two slots, so there is less to choose than for scalars.

use super::{Arg, Builder, values::near};
use crate::{
    forms::{code, row},
    kinds::{ADDRESS, CONDITION, SCALAR},
};
use kinglet_core::{
    index::GlobalIdx,
    op::{Class, Num, Op},
    translate::{Loc, MemArg, Operand},
};

/// The last op, if it made a vector: where its destination stands, and the height of the vector.
#[derive(Clone, Copy, Debug)]
pub(super) struct VectorProducer {
    at: usize,
    dst: usize,
    height: u32,
}

impl Builder {
    /// The first slot of a vector.
    fn vector_slot(&mut self, operand: Operand) -> u32 {
        match operand.loc {
            Loc::Local(local) => self.local_slot(local),
            _ => self.vector_home(operand.height),
        }
    }

    /// The first slot of a vector at this height of the operand stack.
    fn vector_home(&mut self, height: u32) -> u32 {
        self.home(height + 1) - 1
    }

    /// Begins an op that gives a vector to `height`. Its operands are to follow.
    fn op_with_vector(&mut self, opcode: u16, height: u32) {
        let slot = self.vector_home(height);
        self.overwrite_vector(slot);
        self.op(opcode);
        let dst = self.code.len();
        self.slot(slot);
        self.vector = self.last.map(|at| VectorProducer { at, dst, height });
    }

    fn overwrite_vector(&mut self, slot: u32) {
        self.overwrite(slot);
        self.overwrite(slot + 1);
    }

    /// Writes a vector to the slots from `to` on: by the op that makes it, if that was the last.
    fn move_vector(&mut self, value: Operand, to: u32) {
        let producer = self.vector.take();
        let from = self.vector_slot(value);
        if from == to {
            return;
        }
        self.overwrite_vector(to);
        if let (Loc::Temp, Some(producer)) = (value.loc, producer)
            && self.last == Some(producer.at)
            && producer.height == value.height
        {
            return self.set_slot(producer.dst, to);
        }
        self.op(code::COPY_V128);
        self.slot(to);
        self.slot(from);
    }

    pub(super) fn emit_vector_local_set(&mut self, local: u32, value: Operand) {
        self.flush();
        let to = self.local_slot(local);
        self.move_vector(value, to);
    }

    pub(super) fn emit_vector_place(&mut self, value: Operand, to: u32) {
        let to = self.vector_home(to);
        self.move_vector(value, to);
    }

    pub(super) fn emit_vector_select(
        &mut self,
        condition: Operand,
        a: Operand,
        b: Operand,
        to: u32,
    ) {
        self.flush();
        let (kind, condition) = self.take_kind(Num::u32, condition, CONDITION);
        let (a, b) = (self.vector_slot(a), self.vector_slot(b));
        self.op_with_vector(code::SELECT_V128 + kind, to);
        self.slot(a);
        self.slot(b);
        self.arg(condition);
    }

    pub(super) fn emit_vector_global_get(&mut self, global: GlobalIdx, to: u32) {
        self.flush();
        self.op_with_vector(code::GLOBAL_GET_V128, to);
        self.u32(global.0);
    }

    pub(super) fn emit_vector_global_set(&mut self, global: GlobalIdx, value: Operand) {
        self.flush();
        let value = self.vector_slot(value);
        self.op(code::GLOBAL_SET_V128);
        self.u32(global.0);
        self.slot(value);
    }

    pub(super) fn emit_vector_ret(&mut self, value: Operand) {
        let (header, value) = (self.params, self.vector_slot(value));
        self.restore_pin();
        self.op(code::RET_V128);
        self.slot(header);
        self.slot(value);
        self.last = None;
    }

    pub(super) fn emit_vector_const(&mut self, bits: u128, to: u32) {
        self.flush();
        self.op_with_vector(code::CONST_V128, to);
        self.u64(bits as u64);
        self.u64((bits >> 64) as u64);
    }

    /// An op that does not touch memory; its immediate is a lane's number or those of all bytes.
    pub(super) fn emit_vector(&mut self, op: Op, operands: &[Operand], immediate: u128, to: u32) {
        self.flush();
        let forms = row(op);
        match (op.class(), operands) {
            (Class::splat, &[a]) => {
                let (kind, a) = self.take_kind(forms.from, a, SCALAR);
                self.op_with_vector(forms.forms + kind, to);
                self.arg(a);
            }
            (Class::extract, &[a]) => {
                let a = self.vector_slot(a);
                let (half, lane) = half(forms.from, immediate as u8);
                self.op_with_result(forms.forms, forms.to, to);
                self.slot(a + half);
                self.u16(lane);
            }
            (Class::replace, &[a, value]) => {
                let (kind, value) = self.take_kind(forms.from, value, SCALAR);
                let a = self.vector_slot(a);
                self.op_with_vector(forms.forms + kind, to);
                self.slot(a);
                self.arg(value);
                self.u16(immediate as u16);
            }
            (Class::vshift, &[a, count]) => {
                let a = self.vector_slot(a);
                let (kind, count) = match count.loc {
                    Loc::Const(bits) => (1, Arg::Imm(bits as i32)),
                    _ => (0, self.take_slot(Num::u32, count)),
                };
                self.op_with_vector(forms.forms + kind, to);
                self.slot(a);
                self.arg(count);
            }
            (class, operands) => {
                let mut slots = [0; 3];
                for (slot, &operand) in slots.iter_mut().zip(operands) {
                    *slot = self.vector_slot(operand);
                }
                if class == Class::vtest {
                    self.op_with_result(forms.forms, forms.to, to);
                } else {
                    self.op_with_vector(forms.forms, to);
                }
                slots[..operands.len()].iter().for_each(|&slot| self.slot(slot));
                if class == Class::shuffle {
                    self.u64(immediate as u64);
                    self.u64((immediate >> 64) as u64);
                }
            }
        }
    }

    /// An op on memory: operands are the address, and the vector if the op takes one.
    pub(super) fn emit_vector_access(
        &mut self,
        op: Op,
        operands: &[Operand],
        at: MemArg,
        lane: u8,
        to: u32,
    ) {
        self.flush();
        let (forms, class) = (row(op), op.class());
        let address = operands[0];
        let vector = operands.get(1).map(|&vector| self.vector_slot(vector));
        let lanes = matches!(class, Class::load_lane | Class::store_lane);
        let kinds = if lanes { 1 } else { ADDRESS };
        let near = near(at).filter(|_| !at.shared);
        let (kind, address) = match near {
            Some(_) => self.take_kind(Num::u32, address, kinds),
            None => {
                let ty = if at.is_64 { Num::u64 } else { Num::u32 };
                (kinds as u16 + u16::from(at.shared), self.take_slot(ty, address))
            }
        };
        match class {
            Class::vload | Class::vwiden | Class::load_lane => {
                self.op_with_vector(forms.forms + kind, to)
            }
            _ => self.op(forms.forms + kind),
        }
        match (near, class) {
            (Some(offset), Class::vload | Class::vwiden | Class::load_lane) => {
                self.arg(address);
                self.u32(offset);
            }
            (Some(offset), _) => {
                self.u32(offset);
                self.arg(address);
            }
            (None, _) => {
                self.arg(address);
                self.u16(at.memory.0 as u16);
                self.u64(at.offset);
            }
        }
        let Some(vector) = vector else { return };
        match class {
            Class::store_lane => {
                let (half, lane) = half(forms.to, lane);
                self.slot(vector + half);
                self.u16(lane);
            }
            Class::load_lane => {
                self.slot(vector);
                self.u16(lane.into());
            }
            _ => self.slot(vector),
        }
    }
}

/// Which slot of its vector a lane is in, and its number there.
fn half(ty: Num, lane: u8) -> (u32, u16) {
    let lanes = match ty {
        Num::i8 | Num::u8 => 8,
        Num::i16 | Num::u16 => 4,
        Num::u64 | Num::f64 => 1,
        _ => 2,
    };
    (u32::from(lane / lanes), u16::from(lane % lanes))
}
