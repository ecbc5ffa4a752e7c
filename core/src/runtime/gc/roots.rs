//! What the embedder holds on to.

use crate::{Shared, runtime::vmctx::activation::Activations};
use alloc::vec::Vec;

/// Roots that are not in objects of the store.
#[derive(Default)]
pub struct Roots {
    /// Whether there has ever been a root of a scope, or an object that there could be roots of.
    pub(super) begun: bool,
    /// Those of the embedder's scopes, inner ones last.
    scoped: Vec<Scoped>,
    /// How many scopes that had roots have ended.
    ended: u64,
    owned: Vec<Owned>,
    /// Entries of `owned` that can be used again.
    unowned: Vec<u32>,
    /// How many roots have had owners.
    owners: u64,
    held: Vec<Held>,
    /// How many `held` and `owned` may be before those that nobody holds any more are taken out.
    tidy_at: usize,
    pub(crate) activations: Activations,
}

struct Owned {
    handle: u32,
    /// What `owners` was when it was made.
    made: u64,
    /// The owners have clones of it. `None` if it can be used again.
    owner: Option<Owner>,
}

struct Scoped {
    handle: u32,
    /// What `ended` was when it was made.
    made: u64,
}

/// Names a root of a scope, and notices when the scope has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RootId {
    made: u64,
    at: u32,
}

/// A scope that is open.
#[derive(Clone, Copy, Debug)]
pub struct Scope(usize);

impl Scope {
    /// The scope of all roots.
    pub const OUTERMOST: Scope = Scope(0);
}

/// Marks the `at` of roots that have owners.
const OWNED: u32 = 1 << 31;

/// Keeps a root for as long as somebody has a clone of this.
pub type Owner = Shared<()>;

/// Managed references that are roots for as long as somebody has a clone of this.
pub type Held = Shared<[u32]>;

impl Roots {
    /// Makes a managed reference a root until the scope that is open now ends.
    pub fn add(&mut self, handle: u32) -> RootId {
        let at = self.scoped.len() as u32;
        assert!(at < OWNED, "a scope has less than 2^31 roots");
        self.begun = true;
        self.scoped.push(Scoped { handle, made: self.ended });
        RootId { made: self.ended, at }
    }

    /// The reference that a root holds, unless its scope has ended.
    pub fn get(&self, root: RootId) -> Option<u32> {
        if root.at & OWNED != 0 {
            let owned = self.owned.get((root.at & !OWNED) as usize)?;
            return (owned.made == root.made && owned.owner.is_some()).then_some(owned.handle);
        }
        let scoped = self.scoped.get(root.at as usize)?;
        (scoped.made == root.made).then_some(scoped.handle)
    }

    /// Opens a scope.
    #[inline]
    pub fn enter(&self) -> Scope {
        Scope(self.scoped.len())
    }

    /// Ends a scope, and those inside of it.
    #[inline]
    pub fn leave(&mut self, scope: Scope) {
        if self.scoped.len() > scope.0 {
            self.end(scope);
        }
    }

    #[cold]
    fn end(&mut self, scope: Scope) {
        self.scoped.truncate(scope.0);
        self.ended += 1;
    }

    /// Makes room for more roots in scopes.
    pub fn reserve(&mut self, additional: usize) {
        self.scoped.reserve(additional);
    }

    /// Makes managed references roots for as long as somebody has a clone of the answer.
    pub fn hold(&mut self, handles: &[u32]) -> Held {
        if self.held.len() >= self.tidy_at {
            self.tidy();
        }
        let held: Held = handles.into();
        self.held.push(held.clone());
        held
    }

    /// Makes a managed reference a root for as long as somebody has a clone of the owner.
    pub fn own(&mut self, handle: u32) -> (RootId, Owner) {
        if self.owned.len() - self.unowned.len() >= self.tidy_at {
            self.tidy();
        }
        self.owners += 1;
        let (made, owner) = (self.owners, Owner::default());
        let entry = Owned { handle, made, owner: Some(owner.clone()) };
        let at = match self.unowned.pop() {
            Some(at) => {
                self.owned[at as usize] = entry;
                at
            }
            None => {
                self.owned.push(entry);
                self.owned.len() as u32 - 1
            }
        };
        assert!(at < OWNED, "there are less than 2^31 roots with owners");
        (RootId { made, at: at | OWNED }, owner)
    }

    fn tidy(&mut self) {
        self.held.retain(|held| Shared::strong_count(held) > 1);
        for (at, owned) in (0..).zip(&mut self.owned) {
            if owned.owner.take_if(|owner| Shared::strong_count(owner) == 1).is_some() {
                self.unowned.push(at);
            }
        }
        let owned = self.owned.len() - self.unowned.len();
        self.tidy_at = (2 * self.held.len().max(owned)).max(64);
    }

    /// Calls `root` with all roots but those of activations.
    pub(super) fn each(&mut self, root: &mut dyn FnMut(u32)) {
        self.tidy();
        self.scoped.iter().for_each(|scoped| root(scoped.handle));
        let owned = self.owned.iter().filter(|owned| owned.owner.is_some());
        owned.for_each(|owned| root(owned.handle));
        self.held.iter().flat_map(|held| held.iter()).for_each(|&handle| root(handle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_end_with_their_scopes() {
        let mut roots = Roots::default();
        let a = roots.add(2);
        let outer = roots.enter();
        let b = roots.add(4);
        let inner = roots.enter();
        roots.leave(inner);
        assert_eq!((roots.get(a), roots.get(b)), (Some(2), Some(4)));
        roots.leave(outer);
        let c = roots.add(6);
        assert_eq!((roots.get(a), roots.get(b), roots.get(c)), (Some(2), None, Some(6)));
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let mut roots = Roots::default();
        let kept = roots.hold(&[2, 4]);
        for _ in 0..1000 {
            roots.hold(&[6]);
        }
        assert!(roots.held.len() <= 64);
        let mut seen = Vec::new();
        roots.each(&mut |handle| seen.push(handle));
        assert_eq!(seen, *kept);
    }
}
