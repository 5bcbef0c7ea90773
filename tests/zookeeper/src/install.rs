//! Getting Debian's package, once per machine.

use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

/// The package's program.
pub(crate) const JAR: &str = "/usr/share/java/zookeeper.jar";

/// Installs the Debian package `zookeeper` if it is missing; that needs root.
///
/// Tests run in several processes at once, and apt-get takes one caller at a time: the first installs, the others wait.
pub fn install() -> Result<()> {
    if is_there() {
        return Ok(());
    }
    let lock = File::create(std::env::temp_dir().join("zookeeper-install.lock"))?;
    lock.lock()?;
    if is_there() {
        return Ok(());
    }
    run(Command::new("apt-get").arg("update"))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-y", "--no-install-recommends", "zookeeper"]);
    run(&mut install)?;
    ensure!(is_there(), "the package zookeeper has no {JAR}, or there is no java");
    Ok(())
}

fn is_there() -> bool {
    let mut java = Command::new("java");
    java.arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Path::new(JAR).exists() && java.status().is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().context("apt-get")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} (as root?): {}\n{text}", output.status);
    Ok(())
}
