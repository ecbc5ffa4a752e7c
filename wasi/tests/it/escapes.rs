//! Ways out of a grant, all closed.

use std::fs;
use std::path::Path;

use kinglet_wasi::{Errno, FsPerms, MemFs, WasiCtxBuilder};

use crate::guest::*;

/// Paths that lead out without the help of links.
const OUT: [&str; 12] = [
    "..",
    "../",
    "../.",
    "../secret",
    "./../secret",
    "dir/../../secret",
    "dir/../..",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "dir/../../grant/dir",
    "dir/inner/../../../secret",
];

#[test]
fn by_paths() {
    Guest::each(|guest| {
        guest.mkdir("dir").unwrap();
        guest.mkdir("dir/inner").unwrap();
        guest.create("file", b"");
        for path in OUT {
            refuses_all(guest, path, &[Errno::PERM]);
        }
    });
}

/// Every function refuses `path`, in all roles.
fn refuses_all(guest: &mut Guest, path: &str, errors: &[Errno]) {
    let refused = |what: &str, result: Result<()>| {
        let error = result.expect_err(&format!("{what} {path}"));
        // Names are asked for before the path is looked at.
        let early = [Errno::INVAL, Errno::EXIST, Errno::ISDIR, Errno::NOTDIR];
        let by_name = path.trim_end_matches(['/', '.']).is_empty()
            || path.ends_with('.')
            || path.ends_with('/');
        assert!(
            errors.contains(&error) || by_name && early.contains(&error),
            "{what} {path}: {error:?}"
        );
    };
    for lookup in [FOLLOW, NO_FOLLOW] {
        for oflags in [0, DIRECTORY, CREAT, CREAT | EXCL, TRUNC] {
            for rights in [READ, WRITE] {
                let result = guest.open_at(ROOT, lookup, path, oflags, rights, 0).map(drop);
                refused("open", result);
            }
        }
        refused("stat", guest.stat(path, lookup).map(drop));
        refused("set times of", guest.set_times(path, lookup, 1, 1, 5));
    }
    refused("make directory", guest.mkdir(path));
    refused("remove directory", guest.rmdir(path));
    refused("unlink", guest.unlink(path));
    refused("rename", guest.rename(path, "stolen"));
    refused("rename to", guest.rename("file", path));
    refused("rename directory to", guest.rename("dir", path));
    refused("link", guest.link(path, "stolen"));
    refused("link to", guest.link("file", path));
    refused("make link", guest.symlink("file", path));
    refused("read link", guest.readlink(path, 100).map(drop));
    assert_eq!(guest.stat("stolen", 0), Err(Errno::NOENT));
}

#[test]
fn by_making_links() {
    Guest::each(|guest| {
        assert_eq!(guest.symlink("/", "root"), Err(Errno::PERM));
        assert_eq!(guest.symlink("/etc/passwd", "passwd"), Err(Errno::PERM));
        guest.mkdir("dir").unwrap();
        guest.create("file", b"");
        // These can be made, but lead nowhere.
        guest.symlink("..", "up").unwrap();
        guest.symlink("../", "up-slash").unwrap();
        guest.symlink("up", "chain").unwrap();
        guest.symlink("up/", "chain-slash").unwrap();
        guest.symlink("dir/../../x", "through").unwrap();
        for path in [
            "up/",
            "up-slash/",
            "chain/",
            "chain-slash/",
            "up/x",
            "chain/x",
            "through/x",
            "dir/../up/x",
        ] {
            for oflags in [0, DIRECTORY, CREAT] {
                let result = guest.open_at(ROOT, FOLLOW, path, oflags, READ, 0);
                assert!(matches!(result, Err(Errno::PERM | Errno::ISDIR)), "{path}: {result:?}");
            }
            assert_eq!(guest.stat(path, NO_FOLLOW), Err(Errno::PERM), "{path}");
        }
        for path in ["up", "up-slash", "chain", "chain-slash", "through"] {
            assert_eq!(guest.stat(path, FOLLOW), Err(Errno::PERM), "{path}");
            assert_eq!(guest.open_at(ROOT, FOLLOW, path, 0, READ, 0), Err(Errno::PERM), "{path}");
            let created = guest.open_at(ROOT, FOLLOW, path, CREAT, WRITE, 0);
            assert!(
                matches!(created, Err(Errno::PERM | Errno::ISDIR | Errno::INVAL)),
                "{path}: {created:?}"
            );
        }
    });
}

/// What an outsider put into the grant before the guest runs. The host's files are
///
/// ```text
/// secret/file         out of reach
/// grant/…             granted
/// ```
struct Trap {
    root: tempfile::TempDir,
}

impl Trap {
    fn new() -> Trap {
        let root = tempfile::tempdir().unwrap();
        let trap = Trap { root };
        fs::create_dir_all(trap.path("secret/dir")).unwrap();
        fs::write(trap.path("secret/file"), "secret").unwrap();
        fs::create_dir_all(trap.path("grant/dir")).unwrap();
        fs::write(trap.path("grant/file"), "").unwrap();
        trap
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path)
    }

    fn guest(&self) -> Guest {
        Guest::granted(&self.path("grant"), FsPerms::ReadWrite)
    }

    /// Everything outside is as it was.
    fn check(&self) {
        let names = |path: &Path| {
            let mut names: Vec<_> =
                fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(self.root.path()), ["grant", "secret"]);
        assert_eq!(names(&self.path("secret")), ["dir", "file"]);
        assert_eq!(names(&self.path("secret/dir")).len(), 0);
        assert_eq!(fs::read(self.path("secret/file")).unwrap(), b"secret");
        let modified = fs::metadata(self.path("secret/file")).unwrap().modified().unwrap();
        assert!(
            modified.elapsed().unwrap_or_default().as_secs() < 3600,
            "its times are as they were"
        );
    }
}

#[test]
#[cfg(unix)]
fn by_links_that_are_there() {
    use std::os::unix::fs::symlink;
    let trap = Trap::new();
    let secret = trap.path("secret");
    let secret_slash = format!("{}/", secret.display());
    for (name, target) in [
        ("absolute", secret.to_str().unwrap()),
        ("absolute-slash", &secret_slash),
        ("relative", "../secret"),
        ("relative-slash", "../secret/"),
        ("relative-dot", "../secret/."),
        ("through-dir", "dir/../../secret"),
        ("chain1", "relative"),
        ("chain2", "chain1/"),
        ("chain3", "./chain2/."),
        ("to-file", "../secret/file"),
        ("dangling", "../secret/new"),
        ("dangling-slash", "../secret/new/"),
        ("dangling-chain", "dangling"),
        ("dangling-chain-slash", "dangling/"),
        ("dir/up", "../../secret/"),
        ("via", "dir/up/"),
    ] {
        symlink(target, trap.path("grant").join(name)).unwrap();
        let mut guest = trap.guest();
        for lookup in [FOLLOW, NO_FOLLOW] {
            for oflags in [0, DIRECTORY, CREAT, CREAT | EXCL, TRUNC, CREAT | TRUNC] {
                for rights in [READ, WRITE] {
                    for suffix in [
                        "",
                        "/",
                        "//",
                        "/.",
                        "/./",
                        "/file",
                        "/dir",
                        "/dir/",
                        "/new",
                        "/..",
                        "/../secret/file",
                    ] {
                        let path = format!("{name}{suffix}");
                        let result = guest.open_at(ROOT, lookup, &path, oflags, rights, 0);
                        assert!(result.is_err(), "open {path} {oflags} {rights}");
                    }
                }
            }
        }
        for suffix in ["/", "//", "/.", "/file", "/dir", "/dir/", "/new", "/new/"] {
            let path = format!("{name}{suffix}");
            for lookup in [FOLLOW, NO_FOLLOW] {
                assert!(guest.stat(&path, lookup).is_err(), "stat {path}");
                assert!(guest.set_times(&path, lookup, 1, 1, 5).is_err(), "set times of {path}");
            }
            assert!(guest.mkdir(&path).is_err(), "make directory {path}");
            assert!(guest.rmdir(&path).is_err(), "remove directory {path}");
            assert!(guest.unlink(&path).is_err(), "unlink {path}");
            assert!(guest.rename(&path, "stolen").is_err(), "rename {path}");
            assert!(guest.rename("file", &path).is_err(), "rename to {path}");
            assert!(guest.rename("dir", &path).is_err(), "rename directory to {path}");
            assert!(guest.rename("dir/", &path).is_err(), "rename directory/ to {path}");
            assert!(guest.link(&path, "stolen").is_err(), "link {path}");
            assert!(guest.link("file", &path).is_err(), "link to {path}");
            assert!(guest.symlink("file", &path).is_err(), "make link {path}");
            assert!(guest.readlink(&path, 100).is_err(), "read link {path}");
        }
        assert!(guest.stat(name, FOLLOW).is_err());
        assert!(guest.set_times(name, FOLLOW, 1, 1, 5).is_err());
        assert!(guest.stat("stolen", 0).is_err());

        // The link itself is the guest's to look at, move, replace and remove.
        assert_eq!(guest.stat(name, NO_FOLLOW).unwrap().file_type, 7);
        guest.set_times(name, NO_FOLLOW, 1, 1, 5).unwrap();
        guest.rename(name, "moved").unwrap();
        guest.link("moved", name).unwrap();
        assert_eq!(guest.readlink(name, 4096), Ok(target.as_bytes().to_vec()));
        guest.unlink("moved").unwrap();
        trap.check();
    }
}

#[test]
#[cfg(unix)]
fn by_links_from_one_grant_to_another() {
    use std::os::unix::fs::symlink;
    let trap = Trap::new();
    symlink(trap.path("secret"), trap.path("grant/link")).unwrap();
    let mut builder = WasiCtxBuilder::new();
    builder.preopened_dir(trap.path("grant"), "/a", FsPerms::ReadWrite).unwrap();
    builder.preopened_dir(trap.path("secret"), "/b", FsPerms::ReadOnly).unwrap();
    let mut guest = Guest::new(builder.build());
    assert_eq!(guest.open_at(ROOT, FOLLOW, "link/file", 0, WRITE, 0), Err(Errno::PERM));
    assert_eq!(guest.open_at(ROOT, FOLLOW, "link/file", 0, READ, 0), Err(Errno::PERM));
    trap.check();
}

#[test]
fn by_renaming_and_linking_across_grants() {
    let trap = Trap::new();
    fs::create_dir(trap.path("grant/a")).unwrap();
    fs::create_dir(trap.path("grant/b")).unwrap();
    fs::create_dir(trap.path("grant/c")).unwrap();
    fs::write(trap.path("grant/a/file"), "").unwrap();
    fs::write(trap.path("grant/c/file"), "").unwrap();
    let mut builder = WasiCtxBuilder::new();
    builder.preopened_dir(trap.path("grant/a"), "/a", FsPerms::ReadWrite).unwrap();
    builder.preopened_dir(trap.path("grant/b"), "/b", FsPerms::ReadWrite).unwrap();
    builder.preopened_dir(trap.path("grant/c"), "/c", FsPerms::ReadOnly).unwrap();
    let mem = MemFs::new(10_000);
    builder.preopened_fs(Box::new(mem.clone()), "/d", FsPerms::ReadWrite).unwrap();
    builder.preopened_fs(Box::new(mem), "/e", FsPerms::ReadWrite).unwrap();
    let mut guest = Guest::new(builder.build());
    let (a, b, c, d, e) = (ROOT, ROOT + 1, ROOT + 2, ROOT + 3, ROOT + 4);
    guest.open_at(d, 0, "file", CREAT, WRITE, 0).unwrap();
    for (from, to) in [(a, b), (a, d), (d, a), (d, e)] {
        assert_eq!(guest.rename_at(from, "file", to, "x"), Err(Errno::XDEV));
        assert_eq!(guest.link_at(from, 0, "file", to, "x"), Err(Errno::XDEV));
    }
    for (from, to) in [(a, c), (c, a), (c, c)] {
        assert_eq!(guest.rename_at(from, "file", to, "x"), Err(Errno::PERM));
        assert_eq!(guest.link_at(from, 0, "file", to, "x"), Err(Errno::PERM));
    }
    // What was opened below a grant belongs to it.
    let below = guest.open_at(b, 0, ".", DIRECTORY, READ, 0).unwrap();
    assert_eq!(guest.rename_at(a, "file", below, "x"), Err(Errno::XDEV));
    guest.link_at(a, 0, "file", a, "x").unwrap();
    trap.check();
}

#[test]
fn by_a_directory_that_has_moved() {
    // A descriptor of a directory that is moved up does not let `..` lead further up.
    Guest::each(|guest| {
        guest.mkdir("a").unwrap();
        guest.mkdir("a/b").unwrap();
        let b = guest.open("a/b", DIRECTORY, READ).unwrap();
        guest.rename("a/b", "b").unwrap();
        assert_eq!(guest.open_at(b, FOLLOW, "../..", DIRECTORY, READ, 0), Err(Errno::PERM));
        // A removed directory takes nothing and leads nowhere.
        guest.rmdir("b").unwrap();
        assert!(guest.open_at(b, 0, "file", CREAT, WRITE, 0).is_err());
        assert!(guest.open_at(b, 0, "../../x", CREAT, WRITE, 0).is_err());
        assert_eq!(
            guest.readdir(b, 1000, 0).map(|(entries, _)| entries.len().min(2)).unwrap_or(2),
            2
        );
    });
}
