//! Variables that libprocess, glog and the memory allocator of Mesos read, and what becomes of them here.
//!
//! Those that work are read where they work. The others are never ignored in silence: what would have protected a
//! connection is refused, what has no effect is said once at start.
//!
//! Source: Mesos `docs/configuration/libprocess.md`, `docs/ssl.md`.

/// Prefixes of the variables for TLS, the later one above the earlier one (deprecated since 1.10).
const TLS: [&str; 2] = ["SSL_", "LIBPROCESS_SSL_"];

/// What stands behind them, in lower case.
const TLS_NAMES: [&str; 20] = [
    "enabled",
    "support_downgrade",
    "cert_file",
    "key_file",
    "verify_cert",
    "verify_server_cert",
    "require_cert",
    "require_client_cert",
    "verify_ipadd",
    "verification_depth",
    "ca_dir",
    "ca_file",
    "ciphers",
    "ecdh_curves",
    "hostname_validation_scheme",
    "enable_ssl_v3",
    "enable_tls_v1_0",
    "enable_tls_v1_1",
    "enable_tls_v1_2",
    "enable_tls_v1_3",
];

/// OpenSSL itself reads this one, in every program; it is often set where nobody thinks of Mesos.
const OF_OPENSSL: &str = "SSL_CERT_FILE";

/// Variables that have no effect here.
const WITHOUT_EFFECT: [&str; 5] = [
    "LIBPROCESS_IP6",
    "LIBPROCESS_MEMORY_PROFILING",
    "LIBPROCESS_ENABLE_PROFILER",
    "LIBPROCESS_LIBEV_NUM_IO_THREADS",
    "MALLOC_CONF",
];

/// Those of glog, which have none either, but for [`VERBOSITY`].
const GLOG: &str = "GLOG_";

/// The verbosity of glog at start: 1 shows debug lines, more shows traces.
pub(crate) const VERBOSITY: &str = "GLOG_v";

/// Worker threads of a daemon, 1 to 1024.
pub(crate) const WORKERS: &str = "LIBPROCESS_NUM_WORKER_THREADS";

/// All variables that are text; no flag and no setting is anything else.
pub(crate) fn variables() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// What there is to say at start about `variables`; an error if this process must not run with them.
pub(crate) fn check(variables: &[(String, String)]) -> Result<Vec<String>, String> {
    let mut tls: Vec<&str> = Vec::new();
    let mut enabled = None;
    for prefix in TLS {
        for (name, value) in variables {
            let suffix = name.strip_prefix(prefix).map(str::to_ascii_lowercase);
            match suffix.as_deref() {
                Some("enabled") => enabled = Some((name, value)),
                Some(suffix) if TLS_NAMES.contains(&suffix) && name != OF_OPENSSL => tls.push(name),
                _ => {}
            }
        }
    }
    if let Some((name, value)) = enabled.filter(|(_, value)| !matches!(value.as_str(), "false" | "0")) {
        return Err(format!(
            "{name}={value} cannot be honoured: this version of Tepui has no TLS, and what was to be encrypted would \
             be sent in the clear. Unset {name} to run without TLS, in a network where that is acceptable"
        ));
    }
    let mut said = Vec::new();
    if !tls.is_empty() {
        said.push(format!("This version of Tepui has no TLS: {} without effect", tls.join(", ")));
    }
    let idle = |name: &str| WITHOUT_EFFECT.contains(&name) || name.starts_with(GLOG) && name != VERBOSITY;
    let idle = variables.iter().filter(|(name, _)| idle(name));
    said.extend(idle.map(|(name, _)| format!("{name} has no effect in this version of Tepui")));
    Ok(said)
}

/// [`check`] for a command that keeps no log: says it on stderr. False if the command must not run.
pub(crate) fn passes(program: &str) -> bool {
    match check(&variables()) {
        Ok(said) => said.iter().for_each(|text| eprintln!("{program}: {text}")),
        Err(reason) => {
            eprintln!("{program}: {reason}");
            return false;
        }
    }
    true
}

/// How many worker threads `value` of [`WORKERS`] asks for. As in Mesos, a value that makes no sense is ignored; the
/// error says so.
pub(crate) fn workers(value: Option<&str>, usual: usize) -> Result<usize, String> {
    let Some(text) = value else { return Ok(usual) };
    match text.parse() {
        Ok(count @ 1..=1024) => Ok(count),
        _ => Err(format!("{WORKERS}={text} is ignored: expecting a number from 1 to 1024")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let owned: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        check(&owned)
    }

    #[test]
    fn nothing_runs_in_the_clear_that_was_to_be_encrypted() {
        for (name, value) in [
            ("LIBPROCESS_SSL_ENABLED", "1"),
            ("LIBPROCESS_SSL_ENABLED", "true"),
            ("LIBPROCESS_SSL_enabled", ""),
            ("SSL_ENABLED", "true"),
            ("SSL_ENABLED", "yes"),
        ] {
            let reason = of(&[("PATH", "/bin"), (name, value)]).unwrap_err();
            let start = format!("{name}={value} cannot be honoured: this version of Tepui has no TLS");
            assert!(reason.starts_with(&start) && reason.contains(&format!("Unset {name}")), "{reason}");
        }
        for value in ["false", "0"] {
            assert_eq!(
                of(&[("LIBPROCESS_SSL_ENABLED", value), ("SSL_ENABLED", "1")]),
                Ok(vec![]),
                "the newer one wins"
            );
        }
        assert!(of(&[("LIBPROCESS_SSL_ENABLED", "1"), ("SSL_ENABLED", "0")]).is_err());
    }

    #[test]
    fn settings_of_tls_are_said_once_and_together() {
        let said = of(&[("SSL_KEY_FILE", "/k"), ("LIBPROCESS_SSL_CERT_FILE", "/c"), ("SSL_CERT_FILE", "/etc/c")]);
        let text = "This version of Tepui has no TLS: SSL_KEY_FILE, LIBPROCESS_SSL_CERT_FILE without effect";
        assert_eq!(said, Ok(vec![text.to_owned()]));
        assert_eq!(of(&[("SSL_CERT_DIR", "/etc"), ("SSL_SOMETHING", "x")]), Ok(vec![]), "not of Mesos");
    }

    #[test]
    fn a_variable_without_effect_is_said() {
        for name in WITHOUT_EFFECT.iter().chain(&["GLOG_drop_log_memory", "GLOG_vmodule"]) {
            assert_eq!(of(&[(name, "1")]), Ok(vec![format!("{name} has no effect in this version of Tepui")]));
        }
        for name in [VERBOSITY, WORKERS, "LIBPROCESS_IP", "LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT", "TMPDIR"] {
            assert_eq!(of(&[(name, "1")]), Ok(vec![]), "{name} works");
        }
    }

    #[test]
    fn the_number_of_workers_is_within_reason() {
        assert_eq!(workers(None, 2), Ok(2));
        assert_eq!((workers(Some("1"), 2), workers(Some("1024"), 2)), (Ok(1), Ok(1024)));
        for wrong in ["0", "1025", "many", ""] {
            let reason = workers(Some(wrong), 2).unwrap_err();
            assert_eq!(reason, format!("{WORKERS}={wrong} is ignored: expecting a number from 1 to 1024"));
        }
    }
}
