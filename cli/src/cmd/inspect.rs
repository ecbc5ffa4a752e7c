//! `kinglet inspect`.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::ValueHint;
use kinglet::{Engine, ExternType, Module};

use crate::failure::Failure;
use crate::input;
use crate::sections::{Section, sections};

/// Show what a module consists of.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kinglet inspect hello.wasm
  kinglet inspect hello.wasm --bytecode          # of all functions
  kinglet inspect hello.wasm --bytecode main     # of one, by name or index")]
pub(crate) struct Args {
    /// The module, binary or text; `-` is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: OsString,
}

pub(crate) fn run(args: Args) -> Result<i32, Failure> {
    let bytes = input::read(&args.file)?;
    let engine = Engine::default();
    let module = input::compile(&engine, &args.file, &bytes)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if let Some(name) = module.name() {
        writeln!(out, "module {name}")?;
    }
    show_sections(&mut out, &sections(&bytes), bytes.len())?;
    show_externs(&mut out, &module)?;
    out.flush()?;
    Ok(0)
}

fn show_sections(out: &mut impl Write, sections: &[Section], total: usize) -> io::Result<()> {
    writeln!(out, "sections ({total} bytes)")?;
    for Section { name, custom, offset, size, items } in sections {
        let name = if *custom { format!("custom {name:?}") } else { name.clone() };
        let items = items.map_or_else(String::new, |items| format!("{items:>10} items"));
        writeln!(out, "  {name:<24} at {offset:#010x} {size:>10} bytes{items}")?;
    }
    Ok(())
}

fn show_externs(out: &mut impl Write, module: &Module) -> io::Result<()> {
    writeln!(out, "imports ({})", module.imports().len())?;
    for import in module.imports() {
        writeln!(out, "  {}.{}: {}", import.module(), import.name(), show_type(&import.ty()))?;
    }
    writeln!(out, "exports ({})", module.exports().len())?;
    for export in module.exports() {
        writeln!(out, "  {}: {}", export.name(), show_type(&export.ty()))?;
    }
    Ok(())
}

fn show_type(ty: &ExternType) -> String {
    match ty {
        ExternType::Func(ty) => {
            let list = |types: Vec<String>| types.join(", ");
            let params = list(ty.params().map(|ty| ty.to_string()).collect());
            let results = list(ty.results().map(|ty| ty.to_string()).collect());
            format!("func ({params}) -> ({results})")
        }
        ExternType::Global(ty) => {
            let mutable = if ty.mutability() == kinglet::Mutability::Var { "mut " } else { "" };
            format!("global {mutable}{}", ty.content())
        }
        ExternType::Table(ty) => {
            let index = if ty.is_64() { "i64 " } else { "" };
            format!("table {index}{} {}", limits(ty.minimum(), ty.maximum()), ty.element())
        }
        ExternType::Memory(ty) => {
            let index = if ty.is_64() { "i64 " } else { "" };
            format!(
                "memory {index}{} pages of {} bytes",
                limits(ty.minimum(), ty.maximum()),
                ty.page_size()
            )
        }
        _ => "tag".to_owned(),
    }
}

fn limits(minimum: u64, maximum: Option<u64>) -> String {
    match maximum {
        Some(maximum) => format!("{minimum}..{maximum}"),
        None => format!("{minimum}.."),
    }
}
