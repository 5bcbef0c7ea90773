//! The command line of the suites that compare two clusters.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

/// What both suites can be told. `C` is how a cluster that runs already is named.
pub struct Options<C> {
    /// The binary to start clusters of, beside real ones.
    pub tepui: Option<PathBuf>,
    /// Two that run already: the first, the second.
    pub clusters: Option<[C; 2]>,
    /// Where the eggs are kept.
    tools: PathBuf,
    /// Whether to print more.
    pub show: bool,
    /// The values of the option that only this suite has.
    pub own: Vec<String>,
}

impl<C> Options<C> {
    /// Reads the words after the suite's name. `own` is the suite's own option, `running` makes a cluster of what stands
    /// after `--first` and `--second`.
    pub fn read(
        mut words: impl Iterator<Item = String>,
        usage: &str,
        own: &str,
        running: impl Fn(&'static str, &str) -> Result<C>,
    ) -> Result<Options<C>> {
        let (mut first, mut second) = (None, None);
        let (mut tepui, mut tools, mut show) = (None, "target/interop".into(), false);
        let mut values = Vec::new();
        while let Some(word) = words.next() {
            if word == "--show" {
                show = true;
                continue;
            }
            let value = words.next().with_context(|| format!("{word}?\n{usage}"))?;
            match word.as_str() {
                "--tepui" => tepui = Some(PathBuf::from(value).canonicalize().context("the binary")?),
                "--tools" => tools = value.into(),
                "--first" => first = Some(running("first", &value)?),
                "--second" => second = Some(running("second", &value)?),
                word if word == own => values.push(value),
                _ => bail!("{word}?\n{usage}"),
            }
        }
        let clusters = first.zip(second).map(|(first, second)| [first, second]);
        ensure!(tepui.is_some() != clusters.is_some(), "--tepui, or --first and --second\n{usage}");
        Ok(Options { tepui, clusters, tools, show, own: values })
    }

    /// The folder of the eggs, which is there from now on.
    pub fn tools(&self) -> Result<PathBuf> {
        std::fs::create_dir_all(&self.tools)?;
        Ok(self.tools.canonicalize()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Options<String>> {
        let words = words.iter().map(|word| (*word).to_owned());
        Options::read(words, "usage", "--only", |name, text| Ok(format!("{name} {text}")))
    }

    #[test]
    fn two_clusters_or_a_binary_are_compared() {
        let options = read(&["--second", "b", "--show", "--first", "a", "--only", "x", "--only", "y"]).unwrap();
        assert_eq!(options.clusters, Some(["first a".to_owned(), "second b".to_owned()]));
        assert!(options.show && options.own == ["x", "y"]);
        assert!(read(&["--tepui", "/proc/self/exe"]).is_ok_and(|options| options.clusters.is_none()));
        for words in [&["--first", "a"][..], &[], &["--other", "x"], &["--only"]] {
            assert!(read(words).is_err_and(|error| error.to_string().contains("usage")), "{words:?}");
        }
    }
}
