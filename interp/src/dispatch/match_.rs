//! A loop around a `match`, with the registers in locals.

use super::{save, step};
#[cfg(feature = "simd")]
use crate::exec::vector::*;
#[cfg(feature = "gc")]
use crate::exec::{casts::*, objects::*};
use crate::{
    exec::{
        control::*,
        memory::*,
        moves::*,
        numeric::*,
        operand::*,
        regs::{Operand, Regs},
        *,
    },
    forms::for_each_form,
};

pub(super) unsafe fn run(mut r: Regs) -> u32 {
    let stop = loop {
        // SAFETY: CODE.
        let opcode: u16 = unsafe { Operand::read(r.ip) };
        macro_rules! arms {
            ($($($opcode:literal)|+ $body:ty,)*) => {
                match opcode {
                    $($($opcode)|+ => step::<$body>(&mut r),)*
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
