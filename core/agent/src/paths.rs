//! Where things lie below `--work_dir`, and under which virtual paths sandboxes are served.
//!
//! Source: `src/slave/paths.cpp`. Ids are used as path components as they are; [`is_component`] says which may be.

use tepui_base::{AgentId, ContainerId, ExecutorId, FrameworkId};

/// Whether an id can be a path component: not empty, not `.` or `..`, without `/`, control characters or white space.
pub fn is_component(id: &str) -> bool {
    !id.is_empty() && id != "." && id != ".." && !id.chars().any(|c| c == '/' || c.is_control() || c.is_whitespace())
}

/// `<work_dir>/slaves/<S>/frameworks/<F>/executors/<E>`.
pub fn executor(work_dir: &str, agent: &AgentId, framework: &FrameworkId, executor: &ExecutorId) -> String {
    format!("{}/slaves/{agent}/frameworks/{framework}/executors/{executor}", work_dir.trim_end_matches('/'))
}

/// The sandbox of one run of an executor.
pub fn sandbox(executor_path: &str, container: &ContainerId) -> String {
    format!("{executor_path}/runs/{container}")
}

/// The link to the sandbox of the latest run.
pub fn latest(executor_path: &str) -> String {
    format!("{executor_path}/runs/latest")
}

/// The virtual path of the latest run, which shows neither work directory nor agent id.
pub fn virtual_latest(framework: &FrameworkId, executor: &ExecutorId) -> String {
    format!("/frameworks/{framework}/executors/{executor}/runs/latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_lies_where_mesos_puts_it() {
        let path = executor("/w/", &"S".into(), &"F".into(), &"E".into());
        assert_eq!(sandbox(&path, &"C".into()), "/w/slaves/S/frameworks/F/executors/E/runs/C");
        assert_eq!(latest(&path), "/w/slaves/S/frameworks/F/executors/E/runs/latest");
        assert_eq!(virtual_latest(&"F".into(), &"E".into()), "/frameworks/F/executors/E/runs/latest");
    }

    #[test]
    fn an_id_that_could_leave_its_directory_is_no_component() {
        assert!(["", ".", "..", "a/b", "a b", "a\n", "a\0"].iter().all(|id| !is_component(id)));
        assert!(is_component("task-1.0_x"));
    }
}
