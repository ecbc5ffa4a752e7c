//! Values as the command line takes and prints them.

use kinglet::{Val, ValType};

/// Reads an argument of type `ty`; integers may be hexadecimal (`0x…`) and unsigned.
pub(crate) fn parse(text: &str, ty: &ValType) -> Result<Val, String> {
    let value = match ty {
        ValType::I32 => integer(text, 32).map(|bits| Val::I32(bits as i32)),
        ValType::I64 => integer(text, 64).map(|bits| Val::I64(bits as i64)),
        ValType::F32 => text.parse().ok().map(|value: f32| Val::F32(value.to_bits())),
        ValType::F64 => text.parse().ok().map(|value: f64| Val::F64(value.to_bits())),
        ValType::V128 => integer(text, 128).map(|bits| Val::V128(bits.into())),
        ValType::Ref(_) => {
            return Err(format!("an argument of type {ty} cannot be given on the command line"));
        }
    };
    value.ok_or_else(|| format!("`{text}` is not of type {ty}"))
}

/// The two's complement of a number that fits into `width` bits, with or without a sign.
fn integer(text: &str, width: u32) -> Option<u128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None; // `from_str_radix` would take another sign here.
    }
    let magnitude = u128::from_str_radix(digits, radix).ok()?;
    let limit = if negative { 1 << (width - 1) } else { u128::MAX >> (128 - width) };
    (magnitude <= limit).then_some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// Writes a value as wasmtime does: numbers in decimal, references by their kind.
pub(crate) fn show(value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        Val::V128(value) => value.as_u128().to_string(),
        Val::FuncRef(None) => "<null funcref>".to_owned(),
        Val::FuncRef(Some(_)) => "<funcref>".to_owned(),
        Val::ExternRef(None) => "<null externref>".to_owned(),
        Val::ExternRef(Some(_)) => "<externref>".to_owned(),
        _ => "<reference>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_by_type() {
        let bits = |text, ty: ValType| match parse(text, &ty)? {
            Val::I32(value) => Ok(u128::from(value as u32)),
            Val::I64(value) => Ok(u128::from(value as u64)),
            Val::F32(bits) => Ok(u128::from(bits)),
            Val::F64(bits) => Ok(u128::from(bits)),
            Val::V128(value) => Ok(value.as_u128()),
            _ => Err("no number".to_owned()),
        };
        for (text, ty, expected) in [
            ("7", ValType::I32, 7),
            ("-1", ValType::I32, 0xffff_ffff),
            ("4294967295", ValType::I32, 0xffff_ffff),
            ("-2147483648", ValType::I32, 0x8000_0000),
            ("0xFFFFFFFF", ValType::I32, 0xffff_ffff),
            ("-0x1", ValType::I64, 0xffff_ffff_ffff_ffff),
            ("1.5", ValType::F32, u128::from(1.5_f32.to_bits())),
            ("-inf", ValType::F64, u128::from(f64::NEG_INFINITY.to_bits())),
            ("340282366920938463463374607431768211455", ValType::V128, u128::MAX),
        ] {
            assert_eq!(bits(text, ty.clone()), Ok(expected), "{text} as {ty}");
        }
        for (text, ty) in [
            ("", ValType::I32),
            ("4294967296", ValType::I32),
            ("-2147483649", ValType::I32),
            ("--1", ValType::I32),
            ("-+1", ValType::I32),
            ("0x", ValType::I64),
            ("1.5", ValType::I64),
            ("one", ValType::F32),
            ("0", ValType::FUNCREF),
        ] {
            assert!(bits(text, ty.clone()).is_err(), "{text} as {ty}");
        }
    }

    #[test]
    fn values_print_in_decimal() {
        for (value, text) in [
            (Val::I32(-1), "-1"),
            (Val::I64(i64::MIN), "-9223372036854775808"),
            (Val::F32(1.5_f32.to_bits()), "1.5"),
            (Val::F64(1e21_f64.to_bits()), "1000000000000000000000"),
            (Val::F64((-0.0_f64).to_bits()), "-0"),
            (Val::F64(f64::NAN.to_bits()), "NaN"),
            (Val::null_func_ref(), "<null funcref>"),
        ] {
            assert_eq!(show(&value), text);
        }
    }
}
