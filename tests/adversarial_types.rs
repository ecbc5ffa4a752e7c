//! Type sections made to be slow, deep or large: they take time linear in their size, or are refused.

use kinglet::{Engine, Error, ErrorKind, Instance, Module, Store, StoreLimits, StoreLimitsBuilder};
use std::{fs, thread, time::Instant};

/// A type section with these recursion groups, as the binary format has them.
fn section(groups: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let groups: Vec<_> = groups.into_iter().collect();
    vector(&groups)
}

/// A list and its length.
fn vector(items: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = number(items.len());
    items.iter().for_each(|item| bytes.extend(item));
    bytes
}

/// An unsigned number, or the index of a type as a signed one if there is room for a sign.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x40 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A module of a type section, and sections that follow.
fn module(types: Vec<u8>, more: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    for (id, contents) in [(1, types)].iter().chain(more) {
        wasm.push(*id);
        wasm.extend(number(contents.len()));
        wasm.extend(contents);
    }
    wasm
}

/// `(rec …)`
fn rec(types: &[Vec<u8>]) -> Vec<u8> {
    [vec![0x4e], vector(types)].concat()
}

/// `(sub $supertype …)`
fn sub(supertype: Option<usize>, composite: Vec<u8>) -> Vec<u8> {
    let supertypes: Vec<_> = supertype.into_iter().map(number).collect();
    [vec![0x50], vector(&supertypes), composite].concat()
}

/// `(struct (field …)…)`
fn structure(fields: &[Vec<u8>]) -> Vec<u8> {
    [vec![0x5f], vector(fields)].concat()
}

/// `(field i32)`
fn int() -> Vec<u8> {
    vec![0x7f, 0]
}

/// `(field (ref null $index))`
fn reference(index: usize) -> Vec<u8> {
    [vec![0x63], number(index), vec![0]].concat()
}

/// `(func (param …))`
fn func(params: &[Vec<u8>]) -> Vec<u8> {
    [vec![0x60], vector(params), vec![0]].concat()
}

fn load(wasm: &[u8]) -> Result<Module, Error> {
    Module::new(&Engine::default(), wasm)
}

/// What is wrong with a module that is too much of something.
fn refusal(wasm: &[u8]) -> String {
    let error = load(wasm).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    error.to_string()
}

/// The time that this thread has had a processor for, in nanoseconds, where the system tells.
fn cpu_time(start: Instant) -> u128 {
    // The system takes stock when another thread might run.
    thread::yield_now();
    let stat = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let time = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    time.unwrap_or_else(|| start.elapsed().as_nanos())
}

/// Loads modules of two sizes, one ten times the other, which must not take much more than ten times as long.
fn assert_linear(what: &str, size: usize, make: impl Fn(usize) -> Vec<u8>) {
    let start = Instant::now();
    let time = |size| {
        let wasm = make(size);
        // The best of a few: others use this machine too.
        let times = (0..3).map(|_| {
            let before = cpu_time(start);
            let module = load(&wasm).unwrap_or_else(|error| panic!("{what}: {error}"));
            drop(module);
            cpu_time(start) - before
        });
        times.min().expect("it has run").max(1)
    };
    let (small, large) = (time(size), time(10 * size));
    // Were it quadratic, it would be a hundred times.
    assert!(large < 40 * small, "{what}: {small} ns, and {large} ns for ten times as much");
}

#[test]
fn chains_of_subtypes_are_short() {
    let chain = |depth: usize| {
        let types = (0..depth).map(|i| sub(i.checked_sub(1), structure(&[int()])));
        module(section(types), &[])
    };
    load(&chain(60)).unwrap();
    assert!(refusal(&chain(100_000)).contains("too deep"));
}

#[test]
fn large_types_are_refused_before_they_are_read() {
    let fields = |count: usize| module(section([structure(&vec![int(); count])]), &[]);
    load(&fields(10_000)).unwrap();
    assert!(refusal(&fields(10_001)).contains("fields"));
    let params = |count: usize| module(section([func(&vec![vec![0x7f]; count])]), &[]);
    load(&params(1_000)).unwrap();
    assert!(refusal(&params(1_001)).contains("param"));
    // A few bytes that promise very much.
    for head in [&[0x5f][..], &[0x4e], &[0x50], &[0x60]] {
        let types = [&[1], head, &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
        assert_eq!(load(&module(types, &[])).unwrap_err().kind(), ErrorKind::Invalid, "{head:x?}");
    }
    assert!(refusal(&module(number(1_000_001), &[])).contains("too many types"));
}

#[test]
fn more_types_than_the_limit_in_groups() {
    let group = rec(&vec![structure(&[]); 1_001]);
    assert!(load(&module(section(vec![group; 1_000]), &[])).is_err());
}

#[test]
fn many_groups_are_linear() {
    assert_linear("groups of one type, all different", 1_000, |size| {
        // Numbers in binary, as parameters.
        let params =
            |i: usize| (0..16).map(|bit| vec![0x7f - (i >> bit & 1) as u8]).collect::<Vec<_>>();
        module(section((0..size).map(|i| func(&params(i)))), &[])
    });
    assert_linear("groups of one type, all equal", 1_500, |size| {
        module(section((0..size).map(|_| structure(&[int(), int()]))), &[])
    });
    assert_linear("groups that each name themselves", 1_500, |size| {
        module(section((0..size).map(|i| structure(&[reference(i)]))), &[])
    });
    assert_linear("groups that each name the one before", 1_500, |size| {
        let fields = |i: usize| i.checked_sub(1).map(reference).into_iter().collect::<Vec<_>>();
        module(section((0..size).map(|i| structure(&fields(i)))), &[])
    });
    assert_linear("groups that differ in their last type only", 80, |size| {
        let last = |i: usize| structure(&vec![int(); i % 30 + 1]);
        let group = |i: usize| {
            let mut types = vec![structure(&[int()]); 20];
            types.push(last(i));
            rec(&types)
        };
        module(section((0..size).map(group)), &[])
    });
}

#[test]
fn large_groups_are_linear() {
    assert_linear("a ring of structures", 1_500, |size| {
        let types: Vec<_> = (0..size).map(|i| structure(&[reference((i + 1) % size)])).collect();
        module(section([rec(&types)]), &[])
    });
    assert_linear("structures that all name the first", 1_500, |size| {
        let types: Vec<_> = (0..size).map(|_| structure(&[reference(0)])).collect();
        module(section([rec(&types)]), &[])
    });
    assert_linear("the same ring again and again", 15, |size| {
        let ring = |n: usize| {
            let types: Vec<_> =
                (0..100).map(|i| structure(&[reference(100 * n + (i + 1) % 100)])).collect();
            rec(&types)
        };
        module(section((0..size).map(ring)), &[])
    });
}

#[test]
fn wide_and_deep_subtypes_are_linear() {
    assert_linear("many chains of subtypes", 30, |size| {
        let types = (0..size * 50).map(|i| {
            let supertype = (i % 50 > 0).then(|| i - 1);
            sub(supertype, structure(&[int()]))
        });
        module(section(types), &[])
    });
    assert_linear("many subtypes of a wide structure", 15, |size| {
        let fields = vec![int(); 500];
        let first = sub(None, structure(&fields));
        let others = (1..size).map(|_| sub(Some(0), structure(&fields)));
        module(section([first].into_iter().chain(others)), &[])
    });
}

#[test]
fn many_tags_are_linear() {
    assert_linear("tags", 3_000, |size| {
        let tags = vector(&vec![vec![0, 0]; size]);
        module(section([func(&vec![vec![0x7f]; 100])]), &[(13, tags)])
    });
}

/// Objects as large as their types let them be are an error, after which the store goes on.
#[test]
fn huge_objects_are_errors() {
    let fields = "(field (mut i64))".repeat(10_000);
    let wat = format!(
        r#"(module
            (type $bytes (array (mut i8)))
            (type $longs (array (mut i64)))
            (type $wide (struct {fields}))
            (func (export "bytes") (param i32) (result i32)
                (array.len (array.new_default $bytes (local.get 0))))
            (func (export "longs") (param i32) (result i32)
                (array.len (array.new $longs (i64.const 1) (local.get 0))))
            (func (export "wide") (param i32) (result i32) (local $w (ref null $wide))
                (loop $again
                    (local.set $w (struct.new_default $wide))
                    (struct.set $wide 9999 (local.get $w) (i64.const 7))
                    (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (i32.wrap_i64 (struct.get $wide 9999 (local.get $w)))))"#
    );
    let engine = Engine::default();
    let module = Module::new(&engine, wat).unwrap();
    let limits = StoreLimitsBuilder::new().memory_size(64 << 20).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let func = |store: &mut Store<StoreLimits>, name| {
        instance.get_typed_func::<i32, i32>(store, name).expect("it is exported")
    };
    for name in ["bytes", "longs"] {
        let array = func(&mut store, name);
        assert_eq!(array.call(&mut store, 1000).unwrap(), 1000);
        for len in [64 << 20, -1] {
            assert!(array.call(&mut store, len).is_err(), "{name}");
        }
        assert_eq!(array.call(&mut store, 1000).unwrap(), 1000);
    }
    // Nearly a gigabyte of them, one after the other.
    let wide = func(&mut store, "wide");
    assert_eq!(wide.call(&mut store, 10_000).unwrap(), 7);
}

/// Types of one engine are shared, and go when their modules do.
#[test]
fn one_engine_takes_many_modules() {
    let engine = Engine::default();
    let keep: Vec<_> = (0..200)
        .map(|i| {
            let types = (0..100).map(|k| structure(&vec![int(); (i * k) % 97]));
            Module::new(&engine, module(section(types), &[])).unwrap()
        })
        .collect();
    drop(keep);
    for i in 0..200 {
        let types = (0..100).map(|k| structure(&vec![reference(k); (i * k) % 97]));
        Module::new(&engine, module(section(types), &[])).unwrap();
    }
}
