//! Which masters are of yesterday: where masters elect their leader themselves, each leader's messages carry its epoch.
//!
//! A leader that was cut off does not know yet that another has taken over. Its messages may still arrive; they carry an
//! older epoch, and nothing is done because of them. What is kept here is about our master's messages only: nobody
//! else can say an epoch that counts. It begins with the detector: an agent that was given the address of one master
//! follows that one whatever its epoch, for nobody would say that its epochs have begun anew, or ended.
//! `docs/protocols/election.md` describes the header.

use tepui_wire::{Message, Upid};

/// The highest epoch there has been, once the detector has named one.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    highest: Option<u64>,
    /// How many times all masters have lost what they knew, and counted afresh.
    beginnings: u64,
}

impl Epochs {
    /// The detector has named a leader of this epoch, after so many new beginnings.
    pub fn detected(&mut self, epoch: Option<u64>, beginnings: u64) {
        let is_anew = beginnings > self.beginnings;
        self.highest = if is_anew { epoch } else { self.highest.max(epoch) };
        self.beginnings = beginnings;
    }

    /// Whether a message is of a master that has been superseded; else its epoch is the highest from now on.
    pub fn refuses(&mut self, message: &Message, master: Option<&Upid>) -> bool {
        let Some(highest) = self.highest else { return false };
        let of_master = master.is_some_and(|master| master.address() == message.from.address());
        match message.epoch {
            Some(epoch) if epoch < highest => true,
            Some(epoch) if of_master => {
                self.highest = Some(epoch);
                false
            }
            // Once our master has an epoch, what carries none is not from its time.
            None => of_master,
            Some(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn master(port: u16) -> Upid {
        Upid::new("master", Ipv4Addr::LOCALHOST, port)
    }

    fn refuses(epochs: &mut Epochs, from: &Upid, epoch: Option<u64>) -> bool {
        let (to, name) = (Upid::new("slave(1)", Ipv4Addr::LOCALHOST, 9), "n".to_owned());
        let message = Message { from: from.clone(), to, name, epoch, body: Default::default() };
        epochs.refuses(&message, Some(&master(1)))
    }

    #[test]
    fn an_older_epoch_is_refused_from_anybody_and_a_newer_one_counts_from_the_master_only() {
        let (ours, other) = (master(1), master(2));
        let mut epochs = Epochs::default();
        epochs.detected(Some(3), 0);
        assert!(!refuses(&mut epochs, &ours, Some(5)));
        assert!(refuses(&mut epochs, &ours, Some(4)) && refuses(&mut epochs, &other, Some(4)));
        assert!(!refuses(&mut epochs, &other, Some(9)), "whoever that is");
        assert!(!refuses(&mut epochs, &ours, Some(5)), "it has not raised ours");
        let observer = Upid { id: "slave-observer(1)".into(), ..ours };
        assert!(!refuses(&mut epochs, &observer, Some(6)));
        assert!(refuses(&mut epochs, &master(1), Some(5)));
    }

    #[test]
    fn once_there_are_epochs_a_master_without_one_is_refused() {
        let mut epochs = Epochs::default();
        assert!(!refuses(&mut epochs, &master(1), None), "masters of Mesos have none");
        epochs.detected(Some(3), 0);
        assert!(refuses(&mut epochs, &master(1), None));
        assert!(!refuses(&mut epochs, &master(7), None), "not a master, as far as we know");
    }

    /// Its work directory was lost; then it was started without `--masters`.
    #[test]
    fn a_master_whose_address_was_given_is_heard_whatever_its_epoch() {
        let mut epochs = Epochs::default();
        for epoch in [Some(9), Some(1), None] {
            epochs.detected(None, 0);
            assert!(!refuses(&mut epochs, &master(1), epoch), "{epoch:?}");
        }
    }

    #[test]
    fn the_detector_raises_the_epoch_and_only_a_new_beginning_lowers_it() {
        let mut epochs = Epochs::default();
        epochs.detected(Some(8), 0);
        epochs.detected(Some(7), 0);
        epochs.detected(None, 0);
        assert!(refuses(&mut epochs, &master(1), Some(7)));
        epochs.detected(Some(1), 1);
        assert!(!refuses(&mut epochs, &master(1), Some(1)));
    }
}
