//! `kinglet inspect`.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::ValueHint;
use kinglet::{Engine, ExternType, Module, Mutability, inspect};

use crate::failure::Failure;
use crate::input;

/// Show what a module consists of.
///
/// Its sections and their sizes, what it imports and exports, and which proposals to the standard it needs.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kinglet inspect hello.wasm
  kinglet inspect hello.wasm --bytecode          # of all functions
  kinglet inspect hello.wasm --bytecode main     # of one, by name or index")]
pub(crate) struct Args {
    /// The module, binary or text; `-` is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: OsString,

    /// Show instead the code that the interpreter runs, beside the WebAssembly it was made from: of all functions or
    /// of FUNC, a name or an index.
    #[arg(long, value_name = "FUNC")]
    bytecode: Option<Option<String>>,
}

pub(crate) fn run(args: Args) -> Result<i32, Failure> {
    let bytes = input::read(&args.file)?;
    let engine = Engine::default();
    let module = input::compile(&engine, &args.file, &bytes)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.bytecode {
        Some(function) => {
            for index in chosen(&module, function.as_deref(), &input::name(&args.file))? {
                let code = inspect::bytecode(&module, index)
                    .map_err(|error| Failure::new(format!("{error:#}")))?;
                writeln!(out, "{}\n", code.trim_end())?;
            }
        }
        None => {
            if let Some(name) = module.name() {
                writeln!(out, "module {name}")?;
            }
            show_sections(&mut out, &module)?;
            show_functions(&mut out, &module)?;
            show_externs(&mut out, &module)?;
            writeln!(out, "features")?;
            writeln!(out, "  {}", inspect::features_used(&module).join(", "))?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// The indices of the functions whose code is asked for: all that are not imported, or the one called `function`, by
/// its index or by its name in the name section.
fn chosen(module: &Module, function: Option<&str>, file: &str) -> Result<Vec<u32>, Failure> {
    let Some(wanted) = function else {
        let own = inspect::functions(module).filter(|function| function.body.is_some());
        return Ok(own.map(|function| function.index).collect());
    };
    let called = |function: &inspect::Function| function.name.as_deref() == Some(wanted);
    let index = wanted
        .parse()
        .ok()
        .or_else(|| inspect::functions(module).find(called).map(|function| function.index));
    let index = index.ok_or_else(|| Failure::new(format!("{file} has no function `{wanted}`")))?;
    Ok(vec![index])
}

fn show_sections(out: &mut impl Write, module: &Module) -> io::Result<()> {
    writeln!(out, "sections ({} bytes)", inspect::binary(module).len())?;
    for section in inspect::sections(module) {
        let name = match section.is_custom() {
            true => format!("custom {:?}", section.name),
            false => section.name.to_owned(),
        };
        let (start, size) = (section.range.start, section.range.len());
        writeln!(out, "  {name:<24} at {start:#010x} {size:>10} bytes")?;
    }
    Ok(())
}

fn show_functions(out: &mut impl Write, module: &Module) -> io::Result<()> {
    let bodies = || inspect::functions(module).filter_map(|function| function.body);
    let largest = bodies().map(|body| body.len()).max().unwrap_or_default();
    writeln!(out, "functions ({}, the largest of {largest} bytes)", bodies().count())
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
            let mutable = if ty.mutability() == Mutability::Var { "mut " } else { "" };
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
