//! The op table: one row per base op.

/// Expands `$consumer!` with the rows of the op table, without those on vectors if the feature `simd` is off.
///
/// A row is `name = Name, class(shape), [flags];`
///
/// * `name` is the operator's name in the text format with `.` written `_`; ops of the numeric classes are computed by the function
///   of that name in [`num`](crate::num).
/// * `class(shape)` says how operands and results are passed:
///   * `un(T -> U)`, `bin(T -> U)`: one or two operands of type `T`, a result of type `U`;
///   * `un_trap`, `bin_trap`: the same, may trap;
///   * `cmp(T -> bool)`: two operands of type `T`, the result is an `i32`, and branches may test it directly;
///   * `load(M -> T)`: reads an `M` from memory and widens it to `T`; `store(T -> M)`: narrows a `T` to an `M` and writes it;
///   * `vun`, `vbin`, `vternary(v128 -> v128)`: one, two or three vectors, a vector; `vshift`: a vector and an `i32`;
///   * `vtest(v128 -> u32)`: a vector, an integer; `splat(T -> v128)`: a `T`, a vector of it;
///   * `extract(L -> T)`: the lane of type `L` whose number is an immediate, as a `T`; `replace(T -> v128)`: a vector, and a `T` for a lane;
///   * `shuffle`, `swizzle`: two vectors, bytes of which are chosen by sixteen immediates or by the second;
///   * `vload(M -> v128)`, `vstore(v128 -> M)`: between a vector and an `M` in memory; `vwiden`: lanes in memory are half as wide; `load_lane`, `store_lane`: one lane of a vector;
///   * `multi(N -> M)`: `N` operands in consecutive slots, `M` results in the same slots, all of them `i64`;
///   * `atomic_load(M -> T)` and the other classes of that prefix: address and operands in consecutive slots, a result in the same;
///     `M` is what lies in memory, `T` the result;
///   * `slots(N -> M)`: `N` operands in consecutive slots, `M` results in the same slots, and up to two indices as immediates. Ops
///     on objects of the heap may have more operands than they say here.
/// * flags: `commutes` (operands may be exchanged), `rare` (not worth forms of its own for immediates and registers beyond the
///   common ones).
///
/// Control (`br`, `call`, `select`, …) is not in the table: it has methods of its own in [`Sink`](crate::translate::Sink).
#[cfg(feature = "simd")]
#[macro_export]
macro_rules! for_each_op {
    ($consumer:ident) => {
        $crate::with_vector_ops! { $consumer! {} }
    };
}

#[cfg(not(feature = "simd"))]
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_op {
    ($consumer:ident) => {
        $crate::with_scalar_ops! { $consumer! {} }
    };
}

/// Expands `$consumer!` with the rows of all other ops behind those it has.
#[doc(hidden)]
#[macro_export]
macro_rules! with_scalar_ops {
    ($consumer:ident! { $($rows:tt)* }) => { $consumer! { $($rows)*
        i32_add = I32Add, bin(u32 -> u32), [commutes];
        i32_sub = I32Sub, bin(u32 -> u32), [];
        i32_mul = I32Mul, bin(u32 -> u32), [commutes];
        i32_and = I32And, bin(u32 -> u32), [commutes];
        i32_or = I32Or, bin(u32 -> u32), [commutes];
        i32_xor = I32Xor, bin(u32 -> u32), [commutes];
        i32_shl = I32Shl, bin(u32 -> u32), [];
        i32_shr_s = I32ShrS, bin(u32 -> u32), [];
        i32_shr_u = I32ShrU, bin(u32 -> u32), [];
        i32_rotl = I32Rotl, bin(u32 -> u32), [];
        i32_rotr = I32Rotr, bin(u32 -> u32), [rare];
        i32_div_s = I32DivS, bin_trap(u32 -> u32), [rare];
        i32_div_u = I32DivU, bin_trap(u32 -> u32), [rare];
        i32_rem_s = I32RemS, bin_trap(u32 -> u32), [rare];
        i32_rem_u = I32RemU, bin_trap(u32 -> u32), [rare];

        i64_add = I64Add, bin(u64 -> u64), [commutes];
        i64_sub = I64Sub, bin(u64 -> u64), [];
        i64_mul = I64Mul, bin(u64 -> u64), [commutes];
        i64_and = I64And, bin(u64 -> u64), [commutes];
        i64_or = I64Or, bin(u64 -> u64), [commutes];
        i64_xor = I64Xor, bin(u64 -> u64), [commutes];
        i64_shl = I64Shl, bin(u64 -> u64), [];
        i64_shr_s = I64ShrS, bin(u64 -> u64), [];
        i64_shr_u = I64ShrU, bin(u64 -> u64), [];
        i64_rotl = I64Rotl, bin(u64 -> u64), [];
        i64_rotr = I64Rotr, bin(u64 -> u64), [rare];
        i64_div_s = I64DivS, bin_trap(u64 -> u64), [rare];
        i64_div_u = I64DivU, bin_trap(u64 -> u64), [rare];
        i64_rem_s = I64RemS, bin_trap(u64 -> u64), [rare];
        i64_rem_u = I64RemU, bin_trap(u64 -> u64), [rare];

        f32_add = F32Add, bin(f32 -> f32), [commutes];
        f32_sub = F32Sub, bin(f32 -> f32), [];
        f32_mul = F32Mul, bin(f32 -> f32), [commutes];
        f32_div = F32Div, bin(f32 -> f32), [];
        f32_min = F32Min, bin(f32 -> f32), [rare];
        f32_max = F32Max, bin(f32 -> f32), [rare];
        f32_copysign = F32Copysign, bin(f32 -> f32), [rare];

        f64_add = F64Add, bin(f64 -> f64), [commutes];
        f64_sub = F64Sub, bin(f64 -> f64), [];
        f64_mul = F64Mul, bin(f64 -> f64), [commutes];
        f64_div = F64Div, bin(f64 -> f64), [];
        f64_min = F64Min, bin(f64 -> f64), [rare];
        f64_max = F64Max, bin(f64 -> f64), [rare];
        f64_copysign = F64Copysign, bin(f64 -> f64), [rare];

        i32_eq = I32Eq, cmp(u32 -> bool), [commutes];
        i32_ne = I32Ne, cmp(u32 -> bool), [commutes];
        i32_lt_s = I32LtS, cmp(u32 -> bool), [];
        i32_lt_u = I32LtU, cmp(u32 -> bool), [];
        i32_gt_s = I32GtS, cmp(u32 -> bool), [];
        i32_gt_u = I32GtU, cmp(u32 -> bool), [];
        i32_le_s = I32LeS, cmp(u32 -> bool), [];
        i32_le_u = I32LeU, cmp(u32 -> bool), [];
        i32_ge_s = I32GeS, cmp(u32 -> bool), [];
        i32_ge_u = I32GeU, cmp(u32 -> bool), [];

        i64_eq = I64Eq, cmp(u64 -> bool), [commutes];
        i64_ne = I64Ne, cmp(u64 -> bool), [commutes];
        i64_lt_s = I64LtS, cmp(u64 -> bool), [];
        i64_lt_u = I64LtU, cmp(u64 -> bool), [];
        i64_gt_s = I64GtS, cmp(u64 -> bool), [];
        i64_gt_u = I64GtU, cmp(u64 -> bool), [];
        i64_le_s = I64LeS, cmp(u64 -> bool), [];
        i64_le_u = I64LeU, cmp(u64 -> bool), [];
        i64_ge_s = I64GeS, cmp(u64 -> bool), [];
        i64_ge_u = I64GeU, cmp(u64 -> bool), [];

        f32_eq = F32Eq, cmp(f32 -> bool), [commutes];
        f32_ne = F32Ne, cmp(f32 -> bool), [commutes];
        f32_lt = F32Lt, cmp(f32 -> bool), [];
        f32_gt = F32Gt, cmp(f32 -> bool), [];
        f32_le = F32Le, cmp(f32 -> bool), [];
        f32_ge = F32Ge, cmp(f32 -> bool), [];

        f64_eq = F64Eq, cmp(f64 -> bool), [commutes];
        f64_ne = F64Ne, cmp(f64 -> bool), [commutes];
        f64_lt = F64Lt, cmp(f64 -> bool), [];
        f64_gt = F64Gt, cmp(f64 -> bool), [];
        f64_le = F64Le, cmp(f64 -> bool), [];
        f64_ge = F64Ge, cmp(f64 -> bool), [];

        i32_clz = I32Clz, un(u32 -> u32), [];
        i32_ctz = I32Ctz, un(u32 -> u32), [];
        i32_popcnt = I32Popcnt, un(u32 -> u32), [];
        i32_extend8_s = I32Extend8S, un(u32 -> u32), [];
        i32_extend16_s = I32Extend16S, un(u32 -> u32), [];
        i32_wrap_i64 = I32WrapI64, un(u64 -> u32), [];

        i64_clz = I64Clz, un(u64 -> u64), [];
        i64_ctz = I64Ctz, un(u64 -> u64), [];
        i64_popcnt = I64Popcnt, un(u64 -> u64), [];
        i64_extend8_s = I64Extend8S, un(u64 -> u64), [];
        i64_extend16_s = I64Extend16S, un(u64 -> u64), [];
        i64_extend32_s = I64Extend32S, un(u64 -> u64), [];
        i64_extend_i32_s = I64ExtendI32S, un(u32 -> u64), [];
        i64_extend_i32_u = I64ExtendI32U, un(u32 -> u64), [];

        f32_abs = F32Abs, un(f32 -> f32), [];
        f32_neg = F32Neg, un(f32 -> f32), [];
        f32_ceil = F32Ceil, un(f32 -> f32), [rare];
        f32_floor = F32Floor, un(f32 -> f32), [rare];
        f32_trunc = F32Trunc, un(f32 -> f32), [rare];
        f32_nearest = F32Nearest, un(f32 -> f32), [rare];
        f32_sqrt = F32Sqrt, un(f32 -> f32), [];

        f64_abs = F64Abs, un(f64 -> f64), [];
        f64_neg = F64Neg, un(f64 -> f64), [];
        f64_ceil = F64Ceil, un(f64 -> f64), [rare];
        f64_floor = F64Floor, un(f64 -> f64), [rare];
        f64_trunc = F64Trunc, un(f64 -> f64), [rare];
        f64_nearest = F64Nearest, un(f64 -> f64), [rare];
        f64_sqrt = F64Sqrt, un(f64 -> f64), [];

        f32_convert_i32_s = F32ConvertI32S, un(u32 -> f32), [];
        f32_convert_i32_u = F32ConvertI32U, un(u32 -> f32), [];
        f32_convert_i64_s = F32ConvertI64S, un(u64 -> f32), [];
        f32_convert_i64_u = F32ConvertI64U, un(u64 -> f32), [];
        f64_convert_i32_s = F64ConvertI32S, un(u32 -> f64), [];
        f64_convert_i32_u = F64ConvertI32U, un(u32 -> f64), [];
        f64_convert_i64_s = F64ConvertI64S, un(u64 -> f64), [];
        f64_convert_i64_u = F64ConvertI64U, un(u64 -> f64), [];
        f32_demote_f64 = F32DemoteF64, un(f64 -> f32), [];
        f64_promote_f32 = F64PromoteF32, un(f32 -> f64), [];
        i32_reinterpret_f32 = I32ReinterpretF32, un(f32 -> u32), [];
        i64_reinterpret_f64 = I64ReinterpretF64, un(f64 -> u64), [];
        f32_reinterpret_i32 = F32ReinterpretI32, un(u32 -> f32), [];
        f64_reinterpret_i64 = F64ReinterpretI64, un(u64 -> f64), [];

        i32_trunc_f32_s = I32TruncF32S, un_trap(f32 -> u32), [rare];
        i32_trunc_f32_u = I32TruncF32U, un_trap(f32 -> u32), [rare];
        i32_trunc_f64_s = I32TruncF64S, un_trap(f64 -> u32), [rare];
        i32_trunc_f64_u = I32TruncF64U, un_trap(f64 -> u32), [rare];
        i64_trunc_f32_s = I64TruncF32S, un_trap(f32 -> u64), [rare];
        i64_trunc_f32_u = I64TruncF32U, un_trap(f32 -> u64), [rare];
        i64_trunc_f64_s = I64TruncF64S, un_trap(f64 -> u64), [rare];
        i64_trunc_f64_u = I64TruncF64U, un_trap(f64 -> u64), [rare];
        i32_trunc_sat_f32_s = I32TruncSatF32S, un(f32 -> u32), [rare];
        i32_trunc_sat_f32_u = I32TruncSatF32U, un(f32 -> u32), [rare];
        i32_trunc_sat_f64_s = I32TruncSatF64S, un(f64 -> u32), [rare];
        i32_trunc_sat_f64_u = I32TruncSatF64U, un(f64 -> u32), [rare];
        i64_trunc_sat_f32_s = I64TruncSatF32S, un(f32 -> u64), [rare];
        i64_trunc_sat_f32_u = I64TruncSatF32U, un(f32 -> u64), [rare];
        i64_trunc_sat_f64_s = I64TruncSatF64S, un(f64 -> u64), [rare];
        i64_trunc_sat_f64_u = I64TruncSatF64U, un(f64 -> u64), [rare];

        ref_as_non_null = RefAsNonNull, un_trap(u64 -> u64), [rare];
        ref_i31 = RefI31, un(u32 -> u64), [rare];
        i31_get_s = I31GetS, un_trap(u64 -> u32), [rare];
        i31_get_u = I31GetU, un_trap(u64 -> u32), [rare];
        ref_test_i31 = RefTestI31, un(u64 -> u32), [rare];
        ref_cast_i31 = RefCastI31, un_trap(u64 -> u64), [rare];

        i32_load = I32Load, load(u32 -> u32), [];
        i64_load = I64Load, load(u64 -> u64), [];
        f32_load = F32Load, load(f32 -> f32), [];
        f64_load = F64Load, load(f64 -> f64), [];
        i32_load8_s = I32Load8S, load(i8 -> u32), [];
        i32_load8_u = I32Load8U, load(u8 -> u32), [];
        i32_load16_s = I32Load16S, load(i16 -> u32), [];
        i32_load16_u = I32Load16U, load(u16 -> u32), [];
        i64_load8_s = I64Load8S, load(i8 -> u64), [];
        i64_load8_u = I64Load8U, load(u8 -> u64), [];
        i64_load16_s = I64Load16S, load(i16 -> u64), [];
        i64_load16_u = I64Load16U, load(u16 -> u64), [];
        i64_load32_s = I64Load32S, load(i32 -> u64), [];
        i64_load32_u = I64Load32U, load(u32 -> u64), [];

        i32_store = I32Store, store(u32 -> u32), [];
        i64_store = I64Store, store(u64 -> u64), [];
        f32_store = F32Store, store(f32 -> f32), [];
        f64_store = F64Store, store(f64 -> f64), [];
        i32_store8 = I32Store8, store(u32 -> u8), [];
        i32_store16 = I32Store16, store(u32 -> u16), [];
        i64_store8 = I64Store8, store(u64 -> u8), [];
        i64_store16 = I64Store16, store(u64 -> u16), [];
        i64_store32 = I64Store32, store(u64 -> u32), [];

        i64_add128 = I64Add128, multi(4 -> 2), [];
        i64_sub128 = I64Sub128, multi(4 -> 2), [];
        i64_mul_wide_s = I64MulWideS, multi(2 -> 2), [];
        i64_mul_wide_u = I64MulWideU, multi(2 -> 2), [];

        i32_atomic_load = I32AtomicLoad, atomic_load(u32 -> u32), [];
        i32_atomic_load8_u = I32AtomicLoad8U, atomic_load(u8 -> u32), [];
        i32_atomic_load16_u = I32AtomicLoad16U, atomic_load(u16 -> u32), [];
        i64_atomic_load = I64AtomicLoad, atomic_load(u64 -> u64), [];
        i64_atomic_load8_u = I64AtomicLoad8U, atomic_load(u8 -> u64), [];
        i64_atomic_load16_u = I64AtomicLoad16U, atomic_load(u16 -> u64), [];
        i64_atomic_load32_u = I64AtomicLoad32U, atomic_load(u32 -> u64), [];
        i32_atomic_store = I32AtomicStore, atomic_store(u32 -> u32), [];
        i32_atomic_store8 = I32AtomicStore8, atomic_store(u8 -> u32), [];
        i32_atomic_store16 = I32AtomicStore16, atomic_store(u16 -> u32), [];
        i64_atomic_store = I64AtomicStore, atomic_store(u64 -> u64), [];
        i64_atomic_store8 = I64AtomicStore8, atomic_store(u8 -> u64), [];
        i64_atomic_store16 = I64AtomicStore16, atomic_store(u16 -> u64), [];
        i64_atomic_store32 = I64AtomicStore32, atomic_store(u32 -> u64), [];
        i32_atomic_rmw_add = I32AtomicRmwAdd, atomic_add(u32 -> u32), [];
        i32_atomic_rmw8_add_u = I32AtomicRmw8AddU, atomic_add(u8 -> u32), [];
        i32_atomic_rmw16_add_u = I32AtomicRmw16AddU, atomic_add(u16 -> u32), [];
        i64_atomic_rmw_add = I64AtomicRmwAdd, atomic_add(u64 -> u64), [];
        i64_atomic_rmw8_add_u = I64AtomicRmw8AddU, atomic_add(u8 -> u64), [];
        i64_atomic_rmw16_add_u = I64AtomicRmw16AddU, atomic_add(u16 -> u64), [];
        i64_atomic_rmw32_add_u = I64AtomicRmw32AddU, atomic_add(u32 -> u64), [];
        i32_atomic_rmw_sub = I32AtomicRmwSub, atomic_sub(u32 -> u32), [];
        i32_atomic_rmw8_sub_u = I32AtomicRmw8SubU, atomic_sub(u8 -> u32), [];
        i32_atomic_rmw16_sub_u = I32AtomicRmw16SubU, atomic_sub(u16 -> u32), [];
        i64_atomic_rmw_sub = I64AtomicRmwSub, atomic_sub(u64 -> u64), [];
        i64_atomic_rmw8_sub_u = I64AtomicRmw8SubU, atomic_sub(u8 -> u64), [];
        i64_atomic_rmw16_sub_u = I64AtomicRmw16SubU, atomic_sub(u16 -> u64), [];
        i64_atomic_rmw32_sub_u = I64AtomicRmw32SubU, atomic_sub(u32 -> u64), [];
        i32_atomic_rmw_and = I32AtomicRmwAnd, atomic_and(u32 -> u32), [];
        i32_atomic_rmw8_and_u = I32AtomicRmw8AndU, atomic_and(u8 -> u32), [];
        i32_atomic_rmw16_and_u = I32AtomicRmw16AndU, atomic_and(u16 -> u32), [];
        i64_atomic_rmw_and = I64AtomicRmwAnd, atomic_and(u64 -> u64), [];
        i64_atomic_rmw8_and_u = I64AtomicRmw8AndU, atomic_and(u8 -> u64), [];
        i64_atomic_rmw16_and_u = I64AtomicRmw16AndU, atomic_and(u16 -> u64), [];
        i64_atomic_rmw32_and_u = I64AtomicRmw32AndU, atomic_and(u32 -> u64), [];
        i32_atomic_rmw_or = I32AtomicRmwOr, atomic_or(u32 -> u32), [];
        i32_atomic_rmw8_or_u = I32AtomicRmw8OrU, atomic_or(u8 -> u32), [];
        i32_atomic_rmw16_or_u = I32AtomicRmw16OrU, atomic_or(u16 -> u32), [];
        i64_atomic_rmw_or = I64AtomicRmwOr, atomic_or(u64 -> u64), [];
        i64_atomic_rmw8_or_u = I64AtomicRmw8OrU, atomic_or(u8 -> u64), [];
        i64_atomic_rmw16_or_u = I64AtomicRmw16OrU, atomic_or(u16 -> u64), [];
        i64_atomic_rmw32_or_u = I64AtomicRmw32OrU, atomic_or(u32 -> u64), [];
        i32_atomic_rmw_xor = I32AtomicRmwXor, atomic_xor(u32 -> u32), [];
        i32_atomic_rmw8_xor_u = I32AtomicRmw8XorU, atomic_xor(u8 -> u32), [];
        i32_atomic_rmw16_xor_u = I32AtomicRmw16XorU, atomic_xor(u16 -> u32), [];
        i64_atomic_rmw_xor = I64AtomicRmwXor, atomic_xor(u64 -> u64), [];
        i64_atomic_rmw8_xor_u = I64AtomicRmw8XorU, atomic_xor(u8 -> u64), [];
        i64_atomic_rmw16_xor_u = I64AtomicRmw16XorU, atomic_xor(u16 -> u64), [];
        i64_atomic_rmw32_xor_u = I64AtomicRmw32XorU, atomic_xor(u32 -> u64), [];
        i32_atomic_rmw_xchg = I32AtomicRmwXchg, atomic_xchg(u32 -> u32), [];
        i32_atomic_rmw8_xchg_u = I32AtomicRmw8XchgU, atomic_xchg(u8 -> u32), [];
        i32_atomic_rmw16_xchg_u = I32AtomicRmw16XchgU, atomic_xchg(u16 -> u32), [];
        i64_atomic_rmw_xchg = I64AtomicRmwXchg, atomic_xchg(u64 -> u64), [];
        i64_atomic_rmw8_xchg_u = I64AtomicRmw8XchgU, atomic_xchg(u8 -> u64), [];
        i64_atomic_rmw16_xchg_u = I64AtomicRmw16XchgU, atomic_xchg(u16 -> u64), [];
        i64_atomic_rmw32_xchg_u = I64AtomicRmw32XchgU, atomic_xchg(u32 -> u64), [];
        i32_atomic_rmw_cmpxchg = I32AtomicRmwCmpxchg, atomic_cmpxchg(u32 -> u32), [];
        i32_atomic_rmw8_cmpxchg_u = I32AtomicRmw8CmpxchgU, atomic_cmpxchg(u8 -> u32), [];
        i32_atomic_rmw16_cmpxchg_u = I32AtomicRmw16CmpxchgU, atomic_cmpxchg(u16 -> u32), [];
        i64_atomic_rmw_cmpxchg = I64AtomicRmwCmpxchg, atomic_cmpxchg(u64 -> u64), [];
        i64_atomic_rmw8_cmpxchg_u = I64AtomicRmw8CmpxchgU, atomic_cmpxchg(u8 -> u64), [];
        i64_atomic_rmw16_cmpxchg_u = I64AtomicRmw16CmpxchgU, atomic_cmpxchg(u16 -> u64), [];
        i64_atomic_rmw32_cmpxchg_u = I64AtomicRmw32CmpxchgU, atomic_cmpxchg(u32 -> u64), [];
        memory_atomic_wait32 = MemoryAtomicWait32, atomic_wait(u32 -> u32), [];
        memory_atomic_wait64 = MemoryAtomicWait64, atomic_wait(u64 -> u32), [];
        memory_atomic_notify = MemoryAtomicNotify, atomic_notify(u32 -> u32), [];

        memory_size = MemorySize, slots(0 -> 1), [];
        memory_grow = MemoryGrow, slots(1 -> 1), [];
        memory_copy = MemoryCopy, slots(3 -> 0), [];
        memory_fill = MemoryFill, slots(3 -> 0), [];
        memory_init = MemoryInit, slots(3 -> 0), [];
        data_drop = DataDrop, slots(0 -> 0), [];
        table_get = TableGet, slots(1 -> 1), [];
        table_set = TableSet, slots(2 -> 0), [];
        table_size = TableSize, slots(0 -> 1), [];
        table_grow = TableGrow, slots(2 -> 1), [];
        table_fill = TableFill, slots(3 -> 0), [];
        table_copy = TableCopy, slots(3 -> 0), [];
        table_init = TableInit, slots(3 -> 0), [];
        elem_drop = ElemDrop, slots(0 -> 0), [];
        atomic_fence = AtomicFence, slots(0 -> 0), [];
        ref_func = RefFunc, slots(0 -> 1), [];

        struct_new = StructNew, slots(0 -> 1), [];
        struct_new_default = StructNewDefault, slots(0 -> 1), [];
        struct_get = StructGet, slots(1 -> 2), [];
        struct_set = StructSet, slots(3 -> 0), [];
        array_new = ArrayNew, slots(2 -> 1), [];
        array_new_default = ArrayNewDefault, slots(1 -> 1), [];
        array_new_fixed = ArrayNewFixed, slots(0 -> 1), [];
        array_new_data = ArrayNewData, slots(2 -> 1), [];
        array_new_elem = ArrayNewElem, slots(2 -> 1), [];
        array_get = ArrayGet, slots(2 -> 2), [];
        array_set = ArraySet, slots(3 -> 0), [];
        array_fill = ArrayFill, slots(3 -> 0), [];
        array_copy = ArrayCopy, slots(3 -> 0), [];
        array_init_data = ArrayInitData, slots(3 -> 0), [];
        array_init_elem = ArrayInitElem, slots(3 -> 0), [];
    } };
}
