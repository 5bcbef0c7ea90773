//! A registry that Mesos 1.11.0 has written (`testdata/README.md`): all of it is read, and written again byte for byte.

use tepui_base::AgentId;
use tepui_proto::mesos::{DrainState, MachineID};
use tepui_registry::State;

const STORED: &[u8] = include_bytes!("../testdata/registry-1.11.0.bin");

fn agent(number: u32) -> AgentId {
    AgentId::from(format!("2c2a948c-9660-42ad-9038-d4f39d7b7d55-S{number}").as_str())
}

#[test]
fn all_of_it_is_read() {
    let state = State::from_bytes(STORED).unwrap();
    let master = state.master.as_ref().unwrap();
    let (version, pid) = (master.version.as_deref(), master.pid.as_deref());
    assert_eq!((version, pid, master.capabilities.len()), (Some("1.11.0"), Some("master@127.0.0.1:39871"), 3));
    assert_eq!(state.refusal(master), None);

    assert_eq!([state.admitted.len(), state.unreachable.len(), state.gone.len()], [1; 3]);
    let drained = state.admitted.get(&agent(0)).unwrap();
    let drain_state = drained.standing.drain_info.as_ref().unwrap().state;
    assert!(drain_state == DrainState::DRAINED && drained.standing.deactivated);
    assert_eq!((drained.info.resources.len(), drained.info.attributes.len()), (4, 1));
    assert_eq!(state.gone.get(&agent(1)).unwrap().since, 1_795_862_379_695_790_080);
    let lost = state.unreachable.get(&agent(2)).unwrap();
    assert_eq!((lost.since, lost.standing.deactivated), (1_795_862_381_550_723_072, false));

    let is_down = |hostname: &str, ip: Option<&str>| {
        let id = MachineID { hostname: Some(hostname.to_owned()), ip: ip.map(str::to_owned), ..Default::default() };
        state.maintenance.machine(&id).map(|machine| machine.is_down)
    };
    assert_eq!(is_down("m1.example", None), Some(true));
    assert_eq!(is_down("m2.example", Some("192.0.2.2")), Some(false));
    let weights: Vec<_> = state.weights().map(|info| (info.role.as_deref(), info.weight)).collect();
    assert_eq!(weights, [(Some("ads"), 2.5), (Some("web"), 0.5)]);
    let [quota] = state.quota_configs() else { panic!("one quota") };
    assert_eq!((quota.role.as_str(), quota.guarantees.len(), quota.limits.len()), ("ads", 1, 2));
    assert_eq!(state.minimum_capabilities().collect::<Vec<_>>(), ["QUOTA_V2", "AGENT_DRAINING"]);
}

#[test]
fn it_is_written_again_byte_for_byte() {
    assert_eq!(State::from_bytes(STORED).unwrap().to_bytes(), STORED);
}
