//! The three ways a resource is written in messages, and the one in which it is kept.
//!
//! * *pre reservation refinement*: `role` (`*` if unreserved) and, if dynamic, `reservation`; what old agents, old
//!   frameworks and files know.
//! * *post reservation refinement*: only the stack `reservations`; what is used inside.
//! * *endpoint*: both, where the old one can say it; what JSON endpoints show.
//!
//! Facts from `src/common/resources_utils.cpp`. Fields this version does not know are kept where a message is changed
//! in place ([`upgrade`], [`downgrade`]), but not by a [`Resource`].

use std::sync::Arc;

use tepui_proto::MessageField;
use tepui_proto::mesos;
use tepui_proto::mesos::resource::{
    AllocationInfo, DiskInfo, ReservationInfo, RevocableInfo, SharedInfo, disk_info, reservation_info,
};
use tepui_proto::mesos::value;

use crate::labels::Label;
use crate::reservation::Kind;
use crate::resource::Traits;
use crate::{
    Disk, Labels, Persistence, Ranges, Reservation, Resource, Resources, Role, Root, Scalar, Set, Source, SourceKind,
    Value, roles, validate,
};

/// A resource with refined reservations was to be written in a format that cannot say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Cannot downgrade resources containing refined reservations")]
pub struct RefinedReservation;

/// Brings a message in any format to the new one. It need not be valid.
pub fn upgrade(message: &mut mesos::Resource) {
    if !message.reservations.is_empty() {
        message.role = None;
        message.reservation = MessageField::none();
        return;
    }
    let Some(role) = message.role.take().filter(|role| role != roles::STAR) else { return };
    let mut reservation = match message.reservation.take() {
        Some(dynamic) => ReservationInfo { r#type: Some(reservation_info::Type::DYNAMIC), ..dynamic },
        None => ReservationInfo { r#type: Some(reservation_info::Type::STATIC), ..ReservationInfo::default() },
    };
    reservation.role = Some(role);
    message.reservations.push(reservation);
}

/// Brings messages in any format to the new one.
pub fn upgrade_all(messages: &mut [mesos::Resource]) {
    messages.iter_mut().for_each(upgrade);
}

/// Brings a message in the new format to the old one; if that is impossible, leaves it alone and says so.
pub fn downgrade(message: &mut mesos::Resource) -> Result<(), RefinedReservation> {
    if message.reservations.len() > 1 {
        return Err(RefinedReservation);
    }
    add_old_fields(message);
    message.reservations.clear();
    Ok(())
}

/// Brings each message to the old format that can be, and says whether all could.
pub fn downgrade_all(messages: &mut [mesos::Resource]) -> Result<(), RefinedReservation> {
    messages.iter_mut().map(downgrade).fold(Ok(()), Result::and)
}

/// Brings a message in the new format to the one that JSON endpoints show.
pub fn to_endpoint(message: &mut mesos::Resource) {
    add_old_fields(message);
}

/// Says in the old fields what the stack says, if it is not refined.
fn add_old_fields(message: &mut mesos::Resource) {
    match &*message.reservations {
        [] => message.role = Some(roles::STAR.to_owned()),
        [single] => {
            if single.r#type == Some(reservation_info::Type::DYNAMIC) {
                message.reservation = MessageField::some(ReservationInfo {
                    principal: single.principal.clone(),
                    labels: single.labels.clone(),
                    ..ReservationInfo::default()
                });
            }
            message.role = Some(single.role.clone().unwrap_or_default());
        }
        _ => {}
    }
}

/// Allocates to `role` each message that is allocated to none.
pub fn inject_allocation(messages: &mut [mesos::Resource], role: &Role) {
    for message in messages.iter_mut().filter(|message| message.allocation_info.is_unset()) {
        message.allocation_info = allocation_info(Some(role));
    }
}

/// Marks each message as allocated to none.
pub fn strip_allocation(messages: &mut [mesos::Resource]) {
    messages.iter_mut().for_each(|message| message.allocation_info = MessageField::none());
}

impl Resource {
    /// Reads a message in any format, after checking it.
    pub fn from_proto(message: &mesos::Resource) -> Result<Resource, validate::Error> {
        validate::resource(message)?;
        Ok(read(message))
    }

    /// The message in the new format.
    pub fn to_proto(&self) -> mesos::Resource {
        let (kind, scalar, ranges, set) = write_value(self.value());
        mesos::Resource {
            provider_id: self
                .provider_id()
                .map(|id| mesos::ResourceProviderID { value: id.to_string(), ..Default::default() })
                .into(),
            name: self.name().as_str().to_owned(),
            r#type: kind,
            scalar,
            ranges,
            set,
            allocation_info: allocation_info(self.allocation_role()),
            reservations: self.reservations().iter().map(ReservationInfo::from).collect(),
            disk: self.disk().map(DiskInfo::from).into(),
            revocable: self.is_revocable().then(RevocableInfo::default).into(),
            shared: self.is_shared().then(SharedInfo::default).into(),
            ..Default::default()
        }
    }

    /// The message as JSON endpoints show it.
    pub fn to_endpoint(&self) -> mesos::Resource {
        let mut message = self.to_proto();
        to_endpoint(&mut message);
        message
    }

    /// The message in the old format.
    pub fn to_downgraded(&self) -> Result<mesos::Resource, RefinedReservation> {
        let mut message = self.to_proto();
        downgrade(&mut message)?;
        Ok(message)
    }
}

impl Resources {
    /// Reads messages in any format. Invalid ones are left out, as Mesos does after it has checked a call.
    pub fn from_proto(messages: &[mesos::Resource]) -> Resources {
        messages.iter().filter_map(|message| Resource::from_proto(message).ok()).collect()
    }

    /// Reads messages in any format, after checking them.
    pub fn try_from_proto(messages: &[mesos::Resource]) -> Result<Resources, validate::ListError> {
        validate::list(messages)?;
        Ok(messages.iter().map(read).collect())
    }

    /// The messages in the new format. Copies of a shared resource are written once, as in Mesos.
    pub fn to_proto(&self) -> Vec<mesos::Resource> {
        self.iter().map(Resource::to_proto).collect()
    }

    /// The messages as JSON endpoints show them.
    pub fn to_endpoint(&self) -> Vec<mesos::Resource> {
        self.iter().map(Resource::to_endpoint).collect()
    }

    /// The messages in the old format.
    pub fn to_downgraded(&self) -> Result<Vec<mesos::Resource>, RefinedReservation> {
        self.iter().map(Resource::to_downgraded).collect()
    }
}

/// A message as text, valid or not: ranges and items stand as they came. Like Mesos, it shows no reservation in the old
/// format.
pub(crate) fn describe(message: &mesos::Resource) -> String {
    let stack = message.reservations.iter().filter_map(|info| validate::reservation(info).ok());
    let resource = read_traits(message, stack.collect());
    let (text, read) = (resource.to_string(), format!(":{}", resource.value()));
    match (text.rfind(&read), as_it_came(message)) {
        (Some(at), Some(raw)) => format!("{}:{raw}{}", &text[..at], &text[at + read.len()..]),
        _ => text,
    }
}

fn as_it_came(message: &mesos::Resource) -> Option<String> {
    match message.r#type {
        value::Type::RANGES => {
            let ranges = message.ranges.range.iter().map(|range| format!("{}-{}", range.begin, range.end));
            Some(format!("[{}]", ranges.collect::<Vec<_>>().join(", ")))
        }
        value::Type::SET => Some(format!("{{{}}}", message.set.item.join(", "))),
        _ => None,
    }
}

/// Reads a valid message.
fn read(message: &mesos::Resource) -> Resource {
    let stack: Vec<Reservation> = match &*message.reservations {
        [] => read_old_reservation(message).into_iter().collect(),
        stack => stack.iter().filter_map(|info| validate::reservation(info).ok()).collect(),
    };
    read_traits(message, stack)
}

fn read_old_reservation(message: &mesos::Resource) -> Option<Reservation> {
    let role = message.role.as_deref().filter(|role| *role != roles::STAR)?;
    Some(match message.reservation.as_option() {
        Some(info) => reservation(info, Kind::Dynamic, role),
        None => Reservation::fixed(role),
    })
}

fn read_traits(message: &mesos::Resource, stack: Vec<Reservation>) -> Resource {
    let role = message.allocation_info.as_option().and_then(|info| info.role.as_deref()).map(Role::from);
    let resource = Resource::new(&*message.name, read_value(message)).with_allocation(role);
    let plain = stack.is_empty()
        && message.disk.is_unset()
        && message.provider_id.is_unset()
        && message.revocable.is_unset()
        && message.shared.is_unset();
    if plain {
        return resource;
    }
    resource.with_traits(|traits: &mut Traits| {
        traits.reservations = stack.into();
        traits.disk = message.disk.as_option().map(Disk::from);
        traits.provider_id = message.provider_id.as_option().map(|id| Arc::from(&*id.value));
        traits.revocable = message.revocable.is_set();
        traits.shared = message.shared.is_set();
    })
}

fn read_value(message: &mesos::Resource) -> Value {
    match message.r#type {
        value::Type::SCALAR => Value::Scalar(Scalar::from_f64(message.scalar.value)),
        value::Type::RANGES => Value::Ranges(Ranges::from(&*message.ranges)),
        value::Type::SET => Value::Set(Set::from(&*message.set)),
        // Validation refuses texts; this one is only described.
        value::Type::TEXT => Value::Scalar(Scalar::ZERO),
    }
}

type ValueFields = (value::Type, MessageField<value::Scalar>, MessageField<value::Ranges>, MessageField<value::Set>);

fn write_value(value: &Value) -> ValueFields {
    let (no_scalar, no_ranges, no_set) = (MessageField::none(), MessageField::none(), MessageField::none());
    match value {
        Value::Scalar(amount) => (value::Type::SCALAR, MessageField::some((*amount).into()), no_ranges, no_set),
        Value::Ranges(ranges) => (value::Type::RANGES, no_scalar, MessageField::some(ranges.into()), no_set),
        Value::Set(set) => (value::Type::SET, no_scalar, no_ranges, MessageField::some(set.into())),
    }
}

fn allocation_info(role: Option<&Role>) -> MessageField<AllocationInfo> {
    let info = |role: &Role| AllocationInfo { role: Some(role.as_str().to_owned()), ..Default::default() };
    role.map(info).into()
}

/// Reads who reserved and why; type and role stand elsewhere in the old format.
pub(crate) fn reservation(info: &ReservationInfo, kind: Kind, role: &str) -> Reservation {
    Reservation {
        kind,
        role: Role::from(role),
        principal: info.principal.as_deref().map(Arc::from),
        labels: info.labels.as_option().map(Labels::from),
    }
}

impl From<&Reservation> for ReservationInfo {
    fn from(reservation: &Reservation) -> ReservationInfo {
        ReservationInfo {
            r#type: Some(match reservation.kind {
                Kind::Static => reservation_info::Type::STATIC,
                Kind::Dynamic => reservation_info::Type::DYNAMIC,
            }),
            role: Some(reservation.role.as_str().to_owned()),
            principal: reservation.principal.as_deref().map(str::to_owned),
            labels: reservation.labels.as_ref().map(mesos::Labels::from).into(),
            ..Default::default()
        }
    }
}

impl From<&DiskInfo> for Disk {
    fn from(info: &DiskInfo) -> Disk {
        Disk {
            persistence: info.persistence.as_option().map(|persistence| Persistence {
                id: Arc::from(&*persistence.id),
                principal: persistence.principal.as_deref().map(Arc::from),
            }),
            volume: info.volume.as_option().cloned().map(Arc::new),
            source: info.source.as_option().and_then(read_source),
        }
    }
}

/// `None` for a kind that validation refuses.
fn read_source(source: &disk_info::Source) -> Option<Source> {
    use disk_info::source::Type;
    let text = |field: &Option<String>| field.as_deref().map(Arc::from);
    Some(Source {
        kind: match source.r#type {
            Type::PATH => SourceKind::Path,
            Type::MOUNT => SourceKind::Mount,
            Type::BLOCK => SourceKind::Block,
            Type::RAW => SourceKind::Raw,
            Type::UNKNOWN => return None,
        },
        path: source.path.as_option().map(|path| Root(text(&path.root))),
        mount: source.mount.as_option().map(|mount| Root(text(&mount.root))),
        vendor: text(&source.vendor),
        id: text(&source.id),
        metadata: source.metadata.as_option().map(Labels::from),
        profile: text(&source.profile),
    })
}

impl From<&Disk> for DiskInfo {
    fn from(disk: &Disk) -> DiskInfo {
        let persistence = disk.persistence.as_ref().map(|persistence| disk_info::Persistence {
            id: persistence.id.to_string(),
            principal: persistence.principal.as_deref().map(str::to_owned),
            ..Default::default()
        });
        DiskInfo {
            persistence: persistence.into(),
            volume: disk.volume.as_deref().cloned().into(),
            source: disk.source.as_ref().map(write_source).into(),
            ..Default::default()
        }
    }
}

fn write_source(source: &Source) -> disk_info::Source {
    use disk_info::source::{Mount, Path, Type};
    let text = |field: &Option<Arc<str>>| field.as_deref().map(str::to_owned);
    disk_info::Source {
        r#type: match source.kind {
            SourceKind::Path => Type::PATH,
            SourceKind::Mount => Type::MOUNT,
            SourceKind::Block => Type::BLOCK,
            SourceKind::Raw => Type::RAW,
        },
        path: source.path.as_ref().map(|root| Path { root: text(&root.0), ..Default::default() }).into(),
        mount: source.mount.as_ref().map(|root| Mount { root: text(&root.0), ..Default::default() }).into(),
        vendor: text(&source.vendor),
        id: text(&source.id),
        metadata: source.metadata.as_ref().map(mesos::Labels::from).into(),
        profile: text(&source.profile),
        ..Default::default()
    }
}

impl From<&mesos::Labels> for Labels {
    fn from(message: &mesos::Labels) -> Labels {
        Labels(
            message.labels.iter().map(|label| Label { key: label.key.clone(), value: label.value.clone() }).collect(),
        )
    }
}

impl From<&Labels> for mesos::Labels {
    fn from(labels: &Labels) -> mesos::Labels {
        let message =
            |label: &Label| mesos::Label { key: label.key.clone(), value: label.value.clone(), ..Default::default() };
        mesos::Labels { labels: labels.0.iter().map(message).collect(), ..Default::default() }
    }
}

impl From<&value::Scalar> for Scalar {
    fn from(message: &value::Scalar) -> Scalar {
        Scalar::from_f64(message.value)
    }
}

impl From<Scalar> for value::Scalar {
    fn from(amount: Scalar) -> value::Scalar {
        value::Scalar { value: amount.to_f64(), ..Default::default() }
    }
}

impl From<&value::Ranges> for Ranges {
    fn from(message: &value::Ranges) -> Ranges {
        Ranges::new(message.range.iter().map(|range| (range.begin, range.end)))
    }
}

impl From<&Ranges> for value::Ranges {
    fn from(ranges: &Ranges) -> value::Ranges {
        let message =
            |range: crate::ranges::Range| value::Range { begin: range.begin, end: range.end, ..Default::default() };
        value::Ranges { range: ranges.iter().map(message).collect(), ..Default::default() }
    }
}

impl From<&value::Set> for Set {
    fn from(message: &value::Set) -> Set {
        Set::new(message.item.iter().map(String::as_str))
    }
}

impl From<&Set> for value::Set {
    fn from(set: &Set) -> value::Set {
        value::Set { item: set.iter().map(str::to_owned).collect(), ..Default::default() }
    }
}
