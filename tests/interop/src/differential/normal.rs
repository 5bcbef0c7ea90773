//! Makes answers of two clusters comparable: what each run must choose for itself is replaced by what it stands for.
//!
//! Nothing is left out. An id becomes a word for that kind of id, so a missing or misplaced one still shows.

use std::collections::BTreeMap;

use super::json::Json;
use super::target::{Daemon, Target};

/// Seconds since 1970 that a run may show: this decade and the next.
const SECONDS: std::ops::Range<f64> = 1.7e9..2.1e9;
/// The length of a UUID as text.
const UUID: usize = 36;
/// 16 bytes in base64, which is how a UUID looks in JSON.
const UUID_BASE64: usize = 24;
/// Numbers that are the run's own by their name.
const OWN_NUMBERS: [&str; 3] = ["executor_pid", "mtime", "uid"];
/// Texts that are the run's own: what a task has come to while an update of it was on its way.
const OWN_TEXTS: [&str; 1] = ["latest_state"];

/// What one cluster's ids and places are called.
pub struct Normal {
    replacements: Vec<(String, String)>,
    /// Of the daemons, and of processes that the script plays.
    ports: BTreeMap<String, String>,
}

impl Normal {
    /// From a target and the words it taught.
    pub fn new(target: &Target, words: &BTreeMap<String, String>) -> Normal {
        let mut replacements: Vec<(String, String)> = Vec::new();
        if let Some(master) = words.get("master").filter(|id| !id.is_empty()) {
            replacements.push((master.clone(), "<master>".to_owned()));
        }
        for (word, id) in words.iter().filter(|(word, id)| word.ends_with(".framework") && !id.is_empty()) {
            replacements.push((id.clone(), format!("<{word}>")));
        }
        for folder in &target.folders {
            replacements.push((folder.0.clone(), folder.1.to_owned()));
        }
        let addresses = [Daemon::Master, Daemon::Agent].map(|daemon| target.address(daemon));
        let daemons = addresses.iter().filter_map(|a| a.rsplit_once(':')).map(|(_, port)| (port, "<port>".to_owned()));
        let played = words.iter().filter(|(word, _)| word.ends_with(".port"));
        let played = played.map(|(word, port)| (port.as_str(), format!("<{word}>")));
        let ports: BTreeMap<String, String> =
            played.chain(daemons).map(|(port, word)| (port.to_owned(), word)).collect();
        replacements.extend(ports.iter().map(|(port, word)| (format!(":{port}"), format!(":{word}"))));
        // The longest first: a folder may hold another.
        replacements.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Normal { replacements, ports }
    }

    /// Text in which ids, places and times have become words.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (own, word) in &self.replacements {
            text = text.replace(own, word);
        }
        uuids(&framework(&offers(&text)))
    }

    /// The same for every string and number of a value; `key` is what it stands under.
    pub fn json(&self, value: &Json, key: &str) -> Json {
        match value {
            Json::Object(entries) => {
                Json::Object(entries.iter().map(|(name, v)| (self.text(name), self.json(v, name))).collect())
            }
            Json::Array(entries) => Json::Array(entries.iter().map(|v| self.json(v, key)).collect()),
            Json::Text(_) if OWN_TEXTS.contains(&key) => Json::Text(format!("<{key}>")),
            Json::Text(text) if text.len() == UUID_BASE64 && text.ends_with("==") => Json::Text("<uuid>".to_owned()),
            Json::Text(text) => Json::Text(self.ports.get(text).cloned().unwrap_or_else(|| self.text(text))),
            Json::Token(token) => Json::Token(self.token(token, key)),
        }
    }

    fn token(&self, token: &str, key: &str) -> String {
        if OWN_NUMBERS.contains(&key) {
            return format!("<{key}>");
        }
        if let Some(word) = self.ports.get(token) {
            return word.clone();
        }
        match token.parse::<f64>() {
            Ok(number) if SECONDS.contains(&number) && token.contains('.') => "<seconds>".to_owned(),
            Ok(number) if SECONDS.contains(&number) => "<whole seconds>".to_owned(),
            Ok(number) if SECONDS.contains(&(number / 1e9)) => "<nanoseconds>".to_owned(),
            _ => token.to_owned(),
        }
    }
}

/// Offer ids: how many offers went before is a matter of time.
fn offers(text: &str) -> String {
    numbered(text, "<master>-O", "<offer>")
}

/// Ids of frameworks that have no name in the script: how many were taken before is not this one's matter.
fn framework(text: &str) -> String {
    numbered(text, "<master>-", "<framework>")
}

/// Puts `word` where `prefix` is followed by a number.
fn numbered(text: &str, prefix: &str, word: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(prefix) {
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        out.push_str(before);
        out.push_str(if digits > 0 { word } else { prefix });
        rest = &after[digits..];
    }
    out + rest
}

fn uuids(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.get(..UUID).is_some_and(is_uuid) {
            out.push_str("<uuid>");
            rest = &rest[UUID..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn is_uuid(text: &str) -> bool {
    text.char_indices().all(|(place, c)| match place {
        8 | 13 | 18 | 23 => c == '-',
        _ => c.is_ascii_hexdigit(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;

    #[test]
    fn ids_places_and_times_become_words() {
        let target = Target {
            name: "mesos",
            master: ("127.0.0.1:5050".to_owned(), ""),
            agent: ("127.0.0.1:5051".to_owned(), ""),
            folders: vec![("/w".to_owned(), "<work>"), ("/w/agent".to_owned(), "<folder>")],
        };
        let id = "69acf374-4889-4fc8-8afe-980f7827f923";
        let words = BTreeMap::from([("master".to_owned(), id.to_owned())]);
        let text = format!(
            r#"{{"id":"{id}-0001","offer":"{id}-O17","run":"/w/agent/3{}","pid":"slave(1)@127.0.0.1:5051","port":5050,"time":1795333596.5,"ns":1795333596500000000,"uuid":"2EYOYr/YTDysyw9sHL+g8g==","n":4.0,"latest_state":"TASK_RUNNING"}}"#,
            &id[1..]
        );
        let normal = Normal::new(&target, &words).json(&parse(&text).unwrap(), "").to_string();
        assert_eq!(
            normal,
            r#"{"id":"<framework>","offer":"<offer>","run":"<folder>/<uuid>","pid":"slave(1)@127.0.0.1:<port>","port":<port>,"time":<seconds>,"ns":<nanoseconds>,"uuid":"<uuid>","n":4.0,"latest_state":"<latest_state>"}"#
        );
    }
}
