//! What the command line grants the guest through WASI. (stand-in)

use std::ffi::{OsStr, OsString};
use std::time::Instant;

use kinglet::{Error, Linker};

use crate::failure::Failure;

pub(crate) struct WasiCtx;

/// What the guest may reach.
#[derive(clap::Args)]
pub(crate) struct WasiArgs {
    /// Grant the folder HOST, which the guest sees as GUEST; with `:ro` for reading only.
    #[arg(long = "dir", value_name = "HOST[::GUEST][:ro]")]
    dirs: Vec<Grant>,

    /// Set the environment variable K, to its value here if none is given.
    #[arg(long = "env", value_name = "K[=V]")]
    env: Vec<String>,

    /// Call the program N; otherwise it is called FILE.
    #[arg(long, value_name = "N")]
    argv0: Option<String>,

    /// Listen on ADDR, such as 127.0.0.1:8080, and let the guest accept connections.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

/// A folder that the guest may use.
#[derive(Debug, Clone, PartialEq)]
struct Grant {
    host: String,
    guest: String,
    read_only: bool,
}

impl std::str::FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Grant, String> {
        let (folders, read_only) = match text.strip_suffix(":ro") {
            Some(folders) => (folders, true),
            None => (text, false),
        };
        let (host, guest) = folders.split_once("::").unwrap_or((folders, folders));
        if host.is_empty() || guest.is_empty() {
            return Err("expected HOST, HOST::GUEST or either with :ro".to_owned());
        }
        Ok(Grant { host: host.to_owned(), guest: guest.to_owned(), read_only })
    }
}

impl WasiArgs {
    pub(crate) fn context(
        &self,
        _file: &OsStr,
        _args: &[OsString],
        _deadline: Option<Instant>,
    ) -> Result<WasiCtx, Failure> {
        Ok(WasiCtx)
    }
}

pub(crate) fn add_to_linker<T: 'static>(
    _linker: &mut Linker<T>,
    _get: impl Fn(&mut T) -> &mut WasiCtx + Send + Sync + 'static,
) -> Result<(), Error> {
    Ok(())
}

pub(crate) fn exit_code(_error: &Error) -> Option<i32> {
    None
}
