//! What the detector finds, told to the agent: each change, and the present state when the agent asks again.

use std::sync::Arc;
use tepui_agent::{Agent, Input, Leader};
use tepui_detector::{Detection, Detector, Trouble};
use tepui_driver::Mailbox;
use tokio::sync::{Notify, watch};

/// The agent's way to have itself told again.
#[derive(Clone, Debug, Default)]
pub struct Detections {
    again: Arc<Notify>,
}

impl Detections {
    /// Tells the agent of each change until the agent or the process ends. Why nothing can be detected any more, if that
    /// is so, is told to `exit`, as the reason to leave.
    pub fn follow(mut detector: Detector, mailbox: Mailbox<Agent>, exit: watch::Sender<Option<String>>) -> Detections {
        let this = Detections::default();
        let again = this.again.clone();
        tokio::spawn(async move {
            loop {
                let detection = tokio::select! {
                    detection = detector.next() => detection,
                    () = again.notified() => detector.current(),
                    () = exit.closed() => return,
                };
                if let Some(Trouble::Failed(why)) = &detection.trouble {
                    exit.send_replace(Some(format!("Failed to detect a master: {why}")));
                }
                tell(&mailbox, &detection);
            }
        });
        this
    }

    /// Tells the agent what is known now, even if it is the same as before.
    pub fn tell_again(&self) {
        self.again.notify_one();
    }
}

fn tell(mailbox: &Mailbox<Agent>, detection: &Detection) {
    let hostname = detection.leader.as_ref().and_then(|leader| leader.hostname.clone());
    mailbox.post(Input::Leader(Leader { hostname, epoch: detection.epoch, beginnings: detection.beginnings }));
    mailbox.post(Input::Detected(detection.pid()));
}
