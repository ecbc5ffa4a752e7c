//! Making the code of a module for an artifact.

use super::{
    Code, Entry, Tables,
    check::{self, Call, Callee, Structure},
    write_tables,
};
use crate::{code::of_set, exec::regs::ENTRIES, forms::code, sink::Builder};
use alloc::{vec, vec::Vec};
use kinglet_core::{
    error::Error,
    index::FuncIdx,
    module::{
        ElemItems, ExportItem, Module,
        const_expr::{ConstExpr, ConstOp},
    },
    op::OpSet,
    translate::{self, Translator},
};

/// The code of a module for an artifact.
#[derive(Clone, Debug)]
pub struct Image {
    /// The bytecode.
    pub code: Vec<u8>,
    /// The side tables.
    pub tables: Vec<u8>,
    /// For each function that is not imported, how many slots of a value stack a call of it needs; `None` if that cannot be known:
    /// it may call itself, or a function that another module has put into a table. Imported functions are taken for the host's.
    pub stack: Vec<Option<u32>>,
}

/// Makes the code of a module for an artifact.
///
/// # Errors
/// A function exceeds what the bytecode can express, or has ops that an artifact cannot have.
pub fn make(module: &Module, set: OpSet, metered: bool) -> Result<Image, Error> {
    let imported = module.imported_funcs as usize;
    let first = (ENTRIES + 4 * module.funcs.len()).next_multiple_of(8);
    let mut bytes = vec![0; first];
    for (i, opcode) in [code::STOP, code::CROSS_RETURN].into_iter().enumerate() {
        bytes[2 * i..2 * i + 2].copy_from_slice(&of_set(opcode, set).to_le_bytes());
    }
    let mut entries: Vec<Entry> = Vec::with_capacity(module.bodies.len());
    let mut translator = Translator::default();
    let mut builder = Builder::new(set);
    let mut frame_size = 0;
    for func in (imported..module.funcs.len()).map(|index| FuncIdx(index as u32)) {
        let options = translate::Options { metered, refs: false, explicit: true };
        translator.translate(module, func, &mut builder, options)?;
        let start = u32::try_from(bytes.len());
        let start = start.map_err(|_| Error::limit("the code of a module exceeds 4 GiB"))?;
        let entry = ENTRIES + 4 * func.at();
        bytes[entry..entry + 4].copy_from_slice(&start.to_le_bytes());
        bytes.extend_from_slice(&builder.code);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        frame_size = frame_size.max(builder.frame_size);
        entries.push(Entry {
            len: builder.code.len() as u32,
            saved_pin: builder.saved_pin().map(|slot| slot as u16),
            header: builder.header(),
            handlers: builder.handlers(),
            states: Vec::new(),
        });
    }
    let mut calls: Vec<Vec<Call>> = vec![Vec::new(); module.bodies.len()];
    // What could not be loaded is not made.
    let code = Code { bytes: &bytes, origin: 0 };
    let tables = write_tables(frame_size, &entries);
    let found =
        check::check(module, code, &Tables::new(&tables, 0)?, metered, &mut |func, call| {
            calls[func.at() - imported].push(call);
        });
    let found = found.map_err(refused)?;
    #[cfg(feature = "gc")]
    let tables = with_states(module, code, tables, &found, entries).map_err(refused)?;
    let stack = Depths::new(module, &calls, &found).all(frame_size);
    Ok(Image { code: bytes, tables, stack })
}

fn refused(error: Error) -> Error {
    error.context("the module cannot become an artifact")
}

/// The side tables, to which is added what slots hold in the functions that handle references.
#[cfg(feature = "gc")]
fn with_states(
    module: &Module,
    code: Code<'_>,
    tables: Vec<u8>,
    found: &Structure,
    mut entries: Vec<Entry>,
) -> Result<Vec<u8>, Error> {
    use super::{flow, infer, types::Types};
    if found.on_refs.is_empty() {
        return Ok(tables);
    }
    let (tables, types) = (Tables::new(&tables, 0)?, Types::new(module));
    for &func in &found.on_refs {
        let body = flow::Body::of(module, code, &tables, func)?;
        let states = infer::infer(module, code, &types, tables.frame_size(), &body)?;
        entries[func.at() - module.imported_funcs as usize].states = states;
    }
    let written = write_tables(tables.frame_size(), &entries);
    flow::check(module, code, &Tables::new(&written, 0)?, found)?;
    Ok(written)
}

/// How deep calls go.
struct Depths<'a> {
    module: &'a Module,
    calls: &'a [Vec<Call>],
    /// Functions of the module that may be in tables.
    in_tables: Vec<FuncIdx>,
    /// Whether others may put functions into a table, from where they may be copied to the rest.
    are_open: bool,
    known: Vec<Depth>,
}

/// How many slots above the beginning of a function's frame the highest frame begins that it leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Depth {
    Open,
    /// It is being looked at: whoever comes across it again is recursive.
    Begun,
    Known(Option<u32>),
}

impl<'a> Depths<'a> {
    fn new(module: &'a Module, calls: &'a [Vec<Call>], found: &Structure) -> Depths<'a> {
        let mut in_tables: Vec<FuncIdx> = Vec::new();
        let mut exprs: Vec<&ConstExpr> = module.table_inits.iter().flatten().collect();
        for elem in &module.elems {
            match &elem.items {
                ElemItems::Funcs(funcs) => in_tables.extend(funcs),
                ElemItems::Exprs(items) => exprs.extend(items),
            }
        }
        in_tables.extend(exprs.iter().flat_map(|expr| expr.ops()).filter_map(|op| match op {
            ConstOp::RefFunc(func) => Some(*func),
            _ => None,
        }));
        in_tables.sort_unstable();
        in_tables.dedup();
        let exported = |item| matches!(item, ExportItem::Table(_));
        // Functions that handle references may put any into a table.
        let are_open = module.imported_tables > 0
            || !found.on_refs.is_empty()
            || module.exports.iter().any(|export| exported(export.item));
        Depths { module, calls, in_tables, are_open, known: vec![Depth::Open; calls.len()] }
    }

    fn all(mut self, frame_size: u32) -> Vec<Option<u32>> {
        for number in 0..self.known.len() {
            self.find(number);
        }
        let slots = |depth: &Depth| match depth {
            // At its entry, every function has room for the largest frame.
            Depth::Known(depth) => depth.and_then(|depth| depth.checked_add(frame_size)),
            Depth::Open | Depth::Begun => None,
        };
        self.known.iter().map(slots).collect()
    }

    /// Finds the depth of a function, and of all that it leads to.
    fn find(&mut self, first: usize) {
        let mut path = vec![first];
        while let Some(&number) = path.last() {
            match self.known[number] {
                Depth::Known(_) => _ = path.pop(),
                Depth::Open => {
                    self.known[number] = Depth::Begun;
                    let callees = self.calls[number]
                        .iter()
                        .flat_map(|call| self.callees(call).into_iter().flatten());
                    let open = callees.filter(|&callee| self.known[callee] == Depth::Open);
                    path.extend(open.collect::<Vec<_>>());
                }
                Depth::Begun => {
                    path.pop();
                    let depth = self.calls[number].iter().try_fold(0, |deepest: u32, call| {
                        self.callees(call)?.into_iter().try_fold(deepest, |deepest, callee| {
                            let Depth::Known(Some(depth)) = self.known[callee] else { return None };
                            Some(deepest.max(call.base.checked_add(depth)?))
                        })
                    });
                    self.known[number] = Depth::Known(depth);
                }
            }
        }
    }

    /// The functions of the module that a call may enter; `None` if there may be others.
    fn callees(&self, call: &Call) -> Option<Vec<usize>> {
        let imported = self.module.imported_funcs as usize;
        match call.callee {
            Callee::Func(func) => Some(func.at().checked_sub(imported).into_iter().collect()),
            Callee::Ref => None,
            Callee::Table(ty) => {
                if self.are_open {
                    return None;
                }
                let ty = self.module.signature(ty);
                let fits = |func: &&FuncIdx| self.module.func_type(**func) == ty;
                let funcs = self.in_tables.iter().filter(fits);
                Some(funcs.filter_map(|func| func.at().checked_sub(imported)).collect())
            }
        }
    }
}
