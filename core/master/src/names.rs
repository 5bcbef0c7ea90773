//! The names of resources that peers have brought: the allocator has a number for each as long as the master leads, and a
//! place in every sum.

use std::collections::BTreeSet;
use tepui_proto::mesos::FrameworkInfo;

/// A cluster has a handful of names; a sum of a thousand is 8 KB, and there are several for each agent, role and filter.
pub(crate) const NAMES_MAX: usize = 1_000;

/// So many of them can one peer list, or it could leave no room for those of others. It does not depend on what is known
/// already: what one master has taken in, the next one takes in too.
const LISTED_MAX: usize = 50;

/// Nearly every agent has these, and nobody can take their places.
const ALWAYS: [&str; 5] = ["cpus", "gpus", "mem", "disk", "ports"];

/// Whether one peer may list all these names.
pub(crate) fn are_few<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let listed: BTreeSet<&str> = names.into_iter().filter(|name| !ALWAYS.contains(name)).collect();
    match listed.len() > LISTED_MAX {
        true => Err(format!("There are more than {LISTED_MAX} names of resources")),
        false => Ok(()),
    }
}

/// The names that a framework filters offers by.
pub(crate) fn of_filters(info: &FrameworkInfo) -> impl Iterator<Item = &str> + Clone {
    let quantities = info.offer_filters.values().flat_map(|filter| &filter.min_allocatable_resources.quantities);
    quantities.flat_map(|one| one.quantities.keys().map(String::as_str))
}

/// Names that were met.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// Whether there is room for what is new among some names.
    pub fn fit<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> bool {
        self.0.len() + self.new_among(names).len() <= NAMES_MAX
    }

    /// Takes in what is new among some names, if there is room for all of it; says whether there was.
    pub fn admit<'a>(&mut self, names: impl IntoIterator<Item = &'a str> + Clone) -> bool {
        let fits = self.fit(names.clone());
        if fits {
            let new: Vec<String> = self.new_among(names).into_iter().map(str::to_owned).collect();
            self.0.extend(new);
        }
        fits
    }

    fn new_among<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        names.into_iter().filter(|name| !ALWAYS.contains(name) && !self.0.contains(*name)).collect()
    }

    /// The same of what a framework filters offers by, with the text of a refusal.
    pub fn admit_filters(&mut self, info: &FrameworkInfo) -> Result<(), String> {
        match self.admit(of_filters(info)) {
            true => Ok(()),
            false => Err(format!(
                "'FrameworkInfo.offer_filters' would bring the names of resources to more than {NAMES_MAX}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_names_are_taken_in_from_one_and_from_all() {
        let mut names = Names::default();
        let texts: Vec<String> = (0..=NAMES_MAX).map(|number| number.to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert!(are_few(texts[..LISTED_MAX].iter().copied().chain(ALWAYS)).is_ok());
        assert!(are_few(texts[..=LISTED_MAX].iter().copied()).is_err());
        assert!(!names.admit(texts.iter().copied()), "all are too many");
        assert!(names.admit(texts[1..].iter().copied()), "nothing was taken of those");
        assert!(names.admit(["7", "7"]) && !names.admit(["7", "0"]), "it is full");
        assert!(names.admit(ALWAYS), "there is always room for what all have");
    }
}
