//! Parses a generated configuration as TOML, walks it, changes it and writes it back.

use corpus::{Rng, fold, text};
use toml::{Table, Value};

#[unsafe(no_mangle)]
pub extern "C" fn run(sections: i32) -> i32 {
    let document = document(sections as u32);
    let mut table: Table = document.parse().expect("parses");
    let mut sum = table.len() as u32;
    for (name, section) in &mut table {
        sum = fold(sum, name.as_bytes());
        visit(section, &mut sum);
    }
    fold(sum, toml::to_string_pretty(&table).expect("serialises").as_bytes()) as i32
}

fn visit(value: &mut Value, sum: &mut u32) {
    match value {
        Value::Table(table) => table.iter_mut().for_each(|(_, v)| visit(v, sum)),
        Value::Array(array) => array.iter_mut().for_each(|v| visit(v, sum)),
        Value::Integer(n) => *n = n.wrapping_mul(3) + 1,
        Value::Float(x) => *x = (*x * 1.5).floor(),
        Value::String(s) => *sum = fold(*sum, s.as_bytes()),
        Value::Boolean(b) => *b = !*b,
        Value::Datetime(_) => *sum ^= 1,
    }
}

fn document(sections: u32) -> String {
    let mut rng = Rng::new(21);
    let mut out = String::new();
    for i in 0..sections {
        out += &format!(
            "[section-{i}]\ntitle = \"{}\"\nport = {:#x}\n",
            text(20, i + 1).replace('\n', "\\n"),
            rng.below(65536)
        );
        out += &format!(
            "ratio = {:.4}\non = {}\nsince = 2024-02-{:02}T07:32:00Z\n",
            rng.unit() * 50.0,
            i % 2 == 0,
            1 + rng.below(28)
        );
        out += &format!(
            "list = [{}, -{}, 1_000, 0b1010]\npath = 'C:\\a'\n",
            rng.below(99),
            rng.below(99)
        );
        out += "inline = { a.b = 1, c = [\"x\", \"y\\u00e9\"] }\n# a comment\n\n";
        for j in 0..2 {
            out += &format!(
                "[[section-{i}.item]]\nname = \"\"\"\nitem {j}\n\"\"\"\nweight = {}e-3\n\n",
                rng.below(1000)
            );
        }
    }
    out
}
