//! Runtime objects (spec, 4.2): stores and what lives in them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`vmctx`] | the layouts that executing code reads |
//! | [`func`], [`memory`], [`table`] | the objects; globals stand with tables |
//! | [`exception`] | tags and exceptions |
//! | [`handlers`] | who catches them |
//! | [`instance`] | instances, and how they come to be |
//! | [`gc`] | the managed heap |
//! | `native` | compiled code, as the rest knows it |
//! | [`ops`] | ops that both tiers leave to ordinary Rust |
//! | [`bulk`] | growing, copying, filling and initializing memories and tables |
//! | [`limits`] | what guests may use |
//! | [`registry`] | the types of an engine, and their ids |
//! | `trace` | backtraces in the making |

pub mod bulk;
pub mod exception;
pub mod func;
pub mod gc;
pub mod handlers;
pub mod instance;
pub mod limits;
pub mod memory;
#[cfg(feature = "native")]
pub mod native;
pub mod ops;
pub mod registry;
pub mod table;
pub mod trace;
pub mod vmctx;

use crate::{
    Shared,
    error::Error,
    index::*,
    sync::{AnyThreaded, Threaded, count},
    types::GlobalType,
};
use alloc::{boxed::Box, vec::Vec};
use core::{
    any::Any,
    num::NonZeroU32,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use exception::Tag;
use func::HostFunc;
use gc::Heap;
use instance::{ExternVal, Instance, InstanceEntry};
use limits::Limiter;
use memory::Memory;
use registry::{KnownTypes, TypeIds};
use table::{Global, Table};
use vmctx::{
    VmFunc,
    buffer::Buffer,
    stack::{ProvidedStack, ValueStack},
};

pub use func::HostCall;

/// The executable form of a module. Each tier has its own, and finds it again by downcasting.
pub trait Code: Threaded {
    /// The code itself.
    fn as_any(&self) -> &dyn Any;
}

/// A counter that many stores watch: when it reaches a store's deadline, what runs there stops.
///
/// As wide as a pointer; where that is 32 bits, it wraps around after four billion ticks. On targets without compare-and-swap only one
/// context may count: one interrupt, or the program.
#[derive(Debug, Default)]
pub struct Epoch(AtomicUsize);

impl Epoch {
    /// Adds one.
    pub fn increment(&self) {
        count(&self.0);
    }

    /// How often it has been incremented.
    pub fn current(&self) -> u64 {
        self.0.load(Ordering::Relaxed) as u64
    }
}

/// What a store is made with.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Whether code consumes fuel.
    pub consume_fuel: bool,
    /// Whether code can be interrupted.
    pub interruptible: bool,
    /// See [`StoreInner::max_stack`].
    pub max_stack: usize,
    /// The most elements that a table may have.
    pub max_table_elements: u64,
    /// The most bytes that a memory may have.
    pub max_memory_bytes: u64,
    /// The most bytes that the managed heap may have.
    pub max_heap_bytes: usize,
    /// After how many allocations garbage is collected even if there is no need, for tests.
    pub collect_every: Option<NonZeroU32>,
    /// The counter of its engine.
    pub epoch: Shared<Epoch>,
}

/// A store (spec, 4.2.3), without the embedder's data: all objects of all instances.
pub struct StoreInner {
    /// Functions, by [`FuncAddr`]. In slots and tables stand handles: address plus one, 0 for null. Compiled code is told when they move.
    pub funcs: Vec<VmFunc>,
    /// Fuel that is left. Only meaningful if `consume_fuel`.
    pub fuel: u64,
    /// Whether code consumes fuel.
    pub consume_fuel: bool,
    /// Whether code can be interrupted.
    pub interruptible: bool,
    /// Slots of 8 bytes that all executions nested in each other may use together.
    pub max_stack: usize,
    /// Slots used by the executions below the running one, or [`BY_COMPILED`]: see [`StoreInner::stack_used`].
    pub stack_in_use: usize,
    /// The managed heap.
    pub heap: Heap,
    /// The types of the engine that values may have.
    pub types: KnownTypes,
    id: usize,
    host_funcs: Vec<Shared<HostFunc>>,
    tables: Vec<Table>,
    memories: Vec<Memory>,
    globals: Vec<Global>,
    tags: Vec<Tag>,
    pending_exception: Option<u32>,
    /// Frames that this has left on its way through both tiers, as long as it takes it from one to the other.
    #[cfg(feature = "native")]
    pub left: trace::Trace,
    instances: Vec<InstanceEntry>,
    limiter: Option<Limiter>,
    max_table_elements: u64,
    max_memory_bytes: u64,
    interrupt: Shared<AtomicBool>,
    epoch: Shared<Epoch>,
    epoch_deadline: u64,
    /// The value stack that was given back last.
    stack: ValueStack,
    /// What is used instead, if something is.
    provided_stack: Option<ProvidedStack>,
    /// For the next memories.
    provided_memories: Vec<Buffer>,
    engine: Box<AnyThreaded>,
    /// What compiled code uses.
    #[cfg(feature = "native")]
    vm: vmctx::native::OwnedVmStore,
    /// What runs the functions that are not compiled.
    #[cfg(feature = "native")]
    interpreter: Option<&'static dyn native::Interpreter>,
}

/// How many executions can be nested by host functions that call guests, for the native stack that they take: each counts
/// for a share of what they may use together.
pub const MAX_NESTED: usize = 256;

/// Stands for [`StoreInner::stack_in_use`] while compiled code calls the host: how much it uses is found out when somebody asks.
pub const BY_COMPILED: usize = usize::MAX;

/// How large a value stack may be that a store keeps for reuse, in slots.
const KEPT_STACK_SLOTS: usize = 1 << 16;

impl StoreInner {
    /// An empty store. `engine` is for the embedding API to find again.
    pub fn new(options: &StoreOptions, engine: Box<AnyThreaded>) -> StoreInner {
        StoreInner {
            funcs: Vec::new(),
            fuel: 0,
            consume_fuel: options.consume_fuel,
            interruptible: options.interruptible,
            max_stack: options.max_stack,
            stack_in_use: 0,
            heap: Heap::new(options.max_heap_bytes, options.collect_every),
            types: KnownTypes::default(),
            id: next_store_id(),
            host_funcs: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            tags: Vec::new(),
            pending_exception: None,
            #[cfg(feature = "native")]
            left: trace::Trace::default(),
            instances: Vec::new(),
            limiter: None,
            max_table_elements: options.max_table_elements,
            max_memory_bytes: options.max_memory_bytes,
            interrupt: Shared::default(),
            epoch: options.epoch.clone(),
            epoch_deadline: u64::MAX,
            stack: ValueStack::default(),
            provided_stack: None,
            provided_memories: Vec::new(),
            engine,
            #[cfg(feature = "native")]
            vm: vmctx::native::OwnedVmStore::new(),
            #[cfg(feature = "native")]
            interpreter: None,
        }
    }

    /// What compiled code uses. Valid as long as the store; who has the store has it for themselves.
    #[cfg(feature = "native")]
    #[inline]
    pub fn vm(&self) -> *mut vmctx::native::VmStore {
        self.vm.as_ptr()
    }

    /// Sets what runs the functions that are not compiled.
    #[cfg(feature = "native")]
    pub fn set_interpreter(&mut self, interpreter: &'static dyn native::Interpreter) {
        self.interpreter = Some(interpreter);
    }

    /// What runs the functions that are not compiled.
    #[cfg(feature = "native")]
    pub fn interpreter(&self) -> Option<&'static dyn native::Interpreter> {
        self.interpreter
    }

    /// Slots used by the executions below one that begins now.
    #[inline]
    pub fn stack_used(&self) -> usize {
        #[cfg(feature = "native")]
        if self.stack_in_use == BY_COMPILED {
            return self.vm.in_use() + self.max_stack / MAX_NESTED;
        }
        self.stack_in_use
    }

    /// Tells this store from others.
    #[inline]
    pub fn id(&self) -> usize {
        self.id
    }

    /// What the store was made with.
    pub fn engine(&self) -> &AnyThreaded {
        &*self.engine
    }

    /// A table.
    pub fn table(&self, addr: TableAddr) -> &Table {
        &self.tables[addr]
    }

    /// A table, mutably.
    pub fn table_mut(&mut self, addr: TableAddr) -> &mut Table {
        &mut self.tables[addr]
    }

    /// A memory.
    #[inline]
    pub fn memory(&self, addr: MemoryAddr) -> &Memory {
        &self.memories[addr]
    }

    /// A memory, mutably.
    #[inline]
    pub fn memory_mut(&mut self, addr: MemoryAddr) -> &mut Memory {
        &mut self.memories[addr]
    }

    /// A global.
    pub fn global(&self, addr: GlobalAddr) -> &Global {
        &self.globals[addr]
    }

    /// A global, mutably.
    pub fn global_mut(&mut self, addr: GlobalAddr) -> &mut Global {
        &mut self.globals[addr]
    }

    /// All memories, tables and globals, each kind in the order in which they were made.
    pub fn objects(&self) -> impl Iterator<Item = ExternVal> {
        let memories = (0..self.memories.len() as u32).map(|i| ExternVal::Memory(MemoryAddr(i)));
        let tables = (0..self.tables.len() as u32).map(|i| ExternVal::Table(TableAddr(i)));
        let globals = (0..self.globals.len() as u32).map(|i| ExternVal::Global(GlobalAddr(i)));
        memories.chain(tables).chain(globals)
    }

    /// Adds a global.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn add_global(&mut self, ty: GlobalType, bits: [u64; 2]) -> Result<GlobalAddr, Error> {
        make_room(&mut self.globals, 1)?;
        self.globals.push(Global::new(ty, bits).ok_or_else(no_room)?);
        Ok(GlobalAddr(self.globals.len() as u32 - 1))
    }

    /// Lets values have these types, which the caller keeps in use as long as the store lives.
    pub fn add_types(&mut self, types: &TypeIds) {
        self.types.add(types);
        if cfg!(feature = "gc") {
            for def in types.notable() {
                self.heap.define(def.id, &def.ty().composite);
            }
        }
    }

    /// Lets values have a type of the host, which is in use from now on as long as the store lives.
    pub fn keep_type(&mut self, types: &Shared<TypeIds>) {
        self.add_types(types);
        self.types.keep(types);
    }

    /// An instance. It stays where it is as long as the store lives.
    #[inline]
    pub fn instance(&self, addr: InstanceAddr) -> &Instance {
        &self.instances[addr].instance
    }

    /// Sets what decides about growth and numbers of objects.
    pub fn set_limiter(&mut self, limiter: Limiter) {
        self.limiter = Some(limiter);
    }

    /// Whether the running code shall stop: its deadline passed, or somebody asked for it. Asking counts once.
    pub fn interrupted(&self) -> bool {
        if self.interrupt.load(Ordering::Relaxed) {
            self.interrupt.store(false, Ordering::Relaxed);
            return true;
        }
        self.epoch.current() >= self.epoch_deadline
    }

    /// Set it to make [`StoreInner::interrupted`] true once.
    pub fn interrupt_flag(&self) -> &Shared<AtomicBool> {
        &self.interrupt
    }

    /// Sets the deadline to `ticks` epochs from now.
    pub fn set_epoch_deadline(&mut self, ticks: u64) {
        self.epoch_deadline = self.epoch.current().saturating_add(ticks);
    }

    /// A value stack: the one that was provided, or given back last, or an empty one.
    #[inline]
    pub fn take_stack(&mut self) -> ValueStack {
        match &self.provided_stack {
            Some(stack) => stack.take(),
            None => core::mem::take(&mut self.stack),
        }
    }

    /// Takes a value stack back for reuse.
    #[inline]
    pub fn give_stack(&mut self, stack: ValueStack) {
        if self.provided_stack.is_none() && stack.len() <= KEPT_STACK_SLOTS {
            self.stack = stack;
        }
    }

    /// Lets executions have these slots as their value stack, one of them at a time.
    pub fn provide_stack(&mut self, slots: &'static mut [u64]) {
        let len = slots.len().min(self.max_stack);
        self.provided_stack = Some(ProvidedStack::new(&mut slots[..len]));
        self.stack = ValueStack::default();
    }

    /// Lets the next memory that is not shared have these bytes, if no others are waiting for one.
    pub fn provide_memory(&mut self, bytes: &'static mut [u8]) {
        self.provided_memories.push(Buffer::provided(bytes));
    }

    /// Asks the limiter whether there may be so many more of each kind.
    fn check_counts(
        &mut self,
        data: &mut dyn Any,
        instances: usize,
        tables: usize,
        memories: usize,
    ) -> Result<(), Error> {
        let Some(limiter) = &mut self.limiter else { return Ok(()) };
        let limiter = limiter(data);
        let check = |what, have: usize, more, limit| {
            if more > 0 && have.saturating_add(more) > limit {
                Err(Error::limit(alloc::format!(
                    "resource limit exceeded: {what} count too high at {}, the limit is {limit}",
                    have + more
                )))
            } else {
                Ok(())
            }
        };
        check("instance", self.instances.len(), instances, limiter.instances())?;
        check("table", self.tables.len(), tables, limiter.tables())?;
        check("memory", self.memories.len(), memories, limiter.memories())
    }
}

/// Makes room for more entries of a list whose size modules choose: for exactly as many at first, which in small programs are all there
/// will be. After that the room doubles.
fn make_room<T>(list: &mut Vec<T>, more: usize) -> Result<(), Error> {
    let made = if list.is_empty() { list.try_reserve_exact(more) } else { list.try_reserve(more) };
    made.map_err(|_| no_room())
}

#[cold]
fn no_room() -> Error {
    Error::limit("no room for the objects of a module")
}

/// On 32-bit targets the number wraps around after four billion stores, after which two that live at the same time
/// could have the same one if the first had lived so long.
fn next_store_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    count(&NEXT)
}
