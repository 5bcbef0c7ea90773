//! What masters say of themselves, and how it is read.

use tepui_election::info::{self, Error};
use tepui_election::list::{self, Answer, Question};
use tepui_proto::mesos::MasterInfo;
use tepui_proto::{MessageField, codec, mesos};
use tepui_wire::Upid;

/// As a master of Mesos 1.11 writes it.
const ZNODE: &str = concat!(
    r#"{"address":{"hostname":"m1","ip":"10.0.0.1","port":5050},"capabilities":[{"type":"AGENT_UPDATE"},"#,
    r#"{"type":"AGENT_DRAINING"},{"type":"QUOTA_V2"}],"hostname":"m1","id":"0f0e2b39-2f3e-4b1d-b0b5-9a2f1a1d8f6e","#,
    r#""ip":16777226,"pid":"master@10.0.0.1:5050","port":5050,"version":"1.11.0"}"#
);

fn m1() -> MasterInfo {
    let pid = Upid::parse("master@10.0.0.1:5050").unwrap();
    let mut info = info::of_pid(&pid, "0f0e2b39-2f3e-4b1d-b0b5-9a2f1a1d8f6e");
    (info.hostname, info.version) = (Some("m1".to_owned()), Some("1.11.0".to_owned()));
    if let Some(address) = info.address.as_option_mut() {
        address.hostname = Some("m1".to_owned());
    }
    info
}

#[test]
fn a_znode_has_the_bytes_of_mesos() {
    assert_eq!(std::str::from_utf8(&info::to_json(&m1())), Ok(ZNODE));
    assert_eq!(info::parse(Some("json.info"), ZNODE.as_bytes()), Ok(m1()));
}

#[test]
fn what_newer_masters_add_is_ignored() {
    let text = ZNODE.replacen('{', r#"{"aaa":{"b":[1]},"#, 1);
    assert_eq!(info::parse(Some("json.info"), text.as_bytes()), Ok(m1()));
}

#[test]
fn older_forms_are_read() {
    assert_eq!(info::parse(Some("info"), &codec::encode(&m1())), Ok(m1()));
    let read = info::parse(None, b"master@10.0.0.1:5050").unwrap();
    assert_eq!(info::pid(&read).unwrap().to_string(), "master@10.0.0.1:5050");
    assert_eq!((read.ip, read.hostname.as_deref()), (16_777_226, None));
}

#[test]
fn mistakes_have_the_texts_of_mesos() {
    let text = |label, data: &[u8]| info::parse(label, data).unwrap_err().to_string();
    assert_eq!(text(Some("other"), b""), "Failed to parse data of unknown label 'other'");
    assert_eq!(text(Some("info"), b"\xff"), "Failed to parse data into MasterInfo");
    assert!(text(Some("json.info"), b"{").starts_with("Failed to parse data into valid JSON: "));
    assert!(
        text(Some("json.info"), b"{}").starts_with("Failed to parse JSON into a valid MasterInfo protocol buffer: ")
    );
    assert_eq!(info::parse(None, b"nobody"), Err(Error::Pid("nobody".to_owned())));
}

#[test]
fn sameness_is_that_of_mesos() {
    let one = m1();
    let other = MasterInfo { address: MessageField::none(), capabilities: Vec::new(), ..one.clone() };
    assert!(info::is_same(&one, &other), "neither address nor capabilities count");
    for other in [
        MasterInfo { id: "x".to_owned(), ..one.clone() },
        MasterInfo { version: None, ..one.clone() },
        MasterInfo { hostname: Some("x".to_owned()), ..one.clone() },
        MasterInfo { domain: MessageField::some(mesos::DomainInfo::default()), ..one.clone() },
    ] {
        assert!(!info::is_same(&one, &other), "{other:?}");
    }
    // What is not there equals what is empty.
    let unnamed = |hostname: Option<&str>| MasterInfo { hostname: hostname.map(str::to_owned), ..one.clone() };
    assert!(info::is_same(&unnamed(None), &unnamed(Some(""))));
}

#[test]
fn an_answer_is_read_as_it_is_written() {
    let leader = Answer { epoch: 7, leader: Some(m1().into()) };
    assert_eq!(leader.to_json(), format!(r#"{{"epoch":7,"leader":{ZNODE}}}"#));
    assert_eq!(Answer::parse(leader.to_json().as_bytes()).unwrap(), leader);
    let none = Answer { epoch: u64::MAX, leader: None };
    assert_eq!(Answer::parse(none.to_json().as_bytes()).unwrap(), none);
    for text in ["", "[]", "{}", r#"{"epoch":-1}"#, r#"{"epoch":1,"leader":{}}"#, r#"{"epoch":1,"leader":7}"#] {
        assert!(Answer::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_question_names_what_is_known() {
    let answer = Answer { epoch: 7, leader: Some(m1().into()) };
    let question = Question::after(&answer, std::time::Duration::from_secs(30));
    let target = question.target();
    assert_eq!(target, "/tepui/leader?epoch=7&leader=0f0e2b39-2f3e-4b1d-b0b5-9a2f1a1d8f6e&wait=30secs");
    assert_eq!(Question::parse(target.split_once('?').unwrap().1), question);
    assert!(answer.is_known(&question));
    assert!(!Answer { epoch: 8, ..answer.clone() }.is_known(&question));
    assert!(!Answer { leader: None, ..answer.clone() }.is_known(&question));
    assert_eq!(Question::parse("epoch=x"), Question::default());
    assert!(!answer.is_known(&Question::default()));
    let patient = Question::parse("epoch=1&leader=&wait=2hrs");
    assert_eq!(patient.wait, list::LONGEST_WAIT);
}

#[test]
fn the_highest_epoch_counts_and_nobody_goes_back() {
    let answer = |epoch, named: bool| Answer { epoch, leader: named.then(|| m1().into()) };
    let chosen = list::choose(&[answer(3, true), answer(5, false), answer(5, true), answer(0, false)]);
    assert_eq!(chosen, answer(5, true));
    assert_eq!(list::choose(&[answer(3, true), answer(5, false)]), answer(5, false), "it has been deposed");
    assert_eq!(list::choose(&[]), Answer::default());
    assert!(list::supersedes(&answer(5, true), &answer(5, false)));
    assert!(!list::supersedes(&answer(5, true), &answer(5, true)));
    assert!(!list::supersedes(&answer(4, true), &answer(5, false)));
}
