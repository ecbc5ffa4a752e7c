use super::*;
use crate::{
    Shared,
    runtime::{StoreInner, StoreOptions},
    types::*,
};
use alloc::vec;

const PAIR: u32 = 0;
const ARRAY: u32 = 1;
const BYTES: u32 = 2;

fn field(storage: StorageType) -> FieldType {
    FieldType { storage, mutability: Mutability::Var }
}

fn store(limit: usize) -> StoreInner {
    let options = StoreOptions {
        consume_fuel: false,
        interruptible: false,
        max_stack: 0,
        max_table_elements: 0,
        max_memory_bytes: 0,
        max_heap_bytes: limit,
        collect_every: None,
        epoch: Shared::default(),
    };
    let mut store = StoreInner::new(&options, Box::new(()));
    let any = StorageType::Val(ValType::Ref(RefType { nullable: true, heap: HeapType::Any }));
    let fields = [field(any), field(any), field(StorageType::Val(ValType::I64))];
    store.heap.define(PAIR, &CompositeType::Struct(StructType { fields: fields.into() }));
    store.heap.define(ARRAY, &CompositeType::Array(ArrayType { element: field(any) }));
    store.heap.define(BYTES, &CompositeType::Array(ArrayType { element: field(StorageType::I8) }));
    store
}

fn pair(store: &mut StoreInner, a: u32, b: u32, number: u64) -> u32 {
    store.new_struct(&mut (), PAIR, &[a.into(), b.into(), number]).unwrap()
}

fn get(store: &StoreInner, handle: u32, at: usize) -> u64 {
    let Some(Layout::Struct(layout)) = store.heap.object_layout(handle) else { panic!() };
    store.heap.field(handle, layout.fields[at])[0]
}

fn set(store: &mut StoreInner, handle: u32, at: usize, value: u64) {
    let Some(Layout::Struct(layout)) = store.heap.object_layout(handle) else { panic!() };
    let field = layout.fields[at];
    store.heap.set_field(handle, field, [value, 0]);
}

/// Units in objects and in free runs; the heap is tiled by them.
fn census(heap: &Heap) -> (usize, usize) {
    let (mut used, mut free, mut at) = (0, 0, 1);
    while at < heap.region.len() {
        let header = heap.region.words()[at];
        let units = units(&heap.layouts, header) as usize;
        assert!(units > 0 && header & MARK == 0);
        *(if split(header).0 == FREE { &mut free } else { &mut used }) += units;
        at += units;
    }
    assert_eq!(at, heap.region.len().max(1));
    (used, free)
}

fn collect(store: &mut StoreInner) -> usize {
    store.collect().unwrap();
    let (used, _) = census(&store.heap);
    assert_eq!(used, store.heap.live);
    used
}

#[test]
fn cycles_are_freed_and_what_is_rooted_is_not() {
    let mut store = store(usize::MAX);
    let scope = store.heap.roots.enter();
    let a = pair(&mut store, 0, i31(7), 1);
    store.heap.roots.add(a);
    let b = pair(&mut store, a, a, 2);
    set(&mut store, a, 0, b.into());
    assert_eq!(collect(&mut store), 6);
    assert_eq!((get(&store, b, 2), as_i31(get(&store, a, 1) as u32)), (2, Some(7)));
    store.heap.roots.leave(scope);
    assert_eq!(collect(&mut store), 0);
}

/// A list that is linked both ways and by an array, whatever memory there is to mark it.
#[test]
fn marking_does_without_memory() {
    for max_marks in [0, 1, 5, usize::MAX] {
        let mut store = store(usize::MAX);
        store.heap.max_marks = max_marks;
        let array = store.new_array(&mut (), ARRAY, 300).unwrap();
        store.heap.roots.add(array);
        let mut last = 0;
        for i in 0..300 {
            let next = pair(&mut store, last, array, i.into());
            store.heap.set_element(array, i, [next.into(), 0]);
            last = next;
            pair(&mut store, last, last, 0);
        }
        assert_eq!(collect(&mut store), 151 + 300 * 3);
        for i in 0..300 {
            let element = store.heap.element(array, i)[0] as u32;
            assert_eq!(get(&store, element, 2), u64::from(i));
        }
    }
}

#[test]
fn lists_of_any_length_are_marked() {
    let mut store = store(usize::MAX);
    let root = pair(&mut store, 0, 0, 0);
    store.heap.roots.add(root);
    let mut list = 0;
    for i in 0..10_000_000 {
        list = pair(&mut store, list, 0, i);
        set(&mut store, root, 0, list.into());
    }
    assert_eq!(collect(&mut store), 3 * 10_000_001);
    set(&mut store, root, 0, 0);
    assert_eq!(collect(&mut store), 3);
}

/// Objects of many sizes come and go; what a model says they hold, they hold.
#[test]
fn space_is_used_again() {
    let mut store = store(4 << 20);
    let mut random = 1u32;
    let mut next = move |below: u32| {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random % below
    };
    let table = store.new_array(&mut (), ARRAY, 512).unwrap();
    store.heap.roots.add(table);
    let mut model = vec![0u32; 512];
    for round in 0..50_000 {
        let at = next(512);
        let len = if next(50) == 0 { next(20_000) } else { next(60) };
        let bytes = store.new_array(&mut (), BYTES, len).unwrap();
        store.heap.fill_array(bytes, 0, [u64::from(at) & 0xff, 0], len).unwrap();
        store.heap.set_element(table, at, [bytes.into(), 0]);
        model[at as usize] = len;
        if round % 5000 == 0 {
            collect(&mut store);
            for (at, &len) in model.iter().enumerate() {
                let handle = store.heap.element(table, at as u32)[0] as u32;
                if handle != 0 {
                    assert_eq!(store.heap.array_len(handle), len);
                    for i in 0..len {
                        assert_eq!(store.heap.element(handle, i)[0], at as u64 & 0xff);
                    }
                }
            }
        }
    }
    assert!(store.heap.size() <= 4 << 20);
}

#[test]
fn a_full_heap_is_an_error_and_stays_usable() {
    let mut store = store(1 << 20);
    let scope = store.heap.roots.enter();
    let error = loop {
        match store.new_struct(&mut (), PAIR, &[0, 0, 0]) {
            Ok(handle) => _ = store.heap.roots.add(handle),
            Err(error) => break error,
        }
    };
    assert!(error.is::<GcHeapOutOfMemory<()>>(), "{error}");
    let (used, free) = census(&store.heap);
    assert!(used * 8 > 900_000 && free < 1000, "{used} {free}");
    store.heap.roots.leave(scope);
    // Now garbage, the objects make room for a large one, which is the more likely the more fragments join.
    store.new_array(&mut (), BYTES, 900_000).unwrap();
    assert!(store.new_array(&mut (), BYTES, u32::MAX).is_err());
    assert!(store.new_array(&mut (), BYTES, 1 << 20).is_err());
    store.new_array(&mut (), BYTES, 900_000).unwrap();
}

#[test]
fn values_of_the_host_are_dropped_with_their_objects() {
    let mut store = store(usize::MAX);
    let value = Shared::new(());
    let scope = store.heap.roots.enter();
    for _ in 0..10 {
        let handle = store.new_extern(&mut (), Box::new(value.clone())).ok().unwrap();
        assert!(store.heap.extern_value(handle).unwrap().is::<Shared<()>>());
        store.heap.roots.add(handle);
    }
    collect(&mut store);
    assert_eq!(Shared::strong_count(&value), 11);
    store.heap.roots.leave(scope);
    collect(&mut store);
    assert_eq!(Shared::strong_count(&value), 1);
    // Entries are used again.
    let handle = store.new_extern(&mut (), Box::new(5)).ok().unwrap();
    assert_eq!(store.heap.extern_value(handle).unwrap().downcast_ref(), Some(&5));
    assert_eq!(store.heap.extern_value(i31(3)).map(|_| ()), None);
}

#[test]
fn little_collection_suffices_for_much_garbage() {
    let mut store = store(usize::MAX);
    for i in 0..3_000_000 {
        pair(&mut store, i31(i), 0, 0);
    }
    assert!(store.heap.size() <= 4 << 20, "{}", store.heap.size());
}
