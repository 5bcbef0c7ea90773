use super::*;
use tepui_net::Answer;
use tepui_wire::Response;
use tepui_wire::http::Body;

pub(crate) fn request(query: &str) -> Request {
    Request {
        method: "GET".into(),
        path: "/files/read".into(),
        query: query.into(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        peer: "127.0.0.1:9".parse().unwrap(),
        principal: None,
        nonce: 0,
    }
}

fn text(response: &Response) -> (u16, String) {
    match &response.body {
        Body::Full(bytes) => (response.status, String::from_utf8_lossy(bytes).into_owned()),
        Body::Stream => (response.status, "(stream)".into()),
    }
}

/// A sandbox with a file, attached twice.
fn sandbox() -> (tempfile::TempDir, Files) {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("sandbox");
    std::fs::create_dir_all(sandbox.join("sub")).unwrap();
    std::fs::write(sandbox.join("stdout"), "hello\n").unwrap();
    std::fs::write(dir.path().join("secret"), "no").unwrap();
    std::fs::create_dir(dir.path().join("sandbox-of-another")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret"), sandbox.join("link")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("sandbox-of-another"), sandbox.join("neighbour")).unwrap();
    let files = Files::default();
    files.attach("/frameworks/F/runs/latest", &sandbox);
    files.attach("/work/runs/C", &sandbox);
    (dir, files)
}

#[test]
fn a_file_is_read_from_an_offset() {
    let (_dir, files) = sandbox();
    let ask = |query: &str| text(&read(&files, &request(query)));
    let path = "path=/frameworks/F/runs/latest/stdout";
    assert_eq!(ask(path), (200, r#"{"data":"","offset":6}"#.into()));
    assert_eq!(ask(&format!("{path}&offset=-1")), (200, r#"{"data":"","offset":6}"#.into()));
    assert_eq!(ask(&format!("{path}&offset=1&length=3")), (200, r#"{"data":"ell","offset":1}"#.into()));
    assert_eq!(ask(&format!("{path}&offset=0")), (200, r#"{"data":"hello\n","offset":0}"#.into()));
    assert_eq!(ask(&format!("{path}&offset=99")), (200, r#"{"data":"","offset":99}"#.into()));
}

#[test]
fn what_can_not_be_read_is_said() {
    let (_dir, files) = sandbox();
    let ask = |query: &str| text(&read(&files, &request(query)));
    assert_eq!(ask(""), (400, "Expecting 'path=value' in query.\n".into()));
    assert_eq!(ask("path=/nowhere"), (404, String::new()));
    assert_eq!(ask("path=/work/runs/C/none"), (404, String::new()));
    assert_eq!(ask("path=/work/runs/C/stdout/x"), (404, String::new()));
    assert_eq!(ask("path=/work/runs/C/sub"), (400, "Cannot read a directory.\n".into()));
    assert_eq!(ask("path=/work/runs/C/stdout&offset=-2"), (400, "Negative offset provided: -2.\n".into()));
    assert_eq!(ask("path=/work/runs/C/stdout&length=-2"), (400, "Negative length provided: -2.\n".into()));
}

#[test]
fn what_cannot_be_opened_is_said() {
    let (dir, files) = sandbox();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("sandbox/socket")).unwrap();
    let real = dir.path().canonicalize().unwrap().join("sandbox/socket");
    let expected = format!("Failed to open file at '{}': No such device or address.\n", real.display());
    let (status, said) = text(&read(&files, &request("path=/work/runs/C/socket&offset=0")));
    assert_eq!((status, said), (500, expected));
}

#[test]
fn no_link_leads_out_of_a_sandbox() {
    let (_dir, files) = sandbox();
    for path in ["/work/runs/C/link", "/work/runs/C/../secret", "/work/runs/C/neighbour"] {
        let (status, text) = text(&read(&files, &request(&format!("path={path}"))));
        assert_eq!(status, 400, "{path}");
        assert!(text.ends_with("is inaccessible.\n"), "{text}");
    }
}

#[test]
fn a_directory_is_listed_by_virtual_path() {
    let (_dir, files) = sandbox();
    let (status, json) = text(&browse(&files, &request("path=/work/runs/C/")));
    assert_eq!(status, 200);
    assert!(json.contains(r#""path":"/work/runs/C/stdout","size":6"#), "{json}");
    assert!(json.contains(r#""mode":"drwx"#), "{json}");
    assert_eq!(text(&browse(&files, &request("path=/work/runs/C/stdout"))).1, "[]");
}

#[test]
fn a_download_is_a_file_with_a_name() {
    let (dir, files) = sandbox();
    let Answer::File(file) = download(&files, &request("path=/work/runs/C/stdout")) else { panic!("no file") };
    assert_eq!(file.path, dir.path().canonicalize().unwrap().join("sandbox/stdout"));
    assert!(file.headers.contains(&("Content-Disposition", "attachment; filename=stdout".into())));
    let Answer::Response(response) = download(&files, &request("path=/work/runs/C")) else { panic!("no response") };
    assert_eq!(text(&response), (400, "Cannot download a directory.\n".into()));
}

#[test]
fn what_is_detached_is_gone() {
    let (_dir, files) = sandbox();
    files.detach("/work/runs/C");
    assert_eq!(text(&read(&files, &request("path=/work/runs/C/stdout"))), (404, String::new()));
    assert!(files.debug().starts_with(r#"{"/frameworks/F/runs/latest":""#));
}
