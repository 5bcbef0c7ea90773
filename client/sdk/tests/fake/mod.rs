//! Just enough of an HTTP server to play a master: raw sockets, so that nothing of the code under test is on both
//! sides.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A listener on a free port of loopback, and its `host:port`.
pub async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// One accepted connection.
pub struct Peer(BufReader<TcpStream>);

/// A request as it came.
pub struct Request {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Peer {
    pub async fn accept(listener: &TcpListener) -> Peer {
        Peer(BufReader::new(listener.accept().await.unwrap().0))
    }

    /// The next request on the connection; panics if there is none.
    pub async fn request(&mut self) -> Request {
        let line = self.line().await;
        let mut headers = Vec::new();
        loop {
            let header = self.line().await;
            let Some((name, value)) = header.split_once(':') else { break };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let mut request = Request { line, headers, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        request.body = vec![0; length];
        self.0.read_exact(&mut request.body).await.unwrap();
        request
    }

    /// Whether the other end has closed the connection and sent nothing before; waits for one of the two.
    pub async fn is_over(&mut self) -> bool {
        self.0.fill_buf().await.is_ok_and(<[u8]>::is_empty)
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// Answers with a status and a whole body.
    pub async fn answer(&mut self, status: &str, headers: &str, body: &[u8]) {
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        self.write(&[head.as_bytes(), body].concat()).await;
    }

    /// Opens a chunked stream.
    pub async fn open(&mut self, content_type: &str, headers: &str) {
        let head =
            format!("HTTP/1.1 200 OK\r\n{headers}Content-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n");
        self.write(head.as_bytes()).await;
    }

    /// One chunk.
    pub async fn chunk(&mut self, bytes: &[u8]) {
        self.write(&[format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()).await;
    }
}
