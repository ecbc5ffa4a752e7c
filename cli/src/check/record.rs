//! Writing down what the host is asked, and what it does.

use std::sync::{Arc, Mutex, PoisonError};

use kinglet::{AsContext, Caller, Error, Extern, Func, Linker, Module, Store, Val, inspect};

use super::observe::{Observer, Unsupported, texts};
use super::{End, Failed, HostCall, Recording};

/// Stands between a guest and its host.
pub(crate) struct Recorder(Arc<Mutex<Log>>);

struct Log {
    calls: Vec<HostCall>,
    observer: Observer,
    /// Whether the host is being called.
    busy: bool,
}

impl Recorder {
    /// For a run in a store that has its fuel.
    pub(crate) fn new<T: 'static>(store: &Store<T>) -> Result<Recorder, Error> {
        let observer = Observer::new(store.get_fuel()?);
        Ok(Recorder(Arc::new(Mutex::new(Log { calls: Vec::new(), observer, busy: false }))))
    }

    /// What `linker` defines for the imports of a module, as functions that write down what they are asked.
    pub(crate) fn imports<T: 'static>(
        &self,
        store: &mut Store<T>,
        linker: &Linker<T>,
        module: &Module,
    ) -> Result<Vec<Extern>, Error> {
        linker.instantiate_pre(module)?;
        let recorded = |(index, import)| {
            let item = linker.get_by_import(&mut *store, &import);
            let func = item.and_then(Extern::into_func);
            let func = func.ok_or(Unsupported("it imports something besides functions"))?;
            let log = self.0.clone();
            let ty = func.ty(&*store);
            Ok(Func::new(&mut *store, ty, move |mut caller, params, results| {
                call(&log, &mut caller, index, &func, params, results)
            })
            .into())
        };
        module.imports().enumerate().map(recorded).collect()
    }

    /// Ends the recording of a run that ended so.
    pub(crate) fn finish<T: 'static>(
        self,
        store: &mut Store<T>,
        outcome: Result<&[Val], &Error>,
    ) -> Result<Recording, Error> {
        if let Err(error) = outcome
            && let Some(&reason) = error.downcast_ref::<Unsupported>()
        {
            return Err(reason.into());
        }
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = log.observer.state(store)?;
        Ok(Recording { calls: std::mem::take(&mut log.calls), end: End::of(outcome), state })
    }
}

fn call<T: 'static>(
    log: &Mutex<Log>,
    caller: &mut Caller<'_, T>,
    import: usize,
    func: &Func,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    // Not held while the host is called, which might call back.
    let lock = || log.lock().unwrap_or_else(PoisonError::into_inner);
    let state = {
        let mut log = lock();
        if log.busy {
            return Err(BACK.into());
        }
        log.busy = true;
        log.observer.state(caller)?
    };
    let fuel = caller.get_fuel()?;
    let outcome = inspect::forward(caller, func, params, results);
    let mut log = lock();
    log.busy = false;
    if caller.get_fuel()? != fuel {
        return Err(BACK.into());
    }
    let changes = log.observer.changes(&caller.as_context())?;
    let written = changes
        .into_iter()
        .map(|(memory, at)| (memory, at, log.observer.block(memory, at).to_vec()))
        .collect();
    if results.iter().any(|result| result.ref_().is_some()) {
        return Err(Unsupported("the host gives it references").into());
    }
    log.calls.push(HostCall {
        import,
        params: texts(params),
        state,
        outcome: match &outcome {
            Ok(()) => Ok(results.to_vec()),
            Err(error) => Err(Failed::of(error)),
        },
        written,
    });
    outcome
}

const BACK: Unsupported = Unsupported("the host calls the guest back");
