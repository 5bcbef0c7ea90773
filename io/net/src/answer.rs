//! What a handler of [`crate::Node::route`] answers with.

use std::path::PathBuf;
use tepui_wire::Response;

/// The answer of a handler.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A response with a complete body; streams belong to processes.
    Response(Response),
    /// The content of a file, sent piece by piece and never compressed.
    File(File),
}

/// A file as a response with code 200.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// A regular file. If there is none, or it is a directory, the answer is 404; if it cannot be opened, 500.
    pub path: PathBuf,
    /// Headers beside `Date` and `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Answer {
        Answer::Response(response)
    }
}

impl From<File> for Answer {
    fn from(file: File) -> Answer {
        Answer::File(file)
    }
}
