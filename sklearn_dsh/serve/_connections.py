"""Connections: no client holds one for long, or makes the server work by a few bytes.

uvicorn limits how large a head may be and how long a connection may lie idle between requests.
What it has no setting for is here: clients that send or read slowly, heads of thousands of fields,
bodies in tiny chunks, and more connections than there is room for.
"""

import json
import re
from functools import partial

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ._door import HEADERS

MAX_CONNECTIONS = 256
TIMEOUT = 30.0
MAX_HEAD_BYTES = 16_384
MAX_FIELDS = 100  # of a head
_PIECE = 4096  # bytes: h11 compares with its limit only after it took all that it was given
_SECONDS_TO_END = 3
# What follows a refusal is dropped for so many seconds: if the connection was closed on it, many
# clients would lose the answer.
_SECONDS_TO_LEAVE = 5


def make_server(app, *, max_connections=MAX_CONNECTIONS, timeout=TIMEOUT):
    """A uvicorn server of an application.

    Parameters
    ----------
    app : ASGI application
    max_connections : int
        With one more, that whose client has kept the server waiting longest is closed.
    timeout : float
        Seconds that a client has for each step: sending a request's head, sending its body, and
        taking the answer.

    Returns
    -------
    server : uvicorn.Server
    """
    config = uvicorn.Config(
        app,
        http=partial(Connection, max_connections=max_connections, timeout=timeout),
        ws="none",
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_graceful_shutdown=_SECONDS_TO_END,
        log_level="error",  # warnings are of clients' faults: anybody could fill the log
        access_log=False,
        proxy_headers=False,  # no use is made of them
        server_header=False,
    )
    return uvicorn.Server(config)


class Connection(H11Protocol):
    """One connection, as uvicorn serves it, with limits of time and number."""

    def __init__(self, *args, max_connections, timeout, **kwargs):
        super().__init__(*args, **kwargs)
        self.conn = _Parser(h11.SERVER, self.config.h11_max_incomplete_event_size)
        self._max_connections, self._timeout = max_connections, timeout
        self._step = self._timer = None
        self._since = 0.0
        self._is_refused = False

    def connection_made(self, transport):
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self._max_connections:
            longest = max(self.connections - {self}, key=Connection.waited)
            if longest.waited() < 0:  # all others are being answered
                longest = self
            self.connections.discard(longest)  # now: more may come before it has ended
            longest.transport.abort()

    def connection_lost(self, exc):
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data):
        for start in range(0, len(data), _PIECE):
            if self._is_refused or self.transport.is_closing():
                return
            super().data_received(data[start : start + _PIECE])
        self.waited()  # a step begins when its client's bytes come, not when it is asked about

    def send_400_response(self, msg):
        """What uvicorn calls when the parser refuses a request."""
        self._refuse(self.conn.problem.error_status_hint, str(self.conn.problem))

    def waited(self):
        """Seconds that the client has kept the server waiting; -1 if it does not."""
        step = (self._awaited(), self.cycle)
        if step != self._step:
            self._step, self._since = step, self.loop.time()
        return -1 if step[0] is None else self.loop.time() - self._since

    def _awaited(self):
        """What the client is to do next; None if it is the server's turn."""
        if self._is_refused:
            return "leave"
        if self.transport.get_write_buffer_size():
            return "take the answer"
        return {h11.IDLE: "send a head", h11.SEND_BODY: "send a body"}.get(self.conn.their_state)

    def _watch(self):
        self._timer = self.loop.call_later(min(1, self._timeout / 4), self._watch)
        if self.waited() > self._timeout:
            self._refuse(408, f"The request took longer than {self._timeout:g} seconds.")

    def _refuse(self, status, text):
        """Answer, where a request has begun and no answer has, and end the connection."""
        has_begun = self.conn.trailing_data[0] or self.conn.their_state is not h11.IDLE
        if self.transport.is_closing() or not has_begun or self.conn.our_state not in _UNANSWERED:
            self.transport.abort()  # also what is closing, and waits until its client has read all
            return
        body = json.dumps({"error": text}).encode()
        extra = {"Content-Type": "application/json", "Content-Length": len(body)} | HEADERS
        fields = [(name, str(value)) for name, value in {**extra, "Connection": "close"}.items()]
        answer = h11.Response(status_code=status, headers=fields, reason=b"")
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        if self.cycle is not None:  # the application answers no more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._is_refused = True
        self.transport.write_eof()
        self.loop.call_later(_SECONDS_TO_LEAVE, self.transport.abort)


_UNANSWERED = (h11.IDLE, h11.SEND_RESPONSE)


class _Parser(h11.Connection):
    """h11's parser, that also refuses what costs more to read than to send."""

    problem = None

    def next_event(self):
        try:
            if self.their_state is h11.IDLE:
                _check_head(self.trailing_data[0])
            return super().next_event()
        except h11.RemoteProtocolError as problem:
            self.problem = problem
            raise


def _check_head(data):
    end = re.search(rb"\n\r?\n", data)
    head = data[: end.start()] if end else data
    if head.count(b"\n") > MAX_FIELDS:
        raise h11.RemoteProtocolError(
            f"The request has more than {MAX_FIELDS} header fields.", error_status_hint=431
        )
    if re.search(rb"^transfer-encoding[ \t]*:", head, re.IGNORECASE | re.MULTILINE):
        raise h11.RemoteProtocolError(
            "Bodies in chunks are not taken: send a Content-Length.", error_status_hint=411
        )
