//! `kinglet run`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueHint;
use kinglet::{
    CompilationMode, Config, Engine, Error, ExternType, Func, I32Exit, Instance, Linker, Module,
    Store, StoreLimits, StoreLimitsBuilder, ThrownException, Trap, Val, ValType, WasmBacktrace,
    inspect,
};
use kinglet_wasi::{WasiCtx, WasiThreadsCtx};

use crate::check::{Difference, Recorder, Replay};
use crate::failure::Failure;
use crate::proposals::ProposalArgs;
use crate::tier::Tier;
use crate::wasi::WasiArgs;
use crate::{input, units, values};

/// Run a module or an artifact.
///
/// Runs the function `_start` of a WASI command, or `_initialize` of a reactor; with --invoke any function.
/// The guest reaches nothing but its standard streams, clocks and random numbers, and what the options grant.
#[derive(clap::Args)]
#[command(
    override_usage = "kinglet run [OPTIONS] <FILE> [ARGS]...",
    after_help = "Examples:
  kinglet run hello.wasm --name World          # what follows FILE is the guest's
  kinglet run --dir . --dir /etc::/conf:ro list.wasm
  kinglet run --invoke add math.wat 1 2        # prints 3
  kinglet run --timeout 10s --max-memory 64MiB untrusted.wasm < input.txt
  wasm-tool | kinglet run -                    # the module comes from standard input

Exit codes: the guest's own; 134 for a trap, or the end of --fuel or of --timeout;
1 if it could not be run; 2 for a wrong command line; 70 if --check-tiers finds a difference."
)]
pub(crate) struct Args {
    #[command(flatten)]
    wasi: WasiArgs,

    #[command(flatten)]
    proposals: ProposalArgs,

    /// Call the exported function F with ARGS and print its results, one per line.
    #[arg(long, value_name = "F")]
    invoke: Option<String>,

    /// Trap after about N instructions.
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,

    /// Trap after this time, such as 500ms, 10s or 2m.
    #[arg(long, value_name = "D", value_parser = units::duration)]
    timeout: Option<Duration>,

    /// Let each memory and each table grow to SIZE bytes at most, such as 64k or 16MiB.
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_memory: Option<usize>,

    /// Run in this tier.
    #[arg(long, value_name = "TIER", value_enum, default_value_t)]
    tier: Tier,

    /// Run in the interpreter, then again in compiled code, and compare calls of the host, memories, globals, fuel and outcome.
    ///
    /// Only the first run reaches the host; the second is given what the host did then, and says nothing unless it differs. Programs
    /// with threads cannot be compared.
    #[arg(long, conflicts_with_all = ["timeout", "tier"])]
    check_tiers: bool,

    /// The module, binary or text, or the artifact, `-` for standard input; then the guest's arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        value_name = "FILE [ARGS]",
        value_hint = ValueHint::FilePath
    )]
    file_and_args: Vec<OsString>,
}

/// What the host keeps for each thread of the guest.
#[derive(Clone)]
struct Host {
    wasi: WasiCtx,
    limits: StoreLimits,
    threads: Option<Arc<WasiThreadsCtx<Host>>>,
}

pub(crate) fn run(args: Args) -> Result<i32, Failure> {
    let (file, guest_args) = args.file_and_args.split_first().expect("clap asks for the file");
    let bytes = input::read(file)?;
    let mut config = Config::new();
    // Threads that run are interrupted when the guest ends; and code that can be interrupted wants to be.
    let interruptible = args.timeout.is_some() || args.wasi.threads() || input::is_metered(&bytes);
    let fuel = args.fuel.or(args.check_tiers.then_some(u64::MAX));
    config.consume_fuel(fuel.is_some()).epoch_interruption(interruptible);
    // A program seldom calls all that it consists of.
    config.compilation_mode(CompilationMode::Lazy).strategy(args.tier.check()?.strategy());
    args.proposals.apply(&mut config);
    let program = Program::load(&config, &bytes, &args)?;
    let engine = program.module.engine();

    let deadline = args.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let guest_args = if args.invoke.is_some() { &[] } else { guest_args };
    let wasi = args.wasi.context(file, guest_args, deadline)?;
    let host = Host { wasi, limits: limits(args.max_memory), threads: None };
    let mut store = Store::new(engine, host);
    let bounds = Bounds { fuel, deadline: args.timeout.is_some() };
    bounds.impose(&mut store);
    if let Some(timeout) = args.timeout {
        let engine = engine.clone();
        thread::spawn(move || {
            thread::sleep(timeout);
            engine.increment_epoch();
        });
    }
    let mut linker = Linker::new(engine);
    kinglet_wasi::add_to_linker(&mut linker, |host: &mut Host| &mut host.wasi).map_err(setup)?;

    let outcome = if args.check_tiers {
        if args.wasi.threads() {
            return Err(Failure::usage("programs with threads cannot be compared"));
        }
        let again = Program::load(compiled(&mut config)?, &bytes, &args)?;
        in_both_tiers(&program, &again, &mut store, &linker)?
    } else if args.wasi.threads() {
        let threads = threads(&mut linker, &store, &program.module, bounds).map_err(setup)?;
        let threads = store.data_mut().threads.insert(Arc::new(threads)).clone();
        let Outcome { stage, result } =
            program.run(&mut store, |store| linker.instantiate(store, &program.module));
        Outcome { stage, result: threads.end(result) }
    } else {
        program.run(&mut store, |store| linker.instantiate(store, &program.module))
    };
    match outcome.result {
        Ok(results) => {
            let mut out = std::io::stdout().lock();
            for result in &results {
                writeln!(out, "{}", values::show(result))?;
            }
            Ok(0)
        }
        Err(error) if error.is::<ThrownException>() => {
            let backtrace = error.wasm_backtrace().map(show_backtrace).unwrap_or_default();
            Err(Failure::trap(uncaught(&mut store).map_err(setup)? + &backtrace))
        }
        Err(error) => stopped(&error, outcome.stage, file, &args),
    }
}

fn setup(error: Error) -> Failure {
    Failure::new(format!("{error:#}"))
}

/// What each thread of the guest is bounded by.
#[derive(Clone, Copy)]
struct Bounds {
    fuel: Option<u64>,
    /// Whether it ends when the engine's epoch does.
    deadline: bool,
}

impl Bounds {
    fn impose(self, store: &mut Store<Host>) {
        store.limiter(|host| &mut host.limits);
        if let Some(fuel) = self.fuel {
            store.set_fuel(fuel).expect("the engine was configured for it");
        }
        if self.deadline {
            store.set_epoch_deadline(1);
        }
    }
}

/// Lets the guest start threads.
fn threads(
    linker: &mut Linker<Host>,
    store: &Store<Host>,
    module: &Module,
    bounds: Bounds,
) -> Result<WasiThreadsCtx<Host>, Error> {
    kinglet_wasi::threads::add_to_linker(linker, store, module, |host: &mut Host| {
        host.threads.as_ref().expect("it is set before the guest runs")
    })?;
    let threads = WasiThreadsCtx::new(module.clone(), &*linker)?;
    Ok(threads.prepare(move |store| bounds.impose(store)))
}

/// Bounds each memory and table to `size` bytes.
fn limits(size: Option<usize>) -> StoreLimits {
    // What a table may grow to without --max-memory: as many elements as the web's engines allow.
    const MAX_ELEMENTS: usize = 10_000_000;
    let limits = StoreLimitsBuilder::new();
    match size {
        Some(size) => limits.memory_size(size).table_elements(size / size_of::<u64>()).build(),
        None => limits.table_elements(MAX_ELEMENTS).build(),
    }
}

/// A module, and what to run of it.
struct Program {
    module: Module,
    entry: Entry,
    arguments: Vec<Val>,
}

/// What came of running a program, or of instantiating it.
struct Outcome {
    stage: Stage,
    result: Result<Vec<Val>, Error>,
}

impl Outcome {
    fn seen(&self) -> Result<&[Val], &Error> {
        self.result.as_deref()
    }
}

impl Program {
    /// What the command line says.
    fn load(config: &Config, bytes: &[u8], args: &Args) -> Result<Program, Failure> {
        let (file, guest_args) = args.file_and_args.split_first().expect("clap asks for the file");
        let module = input::compile(&Engine::new(config).map_err(setup)?, file, bytes)?;
        let entry = Entry::find(&module, file, args.invoke.as_deref())?;
        let arguments = match &entry {
            Entry::Function(name, parameters) => parse_arguments(name, parameters, guest_args)?,
            _ => Vec::new(),
        };
        Ok(Program { module, entry, arguments })
    }

    fn run<T: 'static>(
        &self,
        store: &mut Store<T>,
        instantiate: impl FnOnce(&mut Store<T>) -> Result<Instance, Error>,
    ) -> Outcome {
        match instantiate(store) {
            Ok(instance) => {
                let result = self.entry.call(store, &instance, &self.arguments);
                Outcome { stage: Stage::Call, result }
            }
            Err(error) => Outcome { stage: Stage::Instantiate, result: Err(error) },
        }
    }
}

/// The same with compiled code.
fn compiled(config: &mut Config) -> Result<&mut Config, Failure> {
    Ok(config.strategy(Tier::Jit.check()?.strategy()))
}

/// Runs a program in a store that is ready for it, and then again as `compiled`. Fails if that is not the same.
fn in_both_tiers(
    program: &Program,
    compiled: &Program,
    store: &mut Store<Host>,
    linker: &Linker<Host>,
) -> Result<Outcome, Failure> {
    let recorder = Recorder::new(&*store).map_err(setup)?;
    let imports = recorder.imports(store, linker, &program.module).map_err(setup)?;
    let mut again = Store::new(compiled.module.engine(), store.data().limits.clone());
    again.limiter(|limits| limits);
    again.set_fuel(store.get_fuel().map_err(setup)?).map_err(setup)?;

    let outcome = program.run(store, |store| Instance::new(store, &program.module, &imports));
    let recording = recorder.finish(store, outcome.seen()).map_err(setup)?;

    let replay = Replay::new(recording, &again, &compiled.module).map_err(setup)?;
    let imports = replay.imports(&mut again, &compiled.module);
    let other = compiled.run(&mut again, |store| Instance::new(store, &compiled.module, &imports));
    replay.finish(&mut again, other.seen()).map_err(|error| match error.is::<Difference>() {
        true => Failure::difference(error.to_string()),
        false => setup(error),
    })?;
    Ok(outcome)
}

/// What to run of a module.
enum Entry {
    /// The exported function of this name and type, after `_initialize` if there is such a function.
    Function(String, Vec<ValType>),
    /// `_start`.
    Command,
    /// `_initialize`.
    Reactor,
    /// Nothing but the module's own start function.
    Start,
}

impl Entry {
    fn find(module: &Module, file: &OsStr, invoke: Option<&str>) -> Result<Entry, Failure> {
        let function = |name: &str| match module.get_export(name) {
            Some(ExternType::Func(ty)) => Some(ty),
            _ => None,
        };
        let file = input::name(file);
        if let Some(name) = invoke {
            let ty = function(name).ok_or_else(|| {
                Failure::new(format!("{file} exports no function `{name}`{}", functions(module)))
            })?;
            return Ok(Entry::Function(name.to_owned(), ty.params().collect()));
        }
        if function("_start").is_some() {
            Ok(Entry::Command)
        } else if function("_initialize").is_some() {
            Ok(Entry::Reactor)
        } else if inspect::starts(module) {
            Ok(Entry::Start)
        } else {
            Err(Failure::new(format!(
                "{file} exports neither `_start` nor `_initialize`: choose a function with --invoke{}",
                functions(module)
            )))
        }
    }

    fn call<T: 'static>(
        &self,
        store: &mut Store<T>,
        instance: &Instance,
        arguments: &[Val],
    ) -> Result<Vec<Val>, Error> {
        match self {
            Entry::Command => lifecycle(store, instance, "_start").map(|()| Vec::new()),
            Entry::Reactor => lifecycle(store, instance, "_initialize").map(|()| Vec::new()),
            Entry::Start => Ok(Vec::new()),
            Entry::Function(name, _) => {
                if name != "_initialize" && instance.get_func(&mut *store, "_initialize").is_some()
                {
                    lifecycle(store, instance, "_initialize")?;
                }
                let function: Func =
                    instance.get_func(&mut *store, name).expect("the module exports it");
                let mut results = vec![Val::I32(0); function.ty(&*store).results().len()];
                function.call(store, arguments, &mut results)?;
                Ok(results)
            }
        }
    }
}

/// Calls one of the functions that WASI defines, which take and give nothing.
fn lifecycle<T: 'static>(
    store: &mut Store<T>,
    instance: &Instance,
    name: &str,
) -> Result<(), Error> {
    instance.get_typed_func::<(), ()>(&mut *store, name)?.call(store, ())
}

/// The functions that `module` exports, as the end of a message.
fn functions(module: &Module) -> String {
    const SHOWN: usize = 10;
    let exports = module.exports().filter(|export| matches!(export.ty(), ExternType::Func(_)));
    let mut names: Vec<_> = exports.map(|export| format!("`{}`", export.name())).collect();
    if names.is_empty() {
        return " (it exports no function)".to_owned();
    }
    if names.len() > SHOWN {
        names.truncate(SHOWN);
        names.push("…".to_owned());
    }
    format!(" (it has {})", names.join(", "))
}

fn parse_arguments(
    name: &str,
    parameters: &[ValType],
    args: &[OsString],
) -> Result<Vec<Val>, Failure> {
    if args.len() != parameters.len() {
        let (takes, given) = (parameters.len(), args.len());
        return Err(Failure::usage(format!("`{name}` takes {takes} arguments, not {given}")));
    }
    let parse = |(index, (arg, ty)): (usize, (&OsString, &ValType))| {
        let text = arg.to_string_lossy();
        values::parse(&text, ty).map_err(|problem| {
            Failure::usage(format!("argument {} of `{name}`: {problem}", index + 1))
        })
    };
    args.iter().zip(parameters).enumerate().map(parse).collect()
}

/// What was under way when the guest stopped.
enum Stage {
    Instantiate,
    Call,
}

/// The guest's exit code if it exited, and why it failed otherwise.
fn stopped(error: &Error, stage: Stage, file: &OsStr, args: &Args) -> Result<i32, Failure> {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Ok(exit.process_exit_code());
    }
    let backtrace = error.wasm_backtrace().map(show_backtrace).unwrap_or_default();
    let file = input::name(file);
    let message = match (error.trap(), stage) {
        _ if timed_out(error) => {
            let timeout = args.timeout.unwrap_or_default();
            format!("{file} ran longer than --timeout {timeout:?}")
        }
        (Some(Trap::OutOfFuel), _) => {
            format!("{file} used up its fuel of {}", args.fuel.unwrap_or_default())
        }
        (Some(trap), _) => trap.to_string(),
        (None, Stage::Instantiate) => {
            return Err(Failure::new(format!("cannot instantiate {file}: {error:#}{backtrace}")));
        }
        (None, Stage::Call) => return Err(Failure::new(format!("{error:#}{backtrace}"))),
    };
    Err(Failure::trap(message + &backtrace))
}

/// What the guest has thrown and not caught: the name of the tag, and the values.
fn uncaught(store: &mut Store<Host>) -> Result<String, Error> {
    let mut message = "uncaught exception".to_owned();
    if let Some(exception) = store.take_pending_exception() {
        let tag = exception.tag(&mut *store)?;
        message = match tag.name(&*store) {
            Some(name) => format!("{message} `{name}`"),
            None => message,
        };
        let fields = exception.fields(&mut *store)?;
        let values: Vec<_> = fields.map(|value| values::show(&value)).collect();
        if !values.is_empty() {
            message = format!("{message}: {}", values.join(", "));
        }
    }
    Ok(message)
}

/// Whether the guest's time was up, be it in its own code or while it waited for something.
fn timed_out(error: &Error) -> bool {
    error.trap() == Some(Trap::Interrupt) || error.is::<kinglet_wasi::Timeout>()
}

/// The guest's calls, innermost first, as lines that follow a message.
fn show_backtrace(backtrace: &WasmBacktrace) -> String {
    let mut text = String::from("\nwasm backtrace:");
    for (index, frame) in backtrace.frames().iter().enumerate() {
        let module = frame.module_name().unwrap_or("<unknown>");
        let function = match frame.func_name() {
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("<wasm function {}>", frame.func_index()),
        };
        let offset = frame.module_offset().unwrap_or_default();
        write!(text, "\n{index:>5}: {offset:#8x} - {module}!{function}")
            .expect("a string takes everything");
    }
    text
}
