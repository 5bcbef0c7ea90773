//! Which server is tried next, and when.

use std::time::Duration;

/// Where a server listens if the address does not say.
const DEFAULT_PORT: u16 = 2181;
/// The pause after all servers have been tried once in vain. Trying costs one refused connection.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause: how late a server that comes back is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The servers of an ensemble, in an order of our own, so that clients spread over them.
pub struct Servers {
    addresses: Vec<String>,
    next: usize,
    failed: usize,
    pause: Duration,
}

impl Servers {
    /// `host:port,host:port`; `seed` gives the order.
    pub fn new(text: &str, seed: u64) -> Servers {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let mut addresses: Vec<String> = parts.map(with_port).collect();
        // Fisher and Yates, with the bits of one number: lists are short, and any order will do.
        for index in (1..addresses.len()).rev() {
            let other = seed.rotate_right(index as u32 * 7) % (index as u64 + 1);
            addresses.swap(index, usize::try_from(other).unwrap_or(0));
        }
        Servers { addresses, next: 0, failed: 0, pause: FIRST_PAUSE }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// The one to try now.
    pub fn current(&self) -> Option<&str> {
        self.addresses.get(self.next).map(String::as_str)
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

    #[test]
    fn each_is_tried_once_before_a_pause_that_grows() {
        let mut servers = Servers::new("a:1, b,[::1],", 12345);
        let mut tried = Vec::new();
        for pause_ms in [0, 0, 100, 0, 0, 200] {
            tried.push(servers.current().unwrap().to_owned());
            assert_eq!(servers.failed(), Duration::from_millis(pause_ms));
        }
        tried.truncate(3);
        tried.sort();
        assert_eq!(tried, ["[::1]:2181", "a:1", "b:2181"]);
        let longest = (0..60).map(|_| servers.failed()).max();
        assert_eq!(longest, Some(LONGEST_PAUSE));
        servers.worked();
        let pauses: Vec<u128> = (0..3).map(|_| servers.failed().as_millis()).collect();
        assert_eq!(pauses, [0, 0, 100]);
    }

    #[test]
    fn no_server_is_no_reason_to_spin() {
        let mut servers = Servers::new("", 0);
        assert_eq!(servers.current(), None);
        assert_eq!(servers.failed(), FIRST_PAUSE);
    }
}
