//! The pages of help on the agent's own processes.

use tepui_processes::help::Process;

/// The agent.
pub const PAGES: &[Process] = &[Process {
    id: "slave(1)",
    delegate: true,
    endpoints: &[
        ("/api/v1", "Takes calls of the operator API, as JSON or protobuf."),
        ("/api/v1/executor", "Takes calls of executors, as JSON or protobuf."),
        ("/containerizer/debug", "Shows operations of containers that have not come to an end."),
        (
            "/containers",
            "Shows containers of executors and what they use.\n\n>        container_id=VALUE   Only this one",
        ),
        ("/flags", "Shows the flags the agent runs with."),
        ("/health", "Answers as long as the agent lives."),
        ("/monitor/statistics", "Shows what executors use."),
        ("/state", "Shows frameworks, executors and tasks of this agent."),
        ("/version", "Shows which version this is."),
    ],
}];
