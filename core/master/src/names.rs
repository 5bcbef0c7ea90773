//! The names of resources that peers have brought: the allocator has a number for each as long as the master leads, and a
//! place in every sum.

use std::collections::BTreeSet;
use tepui_proto::mesos::FrameworkInfo;

/// A cluster has a handful of names; a sum of a thousand is 8 KB, and there are several for each agent, role and filter.
pub(crate) const NAMES_MAX: usize = 1_000;

/// Names that were met.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// Takes in what is new among some names, if there is room for all of it; says whether there was.
    pub fn admit<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> bool {
        let new: BTreeSet<&str> = names.into_iter().filter(|name| !self.0.contains(*name)).collect();
        let fits = self.0.len() + new.len() <= NAMES_MAX;
        if fits {
            self.0.extend(new.into_iter().map(str::to_owned));
        }
        fits
    }

    /// The same of what a framework filters offers by, with the text of a refusal.
    pub fn admit_filters(&mut self, info: &FrameworkInfo) -> Result<(), String> {
        let quantities = info.offer_filters.values().flat_map(|filter| &filter.min_allocatable_resources.quantities);
        match self.admit(quantities.flat_map(|one| one.quantities.keys().map(String::as_str))) {
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
    fn only_so_many_names_are_taken_in() {
        let mut names = Names::default();
        let texts: Vec<String> = (0..=NAMES_MAX).map(|number| number.to_string()).collect();
        assert!(!names.admit(texts.iter().map(String::as_str)), "all at once are too many");
        assert!(names.admit(texts[1..].iter().map(String::as_str)), "nothing was taken of those");
        assert!(names.admit(["7", "7"]) && !names.admit(["7", "0"]));
    }
}
