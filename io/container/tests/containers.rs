//! Real processes in real sandboxes.

use buffa::MessageField;
use std::path::PathBuf;
use tepui_base::{ContainerId, WaitStatus};
use tepui_container::{Config, Containerizer, Event, Launch, tree};
use tepui_proto::mesos::CommandInfo;
use tepui_proto::mesos::command_info::URI;
use tepui_proto::mesos::containerizer::ContainerConfig;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A work directory with one containerizer.
struct World {
    root: tempfile::TempDir,
    containers: Containerizer,
    events: UnboundedReceiver<Event>,
    /// First processes of all containers.
    pids: Vec<i32>,
}

/// A test that fails must not leave processes behind.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for pid in &self.pids {
                let _ = tree::signal(*pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }
}

impl World {
    fn new() -> World {
        let root = tempfile::tempdir().unwrap();
        // Other users must be able to reach their sandboxes.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(root.path(), open).unwrap();
        let (sender, events) = unbounded_channel();
        let config = Config {
            runtime_dir: root.path().join("run"),
            launcher_dir: root.path().join("bin"),
            frameworks_home: None,
        };
        World { containers: Containerizer::new(config, sender), events, pids: Vec::new(), root }
    }

    fn sandbox(&self, id: &str) -> PathBuf {
        self.root.path().join("runs").join(id)
    }

    fn launch(&self, id: &str, command: CommandInfo, user: Option<&str>) {
        let config = ContainerConfig {
            command_info: MessageField::some(command),
            directory: self.sandbox(id).to_str().unwrap().to_owned(),
            user: user.map(str::to_owned),
            ..Default::default()
        };
        let environment = vec![("GIVEN".to_owned(), "yes".to_owned())];
        self.containers.launch(Launch { id: id.into(), config, environment });
    }

    async fn event(&mut self) -> Event {
        self.events.recv().await.unwrap()
    }

    /// The pid of a container that starts, then its end.
    async fn launched(&mut self) -> i32 {
        match self.event().await {
            Event::Launched { pid, .. } => {
                self.pids.push(pid);
                pid
            }
            other => panic!("expected a launch, got {other:?}"),
        }
    }

    async fn terminated(&mut self) -> WaitStatus {
        match self.event().await {
            Event::Terminated { termination, .. } => WaitStatus(termination.status.unwrap()),
            other => panic!("expected an end, got {other:?}"),
        }
    }

    /// The number of an update that is done.
    async fn updated(&mut self) -> u64 {
        match self.event().await {
            Event::Updated { sequence, .. } => sequence,
            other => panic!("expected an update, got {other:?}"),
        }
    }

    async fn failed(&mut self) -> String {
        match self.event().await {
            Event::LaunchFailed { message, .. } => message,
            other => panic!("expected a failed launch, got {other:?}"),
        }
    }

    fn read(&self, id: &str, name: &str) -> String {
        std::fs::read_to_string(self.sandbox(id).join(name)).unwrap()
    }
}

#[tokio::test]
async fn updates_are_done_once_the_launch_is_told() {
    let mut world = World::new();
    world.launch("early", shell("exec sleep 1000"), None);
    world.containers.update(&"early".into(), 1);
    world.containers.update(&"early".into(), 2);
    world.launched().await;
    assert_eq!([world.updated().await, world.updated().await], [1, 2]);
    world.containers.update(&"early".into(), 3);
    assert_eq!(world.updated().await, 3);
    assert!(world.containers.destroy(&"early".into()));
    world.terminated().await;
    // Nobody waits for it any more.
    world.containers.update(&"early".into(), 4);
    world.launch("next", shell("true"), None);
    world.launched().await;
    world.terminated().await;
}

fn shell(command: &str) -> CommandInfo {
    CommandInfo { value: Some(command.to_owned()), ..Default::default() }
}

/// A named pipe between a program and its test. Opening it for reading waits for the program; its end comes when the
/// last process that holds it has died. So a test waits for events and never sleeps.
struct Pipe {
    path: PathBuf,
    lines: Option<BufReader<tokio::fs::File>>,
}

impl Pipe {
    fn new(world: &World, name: &str) -> Pipe {
        let path = world.root.path().join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
        Pipe { path, lines: None }
    }

    /// The first line a program writes.
    async fn line(&mut self) -> String {
        let mut reader = BufReader::new(tokio::fs::File::open(&self.path).await.unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        self.lines = Some(reader);
        line.trim().to_owned()
    }

    /// Waits until no process holds the pipe any more.
    async fn all_gone(mut self) {
        let mut rest = String::new();
        self.lines.take().unwrap().read_to_string(&mut rest).await.unwrap();
    }
}

fn is_alive(pid: i32) -> bool {
    tree::process(pid).is_some_and(|process| !process.is_zombie)
}

#[tokio::test]
async fn a_program_runs_in_its_sandbox_with_its_own_environment() {
    let mut world = World::new();
    world.launch("c1", shell("echo out; echo err >&2; pwd; env; exit 7"), None);
    let pid = world.launched().await;
    assert_eq!(world.containers.pid(&"c1".into()), Some(pid));
    assert_eq!(world.terminated().await, WaitStatus::exited(7));
    let (out, sandbox) = (world.read("c1", "stdout"), world.sandbox("c1"));
    assert!(out.starts_with(&format!("out\n{}\n", sandbox.display())), "{out}");
    assert!(out.contains("GIVEN=yes\n") && out.contains(&format!("MESOS_SANDBOX={}\n", sandbox.display())), "{out}");
    assert!(out.contains("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"), "{out}");
    assert!(!out.contains("CARGO"), "nothing of this process's own environment: {out}");
    assert_eq!(world.read("c1", "stderr"), "err\n");
    assert!(!world.root.path().join("run/containers/c1").exists(), "no trace of a container that is gone");
    assert!(!world.containers.destroy(&"c1".into()));
}

#[tokio::test]
async fn a_running_container_is_written_down() {
    let mut world = World::new();
    let mut pipe = Pipe::new(&world, "pipe");
    world.launch("c1", shell(&format!("echo up > {}; sleep 1000; true", pipe.path.display())), None);
    let pid = world.launched().await;
    // A program that is still being loaded has no memory yet.
    assert_eq!(pipe.line().await, "up");
    let runtime = world.root.path().join("run/containers/c1");
    assert_eq!(std::fs::read_to_string(runtime.join("pid")).unwrap(), pid.to_string());
    assert!(runtime.join("config").exists());
    assert!(world.containers.usage(&"c1".into()).unwrap().mem_rss_bytes.unwrap() > 0);
    assert!(world.containers.destroy(&"c1".into()));
    assert_eq!(world.terminated().await, WaitStatus::signaled(9));
}

#[tokio::test]
async fn destroying_kills_children_sessions_and_groups() {
    let mut world = World::new();
    let mut pipe = Pipe::new(&world, "pipe");
    // A background child, one in a session of its own, and one whose parent is gone; all hold the pipe as 3.
    let script = format!(
        "exec 3>{}; sleep 1000 & A=$!; setsid sleep 1000 & B=$!; C=$(sleep 1000 >/dev/null & echo $!); \
         echo $A $B $C >&3; wait",
        pipe.path.display()
    );
    world.launch("c1", shell(&script), None);
    world.launched().await;
    let pids: Vec<i32> = pipe.line().await.split(' ').map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.len() == 3 && pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");
    world.containers.destroy(&"c1".into());
    assert_eq!(world.terminated().await, WaitStatus::signaled(9));
    pipe.all_gone().await;
}

#[tokio::test]
async fn what_a_program_leaves_in_its_session_ends_with_it() {
    let mut world = World::new();
    let mut pipe = Pipe::new(&world, "pipe");
    world.launch("c1", shell(&format!("exec 3>{}; sleep 1000 & echo up >&3; exit 0", pipe.path.display())), None);
    world.launched().await;
    assert_eq!(pipe.line().await, "up");
    assert!(world.terminated().await.is_success());
    pipe.all_gone().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_fails_the_launch() {
    let mut world = World::new();
    let command = CommandInfo { shell: Some(false), value: Some("/no/such/program".into()), ..Default::default() };
    world.launch("c1", command, None);
    assert_eq!(world.failed().await, "Failed to fork: No such file or directory (os error 2)");
}

#[tokio::test]
async fn a_program_in_the_sandbox_comes_before_the_path() {
    let mut world = World::new();
    std::fs::create_dir_all(world.sandbox("c1")).unwrap();
    let own = world.sandbox("c1").join("true");
    std::fs::write(&own, "#!/bin/sh\nexit 9\n").unwrap();
    std::fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.launch("c1", CommandInfo { shell: Some(false), value: Some("true".into()), ..Default::default() }, None);
    world.launched().await;
    assert_eq!(world.terminated().await, WaitStatus::exited(9));
}

#[tokio::test]
async fn a_user_owns_the_sandbox_and_runs_the_program() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("SKIPPED a_user_owns_the_sandbox_and_runs_the_program: only root can switch users");
        return;
    }
    let mut world = World::new();
    world.launch("c1", shell("id -un; touch mine; sleep 0 && cat /proc/$$/status | grep Groups"), Some("nobody"));
    world.launched().await;
    assert!(world.terminated().await.is_success());
    let nobody = tepui_container::user::find("nobody").unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&world.sandbox("c1").join("mine").metadata().unwrap());
    assert_eq!(owner, nobody.uid.as_raw());
    let out = world.read("c1", "stdout");
    assert!(out.starts_with("nobody\n"), "{out}");
    let groups = out.lines().nth(1).unwrap().trim_start_matches("Groups:").trim();
    assert!(!groups.split_whitespace().any(|group| group == "0"), "root's groups must be gone: {out}");
}

#[tokio::test]
async fn an_unknown_user_fails_the_launch() {
    let mut world = World::new();
    world.launch("c1", shell("true"), Some("no-such-user-here"));
    let message = world.failed().await;
    assert!(message.ends_with("Failed to get the uid of user 'no-such-user-here': not found"), "{message}");
}

#[tokio::test]
async fn all_containers_go_at_once() {
    let mut world = World::new();
    for id in ["c1", "c2", "c3"] {
        world.launch(id, shell("sleep 1000"), None);
    }
    for _ in 0..3 {
        world.launched().await;
    }
    world.containers.destroy_all().await;
    for _ in 0..3 {
        assert_eq!(world.terminated().await, WaitStatus::signaled(9));
    }
    assert_eq!(world.containers.pid(&ContainerId::from("c1")), None);
}

/// Puts `mesos-fetcher` where the containerizer looks for it: the example that cargo builds beside these tests.
fn install_fetcher(world: &World) {
    let bin = world.root.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let here = std::env::current_exe().unwrap();
    let program = here.parent().and_then(std::path::Path::parent).unwrap().join("examples/mesos_fetcher");
    assert!(program.exists(), "{} is built with the tests", program.display());
    std::os::unix::fs::symlink(program, bin.join("mesos-fetcher")).unwrap();
}

fn with_uri(command: &str, uri: URI) -> CommandInfo {
    CommandInfo { uris: vec![uri], ..shell(command) }
}

#[tokio::test]
async fn files_are_fetched_before_the_program_runs() {
    let mut world = World::new();
    install_fetcher(&world);
    let source = world.root.path().join("hello.sh");
    std::fs::write(&source, "#!/bin/sh\necho fetched\n").unwrap();
    let uri = URI {
        value: format!("file://{}", source.display()),
        executable: Some(true),
        output_file: Some("bin/run".into()),
        ..Default::default()
    };
    world.launch("c1", with_uri("./bin/run > result", uri), None);
    world.launched().await;
    assert!(world.terminated().await.is_success());
    assert_eq!(world.read("c1", "result"), "fetched\n");
    assert!(world.read("c1", "stderr").contains("Successfully fetched all URIs into"));
    assert_eq!(world.containers.fetches(), (1, 0));
}

#[tokio::test]
async fn a_failed_fetch_fails_the_launch() {
    let mut world = World::new();
    install_fetcher(&world);
    world.launch("c1", with_uri("true", URI { value: "/no/such/file".into(), ..Default::default() }), None);
    assert_eq!(world.failed().await, "Failed to fetch all URIs for container 'c1': exited with status 1");
    let log = world.read("c1", "stderr");
    assert!(log.contains("Failed to fetch '/no/such/file': Failed to copy"), "{log}");
    assert_eq!(world.containers.fetches(), (0, 1));
}

#[tokio::test]
async fn a_malformed_uri_is_not_even_tried() {
    let mut world = World::new();
    world.launch("c1", with_uri("true", URI { value: "http://host".into(), ..Default::default() }), None);
    assert_eq!(world.failed().await, "Could not fetch: Malformed URI (missing path): http://host");
}

#[tokio::test]
async fn a_launch_can_be_stopped_while_it_fetches() {
    let mut world = World::new();
    let bin = world.root.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let mut started = Pipe::new(&world, "started");
    let script = format!("#!/bin/sh\necho $$ > {}\nexec sleep 1000\n", started.path.display());
    std::fs::write(bin.join("mesos-fetcher"), script).unwrap();
    std::fs::set_permissions(bin.join("mesos-fetcher"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.launch("c1", with_uri("true", URI { value: "/etc/hostname".into(), ..Default::default() }), None);
    let pid: i32 = started.line().await.parse().unwrap();
    assert!(world.containers.destroy(&"c1".into()));
    assert_eq!(world.failed().await, "Container destroyed during fetching");
    assert!(!is_alive(pid));
}
