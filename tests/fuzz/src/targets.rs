//! Every fuzz body of the project. `cargo xtask tidy` finds one that is missing here.

/// A parser's body: it may refuse any input, and must panic at none that is not a defect.
pub struct Target {
    /// As it is printed and chosen; its corpus is the folder of that name.
    pub name: &'static str,
    /// The body.
    pub run: fn(&[u8]),
}

/// The bodies, by crate.
pub const TARGETS: [Target; 14] = [
    Target { name: "allocator-regex", run: tepui_allocator::fuzz::fuzz_regex },
    Target { name: "container-http", run: tepui_container::fuzz::fuzz_http },
    Target { name: "coordination-zookeeper", run: tepui_coordination::fuzz::fuzz_zookeeper },
    Target { name: "proto-codec", run: tepui_proto::fuzz::fuzz_codec },
    Target { name: "proto-json", run: tepui_proto::fuzz::fuzz_json },
    Target { name: "proto-recordio", run: tepui_proto::fuzz::fuzz_recordio },
    Target { name: "resources-flags", run: tepui_resources::fuzz::fuzz_flags },
    Target { name: "resources-operation", run: tepui_resources::fuzz::fuzz_operation },
    Target { name: "resources-resource", run: tepui_resources::fuzz::fuzz_resource },
    Target { name: "wire-upid", run: tepui_wire::fuzz::fuzz_upid },
    Target { name: "wire-query", run: tepui_wire::fuzz::fuzz_query },
    Target { name: "wire-path", run: tepui_wire::fuzz::fuzz_path },
    Target { name: "wire-decode", run: tepui_wire::fuzz::fuzz_decode },
    Target { name: "wire-message", run: tepui_wire::fuzz::fuzz_message },
];
