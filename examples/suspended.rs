//! A scheduler: guests run in turns, each for a slice of fuel, on one thread.

use kinglet::{Budget, Config, Engine, Execution, Instance, Module, Result, Step, Store, Val};

fn main() -> Result<()> {
    let engine = Engine::new(Config::new().consume_fuel(true))?;
    // Counts the primes below `n`, slowly.
    let module = Module::new(
        &engine,
        r#"(module
            (func (export "primes") (param $n i32) (result i32)
                (local $i i32) (local $d i32) (local $count i32)
                (local.set $i (i32.const 2))
                (block $end
                    (loop $numbers
                        (br_if $end (i32.ge_u (local.get $i) (local.get $n)))
                        (local.set $d (i32.const 2))
                        (block $composite
                            (block $prime
                                (loop $divisors
                                    (br_if $prime (i32.ge_u (local.get $d) (local.get $i)))
                                    (br_if $composite
                                        (i32.eqz (i32.rem_u (local.get $i) (local.get $d))))
                                    (local.set $d (i32.add (local.get $d) (i32.const 1)))
                                    (br $divisors)))
                            (local.set $count (i32.add (local.get $count) (i32.const 1))))
                        (local.set $i (i32.add (local.get $i) (i32.const 1)))
                        (br $numbers)))
                (local.get $count)))"#,
    )?;
    let mut store = Store::new(&engine, ());
    let primes = Instance::new(&mut store, &module, &[])?
        .get_func(&mut store, "primes")
        .expect("the module exports it");

    let mut tasks: Vec<(i32, Execution)> = Vec::new();
    for n in [300, 100, 200] {
        tasks.push((n, primes.start(&mut store, &[Val::I32(n)])?));
    }
    let mut done = Vec::new();
    while !tasks.is_empty() {
        for (n, mut task) in std::mem::take(&mut tasks) {
            match task.run(&mut store, Budget::fuel(5_000))? {
                Step::Done(results) => {
                    println!("below {n} there are {} primes", results[0].unwrap_i32());
                    done.push((n, results[0].unwrap_i32()));
                }
                // It stands still until its next turn. The store is free for other things.
                Step::OutOfFuel => tasks.push((n, task)),
                step => unreachable!("{step:?}"),
            }
        }
    }
    // The shortest task was the first to end.
    assert_eq!(done, [(100, 25), (200, 46), (300, 62)]);
    Ok(())
}
