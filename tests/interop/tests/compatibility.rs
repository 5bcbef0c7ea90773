//! COMPATIBILITY.md against the lists of what Mesos 1.11 has: every call, event, endpoint, flag and metric stands there
//! once, as `same` with a test that exists, as `differs` with a reason, or as `later`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tepui_flags::{Flag, Support};

const PAGE: &str = include_str!("../../../COMPATIBILITY.md");
const DESCRIPTORS: &str = include_str!("../../golden/descriptors/mesos-1.11.0.txt");
const METRICS: &str = include_str!("../../golden/metrics/families-1.11.0.txt");
/// Families that the master and agent of the recording had no occasion to publish: no quota, no declined offer, no role
/// sorter with a share, another set of isolators, no resource provider. From the sources of 1.11.0.
const CONDITIONAL: [&str; 19] = [
    "allocator/mesos/offer_filters/roles/<role>/active",
    "allocator/mesos/quota/roles/<role>/resources/<name>/consumed",
    "allocator/mesos/quota/roles/<role>/resources/<name>/guarantee",
    "allocator/mesos/quota/roles/<role>/resources/<name>/limit",
    "allocator/mesos/quota/roles/<role>/resources/<name>/offered_or_allocated",
    "allocator/mesos/roles/<role>/shares/dominant",
    "containerizer/docker/image_pull_ms",
    "containerizer/docker/image_pull_ms/<statistic>",
    "containerizer/mesos/disk/project_ids_free",
    "containerizer/mesos/disk/project_ids_total",
    "containerizer/mesos/filesystem/containers_new_rootfs",
    "containerizer/mesos/provisioner/docker_store/image_pull_ms",
    "containerizer/mesos/provisioner/docker_store/image_pull_ms/<statistic>",
    "csi_plugins/<type>/csi_plugin/<event>",
    "log_storage/diff_ms",
    "port_mapping/<event>",
    "resource_providers/<type>.<name>/<event>",
    "volume_gid_manager/volume_gids_free",
    "volume_gid_manager/volume_gids_total",
];
const ENDPOINTS: &str = include_str!("../../golden/endpoints-1.11.0.txt");

/// A row of a table: what it is about, how it stands, and where that is shown.
#[derive(Clone, Debug)]
struct Row {
    names: Vec<String>,
    state: String,
    shown: String,
}

/// The rows below a heading, up to the next one.
fn table(heading: &str) -> Vec<Row> {
    let start = PAGE.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section '{heading}'"));
    let section = &PAGE[start + 4..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| row(heading, line)).collect()
}

fn row(heading: &str, line: &str) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let [names, state, shown] = cells[..] else { panic!("{heading}: a row has three cells: {line}") };
    Row { names: quoted(names), state: state.to_owned(), shown: shown.to_owned() }
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Each wanted name has one row, each row a wanted name, a known state, and what that state asks for.
fn check(heading: &str, wanted: &BTreeSet<String>) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let tests = tests();
    let mut faults = Vec::new();
    for row in table(heading) {
        faults.extend(fault(&row, &tests).map(|fault| format!("{:?}: {fault}", row.names)));
        for name in &row.names {
            if rows.insert(name.clone(), row.clone()).is_some() {
                faults.push(format!("{name} stands twice"));
            }
        }
    }
    faults.extend(wanted.iter().filter(|name| !rows.contains_key(*name)).map(|name| format!("{name} has no row")));
    faults.extend(rows.keys().filter(|name| !wanted.contains(*name)).map(|name| format!("{name} is not of Mesos")));
    assert!(faults.is_empty(), "COMPATIBILITY.md, {heading}:\n{}", faults.join("\n"));
    rows
}

fn fault(row: &Row, tests: &BTreeSet<String>) -> Option<String> {
    match row.state.as_str() {
        "same" => {
            let named = quoted(&row.shown);
            let missing = named.iter().find(|name| !tests.contains(*name));
            match missing {
                Some(name) => Some(format!("there is no test `{name}`")),
                None if named.is_empty() => Some("`same` must name the test that holds it".to_owned()),
                None => None,
            }
        }
        "differs" if row.shown.is_empty() => Some("`differs` must say why".to_owned()),
        "differs" | "later" => None,
        other => Some(format!("'{other}' is neither same, differs nor later")),
    }
}

/// The names of all test functions of the tree, and of the cases of the interop suite.
fn tests() -> BTreeSet<String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut names = BTreeSet::new();
    let mut folders: Vec<PathBuf> =
        ["bin", "core", "io", "node", "client", "sim", "bench", "tests", "xtask"].map(|f| top.join(f)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|e| e == "rs") {
                names.extend(tests_in(&std::fs::read_to_string(&entry).unwrap()));
            } else if entry
                .components()
                .any(|part| ["testdata", "differential", "scenarios"].iter().any(|folder| part.as_os_str() == *folder))
            {
                names.extend(entry.file_name().map(|name| name.to_string_lossy().into_owned()));
            }
        }
    }
    names
}

/// Functions under `#[test]` or `#[tokio::test]`, and cases of the interop suite (`name: "..."`).
fn tests_in(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("name: \"") {
            names.extend(name.split('"').next().map(str::to_owned));
        }
        let function = line.trim_start_matches("async ").strip_prefix("fn ");
        match function.filter(|_| is_test) {
            Some(rest) => {
                names.extend(rest.split(['(', '<']).next().map(str::to_owned));
                is_test = false;
            }
            None if line.starts_with("#[test]") || line.starts_with("#[tokio::test") => is_test = true,
            None => {}
        }
    }
    names
}

/// The values of an enum in the descriptors, without UNKNOWN.
fn values(of: &str) -> BTreeSet<String> {
    let lines = DESCRIPTORS.lines().filter_map(|line| line.strip_prefix(&format!("value {of}.")));
    let names = lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned());
    names.filter(|name| name != "UNKNOWN").collect()
}

#[test]
fn every_call_and_event_has_its_row() {
    for (heading, of, least) in [
        ("Scheduler calls", "mesos.scheduler.Call.Type", 17),
        ("Scheduler events", "mesos.scheduler.Event.Type", 11),
        ("Executor calls", "mesos.executor.Call.Type", 4),
        ("Executor events", "mesos.executor.Event.Type", 9),
        ("Offer operations", "mesos.Offer.Operation.Type", 10),
        ("Master operator calls", "mesos.master.Call.Type", 39),
        ("Master operator events", "mesos.master.Event.Type", 9),
        ("Agent operator calls", "mesos.agent.Call.Type", 32),
    ] {
        let wanted = values(of);
        assert!(wanted.len() >= least, "the descriptors name only {} of {of}", wanted.len());
        check(heading, &wanted);
    }
}

#[test]
fn every_endpoint_has_its_row() {
    let wanted: BTreeSet<String> = ENDPOINTS.lines().map(str::to_owned).collect();
    assert!(wanted.len() > 50, "the list names only {} endpoints", wanted.len());
    check("Endpoints", &wanted);
}

#[test]
fn every_flag_has_its_row_which_says_what_its_table_says() {
    for (heading, tables) in [
        ("Master flags", &[tepui_flags::master::FLAGS][..]),
        ("Agent flags", &[tepui_flags::agent::FLAGS]),
        ("Logging flags", &[tepui_flags::logging::FLAGS]),
    ] {
        let flags: Vec<&Flag> = tables.iter().flat_map(|table| table.iter()).collect();
        let rows = check(heading, &flags.iter().map(|flag| flag.name.to_owned()).collect());
        let wrong: Vec<&str> = flags
            .iter()
            .filter(|flag| (rows[flag.name].state == "later") != (flag.support != Support::Built))
            .map(|flag| flag.name)
            .collect();
        assert!(wrong.is_empty(), "{heading}: the page and the table disagree about {wrong:?}");
    }
}

/// What libprocess reads from its environment, and the libraries below it.
const VARIABLES: [&str; 14] = [
    "LIBPROCESS_IP",
    "LIBPROCESS_IP6",
    "LIBPROCESS_ADVERTISE_IP",
    "LIBPROCESS_PORT",
    "LIBPROCESS_ADVERTISE_PORT",
    "LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH",
    "LIBPROCESS_MEMORY_PROFILING",
    "LIBPROCESS_NUM_WORKER_THREADS",
    "LIBPROCESS_LIBEV_NUM_IO_THREADS",
    "LIBPROCESS_ENABLE_PROFILER",
    "LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT",
    "MALLOC_CONF",
    "GLOG_v",
    "GLOG_drop_log_memory",
];

/// Those of TLS, behind `LIBPROCESS_SSL_`.
const OF_TLS: &str = "ENABLED SUPPORT_DOWNGRADE CERT_FILE KEY_FILE VERIFY_CERT VERIFY_SERVER_CERT REQUIRE_CERT \
                      REQUIRE_CLIENT_CERT VERIFY_IPADD VERIFICATION_DEPTH CA_DIR CA_FILE CIPHERS ECDH_CURVES \
                      HOSTNAME_VALIDATION_SCHEME ENABLE_SSL_V3 ENABLE_TLS_V1_0 ENABLE_TLS_V1_1 ENABLE_TLS_V1_2 \
                      ENABLE_TLS_V1_3";

#[test]
fn every_variable_has_its_row() {
    let of_tls = OF_TLS.split_whitespace().map(|name| format!("LIBPROCESS_SSL_{name}"));
    check("Variables", &VARIABLES.into_iter().map(str::to_owned).chain(of_tls).collect());
}

#[test]
fn every_metric_has_its_row() {
    let wanted: BTreeSet<String> = METRICS.lines().chain(CONDITIONAL).map(str::to_owned).collect();
    assert!(wanted.len() > 250, "the list names only {} metrics", wanted.len());
    check("Metrics", &wanted);
}
