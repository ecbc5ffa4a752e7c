//! The program as a user meets it: processes, their output and their exit codes.

mod guests;
mod run;
mod tools;
mod wasi;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, thread};

/// What came of a process.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `kinglet` with these arguments, and nothing on its standard input.
fn kinglet(args: &[&str]) -> Outcome {
    kinglet_with(args, "")
}

/// Runs `kinglet` with these arguments and `input` on its standard input.
fn kinglet_with(args: &[&str], input: impl AsRef<[u8]>) -> Outcome {
    let mut child = command(args).stdin(Stdio::piped()).spawn().expect("kinglet starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.as_ref().to_vec();
    // A process that fails early does not read its input: writing it may fail.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("kinglet ends");
    writer.join().expect("the writer does not panic");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinglet"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Outcome {
    /// Asserts exit code and output, and that nothing was said on standard error.
    #[track_caller]
    fn gives(&self, code: i32, stdout: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, stdout, "{self:?}");
        assert_eq!(self.stderr, "", "{self:?}");
    }

    /// Asserts exit code and the whole message, and that nothing else was printed.
    #[track_caller]
    fn fails(&self, code: i32, message: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.trim_end(), message, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
    }

    /// Asserts exit code and a part of the message.
    #[track_caller]
    fn complains(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        assert!(self.stderr.contains(part), "{self:?}");
    }
}

/// A folder of its own for the test `name`, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the old folder goes");
    }
    fs::create_dir_all(&folder).expect("the folder comes");
    folder
}

/// Writes a file into a folder; gives its path.
fn file(folder: &Path, name: &str, contents: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, contents).expect("the file can be written");
    path.into_os_string().into_string().expect("the path is UTF-8")
}
