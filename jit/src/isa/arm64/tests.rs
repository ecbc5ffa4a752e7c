//! What can be tested without running code: that everything is emitted wherever its operands are, and what frames look like.

use super::*;
use crate::{
    ir::{CallSite, Callee, List, RuntimeOp, RuntimeSite},
    isa::{Target, buffer::Site},
};
use kinglet_core::{
    index::{FuncIdx, GlobalIdx, MemoryIdx, TableIdx},
    module::features::Features,
    op::{Num, Op},
    translate::MemArg,
};
use std::sync::LazyLock;

const TEXT: &str = r#"(module
    (type (func (param i64 i64) (result i64)))
    (type (func (param f64 f64) (result f64)))
    (import "m" "f" (func (type 0)))
    (memory 1) (memory i64 1) (table 1 funcref) (global (mut i64) (i64.const 0))
    (func (type 0) unreachable)
    (func (type 1) unreachable))"#;

static MODULE: LazyLock<Module> =
    LazyLock::new(|| Module::decode(wat::parse_str(TEXT).unwrap(), &Features::default()).unwrap());

/// A function of two parameters that does one thing and returns a third register.
fn function(types: [Ty; 3], inst: Inst) -> Function {
    let mut function = Function {
        func: FuncIdx(1),
        locals: 3,
        params: 2,
        vregs: types.to_vec(),
        insts: vec![inst, Inst::Return { values: List { start: 0, len: 1 } }],
        consts: vec![0, 1, 0x1234_5678, 0xfedc_ba98_7654_3210, u64::MAX],
        pool: vec![Vreg(2).into(), Vreg(0).into(), Vreg(1).into()],
        ..Function::default()
    };
    let args = List { start: 1, len: 2 };
    let results = List { start: 0, len: 1 };
    for callee in [
        Callee::Func(FuncIdx(1)),
        Callee::Import(FuncIdx(0)),
        Callee::Table { table: TableIdx(0), is_64: false, index: Vreg(0).into() },
        Callee::Ref { func: Vreg(1).into() },
    ] {
        function.calls.push(CallSite { callee, ty: TypeIdx(0), args, results });
    }
    let op = RuntimeOp::Op(Op::MemoryGrow);
    function.runtimes.push(RuntimeSite { op, immediates: [1, 2, 3], args, results });
    for (memory, is_64, offset) in [(0, false, 8), (1, true, 0), (1, true, 8), (1, true, u64::MAX)]
    {
        let memory = MemoryIdx(memory);
        function.memargs.push(MemArg { memory, is_64, shared: false, offset });
    }
    function.costs = vec![1, 100_000];
    function
}

fn emit(
    function: &Function,
    places: [Place; 3],
) -> Result<(Vec<u32>, FrameLayout, Code), Unsupported> {
    let mut allocation = Allocation { places: places.to_vec(), ..Allocation::default() };
    for place in places {
        match place {
            Place::Slot(slot) => allocation.slots = allocation.slots.max(slot + 1),
            Place::Reg(reg) if CALLEE_SAVED.has(reg) => allocation.saved.add(reg),
            _ => {}
        }
    }
    let mut code = Code { sites: Some(Vec::new()), ..Code::default() };
    let shapes = |ty: TypeIdx| Some(ty.0);
    let layout = Arm64.function(&MODULE, function, &allocation, &shapes, &mut code)?;
    let words = code.bytes.chunks_exact(4).map(|w| u32::from_le_bytes(w.try_into().unwrap()));
    Ok((words.collect(), layout, code))
}

/// Emits an instruction with its operands in registers, near and far slots, and nowhere.
fn everywhere(function: &Function) {
    let reg = |ty: Ty, n| Place::Reg(if ty.is_float() { Reg::float(n) } else { Reg::int(n) });
    let [a, b, c] = [function.vregs[0], function.vregs[1], function.vregs[2]];
    for places in [
        [reg(a, 1), reg(b, 2), reg(c, 3)],
        [reg(a, 20), reg(b, 21), reg(c, 21)],
        [Place::Slot(0), Place::Slot(1), Place::Slot(2)],
        [Place::Slot(5000), Place::Slot(9001), Place::Slot(7002)],
        [Place::Slot(0), reg(b, 2), Place::Nowhere],
    ] {
        emit(function, places).unwrap();
    }
}

fn ty(num: Option<Num>) -> Option<Ty> {
    Ty::of(num?)
}

#[test]
fn every_op_is_emitted_wherever_its_operands_are() {
    for &op in Op::ALL {
        let (Some(from), Some(to)) = (ty(op.operand()), ty(Some(op.result()))) else {
            continue;
        };
        let registers: [Arg; 2] = [Vreg(0).into(), Vreg(1).into()];
        let constants = [0, 1, 2, 3, 4].map(Arg::of_constant);
        let operands = registers.into_iter().chain(constants);
        match op.class() {
            Class::un | Class::un_trap => {
                for a in operands {
                    let b = Arg::NONE;
                    everywhere(&function([from, from, to], Inst::Op { op, dst: Vreg(2), a, b }));
                }
            }
            Class::bin | Class::bin_trap | Class::cmp => {
                for a in operands.clone() {
                    for b in operands.clone() {
                        let inst = Inst::Op { op, dst: Vreg(2), a, b };
                        everywhere(&function([from, from, to], inst));
                    }
                }
            }
            Class::load | Class::store => {
                for address in operands.clone() {
                    for offset in [0, 4095, 4096, 0x1001, u32::MAX] {
                        everywhere(&access(op, address, Err(offset)));
                    }
                    for at in 0..4 {
                        everywhere(&access(op, address, Ok(at)));
                    }
                }
            }
            _ => {}
        }
    }
}

/// A load or store, far or with an offset.
fn access(op: Op, address: Arg, far: Result<u32, u32>) -> Function {
    let (dst, value) = (Vreg(2), Vreg(1).into());
    let inst = match (op.class(), far) {
        (Class::load, Ok(at)) => Inst::LoadFar { op, dst, address, at },
        (Class::load, Err(offset)) => Inst::Load { op, dst, address, offset },
        (_, Ok(at)) => Inst::StoreFar { op, address, value, at },
        (_, Err(offset)) => Inst::Store { op, address, value, offset },
    };
    let load = op.class() == Class::load;
    let value = ty(op.row().from).unwrap_or(Ty::I64);
    let result = if load { ty(Some(op.result())).unwrap_or(Ty::I64) } else { Ty::I64 };
    function([Ty::I32, if load { Ty::I64 } else { value }, result], inst)
}

#[test]
fn every_instruction_is_emitted_wherever_its_operands_are() {
    let (a, b): (Arg, Arg) = (Vreg(0).into(), Vreg(1).into());
    let (dst, global) = (Vreg(2), GlobalIdx(0));
    let condition = Arg::of_constant(2);
    let mut insts = vec![
        Inst::ShiftAdd { wide: true, shift: 3, dst, a, b },
        Inst::ShiftAdd { wide: false, shift: 1, dst, a, b: condition },
        Inst::Move { dst, a },
        Inst::Move { dst, a: Arg::of_constant(3) },
        Inst::Select { dst, condition, a, b },
        Inst::GlobalGet { dst, global },
        Inst::GlobalGet { dst, global: GlobalIdx(u32::MAX) },
        Inst::GlobalSet { ty: Ty::I64, global, value: a },
        Inst::Runtime { site: 0 },
        Inst::Fuel { point: 0 },
        Inst::Fuel { point: 1 },
    ];
    insts.extend(Trap::ALL.iter().map(|&trap| Inst::Trap { trap }));
    insts.extend((0..4).map(|site| Inst::Call { site }));
    insts.extend((0..4).map(|site| Inst::TailCall { site }));
    for inst in insts {
        everywhere(&function([Ty::I64; 3], inst));
    }
    let ty = Ty::F64;
    for inst in [
        Inst::Move { dst, a: Arg::of_constant(3) },
        Inst::Select { dst, condition, a, b },
        Inst::GlobalGet { dst, global },
        Inst::GlobalSet { ty, global, value: b },
    ] {
        everywhere(&Function { func: FuncIdx(2), ..function([Ty::F64; 3], inst) });
    }
}

#[test]
fn a_small_function_has_no_frame_before_it_traps() {
    let places = [0, 1, 0].map(|n| Place::Reg(Reg::int(n)));
    let (a, b) = (Vreg(0).into(), Vreg(1).into());
    let inst = Inst::Op { op: Op::I64DivU, dst: Vreg(2), a, b };
    let (words, layout, code) = emit(&function([Ty::I64; 3], inst), places).unwrap();
    // cbz x1; udiv x0, x0, x1; ret; stp xzr, x30, [sp, #-16]!; bl; brk
    assert_eq!(words, [0xb4000061, 0x9ac10800, 0xd65f03c0, 0xa9bf7bff, 0x94000000, 0xd4200000]);
    assert_eq!(code.sites, Some(vec![Site { at: 20, inst: 0, crosses: false }]));
    assert_eq!(code.relocations, [(16, Code::trap(Trap::IntegerDivisionByZero))]);
    let saved = Vec::new();
    let instance_at = None;
    assert_eq!(
        layout,
        FrameLayout { return_at: 8, caller_sp: 16, slots_at: 0, saved, instance_at }
    );
}

#[test]
fn frames() {
    let places = [Place::Reg(Reg::int(20)), Place::Slot(1), Place::Reg(Reg::int(19))];
    let (words, layout, code) =
        emit(&function([Ty::I64; 3], Inst::Call { site: 1 }), places).unwrap();
    assert_eq!(
        layout,
        FrameLayout {
            return_at: 40,
            caller_sp: 48,
            slots_at: 0,
            saved: vec![(Reg::int(19), 32), (Reg::int(20), 24)],
            instance_at: Some(16),
        }
    );
    // sub sp, sp, #48; stp x19, x30, [sp, #32]; str x20, [sp, #24]
    assert_eq!(words[..3], [0xd100c3ff, 0xa9027bf3, 0xf9000ff4]);
    let crossing: Vec<bool> = code.sites.unwrap().iter().map(|site| site.crosses).collect();
    assert_eq!(crossing, [false, false, true, false]);
    assert!(code.relocations.iter().any(|r| r.1 == Target::Stub(Stub::Outside(0))));
}

#[test]
fn functions_that_are_too_large_are_refused() {
    let (a, b) = (Vreg(0).into(), Vreg(1).into());
    let mut large = function([Ty::I64; 3], Inst::Move { dst: Vreg(2), a });
    large.insts = vec![Inst::Op { op: Op::I64Add, dst: Vreg(2), a, b }; 240_000];
    let registers = [1, 2, 3].map(|n| Place::Reg(Reg::int(n)));
    assert!(emit(&large, registers).is_err());
    let small = function([Ty::I64; 3], Inst::Move { dst: Vreg(2), a });
    assert!(emit(&small, [Place::Slot(u32::MAX / 16), Place::Nowhere, Place::Nowhere]).is_err());
    assert!(emit(&small, registers).is_ok());
}

#[test]
fn stubs_are_emitted() {
    let types = |count: usize| [Ty::I32, Ty::F32, Ty::I64, Ty::F64].repeat(count).into();
    let shapes = [
        Shape { params: Box::new([]), results: Box::new([]) },
        Shape { params: types(250), results: types(5) },
        Shape { params: types(1), results: types(250) },
    ];
    let mut stubs = vec![Stub::Op, Stub::Fuel, Stub::CheckType, Stub::Exit];
    stubs.extend(Trap::ALL.iter().map(|&trap| Stub::Trap(trap)));
    for shape in 0..3 {
        let uncompiled = Stub::Uncompiled(FuncIdx(u32::MAX), shape);
        stubs.extend([Stub::Enter(shape), Stub::Outside(shape), uncompiled]);
    }
    for stub in stubs {
        let mut code = Code::default();
        Arm64.stub(stub, &shapes, &mut code);
        assert!(!code.bytes.is_empty());
    }
}

#[test]
fn patches() {
    let mut code = [0x94000000u32, 0x14000000].map(u32::to_le_bytes).concat();
    Arm64.patch(&mut code, 0, 4);
    Arm64.patch(&mut code, 4, 0);
    assert_eq!(code, [0x94000001u32, 0x17ffffff].map(u32::to_le_bytes).concat());
}
