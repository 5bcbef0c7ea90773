//! Scalar quantities as small arrays of thousandths, the arithmetic of the hot path.
//!
//! A resource name becomes a small number once ([`Names`]); after that, adding and comparing quantities touches no
//! text. Metadata (reservations, disks, ports) stays in [`tepui_resources::Resources`], aside.

use smallvec::SmallVec;
use tepui_base::Map;
use tepui_resources::{Name, Quantities, Resource, Scalar};

/// Names that nearly every agent has; the others follow in the order in which they are met.
const FIRST: [&str; INLINE] = ["cpus", "mem", "disk", "gpus", "ports"];
/// How many names fit without an allocation.
const INLINE: usize = 5;

/// Numbers for resource names. A name is never forgotten: a cluster knows a handful of them.
#[derive(Clone, Debug)]
pub struct Names {
    all: Vec<Name>,
    numbers: Map<Name, usize>,
    /// The numbers of well-known names by their rank: those are found without hashing.
    well_known: [Option<usize>; Name::WELL_KNOWN],
}

impl Default for Names {
    fn default() -> Self {
        let mut names = Names { all: Vec::new(), numbers: Map::default(), well_known: Default::default() };
        for name in FIRST {
            names.number(&Name::from(name));
        }
        names
    }
}

impl Names {
    /// The number of a name, a new one if it was never met.
    pub fn number(&mut self, name: &Name) -> usize {
        if let Some(number) = self.find(name) {
            return number;
        }
        let number = self.all.len();
        self.all.push(name.clone());
        match name.rank() {
            Some(rank) => self.well_known[usize::from(rank)] = Some(number),
            None => _ = self.numbers.insert(name.clone(), number),
        }
        number
    }

    /// The number of a name that was met before.
    pub fn find(&self, name: &Name) -> Option<usize> {
        match name.rank() {
            Some(rank) => self.well_known[usize::from(rank)],
            None => self.numbers.get(name).copied(),
        }
    }

    /// The scalar amounts among some resources; each shared resource counts once.
    pub fn scalars<'a>(&mut self, resources: impl IntoIterator<Item = &'a Resource>) -> Amounts {
        let mut sum = Amounts::default();
        for resource in resources {
            if let Some(amount) = resource.amount() {
                sum.add_one(self.number(resource.name()), amount.thousandths());
            }
        }
        sum
    }

    /// The quantities of some resources whose names are known; ranges and sets count their members.
    pub fn known_quantities<'a>(&self, resources: impl IntoIterator<Item = &'a Resource>) -> Amounts {
        let mut sum = Amounts::default();
        for resource in resources {
            if let Some(number) = self.find(resource.name()) {
                sum.add_one(number, resource.value().quantity().thousandths());
            }
        }
        sum
    }

    /// The quantities of some resources, where ranges and sets count their members.
    pub fn quantities<'a>(&mut self, resources: impl IntoIterator<Item = &'a Resource>) -> Amounts {
        let mut sum = Amounts::default();
        for resource in resources {
            sum.add_one(self.number(resource.name()), resource.value().quantity().thousandths());
        }
        sum
    }

    /// Quantities as amounts.
    pub fn amounts(&mut self, quantities: &Quantities) -> Amounts {
        let mut sum = Amounts::default();
        for (name, amount) in quantities.iter() {
            sum.add_one(self.number(name), amount.thousandths());
        }
        sum
    }

    /// All names by their numbers.
    pub fn all(&self) -> &[Name] {
        &self.all
    }
}

/// How much of each resource name, in thousandths. Names beyond the last stored one have zero; no stored tail is zero,
/// so equal quantities are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts(SmallVec<[i64; INLINE]>);

impl Amounts {
    /// The thousandths of one name.
    pub fn get(&self, number: usize) -> i64 {
        self.0.get(number).copied().unwrap_or(0)
    }

    /// Adds thousandths to one name.
    pub fn add_one(&mut self, number: usize, thousandths: i64) {
        while number >= self.0.len() {
            self.0.push(0);
        }
        self.0[number] = self.0[number].saturating_add(thousandths);
        self.trim();
    }

    /// Adds another quantity.
    pub fn add(&mut self, other: &Amounts) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = mine.saturating_add(*theirs);
        }
        self.trim();
    }

    /// Takes another quantity away; may leave negative amounts.
    pub fn subtract(&mut self, other: &Amounts) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = mine.saturating_sub(*theirs);
        }
        self.trim();
    }

    /// What is left of it after another quantity is taken away: nothing where that is more.
    pub fn minus_floored(&self, other: &Amounts) -> Amounts {
        let mut rest = self.clone();
        for (number, mine) in rest.0.iter_mut().enumerate() {
            *mine = mine.saturating_sub(other.get(number)).max(0);
        }
        rest.trim();
        rest
    }

    /// Whether every amount is zero.
    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is at least as much of each name as in `other`.
    pub fn contains(&self, other: &Amounts) -> bool {
        other.0.iter().enumerate().all(|(number, amount)| self.get(number) >= *amount)
    }

    /// Each name's number and thousandths, zeros left out.
    pub fn iter(&self) -> impl Iterator<Item = (usize, i64)> {
        self.0.iter().copied().enumerate().filter(|(_, amount)| *amount != 0)
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

/// All agents' scalar resources together: what a share is a share of.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    amounts: Amounts,
    /// By name number: the amount in whole units, zero where the name does not count for shares.
    divisors: SmallVec<[f64; INLINE]>,
    /// Name numbers left out of shares (`--fair_sharing_excluded_resource_names`).
    excluded: Vec<usize>,
    version: u64,
}

impl Pool {
    /// An empty pool; `excluded` are numbers of names that do not count for shares.
    pub fn new(excluded: Vec<usize>) -> Pool {
        Pool { excluded, ..Pool::default() }
    }

    /// The sums.
    pub fn amounts(&self) -> &Amounts {
        &self.amounts
    }

    /// Grows with each change: what was sorted under another version must be sorted again.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// An agent's total changed from `old` to `new`.
    pub fn replace(&mut self, old: &Amounts, new: &Amounts) {
        if old == new {
            return;
        }
        self.amounts.subtract(old);
        self.amounts.add(new);
        self.version += 1;
        let divisor = |(number, amount): (usize, &i64)| match self.excluded.contains(&number) || *amount <= 0 {
            true => 0.0,
            false => whole(*amount),
        };
        self.divisors = self.amounts.0.iter().enumerate().map(divisor).collect();
    }

    /// The dominant share: the largest fraction of the pool's amount of any one name (Ghodsi et al., "Dominant
    /// Resource Fairness", NSDI 2011). The same divisions of the same doubles as Mesos makes, so that ties are ties
    /// there and here.
    pub fn dominant_share(&self, allocated: &Amounts) -> f64 {
        let fraction = |(amount, divisor): (&i64, &f64)| if *divisor > 0.0 { whole(*amount) / divisor } else { 0.0 };
        allocated.0.iter().zip(&self.divisors).map(fraction).fold(0.0, f64::max)
    }
}

/// Thousandths as the double Mesos holds for them.
fn whole(thousandths: i64) -> f64 {
    Scalar::from_thousandths(thousandths).to_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(list: &[i64]) -> Amounts {
        let mut amounts = Amounts::default();
        for (number, amount) in list.iter().enumerate() {
            amounts.add_one(number, *amount);
        }
        amounts
    }

    #[test]
    fn a_sum_less_a_part_is_the_other_part() {
        let (a, b) = (amounts(&[1, 2, 3]), amounts(&[0, 5, 0, 0, 7]));
        let mut sum = a.clone();
        sum.add(&b);
        assert!(sum.contains(&a) && sum.contains(&b) && !a.contains(&b));
        sum.subtract(&b);
        assert_eq!(sum, a);
        sum.subtract(&a);
        assert_eq!(sum, Amounts::default());
    }

    #[test]
    fn the_dominant_share_is_the_largest_fraction() {
        let mut pool = Pool::new(vec![3]);
        pool.replace(&Amounts::default(), &amounts(&[9_000, 18_000, 0, 1_000]));
        assert_eq!(pool.dominant_share(&amounts(&[3_000, 12_000])), 12.0 / 18.0);
        assert_eq!(
            pool.dominant_share(&amounts(&[6_000, 2_000, 5_000, 1_000])),
            6.0 / 9.0,
            "excluded and unknown names"
        );
    }

    #[test]
    fn names_keep_their_numbers() {
        let mut names = Names::default();
        let (mem, foo) = (Name::from("mem"), Name::from("foo"));
        assert_eq!((names.number(&mem), names.number(&foo), names.number(&foo)), (1, 5, 5));
        assert_eq!(names.all()[5], foo);
    }
}
