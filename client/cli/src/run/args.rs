//! What can be said to `tepui run`.

use std::time::Duration;
use tepui_sdk::mesos::command_info::URI;
use tepui_sdk::mesos::environment::Variable;
use tepui_sdk::mesos::{CommandInfo, Environment};
use tepui_sdk::messages;

/// Run a command on the cluster: its output comes out here, its exit status is this command's.
///
/// Several words are a program and its arguments, run without a shell: `tepui run -- echo hello`. A single word that
/// contains white space is a line for `/bin/sh -c`: `tepui run 'echo hi | wc -c'`. Flags stand before the command.
///
/// Without --master a cluster of one process is started for the time of the command.
///
/// Exit status: the command's own; 128+n if signal n ended it; 124 if --timeout did; 130 after Ctrl-C; 125 if the
/// command could not be run or was lost, with the reason on stderr.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Master as host:port (several with commas between); none: a cluster in this process
    #[arg(long, env = "MESOS_MASTER", value_name = "ADDRESS")]
    pub master: Option<String>,
    /// CPUs for each instance
    #[arg(long, default_value = "1", value_name = "NUMBER", value_parser = amount)]
    pub cpus: f64,
    /// Memory for each instance, in MB or with a unit (512MB, 2GB)
    #[arg(long, default_value = "128", value_name = "MB", value_parser = megabytes)]
    pub mem: f64,
    /// Disk for each instance, in MB or with a unit
    #[arg(long, value_name = "MB", value_parser = megabytes)]
    pub disk: Option<f64>,
    /// GPUs for each instance, whole ones
    #[arg(long, value_name = "NUMBER")]
    pub gpus: Option<u32>,
    /// Name of the task [default: the program's]
    #[arg(long)]
    pub name: Option<String>,
    /// Variable for the command; K alone takes the value from here. May be repeated
    #[arg(long, value_name = "K=V", value_parser = variable)]
    pub env: Vec<Variable>,
    /// File to fetch into the working directory before the command starts. May be repeated
    #[arg(long, value_name = "URI")]
    pub uri: Vec<String>,
    /// Role whose resources are used
    #[arg(long, default_value = "*")]
    pub role: String,
    /// How many times to run the command at once; lines of output then start with [instance]
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub instances: u32,
    /// Kill the command after this time: 30 or 30s, 5m, 2h, 1d
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub timeout: Option<Duration>,
    /// Leave when the command runs, and let it run on
    #[arg(long, requires = "master")]
    pub detach: bool,
    /// User the command runs as [default: yours]
    #[arg(long)]
    pub user: Option<String>,
    /// Principal to authenticate as
    #[arg(long, requires = "secret", env = "MESOS_PRINCIPAL")]
    pub principal: Option<String>,
    /// The principal's secret
    #[arg(long, requires = "principal", env = "MESOS_SECRET", hide_env_values = true)]
    pub secret: Option<String>,
    /// The command
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

impl Args {
    /// The command as the cluster is told it.
    pub fn command_info(&self) -> CommandInfo {
        let command = match &self.command[..] {
            [line] if line.contains(char::is_whitespace) => messages::shell(line),
            words => messages::argv(words),
        };
        let uris = self.uri.iter().map(|value| URI { value: value.clone(), ..URI::default() }).collect();
        let environment = Environment { variables: self.env.clone(), ..Environment::default() };
        let environment = if self.env.is_empty() { None } else { Some(environment) };
        CommandInfo { uris, environment: environment.into(), user: self.user.clone(), ..command }
    }

    /// The name of the task: what was given, or the program's.
    pub fn task_name(&self) -> String {
        let word = self.command[0].split_whitespace().next().unwrap_or_default();
        let program = word.rsplit('/').next().unwrap_or_default();
        self.name.clone().unwrap_or_else(|| if program.is_empty() { "task" } else { program }.to_owned())
    }

    /// What each instance needs.
    pub fn wanted(&self) -> Vec<(&'static str, f64)> {
        let mut wanted = vec![("cpus", self.cpus), ("mem", self.mem)];
        wanted.extend(self.disk.map(|disk| ("disk", disk)));
        wanted.extend(self.gpus.map(|gpus| ("gpus", f64::from(gpus))));
        wanted
    }
}

fn amount(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("expecting a number such as 0.5".to_owned()),
    }
}

fn megabytes(text: &str) -> Result<f64, String> {
    const MEGABYTE: f64 = 1024.0 * 1024.0;
    amount(text)
        .or_else(|_| tepui_base::bytes::parse(&text.to_uppercase()).map(|bytes| bytes as f64 / MEGABYTE))
        .map_err(|_| "expecting MB or a size with a unit, such as 512, 512MB or 2GB".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let unit = match unit {
        "" | "s" => "secs",
        "m" => "mins",
        "h" => "hrs",
        "d" => "days",
        other => other,
    };
    tepui_base::duration::parse(&format!("{number}{unit}"))
        .map_err(|_| "expecting a time such as 30s, 5m, 2h or 1d".to_owned())
}

fn variable(text: &str) -> Result<Variable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => (text, std::env::var(text).map_err(|_| format!("'{text}' is not set here; write {text}=VALUE"))?),
    };
    if name.is_empty() {
        return Err("expecting NAME=VALUE".to_owned());
    }
    Ok(Variable { name: name.to_owned(), value: Some(value), ..Variable::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &[&str]) -> Result<Args, String> {
        let words = ["run"].iter().chain(words);
        Cli::try_parse_from(words).map(|cli| cli.args).map_err(|error| error.to_string())
    }

    #[test]
    fn several_words_are_a_program_and_one_with_spaces_a_shell_line() {
        let command = parse(&["--", "echo", "hello", "--cpus"]).unwrap().command_info();
        assert_eq!((command.shell, command.value.as_deref()), (Some(false), Some("echo")));
        assert_eq!(command.arguments, ["echo", "hello", "--cpus"]);
        let args = parse(&["--name", "n", "echo hi | wc -c"]).unwrap();
        let command = args.command_info();
        assert_eq!((command.shell, command.value.as_deref()), (Some(true), Some("echo hi | wc -c")));
        assert!(command.arguments.is_empty());
        assert_eq!(args.task_name(), "n");
        let args = parse(&["/bin/ls", "-l"]).unwrap();
        assert_eq!((args.task_name().as_str(), args.command.len()), ("ls", 2));
    }

    #[test]
    fn amounts_times_and_variables_are_read() {
        let args = parse(&["--cpus", "0.5", "--mem", "2GB", "--gpus", "1", "--timeout", "5m", "--env", "A=b=c", "x"]);
        let args = args.unwrap();
        assert_eq!(args.wanted(), [("cpus", 0.5), ("mem", 2048.0), ("gpus", 1.0)]);
        assert_eq!(args.timeout, Some(Duration::from_secs(300)));
        let variables = &args.command_info().environment.variables;
        assert_eq!((variables[0].name.as_str(), variables[0].value.as_deref()), ("A", Some("b=c")));
        assert_eq!(time("90"), Ok(Duration::from_secs(90)));
        assert_eq!(time("1.5mins"), Ok(Duration::from_secs(90)));
    }

    #[test]
    fn mistakes_get_a_helpful_text() {
        for (words, text) in [
            (&["--cpu", "1", "x"][..], "--cpus"),
            (&["--cpus", "many", "x"], "expecting a number"),
            (&["--mem", "2parsecs", "x"], "512MB"),
            (&["--timeout", "soon", "x"], "30s"),
            (&["--env", "=v", "x"], "NAME=VALUE"),
            (&["--env", "TEPUI_SURELY_NOT_SET", "x"], "is not set here"),
            (&["--detach", "x"], "--master"),
            (&["--instances", "0", "x"], "1..=10000"),
            (&[], "<COMMAND>"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.contains(text), "{words:?}: {error}");
        }
    }
}
