//! Machine registers, and where virtual registers are put.

use crate::ir::Vreg;
use std::fmt;

/// A machine register: 0 to 31 for integers by their number in the instruction set, 32 to 63 for floats.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(u8);

impl Reg {
    /// The register for integers with this number.
    pub const fn int(number: u8) -> Reg {
        Reg(number)
    }

    /// The register for floats with this number.
    pub const fn float(number: u8) -> Reg {
        Reg(number + 32)
    }

    /// Whether it is one for floats.
    pub const fn is_float(self) -> bool {
        self.0 >= 32
    }

    /// Its number in the instruction set, among registers of its class.
    pub const fn number(self) -> u8 {
        self.0 & 31
    }

    /// Its number among all registers.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_float() { 'f' } else { 'r' }, self.number())
    }
}

/// A set of machine registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegSet(pub u64);

impl RegSet {
    /// No register.
    pub const EMPTY: RegSet = RegSet(0);

    /// These registers.
    pub const fn of(regs: &[Reg]) -> RegSet {
        let (mut set, mut i) = (0, 0);
        while i < regs.len() {
            set |= 1 << regs[i].0;
            i += 1;
        }
        RegSet(set)
    }

    /// Whether it has a register.
    #[inline]
    pub const fn has(self, reg: Reg) -> bool {
        self.0 >> reg.0 & 1 != 0
    }

    /// Adds a register.
    #[inline]
    pub fn add(&mut self, reg: Reg) {
        self.0 |= 1 << reg.0;
    }

    /// Removes a register.
    #[inline]
    pub fn remove(&mut self, reg: Reg) {
        self.0 &= !(1 << reg.0);
    }

    /// The register with the lowest number.
    #[inline]
    pub fn first(self) -> Option<Reg> {
        (self.0 != 0).then(|| Reg(self.0.trailing_zeros() as u8))
    }

    /// The register with the highest number.
    #[inline]
    pub fn last(self) -> Option<Reg> {
        (self.0 != 0).then(|| Reg(63 - self.0.leading_zeros() as u8))
    }

    /// How many there are.
    #[inline]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The registers, lowest number first.
    pub fn iter(self) -> impl Iterator<Item = Reg> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let reg = RegSet(rest).first()?;
            rest &= rest - 1;
            Some(reg)
        })
    }
}

/// The registers of an instruction set that hold virtual registers, and how they are used by calls.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// Those that calls destroy, of both classes.
    pub caller_saved: RegSet,
    /// Those that functions save: integers only.
    pub callee_saved: RegSet,
    /// Where the first integers among the arguments are passed, and among the results.
    pub int_args: &'static [Reg],
    /// Where the first floats among the arguments are passed, and among the results.
    pub float_args: &'static [Reg],
}

/// Where a virtual register is kept, for all of its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: nobody reads it. What writes it writes to a scratch register.
    #[default]
    Nowhere,
    /// In a machine register.
    Reg(Reg),
    /// In a spill slot of 8 bytes.
    Slot(u32),
}

/// Where the virtual registers of a function are kept.
#[derive(Debug, Default)]
pub struct Allocation {
    /// The place of each virtual register.
    pub places: Vec<Place>,
    /// How many spill slots there are.
    pub slots: u32,
    /// Registers that the function has to save.
    pub saved: RegSet,
    /// Registers, not parameters, that begin as zero, after the parameters have been put in place: locals that are read before they are written,
    /// perhaps. Each has a place.
    pub zeroed: Vec<Vreg>,
}

impl Allocation {
    /// Where a virtual register is kept.
    #[inline]
    pub fn place(&self, vreg: Vreg) -> Place {
        self.places[vreg.0 as usize]
    }
}
