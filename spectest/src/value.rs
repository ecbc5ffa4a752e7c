//! Arguments and results: how scripts write them, what the engine takes and gives.

use kinglet::{AnyRef, ExternRef, Rooted, Store, Val};
use wast::core::{AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

/// The value that a script passes.
pub(crate) fn argument(store: &mut Store<()>, arg: &WastArg<'_>) -> Result<Val, String> {
    let WastArg::Core(arg) = arg else { return Err("components are not supported".to_owned()) };
    Ok(match arg {
        WastArgCore::I32(value) => Val::I32(*value),
        WastArgCore::I64(value) => Val::I64(*value),
        WastArgCore::F32(value) => Val::F32(value.bits),
        WastArgCore::F64(value) => Val::F64(value.bits),
        WastArgCore::V128(value) => Val::V128(u128::from_le_bytes(value.to_le_bytes()).into()),
        WastArgCore::RefNull(heap) => match hierarchy(heap) {
            Some(Hierarchy::Func) => Val::null_func_ref(),
            Some(Hierarchy::Extern) => Val::null_extern_ref(),
            Some(Hierarchy::Any) => Val::null_any_ref(),
            Some(Hierarchy::Exn) => Val::null_exn_ref(),
            None => return Err("this kind of reference is not supported".to_owned()),
        },
        WastArgCore::RefExtern(value) => host_reference(store, *value)?.into(),
        WastArgCore::RefHost(value) => {
            let reference = host_reference(store, *value)?;
            AnyRef::convert_extern(store, reference).map_err(|error| error.to_string())?.into()
        }
    })
}

/// Whether `got` is what a script expects.
pub(crate) fn fits(store: &mut Store<()>, expected: &WastRet<'_>, got: &Val) -> bool {
    matches!(expected, WastRet::Core(expected) if core_fits(store, expected, got))
}

fn core_fits(store: &mut Store<()>, expected: &WastRetCore<'_>, got: &Val) -> bool {
    match (expected, got) {
        (WastRetCore::Either(options), _) => {
            options.iter().any(|option| core_fits(store, option, got))
        }
        (WastRetCore::I32(expected), Val::I32(got)) => expected == got,
        (WastRetCore::I64(expected), Val::I64(got)) => expected == got,
        (WastRetCore::F32(expected), Val::F32(got)) => f32_fits(expected, *got),
        (WastRetCore::F64(expected), Val::F64(got)) => f64_fits(expected, *got),
        (WastRetCore::V128(expected), Val::V128(got)) => {
            v128_fits(expected, got.as_u128().to_le_bytes())
        }
        (WastRetCore::RefNull(None), got) => got.is_null(),
        (WastRetCore::RefNull(Some(heap)), Val::FuncRef(None)) => {
            hierarchy(heap) == Some(Hierarchy::Func)
        }
        (WastRetCore::RefNull(Some(heap)), Val::ExternRef(None)) => {
            hierarchy(heap) == Some(Hierarchy::Extern)
        }
        (WastRetCore::RefNull(Some(heap)), Val::AnyRef(None)) => {
            hierarchy(heap) == Some(Hierarchy::Any)
        }
        (WastRetCore::RefNull(Some(heap)), Val::ExnRef(None)) => {
            hierarchy(heap) == Some(Hierarchy::Exn)
        }
        (WastRetCore::RefFunc(_), Val::FuncRef(Some(_))) => true,
        (WastRetCore::RefAny, Val::AnyRef(Some(_))) => true,
        (WastRetCore::RefEq, Val::AnyRef(Some(got))) => got.is_eqref(&*store).unwrap_or(false),
        (WastRetCore::RefI31, Val::AnyRef(Some(got))) => got.is_i31(&*store).unwrap_or(false),
        (WastRetCore::RefStruct, Val::AnyRef(Some(got))) => got.is_struct(&*store).unwrap_or(false),
        (WastRetCore::RefArray, Val::AnyRef(Some(got))) => got.is_array(&*store).unwrap_or(false),
        (WastRetCore::RefHost(expected), Val::AnyRef(Some(got))) => {
            guest_host_value(store, *got) == Some(*expected)
        }
        (WastRetCore::RefExtern(None), Val::ExternRef(Some(_))) => true,
        (WastRetCore::RefExtern(Some(expected)), Val::ExternRef(Some(got))) => {
            host_value(store, got) == Some(*expected)
        }
        _ => false,
    }
}

/// What a null reference is one of.
#[derive(PartialEq)]
enum Hierarchy {
    Func,
    Extern,
    Any,
    Exn,
}

fn hierarchy(heap: &HeapType<'_>) -> Option<Hierarchy> {
    use AbstractHeapType::*;
    let HeapType::Abstract { ty, .. } = heap else { return Option::None };
    Some(match ty {
        Func | NoFunc => Hierarchy::Func,
        Extern | NoExtern => Hierarchy::Extern,
        Any | Eq | Struct | Array | I31 | None => Hierarchy::Any,
        Exn | NoExn => Hierarchy::Exn,
        Cont | NoCont => return Option::None,
    })
}

fn host_reference(store: &mut Store<()>, value: u32) -> Result<Rooted<ExternRef>, String> {
    ExternRef::new(store, value).map_err(|error| error.to_string())
}

/// The number that [`argument`] put into a host reference.
fn host_value(store: &Store<()>, reference: &ExternRef) -> Option<u32> {
    reference.data(store).ok()??.downcast_ref::<u32>().copied()
}

/// The same, of one that the guest holds as one of its own.
fn guest_host_value(store: &mut Store<()>, reference: Rooted<AnyRef>) -> Option<u32> {
    let reference = ExternRef::convert_any(&mut *store, reference).ok()?;
    host_value(store, &reference)
}

fn f32_fits(expected: &NanPattern<F32>, got: u32) -> bool {
    match expected {
        NanPattern::CanonicalNan => got & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => got & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(value) => got == value.bits,
    }
}

fn f64_fits(expected: &NanPattern<F64>, got: u64) -> bool {
    match expected {
        NanPattern::CanonicalNan => got & 0x7fff_ffff_ffff_ffff == 0x7ff8_0000_0000_0000,
        NanPattern::ArithmeticNan => got & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
        NanPattern::Value(value) => got == value.bits,
    }
}

fn v128_fits(expected: &V128Pattern, got: [u8; 16]) -> bool {
    /// Whether each lane, as a little-endian number, fits.
    fn lanes<L>(expected: &[L], got: [u8; 16], fits: impl Fn(&L, u64) -> bool) -> bool {
        expected.iter().zip(split(got, expected.len())).all(|(expected, got)| fits(expected, got))
    }
    match expected {
        V128Pattern::I8x16(expected) => {
            lanes(expected, got, |lane, got| got == u64::from(*lane as u8))
        }
        V128Pattern::I16x8(expected) => {
            lanes(expected, got, |lane, got| got == u64::from(*lane as u16))
        }
        V128Pattern::I32x4(expected) => {
            lanes(expected, got, |lane, got| got == u64::from(*lane as u32))
        }
        V128Pattern::I64x2(expected) => lanes(expected, got, |lane, got| got == *lane as u64),
        V128Pattern::F32x4(expected) => {
            lanes(expected, got, |lane, got| f32_fits(lane, got as u32))
        }
        V128Pattern::F64x2(expected) => lanes(expected, got, f64_fits),
    }
}

/// The lanes of a vector, each as a number.
fn split(vector: [u8; 16], lanes: usize) -> impl Iterator<Item = u64> {
    let width = 16 / lanes;
    (0..lanes).map(move |lane| {
        let mut number = [0; 8];
        number[..width].copy_from_slice(&vector[lane * width..][..width]);
        u64::from_le_bytes(number)
    })
}

/// What a script expects, for a message.
pub(crate) fn show_expected(expected: &[WastRet<'_>]) -> String {
    listed(expected.iter().map(|expected| match expected {
        WastRet::Core(expected) => show_pattern(expected),
        _ => "(a component value)".to_owned(),
    }))
}

/// What came, for a message: vectors in the shape that `expected` has at their place.
pub(crate) fn show(store: &mut Store<()>, got: &[Val], expected: &[WastRet<'_>]) -> String {
    listed(got.iter().enumerate().map(|(index, value)| match (value, expected.get(index)) {
        (Val::V128(got), Some(WastRet::Core(WastRetCore::V128(expected)))) => {
            let (shape, lanes) = shape(expected);
            show_v128(
                shape,
                split(got.as_u128().to_le_bytes(), lanes.len()).map(|lane| format!("{lane:#x}")),
            )
        }
        _ => show_value(store, value),
    }))
}

fn listed(values: impl Iterator<Item = String>) -> String {
    let values = values.collect::<Vec<_>>().join(" ");
    if values.is_empty() { "no results".to_owned() } else { values }
}

fn show_value(store: &mut Store<()>, value: &Val) -> String {
    match value {
        Val::I32(value) => format!("(i32.const {value})"),
        Val::I64(value) => format!("(i64.const {value})"),
        Val::F32(bits) => format!("(f32.const {})", show_f32(*bits)),
        Val::F64(bits) => format!("(f64.const {})", show_f64(*bits)),
        Val::V128(value) => show_v128(
            "i64x2",
            split(value.as_u128().to_le_bytes(), 2).map(|lane| format!("{lane:#x}")),
        ),
        Val::FuncRef(None) => "(ref.null func)".to_owned(),
        Val::FuncRef(Some(_)) => "(ref.func)".to_owned(),
        Val::ExternRef(None) => "(ref.null extern)".to_owned(),
        Val::ExternRef(Some(reference)) => match host_value(store, reference) {
            Some(number) => format!("(ref.extern {number})"),
            None => "(ref.extern)".to_owned(),
        },
        Val::AnyRef(None) => "(ref.null any)".to_owned(),
        Val::AnyRef(Some(reference)) => match guest_host_value(store, *reference) {
            Some(number) => format!("(ref.host {number})"),
            None => match reference.ty(&*store) {
                Ok(ty) => format!("(ref {ty})"),
                Err(error) => error.to_string(),
            },
        },
        Val::ExnRef(None) => "(ref.null exn)".to_owned(),
        Val::ExnRef(Some(_)) => "(ref.exn)".to_owned(),
        other => format!("{other:?}"),
    }
}

fn show_pattern(expected: &WastRetCore<'_>) -> String {
    match expected {
        WastRetCore::I32(value) => format!("(i32.const {value})"),
        WastRetCore::I64(value) => format!("(i64.const {value})"),
        WastRetCore::F32(pattern) => {
            format!("(f32.const {})", show_nan(pattern, |value| show_f32(value.bits)))
        }
        WastRetCore::F64(pattern) => {
            format!("(f64.const {})", show_nan(pattern, |value| show_f64(value.bits)))
        }
        WastRetCore::V128(pattern) => {
            let (shape, lanes) = shape(pattern);
            show_v128(shape, lanes.into_iter())
        }
        WastRetCore::RefNull(_) => "(ref.null)".to_owned(),
        WastRetCore::RefExtern(None) => "(ref.extern)".to_owned(),
        WastRetCore::RefExtern(Some(number)) => format!("(ref.extern {number})"),
        WastRetCore::RefHost(number) => format!("(ref.host {number})"),
        WastRetCore::RefFunc(_) => "(ref.func)".to_owned(),
        WastRetCore::RefAny => "(ref.any)".to_owned(),
        WastRetCore::RefEq => "(ref.eq)".to_owned(),
        WastRetCore::RefArray => "(ref.array)".to_owned(),
        WastRetCore::RefStruct => "(ref.struct)".to_owned(),
        WastRetCore::RefI31 => "(ref.i31)".to_owned(),
        WastRetCore::RefI31Shared => "(ref.i31_shared)".to_owned(),
        WastRetCore::Either(options) => {
            format!("(either {})", options.iter().map(show_pattern).collect::<Vec<_>>().join(" "))
        }
    }
}

/// The name of a vector's shape, and its lanes.
fn shape(pattern: &V128Pattern) -> (&'static str, Vec<String>) {
    fn hex<L>(lanes: &[L], number: impl Fn(&L) -> u64) -> Vec<String> {
        lanes.iter().map(|lane| format!("{:#x}", number(lane))).collect()
    }
    match pattern {
        V128Pattern::I8x16(lanes) => ("i8x16", hex(lanes, |lane| u64::from(*lane as u8))),
        V128Pattern::I16x8(lanes) => ("i16x8", hex(lanes, |lane| u64::from(*lane as u16))),
        V128Pattern::I32x4(lanes) => ("i32x4", hex(lanes, |lane| u64::from(*lane as u32))),
        V128Pattern::I64x2(lanes) => ("i64x2", hex(lanes, |lane| *lane as u64)),
        V128Pattern::F32x4(lanes) => (
            "f32x4",
            lanes.iter().map(|lane| show_nan(lane, |value| format!("{:#x}", value.bits))).collect(),
        ),
        V128Pattern::F64x2(lanes) => (
            "f64x2",
            lanes.iter().map(|lane| show_nan(lane, |value| format!("{:#x}", value.bits))).collect(),
        ),
    }
}

fn show_v128(shape: &str, lanes: impl Iterator<Item = String>) -> String {
    format!("(v128.const {shape} {})", lanes.collect::<Vec<_>>().join(" "))
}

fn show_nan<T>(pattern: &NanPattern<T>, show: impl Fn(&T) -> String) -> String {
    match pattern {
        NanPattern::CanonicalNan => "nan:canonical".to_owned(),
        NanPattern::ArithmeticNan => "nan:arithmetic".to_owned(),
        NanPattern::Value(value) => show(value),
    }
}

fn show_f32(bits: u32) -> String {
    let value = f32::from_bits(bits);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_nan() { format!("{sign}nan:{:#x}", bits & 0x7f_ffff) } else { format!("{value:?}") }
}

fn show_f64(bits: u64) -> String {
    let value = f64::from_bits(bits);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_nan() {
        format!("{sign}nan:{:#x}", bits & 0xf_ffff_ffff_ffff)
    } else {
        format!("{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wast::parser::{self, ParseBuffer};

    fn vector(pattern: &str, got: [u8; 16]) -> bool {
        let buffer = ParseBuffer::new(pattern).unwrap();
        v128_fits(&parser::parse::<V128Pattern>(&buffer).unwrap(), got)
    }

    #[test]
    fn vectors_are_compared_lane_by_lane() {
        let bytes: [u8; 16] = std::array::from_fn(|index| index as u8);
        assert!(vector("i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", bytes));
        assert!(!vector("i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 16", bytes));
        assert!(vector("i16x8 0x0100 0x0302 0x0504 0x0706 0x0908 0x0b0a 0x0d0c 0x0f0e", bytes));
        assert!(vector("i32x4 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c", bytes));
        assert!(vector("i64x2 0x0706050403020100 0x0f0e0d0c0b0a0908", bytes));
        assert!(!vector("i64x2 0x0706050403020100 -1", bytes));
        assert!(vector("i8x16 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1", [0xff; 16]));

        let lanes = [f32::NAN.to_bits(), 0xffe0_0000, 1.5_f32.to_bits(), (-0.0_f32).to_bits()];
        let floats: [u8; 16] =
            std::array::from_fn(|index| lanes[index / 4].to_le_bytes()[index % 4]);
        assert!(vector("f32x4 nan:canonical nan:arithmetic 1.5 -0", floats));
        assert!(!vector("f32x4 nan:canonical nan:canonical 1.5 -0", floats));
        assert!(!vector("f32x4 nan:canonical nan:arithmetic 1.5 0", floats));
        assert!(vector("f64x2 nan:arithmetic nan:arithmetic", [0xff; 16]));
        assert!(!vector("f64x2 nan:canonical nan:arithmetic", [0xff; 16]));
    }

    #[test]
    fn vectors_are_shown_in_the_expected_shape() {
        for (pattern, shown) in [
            ("i16x8 -1 0 1 2 3 4 5 6", "(v128.const i16x8 0xffff 0x0 0x1 0x2 0x3 0x4 0x5 0x6)"),
            (
                "f32x4 nan:canonical nan:arithmetic 1 0",
                "(v128.const f32x4 nan:canonical nan:arithmetic 0x3f800000 0x0)",
            ),
        ] {
            let buffer = ParseBuffer::new(pattern).unwrap();
            let pattern = parser::parse::<V128Pattern>(&buffer).unwrap();
            assert_eq!(show_pattern(&WastRetCore::V128(pattern)), shown);
        }
    }
}
