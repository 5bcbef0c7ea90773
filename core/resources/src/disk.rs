//! What makes a disk resource more than an amount: where it is from, and whether a volume persists on it.

use std::fmt;
use std::sync::Arc;

use tepui_proto::mesos::{Volume, volume};

use crate::Labels;

/// The particulars of a `disk` resource.
///
/// Two are equal if source and persistence id are; how a task mounts the volume, and who created it, say nothing
/// about which disk it is.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// Set on persistent volumes.
    pub persistence: Option<Persistence>,
    /// How a task sees the disk.
    pub volume: Option<Arc<Volume>>,
    /// Unset for the agent's root disk.
    pub source: Option<Source>,
}

/// What makes a volume outlive its tasks.
#[derive(Clone, Debug)]
pub struct Persistence {
    /// Unique per role on each agent.
    pub id: Arc<str>,
    /// Who created it.
    pub principal: Option<Arc<str>>,
}

/// A disk other than the root disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// What kind of disk.
    pub kind: SourceKind,
    /// Set if the message had `path`, with its optional `root`.
    pub path: Option<Root>,
    /// Set if the message had `mount`, with its optional `root`.
    pub mount: Option<Root>,
    /// The storage vendor (CSI).
    pub vendor: Option<Arc<str>>,
    /// The vendor's id of the disk (CSI).
    pub id: Option<Arc<str>>,
    /// The vendor's notes (CSI).
    pub metadata: Option<Labels>,
    /// The disk profile (CSI).
    pub profile: Option<Arc<str>>,
}

/// Where a disk is mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root(pub Option<Arc<str>>);

/// Kinds of disk sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A directory: can be carved up.
    Path,
    /// A mounted file system: all or nothing.
    Mount,
    /// A block device: all or nothing.
    Block,
    /// Raw storage; all or nothing once it has an id.
    Raw,
}

impl Disk {
    /// True if only the whole disk can be taken: parts can neither be joined nor split off.
    pub(crate) fn is_indivisible(&self) -> bool {
        self.persistence.is_some() || self.source.as_ref().is_some_and(Source::is_indivisible)
    }

    /// The disk without its persistent volume; nothing is left of a root disk.
    pub(crate) fn without_volume(&self) -> Option<Disk> {
        self.source.as_ref().map(|source| Disk { source: Some(source.clone()), ..Disk::default() })
    }
}

impl Source {
    fn is_indivisible(&self) -> bool {
        match self.kind {
            SourceKind::Path => false,
            SourceKind::Mount | SourceKind::Block => true,
            SourceKind::Raw => self.id.is_some(),
        }
    }
}

impl PartialEq for Disk {
    fn eq(&self, other: &Disk) -> bool {
        let id = |disk: &Disk| disk.persistence.as_ref().map(|persistence| persistence.id.clone());
        self.source == other.source && id(self) == id(other)
    }
}

/// `MOUNT:/mnt/data,volume-id:host:path:rw`.
impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            source.fmt(f)?;
        }
        if let Some(persistence) = &self.persistence {
            let comma = if self.source.is_some() { "," } else { "" };
            write!(f, "{comma}{}", persistence.id)?;
        }
        match &self.volume {
            Some(volume) => write_volume(f, volume),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, root) = match self.kind {
            SourceKind::Path => ("PATH", self.path.as_ref()),
            SourceKind::Mount => ("MOUNT", self.mount.as_ref()),
            SourceKind::Block => ("BLOCK", None),
            SourceKind::Raw => ("RAW", None),
        };
        f.write_str(name)?;
        if self.id.is_some() || self.profile.is_some() {
            let text = |part: &Option<Arc<str>>| part.clone().unwrap_or_default();
            return write!(f, "({},{},{})", text(&self.vendor), text(&self.id), text(&self.profile));
        }
        match root {
            Some(Root(Some(root))) => write!(f, ":{root}"),
            _ => Ok(()),
        }
    }
}

fn write_volume(f: &mut fmt::Formatter<'_>, volume: &Volume) -> fmt::Result {
    match &volume.host_path {
        None => write!(f, ":{}", volume.container_path),
        Some(host_path) => {
            let mode = match volume.mode {
                volume::Mode::RW => "rw",
                volume::Mode::RO => "ro",
            };
            write!(f, ":{host_path}:{}:{mode}", volume.container_path)
        }
    }
}
