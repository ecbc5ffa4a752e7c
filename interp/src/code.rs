//! The bytecode of a module.
//!
//! All code of a module is one region, so that a return address is an offset into it:
//!
//! ```text
//! 0   STOP            where the outermost function returns to
//! 2   CROSS_RETURN    where a function returns to that another instance called
//! 8   entries         for each function of the module, where its code is, 4 bytes each
//! …   functions       each with its header: the slot of its pinned local
//! ```

#[cfg(feature = "native")]
use crate::sites::{Noted, Sites};
use crate::{
    exec::regs::ENTRIES,
    forms::{code, in_small},
    handlers::{Clause, Handlers},
    sink::{Builder, Point, Safepoints},
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::{
    any::Any,
    cell::UnsafeCell,
    fmt, mem, ptr,
    sync::atomic::{AtomicPtr, AtomicU32, Ordering},
};
use kinglet_core::{
    Shared,
    error::Error,
    index::{FuncIdx, TagIdx},
    module::Module,
    op::OpSet,
    runtime,
    sync::Mutex,
    translate::{self, Refs, Sink, Translator},
};

/// How to make the code of a module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Take fuel, and look for interrupts where fuel is taken.
    pub metered: bool,
    /// Translate a function when it is called for the first time.
    pub lazy: bool,
    /// Which ops it may have.
    pub set: OpSet,
}

/// Where the outermost function returns to.
pub(crate) const STOP: u32 = 0;
/// Where a function returns to that another instance called.
pub(crate) const CROSS_RETURN: u32 = 2;

/// The bytecode of a module.
pub struct Code {
    options: Options,
    /// The newest region.
    base: AtomicPtr<u8>,
    /// As large as the largest frame of a function translated so far, in slots.
    frame_size: AtomicU32,
    state: Mutex<State>,
    /// Stack maps of the functions that a collection has met.
    maps: Mutex<BTreeMap<FuncIdx, Shared<StackMap>>>,
    /// Where frames can stand, for functions of which such have been made from others.
    #[cfg(feature = "native")]
    sites: Mutex<BTreeMap<FuncIdx, Shared<Sites>>>,
}

/// What it takes to translate more functions.
#[derive(Default)]
struct State {
    /// All regions, each with a copy of the one before. Old ones stay: other threads may be running in them.
    regions: Vec<Region>,
    /// Bytes of the newest region that are in use.
    len: usize,
    /// The functions that have been translated, in the order of their offsets.
    functions: Vec<Function>,
    /// Which functions are still to be translated.
    missing: Vec<bool>,
    workshop: Workshop,
}

/// What is known about the code of a function.
struct Function {
    /// Where it begins.
    start: u32,
    func: FuncIdx,
    /// The slot of the frame's header.
    header: u16,
    /// The slot that keeps the caller's pinned `f64` local, if this function has one.
    saved_pin: Option<u16>,
    handlers: Option<Box<Handlers>>,
}

/// The code of a function, and notes about it.
pub(crate) struct Translated {
    pub(crate) code: Vec<u8>,
    /// Where its ops that can stop come from.
    pub(crate) points: Vec<Point>,
    pub(crate) handlers: Option<Box<Handlers>>,
}

/// What an exception does to a frame.
pub(crate) enum Unwind {
    /// It is caught by this clause. Its target is an offset of the module's code.
    Caught(Clause),
    /// It goes on in the caller.
    Leave {
        /// The slot of the frame's header.
        header: u16,
        /// The slot that keeps the caller's pinned `f64` local, if that is not where it was.
        saved_pin: Option<u16>,
    },
}

/// The translator and its sink, reused.
#[derive(Default)]
struct Workshop {
    translator: Translator<<Builder as Sink>::Label, <Builder as Sink>::FuelPoint>,
    builder: Builder,
}

impl Code {
    /// Makes the code of `module`.
    ///
    /// # Errors
    /// If a function exceeds what the bytecode can express. With `lazy`, that is found when the function is called.
    pub fn new(module: &Module, options: Options) -> Result<Code, Error> {
        let mut state = State::default();
        let mut frame_size = 0;
        #[cfg(feature = "profile")]
        let mut pairs = std::collections::HashMap::new();
        let count = module.funcs.len();
        let imported = module.imported_funcs as usize;
        let wasm: usize = module.bodies.iter().map(|body| body.range.len()).sum();
        let mut words = Vec::with_capacity(if options.lazy { 2 * count } else { count + wasm / 3 });
        let mut entries = alloc::vec![0; count];
        state.workshop = Workshop::new(options.set);
        let own = |opcode| of_set(opcode, options.set);
        let returns = [own(code::STOP), own(code::CROSS_RETURN)];
        append(&mut words, &returns.map(u16::to_le_bytes).concat())?;
        words.resize((ENTRIES + 4 * count).div_ceil(8), 0);
        state.missing = alloc::vec![options.lazy; count];
        for (index, entry) in entries.iter_mut().enumerate().skip(imported) {
            let func = FuncIdx(index as u32);
            if options.lazy {
                // A function that asks to be translated.
                let lazy = u64::from(own(code::LAZY)) << 16 | u64::from(func.0) << 32;
                *entry = append(&mut words, &lazy.to_le_bytes())?;
            } else {
                let options = translate::Options { metered: options.metered, refs: false };
                state.workshop.translate(module, func, options)?;
                let builder = &state.workshop.builder;
                let start = append(&mut words, &builder.code)?;
                *entry = start;
                frame_size = frame_size.max(builder.frame_size);
                state.functions.push(builder.function(start, func));
                #[cfg(feature = "profile")]
                pairs.extend(
                    builder.pairs.iter().map(|&(at, first, second)| (start + at, (first, second))),
                );
            }
        }
        let region = Region(words.into_iter().map(UnsafeCell::new).collect());
        for (index, &start) in entries.iter().enumerate() {
            // SAFETY: there is an entry for every function, aligned to four bytes.
            unsafe { region.entry(index) }.store(start.to_le(), Ordering::Release);
        }
        #[cfg(feature = "profile")]
        crate::profile::begin(region.len(), pairs);
        let base = region.base();
        state.len = region.len();
        state.regions.push(region);
        Ok(Code {
            options,
            base: AtomicPtr::new(base),
            frame_size: AtomicU32::new(frame_size),
            state: Mutex::new(state),
            maps: Mutex::default(),
            #[cfg(feature = "native")]
            sites: Mutex::default(),
        })
    }

    /// The code: the newest region.
    pub(crate) fn base(&self) -> *const u8 {
        self.base.load(Ordering::Acquire)
    }

    /// Slots that must lie between the beginning of a frame and the end of the value stack, for code that was found by [`Code::base`]
    /// before this was called.
    pub(crate) fn frame_size(&self) -> usize {
        self.frame_size.load(Ordering::Acquire) as usize
    }

    /// Translates a function that has not been translated yet, or finds that another thread has done so.
    pub(crate) fn translate(&self, module: &Module, func: FuncIdx) -> Result<(), Error> {
        let mut state = self.state.lock();
        if !state.missing[func.at()] {
            return Ok(());
        }
        let start = self.append(&mut state, module, func)?;
        state.missing[func.at()] = false;
        if let Some(region) = state.regions.last() {
            // SAFETY: there is an entry for every function, aligned to four bytes.
            unsafe { region.entry(func.at()) }.store(start.to_le(), Ordering::Release);
        }
        Ok(())
    }

    /// Appends the code of a function. Answers where it begins; the function's entry does not lead there yet.
    fn append(&self, state: &mut State, module: &Module, func: FuncIdx) -> Result<u32, Error> {
        state.workshop.translate(module, func, self.options(false))?;
        let builder = &state.workshop.builder;
        let (start, end) = (offset(state.len)?, state.len + builder.code.len());
        offset(end)?;
        // Whoever runs in the newest region has measured the value stack for the frames in it. A larger frame begins a
        // region in which nobody runs yet: in the old one, the function stays one that asks to be translated. Sizes are
        // rounded, so that this happens a few times at most.
        let frame_size = builder.frame_size.next_power_of_two();
        let larger = self.frame_size.fetch_max(frame_size, Ordering::AcqRel) < frame_size;
        let newest = state.regions.last().map_or(0, Region::len);
        if end > newest || larger {
            let len = if end > newest { end.max(2 * newest).max(1 << 12) } else { newest };
            let region = Region::new(len)
                .ok_or_else(|| Error::limit("no memory for the code of the module"))?;
            // SAFETY: the new region is no shorter, and nobody else has seen it; the old one is only written under the lock.
            unsafe { ptr::copy_nonoverlapping(self.base(), region.base(), state.len) };
            self.base.store(region.base(), Ordering::Release);
            state.regions.push(region);
        }
        let base = self.base.load(Ordering::Acquire);
        // SAFETY: the region reaches to `end`, and what lies behind `len` is written only here, under the lock.
        unsafe {
            ptr::copy_nonoverlapping(
                builder.code.as_ptr(),
                base.add(start as usize),
                builder.code.len(),
            )
        };
        state.len = end;
        state.functions.push(builder.function(start, func));
        Ok(start)
    }

    /// Where frames of a function can stand. The first time, it is translated for that: its entry stays as it is, for calls of
    /// functions that are compiled go elsewhere.
    #[cfg(feature = "native")]
    pub(crate) fn sites(&self, module: &Module, func: FuncIdx) -> Result<Shared<Sites>, Error> {
        let mut known = self.sites.lock();
        if let Some(sites) = known.get(&func) {
            return Ok(sites.clone());
        }
        let start = {
            let mut state = self.state.lock();
            match state.functions.iter().find(|function| function.func == func) {
                Some(function) => function.start,
                None => self.append(&mut state, module, func)?,
            }
        };
        let mut workshop = Workshop::new(self.options.set);
        workshop.builder.noted = Some(Noted::default());
        workshop.translate(module, func, self.options(false))?;
        let sites = Shared::new(workshop.builder.sites(start));
        known.insert(func, sites.clone());
        Ok(sites)
    }

    /// The function whose code is at this offset, and where it begins. What stands behind an op has to ask for that op, after which the
    /// code may end.
    pub(crate) fn find(&self, at: u32) -> Option<(FuncIdx, u32)> {
        self.state.lock().function(at).map(|function| (function.func, function.start))
    }

    /// The slot of the header of the function whose code is at this offset, and that of the pinned `f64` that it has saved.
    #[cfg(feature = "native")]
    pub(crate) fn frame(&self, at: u32) -> Option<(u16, Option<u16>)> {
        self.state.lock().function(at).map(|function| (function.header, function.saved_pin))
    }

    /// What becomes of an exception that gets to the op at this offset; `fits` says whether a tag is that of the exception.
    /// Takes one from `steps` for each clause that it looks at; `None` if they do not suffice.
    pub(crate) fn unwind(
        &self,
        at: u32,
        fits: impl Fn(TagIdx) -> bool,
        steps: &mut u64,
    ) -> Option<Unwind> {
        let state = self.state.lock();
        let &Function { start, header, saved_pin, ref handlers, .. } = state.function(at)?;
        if let Some(handlers) = handlers {
            for clause in handlers.at(at - start) {
                *steps = steps.checked_sub(1)?;
                if clause.tag.is_none_or(&fits) {
                    let target = start + clause.target;
                    return Some(Unwind::Caught(Clause { target, ..*clause }));
                }
            }
        }
        Some(Unwind::Leave { header, saved_pin })
    }

    /// Whether it takes fuel.
    pub(crate) fn is_metered(&self) -> bool {
        self.options.metered
    }

    /// Translates a function again, taking notes: the code is the same every time.
    pub(crate) fn translated(&self, module: &Module, func: FuncIdx) -> Result<Translated, Error> {
        let mut workshop = Workshop::new(self.options.set);
        workshop.builder.points = Some(Vec::new());
        workshop.translate(module, func, self.options(false))?;
        let builder = &mut workshop.builder;
        Ok(Translated {
            handlers: builder.handlers(),
            code: mem::take(&mut builder.code),
            points: builder.points.take().unwrap_or_default(),
        })
    }

    /// Where a function has managed references. Translates it again, the first time.
    pub(crate) fn stack_map(
        &self,
        module: &Module,
        func: FuncIdx,
    ) -> Result<Shared<StackMap>, Error> {
        if let Some(map) = self.maps.lock().get(&func) {
            return Ok(map.clone());
        }
        let mut workshop = Workshop::new(self.options.set);
        workshop.builder.safepoints = Some(Safepoints::default());
        workshop.translate(module, func, self.options(true))?;
        let safepoints = mem::take(&mut workshop.builder.safepoints).unwrap_or_default();
        let map = Shared::new(StackMap { safepoints, refs: workshop.translator.take_refs() });
        self.maps.lock().insert(func, map.clone());
        Ok(map)
    }

    fn options(&self, refs: bool) -> translate::Options {
        translate::Options { metered: self.options.metered, refs }
    }
}

/// Which slots of a function's frame hold managed references, wherever it can stop.
#[derive(Debug)]
pub(crate) struct StackMap {
    safepoints: Safepoints,
    refs: Refs,
}

impl StackMap {
    /// Calls `slot` with each slot that holds a managed reference while the function stands at an op that stopped, by its offset
    /// from the beginning of the function; or, if not `exact`, behind an op that called.
    pub(crate) fn slots(&self, at: u32, exact: bool, mut slot: impl FnMut(usize)) {
        let Safepoints { locals, operands, ops, .. } = &self.safepoints;
        locals.iter().for_each(|&local| slot(local.into()));
        let end = ops.partition_point(|op| if exact { op.at.code <= at } else { op.at.code < at });
        let Some(op) = end.checked_sub(1).map(|last| &ops[last]) else {
            debug_assert!(false, "no safepoint at {at}");
            return;
        };
        debug_assert!(!exact || op.at.code == at, "no safepoint at {at}");
        for height in self.refs.heights(op.live, op.at.offset) {
            slot((operands + height) as usize);
        }
    }
}

impl State {
    /// The function whose code is at this offset.
    fn function(&self, at: u32) -> Option<&Function> {
        let after = self.functions.partition_point(|function| function.start <= at);
        self.functions.get(after.checked_sub(1)?)
    }
}

impl Builder {
    /// What there is to know about the function just made, whose code stands at `start`.
    fn function(&self, start: u32, func: FuncIdx) -> Function {
        // Slots of functions that are not refused fit.
        let (header, saved_pin) = (self.header() as u16, self.saved_pin().map(|slot| slot as u16));
        Function { start, func, header, saved_pin, handlers: self.handlers() }
    }
}

impl Workshop {
    fn new(set: OpSet) -> Workshop {
        Workshop { builder: Builder::new(set), ..Workshop::default() }
    }

    fn translate(
        &mut self,
        module: &Module,
        func: FuncIdx,
        options: translate::Options,
    ) -> Result<(), Error> {
        self.translator.translate(module, func, &mut self.builder, options)
    }
}

impl runtime::Code for Code {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("options", &self.options).finish_non_exhaustive()
    }
}

/// One of the interpreter's own ops, as code of this op set has it.
pub(crate) fn of_set(opcode: u16, set: OpSet) -> u16 {
    if cfg!(feature = "ops-small") || set == OpSet::Small {
        in_small(opcode).unwrap_or(opcode)
    } else {
        opcode
    }
}

/// An offset into code, which has 32 bits.
fn offset(len: usize) -> Result<u32, Error> {
    u32::try_from(len).map_err(|_| Error::limit("the code of a module exceeds 4 GiB"))
}

/// Appends code, at an offset that is a multiple of 8. Returns the offset.
fn append(words: &mut Vec<u64>, code: &[u8]) -> Result<u32, Error> {
    let start = offset(words.len() * 8)?;
    let (whole, rest) = code.as_chunks::<8>();
    words.extend(whole.iter().map(|&word| u64::from_ne_bytes(word)));
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        words.push(u64::from_ne_bytes(word));
    }
    Ok(start)
}

/// Memory for code. What is in use of it is never written again, except for entries.
struct Region(Box<[UnsafeCell<u64>]>);

// SAFETY: writes happen under the lock of `State`, to bytes that nobody reads yet; entries are written as atomics.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    fn new(len: usize) -> Option<Region> {
        let mut words = Vec::new();
        words.try_reserve_exact(len.div_ceil(8)).ok()?;
        words.resize_with(len.div_ceil(8), || UnsafeCell::new(0));
        Some(Region(words.into()))
    }

    fn base(&self) -> *mut u8 {
        UnsafeCell::raw_get(self.0.as_ptr()).cast()
    }

    /// In bytes.
    fn len(&self) -> usize {
        self.0.len() * 8
    }

    /// Where the code of a function begins.
    ///
    /// # Safety
    /// The region must have an entry for the function.
    unsafe fn entry(&self, func: usize) -> &AtomicU32 {
        // SAFETY: as promised; entries are only ever written as atomics once the region is in use.
        unsafe { &*self.base().add(ENTRIES + 4 * func).cast() }
    }
}
