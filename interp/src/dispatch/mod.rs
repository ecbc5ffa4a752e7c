//! How one op follows another, and nothing else. Three ways over the same bodies, chosen by the build script:
//!
//! * `tail`: each handler jumps to the next, by sibling calls that LLVM makes at any optimisation level above 0;
//! * `match`: a loop around a `match`, for targets where it does not;
//! * `table`: a loop around a table of functions, for unoptimised builds: no deep recursion, no giant frame.

#[cfg_attr(dispatch = "tail", path = "tail.rs")]
#[cfg_attr(dispatch = "match", path = "match_.rs")]
#[cfg_attr(dispatch = "table", path = "table.rs")]
mod way;

use crate::exec::regs::{Cx, Regs, Saved};
#[cfg(not(dispatch = "tail"))]
use crate::exec::{Body, Stop, TOKEN};

/// Runs from the saved registers until an op stops. Returns why, as a trap's code or one of [`exit`](crate::exec::exit);
/// registers are saved as they were at the beginning of the op that stopped.
///
/// # Safety
/// The context must fulfil CODE, FRAME and INSTANCE.
pub(crate) unsafe fn run(cx: &mut Cx) -> u32 {
    let saved = cx.saved;
    // SAFETY: INSTANCE: every instance has a first memory.
    let mem = unsafe { (**cx.memories).base };
    let registers = Regs {
        ip: saved.ip,
        fp: saved.fp,
        mem,
        acc: saved.acc,
        pin: saved.pin,
        cx,
        acc_f32: f32::from_bits(saved.acc as u32),
        acc_f64: f64::from_bits(saved.acc),
        pin_f64: saved.pin_f64,
    };
    // SAFETY: as promised by the caller.
    unsafe { way::run(registers) }
}

/// Saves what survives a stop.
#[inline(always)]
fn save(r: &mut Regs) {
    let saved = Saved { ip: r.ip, fp: r.fp, acc: r.acc, pin: r.pin, pin_f64: r.pin_f64 };
    r.cx_mut().saved = saved;
}

/// Does one op.
#[cfg(not(dispatch = "tail"))]
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
