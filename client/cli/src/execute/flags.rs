//! The 29 flags of `mesos-execute` 1.11.

use tepui_flags::Kind::{self, Bool, Duration, Text};
use tepui_flags::Support::{self, Built, Refused};
use tepui_flags::{Flag, logging};

const fn flag(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    support: Support,
    help: &'static str,
) -> Flag {
    Flag { name, alias: None, kind, default, support, help }
}

/// The tables to parse by: these flags and those every program has.
pub const TABLES: &[&[Flag]] = &[FLAGS, logging::FLAGS];

/// In the order of Mesos.
pub static FLAGS: &[Flag] = &[
    flag("master", Kind::PathOrText, None, Built, "Mesos master (e.g., IP:PORT)"),
    flag("task", Kind::PathOrText, None, Built, "TaskInfo as JSON, or a path to it; agent_id need not be set"),
    flag("task_group", Kind::PathOrText, None, Built, "TaskGroupInfo as JSON, or a path to it"),
    flag("name", Text, None, Built, "name for the command"),
    flag("shell", Bool, Some("true"), Built, "run the command by a shell"),
    flag("command", Text, None, Built, "command to launch"),
    flag("env", Text, None, Built, "environment of the command as a JSON object, or a file:// path to it"),
    flag("resources", Text, Some("cpus:1;mem:128"), Built, "resources for the command"),
    flag("hadoop", Text, Some("hadoop"), Refused, "path to the 'hadoop' script (needs HDFS)"),
    flag("hdfs", Text, Some("localhost:9000"), Refused, "ip:port of the NameNode (needs HDFS)"),
    flag("package", Text, None, Refused, "package to upload into HDFS and fetch"),
    flag("overwrite", Bool, Some("false"), Refused, "overwrite the package in HDFS"),
    flag("checkpoint", Bool, Some("false"), Built, "enable checkpointing for the framework"),
    flag("appc_image", Text, None, Built, "Appc image name"),
    flag("docker_image", Text, None, Built, "Docker image name"),
    flag("framework_capabilities", Text, None, Built, "capabilities beside those always on (only GPU_RESOURCES)"),
    flag("containerizer", Text, Some("mesos"), Built, "mesos or docker"),
    flag("effective_capabilities", Text, None, Built, "CapabilityInfo as JSON"),
    flag("bounding_capabilities", Text, None, Built, "CapabilityInfo as JSON"),
    flag("rlimits", Text, None, Built, "RLimitInfo as JSON"),
    flag("role", Text, Some("*"), Built, "role to use when registering"),
    flag("kill_after", Duration, None, Built, "time after which a running task is killed"),
    flag("networks", Text, None, Built, "networks to join, with commas between"),
    flag("principal", Text, None, Built, "principal for framework authentication"),
    flag("secret", Text, None, Built, "secret for framework authentication"),
    flag("volumes", Kind::PathOrText, None, Built, "JSON array of Volume, or a path to it"),
    flag("content_type", Text, Some("protobuf"), Built, "protobuf or json"),
    flag("tty", Bool, Some("false"), Built, "attach a TTY to the task"),
    flag("partition_aware", Bool, Some("true"), Built, "enable partition-awareness for the framework"),
];
