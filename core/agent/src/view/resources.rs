//! Resources as the endpoints from before V1 show them: amounts by name, whoever they are reserved for.

use std::collections::BTreeMap;
use tepui_proto::json::Writer;
use tepui_proto::mesos::value::{Range, Type};
use tepui_proto::mesos::{Attribute, Resource};

/// Always shown, with 0.0 if there is none.
const USUAL: [&str; 4] = ["disk", "mem", "gpus", "cpus"];

/// `{"disk":..,"mem":..,"gpus":..,"cpus":..,"ports":"[31000-32000]"}`
pub fn write<'a>(out: &mut Writer, resources: impl IntoIterator<Item = &'a Resource>) {
    let mut scalars: BTreeMap<String, f64> = BTreeMap::new();
    let mut ranges: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for resource in resources {
        let suffix = if resource.revocable.is_set() { "_revocable" } else { "" };
        let name = format!("{}{suffix}", resource.name);
        match resource.r#type {
            Type::SCALAR => *scalars.entry(name).or_default() += resource.scalar.value,
            Type::RANGES => ranges.entry(name).or_default().extend(bounds(&resource.ranges.range)),
            Type::SET => sets.entry(name).or_default().extend(resource.set.item.iter().cloned()),
            Type::TEXT => {}
        }
    }
    out.object(|out| {
        for name in USUAL {
            out.field_double(name, thousandths(scalars.remove(name).unwrap_or(0.0)));
        }
        scalars.iter().for_each(|(name, value)| out.field_double(name, thousandths(*value)));
        ranges.into_iter().for_each(|(name, list)| out.field_string(&name, &ranges_text(list)));
        sets.into_iter().for_each(|(name, list)| out.field_string(&name, &set_text(list)));
    });
}

/// `{"rack":"r1","zone":2.0}`
pub fn write_attributes(out: &mut Writer, attributes: &[Attribute]) {
    out.object(|out| {
        for attribute in attributes {
            let name = &attribute.name;
            match attribute.r#type {
                Type::SCALAR => out.field_double(name, attribute.scalar.value),
                Type::TEXT => out.field_string(name, &attribute.text.value),
                Type::RANGES => out.field_string(name, &ranges_text(bounds(&attribute.ranges.range).collect())),
                Type::SET => out.field_string(name, &set_text(attribute.set.item.clone())),
            }
        }
    });
}

/// The role a resource is reserved for, if it is.
pub fn reservation(resource: &Resource) -> Option<&str> {
    resource.reservations.last()?.role.as_deref()
}

fn bounds(ranges: &[Range]) -> impl Iterator<Item = (u64, u64)> + '_ {
    ranges.iter().map(|range| (range.begin, range.end))
}

/// Sorted, with touching ranges joined.
fn ranges_text(mut ranges: Vec<(u64, u64)>) -> String {
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (begin, end) in ranges {
        match joined.last_mut() {
            Some(last) if begin <= last.1.saturating_add(1) => last.1 = last.1.max(end),
            _ => joined.push((begin, end)),
        }
    }
    let text: Vec<String> = joined.iter().map(|(begin, end)| format!("{begin}-{end}")).collect();
    format!("[{}]", text.join(", "))
}

fn set_text(items: Vec<String>) -> String {
    format!("{{{}}}", items.join(", "))
}

/// Amounts have three decimals; sums of doubles have more.
pub fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined() {
        assert_eq!(ranges_text(vec![(5, 6), (1, 2), (3, 4), (9, 9)]), "[1-6, 9-9]");
    }
}
