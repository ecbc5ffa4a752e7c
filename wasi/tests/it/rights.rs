//! What a descriptor may do: read-only grants, narrowed rights, closed and renumbered descriptors.

use kinglet_wasi::{Errno, FsPerms, MemFs, WasiCtxBuilder};

use crate::guest::*;

const PATH_OPEN: u64 = 1 << 13;
const UNLINK: u64 = 1 << 26;
const SEEK_TELL: u64 = 1 << 2 | 1 << 5;

#[test]
fn read_only_grants_cannot_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "contents").unwrap();
    std::fs::create_dir(dir.path().join("dir")).unwrap();
    let fs = MemFs::new(10_000);
    fs.write("file", "contents").unwrap();
    fs.write("dir/x", "").unwrap();
    for mut guest in
        [Guest::granted(dir.path(), FsPerms::ReadOnly), Guest::with_mem_fs(&fs, FsPerms::ReadOnly)]
    {
        assert_eq!(guest.contents("file"), Ok(b"contents".to_vec()));
        for (oflags, rights) in
            [(0, WRITE), (0, READ_WRITE), (CREAT, READ), (TRUNC, READ), (CREAT | EXCL, 0)]
        {
            assert_eq!(guest.open("file", oflags, rights), Err(Errno::PERM), "{oflags} {rights}");
        }
        assert_eq!(guest.open("new", CREAT, WRITE), Err(Errno::PERM));
        assert_eq!(guest.mkdir("new"), Err(Errno::PERM));
        assert_eq!(guest.rmdir("dir"), Err(Errno::PERM));
        assert_eq!(guest.unlink("file"), Err(Errno::PERM));
        assert_eq!(guest.rename("file", "new"), Err(Errno::PERM));
        assert_eq!(guest.link("file", "new"), Err(Errno::PERM));
        assert_eq!(guest.symlink("file", "new"), Err(Errno::PERM));
        assert_eq!(guest.set_times("file", FOLLOW, 1, 1, 5), Err(Errno::PERM));
        assert_eq!(wasi!(guest.fd_filestat_set_times(ROOT, 1u64, 1u64, 5u32)), Err(Errno::PERM));
        let fd = guest.open("file", 0, READ).unwrap();
        assert_eq!(wasi!(guest.fd_filestat_set_times(fd, 1u64, 1u64, 5u32)), Err(Errno::PERM));
        assert_eq!(wasi!(guest.fd_filestat_set_size(fd, 0u64)), Err(Errno::BADF));
        assert_eq!(wasi!(guest.fd_allocate(fd, 0u64, 100u64)), Err(Errno::BADF));
        assert_eq!(guest.write(fd, b"x"), Err(Errno::BADF));
        assert_eq!(guest.pwrite(fd, b"x", 0), Err(Errno::BADF));
        // It holds for what is opened below.
        let below = guest.open("dir", DIRECTORY, READ).unwrap();
        assert_eq!(guest.open_at(below, 0, "new", CREAT, WRITE, 0), Err(Errno::PERM));
        assert_eq!(guest.rename_at(ROOT, "file", below, "file"), Err(Errno::PERM));
        // The rights say so, too.
        let stat = guest.fdstat(ROOT).unwrap();
        assert_eq!(stat.base & UNLINK, 0);
        assert_ne!(stat.base & PATH_OPEN, 0);
        assert_eq!(
            guest.set_rights(ROOT, stat.base | UNLINK, stat.inheriting),
            Err(Errno::NOTCAPABLE)
        );
        assert_eq!(guest.contents("file"), Ok(b"contents".to_vec()));
    }
}

#[test]
fn files_can_be_used_as_they_were_opened() {
    Guest::each(|guest| {
        guest.create("file", b"contents");
        let read = guest.open("file", 0, READ).unwrap();
        assert_eq!(guest.write(read, b"x"), Err(Errno::BADF));
        assert_eq!(guest.pwrite(read, b"x", 0), Err(Errno::BADF));
        assert_eq!(wasi!(guest.fd_filestat_set_size(read, 0u64)), Err(Errno::BADF));
        let write = guest.open("file", 0, WRITE).unwrap();
        assert_eq!(guest.read(write, 1), Err(Errno::BADF));
        assert_eq!(guest.pread(write, 1, 0), Err(Errno::BADF));
        let neither = guest.open("file", 0, 0).unwrap();
        assert_eq!(guest.read(neither, 1), Err(Errno::BADF));
        assert_eq!(guest.filestat(neither).unwrap().size, 8);

        let base = guest.fdstat(read).unwrap().base;
        assert_eq!(base & READ_WRITE, READ);
        assert_eq!(guest.fdstat(write).unwrap().base & READ_WRITE, WRITE);
        // The lack of these is how a C library tells a terminal.
        assert_eq!(base & SEEK_TELL, SEEK_TELL);
        assert_eq!(guest.fdstat(0).unwrap().base & (SEEK_TELL | WRITE), 0);
        assert_eq!(guest.fdstat(ROOT).unwrap().base & (SEEK_TELL | READ_WRITE), 0);
    });
}

#[test]
fn rights_can_only_get_fewer() {
    Guest::each(|guest| {
        guest.create("file", b"contents");
        let fd = guest.open("file", 0, READ_WRITE).unwrap();
        let stat = guest.fdstat(fd).unwrap();
        guest.set_rights(fd, stat.base, stat.inheriting).unwrap();
        guest.set_rights(fd, stat.base & !READ_WRITE, 0).unwrap();
        assert_eq!(guest.read(fd, 1), Err(Errno::BADF));
        assert_eq!(guest.write(fd, b"x"), Err(Errno::BADF));
        assert_eq!(guest.seek(fd, 1, 0), Ok(1));
        guest.set_rights(fd, 1 << 5, 0).unwrap();
        assert_eq!(guest.seek(fd, 2, 0), Err(Errno::NOTCAPABLE));
        assert_eq!(guest.seek(fd, 0, 1), Ok(1), "that only asks");
        assert_eq!(guest.filestat(fd), Err(Errno::NOTCAPABLE));
        assert_eq!(guest.set_rights(fd, stat.base, 0), Err(Errno::NOTCAPABLE));
        assert_eq!(guest.set_rights(fd, 1 << 5, READ), Err(Errno::NOTCAPABLE));
        assert_eq!(guest.set_rights(fd, 1 << 63 | 1 << 5, 0), Err(Errno::NOTCAPABLE));
        assert_eq!(guest.set_rights(99, 0, 0), Err(Errno::BADF));

        let dir = guest.fdstat(ROOT).unwrap();
        guest.set_rights(ROOT, dir.base & !UNLINK, dir.inheriting & !(WRITE | UNLINK)).unwrap();
        assert_eq!(guest.unlink("file"), Err(Errno::NOTCAPABLE));
        assert_eq!(guest.open("file", 0, WRITE), Err(Errno::NOTCAPABLE));
        // What is opened through it inherits that.
        let again = guest.open(".", DIRECTORY, READ).unwrap();
        let (name, len) = guest.put(b"file");
        assert_eq!(wasi!(guest.path_unlink_file(again, name, len)), Err(Errno::NOTCAPABLE));
        assert_eq!(guest.open_at(again, 0, "file", 0, WRITE, 0), Err(Errno::NOTCAPABLE));
        assert_eq!(guest.contents("file"), Ok(b"contents".to_vec()));
    });
}

#[test]
fn rights_to_cut_files_off() {
    const PATH_SET_SIZE: u64 = 1 << 19;
    Guest::each(|guest| {
        guest.create("file", b"contents");
        let dir = guest.fdstat(ROOT).unwrap();
        guest.set_rights(ROOT, dir.base & !PATH_SET_SIZE, dir.inheriting).unwrap();
        assert_eq!(guest.open("file", TRUNC, WRITE), Err(Errno::NOTCAPABLE));
        assert_eq!(guest.contents("file"), Ok(b"contents".to_vec()));
    });
}

#[test]
fn closed_descriptors_are_gone() {
    Guest::each(|guest| {
        guest.create("file", b"one");
        guest.create("other", b"two");
        let fd = guest.open("file", 0, READ).unwrap();
        guest.close(fd).unwrap();
        assert_eq!(guest.close(fd), Err(Errno::BADF));
        assert_eq!(guest.read(fd, 1), Err(Errno::BADF));
        assert_eq!(guest.fdstat(fd), Err(Errno::BADF));
        // The lowest free number is used again, for something that has its own rights and position.
        assert_eq!(guest.open("other", 0, WRITE), Ok(fd));
        assert_eq!(guest.read(fd, 1), Err(Errno::BADF));
        for fd in [99, u32::MAX, i32::MAX as u32] {
            assert_eq!(guest.close(fd), Err(Errno::BADF));
            assert_eq!(guest.read(fd, 1), Err(Errno::BADF));
        }
        // A grant that is closed cannot be had again.
        guest.close(ROOT).unwrap();
        assert_eq!(guest.open("file", 0, READ), Err(Errno::BADF));
        assert_eq!(wasi!(guest.fd_prestat_get(ROOT, 0u32)), Err(Errno::BADF));
    });
}

#[test]
fn renumbering() {
    Guest::each(|guest| {
        guest.create("file", b"contents");
        guest.mkdir("dir").unwrap();
        let file = guest.open("file", 0, READ).unwrap();
        let dir = guest.open("dir", DIRECTORY, READ).unwrap();
        assert_eq!(guest.read(file, 3), Ok(b"con".to_vec()));
        assert_eq!(wasi!(guest.fd_renumber(file, 99u32)), Err(Errno::BADF));
        assert_eq!(wasi!(guest.fd_renumber(99u32, file)), Err(Errno::BADF));
        assert_eq!(wasi!(guest.fd_renumber(file, u32::MAX)), Err(Errno::BADF));
        wasi!(guest.fd_renumber(file, file)).unwrap();
        wasi!(guest.fd_renumber(file, 1u32)).unwrap();
        assert_eq!(guest.fdstat(file), Err(Errno::BADF));
        assert_eq!(guest.read(1, 3), Ok(b"ten".to_vec()));

        // Onto a grant: what is there now is what was moved, and the grant is gone.
        wasi!(guest.fd_renumber(dir, ROOT)).unwrap();
        assert_eq!(wasi!(guest.fd_prestat_get(ROOT, 0u32)), Err(Errno::BADF));
        assert_eq!(guest.stat("file", 0), Err(Errno::NOENT));
        assert_eq!(guest.stat("..", 0), Err(Errno::PERM));
        assert_eq!(guest.stat("../file", 0), Err(Errno::PERM));
        guest.mkdir("inner").unwrap();
    });
}

#[test]
fn the_names_of_grants() {
    let mut builder = WasiCtxBuilder::new();
    let fs = MemFs::new(1000);
    builder.preopened_fs(Box::new(fs.clone()), "/data", FsPerms::ReadOnly).unwrap();
    builder.preopened_fs(Box::new(fs), "", FsPerms::ReadWrite).unwrap();
    let mut guest = Guest::new(builder.build());
    wasi!(guest.fd_prestat_get(3u32, 0u32)).unwrap();
    assert_eq!((guest.u32(0), guest.u32(4)), (0, 5));
    assert_eq!(wasi!(guest.fd_prestat_dir_name(3u32, DATA, 4u32)), Err(Errno::NAMETOOLONG));
    wasi!(guest.fd_prestat_dir_name(3u32, DATA, 6u32)).unwrap();
    assert_eq!(guest.bytes(DATA, 6), b"/data\0");
    wasi!(guest.fd_prestat_get(4u32, 0u32)).unwrap();
    assert_eq!(guest.u32(4), 0);
    assert_eq!(wasi!(guest.fd_prestat_get(5u32, 0u32)), Err(Errno::BADF));
    assert_eq!(wasi!(guest.fd_prestat_get(0u32, 0u32)), Err(Errno::BADF));
    assert_eq!(wasi!(guest.fd_prestat_dir_name(1u32, DATA, 6u32)), Err(Errno::NOTDIR));
    let below = guest.open(".", DIRECTORY, READ).unwrap();
    assert_eq!(wasi!(guest.fd_prestat_get(below, 0u32)), Err(Errno::BADF));
}

#[test]
fn there_is_a_limit_to_open_descriptors() {
    let mut builder = WasiCtxBuilder::new();
    builder.preopened_fs(Box::new(MemFs::new(1000)), "/", FsPerms::ReadWrite).unwrap();
    let mut guest = Guest::new(builder.max_descriptors(6).build());
    assert_eq!(guest.open(".", 0, 0), Ok(4));
    assert_eq!(guest.open(".", 0, 0), Ok(5));
    assert_eq!(guest.open(".", 0, 0), Err(Errno::MFILE));
    guest.close(4).unwrap();
    assert_eq!(guest.open(".", 0, 0), Ok(4));
}

#[test]
fn what_cannot_be_granted() {
    let mut builder = WasiCtxBuilder::new();
    let error =
        builder.preopened_dir("/no/such/directory", "/", FsPerms::ReadOnly).map(drop).unwrap_err();
    assert!(error.to_string().contains("/no/such/directory"), "{error}");
}
