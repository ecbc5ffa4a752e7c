//! Answering in place of the host, and comparing.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use kinglet::{Caller, Error, Extern, ExternType, Func, Module, Store, Val};

use super::observe::{Differences, Observer, texts};
use super::{End, Recording};

/// Stands for the host of a guest whose run has been recorded.
pub(crate) struct Replay(Arc<Mutex<Progress>>);

struct Progress {
    recording: Recording,
    /// The names of the imports.
    names: Vec<String>,
    /// How many calls of the host there have been.
    calls: usize,
    observer: Observer,
}

/// What the two runs do differently, first.
#[derive(Clone, Debug)]
pub(crate) struct Difference(String);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tiers differ {}", self.0)
    }
}

impl std::error::Error for Difference {}

impl Replay {
    /// For a run of `module` in a store that has its fuel.
    pub(crate) fn new<T: 'static>(
        recording: Recording,
        store: &Store<T>,
        module: &Module,
    ) -> Result<Replay, Error> {
        let name = |(module, name)| format!("`{module}::{name}`");
        let names = module.imports().map(|i| name((i.module(), i.name()))).collect();
        let observer = Observer::new(store.get_fuel()?);
        Ok(Replay(Arc::new(Mutex::new(Progress { recording, names, calls: 0, observer }))))
    }

    /// Functions for the imports of the module that do what the host has done.
    pub(crate) fn imports<T: 'static>(&self, store: &mut Store<T>, module: &Module) -> Vec<Extern> {
        let types = module.imports().filter_map(|import| match import.ty() {
            ExternType::Func(ty) => Some(ty),
            _ => None,
        });
        let func = |(index, ty)| {
            let progress = self.0.clone();
            Func::new(&mut *store, ty, move |mut caller, params, results| {
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.call(&mut caller, index, params, results)
            })
            .into()
        };
        types.enumerate().map(func).collect()
    }

    /// Compares how the runs ended.
    ///
    /// # Errors
    /// A [`Difference`], now or before, or what else went wrong.
    pub(crate) fn finish<T: 'static>(
        self,
        store: &mut Store<T>,
        outcome: Result<&[Val], &Error>,
    ) -> Result<(), Error> {
        if let Err(error) = outcome
            && let Some(difference) = error.downcast_ref::<Difference>()
        {
            return Err(Error::new(difference.clone()));
        }
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (end, state) = (End::of(outcome), progress.observer.state(store)?);
        let Progress { recording, calls, .. } = &*progress;
        if end.overflow && recording.end.overflow {
            return Ok(());
        }
        let mut differences = Differences::default();
        differences.compare("calls of the host", (&recording.calls.len(), calls), usize::to_string);
        differences
            .compare("outcome", (&recording.end.outcome, &end.outcome), |o| format!("{o:?}"));
        differences
            .compare("backtrace", (&recording.end.frames, &end.frames), |f| format!("{f:x?}"));
        differences.states(&recording.state, &state);
        found(differences, "in the end")
    }
}

impl Progress {
    fn call<T: 'static>(
        &mut self,
        caller: &mut Caller<'_, T>,
        import: usize,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<(), Error> {
        let number = self.calls;
        self.calls += 1;
        let state = self.observer.state(caller)?;
        let mut differences = Differences::default();
        let Some(recorded) = self.recording.calls.get(number) else {
            differences.line(format_args!("the interpreter makes {number} calls only"));
            return found(differences, self.at(number, import));
        };
        let name = |&import: &usize| self.names[import].clone();
        differences.compare("function", (&recorded.import, &import), name);
        let list = |values: &Vec<String>| format!("({})", values.join(", "));
        differences.compare("arguments", (&recorded.params, &texts(params)), list);
        differences.states(&recorded.state, &state);
        found(differences, self.at(number, import))?;
        for (memory, at, bytes) in &recorded.written {
            self.observer.write(caller, *memory, *at, bytes)?;
        }
        match &recorded.outcome {
            Ok(values) => results.copy_from_slice(values),
            Err(failed) => return Err(failed.clone().again()),
        }
        Ok(())
    }

    fn at(&self, number: usize, import: usize) -> String {
        format!("at call {} of the host, {}", number + 1, self.names[import])
    }
}

/// Fails if there are differences.
fn found(differences: Differences, place: impl fmt::Display) -> Result<(), Error> {
    if differences.0.is_empty() {
        return Ok(());
    }
    Err(Error::new(Difference(format!("{place}:{}", differences.0))))
}
