//! The tiers that run code. This is the one place that knows how many there are.

use crate::{CompilationMode, Config, Engine, Error, Result, Strategy};
use core::any::Any;
use kinglet_core::{
    Shared,
    artifact::{Image, Loaded},
    index::FuncAddr,
    module::Module,
    runtime::{StoreInner, instance::Program},
};
use kinglet_interp::{Code, Options};

pub(crate) use compiler::{ir, machine_code, prepare, tiers};

/// The strategy that is meant.
///
/// # Errors
/// It cannot be had.
pub(crate) fn choose(strategy: Strategy) -> Result<Strategy> {
    match (strategy, compiler::available()) {
        (Strategy::Interpreter, _) | (Strategy::Auto, Err(_)) => Ok(Strategy::Interpreter),
        (Strategy::Auto | Strategy::Jit, Ok(())) => Ok(Strategy::Jit),
        (Strategy::Jit, Err(error)) => Err(error),
    }
}

/// A module in the form in which it runs.
pub(crate) fn program(engine: &Engine, module: Shared<Module>) -> Result<Program> {
    let (config, compiled) = (engine.config(), engine.config().strategy == Strategy::Jit);
    let lazy = compiled || config.mode == CompilationMode::Lazy;
    let code = Shared::new(Code::new(&module, Options { metered: config.metered(), lazy })?);
    let types = engine.types().register(&module.types, &module.rec_groups);
    let mut program = Program::new(module, code, types);
    if compiled {
        compiler::add(&mut program, config.metered())?;
    }
    Ok(program)
}

/// What the interpreter adds to a module in an artifact.
pub(crate) fn image(_: &Module, config: &Config) -> Result<Image<'static>> {
    let _ = (config.artifact_ops, config.metered());
    Err(Error::msg("not available"))
}

/// An artifact in the form in which it runs.
pub(crate) fn load(_: &Engine, _: Loaded) -> Result<Program> {
    Err(Error::msg("not available"))
}

/// Calls a function: arguments in, results out.
#[inline(never)]
pub(crate) fn call(
    inner: &mut StoreInner,
    data: &mut dyn Any,
    func: FuncAddr,
    slots: &mut [u64],
) -> Result<()> {
    match compiler::call(inner, data, func, slots) {
        Some(result) => result,
        None => kinglet_interp::call(inner, data, func, slots),
    }
}

/// What has been found out about a function, for calls of it.
pub(crate) type Prepared = compiler::Prepared;

/// Prepares calls of a function.
pub(crate) fn prepare_call(inner: &StoreInner, func: FuncAddr) -> Prepared {
    compiler::prepare_call(inner, func)
}

/// Calls a function that has been prepared: arguments in, results out.
#[inline]
pub(crate) fn call_prepared(
    prepared: &Prepared,
    inner: &mut StoreInner,
    data: &mut dyn Any,
    func: FuncAddr,
    slots: &mut [u64],
) -> Result<()> {
    match compiler::call_prepared(prepared, inner, data, slots) {
        Some(result) => result,
        None => call(inner, data, func, slots),
    }
}

/// The compiler.
#[cfg(feature = "jit")]
mod compiler {
    use crate::{
        Error, Result,
        inspect::{MachineCode, Target, Tiers},
    };
    use alloc::string::String;
    use core::any::Any;
    use kinglet_core::{
        index::{FuncAddr, FuncIdx},
        module::Module,
        runtime::{StoreInner, instance::Program, vmctx::native},
    };
    use kinglet_jit::{
        compile::{CompiledModule, Machine, Options},
        inspect,
        run::NativeCode,
    };

    pub(super) fn available() -> Result<()> {
        let missing = "the compiler knows x86-64 and arm64 processors only: use the interpreter";
        Machine::host().map(|_| ()).ok_or_else(|| Error::msg(missing))
    }

    /// Adds the compiled code of a module.
    pub(super) fn add(program: &mut Program, metered: bool) -> Result<()> {
        let Some(machine) = Machine::host() else { return available() };
        let compiled = CompiledModule::new(&program.module, &machine, Options { metered })?;
        program.native = Some(NativeCode::new(program.module.clone(), compiled)?);
        Ok(())
    }

    /// Lets a store run code of both tiers.
    pub(crate) fn prepare(store: &mut StoreInner) {
        store.set_interpreter(kinglet_interp::INTERPRETER);
    }

    /// `None` if the function is not compiled, or has to be called otherwise.
    pub(crate) type Prepared = Option<native::Prepared>;

    pub(super) fn prepare_call(inner: &StoreInner, func: FuncAddr) -> Prepared {
        inner.prepare(func)
    }

    #[inline]
    pub(super) fn call_prepared(
        prepared: &Prepared,
        inner: &mut StoreInner,
        data: &mut dyn Any,
        slots: &mut [u64],
    ) -> Option<Result<()>> {
        kinglet_jit::run::call(prepared.as_ref()?, inner, data, slots)
    }

    #[inline]
    pub(super) fn call(
        inner: &mut StoreInner,
        data: &mut dyn Any,
        func: FuncAddr,
        slots: &mut [u64],
    ) -> Option<Result<()>> {
        let exit = inner.call_compiled(data, func, slots, false)?;
        Some(exit.map(|_| ()))
    }

    pub(crate) fn tiers(program: &Program) -> Tiers {
        let module = &program.module;
        let imported = module.imported_funcs;
        let mut tiers = Tiers { functions: module.defined_funcs(), ..Tiers::default() };
        let Some(native) = &program.native else { return tiers };
        for index in imported..module.funcs.len() as u32 {
            if native.entry(FuncIdx(index)).is_some() {
                tiers.compiled += 1;
            } else if inspect::has_vectors(module, FuncIdx(index)) {
                tiers.vectors += 1;
            }
        }
        tiers
    }

    pub(crate) fn ir(module: &Module, func: FuncIdx, metered: bool) -> Result<String> {
        inspect::ir(module, func, Options { metered })
    }

    pub(crate) fn machine_code(
        module: &Module,
        func: FuncIdx,
        target: Target,
        metered: bool,
    ) -> Result<MachineCode> {
        let machine = match target {
            Target::X64 => inspect::X64,
            Target::Arm64 => inspect::ARM64,
        };
        let compiled = CompiledModule::new(module, &machine, Options { metered })?;
        let found = compiled.functions.iter().find(|function| function.func == func);
        let found = found.ok_or_else(|| inspect::refusal(module, func, &machine))?;
        let (start, end) = (found.start as usize, found.end as usize);
        Ok(MachineCode {
            target,
            start,
            bytes: compiled.code[start..end].into(),
            functions: compiled
                .functions
                .iter()
                .map(|function| (function.start as usize, function.func.0))
                .collect(),
        })
    }
}

/// What there is instead of the compiler.
#[cfg(not(feature = "jit"))]
mod compiler {
    use crate::{
        Error, Result,
        inspect::{MachineCode, Target, Tiers},
    };
    use alloc::string::String;
    use core::any::Any;
    use kinglet_core::{
        index::{FuncAddr, FuncIdx},
        module::Module,
        runtime::{StoreInner, instance::Program},
    };

    fn missing() -> Error {
        Error::msg("there is no compiler: it takes the feature `jit`")
    }

    pub(super) fn available() -> Result<()> {
        Err(missing())
    }

    pub(super) fn add(_: &mut Program, _: bool) -> Result<()> {
        Err(missing())
    }

    pub(crate) fn prepare(_: &mut StoreInner) {}

    #[derive(Clone, Copy)]
    pub(crate) struct Prepared;

    pub(super) fn prepare_call(_: &StoreInner, _: FuncAddr) -> Prepared {
        Prepared
    }

    #[inline]
    pub(super) fn call_prepared(
        _: &Prepared,
        _: &mut StoreInner,
        _: &mut dyn Any,
        _: &mut [u64],
    ) -> Option<Result<()>> {
        None
    }

    #[inline]
    pub(super) fn call(
        _: &mut StoreInner,
        _: &mut dyn Any,
        _: FuncAddr,
        _: &mut [u64],
    ) -> Option<Result<()>> {
        None
    }

    pub(crate) fn tiers(program: &Program) -> Tiers {
        Tiers { functions: program.module.defined_funcs(), ..Tiers::default() }
    }

    pub(crate) fn ir(_: &Module, _: FuncIdx, _: bool) -> Result<String> {
        Err(missing())
    }

    pub(crate) fn machine_code(_: &Module, _: FuncIdx, _: Target, _: bool) -> Result<MachineCode> {
        Err(missing())
    }
}
