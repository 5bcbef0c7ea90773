//! Which resource provider has to carry out an operation (`getResourceProviderId` of `src/common/resources_utils.cpp`).

use std::sync::Arc;

use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::offer::operation::Type;

use crate::Resources;

/// Why no provider can be named; the texts are those of Mesos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A launch is no provider's business.
    #[error("Unexpected LAUNCH operation")]
    Launch,
    /// A launch is no provider's business.
    #[error("Unexpected LAUNCH_GROUP operation")]
    LaunchGroup,
    /// An operation on nothing.
    #[error("Operation contains no resources")]
    NoResources,
    /// An operation of a later version.
    #[error("Unknown offer operation")]
    Unknown,
    /// Resources of nobody.
    #[error("Cannot determine resource provider for empty resources")]
    Empty,
    /// Resources of more than one provider, or of one and of the agent itself.
    #[error("Resources are from multiple resource providers")]
    Multiple,
}

/// The provider of an operation's first resource; `None` for the agent itself. That the others are from the same one is
/// for validation to see to.
pub fn of_operation(operation: &Operation) -> Result<Option<&str>, Error> {
    let first = match operation.r#type.unwrap_or(Type::UNKNOWN) {
        Type::UNKNOWN => return Err(Error::Unknown),
        Type::LAUNCH => return Err(Error::Launch),
        Type::LAUNCH_GROUP => return Err(Error::LaunchGroup),
        Type::RESERVE => operation.reserve.resources.first(),
        Type::UNRESERVE => operation.unreserve.resources.first(),
        Type::CREATE => operation.create.volumes.first(),
        Type::DESTROY => operation.destroy.volumes.first(),
        Type::GROW_VOLUME => Some(&*operation.grow_volume.volume),
        Type::SHRINK_VOLUME => Some(&*operation.shrink_volume.volume),
        Type::CREATE_DISK => Some(&*operation.create_disk.source),
        Type::DESTROY_DISK => Some(&*operation.destroy_disk.source),
    };
    let provider = first.ok_or(Error::NoResources)?.provider_id.as_option();
    Ok(provider.map(|provider| &*provider.value))
}

/// The one provider of some resources; `None` for the agent itself.
pub fn of_resources(resources: &Resources) -> Result<Option<&Arc<str>>, Error> {
    let first = resources.iter().next().ok_or(Error::Empty)?.provider_id();
    match resources.iter().all(|resource| resource.provider_id() == first) {
        true => Ok(first),
        false => Err(Error::Multiple),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Resource, Scalar};

    #[test]
    fn resources_have_one_provider_or_none() {
        let own = Resource::scalar("disk", Scalar::from_units(1));
        let provided = own.with_provider_id(Some(Arc::from("p")));
        assert_eq!(of_resources(&Resources::new()), Err(Error::Empty));
        assert_eq!(of_resources(&Resources::from(own.clone())), Ok(None));
        assert_eq!(of_resources(&Resources::from(provided.clone())), Ok(Some(&Arc::from("p"))));
        assert_eq!(of_resources(&Resources::from_iter([own, provided])), Err(Error::Multiple));
    }

    #[test]
    fn an_operation_goes_to_the_provider_of_its_first_resource() {
        let mut operation = Operation { r#type: Some(Type::DESTROY), ..Operation::default() };
        assert_eq!(of_operation(&operation), Err(Error::NoResources));
        let own = Resource::scalar("disk", Scalar::from_units(1));
        operation.destroy.get_or_insert_default().volumes.push(own.to_proto());
        assert_eq!(of_operation(&operation), Ok(None));
        operation.destroy.get_or_insert_default().volumes[0] = own.with_provider_id(Some(Arc::from("p"))).to_proto();
        assert_eq!(of_operation(&operation), Ok(Some("p")));
        assert_eq!(of_operation(&Operation::default()), Err(Error::Unknown));
    }
}
