//! Files from elsewhere: plain http, redirects followed.

use crate::http::{self, Head, Part};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// Redirects followed before giving up: what curl does by default.
const MAX_REDIRECTS: usize = 30;
/// Bytes read at once.
const READ_SIZE: usize = 64 * 1024;

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A scheme this fetcher does not speak.
    #[error("'{0}' URIs are not supported by this fetcher yet; file://, http:// and absolute paths are")]
    Scheme(String),
    /// The server refused.
    #[error("Error downloading resource, received HTTP return code {0}")]
    Status(u16),
    /// More redirects than anyone needs.
    #[error("Error downloading resource: Maximum ({MAX_REDIRECTS}) redirects followed")]
    Redirects,
    /// Not `host[:port]`.
    #[error("Error downloading resource: malformed address '{0}'")]
    Address(String),
    /// The transfer broke or stalled.
    #[error("Error downloading resource: {0}")]
    Io(#[from] std::io::Error),
    /// The server does not speak HTTP/1.
    #[error("Error downloading resource: {0}")]
    Http(#[from] http::Error),
}

/// Downloads `uri` into the file `to`, giving up when nothing comes for `stall`.
pub fn download(uri: &str, to: &Path, stall: Duration) -> Result<(), Error> {
    let mut uri = uri.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        let Some((address, path)) = split(&uri) else {
            let scheme = uri.split("://").next().unwrap_or_default();
            return Err(Error::Scheme(scheme.to_owned()));
        };
        match get(address, path, to, stall)? {
            Some(location) => uri = resolve(address, path, &location),
            None => return Ok(()),
        }
    }
    Err(Error::Redirects)
}

/// `http://address/path` as address and path with query; any other scheme is `None`.
fn split(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let rest = rest.split('#').next().unwrap_or(rest);
    Some(rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)))
}

/// The target of a redirect, which may be relative (RFC 3986).
fn resolve(address: &str, path: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    if location.starts_with("//") {
        return format!("http:{location}");
    }
    if location.starts_with('/') {
        return format!("http://{address}{location}");
    }
    let path = path.split('?').next().unwrap_or(path);
    let directory = path.rfind('/').map_or("/", |at| &path[..=at]);
    format!("http://{address}{directory}{location}")
}

/// One request. `Some` is where the server sends us instead.
fn get(address: &str, path: &str, to: &Path, stall: Duration) -> Result<Option<String>, Error> {
    let mut stream = connect(address, stall)?;
    stream.write_all(&http::request("GET", path, address, &[("Connection", "close"), ("Accept", "*/*")], b""))?;
    let mut parser = http::Parser::default();
    let mut buffer = vec![0; READ_SIZE];
    let mut file = None;
    loop {
        let length = stream.read(&mut buffer)?;
        let parts = if length == 0 {
            vec![parser.finish()?.ok_or(http::Error::Truncated)?]
        } else {
            parser.feed(&buffer[..length])?
        };
        for part in parts {
            match part {
                Part::Head(head) => match redirect(&head)? {
                    Some(location) => return Ok(Some(location)),
                    None => file = Some(File::create(to)?),
                },
                Part::Data(data) => file.as_mut().ok_or(http::Error::Head)?.write_all(&data)?,
                Part::End => return Ok(None),
            }
        }
    }
}

fn redirect(head: &Head) -> Result<Option<String>, Error> {
    match (head.status, head.header("location")) {
        (200, _) => Ok(None),
        (301 | 302 | 303 | 307 | 308, Some(location)) => Ok(Some(location.to_owned())),
        (status, _) => Err(Error::Status(status)),
    }
}

fn connect(address: &str, stall: Duration) -> Result<TcpStream, Error> {
    let malformed = || Error::Address(address.to_owned());
    // Credentials (`user:password@`) are not sent anywhere, so they must not be taken for a host.
    if address.is_empty() || address.contains('@') {
        return Err(malformed());
    }
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && !port.ends_with(']'));
    let with_port = if has_port { address.to_owned() } else { format!("{}:80", address.trim_end_matches(':')) };
    let mut last = None;
    for candidate in with_port.to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, stall) {
            Ok(stream) => {
                stream.set_read_timeout(Some(stall))?;
                stream.set_write_timeout(Some(stall))?;
                return Ok(stream);
            }
            Err(e) => last = Some(e),
        }
    }
    Err(last.map_or_else(malformed, Error::Io))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Serves the responses one connection each, then gives the requests it saw.
    fn serve(responses: Vec<&'static str>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let answer = |response: &str| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    request.push(byte[0]);
                }
                stream.write_all(response.as_bytes()).unwrap();
                String::from_utf8(request).unwrap().lines().next().unwrap().to_owned()
            };
            responses.into_iter().map(answer).collect()
        });
        (address, server)
    }

    fn into_temp(uri: &str) -> Result<Vec<u8>, Error> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        download(uri, &file, Duration::from_secs(10))?;
        Ok(std::fs::read(file).unwrap())
    }

    #[test]
    fn redirects_are_followed() {
        let (address, server) = serve(vec![
            "HTTP/1.1 302 Found\r\nLocation: other?q=1\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        ]);
        assert_eq!(into_temp(&format!("http://{address}/a/b")).unwrap(), b"hello");
        assert_eq!(server.join().unwrap(), ["GET /a/b HTTP/1.1", "GET /a/other?q=1 HTTP/1.1"]);
    }

    #[test]
    fn a_refusal_has_mesos_words() {
        let (address, _server) = serve(vec!["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]);
        let error = into_temp(&format!("http://{address}/x")).unwrap_err();
        assert_eq!(error.to_string(), "Error downloading resource, received HTTP return code 404");
    }

    #[test]
    fn a_cut_transfer_is_an_error() {
        let (address, _server) = serve(vec!["HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"]);
        assert!(matches!(into_temp(&format!("http://{address}/x")), Err(Error::Http(http::Error::Truncated))));
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        assert!(into_temp("https://h/x").unwrap_err().to_string().starts_with("'https' URIs are not supported"));
        assert!(into_temp("hdfs://h/x").unwrap_err().to_string().starts_with("'hdfs' URIs are not supported"));
    }

    #[test]
    fn redirect_targets_are_resolved() {
        for (location, target) in
            [("http://x/y", "http://x/y"), ("//x/y", "http://x/y"), ("/y", "http://h:1/y"), ("y", "http://h:1/a/y")]
        {
            assert_eq!(resolve("h:1", "/a/b?c/d", location), target);
        }
    }
}
