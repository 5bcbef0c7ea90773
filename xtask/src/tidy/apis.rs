//! What code may not call, and where: the core decides without the world, and nothing pretends to be finished.
//!
//! `core/clippy.toml` refuses the same calls with the compiler's knowledge of types; this finds also what a macro or
//! an alias hides from a reader, and needs no build.

use super::{Finding, rust};
use crate::source::has_word;
use crate::tree::File;

/// A word that may not stand in some code, and what to do instead.
struct Ban {
    word: &'static str,
    remedy: &'static str,
}

/// Anywhere.
const EVERYWHERE: [Ban; 3] = [
    Ban { word: "todo!", remedy: "build it, or leave it out and list it as `later` in COMPATIBILITY.md" },
    Ban { word: "unimplemented!", remedy: "build it, or leave it out and list it as `later` in COMPATIBILITY.md" },
    Ban { word: "dbg!", remedy: "remove it" },
];

/// In core, outside tests and build scripts: the same inputs must always give the same effects.
const IN_CORE: [Ban; 19] = [
    Ban { word: "std::fs", remedy: "put out an effect and let a crate of io do it" },
    Ban { word: "std::env", remedy: "take it as configuration" },
    Ban { word: "std::thread", remedy: "a machine has one thread; let the driver have others" },
    Ban { word: "std::process", remedy: "put out an effect and let a crate of io do it" },
    Ban { word: "TcpStream", remedy: "put out an effect and let a crate of io do it" },
    Ban { word: "TcpListener", remedy: "put out an effect and let a crate of io do it" },
    Ban { word: "UdpSocket", remedy: "put out an effect and let a crate of io do it" },
    Ban { word: "ToSocketAddrs", remedy: "names are resolved in io" },
    Ban { word: "std::time::Instant", remedy: "use tepui_base::Instant" },
    Ban { word: "Instant::now", remedy: "use the `now` that `handle` was given" },
    Ban { word: "SystemTime", remedy: "use the wall clock of `Now`" },
    Ban { word: "HashMap", remedy: "use tepui_base::Map, whose order is the same in every run" },
    Ban { word: "HashSet", remedy: "use tepui_base::Set, whose order is the same in every run" },
    Ban { word: "RandomState", remedy: "use the fixed hasher of tepui_base" },
    Ban { word: "thread_rng", remedy: "use tepui_base::Rng with a seed from an input" },
    Ban { word: "println!", remedy: "put it into an effect, or say nothing" },
    Ban { word: "eprintln!", remedy: "put it into an effect, or say nothing" },
    Ban { word: "Mutex", remedy: "a machine has one thread; state is owned, not shared" },
    Ban { word: "async", remedy: "waiting is state, not .await" },
];

/// Outside tests, where a harness that several test files share is never used whole.
const SHIPPED: Ban = Ban { word: "allow(dead_code", remedy: "delete the dead code" };

/// In tests: a test that waits for time is slow when it passes and wrong when the machine is busy.
const IN_TESTS: [Ban; 2] = [
    Ban { word: "sleep(", remedy: "wait for the event itself (a channel, a reply, a process' end)" },
    Ban { word: "sleep_ms(", remedy: "wait for the event itself (a channel, a reply, a process' end)" },
];

/// Folders whose business is fork, exec and raw system calls.
const UNSAFE_ALLOWED: [&str; 3] = ["io/linux/", "io/container/", "ffi/"];

/// Where the fixed-hasher aliases are made from the very types that are refused elsewhere.
const MAKES_THE_MAPS: &str = "core/base/";

/// Checks every Rust file.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let targets = files.iter().find(|f| f.path == FUZZ_TARGETS).and_then(|f| f.text.as_deref()).unwrap_or_default();
    for (file, source) in rust(files) {
        let path = file.path.as_str();
        // tokio's clock can be stopped; then a sleep is an event and takes no time.
        let paused = file.text.as_deref().is_some_and(|text| text.contains("start_paused = true"));
        for (number, line, test) in source.numbered() {
            let test = test && !(paused && line.contains("tokio::time::sleep("));
            let texts = banned(path, line, test).chain(misplaced(path, line)).chain(never_run(path, line, targets));
            findings.extend(texts.map(|text| Finding::new(path, number, text)));
        }
    }
    findings
}

/// Words that may not stand in this line.
fn banned<'a>(path: &'a str, line: &'a str, test: bool) -> impl Iterator<Item = String> + 'a {
    let pure = path.starts_with("core/") && !path.ends_with("/build.rs") && !test;
    let makes_maps = path.starts_with(MAKES_THE_MAPS);
    let core = IN_CORE.iter().filter(move |ban| pure && !(makes_maps && ban.word.starts_with("Hash")));
    let shipped = std::iter::once(&SHIPPED).filter(move |_| !test);
    let tests = IN_TESTS.iter().filter(move |_| test);
    let bans = EVERYWHERE.iter().chain(core).chain(shipped).chain(tests).filter(|ban| has_word(line, ban.word));
    bans.map(|ban| format!("`{}` is not for here; {}", ban.word, ban.remedy))
}

/// Things that have their place, and this is not it.
fn misplaced(path: &str, line: &str) -> impl Iterator<Item = String> {
    let unsafe_here = has_word(line, "unsafe") && !UNSAFE_ALLOWED.iter().any(|allowed| path.starts_with(allowed));
    let unsafe_here =
        unsafe_here.then(|| format!("`unsafe` is for {} only; find a safe wrapper", UNSAFE_ALLOWED.join(", ")));
    let law = has_word(line, "proptest!") && !path.ends_with("/tests/laws.rs");
    let law = law.then(|| "laws stand in the crate's tests/laws.rs, where the properties part finds them".to_owned());
    // The summary of `cargo xtask test` repeats why a test did not run.
    let silent = line.contains("#[ignore]").then(|| "an ignored test says why; write #[ignore = \"why\"]".to_owned());
    unsafe_here.into_iter().chain(law).chain(silent)
}

/// The runner that calls every fuzz body.
const FUZZ_TARGETS: &str = "tests/fuzz/src/targets.rs";

/// A fuzz body that no runner calls proves nothing.
fn never_run(path: &str, line: &str, targets: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("pub fn fuzz_").filter(|_| !path.starts_with("tests/"))?;
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let called = has_word(targets, &format!("fuzz_{name}"));
    (!called).then(|| format!("fuzz_{name} is never run; add it to {FUZZ_TARGETS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&[File { path: path.to_owned(), text: Some(text.to_owned()) }]).len()
    }

    #[test]
    fn the_core_has_no_clock_files_or_random_order() {
        for code in [
            "std::fs::read(p)",
            "Instant::now()",
            "let m: HashMap<u8, u8>;",
            "SystemTime::now()",
            "std::env::var(k)",
            "async fn f() {}",
        ] {
            assert_eq!(found("core/master/src/lib.rs", code), 1, "{code}");
            assert_eq!(found("io/net/src/lib.rs", code), 0, "{code}");
        }
        assert_eq!(found("core/master/src/lib.rs", "#[cfg(test)]\nmod tests {\n use std::fs;\n}\n"), 0);
        assert_eq!(found("core/proto/build.rs", "std::fs::read(p)"), 0);
        assert_eq!(found("core/base/src/map.rs", "pub type Map = HashMap<u8, u8>;"), 0);
    }

    #[test]
    fn nothing_pretends_to_be_finished() {
        assert_eq!(found("io/net/src/lib.rs", "fn f() { todo!() }"), 1);
        assert_eq!(found("io/net/src/lib.rs", "// todo!() stands in a comment"), 0);
    }

    #[test]
    fn tests_do_not_sleep_and_say_why_they_are_ignored() {
        assert_eq!(found("io/net/tests/a.rs", "std::thread::sleep(d);"), 1);
        assert_eq!(found("io/net/src/a.rs", "tokio::time::sleep(d).await;"), 0);
        assert_eq!(found("io/net/tests/a.rs", "#[ignore]\nfn f() {}"), 1);
    }

    #[test]
    fn laws_have_their_place() {
        assert_eq!(found("core/resources/tests/laws.rs", "proptest! { }"), 0);
        assert_eq!(found("core/resources/src/set.rs", "proptest! { }"), 1);
    }

    #[test]
    fn unsafe_has_its_places() {
        assert_eq!(found("io/container/src/fork.rs", "unsafe { f() }"), 0);
        assert_eq!(found("io/net/src/lib.rs", "unsafe { f() }"), 1);
        assert_eq!(found("io/net/src/lib.rs", "#![deny(unsafe_code)]"), 0);
    }

    #[test]
    fn fuzz_bodies_are_run() {
        let body = File { path: "core/wire/src/fuzz.rs".into(), text: Some("pub fn fuzz_upid(d: &[u8]) {}".into()) };
        let runner = |text: &str| File { path: FUZZ_TARGETS.into(), text: Some(text.into()) };
        assert_eq!(check(&[body]).len(), 1);
        let body = File { path: "core/wire/src/fuzz.rs".into(), text: Some("pub fn fuzz_upid(d: &[u8]) {}".into()) };
        assert_eq!(check(&[body, runner("tepui_wire::fuzz::fuzz_upid")]), []);
    }
}
