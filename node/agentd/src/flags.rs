//! What the flags of an agent mean. Their names, types and defaults stand in `tepui-flags`.

use crate::detect::{self, Machine};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tepui_detector::Masters;
use tepui_flags::Values;
use tepui_net::NetConfig;
use tepui_processes::{Limiter, Verbosity, limiter};
use tepui_proto::json;
use tepui_proto::mesos::{Attribute, DomainInfo, Resource};
use tepui_resources::Attributes;

/// Flags read into values.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--ip`, `--port`, `--advertise_ip`, `--advertise_port`: where to listen and what to tell peers.
    pub net: NetConfig,
    /// How the log of this process is made more verbose for a while; it stays as it is unless the program sets this.
    pub verbosity: Verbosity,
    /// Where the log goes, if to a file.
    pub log_file: Option<PathBuf>,
    /// Time between two answers of `/metrics/snapshot`.
    pub metrics_pause: Duration,
    /// `--memory_profiling`.
    pub memory_profiling: bool,
    /// `--hostname`.
    pub hostname: Option<String>,
    /// `--hostname_lookup`.
    pub hostname_lookup: bool,
    /// `--master`.
    pub masters: Masters,
    /// `--zk_session_timeout`.
    pub zk_session_timeout: Duration,
    /// `--work_dir`, absolute.
    pub work_dir: PathBuf,
    /// `--runtime_dir`, absolute.
    pub runtime_dir: PathBuf,
    /// `--launcher_dir`, if given: where `mesos-executor` and `mesos-fetcher` are. Else they are this very program.
    pub launcher_dir: Option<PathBuf>,
    /// The program that is `mesos-executor` and `mesos-fetcher` by its `argv[0]`, where no `launcher_dir` is given.
    pub program: PathBuf,
    /// `--resources`, completed by what the machine has.
    pub resources: Vec<Resource>,
    /// `--attributes`.
    pub attributes: Vec<Attribute>,
    /// `--domain`: where the machine is.
    pub domain: Option<DomainInfo>,
    /// `--executor_environment_variables`.
    pub executor_environment: BTreeMap<String, String>,
    /// `--isolation`.
    pub isolation: String,
    /// `--sandbox_directory`.
    pub sandbox_directory: String,
    /// `--frameworks_home`.
    pub frameworks_home: Option<String>,
    /// `--switch_user`.
    pub switch_user: bool,
    /// `--http_command_executor`.
    pub http_command_executor: bool,
    /// `--executor_registration_timeout`.
    pub executor_registration_timeout: Duration,
    /// `--executor_reregistration_timeout`.
    pub executor_reregistration_timeout: Duration,
    /// `--executor_shutdown_grace_period`.
    pub executor_shutdown_grace_period: Duration,
    /// `--registration_backoff_factor`.
    pub registration_backoff_factor: Duration,
    /// `--recovery_timeout`.
    pub recovery_timeout: Duration,
    /// `--max_completed_executors_per_framework`.
    pub max_completed_executors_per_framework: usize,
    /// All set flags as text, for `/flags`.
    pub all: BTreeMap<String, String>,
}

/// Why an agent can not start with these flags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value that does not fit its flag or variable.
    #[error(transparent)]
    Flag(#[from] tepui_flags::Error),
    /// The limit of `/metrics/snapshot` does not fit.
    #[error("{0}")]
    Limit(String),
    /// A flag without which nothing goes.
    #[error("Flag '{0}' is required, but it was not provided")]
    Missing(&'static str),
    /// A value that makes no sense.
    #[error("Failed to load flag '{name}': {cause}")]
    Value {
        /// The flag.
        name: &'static str,
        /// What is wrong.
        cause: String,
    },
}

fn bad(name: &'static str, cause: impl std::fmt::Display) -> Error {
    Error::Value { name, cause: cause.to_string() }
}

impl Settings {
    /// Reads the values of `tepui_flags::agent::FLAGS`, over those of `LIBPROCESS_*` variables, which `variable` looks
    /// up. Makes the work directory, whose disk is measured.
    pub fn from_values(values: &Values, variable: impl Fn(&str) -> Option<String>) -> Result<Settings, Error> {
        let metrics_pause = Limiter::pause(variable(limiter::VARIABLE).as_deref()).map_err(Error::Limit)?;
        let net = tepui_flags::network(values, variable)?;
        let text = |name: &str| values.get(name).unwrap_or_default().to_owned();
        let work_dir = absolute("work_dir", values.get("work_dir").ok_or(Error::Missing("work_dir"))?)?;
        std::fs::create_dir_all(&work_dir).map_err(|error| bad("work_dir", error))?;
        let runtime_dir = match values.get("runtime_dir") {
            Some(path) => absolute("runtime_dir", path)?,
            None => default_runtime_dir(),
        };
        if let Some(launcher) = values.get("launcher").filter(|launcher| *launcher != "posix") {
            return Err(bad("launcher", format!("'{launcher}' is not available; use --launcher=posix")));
        }
        let resources = detect::resources(&text("resources"), &text("default_role"), Machine::look(&work_dir));
        let launcher_dir = values.get("launcher_dir").map(|path| absolute("launcher_dir", path)).transpose()?;
        let mut values = values.clone();
        values.set_default("runtime_dir", runtime_dir.display().to_string());
        values.set_default("launcher", "posix".to_owned());
        Ok(Settings {
            net,
            verbosity: |_| {},
            log_file: tepui_processes::logging::file("mesos-agent", &values),
            metrics_pause,
            memory_profiling: values.bool("memory_profiling"),
            hostname: values.get("hostname").map(str::to_owned),
            hostname_lookup: values.bool("hostname_lookup"),
            masters: masters(values.get("master").ok_or(Error::Missing("master"))?)?,
            zk_session_timeout: values.duration("zk_session_timeout"),
            work_dir,
            runtime_dir,
            launcher_dir,
            program: std::env::current_exe().map_err(|error| bad("launcher_dir", error))?,
            resources: resources.map_err(|error| bad("resources", error))?,
            attributes: attributes(&text("attributes"))?,
            domain: domain(&values)?,
            executor_environment: environment(values.get("executor_environment_variables"))?,
            isolation: text("isolation"),
            sandbox_directory: text("sandbox_directory"),
            frameworks_home: values.get("frameworks_home").filter(|home| !home.is_empty()).map(str::to_owned),
            switch_user: values.bool("switch_user"),
            http_command_executor: values.bool("http_command_executor"),
            executor_registration_timeout: values.duration("executor_registration_timeout"),
            executor_reregistration_timeout: values.duration("executor_reregistration_timeout"),
            executor_shutdown_grace_period: values.duration("executor_shutdown_grace_period"),
            registration_backoff_factor: backoff(&values)?,
            recovery_timeout: values.duration("recovery_timeout"),
            max_completed_executors_per_framework: values
                .number("max_completed_executors_per_framework")?
                .unwrap_or(tepui_agent::config::MAX_COMPLETED_EXECUTORS_PER_FRAMEWORK),
            all: shown(values.all()),
        })
    }
}

/// The first attempt to register must come within the pause between two later ones.
fn backoff(values: &Values) -> Result<Duration, Error> {
    let factor = values.duration("registration_backoff_factor");
    match factor > tepui_agent::config::REGISTRATION_RETRY_MAX {
        true => Err(bad("registration_backoff_factor", "Must be less than 1mins")),
        false => Ok(factor),
    }
}

/// Flags as anybody may see them: not with the credentials of ZooKeeper.
fn shown(mut all: BTreeMap<String, String>) -> BTreeMap<String, String> {
    if let Some(master) = all.get_mut("master") {
        *master = tepui_detector::redacted(master);
    }
    all
}

fn masters(text: &str) -> Result<Masters, Error> {
    Masters::parse(text).map_err(|error| bad("master", error))
}

fn absolute(name: &'static str, path: &str) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|error| bad(name, error))
}

/// `/var/run/mesos` where that can be made, else below the directory for temporary files.
fn default_runtime_dir() -> PathBuf {
    let usual = Path::new("/var/run/mesos");
    let can_write = |path: &Path| nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok();
    if can_write(usual) || (!usual.exists() && can_write(Path::new("/var/run"))) {
        usual.to_owned()
    } else {
        std::env::temp_dir().join("mesos/runtime")
    }
}

/// `rack:r1;zone:2`
fn attributes(text: &str) -> Result<Vec<Attribute>, Error> {
    Attributes::parse(text).map(|attributes| attributes.to_proto()).map_err(|error| bad("attributes", error))
}

/// A JSON object of texts.
fn environment(flag: Option<&str>) -> Result<BTreeMap<String, String>, Error> {
    const NAME: &str = "executor_environment_variables";
    let Some(text) = flag else { return Ok(BTreeMap::new()) };
    let value = json::parse(text.as_bytes()).map_err(|error| bad(NAME, error))?;
    let object = value.as_object().ok_or_else(|| bad(NAME, "Expecting a JSON object"))?;
    object
        .iter()
        .map(|(name, value)| {
            let value = value.as_str().ok_or_else(|| bad(NAME, format!("'{name}' must be a JSON string")))?;
            Ok((name.clone(), value.to_owned()))
        })
        .collect()
}

/// `--domain`, in JSON.
fn domain(values: &Values) -> Result<Option<DomainInfo>, Error> {
    let Some(text) = values.get("domain") else { return Ok(None) };
    let domain: DomainInfo =
        json::from_slice(text.as_bytes(), json::Names::V0).map_err(|error| bad("domain", error))?;
    match domain.fault_domain.is_set() {
        true => Ok(Some(domain)),
        false => Err(bad("domain", "`domain` must define `fault_domain`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn settings(args: &[&str]) -> Result<Settings, Error> {
        let dir = tempfile::tempdir().unwrap();
        let mut args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        args.push(format!("--work_dir={}", dir.path().display()));
        let read_file = |_: &str| unreachable!("no flag names a file");
        let values = tepui_flags::parse(&[tepui_flags::agent::FLAGS], &args, &[], "MESOS_", &read_file).unwrap();
        Settings::from_values(&values, |name| (name == "LIBPROCESS_ADVERTISE_IP").then(|| "10.0.0.9".to_owned()))
    }

    #[test]
    fn defaults_are_those_of_mesos() {
        let settings = settings(&["--master=127.0.0.1:5050"]).unwrap();
        assert_eq!(settings.net.port, 5051);
        assert_eq!(
            settings.net.advertise_ip,
            Some(Ipv4Addr::new(10, 0, 0, 9)),
            "a variable counts where no flag stands"
        );
        assert!(settings.switch_user);
        assert_eq!(settings.executor_registration_timeout, Duration::from_secs(60));
        assert_eq!(settings.all["isolation"], "posix/cpu,posix/mem");
        assert_eq!(settings.all["launcher"], "posix");
        let in_group = self::settings(&["--master=zk://user:secret@h:1/mesos"]).unwrap();
        assert_eq!(in_group.all["master"], "zk://...@h:1/mesos");
        assert_eq!(settings.zk_session_timeout, Duration::from_secs(10));
    }

    #[test]
    fn attributes_have_types() {
        use tepui_proto::mesos::value::Type;
        let read = settings(&["--master=h:1", "--attributes=rack:r1;zone:2;ports:[1-2]"]).unwrap();
        let types: Vec<Type> = read.attributes.iter().map(|attribute| attribute.r#type).collect();
        assert_eq!(types, [Type::TEXT, Type::SCALAR, Type::RANGES]);
        let set = settings(&["--master=h:1", "--attributes=os:{a,b}"]);
        assert!(matches!(set, Err(Error::Value { name: "attributes", .. })), "an agent of Mesos does not start either");
    }

    #[test]
    fn a_domain_is_a_region_and_a_zone() {
        let read = |text: &str| settings(&["--master=h:1", &format!("--domain={text}")]);
        let text = r#"{"fault_domain": {"region": {"name": "R"}, "zone": {"name": "Z"}}}"#;
        let domain = read(text).unwrap().domain.unwrap();
        let place = (domain.fault_domain.region.name.as_str(), domain.fault_domain.zone.name.as_str());
        assert_eq!(place, ("R", "Z"));
        let cause = read("{}").unwrap_err().to_string();
        assert_eq!(cause, "Failed to load flag 'domain': `domain` must define `fault_domain`");
        assert!(matches!(read("{"), Err(Error::Value { name: "domain", .. })));
    }

    #[test]
    fn folders_are_where_the_flags_say() {
        let dir = tempfile::tempdir().unwrap();
        let below = |name: &str| dir.path().join(name);
        let [work, run, libexec] = ["work_dir", "runtime_dir", "launcher_dir"].map(below);
        let mut args = vec!["--master=h:1".to_owned()];
        for (name, folder) in [("work_dir", &work), ("runtime_dir", &run), ("launcher_dir", &libexec)] {
            args.push(format!("--{name}={}", folder.display()));
        }
        let values =
            tepui_flags::parse(&[tepui_flags::agent::FLAGS], &args, &[], "MESOS_", &|_| unreachable!("no file"))
                .unwrap();
        let settings = Settings::from_values(&values, |_| None).unwrap();
        assert!(work.is_dir(), "it is made");
        assert_eq!((settings.work_dir, settings.runtime_dir, settings.launcher_dir), (work, run, Some(libexec)));
    }

    #[test]
    fn what_is_said_of_agent_and_machine_is_kept() {
        let read = settings(&["--master=h:1", "--hostname=h.example", "--no-hostname_lookup"]).unwrap();
        assert_eq!((read.hostname.as_deref(), read.hostname_lookup), (Some("h.example"), false));
        let read = settings(&["--master=h:1", "--frameworks_home=/home/f", "--isolation=posix/cpu"]).unwrap();
        assert_eq!((read.frameworks_home.as_deref(), read.isolation.as_str()), (Some("/home/f"), "posix/cpu"));
        assert!(read.hostname_lookup && read.hostname.is_none());
    }

    #[test]
    fn what_an_agent_can_not_start_without() {
        assert_eq!(settings(&[]).unwrap_err(), Error::Missing("master"));
        assert!(matches!(settings(&["--master=zk://h/"]), Err(Error::Value { name: "master", .. })));
        let patient = settings(&["--master=h:1", "--registration_backoff_factor=2mins"]).unwrap_err().to_string();
        assert_eq!(patient, "Failed to load flag 'registration_backoff_factor': Must be less than 1mins");
        assert!(matches!(settings(&["--master=h:1", "--launcher=linux"]), Err(Error::Value { name: "launcher", .. })));
        let args = ["--master=h:1", r#"--executor_environment_variables={"A":1}"#];
        assert!(matches!(settings(&args), Err(Error::Value { name: "executor_environment_variables", .. })));
    }
}
