//! The SDK over real sockets, with masters and agents played by the test.

mod fake;

use fake::{Peer, listen};
use tepui_proto::{recordio, v1};
use tepui_sdk::mesos::scheduler::call::Type;
use tepui_sdk::mesos::scheduler::event::{self, Offers, Subscribed, Update};
use tepui_sdk::mesos::scheduler::{Call, Event as Wire};
use tepui_sdk::mesos::{
    AgentID, FrameworkID, MasterInfo, Offer, OfferID, TaskID, TaskState, TaskStatus, executor, master,
};
use tepui_sdk::operator::{Agent, Error as OperatorError};
use tepui_sdk::scheduler::{Error, Event};
use tepui_sdk::{ContentType, Executor, Operator, Scheduler, messages, resources};
use tokio::net::TcpListener;

fn subscribed() -> Wire {
    let subscribed = Subscribed {
        framework_id: FrameworkID { value: "F".into(), ..FrameworkID::default() }.into(),
        heartbeat_interval_seconds: Some(15.0),
        ..Subscribed::default()
    };
    Wire { r#type: Some(event::Type::SUBSCRIBED), subscribed: subscribed.into(), ..Wire::default() }
}

fn offers() -> Wire {
    let offer = Offer {
        id: OfferID { value: "O1".into(), ..OfferID::default() }.into(),
        framework_id: FrameworkID { value: "F".into(), ..FrameworkID::default() }.into(),
        agent_id: agent_id(),
        hostname: "h".into(),
        resources: vec![messages::scalar("cpus", 2.0)],
        ..Offer::default()
    };
    let offers = Offers { offers: vec![offer], ..Offers::default() };
    Wire { r#type: Some(event::Type::OFFERS), offers: offers.into(), ..Wire::default() }
}

fn update(state: TaskState) -> Wire {
    let status = TaskStatus {
        task_id: TaskID { value: "t".into(), ..TaskID::default() }.into(),
        agent_id: agent_id(),
        state,
        uuid: Some(vec![7; 16]),
        ..TaskStatus::default()
    };
    let update = Update { status: status.into(), ..Update::default() };
    Wire { r#type: Some(event::Type::UPDATE), update: update.into(), ..Wire::default() }
}

fn agent_id() -> tepui_sdk::MessageField<AgentID> {
    AgentID { value: "S".into(), ..AgentID::default() }.into()
}

/// Plays a master that does not lead: answers one SUBSCRIBE with the leader's address.
async fn follower(listener: TcpListener, leader: String) {
    let mut peer = Peer::accept(&listener).await;
    peer.request().await;
    let location = format!("Location: //{leader}/master/api/v1/scheduler\r\n");
    peer.answer("307 Temporary Redirect", &location, b"").await;
}

/// Plays the leader for one task's life: SUBSCRIBE, offer, ACCEPT, updates, ACKNOWLEDGE, TEARDOWN.
async fn leader(listener: TcpListener, form: ContentType) {
    let mut stream = Peer::accept(&listener).await;
    let request = stream.request().await;
    assert_eq!(request.line, "POST /api/v1/scheduler HTTP/1.1");
    assert_eq!(request.header("content-type"), Some(form.as_str()));
    assert_eq!(request.header("accept"), Some(form.as_str()));
    assert_eq!(request.header("authorization"), Some("Basic cDpz"));
    let call = v1::decode_scheduler_call(form, &request.body).unwrap();
    assert_eq!(call.subscribe.framework_info.principal.as_deref(), Some("p"));
    stream.open(form.as_str(), "Mesos-Stream-Id: stream-1\r\n").await;
    stream.chunk(&recordio::encode(&form.encode(&subscribed()))).await;
    stream.chunk(&recordio::encode(&form.encode(&offers()))).await;

    let mut calls = Peer::accept(&listener).await;
    let mut next = async |kind: Type| -> Call {
        let request = calls.request().await;
        assert_eq!(request.header("mesos-stream-id"), Some("stream-1"));
        let call = v1::decode_scheduler_call(form, &request.body).unwrap();
        assert_eq!((call.r#type, call.framework_id.value.as_str()), (Some(kind), "F"));
        calls.answer("202 Accepted", "", b"").await;
        call
    };
    let accept = next(Type::ACCEPT).await.accept;
    let task = &accept.operations[0].launch.task_infos[0];
    assert_eq!((accept.offer_ids[0].value.as_str(), task.agent_id.value.as_str()), ("O1", "S"));
    stream.chunk(&recordio::encode(&form.encode(&update(TaskState::TASK_FINISHED)))).await;
    assert_eq!(next(Type::ACKNOWLEDGE).await.acknowledge.uuid, [7; 16]);
    next(Type::TEARDOWN).await;
}

/// Launches one task on the first offer and ends with it.
async fn scheduler(master: String, form: ContentType) -> Vec<&'static str> {
    let builder = Scheduler::builder(master, messages::framework("test", "nobody"));
    let (scheduler, mut events) = builder.credentials("p", "s").content_type(form).connect().unwrap();
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Subscribed { framework_id, .. } => {
                assert_eq!(framework_id.as_str(), "F");
                seen.push("subscribed");
            }
            Event::Offers(offers) => {
                let mut pool = resources::offered(&offers[0]);
                let taken = resources::take(&mut pool, &resources::scalars(&[("cpus", 0.5)])).unwrap();
                let task = messages::task("t", messages::shell("true"), taken.to_proto());
                scheduler.launch(&offers[0], vec![task]).await.unwrap();
                seen.push("launched");
            }
            Event::Update(status) => {
                assert_eq!(status.state, TaskState::TASK_FINISHED);
                scheduler.acknowledge(&status).await.unwrap();
                scheduler.teardown().await.unwrap();
                seen.push("finished");
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(matches!(scheduler.revive(vec![]).await, Err(Error::Ended)));
    seen
}

#[tokio::test]
async fn a_task_is_carried_through_in_both_forms() {
    for form in [ContentType::Protobuf, ContentType::Json] {
        let ((followers, first), (leaders, address)) = (listen().await, listen().await);
        let master = tokio::spawn(leader(leaders, form));
        tokio::spawn(follower(followers, address));
        assert_eq!(scheduler(first, form).await, ["subscribed", "launched", "finished"]);
        master.await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_stream_is_made_again_with_the_framework_id() {
    let (listener, address) = listen().await;
    let builder = Scheduler::builder(address, messages::framework("test", "nobody"));
    let (_scheduler, mut events) = builder.connect().unwrap();
    let form = ContentType::Protobuf;
    for round in 0..2 {
        let mut stream = Peer::accept(&listener).await;
        let request = stream.request().await;
        let call = v1::decode_scheduler_call(form, &request.body).unwrap();
        assert_eq!(call.framework_id.is_set(), round == 1);
        stream.open(form.as_str(), "Mesos-Stream-Id: s\r\n").await;
        stream.chunk(&recordio::encode(&form.encode(&subscribed()))).await;
        assert!(matches!(events.next().await, Some(Event::Subscribed { .. })));
        drop(stream);
        assert!(matches!(events.next().await, Some(Event::Disconnected(_))));
    }
}

#[tokio::test]
async fn a_master_that_answers_no_call_does_not_keep_calls_from_the_next() {
    let (listener, address) = listen().await;
    let form = ContentType::Protobuf;
    let (scheduler, mut events) = Scheduler::builder(address, messages::framework("test", "nobody")).connect().unwrap();
    let open = async || {
        let mut stream = Peer::accept(&listener).await;
        stream.request().await;
        stream.open(form.as_str(), "Mesos-Stream-Id: s\r\n").await;
        stream.chunk(&recordio::encode(&form.encode(&subscribed()))).await;
        stream
    };
    let stream = open().await;
    assert!(matches!(events.next().await, Some(Event::Subscribed { .. })));
    let asked = |role: &str| {
        let (scheduler, roles) = (scheduler.clone(), vec![role.to_owned()]);
        tokio::spawn(async move { scheduler.revive(roles).await })
    };
    // Two calls, of which the master reads one and answers none.
    let first = asked("a");
    let mut silent = Peer::accept(&listener).await;
    silent.request().await;
    let second = asked("b");
    tokio::task::yield_now().await;
    drop(stream);
    assert!(matches!(events.next().await, Some(Event::Disconnected(_))));
    for call in [first, second] {
        let answer = call.await.unwrap();
        assert!(matches!(answer, Err(Error::Refused(_))), "{answer:?}");
    }
    assert!(silent.is_over().await, "the connection of the calls is closed");
    let _stream = open().await;
    assert!(matches!(events.next().await, Some(Event::Subscribed { .. })));
    let third = asked("c");
    let mut calls = Peer::accept(&listener).await;
    let call = v1::decode_scheduler_call(form, &calls.request().await.body).unwrap();
    calls.answer("202 Accepted", "", b"").await;
    assert_eq!(call.revive.roles, ["c"]);
    third.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_refusal_ends_the_events() {
    let (listener, address) = listen().await;
    let (_scheduler, mut events) = Scheduler::builder(address, messages::framework("t", "u")).connect().unwrap();
    let mut peer = Peer::accept(&listener).await;
    peer.request().await;
    peer.answer("403 Forbidden", "", b"Framework is not authorized").await;
    let Some(Event::Error(text)) = events.next().await else { panic!("no error") };
    assert!(text.contains("403") && text.contains("Framework is not authorized"), "{text}");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn an_executor_runs_a_task_and_hears_of_the_acknowledgement() {
    let (listener, address) = listen().await;
    let agent = async {
        let form = ContentType::Protobuf;
        let mut stream = Peer::accept(&listener).await;
        let request = stream.request().await;
        assert_eq!(request.line, "POST /api/v1/executor HTTP/1.1");
        stream.open(form.as_str(), "").await;
        let json =
            br#"{"type":"LAUNCH","launch":{"task":{"name":"t","task_id":{"value":"t"},"agent_id":{"value":"S"}}}}"#;
        let launch: executor::Event = ContentType::Json.decode(json).unwrap();
        let json = br#"{"type":"SUBSCRIBED","subscribed":{"executor_info":{"executor_id":{"value":"E"}},
            "framework_info":{"user":"u","name":"n"},"agent_info":{"hostname":"h"}}}"#;
        let subscribed: executor::Event = ContentType::Json.decode(json).unwrap();
        stream.chunk(&recordio::encode(&form.encode(&subscribed))).await;
        stream.chunk(&recordio::encode(&form.encode(&launch))).await;
        let mut calls = Peer::accept(&listener).await;
        let call: executor::Call = form.decode(&calls.request().await.body).unwrap();
        calls.answer("202 Accepted", "", b"").await;
        assert_eq!(call.update.status.state, TaskState::TASK_FINISHED);
        let mut acknowledged =
            executor::Event { r#type: Some(executor::event::Type::ACKNOWLEDGED), ..Default::default() };
        let part = executor::event::Acknowledged {
            task_id: call.update.status.task_id.clone(),
            uuid: call.update.status.uuid.clone().unwrap(),
            ..Default::default()
        };
        acknowledged.acknowledged = part.into();
        stream.chunk(&recordio::encode(&form.encode(&acknowledged))).await;
        // The connection stays open until the executor has left.
        (stream, calls)
    };
    let config = tepui_framework::executor::Config::from_env(|name| match name {
        "MESOS_AGENT_ENDPOINT" => Some(address.clone()),
        "MESOS_FRAMEWORK_ID" => Some("F".to_owned()),
        "MESOS_EXECUTOR_ID" => Some("E".to_owned()),
        _ => None,
    });
    let (executor, mut events) = Executor::connect(config.unwrap()).unwrap();
    let run = async {
        use tepui_sdk::executor::Event;
        while let Some(event) = events.next().await {
            match event {
                Event::Subscribed(_) => {}
                Event::Launch(tasks) => executor.state(&tasks[0].task_id, TaskState::TASK_FINISHED),
                Event::Acknowledged { task_id, .. } => {
                    assert_eq!(task_id.value, "t");
                    return;
                }
                other => panic!("unexpected: {other:?}"),
            }
        }
        panic!("no acknowledgement");
    };
    tokio::join!(agent, run);
}

#[tokio::test]
async fn an_operator_follows_to_the_leader_and_reads_files() {
    let ((followers, first), (leaders, address)) = (listen().await, listen().await);
    let leader_address = address.clone();
    let servers = async {
        let mut peer = Peer::accept(&followers).await;
        assert_eq!(peer.request().await.line, "POST /api/v1 HTTP/1.1");
        peer.answer("307 Temporary Redirect", &format!("Location: //{address}/api/v1\r\n"), b"").await;
        let mut peer = Peer::accept(&leaders).await;
        let call: master::Call = ContentType::Protobuf.decode(&peer.request().await.body).unwrap();
        assert_eq!(call.r#type, Some(master::call::Type::GET_MASTER));
        let info = MasterInfo { id: "m".into(), ip: 0, port: 5050, ..MasterInfo::default() };
        let part = master::response::GetMaster { master_info: info.into(), ..Default::default() };
        let response = master::Response {
            r#type: Some(master::response::Type::GET_MASTER),
            get_master: part.into(),
            ..Default::default()
        };
        peer.answer("200 OK", "", &ContentType::Protobuf.encode(&response)).await;

        let mut peer = Peer::accept(&followers).await;
        let request = peer.request().await;
        assert_eq!(
            request.line,
            "GET /files/read?path=/frameworks/F/executors/E/runs/latest/stdout&offset=0&length=10 HTTP/1.1"
        );
        peer.answer("200 OK", "", b"{\"data\":\"a\\n\xff\",\"offset\":0}").await;
        peer.request().await;
        peer.answer("404 Not Found", "", b"").await;
    };
    let questions = async {
        let operator = Operator::new(&first).unwrap();
        assert_eq!(operator.master().await.unwrap().master_info.id, "m");
        assert_eq!(operator.address().await, leader_address);
        let agent = Agent::new(&first).unwrap();
        let path = Agent::sandbox("F", "E", "stdout");
        assert_eq!(agent.read_file(&path, 0, 10).await.unwrap().data, b"a\n\xff");
        let missing = agent.read_file("/none", 0, 10).await;
        assert!(matches!(&missing, Err(error @ OperatorError::Refused { .. }) if error.is_not_found()), "{missing:?}");
    };
    tokio::join!(servers, questions);
}

#[tokio::test]
async fn a_scheduler_answers_for_maintenance() {
    let (listener, address) = listen().await;
    let form = ContentType::Protobuf;
    let leader = async {
        let mut stream = Peer::accept(&listener).await;
        stream.request().await;
        stream.open(form.as_str(), "Mesos-Stream-Id: s\r\n").await;
        stream.chunk(&recordio::encode(&form.encode(&subscribed()))).await;
        let offers = br#"{"type":"INVERSE_OFFERS","inverse_offers":{"inverse_offers":[{"id":{"value":"O7"},
            "framework_id":{"value":"F"},"agent_id":{"value":"S"},"unavailability":{"start":{"nanoseconds":5}}}]}}"#;
        let offers: Wire = ContentType::Json.decode(offers).unwrap();
        stream.chunk(&recordio::encode(&form.encode(&offers))).await;
        let mut calls = Peer::accept(&listener).await;
        let accept = v1::decode_scheduler_call(form, &calls.request().await.body).unwrap();
        calls.answer("202 Accepted", "", b"").await;
        assert_eq!(accept.accept_inverse_offers.inverse_offer_ids[0].value, "O7");
        assert_eq!(accept.accept_inverse_offers.filters.refuse_seconds, Some(60.0));
        let decline = v1::decode_scheduler_call(form, &calls.request().await.body).unwrap();
        calls.answer("202 Accepted", "", b"").await;
        assert_eq!(decline.decline_inverse_offers.inverse_offer_ids[0].value, "O7");
        assert!(!decline.decline_inverse_offers.filters.is_set());
        let rescind =
            br#"{"type":"RESCIND_INVERSE_OFFER","rescind_inverse_offer":{"inverse_offer_id":{"value":"O7"}}}"#;
        let rescind: Wire = ContentType::Json.decode(rescind).unwrap();
        stream.chunk(&recordio::encode(&form.encode(&rescind))).await;
        (stream, calls)
    };
    let run = async {
        let builder = Scheduler::builder(address.clone(), messages::framework("test", "nobody"));
        let (scheduler, mut events) = builder.connect().unwrap();
        assert!(matches!(events.next().await, Some(Event::Subscribed { .. })));
        let Some(Event::InverseOffers(asked)) = events.next().await else { panic!("no inverse offer") };
        assert_eq!(asked[0].unavailability.start.nanoseconds, 5);
        scheduler.accept_inverse(&asked, Some(60.0)).await.unwrap();
        scheduler.decline_inverse(&asked, None).await.unwrap();
        let Some(Event::RescindInverseOffer(id)) = events.next().await else { panic!("no rescind") };
        assert_eq!(id.value, "O7");
    };
    tokio::join!(leader, run);
}

#[tokio::test]
async fn an_operator_plans_maintenance() {
    let (listener, address) = listen().await;
    let form = ContentType::Json;
    let leader = async {
        let mut peer = Peer::accept(&listener).await;
        let mut calls = Vec::new();
        let status = r#"{"type":"GET_MAINTENANCE_STATUS","get_maintenance_status":{"status":{"down_machines":[{"ip":"1.2.3.4"}]}}}"#;
        let schedule = r#"{"type":"GET_MAINTENANCE_SCHEDULE","get_maintenance_schedule":{"schedule":{"windows":
            [{"machine_ids":[{"ip":"1.2.3.4"}],"unavailability":{"start":{"nanoseconds":5}}}]}}}"#;
        for body in [schedule, "", "", "", status] {
            let call: master::Call = form.decode(&peer.request().await.body).unwrap();
            calls.push(call);
            peer.answer("200 OK", "", body.as_bytes()).await;
        }
        calls
    };
    let run = async {
        let operator = Operator::new(&address).unwrap().content_type(form);
        let schedule = operator.maintenance_schedule().await.unwrap();
        let machines = schedule.windows[0].machine_ids.clone();
        operator.update_maintenance_schedule(schedule.clone()).await.unwrap();
        operator.start_maintenance(machines.clone()).await.unwrap();
        operator.stop_maintenance(machines.clone()).await.unwrap();
        assert_eq!(operator.maintenance_status().await.unwrap().down_machines, machines);
        (schedule, machines)
    };
    let (calls, (schedule, machines)) = tokio::join!(leader, run);
    assert_eq!(*calls[1].update_maintenance_schedule.schedule, schedule);
    assert_eq!(calls[2].start_maintenance.machines, machines);
    assert_eq!(calls[3].stop_maintenance.machines, machines);
}
