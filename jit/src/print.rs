//! Listings of functions.

use crate::ir::*;
use kinglet_core::op::Op;
use std::fmt::{self, Display, Formatter};

/// An instruction to a line: registers as `v1`, with their type where they are written; constants as their type shows them.
impl Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "function {}(", self.func.0)?;
        for (i, ty) in (0..self.params).zip(&self.vregs) {
            write!(f, "{}v{i}:{ty}", if i == 0 { "" } else { ", " })?;
        }
        writeln!(f, ")")?;
        if self.locals > self.params {
            write!(f, "  locals")?;
            let locals = self.vregs.iter().enumerate().take(self.locals as usize);
            for (i, ty) in locals.skip(self.params as usize) {
                write!(f, " v{i}:{ty}")?;
            }
            writeln!(f)?;
        }
        let (mut blocks, mut segments) = (self.blocks.iter().peekable(), self.segments.iter());
        let mut segment = segments.next();
        for (i, inst) in (0..).zip(&self.insts) {
            while let Some(&(start, innermost)) = segment.filter(|segment| segment.0 <= i) {
                match innermost {
                    Some(number) => writeln!(f, "  in try {number}")?,
                    None => writeln!(f, "  in no try")?,
                }
                debug_assert!(start <= i);
                segment = segments.next();
            }
            if blocks.next_if(|block| block.start == i).is_some()
                && !matches!(inst, Inst::Label { .. })
                && i > 0
            {
                writeln!(f, " -")?;
            }
            writeln!(f, "{}", Line(self, inst))?;
        }
        for (number, table) in self.tries.iter().enumerate() {
            self.list_try(f, number, table)?;
        }
        Ok(())
    }
}

impl Function {
    fn list_try(&self, f: &mut Formatter<'_>, number: usize, table: &Try) -> fmt::Result {
        write!(f, "  try {number}")?;
        if let Some(outer) = table.outer {
            write!(f, " in {outer}")?;
        }
        for clause in &self.clauses[table.clauses.0 as usize..table.clauses.1 as usize] {
            match clause.tag {
                Some(tag) => write!(f, ", tag {}", tag.0)?,
                None => write!(f, ", all")?,
            }
            write!(f, " to L{}", clause.to.0)?;
            write!(f, "({})", Args(self, clause.values))?;
            if let Some(reference) = clause.reference {
                write!(f, " &v{}{}", reference.0, if clause.wanted { "" } else { " unused" })?;
            }
        }
        writeln!(f)
    }
}

/// The type of the operands of an op; of the value if it is a store.
fn operand_type(op: Op) -> Option<Ty> {
    op.row().from.and_then(Ty::of)
}

impl Display for Ty {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ty::I32 => "i32",
            Ty::I64 => "i64",
            Ty::Ref => "ref",
            Ty::F32 => "f32",
            Ty::F64 => "f64",
        })
    }
}

/// An operand, and its type if it is known.
struct Operand<'f>(&'f Function, Arg, Option<Ty>);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let &Operand(function, arg, ty) = self;
        if let Some(vreg) = arg.vreg() {
            return write!(f, "v{}", vreg.0);
        }
        match (function.const_bits(arg), ty) {
            (None, _) => write!(f, "-"),
            (Some(bits), Some(Ty::F32)) => write!(f, "{:?}", f32::from_bits(bits as u32)),
            (Some(bits), Some(Ty::F64)) => write!(f, "{:?}", f64::from_bits(bits)),
            (Some(bits), Some(Ty::I32)) => write!(f, "{}", bits as i32),
            (Some(bits), Some(_)) => write!(f, "{}", bits as i64),
            (Some(bits), None) if bits > i32::MAX as u64 => write!(f, "{bits:#x}"),
            (Some(bits), None) => write!(f, "{bits}"),
        }
    }
}

/// Operands of types that nobody has written down.
struct Args<'f>(&'f Function, List);

impl Display for Args<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, &arg) in self.0.list(self.1).iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, Operand(self.0, arg, None))?;
        }
        Ok(())
    }
}

/// Registers that are written, if there are any.
struct Results<'f>(&'f Function, List);

impl Display for Results<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, vreg) in self.0.list(self.1).iter().filter_map(|arg| arg.vreg()).enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, Dst(self.0, vreg))?;
        }
        if self.1.len > 0 { write!(f, " = ") } else { Ok(()) }
    }
}

/// A register that is written.
struct Dst<'f>(&'f Function, Vreg);

impl Display for Dst<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let vreg = self.1.0;
        match self.0.vregs.get(vreg as usize) {
            Some(ty) => write!(f, "v{vreg}:{ty}"),
            None => write!(f, "v{vreg}:?"),
        }
    }
}

/// An instruction.
struct Line<'f>(&'f Function, &'f Inst);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let &Line(function, inst) = self;
        let dst = |vreg| Dst(function, vreg);
        let of = |arg, ty| Operand(function, arg, ty);
        let i32 = |arg| Operand(function, arg, Some(Ty::I32));
        let type_of = |vreg: Vreg| function.vregs.get(vreg.0 as usize).copied();
        if let Inst::Label { label, is_loop } = *inst {
            return write!(f, "L{}:{}", label.0, if is_loop { " loop" } else { "" });
        }
        write!(f, "  ")?;
        match *inst {
            Inst::Op { op, dst: to, a, b } => {
                let ty = operand_type(op);
                write!(f, "{} = {} {}", dst(to), op.row().name, of(a, ty))?;
                if b == Arg::NONE { Ok(()) } else { write!(f, ", {}", of(b, ty)) }
            }
            Inst::ShiftAdd { dst: to, shift, a, b, .. } => {
                write!(f, "{} = {} + ({} << {shift})", dst(to), of(a, None), of(b, None))
            }
            Inst::Move { dst: to, a } => write!(f, "{} = {}", dst(to), of(a, type_of(to))),
            Inst::Select { dst: to, condition, a, b } => {
                let ty = type_of(to);
                let (a, b) = (of(a, ty), of(b, ty));
                write!(f, "{} = {} ? {a} : {b}", dst(to), i32(condition))
            }
            Inst::Load { op, dst: to, address, offset } => {
                write!(f, "{} = {} [{} + {offset}]", dst(to), op.row().name, i32(address))
            }
            Inst::Store { op, address, value, offset } => {
                let value = of(value, operand_type(op));
                write!(f, "{} [{} + {offset}], {value}", op.row().name, i32(address))
            }
            Inst::LoadFar { op, dst: to, address, at } => {
                let at = &function.memargs[at as usize];
                let (name, address) = (op.row().name, of(address, None));
                write!(f, "{} = {name} m{}[{address} + {}]", dst(to), at.memory.0, at.offset)
            }
            Inst::StoreFar { op, address, value, at } => {
                let at = &function.memargs[at as usize];
                let (name, address) = (op.row().name, of(address, None));
                let value = of(value, operand_type(op));
                write!(f, "{name} m{}[{address} + {}], {value}", at.memory.0, at.offset)
            }
            Inst::GlobalGet { dst: to, global } => write!(f, "{} = global {}", dst(to), global.0),
            Inst::GlobalSet { ty, global, value } => {
                write!(f, "global {} = {}", global.0, of(value, Some(ty)))
            }
            Inst::Label { .. } => Ok(()),
            Inst::Jump { to } => write!(f, "jump L{}", to.0),
            Inst::Branch { op, when, a, b, to } => {
                let ty = operand_type(op);
                let not = if when { "" } else { "not " };
                let (a, b) = (of(a, ty), of(b, ty));
                write!(f, "if {not}{} {a}, {b} jump L{}", op.row().name, to.0)
            }
            Inst::JumpTable { index, targets } => {
                write!(f, "jump {} of", i32(index))?;
                let (start, len) = (targets.start as usize, targets.len as usize);
                function.targets[start..start + len]
                    .iter()
                    .try_for_each(|to| write!(f, " L{}", to.0))
            }
            Inst::Call { site } | Inst::TailCall { site } => {
                let CallSite { callee, args, results, .. } = function.calls[site as usize];
                let tail = matches!(inst, Inst::TailCall { .. });
                write!(f, "{}{}", Results(function, results), if tail { "tail " } else { "" })?;
                match callee {
                    Callee::Func(func) => write!(f, "call {}", func.0)?,
                    Callee::Import(func) => write!(f, "call import {}", func.0)?,
                    Callee::Table { table, index, is_64 } => {
                        let ty = if is_64 { Ty::I64 } else { Ty::I32 };
                        write!(f, "call table {}[{}]", table.0, of(index, Some(ty)))?;
                    }
                    Callee::Ref { func } => write!(f, "call ref {}", of(func, None))?,
                }
                write!(f, "({})", Args(function, args))
            }
            Inst::Return { values } if values.len == 0 => write!(f, "return"),
            Inst::Return { values } => write!(f, "return {}", Args(function, values)),
            Inst::Runtime { site } => {
                let RuntimeSite { op, immediates, args, results } =
                    &function.runtimes[site as usize];
                write!(f, "{}", Results(function, *results))?;
                match op {
                    RuntimeOp::Op(op) => write!(f, "{}", op.row().name)?,
                    RuntimeOp::Throw(tag) => write!(f, "throw {}", tag.0)?,
                    other => write!(f, "{other:?}")?,
                }
                write!(f, "{immediates:?}({})", Args(function, *args))
            }
            Inst::Fuel { point } => write!(f, "fuel {}", function.costs[point as usize]),
            Inst::Trap { trap } => write!(f, "trap {trap:?}"),
        }
    }
}
