//! The disk of a master fills up, of the only one or of the leader of three, and has room again later.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use interop::http;
use interop::process::wait_for;

use super::{BACK_WITHIN, RUNS_WITHIN, Services, job};
use crate::daemon::Daemon;
use crate::house::{AGENTS, House, leads};
use crate::operator::{store, stored};

/// Room for the log of a small cluster, and little to fill.
const SIZE: &str = "size=16m";
/// More schedules than have room in what a file system rounds up to.
const SCHEDULES_MAX: u64 = 1000;
/// Longer than a replica waits between two tries to open its directory.
const FULL_FOR: Duration = Duration::from_secs(8);
/// What the operating system says of a full disk.
const WHY: &str = "No space left on device";

/// A small file system of its own. It is seen by the processes that this one starts, and by nobody else.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Result<SmallDisk> {
        std::fs::create_dir_all(at)?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(at).status()?;
        ensure!(mounted.success(), "mounting a small file system: {mounted}");
        Ok(SmallDisk(at.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    fn fill(&self) -> Result<()> {
        let mut file = File::create(self.filler())?;
        loop {
            match file.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => bail!("filling the file system: {error}"),
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A master that still runs has it until it ends; the mount goes with this process at the latest.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

pub fn run(house: &mut House) -> Result<()> {
    let disk = on_a_small_disk(house)?;
    let master = house.addresses()[0].clone();
    let services = Services::start(house)?;
    let known = ids(house)?;
    ensure!(store(&master, 1)?, "a schedule is refused while there is room");

    disk.fill()?;
    // What the file system has rounded up still has room for some.
    let refused = (2..SCHEDULES_MAX).find_map(|number| match store(&master, number) {
        Ok(true) => None,
        Ok(false) => Some(Ok(number)),
        Err(error) => Some(Err(error)),
    });
    let refused = refused.context("a full disk has room for everything")??;
    house.agents[1].start()?;
    wait_for("the master to say why it stops", BACK_WITHIN, || says_why(&house.masters[0]).then_some(()))?;
    wait_for("the master to serve no more", BACK_WITHIN, || (!leads(&master)).then_some(()))?;
    let until = Instant::now() + FULL_FOR;
    while Instant::now() < until {
        house.masters[0].check()?;
        ensure!(!leads(&master), "it leads while its disk is full");
        http::get(&master, "/health").context("the process is well, only its disk is full")?;
        std::thread::sleep(FULL_FOR / 20);
    }

    std::fs::remove_file(disk.filler())?;
    let freed = Instant::now();
    house.wait_for_agents(AGENTS.len(), BACK_WITHIN)?;
    println!("  with room again it served all agents after {:.1} s", freed.elapsed().as_secs_f64());
    let found = stored(&master)?;
    ensure!(found == refused - 1 || found == refused, "schedule {found} was read, and {} acknowledged", refused - 1);
    let ids = ids(house)?;
    ensure!(known.iter().all(|id| ids.contains(id)), "of the agents {known:?} there are {ids:?}");
    ensure!(store(&master, refused + 1)? && stored(&master)? == refused + 1, "a schedule is refused with room again");
    services.judge(house)?;
    job(house, "a new job", RUNS_WITHIN)?;
    services.end()
}

/// One master of three has a small disk. It leads when that fills up: another one has to take over while the process of the
/// first lives on, and once it has room the first can lead again.
pub fn of_a_leader(house: &mut House) -> Result<()> {
    let services = Services::start(house)?;
    let leader = house.leader().context("nobody leads")?;
    house.masters[leader].stop()?;
    let work = house.folder.join(house.masters[leader].name).join("work");
    std::fs::remove_dir_all(&work)?;
    let disk = SmallDisk::mount(&work)?;
    house.masters[leader].start()?;
    wait_for("its replica to vote again", BACK_WITHIN, || house.votes(leader).then_some(()))?;
    let others: Vec<usize> = (0..house.masters.len()).filter(|number| *number != leader).collect();
    make_leader(house, leader, &others)?;

    disk.fill()?;
    let next = wait_for("another leader", BACK_WITHIN, || {
        // Each try of the old one to write shows it that its disk is full.
        house.leader().filter(|next| *next != leader).or_else(|| {
            let _ = store(&house.addresses()[leader], 1);
            None
        })
    })?;
    house.masters[leader].check()?;
    ensure!(says_why(&house.masters[leader]), "it does not say why");
    // It leads before it has read the registry.
    let address = house.addresses()[next].clone();
    wait_for("the new leader to take a schedule", BACK_WITHIN, || store(&address, 2).ok()?.then_some(()))?;
    house.wait_for_agents(AGENTS.len(), BACK_WITHIN)?;
    services.judge(house)?;

    std::fs::remove_file(disk.filler())?;
    wait_for("its replica to vote with room again", BACK_WITHIN, || house.votes(leader).then_some(()))?;
    make_leader(house, leader, &others)?;
    ensure!(stored(&house.addresses()[leader])? == 2, "what was acknowledged is not there");
    services.judge(house)?;
    services.end()
}

/// Starts the others anew until this one leads.
fn make_leader(house: &mut House, leader: usize, others: &[usize]) -> Result<()> {
    for number in others {
        if house.leader() == Some(leader) {
            break;
        }
        house.masters[*number].stop()?;
        house.masters[*number].start()?;
        wait_for("its replica to vote", BACK_WITHIN, || house.votes(*number).then_some(()))?;
    }
    wait_for("it to lead", BACK_WITHIN, || (house.leader() == Some(leader)).then_some(()))?;
    house.wait_for_agents(AGENTS.len(), BACK_WITHIN)
}

/// The master begins anew on a small file system, and knows the first agent only.
fn on_a_small_disk(house: &mut House) -> Result<SmallDisk> {
    house.masters[0].stop()?;
    house.agents[1].stop()?;
    for name in [house.masters[0].name, house.agents[1].name] {
        std::fs::remove_dir_all(house.folder.join(name).join("work"))?;
    }
    let disk = SmallDisk::mount(&house.folder.join(house.masters[0].name).join("work"))?;
    house.masters[0].start()?;
    house.wait_for_agents(1, BACK_WITHIN)?;
    Ok(disk)
}

fn ids(house: &House) -> Result<Vec<String>> {
    let state = house.state().context("nobody leads")?;
    let agents = state["slaves"].as_array().context("no agents in /state")?;
    Ok(agents.iter().map(|agent| agent["id"].to_string()).collect())
}

fn says_why(master: &Daemon) -> bool {
    let log = std::fs::read(master.log()).unwrap_or_default();
    String::from_utf8_lossy(&log).contains(WHY)
}
