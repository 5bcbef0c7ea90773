//! Where the names of V0 and V1 differ: V0 says slave where V1 says agent, but not everywhere.
//!
//! Message names matter on the libprocess wire, field and value names in V0 JSON (registry, ZooKeeper, flag files).

use std::borrow::Cow;

/// Field names that say agent in V0 as well, in whatever message they stand.
const V0_FIELDS_WITH_AGENT: [&str; 16] = [
    "agent_added",
    "agent_capabilities",
    "agent_info",
    "agent_removed",
    "deactivate_agent",
    "deactivate_agents",
    "drain_agent",
    "drain_agents",
    "get_agent",
    "get_agents",
    "mark_agent_gone",
    "mark_agents_gone",
    "reactivate_agent",
    "reactivate_agents",
    "recovered_agents",
    "register_agents",
];

/// Messages in which every field that says agent says so in V0 as well.
const V0_MESSAGES_WITH_AGENT: [&str; 8] = [
    "mesos.ACL.DeactivateAgent",
    "mesos.ACL.DrainAgent",
    "mesos.ACL.MarkAgentGone",
    "mesos.ACL.ReactivateAgent",
    "mesos.ACL.RegisterAgent",
    "mesos.master.Event.AgentAdded",
    "mesos.master.Event.AgentRemoved",
    "mesos.master.Response.GetAgents",
];

/// Enum values that say AGENT in V0 as well.
const V0_VALUES_WITH_AGENT: [&str; 12] = [
    "AGENT_ADDED",
    "AGENT_DRAINING",
    "AGENT_OPERATION_FEEDBACK",
    "AGENT_REMOVED",
    "AGENT_UPDATE",
    "DEACTIVATE_AGENT",
    "DRAIN_AGENT",
    "GET_AGENT",
    "GET_AGENTS",
    "MARK_AGENT_GONE",
    "REACTIVATE_AGENT",
    "REGISTER_AGENT",
];

/// Fields that V1 does not have: (message, field).
const V0_ONLY_FIELDS: [(&str, &str); 2] =
    [("mesos.AgentInfo", "checkpoint"), ("mesos.scheduler.Call.Subscribe", "force")];

/// Enum values that V1 does not have: (enum, value). V1 JSON leaves such a field out.
const V0_ONLY_VALUES: [(&str, &str); 1] = [("mesos.MasterInfo.Capability.Type", "QUOTA_V2")];

/// Fields whose explicit default V1 does not declare, so that V1 JSON prints them only when set.
const V0_ONLY_DEFAULTS: [(&str, &str); 1] = [("mesos.quota.QuotaRequest", "force")];

/// The full V0 name of a message type, as it stands on the libprocess wire: `mesos.internal.RegisterSlaveMessage`.
pub fn v0<M: buffa::MessageName>() -> Cow<'static, str> {
    v0_message(M::FULL_NAME)
}

/// The V0 name of a message by its full V1 name.
pub fn v0_message(name: &str) -> Cow<'_, str> {
    if name.contains("Agent") { Cow::Owned(name.replace("Agent", "Slave")) } else { Cow::Borrowed(name) }
}

/// The V0 name of a field.
pub fn v0_field<'a>(message: &str, field: &'a str) -> Cow<'a, str> {
    if !field.contains("agent")
        || V0_FIELDS_WITH_AGENT.contains(&field)
        || V0_MESSAGES_WITH_AGENT
            .iter()
            .any(|kept| message == *kept || message.starts_with("mesos.master.Response.GetAgents."))
    {
        Cow::Borrowed(field)
    } else {
        Cow::Owned(field.replace("agent", "slave"))
    }
}

/// The V0 name of an enum value.
pub fn v0_value(value: &str) -> Cow<'_, str> {
    // Few values have it, and all that is shown passes here: shorter than the search for any text.
    let has_agent = value.as_bytes().windows(5).any(|part| part == b"AGENT");
    if !has_agent || V0_VALUES_WITH_AGENT.contains(&value) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(value.replace("AGENT", "SLAVE"))
    }
}

/// Whether V1 lacks this field.
pub fn is_v0_only_field(message: &str, field: &str) -> bool {
    V0_ONLY_FIELDS.contains(&(message, field))
}

/// Whether V1 lacks this enum value.
pub fn is_v0_only_value(enumeration: &str, value: &str) -> bool {
    V0_ONLY_VALUES.contains(&(enumeration, value))
}

/// Whether only V0 declares this field's default.
pub fn is_v0_only_default(message: &str, field: &str) -> bool {
    V0_ONLY_DEFAULTS.contains(&(message, field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesos::{internal, scheduler};

    #[test]
    fn wire_names_are_those_of_v0() {
        assert_eq!(v0::<internal::RegisterAgentMessage>(), "mesos.internal.RegisterSlaveMessage");
        assert_eq!(v0::<internal::RunTaskMessage>(), "mesos.internal.RunTaskMessage");
        assert_eq!(v0::<scheduler::Call>(), "mesos.scheduler.Call");
    }

    #[test]
    fn agent_stays_where_v0_says_agent() {
        assert_eq!(v0_field("mesos.TaskInfo", "agent_id"), "slave_id");
        assert_eq!(v0_field("mesos.master.Event.AgentRemoved", "agent_id"), "agent_id");
        assert_eq!(v0_field("mesos.internal.RegisterAgentMessage", "agent_capabilities"), "agent_capabilities");
        assert_eq!(v0_value("REASON_AGENT_REMOVED"), "REASON_SLAVE_REMOVED");
        assert_eq!(v0_value("AGENT_UPDATE"), "AGENT_UPDATE");
    }
}
