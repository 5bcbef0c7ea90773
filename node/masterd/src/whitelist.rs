//! `--whitelist`: the host names whose agents are offered, read again and again from a file.
//!
//! A file that cannot be read leaves the last list in force. Source: Mesos `src/watcher/whitelist_watcher.cpp`.

use std::path::Path;
use std::time::Duration;
use tepui_allocator::{Hierarchical, Input};
use tepui_driver::Mailbox;

/// Time between two looks at the file.
const INTERVAL: Duration = Duration::from_secs(5);

/// Reads the file now and every [`INTERVAL`], and tells the allocator what changed. Ends with the runtime.
pub(crate) async fn watch(path: impl AsRef<Path>, allocator: Mailbox<Hierarchical>) {
    let path = path.as_ref();
    let mut last = None;
    loop {
        match tokio::fs::read_to_string(path).await {
            Ok(text) => {
                let listed = hostnames(&text);
                if last.as_ref() != Some(&listed) {
                    tracing::info!(file = %path.display(), hostnames = listed.len(), "the whitelist has changed");
                    allocator.post(Input::UpdateWhitelist(Some(listed.clone())));
                    last = Some(listed);
                }
            }
            Err(error) => {
                tracing::error!(file = %path.display(), %error, "the whitelist cannot be read; the last one stays");
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// One per line; an empty file lists nobody.
fn hostnames(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_per_line() {
        assert_eq!(hostnames("a.example\n\nb.example"), ["a.example", "b.example"]);
        assert!(hostnames("").is_empty());
    }
}
