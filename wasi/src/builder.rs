//! How a [`WasiCtx`] is made.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::time::Instant;

use crate::clock::{Clocks, DeterministicClocks};
use crate::ctx::{State, WasiCtx};
use crate::descriptor::{Descriptor, Descriptors};
use crate::fs::{Dir, Fs, FsPerms};
use crate::host::{self, HostDir, Listener, Stdin, Stdout, SystemClocks};
use crate::random::{Random, SeededRandom, SystemRandom};
use crate::stream::{InputStream, OutputStream};

/// Says what a guest gets. To begin with, that is nothing: no arguments, environment, files or
/// directories, an empty standard input, output that is thrown away; only real clocks and random numbers.
///
/// ```
/// use kinglet_wasi::{FsPerms, WasiCtxBuilder};
/// # fn main() -> kinglet::Result<()> {
/// let ctx = WasiCtxBuilder::new()
///     .inherit_stdio()
///     .arg("prog")
///     .env("LANG", "C")
///     .preopened_dir(".", "/data", FsPerms::ReadOnly)?
///     .build();
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct WasiCtxBuilder {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    stdin: Box<dyn InputStream>,
    stdout: Box<dyn OutputStream>,
    stderr: Box<dyn OutputStream>,
    dirs: Vec<Preopen>,
    listeners: Vec<Listener>,
    clocks: Box<dyn Clocks>,
    random: Box<dyn Random>,
    deadline: Option<Instant>,
    max_descriptors: usize,
}

struct Preopen {
    dir: Box<dyn Dir>,
    name: String,
    perms: FsPerms,
}

impl Default for WasiCtxBuilder {
    fn default() -> WasiCtxBuilder {
        WasiCtxBuilder::new()
    }
}

impl WasiCtxBuilder {
    /// Grants nothing.
    pub fn new() -> WasiCtxBuilder {
        WasiCtxBuilder {
            args: Vec::new(),
            env: Vec::new(),
            stdin: Box::new(io::empty()),
            stdout: Box::new(io::sink()),
            stderr: Box::new(io::sink()),
            dirs: Vec::new(),
            listeners: Vec::new(),
            clocks: Box::new(SystemClocks::new()),
            random: Box::new(SystemRandom),
            deadline: None,
            max_descriptors: 4096,
        }
    }

    /// Adds an argument. The first one is by custom the name of the program. Guests get arguments and the
    /// environment as C strings: for most of them, a NUL is the end.
    pub fn arg(&mut self, arg: impl AsRef<str>) -> &mut Self {
        self.args.push(arg.as_ref().into());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<str>>) -> &mut Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().into()));
        self
    }

    /// Adds the arguments of this process, its name included. What is not UTF-8 in them is replaced by U+FFFD.
    pub fn inherit_args(&mut self) -> &mut Self {
        self.args.extend(std::env::args_os().map(host::os_bytes));
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> &mut Self {
        self.set_env(key.as_ref().as_bytes(), value.as_ref().as_bytes());
        self
    }

    /// Sets variables of the environment.
    pub fn envs<K: AsRef<str>, V: AsRef<str>>(
        &mut self,
        env: impl IntoIterator<Item = impl std::borrow::Borrow<(K, V)>>,
    ) -> &mut Self {
        for pair in env {
            let (key, value) = pair.borrow();
            self.env(key, value);
        }
        self
    }

    /// Passes on the environment of this process. What is not UTF-8 in it is replaced by U+FFFD.
    pub fn inherit_env(&mut self) -> &mut Self {
        for (key, value) in host::environment() {
            self.set_env(&key, &value);
        }
        self
    }

    fn set_env(&mut self, key: &[u8], value: &[u8]) {
        let prefix = [key, b"="].concat();
        self.env.retain(|pair| !pair.starts_with(&prefix));
        self.env.push([&prefix, value].concat());
    }

    /// Sets standard input.
    pub fn stdin(&mut self, stdin: impl InputStream + 'static) -> &mut Self {
        self.stdin = Box::new(stdin);
        self
    }

    /// Sets standard output.
    pub fn stdout(&mut self, stdout: impl OutputStream + 'static) -> &mut Self {
        self.stdout = Box::new(stdout);
        self
    }

    /// Sets standard error.
    pub fn stderr(&mut self, stderr: impl OutputStream + 'static) -> &mut Self {
        self.stderr = Box::new(stderr);
        self
    }

    /// Lets the guest use the standard streams of this process, all three.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.inherit_stdin().inherit_stdout().inherit_stderr()
    }

    /// Lets the guest read this process's standard input, past the buffer of [`std::io::stdin`].
    pub fn inherit_stdin(&mut self) -> &mut Self {
        self.stdin(Stdin)
    }

    /// Lets the guest write to this process's standard output, past the buffer of [`std::io::stdout`].
    pub fn inherit_stdout(&mut self) -> &mut Self {
        self.stdout(Stdout::Out)
    }

    /// Lets the guest write to this process's standard error.
    pub fn inherit_stderr(&mut self) -> &mut Self {
        self.stderr(Stdout::Err)
    }

    /// Grants the directory `host_path`, and all that is below it, to the guest as `guest_path`.
    ///
    /// Symbolic links and `..` in it do not lead out of it. The directories get the descriptors 3, 4 and so on,
    /// in the order of the grants.
    ///
    /// # Errors
    ///
    /// If the directory cannot be opened.
    pub fn preopened_dir(
        &mut self,
        host_path: impl AsRef<Path>,
        guest_path: impl AsRef<str>,
        perms: FsPerms,
    ) -> kinglet::Result<&mut Self> {
        let path = host_path.as_ref();
        let dir = HostDir::open_ambient(path).map_err(|error| {
            kinglet::Error::msg(format!("cannot open directory `{}`: {error}", path.display()))
        })?;
        self.dirs.push(Preopen { dir: Box::new(dir), name: guest_path.as_ref().into(), perms });
        Ok(self)
    }

    /// Grants a file system of your own to the guest as `guest_path`.
    ///
    /// # Errors
    ///
    /// If [`Fs::root`] fails.
    pub fn preopened_fs(
        &mut self,
        fs: Box<dyn Fs>,
        guest_path: impl AsRef<str>,
        perms: FsPerms,
    ) -> kinglet::Result<&mut Self> {
        let dir = fs.root().map_err(kinglet::Error::new)?;
        self.dirs.push(Preopen { dir, name: guest_path.as_ref().into(), perms });
        Ok(self)
    }

    /// Lets the guest accept connections. The sockets get the descriptors that follow the directories'.
    ///
    /// # Errors
    ///
    /// If the operating system refuses to make the socket non-blocking.
    pub fn preopened_listener(&mut self, listener: TcpListener) -> kinglet::Result<&mut Self> {
        self.listeners.push(Listener::new(listener)?);
        Ok(self)
    }

    /// Replaces the clocks.
    pub fn clocks(&mut self, clocks: impl Clocks + 'static) -> &mut Self {
        self.clocks = Box::new(clocks);
        self
    }

    /// Replaces the source of random bytes.
    pub fn random(&mut self, random: impl Random + 'static) -> &mut Self {
        self.random = Box::new(random);
        self
    }

    /// Makes runs repeatable: [`DeterministicClocks`], on which sleeping takes no time, and [`SeededRandom`].
    ///
    /// What the guest reads from streams, files and sockets is up to you.
    pub fn deterministic(&mut self, seed: u64) -> &mut Self {
        self.clocks(DeterministicClocks::new()).random(SeededRandom::new(seed))
    }

    /// Sets the moment when calls that wait for something (a sleep, input, a connection) give up and
    /// end the guest with [`Timeout`](crate::Timeout).
    pub fn deadline(&mut self, deadline: Instant) -> &mut Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets how many descriptors the guest can have open at once, 4096 if not set.
    pub fn max_descriptors(&mut self, limit: usize) -> &mut Self {
        self.max_descriptors = limit;
        self
    }

    /// Makes the context. The builder is as new afterwards.
    ///
    /// # Panics
    ///
    /// If there are more grants than [`max_descriptors`](Self::max_descriptors) allows.
    #[must_use]
    pub fn build(&mut self) -> WasiCtx {
        let builder = std::mem::take(self);
        let mut fds = Descriptors::new(builder.max_descriptors);
        let stdio = [
            Descriptor::input(builder.stdin),
            Descriptor::output(builder.stdout),
            Descriptor::output(builder.stderr),
        ];
        let dirs = builder.dirs.into_iter().zip(0..).map(|(preopen, grant)| {
            let read_only = preopen.perms == FsPerms::ReadOnly;
            Descriptor::preopen(preopen.dir, grant, preopen.name, read_only)
        });
        let listeners = builder.listeners.into_iter().map(Descriptor::listener);
        for descriptor in stdio.into_iter().chain(dirs).chain(listeners) {
            fds.insert(descriptor).expect("no more grants than descriptors");
        }
        WasiCtx::new(State {
            args: builder.args,
            env: builder.env,
            fds,
            clocks: builder.clocks,
            random: builder.random,
            deadline: builder.deadline,
            shared: false,
            resumed: None,
        })
    }

    /// The same as [`build`](Self::build).
    #[must_use]
    pub fn build_p1(&mut self) -> WasiCtx {
        self.build()
    }
}
