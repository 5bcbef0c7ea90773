//! Which server is tried next, and when.
//!
//! Names are looked up beside the attempts to connect, each on its own, and every address of a name is a server. What is
//! known stays until a lookup says otherwise: a name service that is away takes no server with it.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Where a server listens if the address does not say.
const DEFAULT_PORT: u16 = 2181;
/// The pause after all servers have been tried once in vain. Trying costs one refused connection.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause: how late a server that comes back is noticed.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long one lookup may take. A resolver whose first name servers are dead asks each of them for five seconds, twice.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(30);

/// The addresses of a name.
pub type Found = Result<Vec<SocketAddr>, Error>;

/// Looks a `host:port` up.
pub type Resolve = Box<dyn Fn(String) -> Pin<Box<dyn Future<Output = Found> + Send>> + Send>;

/// As this machine looks names up.
pub fn system() -> Resolve {
    Box::new(|name| Box::pin(async move { Ok(tokio::net::lookup_host(name).await?.collect()) }))
}

/// The servers of an ensemble, in an order of our own, so that clients spread over them.
pub struct Servers {
    names: Vec<Name>,
    /// Those of all names, in the order they are tried in.
    addresses: Vec<SocketAddr>,
    lookups: JoinSet<(usize, Found)>,
    resolve: Resolve,
    seed: u64,
    next: usize,
    failed: usize,
    pause: Duration,
}

/// One server as it was named.
struct Name {
    /// `host:port`.
    text: String,
    addresses: Vec<SocketAddr>,
    is_asked: bool,
    /// Why it could not be looked up last.
    trouble: Option<String>,
}

impl Servers {
    /// `host:port,host:port`; `seed` gives the order. Names are known only after [`Servers::look_up`].
    pub fn new(text: &str, seed: u64, resolve: Resolve) -> Servers {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let names = parts.map(|part| Name::new(with_port(part))).collect();
        let lookups = JoinSet::new();
        let addresses = Vec::new();
        let mut servers = Servers { names, addresses, lookups, resolve, seed, next: 0, failed: 0, pause: FIRST_PAUSE };
        servers.arrange();
        servers
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// The one to try now, by what is known so far.
    pub fn current(&mut self) -> Option<SocketAddr> {
        while let Some(done) = self.lookups.try_join_next() {
            // It fails only if it panicked, and then nothing was found.
            let _ = done.map(|(index, found)| self.learn(index, found));
        }
        self.addresses.get(self.next).copied()
    }

    /// Looks all names up, but those that are being looked up.
    pub fn look_up(&mut self) {
        for (index, name) in self.names.iter_mut().enumerate().filter(|(_, name)| !name.is_literal() && !name.is_asked)
        {
            name.is_asked = true;
            let found = (self.resolve)(name.text.clone());
            self.lookups.spawn(async move {
                let found = timeout(LOOK_UP_WITHIN, found).await;
                (index, found.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())))
            });
        }
    }

    /// Waits until a name has been looked up; at once if none is being.
    pub async fn looked_up(&mut self) {
        if let Some(Ok((index, found))) = self.lookups.join_next().await {
            self.learn(index, found);
        }
    }

    /// Whether no lookup is under way.
    pub fn is_settled(&self) -> bool {
        self.lookups.is_empty()
    }

    /// Why there is no server to try.
    pub fn trouble(&self) -> Error {
        let named = |name: &Name| name.trouble.as_ref().map(|why| format!("cannot look up '{}': {why}", name.text));
        let why: Vec<String> = self.names.iter().filter_map(named).collect();
        let why = if why.is_empty() { "no server is named".to_owned() } else { why.join("; ") };
        Error::new(ErrorKind::NotFound, why)
    }

    fn learn(&mut self, index: usize, found: Found) {
        let name = &mut self.names[index];
        name.is_asked = false;
        match found {
            Ok(mut found) if !found.is_empty() => {
                found.sort();
                name.trouble = None;
                if found != name.addresses {
                    name.addresses = found;
                    self.arrange();
                }
            }
            Ok(_) => name.trouble = Some("it has no address".to_owned()),
            Err(error) => name.trouble = Some(error.to_string()),
        }
    }

    /// Puts all that is known into an order.
    fn arrange(&mut self) {
        let mut addresses: Vec<SocketAddr> =
            self.names.iter().flat_map(|name| name.addresses.iter().copied()).collect();
        addresses.sort();
        addresses.dedup();
        // Fisher and Yates, with the bits of one number: lists are short, and any order will do.
        for index in (1..addresses.len()).rev() {
            let other = self.seed.rotate_right(index as u32 * 7) % (index as u64 + 1);
            addresses.swap(index, usize::try_from(other).unwrap_or(0));
        }
        (self.addresses, self.next, self.failed) = (addresses, 0, 0);
    }

    /// It did not work, or no longer. How long to wait before the next one.
    pub fn failed(&mut self) -> Duration {
        self.next = (self.next + 1) % self.len().max(1);
        self.failed += 1;
        if self.failed < self.len() {
            return Duration::ZERO;
        }
        self.failed = 0;
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// It works.
    pub fn worked(&mut self) {
        (self.failed, self.pause) = (0, FIRST_PAUSE);
    }
}

impl Name {
    fn new(text: String) -> Name {
        let addresses = text.parse().into_iter().collect();
        Name { text, addresses, is_asked: false, trouble: None }
    }

    /// Whether it is an address, which is not looked up.
    fn is_literal(&self) -> bool {
        self.text.parse::<SocketAddr>().is_ok()
    }
}

fn with_port(address: &str) -> String {
    // An IPv6 address stands in brackets, so its own colons are not taken for the port's.
    match address.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => address.to_owned(),
        _ => format!("{address}:{DEFAULT_PORT}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A name service that says of every name what it was told last.
    fn service() -> (Arc<Mutex<Vec<&'static str>>>, Resolve) {
        let says: Arc<Mutex<Vec<&'static str>>> = Arc::default();
        let told = says.clone();
        let resolve: Resolve = Box::new(move |_| {
            let found: Vec<SocketAddr> = told.lock().unwrap().iter().map(|address| address.parse().unwrap()).collect();
            let found = if found.is_empty() { Err(ErrorKind::HostUnreachable.into()) } else { Ok(found) };
            Box::pin(async { found })
        });
        (says, resolve)
    }

    async fn ask(servers: &mut Servers) {
        servers.look_up();
        while !servers.is_settled() {
            servers.looked_up().await;
        }
    }

    fn round(servers: &mut Servers) -> Vec<String> {
        let mut tried = Vec::new();
        for _ in 0..servers.len() {
            tried.push(servers.current().unwrap().to_string());
            servers.failed();
        }
        tried.sort();
        tried
    }

    #[test]
    fn each_is_tried_once_before_a_pause_that_grows() {
        let mut servers = Servers::new("10.0.0.1:1, 10.0.0.2,[::1],", 12345, system());
        let mut tried = Vec::new();
        for pause_ms in [0, 0, 100, 0, 0, 200] {
            tried.push(servers.current().unwrap().to_string());
            assert_eq!(servers.failed(), Duration::from_millis(pause_ms));
        }
        tried.truncate(3);
        tried.sort();
        assert_eq!(tried, ["10.0.0.1:1", "10.0.0.2:2181", "[::1]:2181"]);
        let longest = (0..60).map(|_| servers.failed()).max();
        assert_eq!(longest, Some(LONGEST_PAUSE));
        servers.worked();
        let pauses: Vec<u128> = (0..3).map(|_| servers.failed().as_millis()).collect();
        assert_eq!(pauses, [0, 0, 100]);
    }

    #[test]
    fn no_server_is_no_reason_to_spin() {
        let mut servers = Servers::new("", 0, system());
        assert_eq!(servers.current(), None);
        assert_eq!(servers.failed(), FIRST_PAUSE);
        assert_eq!(servers.trouble().to_string(), "no server is named");
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_a_server_and_stays_until_the_name_has_others() {
        let (says, resolve) = service();
        let mut servers = Servers::new("h,10.0.0.9:1", 7, resolve);
        ask(&mut servers).await;
        assert_eq!(round(&mut servers), ["10.0.0.9:1"], "whoever is known is tried");
        *says.lock().unwrap() = vec!["10.0.0.2:2181", "10.0.0.1:2181"];
        ask(&mut servers).await;
        let all = ["10.0.0.1:2181", "10.0.0.2:2181", "10.0.0.9:1"];
        assert_eq!(round(&mut servers), all);
        says.lock().unwrap().clear();
        ask(&mut servers).await;
        assert_eq!(round(&mut servers), all, "a name service that is away takes none with it");
        *says.lock().unwrap() = vec!["10.0.0.3:2181"];
        ask(&mut servers).await;
        assert_eq!(round(&mut servers), ["10.0.0.3:2181", "10.0.0.9:1"]);
    }

    /// The resolver of the system takes so long if its first name server is dead; another name is not kept waiting.
    #[tokio::test(start_paused = true)]
    async fn a_lookup_may_take_long_and_hinders_no_other() {
        let resolve: Resolve = Box::new(|name| {
            Box::pin(async move {
                let secs = if name == "slow:2181" { 10 } else { 3600 };
                tokio::time::sleep(Duration::from_secs(secs)).await;
                Ok(vec!["10.0.0.1:2181".parse().unwrap()])
            })
        });
        let mut servers = Servers::new("never,slow", 0, resolve);
        servers.look_up();
        servers.looked_up().await;
        assert_eq!(servers.current().map(|server| server.to_string()).as_deref(), Some("10.0.0.1:2181"));
        servers.looked_up().await;
        assert!(servers.is_settled());
        assert_eq!(servers.trouble().to_string(), "cannot look up 'never:2181': timed out");
    }
}
