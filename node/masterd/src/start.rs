//! The kinds of start: where the registry is kept, and how it is decided who leads.
//!
//! As in Mesos 1.11: in memory; a replicated log of this master alone; a replicated log and ZooKeeper. Beside them a list of
//! masters (`--masters`), which elect one by the log itself. Source: Mesos `src/master/main.cpp`, `src/master/flags.cpp`.

use crate::settings::{Error, value};
use std::path::PathBuf;
use std::time::Duration;
use tepui_coordination::Url;
use tepui_flags::Values;

/// Where the registry is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// In memory; it ends with the process.
    Memory,
    /// In a replicated log.
    Log(LogSettings),
}

/// A replica of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The directory of its LevelDB files, in the work directory.
    pub directory: PathBuf,
    /// How many replicas decide.
    pub quorum: usize,
    /// `--log_auto_initialize`: whether replicas that are all empty begin a log by themselves.
    pub auto_initialize: bool,
    /// `--accept_other_quorum`: whether quorum and group may contradict those of the last start.
    pub accept_other_quorum: bool,
}

/// How it is decided who leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contest {
    /// There is no other master.
    Alone,
    /// By a group in ZooKeeper.
    ZooKeeper {
        /// Where the group is.
        url: Url,
        /// `--zk_session_timeout`.
        session_timeout: Duration,
    },
    /// By the log, among these (`host:port`), this master being one of them.
    Masters(Vec<String>),
}

/// The kind of start that the flags ask for.
pub(crate) fn kind(values: &Values) -> Result<(Keeping, Contest), Error> {
    let contest = contest(values)?;
    let keeping = match values.get("registry").unwrap_or_default() {
        "in_memory" => Keeping::Memory,
        "replicated_log" | "log_storage" => Keeping::Log(log(values, &contest)?),
        other => {
            return Err(Error::Start(format!("'{other}' is not a supported option for registry persistence")));
        }
    };
    if matches!((&keeping, &contest), (Keeping::Memory, Contest::Masters(_))) {
        return Err(Error::Start(
            "--masters needs --registry=replicated_log: the masters elect their leader by the log".to_owned(),
        ));
    }
    Ok((keeping, contest))
}

fn contest(values: &Values) -> Result<Contest, Error> {
    match (values.get("zk"), values.get("masters")) {
        (Some(_), Some(_)) => Err(Error::Start("Only one of --zk and --masters should be specified".to_owned())),
        (Some(text), None) => {
            let session_timeout = values.duration("zk_session_timeout");
            Ok(Contest::ZooKeeper { url: url(text)?, session_timeout })
        }
        (None, Some(text)) => Ok(Contest::Masters(masters(text)?)),
        (None, None) => Ok(Contest::Alone),
    }
}

/// `zk://...`, or `file://` and the path of a file that holds it.
fn url(text: &str) -> Result<Url, Error> {
    let text = match text.strip_prefix("file://") {
        None => text.to_owned(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Error::Start(format!("Failed to read from file at '{path}': {error}")))?,
    };
    let refuse = |error| Error::Start(format!("Error parsing ZooKeeper URL: {error}"));
    Url::of_group(&text).map_err(refuse)
}

/// `host:port,host:port,...`, each once.
fn masters(text: &str) -> Result<Vec<String>, Error> {
    let refuse = |cause: &str| value("masters", text, cause);
    let mut masters = Vec::new();
    for master in text.split(',').map(str::trim).filter(|master| !master.is_empty()) {
        let port = master.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none_or(|port| port == 0) {
            return Err(refuse(&format!("'{master}' is not of the form host:port")));
        }
        if masters.iter().any(|known| known == master) {
            return Err(refuse(&format!("'{master}' stands in it twice")));
        }
        masters.push(master.to_owned());
    }
    if masters.is_empty() { Err(refuse("expecting host:port,host:port,...")) } else { Ok(masters) }
}

fn log(values: &Values, contest: &Contest) -> Result<LogSettings, Error> {
    let work_dir = values.get("work_dir");
    let work_dir =
        work_dir.ok_or_else(|| Error::Start("--work_dir needed for replicated log based registry".to_owned()))?;
    Ok(LogSettings {
        directory: PathBuf::from(work_dir).join("replicated_log"),
        quorum: quorum(values, contest)?,
        auto_initialize: values.bool("log_auto_initialize"),
        accept_other_quorum: values.bool("accept_other_quorum"),
    })
}

/// Whether it is a majority of replicas in ZooKeeper only the operator knows; of a list it must be.
fn quorum(values: &Values, contest: &Contest) -> Result<usize, Error> {
    const FLAG: &str = "quorum";
    let text = values.get(FLAG).unwrap_or_default();
    let given = values.number::<usize>(FLAG)?;
    if given == Some(0) {
        return Err(value(FLAG, text, "expecting a majority of the masters"));
    }
    match contest {
        // As in 1.11, whatever the flag says.
        Contest::Alone => Ok(1),
        Contest::ZooKeeper { .. } => given.ok_or_else(|| {
            let text = "Need to specify --quorum for replicated log based registry when using ZooKeeper";
            Error::Start(text.to_owned())
        }),
        Contest::Masters(masters) => {
            let (count, majority) = (masters.len(), masters.len() / 2 + 1);
            match given {
                None => Ok(majority),
                Some(quorum) if quorum == majority => Ok(quorum),
                Some(_) => Err(value(FLAG, text, &format!("a majority of the {count} of --masters is {majority}"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(args: &[&str]) -> Result<(Keeping, Contest), String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let tables = [tepui_flags::master::FLAGS, tepui_flags::logging::FLAGS];
        let read = |path: &str| std::fs::read_to_string(path);
        let values = tepui_flags::parse(&tables, &args, &[], "MESOS_", &read).map_err(|error| error.to_string())?;
        kind(&values).map_err(|error| error.to_string())
    }

    fn log(quorum: usize) -> Keeping {
        let directory = PathBuf::from("/w/replicated_log");
        Keeping::Log(LogSettings { directory, quorum, auto_initialize: true, accept_other_quorum: false })
    }

    #[test]
    fn the_default_is_a_log_of_this_master_alone() {
        assert_eq!(kind_of(&["--work_dir=/w"]), Ok((log(1), Contest::Alone)));
        assert_eq!(kind_of(&["--work_dir=/w", "--registry=log_storage", "--quorum=2"]), Ok((log(1), Contest::Alone)));
        assert_eq!(kind_of(&["--registry=in_memory"]), Ok((Keeping::Memory, Contest::Alone)));
        let (keeping, _) = kind_of(&["--work_dir=/w", "--no-log_auto_initialize"]).unwrap();
        assert!(matches!(keeping, Keeping::Log(LogSettings { auto_initialize: false, .. })));
    }

    #[test]
    fn with_zookeeper_the_operator_says_how_many_decide() {
        let zk = |url: &str, secs| Contest::ZooKeeper {
            url: url.parse().unwrap(),
            session_timeout: Duration::from_secs(secs),
        };
        let args = ["--work_dir=/w", "--quorum=2", "--zk=zk://a:1,b:2/mesos", "--zk_session_timeout=2secs"];
        assert_eq!(kind_of(&args), Ok((log(2), zk("zk://a:1,b:2/mesos", 2))));
        assert_eq!(kind_of(&["--registry=in_memory", "--zk=zk://a/m"]), Ok((Keeping::Memory, zk("zk://a/m", 10))));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "zk://u:p@a/m\n").unwrap();
        let flag = format!("--zk=file://{}", file.path().display());
        assert_eq!(kind_of(&["--registry=in_memory", &flag]).unwrap().1, zk("zk://u:p@a/m", 10));
    }

    #[test]
    fn of_a_list_a_majority_decides() {
        let list = |text: &str| Contest::Masters(text.split(',').map(str::to_owned).collect());
        for (text, quorum) in [("a:1", 1), ("a:1,b:1,c:1", 2), ("a:1,b:1,c:1,d:1", 3)] {
            assert_eq!(kind_of(&["--work_dir=/w", &format!("--masters={text}")]), Ok((log(quorum), list(text))));
        }
        assert!(kind_of(&["--work_dir=/w", "--masters=a:1,b:1,c:1", "--quorum=2"]).is_ok());
    }

    #[test]
    fn what_cannot_be_started_is_refused_in_the_words_of_mesos() {
        let refusal = |args: &[&str]| kind_of(args).unwrap_err();
        assert_eq!(refusal(&[]), "--work_dir needed for replicated log based registry");
        assert_eq!(
            refusal(&["--work_dir=/w", "--zk=zk://a/m"]),
            "Need to specify --quorum for replicated log based registry when using ZooKeeper"
        );
        assert_eq!(refusal(&["--registry=disk"]), "'disk' is not a supported option for registry persistence");
        assert_eq!(
            refusal(&["--registry=in_memory", "--zk=a:2181/mesos"]),
            "Error parsing ZooKeeper URL: Expecting 'zk://' at the beginning of the URL"
        );
        assert!(refusal(&["--registry=in_memory", "--zk=file:///nowhere"]).starts_with("Failed to read from file at "));
    }

    #[test]
    fn a_list_that_elects_nobody_is_refused() {
        let refusal = |args: &[&str]| kind_of(&[&["--work_dir=/w"], args].concat()).unwrap_err();
        assert_eq!(refusal(&["--zk=zk://a/m", "--masters=a:1"]), "Only one of --zk and --masters should be specified");
        assert!(refusal(&["--registry=in_memory", "--masters=a:1"]).starts_with("--masters needs"));
        assert!(refusal(&["--masters=a"]).ends_with("'a' is not of the form host:port"));
        assert!(refusal(&["--masters=a:0"]).ends_with("'a:0' is not of the form host:port"));
        assert!(refusal(&["--masters=a:1,b:1,a:1"]).ends_with("'a:1' stands in it twice"));
        assert!(refusal(&["--masters=,"]).ends_with("expecting host:port,host:port,..."));
        let text = refusal(&["--masters=a:1,b:1,c:1", "--quorum=1"]);
        assert!(text.ends_with("a majority of the 3 of --masters is 2"), "{text}");
        assert!(refusal(&["--masters=a:1", "--quorum=0"]).ends_with("expecting a majority of the masters"));
    }
}
