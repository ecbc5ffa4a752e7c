//! Making the code of modules: all of it when they are loaded, or function by function; and notes about functions that
//! somebody asks for later.

use super::{Code, Function, Source, of_set};
#[cfg(feature = "native")]
use crate::sites::{Noted, Sites};
use crate::{
    exec::regs::ENTRIES,
    forms::code,
    handlers::Handlers,
    sink::{Builder, Point, Safepoints},
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::{
    cell::UnsafeCell,
    mem, ptr,
    sync::atomic::{AtomicPtr, AtomicU32, Ordering},
};
use kinglet_core::{
    Shared,
    error::Error,
    index::{FuncIdx, InstanceAddr},
    module::Module,
    op::OpSet,
    runtime::trace::{TraceFrame, TracePoint},
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

/// Code that is made here.
pub(super) struct Translation {
    set: OpSet,
    state: Mutex<State>,
    notes: Notes,
}

/// What changes when functions are translated.
#[derive(Default)]
struct State {
    /// The functions that have been translated, in the order of their offsets, and what catches exceptions in them.
    functions: Vec<(Function, Option<Box<Handlers>>)>,
    /// All regions, each with a copy of the one before. Old ones stay: other threads may be running in them.
    regions: Vec<Region>,
    /// Bytes of the newest region that are in use.
    len: usize,
    /// Which functions are still to be translated.
    missing: Vec<bool>,
    workshop: Workshop,
}

/// What has been found out about functions by translating them once more.
#[derive(Default)]
struct Notes {
    /// Stack maps of the functions that a collection has met.
    maps: Mutex<BTreeMap<FuncIdx, Shared<StackMap>>>,
    /// Where frames can stand, for functions of which such have been made from others.
    #[cfg(feature = "native")]
    sites: Mutex<BTreeMap<FuncIdx, Shared<Sites>>>,
}

/// The code of a function, and notes about it.
pub(crate) struct Translated {
    pub(crate) code: Vec<u8>,
    /// Where its ops that can stop come from.
    pub(crate) points: Vec<Point>,
    pub(crate) handlers: Option<Box<Handlers>>,
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
                let options = translate::Options { metered: options.metered, ..Default::default() };
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
            metered: options.metered,
            base: AtomicPtr::new(base),
            frame_size: AtomicU32::new(frame_size),
            source: Source::Translated(Box::new(Translation {
                set: options.set,
                state: Mutex::new(state),
                notes: Notes::default(),
            })),
        })
    }

    /// What it takes to translate more.
    fn translation(&self) -> Result<&Translation, Error> {
        match &self.source {
            Source::Translated(translation) => Ok(translation),
            Source::Placed(_) => Err(Error::msg(
                "the module comes from an artifact, which does not have its functions in WebAssembly",
            )),
        }
    }

    /// Translates a function that has not been translated yet, or finds that another thread has done so.
    pub(crate) fn translate(&self, module: &Module, func: FuncIdx) -> Result<(), Error> {
        let mut state = self.translation()?.state.lock();
        if !state.missing[func] {
            return Ok(());
        }
        let start = self.append(&mut state, module, func)?;
        state.missing[func] = false;
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
        let translation = self.translation()?;
        let mut known = translation.notes.sites.lock();
        if let Some(sites) = known.get(&func) {
            return Ok(sites.clone());
        }
        let start = {
            let mut state = translation.state.lock();
            match state.functions.iter().find(|(function, _)| function.func == func) {
                Some((function, _)) => function.start,
                None => self.append(&mut state, module, func)?,
            }
        };
        let mut workshop = Workshop::new(translation.set);
        workshop.builder.noted = Some(Noted::default());
        workshop.translate(module, func, self.options(false))?;
        let sites = Shared::new(workshop.builder.sites(start));
        known.insert(func, sites.clone());
        Ok(sites)
    }

    /// Translates a function again, taking notes: the code is the same every time.
    pub(crate) fn translated(&self, module: &Module, func: FuncIdx) -> Result<Translated, Error> {
        let mut workshop = Workshop::new(self.translation()?.set);
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
    pub(super) fn stack_map(
        &self,
        module: &Module,
        func: FuncIdx,
    ) -> Result<Shared<StackMap>, Error> {
        let translation = self.translation()?;
        if let Some(map) = translation.notes.maps.lock().get(&func) {
            return Ok(map.clone());
        }
        let mut workshop = Workshop::new(translation.set);
        workshop.builder.safepoints = Some(Safepoints::default());
        workshop.translate(module, func, self.options(true))?;
        let safepoints = mem::take(&mut workshop.builder.safepoints).unwrap_or_default();
        let map = Shared::new(StackMap { safepoints, refs: workshop.translator.take_refs() });
        translation.notes.maps.lock().insert(func, map.clone());
        Ok(map)
    }

    fn options(&self, refs: bool) -> translate::Options {
        translate::Options { metered: self.metered, refs, explicit: false }
    }
}

impl Translation {
    /// What `f` makes of the function whose code is at this offset, and of what catches exceptions in it.
    pub(super) fn function<R>(
        &self,
        at: u32,
        f: impl FnOnce(&Function, Option<&Handlers>) -> R,
    ) -> Option<R> {
        let state = self.state.lock();
        let after = state.functions.partition_point(|(function, _)| function.start <= at);
        let (function, handlers) = state.functions.get(after.checked_sub(1)?)?;
        Some(f(function, handlers.as_deref()))
    }
}

/// Which slots of a function's frame hold managed references, wherever it can stop.
#[derive(Debug)]
pub(super) struct StackMap {
    safepoints: Safepoints,
    refs: Refs,
}

impl StackMap {
    /// See [`Code::managed_slots`].
    pub(super) fn slots(&self, at: u32, exact: bool, mut slot: impl FnMut(usize)) {
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

/// Where ops come from, for each function that a backtrace has met.
#[derive(Default)]
pub(crate) struct Points(BTreeMap<(InstanceAddr, FuncIdx), Vec<Point>>);

impl Points {
    /// The offset in the binary of the op that a frame stands at, in this code of its module.
    pub(crate) fn find(
        &mut self,
        code: &Code,
        module: &Module,
        frame: TraceFrame,
    ) -> Option<usize> {
        let TraceFrame { instance, func, at } = frame;
        let points = self.0.entry((instance, func)).or_insert_with(|| {
            code.translated(module, func).map(|translated| translated.points).unwrap_or_default()
        });
        let end = points.partition_point(|point| match at {
            TracePoint::Bytecode(at) => point.code <= at,
            TracePoint::BehindBytecode(at) => point.code < at,
            TracePoint::Op(_) => false,
        });
        Some(points[end.checked_sub(1)?].offset as usize)
    }
}

impl Builder {
    /// What there is to know about the function just made, whose code stands at `start`.
    fn function(&self, start: u32, func: FuncIdx) -> (Function, Option<Box<Handlers>>) {
        // Slots of functions that are not refused fit.
        let (header, saved_pin) = (self.header() as u16, self.saved_pin().map(|slot| slot as u16));
        (Function { start, func, header, saved_pin }, self.handlers())
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
