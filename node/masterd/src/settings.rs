//! From flags to what the machines are told.

use crate::start::{self, Contest, Keeping};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tepui_allocator::{Options, RegexLimits, Sorter};
use tepui_flags::Values;
use tepui_master::Config;
use tepui_net::NetConfig;
use tepui_processes::{Limiter, Verbosity, limiter};
use tepui_proto::json::{self, Names};
use tepui_proto::mesos::DomainInfo;
use tepui_registry::Timeouts;
use tepui_resources::{Quantities, roles};
use tepui_wire::Upid;

/// As in Mesos (`MIN_AGENT_REREGISTER_TIMEOUT`).
const MIN_AGENT_REREGISTER_TIMEOUT: Duration = Duration::from_secs(600);

/// Why the flags do not make a master. Each text names flag, value and remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value does not fit.
    #[error(transparent)]
    Flag(#[from] tepui_flags::Error),
    /// The limit of `/metrics/snapshot` does not fit.
    #[error("{0}")]
    Limit(String),
    /// Flags that do not go together, in the words of Mesos where it has some.
    #[error("{0}")]
    Start(String),
    /// A value that only this daemon can judge.
    #[error("--{flag}={value} cannot be used: {cause}")]
    Value {
        /// Flag.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What is wrong and what would be right.
        cause: String,
    },
}

/// A master's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub net: NetConfig,
    /// The allocator's part.
    pub allocator: Options,
    /// How the log of this process is made more verbose for a while; it stays as it is unless the program sets this.
    pub verbosity: Verbosity,
    /// Time between two answers of `/metrics/snapshot`.
    pub metrics_pause: std::time::Duration,
    /// Where to record every input, if at all (`TEPUI_RECORD`).
    pub record: Option<std::path::PathBuf>,
    /// Where the registry is kept.
    pub keeping: Keeping,
    /// How it is decided who leads.
    pub contest: Contest,
    values: Values,
}

impl Settings {
    /// `--memory_profiling`: whether there is a memory profiler.
    pub(crate) fn memory_profiling(&self) -> bool {
        self.values.bool("memory_profiling")
    }

    /// Takes the values of flags over those of `LIBPROCESS_*` variables, which `variable` looks up.
    pub fn new(values: Values, variable: impl Fn(&str) -> Option<String>) -> Result<Settings, Error> {
        let (keeping, contest) = start::kind(&values)?;
        strict(&values)?;
        reregister_timeout(&values)?;
        offer_timeout(&values)?;
        let record = variable("TEPUI_RECORD").map(Into::into);
        let metrics_pause = Limiter::pause(variable(limiter::VARIABLE).as_deref()).map_err(Error::Limit)?;
        let net = tepui_flags::network(&values, variable)?;
        let allocator = allocator(&values)?;
        ping(&values)?;
        weights(&values)?;
        regex_limits(&values)?;
        removal_interval(&values)?;
        removal_limit(&values)?;
        Ok(Settings { net, allocator, verbosity: |_| {}, metrics_pause, record, keeping, contest, values })
    }

    /// The file that the log goes to, if there is one.
    pub(crate) fn log_file(&self) -> Option<std::path::PathBuf> {
        tepui_processes::logging::file("mesos-master", &self.values)
    }

    /// How long the registrar waits for its log.
    pub(crate) fn registry_timeouts(&self) -> Timeouts {
        Timeouts {
            fetch: self.values.duration("registry_fetch_timeout"),
            store: self.values.duration("registry_store_timeout"),
        }
    }

    pub(crate) fn values(&self) -> &Values {
        &self.values
    }

    /// The file of `--whitelist`; none if all agents are offered.
    pub(crate) fn whitelist(&self) -> Option<&str> {
        let path = self.values.get("whitelist")?;
        Some(path.strip_prefix("file://").unwrap_or(path)).filter(|path| *path != "*")
    }

    /// What the machine is told, once its address is known.
    pub(crate) fn config(&self, pid: Upid) -> Config {
        let values = &self.values;
        let count = |name: &str, default: usize| values.number(name).ok().flatten().unwrap_or(default);
        let hostname = hostname(values, &pid);
        let mut config = Config::new(pid, &hostname);
        config.cluster = values.get("cluster").map(str::to_owned);
        config.agent_ping_timeout = values.duration("agent_ping_timeout");
        config.max_agent_ping_timeouts = values.number("max_agent_ping_timeouts").ok().flatten().unwrap_or(5);
        config.agent_reregister_timeout = values.duration("agent_reregister_timeout");
        config.agent_removal_interval = removal_interval(values).ok().flatten();
        config.recovery_agent_removal_limit = removal_limit(values).unwrap_or(config.recovery_agent_removal_limit);
        config.registry_gc_interval = values.duration("registry_gc_interval");
        config.registry_max_agent_age = values.duration("registry_max_agent_age");
        config.registry_max_agent_count = count("registry_max_agent_count", config.registry_max_agent_count);
        config.offer_timeout = values.get("offer_timeout").map(|_| values.duration("offer_timeout"));
        config.root_submissions = values.bool("root_submissions");
        config.max_completed_frameworks = count("max_completed_frameworks", 50);
        config.max_completed_tasks_per_framework = count("max_completed_tasks_per_framework", 1000);
        config.max_unreachable_tasks_per_framework = count("max_unreachable_tasks_per_framework", 1000);
        config.max_operator_event_stream_subscribers = count("max_operator_event_stream_subscribers", 1000);
        config.publish_per_framework_metrics = values.bool("publish_per_framework_metrics");
        // What is wrong with these was said by `new`.
        config.roles = roles(values).unwrap_or_default();
        config.weights = weights(values).unwrap_or_default();
        config.domain = domain(values).unwrap_or_default();
        config.require_agent_domain = values.bool("require_agent_domain");
        config.offer_constraints = regex_limits(values).unwrap_or_default();
        config.flags = values.all();
        config
    }
}

pub(crate) fn value(flag: &'static str, value: &str, cause: &str) -> Error {
    Error::Value { flag, value: value.to_owned(), cause: cause.to_owned() }
}

/// A flag that Mesos has switched off.
fn strict(values: &Values) -> Result<(), Error> {
    if values.bool("registry_strict") {
        let text = "Support for '--registry_strict' has been disabled and will be removed in a future version of Mesos";
        return Err(Error::Start(text.to_owned()));
    }
    Ok(())
}

/// An agent must have time to notice that the master has changed, and to come back.
fn reregister_timeout(values: &Values) -> Result<(), Error> {
    const FLAG: &str = "agent_reregister_timeout";
    if values.duration(FLAG) < MIN_AGENT_REREGISTER_TIMEOUT {
        let text = values.get(FLAG).unwrap_or_default();
        let text = format!("Invalid value '{text}' for --agent_reregister_timeout: Must be at least 10mins");
        return Err(Error::Start(text));
    }
    Ok(())
}

/// An offer that is taken back at once is of no use to anybody.
fn offer_timeout(values: &Values) -> Result<(), Error> {
    match values.get("offer_timeout") {
        Some(text) if values.duration("offer_timeout").is_zero() => {
            let text = format!("Invalid value '{text}' for --offer_timeout: Must be greater than zero");
            Err(Error::Start(text))
        }
        _ => Ok(()),
    }
}

/// Bounds of Mesos: 1secs to 15mins, and at least one ping.
fn ping(values: &Values) -> Result<(), Error> {
    let timeout = values.duration("agent_ping_timeout");
    if !(1..=900).contains(&timeout.as_secs()) {
        let text = values.get("agent_ping_timeout").unwrap_or_default();
        return Err(value("agent_ping_timeout", text, "expecting a duration from 1secs to 15mins"));
    }
    if values.number::<u32>("max_agent_ping_timeouts")?.is_none_or(|count| count < 1) {
        let text = values.get("max_agent_ping_timeouts").unwrap_or_default();
        return Err(value("max_agent_ping_timeouts", text, "expecting at least 1"));
    }
    Ok(())
}

/// `--agent_removal_rate_limit`, agents in a time, as the time for one.
fn removal_interval(values: &Values) -> Result<Option<Duration>, Error> {
    const FLAG: &str = "agent_removal_rate_limit";
    let Some(text) = values.get(FLAG) else { return Ok(None) };
    let rate = text.split_once('/').and_then(|(agents, time)| {
        let agents = agents.parse::<u32>().ok().filter(|agents| *agents > 0)?;
        Some(tepui_base::duration::parse(time).ok()? / agents)
    });
    rate.map(Some).ok_or_else(|| value(FLAG, text, "expecting <Number of agents>/<Duration>, e.g. 1/10mins"))
}

/// `--recovery_agent_removal_limit`, a percentage, as a share.
fn removal_limit(values: &Values) -> Result<f64, Error> {
    const FLAG: &str = "recovery_agent_removal_limit";
    let text = values.get(FLAG).unwrap_or("100%");
    let invalid =
        |cause| Error::Start(format!("Invalid value '{text}' for --recovery_agent_removal_percent_limit: {cause}"));
    let Some(percent) = text.strip_suffix('%') else { return Err(invalid("missing '%'")) };
    let share = percent.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
    share.map(|percent| percent / 100.0).ok_or_else(|| invalid("Must be within [0%-100%]"))
}

fn allocator(values: &Values) -> Result<Options, Error> {
    let text = values.get("min_allocatable_resources").unwrap_or_default();
    let min_allocatable = text
        .split('|')
        .filter(|one| !one.trim().is_empty())
        .map(Quantities::parse)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| value("min_allocatable_resources", text, &error.to_string()))?;
    Ok(Options {
        interval: values.duration("allocation_interval"),
        min_allocatable,
        filter_gpu_resources: values.bool("filter_gpu_resources"),
        fair_sharing_excluded: list(values.get("fair_sharing_excluded_resource_names").unwrap_or_default()),
        region: domain(values)?.map(|domain| Arc::from(domain.fault_domain.region.name.as_str())),
        sorter: sorter(values)?,
        agent_recovery_factor: recovery_factor(values)?,
        recovery_timeout: values.duration("allocator_recovery_timeout"),
    })
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// `--allocator` and its sorters, which must be the same.
fn sorter(values: &Values) -> Result<Sorter, Error> {
    let text = values.get("allocator").unwrap_or_default();
    if !["hierarchical", "HierarchicalDRF"].contains(&text) {
        return Err(value("allocator", text, "expecting hierarchical; there are no modules"));
    }
    let of = |flag: &'static str| match values.get(flag).unwrap_or_default() {
        "drf" => Ok(Sorter::Drf),
        "random" => Ok(Sorter::Random),
        other => Err(value(flag, other, "expecting drf or random")),
    };
    let (roles, frameworks) = (of("role_sorter")?, of("framework_sorter")?);
    if roles != frameworks {
        let text = values.get("role_sorter").unwrap_or_default();
        let cause = "Unsupported combination of 'role_sorter' and 'framework_sorter': must be equal (for now)";
        return Err(value("role_sorter", text, cause));
    }
    Ok(roles)
}

fn recovery_factor(values: &Values) -> Result<f64, Error> {
    let text = values.get("allocator_agent_recovery_factor").unwrap_or_default();
    let factor = text.parse().ok().filter(|factor| (0.0..=1.0).contains(factor));
    factor.ok_or_else(|| value("allocator_agent_recovery_factor", text, "expecting a number from 0 to 1"))
}

/// `--roles`, which are the only ones then.
fn roles(values: &Values) -> Result<Option<BTreeSet<String>>, Error> {
    let Some(text) = values.get("roles") else { return Ok(None) };
    let roles = roles::parse(text).map_err(|error| value("roles", text, &error.to_string()))?;
    Ok(Some(roles.iter().map(|role| role.as_str().to_owned()).collect()))
}

/// `--weights`, deprecated: `role=weight,role=weight`.
fn weights(values: &Values) -> Result<BTreeMap<String, f64>, Error> {
    let text = values.get("weights").unwrap_or_default();
    let allowed = roles(values)?;
    let mut weights = BTreeMap::new();
    for token in text.split(',').filter(|token| !token.is_empty()) {
        let refuse = |cause: &str| value("weights", text, &format!("Invalid weight: '{token}'. {cause}"));
        let Some((role, weight)) = token.split_once('=') else {
            return Err(refuse("--weights should be of the form 'role=weight,role=weight'"));
        };
        if allowed.as_ref().is_some_and(|allowed| !allowed.contains(role) && role != "*") {
            return Err(refuse(&format!("{role} is not a valid role")));
        }
        let weight = weight.parse().ok().filter(|weight: &f64| weight.is_finite() && *weight > 0.0);
        weights.insert(role.to_owned(), weight.ok_or_else(|| refuse("Weights must be positive"))?);
    }
    Ok(weights)
}

/// `--domain`, in JSON.
fn domain(values: &Values) -> Result<Option<DomainInfo>, Error> {
    let Some(text) = values.get("domain") else { return Ok(None) };
    let domain: DomainInfo =
        json::from_slice(text.as_bytes(), Names::V0).map_err(|error| value("domain", text, &error.to_string()))?;
    match domain.fault_domain.is_set() {
        true => Ok(Some(domain)),
        false => Err(value("domain", text, "`domain` must define `fault_domain`")),
    }
}

/// Limits on the regular expressions of offer constraints.
fn regex_limits(values: &Values) -> Result<RegexLimits, Error> {
    let memory = values.get("offer_constraints_re2_max_mem").unwrap_or_default();
    let default = RegexLimits::default();
    Ok(RegexLimits {
        max_mem: tepui_base::bytes::parse(memory).unwrap_or(default.max_mem),
        max_program_size: values.number("offer_constraints_re2_max_program_size")?.unwrap_or(default.max_program_size),
    })
}

/// `--hostname`, else this machine's name, else (or with `--no-hostname_lookup`) the address. A loopback address keeps
/// its own name: the machine's name would lead peers elsewhere.
fn hostname(values: &Values, pid: &Upid) -> String {
    if let Some(name) = values.get("hostname") {
        return name.to_owned();
    }
    if !values.bool("hostname_lookup") {
        return pid.ip.to_string();
    }
    if pid.ip.is_loopback() {
        return "localhost".to_owned();
    }
    nix::unistd::gethostname().map_or_else(|_| pid.ip.to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn settings(args: &[&str]) -> Result<Settings, String> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let tables = [tepui_flags::master::FLAGS, tepui_flags::logging::FLAGS];
        let values = tepui_flags::parse(&tables, &args, &[], "MESOS_", &|_| Ok(String::new())).unwrap();
        Settings::new(values, |_| None).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_become_settings() {
        let settings = settings(&["--registry=in_memory", "--ip=127.0.0.1", "--port=0", "--cluster=c"]).unwrap();
        assert_eq!((settings.net.ip, settings.net.port), (Ipv4Addr::LOCALHOST, 0));
        assert_eq!(settings.allocator.min_allocatable.len(), 2);
        let config = settings.config(Upid::new("master", Ipv4Addr::LOCALHOST, 5050));
        assert_eq!((config.hostname.as_str(), config.cluster.as_deref()), ("localhost", Some("c")));
        assert_eq!(config.flags["registry"], "in_memory");
    }

    #[test]
    fn a_master_is_called_what_its_flags_say() {
        let of = |args: &[&str], ip: Ipv4Addr| {
            let args: Vec<&str> = [&["--registry=in_memory"], args].concat();
            settings(&args).unwrap().config(Upid::new("master", ip, 5050)).hostname
        };
        let far = Ipv4Addr::new(10, 0, 0, 9);
        assert_eq!(of(&["--hostname=h.example", "--no-hostname_lookup"], far), "h.example");
        assert_eq!(of(&["--no-hostname_lookup"], far), "10.0.0.9");
        assert_eq!(of(&[], far), nix::unistd::gethostname().unwrap().to_string_lossy());
        assert_eq!(of(&[], Ipv4Addr::LOCALHOST), "localhost");
    }

    #[test]
    fn flags_of_the_allocator_become_options() {
        let domain = r#"--domain={"fault_domain": {"region": {"name": "R"}, "zone": {"name": "Z"}}}"#;
        let settings = settings(&[
            "--registry=in_memory",
            "--role_sorter=random",
            "--framework_sorter=random",
            "--fair_sharing_excluded_resource_names=gpus,disk",
            "--allocator_agent_recovery_factor=0.5",
            "--allocator_recovery_timeout=3mins",
            "--roles=a,b",
            "--weights=a=2.5,b=1",
            "--offer_constraints_re2_max_mem=8KB",
            "--offer_constraints_re2_max_program_size=50",
            domain,
        ])
        .unwrap();
        let options = &settings.allocator;
        assert_eq!((options.sorter, options.region.as_deref()), (Sorter::Random, Some("R")));
        assert_eq!(options.fair_sharing_excluded, ["gpus", "disk"]);
        assert_eq!((options.agent_recovery_factor, options.recovery_timeout.as_secs()), (0.5, 180));
        let config = settings.config(Upid::new("master", Ipv4Addr::LOCALHOST, 5050));
        assert_eq!(config.weights, [("a".to_owned(), 2.5), ("b".to_owned(), 1.0)].into());
        assert!(config.allows_role("a") && !config.allows_role("c"));
        assert_eq!(config.offer_constraints, RegexLimits { max_mem: 8192, max_program_size: 50 });
        assert_eq!(config.domain.unwrap().fault_domain.zone.name, "Z");
    }

    #[test]
    fn flags_without_a_value_are_switches() {
        let of = |args: &[&str]| {
            let args: Vec<&str> = [&["--registry=in_memory"], args].concat();
            settings(&args).unwrap().config(Upid::new("master", Ipv4Addr::LOCALHOST, 5050))
        };
        let (plain, set) = (of(&[]), of(&["--require_agent_domain", "--no-publish_per_framework_metrics"]));
        assert_eq!((plain.require_agent_domain, plain.publish_per_framework_metrics), (false, true));
        assert_eq!((set.require_agent_domain, set.publish_per_framework_metrics), (true, false));
    }

    #[test]
    fn limits_are_read_as_what_they_limit() {
        let of = |args: &[&str]| {
            let args: Vec<&str> = [&["--registry=in_memory"], args].concat();
            settings(&args).unwrap().config(Upid::new("master", Ipv4Addr::LOCALHOST, 5050))
        };
        let config = of(&["--agent_removal_rate_limit=2/10mins", "--recovery_agent_removal_limit=50%"]);
        assert_eq!(config.agent_removal_interval, Some(Duration::from_secs(300)));
        assert_eq!(config.recovery_agent_removal_limit, 0.5);
        let config = of(&["--registry_max_agent_count=7", "--registry_max_agent_age=1hrs"]);
        assert_eq!(config.registry_max_agent_count, 7);
        assert_eq!(config.registry_max_agent_age, Duration::from_secs(3600));
        let defaults = tepui_master::Config::new(Upid::new("master", Ipv4Addr::LOCALHOST, 5050), "");
        assert_eq!(of(&[]).registry_gc_interval, defaults.registry_gc_interval);
        assert_eq!(of(&[]).recovery_agent_removal_limit, defaults.recovery_agent_removal_limit);
        assert_eq!(of(&[]).agent_removal_interval, None);
    }

    #[test]
    fn the_registrar_waits_as_long_as_it_is_told() {
        let of = |args: &[&str]| {
            let args: Vec<&str> = [&["--registry=in_memory"], args].concat();
            let timeouts = settings(&args).unwrap().registry_timeouts();
            (timeouts.fetch.as_secs(), timeouts.store.as_secs())
        };
        assert_eq!(of(&[]), (60, 20));
        assert_eq!(of(&["--registry_fetch_timeout=2mins", "--registry_store_timeout=5secs"]), (120, 5));
    }

    #[test]
    fn what_cannot_be_used_names_flag_and_remedy() {
        assert_eq!(settings(&[]).unwrap_err(), "--work_dir needed for replicated log based registry");
        let text = |arg| settings(&["--registry=in_memory", arg]).unwrap_err();
        assert!(text("--ip=nowhere").contains("'nowhere' for flag 'ip': Expecting an IPv4 address"));
        assert!(text("--agent_ping_timeout=1hrs").contains("from 1secs to 15mins"));
        assert!(text("--registry_strict").starts_with("Support for '--registry_strict' has been disabled"));
        assert!(text("--agent_reregister_timeout=9mins").ends_with("Must be at least 10mins"));
        assert!(text("--max_agent_ping_timeouts=0").contains("at least 1"));
        assert!(text("--role_sorter=random").contains("must be equal (for now)"));
        assert!(text("--role_sorter=fair").ends_with("expecting drf or random"));
        assert!(text("--allocator=org_example_Mine").contains("there are no modules"));
        assert!(text("--allocator_agent_recovery_factor=2").ends_with("expecting a number from 0 to 1"));
        assert!(text("--weights=a").ends_with("--weights should be of the form 'role=weight,role=weight'"));
        assert!(text("--weights=a=1,b=0").ends_with("Invalid weight: 'b=0'. Weights must be positive"));
        assert!(text("--domain={}").ends_with("`domain` must define `fault_domain`"));
        assert!(text("--agent_removal_rate_limit=1").contains("expecting <Number of agents>/<Duration>"));
        assert!(text("--agent_removal_rate_limit=0/1secs").contains("expecting <Number of agents>/<Duration>"));
        let limit = "for --recovery_agent_removal_percent_limit: ";
        let missing = text("--recovery_agent_removal_limit=0.5");
        assert_eq!(missing, format!("Invalid value '0.5' {limit}missing '%'"));
        assert_eq!(text("--offer_timeout=0secs"), "Invalid value '0ns' for --offer_timeout: Must be greater than zero");
        let beyond = text("--recovery_agent_removal_limit=101%");
        assert_eq!(beyond, format!("Invalid value '101%' {limit}Must be within [0%-100%]"));
        assert!(text("--min_allocatable_resources=cpus").starts_with("--min_allocatable_resources=cpus"));
    }
}
