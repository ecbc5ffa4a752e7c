//! `kinglet inspect`.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::{ValueEnum, ValueHint};
use kinglet::{Engine, ExternType, FuncType, Module, Mutability, OpSet, inspect};

use crate::asm;
use crate::failure::Failure;
use crate::input;
use crate::listing::Listing;
use crate::proposals::ProposalArgs;

/// Show what a module or an artifact consists of.
///
/// Its sections and their sizes, what it imports and exports, and which proposals to the standard it needs.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kinglet inspect hello.wasm
  kinglet inspect hello.wasm --bytecode          # of all functions
  kinglet inspect hello.wasm --bytecode main     # of one, by name or index
  kinglet inspect hello.wasm --asm main --target aarch64")]
pub(crate) struct Args {
    /// The module, binary or text, or the artifact; `-` is standard input.
    #[arg(
        required_unless_present = "bytecode",
        value_name = "FILE",
        value_hint = ValueHint::FilePath
    )]
    file: Option<OsString>,

    /// Show instead the code that the interpreter runs, beside the WebAssembly it was made from: of all functions or
    /// of FUNC, a name or an index.
    #[arg(long, value_name = "FUNC", group = "code")]
    bytecode: Option<Option<String>>,

    /// Show instead the compiler's form of FUNC, a name or an index.
    #[arg(long, value_name = "FUNC", group = "code")]
    ir: Option<String>,

    /// Show instead the machine code that the compiler makes of FUNC, a name or an index.
    #[arg(long, value_name = "FUNC", group = "code")]
    asm: Option<String>,

    /// The processor to make machine code for, if it is not this one's.
    #[arg(long, value_enum, requires = "asm")]
    target: Option<Target>,

    #[command(flatten)]
    proposals: ProposalArgs,
}

/// Processors that there is machine code for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    #[value(name = "x86_64")]
    X64,
    #[value(name = "aarch64")]
    Arm64,
}

impl Args {
    /// The file, and which bytecode to show of it.
    fn split(&self) -> Result<(OsString, Option<Option<String>>), Failure> {
        match (self.file.clone(), self.bytecode.clone()) {
            (Some(file), bytecode) => Ok((file, bytecode)),
            // In `--bytecode FILE` clap takes the file for the function.
            (None, Some(Some(file))) => Ok((file.into(), Some(None))),
            (None, _) => Err(Failure::usage("which FILE?")),
        }
    }
}

pub(crate) fn run(args: Args) -> Result<i32, Failure> {
    let (file, bytecode) = args.split()?;
    let bytes = input::read(&file)?;
    let engine = input::lazy_engine(&args.proposals, &bytes)?;
    let module = input::compile(&engine, &file, &bytes)?;
    let artifact = inspect::artifact(&bytes);
    if artifact.is_some() && (bytecode.is_some() || args.ir.is_some() || args.asm.is_some()) {
        let file = input::name(&file);
        return Err(Failure::new(format!("{file} is an artifact: its code cannot be shown")));
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    if let Some(function) = args.ir.as_ref().or(args.asm.as_ref()) {
        let file = input::name(&file);
        let functions = chosen(&module, Some(function), &file)?;
        let failure = |error: kinglet::Error| Failure::new(format!("{file}: {error:#}"));
        let text = match args.asm {
            Some(_) => {
                let target = target(args.target)?;
                let code = inspect::machine_code(&module, functions[0].index, target);
                asm::list(&code.map_err(failure)?)
            }
            None => inspect::ir(&module, functions[0].index).map_err(failure)?,
        };
        out.write_all(text.as_bytes())?;
        out.flush()?;
        return Ok(0);
    }
    match bytecode {
        Some(function) => {
            let file = input::name(&file);
            let functions = chosen(&module, function.as_deref(), &file)?;
            show_bytecode(&mut out, &module, &functions, &file)?;
        }
        None => {
            if let Some(name) = module.name() {
                writeln!(out, "module {name}")?;
            }
            if let Some(artifact) = &artifact {
                show_artifact(&mut out, artifact)?;
            }
            show_sections(&mut out, &module)?;
            if artifact.is_some() {
                writeln!(out, "functions ({})", inspect::tiers(&module).functions)?;
            } else {
                show_functions(&mut out, &module)?;
            }
            show_externs(&mut out, &module)?;
            if artifact.is_some() {
                show_stack(&mut out, &module)?;
            }
            writeln!(out, "proposals needed")?;
            let features = inspect::features_used(&module);
            let features =
                if features.is_empty() { "none".to_owned() } else { features.join(", ") };
            writeln!(out, "  {features}")?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// What machine code is asked for.
fn target(wanted: Option<Target>) -> Result<inspect::Target, Failure> {
    match wanted {
        Some(Target::X64) => Ok(inspect::Target::X64),
        Some(Target::Arm64) => Ok(inspect::Target::Arm64),
        None => inspect::Target::HOST.ok_or_else(|| Failure::usage("for which --target?")),
    }
}

/// The functions whose code is asked for: all that are not imported, or the one whose index or name `wanted` is.
fn chosen(
    module: &Module,
    wanted: Option<&str>,
    file: &str,
) -> Result<Vec<inspect::Function>, Failure> {
    let Some(wanted) = wanted else {
        return Ok(inspect::functions(module).filter(|function| function.body.is_some()).collect());
    };
    let index = wanted.parse().ok();
    let fits = |function: &inspect::Function| {
        Some(function.index) == index || function.name.as_deref() == Some(wanted)
    };
    let function = inspect::functions(module).find(fits);
    Ok(vec![function.ok_or_else(|| Failure::new(format!("{file} has no function `{wanted}`")))?])
}

fn show_bytecode(
    out: &mut impl Write,
    module: &Module,
    functions: &[inspect::Function],
    file: &str,
) -> Result<(), Failure> {
    let failure = |problem: String| Failure::new(format!("{file}: {problem}"));
    let bodies = || functions.iter().filter_map(|function| function.body.clone());
    let start = bodies().map(|body| body.start).min().unwrap_or_default();
    let end = bodies().map(|body| body.end).max().unwrap_or_default();
    let listing = Listing::new(inspect::binary(module), start..end).map_err(failure)?;
    for function in functions {
        let code = inspect::bytecode(module, function.index);
        let code = code.map_err(|error| failure(format!("{error:#}")))?;
        let name = function.name.as_deref().unwrap_or_default();
        writeln!(out, "{} {name}: {}", function.index, show_function(&function.ty))?;
        listing.write(out, &function.body.clone().unwrap_or_default(), &code)?;
        writeln!(out)?;
    }
    Ok(())
}

fn show_artifact(out: &mut impl Write, artifact: &inspect::Artifact) -> io::Result<()> {
    let ops = match artifact.ops {
        Some(OpSet::Small) => "small",
        Some(OpSet::Standard) => "standard",
        Some(OpSet::Fused) => "fused",
        _ => "unknown",
    };
    let metered = if artifact.metered { ", metered" } else { "" };
    writeln!(out, "artifact (version {}, {ops} ops{metered})", artifact.version)?;
    let sha256: String = artifact.wasm_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(out, "  of the binary with the SHA-256 {sha256}")
}

fn show_stack(out: &mut impl Write, module: &Module) -> io::Result<()> {
    writeln!(out, "stack that calls take at most")?;
    for (name, bytes) in module.requirements().stack() {
        match bytes {
            Some(bytes) => writeln!(out, "  {name}: {bytes} bytes")?,
            None => writeln!(out, "  {name}: unknown")?,
        }
    }
    Ok(())
}

fn show_sections(out: &mut impl Write, module: &Module) -> io::Result<()> {
    let artifact = Engine::detect_precompiled(inspect::binary(module));
    writeln!(out, "sections ({} bytes)", inspect::binary(module).len())?;
    for section in inspect::sections(module) {
        let name = match section.is_custom() && !artifact {
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
        ExternType::Func(ty) => show_function(ty),
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
        ExternType::Tag(ty) => {
            let params: Vec<String> = ty.ty().params().map(|ty| ty.to_string()).collect();
            format!("tag ({})", params.join(", "))
        }
        _ => "something unknown".to_owned(),
    }
}

fn show_function(ty: &FuncType) -> String {
    let list = |types: Vec<String>| types.join(", ");
    let params = list(ty.params().map(|ty| ty.to_string()).collect());
    let results = list(ty.results().map(|ty| ty.to_string()).collect());
    format!("func ({params}) -> ({results})")
}

fn limits(minimum: u64, maximum: Option<u64>) -> String {
    match maximum {
        Some(maximum) => format!("{minimum}..{maximum}"),
        None => format!("{minimum}.."),
    }
}
