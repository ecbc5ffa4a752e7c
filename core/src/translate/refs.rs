//! Where managed references are on the operand stack, for whoever looks for garbage.
//!
//! Operand stacks of neighbouring ops have most in common, so they are kept as lists that share their tails: what is live at an op
//! is one number. All lists together have one node per reference that is ever pushed.

use alloc::{boxed::Box, vec::Vec};

/// The managed references on the operand stacks of a function.
#[derive(Debug, Default)]
pub struct Refs(Box<[Node]>);

/// Which references are live at an op, apart from locals: a list of [`Refs`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Live(u32);

/// A reference that is on the operand stack for a while.
#[derive(Clone, Copy, Debug)]
struct Node {
    height: u32,
    /// The ones below it.
    below: Live,
    /// From which offset of the binary on it is in the slot of its height. Before that it is a constant, or in a local, which
    /// keeps what it refers to alive.
    since: u32,
}

impl Refs {
    /// Heights of the references that are live at an op that comes from this offset of the binary, and in their slots.
    pub fn heights(&self, live: Live, offset: u32) -> impl Iterator<Item = u32> {
        let mut next = live;
        core::iter::from_fn(move || {
            let node = self.0[next.0.checked_sub(1)? as usize];
            next = node.below;
            Some(node)
        })
        .filter(move |node| node.since <= offset)
        .map(|node| node.height)
    }
}

/// Collects [`Refs`] while a function is translated.
#[derive(Debug, Default)]
pub(super) struct Notes {
    nodes: Vec<Node>,
    /// Those on the operand stack now, lowest first.
    stack: Vec<u32>,
    /// The offset of the current operator.
    pub(super) offset: u32,
}

impl Notes {
    /// A reference is pushed.
    pub(super) fn push(&mut self, height: u32, in_slot: bool) {
        let below = self.live(height);
        let since = if in_slot { 0 } else { u32::MAX };
        self.stack.push(self.nodes.len() as u32);
        self.nodes.push(Node { height, below, since });
    }

    /// The topmost reference is popped.
    pub(super) fn pop(&mut self) {
        self.stack.pop();
    }

    /// A reference is in its slot from now on.
    pub(super) fn settle(&mut self, height: u32) {
        let at = self.count_below(height);
        if let Some(&node) = self.stack.get(at) {
            let node = &mut self.nodes[node as usize];
            if node.height == height {
                node.since = node.since.min(self.offset);
            }
        }
    }

    /// The references below a height.
    pub(super) fn live(&self, height: u32) -> Live {
        match self.count_below(height).checked_sub(1) {
            Some(top) => Live(self.stack[top] + 1),
            None => Live(0),
        }
    }

    fn count_below(&self, height: u32) -> usize {
        match self.stack.last() {
            // What is asked for most often.
            Some(&top) if self.nodes[top as usize].height < height => self.stack.len(),
            _ => self.stack.partition_point(|&node| self.nodes[node as usize].height < height),
        }
    }

    pub(super) fn finish(self) -> Refs {
        Refs(self.nodes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_share_and_remember() {
        let mut notes = Notes::default();
        notes.push(0, true);
        notes.push(2, false);
        let before = notes.live(u32::MAX);
        notes.offset = 10;
        notes.settle(2);
        notes.settle(1);
        notes.push(3, true);
        let three = notes.live(u32::MAX);
        let below = notes.live(3);
        notes.pop();
        notes.pop();
        notes.push(1, true);
        let other = notes.live(5);
        let refs = notes.finish();
        let heights = |live, at| refs.heights(live, at).collect::<Vec<_>>();
        assert_eq!(heights(before, 5), [0]);
        assert_eq!(heights(three, 10), [3, 2, 0]);
        assert_eq!(heights(below, 11), [2, 0]);
        assert_eq!(heights(other, 12), [1, 0]);
        assert_eq!(heights(Live(0), 12), []);
    }
}
