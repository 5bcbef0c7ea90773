//! The executor as a real process against an agent played by the test.

use buffa::MessageField;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tepui_proto::mesos::executor::event::{Acknowledged, Kill, Launch, Subscribed, Type};
use tepui_proto::mesos::executor::{Call, Event, call};
use tepui_proto::mesos::{CommandInfo, DurationInfo, KillPolicy, TaskID, TaskInfo, TaskState, TaskStatus};
use tepui_proto::{codec, recordio};

/// Far more than anything here takes: a test that hangs must end.
const PATIENCE: Duration = Duration::from_secs(60);

/// An agent with one executor.
struct Agent {
    listener: TcpListener,
    executor: Child,
    sandbox: tempfile::TempDir,
    subscription: TcpStream,
    calls: TcpStream,
    subscribe: call::Subscribe,
}

impl Agent {
    /// Starts an executor and answers its subscription.
    fn start(more: &[(&str, &str)]) -> Agent {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sandbox = tempfile::tempdir().unwrap();
        let output = |name| OpenOptions::new().create(true).append(true).open(sandbox.path().join(name)).unwrap();
        let executor = Command::new(env!("CARGO_BIN_EXE_execd-under-test"))
            .arg("--launcher_dir=/nowhere")
            .current_dir(sandbox.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("MESOS_SLAVE_PID", format!("slave(1)@{}", listener.local_addr().unwrap()))
            .env("MESOS_FRAMEWORK_ID", "F")
            .env("MESOS_EXECUTOR_ID", "t1")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .unwrap();
        let (subscription, calls, subscribe) = accept(&listener);
        let mut agent = Agent { listener, executor, sandbox, subscription, calls, subscribe };
        agent.welcome();
        agent
    }

    fn welcome(&mut self) {
        self.subscription
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        let subscribed = Subscribed {
            container_id: MessageField::some(Default::default()),
            executor_info: MessageField::some(Default::default()),
            ..Default::default()
        };
        self.event(Event {
            r#type: Some(Type::SUBSCRIBED),
            subscribed: MessageField::some(subscribed),
            ..Default::default()
        });
    }

    fn event(&mut self, event: Event) {
        // Required fields that no executor looks at are filled here, not in each test.
        let record = recordio::encode(&complete(event));
        let chunk = [format!("{:x}\r\n", record.len()).as_bytes(), &record, b"\r\n"].concat();
        // In two pieces, to be put together again.
        let (first, second) = chunk.split_at(chunk.len() / 2);
        self.subscription.write_all(first).unwrap();
        self.subscription.write_all(second).unwrap();
    }

    fn launch(&mut self, command: CommandInfo) {
        let task = TaskInfo { task_id: task_id(), command: MessageField::some(command), ..Default::default() };
        let launch = Launch { task: MessageField::some(task), ..Default::default() };
        self.event(Event { r#type: Some(Type::LAUNCH), launch: MessageField::some(launch), ..Default::default() });
        assert_eq!(self.update().state, TaskState::TASK_STARTING);
        assert_eq!(self.update().state, TaskState::TASK_RUNNING);
    }

    fn kill(&mut self, grace: Duration) {
        let nanoseconds = i64::try_from(grace.as_nanos()).unwrap();
        let grace_period = MessageField::some(DurationInfo { nanoseconds, ..Default::default() });
        let kill_policy = MessageField::some(KillPolicy { grace_period, ..Default::default() });
        let kill = Kill { task_id: task_id(), kill_policy, ..Default::default() };
        self.event(Event { r#type: Some(Type::KILL), kill: MessageField::some(kill), ..Default::default() });
    }

    /// The next update; the call is accepted.
    fn update(&mut self) -> TaskStatus {
        let call = read_call(&mut self.calls);
        assert_eq!(call.r#type, Some(call::Type::UPDATE));
        self.calls.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").unwrap();
        (*call.update.status).clone()
    }

    fn acknowledge(&mut self, status: &TaskStatus) {
        let uuid = status.uuid.clone().unwrap();
        let acknowledged = Acknowledged { task_id: task_id(), uuid, ..Default::default() };
        self.event(Event {
            r#type: Some(Type::ACKNOWLEDGED),
            acknowledged: MessageField::some(acknowledged),
            ..Default::default()
        });
    }

    /// The terminal update, acknowledged; the executor then leaves with code 0.
    fn ends(&mut self, state: TaskState, message: &str) {
        let status = self.update();
        assert_eq!((status.state, status.message.as_deref()), (state, Some(message)));
        self.acknowledge(&status);
        assert_eq!(self.executor.wait().unwrap().code(), Some(0), "{}", self.read("stderr"));
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.sandbox.path().join(name)).unwrap()
    }

    /// A named pipe that the task holds as descriptor 3.
    fn pipe(&self) -> PathBuf {
        let path = self.sandbox.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        path
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Fails if it has ended, as it should have.
        let _ = self.executor.kill();
        let _ = self.executor.wait();
    }
}

/// Both connections of an executor, which subscribes on the first.
fn accept(listener: &TcpListener) -> (TcpStream, TcpStream, call::Subscribe) {
    let mut subscription = accept_one(listener);
    let calls = accept_one(listener);
    let call = read_call(&mut subscription);
    assert_eq!(call.r#type, Some(call::Type::SUBSCRIBE));
    (subscription, calls, (*call.subscribe).clone())
}

fn accept_one(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads one request byte by byte, so that nothing of the next one is lost.
fn read_call(stream: &mut TcpStream) -> Call {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("POST /slave(1)/api/v1/executor HTTP/1.1\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    codec::decode(&body).unwrap()
}

fn complete(mut event: Event) -> Vec<u8> {
    if event.subscribed.is_set() {
        let subscribed = event.subscribed.get_or_insert_default();
        let info = subscribed.executor_info.get_or_insert_default();
        info.executor_id.get_or_insert_default();
        let framework = subscribed.framework_info.get_or_insert_default();
        framework.user = String::new();
        subscribed.agent_info.get_or_insert_default().hostname = "here".to_owned();
    }
    if event.launch.is_set() {
        event.launch.get_or_insert_default().task.get_or_insert_default().agent_id.get_or_insert_default();
    }
    codec::encode(&event).to_vec()
}

fn task_id() -> MessageField<TaskID> {
    MessageField::some(TaskID { value: "t1".into(), ..Default::default() })
}

fn shell(command: &str) -> CommandInfo {
    CommandInfo { value: Some(command.to_owned()), ..Default::default() }
}

/// Reads the first line from a pipe, then everything until nobody holds it any more.
struct Held(BufReader<File>);

impl Held {
    fn open(path: &PathBuf) -> (String, Held) {
        let mut reader = BufReader::new(File::open(path).unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        (line.trim().to_owned(), Held(reader))
    }

    fn all_gone(mut self) {
        self.0.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn a_shell_command_ends_with_its_code() {
    let mut agent = Agent::start(&[]);
    agent.launch(shell("echo hello; echo $MESOS_EXECUTOR_ID; exit 7"));
    agent.ends(TaskState::TASK_FAILED, "Command exited with status 7");
    assert_eq!(agent.read("stdout"), "hello\nt1\n");
    assert_eq!(agent.read("stderr"), "", "a good executor is not heard");
}

#[test]
fn a_program_gets_its_own_first_argument() {
    let mut agent = Agent::start(&[]);
    let arguments = ["other-name", "-c", "echo $0 $1", "zero", "one"].map(str::to_owned).to_vec();
    agent.launch(CommandInfo { shell: Some(false), value: Some("sh".into()), arguments, ..Default::default() });
    agent.ends(TaskState::TASK_FINISHED, "Command exited with status 0");
    assert_eq!(agent.read("stdout"), "zero one\n");
}

#[test]
fn a_signal_is_named() {
    let mut agent = Agent::start(&[]);
    agent.launch(shell("kill -9 $$"));
    agent.ends(TaskState::TASK_FAILED, "Command terminated with signal Killed");
}

#[test]
fn a_program_that_is_not_there_fails() {
    let mut agent = Agent::start(&[]);
    agent.launch(CommandInfo { shell: Some(false), value: Some("/no/such/program".into()), ..Default::default() });
    agent.ends(TaskState::TASK_FAILED, "Command exited with status 1");
    assert!(agent.read("stderr").starts_with("Failed to execute command: No such file or directory"));
}

#[test]
fn the_token_is_kept_from_the_task() {
    let mut agent = Agent::start(&[("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "secret")]);
    agent.launch(shell("env"));
    agent.ends(TaskState::TASK_FINISHED, "Command exited with status 0");
    let environment = agent.read("stdout");
    assert!(!environment.contains("secret") && environment.contains("MESOS_ALLOCATION_ROLE="), "{environment}");
}

#[test]
fn a_kill_reaches_the_whole_tree() {
    let mut agent = Agent::start(&[]);
    let pipe = agent.pipe();
    agent.launch(shell(&format!("exec 3>{}; sleep 1000 & setsid sleep 1000 & echo up >&3; wait", pipe.display())));
    let (line, held) = Held::open(&pipe);
    assert_eq!(line, "up");
    agent.kill(PATIENCE);
    agent.ends(TaskState::TASK_KILLED, "Command terminated with signal Terminated");
    held.all_gone();
}

#[test]
fn who_does_not_listen_is_killed_after_the_grace_period() {
    let mut agent = Agent::start(&[]);
    let pipe = agent.pipe();
    let command = format!("trap '' TERM; exec 3>{}; echo up >&3; while :; do sleep 1000; done", pipe.display());
    agent.launch(shell(&command));
    let (_, held) = Held::open(&pipe);
    agent.kill(Duration::from_millis(50));
    agent.ends(TaskState::TASK_KILLED, "Command terminated with signal Killed");
    held.all_gone();
}

#[test]
fn a_daemon_left_behind_goes_with_the_executor() {
    let mut agent = Agent::start(&[]);
    let pipe = agent.pipe();
    // Forked twice and in a session of its own: out of reach for signals to the task's tree.
    let command = format!("exec 3>{}; (setsid sleep 1000 >/dev/null &); echo up >&3; exit 0", pipe.display());
    agent.launch(shell(&command));
    let (_, held) = Held::open(&pipe);
    agent.ends(TaskState::TASK_FINISHED, "Command exited with status 0");
    held.all_gone();
}

#[test]
fn the_task_dies_with_its_executor() {
    let mut agent = Agent::start(&[]);
    let pipe = agent.pipe();
    agent.launch(shell(&format!("exec 3>{}; echo up >&3; exec sleep 1000", pipe.display())));
    let (_, held) = Held::open(&pipe);
    agent.executor.kill().unwrap();
    held.all_gone();
}

#[test]
fn without_checkpointing_the_loss_of_the_agent_ends_all() {
    let mut agent = Agent::start(&[]);
    let pipe = agent.pipe();
    agent.launch(shell(&format!("exec 3>{}; echo up >&3; exec sleep 1000", pipe.display())));
    let (_, held) = Held::open(&pipe);
    agent.subscription.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(agent.executor.wait().unwrap().code(), Some(1));
    held.all_gone();
    assert!(agent.read("stderr").contains("Disconnected from agent: Subscribe connection interrupted"));
}

#[test]
fn with_checkpointing_the_executor_comes_back() {
    let times = [("MESOS_RECOVERY_TIMEOUT", "15mins"), ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "10ms")];
    let mut agent = Agent::start(&[("MESOS_CHECKPOINT", "1"), times[0], times[1]]);
    assert!(agent.subscribe.unacknowledged_updates.is_empty());
    let pipe = agent.pipe();
    agent.launch(shell(&format!("read x < {}; exit 3", pipe.display())));
    agent.subscription.shutdown(std::net::Shutdown::Both).unwrap();
    (agent.subscription, agent.calls, agent.subscribe) = accept(&agent.listener);
    assert_eq!(agent.subscribe.unacknowledged_tasks.len(), 1);
    assert_eq!(agent.subscribe.unacknowledged_updates.len(), 2);
    agent.welcome();
    std::fs::write(&pipe, "go\n").unwrap();
    agent.ends(TaskState::TASK_FAILED, "Command exited with status 3");
}

#[test]
fn an_executor_without_an_agent_does_not_stay() {
    // No other test listens on this address, so nobody takes the port over.
    let address = TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_execd-under-test"))
        .envs([("MESOS_FRAMEWORK_ID", "F"), ("MESOS_EXECUTOR_ID", "E")])
        .env("MESOS_SLAVE_PID", format!("slave(1)@{address}"))
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("Disconnected from agent: Connection refused"));
}
