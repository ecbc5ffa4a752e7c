//! Encodes WebAssembly modules and validates them again.

use corpus::{Rng, fold};
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, MemorySection, MemoryType,
    Module, TypeSection, ValType,
};
use wasmparser::{Parser, Payload, Validator};

#[unsafe(no_mangle)]
pub extern "C" fn run(rounds: i32) -> i32 {
    let mut rng = Rng::new(37);
    let mut sum = 0;
    for _ in 0..rounds {
        let module = module(&mut rng);
        Validator::new().validate_all(&module).expect("valid");
        for payload in Parser::new(0).parse_all(&module) {
            if let Payload::CodeSectionEntry(body) = payload.expect("parses") {
                let operators = body.get_operators_reader().expect("has operators");
                sum = operators.into_iter().fold(sum, |sum, op| {
                    fold(sum, &[matches!(op, Ok(wasmparser::Operator::I32Add)) as u8])
                });
            }
        }
        sum = fold(sum, &module);
    }
    sum as i32
}

fn module(rng: &mut Rng) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32, ValType::F64], [ValType::I32]);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let (mut functions, mut exports, mut code) =
        (FunctionSection::new(), ExportSection::new(), CodeSection::new());
    for index in 0..24 {
        functions.function(0);
        exports.export(&format!("function{index}"), ExportKind::Func, index);
        code.function(&function(rng, index));
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&code);
    module.finish()
}

fn function(rng: &mut Rng, index: u32) -> Function {
    let mut body = Function::new([(2, ValType::I32), (1, ValType::F64)]);
    let mut i = body.instructions();
    i.local_get(0);
    for _ in 0..40 {
        match rng.below(6) {
            0 => i.i32_const(rng.next() as i32).i32_add(),
            1 => i.local_tee(2).local_get(2).i32_xor(),
            2 => i.i32_const(12).i32_shr_u().local_get(3).i32_sub(),
            3 => i.local_get(1).f64_const(2.5.into()).f64_mul().i32_trunc_sat_f64_s().i32_or(),
            4 => i
                .local_tee(3)
                .if_(wasm_encoder::BlockType::Empty)
                .local_get(3)
                .local_set(2)
                .else_()
                .nop()
                .end()
                .local_get(2),
            _ => i.local_get(1).call(rng.below(index + 1)),
        };
    }
    i.end();
    body
}
