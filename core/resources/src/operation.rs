//! What offer operations do to resources: each is one or more exchanges of some resources for others.
//!
//! Facts from `getResourceConversions`, `validateAndUpgradeResources` (`src/common/resources_utils.cpp`) and
//! `injectAllocationInfo` (`src/common/protobuf_utils.cpp`). Whether the caller may do it, and whether what it names
//! is in use, is for the master to judge.

use tepui_proto::mesos;
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::offer::operation::{GrowVolume, ShrinkVolume, Type};

use crate::{Quantities, Resource, Resources, Role, Scalar, Value, format, validate};

/// One exchange.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// What is given.
    pub consumed: Resources,
    /// What is got.
    pub converted: Resources,
    /// A volume of which no copy may be left afterwards.
    pub removed: Option<Resource>,
}

/// Why resources cannot be exchanged; the texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An operation of a later version.
    #[error("Unknown operation")]
    Unknown,
    /// Launches exchange nothing; what a storage provider does is known only once it is done.
    #[error("Operation not supported")]
    NotSupported,
    /// Volumes of resource providers cannot be resized.
    #[error("Operation not supported for resource provider")]
    NotSupportedForProvider,
    /// A resource of the operation is not valid.
    #[error(transparent)]
    Invalid(#[from] validate::Error),
    /// There is no reservation to take off.
    #[error("{0} is not reserved")]
    NotReserved(String),
    /// There is not enough to give.
    #[error("{have} does not contain {wanted}")]
    NotContained {
        /// What there is.
        have: String,
        /// What is to be given.
        wanted: String,
    },
    /// Other copies of a shared volume are still there.
    #[error("Persistent volume {0} cannot be removed due to additional shared copies")]
    SharedCopies(String),
    /// More or less would be got than was given.
    #[error("The operation changes the amount of resources from {before} to {after}")]
    Unbalanced {
        /// Amounts before.
        before: String,
        /// Amounts after.
        after: String,
    },
    /// An operation that is no exchange.
    #[error("Cannot get conversions: {0}")]
    Conversions(Box<Error>),
}

impl Conversion {
    fn new(consumed: impl Into<Resources>, converted: impl Into<Resources>) -> Conversion {
        Conversion { consumed: consumed.into(), converted: converted.into(), removed: None }
    }
}

impl Resources {
    /// These resources after one exchange.
    pub fn convert(&self, conversion: &Conversion) -> Result<Resources, Error> {
        let Conversion { consumed, converted, removed } = conversion;
        if !self.contains(consumed) {
            return Err(Error::NotContained { have: self.to_string(), wanted: consumed.to_string() });
        }
        let result = self - consumed + converted;
        match removed.as_ref().filter(|volume| result.contains_one(volume)) {
            Some(volume) => Err(Error::SharedCopies(volume.to_string())),
            None => Ok(result),
        }
    }

    /// These resources after an operation. No operation may change how much there is.
    pub fn apply(&self, operation: &Operation) -> Result<Resources, Error> {
        let conversions = conversions(operation).map_err(|error| Error::Conversions(Box::new(error)))?;
        let result = conversions.iter().try_fold(self.clone(), |sum, conversion| sum.convert(conversion))?;
        let (before, after) = (Quantities::from_resources(self), Quantities::from_resources(&result));
        if before != after {
            return Err(Error::Unbalanced { before: before.to_string(), after: after.to_string() });
        }
        Ok(result)
    }
}

/// The exchanges an operation is made of. Its resources may be in any format.
pub fn conversions(operation: &Operation) -> Result<Vec<Conversion>, Error> {
    match operation.r#type.unwrap_or(Type::UNKNOWN) {
        Type::UNKNOWN => Err(Error::Unknown),
        Type::LAUNCH | Type::LAUNCH_GROUP | Type::CREATE_DISK | Type::DESTROY_DISK => Err(Error::NotSupported),
        Type::RESERVE => Ok(vec![reserve(&operation.reserve.source, &operation.reserve.resources)?]),
        Type::UNRESERVE => operation.unreserve.resources.iter().map(unreserve).collect(),
        Type::CREATE => operation.create.volumes.iter().map(create).collect(),
        Type::DESTROY => operation.destroy.volumes.iter().map(destroy).collect(),
        Type::GROW_VOLUME => Ok(vec![grow(&operation.grow_volume)?]),
        Type::SHRINK_VOLUME => Ok(vec![shrink(&operation.shrink_volume)?]),
    }
}

/// Without a source, one reservation is pushed on top of what is there.
fn reserve(source: &[mesos::Resource], resources: &[mesos::Resource]) -> Result<Conversion, Error> {
    let reserved = Resources::from_proto(resources);
    let consumed = match source {
        [] => reserved.pop_reservation().ok_or_else(|| Error::NotReserved(reserved.to_string()))?,
        source => Resources::from_proto(source),
    };
    Ok(Conversion::new(consumed, reserved))
}

fn unreserve(message: &mesos::Resource) -> Result<Conversion, Error> {
    let reserved = Resources::from(Resource::from_proto(message)?);
    let converted = reserved.pop_reservation().ok_or_else(|| Error::NotReserved(reserved.to_string()))?;
    Ok(Conversion::new(reserved, converted))
}

fn create(message: &mesos::Resource) -> Result<Conversion, Error> {
    let volume = Resource::from_proto(message)?;
    Ok(Conversion::new(volume.without_volume(), volume))
}

fn destroy(message: &mesos::Resource) -> Result<Conversion, Error> {
    let volume = Resource::from_proto(message)?;
    let removed = Some(volume.clone());
    Ok(Conversion { removed, ..Conversion::new(volume.clone(), volume.without_volume()) })
}

fn grow(operation: &GrowVolume) -> Result<Conversion, Error> {
    let volume = resizable(&operation.volume)?;
    let addition = Resource::from_proto(&operation.addition)?;
    let grown = resized(&volume, |amount| amount + addition.amount().unwrap_or(Scalar::ZERO));
    Ok(Conversion::new(Resources::from_iter([volume, addition]), grown))
}

fn shrink(operation: &ShrinkVolume) -> Result<Conversion, Error> {
    let volume = resizable(&operation.volume)?;
    let less = Scalar::from_f64(operation.subtract.value);
    let freed = resized(&volume.without_volume(), |_| less);
    let shrunk = resized(&volume, |amount| amount - less);
    Ok(Conversion::new(volume, Resources::from_iter([shrunk, freed])))
}

fn resizable(message: &mesos::Resource) -> Result<Resource, Error> {
    let volume = Resource::from_proto(message)?;
    if volume.provider_id().is_some() { Err(Error::NotSupportedForProvider) } else { Ok(volume) }
}

fn resized(volume: &Resource, size: impl FnOnce(Scalar) -> Scalar) -> Resource {
    volume.with_value(Value::Scalar(size(volume.amount().unwrap_or(Scalar::ZERO))))
}

/// Why an operation is refused before anyone looks at what it wants; the texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The field of its type is not set.
    #[error("{0}")]
    Missing(&'static str),
    /// One resource of several is not valid.
    #[error(transparent)]
    List(#[from] validate::ListError),
    /// The one resource is not valid.
    #[error(transparent)]
    Single(#[from] validate::Error),
    /// An operation of a later version.
    #[error("Unknown offer operation")]
    Unknown,
}

/// Checks all resources of an operation and brings them to the new format.
pub fn validate_and_upgrade(operation: &mut Operation) -> Result<(), Malformed> {
    check_present(operation)?;
    visit(operation, &mut |part| match part {
        Part::List(resources) | Part::Source(resources) => Ok(validate::list(resources)?),
        Part::Single(resource) => Ok(validate::resource(resource)?),
    })?;
    visit(operation, &mut |part| {
        format::upgrade_all(part.into_slice());
        Ok(())
    })
}

/// Allocates to `role` what the operation names as allocated to none. The source of a reservation is left alone, as in
/// Mesos.
pub fn inject_allocation(operation: &mut Operation, role: &Role) {
    visit_all(operation, |part| match part {
        Part::Source(_) => {}
        part => format::inject_allocation(part.into_slice(), role),
    });
}

/// Marks all that the operation names as allocated to none. The source of a reservation is left alone, as in Mesos.
pub fn strip_allocation(operation: &mut Operation) {
    visit_all(operation, |part| match part {
        Part::Source(_) => {}
        part => format::strip_allocation(part.into_slice()),
    });
}

/// Resources in an operation.
enum Part<'a> {
    /// Some of several.
    List(&'a mut [mesos::Resource]),
    /// The only one in its field.
    Single(&'a mut mesos::Resource),
    /// What a reservation is made of.
    Source(&'a mut [mesos::Resource]),
}

impl<'a> Part<'a> {
    fn into_slice(self) -> &'a mut [mesos::Resource] {
        match self {
            Part::List(resources) | Part::Source(resources) => resources,
            Part::Single(resource) => std::slice::from_mut(resource),
        }
    }
}

fn visit_all(operation: &mut Operation, mut each: impl FnMut(Part<'_>)) {
    let visited = visit(operation, &mut |part| {
        each(part);
        Ok(())
    });
    debug_assert!(visited.is_ok(), "a visitor that never fails");
}

type Visitor<'v> = &'v mut dyn FnMut(Part<'_>) -> Result<(), Malformed>;

/// Shows the visitor all resources in the field of the operation's type.
fn visit(operation: &mut Operation, each: Visitor<'_>) -> Result<(), Malformed> {
    match operation.r#type.unwrap_or(Type::UNKNOWN) {
        Type::UNKNOWN => Ok(()),
        Type::LAUNCH => {
            let launch = operation.launch.as_option_mut();
            launch.map_or(Ok(()), |launch| visit_tasks(&mut launch.task_infos, each))
        }
        Type::LAUNCH_GROUP => {
            let Some(launch) = operation.launch_group.as_option_mut() else { return Ok(()) };
            if let Some(executor) = launch.executor.as_option_mut() {
                each(Part::List(&mut executor.resources))?;
            }
            let group = launch.task_group.as_option_mut();
            group.map_or(Ok(()), |group| visit_tasks(&mut group.tasks, each))
        }
        Type::RESERVE => {
            let Some(reserve) = operation.reserve.as_option_mut() else { return Ok(()) };
            each(Part::List(&mut reserve.resources))?;
            each(Part::Source(&mut reserve.source))
        }
        Type::UNRESERVE => visit_list(operation.unreserve.as_option_mut().map(|op| &mut op.resources), each),
        Type::CREATE => visit_list(operation.create.as_option_mut().map(|op| &mut op.volumes), each),
        Type::DESTROY => visit_list(operation.destroy.as_option_mut().map(|op| &mut op.volumes), each),
        Type::GROW_VOLUME => {
            let Some(grow) = operation.grow_volume.as_option_mut() else { return Ok(()) };
            visit_single(grow.volume.as_option_mut(), each)?;
            visit_single(grow.addition.as_option_mut(), each)
        }
        Type::SHRINK_VOLUME => {
            visit_single(operation.shrink_volume.as_option_mut().and_then(|op| op.volume.as_option_mut()), each)
        }
        Type::CREATE_DISK => {
            visit_single(operation.create_disk.as_option_mut().and_then(|op| op.source.as_option_mut()), each)
        }
        Type::DESTROY_DISK => {
            visit_single(operation.destroy_disk.as_option_mut().and_then(|op| op.source.as_option_mut()), each)
        }
    }
}

fn visit_tasks(tasks: &mut [mesos::TaskInfo], each: Visitor<'_>) -> Result<(), Malformed> {
    tasks.iter_mut().try_for_each(|task| {
        each(Part::List(&mut task.resources))?;
        let executor = task.executor.as_option_mut();
        executor.map_or(Ok(()), |executor| each(Part::List(&mut executor.resources)))
    })
}

fn visit_list(resources: Option<&mut Vec<mesos::Resource>>, each: Visitor<'_>) -> Result<(), Malformed> {
    resources.map_or(Ok(()), |resources| each(Part::List(resources)))
}

fn visit_single(resource: Option<&mut mesos::Resource>, each: Visitor<'_>) -> Result<(), Malformed> {
    resource.map_or(Ok(()), |resource| each(Part::Single(resource)))
}

/// The field that belongs to the operation's type must be there.
fn check_present(operation: &Operation) -> Result<(), Malformed> {
    let (present, text) = match operation.r#type.unwrap_or(Type::UNKNOWN) {
        Type::UNKNOWN => return Err(Malformed::Unknown),
        Type::RESERVE => {
            (operation.reserve.is_set(), "A RESERVE offer operation must have the Offer.Operation.reserve field set.")
        }
        Type::UNRESERVE => (
            operation.unreserve.is_set(),
            "An UNRESERVE offer operation must have the Offer.Operation.unreserve field set.",
        ),
        Type::CREATE => {
            (operation.create.is_set(), "A CREATE offer operation must have the Offer.Operation.create field set.")
        }
        Type::DESTROY => {
            (operation.destroy.is_set(), "A DESTROY offer operation must have the Offer.Operation.destroy field set.")
        }
        Type::GROW_VOLUME => (
            operation.grow_volume.is_set(),
            "A GROW_VOLUME operation must have the Offer.Operation.grow_volume field set",
        ),
        Type::SHRINK_VOLUME => (
            operation.shrink_volume.is_set(),
            "A SHRINK_VOLUME offer operation must have the Offer.Operation.shrink_volume field set",
        ),
        Type::LAUNCH => {
            (operation.launch.is_set(), "A LAUNCH offer operation must have the Offer.Operation.launch field set.")
        }
        Type::LAUNCH_GROUP => (
            operation.launch_group.is_set(),
            "A LAUNCH_GROUP offer operation must have the Offer.Operation.launch_group field set.",
        ),
        Type::CREATE_DISK => (
            operation.create_disk.is_set(),
            "A CREATE_DISK offer operation must have the Offer.Operation.create_disk field set.",
        ),
        Type::DESTROY_DISK => (
            operation.destroy_disk.is_set(),
            "A DESTROY_DISK offer operation must have the Offer.Operation.destroy_disk field set.",
        ),
    };
    if present { Ok(()) } else { Err(Malformed::Missing(text)) }
}
