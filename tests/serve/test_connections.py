"""Hostile clients, by bytes: each is answered or let go, and others are served all the time."""

import asyncio
import select
import socket
import threading
from contextlib import ExitStack, suppress

import pytest
from bad_requests import GET, PNG, WRONG, encodings, head, upload
from bad_uploads import DRAWING, to_bytes

pytest.importorskip("uvicorn", reason="the page needs Starlette and uvicorn")

from page_server import (
    PATIENCE,
    answers,
    connect,
    error_of,
    exchange,
    read_all,
    serving,
    wait_until,
)

from sklearn_dsh.serve import _connections, create_app
from sklearn_dsh.serve._search import DrawingSearch

PICTURE = to_bytes(DRAWING)
LAST = head("GET /health", "Connection: close")
GOOD = upload(PICTURE, "Connection: close")


@pytest.fixture(scope="module")
def app(fitted_hasher, gallery, sketches):
    return create_app(fitted_hasher, gallery, n_results=7, samples=sketches[:2])


@pytest.fixture(scope="module")
def port(app):
    with serving(app) as (_, port):
        yield port


@pytest.fixture(scope="module")
def hasty(app):
    """A server that waits half a second for its clients."""
    with serving(app, timeout=0.5) as given:
        yield given


def assert_serves(port):
    ((status, _, _),) = exchange(port, GOOD)
    assert status == 200


# Slow clients

BODY = head("POST /search", PNG, "Content-Length: 1000")
SLOW = {
    "nothing": (b"", b"", None),
    "half a head": (GET[:-2], b"", 408),
    "a head by the byte": (GET[:9], b"x", 408),
    "half a body": (BODY + PICTURE[:10], b"", 408),
    "a body by the byte": (BODY, b"x", 408),
    "half of a second head": (GET + GET[:-2], b"", 408),
    "a body that nobody asked for": (head("GET /health", "Content-Length: 9999"), b"x", None),
    "a body of a wrong type": (head("POST /search", "Content-Length: 9999"), b"x", None),
}


@pytest.mark.parametrize("kind", SLOW)
def test_slow_senders_are_let_go(kind, hasty):
    server, port = hasty
    first, further, status = SLOW[kind]
    with connect(port) as connection:
        connection.sendall(first)
        stop = threading.Event()

        def drip():
            with suppress(OSError):
                while further and not stop.wait(0.02):
                    connection.sendall(further)

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            found = answers(read_all(connection))  # ends when the server closes
        finally:
            stop.set()
            dripping.join()
    if status and not further:  # a reset may have overtaken the answer to one that goes on
        assert found[-1][0] == status
        assert error_of(found[-1]) == "The request took longer than 0.5 seconds."
    wait_until(lambda: not server.server_state.connections and not server.server_state.tasks)
    assert_serves(port)


def test_slow_readers_are_let_go(hasty):
    server, port = hasty
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", port))
        with suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(2000):  # more than all buffers take of the answers
                connection.sendall(head("GET /photo/0/large"))
        wait_until(lambda: not server.server_state.connections and not server.server_state.tasks)
    assert_serves(port)


def test_who_waits_for_the_server_is_not_slow(app, monkeypatch):
    """The time that a search takes is not the client's, however short its own is."""
    began, go_on = threading.Event(), threading.Event()
    search = DrawingSearch.__call__

    def held(self, body):
        began.set()
        assert go_on.wait(PATIENCE)
        return search(self, body)

    monkeypatch.setattr(DrawingSearch, "__call__", held)
    with serving(app, timeout=0.1) as (server, port), connect(port) as connection:
        connection.sendall(GOOD)
        assert began.wait(PATIENCE)
        ((protocol,),) = (server.server_state.connections,)
        timers = {protocol._timer}
        wait_until(lambda: timers.add(protocol._timer) or len(timers) > 12)  # well over 0.1 s
        go_on.set()
        ((status, _, _),) = answers(read_all(connection))
    assert status == 200


@pytest.mark.parametrize("sent", [GET[:-2], BODY])
def test_slow_clients_do_not_keep_the_server_from_ending(sent, app):
    with ExitStack() as held, serving(app) as (server, port):
        held.enter_context(connect(port)).sendall(sent)
        wait_until(lambda: server.server_state.connections)
        # It has ended, as `serving` asserts.


# Many clients


@pytest.mark.parametrize("sent", [b"", GET[:-2], BODY])
def test_one_too_many_takes_the_place_of_the_slowest(sent, app):
    with serving(app, max_connections=10) as (server, port), ExitStack() as held:
        idle = [held.enter_context(connect(port)) for _ in range(30)]
        for connection in idle:
            with suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(sent)
        for _ in range(3):
            assert_serves(port)
        # Under load others than the first may be older.
        wait_until(lambda: len(closed_unanswered(idle)) >= 20)
        assert len(server.server_state.connections) <= 10


def closed_unanswered(connections):
    """Those that the server has ended without a word."""
    ended = []
    for connection in select.select(connections, [], [], 0)[0]:
        try:
            if not connection.recv(1, socket.MSG_PEEK):
                ended.append(connection)
        except ConnectionResetError:
            ended.append(connection)
    return ended


def test_nobody_is_turned_out_while_being_answered():
    release = threading.Event()

    async def app(scope, receive, send):
        if scope["type"] == "http":
            while not release.is_set():
                await asyncio.sleep(0.01)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})

    with serving(app, max_connections=2) as (server, port), ExitStack() as held:
        first = [held.enter_context(connect(port)) for _ in range(2)]
        for connection in first:
            connection.sendall(LAST)
        wait_until(lambda: len(server.server_state.tasks) == 2)
        with connect(port) as third:
            assert read_all(third) == b""
        release.set()
        assert [answers(read_all(c))[0][0] for c in first] == [200, 200]


def test_who_leaves_leaves_the_line(app, monkeypatch):
    """Otherwise clients that ask and leave fill the memory, and others wait for nobody."""
    go_on, at_work, search = threading.Event(), [], DrawingSearch.__call__

    def held(self, body):
        at_work.append(self)
        assert go_on.wait(PATIENCE)
        return search(self, body)

    monkeypatch.setattr(DrawingSearch, "__call__", held)
    with serving(app) as (server, port), ExitStack() as stay:
        connections = [stay.enter_context(connect(port)) for _ in range(12)]
        for connection in connections:
            connection.sendall(GOOD)
        wait_until(lambda: len(at_work) == 2 and len(server.server_state.tasks) == 12)
        for connection in connections:
            connection.close()
        wait_until(lambda: len(server.server_state.tasks) == 2)
        go_on.set()
        assert_serves(port)
        assert len(at_work) == 3


def test_drawings_do_not_wait_for_large_pictures(app, monkeypatch):
    large = to_bytes(DRAWING.repeat(40, axis=0).repeat(40, axis=1))  # 2560 x 2560
    go_on, search = threading.Event(), DrawingSearch.__call__

    def held(self, body):
        assert body != large or go_on.wait(PATIENCE)
        return search(self, body)

    monkeypatch.setattr(DrawingSearch, "__call__", held)
    with serving(app) as (server, port), ExitStack() as stay:
        connections = [stay.enter_context(connect(port)) for _ in range(4)]
        for connection in connections:
            connection.sendall(upload(large, "Connection: close"))
        wait_until(lambda: len(server.server_state.tasks) == 4)
        assert_serves(port)
        go_on.set()
        assert [answers(read_all(c))[0][0] for c in connections] == [200] * 4


def test_few_large_uploads_are_held_at_a_time(app):
    part = head("POST /search", PNG, "Content-Length: 1000000") + bytes(300_000)
    whole = upload(PICTURE + bytes(300_000), "Connection: close")
    with serving(app) as (_, port), ExitStack() as stay:

        def refused():
            with suppress(ConnectionResetError, BrokenPipeError):
                stay.enter_context(connect(port)).sendall(part)
            # A reset may have overtaken the answer: it comes before all was sent.
            found = exchange(port, whole)
            return found and found[0][0] == 429 and "try again" in error_of(found[0])

        wait_until(refused)
        assert_serves(port)
        stay.close()
        wait_until(lambda: [answer[0] for answer in exchange(port, whole)] == [200])


# Requests that are wrong


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_requests_are_refused_and_nothing_after_them_is_read(kind, port, capfd):
    sent, status = WRONG[kind]
    found = exchange(port, sent)
    assert [answer[0] for answer in found] == [status]
    assert error_of(found[0])
    fields = found[0][1]
    assert fields["connection"] == "close"
    assert fields["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in fields["content-security-policy"]
    assert capfd.readouterr() == ("", "")  # clients cannot fill the log
    assert_serves(port)


@pytest.mark.parametrize("kind", ["200 small fields", "chunks", "no HTTP"])
def test_so_are_wrong_requests_behind_good_ones(kind, port):
    sent, status = WRONG[kind]
    assert [answer[0] for answer in exchange(port, GET + GET + sent + GET)] == [200, 200, status]
    # And behind a body that came after its answer.
    late = head("GET /health", "Content-Length: 3")
    with connect(port) as connection:
        connection.sendall(late)
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(65_536)
        assert received.startswith(b"HTTP/1.1 200")
        connection.sendall(b"abc" + sent)
        assert [answer[0] for answer in answers(read_all(connection))] in ([status], [])
    assert_serves(port)


@pytest.mark.parametrize("kind", ["200 kB of fields", "chunks", "no HTTP"])
def test_who_is_refused_can_send_all_and_then_read_why(kind, port):
    sent, status = WRONG[kind]
    with connect(port) as connection:
        for _ in range(20):
            connection.sendall(sent + bytes(100_000))
        connection.shutdown(socket.SHUT_WR)
        assert [answer[0] for answer in answers(read_all(connection))] == [status]


def test_who_is_refused_and_stays_is_let_go(app, monkeypatch):
    monkeypatch.setattr(_connections, "_SECONDS_TO_LEAVE", 0.2)
    with serving(app) as (server, port), connect(port) as connection:
        connection.sendall(WRONG["chunks"][0])
        assert [answer[0] for answer in answers(read_all(connection))] == [411]
        wait_until(lambda: not server.server_state.connections)


def test_a_length_that_is_too_short_makes_no_other_request_of_the_rest(port):
    hidden = upload(PICTURE[:50]) + PICTURE[50:]
    assert [answer[0] for answer in exchange(port, hidden)] == [422, 400]


def test_a_length_that_is_too_large_is_answered_at_once(port):
    sent = head("POST /search", PNG, f"Content-Length: {10**12}", "Connection: close")
    found = exchange(port, sent + PICTURE)
    assert [answer[0] for answer in found] == [413]


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "CONNECT", "BREW", "G%45T", "get"]
)
@pytest.mark.parametrize("path", ["/", "/search", "/photo/0", "/static/page.js", "*", "//", "x:1"])
def test_wrong_methods(method, path, port):
    found = exchange(port, head(f"{method} {path}", "Connection: close"))
    assert [answer[0] in (400, 404, 405) for answer in found] == [True]
    assert error_of(found[0])


def test_pipelined_requests_are_answered_in_their_order(port):
    paths = ["/health", "/photo/0", "/nothing", "/sample/1", "/samples", "/photo/999"]
    sent = b"".join(head(f"GET {path}") for path in paths * 20)
    found = exchange(port, sent + LAST)
    assert [answer[0] for answer in found] == [200, 200, 404, 200, 200, 404] * 20 + [200]
    kinds = {i % 6: answer[1]["content-type"] for i, answer in enumerate(found[:-1])}
    assert [kinds[1], kinds[3]] == ["image/jpeg", "image/png"]


@pytest.mark.parametrize("to", ["websocket", "h2c", "TLS/1.0"])
def test_upgrades_are_passed_over(to, port):
    fields = ["Connection: Upgrade", f"Upgrade: {to}", "Sec-WebSocket-Version: 13"]
    sent = head("GET /health", *fields, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    assert [answer[0] for answer in exchange(port, sent + LAST)] == [200, 200]


@pytest.mark.parametrize(
    "route", ["/static/", "/photo/", "/sample/", "/photo/0/", "/photo/0/large/", "/"]
)
def test_paths_that_climb(route, port, gallery):
    targets = ["../_app.py", "../../__init__.py", "../" * 20 + "etc/passwd", "0/../1", "./0"]
    targets += [gallery.paths[0], "a" * 5000]
    paths = [path for target in targets for path in encodings(target)]
    sent = b"".join(head(f"GET {route}{path}") for path in paths)
    found = exchange(port, sent + LAST)
    assert found.pop()[0] == 200
    assert len(found) == len(paths)
    for answer, path in zip(found, paths, strict=True):
        assert answer[0] == 404, path
        assert error_of(answer)
