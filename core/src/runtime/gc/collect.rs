//! Marking what can be reached, and sweeping what cannot.
//!
//! Both take time linear in what they look at: objects in use are looked at twice, free space once per run. Marking keeps a stack
//! of its own, on which every object is put once at most. If there is no memory for that, objects are marked without being put
//! there, and found again by a walk through the heap.

use super::{
    EXCEPTION, FREE, HOST, Heap, MARK, is_object,
    layout::{Layout, Storage},
    split, unit, units,
};
use crate::{error::Error, runtime::StoreInner};
use alloc::{boxed::Box, vec::Vec};

impl StoreInner {
    /// Frees the objects that nothing refers to.
    ///
    /// # Errors
    /// There is no memory to find out which ones these are. Then nothing is freed.
    pub fn collect(&mut self) -> Result<(), Error> {
        if cfg!(not(feature = "gc")) || !self.heap.is_used() {
            return Ok(());
        }
        let mut roots = Vec::new();
        let mut complete = true;
        let mut seen = 0;
        let mut add = |handle: u32| {
            seen += 1;
            if is_object(handle) {
                match roots.try_reserve(1) {
                    Ok(()) => roots.push(handle),
                    Err(_) => complete = false,
                }
            }
        };
        self.heap.roots.each(&mut add);
        self.object_roots(&mut add);
        self.heap.roots.activations.each(|frames| frames.roots(self, &mut add))?;
        if !complete {
            return Err(Error::limit("no memory to collect garbage"));
        }
        self.heap.seen = seen;
        self.heap.mark(roots);
        self.heap.sweep();
        self.heap.externs.drop_condemned();
        Ok(())
    }
}

impl StoreInner {
    /// Calls `root` with the references that globals, tables and segments hold.
    fn object_roots(&self, root: &mut dyn FnMut(u32)) {
        self.pending_exception.into_iter().for_each(&mut *root);
        for global in &self.globals {
            if global.ty().content.is_managed() {
                root(global.get()[0] as u32);
            }
        }
        for table in &self.tables {
            if !table.ty().element.heap.is_func() {
                table.elems().iter().for_each(|&handle| root(handle));
            }
        }
        for entry in &self.instances {
            for (elem, items) in entry.instance.module.elems.iter().zip(&entry.elems) {
                if !elem.ty.heap.is_func() {
                    items.iter().for_each(|&handle| root(handle));
                }
            }
        }
    }
}

impl Heap {
    /// Marks all objects that can be reached from these.
    fn mark(&mut self, roots: Vec<u32>) {
        let mut marker = Marker {
            words: self.region.words_mut(),
            layouts: &self.layouts,
            tags: &self.tags,
            pending: Vec::new(),
            max: self.max_marks,
            lost: false,
        };
        for root in roots {
            marker.reach(root);
            marker.drain();
        }
        while core::mem::take(&mut marker.lost) {
            marker.scan_marked();
        }
    }

    /// Makes free runs of everything that is not marked, and takes the marks away.
    fn sweep(&mut self) {
        self.free.retire(self.region.words_mut());
        self.free.clear();
        self.live = 0;
        let (mut at, mut run) = (1, 1);
        let end = self.region.len() as u32;
        while at < end {
            let header = self.region.words()[at as usize];
            let units = units(&self.layouts, header);
            if header & MARK != 0 {
                let words = self.region.words_mut();
                words[at as usize] = header & !MARK;
                self.free.add(words, run, at);
                self.live += units as usize;
                run = at + units;
            } else if split(header).0 == HOST {
                self.externs.condemn(self.region.words()[at as usize + 1] as u32);
            }
            at += units;
        }
        self.free.add(self.region.words_mut(), run, end);
    }
}

struct Marker<'h> {
    words: &'h mut [u64],
    layouts: &'h [Option<Box<Layout>>],
    tags: &'h [Option<Box<[u32]>>],
    /// Objects that are marked, but what they refer to is not.
    pending: Vec<u32>,
    /// How many may be pending.
    max: usize,
    /// Whether some are pending that there was no room for.
    lost: bool,
}

impl Marker<'_> {
    /// Marks an object, if it is one and not marked yet.
    #[inline]
    fn reach(&mut self, handle: u32) {
        if !is_object(handle) {
            return;
        }
        let header = &mut self.words[unit(handle)];
        if *header & MARK != 0 {
            return;
        }
        debug_assert!(split(*header).0 != FREE, "a reference to what is free");
        *header |= MARK;
        if self.pending.len() < self.max && self.pending.try_reserve(1).is_ok() {
            self.pending.push(handle);
        } else {
            self.lost = true;
        }
    }

    fn drain(&mut self) {
        while let Some(handle) = self.pending.pop() {
            self.scan(unit(handle));
        }
    }

    /// Marks what an object refers to.
    fn scan(&mut self, at: usize) {
        let (layouts, tags) = (self.layouts, self.tags);
        let (kind, len) = split(self.words[at] & !MARK);
        match kind {
            FREE | HOST => {}
            EXCEPTION => {
                let tag = self.words[at + 1] as usize;
                for &slot in tags[tag].iter().flatten() {
                    self.reach(self.words[at + 2 + slot as usize] as u32);
                }
            }
            ty => match layouts[ty as usize].as_deref() {
                Some(Layout::Struct(layout)) => {
                    for &offset in &layout.refs {
                        self.reach(self.reference(at, offset));
                    }
                }
                Some(Layout::Array(Storage::Managed)) => {
                    for i in 0..len as usize {
                        let word = self.words[at + 1 + i / 2];
                        self.reach(if i & 1 == 0 { split(word).0 } else { split(word).1 });
                    }
                }
                _ => {}
            },
        }
    }

    /// The reference at an offset of an object.
    #[inline]
    fn reference(&self, at: usize, offset: u32) -> u32 {
        let (first, second) = split(self.words[at + offset as usize / 8]);
        if offset & 4 == 0 { first } else { second }
    }

    /// Marks what all marked objects refer to.
    fn scan_marked(&mut self) {
        let mut at = 1;
        while at < self.words.len() {
            let header = self.words[at];
            if header & MARK != 0 {
                self.scan(at);
                self.drain();
            }
            at += units(self.layouts, header) as usize;
        }
    }
}
