//! A loop around a table of functions, with the registers in memory.

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
    forms::{COUNT, for_each_form},
};

macro_rules! table {
    ($($($opcode:literal)|+ $body:ty,)*) => {{
        // There are gaps where a feature is off: nothing has such an opcode.
        let mut steps: [Step; COUNT] = [step::<Unreachable>; COUNT];
        $($( steps[$opcode] = step::<$body>; )+)*
        steps
    }};
}

type Step = fn(&mut Regs) -> Result<(), Stop>;

static STEPS: [Step; COUNT] = for_each_form!(table);

pub(super) unsafe fn run(mut r: Regs) -> u32 {
    #[cfg(feature = "profile")]
    let mut counts = crate::profile::take_counts();
    loop {
        #[cfg(feature = "profile")]
        {
            counts[(r.ip.addr() - r.cx().code.addr()) / 2] += 1;
        }
        // SAFETY: CODE.
        let opcode: u16 = unsafe { Operand::read(r.ip) };
        if let Err(stop) = STEPS[usize::from(opcode)](&mut r) {
            #[cfg(feature = "profile")]
            crate::profile::give_counts(counts);
            save(&mut r);
            return stop.0;
        }
    }
}
