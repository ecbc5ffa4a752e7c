//! Listings of bytecode.

use crate::{
    Code,
    code::Translated,
    exec::regs::FUNC_HEADER,
    forms::{layout, name},
    handlers::Handlers,
    sink::Point,
};
use alloc::{string::String, vec::Vec};
use core::fmt::Write;
use kinglet_core::{error::Error, index::FuncIdx, module::Module};

/// Lists the bytecode of a function: for each op its position, the offset in the binary of what it was made from, its
/// name and its operands.
///
/// Behind the ops stands what catches exceptions between two positions: for each clause the tag or `all`, where it leads, the slot of
/// the first value, and that of the reference after an `&`.
///
/// Slots are written `s1`, jumps as the position that they lead to. The pinned local and accumulators are part of the name, as
/// `docs/bytecode.md` explains.
///
/// # Errors
/// If the function is imported, or cannot be translated.
pub fn disassemble(code: &Code, module: &Module, func: FuncIdx) -> Result<String, Error> {
    let Translated { code: bytes, points, handlers } = code.translated(module, func)?;
    let mut out = String::new();
    let mut at = FUNC_HEADER;
    while at < bytes.len() {
        let opcode = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let from =
            points.iter().find(|point| point.code as usize == at).map_or(0, |point| point.offset);
        _ = write!(out, "{at:6x}  {from:8x}  {}", name(opcode).unwrap_or_default());
        let (operands, next) = operands(&bytes, at, opcode);
        for operand in operands {
            _ = write!(out, " {operand}");
        }
        out.push('\n');
        at = next;
    }
    if let Some(handlers) = handlers {
        list_handlers(&mut out, &handlers, bytes.len(), &points);
    }
    Ok(out)
}

fn list_handlers(out: &mut String, handlers: &Handlers, len: usize, points: &[Point]) {
    let ends = handlers.segments.iter().skip(1).map(|next| next.0 as usize).chain([len]);
    for (&(start, innermost), end) in handlers.segments.iter().zip(ends) {
        if innermost.is_none() {
            continue;
        }
        let first = points.partition_point(|point| point.code < start);
        let from = points.get(first).map_or(0, |point| point.offset);
        _ = write!(out, "{start:6x}  {from:8x}  until {end:x} catch");
        for clause in handlers.at(start) {
            _ = match clause.tag {
                Some(tag) => write!(out, " #{} ->{:x} s{}", tag.0, clause.target, clause.slot),
                None => write!(out, " all ->{:x}", clause.target),
            };
            if let Some(slot) = clause.reference {
                _ = write!(out, " &s{slot}");
            }
        }
        out.push('\n');
    }
}

/// The operands of the op at `at`, as text, and where the next op begins.
fn operands(bytes: &[u8], at: usize, opcode: u16) -> (Vec<String>, usize) {
    let mut reader = Reader { bytes, at: at + 2 };
    let mut operands = Vec::new();
    let mut count = 0;
    for letter in layout(opcode).chars() {
        let mut text = String::new();
        _ = match letter {
            'd' | 's' | 'k' | 'v' | 'b' | 'a' | 'T' | 'M' => write!(text, "s{}", reader.u16()),
            'w' | 'h' | 'n' | '1'..='9' => write!(text, "{}", reader.u16()),
            'r' => write!(text, "s{} {}", reader.u16(), reader.u16()),
            'm' | 'z' | 'l' | 'x' => write!(text, "#{}", reader.u16()),
            'i' => write!(text, "{}", reader.u32() as i32),
            'o' => write!(text, "+{}", reader.u32()),
            'u' | 'f' | 'p' | 'y' | 'e' | 'g' | 'G' => write!(text, "{}", reader.u32()),
            'c' => {
                count = reader.u32();
                write!(text, "{count}")
            }
            'q' => write!(text, "{:#x}", u64::from(reader.u32()) | u64::from(reader.u32()) << 32),
            'j' => write!(text, "->{:x}", reader.target()),
            't' => {
                for _ in 0..=count {
                    _ = write!(text, "->{:x} ", reader.target());
                }
                Ok(())
            }
            other => write!(text, "{other}"),
        };
        operands.push(text);
    }
    (operands, reader.at)
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Reader<'_> {
    fn u16(&mut self) -> u16 {
        let value = u16::from_le_bytes([self.bytes[self.at], self.bytes[self.at + 1]]);
        self.at += 2;
        value
    }

    fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    fn target(&mut self) -> usize {
        let from = self.at;
        from.wrapping_add_signed(self.u32() as i32 as isize)
    }
}
