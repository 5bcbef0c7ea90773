//! What agents have, offers hold and tasks use: the algebra of resources, on compact types of our own.
//!
//! A [`Resource`] is an amount of something (a [`Scalar`], [`Ranges`] or a [`Set`]) with all that keeps it apart from
//! other amounts of the same thing: reservations, disk particulars, the role it is allocated to. [`Resources`] is a
//! bag of them with sums, differences and containment. [`Quantities`] and [`Limits`] are amounts by name only, for
//! quota and fair shares.
//!
//! Messages are read and written in [`mod@format`] and checked in [`validate`]; no arithmetic is ever done on them.
//! Flags are read in [`parse`]. Whatever of `src/common/resources.cpp`, `resources_utils.cpp`, `values.cpp`,
//! `attributes.cpp`, `resource_quantities.cpp` and `roles.cpp` of Mesos 1.11 a client can see is here.
//!
//! Not here: who gets what (the allocator), and whether a caller may ask for it (authorization and the master's own
//! validation).

pub mod attributes;
pub mod checkpoint;
pub mod disk;
mod find;
pub mod format;
#[doc(hidden)]
pub mod fuzz;
pub mod labels;
pub mod name;
pub mod operation;
pub mod parse;
pub mod provider;
pub mod quantities;
pub mod ranges;
pub mod reservation;
pub mod resource;
pub mod resources;
pub mod roles;
pub mod scalar;
pub mod set;
mod shrink;
pub mod sums;
pub mod validate;
pub mod value;

pub use attributes::{Attribute, Attributes};
pub use disk::{Disk, Persistence, Root, Source, SourceKind};
pub use labels::{Label, Labels};
pub use name::Name;
pub use operation::Conversion;
pub use quantities::{Limits, Quantities};
pub use ranges::{Range, Ranges};
pub use reservation::Reservation;
pub use resource::Resource;
pub use resources::Resources;
pub use roles::Role;
pub use scalar::Scalar;
pub use set::Set;
pub use sums::Sums;
pub use value::Value;
