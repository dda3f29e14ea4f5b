"""The page's server under attack: what good clients get of it, and what it holds in memory.

    python benchmarks/serve_attack.py

The server of `serve_load.py`, with eight photos of 3 megapixels, and 200 clients for 60 seconds,
all on this machine. Of every ten clients

* four send drawings, one after the other, each with a photo of its answer;
* two send bad uploads, of every kind that the tests know, and large ones that nothing is wrong
  with but that show no strokes;
* two send requests that are no good HTTP, ask for files by climbing paths, or come from foreign
  sites; and some that ask and leave;
* two are slow: they say nothing, or send half of a head or a body, or either byte by byte, or do
  not take their answers.

Ends with status 1 if a status was another than the right one, a good client got no answer, an
answer differs afterwards, or the memory has grown by more than 64 MB.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image
from serve_load import N_BITS, machine, make_drawings, served

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from bad_requests import WRONG, encodings, head, upload
from bad_uploads import BAD_UPLOADS, to_bytes

ROLES = ["good", "bad", "good", "slow", "wrong", "good", "bad", "good", "slow", "wrong"]
PATIENCE = 120  # seconds for an answer
PAUSE = 0.05  # seconds between the requests of a hostile client
MOST_GROWTH = 64  # MB
GONE = (ConnectionError, asyncio.IncompleteReadError)
LARGE = upload(to_bytes(np.full((4900, 5100), 255, np.uint8)))  # 25 megapixels of white
LEAVES = "asks and leaves"


def hostile_requests(drawing):
    """Name to bytes and the statuses that are right."""
    requests = {f"wrong: {name}": (sent, {status}) for name, (sent, status) in WRONG.items()}
    for path in encodings("../" * 9 + "etc/passwd"):
        for route in ("static", "photo", "sample"):
            requests[f"climbs: {route}, {path}"] = (head(f"GET /{route}/{path}"), {404})
    for host in ("evil.example", "127.0.0.1.evil.example", ""):
        requests[f"foreign name {host}"] = (head("GET /photo/0", host=host), {400})
    for field in ("Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"):
        requests[field] = (upload(drawing, field), {403})
    for method in ("PUT", "TRACE", "CONNECT", "BREW"):
        requests[method] = (head(f"{method} /search"), {405})
    requests["upgrade"] = (head("GET /", "Connection: Upgrade", "Upgrade: websocket"), {200})
    requests["a lying length"] = (upload(drawing[:50]) + drawing[50:], {422})
    requests["a large lying length"] = (head("POST /search", "Content-Length: 9" + "0" * 12), {415})
    requests[LEAVES] = (upload(drawing), set())
    return requests


def slow_clients(drawing):
    """Name to what is sent at once, and what follows again and again."""
    body = head("POST /search", "Content-Type: image/png", "Content-Length: 3000000")
    return {
        "says nothing": (b"", b""),
        "half a head": (head("GET /")[:-2], b""),
        "a head byte by byte": (b"GET /", b"x"),
        "half a body": (body + drawing[:99], b""),
        "most of a large body": (body + bytes(2_900_000), b""),
        "a body byte by byte": (body, b"x"),
        "a body for nobody": (head("GET /health", "Content-Length: 3000000"), b"x" * 999),
        "takes no answer": (head("GET /photo/0/large") * 50, b"x"),
    }


class Attack:
    """Clients of all roles, and what they got."""

    def __init__(self, port, drawings, seconds):
        self.port, self.drawings, self.seconds = port, drawings, seconds
        self.counts = Counter()  # of role, kind and status
        self.waits = {"drawing": [], "photo": []}  # milliseconds of good answers
        self.wrong = Counter()  # what must not have been
        self.refused = 0  # connections of good clients that were closed
        self._numbers = {role: count() for role in ROLES}

    async def run(self, n_clients):
        self._end = time.perf_counter() + self.seconds
        roles = [getattr(self, f"_{ROLES[i % len(ROLES)]}") for i in range(n_clients)]
        await asyncio.gather(*(role() for role in roles))

    def _turns(self, role, kinds):
        """Kinds in turn, until the time is up; each once even if that takes longer."""
        kinds = list(kinds)
        for number in self._numbers[role]:
            if number >= len(kinds) and time.perf_counter() > self._end:
                return
            yield kinds[number % len(kinds)]

    def _note(self, role, kind, status, right):
        self.counts[role, kind, status] += 1
        if status is not None and status not in right:
            self.wrong[f"{kind}: {status}"] += 1

    async def _good(self):
        connection = None
        for drawing in self._turns("good", self.drawings):
            start = time.perf_counter()
            for _ in range(3):  # as browsers do when a connection was closed on them
                try:
                    connection = connection or await self._connect()
                    status, answer = await exchange(*connection, upload(drawing))
                    self.waits["drawing"].append(1000 * (time.perf_counter() - start))
                    self._note("good", "drawing", status, {200})
                    if status != 200:
                        break
                    url = json.loads(answer)["results"][0]["url"]
                    start = time.perf_counter()
                    status, answer = await exchange(*connection, head(f"GET {url}"))
                    self.waits["photo"].append(1000 * (time.perf_counter() - start))
                    self._note("good", "photo", status, {200})
                    break
                except GONE:
                    self.refused, connection = self.refused + 1, None
            else:
                self.wrong["good: no answer"] += 1
        if connection:
            connection[1].close()

    async def _bad(self):
        requests = {
            name: (upload_of(body, kind), {status})
            for name, (body, kind, status, _) in BAD_UPLOADS.items()
        }
        await self._hostile("bad", requests | {"25 megapixels of white": (LARGE, {422, 429})})

    async def _wrong(self):
        await self._hostile("wrong", hostile_requests(self.drawings[0]))

    async def _hostile(self, role, requests):
        for kind, (sent, right) in self._turns(role, requests.items()):
            status = None
            with suppress(*GONE):
                reader, writer = await self._connect()
                if kind == LEAVES:
                    writer.write(sent)
                    await writer.drain()
                else:
                    status, _ = await exchange(reader, writer, sent)
                writer.close()
            self._note(role, kind, status, right)
            await asyncio.sleep(PAUSE)

    async def _slow(self):
        kinds = slow_clients(self.drawings[0])
        for kind, (first, further) in self._turns("slow", kinds.items()):
            status = "let go"
            with suppress(*GONE), socket.socket() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(connection, ("127.0.0.1", self.port))
                try:
                    await asyncio.wait_for(loop.sock_sendall(connection, first), self._left())
                    await asyncio.wait_for(self._linger(connection, kind, further), self._left())
                except TimeoutError:
                    status = "held to the end"
            self.counts["slow", kind, status] += 1
            await asyncio.sleep(PAUSE)

    def _left(self):
        return max(0.1, self._end - time.perf_counter())

    async def _linger(self, connection, kind, further):
        """Until the server closes: what comes is read, unless the client is to take nothing."""
        loop = asyncio.get_running_loop()
        while True:
            if further:
                await loop.sock_sendall(connection, further)
            if kind == "takes no answer":
                if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    return
            else:
                with suppress(BlockingIOError):
                    if not connection.recv(65_536):
                        return
            await asyncio.sleep(0.1)

    async def _connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port)


def upload_of(body, content_type):
    fields = [f"Content-Type: {content_type}"] if content_type else []
    return head("POST /search", *fields, f"Content-Length: {len(body)}") + body


async def exchange(reader, writer, sent):
    """Status and body of the first answer to some bytes."""
    writer.write(sent)
    with suppress(ConnectionError):  # the answer may have come before all was read
        await writer.drain()
    async with asyncio.timeout(PATIENCE):
        top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(top.partition("content-length: ")[2].partition("\r\n")[0])
        return int(top.split()[1]), await reader.readexactly(length)


async def answer_of(port, drawing):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    status, answer = await exchange(reader, writer, upload(drawing))
    writer.close()
    return status, [(r["index"], r["distance"]) for r in json.loads(answer).get("results", [])]


def resident(process):
    """Megabytes of memory that a process holds."""
    report = subprocess.check_output(["ps", "-o", "rss=", "-p", str(process.pid)], text=True)
    return int(report) / 1000


def processor_seconds(process):
    """Of a process, until now; written as [hours:]minutes:seconds."""
    report = subprocess.check_output(["ps", "-o", "time=", "-p", str(process.pid)], text=True)
    return sum(float(x) * 60**i for i, x in enumerate(reversed(report.strip().split(":"))))


async def measure(process, port, options):
    drawings = make_drawings()
    # Once with everything, so that caches are full and the allocator has its arenas.
    await Attack(port, drawings, options.seconds / 3).run(options.clients)
    before, first = await answer_of(port, drawings[0]), resident(process)
    attack, peak = Attack(port, drawings, options.seconds), first

    async def look():
        nonlocal peak
        while True:
            peak = max(peak, resident(process))
            await asyncio.sleep(1)

    looking = asyncio.ensure_future(look())
    start, used = time.perf_counter(), processor_seconds(process)
    await attack.run(options.clients)
    seconds = time.perf_counter() - start
    used = processor_seconds(process) - used
    looking.cancel()
    same = await answer_of(port, drawings[0]) == before
    await asyncio.sleep(2)
    last = resident(process)
    waits = {
        f"{kind}s: answers, median and 99th percentile, ms": (
            len(attack.waits[kind]), *np.percentile(attack.waits[kind], [50, 99]).round().tolist()
        )
        for kind in attack.waits
    }  # fmt: skip
    statuses = Counter()
    for (role, _, status), n in attack.counts.items():
        statuses[f"{role}, {'no answer' if status is None else status}"] += n
    return attack, {
        "machine": machine(),
        "note": options.note,
        "clients": options.clients,
        "seconds": round(seconds, 1),
        "processor seconds of the server": round(used, 1),
        **waits,
        "good connections closed": attack.refused,
        "by role and status": dict(sorted(statuses.items())),
        "not as it should be": dict(attack.wrong),
        "same answer afterwards": same,
        "MB before": round(first),
        "MB at most": round(peak),
        "MB after": round(last),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--codes", type=int, default=100_000, help="photos in the gallery")
    parser.add_argument("--kinds", action="store_true", help="print every kind of request, too")
    parser.add_argument("--note", default="", help="goes into the row")
    parser.add_argument("--output", type=Path, help="JSON lines, to which a row is added")
    options = parser.parse_args()
    print(f"{machine()}; {options.codes:,} codes of {N_BITS} bits", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        photos = [f"{folder}/{i}.jpg" for i in range(8)]
        for i, path in enumerate(photos):
            rng = np.random.default_rng(i)
            noise = Image.fromarray(rng.integers(0, 256, (150, 200, 3), dtype=np.uint8))
            noise.resize((2000, 1500)).save(path)
        with served(options, *photos) as (process, port):
            attack, row = asyncio.run(measure(process, port, options))
    for name, value in row.items():
        print(f"{name}: {value}")
    if options.kinds:
        for (role, kind, status), n in sorted(attack.counts.items(), key=str):
            print(f"  {role} | {kind} | {status}: {n}")
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        with options.output.open("a") as file:
            file.write(json.dumps(row) + "\n")
    grown = row["MB after"] - row["MB before"] > MOST_GROWTH
    sys.exit(1 if attack.wrong or grown or not row["same answer afterwards"] else 0)


if __name__ == "__main__":
    main()
