//! Garbage collection: the guest keeps a list in the heap of the store, and the host reads it and holds on to a part of it.

use kinglet::{
    Engine, Instance, Module, OwnedRooted, Result, RootScope, Rooted, RootedGcRef, Store, StructRef,
};

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (rec (type $list (struct (field $head i32) (field $tail (ref null $list)))))
            (global $list (mut (ref null $list)) (ref.null none))
            (func (export "push") (param i32)
                (global.set $list (struct.new $list (local.get 0) (global.get $list))))
            (func (export "list") (result (ref null struct)) (global.get $list))
            (func (export "clear") (global.set $list (ref.null none))))"#,
    )?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let push = instance.get_typed_func::<i32, ()>(&mut store, "push")?;
    let list = instance.get_typed_func::<(), Option<Rooted<StructRef>>>(&mut store, "list")?;
    let clear = instance.get_typed_func::<(), ()>(&mut store, "clear")?;
    for i in 0..1_000 {
        push.call(&mut store, i)?;
    }

    // What is found in a scope is held until the scope ends; what shall outlive it is made owned.
    let second: OwnedRooted<StructRef> = {
        let mut scope = RootScope::new(&mut store);
        let mut next = list.call(&mut scope, ())?;
        let mut sum = 0;
        let mut second = None;
        while let Some(node) = next {
            sum += node.field(&mut scope, 0)?.unwrap_i32();
            let tail = node.field(&mut scope, 1)?;
            next = tail.unwrap_any_ref().map(|any| any.unwrap_struct(&scope)).transpose()?;
            second = second.or(next);
        }
        println!("the sum is {sum}");
        assert_eq!(sum, 499_500);
        second.expect("the list is long").to_owned_rooted(&mut scope)?
    };

    // The guest forgets its list. All that is left is what the second node refers to.
    clear.call(&mut store, ())?;
    store.gc(None)?;
    let second = second.to_rooted(&mut store);
    assert_eq!(second.field(&mut store, 0)?.unwrap_i32(), 998);
    Ok(())
}
