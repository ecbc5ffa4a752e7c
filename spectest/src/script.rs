//! Running one script.

use std::any::Any;
use std::collections::HashMap;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::thread::{self, Scope, ScopedJoinHandle};

use kinglet::{
    Config, Engine, Error, ErrorKind, Instance, Linker, Module, SharedMemory, Store,
    ThrownException, Val,
    inspect::{self, Tiers},
};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::{Id, Span};
use wast::{
    QuoteWat, QuoteWatTest, Wast, WastDirective, WastExecute, WastInvoke, WastRet, WastThread, Wat,
};

use crate::report::{Failure, Report};
use crate::skips::{FileSkips, Skips};
use crate::source::Source;
use crate::suite::STACK_SIZE;
use crate::{spectest, value};

/// Runs `source` on an engine of its own.
pub(crate) fn run(
    source: &Source,
    config: &Config,
    artifacts: bool,
    skips: &Skips,
) -> (Report, FileSkips) {
    let report = Report { name: source.name.clone(), ..Report::default() };
    let start = Span::from_offset(0);
    let mut run = Run {
        source,
        skips,
        file_skips: skips.for_file(&source.name),
        report,
        at: start,
        panicked: false,
    };
    match panic::catch_unwind(AssertUnwindSafe(|| run.script(config, artifacts))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            run.fail(error.span(), format!("the script does not parse: {}", error.message()))
        }
        Err(panic) => {
            run.panicked = true;
            run.fail(
                run.at,
                format!("panic: {}; the rest of the script did not run", panic_message(&*panic)),
            );
        }
    }
    run.finish()
}

/// A script under way, and what has come of it so far.
struct Run<'a> {
    source: &'a Source,
    skips: &'a Skips,
    file_skips: FileSkips,
    report: Report,
    /// The directive that runs.
    at: Span,
    panicked: bool,
}

impl Run<'_> {
    fn script(&mut self, config: &Config, artifacts: bool) -> Result<(), wast::Error> {
        let mut lexer = Lexer::new(&self.source.text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer)?;
        let script = parser::parse::<Wast<'_>>(&buffer)?;
        thread::scope(|scope| {
            let engine = Engine::new(config);
            let mut world = match engine.and_then(|engine| World::new(&engine, artifacts, scope)) {
                Ok(world) => world,
                Err(error) => return self.fail(self.at, format!("no engine: {error:#}")),
            };
            for directive in script.directives {
                self.at = directive.span();
                let verdict = world.directive(directive);
                let of_threads = mem::take(&mut world.of_threads);
                for (at, verdict) in of_threads.into_iter().chain([(self.at, verdict)]) {
                    self.record(at, verdict);
                }
            }
            self.report.tiers = world.tiers;
            self.report.artifacts = world.compiled;
            for (at, verdict) in world.end() {
                self.record(at, verdict);
            }
        });
        Ok(())
    }

    fn record(&mut self, at: Span, verdict: Verdict) {
        if let Some(entry) = self.line_entry(at) {
            self.report.skipped += 1;
            if verdict.is_err() {
                self.file_skips.needed.push(entry);
            }
        } else if let Err(message) = verdict {
            self.fail(at, message);
        } else {
            self.report.passed += 1;
        }
    }

    /// The entry of the skip list that excuses the directive at `at`.
    fn line_entry(&self, at: Span) -> Option<usize> {
        if self.file_skips.lines.is_empty() {
            return None;
        }
        let (line, _) = at.linecol_in(&self.source.text);
        self.skips.for_line(&self.file_skips.lines, line + 1)
    }

    fn fail(&mut self, at: Span, message: String) {
        let (line, column) = at.linecol_in(&self.source.text);
        let file = self.source.name.clone();
        self.report.failures.push(Failure { file, line: line + 1, column: column + 1, message });
    }

    fn finish(mut self) -> (Report, FileSkips) {
        // A panic is never excused: what is not supported has to be refused.
        if !self.file_skips.whole.is_empty() && !self.panicked {
            if !self.report.failures.is_empty() {
                self.file_skips.needed.extend(&self.file_skips.whole);
            }
            self.report.skipped += self.report.passed + self.report.failures.len();
            self.report.passed = 0;
            self.report.failures.clear();
        }
        (self.report, self.file_skips)
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Whether a directive did what it should; if not, what was expected and what came.
type Verdict<T = ()> = Result<T, String>;

/// What an action came to: its results, or why it stopped.
type Outcome = Result<Vec<Val>, Error>;

/// What came of the directives of a thread.
type Verdicts = Vec<(Span, Verdict)>;

/// What the directives of a script, or of one of its threads, act on.
struct World<'scope, 'script> {
    store: Store<()>,
    linker: Linker<()>,
    /// What directives without a name mean: the instance and the definition made last.
    instance: Option<Instance>,
    definition: Option<Module>,
    instances: HashMap<String, Instance>,
    definitions: HashMap<String, Module>,
    /// The shared memories that instances of another thread export, by the name of the instance.
    shared: HashMap<String, Vec<(String, SharedMemory)>>,
    /// Where threads are started, and those that have been.
    scope: &'scope Scope<'scope, 'script>,
    threads: HashMap<String, ScopedJoinHandle<'scope, Verdicts>>,
    /// What came of threads that ended.
    of_threads: Verdicts,
    /// What tiers the functions of its modules run in, those of threads apart.
    tiers: Tiers,
    /// Whether modules are compiled ahead of time.
    artifacts: bool,
    /// How many were, and how many there are.
    compiled: (usize, usize),
}

impl<'scope, 'script> World<'scope, 'script> {
    fn new(
        engine: &Engine,
        artifacts: bool,
        scope: &'scope Scope<'scope, 'script>,
    ) -> Result<Self, Error> {
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        linker.allow_shadowing(true);
        spectest::define(&mut store, &mut linker)?;
        Ok(World {
            store,
            linker,
            instance: None,
            definition: None,
            instances: HashMap::new(),
            definitions: HashMap::new(),
            shared: HashMap::new(),
            scope,
            threads: HashMap::new(),
            of_threads: Vec::new(),
            tiers: Tiers::default(),
            artifacts,
            compiled: (0, 0),
        })
    }

    /// Waits for the threads that no directive has waited for. What came of them.
    fn end(mut self) -> Verdicts {
        for (_, thread) in mem::take(&mut self.threads) {
            self.join(thread);
        }
        self.of_threads
    }

    fn directive(&mut self, directive: WastDirective<'scope>) -> Verdict {
        match directive {
            WastDirective::Module(mut module) => {
                // If the module fails, no directive may mistake an older instance for it.
                self.instance = None;
                let name = module.name();
                let module = self.compile(&mut module)?;
                self.enter(name, &module)
            }
            WastDirective::ModuleDefinition(mut module) => {
                self.definition = None;
                let name = module.name();
                let module = self.compile(&mut module)?;
                if let Some(name) = name {
                    self.definitions.insert(name.name().to_owned(), module.clone());
                }
                self.definition = Some(module);
                Ok(())
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                self.instance = None;
                let definition = match module {
                    Some(name) => self.definitions.get(name.name()),
                    None => self.definition.as_ref(),
                };
                let definition =
                    definition.cloned().ok_or_else(|| missing("definition", module))?;
                self.enter(instance, &definition)
            }
            WastDirective::Register { name, module, .. } => {
                if let Some(memories) = module.and_then(|module| self.shared.get(module.name())) {
                    for (export, memory) in memories {
                        let defined = self.linker.define(&self.store, name, export, memory.clone());
                        defined.map_err(|error| format!("register {name:?}: {error:#}"))?;
                    }
                    return Ok(());
                }
                let instance = self.instance(module)?;
                let registered = self.linker.instance(&mut self.store, name, instance);
                registered.map(drop).map_err(|error| format!("register {name:?}: {error:#}"))
            }
            WastDirective::Invoke(call) => {
                let outcome = self.invoke(&call)?;
                outcome.map(drop).map_err(|error| format!("invoke {:?}: {error:#}", call.name))
            }
            WastDirective::AssertReturn { exec, results, .. } => {
                let (action, outcome) = self.execute(exec)?;
                self.returned(outcome, &results)
                    .map_err(|problem| format!("assert_return {action}: {problem}"))
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                let (action, outcome) = self.execute(exec)?;
                trapped(outcome, message)
                    .map_err(|problem| format!("assert_trap {action}: {problem}"))
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                let outcome = self.invoke(&call)?;
                trapped(outcome, message)
                    .map_err(|problem| format!("assert_exhaustion {:?}: {problem}", call.name))
            }
            WastDirective::AssertException { exec, .. } => {
                let (action, outcome) = self.execute(exec)?;
                threw(&mut self.store, outcome)
                    .map_err(|problem| format!("assert_exception {action}: {problem}"))
            }
            WastDirective::AssertUnlinkable { module, message, .. } => {
                let module = self.compile(&mut QuoteWat::Wat(module))?;
                unlinkable(self.instantiate(&module), message)
                    .map_err(|problem| format!("assert_unlinkable: {problem}"))
            }
            WastDirective::AssertInvalid { module, message, .. } => {
                self.rejected("assert_invalid", module, message)
            }
            WastDirective::AssertMalformed { module, message, .. } => {
                self.rejected("assert_malformed", module, message)
            }
            WastDirective::AssertInvalidCustom { module, message, .. } => {
                self.rejected("assert_invalid_custom", module, message)
            }
            WastDirective::AssertMalformedCustom { module, message, .. } => {
                self.rejected("assert_malformed_custom", module, message)
            }
            WastDirective::AssertSuspension { .. } => {
                Err("assert_suspension: needs the stack-switching proposal".into())
            }
            WastDirective::Thread(thread) => self.start(thread),
            WastDirective::Wait { thread, .. } => {
                let running = self.threads.remove(thread.name());
                self.join(running.ok_or_else(|| missing("thread", Some(thread)))?);
                Ok(())
            }
        }
    }

    /// Starts a thread of the script, with a store of its own.
    fn start(&mut self, thread: WastThread<'scope>) -> Verdict {
        let mut shared = HashMap::new();
        if let Some(name) = thread.shared_module {
            let memories = match self.shared.get(name.name()) {
                Some(memories) => memories.clone(),
                None => self.shared_memories(name)?,
            };
            shared.insert(name.name().to_owned(), memories);
        }
        let (engine, artifacts, scope) = (self.store.engine().clone(), self.artifacts, self.scope);
        let at = thread.span;
        let run = move || {
            let mut world = match World::new(&engine, artifacts, scope) {
                Ok(world) => World { shared, ..world },
                Err(error) => return vec![(at, Err(format!("thread: no store: {error:#}")))],
            };
            for directive in thread.directives {
                let at = directive.span();
                let verdict = world.directive(directive);
                world.of_threads.push((at, verdict));
            }
            world.end()
        };
        let handle = thread::Builder::new().stack_size(STACK_SIZE).spawn_scoped(scope, run);
        let handle = handle.map_err(|error| format!("thread: {error}"))?;
        self.threads.insert(thread.name.name().to_owned(), handle);
        Ok(())
    }

    /// The shared memories that an instance exports.
    fn shared_memories(&self, name: Id<'_>) -> Verdict<Vec<(String, SharedMemory)>> {
        let exports = self.instance(Some(name))?.exports(&self.store);
        let memories = exports.filter_map(|export| {
            let name = export.name().to_owned();
            Some((name, export.into_shared_memory()?))
        });
        Ok(memories.collect())
    }

    /// Waits for a thread of the script.
    fn join(&mut self, thread: ScopedJoinHandle<'scope, Verdicts>) {
        match thread.join() {
            Ok(verdicts) => self.of_threads.extend(verdicts),
            Err(panic) => panic::resume_unwind(panic),
        }
    }

    /// Instantiates `module`; from now on it is what directives without a name mean.
    fn enter(&mut self, name: Option<Id<'_>>, module: &Module) -> Verdict {
        let instance = self.instantiate(module).map_err(|error| format!("module: {error:#}"))?;
        if let Some(name) = name {
            self.instances.insert(name.name().to_owned(), instance);
        }
        self.instance = Some(instance);
        Ok(())
    }

    fn instantiate(&mut self, module: &Module) -> Result<Instance, Error> {
        self.linker.instantiate(&mut self.store, module)
    }

    fn compile(&mut self, module: &mut QuoteWat<'_>) -> Verdict<Module> {
        let bytes = encode(module).map_err(|message| format!("module: {message}"))?;
        let module = Module::new(self.store.engine(), bytes);
        let module = module.map_err(|error| format!("module: {error:#}"))?;
        let Tiers { functions, compiled, vectors, .. } = inspect::tiers(&module);
        self.tiers.functions += functions;
        self.tiers.compiled += compiled;
        self.tiers.vectors += vectors;
        if self.artifacts { self.ahead_of_time(module) } else { Ok(module) }
    }

    /// The same module, from an artifact.
    fn ahead_of_time(&mut self, module: Module) -> Verdict<Module> {
        self.compiled.1 += 1;
        let artifact = module.serialize();
        let artifact = artifact.map_err(|error| format!("compiling the module: {error:#}"))?;
        self.compiled.0 += 1;
        let module = Module::deserialize(self.store.engine(), artifact);
        module.map_err(|error| format!("loading the artifact: {error:#}"))
    }

    fn instance(&self, name: Option<Id<'_>>) -> Verdict<Instance> {
        let instance = match name {
            Some(name) => self.instances.get(name.name()).copied(),
            None => self.instance,
        };
        instance.ok_or_else(|| missing("instance", name))
    }

    /// Performs an action; tells also how to call it in a message.
    fn execute(&mut self, action: WastExecute<'_>) -> Verdict<(String, Outcome)> {
        match action {
            WastExecute::Invoke(call) => Ok((format!("{:?}", call.name), self.invoke(&call)?)),
            WastExecute::Wat(module) => {
                let module = self.compile(&mut QuoteWat::Wat(module))?;
                Ok(("module".to_owned(), self.instantiate(&module).map(|_| Vec::new())))
            }
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                let found = instance.get_global(&mut self.store, global);
                let value = found
                    .ok_or_else(|| format!("no exported global {global:?}"))?
                    .get(&mut self.store);
                Ok((format!("{global:?}"), Ok(vec![value])))
            }
        }
    }

    fn invoke(&mut self, call: &WastInvoke<'_>) -> Verdict<Outcome> {
        let instance = self.instance(call.module)?;
        let func = instance.get_func(&mut self.store, call.name);
        let func = func.ok_or_else(|| format!("no exported function {:?}", call.name))?;
        let args = call.args.iter().map(|arg| value::argument(&mut self.store, arg));
        let args = args.collect::<Verdict<Vec<_>>>()?;
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        Ok(func.call(&mut self.store, &args, &mut results).map(|()| results))
    }

    fn returned(&mut self, outcome: Outcome, expected: &[WastRet<'_>]) -> Verdict {
        let got = outcome.map_err(|error| {
            format!("expected {}, got: {error:#}", value::show_expected(expected))
        })?;
        let mut fits = |(expected, got)| value::fits(&mut self.store, expected, got);
        if got.len() == expected.len() && expected.iter().zip(&got).all(&mut fits) {
            return Ok(());
        }
        Err(format!(
            "expected {}, got {}",
            value::show_expected(expected),
            value::show(&mut self.store, &got, expected)
        ))
    }

    /// Whether `module` is refused: by the text format's reader, which is not ours, or by the engine.
    fn rejected(&mut self, directive: &str, mut module: QuoteWat<'_>, message: &str) -> Verdict {
        let is_text = matches!(module, QuoteWat::QuoteModule(..));
        let Ok(bytes) = encode(&mut module) else { return Ok(()) };
        match Module::new(self.store.engine(), bytes) {
            Ok(_) => Err(format!("{directive}: expected {message:?}, but the module is accepted")),
            // The text format's reader knows operators that the standard does not have: not to know them either is right.
            Err(error)
                if is_text
                    && directive == "assert_malformed"
                    && error.kind() == ErrorKind::Unsupported =>
            {
                Ok(())
            }
            // Not to know what a module means is no verdict on it.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                Err(format!("{directive}: expected {message:?}, got: {error:#}"))
            }
            Err(_) => Ok(()),
        }
    }
}

/// The module's binary form.
fn encode(module: &mut QuoteWat<'_>) -> Verdict<Vec<u8>> {
    let text = match module {
        QuoteWat::QuoteComponent(..) | QuoteWat::Wat(Wat::Component(_)) => {
            return Err("components are not supported".to_owned());
        }
        module => match module.to_test().map_err(|error| error.message())? {
            QuoteWatTest::Binary(bytes) => return Ok(bytes),
            QuoteWatTest::Text(text) => text,
        },
    };
    let text = str::from_utf8(&text).map_err(|_| "malformed UTF-8 encoding".to_owned())?;
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let encode = || parser::parse::<Wat<'_>>(&ParseBuffer::new_with_lexer(lexer)?)?.encode();
    encode().map_err(|error| error.message())
}

fn missing(what: &str, name: Option<Id<'_>>) -> String {
    match name {
        Some(name) => format!("no {what} `${}`", name.name()),
        None => format!("no {what} to act on"),
    }
}

fn trapped(outcome: Outcome, expected: &str) -> Verdict {
    let error = match outcome {
        Ok(results) => {
            return Err(format!("expected the trap {expected:?}, got {} results", results.len()));
        }
        Err(error) => error,
    };
    // The suite's messages may say which element it was: "uninitialized element 2".
    let essence = expected.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
    match error.trap() {
        Some(trap) if trap.message().contains(essence) => Ok(()),
        Some(trap) => Err(format!("expected the trap {expected:?}, got {:?}", trap.message())),
        None => Err(format!("expected the trap {expected:?}, got: {error:#}")),
    }
}

fn threw(store: &mut Store<()>, outcome: Outcome) -> Verdict {
    match outcome {
        Ok(results) => Err(format!("expected an exception, got {} results", results.len())),
        Err(error) if error.is::<ThrownException>() && store.take_pending_exception().is_some() => {
            Ok(())
        }
        Err(error) => Err(format!("expected an exception, got: {error:#}")),
    }
}

fn unlinkable(outcome: Result<Instance, Error>, expected: &str) -> Verdict {
    match outcome {
        Ok(_) => Err(format!("expected {expected:?}, but the module is instantiated")),
        Err(error) if error.kind() == ErrorKind::Link && error.to_string().contains(expected) => {
            Ok(())
        }
        Err(error) => Err(format!("expected {expected:?}, got: {error:#}")),
    }
}
