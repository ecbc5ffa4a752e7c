//! A function: its prologue, its instructions one after the other, and what stands behind it.
//!
//! ```text
//!  rsp ─► words for calls, slots for the runtime │ spill slots │ instance │ saved registers │ return address │ words given
//! ```

use super::{
    X64,
    asm::{Alu, Asm, Rm, cc, imm, op},
    control::{Cold, Fixup, Table},
    regs::*,
};
use crate::{
    abi::stack_words,
    ir::{Arg, Function, Inst, Ty, Vreg},
    isa::{FrameLayout, Stub, Target, Unsupported, buffer::Code, known::Known, needs::Needs},
    regs::{Allocation, Place, Reg},
};
use core::mem::offset_of;
use dynasmrt::DynasmApi;
use kinglet_core::{
    index::TypeIdx,
    module::Module,
    runtime::vmctx::{VmInstance, VmMemory, native::VmStore},
    trap::Trap,
};

/// Frames that are larger are left to the interpreter.
const MAX_FRAME: u64 = 1 << 20;

/// Frames that are larger are compared with the limit of the stack before anything is written there.
const LARGE_FRAME: i32 = 4096;

/// Frames of functions that call nothing are not compared with the limit if they are at most that large.
const SMALL_FRAME: i32 = 1024;

pub(super) const STORE: i32 = offset_of!(VmInstance, store) as i32;
pub(super) const MEMORY: i32 = offset_of!(VmInstance, memory) as i32;
pub(super) const MEMORY_BASE: i32 = offset_of!(VmMemory, base) as i32;
pub(super) const STACK_LIMIT: i32 = offset_of!(VmStore, stack_limit) as i32;

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Src {
    /// In a register or in memory.
    Rm(Rm),
    /// It is known.
    Const(u64),
}

impl Src {
    pub(super) fn reg(reg: u8) -> Src {
        Src::Rm(Rm::Reg(reg))
    }

    pub(super) fn uses(self, reg: u8) -> bool {
        matches!(self, Src::Rm(rm) if rm.uses(reg))
    }

    pub(super) fn is(self, reg: u8) -> bool {
        self == Src::reg(reg)
    }
}

/// Where a result goes: it is computed in a register, and then perhaps stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dst {
    pub(super) reg: u8,
    pub(super) home: Option<Rm>,
}

/// The emission of one function.
pub(super) struct Emit<'a> {
    pub(super) isa: &'a X64,
    pub(super) module: &'a Module,
    pub(super) function: &'a Function,
    pub(super) allocation: &'a Allocation,
    pub(super) shapes: &'a dyn Fn(TypeIdx) -> Option<u32>,
    pub(super) asm: Asm<'a>,
    /// The instruction at hand.
    pub(super) inst: usize,
    /// A value that is in memory until the next instruction, its only user, reads it there.
    pub(super) folded: Option<(Vreg, Rm)>,
    /// Only about locals and constants: nothing else is an address twice.
    pub(super) known: Known,
    pub(super) fixups: Vec<Fixup>,
    pub(super) cold: Vec<Cold>,
    pub(super) tables: Vec<Table>,
    pub(super) frame: Frame,
}

/// How the frame is laid out.
pub(super) struct Frame {
    /// What the stack pointer is moved by, beyond saving registers.
    size: i32,
    slots_at: i32,
    pub(super) instance_at: i32,
    /// Where the first word of the stack is that the function was given.
    pub(super) given_at: i32,
    /// How many words there are.
    pub(super) given: u32,
    /// Whether there are calls that change the instance.
    crosses: bool,
    calls: bool,
}

pub(super) fn emit(
    isa: &X64,
    module: &Module,
    function: &Function,
    allocation: &Allocation,
    shapes: &dyn Fn(TypeIdx) -> Option<u32>,
    code: &mut Code,
) -> Result<FrameLayout, Unsupported> {
    code.begin(function.labels.len());
    // What most functions of that size need.
    code.bytes.reserve(function.insts.len() * 16 + 256);
    let frame = Frame::of(module, function, allocation)?;
    let layout = frame.layout(allocation);
    let mut emit = Emit {
        isa,
        module,
        function,
        allocation,
        shapes,
        asm: Asm { code, consts: Vec::new() },
        inst: 0,
        folded: None,
        known: Known::default(),
        fixups: Vec::new(),
        cold: Vec::new(),
        tables: Vec::new(),
        frame,
    };
    emit.prologue();
    while let Some(&inst) = function.insts.get(emit.inst) {
        let folded = emit.folded.is_some();
        emit.inst(inst)?;
        if folded {
            emit.folded = None;
        }
        emit.inst += 1;
    }
    emit.cold_code();
    emit.resolve()?;
    emit.tables()?;
    emit.constants();
    Ok(layout)
}

impl Frame {
    fn of(
        module: &Module,
        function: &Function,
        allocation: &Allocation,
    ) -> Result<Frame, Unsupported> {
        let Needs { words, calls, crosses } = Needs::of(module, function, &REGISTERS);
        if (u64::from(words) + u64::from(allocation.slots)) * 8 > MAX_FRAME {
            return Err(Unsupported("a large frame"));
        }
        let slots_at = words as i32 * 8;
        let instance_at = slots_at + allocation.slots as i32 * 8;
        let saved = allocation.saved.len() as i32 * 8;
        let mut size = instance_at + if crosses { 8 } else { 0 };
        if calls && (size + saved) % 16 != 8 {
            size += 8;
        }
        Ok(Frame {
            size,
            slots_at,
            instance_at,
            given_at: size + saved + 8,
            given: stack_words(&REGISTERS, module.func_type(function.func)),
            crosses,
            calls,
        })
    }

    fn layout(&self, allocation: &Allocation) -> FrameLayout {
        let return_at = self.given_at - 8;
        let saved = allocation.saved.iter().zip((0..return_at).step_by(8).rev());
        FrameLayout {
            return_at: return_at as u32,
            caller_sp: self.given_at as u32,
            slots_at: self.slots_at as u32,
            saved: saved.map(|(reg, at)| (reg, at as u32)).collect(),
            instance_at: self.crosses.then_some(self.instance_at as u32),
        }
    }
}

impl Emit<'_> {
    fn prologue(&mut self) {
        let Frame { size, calls, crosses, instance_at, given_at, .. } = self.frame;
        let total = given_at - 8;
        if total > LARGE_FRAME {
            // There is no frame yet to trap in: it is the caller who does, at its call.
            x64!(self.asm.code; mov rax, [r15 + STORE]; lea rcx, [rsp - total]; cmp rcx, [rax + STACK_LIMIT]);
            let at = self.asm.jump_if(cc::B);
            self.asm.code.relocate(at, Target::Stub(Stub::Trap(Trap::StackOverflow)));
        }
        for reg in self.allocation.saved.iter() {
            self.push(reg);
        }
        if size > 0 {
            self.asm.alu_imm(Alu::Sub, true, Rm::Reg(RSP), size);
        }
        if total <= LARGE_FRAME && (calls || total > SMALL_FRAME) {
            x64!(self.asm.code; mov rax, [r15 + STORE]; cmp rsp, [rax + STACK_LIMIT]);
            self.trap_if(cc::B, Trap::StackOverflow);
        }
        if crosses {
            self.asm.mov_to(true, Rm::Frame(instance_at), R15);
        }
        self.parameters();
        for at in 0..self.allocation.zeroed.len() {
            let vreg = self.allocation.zeroed[at];
            match self.allocation.place(vreg) {
                Place::Nowhere => {}
                Place::Reg(reg) if reg.is_float() => self.zero_float(reg.number()),
                Place::Reg(reg) => self.asm.zero(reg.number()),
                Place::Slot(slot) => self.asm.mov_to_imm(true, self.slot(slot), 0),
            }
        }
    }

    fn parameters(&mut self) {
        let function = self.function;
        let types = function.vregs.iter().take(function.params as usize);
        let params = (0..).map(Vreg).zip(types).map(|(vreg, &ty)| (Some(vreg), ty));
        self.receive(params, self.frame.given_at);
    }

    /// Takes the frame away.
    pub(super) fn epilogue(&mut self) {
        if self.frame.size > 0 {
            self.asm.alu_imm(Alu::Add, true, Rm::Reg(RSP), self.frame.size);
        }
        let mut saved = [0; 16];
        let mut len = 0;
        for reg in self.allocation.saved.iter().take(saved.len()) {
            saved[len] = reg.number();
            len += 1;
        }
        for &reg in saved[..len].iter().rev() {
            if reg >= 8 {
                self.asm.byte(0x41);
            }
            self.asm.byte(0x58 | reg & 7);
        }
    }

    fn push(&mut self, reg: Reg) {
        let reg = reg.number();
        if reg >= 8 {
            self.asm.byte(0x41);
        }
        self.asm.byte(0x50 | reg & 7);
    }

    #[inline(always)]
    fn inst(&mut self, inst: Inst) -> Result<(), Unsupported> {
        match inst {
            Inst::Op { op, dst, a, b } => {
                self.written(dst);
                self.op(op, dst, a, b)?;
            }
            Inst::ShiftAdd { wide, shift, dst, a, b } => {
                self.written(dst);
                self.shift_add(wide, shift, dst, a, b);
            }
            Inst::Move { dst, a } => {
                self.written(dst);
                self.mov(dst, a);
            }
            Inst::Select { dst, condition, a, b } => {
                self.written(dst);
                self.select_plain(dst, condition, a, b);
            }
            Inst::Load { op, dst, address, offset } => self.load(op, dst, address, offset)?,
            Inst::Store { op, address, value, offset } => self.store(op, address, value, offset)?,
            Inst::LoadFar { op, dst, address, at } => {
                self.written(dst);
                self.load_far(op, dst, address, at)?;
            }
            Inst::StoreFar { op, address, value, at } => {
                self.store_far(op, address, value, at)?;
            }
            Inst::GlobalGet { dst, global } => {
                self.written(dst);
                self.global_get(dst, global);
            }
            Inst::GlobalSet { ty, global, value } => self.global_set(ty, global, value),
            Inst::Label { label, .. } => {
                self.known.clear();
                self.asm.code.bind(label);
            }
            Inst::Jump { to } => self.jump_unless_next(to),
            Inst::Branch { op, when, a, b, to } => self.branch(op, when, a, b, to),
            Inst::JumpTable { index, targets } => self.jump_table(index, targets),
            Inst::Call { site } => self.call(site)?,
            Inst::TailCall { site } => self.tail_call(site)?,
            Inst::Return { values } => self.give_back(values)?,
            Inst::Runtime { site } => self.runtime(site)?,
            Inst::Fuel { point } => self.fuel(point),
            Inst::Trap { trap } => self.trap(trap),
        }
        Ok(())
    }

    /// Operands of 8 bytes, behind the code.
    fn constants(&mut self) {
        let mut consts = core::mem::take(&mut self.asm.consts);
        if consts.is_empty() {
            return;
        }
        x64!(self.asm.code; .align 8);
        consts.sort_unstable_by_key(|&(_, bits)| bits);
        let mut last = None;
        for &(at, bits) in &consts {
            if last != Some(bits) {
                self.asm.code.push_i64(bits as i64);
                last = Some(bits);
            }
            let to = self.asm.at() - 8;
            self.asm.lead(at, to);
        }
    }
}

/// Operands and results.
impl Emit<'_> {
    pub(super) fn slot(&self, slot: u32) -> Rm {
        Rm::Frame(self.frame.slots_at + 8 * slot as i32)
    }

    /// Where an operand is.
    #[inline]
    pub(super) fn src(&self, arg: Arg) -> Src {
        let Some(vreg) = arg.vreg() else {
            return Src::Const(self.function.const_bits(arg).unwrap_or(0));
        };
        if let Some((folded, rm)) = self.folded
            && folded == vreg
        {
            return Src::Rm(rm);
        }
        match self.allocation.place(vreg) {
            Place::Reg(reg) => Src::reg(reg.number()),
            Place::Slot(slot) => Src::Rm(self.slot(slot)),
            // Nobody reads what is nowhere.
            Place::Nowhere => Src::Const(0),
        }
    }

    /// Where a result goes, which is computed in `scratch` if it has no register.
    #[inline]
    pub(super) fn dst(&self, vreg: Vreg, scratch: u8) -> Dst {
        match self.allocation.place(vreg) {
            Place::Reg(reg) => Dst { reg: reg.number(), home: None },
            Place::Slot(slot) => Dst { reg: scratch, home: Some(self.slot(slot)) },
            Place::Nowhere => Dst { reg: scratch, home: None },
        }
    }

    pub(super) fn is_nowhere(&self, vreg: Vreg) -> bool {
        self.allocation.place(vreg) == Place::Nowhere
    }

    pub(super) fn ty(&self, vreg: Vreg) -> Ty {
        self.function.vregs[vreg.0 as usize]
    }

    /// Stores an integer result if it does not live in a register. Its upper half is right even if it is an `i32`.
    #[inline]
    pub(super) fn put_int(&mut self, dst: Dst) {
        if let Some(home) = dst.home {
            self.asm.mov_to(true, home, dst.reg);
        }
    }

    /// The same for one that is in another register.
    pub(super) fn put_int_from(&mut self, dst: Dst, reg: u8) {
        match dst.home {
            Some(home) => self.asm.mov_to(true, home, reg),
            None if dst.reg != reg => self.asm.mov(true, dst.reg, Rm::Reg(reg)),
            None => {}
        }
    }

    /// Puts an integer in a register. Constants may change flags.
    #[inline]
    pub(super) fn mov_int(&mut self, wide: bool, reg: u8, src: Src) {
        match src {
            Src::Const(bits) if !wide && bits as u32 == 0 || bits == 0 => self.asm.zero(reg),
            _ => self.mov_int_keeping_flags(wide, reg, src),
        }
    }

    pub(super) fn mov_int_keeping_flags(&mut self, wide: bool, reg: u8, src: Src) {
        match src {
            Src::Rm(Rm::Reg(from)) if from == reg => {}
            Src::Rm(rm) => self.asm.mov(wide, reg, rm),
            Src::Const(bits) if wide => self.asm.mov_imm(reg, bits),
            Src::Const(bits) => self.asm.mov_imm(reg, low(bits)),
        }
    }

    /// The register that an integer is in, or `scratch` with it.
    #[inline]
    pub(super) fn int_reg(&mut self, wide: bool, src: Src, scratch: u8) -> u8 {
        match src {
            Src::Rm(Rm::Reg(reg)) => reg,
            _ => {
                self.mov_int(wide, scratch, src);
                scratch
            }
        }
    }

    /// An integer that is no immediate operand in a register or in memory.
    pub(super) fn int_rm(&mut self, wide: bool, src: Src, scratch: u8) -> Rm {
        match src {
            Src::Rm(rm) => rm,
            Src::Const(_) => {
                self.mov_int(wide, scratch, src);
                Rm::Reg(scratch)
            }
        }
    }

    pub(super) fn int_rm_keeping_flags(&mut self, wide: bool, src: Src, scratch: u8) -> Rm {
        match src {
            Src::Rm(rm) => rm,
            Src::Const(_) => {
                self.mov_int_keeping_flags(wide, scratch, src);
                Rm::Reg(scratch)
            }
        }
    }

    fn mov(&mut self, dst: Vreg, a: Arg) {
        if self.is_nowhere(dst) {
            return;
        }
        let ty = self.ty(dst);
        let src = self.src(a);
        if ty.is_float() {
            let wide = ty.is_wide();
            match (self.dst(dst, X15), src) {
                (Dst { home: Some(home), .. }, Src::Const(_)) => self.store_int(wide, home, src),
                (dst, Src::Rm(Rm::Reg(reg))) => self.put_float_from(wide, dst, reg),
                (dst, _) => {
                    self.mov_float(wide, dst.reg, src);
                    self.put_float(wide, dst);
                }
            }
        } else {
            match self.dst(dst, RAX) {
                Dst { home: Some(home), .. } => self.store_int(ty.is_wide(), home, src),
                Dst { reg, .. } => self.mov_int(ty.is_wide(), reg, src),
            }
        }
    }

    /// Stores an integer, or the bits of a float that is not in a register, in 8 bytes.
    pub(super) fn store_int(&mut self, wide: bool, to: Rm, src: Src) {
        let src = match src {
            Src::Const(bits) if !wide => Src::Const(low(bits)),
            src => src,
        };
        match src {
            Src::Rm(Rm::Reg(reg)) => self.asm.mov_to(true, to, reg),
            Src::Const(bits) if imm(true, bits).is_some() => {
                self.asm.rm(op(0xc7), 0x48, 0, to);
                self.asm.code.push_i32(bits as i32);
            }
            _ => {
                self.mov_int(wide, RCX, src);
                self.asm.mov_to(true, to, RCX);
            }
        }
    }
}

/// The lower half, extended with zeros.
fn low(bits: u64) -> u64 {
    u64::from(bits as u32)
}
