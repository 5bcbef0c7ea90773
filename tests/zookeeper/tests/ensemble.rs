//! The fixture itself: what other tests rely on.

use anyhow::Result;
use std::path::Path;
use zookeeper::Ensemble;

#[test]
fn three_servers_survive_the_death_of_their_leader_and_end_with_the_test() -> Result<()> {
    let mut ensemble = Ensemble::start(3)?;
    let leader = ensemble.leader().expect("one of them leads");
    let pids: Vec<u32> = (0..3).filter_map(|index| ensemble.server(index).pid()).collect();
    ensemble.server(leader).kill()?;
    assert!(!Path::new(&format!("/proc/{}", pids[leader])).exists());
    ensemble.wait_until_serving()?;
    assert_ne!(ensemble.leader(), Some(leader));
    ensemble.server(leader).restart()?;
    ensemble.wait_until_serving()?;
    assert_eq!(ensemble.server(leader).mode().as_deref(), Some("follower"));
    let pids: Vec<u32> = (0..3).filter_map(|index| ensemble.server(index).pid()).collect();
    drop(ensemble);
    assert!(pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
    Ok(())
}

#[test]
fn a_paused_server_does_not_answer_until_it_is_resumed() -> Result<()> {
    let mut ensemble = Ensemble::start(1)?;
    assert_eq!(ensemble.leader(), Some(0));
    ensemble.server(0).pause()?;
    assert_eq!(ensemble.server(0).mode(), None);
    ensemble.server(0).resume()?;
    ensemble.wait_until_serving()?;
    ensemble.wipe()?;
    assert_eq!(ensemble.server(0).mode().as_deref(), Some("standalone"));
    Ok(())
}
