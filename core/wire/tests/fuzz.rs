//! Runs the fuzz bodies over random input made from the alphabet of the protocol, so that it gets past the first byte.

use tepui_base::Rng;
use tepui_wire::fuzz;

const WORDS: &[&[u8]] = &[
    b"POST ",
    b"GET ",
    b"/master/",
    b"slave(1)",
    b"@",
    b":",
    b"127.0.0.1",
    b"5050",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b"User-Agent: libprocess/",
    b"Libprocess-From: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: ",
    b"\r\n",
    b"\r\n\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"Connection: close\r\n",
    b"%",
    b"%28",
    b"%zz",
    b"+",
    b"?",
    b"&",
    b"=",
    b";",
    b"q=0.5",
    b"*/*",
    b"/..",
    b"#",
    b"3",
    b"ffff",
    b"\n",
    b"Expect: 100-continue\r\n",
    b"Content-Encoding: gzip\r\n",
];

fn input(rng: &mut Rng) -> Vec<u8> {
    let mut data = Vec::new();
    for _ in 0..rng.below(24) {
        match rng.below(5) {
            0 => data.push(rng.next_u64() as u8),
            _ => data.extend_from_slice(WORDS[rng.below(WORDS.len() as u64) as usize]),
        }
    }
    data
}

#[test]
fn parsers_take_anything() {
    let mut rng = Rng::new(2);
    for _ in 0..20_000 {
        let data = input(&mut rng);
        for body in [fuzz::fuzz_upid, fuzz::fuzz_query, fuzz::fuzz_path, fuzz::fuzz_decode, fuzz::fuzz_message] {
            body(&data);
        }
    }
}
