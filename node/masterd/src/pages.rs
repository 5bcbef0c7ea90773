//! The pages of help on the master's own processes.

use tepui_processes::help::Process;

/// The master, its registrar and its allocator.
pub(crate) const PAGES: &[Process] = &[MASTER, REGISTRAR, ALLOCATOR];

const ALLOCATOR: Process = Process {
    id: "allocator",
    delegate: false,
    endpoints: &[(
        "/offer_constraints_debug",
        "Shows which agents the constraints of each framework keep out of its offers, and its suppressed roles.",
    )],
};

const REGISTRAR: Process = Process {
    id: "registrar(1)",
    delegate: false,
    endpoints: &[("/registry", "Shows what the master keeps for its successors.")],
};

const MASTER: Process = Process {
    id: "master",
    delegate: true,
    endpoints: &[
        ("/api/v1", "Takes calls of the operator API, as JSON or protobuf."),
        ("/api/v1/scheduler", "Takes calls of schedulers, as JSON or protobuf."),
        ("/flags", "Shows the flags the master runs with."),
        ("/frameworks", "Shows frameworks.\n\n>        framework_id=VALUE   Only this one"),
        ("/health", "Answers as long as the master lives."),
        ("/quota", "Shows the quota of roles."),
        ("/redirect", "Leads to the leading master."),
        ("/roles", "Shows roles, their weights, and what they hold."),
        ("/slaves", "Shows agents with all their resources.\n\n>        slave_id=VALUE       Only this one"),
        ("/state", "Shows frameworks, tasks, executors and agents."),
        ("/state-summary", "Shows frameworks and agents with the numbers of their tasks."),
        (
            "/tasks",
            "Shows tasks.\n\n>        framework_id=VALUE   Only those of this framework\n\
             >        limit=VALUE          At most so many (100 by default)\n\
             >        offset=VALUE         Leaves out so many first\n\
             >        order=(asc|desc)     By time, newest first by default\n\
             >        task_id=VALUE        Only tasks of this name",
        ),
        ("/teardown", "Ends a framework and its tasks.\n\n>        frameworkId=VALUE    Which (in the body)"),
        ("/version", "Shows which version this is."),
        ("/weights", "Shows the weights of roles."),
    ],
};
