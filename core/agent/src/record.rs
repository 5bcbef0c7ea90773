//! The agent's inputs as bytes, for recordings.

use crate::{ContainerEvent, Input};
use tepui_authz::Approvers;
use tepui_base::ContainerId;
use tepui_base::record::{Bytes, Record};
use tepui_proto::codec;
use tepui_wire::{NetInput, Upid};

impl Record for Input {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Input::Net(input) => {
                out.push(0);
                input.write(out);
            }
            Input::Detected(master) => {
                out.push(1);
                master.write(out);
            }
            Input::Container(event) => {
                out.push(2);
                event.write(out);
            }
            Input::Terminate { unregister } => {
                out.push(3);
                unregister.write(out);
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
            1 => Input::Detected(Option::<Upid>::read(from)?),
            2 => Input::Container(ContainerEvent::read(from)?),
            3 => Input::Terminate { unregister: bool::read(from)? },
            4 => Input::Approvers(Approvers::permissive_at(u64::read(from)?)),
            _ => return None,
        })
    }
}

impl Record for ContainerEvent {
    fn write(&self, out: &mut Vec<u8>) {
        let (tag, id) = match self {
            ContainerEvent::Launched { id, .. } => (0, id),
            ContainerEvent::LaunchFailed { id, .. } => (1, id),
            ContainerEvent::Updated { id, .. } => (2, id),
            ContainerEvent::Terminated { id, .. } => (3, id),
        };
        out.push(tag);
        id.as_str().to_owned().write(out);
        match self {
            ContainerEvent::Launched { pid, .. } => u64::from(*pid).write(out),
            ContainerEvent::LaunchFailed { message, .. } => message.write(out),
            ContainerEvent::Updated { sequence, error, .. } => {
                sequence.write(out);
                error.write(out);
            }
            ContainerEvent::Terminated { termination, .. } => codec::encode(termination).to_vec().write(out),
        }
    }

    fn read(from: &mut Bytes<'_>) -> Option<ContainerEvent> {
        let tag = from.take(1)?[0];
        let id = ContainerId::from(String::read(from)?);
        Some(match tag {
            0 => ContainerEvent::Launched { id, pid: u32::try_from(u64::read(from)?).ok()? },
            1 => ContainerEvent::LaunchFailed { id, message: String::read(from)? },
            2 => ContainerEvent::Updated { id, sequence: u64::read(from)?, error: Option::read(from)? },
            3 => ContainerEvent::Terminated { id, termination: codec::decode(&Vec::read(from)?).ok()? },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_input_reads_back_the_same() {
        let id = ContainerId::from("c");
        let termination =
            tepui_proto::mesos::containerizer::ContainerTermination { status: Some(9), ..Default::default() };
        for input in [
            Input::Detected(None),
            Input::Detected(Upid::parse("master@127.0.0.1:5050")),
            Input::Terminate { unregister: true },
            Input::Approvers(Approvers::permissive_at(2)),
            Input::Net(NetInput::StreamClosed(tepui_wire::RequestId(4))),
            Input::Container(ContainerEvent::Launched { id: id.clone(), pid: 7 }),
            Input::Container(ContainerEvent::LaunchFailed { id: id.clone(), message: "no".into() }),
            Input::Container(ContainerEvent::Updated { id: id.clone(), sequence: 1, error: None }),
            Input::Container(ContainerEvent::Terminated { id, termination }),
        ] {
            let mut bytes = Vec::new();
            input.write(&mut bytes);
            assert_eq!(Input::read(&mut Bytes(&bytes)), Some(input));
        }
    }
}
