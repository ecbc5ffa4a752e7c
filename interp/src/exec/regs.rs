//! The interpreter's registers, and the few accessors that all unsafe code of the bodies is in.
//!
//! Invariants, by the names that SAFETY comments cite (`docs/unsafe.md` has them all):
//!
//! * **CODE**: `ip` points at an instruction of a complete function that this crate's sink has made for the module of the current
//!   instance; operands lie within it, branch targets are instructions of the same function.
//! * **FRAME**: `fp` plus the frame size of any function of the module lies within the value stack, once the limit has been
//!   checked; slots in code are less than the frame size.
//! * **INSTANCE**: the pointers in [`Cx`] are those of the current instance, whose store outlives the run; indices in code are in range.
//! * **HEAP**: `heap` is where the heap of the store begins; references to structs and arrays are null or of objects of the type that
//!   validation saw.
//! * **MEMORY**: `mem` is the base of the current instance's first memory, with its header in front.

use super::{Stop, TOKEN, exit};
use core::ptr;
#[cfg(feature = "threads")]
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use kinglet_core::runtime::vmctx::{MEMORY_LEN, VmFunc, VmMemory, VmTable, memory_limit};

/// Where in the header of every function's code the slot of its pinned local stands, and its length.
pub(crate) const FUNC_HEADER: usize = 2;
/// Slots between a function's parameters and its other locals: where it returns to, and the caller's pinned local.
pub(crate) const FRAME_HEADER: usize = 2;
/// Bytes of a slot. The distance between frames is kept in bytes.
pub(crate) const SLOT_SIZE: u32 = 8;
/// Where the entry offsets of functions stand in the code of a module.
pub(crate) const ENTRIES: usize = 8;

/// Whether there are forms with operands in the accumulator or the pinned local: the small set has none.
pub(crate) const IN_REGISTERS: bool = cfg!(not(feature = "ops-small"));

/// Everything that running code needs to know and that is not in a register.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Cx {
    /// The code of the current instance's module.
    pub(crate) code: *const u8,
    /// The highest frame pointer for which the largest frame of the module fits.
    pub(crate) limit: *mut u64,
    pub(crate) globals: *const *mut u64,
    pub(crate) tables: *const *mut VmTable,
    pub(crate) memories: *const *mut VmMemory,
    pub(crate) types: *const u32,
    pub(crate) imported_funcs: *const u32,
    /// The store's heap.
    #[cfg_attr(
        not(feature = "gc"),
        allow(dead_code, reason = "nothing but ops on objects looks there")
    )]
    pub(crate) heap: *mut u8,
    /// The store's functions.
    pub(crate) funcs: *const VmFunc,
    /// The current instance.
    pub(crate) instance: u32,
    /// Fuel left of the current slice.
    pub(crate) fuel: u64,
    /// What is in registers while code runs.
    pub(crate) saved: Saved,
    /// Where the value stack lies, for the checks of the feature `checked`.
    #[cfg(feature = "checked")]
    pub(crate) stack: (*mut u64, *mut u64),
    /// How many bytes the heap has, and how many functions there are, for the same.
    #[cfg(feature = "checked")]
    pub(crate) counts: (usize, usize),
}

/// The registers whose contents survive a stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saved {
    pub(crate) ip: *const u8,
    pub(crate) fp: *mut u64,
    /// What the accumulators start with, by the bits of a slot.
    pub(crate) acc: u64,
    pub(crate) pin: u64,
    pub(crate) pin_f64: f64,
}

/// The registers. Handlers take each as an argument and keep it in a machine register.
#[derive(Clone, Copy)]
pub(crate) struct Regs {
    pub(crate) ip: *const u8,
    pub(crate) fp: *mut u64,
    pub(crate) mem: *mut u8,
    /// The accumulator of integers and references; `i32`s have the upper half zero.
    pub(crate) acc: u64,
    /// The pinned integer local.
    pub(crate) pin: u64,
    pub(crate) cx: *mut Cx,
    /// The accumulator of `f32`s.
    pub(crate) acc_f32: f32,
    /// The accumulator of `f64`s.
    pub(crate) acc_f64: f64,
    /// The pinned `f64` local.
    pub(crate) pin_f64: f64,
}

impl Regs {
    #[inline(always)]
    pub(crate) fn cx(&self) -> &Cx {
        // SAFETY: INSTANCE; nothing else refers to the context while a body runs.
        unsafe { &*self.cx }
    }

    #[inline(always)]
    pub(crate) fn cx_mut(&mut self) -> &mut Cx {
        // SAFETY: INSTANCE; nothing else refers to the context while a body runs.
        unsafe { &mut *self.cx }
    }

    #[inline(always)]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.ip = self.ip.wrapping_add(bytes);
    }

    #[cfg_attr(not(fusion), allow(dead_code, reason = "without pairs to fuse"))]
    #[inline(always)]
    pub(crate) fn retreat(&mut self, bytes: usize) {
        self.ip = self.ip.wrapping_sub(bytes);
    }

    /// The operand `at` bytes behind the opcode.
    #[inline(always)]
    pub(crate) fn read<T: Operand>(&self, at: usize) -> T {
        // SAFETY: CODE.
        unsafe { T::read(self.ip.add(TOKEN + at)) }
    }

    /// Where the relative operand `at` bytes behind the opcode leads. Jumps count from themselves.
    #[inline(always)]
    pub(crate) fn target(&self, at: usize) -> *const u8 {
        self.ip.wrapping_add(TOKEN + at).wrapping_offset(self.read::<i32>(at) as isize)
    }

    /// The slot with this number.
    #[inline(always)]
    pub(crate) fn slot(&self, number: u16) -> *mut u64 {
        let slot = self.fp.wrapping_add(usize::from(number));
        #[cfg(feature = "checked")]
        assert!(
            self.cx().stack.0 <= slot && slot < self.cx().stack.1,
            "a slot outside of the value stack"
        );
        slot
    }

    /// The value of the slot with this number, read as wide as it is.
    #[inline(always)]
    pub(crate) fn get<T: Copy>(&self, number: u16) -> T {
        let slot = self.slot(number).cast::<T>();
        #[cfg(target_endian = "big")]
        let slot = slot.wrapping_byte_add(8 - size_of::<T>());
        // SAFETY: FRAME; slots are aligned for all value types.
        unsafe { slot.read() }
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, number: u16, value: u64) {
        // SAFETY: FRAME.
        unsafe { self.slot(number).write(value) }
    }

    /// The function that a reference is to, which is not null.
    #[inline(always)]
    pub(crate) fn func(&self, handle: u32) -> &VmFunc {
        #[cfg(feature = "checked")]
        assert!((handle as usize) <= self.cx().counts.1, "a reference to no function");
        // SAFETY: INSTANCE: handles of functions name functions of the store.
        unsafe { &*self.cx().funcs.add(handle as usize - 1) }
    }

    /// Where something of `size` bytes lies in the object of a handle.
    #[cfg(feature = "gc")]
    #[inline(always)]
    pub(crate) fn in_object(&self, handle: u32, offset: usize, size: usize) -> *mut u8 {
        let at = 4 * handle as usize + offset;
        #[cfg(feature = "checked")]
        assert!(
            handle & 1 == 0 && at + size <= self.cx().counts.0,
            "a reference to what is no object"
        );
        _ = size;
        self.cx().heap.wrapping_add(at)
    }

    /// The cell of a global.
    #[inline(always)]
    pub(crate) fn global(&self, index: u32) -> *mut u64 {
        // SAFETY: INSTANCE.
        unsafe { *self.cx().globals.add(index as usize) }
    }

    /// Where an access of `size_of::<M>()` bytes at `address + offset` goes in the first memory.
    #[inline(always)]
    pub(crate) fn address<M>(&self, address: u32, offset: u32) -> Option<*mut M> {
        let at = u64::from(address) + u64::from(offset);
        // SAFETY: MEMORY: the limit for this width stands in the header.
        let limit = unsafe {
            self.mem.sub(memory_limit(size_of::<M>().trailing_zeros())).cast::<i64>().read()
        };
        (at as i64 <= limit).then(|| self.mem.wrapping_add(at as usize).cast())
    }

    /// Where an access of `size_of::<M>()` bytes at `address + offset` goes in any memory.
    #[inline(always)]
    pub(crate) fn address_in<M>(&self, memory: u16, address: u64, offset: u64) -> Option<*mut M> {
        // SAFETY: INSTANCE.
        let base = unsafe { (**self.cx().memories.add(usize::from(memory))).base };
        // SAFETY: MEMORY, for a memory that is not the first: the length stands in the header.
        let len = unsafe { base.sub(MEMORY_LEN).cast::<u64>().read() };
        let at = address.checked_add(offset)?;
        let left = len.checked_sub(at)?;
        (left >= size_of::<M>() as u64).then(|| base.wrapping_add(at as usize).cast())
    }

    /// [`Regs::address`] in a shared first memory, whose header other threads write.
    #[cfg(feature = "threads")]
    #[inline(always)]
    pub(crate) fn address_shared<M>(&self, address: u32, offset: u32) -> Option<*mut M> {
        let at = u64::from(address) + u64::from(offset);
        let limit = self.mem.wrapping_sub(memory_limit(size_of::<M>().trailing_zeros()));
        // SAFETY: MEMORY: the limit for this width stands in the header, and is only accessed atomically.
        let limit = unsafe { AtomicI64::from_ptr(limit.cast()) }.load(Ordering::Relaxed);
        (at as i64 <= limit).then(|| self.mem.wrapping_add(at as usize).cast())
    }

    /// [`Regs::address_in`] in a shared memory, whose header other threads write.
    #[cfg(feature = "threads")]
    #[inline(always)]
    pub(crate) fn address_in_shared<M>(
        &self,
        memory: u16,
        address: u64,
        offset: u64,
    ) -> Option<*mut M> {
        // SAFETY: INSTANCE.
        let base = unsafe { (**self.cx().memories.add(usize::from(memory))).base };
        let len = base.wrapping_sub(MEMORY_LEN);
        // SAFETY: MEMORY, for a memory that is not the first: the length stands in the header, and is only accessed atomically.
        let len = unsafe { AtomicU64::from_ptr(len.cast()) }.load(Ordering::Relaxed);
        let at = address.checked_add(offset)?;
        let left = len.checked_sub(at)?;
        (left >= size_of::<M>() as u64).then(|| base.wrapping_add(at as usize).cast())
    }

    /// Opens the frame of a callee whose first argument is in slot `base` and whose header is in slot `header`.
    #[inline(always)]
    pub(crate) fn open_frame(&mut self, base: u16, header: u16, return_to: *const u8) {
        let offset = return_to.addr().wrapping_sub(self.cx().code.addr()) as u32;
        let delta = u32::from(base) * SLOT_SIZE;
        let header = self.slot(header);
        // SAFETY: FRAME.
        unsafe {
            header.write(u64::from(offset) | u64::from(delta) << 32);
            if IN_REGISTERS {
                header.add(1).write(self.pin);
            }
        }
        self.fp = self.fp.wrapping_byte_add(delta as usize);
    }

    /// Continues at the beginning of function `func` of this instance, in the frame at `fp`.
    #[inline(always)]
    pub(crate) fn enter(&mut self, func: u32) -> Result<(), Stop> {
        let code = self.cx().code;
        // SAFETY: CODE: there is an entry for every function. Entries are words of their own, so that they can be read
        // while another thread translates a function of the module.
        let entry = u32::from_le(unsafe {
            (*code.add(ENTRIES + 4 * func as usize).cast::<core::sync::atomic::AtomicU32>())
                .load(ORDER)
        });
        let header = code.wrapping_add(entry as usize);
        // SAFETY: CODE: every function begins with its header.
        let pin: u16 = unsafe { Operand::read(header) };
        self.ip = header.wrapping_add(FUNC_HEADER);
        // Accumulators hold nothing of use across calls; saying so frees registers. But code of an artifact may look: no address.
        if IN_REGISTERS {
            self.acc = entry.into();
        }
        if self.fp > self.cx().limit {
            return Err(Stop(exit::STACK));
        }
        if IN_REGISTERS {
            self.pin = self.get(pin);
        }
        Ok(())
    }

    /// Returns from the current frame, whose header is in slot `header`.
    #[inline(always)]
    pub(crate) fn close_frame(&mut self, header: u16) {
        let header = self.slot(header);
        // SAFETY: FRAME.
        let (word, pin) = unsafe { (header.read(), header.add(1).read()) };
        if IN_REGISTERS {
            self.pin = pin;
        }
        self.ip = self.cx().code.wrapping_add(word as u32 as usize);
        self.fp = self.fp.wrapping_byte_sub((word >> 32) as usize);
    }
}

/// Entries are written after the code they lead to.
const ORDER: core::sync::atomic::Ordering = core::sync::atomic::Ordering::Acquire;

/// A number in the code: little-endian whatever the host.
pub(crate) trait Operand: Copy {
    /// The number that stands there.
    ///
    /// # Safety
    /// It lies in code, at an even address, as everything does there.
    unsafe fn read(at: *const u8) -> Self;
}

/// A number at an even address: some processors read halves where they would otherwise read bytes.
#[repr(C, packed(2))]
struct Even<T>(T);

macro_rules! operands {
    ($($ty:ident)*) => { $(
        impl Operand for $ty {
            #[inline(always)]
            unsafe fn read(at: *const u8) -> $ty {
                // SAFETY: as promised.
                $ty::from_le(unsafe { at.cast::<Even<$ty>>().read() }.0)
            }
        }
    )* };
}

operands! { u16 u32 u64 i32 }

impl Cx {
    /// A context that points nowhere, to be filled before it is used.
    pub(crate) fn new() -> Cx {
        Cx {
            code: ptr::null(),
            limit: ptr::null_mut(),
            globals: ptr::null(),
            tables: ptr::null(),
            memories: ptr::null(),
            types: ptr::null(),
            imported_funcs: ptr::null(),
            heap: ptr::null_mut(),
            funcs: ptr::null(),
            instance: 0,
            fuel: 0,
            saved: Saved { ip: ptr::null(), fp: ptr::null_mut(), acc: 0, pin: 0, pin_f64: 0.0 },
            #[cfg(feature = "checked")]
            stack: (ptr::null_mut(), ptr::null_mut()),
            #[cfg(feature = "checked")]
            counts: (0, 0),
        }
    }
}
