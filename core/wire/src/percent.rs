//! Percent encoding as libprocess does it (`http::encode`, `http::decode`), which is not quite that of RFC 3986.

/// A `%` without two hexadecimal digits after it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Malformed % escape in '{text}': '{escape}'")]
pub struct Error {
    text: String,
    escape: String,
}

/// Turns `%41` into `A` and `+` into a space, wherever they stand. Bytes that are no UTF-8 become U+FFFD: an id or a
/// query value with such bytes names nothing here.
pub fn decode(text: &str) -> Result<String, Error> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(text.to_owned());
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = match bytes[at] {
            b'%' => {
                let byte = escaped(bytes.get(at + 1..at + 3)).ok_or_else(|| malformed(text, at))?;
                at += 2;
                byte
            }
            b'+' => b' ',
            byte => byte,
        };
        decoded.push(byte);
        at += 1;
    }
    Ok(match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn escaped(digits: Option<&[u8]>) -> Option<u8> {
    let [high, low] = digits? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(*high)? * 16 + digit(*low)?) as u8)
}

fn malformed(text: &str, at: usize) -> Error {
    let escape = &text.as_bytes()[at..text.len().min(at + 3)];
    Error { text: text.to_owned(), escape: String::from_utf8_lossy(escape).into_owned() }
}

/// Encodes a path token or a query value: reserved and unsafe characters, control characters and everything that is
/// not ASCII, with upper-case digits.
pub fn encode(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if !(0x20..=0x7F).contains(&byte) || b"$&+,/:;=?@ \"<>#%{}|\\^~[]`".contains(&byte) {
            encoded.push('%');
            encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
        } else {
            encoded.push(char::from(byte));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_escapes_and_plus() {
        assert_eq!(decode("slave%281%29").unwrap(), "slave(1)");
        assert_eq!(decode("a+b%2Bc").unwrap(), "a b+c");
        assert_eq!(decode("%ff").unwrap(), "\u{FFFD}");
    }

    #[test]
    fn names_the_malformed_escape() {
        let text = |text| decode(text).unwrap_err().to_string();
        assert_eq!(text("a%2"), "Malformed % escape in 'a%2': '%2'");
        assert_eq!(text("%zz9"), "Malformed % escape in '%zz9': '%zz'");
        assert_eq!(text("%\u{e9}"), "Malformed % escape in '%\u{e9}': '%\u{e9}'");
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        assert_eq!(encode("slave(1)/é ~"), "slave(1)%2F%C3%A9%20%7E");
        for text in ["", "plain", "a b+c/d?e=f&g;h", "é\u{7f}\n", "100%"] {
            assert_eq!(decode(&encode(text)).unwrap(), text);
        }
    }
}
