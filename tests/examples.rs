//! Runs the examples, which check their own results. `cargo test` has built them.

use std::{env, process::Command};

fn run(name: &str) {
    let test = env::current_exe().unwrap();
    let target = test.parent().unwrap().parent().unwrap();
    let example = target.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(example.exists(), "{name} is not built: run `cargo build --examples`");
    let output = Command::new(example).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    assert!(!output.stdout.is_empty(), "{name} prints what it does");
}

macro_rules! examples {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            run(stringify!($name));
        }
    )* };
}

examples! { hello host_function memory linker limits wasi_dir async_host suspended }
