//! Encodings that are known, and code for functions made by hand. What code does is tested by running it.

use super::{
    X64,
    asm::{Alu, Asm, Rm, Shift, cc, op, op_0f, op_660f3a, op_p0f},
    regs::*,
};
use crate::{
    ir::{Arg, Block, Function, Inst, Label, List, Ty, Vreg},
    isa::{FrameLayout, Isa, Stub, Target, Unsupported, buffer::Code},
    regs::{Allocation, Place, Reg, RegSet},
};
use kinglet_core::{
    index::{FuncIdx, TypeIdx},
    module::{Module, features::Features as Proposals},
    op::Op,
    trap::Trap,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn check(emit: impl FnOnce(&mut Asm<'_>), expected: &str) {
    let mut code = Code::default();
    emit(&mut Asm { code: &mut code, consts: Vec::new() });
    assert_eq!(hex(&code.bytes), expected.replace(' ', ""));
}

#[test]
fn prefixes_are_left_out_where_registers_allow() {
    check(|asm| asm.mov(false, 7, Rm::Reg(6)), "8b fe");
    check(|asm| asm.mov(true, 7, Rm::Reg(6)), "48 8b fe");
    check(|asm| asm.mov(false, 9, Rm::Reg(6)), "44 8b ce");
    check(|asm| asm.mov(false, 7, Rm::Reg(13)), "41 8b fd");
    check(|asm| asm.setcc(cc::E, 3), "0f 94 c3");
    check(|asm| asm.setcc(cc::E, 7), "40 0f 94 c7");
    check(|asm| asm.movzx8(12, 0), "44 0f b6 e0");
}

#[test]
fn displacements_are_as_short_as_they_can_be() {
    check(|asm| asm.mov(true, 0, Rm::Frame(0)), "48 8b 04 24");
    check(|asm| asm.mov(true, 0, Rm::Frame(8)), "48 8b 44 24 08");
    check(|asm| asm.mov(true, 0, Rm::Frame(128)), "48 8b 84 24 80 00 00 00");
    check(|asm| asm.mov(true, 0, Rm::At(R15, 0)), "49 8b 07");
    check(|asm| asm.mov(true, 0, Rm::At(R14, -8)), "49 8b 46 f8");
    check(|asm| asm.mov(false, 0, Rm::At(12, 4)), "41 8b 44 24 04");
    // rbp and r13 cannot do without one.
    check(|asm| asm.mov(false, 0, Rm::At(5, 0)), "8b 45 00");
    check(|asm| asm.mov(false, 0, Rm::Sum(13, 1, 0)), "41 8b 44 0d 00");
    check(|asm| asm.mov(false, 3, Rm::Sum(R14, 12, 0)), "43 8b 1c 26");
    check(|asm| asm.mov(false, 3, Rm::Sum(R14, 5, 16)), "41 8b 5c 2e 10");
    check(|asm| asm.lea_scaled(true, 5, 13, 5, 2), "49 8d 6c ad 00");
    check(|asm| asm.lea_table(false, 0, 7, 3, 4), "8d 04 fd 04 00 00 00");
}

#[test]
fn immediates_are_as_short_as_they_can_be() {
    check(|asm| asm.alu_imm(Alu::Add, false, Rm::Reg(6), 127), "83 c6 7f");
    check(|asm| asm.alu_imm(Alu::Cmp, true, Rm::Reg(6), 128), "48 81 fe 80 00 00 00");
    check(|asm| asm.alu_imm(Alu::Cmp, true, Rm::At(R14, -16), -1), "49 83 7e f0 ff");
    check(|asm| asm.imul_imm(false, 7, Rm::Reg(6), 10), "6b fe 0a");
    check(|asm| asm.imul_imm(false, 7, Rm::Reg(6), 1000), "69 fe e8 03 00 00");
    check(|asm| asm.test_imm(false, Rm::Reg(7), 1), "40 f6 c7 01");
    check(|asm| asm.test_imm(true, Rm::Reg(7), -1), "48 f7 c7 ff ff ff ff");
    check(|asm| asm.mov_imm(7, 5), "bf 05 00 00 00");
    check(|asm| asm.mov_imm(9, u64::MAX), "49 c7 c1 ff ff ff ff");
    check(|asm| asm.mov_imm(9, 1 << 40), "49 b9 00 00 00 00 00 01 00 00");
    check(|asm| asm.shift_imm(Shift::Shl, true, 3, 1), "48 d1 e3");
    check(|asm| asm.shift_imm(Shift::Sar, false, 12, 5), "41 c1 fc 05");
}

#[test]
fn opcodes_with_prefixes_and_escapes() {
    check(|asm| asm.sse(op_p0f(0xf2, 0x58), 9, Rm::Reg(1)), "f2 44 0f 58 c9");
    check(|asm| asm.sse(op_0f(0x28), 1, Rm::Reg(9)), "41 0f 28 c9");
    check(|asm| asm.sse_int(op_p0f(0xf2, 0x2c), true, 0, Rm::Reg(3)), "f2 48 0f 2c c3");
    check(|asm| asm.sse(op_660f3a(0x0b), 8, Rm::Frame(8)), "66 44 0f 3a 0b 44 24 08");
    check(|asm| asm.rm(op(0x88), 0x40, 6, Rm::Sum(R14, 7, 0)), "41 88 34 3e");
    check(|asm| asm.shift_x(Shift::Shl, true, 3, 12, 1), "c4 c2 f1 f7 dc");
    check(|asm| asm.shift_x(Shift::Shr, false, 9, 3, 10), "c4 62 2b f7 cb");
    check(|asm| asm.rorx(false, 7, 6, 25), "c4 e3 7b f0 fe 19");
}

#[test]
fn jumps_back_are_short_if_they_can_be() {
    check(|asm| asm.jump_back(Some(cc::NE), 0), "75 fe");
    check(|asm| asm.jump_back(None, 0), "eb fe");
    check(
        |asm| {
            asm.code.bytes.resize(127, 0x90);
            asm.jump_back(None, 0);
            asm.code.bytes.drain(..127);
        },
        "e9 7c ff ff ff",
    );
}

struct Made {
    code: Code,
    layout: FrameLayout,
}

/// Compiles instructions of a function `(i32, i32) -> i32` with its locals in esi and edi.
fn make(
    insts: Vec<Inst>,
    values: &[Arg],
    more: &[(Ty, Place)],
    slots: u32,
) -> Result<Made, Unsupported> {
    let text = "(module (func (param i32 i32) (result i32) unreachable))";
    let module = Module::decode(wat::parse_str(text).unwrap(), &Proposals::default()).unwrap();
    let rest = more.iter().map(|&(ty, _)| ty);
    let function = Function {
        params: 2,
        locals: 2,
        vregs: [Ty::I32, Ty::I32].into_iter().chain(rest).collect(),
        insts,
        blocks: vec![Block { start: 0 }],
        labels: vec![0],
        pool: values.to_vec(),
        consts: vec![0, 1.5f64.to_bits()],
        ..Function::default()
    };
    let places: Vec<Place> = [Place::Reg(Reg::int(7)), Place::Reg(Reg::int(6))]
        .into_iter()
        .chain(more.iter().map(|&(_, place)| place))
        .collect();
    let mut saved = RegSet::EMPTY;
    for place in &places {
        match *place {
            Place::Reg(reg) if REGISTERS.callee_saved.has(reg) => saved.add(reg),
            _ => {}
        }
    }
    let allocation = Allocation { places, slots, saved, zeroed: Vec::new() };
    let mut code = Code { sites: Some(Vec::new()), ..Code::default() };
    let isa = X64::default();
    let layout = isa.function(&module, &function, &allocation, &|_: TypeIdx| Some(0), &mut code)?;
    Ok(Made { code, layout })
}

const A: Vreg = Vreg(0);
const B: Vreg = Vreg(1);
const C: Vreg = Vreg(2);
const D: Vreg = Vreg(3);
const RETURN: Inst = Inst::Return { values: List { start: 0, len: 1 } };

fn add(dst: Vreg, a: Vreg, b: Vreg) -> Inst {
    Inst::Op { op: Op::I32Add, dst, a: a.into(), b: b.into() }
}

#[test]
fn a_leaf_has_no_frame() {
    let made = make(vec![add(A, A, B), RETURN], &[A.into()], &[], 0).unwrap();
    // add edi, esi; ret
    assert_eq!(hex(&made.code.bytes), "03fec3");
    let layout = FrameLayout { return_at: 0, caller_sp: 8, ..FrameLayout::default() };
    assert_eq!(made.layout, layout);
}

#[test]
fn saved_registers_stand_below_the_return_address() {
    let rbx = Place::Reg(Reg::int(3));
    let r12 = Place::Reg(Reg::int(12));
    let insts = vec![add(C, A, B), add(D, C, B), RETURN];
    let made = make(insts, &[D.into()], &[(Ty::I32, rbx), (Ty::I32, r12)], 2).unwrap();
    let saved = vec![(Reg::int(3), 24), (Reg::int(12), 16)];
    let layout =
        FrameLayout { return_at: 32, caller_sp: 40, slots_at: 0, saved, instance_at: None };
    assert_eq!(made.layout, layout);
    // push rbx; push r12; sub rsp, 16
    assert!(hex(&made.code.bytes).starts_with("5341544883ec10"));
}

#[test]
fn a_loaded_operand_is_folded_into_its_only_user() {
    let load = Inst::Load { op: Op::I32Load, dst: C, address: B.into(), offset: 8 };
    let made = make(
        vec![load, add(A, A, C), RETURN],
        &[A.into()],
        &[(Ty::I32, Place::Reg(Reg::int(8)))],
        0,
    )
    .unwrap();
    // lea rdx, [rsi + 8]; cmp rdx, [r14 - 32]; jg trap; add edi, [r14 + rsi + 8]; ret; call the stub for the trap
    assert_eq!(
        hex(&made.code.bytes),
        "488d5608 493b56e0 0f8f06000000 41037c3608 c3 e800000000".replace(' ', "")
    );
    let trap = Target::Stub(Stub::Trap(Trap::MemoryOutOfBounds));
    assert_eq!(made.code.relocations, [(21, trap)]);
    let sites = made.code.sites.unwrap();
    assert_eq!((sites.len(), sites[0].at, sites[0].inst), (1, 25, 0));
}

#[test]
fn what_has_been_checked_is_not_checked_again_until_written() {
    let load = |dst| Inst::Load { op: Op::I32Load, dst, address: B.into(), offset: 0 };
    let traps = |insts| make(insts, &[A.into()], &[], 0).unwrap().code.relocations.len();
    assert_eq!(traps(vec![load(A), load(A), RETURN]), 1);
    assert_eq!(traps(vec![load(B), load(A), RETURN]), 2);
    let label = Inst::Label { label: Label(0), is_loop: false };
    assert_eq!(traps(vec![load(A), label, load(A), RETURN]), 2);
}

#[test]
fn constants_stand_once_behind_the_function() {
    let x = Place::Reg(Reg::float(0));
    let set = |dst| Inst::Move { dst, a: Arg::of_constant(1) };
    let made = make(
        vec![set(C), set(D), RETURN],
        &[A.into()],
        &[(Ty::F64, x), (Ty::F64, Place::Reg(Reg::float(9)))],
        0,
    )
    .unwrap();
    // movsd xmm0, [rip + …]; movsd xmm9, [rip + …]; ret; padding; the constant
    let expected = "f20f100510000000 f2440f100d07000000 c3 909090909090 000000000000f83f";
    assert_eq!(hex(&made.code.bytes), expected.replace(' ', ""));
}

#[test]
fn what_the_processor_lacks_is_left_to_the_interpreter() {
    let popcnt = Inst::Op { op: Op::I32Popcnt, dst: A, a: A.into(), b: Arg::NONE };
    assert!(make(vec![popcnt, RETURN], &[A.into()], &[], 0).is_err());
    let jump = Inst::Jump { to: Label(0) };
    assert!(make(vec![jump], &[], &[], 0).is_err());
    assert!(make(vec![RETURN], &[A.into()], &[], u32::MAX).is_err());
}

#[test]
fn stubs_lead_to_the_stub_that_ends_the_activation() {
    for windows in [false, true] {
        let isa = X64 { windows, ..X64::default() };
        for stub in [Stub::Op, Stub::Fuel, Stub::CheckType, Stub::Trap(Trap::StackOverflow)] {
            let mut code = Code::default();
            isa.stub(stub, &[], &mut code);
            assert_eq!(code.relocations.len(), 1, "{stub:?}");
            assert_eq!(code.relocations[0].1, Target::Stub(Stub::Exit));
        }
        let mut code = Code::default();
        isa.stub(Stub::Uncompiled(FuncIdx(3), 1), &[], &mut code);
        // mov eax, 7; mov rdx, r15; jmp …
        assert_eq!(hex(&code.bytes), "b807000000 4c89fa e900000000".replace(' ', ""));
        assert_eq!(code.relocations, [(9, Target::Stub(Stub::Outside(1)))]);
    }
}

#[test]
fn displacements_lead_from_the_end_of_the_instruction() {
    let mut code = vec![0; 8];
    X64::default().patch(&mut code, 2, 0);
    assert_eq!(hex(&code), "0000faffffff0000");
    X64::default().patch(&mut code, 100, 0);
}
