//! Where two answers differ.

use super::actor::Record;
use super::json::{self, Json};
use super::normal::Normal;

/// Headers whose values differ by nature.
const OWN_HEADERS: [&str; 2] = ["date", "content-length"];
/// What tells one entry of an array from another, if the array's order is that of a hash map.
const IDENTITIES: [&[&str]; 13] = [
    &["id", "hostname"],
    &["id"],
    &["id", "value"],
    &["task_id", "value"],
    &["framework_info", "id", "value"],
    &["agent_info", "id", "value"],
    &["executor_info", "executor_id", "value"],
    &["executor_id"],
    &["executor_id", "value"],
    &["container_id"],
    &["container_id", "value"],
    &["path"],
    &["framework_id"],
];
/// Arrays whose entries are told apart by `name`; elsewhere (resources) the order of names is looked at.
const NAMED: [&str; 3] = ["metrics", "flags", "endpoints"];
/// Ends of keys that hold resources: of the set, not of the order, is what Mesos promises.
const RESOURCES: [&str; 2] = ["resources", "resources_full"];
/// A request with this in its name is about keys and types; its numbers are the machine's.
const SHAPE: &str = "-shape";
/// Longer values are cut where they are shown.
const SHOWN: usize = 160;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The request.
    pub request: String,
    /// Where in the answer: `status`, `headers/Name`, `body`, or `body` and the way into its JSON.
    pub place: String,
    /// What each side has there.
    pub first: String,
    /// The same of the second side.
    pub second: String,
}

/// The body of an answer, as it is compared.
pub fn shown(record: &Record, normal: &Normal) -> String {
    body(record, normal).text()
}

/// Compares two answers to one request.
pub fn compare(first: &Record, second: &Record, normals: [&Normal; 2]) -> Vec<Difference> {
    let mut found = Found { request: first.name.clone(), differences: Vec::new() };
    found.add("status", &first.answer.status, &second.answer.status);
    headers(first, second, normals, &mut found);
    let bodies = [(first, normals[0]), (second, normals[1])].map(|(record, normal)| body(record, normal));
    match &bodies {
        [Body::Json(a), Body::Json(b)] => found.json("body", a, b),
        [a, b] => found.add("body", &a.text(), &b.text()),
    }
    found.differences
}

enum Body {
    Json(Json),
    Text(String),
}

impl Body {
    fn text(&self) -> String {
        match self {
            Body::Json(json) => json.to_string(),
            Body::Text(text) => text.clone(),
        }
    }
}

fn body(record: &Record, normal: &Normal) -> Body {
    let text = String::from_utf8_lossy(&record.answer.body);
    match json::parse(&text).filter(|json| matches!(json, Json::Object(_) | Json::Array(_))) {
        Some(json) if record.name.contains(SHAPE) => Body::Json(sorted(shape(normal.json(&json, "")), "")),
        Some(json) => Body::Json(sorted(normal.json(&json, ""), "")),
        None => Body::Text(normal.text(&text)),
    }
}

fn headers(first: &Record, second: &Record, normals: [&Normal; 2], found: &mut Found) {
    let of = |record: &Record, normal: &Normal| {
        let headers = record.answer.headers.iter().map(|(name, value)| {
            let own = OWN_HEADERS.contains(&name.to_lowercase().as_str());
            (name.clone(), Json::Text(if own { "<own>".to_owned() } else { normal.text(value) }))
        });
        let mut headers: Vec<(String, Json)> = headers.collect();
        // Mesos keeps headers in a hash map.
        headers.sort();
        Json::Object(headers)
    };
    found.json("headers", &of(first, normals[0]), &of(second, normals[1]));
}

/// The value with each number replaced by its kind.
fn shape(value: Json) -> Json {
    match value {
        Json::Token(token) if token.parse::<f64>().is_ok() => {
            Json::Token(if token.contains(['.', 'e']) { "<double>" } else { "<integer>" }.to_owned())
        }
        Json::Array(entries) => Json::Array(entries.into_iter().map(shape).collect()),
        Json::Object(entries) => Json::Object(entries.into_iter().map(|(name, v)| (name, shape(v))).collect()),
        other => other,
    }
}

/// The value with everything that comes from a hash map in the order of its ids.
fn sorted(value: Json, key: &str) -> Json {
    let resources = RESOURCES.iter().any(|end| key.ends_with(end));
    match value {
        Json::Object(entries) => {
            let inside = |name: &str| if resources { key.to_owned() } else { name.to_owned() };
            let mut entries: Vec<(String, Json)> =
                entries.into_iter().map(|(name, v)| (name.clone(), sorted(v, &inside(&name)))).collect();
            if resources && entries.iter().all(|(name, _)| name != "name") {
                entries.sort();
            }
            Json::Object(entries)
        }
        Json::Array(entries) => {
            let mut entries: Vec<Json> = entries.into_iter().map(|v| sorted(v, key)).collect();
            if resources {
                entries.sort();
            }
            by_identity(&entries, key).unwrap_or(Json::Array(entries))
        }
        other => other,
    }
}

/// An array whose entries have ids, as an object with an entry for each; none if an id is missing or not unique.
fn by_identity(entries: &[Json], key: &str) -> Option<Json> {
    let label = |id: String| if NAMED.contains(&key) { id } else { format!("[{id}]") };
    let named = entries.iter().map(|entry| Some((label(identity(entry, key)?), entry.clone())));
    let mut named: Vec<(String, Json)> = named.collect::<Option<_>>()?;
    named.sort();
    let unique = named.windows(2).all(|pair| pair[0].0 != pair[1].0);
    (unique && !named.is_empty()).then_some(Json::Object(named))
}

fn identity(entry: &Json, key: &str) -> Option<String> {
    if NAMED.contains(&key) {
        return entry.get("name").and_then(Json::text).map(str::to_owned);
    }
    IDENTITIES.iter().find_map(|path| entry.at(path)).and_then(Json::text).map(str::to_owned)
}

struct Found {
    request: String,
    differences: Vec<Difference>,
}

impl Found {
    fn add(&mut self, place: &str, first: &str, second: &str) {
        if first != second {
            self.differences.push(Difference {
                request: self.request.clone(),
                place: place.to_owned(),
                first: cut(first),
                second: cut(second),
            });
        }
    }

    fn json(&mut self, place: &str, first: &Json, second: &Json) {
        match (first, second) {
            (Json::Object(a), Json::Object(b)) => self.objects(place, a, b),
            (Json::Array(a), Json::Array(b)) => {
                for (at, (a, b)) in a.iter().zip(b).enumerate() {
                    self.json(&format!("{place}/{at}"), a, b);
                }
                for (at, extra) in a.iter().enumerate().skip(b.len()) {
                    self.add(&format!("{place}/{at}"), &extra.to_string(), "(nothing)");
                }
                for (at, extra) in b.iter().enumerate().skip(a.len()) {
                    self.add(&format!("{place}/{at}"), "(nothing)", &extra.to_string());
                }
            }
            (a, b) => self.add(place, &a.to_string(), &b.to_string()),
        }
    }

    fn objects(&mut self, place: &str, first: &[(String, Json)], second: &[(String, Json)]) {
        let of = |entries: &'_ [(String, Json)], name: &str| entries.iter().position(|(n, _)| n == name);
        for (name, value) in first {
            match of(second, name) {
                Some(at) => self.json(&format!("{place}/{name}"), value, &second[at].1),
                None => self.add(&format!("{place}/{name}"), &value.to_string(), "(no key)"),
            }
        }
        for (name, value) in second.iter().filter(|(name, _)| of(first, name).is_none()) {
            self.add(&format!("{place}/{name}"), "(no key)", &value.to_string());
        }
        let order = |entries: &[(String, Json)], others: &[(String, Json)]| {
            let shared = entries.iter().filter(|(name, _)| of(others, name).is_some());
            shared.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ")
        };
        self.add(&format!("{place}/(key order)"), &order(first, second), &order(second, first));
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(first: &str, second: &str) -> Vec<String> {
        let mut found = Found { request: "r".to_owned(), differences: Vec::new() };
        let of = |text| sorted(json::parse(text).unwrap(), "");
        found.json("body", &of(first), &of(second));
        found.differences.into_iter().map(|d| d.place).collect()
    }

    #[test]
    fn keys_order_types_and_lengths_are_looked_at() {
        assert_eq!(places(r#"{"a":1.0,"b":[1]}"#, r#"{"a":1,"b":[1,2]}"#), ["body/a", "body/b/1"]);
        assert_eq!(places(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#), ["body/(key order)"]);
        assert_eq!(places(r#"{"a":1}"#, r#"{"b":1}"#), ["body/a", "body/b"]);
    }

    #[test]
    fn what_has_an_id_is_matched_by_it() {
        let two = r#"{"tasks":[{"id":"b","x":1},{"id":"a","x":2}]}"#;
        assert_eq!(places(two, r#"{"tasks":[{"id":"a","x":2},{"id":"b","x":1}]}"#), Vec::<String>::new());
        assert_eq!(places(r#"[{"name":"b"},{"name":"a"}]"#, r#"[{"name":"a"},{"name":"b"}]"#).len(), 2);
        assert_eq!(places(r#"{"flags":[{"name":"b"},{"name":"a"}]}"#, r#"{"flags":[{"name":"b"}]}"#), ["body/flags/a"]);
        assert_eq!(places(r#"{"resources":["b","a"]}"#, r#"{"resources":["a","b"]}"#), Vec::<String>::new());
    }
}
