//! A file system in memory.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Errno;
use crate::fs::{
    Dir, DirEntry, File, FileType, Fs, FsResult, MAX_PATH, Metadata, Node, OpenOptions, ReadDir,
    SetTime,
};
use crate::host;

/// A file system in memory, empty at first. Clones are handles to the same one.
///
/// ```
/// use kinglet_wasi::{FsPerms, MemFs, WasiCtxBuilder};
/// # fn main() -> kinglet::Result<()> {
/// let fs = MemFs::new(1 << 20);
/// fs.write("config.txt", "verbose\n").expect("there is room");
/// let ctx = WasiCtxBuilder::new()
///     .preopened_fs(Box::new(fs.clone()), "/", FsPerms::ReadWrite)?
///     .build();
/// // … after the guest has run:
/// assert_eq!(fs.read("config.txt").as_deref(), Ok(b"verbose\n".as_slice()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemFs(Arc<Mutex<Tree>>);

impl MemFs {
    /// A file system that holds up to `capacity` bytes, names and bookkeeping included. A guest that
    /// wants more gets [`Errno::NOSPC`].
    pub fn new(capacity: u64) -> MemFs {
        MemFs(Arc::new(Mutex::new(Tree::new(capacity))))
    }

    /// Stamps files with the time that `now` returns, in nanoseconds since 1970, instead of the system's.
    #[must_use]
    pub fn with_clock(self, now: impl Fn() -> u64 + Send + 'static) -> MemFs {
        self.lock().now = Box::new(now);
        self
    }

    /// Creates or replaces a file. The directories on its way are created.
    ///
    /// # Errors
    ///
    /// If there is no room, or something else of that name.
    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) -> FsResult<()> {
        let root = self.handle(ROOT);
        let path = path.trim_matches('/');
        for (slash, _) in path.match_indices('/') {
            match root.create_dir(&path[..slash]) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
        let options = OpenOptions {
            write: true,
            create: true,
            truncate: true,
            follow: true,
            ..OpenOptions::default()
        };
        match root.open(path, &options)? {
            Node::File(file) => file.write_at(contents.as_ref(), 0).map(drop),
            Node::Dir(_) => Err(Errno::ISDIR),
        }
    }

    /// The contents of a file.
    ///
    /// # Errors
    ///
    /// If there is no such file.
    pub fn read(&self, path: &str) -> FsResult<Vec<u8>> {
        let tree = self.lock();
        match &tree.node(tree.find(ROOT, path.trim_matches('/'), true)?)?.data {
            Data::File(bytes) => Ok(bytes.clone()),
            _ => Err(Errno::ISDIR),
        }
    }

    fn handle(&self, ino: u64) -> Handle {
        if let Some(node) = self.lock().nodes.get_mut(&ino) {
            node.handles += 1;
        }
        Handle { fs: self.clone(), ino }
    }

    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fs for MemFs {
    fn root(&self) -> FsResult<Box<dyn Dir>> {
        Ok(Box::new(self.handle(ROOT)))
    }
}

const ROOT: u64 = 1;

/// What a node costs, apart from its contents.
const NODE_COST: u64 = 256;

/// Most symbolic links followed on one path.
const MAX_LINKS: u32 = 40;

/// All nodes, by serial number: a flat table, so that deep directories need no recursion.
struct Tree {
    nodes: HashMap<u64, Entity>,
    next: u64,
    used: u64,
    capacity: u64,
    now: Box<dyn Fn() -> u64 + Send>,
}

struct Entity {
    data: Data,
    /// How many names it has.
    names: u64,
    /// How many times it is open.
    handles: u64,
    times: [u64; 3],
}

enum Data {
    File(Vec<u8>),
    Dir { entries: BTreeMap<String, u64>, parent: u64 },
    Link(String),
}

impl Data {
    fn file_type(&self) -> FileType {
        match self {
            Data::File(_) => FileType::RegularFile,
            Data::Dir { .. } => FileType::Directory,
            Data::Link(_) => FileType::SymbolicLink,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Data::File(bytes) => bytes.len() as u64,
            Data::Dir { .. } => 0,
            Data::Link(target) => target.len() as u64,
        }
    }
}

impl Tree {
    fn new(capacity: u64) -> Tree {
        let now = Box::new(host::realtime);
        let data = Data::Dir { entries: BTreeMap::new(), parent: ROOT };
        let root = Entity { data, names: 1, handles: 0, times: [0; 3] };
        Tree { nodes: HashMap::from([(ROOT, root)]), next: ROOT + 1, used: 0, capacity, now }
    }

    fn node(&self, ino: u64) -> FsResult<&Entity> {
        self.nodes.get(&ino).ok_or(Errno::STALE)
    }

    fn node_mut(&mut self, ino: u64) -> FsResult<&mut Entity> {
        self.nodes.get_mut(&ino).ok_or(Errno::STALE)
    }

    fn entries(&self, dir: u64) -> FsResult<&BTreeMap<String, u64>> {
        match &self.node(dir)?.data {
            Data::Dir { entries, .. } => Ok(entries),
            _ => Err(Errno::NOTDIR),
        }
    }

    fn entries_mut(&mut self, dir: u64) -> FsResult<&mut BTreeMap<String, u64>> {
        let now = (self.now)();
        let node = self.node_mut(dir)?;
        node.times[1..].fill(now);
        match &mut node.data {
            Data::Dir { entries, .. } => Ok(entries),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// What `path` leads to.
    fn find(&self, dir: u64, path: &str, follow: bool) -> FsResult<u64> {
        let (dir, name) = self.resolve(dir, path, follow)?;
        match name {
            Some(name) => self.entries(dir)?.get(&name).copied().ok_or(Errno::NOENT),
            None => Ok(dir),
        }
    }

    /// The directory that the last part of `path` is in, and that part; `None` if the path leads to the
    /// directory itself. The name need not be there; if it is, and `follow`, it is not a link. Nothing leads
    /// above `start`.
    fn resolve(&self, start: u64, path: &str, follow: bool) -> FsResult<(u64, Option<String>)> {
        let mut dir = start;
        let mut links = 0;
        // What is left to go, the next part last.
        let mut parts: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        while let Some(part) = parts.pop() {
            let entries = self.entries(dir)?;
            if part.is_empty() || part == "." {
                continue;
            }
            if part == ".." {
                if dir == start {
                    return Err(Errno::PERM);
                }
                dir = self.parent(dir)?;
                continue;
            }
            if part.len() > 255 {
                return Err(Errno::NAMETOOLONG);
            }
            let last = parts.is_empty();
            let found = entries
                .get(&part)
                .map(|ino| self.node(*ino).map(|node| (*ino, &node.data)))
                .transpose()?;
            match found {
                Some((_, Data::Link(target))) if !last || follow => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP);
                    }
                    if target.starts_with('/') {
                        return Err(Errno::PERM);
                    }
                    parts.extend(target.rsplit('/').map(str::to_owned));
                }
                _ if last => return Ok((dir, Some(part))),
                Some((ino, Data::Dir { .. })) => dir = ino,
                Some(_) => return Err(Errno::NOTDIR),
                None => return Err(Errno::NOENT),
            }
        }
        Ok((dir, None))
    }

    /// The directory above; the root is above itself.
    fn parent(&self, dir: u64) -> FsResult<u64> {
        match &self.node(dir)?.data {
            Data::Dir { parent, .. } => Ok(*parent),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// Where something new can be put.
    fn vacancy(&self, dir: u64, path: &str) -> FsResult<(u64, String)> {
        let (dir, name) = self.resolve(dir, path, false)?;
        let name = name.ok_or(Errno::EXIST)?;
        if self.entries(dir)?.contains_key(&name) {
            return Err(Errno::EXIST);
        }
        // A directory that has been removed but is open takes no more entries.
        if self.node(dir)?.names == 0 { Err(Errno::NOENT) } else { Ok((dir, name)) }
    }

    fn create(&mut self, dir: u64, name: String, data: Data) -> FsResult<u64> {
        let cost = NODE_COST + data.size();
        self.charge(cost)?;
        if let Err(error) = self.insert(dir, name, self.next) {
            self.used -= cost;
            return Err(error);
        }
        let ino = self.next;
        self.next += 1;
        let times = [(self.now)(); 3];
        self.nodes.insert(ino, Entity { data, names: 1, handles: 0, times });
        Ok(ino)
    }

    fn insert(&mut self, dir: u64, name: String, ino: u64) -> FsResult<()> {
        self.charge(name.len() as u64 + NODE_COST)?;
        self.entries_mut(dir)?.insert(name, ino);
        Ok(())
    }

    fn remove(&mut self, dir: u64, name: &str) -> FsResult<u64> {
        let ino = self.entries_mut(dir)?.remove(name).ok_or(Errno::NOENT)?;
        self.used -= name.len() as u64 + NODE_COST;
        Ok(ino)
    }

    /// Takes a name away from a node, which is gone when it is not open either.
    fn unlink(&mut self, ino: u64) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.names -= 1;
        }
        self.reclaim(ino);
    }

    fn reclaim(&mut self, ino: u64) {
        if self.nodes.get(&ino).is_some_and(|node| node.names == 0 && node.handles == 0) {
            let size = self.nodes.remove(&ino).map_or(0, |node| node.data.size());
            self.used -= NODE_COST + size;
        }
    }

    fn charge(&mut self, bytes: u64) -> FsResult<()> {
        let used = self.used.checked_add(bytes).filter(|used| *used <= self.capacity);
        self.used = used.ok_or(Errno::NOSPC)?;
        Ok(())
    }

    fn resize(&mut self, ino: u64, size: u64) -> FsResult<()> {
        let old = self.node(ino)?.data.size();
        self.charge(size.saturating_sub(old))?;
        let now = (self.now)();
        let node = self.node_mut(ino)?;
        let Data::File(bytes) = &mut node.data else { return Err(Errno::ISDIR) };
        let more = usize::try_from(size.saturating_sub(old)).unwrap_or(usize::MAX);
        if bytes.try_reserve(more).is_err() {
            self.used -= size.saturating_sub(old);
            return Err(Errno::NOSPC);
        }
        bytes.resize(size as usize, 0);
        node.times[1..].fill(now);
        self.used -= old.saturating_sub(size);
        Ok(())
    }

    fn metadata(&self, ino: u64) -> FsResult<Metadata> {
        let node = self.node(ino)?;
        let [atim, mtim, ctim] = node.times;
        let file_type = node.data.file_type();
        Ok(Metadata {
            dev: 1,
            ino,
            file_type,
            nlink: node.names,
            size: node.data.size(),
            atim,
            mtim,
            ctim,
        })
    }

    fn set_times(&mut self, ino: u64, atim: SetTime, mtim: SetTime) -> FsResult<()> {
        let now = (self.now)();
        let node = self.node_mut(ino)?;
        for (time, set) in node.times.iter_mut().zip([atim, mtim, SetTime::Now]) {
            match set {
                SetTime::Keep => {}
                SetTime::Now => *time = now,
                SetTime::At(nanos) => *time = nanos,
            }
        }
        Ok(())
    }

    /// Whether `dir` is `ancestor` or below it.
    fn is_below(&self, mut dir: u64, ancestor: u64) -> FsResult<bool> {
        while dir != ancestor {
            if dir == ROOT {
                return Ok(false);
            }
            dir = self.parent(dir)?;
        }
        Ok(true)
    }
}

/// An open file or directory.
struct Handle {
    fs: MemFs,
    ino: u64,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut tree = self.fs.lock();
        if let Some(node) = tree.nodes.get_mut(&self.ino) {
            node.handles -= 1;
        }
        tree.reclaim(self.ino);
    }
}

impl Handle {
    /// Another directory of the same file system.
    fn sibling(&self, dir: &dyn Dir) -> FsResult<u64> {
        match (dir as &dyn Any).downcast_ref::<Handle>() {
            Some(other) if Arc::ptr_eq(&self.fs.0, &other.fs.0) => Ok(other.ino),
            _ => Err(Errno::XDEV),
        }
    }
}

impl Dir for Handle {
    fn open(&self, path: &str, options: &OpenOptions) -> FsResult<Node> {
        let mut tree = self.fs.lock();
        let follow = options.follow && !(options.create && options.exclusive);
        let found = tree.find(self.ino, path, follow);
        let ino = match found {
            Ok(_) if options.create && options.exclusive => return Err(Errno::EXIST),
            Err(Errno::NOENT) if options.create => {
                // Through a dangling link, the file is created where it leads to.
                let (dir, name) = tree.resolve(self.ino, path, follow)?;
                let name = name.ok_or(Errno::NOENT)?;
                if tree.node(dir)?.names == 0 {
                    return Err(Errno::NOENT);
                }
                tree.create(dir, name, Data::File(Vec::new()))?
            }
            found => found?,
        };
        match tree.node(ino)?.data {
            Data::Link(_) => return Err(Errno::LOOP),
            Data::File(_) if options.directory => return Err(Errno::NOTDIR),
            Data::Dir { .. } if options.write || options.truncate => return Err(Errno::ISDIR),
            Data::File(_) if options.truncate => tree.resize(ino, 0)?,
            _ => {}
        }
        let is_dir = matches!(tree.node(ino)?.data, Data::Dir { .. });
        drop(tree);
        let handle = Box::new(self.fs.handle(ino));
        Ok(if is_dir { Node::Dir(handle) } else { Node::File(handle) })
    }

    fn metadata(&self) -> FsResult<Metadata> {
        self.fs.lock().metadata(self.ino)
    }

    fn metadata_at(&self, path: &str, follow: bool) -> FsResult<Metadata> {
        let tree = self.fs.lock();
        tree.metadata(tree.find(self.ino, path, follow)?)
    }

    fn read_dir(&self) -> FsResult<ReadDir> {
        let fs = self.fs.clone();
        let dir = self.ino;
        let mut last: Option<String> = None;
        // In the order of the names, so that entries that come and go do not disturb the others.
        Ok(Box::new(std::iter::from_fn(move || {
            use std::ops::Bound::{Excluded, Unbounded};
            let tree = fs.lock();
            let after = last.as_deref().map_or(Unbounded, Excluded);
            let (name, ino) = tree.entries(dir).ok()?.range::<str, _>((after, Unbounded)).next()?;
            let file_type = tree.node(*ino).ok()?.data.file_type();
            last = Some(name.clone());
            Some(Ok(DirEntry { name: name.clone(), file_type, ino: *ino }))
        })))
    }

    fn read_link(&self, path: &str) -> FsResult<String> {
        let tree = self.fs.lock();
        match &tree.node(tree.find(self.ino, path, false)?)?.data {
            Data::Link(target) => Ok(target.clone()),
            _ => Err(Errno::INVAL),
        }
    }

    fn set_times(&self, atim: SetTime, mtim: SetTime) -> FsResult<()> {
        self.fs.lock().set_times(self.ino, atim, mtim)
    }

    fn set_times_at(&self, path: &str, follow: bool, atim: SetTime, mtim: SetTime) -> FsResult<()> {
        let mut tree = self.fs.lock();
        let ino = tree.find(self.ino, path, follow)?;
        tree.set_times(ino, atim, mtim)
    }

    fn create_dir(&self, path: &str) -> FsResult<()> {
        let mut tree = self.fs.lock();
        let (parent, name) = tree.vacancy(self.ino, path)?;
        let data = Data::Dir { entries: BTreeMap::new(), parent };
        tree.create(parent, name, data).map(drop)
    }

    fn remove_dir(&self, path: &str) -> FsResult<()> {
        let mut tree = self.fs.lock();
        let (dir, name) = tree.resolve(self.ino, path, false)?;
        let name = name.ok_or(Errno::INVAL)?;
        let ino = *tree.entries(dir)?.get(&name).ok_or(Errno::NOENT)?;
        if !tree.entries(ino)?.is_empty() {
            return Err(Errno::NOTEMPTY);
        }
        tree.remove(dir, &name)?;
        tree.unlink(ino);
        Ok(())
    }

    fn remove_file(&self, path: &str) -> FsResult<()> {
        let mut tree = self.fs.lock();
        let (dir, name) = tree.resolve(self.ino, path, false)?;
        let name = name.ok_or(Errno::ISDIR)?;
        let ino = *tree.entries(dir)?.get(&name).ok_or(Errno::NOENT)?;
        if tree.node(ino)?.data.file_type() == FileType::Directory {
            return Err(Errno::ISDIR);
        }
        tree.remove(dir, &name)?;
        tree.unlink(ino);
        Ok(())
    }

    fn rename(&self, from: &str, to_dir: &dyn Dir, to: &str) -> FsResult<()> {
        let to_dir = self.sibling(to_dir)?;
        let mut tree = self.fs.lock();
        let (old_dir, old_name) = tree.resolve(self.ino, from, false)?;
        let (new_dir, new_name) = tree.resolve(to_dir, to, false)?;
        let (old_name, new_name) = (old_name.ok_or(Errno::BUSY)?, new_name.ok_or(Errno::BUSY)?);
        let moved = *tree.entries(old_dir)?.get(&old_name).ok_or(Errno::NOENT)?;
        let is_dir = tree.node(moved)?.data.file_type() == FileType::Directory;
        if tree.node(new_dir)?.names == 0 {
            return Err(Errno::NOENT);
        }
        if is_dir && tree.is_below(new_dir, moved)? {
            return Err(Errno::INVAL);
        }
        let replaced = tree.entries(new_dir)?.get(&new_name).copied();
        if replaced == Some(moved) {
            return Ok(());
        }
        if let Some(replaced) = replaced {
            match &tree.node(replaced)?.data {
                Data::Dir { .. } if !is_dir => return Err(Errno::ISDIR),
                Data::Dir { entries, .. } if !entries.is_empty() => return Err(Errno::NOTEMPTY),
                Data::File(_) | Data::Link(_) if is_dir => return Err(Errno::NOTDIR),
                _ => {}
            }
            tree.remove(new_dir, &new_name)?;
            tree.unlink(replaced);
        }
        tree.remove(old_dir, &old_name)?;
        if let Err(error) = tree.insert(new_dir, new_name, moved) {
            // A longer name may not fit. The old one did.
            tree.insert(old_dir, old_name, moved)?;
            return Err(error);
        }
        if let Data::Dir { parent, .. } = &mut tree.node_mut(moved)?.data {
            *parent = new_dir;
        }
        Ok(())
    }

    fn link(&self, from: &str, to_dir: &dyn Dir, to: &str) -> FsResult<()> {
        let to_dir = self.sibling(to_dir)?;
        let mut tree = self.fs.lock();
        let ino = tree.find(self.ino, from, false)?;
        if tree.node(ino)?.data.file_type() == FileType::Directory {
            return Err(Errno::PERM);
        }
        let (dir, name) = tree.vacancy(to_dir, to)?;
        tree.insert(dir, name, ino)?;
        tree.node_mut(ino)?.names += 1;
        Ok(())
    }

    fn symlink(&self, target: &str, path: &str) -> FsResult<()> {
        if target.len() > MAX_PATH {
            return Err(Errno::NAMETOOLONG);
        }
        let mut tree = self.fs.lock();
        let (dir, name) = tree.vacancy(self.ino, path)?;
        tree.create(dir, name, Data::Link(target.to_owned())).map(drop)
    }
}

impl File for Handle {
    fn metadata(&self) -> FsResult<Metadata> {
        Dir::metadata(self)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> FsResult<usize> {
        let mut tree = self.fs.lock();
        let now = (tree.now)();
        let node = tree.node_mut(self.ino)?;
        node.times[0] = now;
        let Data::File(bytes) = &node.data else { return Err(Errno::BADF) };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let len = buf.len().min(bytes.len() - start);
        buf[..len].copy_from_slice(&bytes[start..start + len]);
        Ok(len)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> FsResult<usize> {
        let mut tree = self.fs.lock();
        let end = offset.checked_add(buf.len() as u64).ok_or(Errno::FBIG)?;
        let size = tree.node(self.ino)?.data.size();
        tree.resize(self.ino, size.max(end))?;
        if let Data::File(bytes) = &mut tree.node_mut(self.ino)?.data {
            bytes[offset as usize..end as usize].copy_from_slice(buf);
        }
        Ok(buf.len())
    }

    fn set_size(&self, size: u64) -> FsResult<()> {
        self.fs.lock().resize(self.ino, size)
    }

    fn set_times(&self, atim: SetTime, mtim: SetTime) -> FsResult<()> {
        Dir::set_times(self, atim, mtim)
    }
}
