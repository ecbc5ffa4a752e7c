//! Executions that have called the host: what they hold references to must be found while the host has their store.

use crate::{error::Error, runtime::StoreInner};
use core::ptr::NonNull;

/// Frames of a guest that stand still.
pub trait Frames {
    /// Calls `root` with every managed reference that the frames hold.
    ///
    /// # Errors
    /// There is no memory to find that out.
    fn roots(&self, store: &StoreInner, root: &mut dyn FnMut(u32)) -> Result<(), Error>;
}

/// The executions below the running one that have something to say about roots, the last one first.
#[derive(Default)]
pub(crate) struct Activations(Option<NonNull<Link>>);

struct Link {
    frames: NonNull<dyn Frames>,
    below: Option<NonNull<Link>>,
}

// SAFETY: the links are only followed by who has the store, while the calls that they belong to stand below; there are none
// when a store moves to another thread, since those calls have it borrowed.
unsafe impl Send for Activations {}
// SAFETY: as above; nothing is written through the links.
unsafe impl Sync for Activations {}

impl Activations {
    /// Calls `visit` with each of the frames, until it fails.
    pub(crate) fn each(
        &self,
        mut visit: impl FnMut(&dyn Frames) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut next = self.0;
        while let Some(link) = next {
            // SAFETY: `StoreInner::during` keeps link and frames borrowed for as long as the link is in the list.
            let Link { frames, below } = unsafe { link.as_ref() };
            // SAFETY: as above.
            visit(unsafe { frames.as_ref() })?;
            next = *below;
        }
        Ok(())
    }
}

impl StoreInner {
    /// Does something during which these frames stand still, and collections find what they refer to.
    pub fn during<R>(&mut self, frames: &dyn Frames, act: impl FnOnce(&mut StoreInner) -> R) -> R {
        /// Takes the link out of the list again, whatever happens.
        struct Linked<'s>(&'s mut StoreInner, Option<NonNull<Link>>);

        impl Drop for Linked<'_> {
            fn drop(&mut self) {
                self.0.heap.roots.activations = Activations(self.1);
            }
        }

        // There nothing is collected.
        if cfg!(not(feature = "gc")) {
            return act(self);
        }
        let below = self.heap.roots.activations.0;
        let frames: *const (dyn Frames + '_) = frames;
        // SAFETY: only the lifetime in the type changes. `frames` is borrowed until this function ends, and so does the link's
        // place in the list, which is the only way to the pointer.
        let frames: *const (dyn Frames + 'static) = unsafe { core::mem::transmute(frames) };
        let Some(frames) = NonNull::new(frames.cast_mut()) else {
            unreachable!("it was a reference")
        };
        let link = Link { frames, below };
        self.heap.roots.activations = Activations(Some(NonNull::from(&link)));
        let linked = Linked(self, below);
        act(&mut *linked.0)
    }
}
