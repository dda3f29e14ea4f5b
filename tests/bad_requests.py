"""Requests by their bytes: right ones, and such as the page must refuse."""


def head(line, *fields, host="localhost"):
    """The bytes of a request's head."""
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode("latin-1")


def upload(body, *fields):
    return head("POST /search", PNG, f"Content-Length: {len(body)}", *fields) + body


PNG = "Content-Type: image/png"
GET = head("GET /health")
LONG = "x" * 40_000
# Name to bytes, and the status of the only answer.
WRONG = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "HTTP/3": (b"GET / HTTP/3\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (head("GET /", "Host: evil.example"), 400),
    "a long address": (head(f"GET /{LONG}"), 431),
    "a long address without end": (f"GET /{LONG}".encode(), 431),
    "a large field": (head("GET /", f"Cookie: {LONG}"), 431),
    "200 kB of fields": (head("GET /", *[f"X-{i}: {'y' * 90}" for i in range(2000)]), 431),
    "200 small fields": (head("GET /", *["a:b"] * 200), 431),
    "a field of no name": (head("GET /", ": x"), 400),
    "a blank before the colon": (head("GET /", "Content-Length : 5"), 400),
    "a null byte": (head("GET /", "X: a\0b"), 400),
    "a bare CR": (head("GET /", "X: a\rContent-Length: 5"), 400),
    "a length below nothing": (head("POST /search", PNG, "Content-Length: -1"), 400),
    "a length with a sign": (head("POST /search", PNG, "Content-Length: +5"), 400),
    "a length of 5000 digits": (head("POST /search", PNG, f"Content-Length: {'9' * 5000}"), 400),
    "two lengths": (head("POST /search", "Content-Length: 5", "Content-Length: 6"), 400),
    "chunks": (head("POST /search", PNG, "Transfer-Encoding: chunked") + b"1\r\nx\r\n" * 999, 411),
    "chunks and length": (
        head("POST /search", PNG, "Content-Length: 5", "Transfer-Encoding: chunked")
        + b"0\r\n\r\n"
        + GET,
        411,
    ),
    "chunks in disguise": (head("POST /search", PNG, "tRANSFER-eNCODING:\tchunked") + GET, 411),
    "unknown encoding": (head("POST /search", PNG, "Transfer-Encoding: xchunked") + GET, 411),
    "chunks for a page": (head("GET /", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + GET, 411),
}


def encodings(text):
    """A text as clients may write it, hoping that it is decoded once more than it is checked."""
    percent = "".join(f"%{byte:02x}" for byte in text.encode())
    yield from (text, text.replace("/", "%2f"), text.replace("/", "%2F"), percent)
    yield from (text.replace("/", "%252f"), percent.replace("%", "%25"))  # twice
    yield from (text.replace("/", "\\"), text.replace("/", "%5c"))
    yield text.replace(".", "%c0%ae").replace("/", "%c0%af")  # longer than UTF-8 allows
    yield text.replace("/", "%ef%bc%8f")  # a slash of full width
    yield text.replace("../", "....//")
    yield text.replace("../", "..;/")
    yield from (text + "%00", text + "%00.png", "%00" + text, "/" + text, "%2f" + text)
