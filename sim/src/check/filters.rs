//! What a framework does not want it is not offered: declined resources for as long as it said, nothing while it has
//! suppressed its role; and whoever wants offers gets some.

use super::{Amount, CallType, Fact, Model};
use std::collections::BTreeMap;
use tepui_proto::mesos::scheduler::Call;

/// Offers that the allocator decided on before it heard of a decline may still come.
const IN_FLIGHT_NANOS: u64 = 1_000_000;
/// In the quiet phase declines last for five minutes at most, and nobody is busy.
const STARVED_NANOS: u64 = 10 * 60 * 1_000_000_000;

struct Offer {
    framework: String,
    role: String,
    agent: String,
    amount: Amount,
    disk: i64,
}

struct Filter {
    refused: Offer,
    from: u64,
    until: u64,
}

#[derive(Default)]
pub struct Filters {
    offers: BTreeMap<String, Offer>,
    filters: Vec<Filter>,
    /// Frameworks that want nothing, and since when.
    suppressed: BTreeMap<String, u64>,
    last_offer: BTreeMap<String, u64>,
}

impl Filters {
    pub fn see(&mut self, now: u64, fact: &Fact, model: &Model, found: &mut Vec<String>) {
        match fact {
            Fact::Offered { via, offer, agent, role, amount, disk, .. } => {
                let Some((framework, _)) = model.roster.at(via) else { return };
                let (framework, role, agent) = (framework.clone(), role.clone(), agent.clone());
                let made = Offer { framework: framework.clone(), role, agent, amount: *amount, disk: *disk };
                self.judge(now, offer, &made, found);
                self.last_offer.insert(framework, now);
                self.offers.insert(offer.clone(), made);
            }
            Fact::Rescinded { offer } => {
                self.offers.remove(offer);
            }
            Fact::Call { framework, call, .. } => self.call(now, framework, call),
            Fact::Subscribed { framework, .. } | Fact::FrameworkLost { framework } => {
                self.offers.retain(|_, offer| offer.framework != *framework);
                self.filters.retain(|filter| filter.refused.framework != *framework);
                self.suppressed.remove(framework);
            }
            Fact::MarkedUnreachable { id } | Fact::AgentRemoved { id } => {
                self.filters.retain(|filter| filter.refused.agent != *id);
            }
            Fact::MasterEnded => *self = Filters::default(),
            _ => {}
        }
    }

    fn judge(&mut self, now: u64, id: &str, offer: &Offer, found: &mut Vec<String>) {
        self.filters.retain(|filter| filter.until > now);
        if self.suppressed.get(&offer.framework).is_some_and(|since| now > since + IN_FLIGHT_NANOS) {
            found.push(format!("offer {id} goes to framework {}, which has suppressed offers", offer.framework));
        }
        let holds = |filter: &&Filter| {
            let Filter { refused, from, .. } = filter;
            let same = (&refused.framework, &refused.role, &refused.agent);
            same == (&offer.framework, &offer.role, &offer.agent)
                && now > from + IN_FLIGHT_NANOS
                && offer.amount.0 <= refused.amount.0
                && offer.amount.1 <= refused.amount.1
                && offer.disk <= refused.disk
        };
        if let Some(filter) = self.filters.iter().find(holds) {
            let (left, refused) = ((filter.until - now) / 1_000_000, filter.refused.amount);
            let (framework, amount) = (&offer.framework, offer.amount);
            found
                .push(format!("framework {framework} declined {refused:?} and is offered {amount:?}, {left} ms early"));
        }
    }

    fn call(&mut self, now: u64, framework: &str, call: &Call) {
        match call.r#type {
            Some(CallType::DECLINE) => {
                let secs = call.decline.filters.refuse_seconds.unwrap_or(5.0);
                for id in &call.decline.offer_ids {
                    let own = self.offers.remove(&id.value).filter(|offer| offer.framework == framework);
                    let until = now + (secs * 1e9) as u64;
                    self.filters.extend(own.map(|refused| Filter { refused, from: now, until }));
                }
            }
            Some(CallType::ACCEPT) => {
                call.accept.offer_ids.iter().for_each(|id| drop(self.offers.remove(&id.value)));
            }
            Some(CallType::REVIVE) => {
                self.filters.retain(|filter| filter.refused.framework != framework);
                self.suppressed.remove(framework);
            }
            Some(CallType::UPDATE_FRAMEWORK) if call.update_framework.suppressed_roles.is_empty() => {
                // Whoever wants offers again wants those it declined, too.
                if self.suppressed.remove(framework).is_some() {
                    self.filters.retain(|filter| filter.refused.framework != framework);
                }
            }
            Some(CallType::SUPPRESS | CallType::UPDATE_FRAMEWORK) => {
                self.suppressed.entry(framework.to_owned()).or_insert(now);
            }
            _ => {}
        }
    }

    /// After the quiet phase: whoever is there and has not said otherwise was offered something lately.
    pub fn at_rest(&self, now: u64, model: &Model, found: &mut Vec<String>) {
        let connected = model.roster.frameworks.iter().filter(|(_, entry)| entry.connected);
        for (framework, _) in connected.filter(|(id, _)| !self.suppressed.contains_key(*id)) {
            let last = self.last_offer.get(framework).copied().unwrap_or(0);
            if now > last + STARVED_NANOS && !model.known.connected.is_empty() {
                found.push(format!("framework {framework} wants offers and has got none for minutes"));
            }
        }
    }
}
