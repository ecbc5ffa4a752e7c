//! The managed references in the frames of compiled code.

use super::walk::Here;
use kinglet_core::{
    error::Error,
    runtime::{StoreInner, vmctx::activation::Frames},
};

/// Compiled code that stands still.
pub(super) struct Standing {
    pub(super) here: Here,
    /// The operands of the op that it stands at, if they are still of use.
    pub(super) operands: Option<*const u64>,
}

impl Frames for Standing {
    fn roots(&self, _: &StoreInner, root: &mut dyn FnMut(u32)) -> Result<(), Error> {
        let mut frames = self.here.frames(None);
        let mut operands = self.operands;
        while !frames.is_over() {
            let (notes, site) = (frames.notes(), frames.site());
            if let Some(operands) = operands.take() {
                for number in notes.ref_args(site) {
                    // SAFETY: STOPPED: the code has put the operands of the op there.
                    root(unsafe { operands.add(number as usize).read() } as u32);
                }
            }
            for value in notes.refs(site) {
                root(frames.read(value) as u32);
            }
            frames.leave();
        }
        Ok(())
    }
}
