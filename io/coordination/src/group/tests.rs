//! What no real ensemble can be made to do at the right moment: here its servers are played.

use super::Group;
use crate::url::Url;
use crate::zookeeper::Code;
use crate::zookeeper::played::{SESSION, grant, header, read, write};
use bytes::{BufMut, Bytes, BytesMut};
use tokio::net::TcpListener;

const CREATE: i32 = 1;
const EXISTS: i32 = 3;
const GET: i32 = 4;
const CHILDREN: i32 = 8;
const SYNC: i32 = 9;

/// The session of whoever connects.
const NUMBER: i64 = 7;

/// What a played server does with a request of this kind for this path. None: the connection breaks instead.
type Answers = Box<dyn FnMut(i32, &str) -> Option<Result<Bytes, Code>> + Send>;

fn number(message: &[u8], at: usize) -> i32 {
    message.get(at..at + 4).map_or(0, |bytes| i32::from_be_bytes(bytes.try_into().unwrap()))
}

fn put_text(text: &str, to: &mut BytesMut) {
    to.put_i32(text.len() as i32);
    to.put_slice(text.as_bytes());
}

fn text(text: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    put_text(text, &mut bytes);
    bytes.freeze()
}

fn texts(texts: &[&str]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i32(texts.len() as i32);
    texts.iter().for_each(|text| put_text(text, &mut bytes));
    bytes.freeze()
}

/// Data, and what is known of a znode of that session.
fn found(data: &str, owner: i64) -> Bytes {
    let mut bytes = BytesMut::new();
    if !data.is_empty() {
        put_text(data, &mut bytes);
    }
    bytes.put_bytes(0, 4 * 8 + 3 * 4);
    bytes.put_i64(owner);
    bytes.put_bytes(0, 2 * 4 + 8);
    bytes.freeze()
}

/// A group whose server answers so.
async fn group(mut answers: Answers) -> Group {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("zk://{}/g", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        loop {
            let mut stream = grant(&listener, NUMBER).await;
            loop {
                let request = read(&mut stream).await;
                let length = number(&request, 8) as usize;
                let path = String::from_utf8_lossy(request.get(12..12 + length).unwrap_or_default()).into_owned();
                let Some(answer) = answers(number(&request, 4), &path) else { break };
                let mut message = header(number(&request, 0), answer.as_ref().err().copied().unwrap_or(Code(0)));
                message.extend_from_slice(&answer.unwrap_or_default());
                write(&mut stream, &message).await;
            }
        }
    });
    Group::open(&url, SESSION).0
}

/// The connection breaks before the member's creation is answered, and the follower that is found next has not heard of it.
#[tokio::test]
async fn a_member_that_was_created_without_an_answer_is_found_on_a_follower_that_lags() {
    let (mut created, mut synced) = (false, false);
    let answers = move |kind, path: &str| match (kind, path) {
        (EXISTS, _) => Some(Ok(found("", 0))),
        (CREATE, _) if !created => {
            created = true;
            None
        }
        (CREATE, path) => Some(Ok(text(&format!("{path}0000000001")))),
        (SYNC, path) => {
            synced = true;
            Some(Ok(text(path)))
        }
        (CHILDREN, _) => Some(Ok(texts(if created && synced { &["info_0000000000"] } else { &[] }))),
        (GET, "/g/info_0000000000") => Some(Ok(found("data", NUMBER))),
        _ => Some(Err(Code::NO_NODE)),
    };
    let group = group(Box::new(answers)).await;
    let member = group.join(Bytes::from_static(b"data"), Some("info")).await.unwrap();
    assert_eq!(member.sequence, 0, "it is not created twice");
}

/// Somebody deletes what is above the group while it is made.
#[tokio::test]
async fn a_path_that_is_deleted_while_it_is_created_is_created_again() {
    let mut deletions = 1;
    let answers = move |kind, path: &str| match kind {
        EXISTS => Some(Err(Code::NO_NODE)),
        CREATE if deletions > 0 => {
            deletions -= 1;
            Some(Err(Code::NO_NODE))
        }
        CREATE => Some(Ok(text(&format!("{path}0000000000")))),
        _ => Some(Ok(texts(&[]))),
    };
    let group = group(Box::new(answers)).await;
    assert_eq!(group.join(Bytes::new(), None).await.map(|member| member.sequence), Ok(0));
}
