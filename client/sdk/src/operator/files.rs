//! `/files/read`: its request and its answer.
//!
//! The answer is JSON whose `data` holds the file's bytes as they are, so that it is JSON only for text files. It is
//! taken apart here byte by byte, for a JSON parser would refuse or change what is not UTF-8. Source: Mesos
//! `src/files/files.cpp`.

/// Every agent gives at least this many bytes at once if the file has them.
pub const SMALLEST_READ_LIMIT: u64 = 4096;

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileData {
    /// Its bytes.
    pub data: Vec<u8>,
    /// Where in the file they start.
    pub offset: u64,
}

/// The path and query to ask for.
pub(super) fn read_target(path: &str, offset: u64, length: u64) -> String {
    format!("/files/read?path={}&offset={offset}&length={length}", percent_encode(path))
}

fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `None` if the body is no answer of `/files/read`.
pub(super) fn parse(body: &[u8]) -> Option<FileData> {
    let mut at = Cursor { rest: body };
    let (mut data, mut offset) = (None, None);
    at.expect(b'{')?;
    loop {
        let key = at.string()?;
        at.expect(b':')?;
        match key.as_slice() {
            b"data" => data = Some(at.string()?),
            b"offset" => offset = Some(at.number()?),
            _ => return None,
        }
        if at.expect(b',').is_none() {
            at.expect(b'}')?;
            return Some(FileData { data: data?, offset: offset? });
        }
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    /// Takes a byte if it is the next one after white space.
    fn expect(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.trim_ascii_start();
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        self.rest = self.rest.trim_ascii_start();
        let end = self.rest.iter().position(|b| !matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))?;
        let text = str::from_utf8(&self.rest[..end]).ok()?;
        self.rest = &self.rest[end..];
        // An offset is written as a whole number; older versions wrote it as a fraction.
        text.parse().ok().or_else(|| text.parse::<f64>().ok().map(|number| number as u64))
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        self.expect(b'"')?;
        let mut out = Vec::with_capacity(self.rest.len());
        loop {
            let plain = self.rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
            out.extend_from_slice(&self.rest[..plain]);
            let quote = self.rest[plain] == b'"';
            self.rest = &self.rest[plain + 1..];
            if quote {
                return Some(out);
            }
            self.escape(&mut out)?;
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let (kind, rest) = self.rest.split_first()?;
        self.rest = rest;
        let byte = match kind {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'"' | b'\\' | b'/' => *kind,
            b'u' => {
                let unit = self.unit()?;
                let code = if (0xD800..0xDC00).contains(&unit) { self.surrogate(unit)? } else { u32::from(unit) };
                out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
                return Some(());
            }
            _ => return None,
        };
        out.push(byte);
        Some(())
    }

    fn surrogate(&mut self, high: u16) -> Option<u32> {
        self.rest = self.rest.strip_prefix(b"\\u")?;
        let low = self.unit().filter(|low| (0xDC00..0xE000).contains(low))?;
        Some(0x1_0000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(low) - 0xDC00))
    }

    fn unit(&mut self) -> Option<u16> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(body: &[u8]) -> Option<Vec<u8>> {
        parse(body).map(|read| read.data)
    }

    #[test]
    fn text_and_other_bytes_come_through() {
        assert_eq!(
            parse(br#"{"data":"a\n\"\\\/\u00e9\uD83D\uDE00","offset":7}"#),
            Some(FileData { data: "a\n\"\\/\u{e9}\u{1f600}".as_bytes().to_vec(), offset: 7 })
        );
        assert_eq!(data(b"{\"data\":\"\xff\x00\xfe\",\"offset\":0}"), Some(b"\xff\x00\xfe".to_vec()));
        assert_eq!(parse(br#"{ "offset" : 5.0, "data" : "" }"#), Some(FileData { data: vec![], offset: 5 }));
    }

    #[test]
    fn anything_else_is_no_answer() {
        for body in [
            &b""[..],
            b"{",
            b"{}",
            br#"{"data":"x"}"#,
            br#"{"data":"x","offset":}"#,
            br#"{"data":"\u12","offset":1}"#,
            br#"{"data":"\ud800","offset":1}"#,
            br#"{"data":"x,"offset":1}"#,
            br#"[1]"#,
        ] {
            assert_eq!(parse(body), None, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_path_is_percent_encoded() {
        assert_eq!(read_target("/a b/é&c", 1, 2), "/files/read?path=/a%20b/%C3%A9%26c&offset=1&length=2");
    }
}
