//! Authorization as a value: who asks, and what the rules in force let them do.
//!
//! Every call and every view takes a principal and its [`Approvers`], from the first day. Until rules can be set the
//! only approvers are permissive; rules arrive as an input that replaces the value, never as a call out of a machine.
//! Source: Mesos `include/mesos/authorizer/authorizer.hpp`.

/// Who makes a call. `None` where the realm has no authenticator.
pub type Principal = Option<String>;

/// What is asked about; the names of `mesos.authorization.Action`. Grows with the calls that need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Subscribe as a framework of a role.
    RegisterFramework,
    /// Tear a framework down.
    TeardownFramework,
    /// Run a task as a user.
    RunTask,
    /// Register an agent.
    RegisterAgent,
    /// See a framework in a view.
    ViewFramework,
    /// See a task in a view.
    ViewTask,
    /// See an executor in a view.
    ViewExecutor,
    /// See a role in a view.
    ViewRole,
    /// See the quota of a role.
    GetQuota,
    /// See the flags.
    ViewFlags,
    /// See machines of the maintenance schedule.
    GetMaintenanceSchedule,
    /// See which machines drain or are down.
    GetMaintenanceStatus,
    /// Put machines into the maintenance schedule.
    UpdateMaintenanceSchedule,
    /// Take machines down.
    StartMaintenance,
    /// Bring machines up.
    StopMaintenance,
    /// Read a sandbox.
    AccessSandbox,
    /// Read the daemon's log.
    AccessMesosLog,
}

/// The rules in force, as one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvers {
    /// Counts replacements: a decision made under an older version can be told from one made under this.
    pub version: u64,
    rules: Rules,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rules {
    /// No authorizer is configured.
    Permissive,
}

impl Approvers {
    /// Everything is allowed: no authorizer is configured (the default of Mesos 1.11).
    pub fn permissive() -> Approvers {
        Approvers::permissive_at(0)
    }

    /// The same as the replacement with this number.
    pub fn permissive_at(version: u64) -> Approvers {
        Approvers { version, rules: Rules::Permissive }
    }

    /// Whether `principal` may do `action` to `object` (a role, a user, a framework's principal, ...).
    pub fn approved(&self, _principal: &Principal, _action: Action, _object: &str) -> bool {
        match self.rules {
            Rules::Permissive => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_authorizer_all_is_allowed() {
        assert!(Approvers::permissive().approved(&None, Action::RunTask, "root"));
    }
}
