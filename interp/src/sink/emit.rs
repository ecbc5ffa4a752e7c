//! Writing code, and changing what has been written.

use super::{Accumulator, Arg, Builder, Point, Producer, Safepoint, Safepoints, class};
use crate::forms::{code, fused, in_small, pinnable};
use kinglet_core::op::{Num, OpSet};

impl Builder {
    pub(super) fn u16(&mut self, value: u16) {
        self.code.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.code.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.code.extend_from_slice(&value.to_le_bytes());
    }

    /// A slot. Functions with too many are refused at their end.
    pub(super) fn slot(&mut self, slot: u32) {
        self.u16(slot as u16);
    }

    pub(super) fn arg(&mut self, arg: Arg) {
        match arg {
            Arg::Slot(slot) => self.slot(slot),
            Arg::Imm(imm) => self.u32(imm as u32),
            Arg::Acc | Arg::Pin => {}
        }
    }

    fn opcode_at(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.code[at], self.code[at + 1]])
    }

    fn set_opcode(&mut self, at: usize, opcode: u16) {
        self.code[at..at + 2].copy_from_slice(&opcode.to_le_bytes());
    }

    pub(super) fn set_slot(&mut self, at: usize, slot: u32) {
        self.code[at..at + 2].copy_from_slice(&(slot as u16).to_le_bytes());
    }

    /// Begins an op, fused with the last one if there is a form for both. Its operands are to follow.
    pub(super) fn op(&mut self, opcode: u16) {
        if self.is_small() {
            self.last = Some(self.code.len());
            let small = in_small(opcode);
            if small.is_none() {
                self.missing = Some(opcode);
            }
            self.u16(small.unwrap_or_default());
        } else if let Some(last) = self.last
            && self.set == OpSet::Fused
            && let Some(both) = fused(self.opcode_at(last), opcode)
            && self.may_fuse(last)
        {
            self.set_opcode(last, both);
            #[cfg(feature = "simd")]
            {
                self.vector = None;
            }
            for acc in &mut self.accs {
                acc.producer =
                    acc.producer.map(|p| Producer { fixed: p.fixed || p.at == last, ..p });
            }
        } else {
            #[cfg(feature = "profile")]
            if let Some(last) = self.last
                && self.may_fuse(last)
            {
                self.pairs.push((self.code.len() as u32, self.opcode_at(last), opcode));
            }
            self.last = Some(self.code.len());
            self.u16(opcode);
        }
        if self.points.is_some() {
            let point = self.point();
            self.points.get_or_insert_default().push(point);
        }
    }

    /// The op that was begun last.
    fn point(&self) -> Point {
        // Where its opcode would stand if it had one of its own: that is what handlers see.
        Point { code: self.code.len() as u32 - 2, offset: self.offset as u32 }
    }

    /// Begins an op that calls or stops.
    pub(super) fn safepoint(&mut self, opcode: u16) {
        self.op(opcode);
        let at = self.point();
        if let Some(Safepoints { ops, live, .. }) = &mut self.safepoints
            && let Some(live) = live.take()
        {
            ops.push(Safepoint { at, live });
        }
    }

    /// Whether the op at `last` can become part of a fused one: not while it may still be told to write its slot.
    fn may_fuse(&self, last: usize) -> bool {
        let open = |acc: &Accumulator| acc.producer.is_some_and(|p| p.at == last && p.pending);
        !self.accs.iter().any(open)
    }

    /// Begins an op that gives a result to `height`. `opcode` is the form that writes the accumulator.
    pub(super) fn op_with_result(&mut self, opcode: u16, ty: Num, height: u32) {
        let class = class(ty);
        self.store_pending(class, u32::MAX);
        self.op(opcode + u16::from(self.is_small()));
        let dst = self.code.len();
        let slot = self.home(height);
        self.slot(slot);
        let at = self.last.unwrap_or(dst);
        for (other, acc) in self.accs.iter_mut().enumerate() {
            if other != class && acc.temp == Some(height) {
                acc.temp = None;
            }
        }
        let acc = &mut self.accs[class];
        let before = (acc.temp, acc.local);
        acc.producer = Some(Producer { at, dst, height, pending: true, fixed: false, before });
        (acc.temp, acc.local) = (Some(height), None);
    }

    /// If the accumulator has a result of a height below `height` that is nowhere else, has its op write the slot as well.
    pub(super) fn store_pending(&mut self, class: usize, height: u32) {
        if let Some(producer) = self.accs[class].producer
            && producer.pending
            && producer.height < height
        {
            self.accs[class].producer = None;
            self.write_slot(producer);
        }
    }

    /// Has an op that wrote the accumulator write its slot as well.
    fn write_slot(&mut self, producer: Producer) {
        if !self.is_small() {
            self.set_opcode(producer.at, self.opcode_at(producer.at) + 1);
        }
    }

    /// The last op, if it made the operand at `height`, and that is nowhere but in the accumulator.
    fn last_producer(&self, class: usize, height: u32) -> Option<Producer> {
        let producer = self.accs[class].producer?;
        let last = self.last == Some(producer.at);
        (last && producer.pending && producer.height == height).then_some(producer)
    }

    /// If the last op made the operand at `height`, which is nowhere but in the accumulator, has it write `slot` instead of its own.
    pub(super) fn retarget(&mut self, class: usize, height: u32, slot: u32) -> bool {
        let Some(producer) = self.last_producer(class, height) else { return false };
        self.write_slot(producer);
        self.set_slot(producer.dst, slot);
        self.accs[class].producer = None;
        true
    }

    /// The same for the pinned local: then the accumulator keeps what it mirrored before.
    pub(super) fn retarget_to_pin(&mut self, class: usize, height: u32) -> bool {
        let Some(producer) = self.last_producer(class, height) else { return false };
        let opcode = self.opcode_at(producer.at);
        if !pinnable(opcode) {
            return false;
        }
        self.set_opcode(producer.at, opcode + 2);
        let acc = &mut self.accs[class];
        acc.producer = None;
        let (temp, local) = producer.before;
        // Operands at this height and above are gone.
        (acc.temp, acc.local) = (temp.filter(|&t| t < height), local);
        true
    }

    /// `slot` is about to be written by an op that does not write the accumulator: nothing mirrors it any more.
    pub(super) fn overwrite(&mut self, slot: u32) {
        for class in 0..self.accs.len() {
            let acc = self.accs[class];
            if acc.local.is_some_and(|local| self.local_slot(local) == slot) {
                self.accs[class].local = None;
            }
            if acc.temp.is_some_and(|temp| self.home(temp) == slot) {
                self.accs[class].temp = None;
            }
        }
    }

    /// Writes a constant to a slot.
    pub(super) fn constant_to_slot(&mut self, bits: u64, slot: u32) {
        self.overwrite(slot);
        if let Ok(bits) = u32::try_from(bits) {
            self.op(code::CONST32);
            self.slot(slot);
            self.u32(bits);
        } else {
            self.op(code::CONST64);
            self.slot(slot);
            self.u64(bits);
        }
    }

    /// Writes a slot, accumulator or pinned local to a slot.
    pub(super) fn move_to_slot(&mut self, class: usize, from: Arg, slot: u32) {
        let opcode = match (from, class) {
            (Arg::Slot(from), _) if from == slot => return,
            (Arg::Slot(_), _) => code::COPY,
            (Arg::Pin, 2) => code::PIN_TO_SLOT_F64,
            (Arg::Pin, _) => code::PIN_TO_SLOT_INT,
            (_, 0) => code::ACC_TO_SLOT_INT,
            (_, 1) => code::ACC_TO_SLOT_F32,
            _ => code::ACC_TO_SLOT_F64,
        };
        self.overwrite(slot);
        self.op(opcode);
        self.slot(slot);
        self.arg(from);
    }
}
