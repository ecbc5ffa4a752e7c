//! Running many scripts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use kinglet::{Config, OpSet, Strategy};

use crate::report::{Report, Summary};
use crate::script;
use crate::skips::Skips;
use crate::source::Source;

/// Scripts nest deeply on purpose, and reading them recurses: a debug build needs more than a thread's usual 2 MiB.
pub(crate) const STACK_SIZE: usize = 16 << 20;

/// How to run scripts: on which engine configuration, and what to excuse.
#[derive(Debug, Clone)]
pub struct Suite {
    config: Config,
    artifacts: bool,
    skips: Skips,
}

impl Suite {
    /// Runs on engines of the default configuration, with all proposals.
    pub fn new(skips: Skips) -> Suite {
        let mut config = Config::new();
        for name in Config::wasm_feature_names() {
            config.wasm_feature(name, true).expect("it is one of the names");
        }
        Suite { config, artifacts: false, skips }
    }

    /// Runs on engines of the given configuration.
    pub fn config(mut self, config: Config) -> Suite {
        self.config = config;
        self
    }

    /// Runs in another tier.
    pub fn strategy(mut self, strategy: Strategy) -> Suite {
        self.config.strategy(strategy);
        self
    }

    /// Compiles each module ahead of time, to these ops, and runs what is read from the artifact.
    pub fn artifacts(mut self, ops: OpSet) -> Suite {
        self.config.artifact_ops(ops);
        self.artifacts = true;
        self
    }

    /// Runs each script on an engine and a store of its own, several at a time, and hands `observe` each report in the
    /// order of `sources`.
    ///
    /// A script that the skip list excuses runs all the same, so that an entry which is no longer needed is noticed.
    pub fn run(&self, sources: &[Source], mut observe: impl FnMut(&Report)) -> Summary {
        let next = AtomicUsize::new(0);
        let (sender, receiver) = mpsc::channel();
        let work = |sender: mpsc::Sender<_>| {
            while let index = next.fetch_add(1, Ordering::Relaxed)
                && let Some(source) = sources.get(index)
            {
                let outcome = script::run(source, &self.config, self.artifacts, &self.skips);
                if sender.send((index, outcome)).is_err() {
                    break;
                }
            }
        };
        thread::scope(|scope| {
            let threads = thread::available_parallelism().map_or(1, usize::from).min(sources.len());
            if cfg!(target_family = "wasm") {
                // There are no threads. Whoever links the program sees to the stack.
                work(sender);
            } else {
                for _ in 0..threads {
                    let sender = sender.clone();
                    let worker = thread::Builder::new().stack_size(STACK_SIZE);
                    worker
                        .spawn_scoped(scope, move || work(sender))
                        .expect("the system gives no thread");
                }
                drop(sender);
            }

            let mut summary = Summary::default();
            let mut skips = Vec::with_capacity(sources.len());
            let mut early = BTreeMap::new();
            for (index, outcome) in receiver {
                early.insert(index, outcome);
                while let Some((report, file_skips)) = early.remove(&skips.len()) {
                    summary.add(&report);
                    skips.push(file_skips);
                    observe(&report);
                }
            }
            (summary.needless, summary.unmatched) = self.skips.stale(&skips);
            summary
        })
    }
}
