//! `/files/browse?path=`: what is in a directory.

use super::{Error, Files, parameters};
use nix::sys::stat::SFlag;
use nix::unistd::{Gid, Group, Uid, User};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use tepui_proto::MessageField;
use tepui_proto::json::Writer;
use tepui_proto::mesos::{FileInfo, TimeInfo};
use tepui_wire::{Request, Response};

/// Answers a request. Touches the disk.
pub fn browse(files: &Files, request: &Request) -> Response {
    let answer = parameters(request).and_then(|(path, query)| Ok((list(files, &path)?, query)));
    match answer {
        Ok((entries, query)) => {
            let mut out = Writer::new();
            out.array(&entries, write);
            Response::json(out.finish(), query.get("jsonp").map(String::as_str))
        }
        Err(error) => error.response(),
    }
}

/// What is in a directory, by path; a file has nothing in it. Touches the disk.
pub fn list(files: &Files, path: &str) -> Result<Vec<FileInfo>, Error> {
    let real = files.resolve(path)?;
    let mut entries = Vec::new();
    if real.is_dir() {
        let failed = |error: std::io::Error| Error::Failed(format!("{error}.\n"));
        for entry in std::fs::read_dir(&real).map_err(failed)?.flatten() {
            // Links are followed; one that leads nowhere is left out.
            if let Ok(metadata) = std::fs::metadata(entry.path()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                entries.push(describe(format!("{}/{name}", path.trim_end_matches('/')), &metadata));
            }
        }
    }
    entries.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(entries)
}

fn describe(path: String, metadata: &Metadata) -> FileInfo {
    let user = User::from_uid(Uid::from_raw(metadata.uid())).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(metadata.gid())).ok().flatten();
    let nanoseconds = metadata.mtime().saturating_mul(NANOS_PER_SEC);
    FileInfo {
        path,
        nlink: Some(i32::try_from(metadata.nlink()).unwrap_or(i32::MAX)),
        size: Some(metadata.size()),
        mtime: MessageField::some(TimeInfo { nanoseconds, ..Default::default() }),
        mode: Some(metadata.mode()),
        uid: Some(user.map_or_else(|| metadata.uid().to_string(), |user| user.name)),
        gid: Some(group.map_or_else(|| metadata.gid().to_string(), |group| group.name)),
        ..Default::default()
    }
}

const NANOS_PER_SEC: i64 = 1_000_000_000;

fn write(out: &mut Writer, info: &FileInfo) {
    out.object(|out| {
        out.field_string("gid", info.gid.as_deref().unwrap_or_default());
        out.field_string("mode", &mode(info.mode.unwrap_or(0)));
        out.field_double("mtime", (info.mtime.nanoseconds / NANOS_PER_SEC) as f64);
        out.key("nlink");
        out.i64(i64::from(info.nlink.unwrap_or(0)));
        out.field_string("path", &info.path);
        out.key("size");
        out.u64(info.size.unwrap_or(0));
        out.field_string("uid", info.uid.as_deref().unwrap_or_default());
    });
}

/// `-rw-r--r--`
fn mode(bits: u32) -> String {
    let letter = match SFlag::from_bits_truncate(bits) & SFlag::S_IFMT {
        SFlag::S_IFDIR => 'd',
        SFlag::S_IFCHR => 'c',
        SFlag::S_IFBLK => 'b',
        SFlag::S_IFIFO => 'p',
        SFlag::S_IFLNK => 'l',
        SFlag::S_IFSOCK => 's',
        _ => '-',
    };
    let rights = (0..9).rev().zip("rwxrwxrwx".chars());
    std::iter::once(letter).chain(rights.map(|(bit, right)| if bits >> bit & 1 == 1 { right } else { '-' })).collect()
}
