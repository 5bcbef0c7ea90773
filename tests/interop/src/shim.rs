//! Stand-ins for the libraries the Mesos 1.11.0 egg was linked with and no distribution ships any more.
//!
//! `_scheduler.so` wants OpenSSL 1.0 and a libcurl of that age. With TLS off and no URI to fetch it calls none of their
//! functions for their effect, so a library in which each wanted symbol answers a constant lets the loader bind it. The
//! loader asks for a symbol by name and version, and for each library that it defines the versions; so one source with
//! every symbol and every version serves under all three names.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process;

/// The names the loader looks for.
const LIBRARIES: [&str; 3] = ["libssl.so.1.0.0", "libcrypto.so.1.0.0", "libcurl.so.4"];
/// Functions whose zero would mean failure, and what they answer instead.
const ANSWERS: [(&str, &str); 3] = [("SSL_library_init", "1"), ("RAND_poll", "1"), ("CRYPTO_num_locks", "41")];
/// Compiling three small files.
const LIMIT: Duration = Duration::from_secs(60);

/// Builds the stand-ins for `library` in `folder`, which is what LD_LIBRARY_PATH is to hold.
pub fn build(library: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let listing = Command::new("objdump").arg("-T").arg(library).output().context("objdump")?;
    ensure!(listing.status.success(), "objdump: {}", String::from_utf8_lossy(&listing.stderr));
    let wanted = wanted(&String::from_utf8_lossy(&listing.stdout));
    ensure!(!wanted.is_empty(), "{} wants nothing of OpenSSL or curl", library.display());
    let (source, map) = (folder.join("stand_in.c"), folder.join("stand_in.map"));
    std::fs::write(&source, functions(&wanted))?;
    std::fs::write(&map, versions(&wanted))?;
    for name in LIBRARIES {
        let mut gcc = Command::new("gcc");
        gcc.args(["-w", "-shared", "-fPIC", "-o"]).arg(folder.join(name)).arg(&source);
        gcc.arg(format!("-Wl,-soname,{name}")).arg(format!("-Wl,--version-script={}", map.display()));
        process::succeed(&mut gcc, &PathBuf::from(folder).join("gcc.log"), LIMIT)?;
    }
    Ok(())
}

/// The undefined symbols of OpenSSL and curl in what `objdump -T` printed, by version.
fn wanted(listing: &str) -> BTreeMap<String, Vec<String>> {
    let mut by_version: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in listing.lines().filter(|line| line.contains("*UND*")) {
        let mut words = line.split_whitespace().rev();
        let (Some(symbol), Some(version)) = (words.next(), words.next()) else { continue };
        let version = version.trim_matches(['(', ')']);
        if version.starts_with("OPENSSL_") || version.starts_with("CURL_") {
            by_version.entry(version.to_owned()).or_default().push(symbol.to_owned());
        }
    }
    by_version
}

fn functions(wanted: &BTreeMap<String, Vec<String>>) -> String {
    let mut source = String::new();
    for symbol in wanted.values().flatten() {
        let answer = ANSWERS.iter().find(|(name, _)| name == symbol).map_or("0", |(_, answer)| answer);
        // Writing to a String cannot fail.
        let _ = writeln!(source, "long {symbol}(void) {{ return {answer}; }}");
    }
    source
}

fn versions(wanted: &BTreeMap<String, Vec<String>>) -> String {
    let mut map = String::new();
    for (version, symbols) in wanted {
        let _ = writeln!(map, "{version} {{ global: {}; }};", symbols.join("; "));
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_symbols_are_grouped_by_version() {
        let listing = "\
0000000000000000      DF *UND*  0000000000000000 (OPENSSL_1.0.0) SSL_library_init
0000000000000000      DF *UND*  0000000000000000  OPENSSL_1.0.2 SSL_conf
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.2.5) puts
0000000000001000 g    DF .text  0000000000000010  Base        main
";
        let wanted = wanted(listing);
        assert_eq!(wanted.keys().collect::<Vec<_>>(), ["OPENSSL_1.0.0", "OPENSSL_1.0.2"]);
        assert_eq!(
            functions(&wanted),
            "long SSL_library_init(void) { return 1; }\nlong SSL_conf(void) { return 0; }\n"
        );
        assert_eq!(versions(&wanted).lines().count(), 2);
    }
}
