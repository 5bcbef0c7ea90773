//! From arguments and variables to values.

use crate::{Flag, Kind, Support};
use std::collections::BTreeMap;
use std::time::Duration;

/// Why the flags cannot be used. Each text names flag, value and remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such flag.
    #[error("Failed to load unknown flag '{name}'{}", suggestion(.near))]
    Unknown {
        /// What was given.
        name: String,
        /// The known flag that is spelled most alike.
        near: Option<&'static str>,
    },
    /// Given twice on the command line.
    #[error("Flag '{0}' is already loaded via name '{1}'")]
    Duplicate(String, String),
    /// A flag that wants a value got none.
    #[error("Failed to load non-boolean flag '{0}': Missing value (write --{0}=VALUE)")]
    MissingValue(String),
    /// `--no-` before a flag that is not boolean, or with a value.
    #[error("Failed to load flag '{0}' via 'no-{0}': only boolean flags can be negated, and without a value")]
    Negated(String),
    /// The value does not fit the type.
    #[error("Failed to load value '{value}' for flag '{name}': {cause}")]
    Value {
        /// Flag.
        name: String,
        /// What was given.
        value: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A `LIBPROCESS_*` variable that cannot be read.
    #[error("{0}")]
    Variable(String),
    /// A flag whose effect Tepui does not have yet and would be missed.
    #[error("--{name}={value} is not available in this version of Tepui, and ignoring it would not be safe: {help}")]
    NotAvailable {
        /// Flag.
        name: &'static str,
        /// What was given.
        value: String,
        /// What the flag is for.
        help: &'static str,
    },
}

fn suggestion(near: &Option<&'static str>) -> String {
    near.map_or_else(|| " (see --help)".to_owned(), |name| format!(" (did you mean --{name}?)"))
}

/// Values by flag name, defaults included.
#[derive(Clone, Debug, Default)]
pub struct Values {
    values: BTreeMap<&'static str, String>,
    given: BTreeMap<&'static str, String>,
    /// The deprecated names of flags that were given by them.
    aliases: BTreeMap<&'static str, &'static str>,
    /// Things to say at start: deprecated names used, flags without effect yet.
    pub warnings: Vec<String>,
}

/// Loads `tables` from `args` (without the program's name) and `variables` (all of the environment; those with
/// `prefix` count). `read_file` reads the file behind a `file://` value.
pub fn parse(
    tables: &[&'static [Flag]],
    args: &[String],
    variables: &[(String, String)],
    prefix: &str,
    read_file: &dyn Fn(&str) -> std::io::Result<String>,
) -> Result<Values, Error> {
    let flags: Vec<&'static Flag> = tables.iter().flat_map(|table| table.iter()).collect();
    let mut values = Values::default();
    values.load(variables.iter().filter_map(|(name, value)| variable(&flags, name, value, prefix)))?;
    let mut words = Vec::new();
    for arg in args.iter().map(|arg| arg.trim_matches(BLANKS)) {
        if arg == END {
            break;
        }
        match arg.strip_prefix("--") {
            Some(body) => words.push(argument(&flags, body)),
            None => values.warnings.push(format!("Ignored argument '{arg}': flags are written --name=value")),
        }
    }
    values.load(words.into_iter())?;
    for flag in flags {
        settle(flag, &mut values, read_file)?;
    }
    Ok(values)
}

/// Parts words that `tables` know, or that are no flags, from flags they do not know.
pub fn known(tables: &[&'static [Flag]], args: Vec<String>) -> (Vec<String>, Vec<String>) {
    let flags: Vec<&'static Flag> = tables.iter().flat_map(|table| table.iter()).collect();
    args.into_iter().partition(|arg| {
        let body = arg.strip_prefix("--").filter(|body| !body.is_empty());
        !body.is_some_and(|body| matches!(argument(&flags, body), Err(Error::Unknown { .. })))
    })
}

/// The word after which nothing is a flag any more.
const END: &str = "--";

/// What stout cuts off at both ends of a word.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// What `--no-name` and `MESOS_NO-NAME` begin with.
const NEGATION: &str = "no-";

/// A flag, the name it was given by, and its value.
type Given = (&'static Flag, String, String);

/// A variable that is a flag; others that begin with `prefix` are nobody's.
fn variable(flags: &[&'static Flag], name: &str, value: &str, prefix: &str) -> Option<Result<Given, Error>> {
    let name = name.strip_prefix(prefix)?.to_ascii_lowercase();
    find(flags, name.strip_prefix(NEGATION).unwrap_or(&name))?;
    Some(value_of(flags, name, Some(value)))
}

/// A word of the command line, without its dashes.
fn argument(flags: &[&'static Flag], body: &str) -> Result<Given, Error> {
    let (name, value) = match body.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (body, None),
    };
    value_of(flags, name.to_ascii_lowercase(), value)
}

fn find(flags: &[&'static Flag], name: &str) -> Option<&'static Flag> {
    flags.iter().copied().find(|flag| flag.name == name || flag.alias == Some(name))
}

/// An empty value of a switch is as good as none.
fn value_of(flags: &[&'static Flag], name: String, value: Option<&str>) -> Result<Given, Error> {
    let (negated, plain) = name.strip_prefix(NEGATION).map_or((false, name.as_str()), |plain| (true, plain));
    let Some(flag) = find(flags, plain) else {
        return Err(Error::Unknown { near: nearest(flags, plain), name });
    };
    let value = match (flag.kind == Kind::Bool, value.filter(|value| flag.kind != Kind::Bool || !value.is_empty())) {
        (false, _) if negated => return Err(Error::Negated(flag.name.to_owned())),
        (true, Some(_)) if negated => return Err(Error::Negated(flag.name.to_owned())),
        (_, Some(value)) => value.to_owned(),
        (true, None) => (!negated).to_string(),
        (false, None) => return Err(Error::MissingValue(name)),
    };
    Ok((flag, plain.to_owned(), value))
}

/// The flag whose name needs the fewest edits, if they are few.
fn nearest(flags: &[&'static Flag], name: &str) -> Option<&'static str> {
    let (distance, flag) = flags.iter().map(|flag| (edits(flag.name, name), flag.name)).min()?;
    (distance <= 1 + name.len() / 4).then_some(flag)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let change = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn settle(
    flag: &'static Flag,
    values: &mut Values,
    read_file: &dyn Fn(&str) -> std::io::Result<String>,
) -> Result<(), Error> {
    let Some(given) = values.given.get(flag.name).cloned() else {
        if let Some(default) = flag.default {
            values.values.insert(flag.name, default.to_owned());
        }
        return Ok(());
    };
    let fail = |cause: String| Error::Value { name: flag.name.to_owned(), value: given.clone(), cause };
    let value = match file(flag, &given) {
        // What an editor leaves at the end of a file is no part of the value.
        Some(path) => {
            read_file(path).map_err(|error| fail(format!("Error reading file '{path}': {error}")))?.trim().to_owned()
        }
        None => given.clone(),
    };
    if flag.kind == Kind::Json && given.starts_with('/') {
        values.warnings.push(format!("--{}={given} is deprecated: write file://{given}", flag.name));
    }
    let value = check(flag.kind, &value).map_err(fail)?;
    let default = flag.default == Some(value.as_str());
    match flag.support {
        Support::Built => {}
        Support::Later if default => {}
        Support::Later => values.warnings.push(format!("--{} has no effect in this version of Tepui", flag.name)),
        Support::Refused if default => {}
        Support::Refused => return Err(Error::NotAvailable { name: flag.name, value, help: flag.help }),
    }
    values.values.insert(flag.name, value);
    Ok(())
}

/// The file that holds the value, if it is not the value itself.
fn file<'a>(flag: &Flag, given: &'a str) -> Option<&'a str> {
    match flag.kind {
        Kind::Path | Kind::PathOrText => None,
        Kind::Json if given.starts_with('/') => Some(given),
        _ => given.strip_prefix("file://"),
    }
}

/// The value in its canonical text, or what is wrong with it.
fn check(kind: Kind, value: &str) -> Result<String, String> {
    match kind {
        Kind::Text | Kind::PathOrText => Ok(value.to_owned()),
        Kind::Path => Ok(value.strip_prefix("file://").unwrap_or(value).to_owned()),
        // Whoever needs it says what is wrong with it.
        Kind::Json => Ok(serde_json::from_str::<serde_json::Value>(value).map_or(value.to_owned(), |v| v.to_string())),
        Kind::Bool => match value {
            "true" | "1" => Ok("true".to_owned()),
            "false" | "0" => Ok("false".to_owned()),
            _ => Err("Expecting a boolean (e.g., true or false)".to_owned()),
        },
        Kind::Number => value.parse::<i64>().map(|n| n.to_string()).map_err(|_| "Expecting a whole number".to_owned()),
        Kind::Fraction => value.parse::<f64>().map(|n| n.to_string()).map_err(|_| "Expecting a number".to_owned()),
        Kind::Duration => tepui_base::duration::parse(value)
            .map(tepui_base::duration::format)
            .map_err(|error| format!("{error} (write a number and a unit, such as 15secs)")),
        Kind::Bytes => {
            tepui_base::bytes::parse(value).map(tepui_base::bytes::format).map_err(|error| error.to_string())
        }
    }
}

impl Values {
    /// Takes over what one place gives, the command line or the environment; each flag once.
    fn load(&mut self, given: impl Iterator<Item = Result<Given, Error>>) -> Result<(), Error> {
        let mut seen: BTreeMap<&str, String> = BTreeMap::new();
        for item in given {
            let (flag, name, value) = item?;
            if let Some(earlier) = seen.insert(flag.name, name.clone()) {
                return Err(Error::Duplicate(name, earlier));
            }
            self.aliases.remove(flag.name);
            if let Some(alias) = flag.alias.filter(|alias| *alias == name) {
                self.aliases.insert(flag.name, alias);
                self.warnings.push(format!("Loaded deprecated flag '{name}'; its name is '{}'", flag.name));
            }
            self.given.insert(flag.name, value);
        }
        Ok(())
    }

    /// The text of a flag that has a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Whether the flag was given, on the command line or in the environment.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// A boolean flag; false if the table has no such flag.
    pub fn bool(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// A duration flag. The table's kind guarantees the form; zero without value.
    pub fn duration(&self, name: &str) -> Duration {
        self.get(name).and_then(|text| tepui_base::duration::parse(text).ok()).unwrap_or_default()
    }

    /// A number flag within the range of the type asked for.
    pub fn number<N: TryFrom<i64>>(&self, name: &str) -> Result<Option<N>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse::<i64>().ok().and_then(|n| N::try_from(n).ok());
        number.map(Some).ok_or_else(|| self.error(name, "The number is out of range"))
    }

    /// A flag whose text has a form of its own; `expecting` says which.
    pub fn parsed<T: std::str::FromStr>(&self, name: &str, expecting: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.error(name, expecting))
    }

    /// That a flag's value cannot be used, and why.
    pub fn error(&self, name: &str, cause: &str) -> Error {
        let value = self.get(name).unwrap_or_default().to_owned();
        Error::Value { name: name.to_owned(), value, cause: cause.to_owned() }
    }

    /// Puts a value in place that only the daemon could find out (a computed default).
    pub fn set_default(&mut self, name: &'static str, value: String) {
        self.values.entry(name).or_insert(value);
    }

    /// All flags that have a value, as `/flags` reports them: under the name that each was given by.
    pub fn all(&self) -> BTreeMap<String, String> {
        let given_as = |name: &'static str| self.aliases.get(name).copied().unwrap_or(name);
        self.values.iter().map(|(name, value)| (given_as(name).to_owned(), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(args: &[&str], variables: &[(&str, &str)]) -> Result<Values, Error> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let variables: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let read = |path: &str| match path {
            "/roles" => Ok("a,b\n".to_owned()),
            "/d.json" => Ok("{}\n".to_owned()),
            _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        };
        parse(&[crate::master::FLAGS, crate::logging::FLAGS], &args, &variables, "MESOS_", &read)
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let values = master(&["--port=1"], &[("MESOS_PORT", "2"), ("MESOS_hostname", "h"), ("MESOS_NONSENSE", "x")]);
        let values = values.unwrap();
        assert_eq!(values.number::<u16>("port"), Ok(Some(1)));
        assert_eq!(values.get("hostname"), Some("h"));
        assert_eq!(values.get("allocation_interval"), Some("1secs"), "a default");
    }

    #[test]
    fn a_flag_is_reported_under_the_name_it_was_given_by() {
        let values = master(&["--slave_ping_timeout=20secs"], &[("MESOS_AGENT_PING_TIMEOUT", "30secs")]).unwrap();
        assert_eq!(values.get("agent_ping_timeout"), Some("20secs"));
        assert_eq!(values.all().get("slave_ping_timeout").map(String::as_str), Some("20secs"));
        assert!(!values.all().contains_key("agent_ping_timeout"));
        let values = master(&["--agent_ping_timeout=20secs"], &[("MESOS_SLAVE_PING_TIMEOUT", "30secs")]).unwrap();
        assert_eq!(values.all().get("agent_ping_timeout").map(String::as_str), Some("20secs"));
    }

    #[test]
    fn booleans_come_in_many_forms() {
        assert!(!master(&["--no-hostname_lookup"], &[]).unwrap().bool("hostname_lookup"));
        assert!(!master(&["--hostname_lookup=0"], &[]).unwrap().bool("hostname_lookup"));
        assert!(master(&["--QUIET"], &[]).unwrap().bool("quiet"));
        assert!(!master(&[], &[("MESOS_NO-HOSTNAME_LOOKUP", "")]).unwrap().bool("hostname_lookup"));
        assert!(master(&[], &[("MESOS_NO_HOSTNAME_LOOKUP", "")]).unwrap().bool("hostname_lookup"), "no flag of Mesos");
        assert!(master(&["--quiet="], &[]).unwrap().bool("quiet"));
        assert!(!master(&["--no-hostname_lookup="], &[]).unwrap().bool("hostname_lookup"));
        for (args, variables) in [(&["--no-quiet=1"][..], &[][..]), (&[], &[("MESOS_NO-QUIET", "1")])] {
            assert_eq!(master(args, variables).unwrap_err(), Error::Negated("quiet".to_owned()));
        }
        assert!(master(&[], &[("MESOS_QUIET", "")]).unwrap().bool("quiet"));
    }

    #[test]
    fn mistakes_are_named_with_a_remedy() {
        let text = |args: &[&str]| master(args, &[]).unwrap_err().to_string();
        assert_eq!(text(&["--prot=5050"]), "Failed to load unknown flag 'prot' (did you mean --port?)");
        assert_eq!(text(&["--xyzzy_plugh=1"]), "Failed to load unknown flag 'xyzzy_plugh' (see --help)");
        assert_eq!(text(&["--port=1", "--port=2"]), "Flag 'port' is already loaded via name 'port'");
        assert_eq!(text(&["--port"]), "Failed to load non-boolean flag 'port': Missing value (write --port=VALUE)");
        assert!(text(&["--no-port"]).contains("only boolean flags can be negated"));
        assert_eq!(text(&["--no-prot"]), "Failed to load unknown flag 'no-prot' (did you mean --port?)");
        let remedy = "Invalid duration '5' (write a number and a unit, such as 15secs)";
        assert!(text(&["--allocation_interval=5"]).contains(remedy));
        assert!(master(&["--port=70000"], &[]).unwrap().number::<u16>("port").is_err());
    }

    #[test]
    fn what_would_be_missed_is_refused_what_would_not_is_said() {
        let error = master(&["--authenticate_agents"], &[]).unwrap_err();
        assert!(error.to_string().starts_with("--authenticate_agents=true is not available"), "{error}");
        assert!(master(&["--authenticate_agents=false"], &[]).unwrap().warnings.is_empty());
        let warnings = master(&["--authentication_v0_timeout=20secs"], &[]).unwrap().warnings;
        assert_eq!(warnings, ["--authentication_v0_timeout has no effect in this version of Tepui"]);
        let warnings = master(&["--slave_ping_timeout=20secs"], &[]).unwrap().warnings;
        assert!(warnings[0].starts_with("Loaded deprecated flag 'slave_ping_timeout'"));
    }

    #[test]
    fn words_that_are_no_flags_are_left_and_two_dashes_end_the_flags() {
        let values = master(&["now", " --port=1\t", "-x", "--", "--nonsense", "--port=2"], &[]).unwrap();
        assert_eq!(values.number::<u16>("port"), Ok(Some(1)));
        let said = |word: &str| format!("Ignored argument '{word}': flags are written --name=value");
        assert_eq!(values.warnings, [said("now"), said("-x")]);
    }

    #[test]
    fn unknown_flags_can_be_told_from_others() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (known, unknown) = known(
            &[crate::logging::FLAGS],
            words(&["--quiet", "--port=1", "--no-quiet=1", "x", "--NO-nonsense", "--"]),
        );
        assert_eq!(known, ["--quiet", "--no-quiet=1", "x", "--"]);
        assert_eq!(unknown, ["--port=1", "--NO-nonsense"]);
    }

    #[test]
    fn a_deprecated_name_is_said_wherever_it_stands() {
        let values = master(&[], &[("MESOS_SLAVE_PING_TIMEOUT", "20secs")]).unwrap();
        assert_eq!(values.get("agent_ping_timeout"), Some("20secs"));
        assert_eq!(values.warnings, ["Loaded deprecated flag 'slave_ping_timeout'; its name is 'agent_ping_timeout'"]);
        let both = [("MESOS_SLAVE_PING_TIMEOUT", "20secs"), ("MESOS_AGENT_PING_TIMEOUT", "30secs")];
        assert!(matches!(master(&[], &both), Err(Error::Duplicate(..))), "which of the two is meant nobody knows");
        let newer = master(&["--agent_ping_timeout=30secs"], &both[..1]).unwrap();
        assert_eq!(newer.get("agent_ping_timeout"), Some("30secs"));
    }

    #[test]
    fn json_may_stand_in_a_file_that_is_named_by_its_path_alone() {
        let values = master(&["--domain=/d.json"], &[]).unwrap();
        assert_eq!(values.get("domain"), Some("{}"));
        assert_eq!(values.warnings, ["--domain=/d.json is deprecated: write file:///d.json"]);
        let values = master(&["--domain=file:///d.json", "--cluster=/d.json"], &[]).unwrap();
        assert_eq!((values.get("domain"), values.get("cluster")), (Some("{}"), Some("/d.json")));
        assert!(values.warnings.is_empty());
        let error = master(&["--domain=/none"], &[]).unwrap_err().to_string();
        assert!(error.contains("Error reading file '/none'"), "{error}");
    }

    #[test]
    fn a_file_is_read_where_the_value_is_not_a_path() {
        assert_eq!(master(&["--cluster=file:///roles"], &[]).unwrap().get("cluster"), Some("a,b"));
        let error = master(&["--cluster=file:///none"], &[]).unwrap_err().to_string();
        assert!(error.contains("Error reading file '/none'"), "{error}");
    }

    #[test]
    fn names_are_unique_in_each_daemon() {
        for table in [crate::master::FLAGS, crate::agent::FLAGS] {
            let mut names: Vec<_> = table
                .iter()
                .chain(crate::logging::FLAGS)
                .flat_map(|flag| [Some(flag.name), flag.alias])
                .flatten()
                .collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
        assert_eq!(crate::master::FLAGS.len(), 71 + crate::master::OWN.len());
        assert_eq!(crate::agent::FLAGS.len(), 143);
    }

    #[test]
    fn every_default_fits_its_kind() {
        for flag in crate::master::FLAGS.iter().chain(crate::agent::FLAGS).chain(crate::logging::FLAGS) {
            if let Some(default) = flag.default {
                assert_eq!(check(flag.kind, default).as_deref(), Ok(default), "{}", flag.name);
            }
        }
    }
}
