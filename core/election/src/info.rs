//! How masters tell who they are: the data of a member, in the three forms there have been.
//!
//! Source: Mesos `src/master/detector/zookeeper.cpp`, `src/common/{protobuf_utils,type_utils}.cpp`.

use bytes::Bytes;
use tepui_proto::json::{self, Names};
use tepui_proto::mesos::master_info::{Capability, capability::Type};
use tepui_proto::mesos::{Address, DomainInfo, MasterInfo};
use tepui_proto::{MessageField, codec};
use tepui_wire::Upid;

/// The label of members whose data is JSON, as masters since 0.24 write it (`MASTER_INFO_JSON_LABEL`).
pub const JSON_LABEL: &str = "json.info";
/// The label of members whose data is in the binary form (`MASTER_INFO_LABEL`).
const BINARY_LABEL: &str = "info";

/// What stands in a znode: keys are sorted, as they are in a `JSON::Object` of Mesos.
pub fn to_json(info: &MasterInfo) -> Bytes {
    json::sorted(info, Names::V0).into()
}

/// Whether both are the same master to Mesos, which compares neither addresses nor capabilities.
pub fn is_same(a: &MasterInfo, b: &MasterInfo) -> bool {
    fn key(info: &MasterInfo) -> (&str, u32, u32, &str, &str, &str, Option<&DomainInfo>) {
        (
            &info.id,
            info.ip,
            info.port,
            info.pid.as_deref().unwrap_or_default(),
            info.hostname.as_deref().unwrap_or_default(),
            info.version.as_deref().unwrap_or_default(),
            info.domain.as_option(),
        )
    }
    key(a) == key(b)
}

/// Why a member's data tells no master. The texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A form nobody knows.
    #[error("Failed to parse data of unknown label '{0}'")]
    Label(String),
    /// No protobuf.
    #[error("Failed to parse data into MasterInfo")]
    Binary,
    /// No JSON.
    #[error("Failed to parse data into valid JSON: {0}")]
    Json(json::Error),
    /// JSON of something else.
    #[error("Failed to parse JSON into a valid MasterInfo protocol buffer: {0}")]
    Info(json::Error),
    /// No address of a process.
    #[error("Failed to parse '{0}'")]
    Pid(String),
}

/// Reads a member's data by the member's label.
pub fn parse(label: Option<&str>, data: &[u8]) -> Result<MasterInfo, Error> {
    match label {
        None => {
            let text = String::from_utf8_lossy(data);
            let pid = Upid::parse(&text).filter(Upid::is_valid).ok_or_else(|| Error::Pid(text.into_owned()))?;
            Ok(of_pid(&pid, &pid.to_string()))
        }
        Some(BINARY_LABEL) => codec::decode(data).map_err(|_| Error::Binary),
        Some(JSON_LABEL) => {
            json::parse(data).map_err(Error::Json)?;
            json::from_slice(data, Names::V0).map_err(Error::Info)
        }
        Some(label) => Err(Error::Label(label.to_owned())),
    }
}

/// What is known of a master when nothing but its address is (`createMasterInfo`). No name service is asked.
pub fn of_pid(pid: &Upid, id: &str) -> MasterInfo {
    let capability = |kind| Capability { r#type: Some(kind), ..Capability::default() };
    MasterInfo {
        id: id.to_owned(),
        ip: u32::from_le_bytes(pid.ip.octets()),
        port: u32::from(pid.port),
        pid: Some(pid.to_string()),
        address: MessageField::some(Address {
            ip: Some(pid.ip.to_string()),
            port: i32::from(pid.port),
            ..Address::default()
        }),
        capabilities: [Type::AGENT_UPDATE, Type::AGENT_DRAINING, Type::QUOTA_V2].map(capability).to_vec(),
        ..MasterInfo::default()
    }
}

/// The address that messages for this master go to.
pub fn pid(info: &MasterInfo) -> Option<Upid> {
    info.pid.as_deref().and_then(Upid::parse)
}

/// Why these two cannot be masters of one cluster: both name a region, and not the same.
pub fn region_conflict(leader: &MasterInfo, own: &MasterInfo) -> Option<String> {
    let region = |info: &MasterInfo| {
        let domain = info.domain.as_option()?;
        Some((domain.fault_domain.as_option()?.region.name.clone(), json::sorted(domain, Names::V0)))
    };
    let ((leaders, leader_domain), (ours, own_domain)) = (region(leader)?, region(own)?);
    (leaders != ours).then(|| {
        format!(
            "Leading master uses domain {leader_domain}; this master is configured to use domain {own_domain}; all \
             masters in the same cluster must use the same region"
        )
    })
}
