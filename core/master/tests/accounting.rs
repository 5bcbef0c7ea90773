//! Whatever happens, in whatever order, the books balance, a task runs once, and what is over stays over.

mod harness;

use harness::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tepui_base::Rng;
use tepui_master::state::task::is_terminal;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::PongAgentMessage;
use tepui_proto::mesos::scheduler::{Call, call};
use tepui_proto::mesos::{Filters, FrameworkInfo, TaskState};
use tepui_proto::{ContentType, MessageField};
use tepui_wire::{NetInput, Upid};

const AGENT: &str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";

/// A world under random hands, and what must hold of it.
struct Storm {
    world: World,
    rng: Rng,
    schedulers: Vec<Scheduler>,
    agents: BTreeMap<u8, String>,
    launched: BTreeSet<(String, String)>,
    over: BTreeMap<(String, String), TaskState>,
    tasks: u32,
    answered: u32,
}

impl Storm {
    fn step(&mut self) {
        match self.rng.below(14) {
            0 => self.subscribe(),
            1 => self.agent_comes(),
            2 | 3 => self.launch(),
            4 => self.decline(),
            5 | 6 => self.update(),
            7 => self.acknowledge(),
            8 => self.agent_breaks(),
            9 => self.scheduler_breaks(),
            10 => self.kill(),
            11 => self.maintain(),
            12 => self.answer_inverse_offer(),
            _ => self.time_passes(),
        }
        self.look();
    }

    fn subscribe(&mut self) {
        let mut info = FrameworkInfo {
            checkpoint: Some(self.rng.below(2) == 0),
            failover_timeout: Some(self.rng.below(3) as f64),
            ..framework("f", &[Capability::PARTITION_AWARE][..self.rng.below(2) as usize])
        };
        if let Some(again) = self.some_scheduler().filter(|_| self.rng_coin()) {
            info.id = field_id(&again.id);
        }
        let refused = self.world.master.snapshot().completed.iter().any(|known| known.id.as_str() == info.id.value);
        if !refused {
            let scheduler = self.world.subscribe(info, ContentType::Protobuf);
            self.schedulers.retain(|known| known.id != scheduler.id);
            self.schedulers.push(scheduler);
        }
    }

    fn rng_coin(&mut self) -> bool {
        self.rng.below(2) == 0
    }

    fn some_scheduler(&mut self) -> Option<Scheduler> {
        let at = self.rng.below(self.schedulers.len() as u64) as usize;
        self.schedulers.get(at).cloned()
    }

    fn agent_comes(&mut self) {
        let number = self.rng.below(4) as u8 + 1;
        let Some(id) = self.agents.get(&number).cloned() else {
            let id = self.world.register_agent(number, AGENT);
            self.agents.insert(number, id);
            return;
        };
        let snapshot = self.world.master.snapshot();
        let frameworks = snapshot.frameworks.values().map(|framework| (*framework.info).clone()).collect();
        let own =
            |task: &&std::sync::Arc<tepui_master::state::Shown<tepui_master::state::Task>>| task.agent.as_str() == id;
        let tasks = snapshot
            .frameworks
            .values()
            .flat_map(|framework| framework.tasks.values().chain(framework.unreachable.values()))
            .filter(own)
            .map(|task| {
                let mut proto = task.to_proto();
                // What the master thinks lost still runs; what ended has ended.
                if matches!(proto.state, TaskState::TASK_UNREACHABLE | TaskState::TASK_LOST) {
                    proto.state = TaskState::TASK_RUNNING;
                }
                proto
            })
            .collect();
        self.forget_of(&id);
        self.world.send(&agent_pid(number), &reregister_message(number, AGENT, &id, frameworks, tasks));
    }

    /// An agent that comes back says itself what became of its tasks.
    fn forget_of(&mut self, agent: &str) {
        let snapshot = self.world.master.snapshot();
        if snapshot.agents.contains_key(&tepui_base::AgentId::from(agent)) {
            return;
        }
        for framework in snapshot.frameworks.values() {
            for task in framework.unreachable.values() {
                self.over.remove(&(framework.id.to_string(), task.id.to_string()));
            }
        }
    }

    fn launch(&mut self) {
        let offers: Vec<_> = self.world.master.snapshot().offers.values().cloned().collect();
        let Some(offer) = offers.get(self.rng.below(offers.len() as u64) as usize) else { return };
        let Some(by) = self.schedulers.iter().find(|known| known.id == offer.framework.as_str()).cloned() else {
            return;
        };
        let tasks = (0..=self.rng.below(3)).map(|_| {
            self.tasks += 1;
            let cpus = self.rng.below(3) + 1;
            task(&format!("t{}", self.tasks), offer.agent.as_str(), &format!("cpus:{cpus};mem:64"))
        });
        let call = accept_ids(&[offer.id.as_str()], vec![launch_operation(tasks.collect())]);
        self.world.call(&by, call.clone());
        if self.rng_coin() {
            self.world.call(&by, call);
        }
    }

    fn decline(&mut self) {
        let offers: Vec<_> = self.world.master.snapshot().offers.values().cloned().collect();
        let Some(offer) = offers.get(self.rng.below(offers.len() as u64) as usize) else { return };
        let Some(by) = self.some_scheduler() else { return };
        let secs = self.rng.below(3) as f64;
        let decline = call::Decline {
            offer_ids: offer_ids(&[offer.id.as_str()]),
            filters: MessageField::some(Filters { refuse_seconds: Some(secs), ..Default::default() }),
            ..Default::default()
        };
        let call =
            Call { r#type: Some(call::Type::DECLINE), decline: MessageField::some(decline), ..Default::default() };
        self.world.call(&by, call);
    }

    fn some_task(&mut self) -> Option<std::sync::Arc<tepui_master::state::Shown<tepui_master::state::Task>>> {
        let snapshot = self.world.master.snapshot();
        let tasks: Vec<_> = snapshot.frameworks.values().flat_map(|one| one.tasks.values()).collect();
        tasks.get(self.rng.below(tasks.len() as u64) as usize).map(|task| (*task).clone())
    }

    fn update(&mut self) {
        let Some(task) = self.some_task() else { return };
        let Some((number, _)) = self.agents.iter().find(|(_, id)| id.as_str() == task.agent.as_str()) else { return };
        let states =
            [TaskState::TASK_RUNNING, TaskState::TASK_FINISHED, TaskState::TASK_FAILED, TaskState::TASK_KILLED];
        let state = states[self.rng.below(4) as usize];
        let uuid = self.rng.below(4) as u8;
        let (number, framework, id) = (*number, task.framework.to_string(), task.id.to_string());
        self.world.update(number, &framework, &id, state, uuid);
    }

    fn acknowledge(&mut self) {
        let Some(task) = self.some_task() else { return };
        let Some(by) = self.schedulers.iter().find(|one| one.id == task.framework.as_str()).cloned() else { return };
        let call = acknowledge(task.agent.as_str(), task.id.as_str(), self.rng.below(4) as u8);
        self.world.call(&by, call);
    }

    fn kill(&mut self) {
        let Some(task) = self.some_task() else { return };
        let Some(by) = self.schedulers.iter().find(|one| one.id == task.framework.as_str()).cloned() else { return };
        let kill = call::Kill { task_id: task.to_proto().task_id, ..Default::default() };
        let call = Call { r#type: Some(call::Type::KILL), kill: MessageField::some(kill), ..Default::default() };
        self.world.call(&by, call);
    }

    /// A window for one machine or none, or a machine that goes down or comes up. Refusals are answers, too.
    fn maintain(&mut self) {
        let number = self.rng.below(4) as u8 + 1;
        let machine = format!(r#"{{"hostname":"agent{number}.local","ip":"10.0.1.{number}"}}"#);
        let start = self.rng.below(3);
        let (path, body) = match self.rng.below(6) {
            0 => ("/maintenance/schedule", "{}".to_owned()),
            // Only agents that have an id can be told from one another when they are refused.
            1 if self.agents.contains_key(&number) => ("/machine/down", format!("[{machine}]")),
            2 | 3 => ("/machine/up", format!("[{machine}]")),
            _ => {
                let unavailability = format!(r#"{{"start":{{"nanoseconds":{start}}}}}"#);
                let window = format!(r#"{{"machine_ids":[{machine}],"unavailability":{unavailability}}}"#);
                ("/maintenance/schedule", format!(r#"{{"windows":[{window}]}}"#))
            }
        };
        let response = self.world.post_json(path, &body);
        assert!(matches!(response.status, 200 | 400), "{}", text(&response));
    }

    fn answer_inverse_offer(&mut self) {
        let offers: Vec<_> = self.world.master.snapshot().inverse_offers.values().cloned().collect();
        let Some(offer) = offers.get(self.rng.below(offers.len() as u64) as usize) else { return };
        let Some(by) = self.some_scheduler() else { return };
        let secs = self.rng.below(3) as f64;
        let accept = call::AcceptInverseOffers {
            inverse_offer_ids: offer_ids(&[offer.id.as_str()]),
            filters: MessageField::some(Filters { refuse_seconds: Some(secs), ..Default::default() }),
            ..Default::default()
        };
        let call = Call {
            r#type: Some(call::Type::ACCEPT_INVERSE_OFFERS),
            accept_inverse_offers: MessageField::some(accept),
            ..Default::default()
        };
        self.world.call(&by, call);
        self.answered += u32::from(!self.world.master.snapshot().inverse_offers.contains_key(&offer.id));
    }

    fn agent_breaks(&mut self) {
        let number = self.rng.below(4) as u8 + 1;
        self.world.input(NetInput::Exited(agent_pid(number)));
    }

    fn scheduler_breaks(&mut self) {
        if let Some(by) = self.some_scheduler() {
            self.world.input(NetInput::StreamClosed(by.stream));
        }
    }

    fn time_passes(&mut self) {
        for observer in 1..=20 {
            if self.rng_coin() {
                let to = Upid::new(&format!("slave-observer({observer})"), master_pid().ip, master_pid().port);
                self.world.send_to(&agent_pid(1), to, &PongAgentMessage::default());
            }
        }
        let secs = self.rng.below(20);
        self.world.advance(Duration::from_secs(secs));
    }

    fn look(&mut self) {
        self.world.audit();
        for number in 1..=4 {
            for run in self.world.launched(number) {
                let key = (run.framework.id.value.clone(), run.task.task_id.value.clone());
                assert!(self.launched.insert(key.clone()), "{key:?} is launched once");
            }
        }
        let snapshot = self.world.master.snapshot();
        for framework in snapshot.frameworks.values() {
            for task in framework.tasks.values() {
                let key = (framework.id.to_string(), task.id.to_string());
                if let Some(over) = self.over.get(&key) {
                    assert_eq!(task.state, *over, "{key:?} stays as it ended");
                } else if is_terminal(task.state) {
                    self.over.insert(key, task.state);
                }
            }
        }
    }
}

#[test]
fn the_books_balance_in_any_weather() {
    let mut answered = 0;
    for seed in 0..40 {
        let mut storm = Storm {
            world: World::new(),
            rng: Rng::new(seed),
            schedulers: Vec::new(),
            agents: BTreeMap::new(),
            launched: BTreeSet::new(),
            over: BTreeMap::new(),
            tasks: 0,
            answered: 0,
        };
        for _ in 0..400 {
            storm.step();
        }
        assert!(storm.launched.len() > 10, "seed {seed}: too little happened");
        answered += storm.answered;
    }
    assert!(answered > 10, "too few inverse offers were answered: {answered}");
}
