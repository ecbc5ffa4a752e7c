//! What modules need of their host.

use crate::{MemoryType, Module, TableType};
use core::fmt;
use kinglet_core::{artifact::Needs, module::ExportItem};

/// What running a module takes, for a host that has to know beforehand. See [`Module::requirements`].
#[derive(Clone, Copy)]
pub struct Requirements<'m> {
    module: &'m Module,
    needs: Option<&'m Needs>,
}

impl<'m> Requirements<'m> {
    pub(crate) fn new(module: &'m Module, needs: Option<&'m Needs>) -> Requirements<'m> {
        Requirements { module, needs }
    }

    /// The functions that the module exports, in order, and how many bytes of the guest's stack
    /// ([`Config::max_wasm_stack`](crate::Config::max_wasm_stack)) a call takes at most.
    ///
    /// That is `None` if it cannot be told: the function may call itself, or functions that are only known when it runs; or the module is
    /// not an artifact, for which it is found out when it is compiled.
    pub fn stack(&self) -> impl Iterator<Item = (&'m str, Option<usize>)> + use<'m> {
        let needs = self.needs.map_or(&[][..], |needs| &needs.stack);
        let exports = self.module.core().exports.iter();
        let funcs = exports.filter(|export| matches!(export.item, ExportItem::Func(_)));
        funcs.enumerate().map(|(i, export)| {
            let slots = needs.get(i).copied().flatten();
            (&*export.name, slots.map(|slots| slots as usize * size_of::<u64>()))
        })
    }

    /// The memories that an instance has of its own. They begin with their minimum of pages, and have no more than their maximum.
    pub fn memories(&self) -> impl ExactSizeIterator<Item = MemoryType> + use<'m> {
        let core = self.module.core();
        core.memories[core.imported_memories as usize..].iter().map(|ty| MemoryType(*ty))
    }

    /// The tables that an instance has of its own. They begin with their minimum of elements, and have no more than their maximum.
    pub fn tables(&self) -> impl ExactSizeIterator<Item = TableType> + use<'m> {
        let (core, types) = (self.module.core(), &self.module.program().types);
        core.tables[core.imported_tables as usize..]
            .iter()
            .map(|ty| TableType::from_core(types.registry(), ty.map(|i| types[i as usize])))
    }
}

impl fmt::Debug for Requirements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requirements").field("module", self.module).finish_non_exhaustive()
    }
}
