//! Plays the scenarios of `testdata/*.txt`: each block is commands, a line `----`, and what the allocator must put out.
//! `world` documents the commands.

mod world;

use world::World;

fn play(name: &str, text: &str) {
    let mut world = World::new();
    let mut played = Vec::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let (commands, _) = block.split_once("----").unwrap_or((block, ""));
        let mut output = String::new();
        for line in commands.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            eprintln!("> {line}");
            let came = world.perform(line);
            eprint!("{came}");
            output.push_str(&came);
        }
        world.allocator.audit();
        played.push(format!("{}\n----\n{output}", commands.trim()).trim().to_owned());
    }
    let played = played.join("\n\n");
    assert!(played == text.trim(), "{name} plays differently; it now plays as:\n{played}\n");
}

macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            play(stringify!($name), include_str!(concat!("../testdata/", stringify!($name), ".txt")));
        }
    )+};
}

scenarios!(
    constraints,
    fairness,
    hierarchy,
    filters,
    reservations,
    capabilities,
    lifecycle,
    operations,
    timing,
    maintenance
);
