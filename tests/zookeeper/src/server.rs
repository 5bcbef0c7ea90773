//! One server: its configuration, its process, and what can happen to it.

use crate::{LOOK_EVERY, free_port, install::JAR, wait_for};
use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// ZooKeeper's unit of time. A session lasts at least two, and is looked at once in each.
pub const TICK: Duration = Duration::from_millis(100);

/// How long a process that got SIGKILL may take to go.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// How long a server may take for an answer to `srvr`.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// Starts the server beside a reader of its own standard input, which ends when the test's process does, however that
/// happens: then the server is killed. So nothing outlives a test that was killed.
const GUARD: &str = "exec 3<&0; \"$@\" </dev/null >&2 & echo $!; cat <&3 >/dev/null; kill -9 $!; wait $!";

/// Where a server is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    id: usize,
    folder: PathBuf,
    client: u16,
    peers: (u16, u16),
}

impl Place {
    pub(crate) fn new(id: usize, above: &Path) -> Result<Place> {
        let folder = above.join(id.to_string());
        Ok(Place { id, folder, client: free_port()?, peers: (free_port()?, free_port()?) })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Writes the configuration file.
    fn configure(&self, all: &[Place]) -> Result<PathBuf> {
        let tick = TICK.as_millis();
        let mut text = format!(
            "tickTime={tick}\ninitLimit=100\nsyncLimit=50\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n\
             admin.enableServer=false\nmaxClientCnxns=0\nminSessionTimeout={}\nmaxSessionTimeout=60000\n\
             4lw.commands.whitelist=*\n",
            self.data().display(),
            self.client,
            2 * tick,
        );
        if all.len() > 1 {
            for place in all {
                writeln!(text, "server.{}=127.0.0.1:{}:{}", place.id, place.peers.0, place.peers.1)?;
            }
        }
        let path = self.folder.join("zoo.cfg");
        std::fs::create_dir_all(&self.folder)?;
        std::fs::write(&path, text)?;
        Ok(path)
    }

    fn make_data(&self) -> Result<()> {
        std::fs::create_dir_all(self.data())?;
        std::fs::write(self.data().join("myid"), self.id.to_string())?;
        Ok(())
    }
}

/// One server of an [`crate::Ensemble`].
pub struct Server {
    place: Place,
    configuration: PathBuf,
    process: Option<Process>,
    paused: bool,
}

/// The guard and the server it started.
struct Process {
    guard: Child,
    server: Pid,
}

impl Server {
    pub(crate) fn start(place: Place, all: &[Place]) -> Result<Server> {
        let configuration = place.configure(all)?;
        place.make_data()?;
        let mut server = Server { place, configuration, process: None, paused: false };
        server.restart()?;
        Ok(server)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.place.client)
    }

    /// Its process, if it has one.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.server.as_raw().unsigned_abs())
    }

    /// Whether it is neither killed nor paused.
    pub fn is_running(&self) -> bool {
        self.process.is_some() && !self.paused
    }

    /// Starts the process of a killed server, on the same ports and with the data it has. Does not wait until it serves.
    pub fn restart(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "server {} runs", self.place.id);
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "sh", "java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.args(["-Dzookeeper.admin.enableServer=false", "-Dzookeeper.jmx.log4j.disable=true", "-cp"]);
        command.arg(format!("{}:{JAR}", self.place.folder.display()));
        command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(&self.configuration);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut guard = command.spawn().context("sh")?;
        let mut line = String::new();
        BufReader::new(guard.stdout.take().context("no stdout")?).read_line(&mut line)?;
        let pid = line.trim().parse().context("the guard told no process id")?;
        self.process = Some(Process { guard, server: Pid::from_raw(pid) });
        self.paused = false;
        Ok(())
    }

    /// Kills the process (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.end()
    }

    /// Stops the process (SIGSTOP): its sockets stay open and nothing answers.
    pub fn pause(&mut self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        self.paused = true;
        Ok(())
    }

    /// Lets a paused process go on (SIGCONT).
    pub fn resume(&mut self) -> Result<()> {
        self.signal(Signal::SIGCONT)?;
        self.paused = false;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let process = self.process.as_ref().with_context(|| format!("server {} is dead", self.place.id))?;
        kill(process.server, signal)?;
        Ok(())
    }

    /// Deletes all that a killed server has stored.
    pub fn wipe(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "server {} runs", self.place.id);
        std::fs::remove_dir_all(self.place.data())?;
        self.place.make_data()
    }

    /// What it says of itself (`standalone`, `leader`, `follower`) if it serves.
    pub fn mode(&self) -> Option<String> {
        let answer = self.ask("srvr").ok()?;
        answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Asks one of ZooKeeper's four-letter questions (`srvr`, `cons`, `dump`, ...).
    pub fn ask(&self, question: &str) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address().into(), ANSWER_WITHIN)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(question.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn log_path(&self) -> PathBuf {
        self.place.folder.join("log")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let text = std::fs::read(self.log_path()).unwrap_or_default();
        format!("server {}:\n{}", self.place.id, String::from_utf8_lossy(&text))
    }
}

impl Process {
    fn end(&mut self) -> Result<()> {
        // It stays a zombie of the guard's until the guard ends, so that the id cannot belong to another.
        kill(self.server, Signal::SIGKILL)?;
        drop(self.guard.stdin.take());
        let server = self.server.as_raw();
        wait_for("a killed server to go", GONE_WITHIN, || self.guard.try_wait().ok().flatten())?;
        wait_for("a killed server to go", GONE_WITHIN, || {
            (!Path::new(&format!("/proc/{server}")).exists()).then_some(())
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Closing its input makes the guard kill the server; a failure on the way out has nobody to tell.
        drop(self.guard.stdin.take());
        let deadline = std::time::Instant::now() + GONE_WITHIN;
        while matches!(self.guard.try_wait(), Ok(None)) && std::time::Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
