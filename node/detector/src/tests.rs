//! Detection over real sockets, of masters that a test plays.

use super::*;
use std::net::SocketAddr;
use tepui_election::list::{Answer, Question};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Fails a test that hangs; far beyond what any step takes.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it happens soon")
}

fn master(port: u16) -> Arc<MasterInfo> {
    Arc::new(info::of_pid(&Upid::new("master", std::net::Ipv4Addr::LOCALHOST, port), &format!("m{port}")))
}

/// A master that answers as it is told, at once or, when asked to wait, when it is told something new.
struct Played {
    address: SocketAddr,
    answer: watch::Sender<Option<String>>,
    task: tokio::task::JoinHandle<()>,
}

impl Played {
    async fn new() -> Played {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, told) = watch::channel(None);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, told.clone()));
            }
        });
        Played { address, answer, task }
    }

    fn says(&self, epoch: u64, leader: Option<u16>) {
        let answer = Answer { epoch, leader: leader.map(master) }.to_json();
        let length = answer.len();
        self.answer.send_replace(Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}")));
    }
}

async fn serve(mut stream: TcpStream, mut told: watch::Receiver<Option<String>>) {
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(char::from(byte));
        }
        let target = head.split(' ').nth(1).unwrap().to_owned();
        let question = target.split_once('?').map_or_else(Question::default, |(_, query)| Question::parse(query));
        if question.known.is_some() && told.changed().await.is_err() {
            return;
        }
        let answer = told.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        let answer = if target == "/master/redirect" { REDIRECT } else { &answer };
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

const REDIRECT: &str = "HTTP/1.1 307 Temporary Redirect\r\nLocation: //127.0.0.1:7\r\nContent-Length: 0\r\n\r\n";

fn port(detection: &Detection) -> Option<u16> {
    detection.pid().map(|pid| pid.port)
}

#[tokio::test]
async fn a_fixed_master_leads_whether_it_answers_or_not() {
    let mut detector = Detector::open(&Masters::parse("127.0.0.1:5050").unwrap(), SESSION_TIMEOUT);
    let leader = soon(detector.leader()).await.unwrap();
    assert_eq!((leader.pid.as_deref(), leader.hostname.as_deref()), (Some("master@127.0.0.1:5050"), Some("localhost")));
}

#[tokio::test]
async fn the_highest_epoch_of_a_list_is_followed_as_soon_as_it_is_named() {
    let masters = [Played::new().await, Played::new().await, Played::new().await];
    let list = masters.iter().map(|master| master.address.to_string()).collect::<Vec<_>>().join(",");
    let mut detector = Detector::open(&Masters::parse(&list).unwrap(), SESSION_TIMEOUT);
    masters[0].says(3, Some(1));
    let first = soon(detector.next()).await;
    assert_eq!((port(&first), first.epoch), (Some(1), Some(3)));
    masters[1].says(4, None);
    let deposed = soon(detector.next()).await;
    assert_eq!((port(&deposed), deposed.epoch), (None, Some(4)), "the older leader has been deposed");
    masters[2].says(4, Some(2));
    assert_eq!(port(&soon(detector.next()).await), Some(2));
    // An older one cannot come back as long as anybody remembers, or cannot be asked.
    masters[2].task.abort();
    masters[0].says(3, Some(3));
    masters[1].says(5, Some(4));
    let last = soon(detector.next()).await;
    assert_eq!((port(&last), last.epoch), (Some(4), Some(5)));
}

#[tokio::test]
async fn masters_that_have_all_begun_anew_are_followed() {
    let masters = [Played::new().await, Played::new().await];
    let list = masters.iter().map(|master| master.address.to_string()).collect::<Vec<_>>().join(",");
    let mut detector = Detector::open(&Masters::parse(&list).unwrap(), SESSION_TIMEOUT);
    masters[0].says(9, Some(1));
    assert_eq!(soon(detector.next()).await.epoch, Some(9));
    masters[1].says(1, Some(2));
    masters[0].says(1, Some(2));
    let anew = soon(detector.next()).await;
    assert_eq!((port(&anew), anew.epoch, anew.beginnings), (Some(2), Some(1), 1));
}

#[tokio::test]
async fn masters_of_mesos_are_asked_for_a_redirect() {
    let masters = [Played::new().await, Played::new().await];
    let list = masters.iter().map(|master| master.address.to_string()).collect::<Vec<_>>().join(",");
    for master in &masters {
        master.answer.send_replace(Some("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()));
    }
    let mut detector = Detector::open(&Masters::parse(&list).unwrap(), SESSION_TIMEOUT);
    let found = soon(detector.next()).await;
    assert_eq!((port(&found), found.epoch), (Some(7), None));
}
