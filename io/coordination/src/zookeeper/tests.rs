//! What no real server can be made to do: here a server is played.

use super::played::{SESSION, grant, header, read, write};
use super::protocol::{self, Code};
use super::servers::Servers;
use super::{Client, Config, Event};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;

async fn client(credentials: Option<&str>) -> (Client, UnboundedReceiver<Event>, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let servers = listener.local_addr().unwrap().to_string();
    let credentials = credentials.map(crate::Credentials::new);
    let (client, events) = Client::open(Config { servers, timeout: SESSION, credentials });
    (client, events, listener)
}

#[tokio::test]
async fn refused_credentials_end_the_session_for_good() {
    let (client, mut events, listener) = client(Some("user:secret")).await;
    let mut stream = grant(&listener, 1).await;
    assert!(read(&mut stream).await.ends_with(b"user:secret"));
    write(&mut stream, &header(protocol::XID_AUTH, Code::AUTH_FAILED)).await;
    assert_eq!(events.recv().await, Some(Event::Refused(Code::AUTH_FAILED)));
    assert_eq!(client.exists("/").await, Err(Code::SESSION_EXPIRED));
}

#[tokio::test]
async fn nonsense_ends_the_connection_and_not_the_session() {
    let (client, mut events, listener) = client(None).await;
    for (turn, nonsense) in [&[0xff, 0xff, 0xff, 0xff][..], &[0, 0, 0, 2, 1, 2], &[0x7f, 0, 0, 0]].iter().enumerate() {
        let mut stream = grant(&listener, 9).await;
        assert_eq!(events.recv().await, Some(Event::Connected { session: 9, first: turn == 0 }));
        let (asked, ()) = tokio::join!(client.exists("/a"), async {
            read(&mut stream).await;
            stream.write_all(nonsense).await.unwrap();
        });
        assert_eq!(asked, Err(Code::CONNECTION_LOSS));
        assert_eq!(events.recv().await, Some(Event::Disconnected));
    }
    // An answer to nothing, and one to another request.
    let mut stream = grant(&listener, 9).await;
    assert!(matches!(events.recv().await, Some(Event::Connected { .. })));
    write(&mut stream, &header(77, Code(0))).await;
    assert_eq!(events.recv().await, Some(Event::Disconnected));
}

#[tokio::test]
async fn a_session_the_servers_do_not_know_is_over() {
    let (_client, mut events, listener) = client(None).await;
    drop(grant(&listener, 5).await);
    assert!(matches!(events.recv().await, Some(Event::Connected { session: 5, first: true })));
    assert_eq!(events.recv().await, Some(Event::Disconnected));
    let _stream = grant(&listener, 0).await;
    assert_eq!(events.recv().await, Some(Event::Expired));
    assert_eq!(events.recv().await, None);
}

/// What stands behind one name, which stops a SYN or answers nothing, must not hide what else stands behind it.
#[tokio::test]
async fn the_second_address_of_a_name_is_tried_when_the_first_is_silent() {
    let listeners = [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let all: Vec<SocketAddr> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let found = all.clone();
    let mut servers = Servers::new("h", 1, Box::new(move |_| Box::pin(std::future::ready(Ok(found.clone())))));
    servers.look_up();
    servers.looked_up().await;
    let silent = servers.current().unwrap();
    let good = listeners.iter().find(|listener| listener.local_addr().unwrap() != silent).unwrap();
    // A quarter of it is what one address gets.
    let config = Config { servers: String::new(), timeout: Duration::from_secs(8), credentials: None };
    let (_client, mut events) = Client::open_among(config, servers);
    let _stream = grant(good, 3).await;
    assert_eq!(events.recv().await, Some(Event::Connected { session: 3, first: true }));
}

#[tokio::test]
async fn a_name_service_that_is_away_does_not_keep_a_session_from_a_server_it_knows() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Arc::new(Mutex::new(Some(listener.local_addr().unwrap())));
    let once = address.clone();
    let resolve = move |_| once.lock().unwrap().take().map(|address| vec![address]).ok_or(ErrorKind::NotFound.into());
    let servers = Servers::new("h", 1, Box::new(move |name| Box::pin(std::future::ready(resolve(name)))));
    let config = Config { servers: String::new(), timeout: SESSION, credentials: None };
    let (client, mut events) = Client::open_among(config, servers);
    for turn in 0..3 {
        let mut stream = grant(&listener, 3).await;
        assert_eq!(events.recv().await, Some(Event::Connected { session: 3, first: turn == 0 }));
        let (asked, ()) = tokio::join!(client.exists("/a"), async {
            read(&mut stream).await;
            drop(stream);
        });
        assert_eq!(asked, Err(Code::CONNECTION_LOSS));
        assert_eq!(events.recv().await, Some(Event::Disconnected));
    }
    assert!(address.lock().unwrap().is_none());
}
