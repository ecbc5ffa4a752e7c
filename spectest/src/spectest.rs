//! The module `spectest`, which scripts import from.

use kinglet::{
    Func, FuncType, Global, GlobalType, Linker, Memory, MemoryType, Mutability, Ref, RefType,
    Result, SharedMemory, Store, Table, TableType, Val, ValType,
};

/// Defines the module `spectest` as the reference interpreter has it. What scripts print goes nowhere.
pub(crate) fn define(store: &mut Store<()>, linker: &mut Linker<()>) -> Result<()> {
    const MODULE: &str = "spectest";
    use ValType::{F32, F64, I32, I64};

    let functions: [(&str, &[ValType]); 7] = [
        ("print", &[]),
        ("print_i32", &[I32]),
        ("print_i64", &[I64]),
        ("print_f32", &[F32]),
        ("print_f64", &[F64]),
        ("print_i32_f32", &[I32, F32]),
        ("print_f64_f64", &[F64, F64]),
    ];
    for (name, params) in functions {
        let ty = FuncType::new(store.engine(), params.iter().cloned(), []);
        let func = Func::new(&mut *store, ty, |_, _, _| Ok(()));
        linker.define(&mut *store, MODULE, name, func)?;
    }

    let globals = [
        ("global_i32", I32, Val::I32(666)),
        ("global_i64", I64, Val::I64(666)),
        ("global_f32", F32, Val::F32(666.6_f32.to_bits())),
        ("global_f64", F64, Val::F64(666.6_f64.to_bits())),
    ];
    for (name, ty, value) in globals {
        let global = Global::new(&mut *store, GlobalType::new(ty, Mutability::Const), value)?;
        linker.define(&mut *store, MODULE, name, global)?;
    }

    let tables = [
        ("table", TableType::new(RefType::FUNCREF, 10, Some(20))),
        ("table64", TableType::new64(RefType::FUNCREF, 10, Some(20))),
    ];
    for (name, ty) in tables {
        let table = Table::new(&mut *store, ty, Ref::Func(None))?;
        linker.define(&mut *store, MODULE, name, table)?;
    }

    let memory = Memory::new(&mut *store, MemoryType::new(1, Some(2)))?;
    linker.define(&mut *store, MODULE, "memory", memory)?;
    let shared = SharedMemory::new(store.engine(), MemoryType::shared(1, 2))?;
    linker.define(&mut *store, MODULE, "shared_memory", shared)?;
    Ok(())
}
