//! The table of texts that clients of Mesos see: each must have a request or a test that meets it.
//!
//! A line of `differential/texts.txt` is a text (`*` stands for what differs from case to case), ` | `, and one of
//! `request NAME` (the reference's answer to that request must have the text), `test FILE NAME` (that file must have a
//! function of that name, and the function the longest piece of the text between stars), `later WORDS` (a line of COMPATIBILITY.md must have the words), and `unmet FILE` (that file
//! must have the text, and nothing meets it yet).

use std::path::Path;

use anyhow::{Context, Result};

use super::allowed::matches;

/// What is wrong with the table; `answer` gives the reference's answer to a request.
pub fn check(table: &Path, repository: &Path, answer: impl Fn(&str) -> Option<String>) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(table).with_context(|| table.display().to_string())?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let complaints = lines.filter_map(|(number, line)| {
        let judged = match line.rsplit_once(" | ") {
            None => Err("text | where".to_owned()),
            Some((text, place)) => judge(text, place, repository, &answer),
        };
        judged.err().map(|why| format!("texts.txt:{}: {why}", number + 1))
    });
    Ok(complaints.collect())
}

fn judge(
    text: &str,
    place: &str,
    repository: &Path,
    answer: impl Fn(&str) -> Option<String>,
) -> std::result::Result<(), String> {
    let file = |path: &str| std::fs::read_to_string(repository.join(path)).map_err(|error| format!("{path}: {error}"));
    match place.splitn(3, ' ').collect::<Vec<_>>().as_slice() {
        ["request", name] => {
            let answer = answer(name).ok_or_else(|| format!("there is no request {name}"))?;
            // Quotes stand escaped in JSON.
            let plain = answer.replace("\\\"", "\"");
            let met = matches(&format!("*{text}*"), &plain);
            met.then_some(()).ok_or_else(|| format!("{name} is not answered with `{text}` but with {answer:.200}"))
        }
        ["test", path, name] => {
            let source = file(path)?;
            let body = body(&source, name).ok_or_else(|| format!("{path} has no function {name}"))?;
            let words = words(text);
            body.contains(words).then_some(()).ok_or_else(|| format!("{name} in {path} does not have `{words}`"))
        }
        ["unmet", path] => {
            let source = file(path)?;
            let words = words(text);
            source.contains(words).then_some(()).ok_or_else(|| format!("{path} does not have `{words}`"))
        }
        ["later", first, rest @ ..] => {
            let words = [&[*first], rest].concat().join(" ");
            let known = file("COMPATIBILITY.md")?.lines().any(|line| line.contains(&words));
            known.then_some(()).ok_or_else(|| format!("no line of COMPATIBILITY.md has `{words}`"))
        }
        _ => Err(format!("{place}: request NAME, test FILE NAME, later WORDS or unmet FILE")),
    }
}

/// The longest piece of a text between stars.
fn words(text: &str) -> &str {
    text.split('*').max_by_key(|part| part.len()).unwrap_or_default().trim()
}

/// A function's source up to the brace that closes it, which stands as far in as its head; strings that go over several
/// lines are joined.
fn body(source: &str, name: &str) -> Option<String> {
    let head = format!("fn {name}(");
    let mut lines = source.lines().skip_while(|line| !line.contains(&head)).peekable();
    let first: &str = lines.peek()?;
    let end = format!("{}}}", &first[..first.len() - first.trim_start().len()]);
    let mut body = String::new();
    for line in lines.take_while(|line| *line != end) {
        // What follows a backslash at the end of a line goes on where that stood.
        if body.ends_with('\\') {
            body.pop();
            body.push_str(line.trim_start());
        } else {
            body.push('\n');
            body.push_str(line);
        }
    }
    Some(body.replace("\\\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_must_be_met_where_the_table_says() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let judge = |text, place| judge(text, place, repository, |name| (name == "r").then(|| "No x here".to_owned()));
        assert_eq!(judge("No *here", "request r"), Ok(()));
        assert!(judge("No y", "request r").is_err());
        assert!(judge("No x", "request s").is_err());
        let own = "test src/differential/texts.rs a_text_must_be_met_where_the_table_says";
        assert_eq!(judge("s*No x here", own), Ok(()));
        let absent = ["nowhere", "in it"].concat();
        assert!(judge(&absent, own).is_err());
        let joined = "fn f() {\n    a(\"x \\\n       y\");\n}\nz";
        assert_eq!(body(joined, "f").unwrap(), "\nfn f() {\n    a(\"x y\");");
        assert!(judge("x", "test src/differential/texts.rs nothing").is_err());
        assert!(judge("x", "nowhere").is_err());
    }
}
