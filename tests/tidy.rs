//! What the compiler does not check about this repository: who may depend on whom, where unsafe code and the operating
//! system may be used, and what every file must keep to. `ARCHITECTURE.md` gives the reasons.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Which crates of ours a crate may depend on. Development dependencies count, but for a crate's own and those of [`FOR_TESTS`].
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("interp", &["kinglet-core"]),
    ("jit", &["kinglet-core"]),
    (".", &["kinglet-core", "kinglet-interp", "kinglet-jit"]),
    ("wasi", &["kinglet"]),
    ("spectest", &["kinglet"]),
    ("cli", &["kinglet", "kinglet-wasi", "kinglet-spectest"]),
    ("benches", &["kinglet", "kinglet-wasi"]),
    ("benches/compare", &["kinglet", "kinglet-wasi"]),
    ("examples/firmware", &["kinglet"]),
    ("examples/firmware/sizes", &["kinglet"]),
    ("fuzz", &["kinglet", "kinglet-wasi"]),
    // It reads the interpreter's own profile.
    ("corpus", &["kinglet", "kinglet-interp"]),
];

/// What the tests and examples of a crate may use besides: cargo allows this circle for development dependencies.
const FOR_TESTS: &[(&str, &str)] = &[(".", "kinglet"), (".", "kinglet-wasi")];

/// What may be named only below these paths.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "wasmparser::",
        &[
            "core/src/binary/",
            "core/src/translate/",
            "benches/compare/",
            "examples/firmware/sizes/",
        ],
    ),
    ("kinglet_core", &["core/", "interp/", "jit/", "src/"]),
    ("kinglet_interp", &["interp/", "src/"]),
    ("kinglet_jit", &["jit/", "src/backend.rs"]),
    ("dynasm", &["jit/src/isa/"]),
    // In the command line, it stands for the disassemblers.
    ("feature = \"jit\"", &["src/backend.rs", "cli/src/asm.rs"]),
];

/// Where unsafe code may be.
const UNSAFE: &[&str] = &[
    "core/src/runtime/memory",
    "core/src/runtime/vmctx",
    "examples/firmware/board/",
    "examples/firmware/guests/",
    "examples/firmware/sizes/src/bin/wasm3.rs",
    "interp/src/",
    "jit/src/load/",
    "jit/src/run/",
    "src/func/typed",
    "wasi/src/host/",
];

/// Crates whose library must do without the operating system, and the files that are there to use it.
const NO_SYSTEM: &[&str] = &["core/src/", "interp/src/", "jit/src/", "src/", "wasi/src/"];
const SYSTEM: &[&str] =
    &["src/module.rs", "core/src/runtime/memory/waiters.rs", "jit/src/load/", "wasi/src/host/"];

/// What calls the operating system. Types such as `std::io::Error` and `std::time::Instant` do not.
const SYSTEM_CALLS: &[&str] = &[
    "std::fs",
    "std::process",
    "std::os::",
    "libc::",
    "windows_sys::",
    "rustix::",
    "cap_std::",
    "cap_fs_ext::",
    "env::var",
    "env::args()",
    "SystemTime::now",
    "Instant::now",
    "thread::sleep",
    "TcpStream::connect",
    "TcpListener::bind",
    "File::open",
];

/// Lines of a file at most.
const MAX_LINES: usize = 1000;

#[test]
fn dependencies_point_downward() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (file, text) in repository(&["toml"]) {
        let Some(dir) = file.strip_suffix("Cargo.toml") else { continue };
        let dir = if dir.is_empty() { "." } else { dir.trim_end_matches('/') };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == dir) else {
            let ours: Vec<_> = dependencies(&text).into_iter().collect();
            if ours.iter().any(|(_, name)| name.starts_with("kinglet")) {
                wrong.push(format!("{file} is not in the table of arrows"));
            }
            continue;
        };
        seen.insert(dir.to_owned());
        for (section, name) in dependencies(&text) {
            let ours = name.starts_with("kinglet");
            let test = section == "dev-dependencies" && FOR_TESTS.contains(&(dir, &name));
            if ours && !test && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{file}: [{section}] has {name}"));
            }
        }
    }
    assert!(seen.contains("core") && seen.contains("interp") && seen.contains("."), "{seen:?}");
    none("dependencies that the architecture does not have", &wrong);
}

#[test]
fn members_share_their_metadata_and_lints() {
    let mut wrong = Vec::new();
    let root = read("Cargo.toml");
    let list = root.split_once("members = [").expect("the root lists its members").1;
    let list = list.split_once(']').expect("the list ends").0;
    let members: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(members.contains(&"core"), "{members:?}");
    for member in members {
        let text = read(Path::new(member).join("Cargo.toml"));
        for key in ["version", "edition", "rust-version", "license"] {
            if !text.contains(&format!("{key}.workspace = true")) {
                wrong.push(format!("{member}: {key} is not the workspace's"));
            }
        }
        if !text.contains("[lints]\nworkspace = true") {
            wrong.push(format!("{member}: the workspace's lints are missing"));
        }
    }
    none("members that go their own way", &wrong);
}

#[test]
fn what_belongs_to_a_room_stays_there() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let code = code_of(&text);
        for (word, rooms) in ROOMS {
            if !rooms.iter().any(|room| file.starts_with(room)) {
                wrong.extend(lines_with(&code, word).map(|n| format!("{file}:{n}: {word}")));
            }
        }
    }
    none("names out of their rooms", &wrong);
}

#[test]
fn the_operating_system_is_called_in_few_places() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let library = NO_SYSTEM.iter().any(|dir| file.starts_with(dir));
        if !library || SYSTEM.iter().any(|dir| file.starts_with(dir)) {
            continue;
        }
        // Tests may do what they like, and stand at the end.
        let code = code_of(text.split("#[cfg(test)]").next().unwrap_or_default());
        for call in SYSTEM_CALLS {
            wrong.extend(lines_with(&code, call).map(|n| format!("{file}:{n}: {call}")));
        }
    }
    none("calls of the operating system", &wrong);
}

#[test]
fn unsafe_code_stays_in_its_rooms_and_is_explained() {
    let mut wrong = Vec::new();
    let mut blocks = 0;
    for (file, text) in sources() {
        let room = UNSAFE.iter().any(|room| file.starts_with(room));
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in code_of(&text).lines().enumerate() {
            if !word(line, "unsafe") {
                continue;
            }
            if !room {
                wrong.push(format!("{file}:{}: unsafe code outside of its rooms", i + 1));
            }
            let needs = ["unsafe {", "unsafe impl"].iter().any(|form| line.contains(form));
            if needs {
                blocks += 1;
                // The statement may begin some lines before the block.
                let near = &lines[i.saturating_sub(8)..i];
                if !near.iter().any(|line| line.contains("SAFETY:")) {
                    wrong.push(format!("{file}:{}: no SAFETY comment", i + 1));
                }
            }
        }
    }
    assert!(blocks > 50, "only {blocks} unsafe blocks: the test no longer finds them");
    none("unsafe code", &wrong);
}

#[test]
fn files_are_short_and_finished() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        if text.lines().count() > MAX_LINES {
            wrong.push(format!("{file}: more than {MAX_LINES} lines"));
        }
        let code = code_of(&text);
        for stub in ["todo!", "unimplemented!", "#[ignore", "dbg!("] {
            wrong.extend(lines_with(&code, stub).map(|n| format!("{file}:{n}: {stub}")));
        }
    }
    none("files that are not finished", &wrong);
}

#[test]
fn the_project_names_no_machine() {
    // Put together here, lest they are found here.
    let paths = [["/wo", "rk/"].concat(), ["/ho", "me/"].concat(), ["../sha", "red"].concat()];
    let mut wrong = Vec::new();
    for (file, text) in repository(&["rs", "toml", "md", "sh", "txt", "wat", "c", "py"]) {
        for path in &paths {
            let part = |c: char| c.is_alphanumeric() || "_.}".contains(c);
            let starts = |line: &str| {
                line.match_indices(path)
                    .any(|(at, _)| !path.starts_with('/') || !line[..at].ends_with(part))
            };
            let found = text.lines().enumerate().filter(|(_, line)| starts(line));
            wrong.extend(found.map(|(i, _)| format!("{file}:{}: {path}", i + 1)));
        }
    }
    none("paths of some machine", &wrong);
}

#[test]
fn documents_agree_with_the_repository() {
    let mut wrong = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    if !read("CHANGELOG.md").contains(&format!("## [{version}]")) {
        wrong.push(format!("CHANGELOG.md does not mention {version}"));
    }
    let mut links = 0;
    for (file, text) in repository(&["md"]) {
        let dir = Path::new(&file).parent().unwrap_or(Path::new(""));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            links += 1;
            if !root().join(dir).join(path).exists() {
                wrong.push(format!("{file} links to {link}"));
            }
        }
    }
    assert!(links > 5, "only {links} links: the test no longer finds them");
    none("documents that are out of date", &wrong);
}

/// What README.md says of proposals: our column links to tests, and no switch is missing.
#[test]
fn the_table_of_proposals_is_complete() {
    const COLUMNS: usize = 7;
    let readme = read("README.md");
    let section = readme.split("## Proposals").nth(1).expect("there is a section on proposals");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.contains("`Config`"));
    let mut wrong = Vec::new();
    let mut names = String::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        if cells.len() != COLUMNS || cells.iter().any(|cell| cell.is_empty()) {
            wrong.push(format!("{row}: not {COLUMNS} cells"));
            continue;
        }
        names += cells[0];
        let link = cells[1].split("](").nth(1).and_then(|rest| rest.split(')').next());
        let test = link.is_some_and(|link| link.contains("tests/") && root().join(link).exists());
        if !test {
            wrong.push(format!("{}: {} is no link to a test", cells[0], cells[1]));
        }
    }
    for name in kinglet::Config::wasm_feature_names() {
        if !names.contains(&format!("`{name}`")) {
            wrong.push(format!("no row has the switch `{name}`"));
        }
    }
    none("the table of proposals", &wrong);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files of the repository with these extensions, by their paths in it. Build products and hidden directories do not count.
fn repository(extensions: &[&str]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(dir) = todo.pop() {
        let entries = fs::read_dir(root().join(&dir)).expect("directories can be listed");
        for entry in entries.map(|entry| entry.expect("directories can be listed")) {
            let name = entry.file_name().into_string().expect("names are UTF-8");
            let path = dir.join(&name);
            let skipped = name.starts_with('.') || name.starts_with("target") || name == "built";
            let kind = entry.file_type().expect("files have a type");
            let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
            if kind.is_dir() && !skipped {
                todo.push(path);
            } else if kind.is_file() && extensions.contains(&extension) {
                let text = read(&path);
                let path = path.to_str().expect("names are UTF-8").replace('\\', "/");
                files.insert(path, text);
            }
        }
    }
    assert!(!files.is_empty(), "no files found");
    files
}

/// The project's own Rust files: neither the guests that it runs nor this one, which names what it looks for.
fn sources() -> impl Iterator<Item = (String, String)> {
    let others = ["corpus/", "tests/real/", "tests/guests/", "tests/tidy.rs"];
    let mut files = repository(&["rs"]);
    files.retain(|file, _| !others.iter().any(|other| file.starts_with(other)));
    files.into_iter()
}

/// Rust code without its comments, in as many lines.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let end = comment_start(line).unwrap_or(line.len());
        code.push_str(&line[..end]);
        code.push('\n');
    }
    code
}

/// Where `//` begins a comment: outside of a string.
fn comment_start(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let (mut at, mut quoted) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quoted => at += 1,
            // Not the quotation mark as a character.
            b'"' if quoted || !line[..at].ends_with('\'') => quoted = !quoted,
            b'/' if !quoted && bytes.get(at + 1) == Some(&b'/') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The numbers of the lines that contain `text`.
fn lines_with<'t>(code: &'t str, text: &str) -> impl Iterator<Item = usize> + use<'t> {
    let text = text.to_owned();
    code.lines().enumerate().filter(move |(_, line)| line.contains(&text)).map(|(i, _)| i + 1)
}

/// Whether `line` has `wanted` as a word of code, not as a part of one or of an attribute such as `unsafe_code`.
fn word(line: &str, wanted: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(wanted).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + wanted.len()..]);
        !before.ends_with(part) && !after.starts_with(part) && !before.ends_with('"')
    })
}

/// The dependencies that a manifest lists: the kind of section, and the name of the package.
fn dependencies(manifest: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut section = None;
    for line in manifest.lines() {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end().trim_end_matches(']');
            let (kind, table) = match header.rsplit_once("dependencies.") {
                Some((kind, name)) => (format!("{kind}dependencies"), Some(name)),
                None => (header.to_owned(), None),
            };
            let kind = kind.rsplit('.').next().unwrap_or_default().to_owned();
            let counts = kind.ends_with("dependencies") && !header.starts_with("workspace");
            section = counts.then_some(kind);
            if let (Some(kind), Some(name)) = (&section, table) {
                found.insert((kind.clone(), name.to_owned()));
                section = None;
            }
        } else if let (Some(kind), Some((name, value))) = (&section, line.split_once('=')) {
            let name = name.trim().trim_end_matches(".workspace");
            // `name = { package = "other" }` is the other package.
            let renamed = value.split_once("package = \"").and_then(|(_, v)| v.split('"').next());
            found.insert((kind.clone(), renamed.unwrap_or(name).to_owned()));
        }
    }
    found
}

/// Fails with the list, unless it is empty.
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn the_helpers_of_this_file_work() {
    assert_eq!(code_of("a // b\nc \"//\" d // e"), "a \nc \"//\" d \n");
    assert!(word("let x = unsafe { 1 };", "unsafe"));
    assert!(!word("#![deny(unsafe_code)]", "unsafe"));
    let manifest = "[dependencies]\na.workspace = true\nb = { package = \"c\" }\n[dev-dependencies.d]\nversion = 1\n\
                    [target.'cfg(unix)'.dependencies]\ne = \"1\"\n[workspace.dependencies]\nf = \"1\"\n";
    let names: Vec<_> = dependencies(manifest).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "c", "e", "d"]);
}
