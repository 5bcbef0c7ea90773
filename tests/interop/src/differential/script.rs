//! The language of `differential/*.txt`: what is done to both clusters, one entry per request.
//!
//! An entry is a line and the indented lines after it; `#` starts a comment line. `${...}` stands for what this cluster
//! said earlier ([`super::actor`] names the words). See `differential/README.md` for the entries.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::target::Daemon;

/// Who answers a V1 call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `/api/v1/scheduler` of the master.
    Scheduler,
    /// `/api/v1` of the master.
    Operator,
    /// `/api/v1` of the agent.
    Agent,
    /// `/api/v1/executor` of the agent.
    Executor,
}

/// The form of a V1 call and of what comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/json`.
    Json,
    /// `application/x-protobuf`; the script has JSON all the same.
    Protobuf,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Any request, spelled out.
    Ask(Ask),
    /// A V1 call; `stream` names the subscription whose stream id goes along.
    Call { form: Form, api: Api, stream: Option<String>, json: String },
    /// A subscription that stays open under the entry's name.
    Open { form: Form, api: Api, json: String },
    /// Events of a subscription, up to one that contains the text.
    Await { text: String },
    /// The end of a subscription; its events are what is compared.
    Close,
    /// Asks until the answer contains the text; nothing is compared.
    Settle { daemon: Daemon, path: String, text: String },
    /// A word for `${...}`.
    Let { text: String },
    /// A libprocess process of this id, under the entry's name.
    Driver { id: String },
    /// What such a process says to the master.
    Tell { message: String, json: String },
    /// Whether such a process answers pings.
    Answers(bool),
    /// The names of all counters, or what moved since they were last looked at.
    Metrics { daemon: Daemon },
    /// Looks at the counters and compares nothing.
    Remember { daemon: Daemon },
}

/// A request in which `${...}` is not yet replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// As it stands on the first line.
    pub method: String,
    /// Who is asked.
    pub daemon: Daemon,
    /// As at a daemon that is the delegate.
    pub path: String,
    /// Besides `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// Its body, if there is one.
    pub body: Option<Body>,
}

/// A request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Text in which `${...}` is replaced.
    Text(String),
    /// Bytes.
    Hex(Vec<u8>),
}

/// A step with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Unique for what is compared; for `await`, `close` the name of the subscription.
    pub name: String,
    /// What to do.
    pub step: Step,
}

/// Reads every script of a folder, in the order of their names.
pub fn load(folder: &Path) -> Result<Vec<Entry>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut entries = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "script")) {
        let text = std::fs::read_to_string(file)?;
        entries.extend(read(&text).with_context(|| file.display().to_string())?);
    }
    let mut names: Vec<&str> = entries.iter().filter(|e| e.is_compared()).map(|e| e.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("two requests are called {}", pair[0]);
    }
    Ok(entries)
}

impl Entry {
    /// Whether the entry is a request of its own.
    pub fn is_compared(&self) -> bool {
        matches!(self.step, Step::Ask(_) | Step::Call { .. } | Step::Open { .. } | Step::Metrics { .. })
    }
}

/// Reads one script.
pub fn read(text: &str) -> Result<Vec<Entry>> {
    let mut blocks: Vec<(usize, Vec<&str>)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let continues = line.starts_with(' ');
        match blocks.last_mut() {
            _ if line.trim().is_empty() || line.starts_with('#') => {}
            Some((_, lines)) if continues => lines.push(line.trim()),
            _ => {
                ensure!(!continues, "line {}: it continues nothing", number + 1);
                blocks.push((number + 1, vec![line]));
            }
        }
    }
    let mut entries = Vec::new();
    for (number, lines) in blocks {
        entries.extend(block(&lines).with_context(|| format!("line {number}"))?);
    }
    Ok(entries)
}

fn block(lines: &[&str]) -> Result<Vec<Entry>> {
    let (head, argument) = lines[0].split_once(':').unwrap_or((lines[0], ""));
    let (verb, name) = head.trim().split_once(' ').with_context(|| format!("{head}: a verb and a name"))?;
    let argument = argument.trim();
    let whole = || [&[argument], &lines[1..]].concat().concat();
    let one = |step| Ok(vec![Entry { name: name.to_owned(), step }]);
    match verb {
        "ask" => one(ask(argument, &lines[1..])?),
        "call" => one(call(Form::Json, &whole())?),
        "proto" => one(call(Form::Protobuf, &whole())?),
        "both" => {
            let of = |name: String, form| call(form, &whole()).map(|step| Entry { name, step });
            Ok(vec![of(name.to_owned(), Form::Json)?, of(format!("{name}.pb"), Form::Protobuf)?])
        }
        "open" | "open-proto" => {
            let form = if verb == "open" { Form::Json } else { Form::Protobuf };
            let Step::Call { form, api, json, .. } = call(form, &whole())? else { bail!("not a call") };
            one(Step::Open { form, api, json })
        }
        "await" => one(Step::Await { text: argument.to_owned() }),
        "close" => one(Step::Close),
        "driver" => one(Step::Driver { id: argument.to_owned() }),
        "mute" => one(Step::Answers(false)),
        "unmute" => one(Step::Answers(true)),
        "tell" => {
            let text = whole();
            let (message, json) = text.split_once(' ').context("tell NAME: MESSAGE {json}")?;
            one(Step::Tell { message: message.to_owned(), json: json.to_owned() })
        }
        "let" => one(Step::Let { text: whole() }),
        "metrics" => one(Step::Metrics { daemon: daemon(argument)? }),
        "remember" => one(Step::Remember { daemon: daemon(argument)? }),
        "settle" => {
            let (path, text) = argument.split_once(' ').context("settle DAEMON: PATH TEXT")?;
            one(Step::Settle { daemon: daemon(name)?, path: path.to_owned(), text: text.trim().to_owned() })
        }
        _ => bail!("{verb} is no verb"),
    }
}

fn daemon(word: &str) -> Result<Daemon> {
    match word {
        "master" => Ok(Daemon::Master),
        "agent" => Ok(Daemon::Agent),
        _ => bail!("{word} is neither master nor agent"),
    }
}

/// `GET master /path`, then headers (`name: value`), then the body (`| text`, lines joined, or `hex 0a0b`).
fn ask(line: &str, rest: &[&str]) -> Result<Step> {
    let mut words = line.splitn(3, ' ');
    let method = words.next().unwrap_or_default().to_owned();
    let daemon = daemon(words.next().context("METHOD DAEMON PATH")?)?;
    let path = words.next().context("METHOD DAEMON PATH")?.to_owned();
    let (mut headers, mut body) = (Vec::new(), None::<Body>);
    for line in rest {
        if let Some(text) = line.strip_prefix('|') {
            let text = text.strip_prefix(' ').unwrap_or(text);
            body = Some(match body {
                Some(Body::Text(before)) => Body::Text(format!("{before}\n{text}")),
                _ => Body::Text(text.to_owned()),
            });
        } else if let Some(digits) = line.strip_prefix("hex") {
            body = Some(Body::Hex(bytes(digits.trim())?));
        } else {
            let (name, value) = line.split_once(':').with_context(|| format!("{line}: neither header nor body"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    Ok(Step::Ask(Ask { method, daemon, path, headers, body }))
}

fn bytes(digits: &str) -> Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

/// `scheduler@S {json}`.
fn call(form: Form, text: &str) -> Result<Step> {
    let (to, json) = text.split_once(['{', '$', '[']).map_or((text, ""), |(to, _)| (to, &text[to.len()..]));
    let to = to.trim();
    let (api, stream) = to.split_once('@').map_or((to, None), |(api, stream)| (api, Some(stream.to_owned())));
    let api = match api {
        "scheduler" => Api::Scheduler,
        "operator" => Api::Operator,
        "agent" => Api::Agent,
        "executor" => Api::Executor,
        _ => bail!("{api} is no API"),
    };
    Ok(Step::Call { form, api, stream, json: json.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_with_their_continuations() {
        let text = "# a comment\nask one: POST master /x?a=b\n  Accept: text/html\n  | {\"a\":1}\n\n\
                    both two: scheduler@S {\"type\":\n  \"KILL\"}\nsettle master: /state \"a b\"\nclose S\n";
        let entries = read(text).unwrap();
        let names: Vec<&str> = entries.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["one", "two", "two.pb", "master", "S"]);
        let Step::Ask(Ask { method, path, headers, body, .. }) = &entries[0].step else { panic!("not a request") };
        assert_eq!((method.as_str(), path.as_str()), ("POST", "/x?a=b"));
        assert_eq!(headers, &[("Accept".to_owned(), "text/html".to_owned())]);
        assert_eq!(body, &Some(Body::Text("{\"a\":1}".to_owned())));
        let json = "{\"type\":\"KILL\"}".to_owned();
        let stream = Some("S".to_owned());
        assert_eq!(entries[2].step, Step::Call { form: Form::Protobuf, api: Api::Scheduler, stream, json });
        let settle = Step::Settle { daemon: Daemon::Master, path: "/state".to_owned(), text: "\"a b\"".to_owned() };
        assert_eq!(entries[3].step, settle);
    }

    #[test]
    fn processes_are_told_what_to_say() {
        let text = "driver V: scheduler-1\ntell V: KillTaskMessage {\"a\":\n  1}\nmute V\n";
        let steps: Vec<Step> = read(text).unwrap().into_iter().map(|entry| entry.step).collect();
        let tell = Step::Tell { message: "KillTaskMessage".to_owned(), json: "{\"a\":1}".to_owned() };
        assert_eq!(steps, [Step::Driver { id: "scheduler-1".to_owned() }, tell, Step::Answers(false)]);
    }

    #[test]
    fn nonsense_is_refused_by_line() {
        for text in ["  x", "jump high: x", "ask a: GET nobody /", "call a: nobody {}", "ask a: GET master /\n  hex xx"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
