//! `/metrics/snapshot`: one flat object of names and doubles, sorted.
//!
//! Source: Mesos `3rdparty/libprocess/src/metrics/metrics.cpp`.

use std::collections::BTreeMap;
use tepui_base::duration;
use tepui_proto::json::Writer;
use tepui_proto::mesos::Metric;
use tepui_wire::{Request, Response};

/// Names and values, sorted.
pub type Values = BTreeMap<String, f64>;

/// The answer, with these values. All of them are known at once, so a `timeout` is only checked.
pub fn respond(values: &Values, request: &Request) -> Response {
    let query = request.query_pairs();
    if let Some(timeout) = query.get("timeout")
        && let Err(error) = duration::parse(timeout)
    {
        return Response::text(400, format!("Invalid timeout '{timeout}': {error}.\n"));
    }
    let mut writer = Writer::new();
    writer.object(|w| values.iter().for_each(|(name, value)| w.field_double(name, *value)));
    Response::json(writer.finish(), query.get("jsonp").map(String::as_str))
}

/// The same for GET_METRICS.
pub fn to_proto(values: Values) -> Vec<Metric> {
    let metric = |(name, value)| Metric { name, value: Some(value), ..Default::default() };
    values.into_iter().map(metric).collect()
}
