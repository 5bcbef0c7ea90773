//! Elections, move by move.

use bytes::Bytes;
use std::sync::Arc;
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox, Wall};
use tepui_election::{Effect, Election, Input, Member, Members, info};
use tepui_proto::MessageField;
use tepui_proto::mesos::domain_info::{FaultDomain, fault_domain};
use tepui_proto::mesos::{DomainInfo, MasterInfo};
use tepui_wire::Upid;

fn master(port: u16, id: &str) -> Arc<MasterInfo> {
    let pid = Upid::new("master", std::net::Ipv4Addr::LOCALHOST, port);
    Arc::new(MasterInfo { version: Some("1.11.0".to_owned()), ..info::of_pid(&pid, id) })
}

fn in_region(info: &MasterInfo, region: &str) -> Arc<MasterInfo> {
    let region = fault_domain::RegionInfo { name: region.to_owned(), ..Default::default() };
    let zone = fault_domain::ZoneInfo { name: "z".to_owned(), ..Default::default() };
    let (region, zone) = (MessageField::some(region), MessageField::some(zone));
    let domain = FaultDomain { region, zone, ..Default::default() };
    let domain = DomainInfo { fault_domain: MessageField::some(domain), ..Default::default() };
    Arc::new(MasterInfo { domain: MessageField::some(domain), ..info.clone() })
}

fn member(sequence: i32) -> Member {
    Member { sequence, label: Some("json.info".to_owned()), name: format!("json.info_{sequence:010}") }
}

fn members(sequences: &[i32]) -> Input {
    Input::Members(sequences.iter().map(|sequence| member(*sequence)).collect())
}

fn data(sequence: i32, info: &MasterInfo) -> Input {
    Input::Data(member(sequence), Ok(Some(info::to_json(info))))
}

fn at(secs: u64) -> Instant {
    Instant(secs * 1_000_000_000)
}

/// An election and a clock in seconds; notes are left out.
#[derive(Default)]
struct Stage {
    election: Election,
    now: u64,
}

impl Stage {
    fn run(&mut self, act: impl FnOnce(&mut Election, Now, &mut Outbox<Effect>)) -> Vec<Effect> {
        let mut out = Outbox::default();
        act(&mut self.election, Now { monotonic: at(self.now), wall: Wall(0) }, &mut out);
        let effects = out.drain().map(|entry| match entry {
            Entry::Free(effect) => effect,
            other => panic!("an election writes nothing: {other:?}"),
        });
        effects.filter(|effect| !matches!(effect, Effect::Note(_))).collect()
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        self.run(|election, now, out| election.handle(now, input, out))
    }

    fn tick_at(&mut self, secs: u64) -> Vec<Effect> {
        self.now = secs;
        self.run(|election, now, out| election.tick(now, out))
    }

    /// Contends as this master with this sequence number and is elected until then.
    fn elect(&mut self, info: &Arc<MasterInfo>, sequence: i32, until: u64) {
        self.handle(Input::Contend(info.clone()));
        self.handle(Input::Confirmed(at(until)));
        self.handle(Input::Joined(member(sequence)));
        self.handle(members(&[sequence]));
        assert_eq!(self.handle(data(sequence, info)), [Effect::Elected(at(until))]);
    }
}

#[test]
fn the_lowest_member_leads() {
    let (a, b) = (master(1, "a"), master(2, "b"));
    let mut stage = Stage::default();
    assert_eq!(stage.handle(members(&[7, 12])), [Effect::Fetch(member(7))]);
    assert_eq!(stage.handle(data(7, &a)), [Effect::Leader(Some(a.clone()))]);
    assert_eq!(stage.handle(members(&[7, 12, 13])), []);
    assert_eq!(stage.handle(members(&[12, 13])), [Effect::Fetch(member(12))]);
    assert_eq!(stage.handle(data(7, &a)), [], "an answer to an old question");
    assert_eq!(stage.handle(data(12, &b)), [Effect::Leader(Some(b))]);
    assert_eq!(stage.handle(members(&[])), [Effect::Leader(None)]);
}

#[test]
fn a_leader_that_is_gone_before_it_is_asked_is_none() {
    let a = master(1, "a");
    let mut stage = Stage::default();
    stage.handle(members(&[7]));
    stage.handle(data(7, &a));
    stage.handle(members(&[8]));
    assert_eq!(stage.handle(Input::Data(member(8), Ok(None))), [Effect::Leader(None)]);
}

#[test]
fn what_cannot_be_read_leads_nobody() {
    let a = master(1, "a");
    let mut stage = Stage::default();
    let stranger = Member { sequence: 3, label: Some("x".to_owned()), name: "x_3".to_owned() };
    stage.handle(Input::Members(Members::from([stranger.clone(), member(5)])));
    let text = "Failed to parse data of unknown label 'x'".to_owned();
    let answer = Input::Data(stranger, Ok(Some(Bytes::new())));
    assert_eq!(stage.handle(answer), [Effect::Unreadable(text)]);
    stage.handle(members(&[5]));
    assert_eq!(stage.handle(data(5, &a)), [Effect::Leader(Some(a))], "it goes on when the stranger has left");
}

#[test]
fn a_contender_leads_when_its_own_member_is_the_lowest() {
    let (a, b) = (master(1, "a"), master(2, "b"));
    let mut stage = Stage::default();
    assert_eq!(stage.handle(Input::Contend(a.clone())), [Effect::Join(info::to_json(&a))]);
    stage.handle(Input::Joined(member(8)));
    stage.handle(Input::Confirmed(at(10)));
    stage.handle(members(&[3, 8]));
    assert_eq!(stage.handle(data(3, &b)), [Effect::Leader(Some(b))]);
    assert_eq!(stage.handle(members(&[8])), [Effect::Fetch(member(8))]);
    assert_eq!(stage.handle(data(8, &a)), [Effect::Elected(at(10))]);
    assert_eq!(stage.handle(Input::Confirmed(at(12))), [Effect::Extended(at(12))]);
    assert_eq!(stage.handle(Input::Confirmed(at(11))), [], "no answer takes time away");
    assert!(stage.election.leads(at(11)) && !stage.election.leads(at(12)));
}

#[test]
fn leadership_ends_when_the_session_has_been_unconfirmed_for_its_timeout() {
    let a = master(1, "a");
    let mut stage = Stage::default();
    stage.elect(&a, 8, 10);
    assert_eq!(stage.election.deadline(), Some(at(10)));
    assert_eq!(stage.tick_at(9), []);
    assert_eq!(stage.tick_at(10), [Effect::Cancel(member(8)), Effect::Leader(None)]);
    assert_eq!(stage.election.deadline(), None);
    // The late answer does not bring it back; a new candidacy does.
    assert_eq!(stage.handle(Input::Confirmed(at(30))), []);
    assert_eq!(stage.handle(members(&[8])), []);
    let again = master(1, "again");
    assert_eq!(stage.handle(Input::Contend(again.clone())), [Effect::Join(info::to_json(&again))]);
    stage.handle(Input::Joined(member(9)));
    stage.handle(members(&[9]));
    assert_eq!(stage.handle(data(9, &again)), [Effect::Elected(at(30))]);
}

#[test]
fn whoever_slept_past_the_end_concedes_before_anything_else() {
    let a = master(1, "a");
    let mut stage = Stage::default();
    stage.elect(&a, 8, 10);
    stage.now = 25;
    let effects = stage.handle(Input::Confirmed(at(35)));
    assert_eq!(effects, [Effect::Cancel(member(8)), Effect::Leader(None)]);
}

#[test]
fn a_lost_candidacy_is_contended_for_again_by_followers_only() {
    let (a, b) = (master(1, "a"), master(2, "b"));
    let mut stage = Stage::default();
    stage.handle(Input::Contend(a.clone()));
    stage.handle(Input::Joined(member(8)));
    stage.handle(members(&[3, 8]));
    stage.handle(data(3, &b));
    assert_eq!(stage.handle(members(&[])), [Effect::Leader(None)]);
    assert_eq!(stage.handle(Input::Cancelled(member(8))), [Effect::Join(info::to_json(&a))]);
    stage.handle(Input::Joined(member(9)));
    // What is left of the old session's member does not lead: nobody is sent to ourselves.
    stage.handle(Input::Confirmed(at(20)));
    stage.handle(members(&[8, 9]));
    assert_eq!(stage.handle(data(8, &a)), []);
    stage.handle(members(&[9]));
    assert_eq!(stage.handle(data(9, &a)), []);
    assert_eq!(stage.election.deadline(), Some(at(20)), "elected already, as soon as it was the lowest");

    let mut stage = Stage::default();
    stage.elect(&a, 8, 10);
    assert_eq!(stage.handle(members(&[])), [Effect::Cancel(member(8)), Effect::Leader(None)]);
    assert_eq!(stage.handle(Input::Cancelled(member(8))), []);
}

#[test]
fn a_new_name_takes_the_place_of_the_old_one() {
    let (a, b, c) = (master(1, "a"), master(1, "b"), master(1, "c"));
    let mut stage = Stage::default();
    stage.elect(&a, 8, 10);
    let effects = stage.handle(Input::Contend(b.clone()));
    assert_eq!(effects, [Effect::Cancel(member(8)), Effect::Join(info::to_json(&b)), Effect::Leader(None)]);
    // Wanted while the other is still on its way.
    assert_eq!(stage.handle(Input::Contend(c.clone())), []);
    let effects = stage.handle(Input::Joined(member(9)));
    assert_eq!(effects, [Effect::Cancel(member(9)), Effect::Join(info::to_json(&c))]);
    assert_eq!(stage.handle(Input::Withdraw), []);
    assert_eq!(stage.handle(Input::Joined(member(10))), [Effect::Cancel(member(10))]);
}

#[test]
fn masters_of_two_regions_are_no_cluster() {
    let (a, b) = (in_region(&master(1, "a"), "east"), in_region(&master(2, "b"), "west"));
    let mut stage = Stage::default();
    stage.handle(Input::Contend(a));
    stage.handle(members(&[3]));
    let effects = stage.handle(data(3, &b));
    let Some(Effect::Failed(why)) = effects.last() else { panic!("{effects:?}") };
    assert!(why.starts_with("Leading master uses domain {\"fault_domain\":{\"region\":{\"name\":\"west\"}"), "{why}");
    assert!(why.ends_with("all masters in the same cluster must use the same region"), "{why}");
    assert_eq!(stage.handle(members(&[])), [], "that was all");
    // A detector belongs to no region.
    let mut stage = Stage::default();
    stage.handle(members(&[3]));
    assert_eq!(stage.handle(data(3, &b)), [Effect::Leader(Some(b))]);
}

#[test]
fn a_group_that_cannot_be_used_ends_it() {
    let a = master(1, "a");
    let mut stage = Stage::default();
    stage.elect(&a, 8, 10);
    let effects = stage.handle(Input::GroupFailed("no".to_owned()));
    assert_eq!(effects, [Effect::Leader(None), Effect::Failed("no".to_owned())]);
    let mut stage = Stage::default();
    stage.handle(Input::Contend(a));
    let effects = stage.handle(Input::JoinFailed("not authenticated".to_owned()));
    assert_eq!(effects, [Effect::Failed("Failed to contend: not authenticated".to_owned())]);
}
