// What is known of forms by their names, by the types that implement them and by their layouts: for the small set, and for the check of artifacts.

use super::Form;
use kinglet_core::op::{Class, Num, ROWS, Row};

/// Whether such an op stands in functions.
pub(super) fn is_inside(body: &str) -> bool {
    !["DONE", "CROSS_RETURN", "LAZY"].iter().any(|exit| is_exit(body, exit))
}

fn is_exit(body: &str, code: &str) -> bool {
    body == format!("Exit<{{ exit::{code} }}>")
}

/// Whether such an op takes or makes references, and not only copies what slots hold.
pub(super) fn is_on_refs(name: &str, body: &str) -> bool {
    let bodies = ["CallRef<", "Ref", "Struct", "Array"];
    let exits = ["THROW_REF", "CAST", "STRUCT_NEW", "TAIL_CALL_REF"];
    let names =
        ["table_get", "table_set", "table_grow", "table_fill", "ref_", "i31_", "struct_", "array_"];
    bodies.iter().any(|on_refs| body.starts_with(on_refs))
        || exits.iter().any(|exit| is_exit(body, exit))
        || names.iter().any(|on_refs| name.starts_with(on_refs))
}

/// Whether a form, or a part of it, accesses the first memory by loads and stores of which the types end so.
pub(super) fn accesses(body: &str, suffix: &str) -> bool {
    ["Load", "Store", "VLoad", "VWiden", "VStore", "LoadLane", "StoreLane"].iter().any(|op| {
        let op = format!("{op}{suffix}<");
        // Not those whose names end so.
        body.match_indices(&op).any(|(at, _)| at == 0 || body[..at].ends_with(['<', ' ']))
    })
}

/// See `Places` in `forms.rs`.
pub(super) fn places(form: &Form) -> u8 {
    let (name, dest) = form.name.split_once('>').unwrap_or((&form.name, ""));
    let (op, kinds) = name.rsplit_once('.').unwrap_or((name, ""));
    let place = |letter: char| ['s', 'a', 'p', 'i'].iter().position(|&place| place == letter);
    let places: Option<Vec<usize>> = kinds.chars().map(place).collect();
    let places = places.filter(|places| places.len() <= 2).unwrap_or_default();
    let dest = ["", "a", "s", "p"].iter().position(|&place| place == dest).expect("a destination");
    let row = ROWS.iter().find(|row| row.name == op.split('.').next().unwrap_or(op));
    let is_float = match row {
        Some(row) => matches!(row.to, Some(Num::f32 | Num::f64)),
        None => op.ends_with("f32") || op.ends_with("f64"),
    };
    let kinds = places.iter().enumerate().fold(0, |bits, (i, place)| bits | place << (2 * i));
    (dest | kinds << 2 | usize::from(is_float) << 6) as u8
}

/// Whether control never goes on behind what this type does.
pub(super) fn is_terminal(body: &str) -> bool {
    let (ty, parameters) = body.split_once('<').unwrap_or((body, ""));
    match ty {
        "Br" | "BrTable" | "BrFuel" | "Ret" | "RetOne" | "RetMany" | "RetVector" | "TailCall"
        | "Unreachable" => true,
        "Exit" => parameters.contains("TAIL_CALL") || parameters.contains("THROW"),
        _ => false,
    }
}

/// Whether a form is one of the small set: operands in slots, at most an integer in the code; results in slots.
pub(super) fn is_small(form: &Form) -> bool {
    let (form_name, dest) = form.name.split_once('>').unwrap_or((&form.name, "s"));
    let (op, kinds) = form_name.rsplit_once('.').unwrap_or((form_name, ""));
    let registers = ["acc_to", "pin_to", "slot_to", "const_to", "save_pin", "restore_pin"];
    if dest != "s"
        || registers.iter().any(|prefix| op.starts_with(prefix))
        || equal(&form.name).is_some()
    {
        return false;
    }
    // Branches on floats are a comparison and a branch.
    if ["br_f32", "br_f64", "br_not"].iter().any(|prefix| op.starts_with(prefix)) {
        return false;
    }
    if kinds == "wide" || kinds.bytes().all(|kind| kind == b's') {
        return true;
    }
    let row = ROWS.iter().find(|row| row.name == op.strip_prefix("br_").unwrap_or(op));
    let integers = |row: &Row| matches!(row.from, Some(Num::u32 | Num::u64));
    let has = |row: &Row| integers(row) && row.class != Class::store || row.class == Class::vshift;
    kinds == "si" && row.is_some_and(|row| !row.rare && has(row))
}

/// The form that does the same, if values are in slots anyhow: of what type they are makes no difference to copies of them.
pub(super) fn equal(name: &str) -> Option<String> {
    let (op, rest) = name.split_at(name.find(['.', '>']).unwrap_or(name.len()));
    let same = match op {
        "ret_i32" | "ret_f32" | "ret_f64" => "ret_i64",
        "select_f32" | "select_f64" => "select_int",
        "global_get_f32" | "global_get_f64" => "global_get_int",
        "global_set_i32" | "global_set_f32" | "global_set_f64" => "global_set_i64",
        "i64_load8_u" => "i32_load8_u",
        "i64_load16_u" => "i32_load16_u",
        "f32_load" | "i64_load32_u" => "i32_load",
        "f64_load" => "i64_load",
        "f32_store" | "i64_store32" => "i32_store",
        "f64_store" => "i64_store",
        "i64_store8" => "i32_store8",
        "i64_store16" => "i32_store16",
        _ => return None,
    };
    Some(format!("{same}{rest}"))
}

/// Where operands of a layout stand: bits of halves, two bytes each.
#[derive(Default)]
pub(super) struct Shape {
    slots: u8,
    vectors: u8,
    jumps: u8,
    pub(super) len: usize,
}

impl Shape {
    /// That of a layout which has nothing but slots, jumps and what stands in the code, if it has at most eight halves.
    pub(super) fn of(layout: &str) -> Option<Shape> {
        let mut shape = Shape::default();
        for operand in layout.bytes() {
            let half = 1u8.checked_shl(shape.len as u32).unwrap_or(0);
            shape.len += match operand {
                b'd' | b's' => {
                    shape.slots |= half;
                    1
                }
                b'v' => {
                    shape.vectors |= half;
                    1
                }
                b'j' => {
                    shape.jumps |= half;
                    2
                }
                b'i' | b'o' => 2,
                b'q' => 4,
                b'+' => 0,
                _ => return None,
            };
        }
        (shape.len <= 8).then_some(shape)
    }

    pub(super) fn source(&self) -> String {
        let Shape { slots, vectors, jumps, .. } = self;
        format!("Shape {{ slots: {slots:#x}, vectors: {vectors:#x}, jumps: {jumps:#x} }}")
    }
}
