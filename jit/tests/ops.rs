//! Every numeric op, compiled with its operands in all kinds of places, gives what the function of that name in `kinglet_core::num` does.

mod common;

use common::{Setup, World, call, supported};
use kinglet_core::{
    error::Error,
    for_each_op, num,
    op::{Class, Num, Op},
    trap::Trap,
};
use std::fmt::Write;

trait Bits {
    fn from_bits(bits: u64) -> Self;
    fn bits(self) -> u64;
}

macro_rules! bits {
    ($( $ty:ty: $bits:ident => $from:expr, $value:ident => $to:expr; )*) => { $(
        impl Bits for $ty {
            fn from_bits($bits: u64) -> $ty {
                $from
            }

            fn bits(self) -> u64 {
                let $value = self;
                $to
            }
        }
    )* };
}

bits! {
    u32: bits => bits as u32, value => value.into();
    u64: bits => bits, value => value;
    bool: bits => bits != 0, value => value.into();
    f32: bits => f32::from_bits(bits as u32), value => value.to_bits().into();
    f64: bits => f64::from_bits(bits), value => value.to_bits();
}

trait Outcome {
    fn outcome(self) -> Result<u64, Trap>;
}

impl<T: Bits> Outcome for T {
    fn outcome(self) -> Result<u64, Trap> {
        Ok(self.bits())
    }
}

impl<T: Bits> Outcome for Result<T, Trap> {
    fn outcome(self) -> Result<u64, Trap> {
        self.map(Bits::bits)
    }
}

macro_rules! compute {
    (un $name:ident $a:ident $b:ident) => {
        num::$name(Bits::from_bits($a)).outcome()
    };
    (un_trap $name:ident $a:ident $b:ident) => {
        num::$name(Bits::from_bits($a)).outcome()
    };
    (bin $name:ident $a:ident $b:ident) => {
        num::$name(Bits::from_bits($a), Bits::from_bits($b)).outcome()
    };
    (bin_trap $name:ident $a:ident $b:ident) => {
        num::$name(Bits::from_bits($a), Bits::from_bits($b)).outcome()
    };
    (cmp $name:ident $a:ident $b:ident) => {
        num::$name(Bits::from_bits($a), Bits::from_bits($b)).outcome()
    };
    ($other:ident $name:ident $a:ident $b:ident) => {
        unreachable!("not a numeric op")
    };
}

macro_rules! define {
    ($( $name:ident = $Name:ident, $class:ident($from:tt -> $to:tt), [$($flag:ident)*]; )*) => {
        fn expected(op: Op, a: u64, b: u64) -> Result<u64, Trap> {
            match op {
                $( Op::$Name => compute!($class $name a b), )*
            }
        }
    };
}

for_each_op!(define);

fn values(ty: Num) -> Vec<u64> {
    let floats = [
        0.0,
        0.5,
        1.5,
        2.5,
        1e10,
        2147483647.5,
        2147483648.0,
        4294967296.0,
        9223372036854775808.0,
        18446744073709551616.0,
        4503599627370495.5,
        1e-40,
        f64::INFINITY,
    ];
    let signs = [false, true];
    match ty {
        Num::u32 => [0, 1, 2, 7, 31, 32, 33, 255, 0x1234_5678, 1 << 31, (1 << 31) - 1, u32::MAX]
            .map(u64::from)
            .to_vec(),
        Num::u64 => {
            let mut values = values(Num::u32);
            values.extend([63, 64, 1 << 32, 1 << 63, (1 << 63) - 1, u64::MAX]);
            values.extend([0x8000_0080_0000_0001, 0xffff_ffff_8000_0000, u64::MAX - 1]);
            values
        }
        Num::f32 => {
            let nans = [0x7fc0_0000, 0x7fa0_0001].map(f32::from_bits);
            let near = [2147483520.0, 4294967040.0, 9223371487098961920.0];
            let floats = floats.iter().map(|&x| x as f32).chain(near).chain(nans);
            floats
                .flat_map(|x| signs.map(|sign| (x.to_bits() | u32::from(sign) << 31).into()))
                .collect()
        }
        _ => {
            let nans = [0x7ff8_0000_0000_0000, 0x7ff4_0000_0000_0001].map(f64::from_bits);
            let near = [4294967295.5, 9223372036854774784.0, 18446744073709549568.0];
            let floats = floats.into_iter().chain(near).chain(nans);
            floats.flat_map(|x| signs.map(|sign| x.to_bits() | u64::from(sign) << 63)).collect()
        }
    }
}

fn name(ty: Num) -> &'static str {
    match ty {
        Num::u64 => "i64",
        Num::f32 => "f32",
        Num::f64 => "f64",
        _ => "i32",
    }
}

fn constant(ty: Num, bits: u64) -> String {
    let float = |x: f64, nan: bool, payload: u64, shortest: String| {
        let sign = if x.is_sign_negative() { "-" } else { "" };
        if nan { format!("{sign}nan:{payload:#x}") } else { shortest }
    };
    let text = match ty {
        Num::f32 => {
            let x = f32::from_bits(bits as u32);
            float(x.into(), x.is_nan(), bits & 0x7f_ffff, format!("{x:e}"))
        }
        Num::f64 => {
            let x = f64::from_bits(bits);
            float(x, x.is_nan(), bits & 0xf_ffff_ffff_ffff, format!("{x:e}"))
        }
        Num::u64 => bits.to_string(),
        _ => (bits as u32).to_string(),
    };
    format!("({}.const {text})", name(ty))
}

fn is_nan(ty: Num, bits: u64) -> bool {
    match ty {
        Num::f32 => f32::from_bits(bits as u32).is_nan(),
        Num::f64 => f64::from_bits(bits).is_nan(),
        _ => false,
    }
}

/// What is tested of one op.
struct Case {
    op: Op,
    /// As in its row.
    name: &'static str,
    from: Num,
    to: Num,
    binary: bool,
    wat: String,
}

/// How many values are alive at the same time in the function `crowded`, so that operands are in memory.
const CROWD: usize = 24;

impl Case {
    fn new(op: Op) -> Option<Case> {
        let row = op.row();
        let binary = match row.class {
            Class::un | Class::un_trap => false,
            Class::bin | Class::bin_trap | Class::cmp => true,
            _ => return None,
        };
        let (from, to) = (row.from?, op.result());
        let scalar = |ty| matches!(ty, Num::u32 | Num::u64 | Num::f32 | Num::f64 | Num::bool);
        let numbers = row.name.starts_with(['i', 'f']) && !row.name.starts_with("i31");
        if !numbers || !scalar(from) || !scalar(to) {
            return None;
        }
        let mut case =
            Case { op, name: row.name, from, to, binary, wat: String::from("(module (memory 1)") };
        case.functions();
        case.wat.push(')');
        Some(case)
    }

    fn op(&self, a: &str, b: &str) -> String {
        let op = self.name.replacen('_', ".", 1);
        if self.binary { format!("({op} {a} {b})") } else { format!("({op} {a})") }
    }

    fn function(&mut self, name: &str, body: &str) {
        let (from, to) = (self::name(self.from), self::name(self.to));
        let head = format!("(func (export \"{name}\") (param $a {from}) (param $b {from})");
        writeln!(self.wat, "{head} (result {to}) (local $r {to}) {body})").unwrap();
    }

    fn functions(&mut self) {
        let (a, b) = ("(local.get $a)", "(local.get $b)");
        self.function("plain", &self.op(a, b));
        self.function("exchanged", &self.op(b, a));
        self.function("local", &format!("(local.set $r {}) (local.get $r)", self.op(a, b)));
        if self.from == self.to {
            self.function("over_a", &format!("(local.set $a {}) (local.get $a)", self.op(a, b)));
            self.function("over_b", &format!("(local.set $b {}) (local.get $b)", self.op(a, b)));
        }
        for (at, bits) in values(self.from).into_iter().enumerate() {
            let constant = constant(self.from, bits);
            self.function(&format!("a{at}"), &self.op(&constant, b));
            self.function(&format!("b{at}"), &self.op(a, &constant));
        }
        let from = name(self.from);
        let load = |at| format!("({from}.load offset={at} (i32.const 8))");
        let store = |at, value| format!("({from}.store offset={at} (i32.const 8) {value})");
        let stores = store(8, a) + &store(16, b);
        self.function("load_a", &(stores.clone() + &self.op(&load(8), b)));
        self.function("load_b", &(stores + &self.op(a, &load(16))));
        if self.op.class() == Class::cmp {
            let test = self.op(a, b);
            self.function("select", &format!("(select (i32.const 1) (i32.const 0) {test})"));
            self.function(
                "if",
                &format!("(if {test} (then (return (i32.const 1)))) (i32.const 0)"),
            );
            let not = format!("(if (i32.eqz {test}) (then (return (i32.const 0)))) (i32.const 1)");
            self.function("if_not", &not);
            let floats = "(select (f64.const 1) (f64.const 0)";
            self.function("select_float", &format!("(i32.trunc_f64_s {floats} {test}))"));
        }
        let list = format!("{from} ").repeat(CROWD);
        let all: String = (0..CROWD).map(|at| format!("(local.get {at})")).collect();
        let op =
            self.op(&format!("(local.get {})", CROWD - 1), &format!("(local.get {})", CROWD - 2));
        let to = name(self.to);
        let head = format!("(func (export \"crowded\") (param {list}) (result {to} {list})");
        writeln!(self.wat, "{head} {op} {all})").unwrap();
    }

    fn run(&self) {
        let mut world = World::new(Setup::default());
        let (instance, code) = world.instance(&self.wat, &[]);
        if code.functions() == 0 {
            // The processor has no instruction for it.
            return;
        }
        let mut check = |name: &str, args: &[u64], a: u64, b: u64| {
            let result = call(&mut world.store, &mut (), instance, name, args);
            let result = match result {
                Ok(results) => Ok(results[0]),
                Err(error) => Err(trap(&error)),
            };
            let expected = expected(self.op, a, b);
            if let (Ok(result), Ok(expected)) = (&result, &expected)
                && self.binary
                && is_nan(self.from, a)
                && is_nan(self.from, b)
                && is_nan(self.to, *expected)
            {
                // Which of two NaNs comes out is not said.
                return assert!(is_nan(self.to, *result));
            }
            assert_eq!(result, expected, "{} {name} {a:#x} {b:#x}", self.name);
        };
        let values = values(self.from);
        for &a in &values {
            for &b in if self.binary { &values[..] } else { &values[..1] } {
                check("plain", &[a, b], a, b);
                check("exchanged", &[b, a], a, b);
                check("local", &[a, b], a, b);
                check("load_a", &[a, b], a, b);
                check("load_b", &[a, b], a, b);
                if self.from == self.to {
                    check("over_a", &[a, b], a, b);
                    check("over_b", &[a, b], a, b);
                }
                if self.op.class() == Class::cmp {
                    for name in ["select", "if", "if_not", "select_float"] {
                        check(name, &[a, b], a, b);
                    }
                }
                let mut args = vec![0; CROWD];
                (args[CROWD - 1], args[CROWD - 2]) = (a, b);
                check("crowded", &args, a, b);
            }
            for (at, &bits) in values.iter().enumerate() {
                check(&format!("a{at}"), &[0, a], bits, a);
                check(&format!("b{at}"), &[a, 0], a, bits);
            }
        }
    }
}

fn trap(error: &Error) -> Trap {
    error.trap().unwrap_or_else(|| panic!("{error}"))
}

#[test]
fn ops_give_what_they_should() {
    if supported() {
        let cases: Vec<Case> = Op::ALL.iter().filter_map(|op| Case::new(*op)).collect();
        assert!(cases.len() > 130, "only {} ops are tested", cases.len());
        cases.iter().for_each(Case::run);
    }
}
