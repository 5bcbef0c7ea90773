//! Schedulers: programs that take offers and launch tasks.

use crate::authorization;
use crate::pump::{Pump, Sorted, seed};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tepui_detector::{AddressError, Detector, Masters, SESSION_TIMEOUT, Trouble};
use tepui_framework::scheduler::{CallId, Config, Effect, Input, Refusal, Scheduler as Machine, call};
use tepui_proto::ContentType;
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::scheduler::{Call, OfferConstraints};
use tepui_proto::mesos::{
    AgentID, ExecutorID, Filters, FrameworkInfo, InverseOffer, KillPolicy, Offer, OfferID, TaskID, TaskInfo, TaskStatus,
};
use tokio::sync::{mpsc, oneshot};

pub use tepui_framework::scheduler::Event;

/// Events that may wait for the program before the master's stream is no longer read.
const EVENT_QUEUE: usize = 64;

/// Why a scheduler could not be started, or a call had no effect.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The master's address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The operating system gave no random seed.
    #[error("no randomness from the operating system: {0}")]
    Seed(#[source] std::io::Error),
    /// The call was refused or lost.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The scheduler has ended.
    #[error("the scheduler has ended")]
    Ended,
}

/// Settings of a scheduler, to be [connected](Builder::connect).
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    master: String,
    credentials: Option<(String, String)>,
    config: Config,
}

impl Builder {
    /// Binds the framework to a principal and its secret (HTTP Basic).
    pub fn credentials(mut self, principal: impl Into<String>, secret: impl Into<String>) -> Builder {
        self.credentials = Some((principal.into(), secret.into()));
        self
    }

    /// JSON or (default) protobuf.
    pub fn content_type(mut self, content_type: ContentType) -> Builder {
        self.config.content_type = content_type;
        self
    }

    /// Acknowledges each update as soon as it is handed over. Off by default: an update that is acknowledged before it
    /// has been acted on is lost if the program dies in between.
    pub fn implicit_acknowledgements(mut self, on: bool) -> Builder {
        self.config.implicit_acknowledgements = on;
        self
    }

    /// Asks the master about the tasks believed to run after each subscription. On by default.
    pub fn reconcile(mut self, on: bool) -> Builder {
        self.config.reconcile = on;
        self
    }

    /// Roles that get no offers until they are revived.
    pub fn suppressed_roles(mut self, roles: Vec<String>) -> Builder {
        self.config.suppressed_roles = roles;
        self
    }

    /// Which agents may be offered.
    pub fn offer_constraints(mut self, constraints: OfferConstraints) -> Builder {
        self.config.offer_constraints = Some(constraints);
        self
    }

    /// Starts to subscribe, in a task of the current tokio runtime. Returns at once: whether and when the framework is
    /// subscribed is told by events.
    pub fn connect(self) -> Result<(Scheduler, Events), Error> {
        let mut config = self.config;
        let masters = Masters::parse(&self.master)?;
        // Of a list the detector says who leads, by its address; a follower's redirect names a host, which not every
        // scheduler can resolve.
        if let Masters::Fixed(address) = &masters {
            config.masters = vec![address.clone()];
        }
        if let Some((principal, secret)) = &self.credentials {
            config.framework.principal.get_or_insert_with(|| principal.clone());
            config.authorization = Some(authorization::basic(principal, secret));
        }
        let (inputs, commands) = mpsc::unbounded_channel();
        let (events, received) = mpsc::channel(EVENT_QUEUE);
        let machine = Machine::new(config, seed().map_err(Error::Seed)?);
        let pump = Pump { machine, commands, events, http: Input::Http, is_stopped: Machine::is_stopped };
        if !matches!(masters, Masters::Fixed(_)) {
            tokio::spawn(detect(Detector::open(&masters, SESSION_TIMEOUT), inputs.clone()));
        }
        let answers = Answers::default();
        let scheduler = Scheduler { inputs, answers: answers.clone(), next_call: Arc::default() };
        tokio::spawn(async move {
            pump.run(Input::Start, |effect| sort(effect, &answers)).await;
            // Whoever still waits for an answer gets none.
            answers.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Ok((scheduler, Events(received)))
    }
}

/// Tells the machine who leads until it has ended.
async fn detect(mut detector: Detector, inputs: mpsc::UnboundedSender<Input>) {
    loop {
        let detection = tokio::select! {
            detection = detector.next() => detection,
            () = inputs.closed() => return,
        };
        let input = match detection.trouble {
            Some(Trouble::Failed(why)) => Input::Undetectable(why),
            _ => Input::Leader(detection.names()),
        };
        if inputs.send(input).is_err() {
            return;
        }
    }
}

/// Calls that wait for their answers.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<HashMap<CallId, Waiting>>>);

type Waiting = oneshot::Sender<Result<(), Refusal>>;

fn sort(effect: Effect, answers: &Answers) -> Sorted<Event> {
    match effect {
        Effect::Http(effect) => Sorted::Http(effect),
        Effect::Event(event) => Sorted::Event(event),
        Effect::Answered(id, answer) => {
            let waiting = answers.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            if let Some(waiting) = waiting {
                // A caller that has stopped waiting does not want to know.
                let _ = waiting.send(answer);
            }
            Sorted::Done
        }
    }
}

/// What a scheduler learns, in order.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// The next event; `None` after a teardown, a stop, or [`Event::Error`].
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// A framework's hold on the master. Cheap to clone. Dropping [`Events`] ends it as [`Scheduler::stop`] does.
///
/// Each call waits until the master has taken or refused it; that it was taken does not yet mean that it worked (a
/// launch is answered by updates). A call whose future is dropped is still made.
#[derive(Clone)]
pub struct Scheduler {
    inputs: mpsc::UnboundedSender<Input>,
    answers: Answers,
    next_call: Arc<AtomicU64>,
}

impl Scheduler {
    /// Settings for a framework at a master: `host:port`, several of them with commas between, `http://host:port`,
    /// `master@host:port`, `zk://host:port,host:port/path`, or `file:///path` of a file that holds one of these. A `framework` with an `id` takes over from an earlier instance.
    pub fn builder(master: impl Into<String>, framework: FrameworkInfo) -> Builder {
        Builder { master: master.into(), credentials: None, config: Config::new("", framework) }
    }

    /// Makes any call but SUBSCRIBE; see `tepui_sdk::call`. Framework and stream id are put in.
    pub async fn call(&self, call: Call) -> Result<(), Error> {
        let id = CallId(self.next_call.fetch_add(1, Ordering::Relaxed));
        let (answer, answered) = oneshot::channel();
        self.answers.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer);
        self.inputs.send(Input::Call(id, Box::new(call))).map_err(|_| Error::Ended)?;
        Ok(answered.await.map_err(|_| Error::Ended)??)
    }

    /// Launches tasks on an offer. Their `agent_id` is put in; what they leave over is declined for 5 seconds.
    pub async fn launch(&self, offer: &Offer, mut tasks: Vec<TaskInfo>) -> Result<(), Error> {
        for task in &mut tasks {
            task.agent_id = offer.agent_id.clone();
        }
        self.accept(std::slice::from_ref(offer), vec![call::launch(tasks)], None).await
    }

    /// Uses offers of one agent for operations; see `tepui_sdk::call` for these.
    pub async fn accept(
        &self,
        offers: &[Offer],
        operations: Vec<Operation>,
        filters: Option<Filters>,
    ) -> Result<(), Error> {
        self.call(call::accept(ids(offers), operations, filters)).await
    }

    /// Gives offers back, and wants no more of them for some seconds (default: 5).
    pub async fn decline(&self, offers: &[Offer], refuse_secs: Option<f64>) -> Result<(), Error> {
        self.call(call::decline(ids(offers), filters(refuse_secs))).await
    }

    /// Agrees to give back what these inverse offers ask for, and wants not to be asked again for some seconds (default:
    /// 5). The tasks run on until the framework ends them or the machine is taken down.
    pub async fn accept_inverse(&self, offers: &[InverseOffer], refuse_secs: Option<f64>) -> Result<(), Error> {
        self.call(call::accept_inverse_offers(inverse_ids(offers), filters(refuse_secs))).await
    }

    /// Tells the operator that the machines should not be taken down now, and wants not to be asked again for some
    /// seconds (default: 5).
    pub async fn decline_inverse(&self, offers: &[InverseOffer], refuse_secs: Option<f64>) -> Result<(), Error> {
        self.call(call::decline_inverse_offers(inverse_ids(offers), filters(refuse_secs))).await
    }

    /// Lifts all filters and suppressions, of these roles or (none named) of all.
    pub async fn revive(&self, roles: Vec<String>) -> Result<(), Error> {
        self.call(call::revive(roles)).await
    }

    /// Stops offers to these roles or (none named) to all.
    pub async fn suppress(&self, roles: Vec<String>) -> Result<(), Error> {
        self.call(call::suppress(roles)).await
    }

    /// Confirms an update. Without effect on one that needs no confirmation.
    pub async fn acknowledge(&self, status: &TaskStatus) -> Result<(), Error> {
        match call::acknowledge(status) {
            Some(call) => self.call(call).await,
            None => Ok(()),
        }
    }

    /// Ends a task, with the grace of the policy if one is given, else of the task's own.
    pub async fn kill(
        &self,
        task_id: TaskID,
        agent_id: Option<AgentID>,
        policy: Option<KillPolicy>,
    ) -> Result<(), Error> {
        self.call(call::kill(task_id, agent_id, policy)).await
    }

    /// Ends an executor and its tasks.
    pub async fn shutdown(&self, executor_id: ExecutorID, agent_id: AgentID) -> Result<(), Error> {
        self.call(call::shutdown(executor_id, agent_id)).await
    }

    /// Asks for the state of these tasks, or (none named) of all; the answers come as updates.
    pub async fn reconcile(&self, tasks: Vec<(TaskID, Option<AgentID>)>) -> Result<(), Error> {
        self.call(call::reconcile(tasks)).await
    }

    /// Sends bytes to an executor; they may be lost.
    pub async fn message(&self, agent_id: AgentID, executor_id: ExecutorID, data: Vec<u8>) -> Result<(), Error> {
        self.call(call::message(agent_id, executor_id, data)).await
    }

    /// Ends the framework and its tasks. [`Events`] ends afterwards, with what had come before; a call that answers it is
    /// met with [`Error::Ended`].
    pub async fn teardown(&self) -> Result<(), Error> {
        self.call(call::teardown()).await
    }

    /// Leaves without ending the framework: its tasks run on until its failover timeout.
    pub fn stop(&self) {
        // An ended scheduler has nothing to stop.
        let _ = self.inputs.send(Input::Stop);
    }
}

fn filters(refuse_secs: Option<f64>) -> Option<Filters> {
    refuse_secs.map(|secs| Filters { refuse_seconds: Some(secs), ..Filters::default() })
}

fn inverse_ids(offers: &[InverseOffer]) -> Vec<OfferID> {
    offers.iter().filter_map(|offer| offer.id.as_option().cloned()).collect()
}

fn ids(offers: &[Offer]) -> Vec<OfferID> {
    offers.iter().filter_map(|offer| offer.id.as_option().cloned()).collect()
}
