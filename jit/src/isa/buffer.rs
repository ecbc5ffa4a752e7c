//! What machine code is appended to.

use super::{Stub, Target};
use crate::ir::Label;
use dynasmrt::DynasmApi;
use kinglet_core::{index::FuncIdx, trap::Trap};

/// The code of a module in the making: functions and stubs, one behind the other.
#[derive(Debug, Default)]
pub struct Code {
    /// The code.
    pub bytes: Vec<u8>,
    /// Branches and addresses that lead out of the function they stand in: where, and to what.
    pub relocations: Vec<(u32, Target)>,
    /// Return addresses of calls and traps, with the instruction that they belong to, in the order of offsets. `None` if nobody wants to
    /// know.
    pub sites: Option<Vec<Site>>,
    /// Where the labels of the function are.
    pub labels: Vec<u32>,
}

/// A return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// The offset in the code.
    pub at: u32,
    /// The instruction.
    pub inst: u32,
    /// Whether the call has changed the instance, which the frame keeps.
    pub crosses: bool,
}

/// Where a label is not bound yet.
pub const UNBOUND: u32 = u32::MAX;

impl Code {
    /// Begins a function with so many labels.
    pub fn begin(&mut self, labels: usize) {
        self.labels.clear();
        self.labels.resize(labels, UNBOUND);
        if let Some(sites) = &mut self.sites {
            sites.clear();
        }
    }

    /// Where the next byte goes.
    #[inline]
    pub fn at(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// Binds a label here.
    pub fn bind(&mut self, label: Label) {
        self.labels[label.0 as usize] = self.at();
    }

    /// Notes that the branch or address at `at` leads there.
    pub fn relocate(&mut self, at: u32, target: Target) {
        self.relocations.push((at, target));
    }

    /// Notes a return address here.
    pub fn site(&mut self, inst: usize, crosses: bool) {
        let at = self.at();
        if let Some(sites) = &mut self.sites {
            sites.push(Site { at, inst: inst as u32, crosses });
        }
    }

    /// A function of the module.
    pub fn func(func: FuncIdx) -> Target {
        Target::Func(func)
    }

    /// The stub for a trap.
    pub fn trap(trap: Trap) -> Target {
        Target::Stub(Stub::Trap(trap))
    }
}

impl Extend<u8> for Code {
    #[inline]
    fn extend<T: IntoIterator<Item = u8>>(&mut self, bytes: T) {
        self.bytes.extend(bytes);
    }
}

impl<'a> Extend<&'a u8> for Code {
    #[inline]
    fn extend<T: IntoIterator<Item = &'a u8>>(&mut self, bytes: T) {
        self.bytes.extend(bytes);
    }
}

impl DynasmApi for Code {
    #[inline]
    fn offset(&self) -> dynasmrt::AssemblyOffset {
        dynasmrt::AssemblyOffset(self.bytes.len())
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    #[inline]
    fn align(&mut self, alignment: usize, with: u8) {
        while !self.bytes.len().is_multiple_of(alignment) {
            self.bytes.push(with);
        }
    }

    #[inline]
    fn push_i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    fn push_u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    fn push_i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
}
