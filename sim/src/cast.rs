//! The frameworks of the world, and what each writes down.
//!
//! A framework has two hosts that share its disk. One of them leads; who leads is decided outside the cluster, as real
//! schedulers leave it to an election of their own. The other one takes over when it is told to, perhaps while the
//! first still runs and does not know yet.

use crate::network::HostId;
use crate::workload::Known;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use tepui_proto::ContentType;
use tepui_proto::mesos::framework_info::{Capability, capability};
use tepui_proto::mesos::{FrameworkID, FrameworkInfo};

/// How a framework speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// HTTP, in this form.
    V1(ContentType),
    /// Messages of libprocess.
    V0,
}

/// What a framework is like.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Its name; the ids of its tasks begin with it.
    pub name: &'static str,
    /// The role it wants offers in.
    pub role: &'static str,
    /// Its protocol.
    pub speech: Speech,
    /// Whether half of its tasks run in an executor of its own.
    pub custom: bool,
    /// Whether it is PARTITION_AWARE.
    pub aware: bool,
    /// Whether it checkpoints: without, the loss of an agent's connection loses the tasks there.
    pub checkpoint: bool,
    /// For how many seconds its tasks outlive its last subscription.
    pub failover_secs: f64,
}

const DAY: f64 = 86_400.0;

/// All frameworks. The short patience of the last two is over in some of the crashes.
pub const CAST: [Profile; 5] = [
    Profile {
        name: "one",
        role: "one",
        speech: Speech::V1(ContentType::Protobuf),
        custom: false,
        aware: true,
        checkpoint: true,
        failover_secs: DAY,
    },
    Profile {
        name: "two",
        role: "team/two",
        speech: Speech::V1(ContentType::Json),
        custom: true,
        aware: true,
        checkpoint: true,
        failover_secs: DAY,
    },
    Profile {
        name: "v0",
        role: "v0",
        speech: Speech::V0,
        custom: true,
        aware: false,
        checkpoint: true,
        failover_secs: DAY,
    },
    Profile {
        name: "brief",
        role: "team/brief",
        speech: Speech::V1(ContentType::Protobuf),
        custom: true,
        aware: false,
        checkpoint: false,
        failover_secs: 12.0,
    },
    Profile {
        name: "v0brief",
        role: "v0brief",
        speech: Speech::V0,
        custom: false,
        aware: true,
        checkpoint: false,
        failover_secs: 15.0,
    },
];

/// One that takes every offer and keeps it, to see how much there is.
pub const PROBE: Profile = Profile {
    name: "probe",
    role: "probe",
    speech: Speech::V1(ContentType::Protobuf),
    custom: false,
    aware: true,
    checkpoint: true,
    failover_secs: DAY,
};

impl Profile {
    /// What it says of itself.
    pub fn info(&self) -> FrameworkInfo {
        use capability::Type::{MULTI_ROLE, PARTITION_AWARE, RESERVATION_REFINEMENT, TASK_KILLING_STATE};
        let capability = |kind| Capability { r#type: Some(kind), ..Capability::default() };
        let mut kinds = vec![MULTI_ROLE, RESERVATION_REFINEMENT, TASK_KILLING_STATE];
        kinds.extend(self.aware.then_some(PARTITION_AWARE));
        FrameworkInfo {
            user: "nobody".to_owned(),
            name: self.name.to_owned(),
            roles: vec![self.role.to_owned()],
            failover_timeout: Some(self.failover_secs),
            checkpoint: Some(self.checkpoint),
            capabilities: kinds.into_iter().map(capability).collect(),
            ..FrameworkInfo::default()
        }
    }
}

/// What a framework writes down, shared by its two hosts.
#[derive(Debug)]
pub struct Disk {
    /// Whose it is.
    pub profile: Profile,
    /// The id the master gave it.
    pub id: Option<FrameworkID>,
    /// Its hosts.
    pub hosts: Vec<HostId>,
    /// The host that leads.
    pub leader: Option<HostId>,
    /// Whether it was told to end everything.
    pub ended: bool,
    /// Tasks by id.
    pub tasks: BTreeMap<String, Known>,
    /// The number of its next task.
    pub next_task: u64,
}

/// A disk in the hands of its framework's hosts.
pub type Shared = Rc<RefCell<Disk>>;

impl Disk {
    /// An empty one.
    pub fn shared(profile: Profile) -> Shared {
        Rc::new(RefCell::new(Disk {
            profile,
            id: None,
            hosts: Vec::new(),
            leader: None,
            ended: false,
            tasks: BTreeMap::new(),
            next_task: 0,
        }))
    }

    /// Whether this host is the one to speak for the framework.
    pub fn leads(&self, host: HostId) -> bool {
        self.leader == Some(host)
    }

    /// The master has removed the framework: it begins anew, under another id.
    pub fn begin_anew(&mut self) {
        self.id = None;
        self.tasks.values_mut().for_each(|task| task.over = true);
    }
}
