//! Machine code as text.

use kinglet::inspect::MachineCode;

/// A line for each instruction: its position in the code of the module, its bytes, what it is, and which function it leads to if it
/// leads to the beginning of one.
#[cfg(feature = "jit")]
pub(crate) fn list(code: &MachineCode) -> String {
    use kinglet::inspect::Target;
    use std::fmt::Write as _;

    let mut out = String::new();
    let mut line = |at: usize, len: usize, text: String, to: Option<usize>| {
        let offset = at - code.start;
        let bytes = &code.bytes[offset..(offset + len).min(code.bytes.len())];
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let found = to.and_then(|to| {
            let found = code.functions.binary_search_by_key(&to, |&(start, _)| start).ok()?;
            Some(format!("  ; function {}", code.functions[found].1))
        });
        let bytes = bytes.join(" ");
        _ = writeln!(out, "{at:8x}  {bytes:<32}{text}{}", found.unwrap_or_default());
    };
    match code.target {
        Target::Arm64 => arm64(code, &mut line),
        _ => x64(code, &mut line),
    }
    out
}

/// Takes an instruction: position, length, text, and where it leads.
#[cfg(feature = "jit")]
type Line<'l> = &'l mut dyn FnMut(usize, usize, String, Option<usize>);

#[cfg(feature = "jit")]
fn x64(code: &MachineCode, line: Line<'_>) {
    use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter, OpKind};

    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_branch_leading_zeros(false);
    options.set_space_after_operand_separator(true);
    for instruction in Decoder::with_ip(64, &code.bytes, code.start as u64, DecoderOptions::NONE) {
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        let branches = instruction.op0_kind() == OpKind::NearBranch64;
        let to = branches.then(|| instruction.near_branch_target() as usize);
        line(instruction.ip() as usize, instruction.len(), text, to);
    }
}

#[cfg(feature = "jit")]
fn arm64(code: &MachineCode, line: Line<'_>) {
    use yaxpeax_arch::{Decoder, U8Reader};
    use yaxpeax_arm::armv8::a64::{InstDecoder, Operand};

    let decoder = InstDecoder::default();
    for (at, word) in (code.start..).step_by(4).zip(code.bytes.chunks(4)) {
        let (text, to) = match decoder.decode(&mut U8Reader::new(word)) {
            Ok(instruction) => {
                let to = instruction.operands.iter().find_map(|operand| match *operand {
                    Operand::PCOffset(distance) => Some(at.wrapping_add_signed(distance as isize)),
                    _ => None,
                });
                (instruction.to_string(), to)
            }
            // Constants stand between instructions.
            Err(_) => (".word".to_owned(), None),
        };
        let text = match to {
            Some(to) => text.split('$').next().unwrap_or_default().to_owned() + &format!("{to:#x}"),
            None => text,
        };
        line(at, 4, text, to);
    }
}

/// Nobody can have such code.
#[cfg(not(feature = "jit"))]
pub(crate) fn list(_: &MachineCode) -> String {
    String::new()
}
