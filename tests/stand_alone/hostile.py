"""Requests that no honest client sends, as octets; every one of them ends by itself."""

from __future__ import annotations

import base64
from collections.abc import Iterator

PATHS = {
    "ppc": ("/cgi-bin/hanservice.cgi", "/cgi-bin/hanservicetech.cgi"),
    "conexa": ("/smgw/m2m", "/smgw/m2m/consumer-1.sm/json", "/"),
    "casa": ("/", "/json/systeminformations", "/json/metering/origin/", "/json/metering/derived", "/json/conlogbook/0"),
}
METHODS = ("HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "get", "G\x00T", "CONNECT")
ODD_PATHS = (
    "/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/", "//", "///x", "/%00", "/%ff%fe", "/\u00e4",
    "/.git/config",
    "/json/metering/origin/../../../x", "/json/metering/origin/%27%20OR%201=1--", "/json/metering/derived/1/../2",
    "/json/metering/origin/1EMH/99999999999999999999", "/json/metering/origin/1EMH/-1", "/json/conlogbook/1e9",
    "/smgw/m2m/../m2m", "/smgw/m2m/%2e%2e/json", "/smgw/m2m/consumer-2.sm/json", "/cgi-bin/../hanservice.cgi",
    "/cgi-bin/hanservice.cgi/../../x", "/?" + "a=b&" * 1500, "/?lang=%00", "/?lang=" + "d" * 4000, "*", "http://evil/",
)  # fmt: skip
LONG = "9" * 5000
AUTHORIZATIONS = (
    "Basic " + base64.b64encode(b"consumer-1:x").decode(), "Digest", "Digest ,,,,", 'Digest username="', "Bearer x", "",
    'Digest username="a", realm="r", nonce="n", uri="/", response="0"', "Digest " + 'a="b",' * 600, "Negotiate YII=",
    'Digest username="\x01\x7f", realm="", nonce="", uri="", response="' + "f" * 32 + '"', "digest " + "x" * 4000,
    'Digest username="a\' or 1=1--", realm="r", nonce="n", uri="/", response="' + "0" * 32 + '", qop=auth, nc=0000000g',
)  # fmt: skip
BODIES = (
    b"{", b"[]", b"null", b'"x"', b"1e400", b'{"method": []}', b'{"method": "readings", "channels": 5}',
    b"\xff\xfe\x00",
    b'{"method": "log", "count": -1}', b"[" * 30_000, b'{"a":' * 9_000 + b"1" + b"}" * 9_000, b"action=%00&mid=../../x",
    b'{"method": "log", "count": "' + LONG.encode() + b'"}', b"action=" + b"A" * 60_000,
    b"from=9999-99-99+99:99:99&action=log",
    b"action=showMeterValues&mid=1&from=x&to=y&page=-1", b"action=log&page=99999999999999999999999",
)  # fmt: skip
TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/xml")


def _request(method: str, path: str, *headers: str, body: bytes = b"", length: bool = True) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
    if body and length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode("utf-8", "surrogateescape") + body


def requests(product: str) -> Iterator[bytes]:
    """All of them, for one product."""
    for path in PATHS[product]:
        for method in METHODS:
            yield _request(method, path)
        for header in AUTHORIZATIONS:
            yield _request("GET", path, f"Authorization: {header}")
    for path in PATHS[product][:2]:
        for body in BODIES:
            kind = TYPES[body.startswith((b"action", b"from"))]
            yield _request("POST", path, f"Content-Type: {kind}", body=body)
        for kind in TYPES[2:]:
            yield _request("POST", path, f"Content-Type: {kind}", body=b"--x\r\n\r\n")
        yield from _framing(path)
    for path in ODD_PATHS:
        yield _request("GET", path)


def _framing(path: str) -> Iterator[bytes]:
    """Lengths, pieces and lines that contradict one another."""
    yield _request("POST", path, "Content-Length: 5", "Content-Length: 6", body=b"hello!", length=False)
    yield _request("POST", path, "Content-Length: -1")
    yield _request("POST", path, "Content-Length: " + LONG[:100])
    yield _request(
        "POST", path, "Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\nGET /x", length=False
    )
    yield _request("POST", path, "Transfer-Encoding: chunked", body=b"FFFFFFFFFFFFFFFF\r\nx\r\n", length=False)
    yield _request("POST", path, "Transfer-Encoding: chunked", body=b"zz\r\n", length=False)
    yield _request("POST", path, "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n", length=False)
    yield _request("POST", path, "Content-Encoding: gzip", body=b"\x1f\x8b" + b"\x00" * 50)
    yield _request(
        "POST", path, "Content-Encoding: deflate", "Content-Type: application/json", body=b"x\x9c" + b"a" * 90
    )
    yield _request("GET", path, "Host: evil.example", "X: y")
    yield _request("GET", path, "Expect: 100-continue")
    yield _request("GET", path, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x")
    yield _request("GET", path, "Range: bytes=0-0,0-0,0-0")
    yield _request("GET", path, "Cookie: " + "session=" + "a" * 4000)
    yield _request("GET", path, "Cookie: session=; session=x; ;;;=;")
    yield _request("GET", path, *(f"X-{number}: y" for number in range(300)))
    yield _request("GET", path, "X: " + "y" * 20_000)
    yield _request("GET", path, "X: a\r\n folded: b")
    yield _request("GET", path, "Bad Header: x")
    yield _request("GET", path, ": x")
    yield f"GET {path}\r\n\r\n".encode()
    yield f"GET {path} HTTP/9.9\r\n\r\n".encode()
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield b"\x16\x03\x01\x00\x05hello"
    yield b"\r\n" * 200
    yield bytes(range(256)) * 8
