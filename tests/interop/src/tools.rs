//! What the peers need: Debian packages, Python environments, and the Mesos eggs. Installed once, then found again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{process, shim};

/// Downloads and small builds.
const LIMIT: Duration = Duration::from_secs(600);

/// Whose client library a case uses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The C++ driver of Mesos 1.11.0 by its Python 2.7 binding (V0).
    Native,
    /// pymesos (V1, JSON).
    Pymesos,
    /// mesoshttp (V1, JSON).
    Mesoshttp,
    /// mentos (V1, JSON).
    Mentos,
    /// The Mesos command line, by its kept fork.
    Avmesos,
}

/// A Python environment with one peer in it.
struct Environment {
    peer: Peer,
    folder: &'static str,
    /// The Python that the peer's release ran on.
    python: &'static str,
    packages: &'static [&'static str],
}

const ENVIRONMENTS: [Environment; 4] = [
    Environment {
        peer: Peer::Pymesos,
        folder: "pymesos",
        python: "3.8",
        packages: &["pymesos==0.3.15", "addict==2.4.0"],
    },
    Environment { peer: Peer::Mesoshttp, folder: "mesoshttp", python: "3.9", packages: &["mesoshttp==0.4.2"] },
    Environment { peer: Peer::Mentos, folder: "mentos", python: "3.6", packages: &["mentos==0.1.8", "tornado<5"] },
    Environment { peer: Peer::Avmesos, folder: "avmesos", python: "3.13", packages: &["avmesos-cli==1.3.0"] },
];

/// The eggs of the native driver; pip refuses eggs, easy_install of Python 2.7 takes them. Each is pinned and exists:
/// for a name it does not find, easy_install would read the whole index.
const EGGS: [&str; 4] = ["mesos.scheduler==1.11.0", "mesos.interface==1.11.0", "protobuf==3.17.3", "six==1.16.0"];
/// Debian packages behind the eggs, each with a file that shows it is there.
const PACKAGES: [(&str, &[&str]); 4] = [
    ("libsvn1", &["/usr/lib/x86_64-linux-gnu/libsvn_subr-1.so.1", "/usr/lib/aarch64-linux-gnu/libsvn_subr-1.so.1"]),
    ("libsasl2-2", &["/usr/lib/x86_64-linux-gnu/libsasl2.so.2", "/usr/lib/aarch64-linux-gnu/libsasl2.so.2"]),
    ("gcc", &["/usr/bin/gcc"]),
    ("binutils", &["/usr/bin/objdump"]),
];

/// A program that can run a peer's script, with the environment it wants.
pub struct Interpreter {
    /// The Python.
    pub program: PathBuf,
    /// Variables for this process only.
    pub environment: Vec<(&'static str, String)>,
}

/// Either what was asked for, or why this machine cannot have it.
pub type Available<T> = std::result::Result<T, String>;

/// The installed tools, below one folder.
pub struct Tools {
    /// Where they are, and where peers write their logs.
    pub folder: PathBuf,
}

impl Tools {
    /// Tools below `folder`; nothing is installed yet.
    pub fn new(folder: &Path) -> Tools {
        Tools { folder: folder.to_owned() }
    }

    /// Gets a peer ready.
    pub fn interpreter(&mut self, peer: Peer) -> Result<Available<Interpreter>> {
        if peer == Peer::Native {
            return self.native();
        }
        let environment = ENVIRONMENTS.iter().find(|e| e.peer == peer).context("a peer without an environment")?;
        let folder = self.folder.join(environment.folder);
        let program = folder.join("bin/python");
        if !folder.join("installed").exists() {
            let Some(python) = python(environment.python) else { return Ok(Err(no_python(environment.python))) };
            let log = self.folder.join(format!("{}.install.log", environment.folder));
            process::succeed(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder), &log, LIMIT)?;
            let mut pip = Command::new(&program);
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(environment.packages);
            process::succeed(&mut pip, &log, LIMIT)?;
            std::fs::write(folder.join("installed"), environment.packages.join("\n"))?;
        }
        Ok(Ok(Interpreter { program, environment: Vec::new() }))
    }

    /// The C++ driver: eggs, stand-ins for its old libraries, and its Debian packages.
    fn native(&mut self) -> Result<Available<Interpreter>> {
        let Some(python) = python("2.7") else { return Ok(Err(no_python("2.7"))) };
        let (eggs, shims) = (self.folder.join("eggs"), self.folder.join("shim"));
        if !eggs.join("installed").exists() {
            self.debian_packages()?;
            std::fs::create_dir_all(&eggs)?;
            let log = self.folder.join("eggs.install.log");
            for egg in EGGS {
                let mut install = Command::new(&python);
                install.env("PYTHONPATH", &eggs).args(["-m", "easy_install", "--no-deps", "-d"]).arg(&eggs).arg(egg);
                process::succeed(&mut install, &log, LIMIT)?;
            }
            let library = library_of(&eggs).context("the egg holds no _scheduler.so")?;
            shim::build(&library, &shims)?;
            std::fs::write(eggs.join("installed"), EGGS.join("\n"))?;
        }
        let environment = vec![
            ("PYTHONPATH", eggs.display().to_string()),
            // For this process only: everything else is to find the real libraries.
            ("LD_LIBRARY_PATH", shims.display().to_string()),
            ("LIBPROCESS_IP", "127.0.0.1".to_owned()),
        ];
        Ok(Ok(Interpreter { program: python, environment }))
    }

    /// Installs what is missing, and asks apt for news only then.
    fn debian_packages(&self) -> Result<()> {
        let there = |files: &[&str]| files.iter().any(|file| Path::new(file).exists());
        let missing: Vec<&str> = PACKAGES.iter().filter(|(_, files)| !there(files)).map(|(name, _)| *name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let log = self.folder.join("apt.log");
        process::succeed(Command::new("apt-get").arg("update"), &log, LIMIT).context("as root?")?;
        let mut install = Command::new("apt-get");
        install.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-y", "--no-install-recommends"]);
        process::succeed(install.args(missing), &log, LIMIT).context("as root?")
    }
}

/// The driver's library inside the unpacked egg.
fn library_of(eggs: &Path) -> Option<PathBuf> {
    let folders = std::fs::read_dir(eggs).ok()?.flatten().map(|entry| entry.path());
    folders.map(|folder| folder.join("mesos/scheduler/_scheduler.so")).find(|library| library.exists())
}

fn no_python(version: &str) -> String {
    format!("no Python {version} in pyenv or on the PATH (pyenv install {version})")
}

/// A Python of this version that runs: from pyenv's versions, else from the PATH.
fn python(version: &str) -> Option<PathBuf> {
    let from_pyenv = pyenv_roots().into_iter().flat_map(|root| {
        let entries = std::fs::read_dir(root.join("versions")).into_iter().flatten().flatten();
        let mine = move |name: &str| name == version || name.starts_with(&format!("{version}."));
        entries
            .filter(move |entry| entry.file_name().to_str().is_some_and(mine))
            .map(|entry| entry.path().join("bin/python"))
    });
    from_pyenv.chain([PathBuf::from(format!("python{version}"))]).find(|python| runs(python))
}

fn pyenv_roots() -> Vec<PathBuf> {
    let asked = Command::new("pyenv").arg("root").stderr(Stdio::null()).output().ok();
    let asked = asked.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv"));
    let named = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    [named, asked, home].into_iter().flatten().collect()
}

/// pyenv puts shims on the PATH that only say which version is missing, so the program is tried.
fn runs(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.arg("-V").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
