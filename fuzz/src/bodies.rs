//! The targets.

#[cfg(feature = "oracle")]
use crate::oracle;
use crate::{
    Rng,
    generate::{self, Ending},
    observe::{FUEL, hash},
    ours::{self, How, Stops},
};
use kinglet::{Engine, Module, OpSet, inspect};
use std::{
    fs,
    path::PathBuf,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Something to feed to the runtime, and what must hold of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name, as in `fuzz_targets/`.
    pub name: &'static str,
    /// Makes a module, or what may pass for one, from arbitrary bytes. `None` if they are too few.
    pub make: fn(&[u8]) -> Option<Vec<u8>>,
    /// Panics if what happens to a module shows a fault of the runtime.
    pub check: fn(&[u8]),
}

impl Target {
    /// All of them.
    pub const ALL: &[Target] = &[
        DECODE,
        EXECUTE,
        #[cfg(feature = "oracle")]
        DIFFERENTIAL,
        MUTATE,
        RESUME,
        LAZY,
        TIERS,
        ARTIFACT,
    ];

    /// Makes a module from arbitrary bytes and checks it.
    ///
    /// # Panics
    /// If the check fails.
    pub fn run(&self, data: &[u8]) {
        if let Some(wasm) = (self.make)(data) {
            (self.check)(&wasm);
        }
    }
}

/// How many calls of exported functions have been compared with wasmtime's, or between tiers.
pub fn executions() -> u64 {
    EXECUTIONS.load(Ordering::Relaxed)
}

static EXECUTIONS: AtomicU64 = AtomicU64::new(0);

/// Loads arbitrary bytes behind the header of a module, and as the bodies of functions.
pub const DECODE: Target = Target {
    name: "decode",
    make: |data| match data.split_first()? {
        (0..32, rest) => Some([b"\0asm\x01\0\0\0", rest].concat()),
        (_, rest) => generate::invalid_module(rest),
    },
    check: |wasm| {
        load(wasm);
    },
};

/// Runs generated modules with fuel and limits.
pub const EXECUTE: Target = Target {
    name: "execute",
    make: |data| generate::module(data, Ending::Open),
    check: |wasm| {
        ours::observe(wasm, How { reentrant: true, ..METERED });
    },
};

/// Runs generated modules here and on wasmtime: both do the same.
#[cfg(feature = "oracle")]
pub const DIFFERENTIAL: Target = Target {
    name: "differential",
    make: |data| generate::module(data, Ending::Bounded),
    check: |wasm| {
        if waits(wasm) || differs(wasm) {
            return;
        }
        let Some(theirs) = oracle::observe(wasm) else { return };
        let how = How { reentrant: true, ..How::default() };
        for compiled in [false, true] {
            let how = How { compiled, ..how };
            let ours = ours::observe(wasm, how);
            ours.assert_agrees(&theirs, format_args!("kinglet with {how:?} and wasmtime"));
            let metered = How { fuel: Some(u64::MAX), ..how };
            let what = format_args!("kinglet with {metered:?} and wasmtime");
            ours::observe(wasm, metered).assert_agrees(&theirs, what);
            EXECUTIONS.fetch_add(ours.calls() as u64, Ordering::Relaxed);
        }
    },
};

/// Cuts real modules off, flips their bits, and runs what is still valid.
pub const MUTATE: Target = Target {
    name: "mutate",
    make: |data| Some(mutate(&mut Rng::new(hash(data)))),
    check: |wasm| {
        if let Some(module) = load(wasm) {
            ours::observe_module(&module, METERED);
        }
    },
};

/// Runs generated modules in one go and with interruptions: they do the same, with the same amount of fuel.
pub const RESUME: Target = Target {
    name: "resume",
    make: |data| generate::module(data, Ending::Open),
    check: |wasm| {
        let sliced = ours::observe(wasm, How { stops: Stops::Everywhere, ..METERED });
        ours::observe(wasm, METERED).assert_same(&sliced, "one run and many");
    },
};

/// Runs generated modules translated early and late: they do the same.
pub const LAZY: Target = Target {
    name: "lazy",
    make: |data| generate::module(data, Ending::Bounded),
    check: |wasm| {
        let late = ours::observe(wasm, How { lazy: true, ..METERED });
        ours::observe(wasm, METERED).assert_same(&late, "early and late translation");
    },
};

/// Runs generated modules in the interpreter and compiled, in one go and with stops: they do the same, with the same amount of fuel.
pub const TIERS: Target = Target {
    name: "tiers",
    make: |data| generate::module(data, Ending::Bounded),
    check: |wasm| {
        let once = Stops::Once(hash(wasm));
        let stops = [Stops::Nowhere, Stops::Everywhere, once].map(|stops| How { stops, ..METERED });
        let callbacks = How { reentrant: true, ..METERED };
        let unmetered = How { fuel: None, ..callbacks };
        for how in stops.into_iter().chain([callbacks, unmetered]) {
            let how = How { compiled: true, ..how };
            let interpreted = How { compiled: false, stops: Stops::Nowhere, ..how };
            let what = format_args!("interpreter and compiled code with {how:?}");
            let compiled = ours::observe(wasm, how);
            ours::observe(wasm, interpreted).assert_same_below_overflow(&compiled, what);
            EXECUTIONS.fetch_add(compiled.calls() as u64, Ordering::Relaxed);
        }
    },
};

/// Runs generated modules directly and as artifacts: they do the same. Then alters the artifacts, and runs those that can be loaded.
pub const ARTIFACT: Target = Target {
    name: "artifact",
    make: |data| match data.split_first()? {
        (0..16, rest) => Some(GUESTS[hash(rest) as usize % GUESTS.len()].clone()),
        (16..128, rest) => generate::object_module(rest),
        (_, rest) => generate::module(rest, Ending::Bounded),
    },
    check: |wasm| {
        let rng = &mut Rng::new(hash(wasm));
        let ops = [OpSet::Small, OpSet::Standard, OpSet::Fused][rng.below(3)];
        let metered = How { ops, ..METERED };
        for how in [How { fuel: None, ..metered }, metered] {
            let engine = ours::engine(how);
            let artifact = engine.precompile_module(wasm).expect("artifacts can hold all modules");
            let module = Module::deserialize(&engine, &artifact).expect("it has just been made");
            // Without fuel, what is not known to come to an end is only loaded.
            if how.fuel.is_some() || module.get_export(FUEL).is_some() {
                let direct = ours::observe(wasm, how).without_offsets();
                let loaded = ours::observe_module(&module, how).without_offsets();
                direct.assert_same_below_overflow(&loaded, "a module and its artifact");
                EXECUTIONS.fetch_add(direct.calls() as u64, Ordering::Relaxed);
            }
            for _ in 0..DAMAGED {
                let damaged = damage(&artifact, &module, rng);
                if let Ok(module) = Module::deserialize(&engine, damaged)
                    && how.fuel.is_some()
                {
                    ours::observe_module(&module, how);
                }
            }
            alter(&engine, &artifact, true, rng, |altered| {
                if how.fuel.is_some() {
                    let loaded = [0; 2].map(|_| Module::deserialize(&engine, altered));
                    let [one, other] = loaded.map(|module| module.expect("it could be loaded"));
                    // At another address it does the same.
                    let once = ours::observe_module(&one, how);
                    once.assert_same(&ours::observe_module(&other, how), "an artifact and itself");
                    let stops = Stops::Everywhere;
                    ours::observe_module(&one, How { stops, reentrant: true, ..how });
                }
            });
        }
        if rng.below(2) == 0 {
            // Compiled code calls it, and is called by it.
            let how = How { compiled: true, reentrant: true, ..metered };
            let engine = ours::engine(how);
            let artifact = engine.precompile_module(wasm).expect("artifacts can hold all modules");
            let compiled = Module::new(&engine, wasm).expect("generated modules are valid");
            alter(&engine, &artifact, false, rng, |altered| {
                let loaded = Module::deserialize(&engine, altered).expect("it could be loaded");
                ours::observe_modules([&loaded, &compiled], how);
                ours::observe_modules([&compiled, &loaded], how);
            });
        }
    },
};

/// How many damaged ones are made of an artifact.
const DAMAGED: usize = 8;

/// How often the code of an artifact is altered, and after how many times that it could be loaded it is run.
const ALTERED: usize = 96;
const RUN: usize = 6;

/// An artifact with some bits flipped, in all of its sections, or cut off.
fn damage(artifact: &[u8], module: &Module, rng: &mut Rng) -> Vec<u8> {
    let sections = inspect::sections(module);
    let mut damaged = artifact.to_vec();
    for _ in 0..=rng.below(3) {
        let range = sections[rng.below(sections.len())].range.clone();
        if !range.is_empty() {
            damaged[range.start + rng.below(range.len())] ^= 1 << rng.below(8);
        }
    }
    if rng.below(16) == 0 {
        damaged.truncate(rng.below(damaged.len()));
    }
    damaged
}

/// Alters the code of an artifact, the tables that belong to it, and if `types` its types and the like, number by number. What can be loaded
/// is altered further, so that it gets far from what a translator makes, and given to `run` now and then.
fn alter(engine: &Engine, artifact: &[u8], types: bool, rng: &mut Rng, mut run: impl FnMut(&[u8])) {
    let module = Module::deserialize(engine, artifact).expect("it has just been made");
    let range = |name| {
        let sections = inspect::sections(&module);
        let found = sections.iter().find(|section| section.name == name);
        found.expect("artifacts have such a section").range.clone()
    };
    let [code, tables, module] = [".kgl.code", ".kgl.tables", ".kgl.module"].map(range);
    let (mut altered, mut loaded) = (artifact.to_vec(), 0);
    for _ in 0..ALTERED {
        let mut next = altered.clone();
        match rng.below(16) {
            0 => alter_numbers(&mut next[tables.clone()], rng),
            // What slots hold is said in bytes.
            1 | 2 => alter_byte(&mut next[tables.clone()], rng),
            3 if types => alter_byte(&mut next[module.clone()], rng),
            _ => alter_numbers(&mut next[code.clone()], rng),
        }
        if Module::deserialize(engine, &next).is_ok() {
            altered = next;
            loaded += 1;
            if loaded % RUN == 0 {
                run(&altered);
            }
        }
    }
}

/// Alters a slot, a type or the like: numbers that mostly have one byte.
fn alter_byte(bytes: &mut [u8], rng: &mut Rng) {
    if bytes.is_empty() {
        return;
    }
    let (at, other) = (rng.below(bytes.len()), rng.below(bytes.len()));
    let by = 1 + rng.below(3) as u8;
    bytes[at] = match rng.below(4) {
        0 => bytes[other],
        1 => bytes[at].wrapping_sub(by),
        _ => bytes[at].wrapping_add(by),
    };
}

/// Alters an opcode, a slot, a distance or the like: all of them are numbers of two bytes, or of four.
fn alter_numbers(bytes: &mut [u8], rng: &mut Rng) {
    let (words, _) = bytes.as_chunks_mut::<2>();
    if words.len() < 2 {
        return;
    }
    let (at, other) = (rng.below(words.len() - 1), rng.below(words.len()));
    let by = 1 << rng.below(5) >> rng.below(2);
    let by = if rng.below(2) == 0 { by } else { 0u16.wrapping_sub(by) };
    let mut add = |at: usize, by: u16| {
        words[at] = u16::from_le_bytes(words[at]).wrapping_add(by).to_le_bytes();
    };
    match rng.below(8) {
        // Opcodes with the same operands are near each other, and so are slots.
        0..=3 => add(at, by),
        // The frame of a callee, and its header.
        4 => [at, at + 1].into_iter().for_each(|at| add(at, by)),
        5 => words[at] = words[other],
        6 => words[at] = (rng.below(OPCODES) as u16).to_le_bytes(),
        _ => words[at] = (rng.edge() as u16).to_le_bytes(),
    }
}

/// About as many opcodes as there are.
const OPCODES: usize = 5500;

/// Whether a module may wait for another thread, which does not come.
#[cfg(feature = "oracle")]
fn waits(wasm: &[u8]) -> bool {
    const ATOMIC: u8 = 0xfe;
    wasm.windows(2).any(|op| matches!(op, [ATOMIC, 1 | 2]))
}

/// Whether a module has relaxed operators that cannot be compared: multiplications with additions, which wasmtime rounds once where we,
/// and the specification's deterministic profile, do it twice; minima and maxima, after which wasm-smith does not make NaNs canonical.
#[cfg(feature = "oracle")]
fn differs(wasm: &[u8]) -> bool {
    const VECTOR: u8 = 0xfd;
    wasm.windows(3).any(|op| matches!(op, [VECTOR, 0x85..=0x88 | 0x8d..=0x90, 2]))
}

const METERED: How = How {
    lazy: false,
    compiled: false,
    fuel: Some(20_000),
    stops: Stops::Nowhere,
    reentrant: false,
    ops: OpSet::Fused,
};

fn mutate(rng: &mut Rng) -> Vec<u8> {
    let mut wasm = GUESTS[rng.below(GUESTS.len())].clone();
    if rng.below(4) == 0 {
        wasm.truncate(1 + rng.below(wasm.len()));
    }
    for _ in 0..rng.below(8) {
        let at = rng.below(wasm.len());
        wasm[at] ^= 1 << rng.below(8);
    }
    wasm
}

/// Loads a module in all modes, which have to agree on whether they are a module.
fn load(bytes: &[u8]) -> Option<Module> {
    let valid = Module::validate(&ENGINES[0], bytes).is_ok();
    let mut loaded =
        ENGINES.iter().map(|engine| Module::new(engine, bytes).ok()).collect::<Vec<_>>();
    assert!(loaded.iter().all(|module| module.is_some() == valid), "modes disagree");
    loaded.pop()?
}

/// Eager, lazy and compiled, without and with fuel.
static ENGINES: LazyLock<[Engine; 6]> = LazyLock::new(|| {
    let metered = How { compiled: true, ..METERED };
    let lazy = How { lazy: true, ..METERED };
    let unmetered = [METERED, lazy, metered].map(|how| How { fuel: None, ..how });
    let [a, b, c] = unmetered;
    // The last one is what runs.
    [a, b, c, lazy, metered, METERED].map(ours::engine)
});

/// Modules that compilers made.
static GUESTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/guests");
    let files = fs::read_dir(&folder).expect("the guests are in the repository");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("it is readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("guests are readable")).collect()
});
