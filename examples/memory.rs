//! Linear memory: the host passes a string into the guest, and reads the answer.

use kinglet::{Engine, Instance, Module, Result, Store};

fn main() -> Result<()> {
    let engine = Engine::default();
    // Turns the letters from `ptr` to `ptr + len` into capitals.
    let module = Module::new(
        &engine,
        r#"(module
            (memory (export "memory") 1 4)
            (func (export "shout") (param $ptr i32) (param $len i32)
                (local $c i32) (local $end i32)
                (local.set $end (i32.add (local.get $ptr) (local.get $len)))
                (block $done
                    (loop $next
                        (br_if $done (i32.ge_u (local.get $ptr) (local.get $end)))
                        (local.set $c (i32.load8_u (local.get $ptr)))
                        (if (i32.lt_u (i32.sub (local.get $c) (i32.const 97)) (i32.const 26))
                            (then (i32.store8 (local.get $ptr)
                                (i32.sub (local.get $c) (i32.const 32)))))
                        (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
                        (br $next)))))"#,
    )?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let memory = instance.get_memory(&mut store, "memory").expect("the module exports it");
    let shout = instance.get_typed_func::<(u32, u32), ()>(&mut store, "shout")?;

    let text = b"hello, world";
    memory.write(&mut store, 256, text)?;
    shout.call(&mut store, (256, text.len() as u32))?;
    let answer = &memory.data(&store)[256..][..text.len()];
    println!("{}", String::from_utf8_lossy(answer));
    assert_eq!(answer, b"HELLO, WORLD");

    // Memories grow by pages of 64 KiB, up to their maximum. Borrows of their bytes cannot outlive that.
    assert_eq!(memory.size(&store), 1);
    assert_eq!(memory.grow(&mut store, 3)?, 1);
    assert_eq!(memory.data_size(&store), 4 * 65_536);
    assert!(memory.grow(&mut store, 1).is_err());
    assert!(memory.write(&mut store, 4 * 65_536 - 1, text).is_err());
    Ok(())
}
