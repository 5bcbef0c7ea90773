//! Requests cut at every byte give what they give whole.

use super::*;

fn decode_all(input: &[u8], step: usize) -> Result<Vec<Decoded>, Error> {
    decode_with(Limits { message_body: 1000, request_body: 100 }, input, step)
}

fn decode_with(limits: Limits, input: &[u8], step: usize) -> Result<Vec<Decoded>, Error> {
    let (mut decoder, mut out) = (Decoder::new(limits), Vec::new());
    for piece in input.chunks(step) {
        decoder.buffer().extend_from_slice(piece);
        while let Some(decoded) = decoder.decode()? {
            out.push(decoded);
        }
    }
    Ok(out)
}

fn request(decoded: &Decoded) -> (&Head, &Payload) {
    match decoded {
        Decoded::Request(head, payload) => (head, payload),
        other => panic!("{other:?}"),
    }
}

const MIXED: &[u8] = b"POST /slave(1)/a.B HTTP/1.1\r\nUser-Agent: libprocess/m@1.2.3.4:5\r\nLibprocess-From: m@1.2.3.4:5\r\n\
    Connection: Keep-Alive\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\
    GET http://h:1/state?a=%41#f HTTP/1.1\r\nHOST: h\r\nX: 1\r\nx: 2\r\n\r\n\
    \r\nPUT /x HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc\
    POST /y HTTP/1.1\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n2;ext=1\r\nab\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n";

#[test]
fn pipelined_requests_come_out_in_order_however_they_arrive() {
    let whole = decode_all(MIXED, MIXED.len()).unwrap();
    for step in 1..64 {
        assert_eq!(decode_all(MIXED, step).unwrap(), whole, "in pieces of {step}");
    }
    let [message, get, put, post] = &whole[..] else { panic!("{whole:?}") };
    let Decoded::Message(Ok(envelope), payload) = message else { panic!("{message:?}") };
    assert_eq!((envelope.to.as_str(), envelope.name.as_str(), &payload.body[..]), ("slave(1)", "a.B", &b"hello"[..]));
    let (head, payload) = request(get);
    assert_eq!((head.path.as_str(), head.query.as_str(), payload.keep_alive), ("/state", "a=%41", true));
    assert_eq!(head.headers[2], ("x".to_owned(), "2".to_owned()));
    let (head, payload) = request(put);
    assert_eq!((head.method.as_str(), &payload.body[..], payload.keep_alive), ("PUT", &b"abc"[..], true));
    assert!(!payload.chunked_answer);
    let (_, payload) = request(post);
    assert_eq!((&payload.body[..], payload.keep_alive), (&b"ab0123456789"[..], false));
}

#[test]
fn a_large_single_chunk_is_not_copied() {
    let body = vec![b'x'; 50_000];
    let mut decoder = Decoder::new(Limits::default());
    decoder.buffer().extend_from_slice(
        b"POST /a/b HTTP/1.1\r\nLibprocess-From: m@1.2.3.4:5\r\nTransfer-Encoding: chunked\r\n\r\nc350\r\n",
    );
    decoder.buffer().extend_from_slice(&body);
    let at = decoder.buffer().len() - body.len();
    decoder.buffer().extend_from_slice(b"\r\n0\r\n\r\n");
    let address = decoder.buffer()[at..].as_ptr();
    let Ok(Some(Decoded::Message(_, payload))) = decoder.decode() else { panic!("no message") };
    assert_eq!((payload.body.as_ptr(), payload.body.len()), (address, body.len()));
    assert!(decoder.is_between_requests());
}

#[test]
fn a_client_that_waits_is_told_to_go_on_once() {
    let head = b"POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let out = decode_all(&[&head[..], b"ab"].concat(), 1).unwrap();
    assert_eq!(out[0], Decoded::Continue);
    assert_eq!(&request(&out[1]).1.body[..], b"ab");
    assert_eq!(out.len(), 2);
    assert_eq!(decode_all(&[&head[..], b"ab"].concat(), 1000).unwrap().len(), 1, "the body is there already");
}

#[test]
fn what_is_no_request_ends_the_connection() {
    for bad in [
        "\x16\x03\x01",
        "BREW /pot HTTP/1.1\r\n\r\n",
        "GET state HTTP/1.1\r\n\r\n",
        "GET /a?b=%zz HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ] {
        assert!(matches!(decode_all(bad.as_bytes(), 1000), Err(Error::Malformed(_))), "{bad:?}");
    }
}

#[test]
fn limits_hold() {
    let post = |headers: &str| format!("POST / HTTP/1.1\r\n{headers}\r\n");
    let too_large = Err(Error::BodyTooLarge(100));
    assert_eq!(decode_all(post("Content-Length: 101\r\n").as_bytes(), 1000), too_large);
    let chunks = post("Transfer-Encoding: chunked\r\n")
        + &"32\r\n01234567890123456789012345678901234567890123456789\r\n".repeat(3);
    assert_eq!(decode_all(chunks.as_bytes(), 7), too_large);
    let message = post("Libprocess-From: x\r\nContent-Length: 101\r\n");
    assert_eq!(decode_all(message.as_bytes(), 1000), Ok(vec![]), "messages have a limit of their own");
    assert_eq!(decode_all(post(&"A: b\r\n".repeat(HEADERS_MAX + 1)).as_bytes(), 1000), Err(Error::HeadTooLarge));
    let long = post(&format!("A: {}\r\n", "b".repeat(HEAD_BYTES_MAX)));
    assert_eq!(decode_all(long.as_bytes(), 1000), Err(Error::HeadTooLarge));
}
