//! Scripts: inputs at times, and the effects they give, in short words.

use super::*;
use crate::effect::Signal;
use buffa::MessageField;
use std::collections::BTreeMap;
use std::time::Duration;
use tepui_base::{WaitStatus, Wall};
use tepui_proto::mesos::TaskStatus;
use tepui_proto::mesos::executor::event;
use tepui_proto::mesos::framework_info::{Capability, capability};
use tepui_proto::mesos::task_status::{Reason, Source};
use tepui_proto::mesos::{self, CommandInfo, DurationInfo, Environment, KillPolicy, TaskID, TaskInfo, TaskState};

struct Bench {
    executor: Executor,
    now: Now,
    /// All updates sent, as the agent would see them.
    updates: Vec<TaskStatus>,
    /// Log lines since last asked.
    logs: Vec<String>,
    forked: Option<Box<Command>>,
}

impl Bench {
    fn new(recovery: Option<Recovery>) -> Bench {
        let config = Config {
            framework_id: "F".into(),
            executor_id: "t1".into(),
            recovery,
            shutdown_grace_period: DEFAULT_SHUTDOWN_GRACE_PERIOD,
            environment: BTreeMap::from([("A".into(), "executor".into()), ("B".into(), "executor".into())]),
            task_environment: environment(&[("B", "isolator"), ("C", "isolator")]),
            task_command: None,
        };
        let now = Now { monotonic: Instant(1_000_000_000), wall: Wall(1_700_000_000_500_000_000) };
        let executor = Executor::new(config, 1);
        Bench { executor, now, updates: Vec::new(), logs: Vec::new(), forked: None }
    }

    /// Subscribed, with nothing to do yet.
    fn subscribed(recovery: Option<Recovery>, capabilities: &[capability::Type]) -> Bench {
        let mut bench = Bench::new(recovery);
        assert_eq!(bench.input(Input::Started), ["Connect"]);
        assert_eq!(bench.input(Input::Connected), ["SUBSCRIBE tasks=0 updates=0"]);
        assert_eq!(bench.event(subscribed(capabilities)), [""; 0]);
        bench
    }

    /// Subscribed and running a task.
    fn running(task: TaskInfo, recovery: Option<Recovery>, capabilities: &[capability::Type]) -> Bench {
        let mut bench = Bench::subscribed(recovery, capabilities);
        assert_eq!(bench.event(launch(task)), ["UPDATE TASK_STARTING", "Fork"]);
        assert_eq!(bench.input(Input::Forked), ["UPDATE TASK_RUNNING"]);
        bench
    }

    fn input(&mut self, input: Input) -> Vec<String> {
        let mut out = Outbox::default();
        self.executor.handle(self.now, input, &mut out);
        self.words(out)
    }

    fn event(&mut self, event: Event) -> Vec<String> {
        self.input(Input::Event(Box::new(event)))
    }

    fn kill(&mut self, grace: Option<Duration>) -> Vec<String> {
        self.event(kill("t1", grace))
    }

    fn exits(&mut self, status: WaitStatus) -> Vec<String> {
        self.input(Input::Exited(status))
    }

    /// Acknowledges the update sent at that place.
    fn acknowledge(&mut self, at: usize) -> Vec<String> {
        let status = &self.updates[at];
        let acknowledged = event::Acknowledged {
            task_id: status.task_id.clone(),
            uuid: status.uuid.clone().unwrap(),
            ..Default::default()
        };
        self.event(Event {
            r#type: Some(Type::ACKNOWLEDGED),
            acknowledged: MessageField::some(acknowledged),
            ..Default::default()
        })
    }

    /// Lets time pass, from deadline to deadline, giving what happened and how many milliseconds from now.
    fn pass(&mut self, time: Duration) -> Vec<(u64, String)> {
        let (start, end) = (self.now.monotonic, self.now.monotonic + time);
        let mut all = Vec::new();
        while let Some(at) = self.executor.deadline().filter(|at| *at <= end) {
            self.now.monotonic = at.max(self.now.monotonic);
            let mut out = Outbox::default();
            self.executor.tick(self.now, &mut out);
            let millis = u64::try_from(at.since(start).as_millis()).unwrap();
            all.extend(self.words(out).into_iter().map(|word| (millis, word)));
        }
        self.now.monotonic = end;
        all
    }

    fn words(&mut self, mut out: Outbox<Effect>) -> Vec<String> {
        let entries: Vec<_> = out.drain().collect();
        entries.into_iter().filter_map(|entry| self.word(entry)).collect()
    }

    fn word(&mut self, entry: tepui_base::machine::Entry<Effect>) -> Option<String> {
        let tepui_base::machine::Entry::Free(effect) = entry else { panic!("an executor writes nothing") };
        Some(match effect {
            Effect::Connect => "Connect".into(),
            Effect::Call(call) => {
                assert_eq!((call.framework_id.value.as_str(), call.executor_id.value.as_str()), ("F", "t1"));
                let name = format!("{:?}", call.r#type.unwrap());
                if let Some(subscribe) = call.subscribe.as_option() {
                    let (tasks, updates) = (&subscribe.unacknowledged_tasks, &subscribe.unacknowledged_updates);
                    format!("{name} tasks={} updates={}", tasks.len(), updates.len())
                } else if let Some(update) = call.update.as_option() {
                    self.updates.push((*update.status).clone());
                    format!("{name} {:?}", update.status.state)
                } else {
                    name
                }
            }
            Effect::Fork(command) => {
                self.forked = Some(command);
                "Fork".into()
            }
            Effect::Signal(Signal::Terminate) => "SIGTERM".into(),
            Effect::Signal(Signal::Kill) => "SIGKILL".into(),
            Effect::Exit(code) => format!("Exit {code}"),
            Effect::Log(text) => {
                self.logs.push(text);
                return None;
            }
        })
    }

    fn last(&self) -> &TaskStatus {
        self.updates.last().unwrap()
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    let variable = |(name, value): &(&str, &str)| mesos::environment::Variable {
        name: (*name).into(),
        value: Some((*value).into()),
        ..Default::default()
    };
    Environment { variables: variables.iter().map(variable).collect(), ..Default::default() }
}

fn duration_info(duration: Duration) -> MessageField<DurationInfo> {
    let nanoseconds = i64::try_from(duration.as_nanos()).unwrap();
    MessageField::some(DurationInfo { nanoseconds, ..Default::default() })
}

fn policy(grace: Option<Duration>) -> MessageField<KillPolicy> {
    let policy = |grace| KillPolicy { grace_period: duration_info(grace), ..Default::default() };
    grace.map_or_else(MessageField::none, |grace| MessageField::some(policy(grace)))
}

fn task() -> TaskInfo {
    TaskInfo {
        name: "task".into(),
        task_id: MessageField::some(TaskID { value: "t1".into(), ..Default::default() }),
        command: MessageField::some(CommandInfo { value: Some("true".into()), ..Default::default() }),
        ..Default::default()
    }
}

fn subscribed(capabilities: &[capability::Type]) -> Event {
    let capability = |r#type: &capability::Type| Capability { r#type: Some(*r#type), ..Default::default() };
    let framework =
        mesos::FrameworkInfo { capabilities: capabilities.iter().map(capability).collect(), ..Default::default() };
    let subscribed = event::Subscribed { framework_info: MessageField::some(framework), ..Default::default() };
    Event { r#type: Some(Type::SUBSCRIBED), subscribed: MessageField::some(subscribed), ..Default::default() }
}

fn launch(task: TaskInfo) -> Event {
    let launch = event::Launch { task: MessageField::some(task), ..Default::default() };
    Event { r#type: Some(Type::LAUNCH), launch: MessageField::some(launch), ..Default::default() }
}

fn kill(id: &str, grace: Option<Duration>) -> Event {
    let task_id = MessageField::some(TaskID { value: id.into(), ..Default::default() });
    let kill = event::Kill { task_id, kill_policy: policy(grace), ..Default::default() };
    Event { r#type: Some(Type::KILL), kill: MessageField::some(kill), ..Default::default() }
}

fn plain(r#type: Type) -> Event {
    Event { r#type: Some(r#type), ..Default::default() }
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn words(words: &[(u64, &str)]) -> Vec<(u64, String)> {
    words.iter().map(|(at, word)| (*at, (*word).to_owned())).collect()
}

#[test]
fn ends_have_the_states_and_texts_of_mesos() {
    for (status, state, text) in [
        (WaitStatus::exited(0), "UPDATE TASK_FINISHED", "Command exited with status 0"),
        (WaitStatus::exited(7), "UPDATE TASK_FAILED", "Command exited with status 7"),
        (WaitStatus::signaled(9), "UPDATE TASK_FAILED", "Command terminated with signal Killed"),
    ] {
        let mut bench = Bench::running(task(), None, &[]);
        assert_eq!(bench.exits(status), [state]);
        assert_eq!(bench.last().message.as_deref(), Some(text));
        assert_eq!(bench.last().reason, None);
        assert_eq!(bench.acknowledge(0), [""; 0]);
        assert_eq!(bench.acknowledge(2), ["Exit 0"]);
    }
}

#[test]
fn an_update_names_its_sender_and_its_time() {
    let bench = Bench::running(task(), None, &[]);
    let status = bench.last();
    assert_eq!(status.executor_id.value, "t1");
    assert_eq!(status.task_id.value, "t1");
    assert_eq!(status.source, Some(Source::SOURCE_EXECUTOR));
    assert_eq!(status.timestamp, Some(1_700_000_000.5));
    assert_eq!(status.uuid.as_ref().map(Vec::len), Some(16));
    assert_ne!(status.uuid, bench.updates[0].uuid);
}

#[test]
fn the_environment_grows_from_executor_to_command() {
    let mut task = task();
    task.command.get_or_insert_default().environment = MessageField::some(environment(&[("C", "command")]));
    let allocation = mesos::resource::AllocationInfo { role: Some("eng".into()), ..Default::default() };
    task.resources = vec![mesos::Resource { allocation_info: MessageField::some(allocation), ..Default::default() }];
    let bench = Bench::running(task, None, &[]);
    let environment = bench.forked.unwrap().environment;
    let pairs: Vec<(&str, &str)> = environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let expected = [("A", "executor"), ("B", "isolator"), ("C", "command"), ("MESOS_ALLOCATION_ROLE", "eng")];
    assert_eq!(pairs, expected);
}

#[test]
fn a_program_that_cannot_run_fails_like_one_that_exits_with_one() {
    let mut bench = Bench::subscribed(None, &[]);
    bench.event(launch(task()));
    let words = bench.input(Input::ForkFailed("No such file or directory".into()));
    assert_eq!(words, ["UPDATE TASK_RUNNING", "UPDATE TASK_FAILED"]);
    assert_eq!(bench.last().message.as_deref(), Some("Command exited with status 1"));
    assert_eq!(bench.logs, ["Failed to execute command: No such file or directory"]);
}

#[test]
fn a_task_without_a_command_ends_the_executor() {
    let mut bench = Bench::subscribed(None, &[]);
    let task = TaskInfo { command: MessageField::none(), ..task() };
    assert_eq!(bench.event(launch(task)), ["UPDATE TASK_STARTING", "Exit 1"]);
    assert_eq!(bench.logs, ["Expecting task 't1' to have a command"]);
}

#[test]
fn a_second_task_fails_and_disturbs_nothing() {
    let mut bench = Bench::running(task(), None, &[]);
    let second =
        TaskInfo { task_id: MessageField::some(TaskID { value: "t2".into(), ..Default::default() }), ..task() };
    assert_eq!(bench.event(launch(second)), ["UPDATE TASK_FAILED"]);
    assert_eq!(bench.last().task_id.value, "t2");
    assert_eq!(bench.last().message.as_deref(), Some("Attempted to run multiple tasks using a \"command\" executor"));
    assert_eq!(bench.acknowledge(2), [""; 0], "the first task still runs");
    assert_eq!(bench.exits(WaitStatus(0)), ["UPDATE TASK_FINISHED"]);
    assert_eq!(bench.acknowledge(3), ["Exit 0"]);
}

#[test]
fn the_shortest_grace_period_decides() {
    // The kill's policy, the task's policy, when SIGKILL comes.
    for (of_kill, of_task, due_millis) in [
        (None, None, 3000),
        (None, Some(secs(10)), 10_000),
        (Some(secs(1)), Some(secs(10)), 1000),
        (Some(secs(0)), Some(secs(10)), 0),
    ] {
        let mut bench = Bench::running(TaskInfo { kill_policy: policy(of_task), ..task() }, None, &[]);
        assert_eq!(bench.kill(of_kill), ["SIGTERM"]);
        assert_eq!(bench.pass(secs(60)), words(&[(due_millis, "SIGKILL")]));
        assert_eq!(bench.exits(WaitStatus::signaled(9)), ["UPDATE TASK_KILLED"]);
        assert_eq!(bench.last().message.as_deref(), Some("Command terminated with signal Killed"));
    }
}

#[test]
fn a_second_kill_can_only_shorten_the_first() {
    // The first grace, when the second kill comes, its grace, when SIGKILL comes after it.
    for (first, after, second, due_millis) in
        [(20, 5, 30, 15_000), (20, 5, 20, 15_000), (20, 5, 7, 2000), (20, 10, 5, 0)]
    {
        let mut bench = Bench::running(task(), None, &[]);
        assert_eq!(bench.kill(Some(secs(first))), ["SIGTERM"]);
        assert_eq!(bench.pass(secs(after)), []);
        assert_eq!(bench.kill(Some(secs(second))), [""; 0], "SIGTERM is sent once");
        assert_eq!(bench.pass(secs(60)), words(&[(due_millis, "SIGKILL")]), "{first} {after} {second}");
    }
}

/// The issue: while one KILL waited, for ever, all later ones were ignored.
#[test]
fn mesos_8679_a_kill_that_is_stuck_stops_no_other() {
    let mut bench = Bench::running(task(), None, &[]);
    assert_eq!(bench.kill(Some(secs(86_400))), ["SIGTERM"]);
    assert_eq!(bench.pass(secs(600)), [], "the command ignores SIGTERM and has a day");
    assert_eq!(bench.event(kill("other", Some(secs(0)))), [""; 0]);
    bench.kill(Some(secs(0)));
    assert_eq!(bench.pass(secs(1)), words(&[(0, "SIGKILL")]));
    assert_eq!(bench.exits(WaitStatus::signaled(9)), ["UPDATE TASK_KILLED"]);
}

#[test]
fn killing_is_reported_to_those_who_ask() {
    let mut bench = Bench::running(task(), None, &[capability::Type::TASK_KILLING_STATE]);
    assert_eq!(bench.kill(None), ["UPDATE TASK_KILLING", "SIGTERM"]);
    assert_eq!(bench.exits(WaitStatus::signaled(15)), ["UPDATE TASK_KILLED"]);
    assert_eq!(bench.last().message.as_deref(), Some("Command terminated with signal Terminated"));
    assert_eq!(bench.kill(None), [""; 0], "nothing follows the terminal update");
    assert_eq!(bench.pass(secs(30)), []);
}

#[test]
fn a_kill_that_misses_its_task() {
    let mut bench = Bench::running(task(), None, &[]);
    assert_eq!(bench.event(kill("other", None)), [""; 0]);
    let mut bench = Bench::subscribed(None, &[]);
    assert_eq!(bench.kill(None), ["Exit 1"]);
}

#[test]
fn a_task_has_its_time() {
    let limited = TaskInfo { max_completion_time: duration_info(secs(90)), ..task() };
    let mut bench = Bench::running(limited.clone(), None, &[capability::Type::TASK_KILLING_STATE]);
    assert_eq!(bench.pass(secs(100)), words(&[(90_000, "SIGTERM"), (90_000, "SIGKILL")]));
    assert!(bench.logs[0].ends_with("exceeded its maximum completion time of 90secs"), "{:?}", bench.logs);
    assert_eq!(bench.exits(WaitStatus::signaled(15)), ["UPDATE TASK_FAILED"]);
    assert_eq!(bench.last().reason, Some(Reason::REASON_MAX_COMPLETION_TIME_REACHED));

    let mut bench = Bench::running(limited, None, &[]);
    assert_eq!(bench.kill(Some(secs(200))), ["SIGTERM"]);
    assert_eq!(bench.pass(secs(199)), [], "a kill lifts the limit");
    assert_eq!(bench.exits(WaitStatus::signaled(15)), ["UPDATE TASK_KILLED"]);
}

#[test]
fn shutdown_kills_in_time() {
    let mut bench = Bench::running(task(), None, &[]);
    assert_eq!(bench.event(plain(Type::SHUTDOWN)), ["SIGTERM"]);
    assert_eq!(bench.pass(secs(4)), words(&[(3000, "SIGKILL")]), "two seconds are kept back");
    assert_eq!(bench.exits(WaitStatus::signaled(9)), ["UPDATE TASK_KILLED"]);
    assert_eq!(bench.acknowledge(2), ["Exit 0"]);

    let mut bench = Bench::running(task(), None, &[]);
    bench.event(plain(Type::SHUTDOWN));
    let end = words(&[(3000, "SIGKILL"), (5000, "SIGKILL"), (5000, "Exit 1")]);
    assert_eq!(bench.pass(secs(60)), end, "the process does not wait for ever");

    let mut bench = Bench::subscribed(None, &[]);
    assert_eq!(bench.event(plain(Type::SHUTDOWN)), ["Exit 0"], "nothing to kill");

    let mut bench = Bench::subscribed(None, &[]);
    assert_eq!(bench.event(plain(Type::LAUNCH_GROUP)), ["Exit 0"], "groups are for default executors");
}

#[test]
fn an_acknowledgement_that_never_comes_is_not_awaited_for_ever() {
    let mut bench = Bench::running(task(), None, &[]);
    bench.exits(WaitStatus(0));
    assert_eq!(bench.pass(secs(120)), words(&[(60_000, "Exit 1")]));
    assert_eq!(bench.logs, ["Did not receive ACK for the terminal status update from the agent"]);
}

#[test]
fn subscribing_is_tried_each_second_until_answered() {
    let mut bench = Bench::new(None);
    bench.input(Input::Started);
    bench.input(Input::Connected);
    assert_eq!(bench.pass(secs(3)), [], "an answer is still under way");
    let (reason, body) = ("Service Unavailable".into(), "Agent has not finished recovery".into());
    let refused = Input::Refused { call: call::Type::SUBSCRIBE, status: 503, reason, body };
    assert_eq!(bench.input(refused), [""; 0]);
    assert_eq!(bench.logs, ["Received '503 Service Unavailable' (Agent has not finished recovery) for SUBSCRIBE"]);
    assert_eq!(bench.pass(secs(5)), words(&[(1000, "SUBSCRIBE tasks=0 updates=0")]));
    bench.event(subscribed(&[]));
    assert_eq!(bench.pass(secs(60)), []);
    assert_eq!(bench.pass(secs(30 * 60)), words(&[(30 * 60_000 - 68_000, "HEARTBEAT")]));
}

#[test]
fn without_checkpointing_the_loss_of_the_agent_is_the_end() {
    let mut bench = Bench::running(task(), None, &[]);
    assert_eq!(bench.input(Input::Disconnected("closed".into())), ["SIGTERM"]);
    assert_eq!(bench.logs, ["Disconnected from agent: closed; Shutting down", "Shutting down"]);
    assert_eq!(bench.exits(WaitStatus::signaled(15)), ["Exit 1"], "nobody will take the update");

    let mut bench = Bench::new(None);
    bench.input(Input::Started);
    assert_eq!(bench.input(Input::Disconnected("refused".into())), ["Exit 0"]);
}

fn recovery() -> Option<Recovery> {
    Some(Recovery { timeout: secs(900), backoff_max: secs(2) })
}

#[test]
fn with_checkpointing_unacknowledged_news_is_told_again() {
    let mut bench = Bench::running(task(), recovery(), &[]);
    bench.acknowledge(0);
    assert_eq!(bench.input(Input::Disconnected("closed".into())), [""; 0]);
    assert_eq!(bench.exits(WaitStatus(0)), [""; 0], "no agent to tell");
    let tries = bench.pass(secs(20));
    assert!(tries.len() >= 10 && tries.iter().all(|(_, word)| word == "Connect"), "{tries:?}");
    assert_eq!(bench.input(Input::Connected), ["SUBSCRIBE tasks=0 updates=2"]);
    bench.event(subscribed(&[]));
    let status = bench.executor.unacknowledged.last().unwrap().status.clone();
    assert_eq!(status.state, TaskState::TASK_FINISHED);
    bench.updates.push(status);
    assert_eq!(bench.acknowledge(2), ["Exit 0"]);
}

#[test]
fn a_task_is_told_again_until_any_update_is_acknowledged() {
    let mut bench = Bench::running(task(), recovery(), &[]);
    bench.input(Input::Disconnected("closed".into()));
    assert_eq!(bench.input(Input::Connected), ["SUBSCRIBE tasks=1 updates=2"]);
}

#[test]
fn an_end_between_subscribe_and_its_answer_is_told() {
    let mut bench = Bench::running(task(), recovery(), &[]);
    bench.input(Input::Disconnected("closed".into()));
    assert_eq!(bench.input(Input::Connected), ["SUBSCRIBE tasks=1 updates=2"]);
    assert_eq!(bench.exits(WaitStatus(0)), [""; 0]);
    assert_eq!(bench.event(subscribed(&[])), ["UPDATE TASK_FINISHED"], "only what SUBSCRIBE did not carry");
    assert_eq!(bench.acknowledge(2), ["Exit 0"]);
}

#[test]
fn recovery_has_its_time_too() {
    let mut bench = Bench::running(task(), recovery(), &[]);
    bench.input(Input::Disconnected("closed".into()));
    bench.pass(secs(500));
    bench.input(Input::Disconnected("refused".into()));
    let rest = bench.pass(secs(402));
    let end = rest.iter().find(|(_, word)| word != "Connect").unwrap();
    assert_eq!(*end, (400_000, "SIGTERM".to_owned()), "counted from the first failure");
    assert_eq!(bench.exits(WaitStatus::signaled(15)), ["Exit 1"]);
}

#[test]
fn a_check_is_owned_up_to() {
    let check = mesos::CheckInfo { r#type: Some(mesos::check_info::Type::TCP), ..Default::default() };
    let bench = Bench::running(TaskInfo { check: MessageField::some(check), ..task() }, None, &[]);
    assert!(bench.logs[0].ends_with("does not run them yet"), "{:?}", bench.logs);
    let status = &bench.last().check_status;
    assert!(status.tcp.is_set() && status.tcp.succeeded.is_none(), "no result is claimed");
}

#[test]
fn news_nobody_asked_for_changes_nothing() {
    let mut bench = Bench::running(task(), None, &[]);
    for r#type in [Type::HEARTBEAT, Type::MESSAGE, Type::UNKNOWN, Type::ERROR, Type::ACKNOWLEDGED] {
        assert_eq!(bench.event(plain(r#type)), [""; 0]);
    }
    assert_eq!(bench.event(Event::default()), [""; 0]);
    bench.exits(WaitStatus(0));
    assert_eq!(bench.exits(WaitStatus(0)), [""; 0]);
    assert_eq!(bench.acknowledge(2), ["Exit 0"]);
    assert_eq!(bench.input(Input::Connected), [""; 0], "what is done is done");
}
