include!(concat!(env!("OUT_DIR"), "/universe.rs"));
