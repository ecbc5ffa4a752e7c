//! The programs in `tests/guests`, each run as its manifest says.

use crate::{folder, kinglet_with};
use std::fs;
use std::path::Path;
use toml::{Table, Value};

#[test]
fn guests_do_what_the_manifest_says() {
    check_all(&[]);
}

#[test]
fn guests_do_the_same_in_both_tiers() {
    check_all(&["--check-tiers"]);
}

/// Runs all that the manifest lists, with these options.
fn check_all(options: &[&str]) {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests");
    let manifest = fs::read_to_string(guests.join("manifest.toml")).expect("the manifest is there");
    let manifest: Table = manifest.parse().expect("the manifest is TOML");
    let runs = manifest["run"].as_array().expect("it lists runs");
    assert!(runs.len() >= 30, "only {} runs", runs.len());
    let wrong: Vec<String> = runs
        .iter()
        .map(|run| run.as_table().expect("a run is a table"))
        .filter_map(|run| check(&guests, run, options).err().map(|why| format!("{run}: {why}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(guests: &Path, run: &Table, options: &[&str]) -> Result<(), String> {
    // Tests run side by side.
    let scratch = folder(&format!("guests{}", options.concat()));
    let module = guests.join(text(run, "file"));
    let grant = format!("{}::{}", scratch.display(), text(run, "dir"));
    let mut args = [&["run"], options].concat();
    if run.contains_key("dir") {
        args.extend(["--dir", &grant]);
    }
    if run.contains_key("invoke") {
        args.extend(["--invoke", text(run, "invoke")]);
    }
    args.extend(strings(run, "env").flat_map(|variable| ["--env", variable]));
    args.push(module.to_str().expect("the path is UTF-8"));
    args.extend(strings(run, "args"));

    let outcome = kinglet_with(&args, text(run, "stdin"));
    let code = run.get("exit").map_or(0, |code| code.as_integer().expect("exit is a number"));
    if outcome.code.map(i64::from) != Some(code) {
        return Err(format!("unexpected exit code: {outcome:?}"));
    }
    if outcome.stdout != text(run, "stdout") || !outcome.stderr.contains(text(run, "stderr")) {
        return Err(format!("unexpected output: {outcome:?}"));
    }
    Ok(())
}

/// The text under this key, empty if there is none.
fn text<'a>(run: &'a Table, key: &str) -> &'a str {
    run.get(key).map_or("", |value| value.as_str().expect("a string"))
}

fn strings<'a>(run: &'a Table, key: &str) -> impl Iterator<Item = &'a str> {
    let list = run.get(key).and_then(Value::as_array).into_iter().flatten();
    list.map(|value| value.as_str().expect("a string"))
}
