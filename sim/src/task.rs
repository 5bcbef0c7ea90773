//! What a simulated task does, written into its command so that it travels as real commands do.

/// `run <nanos> <code>`, or `serve` for a task that runs until it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// How long it runs; none: for ever.
    pub nanos: Option<u64>,
    /// Its exit code.
    pub code: u8,
}

impl Script {
    /// The command.
    pub fn command(self) -> String {
        match self.nanos {
            Some(nanos) => format!("run {nanos} {}", self.code),
            None => "serve".to_owned(),
        }
    }

    /// Reads a command; one that says nothing ends at once.
    pub fn parse(command: &str) -> Script {
        let mut words = command.split(' ');
        match words.next() {
            Some("serve") => Script { nanos: None, code: 0 },
            _ => {
                let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
                let nanos = Some(number().unwrap_or(0));
                Script { nanos, code: number().unwrap_or(0) as u8 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Script;

    #[test]
    fn a_script_survives_its_way_as_a_command() {
        for script in [Script { nanos: Some(5), code: 7 }, Script { nanos: None, code: 0 }] {
            assert_eq!(Script::parse(&script.command()), script);
        }
        assert_eq!(Script::parse("nonsense"), Script { nanos: Some(0), code: 0 });
    }
}
