//! Reading directories: cookies, and buffers of all sizes.

use std::collections::BTreeSet;

use kinglet_wasi::Errno;

use crate::guest::*;

fn names(entries: &[Entry]) -> BTreeSet<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

/// Reads everything as a C library does: again from the last entry that fit.
fn read_all(guest: &mut Guest, fd: u32, room: u32) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let cookie = all.last().map_or(0, |entry| entry.next);
        let (entries, end) = guest.readdir(fd, room, cookie).unwrap();
        assert!(end || !entries.is_empty(), "{room} bytes are too few");
        all.extend(entries);
        if end {
            return all;
        }
    }
}

#[test]
fn entries() {
    Guest::each(|guest| {
        let (empty, end) = guest.readdir(ROOT, 1000, 0).unwrap();
        assert!(end);
        assert_eq!(empty.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), [".", ".."]);
        assert_eq!(empty[0].ino, guest.filestat(ROOT).unwrap().ino);
        assert!(empty.iter().all(|entry| entry.file_type == 3));

        guest.create("file", b"");
        guest.mkdir("dir").unwrap();
        guest.symlink("x", "link").unwrap();
        let (entries, _) = guest.readdir(ROOT, 1000, 0).unwrap();
        assert_eq!(names(&entries), BTreeSet::from([".", "..", "file", "dir", "link"]));
        for entry in &entries[2..] {
            let stat = guest.stat(&entry.name, NO_FOLLOW).unwrap();
            assert_eq!((entry.ino, entry.file_type), (stat.ino, stat.file_type));
        }
    });
}

#[test]
fn buffers_of_all_sizes_give_the_same() {
    Guest::each(|guest| {
        for i in 0..40 {
            guest.create(&format!("{}{i}", "long".repeat(i % 5)), b"");
        }
        let all = read_all(guest, ROOT, 0x1_0000);
        assert_eq!(all.len(), 42);
        assert_eq!(names(&all).len(), 42);
        for room in [46, 47, 64, 100, 256, 1000, 4096] {
            assert_eq!(read_all(guest, ROOT, room), all, "{room}");
        }
        // From any cookie, in any order, the rest is the same.
        for index in [41, 0, 20, 5, 39, 7] {
            let (rest, end) = guest.readdir(ROOT, 0x1_0000, all[index].next).unwrap();
            assert!(end);
            assert_eq!(rest, all[index + 1..]);
        }
        assert_eq!(guest.readdir(ROOT, 1000, 42).unwrap(), (vec![], true));
        assert_eq!(guest.readdir(ROOT, 1000, u64::MAX).unwrap(), (vec![], true));
        assert_eq!(guest.readdir(ROOT, 1000, 1 << 40).unwrap(), (vec![], true));
        assert_eq!(read_all(guest, ROOT, 300), all);
    });
}

#[test]
fn tiny_buffers_get_what_fits() {
    Guest::each(|guest| {
        guest.create("file", b"");
        for room in 0..25 {
            guest.poke(DATA, &[0xaa; 32]);
            wasi!(guest.fd_readdir(ROOT, DATA, room, 0u64, 0u32)).unwrap();
            assert_eq!(guest.u32(0), room, "full, so there is more");
            assert_eq!(guest.bytes(DATA + room, 4), [0xaa; 4], "no more than asked for");
        }
        assert_eq!(guest.readdir(ROOT, 25, 0).unwrap().0.len(), 1);
    });
}

#[test]
fn removing_while_reading() {
    Guest::each(|guest| {
        for i in 0..300 {
            guest.create(&format!("file{i}"), b"");
        }
        let fd = guest.open(".", DIRECTORY, READ).unwrap();
        let mut cookie = 0;
        let mut removed = 0;
        loop {
            let (entries, end) = guest.readdir(fd, 500, cookie).unwrap();
            for entry in entries {
                cookie = entry.next;
                if entry.name.starts_with("file") {
                    guest.unlink(&entry.name).unwrap();
                    removed += 1;
                }
            }
            if end {
                break;
            }
        }
        assert_eq!(removed, 300);
        // Back at the start, new entries are seen.
        guest.create("new", b"");
        assert_eq!(names(&read_all(guest, fd, 500)), BTreeSet::from([".", "..", "new"]));
    });
}

#[test]
fn more_entries_than_are_kept() {
    let fs = kinglet_wasi::MemFs::new(1 << 22);
    for i in 0..3000 {
        fs.write(&format!("{i:04}"), "").unwrap();
    }
    let mut guest = Guest::with_mem_fs(&fs, kinglet_wasi::FsPerms::ReadOnly);
    let all = read_all(&mut guest, ROOT, 0x2_0000);
    assert_eq!(all.len(), 3002);
    for index in [1, 3000, 2, 1500, 1400, 10] {
        let (rest, _) = guest.readdir(ROOT, 0x2_0000, all[index].next).unwrap();
        assert_eq!(rest, all[index + 1..]);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn names_that_are_not_text() {
    use std::os::unix::ffi::OsStrExt;
    let (mut guest, dir) = Guest::with_dir();
    let name = std::ffi::OsStr::from_bytes(b"bad\xff");
    std::fs::write(dir.path().join(name), "").unwrap();
    std::os::unix::fs::symlink(name, dir.path().join("link")).unwrap();
    assert_eq!(guest.readdir(ROOT, 1000, 0), Err(Errno::ILSEQ));
    assert_eq!(guest.readdir(ROOT, 25, 0).unwrap().0[0].name, ".", "up to there it works");
    assert_eq!(guest.readdir(ROOT, 1000, 9), Ok((vec![], true)));
    assert_eq!(guest.readlink("link", 100), Err(Errno::ILSEQ));
}
