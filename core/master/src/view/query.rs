//! Query strings and form bodies.

use super::Query;

/// Reads `a=1&b=x%20y`. `;` separates too, `+` is a space, and of two equal names the last one counts. Fails on an
/// escape that is none.
pub(crate) fn decode(text: &str) -> Result<Query, String> {
    text.split(['&', ';'])
        .filter(|field| !field.is_empty())
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            Ok((unescape(name)?, unescape(value)?))
        })
        .collect()
}

fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let Some((high, low)) = high.zip(low) else {
                    return Err(format!("Malformed % escape in '{text}'"));
                };
                bytes.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits fit a byte"));
            }
            other => bytes.push(other),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded() {
        let query = decode("a=1&b;c=x%20y+z&a=2&d=%C3%A9").unwrap();
        assert_eq!(query["a"], "2");
        assert_eq!(query["b"], "");
        assert_eq!(query["c"], "x y z");
        assert_eq!(query["d"], "é");
        assert_eq!(decode("a=%zz"), Err("Malformed % escape in '%zz'".to_owned()));
        assert_eq!(decode("a=%4"), Err("Malformed % escape in '%4'".to_owned()));
        assert!(decode("").unwrap().is_empty());
    }
}
