//! `/files/read?path=&offset=&length=`: a piece of a file as text in JSON.

use super::{Error, Files, parameters};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use tepui_proto::json::Writer;
use tepui_wire::{Request, Response};

/// Most that one answer holds: 16 pages, as in Mesos.
pub const MAX_LENGTH: u64 = 16 * 4096;

/// Answers a request. Touches the disk.
pub fn read(files: &Files, request: &Request) -> Response {
    let answer = parameters(request).and_then(|(path, query)| {
        let (offset, length) = (number(&query, "offset")?, number(&query, "length")?);
        let (size, data) = piece(files, &path, offset, length)?;
        // JSON is text: what is not UTF-8 is shown as the replacement character.
        Ok((json(&String::from_utf8_lossy(&data), offset.unwrap_or(size)), query))
    });
    match answer {
        Ok((json, query)) => Response::json(json, query.get("jsonp").map(String::as_str)),
        Err(error) => error.response(),
    }
}

/// The size of a file and what stands at an offset; without one only the size is asked for. Touches the disk.
pub fn piece(files: &Files, path: &str, offset: Option<u64>, length: Option<u64>) -> Result<(u64, Vec<u8>), Error> {
    let real = files.resolve(path)?;
    if real.is_dir() {
        return Err(Error::Invalid("Cannot read a directory.\n".to_owned()));
    }
    let failed = |error: std::io::Error| {
        Error::Failed(format!("Failed to open file at '{}': {}.\n", real.display(), words(&error)))
    };
    let file = File::open(&real).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let Some(offset) = offset else { return Ok((size, Vec::new())) };
    let length = length.unwrap_or(MAX_LENGTH).min(MAX_LENGTH).min(size.saturating_sub(offset));
    let data = bytes_at(&file, offset, length).map_err(|error| failed_read(&real, &error))?;
    Ok((size, data))
}

fn failed_read(path: &Path, error: &std::io::Error) -> Error {
    Error::Failed(format!("Failed to read file at '{}': {}.\n", path.display(), words(error)))
}

/// What the system says, without the number that Rust puts after it.
fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or_default().to_owned()
}

fn bytes_at(file: &File, offset: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let mut data = vec![0; usize::try_from(length).unwrap_or(0)];
    let mut read = 0;
    while read < data.len() {
        match file.read_at(&mut data[read..], offset + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    data.truncate(read);
    Ok(data)
}

/// A number of the query; none if absent or -1.
fn number(query: &BTreeMap<String, String>, name: &str) -> Result<Option<u64>, Error> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let parsed = text.parse::<i64>();
    let value = parsed
        .map_err(|_| Error::Invalid(format!("Failed to parse {name}: Failed to convert '{text}' to number.\n")))?;
    match value {
        -1 => Ok(None),
        value => {
            u64::try_from(value).map(Some).map_err(|_| Error::Invalid(format!("Negative {name} provided: {value}.\n")))
        }
    }
}

fn json(data: &str, offset: u64) -> String {
    let mut out = Writer::new();
    out.object(|out| {
        out.field_string("data", data);
        out.key("offset");
        out.u64(offset);
    });
    out.finish()
}
