//! Where a daemon listens and what it calls itself: `--ip`, `--port`, `--advertise_ip`, `--advertise_port` and
//! `--ip_discovery_command`, over the `LIBPROCESS_*` variables. The same for master and agent.

use crate::{Error, Values};
use std::process::Command;
use tepui_net::NetConfig;

/// Reads the flags over the variables, which `variable` looks up. Runs `--ip_discovery_command` if there is one.
pub fn network(values: &Values, variable: impl Fn(&str) -> Option<String>) -> Result<NetConfig, Error> {
    let from_env = NetConfig::from_env(variable).map_err(|error| Error::Variable(error.to_string()))?;
    let port = values.get("advertise_port").map(|_| values.number("advertise_port")).transpose()?.flatten();
    Ok(NetConfig {
        ip: ip(values)?.unwrap_or(from_env.ip),
        port: values.number("port")?.unwrap_or(from_env.port),
        advertise_ip: values.parsed("advertise_ip", IP)?.or(from_env.advertise_ip),
        advertise_port: port.or(from_env.advertise_port),
        ..from_env
    })
}

const IP: &str = "Expecting an IPv4 address, e.g. 127.0.0.1";

fn ip(values: &Values) -> Result<Option<std::net::Ipv4Addr>, Error> {
    let Some(command) = values.get("ip_discovery_command") else { return values.parsed("ip", IP) };
    let fail = |cause: String| values.error("ip_discovery_command", &cause);
    if values.get("ip").is_some() {
        return Err(fail("Only one of --ip and --ip_discovery_command may be given".to_owned()));
    }
    let output = Command::new("sh").args(["-c", command]).output().map_err(|error| fail(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(fail(format!("The command ended with {}: {said}", output.status)));
    }
    text.parse().map(Some).map_err(|_| fail(format!("The command printed '{text}'. {IP}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<NetConfig, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let values = crate::parse(&[crate::master::FLAGS], &args, &[], "MESOS_", &|_| Ok(String::new()));
        let variable = |name: &str| (name == "LIBPROCESS_ADVERTISE_IP").then(|| "10.0.0.9".to_owned());
        network(&values.map_err(|error| error.to_string())?, variable).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_win_over_variables() {
        let net = config(&["--ip=127.0.0.1", "--port=7", "--advertise_port=8"]).unwrap();
        assert_eq!((net.ip.to_string(), net.port), ("127.0.0.1".to_owned(), 7));
        assert_eq!((net.advertise_ip.unwrap().to_string(), net.advertise_port), ("10.0.0.9".to_owned(), Some(8)));
        assert_eq!(config(&["--advertise_ip=10.0.0.8"]).unwrap().advertise_ip.unwrap().to_string(), "10.0.0.8");
    }

    #[test]
    fn a_command_tells_the_address() {
        assert_eq!(config(&["--ip_discovery_command=echo 127.0.0.3"]).unwrap().ip.to_string(), "127.0.0.3");
        let text = |args: &[&str]| config(args).unwrap_err();
        assert!(text(&["--ip_discovery_command=echo x"]).contains("The command printed 'x'. Expecting an IPv4"));
        assert!(text(&["--ip_discovery_command=echo no >&2; exit 3"]).contains("exit status: 3: no"));
        assert!(text(&["--ip_discovery_command=true", "--ip=127.0.0.1"]).contains("Only one of --ip and"));
    }

    #[test]
    fn what_cannot_be_used_names_flag_and_remedy() {
        let text = |args: &[&str]| config(args).unwrap_err();
        assert_eq!(
            text(&["--ip=nowhere"]),
            "Failed to load value 'nowhere' for flag 'ip': Expecting an IPv4 address, e.g. 127.0.0.1"
        );
        assert!(text(&["--advertise_port=70000"]).contains("for flag 'advertise_port': The number is out of range"));
    }
}
