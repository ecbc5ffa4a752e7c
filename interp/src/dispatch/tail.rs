//! Threaded code: every handler ends with a jump to the next.
//!
//! Nothing here may live across the jump: no value with `Drop`, no local whose address escapes, no call but the last. The gate
//! disassembles the handlers and refuses any with a stack frame.

use super::save;
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
        regs::{Cx, Operand, Regs},
        *,
    },
    forms::{COUNT, for_each_form},
};

macro_rules! handler_type {
    ($abi:literal) => {
        /// Registers in, a code to stop with out.
        type Handler = unsafe extern $abi fn(*const u8, *mut u64, *mut u8, u64, u64, *mut Cx, f32, f64, f64) -> u32;

        unsafe extern $abi fn handler<O: Body>(
            ip: *const u8,
            fp: *mut u64,
            mem: *mut u8,
            acc: u64,
            pin: u64,
            cx: *mut Cx,
            acc_f32: f32,
            acc_f64: f64,
            pin_f64: f64,
        ) -> u32 {
            // SAFETY: registers are handed on from one handler to the next.
            unsafe { step::<O>(Regs { ip, fp, mem, acc, pin, cx, acc_f32, acc_f64, pin_f64 }) }
        }

        #[cold]
        #[inline(never)]
        unsafe extern $abi fn stop(
            ip: *const u8,
            fp: *mut u64,
            code: *mut u8,
            acc: u64,
            pin: u64,
            cx: *mut Cx,
            acc_f32: f32,
            acc_f64: f64,
            pin_f64: f64,
        ) -> u32 {
            save(&mut Regs { ip, fp, mem: code, acc, pin, cx, acc_f32, acc_f64, pin_f64 });
            code.addr() as u32
        }
    };
}

// Six integer and three float arguments in registers, on Windows as well.
#[cfg(target_arch = "x86_64")]
handler_type!("sysv64");
#[cfg(not(target_arch = "x86_64"))]
handler_type!("C");

macro_rules! table {
    ($($($opcode:literal)|+ $body:ty,)*) => {{
        // There are gaps where a feature is off: nothing has such an opcode.
        let mut handlers: [Handler; COUNT] = [handler::<Unreachable>; COUNT];
        $($( handlers[$opcode] = handler::<$body>; )+)*
        handlers
    }};
}

static HANDLERS: [Handler; COUNT] = for_each_form!(table);

pub(super) unsafe fn run(r: Regs) -> u32 {
    // SAFETY: CODE.
    unsafe { next(r) }
}

/// Jumps to the handler of the op at `ip`.
#[inline(always)]
unsafe fn next(r: Regs) -> u32 {
    // SAFETY: CODE: every opcode in code is one of a form.
    unsafe {
        let opcode: u16 = Operand::read(r.ip);
        let handler = *HANDLERS.get_unchecked(usize::from(opcode));
        handler(r.ip, r.fp, r.mem, r.acc, r.pin, r.cx, r.acc_f32, r.acc_f64, r.pin_f64)
    }
}

#[inline(always)]
unsafe fn step<O: Body>(mut r: Regs) -> u32 {
    let result = if O::BRANCH {
        match O::condition(&mut r) {
            Ok(true) => {
                r.ip = r.target(O::LEN - 4);
                // SAFETY: CODE.
                return unsafe { next(r) };
            }
            Ok(false) => Ok(()),
            Err(stop) => Err(stop),
        }
    } else {
        O::run(&mut r)
    };
    if let Err(code) = result {
        // SAFETY: it only saves the registers.
        return unsafe {
            stop(
                r.ip,
                r.fp,
                core::ptr::without_provenance_mut(code.0 as usize),
                r.acc,
                r.pin,
                r.cx,
                r.acc_f32,
                r.acc_f64,
                r.pin_f64,
            )
        };
    }
    if !O::JUMP {
        r.advance(TOKEN + O::LEN);
    }
    // SAFETY: CODE.
    unsafe { next(r) }
}
