//! Names of members.

use std::cmp::Ordering;
use std::collections::BTreeSet;

/// One member of a group: an ephemeral znode whose name ends in its sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Grows with each member that joins; the lowest one leads.
    pub sequence: i32,
    /// What stands before the number, if anything: it says what the data is.
    pub label: Option<String>,
    /// The znode's name within the group.
    pub node: String,
}

/// Members in the order of their sequence numbers.
pub type Members = BTreeSet<Member>;

impl Ord for Member {
    fn cmp(&self, other: &Member) -> Ordering {
        self.sequence.cmp(&other.sequence).then_with(|| self.node.cmp(&other.node))
    }
}

impl PartialOrd for Member {
    fn partial_cmp(&self, other: &Member) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Member {
    /// Reads a znode's name, `label_0000000012` or `0000000012`. What ends in no number is no member.
    pub fn parse(node: &str) -> Option<Member> {
        let mut tokens = node.split('_').filter(|token| !token.is_empty());
        let (first, last) = (tokens.next()?, tokens.next_back());
        let sequence = last.unwrap_or(first).parse().ok()?;
        Some(Member { sequence, label: last.map(|_| first.to_owned()), node: node.to_owned() })
    }

    /// The name to create a member under; ZooKeeper appends the number.
    pub fn prefix(label: Option<&str>) -> String {
        label.map(|label| format!("{label}_")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_comes_last_and_the_label_first() {
        let read = |node: &str| Member::parse(node).map(|member| (member.sequence, member.label));
        assert_eq!(read("json.info_0000000012"), Some((12, Some("json.info".to_owned()))));
        assert_eq!(read("0000000012"), Some((12, None)));
        assert_eq!(read("info_2147483647"), Some((i32::MAX, Some("info".to_owned()))));
        assert_eq!(read("a_b_0000000001"), Some((1, Some("a".to_owned()))));
        // ZooKeeper's counter overflows into negative numbers.
        assert_eq!(read("json.info_-2147483648"), Some((i32::MIN, Some("json.info".to_owned()))));
    }

    #[test]
    fn what_has_no_number_is_no_member() {
        for node in ["log_replicas", "", "_", "json.info", "json.info_", "x_99999999999"] {
            assert_eq!(Member::parse(node), None, "{node}");
        }
    }

    #[test]
    fn the_lowest_number_comes_first() {
        let members: Members = ["json.info_0000000007", "info_0000000003", "0000000010"]
            .iter()
            .filter_map(|node| Member::parse(node))
            .collect();
        let order: Vec<i32> = members.iter().map(|member| member.sequence).collect();
        assert_eq!(order, [3, 7, 10]);
    }
}
