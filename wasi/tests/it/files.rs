//! What can be done with files and directories, in a directory of the host and in memory.

use kinglet_wasi::{Errno, FsPerms, MemFs};

use crate::guest::*;

#[test]
fn reading_and_writing() {
    Guest::each(|guest| {
        assert_eq!(guest.open("file", 0, READ), Err(Errno::NOENT));
        let fd = guest.open("file", CREAT, READ_WRITE).unwrap();
        assert_eq!(guest.write(fd, b"hello world"), Ok(11));
        assert_eq!(guest.read(fd, 5), Ok(vec![]));
        assert_eq!(guest.seek(fd, 6, 0), Ok(6));
        assert_eq!(guest.read(fd, 3), Ok(b"wor".to_vec()));
        assert_eq!(guest.seek(fd, 0, 1), Ok(9));
        assert_eq!(guest.seek(fd, -5, 2), Ok(6));
        assert_eq!(guest.write(fd, b"W"), Ok(1));
        wasi!(guest.fd_tell(fd, 0u32)).unwrap();
        assert_eq!(guest.u64(0), 7);
        assert_eq!(guest.pread(fd, 20, 4), Ok(b"o World".to_vec()));
        assert_eq!(guest.pwrite(fd, b"J", 0), Ok(1));
        assert_eq!(guest.seek(fd, 0, 1), Ok(7), "these do not move the position");
        assert_eq!(guest.contents("file"), Ok(b"Jello World".to_vec()));

        // Writing behind the end leaves zeros.
        assert_eq!(guest.seek(fd, 14, 0), Ok(14));
        assert_eq!(guest.write(fd, b"!"), Ok(1));
        assert_eq!(guest.pread(fd, 9, 10), Ok(b"d\0\0\0!".to_vec()));

        for (offset, whence) in [(-1, 0), (-16, 2), (i64::MIN, 1), (i64::MAX, 2), (0, 3)] {
            assert_eq!(guest.seek(fd, offset, whence), Err(Errno::INVAL), "{offset} {whence}");
        }
        assert_eq!(guest.seek(fd, i64::MAX, 0), Ok(i64::MAX as u64));
        let end = guest.read(fd, 1);
        assert!(end == Ok(vec![]) || end == Err(Errno::INVAL), "{end:?}");
        assert!(guest.write(fd, b"far out").is_err());
        assert!(guest.pwrite(fd, b"farther", u64::MAX).is_err());
        for sync in ["fd_sync", "fd_datasync"] {
            assert_eq!(guest.call(sync, &[Arg::val(fd)]), Ok(()));
        }
    });
}

#[test]
fn scattered_reads_fill_one_buffer_after_the_other() {
    Guest::each(|guest| {
        guest.create("file", b"abcdefg");
        let fd = guest.open("file", 0, READ).unwrap();
        let iovecs: Vec<u8> = [(DATA, 2u32), (DATA, 0), (DATA + 100, 3), (DATA + 200, 9)]
            .iter()
            .flat_map(|(ptr, len)| [ptr.to_le_bytes(), len.to_le_bytes()].concat())
            .collect();
        let (iovs, _) = guest.put(&iovecs);
        wasi!(guest.fd_read(fd, iovs, 4u32, 0u32)).unwrap();
        assert_eq!(guest.u32(0), 7);
        assert_eq!(guest.bytes(DATA, 2), b"ab");
        assert_eq!(guest.bytes(DATA + 100, 3), b"cde");
        assert_eq!(guest.bytes(DATA + 200, 3), b"fg\0");
    });
}

#[test]
fn appending() {
    Guest::each(|guest| {
        guest.create("log", b"one ");
        let fd = guest.open_at(ROOT, 0, "log", 0, READ_WRITE, APPEND).unwrap();
        assert_eq!(guest.fdstat(fd).unwrap().flags, APPEND);
        assert_eq!(guest.write(fd, b"two "), Ok(4));
        assert_eq!(guest.seek(fd, 0, 1), Ok(8));
        guest.seek(fd, 0, 0).unwrap();
        assert_eq!(guest.write(fd, b"three"), Ok(5));
        assert_eq!(guest.contents("log"), Ok(b"one two three".to_vec()));
        // A position given outright holds, as in POSIX.
        assert_eq!(guest.pwrite(fd, b"ONE", 0), Ok(3));

        wasi!(guest.fd_fdstat_set_flags(fd, 0u32)).unwrap();
        guest.seek(fd, 4, 0).unwrap();
        assert_eq!(guest.write(fd, b"TWO"), Ok(3));
        wasi!(guest.fd_fdstat_set_flags(fd, 31u32)).unwrap();
        assert_eq!(guest.fdstat(fd).unwrap().flags, 31, "all flags");
        assert_eq!(guest.write(fd, b"!"), Ok(1));
        assert_eq!(guest.contents("log"), Ok(b"ONE TWO three!".to_vec()));
        assert_eq!(wasi!(guest.fd_fdstat_set_flags(fd, 32u32)), Err(Errno::INVAL));
    });
}

#[test]
fn opening() {
    Guest::each(|guest| {
        guest.create("file", b"contents");
        guest.mkdir("dir").unwrap();
        assert_eq!(guest.open("file", CREAT | EXCL, WRITE), Err(Errno::EXIST));
        assert_eq!(guest.open("file", DIRECTORY, READ), Err(Errno::NOTDIR));
        assert_eq!(guest.open("dir", 0, READ_WRITE), Err(Errno::ISDIR));
        assert_eq!(guest.open("dir", DIRECTORY, READ_WRITE), Err(Errno::ISDIR));
        assert_eq!(guest.open("dir", CREAT | DIRECTORY, READ), Err(Errno::INVAL));
        assert_eq!(guest.open("new/", CREAT, WRITE), Err(Errno::ISDIR));
        assert_eq!(guest.open("file", 16, READ), Err(Errno::INVAL));
        assert_eq!(guest.open_at(ROOT, 2, "file", 0, READ, 0), Err(Errno::INVAL));
        assert_eq!(guest.open_at(ROOT, 0, "file", 0, READ, 32), Err(Errno::INVAL));
        assert_eq!(guest.open_at(99, 0, "file", 0, READ, 0), Err(Errno::BADF));
        assert_eq!(guest.open_at(1, 0, "file", 0, READ, 0), Err(Errno::BADF));

        let file = guest.open("file", 0, READ).unwrap();
        assert_eq!(guest.open_at(file, 0, "x", 0, READ, 0), Err(Errno::NOTDIR));
        assert_eq!(guest.readdir(file, 100, 0), Err(Errno::NOTDIR));
        let dir = guest.open("dir", DIRECTORY, READ).unwrap();
        guest.open_at(dir, 0, "inner", CREAT, WRITE, 0).unwrap();
        assert!(guest.stat("dir/inner", 0).is_ok());
        for error in [
            guest.read(dir, 1).map(drop),
            guest.write(dir, b"x").map(drop),
            guest.seek(dir, 0, 0).map(drop),
            guest.pread(dir, 1, 0).map(drop),
            wasi!(guest.fd_tell(dir, 0u32)),
            wasi!(guest.fd_allocate(dir, 0u64, 1u64)),
            wasi!(guest.fd_advise(dir, 0u64, 1u64, 0u32)),
            wasi!(guest.fd_filestat_set_size(dir, 0u64)),
        ] {
            assert_eq!(error, Err(Errno::BADF));
        }

        // Cutting off needs no right to write through the descriptor.
        guest.open("file", TRUNC, 0).unwrap();
        assert_eq!(guest.contents("file"), Ok(vec![]));
    });
}

#[test]
fn sizes() {
    Guest::each(|guest| {
        let fd = guest.open("file", CREAT, READ_WRITE).unwrap();
        wasi!(guest.fd_filestat_set_size(fd, 5u64)).unwrap();
        assert_eq!(guest.read(fd, 9), Ok(vec![0; 5]));
        wasi!(guest.fd_allocate(fd, 2u64, 2u64)).unwrap();
        assert_eq!(guest.filestat(fd).unwrap().size, 5);
        wasi!(guest.fd_allocate(fd, 4u64, 6u64)).unwrap();
        assert_eq!(guest.filestat(fd).unwrap().size, 10);
        wasi!(guest.fd_filestat_set_size(fd, 0u64)).unwrap();
        assert_eq!(guest.filestat(fd).unwrap().size, 0);

        assert_eq!(wasi!(guest.fd_allocate(fd, 0u64, 0u64)), Err(Errno::INVAL));
        assert_eq!(wasi!(guest.fd_allocate(fd, 1u64, u64::MAX)), Err(Errno::FBIG));
        assert_eq!(wasi!(guest.fd_allocate(fd, 0u64, 1u64 << 63)), Err(Errno::FBIG));
        assert_eq!(wasi!(guest.fd_filestat_set_size(fd, u64::MAX)), Err(Errno::FBIG));
        for advice in 0..6u32 {
            assert_eq!(wasi!(guest.fd_advise(fd, 0u64, 0u64, advice)), Ok(()));
        }
        assert_eq!(wasi!(guest.fd_advise(fd, 0u64, 0u64, 6u32)), Err(Errno::INVAL));
        assert_eq!(wasi!(guest.fd_advise(fd, u64::MAX, 2u64, 0u32)), Err(Errno::INVAL));
        assert_eq!(wasi!(guest.fd_advise(1u32, 0u64, 0u64, 0u32)), Err(Errno::SPIPE));
    });
}

#[test]
fn files_in_memory_stay_within_their_capacity() {
    let fs = MemFs::new(10_000);
    let mut guest = Guest::with_mem_fs(&fs, FsPerms::ReadWrite);
    let fd = guest.open("file", CREAT, READ_WRITE).unwrap();
    for size in [10_001, 1 << 40, i64::MAX as u64] {
        assert_eq!(wasi!(guest.fd_filestat_set_size(fd, size)), Err(Errno::NOSPC));
        assert_eq!(wasi!(guest.fd_allocate(fd, size - 1, 1u64)), Err(Errno::NOSPC));
        assert_eq!(guest.pwrite(fd, b"x", size - 1), Err(Errno::NOSPC));
    }
    assert_eq!(guest.filestat(fd).unwrap().size, 0);
    let made = (0..).take_while(|i| guest.mkdir(&format!("dir{i}")).is_ok()).count();
    assert!((5..40).contains(&made), "{made}");
    assert_eq!(guest.mkdir("more"), Err(Errno::NOSPC));

    // What is removed makes room, once it is closed.
    guest.rmdir("dir0").unwrap();
    guest.mkdir("more").unwrap();
    for i in 1..made {
        guest.rmdir(&format!("dir{i}")).unwrap();
    }
    wasi!(guest.fd_filestat_set_size(fd, 8_000u64)).unwrap();
    guest.unlink("file").unwrap();
    assert_eq!(guest.pread(fd, 4, 0), Ok(vec![0; 4]), "it is still open");
    let other = guest.open("other", CREAT, WRITE).unwrap();
    assert_eq!(wasi!(guest.fd_filestat_set_size(other, 8_000u64)), Err(Errno::NOSPC));
    guest.close(fd).unwrap();
    assert_eq!(wasi!(guest.fd_filestat_set_size(other, 8_000u64)), Ok(()));
}

#[test]
fn attributes() {
    Guest::each(|guest| {
        guest.create("file", b"12345");
        guest.mkdir("dir").unwrap();
        let file = guest.stat("file", 0).unwrap();
        assert_eq!((file.file_type, file.size, file.nlink), (4, 5, 1));
        let dir = guest.stat("dir", 0).unwrap();
        assert_eq!(dir.file_type, 3);
        assert_eq!(dir.dev, file.dev);
        assert_ne!(dir.ino, file.ino);
        let fd = guest.open("file", 0, READ).unwrap();
        assert_eq!(guest.filestat(fd), Ok(file));
        assert_eq!(guest.filestat(ROOT).unwrap().file_type, 3);
        assert_eq!(guest.stat("none", 0), Err(Errno::NOENT));
        assert_eq!(guest.stat("file/x", 0), Err(Errno::NOTDIR));
    });
}

#[test]
fn times() {
    const ATIM: u32 = 1;
    const ATIM_NOW: u32 = 2;
    const MTIM: u32 = 4;
    const MTIM_NOW: u32 = 8;
    Guest::each(|guest| {
        guest.create("file", b"");
        guest.symlink("file", "link").unwrap();
        guest.mkdir("dir").unwrap();
        let fd = guest.open("file", 0, READ).unwrap();
        let dir = guest.open("dir", DIRECTORY, READ).unwrap();
        for fd in [fd, dir] {
            wasi!(guest.fd_filestat_set_times(fd, 1_000_000_001u64, 2_000_000_002u64, ATIM | MTIM))
                .unwrap();
            let stat = guest.filestat(fd).unwrap();
            assert_eq!((stat.atim, stat.mtim), (1_000_000_001, 2_000_000_002));
            wasi!(guest.fd_filestat_set_times(fd, 5u64, 6u64, 0u32)).unwrap();
            assert_eq!(guest.filestat(fd), Ok(stat));
            wasi!(guest.fd_filestat_set_times(fd, 0u64, 0u64, MTIM_NOW)).unwrap();
            let stat = guest.filestat(fd).unwrap();
            assert_eq!(stat.atim, 1_000_000_001);
            assert!(stat.mtim > 1_600_000_000_000_000_000);
            for flags in [ATIM | ATIM_NOW, MTIM | MTIM_NOW, 16] {
                assert_eq!(
                    wasi!(guest.fd_filestat_set_times(fd, 0u64, 0u64, flags)),
                    Err(Errno::INVAL)
                );
            }
        }
        assert_eq!(wasi!(guest.fd_filestat_set_times(1u32, 0u64, 0u64, ATIM)), Err(Errno::BADF));

        guest.set_times("link", NO_FOLLOW, 0, 3_000, MTIM).unwrap();
        assert_eq!(guest.stat("link", NO_FOLLOW).unwrap().mtim, 3_000);
        assert_ne!(guest.stat("file", NO_FOLLOW).unwrap().mtim, 3_000);
        guest.set_times("link", FOLLOW, 4_000, 0, ATIM).unwrap();
        assert_eq!(guest.stat("link", FOLLOW).unwrap().atim, 4_000);
        assert_eq!(guest.set_times("link/", NO_FOLLOW, 0, 0, ATIM), Err(Errno::NOTDIR));
        assert_eq!(guest.set_times("none", FOLLOW, 0, 0, ATIM), Err(Errno::NOENT));
        assert_eq!(guest.set_times("file", FOLLOW, 0, 0, ATIM | ATIM_NOW), Err(Errno::INVAL));

        // What the host cannot store it may refuse or clamp.
        for extreme in [
            u64::MAX,
            u64::MAX - 1,
            i64::MAX as u64,
            1 << 63,
            253_402_300_800_000_000_000u128 as u64,
        ] {
            for lookup in [FOLLOW, NO_FOLLOW] {
                let _ = guest.set_times("file", lookup, extreme, extreme, ATIM | MTIM);
                guest.stat("file", lookup).unwrap();
            }
        }
    });
}

#[test]
#[cfg(unix)]
fn times_that_guests_cannot_express_are_clamped() {
    use rustix::fs::{Timespec, Timestamps};
    let (mut guest, dir) = Guest::with_dir();
    guest.create("file", b"");
    let file = std::fs::File::open(dir.path().join("file")).unwrap();
    for (seconds, seen) in [(-5, 0), (i64::MIN, 0), (i64::MAX, u64::MAX)] {
        let time = Timespec { tv_sec: seconds, tv_nsec: 7 };
        if rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time })
            .is_ok()
        {
            let mtim = guest.stat("file", 0).unwrap().mtim;
            // File systems clamp as well, some to dates before 2106.
            assert!(
                if seen == 0 { mtim == 0 } else { mtim > 4_000_000_000_000_000_000 },
                "{seconds}: {mtim}"
            );
        }
    }
}

#[test]
fn directories() {
    Guest::each(|guest| {
        guest.mkdir("dir").unwrap();
        guest.mkdir("dir/inner/").unwrap();
        for path in ["dir", "dir/", ".", "dir/inner/.."] {
            assert_eq!(guest.mkdir(path), Err(Errno::EXIST), "{path}");
        }
        assert_eq!(guest.mkdir("none/inner"), Err(Errno::NOENT));
        assert_eq!(guest.rmdir("dir"), Err(Errno::NOTEMPTY));
        for path in [".", "dir/.", "dir/inner/.."] {
            assert!(guest.rmdir(path).is_err(), "{path}");
        }
        guest.create("file", b"");
        for path in ["file", "file/"] {
            assert_eq!(guest.rmdir(path), Err(Errno::NOTDIR));
        }
        guest.rmdir("dir/inner/").unwrap();
        guest.rmdir("dir").unwrap();
        assert_eq!(guest.rmdir("dir"), Err(Errno::NOENT));
    });
}

#[test]
fn unlinking() {
    Guest::each(|guest| {
        guest.mkdir("dir").unwrap();
        guest.create("file", b"");
        guest.symlink("dir", "link").unwrap();
        for (path, error) in [
            ("dir", Errno::ISDIR),
            ("dir/", Errno::ISDIR),
            (".", Errno::ISDIR),
            ("file/", Errno::NOTDIR),
            ("link/", Errno::NOTDIR),
            ("none", Errno::NOENT),
            ("none/", Errno::NOENT),
        ] {
            assert_eq!(guest.unlink(path), Err(error), "{path}");
        }
        guest.unlink("link").unwrap();
        guest.unlink("file").unwrap();
        assert!(guest.stat("dir", 0).is_ok());
    });
}

#[test]
fn renaming() {
    Guest::each(|guest| {
        guest.create("file", b"file");
        guest.create("other", b"other");
        guest.mkdir("dir").unwrap();
        guest.mkdir("full").unwrap();
        guest.create("full/x", b"");
        guest.symlink("dir", "link").unwrap();
        for (from, to, error) in [
            ("none", "x", Errno::NOENT),
            ("file", "none/x", Errno::NOENT),
            ("file/", "x", Errno::NOTDIR),
            ("file", "x/", Errno::NOTDIR),
            ("link/", "x", Errno::NOTDIR),
            ("dir", "link/", Errno::NOTDIR),
            ("file", "dir", Errno::ISDIR),
            ("dir", "file", Errno::NOTDIR),
            ("dir", "full", Errno::NOTEMPTY),
            ("dir", "dir/inner", Errno::INVAL),
            (".", "x", Errno::INVAL),
            ("dir", "full/..", Errno::INVAL),
        ] {
            assert_eq!(guest.rename(from, to), Err(error), "{from} {to}");
        }

        guest.rename("file", "file").unwrap();
        guest.rename("file", "other").unwrap();
        assert_eq!(guest.contents("other"), Ok(b"file".to_vec()));
        assert_eq!(guest.stat("file", 0), Err(Errno::NOENT));
        guest.rename("dir/", "moved/").unwrap();
        guest.rename("full", "moved").unwrap();
        assert!(guest.stat("moved/x", 0).is_ok());
        let moved = guest.open("moved", DIRECTORY, READ).unwrap();
        guest.rename_at(ROOT, "other", moved, "y").unwrap();
        assert_eq!(guest.contents("moved/y"), Ok(b"file".to_vec()));
    });
}

#[test]
fn hard_links() {
    Guest::each(|guest| {
        guest.create("file", b"1");
        guest.mkdir("dir").unwrap();
        guest.link("file", "dir/link").unwrap();
        assert_eq!(guest.stat("file", 0), guest.stat("dir/link", 0));
        assert_eq!(guest.stat("file", 0).unwrap().nlink, 2);
        guest.create("dir/link", b"22");
        assert_eq!(guest.contents("file"), Ok(b"22".to_vec()));
        for (from, to, error) in [
            ("file", "dir", Errno::EXIST),
            ("file", "file", Errno::EXIST),
            ("dir", "x", Errno::PERM),
            ("dir/", "x", Errno::PERM),
            ("file/", "x", Errno::NOTDIR),
            ("file", "x/", Errno::NOENT),
            ("file", "dir/", Errno::EXIST),
            ("none", "x", Errno::NOENT),
        ] {
            assert_eq!(guest.link(from, to), Err(error), "{from} {to}");
        }
        assert_eq!(guest.link_at(ROOT, FOLLOW, "file", ROOT, "x"), Err(Errno::INVAL));

        // A link to a symbolic link is one.
        guest.symlink("nowhere", "symlink").unwrap();
        guest.link("symlink", "also").unwrap();
        assert_eq!(guest.readlink("also", 100), Ok(b"nowhere".to_vec()));
        assert_eq!(guest.link("file", "symlink"), Err(Errno::EXIST));
        guest.unlink("file").unwrap();
        assert_eq!(guest.contents("dir/link"), Ok(b"22".to_vec()));
    });
}

#[test]
fn symbolic_links() {
    Guest::each(|guest| {
        guest.create("file", b"contents");
        guest.mkdir("dir").unwrap();
        guest.create("dir/x", b"x");
        guest.symlink("file", "to-file").unwrap();
        guest.symlink("../file", "dir/up").unwrap();
        guest.symlink("dir", "to-dir").unwrap();
        guest.symlink("dir/", "to-dir-slash").unwrap();
        guest.symlink("loop", "loop").unwrap();
        guest.symlink("gone", "dangling").unwrap();

        assert_eq!(guest.contents("to-file"), Ok(b"contents".to_vec()));
        assert_eq!(guest.contents("dir/up"), Ok(b"contents".to_vec()));
        assert_eq!(guest.contents("to-dir/up"), Ok(b"contents".to_vec()));
        assert_eq!(guest.contents("to-dir-slash/x"), Ok(b"x".to_vec()));
        assert_eq!(guest.contents("loop"), Err(Errno::LOOP));
        assert_eq!(guest.contents("loop/x"), Err(Errno::LOOP));
        assert_eq!(guest.contents("dangling"), Err(Errno::NOENT));
        for path in ["to-file", "to-dir", "dangling", "loop"] {
            assert_eq!(guest.open(path, 0, READ), Err(Errno::LOOP), "{path}");
            assert_eq!(guest.stat(path, NO_FOLLOW).unwrap().file_type, 7);
        }
        assert!(guest.open("to-dir", DIRECTORY, READ).is_err());
        guest.open("to-dir/", 0, READ).unwrap();
        assert_eq!(guest.open("to-file/", 0, READ), Err(Errno::NOTDIR));
        assert_eq!(guest.stat("to-dir", FOLLOW).unwrap().file_type, 3);
        assert_eq!(guest.stat("to-dir/", NO_FOLLOW).unwrap().file_type, 3);
        assert_eq!(guest.stat("to-file/", NO_FOLLOW), Err(Errno::NOTDIR));

        assert_eq!(guest.readlink("dir/up", 100), Ok(b"../file".to_vec()));
        assert_eq!(guest.readlink("dir/up", 4), Ok(b"../f".to_vec()));
        assert_eq!(guest.readlink("to-dir-slash", 100), Ok(b"dir/".to_vec()));
        assert_eq!(guest.readlink("file", 100), Err(Errno::INVAL));
        assert_eq!(guest.readlink("to-dir/", 100), Err(Errno::INVAL));
        assert_eq!(guest.readlink("to-file/", 100), Err(Errno::NOTDIR));
        assert_eq!(guest.readlink("none", 100), Err(Errno::NOENT));

        for (path, error) in [
            ("file", Errno::EXIST),
            ("dangling", Errno::EXIST),
            ("dir/", Errno::EXIST),
            ("file/", Errno::NOTDIR),
            ("new/", Errno::NOENT),
            ("none/x", Errno::NOENT),
        ] {
            assert_eq!(guest.symlink("target", path), Err(error), "{path}");
        }
        assert_eq!(guest.symlink("", "new"), Err(Errno::NOENT));

        // A file is created where a dangling link leads to, but not in its place.
        assert_eq!(
            guest.open_at(ROOT, FOLLOW, "dangling", CREAT | EXCL, WRITE, 0),
            Err(Errno::EXIST)
        );
        assert_eq!(guest.mkdir("dangling/"), Err(Errno::EXIST));
        guest.open_at(ROOT, FOLLOW, "dangling", CREAT, WRITE, 0).unwrap();
        assert_eq!(guest.stat("gone", 0).unwrap().file_type, 4);
    });
}

#[test]
fn paths_that_are_none() {
    Guest::each(|guest| {
        guest.create("file", b"");
        let long = "x".repeat(5000);
        let deep = "x/".repeat(2500);
        for (path, error) in [
            ("", Errno::NOENT),
            ("file\0", Errno::INVAL),
            ("fi\0le", Errno::INVAL),
            (long.as_str(), Errno::NAMETOOLONG),
            (deep.as_str(), Errno::NAMETOOLONG),
            (&long[..300], Errno::NAMETOOLONG),
        ] {
            assert_eq!(guest.open(path, CREAT, WRITE), Err(error));
            assert_eq!(guest.stat(path, 0), Err(error));
            assert_eq!(guest.mkdir(path), Err(error));
        }
        let (path, len) = guest.put(b"\xff\xfe");
        assert_eq!(wasi!(guest.path_create_directory(ROOT, path, len)), Err(Errno::ILSEQ));
        let (path, len) = guest.put(b"a\xc3/b");
        assert_eq!(wasi!(guest.path_unlink_file(ROOT, path, len)), Err(Errno::ILSEQ));
        let (name, len) = guest.put(b"x");
        let (target, target_len) = guest.put(b"\x80");
        assert_eq!(
            wasi!(guest.path_symlink(target, target_len, ROOT, name, len)),
            Err(Errno::ILSEQ)
        );
    });
}

#[test]
fn odd_paths() {
    Guest::each(|guest| {
        guest.mkdir("a").unwrap();
        guest.mkdir("a/b").unwrap();
        guest.create("a/b/file", b"x");
        for path in ["a/.//b/../../a/b/../b///./file", "./a/b/file", "a//b//file"] {
            assert_eq!(guest.contents(path), Ok(b"x".to_vec()), "{path}");
        }
        for path in ["a/b/", "a/b//", "a/b/.", "a/b/./", "a/./b/.//", "./", ".", "a/b/.."] {
            guest.open(path, DIRECTORY, READ).unwrap();
        }
        for path in ["a/b/file/", "a/b/file/.", "a/b/file/..", "a/b/file//"] {
            assert_eq!(guest.open(path, 0, READ), Err(Errno::NOTDIR), "{path}");
        }
    });
}

#[test]
fn files_of_the_embedder() {
    let fs = MemFs::new(1 << 16).with_clock(|| 1234);
    fs.write("/etc/conf/a", "one").unwrap();
    fs.write("etc/conf/a", "two").unwrap();
    assert_eq!(fs.read("etc/none"), Err(Errno::NOENT));
    assert_eq!(fs.read("etc"), Err(Errno::ISDIR));
    let mut guest = Guest::with_mem_fs(&fs, FsPerms::ReadWrite);
    assert_eq!(guest.contents("etc/conf/a"), Ok(b"two".to_vec()));
    guest.create("out", b"result");
    assert_eq!(guest.stat("out", 0).unwrap().mtim, 1234);
    assert_eq!(fs.read("out"), Ok(b"result".to_vec()));
}

#[test]
fn a_file_system_with_nothing_but_what_it_must_have() {
    use kinglet_wasi::{
        Dir, File, Fs, FsResult, Metadata, Node, OpenOptions, ReadDir, WasiCtxBuilder,
    };

    /// A directory with one file, `zeros`.
    struct Zeros;

    impl Fs for Zeros {
        fn root(&self) -> FsResult<Box<dyn Dir>> {
            Ok(Box::new(Zeros))
        }
    }

    impl Dir for Zeros {
        fn open(&self, path: &str, _: &OpenOptions) -> FsResult<Node> {
            if path == "zeros" { Ok(Node::File(Box::new(Zeros))) } else { Err(Errno::NOENT) }
        }

        fn metadata(&self) -> FsResult<Metadata> {
            Ok(Metadata::default())
        }

        fn metadata_at(&self, _: &str, _: bool) -> FsResult<Metadata> {
            Ok(Metadata::default())
        }

        fn read_dir(&self) -> FsResult<ReadDir> {
            Err(Errno::IO)
        }
    }

    impl File for Zeros {
        fn metadata(&self) -> FsResult<Metadata> {
            Ok(Metadata { size: 3, ..Metadata::default() })
        }

        fn read_at(&self, buf: &mut [u8], _: u64) -> FsResult<usize> {
            buf[..2].fill(0);
            Ok(2)
        }
    }

    let mut builder = WasiCtxBuilder::new();
    builder.preopened_fs(Box::new(Zeros), "/", FsPerms::ReadWrite).unwrap();
    let mut guest = Guest::new(builder.build());
    assert_eq!(guest.contents("zeros"), Ok(vec![0; 2]));
    assert_eq!(guest.mkdir("x"), Err(Errno::NOTSUP));
    assert_eq!(guest.rmdir("x"), Err(Errno::NOTSUP));
    assert_eq!(guest.unlink("x"), Err(Errno::NOTSUP));
    assert_eq!(guest.rename("x", "y"), Err(Errno::NOTSUP));
    assert_eq!(guest.link("x", "y"), Err(Errno::NOTSUP));
    assert_eq!(guest.symlink("x", "y"), Err(Errno::NOTSUP));
    assert_eq!(guest.readlink("x", 9), Err(Errno::INVAL));
    assert_eq!(guest.readdir(ROOT, 99, 0), Err(Errno::IO));
    assert_eq!(guest.set_times("x", 0, 1, 1, 5), Err(Errno::NOTSUP));
    let fd = guest.open("zeros", 0, READ_WRITE).unwrap();
    assert_eq!(guest.write(fd, b"x"), Err(Errno::BADF));
    assert_eq!(wasi!(guest.fd_filestat_set_size(fd, 1u64)), Err(Errno::BADF));
    assert_eq!(wasi!(guest.fd_allocate(fd, 0u64, 3u64)), Ok(()));
    assert_eq!(wasi!(guest.fd_allocate(fd, 0u64, 4u64)), Err(Errno::BADF));
    assert_eq!(wasi!(guest.fd_filestat_set_times(fd, 0u64, 0u64, 1u32)), Err(Errno::NOTSUP));
    assert_eq!(wasi!(guest.fd_sync(fd)), Ok(()));
}
