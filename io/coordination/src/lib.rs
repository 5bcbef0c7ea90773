//! Groups and variables in ZooKeeper.
