//! One fuzz body per parser: any bytes may come, nothing may panic, and what is accepted must read back the same.

use tepui_proto::codec;
use tepui_proto::mesos::{self, offer};

use crate::{Attributes, Limits, Quantities, Resource, Resources, Role, format, operation, parse};

/// Flags.
pub fn fuzz_flags(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(resources) = Resources::parse(&text, "web") {
        let again = Resources::try_from_proto(&resources.to_proto()).expect("what we write we can read");
        assert_eq!(again, resources);
    }
    if let Ok(quantities) = Quantities::parse(&text) {
        assert_eq!(Quantities::from_proto(&quantities.to_proto()), quantities);
    }
    drop((parse::entries(&text, "*"), Limits::parse(&text), Attributes::parse(&text)));
}

/// Operations of frameworks and operators, with the resources in them.
pub fn fuzz_operation(data: &[u8]) {
    let Ok(mut message) = codec::decode::<offer::Operation>(data) else { return };
    if operation::validate_and_upgrade(&mut message).is_err() {
        return;
    }
    operation::inject_allocation(&mut message, &Role::from("web"));
    if let Ok(conversions) = operation::conversions(&message) {
        let total = conversions.iter().fold(Resources::new(), |sum, conversion| sum + &conversion.consumed);
        drop(total.apply(&message));
    }
    operation::strip_allocation(&mut message);
}

/// One resource in any format.
pub fn fuzz_resource(data: &[u8]) {
    let Ok(message) = codec::decode::<mesos::Resource>(data) else { return };
    let text = format::describe(&message);
    let Ok(resource) = Resource::from_proto(&message) else { return };
    assert_eq!(Resource::from_proto(&resource.to_endpoint()).as_ref(), Ok(&resource), "{text}");
    let bag = Resources::from(resource);
    assert!((&bag + &bag).contains(&bag), "{text}");
    assert!((bag.clone() - &bag).is_empty(), "{text}");
}
