//! Ports that stay free while their server is dead.

use anyhow::{Context, Result};
use std::net::TcpListener;

/// Below the range from which the system hands out ports for outgoing connections (`ip_local_port_range`, from 32768):
/// a port from there could be taken while the server that is to come back to it is dead.
const PORTS: std::ops::Range<u32> = 10_000..32_000;

/// So many ports are tried before there is something wrong with the machine.
const TRIES: usize = 1000;

/// A random port on loopback on which nobody listens.
pub fn free_port() -> Result<u16> {
    let any = || {
        let random = getrandom::u32().ok()?;
        let port = u16::try_from(PORTS.start + random % (PORTS.end - PORTS.start)).ok()?;
        TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
    };
    (0..TRIES).find_map(|_| any()).context("no free port on loopback")
}
