//! `/help`: which endpoints there are and what each is for, as Markdown, in a page, or as JSON.
//!
//! Source: Mesos `3rdparty/libprocess/src/help.cpp`. The words on the pages are our own.

use tepui_proto::json::Writer;
use tepui_wire::{Request, Response, percent};

/// The endpoints of one process.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Its id, first in its paths.
    pub id: &'static str,
    /// Whether its id may be left out of a path.
    pub delegate: bool,
    /// Paths below the id, with what they are for, sorted.
    pub endpoints: &'static [(&'static str, &'static str)],
}

/// What every daemon has.
const SHARED: &[Process] = &[
    Process {
        id: "files",
        delegate: false,
        endpoints: &[
            ("/browse", "Lists a directory that is served.\n\n>        path=VALUE          Its path"),
            ("/debug", "Shows which paths are served, and where they are on this machine."),
            ("/download", "Gives a whole file.\n\n>        path=VALUE          Its path"),
            (
                "/read",
                "Gives a piece of a file as text.\n\n>        path=VALUE          Its path\n\
                 >        offset=VALUE        Where the piece begins; -1 asks for the size of the file\n\
                 >        length=VALUE        How long it is, in bytes",
            ),
        ],
    },
    Process {
        id: "logging",
        delegate: false,
        endpoints: &[(
            "/toggle",
            "Makes the log more verbose for a while.\n\n>        level=VALUE          0, 1, 2 or 3\n\
             >        duration=VALUE       For how long (10secs, 15mins, ...)",
        )],
    },
    Process {
        id: "metrics",
        delegate: false,
        endpoints: &[("/snapshot", "Shows all metrics.\n\n>        timeout=VALUE        How long to wait for them")],
    },
    Process {
        id: "profiler",
        delegate: false,
        endpoints: &[("/start", "Not available in this build."), ("/stop", "Not available in this build.")],
    },
    Process {
        id: "system",
        delegate: false,
        endpoints: &[("/stats.json", "Shows load, processors and memory of this machine.")],
    },
];

/// What a daemon has if it was asked for it.
const MEMORY_PROFILER: Process = Process {
    id: "memory-profiler",
    delegate: false,
    endpoints: &[
        ("/download/graph", "Not available in this build."),
        ("/download/raw", "Not available in this build."),
        ("/download/text", "Not available in this build."),
        ("/start", "Not available in this build."),
        ("/state", "Shows that there is no profile."),
        ("/statistics", "Not available in this build."),
        ("/stop", "Not available in this build."),
    ],
};

/// The pages of a daemon, sorted; `own` are those on its own processes.
pub fn pages(own: &[Process], memory_profiling: bool) -> Vec<Process> {
    let asked_for = memory_profiling.then_some(MEMORY_PROFILER);
    let mut processes: Vec<Process> = own.iter().chain(SHARED).copied().chain(asked_for).collect();
    processes.sort_by_key(|process| process.id);
    processes
}

/// Answers `/help`, `/help/<id>` and `/help/<id>/<name>` from the pages of the daemon.
pub fn respond(processes: &[Process], request: &Request) -> Response {
    let path = percent::decode(&request.path).unwrap_or_default();
    let mut tokens = path.split('/').filter(|token| !token.is_empty()).skip(1);
    let (id, name) = (tokens.next(), tokens.collect::<Vec<_>>().join("/"));
    let missing = |what: &str| Response::text(400, format!("No help available for '/{what}'.\n"));
    let Some(id) = id else {
        if request.query_pairs().get("format").is_some_and(|format| format == "json") {
            return Response::json(json(processes), None);
        }
        return page(&index(processes), request);
    };
    let Some(process) = processes.iter().find(|process| process.id == id) else {
        return Response::text(404, "404 Not Found.");
    };
    if name.is_empty() {
        return page(&contents(process), request);
    }
    match process.endpoints.iter().find(|(known, _)| known[1..] == name) {
        Some((name, text)) => page(&format!("{}\n", article(process, name, text)), request),
        None => missing(&format!("{id}/{name}")),
    }
}

fn index(processes: &[Process]) -> String {
    let ids = || processes.iter().map(|process| process.id);
    let links: String = ids().map(|id| format!("> [/{id}][{id}]\n")).collect();
    let references: String = ids().map(|id| format!("[{id}]: help/{id}\n")).collect();
    format!("## HELP\n{links}\n{references}")
}

fn contents(process: &Process) -> String {
    let paths = || process.endpoints.iter().map(|(name, _)| format!("{}{name}", process.id));
    let links: String = paths().map(|path| format!("> [/{path}][{path}]\n")).collect();
    let references: String = paths().map(|path| format!("[{path}]: {path}\n")).collect();
    format!("## `/{}` ##\n{links}\n{references}", process.id)
}

fn article(process: &Process, name: &str, text: &str) -> String {
    let short = if process.delegate { format!(">        {name}\n") } else { String::new() };
    format!("### USAGE ###\n{short}>        /{}{name}\n\n### TL;DR; ###\n{text}\n", process.id)
}

fn json(processes: &[Process]) -> String {
    let mut out = Writer::new();
    out.object(|out| {
        out.field_array("processes", processes, |out, process| {
            out.object(|out| {
                out.field_string("id", process.id);
                out.field_array("endpoints", process.endpoints, |out, (name, text)| {
                    out.object(|out| {
                        out.field_string("name", name);
                        out.field_string("text", &article(process, name, text));
                    });
                });
            });
        });
    });
    out.finish()
}

/// Markdown for programs on a terminal, the same in a page for browsers.
fn page(markdown: &str, request: &Request) -> Response {
    let agent = request.header("user-agent").unwrap_or_default();
    if agent.starts_with("curl") || agent.starts_with("HTTPie") {
        return Response::with_type(200, "text/x-markdown", markdown.to_owned());
    }
    let escaped = markdown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let html = format!("<html><head><title>Help</title></head><body><pre>{escaped}</pre></body></html>");
    Response::with_type(200, "text/html", html)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_wire::Body;

    const OWN: &[Process] =
        &[Process { id: "master", delegate: true, endpoints: &[("/api/v1", "Calls."), ("/state", "All.")] }];

    fn ask(path: &str, query: &str, agent: &str) -> (u16, String, String) {
        let mut request = crate::files::tests::request(query);
        request.path = path.to_owned();
        request.headers.push(("user-agent".to_owned(), agent.to_owned()));
        let response = respond(&pages(OWN, false), &request);
        let Body::Full(body) = response.body else { panic!("a whole body") };
        (response.status, response.headers[0].1.clone(), String::from_utf8_lossy(&body).into_owned())
    }

    #[test]
    fn pages_have_the_form_of_libprocess() {
        let (_, kind, text) = ask("/help", "", "curl/8");
        assert_eq!(kind, "text/x-markdown");
        assert!(text.starts_with("## HELP\n> [/files][files]\n> [/logging][logging]\n> [/master][master]\n"), "{text}");
        assert!(text.ends_with("\n[system]: help/system\n"), "{text}");
        let (_, _, text) = ask("/help/master", "", "curl/8");
        assert!(text.starts_with("## `/master` ##\n> [/master/api/v1][master/api/v1]\n"), "{text}");
        let (_, _, text) = ask("/help/master/api/v1", "", "HTTPie/3");
        assert!(text.starts_with("### USAGE ###\n>        /api/v1\n>        /master/api/v1\n\n### TL;DR; ###\n"));
    }

    #[test]
    fn browsers_get_a_page_and_programs_json() {
        let (_, kind, text) = ask("/help/master", "", "Mozilla/5.0");
        assert_eq!(kind, "text/html");
        assert!(text.contains("&gt; [/master/state]"), "{text}");
        let (_, kind, text) = ask("/help", "format=json", "");
        assert_eq!(kind, "application/json");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["processes"][2]["id"], "master");
        assert_eq!(json["processes"][2]["endpoints"][1]["name"], "/state");
    }

    #[test]
    fn a_memory_profiler_has_pages_where_there_is_one() {
        let has = |asked| pages(OWN, asked).iter().any(|process| process.id == "memory-profiler");
        assert!(has(true) && !has(false));
    }

    #[test]
    fn what_has_no_page_is_said() {
        let text = |path| (ask(path, "", "").0, ask(path, "", "").2);
        assert_eq!(text("/help/x"), (404, "404 Not Found.".to_owned()), "only processes have a route");
        assert_eq!(text("/help/master/x/y"), (400, "No help available for '/master/x/y'.\n".to_owned()));
    }
}
