//! Validation of one operator after the other, and what it finds out about a function on the way: which locals matter.

use crate::module::Body;
use alloc::vec::Vec;
use wasmparser::{
    FrameKind, FrameStack, FuncValidator, ValType, ValidatorResources, VisitOperator,
    for_each_visit_operator,
};

/// How much more often a loop's operators are taken to run than what is around it.
const LOOP: u64 = 8;
/// What a use counts at most: loops deeper than six count no more.
const MAX_WEIGHT: u64 = LOOP.pow(6);
/// The fewest uses for which an integer local deserves a register.
const MIN_INT: u64 = 2;
/// The fewest uses for which an `f64` local deserves a register: one in a loop.
const MIN_F64: u64 = LOOP;

/// How much the locals of a function are used. Recycled from function to function.
pub(super) struct Profile {
    /// Uses of each local, weighted by the loops around them. All zero between functions.
    uses: Vec<u64>,
    /// The locals that have uses.
    used: Vec<u32>,
    /// The weight of operators around each block that is open.
    outer: Vec<u64>,
    /// The weight of the current operator.
    weight: u64,
    /// How many blocks may be open.
    max_nesting: usize,
    /// Where more were.
    too_deep: Option<u64>,
    /// Where its conditional branches are, if somebody wants to know.
    pub(super) branches: Option<Vec<u64>>,
}

impl Profile {
    pub(super) fn new(max_nesting: u32) -> Profile {
        Profile {
            uses: Vec::new(),
            used: Vec::new(),
            outer: Vec::new(),
            weight: 1,
            max_nesting: max_nesting as usize,
            too_deep: None,
            branches: None,
        }
    }

    /// A visitor that validates the operator at `offset` and takes note of it.
    pub(super) fn visitor<V>(&mut self, validator: V, offset: u64) -> Visitor<'_, V> {
        Visitor { validator, profile: self, offset }
    }

    /// Where blocks were nested too deeply, if they were.
    pub(super) fn too_deep(&self) -> Option<u64> {
        self.too_deep
    }

    /// Ends a function: its locals that deserve a register go to `body`.
    pub(super) fn finish(
        &mut self,
        validator: &FuncValidator<ValidatorResources>,
        body: &mut Body,
    ) {
        let (mut int, mut f64) = ((MIN_INT, None), (MIN_F64, None));
        for local in self.used.drain(..) {
            let uses = core::mem::take(&mut self.uses[local as usize]);
            let best = match validator.get_local_type(local) {
                Some(ValType::I32 | ValType::I64) => &mut int,
                Some(ValType::F64) => &mut f64,
                _ => continue,
            };
            let Ok(local) = u16::try_from(local) else { continue };
            // Of those with the most uses, the first.
            let (most, first) = *best;
            if uses > most || uses == most && first.is_none_or(|first| local < first) {
                *best = (uses, Some(local));
            }
        }
        (body.pinned_int, body.pinned_f64) = (int.1, f64.1);
    }

    #[inline(always)]
    fn count(&mut self, local: u32) {
        let at = local as usize;
        if at >= self.uses.len() {
            self.uses.resize(at + 1, 0);
        }
        if self.uses[at] == 0 {
            self.used.push(local);
        }
        // No overflow: a body has less than 2^32 operators.
        self.uses[at] += self.weight;
    }

    #[inline]
    fn branch(&mut self, offset: u64) {
        if let Some(branches) = &mut self.branches {
            branches.push(offset);
        }
    }

    #[inline]
    fn enter(&mut self, factor: u64, offset: u64) {
        self.outer.push(self.weight);
        self.weight = (self.weight * factor).min(MAX_WEIGHT);
        if self.outer.len() > self.max_nesting {
            self.too_deep.get_or_insert(offset);
        }
    }

    #[inline]
    fn leave(&mut self) {
        // The last `end` closes the function, which nobody entered.
        self.weight = self.outer.pop().unwrap_or(1);
    }
}

pub(super) struct Visitor<'p, V> {
    validator: V,
    profile: &'p mut Profile,
    offset: u64,
}

impl<V: FrameStack> FrameStack for Visitor<'_, V> {
    #[inline(always)]
    fn current_frame(&self) -> Option<FrameKind> {
        self.validator.current_frame()
    }
}

/// Methods that validate, and take note of what `note!` says of the operator.
macro_rules! visit {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($annotation:tt)*) )*) => { $(
        #[inline(always)]
        fn $visit(&mut self $($(, $arg: $ty)*)?) -> Self::Output {
            note!(self $visit $($($arg)*)?)
        }
    )* };
}

macro_rules! note {
    ($self:ident visit_local_get $local:ident) => { note!(@count $self visit_local_get $local) };
    ($self:ident visit_local_set $local:ident) => { note!(@count $self visit_local_set $local) };
    ($self:ident visit_local_tee $local:ident) => { note!(@count $self visit_local_tee $local) };
    ($self:ident visit_block $ty:ident) => { note!(@enter 1, $self visit_block $ty) };
    ($self:ident visit_loop $ty:ident) => { note!(@enter LOOP, $self visit_loop $ty) };
    ($self:ident visit_if $ty:ident) => {{
        $self.profile.branch($self.offset);
        note!(@enter 1, $self visit_if $ty)
    }};
    ($self:ident visit_br_if $depth:ident) => {{
        $self.profile.branch($self.offset);
        $self.validator.visit_br_if($depth)
    }};
    ($self:ident visit_try $ty:ident) => { note!(@enter 1, $self visit_try $ty) };
    ($self:ident visit_try_table $table:ident) => { note!(@enter 1, $self visit_try_table $table) };
    ($self:ident visit_end) => {{
        $self.validator.visit_end()?;
        $self.profile.leave();
        Ok(())
    }};
    ($self:ident visit_delegate $depth:ident) => {{
        $self.validator.visit_delegate($depth)?;
        $self.profile.leave();
        Ok(())
    }};
    ($self:ident $visit:ident $($arg:ident)*) => { $self.validator.$visit($($arg),*) };
    (@count $self:ident $visit:ident $local:ident) => {{
        $self.validator.$visit($local)?;
        $self.profile.count($local);
        Ok(())
    }};
    (@enter $factor:expr, $self:ident $visit:ident $ty:ident) => {{
        $self.validator.$visit($ty)?;
        $self.profile.enter($factor, $self.offset);
        Ok(())
    }};
}

impl<'a, V: VisitOperator<'a, Output = wasmparser::Result<()>>> VisitOperator<'a>
    for Visitor<'_, V>
{
    type Output = wasmparser::Result<()>;

    #[cfg(feature = "simd")]
    fn simd_visitor(
        &mut self,
    ) -> Option<&mut dyn wasmparser::VisitSimdOperator<'a, Output = Self::Output>> {
        self.validator.simd_visitor()
    }

    for_each_visit_operator!(visit);
}
