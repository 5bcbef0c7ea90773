//! Recovers from every disk that a crash may leave, and from every disk that a crash in each of these recoveries may leave;
//! then leaves out each kind of sync, which must be missed. `crash --list` names what is judged, `crash NAME...` judges only
//! that. Each prints one line: `PASS name` with what was tried, or `FAIL name: why`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use crash::judge::Effort;
use crash::subjects::{CASES, Case, case_of};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAIL crash: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        CASES.iter().for_each(|case| println!("{:<15} {}", case.name, case.about));
        return Ok(true);
    }
    let named =
        |name: &String| case_of(name).with_context(|| format!("there is no {name}; --list names what there is"));
    let chosen = arguments.iter().map(named).collect::<Result<Vec<_>>>()?;
    let cases = if chosen.is_empty() { CASES.to_vec() } else { chosen };
    let mut is_well = true;
    for case in cases {
        let start = Instant::now();
        let verdict = whole(case);
        let took = start.elapsed().as_secs_f64();
        match verdict {
            Ok(text) => println!("PASS {} ({text}, {took:.1} s)", case.name),
            Err(error) => {
                is_well = false;
                println!("FAIL {}: {error:#} ({took:.1} s)", case.name);
            }
        }
    }
    Ok(is_well)
}

fn whole(case: Case) -> Result<String> {
    let tried = (case.judge)(Effort::whole()).map_err(anyhow::Error::msg)?;
    for skip in case.syncs {
        if !(case.misses)(*skip) {
            bail!("nobody noticed that {skip:?} is left out");
        }
    }
    Ok(format!(
        "{} operations, {} crashes, {} crashes in a recovery, {} kinds of sync left out and missed",
        tried.operations,
        tried.crashes,
        tried.crashes_in_recovery,
        case.syncs.len()
    ))
}
