//! `--help` text of a daemon.

use crate::{Flag, Kind, Support};

/// Flags that work, then those that are accepted but come later; wrapped by name.
pub fn text(program: &str, about: &str, tables: &[&'static [Flag]]) -> String {
    let mut out = format!("{about}\n\nUsage: {program} [--flag=value ...]\n");
    out += "Flags may also come from MESOS_<NAME> variables; a value file://PATH is read from that file.\n";
    for (title, wanted) in [
        ("Flags", Support::Built),
        ("Accepted, without effect yet", Support::Later),
        ("Not available yet (refused when set)", Support::Refused),
    ] {
        out += &format!("\n{title}:\n");
        let mut flags: Vec<&Flag> = tables.iter().flat_map(|t| t.iter()).filter(|f| f.support == wanted).collect();
        flags.sort_by_key(|flag| flag.name);
        for flag in flags {
            out += &line(flag);
        }
    }
    out
}

fn line(flag: &Flag) -> String {
    let form = match flag.kind {
        Kind::Bool => format!("--[no-]{}", flag.name),
        _ => format!("--{}=VALUE", flag.name),
    };
    let default = flag.default.map(|d| format!(" (default: {d})")).unwrap_or_default();
    let alias = flag.alias.map(|a| format!(" [alias: {a}]")).unwrap_or_default();
    format!("  {form:<44} {}{default}{alias}\n", flag.help)
}
