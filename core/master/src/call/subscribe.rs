//! SUBSCRIBE: a framework joins, comes back, or takes over from an earlier instance of itself.

use crate::config::Config;
use crate::cx::Cx;
use crate::event::{self, Event};
use crate::metrics::Counter;
use crate::state::{Connection, Framework, Http, framework};
use crate::subscribers::Change;
use crate::{Master, terms, validate};
use std::collections::BTreeSet;
use std::sync::Arc;
use tepui_allocator::{Input, OfferConstraintsFilter};
use tepui_authz::{Action, Principal};
use tepui_base::{FrameworkId, Wall};
use tepui_proto::mesos::FrameworkInfo;
use tepui_proto::mesos::internal::UpdateFrameworkMessage;
use tepui_proto::mesos::scheduler::OfferConstraints;
use tepui_proto::mesos::scheduler::call::{Subscribe, Type};
use tepui_proto::{MessageField, ProtoId, ToProto};
use tepui_wire::Upid;

/// Where a SUBSCRIBE came from, and where its answer goes.
#[derive(Clone, Debug)]
pub(crate) enum Subscriber {
    /// A V0 driver.
    Pid(Upid),
    /// An open stream.
    Http(Http),
}

/// Which offers a framework wants, beside what its description says.
pub(crate) struct Wishes {
    suppressed: BTreeSet<String>,
    constraints: Arc<OfferConstraints>,
    filter: OfferConstraintsFilter,
}

impl Wishes {
    /// Takes the wishes of a call; an error is what is wrong with its constraints.
    pub fn new(config: &Config, suppressed: Vec<String>, constraints: OfferConstraints) -> Result<Wishes, String> {
        let filter = OfferConstraintsFilter::new(&constraints, config.offer_constraints);
        let filter = filter.map_err(|error| error.to_string())?;
        Ok(Wishes { suppressed: suppressed.into_iter().collect(), constraints: Arc::new(constraints), filter })
    }

    /// Those of a framework that has not spoken yet.
    fn none() -> Wishes {
        Wishes { suppressed: BTreeSet::new(), constraints: Arc::default(), filter: OfferConstraintsFilter::default() }
    }

    fn take_effect(self, framework: &mut Framework) {
        framework.suppressed = self.suppressed;
        framework.offer_constraints = self.constraints;
        framework.constraints_filter = self.filter;
    }
}

impl Master {
    /// Checks in the order of Mesos, then subscribes. Refusals go to the subscriber as an error event, and close its
    /// stream.
    pub(crate) fn subscribe(&mut self, cx: &mut Cx, from: Subscriber, principal: &Principal, call: Subscribe) {
        let mut info = call.framework_info.into_option().unwrap_or_default();
        let is_new = info.id.value.is_empty();
        self.state.metrics.count(if is_new { Counter::RegisterFramework } else { Counter::ReregisterFramework });
        let constraints = call.offer_constraints.into_option().unwrap_or_default();
        let checked = validate::framework::subscription(&info, &call.suppressed_roles, &self.state)
            .and_then(|()| Wishes::new(&self.config, call.suppressed_roles, constraints))
            .and_then(|wishes| self.may_subscribe(principal, &info).map(|()| wishes))
            .and_then(|wishes| self.known.names.admit_filters(&info).map(|()| wishes));
        let wishes = match checked {
            Ok(wishes) => wishes,
            Err(text) => return self.refuse(cx, &from, text),
        };
        if info.principal.is_none() {
            info.principal.clone_from(principal);
        }
        if is_new {
            self.subscribe_new(cx, from, info, wishes);
        } else {
            self.subscribe_again(cx, from, info, wishes, call.force.unwrap_or(false));
        }
    }

    pub(super) fn may_subscribe(&self, principal: &Principal, info: &FrameworkInfo) -> Result<(), String> {
        let roles = framework::roles(info);
        let approved = |role: &String| self.state.approvers.approved(principal, Action::RegisterFramework, role);
        if roles.iter().all(approved) {
            return Ok(());
        }
        let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
        Err(format!("Not authorized to register framework {} with roles {{ {} }}", info.id.value, roles.join(", ")))
    }

    /// Tells a subscriber that is not taken why.
    fn refuse(&mut self, cx: &mut Cx, from: &Subscriber, text: String) {
        match from {
            Subscriber::Pid(pid) => event::error(cx, &self.config.pid, pid, text),
            Subscriber::Http(http) => {
                event::write(cx, http, &FrameworkId::from(""), &self.state.info, Event::Error(text));
                cx.close(http.request);
            }
        }
    }

    fn subscribe_new(&mut self, cx: &mut Cx, from: Subscriber, mut info: FrameworkInfo, wishes: Wishes) {
        if let Subscriber::Pid(pid) = &from
            && let Some(id) = self.addresses.frameworks.get(pid).cloned()
        {
            // The driver did not get the first answer. If its link broke meanwhile it is connected again: it does not know
            // that it was away, and would be removed without a word when its failover timeout is over, as in Mesos.
            if !self.state.frameworks[&id].is_connected() {
                self.connect(cx, &id, from);
                self.activate_framework(cx, &id);
            }
            return self.tell(cx, &id, Event::Registered);
        }
        let id = self.next_framework_id();
        info.id = id.to_field();
        self.add_framework(cx, info, wishes);
        self.count_subscribe(&id, &from);
        self.connect(cx, &id, from);
        self.activate_framework(cx, &id);
        self.tell(cx, &id, Event::Registered);
        self.first_heartbeat(cx, &id);
        self.publish(cx, Change::FrameworkAdded(&id));
    }

    fn subscribe_again(&mut self, cx: &mut Cx, from: Subscriber, mut info: FrameworkInfo, wishes: Wishes, force: bool) {
        let id = info.id.id();
        if let Subscriber::Pid(pid) = &from
            && self.addresses.frameworks.get(pid).is_some_and(|other| *other != id)
        {
            return;
        }
        if !self.state.frameworks.contains_key(&id) {
            self.recover_framework(cx, info.clone());
            self.publish(cx, Change::FrameworkAdded(&id));
        }
        let known = self.state.frameworks[&id].clone();
        validate::framework::keep_immutable(&known.info, &mut info);
        if let Err(text) = validate::framework::update(&known.info, &info) {
            return self.refuse(cx, &from, text);
        }
        let same = matches!(&from, Subscriber::Pid(pid) if known.pid.as_ref() == Some(pid));
        if matches!(from, Subscriber::Pid(_)) && !known.is_recovered() && !same && !force {
            return self.refuse(cx, &from, "Framework failed over".to_owned());
        }
        self.count_subscribe(&id, &from);
        self.update_framework(cx, &id, info, wishes);
        if known.is_recovered() {
            self.subscribe_recovered(cx, &id, from);
        } else if same && !force {
            self.subscribe_same(cx, &id, from);
        } else {
            self.fail_over(cx, &id, from, same);
        }
        self.tell_agents_of(cx, &id);
    }

    /// The first subscription of a framework known from agents, or not known at all, under an id it brought.
    fn subscribe_recovered(&mut self, cx: &mut Cx, id: &FrameworkId, from: Subscriber) {
        let framework = self.state.framework_mut(id).expect("it was there a moment ago");
        framework.registered = cx.now.wall;
        framework.reregistered = cx.now.wall;
        self.connect(cx, id, from);
        self.activate_framework(cx, id);
        self.tell(cx, id, Event::Registered);
        self.first_heartbeat(cx, id);
    }

    /// The same driver subscribes once more.
    fn subscribe_same(&mut self, cx: &mut Cx, id: &FrameworkId, from: Subscriber) {
        self.state.framework_mut(id).expect("it was there a moment ago").reregistered = cx.now.wall;
        self.withdraw_offers(cx, id, true);
        self.connect(cx, id, from);
        self.activate_framework(cx, id);
        self.tell(cx, id, Event::Reregistered);
    }

    /// Another instance, or another stream, takes the framework over. Offers vanish without a word.
    fn fail_over(&mut self, cx: &mut Cx, id: &FrameworkId, from: Subscriber, same: bool) {
        self.state.framework_mut(id).expect("it was there a moment ago").reregistered = cx.now.wall;
        if self.state.frameworks[id].is_connected() && !same {
            self.tell(cx, id, Event::Error("Framework failed over".to_owned()));
        }
        self.connect(cx, id, from);
        self.withdraw_offers(cx, id, false);
        self.activate_framework(cx, id);
        self.tell(cx, id, Event::Registered);
        self.first_heartbeat(cx, id);
    }

    /// A framework is known from agents, or from the id it brings; it has not subscribed with this master.
    pub(crate) fn recover_framework(&mut self, cx: &mut Cx, info: FrameworkInfo) {
        let id = info.id.id();
        self.add_framework(cx, info, Wishes::none());
        // When it subscribed is not known: masters remember no frameworks.
        let framework = self.state.framework_mut(&id).expect("it was just added");
        (framework.registered, framework.reregistered) = (Wall(0), Wall(0));
    }

    /// Makes a record of a framework that is not connected, and tells the allocator.
    fn add_framework(&mut self, cx: &mut Cx, info: FrameworkInfo, wishes: Wishes) {
        let id = info.id.id();
        let key = self.keys.frameworks.issue();
        self.keys.framework_ids.insert(key, id.clone());
        let mut framework = Framework::new(id.clone(), key, Arc::new(info), cx.now.wall);
        wishes.take_effect(&mut framework);
        cx.allocator(Input::AddFramework { key, terms: terms::framework(&framework), active: false });
        self.state.frameworks.insert(id, Arc::new(framework));
    }

    /// Takes over what a framework says of itself now. Offers for roles it has left are rescinded.
    pub(super) fn update_framework(&mut self, cx: &mut Cx, id: &FrameworkId, info: FrameworkInfo, wishes: Wishes) {
        let framework = self.state.framework_mut(id).expect("it was there a moment ago");
        framework.roles = framework::roles(&info);
        framework.info = Arc::new(info);
        wishes.take_effect(framework);
        let (key, terms) = (framework.key, terms::framework(framework));
        cx.allocator(Input::UpdateFramework { key, terms });
        let framework = &self.state.frameworks[id];
        let left = |offer: &&tepui_base::OfferId| !framework.roles.contains(self.state.offers[*offer].role.as_str());
        let left: Vec<_> = framework.offers.iter().filter(left).cloned().collect();
        for offer in left {
            self.rescind_offer(cx, &offer);
        }
    }

    /// From now on the framework is reached this way; an older stream is closed.
    fn connect(&mut self, cx: &mut Cx, id: &FrameworkId, from: Subscriber) {
        self.detach(cx, id);
        let framework = self.state.framework_mut(id).expect("it was there a moment ago");
        framework.connection = Connection::Connected;
        match from {
            Subscriber::Pid(pid) => {
                framework.pid = Some(pid.clone());
                cx.link(&pid);
                self.addresses.frameworks.insert(pid, id.clone());
            }
            Subscriber::Http(http) => {
                framework.pid = None;
                self.addresses.streams.insert(http.request, id.clone());
                framework.http = Some(http);
            }
        }
    }

    /// The framework is no longer reached; its stream is closed, its pid kept but not looked up any more.
    pub(crate) fn detach(&mut self, cx: &mut Cx, id: &FrameworkId) {
        let framework = self.state.framework_mut(id).expect("only registered frameworks are reached");
        if let Some(http) = framework.http.take() {
            self.addresses.streams.remove(&http.request);
            cx.close(http.request);
        }
        if let Some(pid) = &framework.pid {
            self.addresses.frameworks.remove(pid);
        }
    }

    /// The framework gets offers again.
    fn activate_framework(&mut self, cx: &mut Cx, id: &FrameworkId) {
        let framework = self.state.framework_mut(id).expect("it was there a moment ago");
        if !framework.active {
            framework.active = true;
            let key = framework.key;
            cx.allocator(Input::ActivateFramework(key));
        }
    }

    /// The framework gets no offers, and loses those it has.
    pub(crate) fn deactivate_framework(&mut self, cx: &mut Cx, id: &FrameworkId, rescind: bool) {
        let framework = self.state.framework_mut(id).expect("it was there a moment ago");
        framework.active = false;
        let key = framework.key;
        cx.allocator(Input::DeactivateFramework(key));
        self.withdraw_offers(cx, id, rescind);
    }

    /// Every agent may run something of the framework, and must know what it is now and where to reach it. Operators
    /// hear of it, too.
    pub(super) fn tell_agents_of(&mut self, cx: &mut Cx, id: &FrameworkId) {
        self.publish(cx, Change::FrameworkUpdated(id));
        let message = update_message(&self.state.frameworks[id]);
        for agent in self.state.agents.values() {
            cx.send(&self.config.pid, &agent.pid, &message);
        }
    }

    /// The subscriptions of drivers are in the counters of the master only, as everything of V0 that is no call.
    fn count_subscribe(&mut self, id: &FrameworkId, from: &Subscriber) {
        if matches!(from, Subscriber::Pid(_)) {
            return;
        }
        self.state.framework_mut(id).expect("it was there a moment ago").metrics.count_call(Type::SUBSCRIBE);
    }
}

/// What an agent is told of a framework.
pub(crate) fn update_message(framework: &Framework) -> UpdateFrameworkMessage {
    UpdateFrameworkMessage {
        framework_id: framework.id.to_field(),
        pid: Some(pid_text(framework)),
        framework_info: MessageField::some((*framework.info).clone()),
        ..Default::default()
    }
}

/// The framework's pid as agents read it; that of no process for one that is reached over HTTP.
pub(crate) fn pid_text(framework: &Framework) -> String {
    framework.pid.as_ref().map_or_else(|| event::NO_PID.to_owned(), Upid::to_string)
}
