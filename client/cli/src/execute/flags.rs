//! The 29 flags of `mesos-execute` 1.11.

use tepui_flags::Kind::{Bool, Duration, Json, PathOrText, Text};
use tepui_flags::Support::{Built, Refused};
use tepui_flags::{Flag, flag, logging};

/// The tables to parse by: these flags and those every program has.
pub const TABLES: &[&[Flag]] = &[FLAGS, logging::FLAGS];

/// In the order of Mesos.
pub static FLAGS: &[Flag] = &[
    flag("master", None, PathOrText, None, Built, "Mesos master (e.g., IP:PORT)"),
    flag("task", None, PathOrText, None, Built, "TaskInfo as JSON, or a path to it; agent_id need not be set"),
    flag("task_group", None, PathOrText, None, Built, "TaskGroupInfo as JSON, or a path to it"),
    flag("name", None, Text, None, Built, "name for the command"),
    flag("shell", None, Bool, Some("true"), Built, "run the command by a shell"),
    flag("command", None, Text, None, Built, "command to launch"),
    flag("env", None, Json, None, Built, "environment of the command as a JSON object, or a file:// path to it"),
    flag("resources", None, Text, Some("cpus:1;mem:128"), Built, "resources for the command"),
    flag("hadoop", None, Text, Some("hadoop"), Refused, "path to the 'hadoop' script (needs HDFS)"),
    flag("hdfs", None, Text, Some("localhost:9000"), Refused, "ip:port of the NameNode (needs HDFS)"),
    flag("package", None, Text, None, Refused, "package to upload into HDFS and fetch"),
    flag("overwrite", None, Bool, Some("false"), Refused, "overwrite the package in HDFS"),
    flag("checkpoint", None, Bool, Some("false"), Built, "enable checkpointing for the framework"),
    flag("appc_image", None, Text, None, Built, "Appc image name"),
    flag("docker_image", None, Text, None, Built, "Docker image name"),
    flag("framework_capabilities", None, Text, None, Built, "capabilities beside those always on (only GPU_RESOURCES)"),
    flag("containerizer", None, Text, Some("mesos"), Built, "mesos or docker"),
    flag("effective_capabilities", None, Json, None, Built, "CapabilityInfo as JSON"),
    flag("bounding_capabilities", None, Json, None, Built, "CapabilityInfo as JSON"),
    flag("rlimits", None, Json, None, Built, "RLimitInfo as JSON"),
    flag("role", None, Text, Some("*"), Built, "role to use when registering"),
    flag("kill_after", None, Duration, None, Built, "time after which a running task is killed"),
    flag("networks", None, Text, None, Built, "networks to join, with commas between"),
    flag("principal", None, Text, None, Built, "principal for framework authentication"),
    flag("secret", None, Text, None, Built, "secret for framework authentication"),
    flag("volumes", None, PathOrText, None, Built, "JSON array of Volume, or a path to it"),
    flag("content_type", None, Text, Some("protobuf"), Built, "protobuf or json"),
    flag("tty", None, Bool, Some("false"), Built, "attach a TTY to the task"),
    flag("partition_aware", None, Bool, Some("true"), Built, "enable partition-awareness for the framework"),
];
