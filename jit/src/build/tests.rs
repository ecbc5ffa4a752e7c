use super::Builder;
use crate::ir::{Arg, Inst};
use kinglet_core::{
    index::FuncIdx,
    module::{Module, features::Features},
    translate::{Options, Translator},
};

fn module(fields: &str) -> Module {
    let mut features = Features::default();
    features.switches().into_iter().for_each(|switch| *switch = true);
    let wasm = wat::parse_str(format!("(module {fields})")).unwrap();
    Module::decode(wasm, &features).unwrap()
}

/// The first function that the module defines.
fn build(module: &Module, metered: bool, take_notes: bool) -> Builder {
    let mut builder = Builder { take_notes, ..Builder::default() };
    let options = Options { metered, refs: take_notes, explicit: false };
    let func = FuncIdx(module.imported_funcs);
    Translator::default().translate(module, func, &mut builder, options).unwrap();
    if builder.unsupported.is_none() {
        assert_eq!(builder.function.validate(), Ok(()), "{}", builder.function);
    }
    builder
}

/// Compares the instructions of the first function, with and without notes, with a listing.
#[track_caller]
fn compare(fields: &str, metered: bool, expected: &str) {
    let module = module(fields);
    let expected: Vec<_> = expected.lines().map(str::trim).collect();
    for take_notes in [false, true] {
        let listing = build(&module, metered, take_notes).function.to_string();
        let found: Vec<_> = listing.lines().skip(1).map(str::trim).collect();
        assert_eq!(found, expected, "{listing}");
    }
}

#[track_caller]
fn check(fields: &str, expected: &str) {
    compare(fields, false, expected);
}

#[track_caller]
fn check_metered(fields: &str, expected: &str) {
    compare(fields, true, expected);
}

#[test]
fn constants_are_folded() {
    check(
        "(func (result i32) (i32.mul (i32.add (i32.const 2) (i32.const 3)) (i32.const -4)))",
        "return 0xffffffec",
    );
    check(
        "(func (result f64) (f64.div (f64.convert_i32_u (i32.const 1)) (f64.const 4)))",
        "return 0x3fd0000000000000",
    );
    check(
        "(func (result i32) (i32.div_s (i32.const 1) (i32.const 0)))",
        "v0:i32 = i32_div_s 1, 0
         return v0",
    );
    check(
        "(func (result f32) (f32.sqrt (f32.const -1)))",
        "v0:f32 = f32_sqrt -1.0
         return v0",
    );
}

#[test]
fn what_does_nothing_is_left_out() {
    check(
        "(func (param i64) (result i64) (i64.or (i64.mul (i64.add (local.get 0) (i64.const 0))
         (i64.const 1)) (i64.const 64)) (i64.rotl (i64.const 64)))",
        "v1:i64 = v0
         v2:i64 = i64_or v1, 64
         return v2",
    );
    check(
        "(func (param i32) (result i32) (i32.and (local.get 0) (i32.const -1)) (local.set 0
         (i32.const 1)))",
        "v1:i32 = v0
         v0:i32 = 1
         return v1",
    );
    check("(func (param i32) (result i32) (i32.rem_u (local.get 0) (i32.const 1)))", "return 0");
}

#[test]
fn constants_make_ops_simpler() {
    check(
        "(func (param i32) (result i32) (i32.add (i32.const 7) (i32.sub (local.get 0) (i32.const
         5))))",
        "v1:i32 = i32_add v0, -5
         v2:i32 = i32_add v1, 7
         return v2",
    );
    check(
        "(func (param i32) (result i32) (i32.rem_u (i32.div_u (i32.mul (local.get 0) (i32.const 16))
         (i32.const 8)) (i32.const 4)))",
        "v1:i32 = i32_shl v0, 4
         v2:i32 = i32_shr_u v1, 3
         v3:i32 = i32_and v2, 3
         return v3",
    );
    check(
        "(func (param i64) (result i64) (i64.shl (local.get 0) (i64.const 67)))",
        "v1:i64 = i64_shl v0, 3
         return v1",
    );
}

#[test]
fn shifts_go_with_additions() {
    check(
        "(func (param i32 i32) (result i32) (i32.add (local.get 0) (i32.mul (local.get 1) (i32.const
         8))))",
        "v2:i32 = v0 + (v1 << 3)
         return v2",
    );
    check(
        "(func (param i64 i64) (result i64) (i64.add (i64.shl (local.get 1) (i64.const 1)) (local.get
         0)))",
        "v2:i64 = v0 + (v1 << 1)
         return v2",
    );
    check(
        "(func (param i32 i32) (result i32) (i32.add (local.get 0) (i32.shl (local.get 1) (i32.const
         4))))",
        "v2:i32 = i32_shl v1, 4
         v3:i32 = i32_add v0, v2
         return v3",
    );
}

#[test]
fn comparisons_are_negated() {
    check(
        "(func (param i32) (result i32) (i32.eqz (i32.eqz (i32.lt_u (i32.const 5) (local.get 0)))))",
        "v1:i32 = i32_gt_u v0, 5
         return v1",
    );
    check(
        "(func (param f32) (result i32) (i32.eqz (f32.eq (local.get 0) (f32.const 1))))",
        "v1:i32 = f32_ne v0, 1.0
         return v1",
    );
    check(
        "(func (param f32) (result i32) (i32.eqz (f32.lt (local.get 0) (f32.const 1))))",
        "v1:i32 = f32_lt v0, 1.0
         v2:i32 = i32_eq v1, 0
         return v2",
    );
    check(
        "(func (param f32 i32) (result i32) (select (i32.const 1) (local.get 1) (i32.eqz (f32.lt
         (local.get 0) (f32.const 1)))))",
        "v2:i32 = f32_lt v0, 1.0
         v3:i32 = v2 ? v1 : 1
         return v3",
    );
}

#[test]
fn branches_compare() {
    check(
        "(func (param i64) (block (br_if 0 (i64.eqz (local.get 0))) (br_if 0 (i64.gt_s (i64.const 3)
         (local.get 0))) (unreachable)))",
        "if i64_eq v0, 0 jump L0
         -
         if i64_lt_s v0, 3 jump L0
         -
         trap UnreachableCodeReached
         L0:
         return",
    );
    check(
        "(func (param f64) (block (br_if 0 (i32.eqz (f64.ge (local.get 0) (f64.const nan))))
         (unreachable)))",
        "if not f64_ge v0, NaN jump L0
         -
         trap UnreachableCodeReached
         L0:
         return",
    );
    check(
        "(func (param i32) (if (local.get 0) (then (unreachable))))",
        "if i32_eq v0, 0 jump L0
         -
         trap UnreachableCodeReached
         L0:
         return",
    );
}

#[test]
fn branches_on_constants() {
    check(
        "(func (param i32) (result i32) (block (br_if 0 (i32.const 0)) (br_if 0 (i32.const 1))
         (unreachable)) (if (result i32) (i32.const 1) (then (local.get 0)) (else (i32.div_u
         (i32.const 1) (local.get 0)))))",
        "L0:
         v1:i32 = v0
         L1:
         return v1",
    );
    check(
        "(func (param i32) (result i32) (block $a (block $b (br_table $a $b (i32.const 9))) (return
         (i32.const 1))) (i32.const 2))",
        "L0:
         return 1",
    );
}

#[test]
fn results_go_to_locals() {
    check(
        "(func $f (param i32) (result i32) (local.set 0 (call $f (i32.add (local.get 0) (i32.const
         1)))) (local.tee 0 (i32.load (local.get 0))))(memory 1)",
        "v1:i32 = i32_add v0, 1
         v0:i32 = call 0(v1)
         v0:i32 = i32_load [v0 + 0]
         return v0",
    );
    check(
        "(func (param i32) (result i32) (local.get 0) (local.set 0 (i32.add (local.get 0) (i32.const
         1))) (i32.mul (local.get 0)))",
        "v2:i32 = v0
         v0:i32 = i32_add v0, 1
         v3:i32 = i32_mul v2, v0
         return v3",
    );
    check(
        "(func (param i32 i32) (local.get 0) (local.set 0 (local.get 1)) (local.set 1))",
        "v2:i32 = v0
         v0:i32 = v1
         v1:i32 = v2
         return",
    );
}

#[test]
fn reads_are_kept_in_front_of_conditions() {
    check(
        "(func (param i32 i32) (result i32) (local.get 0) (if (i32.lt_s (local.get 1) (i32.const 4))
         (then (local.set 0 (i32.const 0)))) (i32.add (local.get 0)))",
        "v3:i32 = v0
         if i32_ge_s v1, 4 jump L0
         -
         v0:i32 = 0
         L0:
         v4:i32 = i32_add v3, v0
         return v4",
    );
}

#[test]
fn arms_give_results() {
    check(
        "(func (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.mul (local.get 0)
         (local.get 0))) (else (i32.const 5))))",
        "if i32_eq v0, 0 jump L0
         -
         v2:i32 = i32_mul v0, v0
         jump L1
         L0:
         v2:i32 = 5
         L1:
         return v2",
    );
    check(
        "(func (param i32 i64) (result i64) (local.get 1) (if (param i64) (result i64) (local.get 0)
         (then (i64.add (i64.const 1)))))",
        "v2:i64 = v1
         v3:i64 = v2
         if i32_eq v0, 0 jump L0
         -
         v3:i64 = i64_add v2, 1
         L0:
         return v3",
    );
}

#[test]
fn loops_take_values() {
    check(
        "(func (param i32 i32) (result i32) (local.get 0) (local.get 1) (loop (param i32 i32) (result
         i32) (local.set 0) (local.set 1) (local.get 0) (local.get 1) (br_if 0 (local.get 0))
         (drop)))",
        "v2:i32 = v0
         v5:i32 = v1
         v4:i32 = v2
         L0: loop
         v0:i32 = v5
         v1:i32 = v4
         if i32_eq v0, 0 jump L1
         -
         v4:i32 = v0
         v5:i32 = v1
         jump L0
         L1:
         v6:i32 = v0
         return v6",
    );
    check(
        "(func (param i32) (result i32) (local.get 0) (loop (param i32) (result i32) (i32.sub
         (i32.const 1)) (local.tee 0) (br_if 0 (local.get 0))))",
        "v2:i32 = v0
         L0: loop
         v0:i32 = i32_add v2, -1
         if i32_eq v0, 0 jump L1
         -
         v2:i32 = v0
         jump L0
         L1:
         v3:i32 = v0
         return v3",
    );
}

#[test]
fn branches_take_values() {
    check(
        "(func (param i32) (result i32) (block (result i32) (i32.clz (local.get 0)) (br_if 0
         (local.get 0)) (drop) (i32.const 8)))",
        "v1:i32 = i32_clz v0
         v2:i32 = v1
         if i32_ne v0, 0 jump L0
         -
         v2:i32 = 8
         L0:
         return v2",
    );
    check(
        "(func (param i32) (result i32) (block (result i32) (i32.const 1) (i32.ctz (local.get 0))
         (br_if 0 (local.get 0)) (i32.add)))",
        "v1:i32 = i32_ctz v0
         if i32_eq v0, 0 jump L0
         -
         v2:i32 = v1
         jump L1
         L0:
         v2:i32 = i32_add v1, 1
         L1:
         return v2",
    );
    check(
        "(func (param i32) (result i32) (block $a (result i32) (block $b (result i32) (i32.clz
         (local.get 0)) (br_table $b $a $b (local.get 0))) (i32.add (i32.const 1))))",
        "v1:i32 = i32_clz v0
         v2:i32 = v1
         v3:i32 = v1
         jump v0 of L0 L1 L0
         L0:
         v3:i32 = i32_add v2, 1
         L1:
         return v3",
    );
    check(
        "(func (param i32) (result i32) (block $a (result i32) (i32.const 3) (block $b (result i32)
         (i32.const 4) (br_table $b $a (local.get 0))) (i32.add)))",
        "jump v0 of L0 L1
         L0:
         v1:i32 = 4
         jump L2
         L1:
         v2:i32 = 4
         jump L3
         L2:
         v2:i32 = i32_add v1, 3
         L3:
         return v2",
    );
}

#[test]
fn what_cannot_be_reached_gives_nothing() {
    check(
        "(func (param i32) (result i32) (block (return (i32.const 1))) (loop (br_if 0 (local.get 0)))
         (local.get 0))",
        "return 1",
    );
    check(
        "(func (result i32) (loop (result i32) (br 0)))",
        "L0: loop
         jump L0",
    );
}

#[test]
fn loops_take_fuel() {
    check_metered(
        "(func (param i32) (result i32) (local.get 0) (loop (param i32) (result i32) (i32.sub
         (i32.const 1)) (br_if 0 (local.get 0))))",
        "fuel 8
         v2:i32 = v0
         L0: loop
         v3:i32 = i32_add v2, -1
         if i32_eq v0, 0 jump L1
         -
         v2:i32 = v3
         fuel 5
         jump L0
         L1:
         return v3",
    );
}

#[test]
fn calls() {
    check(
        r#"(import "" "f" (func (param i32 f64) (result f64 i32))) (table $t 1 funcref) (type $f (func
         (param i64) (result i64))) (func (param i32) (result i64) (local.get 0) (f64.const 0.5)
         (call 0) (drop) (drop) (call_indirect (type $f) (i64.const 4) (local.get 0)))"#,
        "v1:f64, v2:i32 = call import 0(v0, 0x3fe0000000000000)
         v3:i64 = call table 0[v0](4)
         return v3",
    );
    check(
        "(type $f (func (param i32 i32))) (func (param (ref null $f) i32) (call_ref $f (local.get 1)
         (i32.const 2) (local.get 0)) (return_call_ref $f (i32.const 2) (local.get 1) (local.get 0)))",
        "call ref v0(v1, 2)
         tail call ref v0(2, v1)",
    );
}

#[test]
fn what_the_runtime_does() {
    check(
        "(memory 1) (func (param i32) (result i32) (memory.fill (local.get 0) (i32.const 0)
         (i32.const 8)) (i32.add (memory.size) (memory.grow (local.get 0))))",
        "memory_fill[0, 0, 0](v0, 0, 8)
         v1:i32 = memory_size[0, 0, 0]()
         v2:i32 = memory_grow[0, 0, 0](v0)
         v3:i32 = i32_add v1, v2
         return v3",
    );
    check(
        "(type $s (struct (field i8) (field (mut anyref)))) (func (param anyref) (result anyref)
         (local (ref null $s)) (local.set 1 (struct.new $s (i32.const 1) (local.get 0))) (struct.set
         $s 1 (local.get 1) (local.get 0)) (struct.get $s 1 (local.get 1)))",
        "locals v1:ref
         v1:ref = struct_new[0, 0, 0](1, v0)
         StructSet[5, 5, 12](v1, v0)
         v2:ref = StructGet[5, 5, 12](v1)
         return v2",
    );
    check(
        "(type $a (array (mut i16))) (func (param anyref) (result i32) (local (ref null $a))
         (local.set 1 (ref.cast (ref null $a) (local.get 0))) (array.set $a (local.get 1) (i32.const
         0) (i32.const 5)) (i32.add (array.len (local.get 1)) (i32.add (array.get_s $a (local.get 1)
         (i32.const 1)) (ref.test (ref $a) (local.get 0)))))",
        "locals v1:ref
         v1:ref = RefCast[0, 1, 0](v0)
         ArraySet[3, 5, 0](v1, 0, 5)
         v2:i32 = ArrayLen[0, 0, 0](v1)
         v3:i32 = ArrayGet[2, 5, 0](v1, 1)
         v4:i32 = RefTest[0, 0, 0](v0)
         v5:i32 = i32_add v3, v4
         v6:i32 = i32_add v2, v5
         return v6",
    );
    check(
        "(memory 1 1 shared) (func (param i32) (result i64) (i64.atomic.rmw.add offset=8 (local.get
         0) (i64.load (local.get 0))))",
        "v1:i64 = i64_load m0[v0 + 0]
         v2:i64 = i64_atomic_rmw_add[0, 8, 0](v0, v1)
         return v2",
    );
    check(
        "(func (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1)))",
        "v2:i64, v3:i64 = i64_mul_wide_u[0, 0, 0](v0, v1)
         return v2, v3",
    );
}

#[test]
fn memories_that_are_far() {
    check(
        "(memory 1) (memory i64 1) (func (param i32 i64) (i32.store8 offset=3 (local.get 0) (i32.load
         1 offset=4294967296 (local.get 1))))",
        "v2:i32 = i32_load m1[v1 + 4294967296]
         i32_store8 [v0 + 3], v2
         return",
    );
}

#[test]
fn exceptions_have_handlers() {
    check(
        "(tag $e (param i32)) (func (param i32) (result i32) (block $h (result i32 exnref) (try_table
         (catch_ref $e $h) (throw $e (local.get 0))) (unreachable)) (throw_ref))",
        "in try 0
         throw 0[0, 0, 0](v0)
         trap UnreachableCodeReached
         in no try
         L0:
         ThrowRef[0, 0, 0](v2)
         trap UnreachableCodeReached
         try 0, tag 0 to L0(v1) &v2",
    );
    check(
        "(tag $e (param i32)) (func $f (result i32) (block $h (result i32) (block $all (br $h
         (try_table (result i32) (catch $e $h) (catch_all $all) (try_table (result i32) (catch $e 2)
         (call $f))))) (i32.const 7)))",
        "in try 1
         v1:i32 = call 0()
         in no try
         v0:i32 = v1
         jump L0
         L1:
         v0:i32 = 7
         L0:
         return v0
         try 0, tag 0 to L0(v0), all to L1()
         try 1 in 0, tag 0 to L0(v0)",
    );
}

#[test]
fn handlers_that_are_loops_take_fuel() {
    check_metered(
        "(tag $e (param i32)) (func $f (result i32) (i32.const 1) (loop $l (param i32) (try_table
         (param i32) (catch $e $l) (drop (i32.add (call $f))))) (i32.const 2))",
        "fuel 10
         v0:i32 = 1
         L0: loop
         in try 0
         v2:i32 = call 0()
         v3:i32 = i32_add v0, v2
         in no try
         return 2
         L1:
         v0:i32 = v1
         fuel 6
         jump L0
         try 0, tag 0 to L1(v1)",
    );
}

#[test]
fn notes_say_where_operands_stand() {
    let module = module(
        "(func $f (param i32) (result i32)
           (i32.clz (local.get 0)) (i32.const 5) (local.get 0)
           (loop (param i32) (result i32)
             (call $f) (br_if 0 (local.get 0)))
           (i32.add) (i32.add))",
    );
    let builder = build(&module, true, true);
    let function = &builder.function;
    let notes = function.notes.as_ref().unwrap();
    let found: Vec<_> = notes
        .stacks
        .iter()
        .map(|&(at, list)| {
            let (start, len) = (list.start as usize, list.len as usize);
            let stack = notes.stack[start..start + len].iter().map(|&(height, arg)| {
                (height, function.const_bits(arg).map_or(format!("{arg:?}"), |b| b.to_string()))
            });
            (function.insts[at as usize], stack.collect::<Vec<_>>())
        })
        .map(|(inst, stack)| (format!("{inst:?}").split(' ').next().unwrap().to_string(), stack))
        .collect();
    let on = |height: u32, arg: &str| (height, arg.to_string());
    assert_eq!(
        found,
        [
            ("Fuel".to_string(), vec![]),
            ("Call".to_string(), vec![on(0, "v1")]),
            ("Fuel".to_string(), vec![on(0, "v1"), on(2, "v3")]),
        ],
        "{function}"
    );
    assert!(notes.offsets.is_sorted());
}

#[test]
fn vectors_are_refused() {
    #[cfg(feature = "simd")]
    for function in [
        "(func (local v128))",
        "(func (drop (v128.const i64x2 0 0)))",
        "(func (param i32) (drop (v128.load (local.get 0))))(memory 1)",
        "(func (block (result v128) (unreachable)) (drop))",
        "(func $f (result v128) (call $f))",
    ] {
        let builder = build(&module(function), false, false);
        assert_eq!(builder.unsupported, Some("vectors"), "{function}");
        assert!(builder.function.insts.is_empty());
    }
}

/// How large all lists of a function are together, for one byte of its body.
fn growth(body: &str) -> usize {
    let types = "(type $many (func (result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)))";
    let module = module(&format!("(func $f (param i32) {body}) {types}"));
    let builder = build(&module, false, true);
    let function = &builder.function;
    let notes = function.notes.as_ref().map_or(0, |notes| notes.stack.len());
    let lists = function.insts.len() + function.vregs.len() + function.labels.len() + notes;
    let lists = lists + function.consts.len() + function.pool.len() + function.targets.len();
    lists / module.body(FuncIdx(0)).unwrap().range.len()
}

#[test]
fn functions_do_not_grow_out_of_proportion() {
    let nested = format!("{}{}", "(block ".repeat(10_000), ")".repeat(10_000));
    assert!(growth(&nested) < 3);
    let branches = format!("{}(br_if 500 (local.get 0)){}", "(block ".repeat(999), ")".repeat(999));
    assert!(growth(&branches) < 3);
    let table = format!("(block (br_table {} (local.get 0)))", "0 ".repeat(50_000));
    assert!(growth(&table) < 3);
    let values = format!(
        "(block (result i32) (br_table {} (local.get 0) (local.get 0))) (drop)",
        "0 ".repeat(50_000)
    );
    assert!(growth(&values) < 3);
    let loops = format!(
        "{}{}",
        "(loop (result i64) ".repeat(1000),
        "(i64.const 1)".to_string() + &")".repeat(1000)
    );
    assert!(growth(&format!("{loops} (drop)")) < 3);
    let calls = "(i32.clz (local.get 0)) (call $f (local.get 0))".repeat(2000);
    // Every call has all of the stack below it in its notes.
    assert!(growth(&format!("{calls}{}", "(drop)".repeat(2000))) < 3);
    let many = format!(
        "(block (type $many) (br_table {} {} (local.get 0))){}",
        "0 ".repeat(1000),
        "(i64.const 1)".repeat(12),
        "(drop)".repeat(12)
    );
    assert!(growth(&many) < 3);
    let (many, nops) = ("(local i64)".repeat(40_000), "nop ".repeat(3000));
    let locals = module(&format!("(func {many} {nops})"));
    assert_eq!(build(&locals, false, false).function.vregs.len(), 40_000);
}

#[test]
fn what_leads_nowhere_stays_linear() {
    // Each branch takes a hundred values along: too many instructions for so few bytes.
    let types = format!("(type $many (func (param {0}) (result {0})))", "i32 ".repeat(500));
    let consts = "(i32.const 1)".repeat(500);
    let body = format!("(block (type $many) {} )", "(br_if 0 (local.get 0))".repeat(2000));
    let module = module(&format!("(func (param i32) {consts} {body} (unreachable)) {types}"));
    let builder = build(&module, false, false);
    assert_eq!(builder.unsupported, Some("too large"));
}

#[test]
fn builders_are_used_again() {
    let modules = [
        module(
            "(func (param i32) (result i32) (block (result i32) (br_if 0 (i32.const 1) (local.get 0))))",
        ),
        module("(func (local v128))"),
        module("(func (result i32) (i32.const 1))"),
    ];
    let mut builder = Builder::default();
    let mut translator = Translator::default();
    for module in modules.iter().chain(&modules) {
        translator.translate(module, FuncIdx(0), &mut builder, Options::default()).unwrap();
        let fresh = build(module, false, false);
        assert_eq!(builder.unsupported, fresh.unsupported);
        assert_eq!(builder.function.to_string(), fresh.function.to_string());
    }
}

#[test]
fn offsets_are_those_of_ops() {
    let module = module(
        "(func (param i32) (result i32) (i32.div_u (local.get 0) (i32.load (local.get 0))))(memory 1)",
    );
    let builder = build(&module, false, true);
    let start = module.body(FuncIdx(0)).unwrap().range.start as u32;
    let offsets = &builder.function.notes.as_ref().unwrap().offsets;
    // No locals, two reads, a load of three bytes, a division, the end.
    assert_eq!(offsets.iter().map(|o| o - start).collect::<Vec<_>>(), [5, 8, 9]);
    assert!(
        matches!(builder.function.insts[0], Inst::Load { address, .. } if address != Arg::NONE)
    );
}

/// What stands below a loop that exceptions lead to is read again when control comes back from behind its last use.
#[test]
fn operands_below_loops_that_catch() {
    let module = module(
        "(memory 1) (func (param i32) (result i32)
            (i32.load (local.get 0))
            (loop $again (try_table (catch_all $again) (call 0 (local.get 0)) drop))
            (i32.add (i32.load (local.get 0))))",
    );
    for take_notes in [false, true] {
        let function = &build(&module, true, take_notes).function;
        let loaded = |inst: &&Inst| matches!(inst, Inst::Load { .. });
        let Some(&Inst::Load { dst, .. }) = function.insts.iter().find(loaded) else {
            panic!("{function}");
        };
        assert_eq!(function.joined, [dst], "{function}");
        let mut liveness = crate::live::Liveness::default();
        liveness.run(function);
        let last = function.insts.len() - 2;
        assert!(matches!(function.insts[last], Inst::Fuel { .. }), "{function}");
        assert!(liveness.live_across(function, last).contains(dst), "{function}");
    }
}
