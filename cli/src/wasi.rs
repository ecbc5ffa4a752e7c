//! What the command line grants the guest through WASI.

use std::env::{self, VarError};
use std::ffi::{OsStr, OsString};
use std::net::TcpListener;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use clap::ValueHint;
use kinglet_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use crate::failure::Failure;

/// What the guest may reach.
#[derive(clap::Args)]
pub(crate) struct WasiArgs {
    /// Grant the folder HOST, which the guest sees as GUEST; with `:ro` for reading only.
    #[arg(long = "dir", value_name = "HOST[::GUEST][:ro]", value_hint = ValueHint::DirPath)]
    dirs: Vec<Grant>,

    /// Set the environment variable K, to its value here if none is given.
    #[arg(long = "env", value_name = "K[=V]", value_parser = variable)]
    env: Vec<(String, Option<String>)>,

    /// Call the program N; otherwise it has the name of FILE.
    #[arg(long, value_name = "N")]
    argv0: Option<String>,

    /// Let the guest use a proposal of WASI: `threads`.
    #[arg(short = 'S', long = "wasi", value_name = "PROPOSAL[=y|n]", value_parser = proposal)]
    proposals: Vec<bool>,

    /// Listen on ADDR, such as 127.0.0.1:8080, and let the guest accept connections.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

/// Whether to switch on the one proposal that there is.
fn proposal(text: &str) -> Result<bool, &'static str> {
    match text {
        "threads" | "threads=y" => Ok(true),
        "threads=n" => Ok(false),
        _ => Err("there is `threads`, with or without `=y` or `=n`"),
    }
}

/// A folder that the guest may use.
#[derive(Debug, Clone, PartialEq)]
struct Grant {
    host: String,
    guest: String,
    permissions: FsPerms,
}

impl FromStr for Grant {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Grant, &'static str> {
        let (folders, permissions) = match text.strip_suffix(":ro") {
            Some(folders) => (folders, FsPerms::ReadOnly),
            None => (text, FsPerms::ReadWrite),
        };
        let (host, guest) = folders.split_once("::").unwrap_or((folders, folders));
        if host.is_empty() || guest.is_empty() {
            return Err("expected HOST or HOST::GUEST, either with or without :ro");
        }
        Ok(Grant { host: host.to_owned(), guest: guest.to_owned(), permissions })
    }
}

/// Reads `K` or `K=V`.
fn variable(text: &str) -> Result<(String, Option<String>), &'static str> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (text, None),
    };
    if key.is_empty() { Err("expected K or K=V") } else { Ok((key.to_owned(), value)) }
}

impl WasiArgs {
    /// Whether the guest may start threads.
    pub(crate) fn threads(&self) -> bool {
        self.proposals.last().is_some_and(|&on| on)
    }

    /// Opens what is granted. Calls that wait give up at `deadline`.
    pub(crate) fn context(
        &self,
        file: &OsStr,
        args: &[OsString],
        deadline: Option<Instant>,
    ) -> Result<WasiCtx, Failure> {
        let mut builder = WasiCtxBuilder::new();
        builder.inherit_stdio();
        // The rest of the path is none of the guest's business.
        let name = Path::new(file).file_name().unwrap_or(file).to_string_lossy();
        builder.arg(self.argv0.as_deref().unwrap_or(&name));
        for arg in args {
            let text = arg.to_str();
            let text =
                text.ok_or_else(|| Failure::usage(format!("the argument {arg:?} is not UTF-8")))?;
            builder.arg(text);
        }
        for (key, value) in &self.env {
            match value {
                Some(value) => builder.env(key, value),
                None => builder.env(key, inherited(key)?),
            };
        }
        for Grant { host, guest, permissions } in &self.dirs {
            let granted = builder.preopened_dir(host, guest, *permissions);
            granted.map_err(|error| {
                Failure::new(format!("cannot open the folder `{host}`: {error}"))
            })?;
        }
        if let Some(address) = &self.listen {
            let failure = |error: &dyn std::fmt::Display| {
                Failure::new(format!("cannot listen on `{address}`: {error}"))
            };
            let listener = TcpListener::bind(address).map_err(|error| failure(&error))?;
            builder.preopened_listener(listener).map_err(|error| failure(&error))?;
        }
        if let Some(deadline) = deadline {
            builder.deadline(deadline);
        }
        Ok(builder.build())
    }
}

/// The value of a variable of this process.
fn inherited(key: &str) -> Result<String, Failure> {
    env::var(key).map_err(|error| match error {
        VarError::NotPresent => {
            Failure::new(format!("the environment variable `{key}` is not set"))
        }
        VarError::NotUnicode(_) => {
            Failure::new(format!("the environment variable `{key}` is not UTF-8"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants() {
        let grant = |host: &str, guest: &str, permissions| {
            Ok(Grant { host: host.to_owned(), guest: guest.to_owned(), permissions })
        };
        assert_eq!("/a".parse(), grant("/a", "/a", FsPerms::ReadWrite));
        assert_eq!("/a::/b".parse(), grant("/a", "/b", FsPerms::ReadWrite));
        assert_eq!("/a::/b:ro".parse(), grant("/a", "/b", FsPerms::ReadOnly));
        assert_eq!(".:ro".parse(), grant(".", ".", FsPerms::ReadOnly));
        assert_eq!("C:\\a::/b".parse(), grant("C:\\a", "/b", FsPerms::ReadWrite));
        for text in ["", ":ro", "::", "/a::", "::/b"] {
            assert!(text.parse::<Grant>().is_err(), "{text}");
        }
    }

    #[test]
    fn variables() {
        assert_eq!(variable("A"), Ok(("A".to_owned(), None)));
        assert_eq!(variable("A=b=c"), Ok(("A".to_owned(), Some("b=c".to_owned()))));
        assert_eq!(variable("A="), Ok(("A".to_owned(), Some(String::new()))));
        assert!(variable("=b").is_err());
    }
}
