//! The language of `scenarios/*.txt`: which agents and frameworks come, what they do, and nothing of what should follow;
//! that is what a real Mesos says. `scenarios/README.md` lists the words.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Unique.
    pub name: String,
    /// Flags of its master, `name=value`; scenarios with the same flags share a master.
    pub flags: Vec<String>,
    /// Whether it may be left to chance which of several equal agents is offered: agents' names are not compared.
    pub any_agent: bool,
    /// What is done, one after the other, each followed by silence.
    pub actions: Vec<Action>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The first word.
    pub verb: String,
    /// Words without `=` after it, in order.
    pub names: Vec<String>,
    /// `key=value` words, in order.
    pub settings: Vec<(String, String)>,
    /// The line, as the report shows it.
    pub line: String,
}

impl Action {
    /// The n-th word after the verb.
    pub fn name(&self, n: usize) -> Result<&str> {
        self.names.get(n).map(String::as_str).with_context(|| format!("'{}' lacks a word", self.line))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A comma-separated list; empty without the key.
    pub fn list(&self, key: &str) -> Vec<&str> {
        self.get(key).map(|text| text.split(',').filter(|one| !one.is_empty()).collect()).unwrap_or_default()
    }
}

/// All scenarios of a folder, in the order of its files and their lines.
pub fn load(folder: &Path) -> Result<Vec<Scenario>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut scenarios: Vec<Scenario> = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "txt")) {
        let text = std::fs::read_to_string(file)?;
        scenarios.extend(read(&text).with_context(|| file.display().to_string())?);
    }
    for (n, scenario) in scenarios.iter().enumerate() {
        ensure!(scenarios[..n].iter().all(|s| s.name != scenario.name), "two scenarios are called {}", scenario.name);
    }
    Ok(scenarios)
}

/// Reads a file: `flags` lines count for the scenarios after them.
pub fn read(text: &str) -> Result<Vec<Scenario>> {
    let (mut scenarios, mut flags) = (Vec::<Scenario>::new(), Vec::new());
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (line.starts_with(' '), words[0]) {
            (false, "flags") => flags = words[1..].iter().map(|word| (*word).to_owned()).collect(),
            (false, "scenario") => {
                let name = words.get(1).with_context(|| format!("line {}: no name", number + 1))?;
                scenarios.push(Scenario {
                    name: (*name).to_owned(),
                    flags: flags.clone(),
                    any_agent: words[2..].contains(&"any-agent"),
                    actions: Vec::new(),
                });
            }
            (true, _) => {
                let scenario = scenarios.last_mut().with_context(|| format!("line {}: no scenario", number + 1))?;
                scenario.actions.push(action(line.trim(), &words));
            }
            (false, other) => bail!("line {}: '{other}' is neither flags nor scenario", number + 1),
        }
    }
    Ok(scenarios)
}

fn action(line: &str, words: &[&str]) -> Action {
    let (mut names, mut settings) = (Vec::new(), Vec::new());
    for word in &words[1..] {
        match word.split_once('=') {
            Some((key, value)) => settings.push((key.to_owned(), value.to_owned())),
            None => names.push((*word).to_owned()),
        }
    }
    Action { verb: words[0].to_owned(), names, settings, line: line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read() {
        let text = "# why\nflags weights=a=2,b=1\nscenario one any-agent\n  agent a cpus:2;mem:64 attributes=x:1\n\
                    scenario two\n  wait 1\n";
        let scenarios = read(text).unwrap();
        assert_eq!(scenarios.len(), 2);
        assert_eq!(scenarios[1].flags, ["weights=a=2,b=1"]);
        assert!(scenarios[0].any_agent && !scenarios[1].any_agent);
        let agent = &scenarios[0].actions[0];
        assert_eq!((agent.verb.as_str(), agent.name(1).unwrap()), ("agent", "cpus:2;mem:64"));
        assert_eq!(agent.get("attributes"), Some("x:1"));
        assert!(agent.name(2).is_err());
    }

    #[test]
    fn nonsense_is_refused_by_line() {
        for text in ["  agent a b", "scenario", "jump"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
