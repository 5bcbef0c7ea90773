//! `/files/browse?path=`: what is in a directory.

use super::{Error, Files, parameters};
use nix::unistd::{Gid, Group, Uid, User};
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use tepui_proto::json::Writer;
use tepui_wire::{Request, Response};

/// Answers a request. Touches the disk.
pub fn browse(files: &Files, request: &Request) -> Response {
    let answer = parameters(request).and_then(|(path, query)| Ok((list(files, &path)?, query)));
    match answer {
        Ok((json, query)) => Response::json(json, query.get("jsonp").map(String::as_str)),
        Err(error) => error.response(),
    }
}

fn list(files: &Files, path: &str) -> Result<String, Error> {
    let real = files.resolve(path)?;
    let mut entries = Vec::new();
    if real.is_dir() {
        let failed = |error: std::io::Error| Error::Failed(format!("{error}.\n"));
        for entry in std::fs::read_dir(&real).map_err(failed)?.flatten() {
            // Links are followed; one that leads nowhere is left out.
            if let Ok(metadata) = std::fs::metadata(entry.path()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                entries.push((format!("{}/{name}", path.trim_end_matches('/')), metadata));
            }
        }
    }
    entries.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut out = Writer::new();
    out.array(&entries, |out, (path, metadata)| write(out, path, metadata));
    Ok(out.finish())
}

fn write(out: &mut Writer, path: &str, metadata: &Metadata) {
    let user = User::from_uid(Uid::from_raw(metadata.uid())).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(metadata.gid())).ok().flatten();
    out.object(|out| {
        out.field_string("gid", &group.map_or_else(|| metadata.gid().to_string(), |group| group.name));
        out.field_string("mode", &mode(metadata));
        out.field_double("mtime", metadata.mtime() as f64);
        out.key("nlink");
        out.u64(metadata.nlink());
        out.field_string("path", path);
        out.key("size");
        out.u64(metadata.size());
        out.field_string("uid", &user.map_or_else(|| metadata.uid().to_string(), |user| user.name));
    });
}

/// `-rw-r--r--`
fn mode(metadata: &Metadata) -> String {
    let kind = metadata.file_type();
    let kinds = [
        (kind.is_dir(), 'd'),
        (kind.is_char_device(), 'c'),
        (kind.is_block_device(), 'b'),
        (kind.is_fifo(), 'p'),
        (kind.is_socket(), 's'),
    ];
    let letter = kinds.into_iter().find_map(|(is, letter)| is.then_some(letter)).unwrap_or('-');
    let bits = metadata.mode();
    let rights = (0..9).rev().zip("rwxrwxrwx".chars());
    std::iter::once(letter).chain(rights.map(|(bit, right)| if bits >> bit & 1 == 1 { right } else { '-' })).collect()
}
