//! Three ZooKeeper servers from Debian, each on a host of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use interop::process::{run, wait_for};

use crate::daemon::Daemon;
use crate::lab::Host;

/// Where clients connect.
const CLIENT_PORT: u16 = 2181;
/// An ensemble of Java programs on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// One question to one server.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Debian's library, and the option that keeps it from telling of its start.
pub const JAR: &str = "/usr/share/java/zookeeper.jar";
/// Its own client, of the same package.
pub const CLIENT: &str = "/usr/share/zookeeper/bin/zkCli.sh";

/// The ensemble.
pub struct Ensemble {
    /// The servers, by number.
    pub servers: Vec<Daemon>,
    hosts: Vec<Host>,
    folder: PathBuf,
}

impl Ensemble {
    /// Prepares one server for each host.
    pub fn new(hosts: Vec<Host>, folder: &Path) -> Result<Ensemble> {
        let mut servers = Vec::new();
        for (host, number) in hosts.iter().zip(1..) {
            let home = folder.join(host.name);
            write_configuration(&home, &hosts, number)?;
            let (host, config) = (host.clone(), home.join("zoo.cfg"));
            servers.push(Daemon::new(host.name, folder.to_owned(), move || java(&host, &config)));
        }
        Ok(Ensemble { servers, hosts, folder: folder.to_owned() })
    }

    /// `zk://...` with these credentials (`user:password@`, or nothing), every server and this path.
    pub fn url(&self, credentials: &str, path: &str) -> String {
        let servers: Vec<String> = self.hosts.iter().map(|host| format!("{}:{CLIENT_PORT}", host.ip)).collect();
        format!("zk://{credentials}{}{path}", servers.join(","))
    }

    /// Starts every server that does not run, and waits until a quorum serves.
    pub fn start(&mut self) -> Result<()> {
        self.servers.iter_mut().try_for_each(Daemon::start)?;
        self.wait()
    }

    /// Waits until a majority of the servers serves.
    pub fn wait(&self) -> Result<()> {
        let quorum = self.hosts.len() / 2 + 1;
        wait_for("a quorum of ZooKeeper servers", READY_WITHIN, || {
            let serving = self.hosts.iter().filter(|host| serves(host)).count();
            (serving >= quorum).then_some(())
        })
    }

    /// Kills every server, deletes what it has stored, and starts it anew.
    pub fn reinstall(&mut self) -> Result<()> {
        self.servers.iter_mut().try_for_each(Daemon::kill)?;
        for (host, number) in self.hosts.iter().zip(1..) {
            let home = self.folder.join(host.name);
            std::fs::remove_dir_all(home.join("data"))?;
            write_configuration(&home, &self.hosts, number)?;
        }
        self.start()
    }

    /// Runs one command of ZooKeeper's own client, and gives what it prints.
    pub fn client(&self, command: &str) -> Result<String> {
        let server = format!("{}:{CLIENT_PORT}", self.hosts[0].ip);
        let log = self.folder.join("client.log");
        let mut program = Command::new(CLIENT);
        program.args(["-server", &server]).args(command.split(' '));
        run(&mut program, &log, READY_WITHIN).with_context(|| format!("zkCli.sh {command}"))?;
        Ok(String::from_utf8_lossy(&std::fs::read(log)?).into_owned())
    }
}

fn write_configuration(home: &Path, hosts: &[Host], number: usize) -> Result<()> {
    let data = home.join("data");
    std::fs::create_dir_all(&data)?;
    std::fs::write(data.join("myid"), number.to_string())?;
    let mut text = format!(
        "tickTime=200\ninitLimit=50\nsyncLimit=25\ndataDir={}\nclientPort={CLIENT_PORT}\n\
         clientPortAddress={}\nadmin.enableServer=false\nmaxClientCnxns=0\n\
         minSessionTimeout=400\nmaxSessionTimeout=60000\n4lw.commands.whitelist=*\n",
        data.display(),
        hosts[number - 1].ip,
    );
    for (host, number) in hosts.iter().zip(1..) {
        text.push_str(&format!("server.{number}={}:2888:3888\n", host.ip));
    }
    Ok(std::fs::write(home.join("zoo.cfg"), text)?)
}

fn java(host: &Host, config: &Path) -> Command {
    let mut command = host.command(Path::new("java"));
    command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.jmx.log4j.disable=true"]);
    command.args(["-cp", &format!("{JAR}:/usr/share/java/slf4j-nop.jar")]);
    command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(config);
    command
}

/// Whether a server is part of a quorum.
fn serves(host: &Host) -> bool {
    let ask = || -> Result<bool> {
        let address = (host.ip, CLIENT_PORT).into();
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(b"srvr")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.contains("Mode: "))
    };
    ask().unwrap_or(false)
}
