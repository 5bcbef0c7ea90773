//! What a scheduler is told at its start.

use std::time::Duration;
use tepui_proto::ContentType;
use tepui_proto::mesos::FrameworkInfo;
use tepui_proto::mesos::scheduler::OfferConstraints;

/// The settings of one framework's connection.
#[derive(Clone, Debug)]
pub struct Config {
    /// `host:port` of the masters, any of which leads or names the leader. Not empty.
    pub masters: Vec<String>,
    /// Who the framework is. With an `id` it takes over from an earlier instance (failover).
    pub framework: FrameworkInfo,
    /// Roles that get no offers until revived.
    pub suppressed_roles: Vec<String>,
    /// Which agents may be offered, if not all.
    pub offer_constraints: Option<OfferConstraints>,
    /// How calls and events are encoded.
    pub content_type: ContentType,
    /// The `Authorization` header of every request, if the master wants one.
    pub authorization: Option<String>,
    /// Acknowledges each update as soon as it has been handed over, so that the framework need not.
    pub implicit_acknowledgements: bool,
    /// Asks the master about the tasks believed to run, after each subscription, until it has answered for all.
    pub reconcile: bool,
    /// The first limit of the random wait between attempts to subscribe; it doubles up to `backoff_max`.
    pub backoff_first: Duration,
    /// The last limit of that wait.
    pub backoff_max: Duration,
}

impl Config {
    /// The defaults, for one master.
    pub fn new(master: impl Into<String>, framework: FrameworkInfo) -> Config {
        Config {
            masters: vec![master.into()],
            framework,
            suppressed_roles: Vec::new(),
            offer_constraints: None,
            content_type: ContentType::Protobuf,
            authorization: None,
            implicit_acknowledgements: false,
            reconcile: true,
            backoff_first: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
        }
    }
}
