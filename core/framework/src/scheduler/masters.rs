//! Which master to ask: the leader if one has been named, else the configured ones in turn.

/// Redirects followed in a row before a pause. Two masters that name each other during an election would otherwise be
/// asked without end.
const MAX_REDIRECTS: u32 = 4;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Masters {
    configured: Vec<String>,
    next: usize,
    leader: Option<String>,
    redirects: u32,
}

impl Masters {
    pub fn new(configured: Vec<String>) -> Masters {
        assert!(!configured.is_empty(), "a scheduler needs the address of a master");
        Masters { configured, next: 0, leader: None, redirects: 0 }
    }

    /// `host:port` to ask now.
    pub fn current(&self) -> &str {
        self.leader.as_deref().unwrap_or(&self.configured[self.next])
    }

    /// A master has named another as the leader. False after too many in a row.
    pub fn redirected(&mut self, leader: String) -> bool {
        self.redirects += 1;
        self.leader = Some(leader);
        self.redirects <= MAX_REDIRECTS
    }

    /// The current one could not be reached or does not know the leader: the next configured one is asked.
    pub fn failed(&mut self) {
        self.redirects = 0;
        // A leader named by a redirect was no step through the configured ones.
        if self.leader.take().is_none() {
            self.next = (self.next + 1) % self.configured.len();
        }
    }

    /// The current one leads: it is asked first when the subscription ends.
    pub fn settled(&mut self) {
        self.redirects = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_masters_are_asked_in_turn_and_a_named_leader_first() {
        let mut masters = Masters::new(vec!["a:1".into(), "b:1".into()]);
        masters.failed();
        assert_eq!(masters.current(), "b:1");
        assert!(masters.redirected("c:1".into()));
        assert_eq!(masters.current(), "c:1");
        masters.failed();
        assert_eq!(masters.current(), "b:1", "the one that named the leader is asked again");
        masters.failed();
        assert_eq!(masters.current(), "a:1");
    }

    #[test]
    fn masters_that_name_each_other_are_left_after_a_few_redirects() {
        let mut masters = Masters::new(vec!["a:1".into()]);
        assert!((0..MAX_REDIRECTS).all(|_| masters.redirected("b:1".into())));
        assert!(!masters.redirected("a:1".into()));
    }
}
