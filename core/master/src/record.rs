//! The master's inputs as bytes, for recordings.

use crate::Input;
use tepui_allocator::{AgentKey, Effect, FrameworkKey, Key, OfferedAgent};
use tepui_authz::Approvers;
use tepui_base::record::{Bytes, Record, read_list, write_list};
use tepui_proto::codec;
use tepui_proto::mesos::Offer;
use tepui_registry::{Error, OperationId, Output, State};
use tepui_resources::{Resources, Role};
use tepui_wire::NetInput;

impl Record for Input {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Input::Net(input) => {
                out.push(0);
                input.write(out);
            }
            Input::Registry(Output::Recovered(state)) => {
                out.push(1);
                codec::encode(&state.to_proto()).to_vec().write(out);
            }
            Input::Registry(Output::Applied(id, result)) => {
                out.push(2);
                id.0.write(out);
                out.push(match result {
                    Ok(changed) => u8::from(*changed),
                    Err(Error::AlreadyAdmitted) => 2,
                    Err(Error::NotAdmitted) => 3,
                });
            }
            Input::Registry(Output::Aborted(_) | Output::Log(_)) => unreachable!("a master is told neither"),
            Input::Allocator(Effect::Offer { framework, offers }) => {
                out.push(3);
                pack(*framework).write(out);
                write_list(&offers.iter().cloned().map(Offered).collect::<Vec<_>>(), out);
            }
            Input::Allocator(Effect::InverseOffer { framework, agents }) => {
                out.push(5);
                pack(*framework).write(out);
                write_list(&agents.iter().copied().map(pack).collect::<Vec<u64>>(), out);
            }
            Input::Approvers(approvers) => {
                out.push(4);
                approvers.version.write(out);
            }
        }
    }

    fn read(from: &mut Bytes<'_>) -> Option<Input> {
        Some(match from.take(1)?[0] {
            0 => Input::Net(NetInput::read(from)?),
            1 => Input::Registry(Output::Recovered(State::from_proto(&codec::decode(&Vec::read(from)?).ok()?))),
            2 => {
                let id = OperationId(u64::read(from)?);
                let result = match from.take(1)?[0] {
                    0 => Ok(false),
                    1 => Ok(true),
                    2 => Err(Error::AlreadyAdmitted),
                    3 => Err(Error::NotAdmitted),
                    _ => return None,
                };
                Input::Registry(Output::Applied(id, result))
            }
            3 => {
                let framework: FrameworkKey = unpack(u64::read(from)?);
                let offers = read_list::<Offered>(from)?.into_iter().map(|offer| offer.0).collect();
                Input::Allocator(Effect::Offer { framework, offers })
            }
            4 => Input::Approvers(Approvers::permissive_at(u64::read(from)?)),
            5 => {
                let framework = unpack(u64::read(from)?);
                let agents = read_list::<u64>(from)?.into_iter().map(unpack).collect();
                Input::Allocator(Effect::InverseOffer { framework, agents })
            }
            _ => return None,
        })
    }
}

fn pack(key: impl Key) -> u64 {
    u64::from(key.index()) << 32 | u64::from(key.generation())
}

fn unpack<K: Key>(both: u64) -> K {
    K::new((both >> 32) as u32, both as u32)
}

/// An entry of an offer: the allocator's type has no bytes of its own.
struct Offered(OfferedAgent);

impl Record for Offered {
    fn write(&self, out: &mut Vec<u8>) {
        pack(self.0.agent).write(out);
        self.0.role.as_str().to_owned().write(out);
        let carrier = Offer { resources: self.0.resources.to_proto(), ..Default::default() };
        codec::encode(&carrier).to_vec().write(out);
    }

    fn read(from: &mut Bytes<'_>) -> Option<Offered> {
        let agent: AgentKey = unpack(u64::read(from)?);
        let role = Role::from(String::read(from)?.as_str());
        let carrier: Offer = tepui_proto::Message::decode_from_slice(&Vec::read(from)?).ok()?;
        let resources = Resources::from_proto(&carrier.resources);
        Some(Offered(OfferedAgent { agent, role, resources }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_base::record;

    fn round(input: &Input) -> Vec<u8> {
        let mut bytes = Vec::new();
        input.write(&mut bytes);
        let read = Input::read(&mut record::Bytes(&bytes)).expect("what was written can be read");
        let mut again = Vec::new();
        read.write(&mut again);
        assert_eq!(bytes, again);
        bytes
    }

    #[test]
    fn every_kind_of_input_reads_back_the_same() {
        let resources = Resources::parse("cpus:4;mem:1024;ports:[31000-32000]", "*").unwrap();
        let offer = OfferedAgent {
            agent: AgentKey::new(7, 2),
            role: Role::from("a/b"),
            resources: resources.allocated_to(&Role::from("a/b")),
        };
        let offers =
            Input::Allocator(Effect::Offer { framework: FrameworkKey::new(1, 0), offers: vec![offer.clone()] });
        let bytes = round(&offers);
        match Input::read(&mut record::Bytes(&bytes)) {
            Some(Input::Allocator(Effect::Offer { offers, .. })) => assert_eq!(offers, [offer]),
            other => panic!("{other:?}"),
        }
        let (framework, agents) = (FrameworkKey::new(1, 0), vec![AgentKey::new(7, 2), AgentKey::new(8, 0)]);
        round(&Input::Allocator(Effect::InverseOffer { framework, agents }));
        for result in [Ok(true), Ok(false), Err(Error::AlreadyAdmitted), Err(Error::NotAdmitted)] {
            round(&Input::Registry(Output::Applied(OperationId(3), result)));
        }
        round(&Input::Registry(Output::Recovered(State::default())));
        round(&Input::Approvers(Approvers::permissive()));
        round(&Input::Net(NetInput::StreamClosed(tepui_wire::RequestId(1))));
    }
}
