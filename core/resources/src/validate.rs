//! Checks of resources as they come from outside, with the texts Mesos answers
//! (`Resources::validate` of `src/common/resources.cpp`).

use std::collections::{BTreeMap, BTreeSet};

use tepui_proto::mesos;
use tepui_proto::mesos::resource::{DiskInfo, ReservationInfo, disk_info, reservation_info};
use tepui_proto::mesos::value;

use crate::reservation::Kind;
use crate::roles::{self, is_strict_subrole_of};
use crate::{Labels, Reservation, Resources, Scalar, format};

/// Why a resource is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No name.
    #[error("Empty resource name")]
    EmptyName,
    /// A scalar without amount, or with another value besides.
    #[error("Invalid scalar resource")]
    NotScalar,
    /// Less than nothing, or so little that it rounds to nothing.
    #[error("Invalid scalar resource: value <= 0")]
    NotPositive,
    /// Ranges without ranges, or with another value besides.
    #[error("Invalid ranges resource")]
    NotRanges,
    /// A range that runs backwards.
    #[error("Invalid ranges resource: begin > end")]
    InvertedRange,
    /// A range that begins inside one before it.
    #[error("Invalid ranges resource: overlapping ranges")]
    OverlappingRanges,
    /// A set without items, or with another value besides.
    #[error("Invalid set resource")]
    NotSet,
    /// An item twice.
    #[error("Invalid set resource: duplicated elements")]
    DuplicatedElements,
    /// A text.
    #[error("Unsupported resource type")]
    UnsupportedType,
    /// Disk particulars on something else.
    #[error("DiskInfo should not be set for {0} resource")]
    DiskInfoOn(String),
    /// A mount on a block or raw disk.
    #[error("Mount should not be set for {0} disk source")]
    MountOn(&'static str),
    /// A path on a block or raw disk.
    #[error("Path should not be set for {0} disk source")]
    PathOn(&'static str),
    /// A disk source of a later version.
    #[error("Unsupported 'DiskInfo.Source.Type' in 'UNKNOWN'")]
    UnknownSource,
    /// A role that is none.
    #[error(transparent)]
    Role(#[from] roles::Error),
    /// `reservation.type`, which belongs to `reservations`.
    #[error("'Resource.ReservationInfo.type' must not be set for the 'Resource.reservation' field")]
    TypeInOldReservation,
    /// `reservation.role`, which belongs to `reservations`.
    #[error("'Resource.ReservationInfo.role' must not be set for the 'Resource.reservation' field")]
    RoleInOldReservation,
    /// A dynamic reservation for `*` in the old format.
    #[error("Invalid reservation: role \"*\" cannot be dynamically reserved")]
    StarDynamicallyReserved,
    /// An entry of `reservations` without type.
    #[error("Invalid reservation: 'Resource.ReservationInfo.type' field must be set.")]
    NoReservationType,
    /// An entry of `reservations` without role.
    #[error("Invalid reservation: 'Resource.ReservationInfo.role' field must be set.")]
    NoReservationRole,
    /// A reservation for `*`.
    #[error("Invalid reservation: role \"*\" cannot be reserved")]
    StarReserved,
    /// A static reservation on top of another.
    #[error("Invalid refined reservation: A refined reservation cannot be STATIC")]
    StaticRefinement,
    /// A reservation for a role that is not below the one it refines.
    #[error("Invalid refined reservation: role '{descendant}' is not a refinement of '{ancestor}'")]
    NotRefinement {
        /// The role on top.
        descendant: String,
        /// The role below it in the stack.
        ancestor: String,
    },
    /// Old and new format disagree about the role.
    #[error(
        "Invalid resource format: 'Resource.role' field with '{old}' does not match the role '{new}' in \
         'Resource.reservations'"
    )]
    RoleMismatch {
        /// The role of the old format.
        old: String,
        /// The role of the new format.
        new: String,
    },
    /// The old format says dynamic, the new one static.
    #[error(
        "Invalid resource format: 'Resource.reservation' must not be set if the single reservation in \
         'Resource.reservations' is STATIC"
    )]
    OldReservationOfStatic,
    /// Half of the old format.
    #[error(
        "Invalid resource format: 'Resource.role' and 'Resource.reservation' must either be both set or both not set \
         if the single reservation in 'Resource.reservations' is DYNAMIC"
    )]
    HalfOldFormat,
    /// Old and new format disagree about the principal.
    #[error(
        "Invalid resource format: 'Resource.reservation.principal' field with '{old}' does not match the principal \
         '{new}' in 'Resource.reservations'"
    )]
    PrincipalMismatch {
        /// The principal of the old format.
        old: String,
        /// The principal of the new format.
        new: String,
    },
    /// Old and new format disagree about the labels.
    #[error(
        "Invalid resource format: 'Resource.reservation.labels' field with '{old}' does not match the labels '{new}' \
         in 'Resource.reservations'"
    )]
    LabelsMismatch {
        /// The labels of the old format.
        old: String,
        /// The labels of the new format.
        new: String,
    },
    /// A reservation of a type of a later version.
    #[error("Unsupported 'Resource.ReservationInfo.Type'")]
    UnknownReservationType,
    /// The old role beside refined reservations.
    #[error(
        "Invalid resource format: 'Resource.role' must not be set if there is more than one reservation in \
         'Resource.reservations'"
    )]
    RoleWithRefinement,
    /// The old reservation beside refined reservations.
    #[error(
        "Invalid resource format: 'Resource.reservation' must not be set if there is more than one reservation in \
         'Resource.reservations'"
    )]
    OldReservationWithRefinement,
    /// Something other than a disk shared.
    #[error("Resource {0} cannot be shared")]
    CannotShare(String),
    /// A disk shared that is no persistent volume.
    #[error("Only persistent volumes can be shared")]
    SharedWithoutPersistence,
}

/// Why a list of resources is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Resource '{resource}' is invalid: {error}")]
pub struct ListError {
    /// The first invalid resource, as text.
    pub resource: String,
    /// What is wrong with it.
    pub error: Error,
}

/// Checks each resource of a list, in any of the three formats.
pub fn list(resources: &[mesos::Resource]) -> Result<(), ListError> {
    resources.iter().try_for_each(|message| {
        resource(message).map_err(|error| ListError { resource: format::describe(message), error })
    })
}

/// Checks one resource, in any of the three formats.
pub fn resource(message: &mesos::Resource) -> Result<(), Error> {
    if message.name.is_empty() {
        return Err(Error::EmptyName);
    }
    check_value(message)?;
    if let Some(disk) = message.disk.as_option() {
        check_disk(&message.name, disk)?;
    }
    match &*message.reservations {
        [] => check_old_format(message)?,
        stack => {
            let stack = stack.iter().map(reservation).collect::<Result<Vec<_>, _>>()?;
            reservations(&stack)?;
            check_both_formats(message, &stack)?;
        }
    }
    check_shared(message)
}

fn check_value(message: &mesos::Resource) -> Result<(), Error> {
    let (scalar, ranges, set) = (&message.scalar, &message.ranges, &message.set);
    match message.r#type {
        value::Type::SCALAR if scalar.is_unset() || ranges.is_set() || set.is_set() => Err(Error::NotScalar),
        value::Type::SCALAR if scalar.value != 0.0 && Scalar::from_f64(scalar.value) <= Scalar::ZERO => {
            Err(Error::NotPositive)
        }
        value::Type::SCALAR => Ok(()),
        value::Type::RANGES if scalar.is_set() || ranges.is_unset() || set.is_set() => Err(Error::NotRanges),
        value::Type::RANGES => check_ranges(&ranges.range),
        value::Type::SET if scalar.is_set() || ranges.is_set() || set.is_unset() => Err(Error::NotSet),
        value::Type::SET => {
            let distinct: BTreeSet<&str> = set.item.iter().map(String::as_str).collect();
            if distinct.len() == set.item.len() { Ok(()) } else { Err(Error::DuplicatedElements) }
        }
        value::Type::TEXT => Err(Error::UnsupportedType),
    }
}

/// A range may not begin inside an earlier one. (A later one that encloses an earlier one passes, as in Mesos.)
fn check_ranges(ranges: &[value::Range]) -> Result<(), Error> {
    if ranges.iter().any(|range| range.begin > range.end) {
        return Err(Error::InvertedRange);
    }
    // Walking from the last to the first, the set holds where the later ones begin.
    let mut begins = BTreeSet::new();
    for range in ranges.iter().rev() {
        if begins.range(range.begin..=range.end).next().is_some() {
            return Err(Error::OverlappingRanges);
        }
        begins.insert(range.begin);
    }
    Ok(())
}

fn check_disk(name: &str, disk: &DiskInfo) -> Result<(), Error> {
    use disk_info::source::Type;
    if name != "disk" {
        return Err(Error::DiskInfoOn(name.to_owned()));
    }
    let Some(source) = disk.source.as_option() else { return Ok(()) };
    let kind = match source.r#type {
        Type::PATH | Type::MOUNT => return Ok(()),
        Type::BLOCK => "BLOCK",
        Type::RAW => "RAW",
        Type::UNKNOWN => return Err(Error::UnknownSource),
    };
    match (source.mount.is_set(), source.path.is_set()) {
        (true, _) => Err(Error::MountOn(kind)),
        (_, true) => Err(Error::PathOn(kind)),
        _ => Ok(()),
    }
}

fn check_old_format(message: &mesos::Resource) -> Result<(), Error> {
    let role = message.role.as_deref().unwrap_or(roles::STAR);
    roles::validate(role)?;
    match message.reservation.as_option() {
        Some(reservation) if reservation.r#type.is_some() => Err(Error::TypeInOldReservation),
        Some(reservation) if reservation.role.is_some() => Err(Error::RoleInOldReservation),
        Some(_) if role == roles::STAR => Err(Error::StarDynamicallyReserved),
        _ => Ok(()),
    }
}

/// Reads one entry of a stack.
pub(crate) fn reservation(info: &ReservationInfo) -> Result<Reservation, Error> {
    let kind = match info.r#type.ok_or(Error::NoReservationType)? {
        reservation_info::Type::STATIC => Kind::Static,
        reservation_info::Type::DYNAMIC => Kind::Dynamic,
        reservation_info::Type::UNKNOWN => return Err(Error::UnknownReservationType),
    };
    let role = info.role.as_deref().ok_or(Error::NoReservationRole)?;
    check_reserved_role(role)?;
    Ok(format::reservation(info, kind, role))
}

fn check_reserved_role(role: &str) -> Result<(), Error> {
    roles::validate(role)?;
    if role == roles::STAR { Err(Error::StarReserved) } else { Ok(()) }
}

/// Checks that each reservation is for a real role and refines the one before it.
pub fn reservations(stack: &[Reservation]) -> Result<(), Error> {
    stack.iter().try_for_each(|reservation| check_reserved_role(reservation.role.as_str()))?;
    stack.windows(2).try_for_each(|pair| {
        let (ancestor, descendant) = (pair[0].role.as_str(), pair[1].role.as_str());
        if pair[1].kind == Kind::Static {
            return Err(Error::StaticRefinement);
        }
        if is_strict_subrole_of(descendant, ancestor) {
            return Ok(());
        }
        Err(Error::NotRefinement { descendant: descendant.into(), ancestor: ancestor.into() })
    })
}

/// The endpoint format carries both; they must agree.
fn check_both_formats(message: &mesos::Resource, stack: &[Reservation]) -> Result<(), Error> {
    let [single] = stack else {
        return match (&message.role, message.reservation.is_set()) {
            (Some(_), _) => Err(Error::RoleWithRefinement),
            (None, true) => Err(Error::OldReservationWithRefinement),
            (None, false) => Ok(()),
        };
    };
    if let Some(old) = message.role.as_deref().filter(|old| *old != single.role.as_str()) {
        return Err(Error::RoleMismatch { old: old.into(), new: single.role.as_str().into() });
    }
    match (single.kind, message.reservation.as_option()) {
        (Kind::Static, Some(_)) => Err(Error::OldReservationOfStatic),
        (Kind::Static, None) => Ok(()),
        (Kind::Dynamic, old) if old.is_some() != message.role.is_some() => Err(Error::HalfOldFormat),
        (Kind::Dynamic, Some(old)) => check_same_reserver(old, single),
        (Kind::Dynamic, None) => Ok(()),
    }
}

fn check_same_reserver(old: &ReservationInfo, new: &Reservation) -> Result<(), Error> {
    let principals = (old.principal.as_deref().unwrap_or(""), new.principal.as_deref().unwrap_or(""));
    if principals.0 != principals.1 {
        return Err(Error::PrincipalMismatch { old: principals.0.into(), new: principals.1.into() });
    }
    let labels = (Labels::from(&*old.labels), new.labels.clone().unwrap_or_default());
    if labels.0 != labels.1 {
        return Err(Error::LabelsMismatch { old: labels.0.to_string(), new: labels.1.to_string() });
    }
    Ok(())
}

fn check_shared(message: &mesos::Resource) -> Result<(), Error> {
    if message.shared.is_unset() {
        return Ok(());
    }
    if message.name != "disk" {
        return Err(Error::CannotShare(message.name.clone()));
    }
    if message.disk.persistence.is_set() { Ok(()) } else { Err(Error::SharedWithoutPersistence) }
}

/// Why resources may not stand in an agent's flags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// Volumes are made by operations.
    #[error("Persistent volumes cannot be specified at the command line")]
    PersistentVolume,
    /// Revocable resources are estimated.
    #[error(
        "Revocable resources cannot be specified at the command line; do not include a 'revocable' key in the \
         resources JSON"
    )]
    Revocable,
    /// Dynamic reservations are made by operations.
    #[error(
        "Dynamic reservations cannot be specified at the command line; do not include a reservation with DYNAMIC type \
         in the resources JSON"
    )]
    DynamicReservation,
    /// One name for two things.
    #[error("Resources with the same name ('{0}') but different types are not allowed")]
    MixedTypes(String),
}

/// Checks that resources may stand in an agent's flags.
pub fn command_line(resources: &Resources) -> Result<(), CommandLineError> {
    let mut values = BTreeMap::new();
    for resource in resources {
        if resource.is_persistent_volume() {
            return Err(CommandLineError::PersistentVolume);
        }
        if resource.is_revocable() {
            return Err(CommandLineError::Revocable);
        }
        if resource.is_dynamically_reserved() {
            return Err(CommandLineError::DynamicReservation);
        }
        let first = values.entry(resource.name()).or_insert(resource.value());
        if !first.is_like(resource.value()) {
            return Err(CommandLineError::MixedTypes(resource.name().to_string()));
        }
    }
    Ok(())
}
