//! From a module to its machine code: one function after the other, then the stubs that they need, then all of it linked.

use crate::{
    abi::Shape,
    alloc::Allocator,
    build::Builder,
    ir::Function,
    isa::{FrameLayout, Isa, Stub, Target, arm64::Arm64, buffer::Code, x64::X64},
    live::Liveness,
    regs::{Allocation, Registers},
};
use kinglet_core::{
    error::Error,
    index::{FuncIdx, TypeIdx},
    module::Module,
    translate::{self, Sink, Translator},
};
use std::collections::HashMap;

/// What code is for: an instruction set, and what may be used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// x86-64
    X64(X64),
    /// arm64
    Arm64(Arm64),
}

/// Does something with the [`Isa`] of a [`Machine`].
macro_rules! with_isa {
    ($machine:expr, $isa:ident => $what:expr) => {
        match $machine {
            Machine::X64($isa) => $what,
            Machine::Arm64($isa) => $what,
        }
    };
}

impl Machine {
    /// The one that this program runs on, if there is a compiler for it.
    pub fn host() -> Option<Machine> {
        if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
            Some(Machine::X64(X64::host()))
        } else if cfg!(all(
            target_arch = "aarch64",
            target_pointer_width = "64",
            target_endian = "little"
        )) {
            Some(Machine::Arm64(Arm64))
        } else {
            None
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Machine::X64(_) => "x86-64",
            Machine::Arm64(_) => "arm64",
        }
    }

    /// Its registers.
    pub const fn registers(&self) -> &'static Registers {
        match self {
            Machine::X64(_) => X64::REGISTERS,
            Machine::Arm64(_) => Arm64::REGISTERS,
        }
    }

    /// The most bytes of code of a module: what direct branches reach.
    const fn max_code(&self) -> usize {
        match self {
            Machine::X64(_) => 1 << 30,
            Machine::Arm64(_) => 120 << 20,
        }
    }

    /// A byte that traps if it is executed.
    const fn filler(&self) -> u8 {
        match self {
            Machine::X64(_) => 0xcc,
            Machine::Arm64(_) => 0,
        }
    }
}

/// How to compile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Take fuel, and look for interrupts where fuel is taken.
    pub metered: bool,
}

/// The offset of what is not there.
pub const NONE: u32 = u32::MAX;

/// The machine code of a module, linked, for any address.
#[derive(Clone, Debug)]
pub struct CompiledModule {
    /// What it is for.
    pub machine: Machine,
    /// Whether it takes fuel.
    pub metered: bool,
    /// The code: functions in the order of their indices, then stubs.
    pub code: Vec<u8>,
    /// For each function that the module defines, where its code begins, or [`NONE`] if it is left to the interpreter.
    pub entries: Box<[u32]>,
    /// For each of them, where the stub begins by which the host enters it, or [`NONE`].
    pub enters: Box<[u32]>,
    /// The functions that have been compiled, in the order of their places.
    pub functions: Box<[CompiledFunction]>,
    /// Bytes of the bodies of all functions that the module defines.
    pub wasm_bytes: usize,
    /// Bytes of the bodies of those that have been compiled.
    pub compiled_wasm_bytes: usize,
}

/// Where the code of a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompiledFunction {
    /// Which one.
    pub func: FuncIdx,
    /// Where it begins.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
}

impl CompiledModule {
    /// Compiles a module.
    ///
    /// # Errors
    /// Its code is too large for offsets of 32 bits.
    pub fn new(
        module: &Module,
        machine: &Machine,
        options: Options,
    ) -> Result<CompiledModule, Error> {
        with_isa!(machine, isa => Compiler::new(isa, module, options).module(machine))
    }

    /// The function whose code is at this offset.
    #[inline]
    pub fn function_at(&self, offset: u32) -> Option<CompiledFunction> {
        function_at(&self.functions, offset)
    }
}

/// The function whose code is at this offset. A return address belongs to the function that it is in or at the end of.
#[inline]
pub fn function_at(functions: &[CompiledFunction], offset: u32) -> Option<CompiledFunction> {
    let after = functions.partition_point(|function| function.start < offset);
    let function = functions[after.checked_sub(1)?];
    (offset <= function.end).then_some(function)
}

/// A function compiled once more.
pub(crate) struct Again<'w> {
    pub(crate) function: &'w Function,
    pub(crate) liveness: &'w Liveness,
    pub(crate) allocation: &'w Allocation,
    /// The function alone, not linked.
    pub(crate) code: &'w Code,
    pub(crate) frame: FrameLayout,
}

/// Compiles a function again, taking notes: `None` if it cannot be compiled.
pub(crate) fn again<R>(
    module: &Module,
    machine: &Machine,
    options: Options,
    func: FuncIdx,
    look: impl FnOnce(Again<'_>) -> R,
) -> Option<R> {
    with_isa!(machine, isa => {
        let mut compiler = Compiler::new(isa, module, options);
        compiler.builder.take_notes = true;
        compiler.code.sites = Some(Vec::new());
        let frame = compiler.function(func)?;
        let Compiler { builder, liveness, allocation, code, .. } = &compiler;
        Some(look(Again { function: &builder.function, liveness, allocation, code, frame }))
    })
}

/// What compiles functions, with everything that is used again for the next one.
struct Compiler<'m, I> {
    isa: &'m I,
    module: &'m Module,
    options: translate::Options,
    shapes: Shapes,
    translator: Translator<<Builder as Sink>::Label, <Builder as Sink>::FuelPoint>,
    builder: Builder,
    liveness: Liveness,
    allocator: Allocator,
    allocation: Allocation,
    code: Code,
}

impl<'m, I: Isa> Compiler<'m, I> {
    fn new(isa: &'m I, module: &'m Module, options: Options) -> Compiler<'m, I> {
        Compiler {
            isa,
            module,
            options: translate::Options { metered: options.metered, ..Default::default() },
            shapes: Shapes::new(module),
            translator: Translator::default(),
            builder: Builder::default(),
            liveness: Liveness::default(),
            allocator: Allocator::default(),
            allocation: Allocation::default(),
            code: Code::default(),
        }
    }

    fn module(mut self, machine: &Machine) -> Result<CompiledModule, Error> {
        let module = self.module;
        let wasm_bytes: usize = module.bodies.iter().map(|body| body.range.len()).sum();
        let mut compiled_wasm_bytes = 0;
        let mut entries = vec![NONE; module.bodies.len()];
        let mut functions = Vec::with_capacity(module.bodies.len());
        self.code.bytes.reserve(wasm_bytes.saturating_mul(4).min(machine.max_code()));
        for (at, body) in module.bodies.iter().enumerate() {
            let func = FuncIdx(module.imported_funcs + at as u32);
            let (start, relocations) = (self.code.at(), self.code.relocations.len());
            let done = self.function(func).is_some() && self.code.bytes.len() <= machine.max_code();
            if done {
                entries[at] = start;
                compiled_wasm_bytes += body.range.len();
                functions.push(CompiledFunction { func, start, end: self.code.at() });
                self.align(machine);
            } else {
                self.code.bytes.truncate(start as usize);
                self.code.relocations.truncate(relocations);
            }
        }
        let enters = self.enters(machine, &entries);
        let stubs = self.stubs(machine, &entries);
        self.link(&entries, &stubs);
        let mut code = self.code.bytes;
        code.shrink_to_fit();
        u32::try_from(code.len())
            .ok()
            .filter(|&len| len != NONE)
            .ok_or_else(|| Error::limit("the code of a module exceeds 4 GiB"))?;
        Ok(CompiledModule {
            machine: *machine,
            metered: self.options.metered,
            code,
            entries: entries.into(),
            enters,
            functions: functions.into(),
            wasm_bytes,
            compiled_wasm_bytes,
        })
    }

    /// Appends the code of a function; `None` if it has to be left to the interpreter. Then what has been appended is of no use.
    fn function(&mut self, func: FuncIdx) -> Option<FrameLayout> {
        // Even a body without vectors is of no use if nobody can call it.
        self.shapes.of(self.module.funcs[func.at()])?;
        // Whatever is too large for the translator may still fit the interpreter, or be its to report.
        self.translator.translate(self.module, func, &mut self.builder, self.options).ok()?;
        if self.builder.unsupported.is_some() {
            return None;
        }
        let function = &self.builder.function;
        self.liveness.run(function);
        self.allocator.run(function, &self.liveness, I::REGISTERS, &mut self.allocation);
        #[cfg(debug_assertions)]
        if let Err(error) =
            crate::check::check(function, &self.liveness, I::REGISTERS, &self.allocation)
        {
            panic!("function {}: {error}", func.0);
        }
        let shapes = |ty: TypeIdx| self.shapes.of(ty);
        let (module, allocation) = (self.module, &self.allocation);
        self.isa.function(module, function, allocation, &shapes, &mut self.code).ok()
    }

    /// Functions and stubs begin at multiples of 16. What lies in between traps.
    fn align(&mut self, machine: &Machine) {
        let len = self.code.bytes.len().next_multiple_of(16);
        self.code.bytes.resize(len, machine.filler());
    }

    /// Appends the stubs that code refers to, and those that these refer to. Answers where they are, by their numbers.
    fn stubs(&mut self, machine: &Machine, entries: &[u32]) -> Vec<u32> {
        let shapes = self.shapes.list.len();
        let mut stubs = vec![NONE; Stub::count(shapes, self.module.funcs.len())];
        let mut next = 0;
        while let Some(&(_, target)) = self.code.relocations.get(next) {
            next += 1;
            let Some(stub) = self.stub_of(target, entries) else { continue };
            let number = stub.number(shapes);
            if stubs[number] == NONE {
                stubs[number] = self.stub(machine, stub);
            }
        }
        stubs
    }

    /// The stub that a branch leads to; `None` if it leads to a function that is there.
    fn stub_of(&self, target: Target, entries: &[u32]) -> Option<Stub> {
        match target {
            Target::Stub(stub) => Some(stub),
            Target::Func(func) => {
                let at = func.0 - self.module.imported_funcs;
                // Only compiled functions call directly, and only functions that compiled ones can call.
                let shape = || self.shapes.of(self.module.funcs[func.at()]).unwrap_or(0);
                (entries[at as usize] == NONE).then(|| Stub::Uncompiled(func, shape()))
            }
        }
    }

    fn stub(&mut self, machine: &Machine, stub: Stub) -> u32 {
        self.align(machine);
        let start = self.code.at();
        self.isa.stub(stub, &self.shapes.list, &mut self.code);
        start
    }

    /// Appends what the host enters functions by, once for each shape of a function that is compiled.
    fn enters(&mut self, machine: &Machine, entries: &[u32]) -> Box<[u32]> {
        let mut known = vec![NONE; self.shapes.list.len()];
        let mut enters = vec![NONE; entries.len()];
        for (at, enter) in enters.iter_mut().enumerate() {
            let ty = self.module.funcs[self.module.imported_funcs as usize + at];
            let Some(shape) = self.shapes.of(ty).filter(|_| entries[at] != NONE) else { continue };
            if known[shape as usize] == NONE {
                known[shape as usize] = self.stub(machine, Stub::Enter(shape));
            }
            *enter = known[shape as usize];
        }
        enters.into()
    }

    /// Lets all branches lead where they should.
    fn link(&mut self, entries: &[u32], stubs: &[u32]) {
        let shapes = self.shapes.list.len();
        for at in 0..self.code.relocations.len() {
            let (at, target) = self.code.relocations[at];
            let to = match (self.stub_of(target, entries), target) {
                (Some(stub), _) => stubs[stub.number(shapes)],
                (None, Target::Func(func)) => {
                    entries[(func.0 - self.module.imported_funcs) as usize]
                }
                (None, Target::Stub(_)) => unreachable!("a stub is one"),
            };
            self.isa.patch(&mut self.code.bytes, at, to);
        }
    }
}

/// The shapes of the function types of a module.
struct Shapes {
    list: Vec<Shape>,
    /// By type: which one, or [`NONE`].
    of: Vec<u32>,
}

impl Shapes {
    fn new(module: &Module) -> Shapes {
        let (mut list, mut known) = (Vec::new(), HashMap::new());
        let of = module.types.iter().map(|ty| {
            let Some(shape) = ty.as_func().and_then(Shape::of) else { return NONE };
            *known.entry(shape).or_insert_with_key(|shape| {
                list.push(shape.clone());
                list.len() as u32 - 1
            })
        });
        let of = of.collect();
        Shapes { list, of }
    }

    fn of(&self, ty: TypeIdx) -> Option<u32> {
        self.of.get(ty.at()).copied().filter(|&shape| shape != NONE)
    }
}
