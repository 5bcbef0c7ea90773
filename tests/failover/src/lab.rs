//! Hosts of our own: network namespaces on one bridge, so that processes are parted from each other as machines are.
//!
//! This process itself runs in a namespace of its own ([`enter`]), which holds the bridge; nothing of the machine's
//! network is touched, and all of it goes away with the last process in it.

use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The program that makes networks, of Debian's package iproute2.
pub const IP: &str = "/usr/sbin/ip";
/// Says that this process already is in its namespace.
const INSIDE: &str = "TEPUI_FAILOVER_LAB";
/// The network of the lab; its last number tells hosts apart.
const NET: [u8; 3] = [10, 231, 77];
/// Where this process is reached from the hosts.
const GATEWAY: u8 = 254;

/// Starts this program again in a network namespace that nobody else is in. Returns only inside of it, or with the reason
/// why this machine has none.
pub fn enter() -> Result<()> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let program = std::env::current_exe()?;
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--propagation", "private", "--"]).arg(program).args(std::env::args_os().skip(1));
    Err(command.env(INSIDE, "1").exec()).context("unshare, from Debian's util-linux")
}

fn ip(words: &str) -> Result<()> {
    let output = Command::new(IP).args(words.split(' ')).output().context("ip, of Debian's iproute2")?;
    ensure!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// The bridge and the hosts on it.
pub struct Lab {
    hosts: Vec<Host>,
}

/// One host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name, as reports have it.
    pub name: &'static str,
    /// Its address.
    pub ip: Ipv4Addr,
    namespace: String,
    /// The bridge's end of its cable.
    cable: String,
}

impl Host {
    /// A program that will run there.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(IP);
        command.args(["netns", "exec", &self.namespace]).arg(program).stdin(Stdio::null());
        command
    }
}

impl Lab {
    /// Hosts of these names.
    pub fn new(names: &[&'static str]) -> Result<Lab> {
        if std::env::var_os(INSIDE).is_none() {
            bail!("not in a network namespace of its own");
        }
        // Names of namespaces are files; a mount of our own keeps them from everybody else.
        std::fs::create_dir_all("/run/netns")?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run/netns"]).status()?;
        ensure!(mounted.success(), "mounting a place for the names of network namespaces: {mounted}");
        ip("link set lo up")?;
        ip("link add lab type bridge")?;
        ip(&format!("addr add {}/24 dev lab", address(GATEWAY)))?;
        ip("link set lab up")?;
        let mut lab = Lab { hosts: Vec::new() };
        for (name, number) in names.iter().zip(1..GATEWAY) {
            lab.hosts.push(host(name, number)?);
        }
        Ok(lab)
    }

    /// One of the hosts.
    pub fn host(&self, name: &str) -> Host {
        let host = self.hosts.iter().find(|host| host.name == name);
        host.unwrap_or_else(|| panic!("no host is called {name}")).clone()
    }

    /// Packets from one host to another are dropped, silently, until [`Lab::heal`].
    pub fn cut(&self, from: &Host, to: &Host) -> Result<()> {
        ip(&format!("-n {} route replace blackhole {}/32", from.namespace, to.ip))
    }

    /// Packets between these hosts and all others are dropped, both ways.
    pub fn part(&self, names: &[&str]) -> Result<()> {
        for inside in self.hosts.iter().filter(|host| names.contains(&host.name)) {
            for outside in self.hosts.iter().filter(|host| !names.contains(&host.name)) {
                self.cut(inside, outside)?;
                self.cut(outside, inside)?;
            }
        }
        Ok(())
    }

    /// The cable of a host is pulled: it reaches nobody, this process included.
    pub fn pull(&self, host: &Host) -> Result<()> {
        ip(&format!("link set {} nomaster", host.cable))
    }

    /// Everybody reaches everybody again.
    pub fn heal(&self) -> Result<()> {
        for host in &self.hosts {
            ip(&format!("link set {} master lab", host.cable))?;
            ip(&format!("-n {} route flush type blackhole", host.namespace))?;
        }
        Ok(())
    }
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(NET[0], NET[1], NET[2], number)
}

fn host(name: &'static str, number: u8) -> Result<Host> {
    let (namespace, cable, ip_address) = (format!("tepui-{name}"), format!("to-{name}"), address(number));
    ip(&format!("netns add {namespace}"))?;
    ip(&format!("link add {cable} type veth peer name eth0 netns {namespace}"))?;
    ip(&format!("link set {cable} master lab up"))?;
    ip(&format!("-n {namespace} link set lo up"))?;
    ip(&format!("-n {namespace} addr add {ip_address}/24 dev eth0"))?;
    ip(&format!("-n {namespace} link set eth0 up"))?;
    Ok(Host { name, ip: ip_address, namespace, cable })
}
