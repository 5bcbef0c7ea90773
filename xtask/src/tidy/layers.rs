//! Who may call whom: edges between crates go down the layers only, read off the manifests.

use super::Finding;
use crate::tree::Crate;

/// A folder of crates, what it may call, and whether it may touch the outside world.
struct Layer {
    /// The folder (or one crate's folder) it holds for; the longest that fits wins.
    at: &'static str,
    /// Folders it may depend on.
    below: &'static [&'static str],
    /// Whether async runtimes, sockets and system calls are its business.
    outside: bool,
}

/// The foundation that even `io` may know: data types and pure codecs, no deciding.
const FOUNDATION: [&str; 4] = ["core/base", "core/proto", "core/wire", "core/resources"];

const LAYERS: [Layer; 13] = [
    Layer { at: "core", below: &["core"], outside: false },
    Layer { at: "io", below: &["core/base", "core/proto", "core/wire", "core/resources", "io"], outside: true },
    Layer { at: "node", below: &["core", "io", "node"], outside: true },
    Layer {
        at: "client/sdk",
        below: &["core/base", "core/proto", "core/wire", "core/resources", "core/framework", "io", "node/detector"],
        outside: true,
    },
    // `tepui run` and `tepui dev` carry a whole cluster in their own process.
    Layer { at: "client", below: &FOUNDATION_AND_NODES, outside: true },
    Layer { at: "bin", below: &["core/base", "core/proto", "client", "node"], outside: true },
    Layer { at: "sim", below: &["core"], outside: false },
    // Log and failover are measured as they run: a replica as a process of a node, a real ZooKeeper.
    Layer { at: "bench", below: &["core", "io", "client", "node/logd", "tests/zookeeper"], outside: true },
    Layer {
        at: "tests/interop",
        below: &[
            "core/base",
            "core/proto",
            "core/resources",
            "client/sdk",
            "io/store",
            "node/flags",
            "bench",
            "tests/zookeeper",
        ],
        outside: true,
    },
    Layer { at: "tests/failover", below: &["core/base", "core/proto", "client/sdk", "tests/interop"], outside: true },
    Layer { at: "tests/zookeeper", below: &["core", "io", "node", "client"], outside: true },
    Layer { at: "tests", below: &["core", "io", "node"], outside: true },
    Layer { at: "xtask", below: &[], outside: false },
];

const FOUNDATION_AND_NODES: [&str; 15] = [
    FOUNDATION[0],
    FOUNDATION[1],
    FOUNDATION[2],
    FOUNDATION[3],
    "io/net",
    "client",
    "node/masterd",
    "node/agentd",
    "node/flags",
    // `mesos-log` works on the files of a log without a daemon.
    "core/log",
    "core/state",
    "node/logd",
    "io/store",
    "io/coordination",
    "node/detector",
];

/// Real programs that tests of any layer with an outside may start.
const PEERS: [&str; 1] = ["tests/zookeeper"];

/// Packages that touch the outside world; a pure crate that names one is no longer pure.
const OUTSIDE: [&str; 12] = [
    "tokio",
    "hyper",
    "hyper-util",
    "http-body-util",
    "nix",
    "rustix",
    "tracing",
    "tracing-subscriber",
    "getrandom",
    "rand",
    "tempfile",
    "async-trait",
];

/// Checks every edge.
pub fn check(crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for this in crates {
        let manifest = format!("{}/Cargo.toml", this.folder);
        let Some(layer) = layer_of(&this.folder) else {
            findings.push(Finding::new(
                &manifest,
                0,
                "this folder is no layer; add it to xtask/src/tidy/layers.rs and ARCHITECTURE.md",
            ));
            continue;
        };
        for dependency in &this.dependencies {
            if let Some(folder) = &dependency.folder {
                let real_peer = !dependency.normal && PEERS.contains(&folder.as_str()) && layer.outside;
                let known = real_peer || layer.below.iter().any(|below| is_in(folder, below));
                if !known {
                    findings.push(Finding::new(
                        &manifest,
                        0,
                        format!(
                            "{} may not call {folder}; edges go down only: {} may call {}",
                            this.folder,
                            layer.at,
                            layer.below.join(", ")
                        ),
                    ));
                }
            } else if !layer.outside
                && dependency.normal
                && OUTSIDE.contains(&dependency.name.as_str())
                && layer.at == "core"
            {
                findings.push(Finding::new(
                    &manifest,
                    0,
                    format!("core may not use `{}`; decide here, and let a crate of io or node do it", dependency.name),
                ));
            }
        }
    }
    findings
}

fn layer_of(folder: &str) -> Option<&'static Layer> {
    LAYERS.iter().filter(|layer| is_in(folder, layer.at)).max_by_key(|layer| layer.at.len())
}

fn is_in(folder: &str, above: &str) -> bool {
    folder == above || folder.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Dependency;

    fn a_crate(folder: &str, ours: &[&str], theirs: &[&str]) -> Crate {
        let ours =
            ours.iter().map(|f| Dependency { name: f.replace('/', "-"), folder: Some((*f).to_owned()), normal: true });
        let theirs = theirs.iter().map(|n| Dependency { name: (*n).to_owned(), folder: None, normal: true });
        Crate { folder: folder.to_owned(), dependencies: ours.chain(theirs).collect() }
    }

    #[test]
    fn edges_go_down_only() {
        let good = [
            a_crate("core/master", &["core/base", "core/allocator"], &["bytes"]),
            a_crate("io/net", &["core/wire"], &["tokio"]),
            a_crate("node/masterd", &["core/master", "io/net"], &[]),
            a_crate("client/cli", &["node/masterd", "client/sdk"], &[]),
        ];
        assert_eq!(check(&good), []);
        let bad = [
            a_crate("core/master", &["io/net"], &[]),
            a_crate("io/net", &["core/master"], &[]),
            a_crate("core/base", &[], &["tokio"]),
            a_crate("sim", &["io/net"], &[]),
            a_crate("client/sdk", &["core/master"], &[]),
            a_crate("attic", &[], &[]),
        ];
        assert_eq!(check(&bad).len(), bad.len());
    }
}
