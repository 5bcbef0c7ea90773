//! Which master to ask: the leader if one has been named by a master or by the detector, else the configured ones in turn.

/// Redirects followed in a row before a pause. Two masters that name each other during an election would otherwise be
/// asked without end.
const MAX_REDIRECTS: u32 = 4;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Masters {
    configured: Vec<String>,
    next: usize,
    /// As a redirect named it.
    leader: Option<String>,
    /// As the detector names it.
    detected: Option<String>,
    redirects: u32,
}

impl Masters {
    pub fn new(configured: Vec<String>) -> Masters {
        Masters { configured, next: 0, leader: None, detected: None, redirects: 0 }
    }

    /// `host:port` to ask now; none if there is no way to know yet.
    pub fn current(&self) -> Option<&str> {
        let named = self.leader.as_ref().or(self.detected.as_ref());
        named.or_else(|| self.configured.get(self.next)).map(String::as_str)
    }

    /// The detector has found a leader, which goes by these names, or that there is none. Whether another master is to be
    /// asked than before.
    pub fn detected(&mut self, names: Vec<String>) -> bool {
        let before = self.current().map(str::to_owned);
        let is_known = before.as_ref().is_some_and(|before| names.contains(before));
        // The first name is its address, which is right where another may not be resolved; it counts from the next
        // attempt on.
        self.detected = names.into_iter().next();
        if is_known {
            self.leader = before;
            return false;
        }
        self.leader = None;
        self.redirects = 0;
        self.current() != before.as_deref()
    }

    /// A master has named another as the leader. False after too many in a row.
    pub fn redirected(&mut self, leader: String) -> bool {
        self.redirects += 1;
        self.leader = Some(leader);
        self.redirects <= MAX_REDIRECTS
    }

    /// The current one could not be reached or does not know the leader: the next configured one is asked, unless the
    /// detector knows better.
    pub fn failed(&mut self) {
        self.redirects = 0;
        // A leader named by a redirect was no step through the configured ones.
        if self.leader.take().is_none() && !self.configured.is_empty() {
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
        assert_eq!(masters.current(), Some("b:1"));
        assert!(masters.redirected("c:1".into()));
        assert_eq!(masters.current(), Some("c:1"));
        masters.failed();
        assert_eq!(masters.current(), Some("b:1"), "the one that named the leader is asked again");
        masters.failed();
        assert_eq!(masters.current(), Some("a:1"));
    }

    #[test]
    fn masters_that_name_each_other_are_left_after_a_few_redirects() {
        let mut masters = Masters::new(vec!["a:1".into()]);
        assert!((0..MAX_REDIRECTS).all(|_| masters.redirected("b:1".into())));
        assert!(!masters.redirected("a:1".into()));
    }

    #[test]
    fn a_detected_leader_is_asked_until_another_is_detected() {
        let mut masters = Masters::new(Vec::new());
        assert_eq!(masters.current(), None);
        assert!(masters.detected(vec!["1.1.1.1:1".into(), "a:1".into()]));
        masters.failed();
        assert_eq!(masters.current(), Some("1.1.1.1:1"));
        assert!(!masters.detected(vec!["1.1.1.1:1".into()]));
        assert!(masters.redirected("b:1".into()));
        assert!(!masters.detected(vec!["2.2.2.2:1".into(), "b:1".into()]), "the same by another name");
        assert_eq!(masters.current(), Some("b:1"));
        masters.failed();
        assert_eq!(masters.current(), Some("2.2.2.2:1"), "a name that cannot be reached is not tried for ever");
        assert!(masters.detected(Vec::new()));
        assert_eq!(masters.current(), None);
    }
}
