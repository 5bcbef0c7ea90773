//! Laying the reservations and volumes an agent has written down over the resources its flags tell of
//! (`applyCheckpointedResources` of `src/common/resources_utils.cpp`).

use crate::reservation::Kind;
use crate::{Resource, Resources};

/// Why what was written down does not fit; the texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something that needed no writing down.
    #[error("Unexpected checkpointed resources {0}")]
    Unexpected(String),
    /// The agent no longer has what was reserved or holds a volume.
    #[error("Incompatible agent resources: {total} does not contain {stripped}")]
    Incompatible {
        /// What there is.
        total: String,
        /// What is missing.
        stripped: String,
    },
}

impl Resources {
    /// These resources, as the flags tell of them, with dynamic reservations and persistent volumes put back.
    pub fn with_checkpointed(&self, checkpointed: &Resources) -> Result<Resources, Error> {
        let mut total = self.clone();
        for resource in checkpointed {
            if !resource.needs_checkpointing() {
                return Err(Error::Unexpected(resource.to_string()));
            }
            let stripped = Resources::from(as_in_flags(resource));
            if !total.contains(&stripped) {
                return Err(Error::Incompatible { total: total.to_string(), stripped: stripped.to_string() });
            }
            total -= &stripped;
            total.add_one(resource);
        }
        Ok(total)
    }
}

/// The resource as flags can tell of it: at most one static reservation, and no volume.
fn as_in_flags(resource: &Resource) -> Resource {
    let reserved = match resource.is_dynamically_reserved() {
        true => {
            let fixed = resource.reservations().first().filter(|first| first.kind == Kind::Static).cloned();
            resource.with_reservations(fixed)
        }
        false => resource.clone(),
    };
    if reserved.is_persistent_volume() { reserved.without_volume() } else { reserved }
}
