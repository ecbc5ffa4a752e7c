//! Jumps, calls and returns.

use super::{
    Body, Stop, TOKEN, exit,
    operand::{SLOT, Source, Value},
    regs::{FRAME_HEADER, Regs},
};
use core::{marker::PhantomData, ptr};
use kinglet_core::trap::Trap;

/// `target`
pub(crate) struct Br;
/// `condition, target`: jumps if the truth of the condition is `WHEN`.
pub(crate) struct BrIf<C, const WHEN: bool>(PhantomData<C>);
/// `count, index, targets`: there is one target more than `count`, the last for all larger indices.
pub(crate) struct BrTable<C>(PhantomData<C>);
/// `cost`
pub(crate) struct Fuel;
/// `target, cost`
pub(crate) struct BrFuel;
/// `func, base, header`
pub(crate) struct Call;
/// `type, table, base, header, index`
pub(crate) struct CallIndirect<C, I>(PhantomData<(C, I)>);
/// `base, header, reference`
pub(crate) struct CallRef<C>(PhantomData<C>);
/// `func, base, header, own header`
pub(crate) struct TailCall;
/// `header`
pub(crate) struct Ret;
/// `header, value`
pub(crate) struct RetOne<T, V>(PhantomData<(T, V)>);
/// `header, first, count`
pub(crate) struct RetMany;
/// Traps.
pub(crate) struct Unreachable;
/// Stops with a code. The execution reads the operands.
pub(crate) struct Exit<const CODE: u32>;

impl Body for Br {
    const LEN: usize = 4;
    const BRANCH: bool = true;
    #[inline(always)]
    fn condition(_: &mut Regs) -> Result<bool, Stop> {
        Ok(true)
    }
}

impl<C: Source, const WHEN: bool> Body for BrIf<C, WHEN> {
    const LEN: usize = C::LEN + 4;
    const BRANCH: bool = true;
    #[inline(always)]
    fn condition(r: &mut Regs) -> Result<bool, Stop> {
        Ok((C::get::<u32>(r, 0) != 0) == WHEN)
    }
}

impl<C: Source> Body for BrTable<C> {
    const LEN: usize = 4 + C::LEN;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let index: u32 = C::get(r, 4);
        let index = index.min(r.read(0));
        r.ip = r.target(4 + C::LEN + 4 * index as usize);
        Ok(())
    }
}

impl Body for Fuel {
    const LEN: usize = 4;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        take_fuel(r, 0)
    }
}

impl Body for BrFuel {
    const LEN: usize = 8;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        take_fuel(r, 4)?;
        r.ip = r.target(0);
        Ok(())
    }
}

/// Takes the amount of fuel that stands `at` bytes behind the opcode, or leaves everything as it was.
#[inline(always)]
fn take_fuel(r: &mut Regs, at: usize) -> Result<(), Stop> {
    let cost: u32 = r.read(at);
    let left = r.cx().fuel.checked_sub(u64::from(cost)).ok_or(Stop(exit::FUEL))?;
    r.cx_mut().fuel = left;
    Ok(())
}

impl Body for Call {
    const LEN: usize = 4 + 2 * SLOT;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let func = r.read(0);
        r.open_frame(r.read(4), r.read(4 + SLOT), r.ip.wrapping_add(TOKEN + Self::LEN));
        r.enter(func)
    }
}

impl<C: Source, I: Value> Body for CallIndirect<C, I> {
    const LEN: usize = 4 + 2 + 2 * SLOT + C::LEN;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let index = C::get::<I>(r, 6 + 2 * SLOT).to_bits();
        // If this is left to the execution, it finds the index there.
        r.acc = index;
        let (ty, table): (u32, u16) = (r.read(0), r.read(4));
        let cx = r.cx();
        // SAFETY: INSTANCE.
        let table = unsafe { &**cx.tables.add(usize::from(table)) };
        if index >= table.len as u64 {
            return Err(Stop(exit::CALL_INDIRECT));
        }
        // SAFETY: the index has been checked.
        let handle = unsafe { *table.elems.add(index as usize) };
        if handle == 0 {
            return Err(Stop(exit::CALL_INDIRECT));
        }
        let func = r.func(handle);
        // SAFETY: INSTANCE: `ty` is a type of the module.
        let ty = unsafe { *cx.types.add(ty as usize) };
        if func.ty != ty || func.instance != cx.instance {
            return Err(Stop(exit::CALL_INDIRECT));
        }
        let func = func.index;
        r.open_frame(r.read(6), r.read(6 + SLOT), r.ip.wrapping_add(TOKEN + Self::LEN));
        r.enter(func)
    }
}

impl<C: Source> Body for CallRef<C> {
    const LEN: usize = 2 * SLOT + C::LEN;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let handle: u32 = C::get(r, 2 * SLOT);
        // If this is left to the execution, it finds the reference there.
        r.acc = handle.into();
        if handle == 0 {
            return Err(Trap::NullFunctionReference.into());
        }
        let func = r.func(handle);
        if func.instance != r.cx().instance {
            return Err(Stop(exit::CALL_REF));
        }
        let func = func.index;
        r.open_frame(r.read(0), r.read(SLOT), r.ip.wrapping_add(TOKEN + Self::LEN));
        r.enter(func)
    }
}

impl Body for TailCall {
    const LEN: usize = 4 + 3 * SLOT;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let (func, base, header, own): (u32, u16, u16, u16) =
            (r.read(0), r.read(4), r.read(4 + SLOT), r.read(4 + 2 * SLOT));
        r.replace_frame(base, header - base, own);
        r.enter(func)
    }
}

impl Regs {
    /// Makes the current frame that of a callee with `params` arguments from slot `base` on; its own header is in slot `own`.
    #[inline(always)]
    pub(crate) fn replace_frame(&mut self, base: u16, params: u16, own: u16) {
        let header: [u64; FRAME_HEADER] = [self.get(own), self.get(own + 1)];
        for i in 0..params {
            let value = self.get(base + i);
            // Volatile, lest it becomes a call of `memmove`, and the handler needs a stack frame.
            // SAFETY: FRAME.
            unsafe { self.slot(i).write_volatile(value) };
        }
        self.set(params, header[0]);
        self.set(params + 1, header[1]);
    }
}

impl Body for Ret {
    const LEN: usize = SLOT;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        r.close_frame(r.read(0));
        Ok(())
    }
}

impl<T: Value, V: Source> Body for RetOne<T, V> {
    const LEN: usize = SLOT + V::LEN;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let value: T = V::get(r, SLOT);
        let result = r.slot(0);
        r.close_frame(r.read(0));
        // SAFETY: FRAME. The header has been read: a function without parameters has it here.
        unsafe { result.write(value.to_bits()) };
        value.set_acc(r);
        Ok(())
    }
}

impl Body for RetMany {
    const LEN: usize = 3 * SLOT;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(r: &mut Regs) -> Result<(), Stop> {
        let (from, to, count): (_, _, u16) = (r.slot(r.read(SLOT)), r.slot(0), r.read(2 * SLOT));
        r.close_frame(r.read(0));
        for i in 0..usize::from(count) {
            // Volatile, lest it becomes a call of `memmove`, and the handler needs a stack frame.
            // SAFETY: FRAME; results stand above their destination, so none is overwritten before it is read.
            unsafe { ptr::write_volatile(to.add(i), from.add(i).read()) };
        }
        Ok(())
    }
}

impl Body for Unreachable {
    const LEN: usize = 0;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(_: &mut Regs) -> Result<(), Stop> {
        Err(Trap::UnreachableCodeReached.into())
    }
}

impl<const CODE: u32> Body for Exit<CODE> {
    const LEN: usize = 0;
    const JUMP: bool = true;
    #[inline(always)]
    fn run(_: &mut Regs) -> Result<(), Stop> {
        Err(Stop(CODE))
    }
}
