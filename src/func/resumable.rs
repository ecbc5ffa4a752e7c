//! [`Execution`] in the shape that users of wasmi know.

use super::{Budget, Execution, Func, Step};
use crate::{AsContextMut, Error, Result, Trap, Val};
use alloc::boxed::Box;

/// How far [`Func::call_resumable`] came.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResumableCall {
    /// The function returned; its results are where the caller wanted them.
    Finished,
    /// The store's fuel is used up.
    OutOfFuel(ResumableCallOutOfFuel),
}

/// A call that ran out of fuel. Dropping it abandons the call.
#[derive(Debug)]
pub struct ResumableCallOutOfFuel(Box<Execution>);

impl Func {
    /// As [`Func::call`], but a call that runs out of fuel can go on. [`Func::start`] gives more control.
    ///
    /// ```
    /// use kinglet::{Config, Engine, Instance, Module, ResumableCall, Store};
    ///
    /// let engine = Engine::new(Config::new().consume_fuel(true))?;
    /// let module = Module::new(
    ///     &engine,
    ///     r#"(module (func (export "run") (local i32)
    ///         (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000))))))"#,
    /// )?;
    /// let mut store = Store::new(&engine, ());
    /// let run = Instance::new(&mut store, &module, &[])?.get_func(&mut store, "run").unwrap();
    ///
    /// store.set_fuel(100)?;
    /// let mut call = run.call_resumable(&mut store, &[], &mut [])?;
    /// while let ResumableCall::OutOfFuel(pending) = call {
    ///     store.set_fuel(pending.required_fuel().max(100))?;
    ///     call = pending.resume(&mut store, &mut [])?;
    /// }
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn call_resumable(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<ResumableCall> {
        self.check_results(store.as_context().inner, results)?;
        let execution = self.start(&mut store, params)?;
        run(execution, store, results)
    }
}

impl ResumableCallOutOfFuel {
    /// The fuel that it needs to get any further, in units.
    pub fn required_fuel(&self) -> u64 {
        self.0.required_fuel()
    }

    /// Goes on, with the fuel that the store has.
    ///
    /// # Errors
    /// As [`Func::call`].
    pub fn resume(self, store: impl AsContextMut, results: &mut [Val]) -> Result<ResumableCall> {
        self.0.func().check_results(store.as_context().inner, results)?;
        run(*self.0, store, results)
    }
}

fn run(
    mut execution: Execution,
    store: impl AsContextMut,
    results: &mut [Val],
) -> Result<ResumableCall> {
    match execution.run(store, Budget::unlimited())? {
        Step::Done(vals) => {
            results.copy_from_slice(&vals);
            Ok(ResumableCall::Finished)
        }
        Step::OutOfFuel => {
            Ok(ResumableCall::OutOfFuel(ResumableCallOutOfFuel(Box::new(execution))))
        }
        Step::Interrupted => Err(Trap::Interrupt.into()),
        Step::Pending(_) => Err(Error::msg("an asynchronous host function needs `call_async`")),
    }
}
