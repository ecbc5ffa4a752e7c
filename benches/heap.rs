//! What objects of the managed heap cost: to make, with their share of collection; to read and write; to keep through a collection.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kinglet::{Engine, Instance, Module, Store};

const OBJECTS: i32 = 1_000_000;

const MODULE: &str = r#"(module
    (type $node (struct (field i32) (field (mut (ref null $node)))))
    (type $array (array (mut i32)))
    (global $kept (mut (ref null $node)) (ref.null $node))

    ;; Objects that nobody needs a moment later.
    (func (export "short-lived") (param $n i32)
        (local $last (ref null $node))
        (loop $again
            (local.set $last (struct.new $node (local.get $n) (ref.null $node)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

    ;; A list that is needed as a whole, until the next call.
    (func $list (export "long-lived") (param $n i32)
        (local $list (ref null $node))
        (global.set $kept (ref.null $node))
        (loop $again
            (local.set $list (struct.new $node (local.get $n) (local.get $list)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (global.set $kept (local.get $list)))

    ;; The fields of the same list.
    (func (export "read") (param $n i32)
        (local $list (ref null $node)) (local $sum i32)
        (local.set $list (global.get $kept))
        (loop $again
            (local.set $sum (i32.add (local.get $sum) (struct.get $node 0 (local.get $list))))
            (local.set $list (struct.get $node 1 (local.get $list)))
            (br_if $again (i32.eqz (ref.is_null (local.get $list))))))

    ;; Elements of an array.
    (func (export "elements") (param $n i32)
        (local $array (ref $array)) (local $i i32)
        (local.set $array (array.new_default $array (i32.const 1024)))
        (loop $again
            (local.set $i (i32.and (local.get $n) (i32.const 1023)))
            (array.set $array (local.get $array) (local.get $i)
                (i32.add (array.get $array (local.get $array) (local.get $i)) (local.get $n)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;

fn heap(criterion: &mut Criterion) {
    let engine = Engine::default();
    let module = Module::new(&engine, MODULE).expect("it is valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("it imports nothing");
    let mut group = criterion.benchmark_group("heap");
    group.sample_size(20);
    group.throughput(Throughput::Elements(OBJECTS.unsigned_abs().into()));
    for name in ["short-lived", "long-lived", "read", "elements"] {
        let func = instance.get_typed_func::<i32, ()>(&store, name).expect("it is exported");
        group.bench_function(name, |bencher| {
            bencher.iter(|| func.call(&mut store, OBJECTS).expect("it does not trap"));
        });
    }
    let list = instance.get_typed_func::<i32, ()>(&store, "long-lived").expect("it is exported");
    list.call(&mut store, OBJECTS).expect("it does not trap");
    group.bench_function("collection that keeps all", |bencher| {
        bencher.iter(|| store.gc(None).expect("there is memory for it"));
    });
    group.finish();
}

criterion_group!(benches, heap);
criterion_main!(benches);
