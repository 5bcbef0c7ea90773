//! What is written down about each running container, under `<runtime_dir>/containers/<id>/`.
//!
//! `config` (the `ContainerConfig`, after its length in four little-endian bytes), `pid` and `status` (texts). Source:
//! `containerizer/mesos/paths.hpp`. Not done: `launch_info`, `termination` and reading any of it back after a restart.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tepui_base::{ContainerId, WaitStatus};
use tepui_proto::mesos::containerizer::ContainerConfig;

/// The directory of a container.
pub fn directory(runtime_dir: &Path, id: &ContainerId) -> PathBuf {
    runtime_dir.join("containers").join(id.as_str())
}

/// Makes the directory, with `config`.
pub fn create(runtime_dir: &Path, id: &ContainerId, config: &ContainerConfig) -> io::Result<()> {
    let directory = directory(runtime_dir, id);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("config"), length_prefixed(config))
}

/// Writes `pid`.
pub fn write_pid(runtime_dir: &Path, id: &ContainerId, pid: i32) -> io::Result<()> {
    fs::write(directory(runtime_dir, id).join("pid"), pid.to_string())
}

/// Writes `status`, for whoever looks at a container that is ending.
pub fn write_status(runtime_dir: &Path, id: &ContainerId, status: WaitStatus) {
    let path = directory(runtime_dir, id).join("status");
    if let Err(e) = fs::write(&path, status.0.to_string()) {
        tracing::warn!(path = %path.display(), "failed to write the container's status: {e}");
    }
}

/// Removes the directory; a container that is gone leaves nothing here.
pub fn remove(runtime_dir: &Path, id: &ContainerId) {
    let directory = directory(runtime_dir, id);
    match fs::remove_dir_all(&directory) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %directory.display(), "failed to remove the container's runtime directory: {e}");
        }
        _ => {}
    }
}

fn length_prefixed<M: buffa::Message>(message: &M) -> Vec<u8> {
    let body = message.encode_to_vec();
    let length = u32::try_from(body.len()).expect("a message is shorter than 4 GB");
    [&length.to_le_bytes()[..], &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_written_down_and_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let id = ContainerId::from("c1");
        let config = ContainerConfig { directory: "/box".into(), ..Default::default() };
        create(root.path(), &id, &config).unwrap();
        write_pid(root.path(), &id, 42).unwrap();
        write_status(root.path(), &id, WaitStatus::exited(7));
        let read = |name: &str| fs::read(directory(root.path(), &id).join(name)).unwrap();
        assert_eq!(read("pid"), b"42");
        assert_eq!(read("status"), b"1792");
        let config = read("config");
        assert_eq!(u32::from_le_bytes(config[..4].try_into().unwrap()) as usize, config.len() - 4);
        remove(root.path(), &id);
        assert!(!directory(root.path(), &id).exists());
    }
}
