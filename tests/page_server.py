"""Serving the page in a thread, and speaking to it by bytes."""

import json
import socket
import threading
import time
from contextlib import contextmanager, suppress

from sklearn_dsh.serve._connections import make_server

PATIENCE = 60  # seconds: a busy machine is no failure


@contextmanager
def serving(app, **limits):
    """A server of `app` in a thread of its own, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = make_server(app, **limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def read_all(connection):
    """All that comes until the other side closes."""
    received = bytearray()
    with suppress(ConnectionResetError):  # bytes of ours were not read any more
        while piece := connection.recv(65_536):
            received += piece
    return bytes(received)


def exchange(port, sent):
    """The answers to some bytes, up to the end of the connection."""
    with connect(port) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        return answers(read_all(connection))


def answers(received):
    """Status, header fields and body of each answer in what was received."""
    found = []
    while received:
        top, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        fields = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        n = int(fields.get("content-length", len(rest)))
        found.append((int(first.split()[1]), fields, rest[:n]))
        received = rest[n:]
    return found


def error_of(answer):
    """The text of an answer's only entry, an error."""
    ((name, text),) = json.loads(answer[2]).items()
    assert name == "error"
    return text


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
