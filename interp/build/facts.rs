// What the check of artifacts wants to know of forms, by their names and by the types that implement them.

use super::Form;
use kinglet_core::op::{Num, ROWS};

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
