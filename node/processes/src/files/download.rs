//! `/files/download?path=`: a whole file.

use super::{Error, Files, parameters};
use tepui_net::{Answer, File};
use tepui_wire::{Request, Response};

/// Types by the end of the name, as libprocess knows them; all else is bytes.
const TYPES: [(&str, &str); 16] = [
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("gif", "image/gif"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "application/javascript"),
    ("json", "application/json"),
    ("md", "text/x-markdown"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

/// Answers a request. Touches the disk.
pub fn download(files: &Files, request: &Request) -> Answer {
    match parameters(request).and_then(|(path, _)| files.resolve(&path)) {
        Err(Error::NotFound) => Response::text(404, "404 Not Found.").into(),
        Err(error) => error.response().into(),
        Ok(real) if real.is_dir() => Response::text(400, "Cannot download a directory.\n").into(),
        Ok(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            let known = TYPES.iter().find(|(end, _)| *end == extension);
            let content_type = known.map_or("application/octet-stream", |(_, content_type)| content_type);
            let headers = vec![
                ("Content-Type", content_type.to_owned()),
                ("Content-Disposition", format!("attachment; filename={name}")),
            ];
            File { path, headers }.into()
        }
    }
}
