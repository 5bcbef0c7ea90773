//! The names of resources that peers have brought: the allocator has a number for each as long as the master leads, and a
//! place in every sum.

use std::collections::BTreeSet;
use tepui_proto::mesos::FrameworkInfo;

/// A cluster has a handful of names; a sum of a thousand is 8 KB, and there are several for each agent, role and filter.
pub(crate) const NAMES_MAX: usize = 1_000;

/// So many new names can one peer bring in one message, or it could leave no room for those of others.
const NEW_MAX: usize = 50;

/// Nearly every agent has these, and nobody can take their places.
const ALWAYS: [&str; 5] = ["cpus", "gpus", "mem", "disk", "ports"];

/// Names that were met.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// Whether there is room for what is new among some names.
    pub fn fit<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> bool {
        let new = self.new_among(names).len();
        new <= NEW_MAX && self.0.len() + new <= NAMES_MAX
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
        let quantities = info.offer_filters.values().flat_map(|filter| &filter.min_allocatable_resources.quantities);
        match self.admit(quantities.flat_map(|one| one.quantities.keys().map(String::as_str))) {
            true => Ok(()),
            false => Err(format!(
                "'FrameworkInfo.offer_filters' would bring more than {NEW_MAX} new names of resources, or all to more than \
                 {NAMES_MAX}"
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
        assert!(!names.admit(texts[..=NEW_MAX].iter().copied()), "all at once are too many");
        for some in texts[..NAMES_MAX].chunks(NEW_MAX) {
            assert!(names.admit(some.iter().copied()));
        }
        assert!(names.admit(["7", "7"]) && !names.admit(["7", texts[NAMES_MAX]]), "it is full");
        assert!(names.admit(ALWAYS), "there is always room for what all have");
    }
}
