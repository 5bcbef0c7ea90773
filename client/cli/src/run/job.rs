//! The command's instances, from waiting for an offer to their ends.

use super::args::Args;
use super::fit::{self, Fit};
use super::output;
use crate::exit;
use crate::output::say;
use anyhow::{Result, anyhow};
use std::time::Duration;
use tepui_base::{Rng, duration};
use tepui_sdk::mesos::task_status::Reason;
use tepui_sdk::mesos::{AgentID, Offer, TaskID, TaskInfo, TaskState, TaskStatus};
use tepui_sdk::operator::Agent;
use tepui_sdk::scheduler::Event;
use tepui_sdk::{Operator, Scheduler, is_terminal, messages, resources};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long a cluster may be without agents before the command is given up.
const AGENT_WAIT: Duration = Duration::from_secs(10);

/// How often agents are looked for meanwhile.
const AGENT_POLL: Duration = Duration::from_millis(200);

/// Why the command is to end before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// `--timeout`.
    TimedOut(Duration),
}

impl Stop {
    /// The exit status that says so.
    pub fn code(self) -> u8 {
        match self {
            Stop::Interrupted => 130,
            Stop::Terminated => 143,
            Stop::TimedOut(_) => exit::TIMEOUT,
        }
    }
}

/// One instance of the command.
struct Instance {
    task_id: TaskID,
    agent_id: Option<AgentID>,
    state: Option<TaskState>,
    /// The exit status, once the task has ended.
    code: Option<u8>,
    /// Tells the reader of its output that the task has ended, and the reader.
    follower: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

/// See the module's text.
pub struct Job {
    args: Args,
    scheduler: Scheduler,
    operator: Operator,
    instances: Vec<Instance>,
    framework_id: Option<String>,
    subscribed_at: Option<Instant>,
    fits: bool,
    last_failure: String,
    stop: Option<Stop>,
}

impl Job {
    pub fn new(args: Args, scheduler: Scheduler, operator: Operator) -> Job {
        let instances = task_ids(&args).into_iter().map(Instance::new).collect();
        Job {
            args,
            scheduler,
            operator,
            instances,
            framework_id: None,
            subscribed_at: None,
            fits: false,
            last_failure: String::new(),
            stop: None,
        }
    }

    /// The exit status, once every instance has ended or (detached) runs.
    pub fn finished(&self) -> Option<u8> {
        let detached = self.args.detach && self.stop.is_none();
        let done = |instance: &Instance| match instance.code {
            Some(code) => Some(code),
            None if detached && instance.state == Some(TaskState::TASK_RUNNING) => Some(0),
            None => None,
        };
        let codes: Option<Vec<u8>> = self.instances.iter().map(done).collect();
        codes.map(|codes| codes.into_iter().find(|code| *code != 0).unwrap_or(0))
    }

    pub fn was_subscribed(&self) -> bool {
        self.framework_id.is_some()
    }

    /// Why the command is given up when no master has answered.
    pub fn no_master(&self, master: &str) -> anyhow::Error {
        let cause = if self.last_failure.is_empty() { "no answer" } else { &self.last_failure };
        anyhow!(
            "no master has taken the command: {cause}\nIs a master running at {master}? Name another with --master."
        )
    }

    pub async fn event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Subscribed { framework_id, .. } => self.subscribed(framework_id.as_str()).await,
            Event::Disconnected(reason) => {
                if reason != self.last_failure {
                    eprintln!("tepui: not connected: {reason}; trying again");
                }
                self.last_failure = reason;
                self.subscribed_at = None;
            }
            Event::Offers(offers) => {
                for offer in offers {
                    self.offer(&offer).await;
                }
            }
            Event::Update(status) => self.update(&status),
            Event::Error(text) => return Err(anyhow!("the master refuses the command: {text}")),
            _ => {}
        }
        Ok(())
    }

    async fn subscribed(&mut self, framework_id: &str) {
        self.last_failure.clear();
        eprintln!("tepui: subscribed as framework {framework_id}");
        self.framework_id = Some(framework_id.to_owned());
        self.subscribed_at = Some(Instant::now());
        if self.stop.is_some() {
            self.kill_all().await;
        }
    }

    async fn offer(&mut self, offer: &Offer) {
        let (mut pool, amounts) = (resources::offered(offer), self.args.wanted());
        let wanted = resources::scalars(&amounts);
        let mut tasks = Vec::new();
        let waiting = self.instances.iter_mut().filter(|i| i.agent_id.is_none() && i.code.is_none());
        for instance in waiting {
            let Some(resources) = resources::take(&mut pool, &wanted) else { break };
            instance.agent_id = Some(offer.agent_id.clone().into_option().unwrap_or_default());
            tasks.push(task(&self.args, instance.task_id.clone(), resources.to_proto()));
        }
        let count = tasks.len();
        let answer = match count {
            0 => self.scheduler.decline(std::slice::from_ref(offer), None).await,
            _ => self.scheduler.launch(offer, tasks).await,
        };
        match answer {
            Err(error) => eprintln!("tepui: the offer of {} was not answered: {error}", offer.hostname),
            Ok(()) if count > 0 => {
                self.fits = true;
                let (each, many) = (fit::text(amounts.into_iter()), self.instances.len() > 1);
                let count = if many { format!(" for {count} instances, each") } else { String::new() };
                eprintln!("tepui: offer of {} accepted{count}: {each}", offer.hostname);
            }
            Ok(()) => {}
        }
        if count > 0 {
            self.follow(offer).await;
        }
    }

    /// Starts to read the output of what was launched on an offer.
    async fn follow(&mut self, offer: &Offer) {
        let Some(framework) = self.framework_id.clone().filter(|_| !self.args.detach) else { return };
        let address = self.agent_address(offer).await;
        let many = self.instances.len() > 1;
        let here = |instance: &&mut Instance| {
            instance.agent_id.as_ref() == offer.agent_id.as_option() && instance.follower.is_none()
        };
        for (number, instance) in self.instances.iter_mut().enumerate() {
            if !here(&instance) {
                continue;
            }
            let Ok(agent) = Agent::new(&address) else {
                eprintln!("tepui: the agent's address '{address}' cannot be used: no output will be seen");
                return;
            };
            let agent = match (&self.args.principal, &self.args.secret) {
                (Some(principal), Some(secret)) => agent.credentials(principal, secret),
                _ => agent,
            };
            let (done, is_done) = watch::channel(false);
            let prefix = if many { format!("[{number}] ") } else { String::new() };
            let task = instance.task_id.value.clone();
            let follower = tokio::spawn(output::follow(agent, framework.clone(), task, prefix, is_done));
            instance.follower = Some((done, follower));
        }
    }

    /// `host:port` of the agent that made an offer: as the offer has it, else as the master knows it.
    async fn agent_address(&self, offer: &Offer) -> String {
        if let Some(address) = offer.url.as_option().and_then(|url| url.address.as_option()) {
            let host = address.ip.as_ref().or(address.hostname.as_ref()).unwrap_or(&offer.hostname);
            return format!("{host}:{}", address.port);
        }
        let agents = self.operator.agents().await.map(|agents| agents.agents).unwrap_or_default();
        let agent = agents.into_iter().find(|agent| agent.agent_info.id == offer.agent_id);
        agent.and_then(|agent| agent.pid).unwrap_or_else(|| offer.hostname.clone())
    }

    fn update(&mut self, status: &TaskStatus) {
        let stop = self.stop;
        let Some(instance) = self.instances.iter_mut().find(|i| i.task_id.value == status.task_id.value) else {
            return;
        };
        if instance.state != Some(status.state) && instance.code.is_none() {
            instance.state = Some(status.state);
            eprintln!("tepui: task {} {}", status.task_id.value, words(status));
        }
        if !is_terminal(status.state) || instance.code.is_some() {
            return;
        }
        let code = exit::of_command(status);
        instance.code = Some(match stop {
            Some(stop) => stop.code(),
            None => code.unwrap_or(exit::FAILURE),
        });
        if code.is_none() && stop.is_none() {
            eprintln!("tepui: {}", remedy(status));
        }
        if let Some((done, _)) = &instance.follower {
            // A reader that has given up has said so.
            let _ = done.send(true);
        }
    }

    /// Comes when the agents are to be looked at again.
    pub async fn next_fit_check(&self) {
        match self.subscribed_at {
            Some(at) if !self.fits && self.stop.is_none() => {
                let polls = u32::try_from(at.elapsed().as_millis() / AGENT_POLL.as_millis()).unwrap_or(u32::MAX);
                // The first look comes with the subscription, the others at its multiples.
                let pause = if polls == 0 { Duration::from_millis(50) } else { AGENT_POLL };
                tokio::time::sleep(pause).await;
            }
            _ => std::future::pending().await,
        }
    }

    /// Gives the command up if no agent will ever be big enough for it.
    pub async fn check_fit(&mut self) -> Result<()> {
        // A master that does not answer this question may still make offers.
        let Ok(agents) = self.operator.agents().await else {
            self.fits = true;
            return Ok(());
        };
        match fit::fit(&agents, &self.args.role, &self.args.wanted()) {
            Fit::TooBig(text) => {
                Err(anyhow!("no agent can run the command: it {text}\nAsk for less, or add an agent that has it."))
            }
            Fit::NoAgents if self.subscribed_at.is_some_and(|at| at.elapsed() >= AGENT_WAIT) => Err(anyhow!(
                "no agent has been connected to the master for {}\nStart one with mesos-agent --master={}.",
                duration::format(AGENT_WAIT),
                self.operator.address().await
            )),
            Fit::NoAgents => Ok(()),
            Fit::Possible => {
                self.fits = true;
                Ok(())
            }
        }
    }

    /// Ends the instances: those that run are killed, those that wait never start.
    pub async fn stop(&mut self, stop: Stop) -> Result<()> {
        if self.stop.replace(stop).is_some() {
            return Ok(());
        }
        match stop {
            Stop::TimedOut(after) => eprintln!("tepui: {} are over: killing the command", duration::format(after)),
            _ => eprintln!("tepui: killing the command (once more to leave at once)"),
        }
        for instance in self.instances.iter_mut().filter(|i| i.agent_id.is_none()) {
            instance.code.get_or_insert(stop.code());
        }
        self.kill_all().await;
        Ok(())
    }

    async fn kill_all(&self) {
        for instance in self.instances.iter().filter(|i| i.code.is_none()) {
            let kill = self.scheduler.kill(instance.task_id.clone(), instance.agent_id.clone(), None).await;
            if let Err(error) = kill {
                eprintln!("tepui: {} could not be killed: {error}", instance.task_id.value);
            }
        }
    }

    /// Takes leave: the rest of the output is read, and the framework ended unless it is to run on.
    pub async fn leave(mut self, wait: Duration) {
        let stopped = self.stop.is_some();
        let followers: Vec<_> = self.instances.iter_mut().filter_map(|i| i.follower.take()).collect();
        for (done, follower) in followers {
            let _ = done.send(true);
            if tokio::time::timeout(wait, follower).await.is_err() {
                eprintln!("tepui: the end of the output could not be read in time");
            }
        }
        if self.args.detach && !stopped && self.was_subscribed() {
            return self.detach().await;
        }
        if self.was_subscribed() && tokio::time::timeout(wait, self.scheduler.teardown()).await.is_err() {
            eprintln!("tepui: the master did not end the framework in time");
        }
    }

    async fn detach(&self) {
        self.scheduler.stop();
        let (framework, master) = (self.framework_id.as_deref().unwrap_or_default(), self.operator.address().await);
        say!("framework {framework}");
        for instance in &self.instances {
            say!("task {}", instance.task_id.value);
        }
        eprintln!("tepui: watch:  curl 'http://{master}/tasks?framework_id={framework}'");
        eprintln!("tepui: end it: curl -d frameworkId={framework} http://{master}/teardown");
    }
}

impl Instance {
    fn new(task_id: String) -> Instance {
        let task_id = TaskID { value: task_id, ..TaskID::default() };
        Instance { task_id, agent_id: None, state: None, code: None, follower: None }
    }
}

/// Ids that tell people what runs and are used by no other framework.
fn task_ids(args: &Args) -> Vec<String> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = args.task_name().chars().map(plain).take(64).collect();
    // The id need only be unlike those of this person's other commands: time and process tell them apart.
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seed = u64::try_from(since.as_nanos()).unwrap_or(0) ^ (u64::from(std::process::id()) << 32);
    let unique = Rng::new(seed).next_u64() >> 32;
    match args.instances {
        1 => vec![format!("{name}.{unique:08x}")],
        count => (0..count).map(|number| format!("{name}.{unique:08x}.{number}")).collect(),
    }
}

fn task(args: &Args, task_id: TaskID, resources: Vec<tepui_sdk::mesos::Resource>) -> TaskInfo {
    TaskInfo { name: args.task_name(), ..messages::task(task_id.value, args.command_info(), resources) }
}

/// What a status says, for people.
fn words(status: &TaskStatus) -> String {
    let state = match status.state {
        TaskState::TASK_STAGING => "is being sent",
        TaskState::TASK_STARTING => "is starting",
        TaskState::TASK_RUNNING => "is running",
        TaskState::TASK_KILLING => "is being killed",
        TaskState::TASK_FINISHED => "has finished",
        TaskState::TASK_FAILED => "has failed",
        TaskState::TASK_KILLED => "was killed",
        TaskState::TASK_ERROR => "is refused",
        TaskState::TASK_LOST | TaskState::TASK_DROPPED | TaskState::TASK_GONE | TaskState::TASK_GONE_BY_OPERATOR => {
            "is lost"
        }
        TaskState::TASK_UNREACHABLE => "is out of reach; waiting for its agent to come back",
        TaskState::TASK_UNKNOWN => "is not known to the master",
    };
    match status.message.as_deref() {
        Some(message) if is_terminal(status.state) && !message.is_empty() => format!("{state}: {message}"),
        _ => state.to_owned(),
    }
}

/// What may help when the command itself has no exit status.
fn remedy(status: &TaskStatus) -> &'static str {
    match (status.state, status.reason) {
        (_, Some(Reason::REASON_CONTAINER_LIMITATION_MEMORY)) => "it used more memory than it has; raise --mem",
        (_, Some(Reason::REASON_CONTAINER_LIMITATION_DISK)) => "it used more disk than it has; raise --disk",
        (_, Some(Reason::REASON_CONTAINER_LAUNCH_FAILED)) => {
            "the agent could not start it; check the URIs and the user, the agent's log has more"
        }
        (TaskState::TASK_ERROR, _) => "the request is not valid as it stands",
        (TaskState::TASK_KILLED, _) => "someone else killed it",
        (TaskState::TASK_FAILED, _) => "it did not end by itself; the agent's log has more",
        _ => "its agent or executor went away; run it again",
    }
}
