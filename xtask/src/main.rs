//! The chores of this repository, as one command that needs nothing but cargo: `cargo xtask <chore>`.
//!
//! - `tidy` checks in a second what reviewers should not have to: who may call whom, sizes, words, links.
//! - `test` runs everything that can prove the project wrong, part after part, and ends with one summary.
//! - `mutants` proves the simulator: bugs nobody thought of, built into the core one after another.
//!
//! Nothing here is shipped. Formatting and lints are not repeated here: rustfmt and clippy already do them.

use std::path::PathBuf;
use std::process::ExitCode;

mod mutants;
mod source;
mod test;
mod tidy;
mod tree;

const USAGE: &str = "\
usage: cargo xtask tidy                       check layers, sizes, words, documents and links
       cargo xtask test [--quick] [--only PART[,PART]] [--allow-skips]
                                              run the tests; --quick is unit, properties and a short simulation; a test
                                              that is skipped fails the run, unless --allow-skips
       cargo xtask test --list                name the parts
       cargo xtask mutants [NAME...]          build mutants of the core into the simulator, which must find them";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("tidy") if arguments.len() == 1 => tidy::run(&root()),
        Some("test") => test::run(&root(), &arguments[1..]),
        Some("mutants") => mutants::run(&root(), &arguments[1..]),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's top folder, wherever in it the command was typed.
fn root() -> PathBuf {
    let here =
        PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()));
    here.parent().map(PathBuf::from).unwrap_or(here)
}
