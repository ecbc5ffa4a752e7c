//! A loop around a table of functions, with the registers in memory.

use super::save;
use crate::{
    exec::{memory::*, control::*, moves::*, numeric::*, operand::*, regs::Regs, Body, Seq, Stop, TOKEN, exit},
    forms::{COUNT, for_each_form},
};

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

macro_rules! table {
    ($($number:literal $body:ty,)*) => { [$(step::<$body>,)*] };
}

static STEPS: [fn(&mut Regs) -> Result<(), Stop>; COUNT] = for_each_form!(table);

pub(super) unsafe fn run(mut r: Regs) -> u32 {
    loop {
        // SAFETY: CODE.
        let opcode = u16::from_le(unsafe { r.ip.cast::<u16>().read_unaligned() });
        if let Err(stop) = STEPS[usize::from(opcode)](&mut r) {
            save(&mut r);
            return stop.0;
        }
    }
}
