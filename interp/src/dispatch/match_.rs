//! A loop around a `match`, with the registers in locals.

use super::save;
use crate::{
    exec::{memory::*, control::*, moves::*, numeric::*, operand::*, regs::Regs, Body, Seq, Stop, TOKEN, exit},
    forms::for_each_form,
};

/// Does one op.
#[inline(always)]
fn step<O: Body>(r: &mut Regs) -> Result<(), Stop> {
    if O::BRANCH {
        if O::condition(r)? {
            r.ip = r.target(O::LEN - 4);
            return Ok(());
        }
    } else {
        O::run(r)?;
    }
    if !O::JUMP {
        r.advance(TOKEN + O::LEN);
    }
    Ok(())
}

pub(super) unsafe fn run(mut r: Regs) -> u32 {
    let stop = loop {
        // SAFETY: CODE.
        let opcode = u16::from_le(unsafe { r.ip.cast::<u16>().read_unaligned() });
        macro_rules! arms {
            ($($number:literal $body:ty,)*) => {
                match opcode {
                    $($number => step::<$body>(&mut r),)*
                    // SAFETY: CODE: every opcode in code is one of a form.
                    _ => unsafe { core::hint::unreachable_unchecked() },
                }
            };
        }
        if let Err(stop) = for_each_form!(arms) {
            break stop;
        }
    };
    save(&mut r);
    stop.0
}
