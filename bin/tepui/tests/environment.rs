//! The binary under variables that Mesos would heed: none of them is ignored in silence.

use std::process::{Command, Output};

/// Runs the binary with these variables and nothing else of the environment.
fn run(words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tepui"));
    command.args(words).env_clear().env("PATH", "/usr/bin:/bin").envs(variables.iter().copied());
    command.output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A port nobody listens on: a test that gets as far as to use it ends with another text.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn no_command_that_talks_runs_without_the_encryption_it_was_told_to_use() {
    for (words, code) in [
        (&["master", "--ip=nowhere"][..], 1),
        (&["agent", "--ip=nowhere"], 1),
        (&["local", "--ip=nowhere"], 1),
        (&["execute", "--master=127.0.0.1:1", "--name=x", "--command=true"], 1),
        (&["resolve", NOBODY], 1),
        (&["log", "replica", "--quorum=1", "--path=/nowhere/log", "--members=x"], 1),
        (&["run", "--master", NOBODY, "--", "true"], 125),
        (&["dev", "--port=1"], 1),
    ] {
        for name in ["LIBPROCESS_SSL_ENABLED", "SSL_ENABLED"] {
            let output = run(words, &[(name, "true")]);
            let text = said(&output);
            assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
            assert!(text.contains(&format!("{name}=true cannot be honoured")), "{words:?}: {text}");
        }
    }
}

#[test]
fn what_has_no_effect_is_said_once_at_start() {
    let variables = [
        ("LIBPROCESS_SSL_ENABLED", "false"),
        ("LIBPROCESS_SSL_CERT_FILE", "/c"),
        ("LIBPROCESS_SSL_KEY_FILE", "/k"),
        ("LIBPROCESS_IP6", "::1"),
        ("LIBPROCESS_MEMORY_PROFILING", "1"),
        ("LIBPROCESS_ENABLE_PROFILER", "1"),
        ("LIBPROCESS_LIBEV_NUM_IO_THREADS", "2"),
        ("MALLOC_CONF", "prof:true"),
        ("GLOG_drop_log_memory", "0"),
    ];
    for (program, master) in [("master", "--quiet=false"), ("agent", "--master=127.0.0.1:1")] {
        // The address is looked at after all of this, and ends the start.
        let output = run(&[program, "--ip=nowhere", "--work_dir=/nowhere", master], &variables);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for (name, _) in &variables[1..] {
            assert_eq!(text.matches(name).count(), 1, "{program}, {name}: {text}");
        }
        assert!(!text.contains("LIBPROCESS_SSL_ENABLED"), "{text}");
    }
}

#[test]
fn a_limit_that_is_none_ends_the_start() {
    for program in ["master", "agent"] {
        let name = "LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT";
        let words = [program, "--ip=127.0.0.1", "--port=0", "--work_dir=/nowhere", "--master=127.0.0.1:1"];
        let words = if program == "master" { &words[..4] } else { &words[..] };
        let output = run(words, &[(name, "often")]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("{name}=often cannot be used")), "{text}");
    }
}

#[test]
fn the_flags_of_a_local_cluster_come_from_the_environment() {
    let output = run(&["local", "--port=0", "--allocation_interval=2secs"], &[("MESOS_ALLOCATION_INTERVAL", "soon")]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("--allocation_interval=2secs is ignored: flags of master and agent come from MESOS_"),
        "{text}"
    );
    assert!(text.contains("Failed to load value 'soon' for flag 'allocation_interval'"), "{text}");
}
