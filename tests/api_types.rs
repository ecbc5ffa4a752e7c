//! Types that modules and embedders define, and how they stand to each other.

mod common;

use common::instance;
use kinglet::{
    ArrayType, Caller, Engine, Extern, ExternRef, ExternType, FieldType, Finality, Func, FuncType,
    Global, GlobalType, HeapType, Instance, Linker, Module, Mutability, Ref, RefType, Rooted,
    StorageType, Store, StructRef, StructRefPre, StructType, Table, TableType, Val, ValType,
};

/// `(ref null $ty)` or `(ref $ty)`.
fn reference(is_nullable: bool, ty: impl Into<HeapType>) -> ValType {
    RefType::new(is_nullable, ty.into()).into()
}

/// A type of functions that can have subtypes.
fn open(engine: &Engine, params: &[ValType], results: &[ValType]) -> FuncType {
    under(engine, None, params, results).unwrap()
}

fn under(
    engine: &Engine,
    supertype: Option<&FuncType>,
    params: &[ValType],
    results: &[ValType],
) -> kinglet::Result<FuncType> {
    let (params, results) = (params.iter().cloned(), results.iter().cloned());
    FuncType::with_finality_and_supertype(engine, Finality::NonFinal, supertype, params, results)
}

#[test]
fn equal_types_are_one_type() {
    let engine = Engine::default();
    let [a, b] = [(), ()].map(|()| FuncType::new(&engine, [ValType::I32], []));
    assert_eq!(a, b);
    assert!(a.matches(&b) && b.matches(&a));
    assert_ne!(a, open(&engine, &[ValType::I32], &[]));
    let other = FuncType::new(&Engine::default(), [ValType::I32], []);
    assert_ne!(a, other);
    assert!(!a.matches(&other) && !reference(true, a).matches(&reference(true, other)));

    // A module's types are the embedder's.
    let module = Module::new(
        &engine,
        "(module (type $s (sub (struct (field i32)))) (global (export \"g\") (ref null $s) (ref.null $s)))",
    )
    .unwrap();
    let field = FieldType::new(Mutability::Const, ValType::I32.into());
    let ty = StructType::with_finality_and_supertype(&engine, Finality::NonFinal, None, [field])
        .unwrap();
    let Some(ExternType::Global(global)) = module.get_export("g") else { panic!() };
    assert_eq!(*global.content(), reference(true, ty.clone()));
    assert_eq!(global.content().unwrap_ref().heap_type().as_concrete_struct(), Some(&ty));
}

#[test]
fn abstract_types_form_four_hierarchies() {
    use HeapType::*;
    let below = [
        (Func, vec![Func, NoFunc]),
        (NoFunc, vec![NoFunc]),
        (Extern, vec![Extern, NoExtern]),
        (NoExtern, vec![NoExtern]),
        (Any, vec![Any, Eq, I31, Struct, Array, None]),
        (Eq, vec![Eq, I31, Struct, Array, None]),
        (I31, vec![I31, None]),
        (Struct, vec![Struct, None]),
        (Array, vec![Array, None]),
        (None, vec![None]),
        (Exn, vec![Exn, NoExn]),
        (NoExn, vec![NoExn]),
    ];
    for (a, _) in &below {
        for (b, subtypes) in &below {
            assert_eq!(a.matches(b), subtypes.contains(a), "{a} <: {b}");
            let related = a.top() == b.top();
            assert_eq!(a.bottom().matches(b), related, "{a} {b}");
            assert_eq!(b.matches(&a.top()), related, "{a} {b}");
        }
    }
    assert!(RefType::new(false, Any).matches(&RefType::ANYREF));
    assert!(!RefType::ANYREF.matches(&RefType::new(false, Any)));
    assert_eq!(ValType::NULLREF.to_string(), "nullref");
    assert_eq!(reference(false, I31).to_string(), "(ref i31)");
    assert!(!ValType::I32.matches(&ValType::I64));
}

#[test]
fn concrete_types_stand_below_their_supertypes() {
    let engine = Engine::default();
    let root = open(&engine, &[reference(true, HeapType::I31)], &[ValType::ANYREF]);
    let leaf = under(&engine, Some(&root), &[ValType::EQREF], &[reference(false, HeapType::Eq)]);
    let leaf = leaf.unwrap();
    assert!(leaf.matches(&root) && !root.matches(&leaf));
    assert_eq!(leaf.supertype(), Some(root.clone()));
    assert_eq!((root.supertype(), root.finality()), (None, Finality::NonFinal));
    let (root, leaf) = (HeapType::from(root), HeapType::from(leaf));
    assert!(leaf.matches(&root) && leaf.matches(&HeapType::Func) && !leaf.matches(&HeapType::Any));
    assert!(HeapType::NoFunc.matches(&leaf) && !HeapType::None.matches(&leaf));
    assert!(leaf.is_concrete() && leaf.as_concrete_func().is_some());
    assert_eq!(leaf.top(), HeapType::Func);
}

#[test]
fn types_must_match_their_supertypes() {
    let engine = Engine::default();
    let root = open(&engine, &[ValType::EQREF], &[ValType::EQREF]);
    for (params, results) in [
        (vec![reference(true, HeapType::I31)], vec![ValType::EQREF]),
        (vec![ValType::EQREF], vec![ValType::ANYREF]),
        (vec![], vec![ValType::EQREF]),
        (vec![ValType::EQREF], vec![]),
    ] {
        let error = under(&engine, Some(&root), &params, &results).unwrap_err();
        assert_eq!(error.to_string(), "the type does not match its supertype");
    }
    let closed = FuncType::new(&engine, [], []);
    let error = under(&engine, Some(&closed), &[], &[]).unwrap_err();
    assert_eq!(error.to_string(), "the supertype is final");
    let error = under(&Engine::default(), Some(&root), &[], &[]).unwrap_err();
    assert_eq!(error.to_string(), "the supertype is one of another engine");

    let field = |mutability, ty: ValType| FieldType::new(mutability, ty.into());
    let structure = |supertype: Option<&StructType>, fields: &[FieldType]| {
        let fields = fields.iter().cloned();
        StructType::with_finality_and_supertype(&engine, Finality::NonFinal, supertype, fields)
    };
    let fields =
        [field(Mutability::Const, ValType::ANYREF), field(Mutability::Var, ValType::ANYREF)];
    let root = structure(None, &fields).unwrap();
    let smaller = field(Mutability::Const, ValType::I31REF);
    let leaf = [smaller.clone(), fields[1].clone(), field(Mutability::Var, ValType::F32)];
    let leaf = structure(Some(&root), &leaf).unwrap();
    assert!(leaf.matches(&root));
    assert_eq!((leaf.fields().len(), leaf.field(0)), (3, Some(smaller.clone())));
    for fields in
        [&fields[..1], &[fields[0].clone(), smaller], &[fields[1].clone(), fields[1].clone()]]
    {
        assert!(structure(Some(&root), fields).is_err(), "{fields:?}");
    }

    let array = |finality, supertype: Option<&ArrayType>, ty: FieldType| {
        ArrayType::with_finality_and_supertype(&engine, finality, supertype, ty)
    };
    let root = array(Finality::NonFinal, None, fields[0].clone()).unwrap();
    assert!(array(Finality::Final, Some(&root), field(Mutability::Const, ValType::I31REF)).is_ok());
    let packed = FieldType::new(Mutability::Const, StorageType::I8);
    assert!(array(Finality::Final, Some(&root), packed.clone()).is_err());
    assert_eq!(*packed.element_type().unpack(), ValType::I32);
}

#[test]
fn supertypes_and_fields_are_limited() {
    let engine = Engine::default();
    let mut ty = open(&engine, &[], &[]);
    for _ in 0..63 {
        ty = under(&engine, Some(&ty), &[], &[]).unwrap();
    }
    assert!(under(&engine, Some(&ty), &[], &[]).is_err());
    let field = FieldType::new(Mutability::Var, StorageType::I16);
    let fields = |count| std::iter::repeat_n(field.clone(), count);
    assert!(StructType::new(&engine, fields(10_000)).is_ok());
    assert!(StructType::new(&engine, fields(10_001)).is_err());
}

#[test]
fn functions_have_the_types_that_they_were_defined_with() {
    let text = r#"(module
        (type $root (sub (func (result i32))))
        (type $leaf (sub $root (func (result i32))))
        (func (export "root") (type $root) (i32.const 1))
        (func (export "leaf") (type $leaf) (i32.const 2))
        (func (export "call") (param (ref $root)) (result i32) (call_ref $root (local.get 0)))
        (func (export "test") (param funcref) (result i32) (ref.test (ref $leaf) (local.get 0))))"#;
    let (mut store, instance) = instance(text);
    let engine = store.engine().clone();
    let root = open(&engine, &[], &[ValType::I32]);
    let leaf = under(&engine, Some(&root), &[], &[ValType::I32]).unwrap();
    let [root_func, leaf_func] =
        ["root", "leaf"].map(|name| instance.get_func(&mut store, name).unwrap());
    assert_eq!((root_func.ty(&store), leaf_func.ty(&store)), (root.clone(), leaf.clone()));
    let host = Func::new(&mut store, leaf.clone(), |_, _, results| {
        results[0] = Val::I32(3);
        Ok(())
    });
    let closed = Func::wrap(&mut store, || 4);
    assert_eq!(host.ty(&store), leaf);
    assert_eq!(Val::from(leaf_func).ty(&store).unwrap(), reference(false, leaf.clone()));
    assert_eq!(Val::null_func_ref().ty(&store).unwrap(), ValType::NULLFUNCREF);
    assert!(Val::from(host).matches_ty(&store, &reference(true, root.clone())).unwrap());
    assert!(!Val::from(root_func).matches_ty(&store, &reference(true, leaf)).unwrap());

    let call = instance.get_func(&mut store, "call").unwrap();
    let test = instance.get_typed_func::<Option<Func>, i32>(&mut store, "test").unwrap();
    for (func, expected, is_leaf) in [(root_func, 1, 0), (leaf_func, 2, 1), (host, 3, 1)] {
        let mut results = [Val::I32(0)];
        call.call(&mut store, &[func.into()], &mut results).unwrap();
        assert_eq!(results[0].unwrap_i32(), expected);
        assert_eq!(test.call(&mut store, Some(func)).unwrap(), is_leaf);
    }
    for wrong in [Val::from(closed), Val::null_func_ref(), Val::null_extern_ref()] {
        let error = call.call(&mut store, &[wrong], &mut [Val::I32(0)]).unwrap_err();
        assert!(error.to_string().starts_with("argument type mismatch"), "{error}");
    }
    assert_eq!(test.call(&mut store, None).unwrap(), 0);
}

#[test]
fn typed_functions_take_subtypes_and_give_supertypes() {
    let text = r#"(module
        (type $t (func (result i32)))
        (func $f (export "f") (type $t) (i32.const 5))
        (func (export "get") (result (ref $t)) (ref.func $f))
        (func (export "set") (param (ref null $t))))"#;
    let (mut store, instance) = instance(text);
    let get = instance.get_typed_func::<(), Option<Func>>(&mut store, "get").unwrap();
    let func = get.call(&mut store, ()).unwrap().unwrap();
    assert_eq!(func.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 5);
    // Functions are looked at where any is given for one of a given type.
    let set = instance.get_typed_func::<Option<Func>, ()>(&mut store, "set").unwrap();
    for func in [Some(func), None] {
        set.call(&mut store, func).unwrap();
    }
    let error = set.call(&mut store, Some(*set.func())).unwrap_err();
    assert!(error.to_string().starts_with("argument type mismatch"), "{error}");
    let Err(error) = instance.get_typed_func::<Option<Rooted<ExternRef>>, ()>(&mut store, "set")
    else {
        panic!("a value of the host is taken for a function");
    };
    assert!(
        error.to_string().contains(
            "type mismatch: expected (func (param externref)), found (func (param (ref null"
        ),
        "{error}"
    );
}

#[test]
fn globals_and_tables_hold_references_of_concrete_types() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let root = open(&engine, &[], &[]);
    let leaf = under(&engine, Some(&root), &[], &[]).unwrap();
    let [a, b] = [&root, &leaf]
        .map(|ty| Func::new(&mut store, ty.clone(), |_: Caller<'_, ()>, _, _| Ok(())));
    let content = reference(false, leaf.clone());
    let ty = GlobalType::new(content, Mutability::Var);
    assert!(Global::new(&mut store, ty.clone(), a.into()).is_err());
    let global = Global::new(&mut store, ty.clone(), b.into()).unwrap();
    assert_eq!(global.ty(&store), ty);
    assert!(global.set(&mut store, Val::null_func_ref()).is_err());
    assert!(global.set(&mut store, a.into()).is_err());
    global.set(&mut store, b.into()).unwrap();

    let element = RefType::new(true, root.clone().into());
    let table = Table::new(&mut store, TableType::new(element, 1, None), Ref::Func(None)).unwrap();
    table.set(&mut store, 0, b.into()).unwrap();
    let other = Func::wrap(&mut store, |_: i32| ());
    assert!(table.set(&mut store, 0, other.into()).is_err());

    // The types outlive the embedder's interest in them.
    let (expected_global, expected_table) = (ty.to_string(), table.ty(&store).to_string());
    drop((root, leaf, ty));
    FuncType::new(&engine, [ValType::F64], []);
    assert_eq!(global.ty(&store).to_string(), expected_global);
    assert_eq!(table.ty(&store).to_string(), expected_table);
}

#[test]
fn imports_take_subtypes() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let library = Module::new(
        &engine,
        r#"(module
            (type $root (sub (func)))
            (type $leaf (sub $root (func)))
            (func (export "root") (type $root))
            (func $leaf (export "leaf") (type $leaf))
            (global (export "const") (ref $leaf) (ref.func $leaf))
            (global (export "var") (mut (ref null $leaf)) (ref.func $leaf))
            (table (export "table") 1 (ref null $leaf)))"#,
    )
    .unwrap();
    let mut linker = Linker::new(&engine);
    let instance = linker.instantiate(&mut store, &library).unwrap();
    linker.instance(&store, "library", instance).unwrap();
    let types = "(type $root (sub (func))) (type $leaf (sub $root (func))) (type $closed (func))";
    for (import, fits) in [
        (r#""root" (func (type $root))"#, true),
        (r#""leaf" (func (type $root))"#, true),
        (r#""leaf" (func (type $leaf))"#, true),
        (r#""root" (func (type $leaf))"#, false),
        (r#""root" (func (type $closed))"#, false),
        (r#""const" (global (ref null $root))"#, true),
        (r#""const" (global funcref)"#, true),
        (r#""const" (global externref)"#, false),
        (r#""var" (global (mut (ref null $leaf)))"#, true),
        (r#""var" (global (mut (ref null $root)))"#, false),
        (r#""table" (table 1 (ref null $leaf))"#, true),
        (r#""table" (table 1 (ref null $root))"#, false),
    ] {
        let text = format!("(module {types} (import \"library\" {import}))");
        let module = Module::new(&engine, text).unwrap();
        assert_eq!(linker.instantiate(&mut store, &module).is_ok(), fits, "{import}");
        assert_eq!(linker.instantiate_pre(&module).is_ok(), fits, "{import}");
    }
}

#[test]
fn recursive_types_of_several_modules_are_the_same() {
    let engine = Engine::default();
    let list = "(rec (type $list (struct (field i32) (field (ref null $list)))))";
    let make = format!(
        r#"(module (type (func)) {list}
            (func (export "make") (param i32 (ref null $list)) (result (ref $list))
                (struct.new $list (local.get 0) (local.get 1))))"#
    );
    let sum = format!(
        r#"(module {list}
            (import "" "make" (func $make (param i32 (ref null $list)) (result (ref $list))))
            (func (export "sum") (param $n i32) (result i32) (local $l (ref null $list)) (local $sum i32)
                (loop $build
                    (local.set $l (call $make (local.get $n) (local.get $l)))
                    (br_if $build (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (loop $next
                    (local.set $sum (i32.add (local.get $sum) (struct.get $list 0 (local.get $l))))
                    (br_if $next (i32.eqz (ref.is_null
                        (local.tee $l (struct.get $list 1 (local.get $l))))))
                    (return (local.get $sum)))
                (unreachable)))"#
    );
    let mut store = Store::new(&engine, ());
    let make = Instance::new(&mut store, &Module::new(&engine, make).unwrap(), &[]).unwrap();
    let import = Extern::from(make.get_func(&mut store, "make").unwrap());
    let sum = Instance::new(&mut store, &Module::new(&engine, sum).unwrap(), &[import]).unwrap();
    let sum = sum.get_typed_func::<i32, i32>(&mut store, "sum").unwrap();
    assert_eq!(sum.call(&mut store, 100).unwrap(), 5050);
}

#[test]
fn types_of_other_engines_are_refused() {
    let (engine, mut store) = (Engine::default(), Store::<()>::default());
    let ty = open(&engine, &[], &[]);
    let content = reference(true, ty.clone());
    assert!(!Val::null_func_ref().matches_ty(&store, &content).unwrap());
    let mut refused = |act: &mut dyn FnMut(&mut Store<()>)| {
        let act = std::panic::AssertUnwindSafe(|| act(&mut store));
        assert!(std::panic::catch_unwind(act).is_err());
    };
    refused(&mut |store| {
        let ty = GlobalType::new(content.clone(), Mutability::Const);
        _ = Global::new(store, ty, Val::null_func_ref());
    });
    refused(&mut |store| {
        let ty = TableType::new(content.unwrap_ref().clone(), 0, None);
        _ = Table::new(store, ty, Ref::Func(None));
    });
    refused(&mut |store| _ = Func::new(store, ty.clone(), |_, _, _| Ok(())));
    refused(&mut |store| _ = FuncType::new(store.engine(), [content.clone()], []));
    refused(&mut |store| _ = Linker::new(&engine).get(store, "a", "b"));
}

/// Types of the host count in a store that has not met them all.
#[test]
fn supertypes_that_only_the_host_knows_count() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let open = |supertype: Option<&StructType>| {
        StructType::with_finality_and_supertype(&engine, Finality::NonFinal, supertype, []).unwrap()
    };
    let root = open(None);
    let middle = open(Some(&root));
    let leaf = open(Some(&middle));
    let pre = StructRefPre::new(&mut store, leaf);
    let object = StructRef::new(&mut store, &pre, &[]).unwrap();
    for ty in [root, middle] {
        assert!(object.matches_ty(&store, &ty).unwrap());
        let heap = HeapType::ConcreteStruct(ty);
        assert!(object.to_anyref().matches_ty(&store, &heap).unwrap());
        let param = reference(false, heap);
        let func = Func::new(&mut store, FuncType::new(&engine, [param], []), |_, _, _| Ok(()));
        func.call(&mut store, &[object.into()], &mut []).unwrap();
    }
    let foreign = HeapType::ConcreteStruct(StructType::new(&Engine::default(), []).unwrap());
    assert!(!object.to_anyref().matches_ty(&store, &foreign).unwrap());
}
