//! Allocation cycles over a cluster of a given size.
//!
//! The agents are those of Mesos' own `DeclineOffers` benchmark: 24 cpus, 4 GB of memory and of disk, 1001 ports, part
//! of which is in use. The recipes follow Mesos' benchmark tests (`hierarchical_allocator_tests.cpp`,
//! `hierarchical_allocator_benchmarks.cpp`, `sorter_tests.cpp`), each named after its test.

mod agents;
mod cluster;

use crate::output::say;
use agents::Agents;
use clap::ValueEnum;
use cluster::Cluster;

/// How large a cluster, and what to do with it.
#[derive(Clone, clap::Args)]
pub struct Arguments {
    /// How many agents.
    #[arg(long, default_value_t = 10_000)]
    agents: usize,
    /// How many frameworks.
    #[arg(long, default_value_t = 500)]
    frameworks: usize,
    /// How many roles the frameworks share.
    #[arg(long, default_value_t = 1)]
    roles: usize,
    /// What is done.
    #[arg(long, value_enum, default_value_t = Recipe::DeclineOffers)]
    recipe: Recipe,
    /// With persistent-volumes: whether the volumes are shared.
    #[arg(long, value_enum, default_value_t = Shared::Regular)]
    volumes: Shared,
    /// With hierarchy-full-sort: how many levels the tree of roles has, its root counted.
    #[arg(long, default_value_t = 3)]
    height: u32,
    /// With hierarchy-full-sort: how many roles are below each role.
    #[arg(long, default_value_t = 32)]
    branching: usize,
    /// How many rounds of offers that are all declined.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// With decline-offers: go on until every framework refuses every agent (slow: their product of declines).
    #[arg(long)]
    exhaust: bool,
    /// The random sorter instead of the one by shares.
    #[arg(long)]
    random: bool,
    /// The seed of the order of agents.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Recipe {
    /// Rounds of offers that are all declined; then single freed resources.
    DeclineOffers,
    /// The same, while more and more frameworks suppress.
    SuppressOffers,
    /// The same, when 99 of 100 frameworks suppress.
    ExtremeSuppressOffers,
    /// Roles with quota: five of six with half an agent, the sixth with two agents. Give --roles, and as many
    /// frameworks.
    LargeAndSmallQuota,
    /// One cycle without quota and one, of another cluster, in which every role has quota.
    NonQuotaVsQuota,
    /// All agents report oversubscribed resources.
    AddAndUpdateAgent,
    /// A cycle after a change that makes every share stale, and one after none.
    FullSort,
    /// The same with a framework in each role of a tree, in place of `--frameworks` and `--roles`. Mesos' trees are of
    /// height and branching 3 and 32, 7 and 3, 10 and 2.
    HierarchyFullSort,
    /// Decline-offers with reserved agents that have a persistent volume each.
    PersistentVolumes,
    /// Decline-offers with agents whose reservations have many labels.
    ResourceLabels,
    /// Every framework revives while nothing is free, with a run after each.
    AllocatorBacklog,
}

impl Recipe {
    fn agents(self, arguments: &Arguments) -> Agents {
        match self {
            Recipe::LargeAndSmallQuota | Recipe::NonQuotaVsQuota | Recipe::AllocatorBacklog => Agents::Idle,
            Recipe::PersistentVolumes => Agents::Volumes(arguments.volumes),
            Recipe::ResourceLabels => Agents::Labels,
            _ => Agents::Plain,
        }
    }
}

/// Which volumes are shared.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shared {
    /// None.
    Regular,
    /// All.
    Shared,
    /// Every second one.
    Mixed,
}

/// The roles below `above` in a tree of so many levels, their own roots last, as Mesos' benchmark adds them.
fn tree(above: &str, levels: u32, branching: usize) -> Vec<String> {
    let below = |number| match above {
        "" => format!("{number}"),
        _ => format!("{above}/{number}"),
    };
    let grow = |role: String| {
        let mut roles = if levels > 1 { tree(&role, levels - 1, branching) } else { Vec::new() };
        roles.push(role);
        roles
    };
    (0..branching).map(below).flat_map(grow).collect()
}

/// Runs it and prints one line per step.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut arguments = arguments.clone();
    let roles = match arguments.recipe {
        Recipe::HierarchyFullSort => tree("", arguments.height.saturating_sub(1).max(1), arguments.branching),
        _ => (0..arguments.roles).map(|number| format!("role-{number}")).collect(),
    };
    if arguments.recipe == Recipe::HierarchyFullSort {
        (arguments.roles, arguments.frameworks) = (roles.len(), roles.len());
    }
    drive(&arguments, &roles)
}

fn drive(arguments: &Arguments, roles: &[String]) -> anyhow::Result<()> {
    let agents = arguments.recipe.agents(arguments);
    say!("{} agents, {} frameworks, {} roles", arguments.agents, arguments.frameworks, arguments.roles);
    let mut cluster = Cluster::new(arguments, roles)?;
    cluster.timed("add frameworks", |cluster| cluster.add_frameworks(arguments));
    cluster.add_agents(arguments, agents)?;
    match arguments.recipe {
        Recipe::DeclineOffers | Recipe::PersistentVolumes | Recipe::ResourceLabels => decline(&mut cluster, arguments),
        Recipe::SuppressOffers => suppress(&mut cluster, arguments, |round, all| all * round / arguments.rounds),
        Recipe::ExtremeSuppressOffers => suppress(&mut cluster, arguments, |_, all| all * 99 / 100),
        Recipe::LargeAndSmallQuota => large_and_small_quota(&mut cluster, arguments),
        Recipe::NonQuotaVsQuota => {
            cluster.timed("full cycle, no quota", Cluster::cycle);
            cluster = Cluster::new(arguments, roles)?;
            cluster.add_frameworks(arguments);
            cluster.add_agents(arguments, agents)?;
            quota_for_all(&mut cluster, arguments);
        }
        Recipe::AddAndUpdateAgent => {
            cluster.timed("update agents", Cluster::grow);
            cluster.timed("full cycle, all free", Cluster::cycle);
        }
        Recipe::FullSort | Recipe::HierarchyFullSort => full_sort(&mut cluster),
        Recipe::AllocatorBacklog => {
            cluster.timed("full cycle, all free", Cluster::cycle);
            cluster.timed("revive every framework", Cluster::revive_all);
        }
    }
    Ok(())
}

fn decline(cluster: &mut Cluster, arguments: &Arguments) {
    let mut offers = cluster.timed("full cycle, all free", Cluster::cycle);
    for round in 1..=arguments.rounds {
        cluster.timed(&format!("decline all, round {round}"), |cluster| cluster.decline(&offers));
        offers = cluster.timed(&format!("full cycle, round {round}"), Cluster::cycle);
    }
    cluster.timed("full cycle, nothing free", Cluster::cycle);
    cluster.timed("decline all", |cluster| cluster.decline(&offers));
    if arguments.exhaust {
        cluster.exhaust();
        cluster.timed("full cycle, all refused", Cluster::cycle);
    }
    cluster.timed("revive one framework", |cluster| cluster.revive(0));
    let offers = cluster.timed("full cycle, one framework revived", Cluster::cycle);
    cluster.single_events(&offers);
}

fn suppress(cluster: &mut Cluster, arguments: &Arguments, share: impl Fn(usize, usize) -> usize) {
    let mut offers = cluster.timed("full cycle, all free", Cluster::cycle);
    for round in 1..=arguments.rounds {
        cluster.decline(&offers);
        let silent = share(round, arguments.frameworks).min(arguments.frameworks);
        cluster.timed(&format!("suppress {silent}"), |cluster| cluster.suppress(0..silent));
        offers = cluster.timed(&format!("full cycle, round {round}"), Cluster::cycle);
    }
}

fn large_and_small_quota(cluster: &mut Cluster, arguments: &Arguments) {
    for role in 0..arguments.roles {
        let is_large = role % 6 == 5;
        cluster.set_quota(role, if is_large { "cpus:48;mem:8192;disk:8192" } else { "cpus:12;mem:2048;disk:2048" });
    }
    cluster.timed("full cycle, quota to fill", Cluster::cycle);
    cluster.timed("full cycle, quota filled", Cluster::cycle);
}

fn quota_for_all(cluster: &mut Cluster, arguments: &Arguments) {
    for role in 0..arguments.roles {
        cluster.set_quota(role, "cpus:48;mem:8192;disk:8192");
    }
    cluster.timed("full cycle, every role has quota", Cluster::cycle);
    cluster.timed("full cycle, quota filled", Cluster::cycle);
}

fn full_sort(cluster: &mut Cluster) {
    cluster.timed("full cycle, all free", Cluster::cycle);
    cluster.timed("full cycle, nothing free", Cluster::cycle);
    cluster.disturb();
    cluster.timed("cycle after a change of the pool", Cluster::cycle);
}

#[cfg(test)]
mod tests {
    use super::tree;

    #[test]
    fn trees_are_those_of_mesos() {
        assert_eq!(tree("", 2, 2), ["0/0", "0/1", "0", "1/0", "1/1", "1"]);
        let sizes = [(3, 32), (7, 3), (10, 2)].map(|(height, branching)| tree("", height - 1, branching).len());
        assert_eq!(sizes, [1056, 1092, 1022]);
    }
}
