//! Modules that are hard to compile: many values at once, of all types, across calls, loops, blocks with parameters and handlers. They
//! come to an end like those of [`generate`](crate::generate), and no NaN of theirs gets anywhere but canonical.

use crate::{
    Rng,
    observe::{FUEL, ITERATIONS},
};
use wasm_encoder::{
    BlockType, Catch, CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    Instruction, MemArg, MemArgTarget, MemorySection, MemoryType, RefType, TableSection, TableType,
    TagKind, TagSection, TagType, TypeSection, ValType,
};

/// The types that values have here.
const TYPES: [ValType; 5] =
    [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::EXTERNREF];
/// Those without references.
const NUMBERS: usize = 4;
/// Pages of each memory.
const PAGES: u64 = 1;
/// How many globals of each type there are; the fuel comes behind all of them.
const GLOBALS: usize = 2;
const FUEL_GLOBAL: u32 = (GLOBALS * TYPES.len()) as u32;
/// How deep expressions and blocks are nested, at most.
const DEPTH: usize = 12;

struct Signature {
    params: Vec<ValType>,
    results: Vec<ValType>,
}

struct Maker {
    rng: Rng,
    /// All function types, those of functions first.
    types: Vec<Signature>,
    /// The type of each function. The first is imported.
    funcs: Vec<usize>,
    tags: Vec<usize>,
    /// Whether the addresses of a memory have 64 bits.
    memories: Vec<bool>,
    locals: Vec<ValType>,
    /// What each label takes, outermost first.
    labels: Vec<Vec<ValType>>,
    results: Vec<ValType>,
    body: Function,
    /// How many more instructions there should be.
    left: usize,
}

/// A module.
pub(crate) fn module(seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let memories = match rng.below(4) {
        0 => vec![true, false],
        1 => vec![false, true],
        _ => vec![false],
    };
    let mut maker = Maker {
        rng,
        types: Vec::new(),
        funcs: Vec::new(),
        tags: Vec::new(),
        memories,
        locals: Vec::new(),
        labels: Vec::new(),
        results: Vec::new(),
        body: Function::new([]),
        left: 0,
    };
    maker.module()
}

impl Maker {
    fn module(&mut self) -> Vec<u8> {
        let count = 2 + self.rng.below(5);
        let most = [2, 6, 20][self.rng.below(3)];
        for _ in 0..=count {
            let signature = Signature { params: self.list(most), results: self.list(most / 2) };
            self.types.push(signature);
            self.funcs.push(self.types.len() - 1);
        }
        for most in [0, 3] {
            let params = self.list(most);
            let tag = self.block_type(&params, &[]);
            self.tags.push(tag);
        }
        let mut code = CodeSection::new();
        for func in 1..=count {
            code.function(&self.function(self.funcs[func]));
        }
        let mut module = wasm_encoder::Module::new();
        let mut types = TypeSection::new();
        for Signature { params, results } in &self.types {
            types.ty().function(params.iter().copied(), results.iter().copied());
        }
        let mut imports = ImportSection::new();
        imports.import("host", "f", EntityType::Function(self.funcs[0] as u32));
        let mut functions = FunctionSection::new();
        self.funcs[1..].iter().for_each(|&ty| _ = functions.function(ty as u32));
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: count as u64 + 2,
            maximum: None,
            shared: false,
        });
        let mut memories = MemorySection::new();
        for &memory64 in &self.memories {
            let (minimum, maximum) = (PAGES, Some(PAGES + 2));
            memories.memory(MemoryType {
                minimum,
                maximum,
                memory64,
                shared: false,
                page_size_log2: None,
            });
        }
        let mut tags = TagSection::new();
        for &tag in &self.tags {
            tags.tag(TagType { kind: TagKind::Exception, func_type_idx: tag as u32 });
        }
        let (mut globals, mut exports) = (GlobalSection::new(), ExportSection::new());
        for at in 0..=FUEL_GLOBAL {
            let (val_type, value) = match TYPES.get(at as usize / GLOBALS) {
                Some(ValType::I32) => (ValType::I32, ConstExpr::i32_const(at as i32)),
                None => (ValType::I32, ConstExpr::i32_const(ITERATIONS as i32)),
                Some(ValType::I64) => (ValType::I64, ConstExpr::i64_const(-1)),
                Some(ValType::F32) => (ValType::F32, ConstExpr::f32_const(1.5.into())),
                Some(ValType::F64) => (ValType::F64, ConstExpr::f64_const((-0.0).into())),
                Some(&other) => (other, ConstExpr::ref_null(wasm_encoder::HeapType::EXTERN)),
            };
            globals.global(GlobalType { val_type, mutable: true, shared: false }, &value);
            let name = if at == FUEL_GLOBAL { FUEL.into() } else { format!("g{at}") };
            exports.export(&name, ExportKind::Global, at);
        }
        for func in 1..=count {
            exports.export(&format!("f{func}"), ExportKind::Func, func as u32);
        }
        for memory in 0..self.memories.len() {
            exports.export(&format!("m{memory}"), ExportKind::Memory, memory as u32);
        }
        let mut elements = ElementSection::new();
        let all: Vec<u32> = (0..=count as u32).collect();
        elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(all.into()));
        module.section(&types).section(&imports).section(&functions).section(&tables);
        module.section(&memories).section(&tags).section(&globals).section(&exports);
        module.section(&elements).section(&code);
        module.finish()
    }

    fn ty(&mut self) -> ValType {
        match self.rng.below(9) {
            8 => TYPES[NUMBERS],
            at => TYPES[at % NUMBERS],
        }
    }

    /// Up to `most` types.
    fn list(&mut self, most: usize) -> Vec<ValType> {
        (0..self.rng.below(most + 1)).map(|_| self.ty()).collect()
    }

    fn block_type(&mut self, params: &[ValType], results: &[ValType]) -> usize {
        let same = |ty: &Signature| ty.params == params && ty.results == results;
        self.types.iter().position(same).unwrap_or_else(|| {
            self.types.push(Signature { params: params.into(), results: results.into() });
            self.types.len() - 1
        })
    }

    fn function(&mut self, ty: usize) -> Function {
        let params = self.types[ty].params.clone();
        self.results = self.types[ty].results.clone();
        // The first ones are for canonical NaNs.
        let mut own = vec![ValType::F32, ValType::F64];
        let most = [4, 20, 80, 300][self.rng.below(4)];
        own.extend(TYPES.into_iter().chain(self.list(most)));
        self.locals = [&params[..], &own].concat();
        self.body = Function::new_with_locals_types(own);
        self.labels = vec![self.results.clone()];
        self.left = [50, 200, 1000, 3000][self.rng.below(4)];
        self.fuel();
        while self.left > 0 {
            self.statement(0);
        }
        let results = self.results.clone();
        self.canonical(&results, 2);
        self.emit(Instruction::End);
        std::mem::replace(&mut self.body, Function::new([]))
    }

    fn emit(&mut self, instruction: Instruction<'_>) {
        self.left = self.left.saturating_sub(1);
        self.body.instruction(&instruction);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.left = self.left.saturating_sub(1);
        self.body.raw(bytes.iter().copied());
    }

    /// Takes a unit of what calls and iterations use, or traps.
    fn fuel(&mut self) {
        self.emit(Instruction::GlobalGet(FUEL_GLOBAL));
        self.emit(Instruction::I32Eqz);
        self.emit(Instruction::If(BlockType::Empty));
        self.emit(Instruction::Unreachable);
        self.emit(Instruction::End);
        self.emit(Instruction::GlobalGet(FUEL_GLOBAL));
        self.emit(Instruction::I32Const(1));
        self.emit(Instruction::I32Sub);
        self.emit(Instruction::GlobalSet(FUEL_GLOBAL));
    }

    /// A local of a type, but none of those for NaNs.
    fn local(&mut self, ty: ValType) -> u32 {
        let scratch = [self.scratch(ValType::F32), self.scratch(ValType::F64)];
        let fits = |at: &u32| self.locals[*at as usize] == ty && !scratch.contains(at);
        let all: Vec<u32> = (0..self.locals.len() as u32).filter(fits).collect();
        all[self.rng.below(all.len())]
    }

    fn scratch(&self, ty: ValType) -> u32 {
        let own = [ValType::F32, ValType::F64].into_iter().chain(TYPES).collect::<Vec<_>>();
        let start = self.locals.windows(own.len()).rposition(|window| window == own);
        start.unwrap_or_default() as u32 + u32::from(ty == ValType::F64)
    }

    /// Values of these types, with floats that are no other NaNs than canonical ones.
    fn canonical(&mut self, types: &[ValType], depth: usize) {
        for &ty in types {
            self.value(ty, depth);
            self.canonicalize(ty);
        }
    }

    fn canonicalize(&mut self, ty: ValType) {
        let (nan, eq) = match ty {
            ValType::F32 => (Instruction::F32Const(f32::NAN.into()), Instruction::F32Eq),
            ValType::F64 => (Instruction::F64Const(f64::NAN.into()), Instruction::F64Eq),
            _ => return,
        };
        let local = self.scratch(ty);
        self.emit(Instruction::LocalTee(local));
        self.emit(nan);
        self.emit(Instruction::LocalGet(local));
        self.emit(Instruction::LocalGet(local));
        self.emit(eq);
        self.emit(Instruction::Select);
    }

    fn values(&mut self, types: &[ValType], depth: usize) {
        types.iter().for_each(|&ty| self.value(ty, depth));
    }

    /// Does away with values of these types.
    fn consume(&mut self, types: &[ValType]) {
        for &ty in types.iter().rev() {
            if self.rng.below(3) == 0 {
                self.emit(Instruction::Drop);
            } else {
                let local = self.local(ty);
                self.emit(Instruction::LocalSet(local));
            }
        }
    }

    fn constant(&mut self, ty: ValType) {
        let bits = self.rng.edge();
        self.emit(match ty {
            ValType::I32 => Instruction::I32Const(bits as i32),
            ValType::I64 => Instruction::I64Const(bits as i64),
            ValType::F32 => Instruction::F32Const((bits as i32 as f32 / 16.0).into()),
            ValType::F64 => Instruction::F64Const((bits as i64 as f64 / 16.0).into()),
            _ => Instruction::RefNull(wasm_encoder::HeapType::EXTERN),
        });
    }

    fn value(&mut self, ty: ValType, depth: usize) {
        if depth >= DEPTH || self.left == 0 || self.rng.below(4) == 0 {
            if self.rng.below(3) == 0 {
                return self.constant(ty);
            }
            let local = self.local(ty);
            return self.emit(Instruction::LocalGet(local));
        }
        let depth = depth + 1;
        match self.rng.below(24) {
            0..=11 if ty != ValType::EXTERNREF => self.number(ty, depth),
            0..=12 => {
                let global = TYPES.iter().position(|&it| it == ty).unwrap_or_default() * GLOBALS;
                let global = global + self.rng.below(GLOBALS);
                self.emit(Instruction::GlobalGet(global as u32));
            }
            13 | 14 => {
                self.value(ty, depth);
                let local = self.local(ty);
                self.emit(Instruction::LocalTee(local));
            }
            15 | 16 => {
                self.values(&[ty, ty], depth);
                self.condition(depth);
                self.emit(match ty {
                    ValType::EXTERNREF => Instruction::TypedSelect(ty),
                    _ => Instruction::Select,
                });
            }
            17 => self.load(ty, depth),
            18 => {
                let fits = |at: &usize| self.types[self.funcs[*at]].results.contains(&ty);
                let all: Vec<usize> = (0..self.funcs.len()).filter(fits).collect();
                if all.is_empty() {
                    return self.value(ty, depth);
                }
                let func = all[self.rng.below(all.len())];
                self.call(func, depth);
                let results = self.types[self.funcs[func]].results.clone();
                let at = results.iter().rposition(|&it| it == ty).unwrap_or_default();
                self.consume(&results[at + 1..]);
                if at > 0 {
                    let local = self.local(ty);
                    self.emit(Instruction::LocalSet(local));
                    self.consume(&results[..at]);
                    self.emit(Instruction::LocalGet(local));
                }
            }
            19 => {
                // A block that leaves more than this, and takes something.
                let mut results = self.list(3);
                results.insert(0, ty);
                self.block(&results, depth);
                self.consume(&results[1..]);
            }
            20 => {
                self.condition(depth);
                self.emit(Instruction::If(BlockType::Result(ty)));
                self.labels.push(vec![ty]);
                self.value(ty, depth);
                self.emit(Instruction::Else);
                self.value(ty, depth);
                self.labels.pop();
                self.emit(Instruction::End);
            }
            21 => {
                self.value(ty, depth);
                self.statement(depth);
            }
            _ => {
                self.statement(depth);
                self.value(ty, depth);
            }
        }
    }

    fn condition(&mut self, depth: usize) {
        match self.rng.below(4) {
            0 => self.value(ValType::I32, depth),
            at => {
                let ty = TYPES[at];
                self.values(&[ty, ty], depth);
                let first = [0x46, 0x51, 0x5b, 0x61][at];
                let op = first + self.rng.below(if at < 2 { 10 } else { 6 });
                self.raw(&[op as u8]);
                if self.rng.below(4) == 0 {
                    self.emit(Instruction::I32Eqz);
                }
            }
        }
    }

    /// An operator that makes a number.
    fn number(&mut self, ty: ValType, depth: usize) {
        use ValType::{F32, F64, I32, I64};
        let (unary, binary): (&[u8], _) = match ty {
            I32 => (&[0x67, 0x68, 0x69, 0xc0, 0xc1, 0x45], 0x6a..0x79),
            I64 => (&[0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4], 0x7c..0x8b),
            F32 => (&[0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91], 0x92..0x99),
            _ => (&[0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f], 0xa0..0xa7),
        };
        match self.rng.below(8) {
            0 => {
                self.value(ty, depth);
                let op = unary[self.rng.below(unary.len())];
                self.raw(&[op]);
            }
            1 | 2 => {
                let (op, from): (&[u8], _) = match (ty, self.rng.below(6)) {
                    (I32, 0) => (&[0xa7], I64),
                    (I32, 1) => (&[0xbc], F32),
                    (I32, 2) => (&[0xfc, 0], F32),
                    (I32, 3) => (&[0xfc, 1], F32),
                    (I32, 4) => (&[0xfc, 2], F64),
                    (I32, _) => (&[0xfc, 3], F64),
                    (I64, 0) => (&[0xac], I32),
                    (I64, 1) => (&[0xad], I32),
                    (I64, 2) => (&[0xbd], F64),
                    (I64, 3) => (&[0xfc, 5], F32),
                    (I64, 4) => (&[0xfc, 6], F64),
                    (I64, _) => (&[0xfc, 7], F64),
                    (F32, 0) => (&[0xb2], I32),
                    (F32, 1) => (&[0xb3], I32),
                    (F32, 2) => (&[0xb4], I64),
                    (F32, 3) => (&[0xb5], I64),
                    (F32, 4) => (&[0xb6], F64),
                    (F32, _) => (&[0xbe], I32),
                    (_, 0) => (&[0xb7], I32),
                    (_, 1) => (&[0xb8], I32),
                    (_, 2) => (&[0xb9], I64),
                    (_, 3) => (&[0xba], I64),
                    (_, 4) => (&[0xbb], F32),
                    _ => (&[0xbf], I64),
                };
                self.value(from, depth);
                // Bits of NaNs must not be seen.
                self.canonicalize(from);
                self.raw(op);
                self.canonicalize(ty);
            }
            _ => {
                let op = binary.start + self.rng.below(binary.len()) as u8;
                self.value(ty, depth);
                self.value(ty, depth);
                match op {
                    // Divisors are mostly not 0.
                    0x6d..=0x70 if self.rng.below(20) > 0 => {
                        self.emit(Instruction::I32Const(3));
                        self.emit(Instruction::I32Or);
                    }
                    0x7f..=0x82 if self.rng.below(20) > 0 => {
                        self.emit(Instruction::I64Const(3));
                        self.emit(Instruction::I64Or);
                    }
                    // The signs of NaNs.
                    0x98 | 0xa6 => self.canonicalize(ty),
                    _ => {}
                }
                self.raw(&[op]);
            }
        }
    }

    /// The address of an access, and the rest of it.
    fn address(&mut self, depth: usize) -> MemArg {
        let memory = self.rng.below(self.memories.len());
        let is_64 = self.memories[memory];
        let inside = self.rng.below(30) > 0;
        if is_64 {
            self.value(ValType::I64, depth);
        } else {
            self.value(ValType::I32, depth);
        }
        if inside && is_64 {
            self.emit(Instruction::I64Const(0x7fff));
            self.emit(Instruction::I64And);
        } else if inside {
            self.emit(Instruction::I32Const(0x7fff));
            self.emit(Instruction::I32And);
        }
        let offset = match self.rng.below(40) {
            0 => u64::from(u32::MAX) - self.rng.bits() % 8,
            1 => 0x1_0000 - self.rng.bits() % 16,
            2 if is_64 => self.rng.bits(),
            _ => self.rng.bits() % 0x7000,
        };
        let target = MemArgTarget::Memory(memory as u32);
        MemArg { offset, align: 0, target, ordering: None }
    }

    fn load(&mut self, ty: ValType, depth: usize) {
        use Instruction::*;
        if ty == ValType::EXTERNREF {
            return self.constant(ty);
        }
        let at = self.address(depth);
        let op = match (ty, self.rng.below(6)) {
            (ValType::I32, 0) => I32Load8S(at),
            (ValType::I32, 1) => I32Load8U(at),
            (ValType::I32, 2) => I32Load16S(at),
            (ValType::I32, 3) => I32Load16U(at),
            (ValType::I32, _) => I32Load(at),
            (ValType::I64, 0) => I64Load8S(at),
            (ValType::I64, 1) => I64Load16U(at),
            (ValType::I64, 2) => I64Load32S(at),
            (ValType::I64, 3) => I64Load32U(at),
            (ValType::I64, _) => I64Load(at),
            (ValType::F32, _) => F32Load(at),
            _ => F64Load(at),
        };
        self.emit(op);
        self.canonicalize(ty);
    }

    /// A call, whose results are on the stack then.
    fn call(&mut self, func: usize, depth: usize) {
        let ty = self.funcs[func];
        let params = self.types[ty].params.clone();
        self.canonical(&params, depth + 1);
        match self.rng.below(4) {
            0 => {
                self.emit(Instruction::I32Const(func as i32));
                self.emit(Instruction::CallIndirect { type_index: ty as u32, table_index: 0 });
            }
            1 => {
                self.emit(Instruction::I32Const(func as i32));
                self.emit(Instruction::TableGet(0));
                let hint = wasm_encoder::HeapType::Concrete(ty as u32);
                self.emit(Instruction::RefCastNonNull(hint));
                self.emit(Instruction::CallRef(ty as u32));
            }
            _ => self.emit(Instruction::Call(func as u32)),
        }
    }

    /// A block, loop or the like that leaves these.
    fn block(&mut self, results: &[ValType], depth: usize) {
        let params = self.list(4);
        let ty = BlockType::FunctionType(self.block_type(&params, results) as u32);
        self.values(&params, depth);
        let is_loop = self.rng.below(2) == 0;
        if is_loop {
            self.emit(Instruction::Loop(ty));
            self.labels.push(params.clone());
            self.fuel();
        } else {
            self.emit(Instruction::Block(ty));
            self.labels.push(results.into());
        }
        self.consume(&params);
        for _ in 0..self.rng.below(4) {
            self.statement(depth);
        }
        if is_loop {
            self.values(&params, depth + 2);
            self.condition(depth + 2);
            self.emit(Instruction::BrIf(0));
            self.consume(&params);
        }
        self.values(results, depth);
        self.labels.pop();
        self.emit(Instruction::End);
    }

    /// What leads out of a block that has just begun and ends behind it.
    fn leave(&mut self, depth: usize) {
        let mut label = self.rng.below(self.labels.len());
        if self.labels[label].contains(&ValType::EXNREF) {
            label = self.labels.len() - 1;
        }
        let types = self.labels[label].clone();
        let away = |label: usize, maker: &Maker| (maker.labels.len() - 1 - label) as u32;
        if label == 0 {
            self.canonical(&types, depth);
        } else {
            self.values(&types, depth);
        }
        match self.rng.below(6) {
            0 => self.emit(Instruction::Br(away(label, self))),
            1 if label == 0 => self.emit(Instruction::Return),
            2 | 3 => {
                let fits = |at: &usize| self.labels[*at] == types && (label == 0 || *at != 0);
                let all: Vec<usize> = (0..self.labels.len()).filter(fits).collect();
                let count = [2, 5, 30][self.rng.below(3)];
                let depths: Vec<u32> =
                    (0..count).map(|_| away(all[self.rng.below(all.len())], self)).collect();
                self.value(ValType::I32, depth);
                self.emit(Instruction::I32Const(31));
                self.emit(Instruction::I32And);
                self.emit(Instruction::BrTable(depths.into(), away(label, self)));
            }
            _ => {
                self.condition(depth);
                self.emit(Instruction::BrIf(away(label, self)));
                self.consume(&types);
            }
        }
    }

    fn statement(&mut self, depth: usize) {
        if depth >= DEPTH || self.left == 0 {
            return;
        }
        let depth = depth + 1;
        match self.rng.below(17) {
            0..=3 => {
                let ty = self.ty();
                self.value(ty, depth);
                self.consume(&[ty]);
            }
            4 => {
                let ty = self.ty();
                self.canonical(&[ty], depth);
                let first = TYPES.iter().position(|&it| it == ty).unwrap_or_default() * GLOBALS;
                let global = first + self.rng.below(GLOBALS);
                self.emit(Instruction::GlobalSet(global as u32));
            }
            5 | 6 => {
                let at = self.address(depth);
                let number = self.rng.below(NUMBERS);
                self.canonical(&[TYPES[number]], depth);
                let width = self.rng.below(4);
                self.emit(match (number, width) {
                    (0, 0) => Instruction::I32Store8(at),
                    (0, 1) => Instruction::I32Store16(at),
                    (0, _) => Instruction::I32Store(at),
                    (1, 0) => Instruction::I64Store8(at),
                    (1, 1) => Instruction::I64Store32(at),
                    (1, _) => Instruction::I64Store(at),
                    (2, _) => Instruction::F32Store(at),
                    _ => Instruction::F64Store(at),
                });
            }
            7 => {
                let func = self.rng.below(self.funcs.len());
                self.call(func, depth);
                let results = self.types[self.funcs[func]].results.clone();
                self.consume(&results);
            }
            8 | 9 => {
                let results = self.list(4);
                self.block(&results, depth);
                self.consume(&results);
            }
            10 => {
                self.condition(depth);
                self.emit(Instruction::If(BlockType::Empty));
                self.labels.push(Vec::new());
                self.statement(depth);
                self.statement(depth);
                self.emit(Instruction::Else);
                self.statement(depth);
                self.labels.pop();
                self.emit(Instruction::End);
            }
            11 => {
                self.emit(Instruction::Block(BlockType::Empty));
                self.labels.push(Vec::new());
                self.statement(depth);
                self.leave(depth);
                self.labels.pop();
                self.emit(Instruction::End);
            }
            12 => self.try_table(depth),
            // Many values at once.
            13 | 14 => {
                let most = [10, 40, 100][self.rng.below(3)];
                let types = self.list(most);
                self.values(&types, (DEPTH - 2).max(depth));
                self.statement(depth);
                self.statement(depth);
                self.consume(&types);
            }
            15 => {
                let fits = |ty: &usize| self.types[*ty].results == self.results;
                let all: Vec<usize> =
                    (0..self.funcs.len()).filter(|&func| fits(&self.funcs[func])).collect();
                if all.is_empty() {
                    return;
                }
                let func = all[self.rng.below(all.len())];
                let ty = self.funcs[func];
                let params = self.types[ty].params.clone();
                self.condition(depth);
                self.emit(Instruction::If(BlockType::Empty));
                self.labels.push(Vec::new());
                self.canonical(&params, depth);
                if self.rng.below(3) == 0 {
                    self.emit(Instruction::I32Const(func as i32));
                    let (type_index, table_index) = (ty as u32, 0);
                    self.emit(Instruction::ReturnCallIndirect { type_index, table_index });
                } else {
                    self.emit(Instruction::ReturnCall(func as u32));
                }
                self.labels.pop();
                self.emit(Instruction::End);
            }
            _ => {
                self.condition(depth);
                self.emit(Instruction::If(BlockType::Empty));
                self.labels.push(Vec::new());
                let tag = self.rng.below(self.tags.len());
                let params = self.types[self.tags[tag]].params.clone();
                self.canonical(&params, depth);
                self.emit(Instruction::Throw(tag as u32));
                self.labels.pop();
                self.emit(Instruction::End);
            }
        }
    }

    fn try_table(&mut self, depth: usize) {
        let tag = self.rng.below(self.tags.len());
        let types = self.types[self.tags[tag]].params.clone();
        let with_ref = self.rng.below(3) == 0;
        let mut caught = types.clone();
        if with_ref {
            caught.push(ValType::EXNREF);
        }
        let outer = BlockType::FunctionType(self.block_type(&[], &caught) as u32);
        let inner = BlockType::FunctionType(self.block_type(&[], &types) as u32);
        self.emit(Instruction::Block(outer));
        let tag = tag as u32;
        let mut catches = vec![if with_ref {
            Catch::OneRef { tag, label: 0 }
        } else {
            Catch::One { tag, label: 0 }
        }];
        if let Some(label) = (1..self.labels.len()).rev().find(|&at| self.labels[at].is_empty())
            && self.rng.below(2) == 0
        {
            catches.push(Catch::All { label: (self.labels.len() - label) as u32 });
        }
        // Nobody jumps to the block with what it gives, which may be a type that no value is made of here.
        self.labels.push(vec![ValType::EXNREF; 99]);
        self.emit(Instruction::TryTable(inner, catches.into()));
        self.labels.push(types.clone());
        self.statement(depth);
        self.statement(depth);
        self.values(&types, depth);
        self.labels.pop();
        self.emit(Instruction::End);
        self.labels.pop();
        if with_ref {
            let ty = wasm_encoder::AbstractHeapType::Exn;
            self.emit(Instruction::RefNull(wasm_encoder::HeapType::Abstract { shared: false, ty }));
        }
        self.emit(Instruction::End);
        if with_ref && self.rng.below(2) == 0 {
            self.emit(Instruction::Drop);
        } else if with_ref {
            self.labels.push(vec![ValType::EXNREF; 99]);
            let ty = self.block_type(&[ValType::EXNREF], &[]) as u32;
            self.emit(Instruction::Block(BlockType::FunctionType(ty)));
            self.emit(Instruction::BrOnNull(0));
            self.emit(Instruction::ThrowRef);
            self.labels.pop();
            self.emit(Instruction::End);
        }
        self.consume(&types);
    }
}

#[cfg(test)]
mod tests {
    use crate::ours::{How, observe};

    /// Modules are valid, and not all of their calls end in traps.
    #[test]
    fn most_calls_return() {
        let (mut calls, mut returns) = (0, 0);
        for seed in 0..30 {
            let observation =
                observe(&super::module(seed), How { fuel: Some(20_000), ..How::default() });
            calls += observation.calls();
            returns += observation.returns();
        }
        assert!(2 * returns > calls, "{returns} of {calls}");
    }
}
