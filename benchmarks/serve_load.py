"""The page's server: how long one drawing takes, and what many clients at once do to it.

    python benchmarks/serve_load.py

The server runs in a process of its own, on this machine: 100,000 random codes of 64 bits, and the
compact DeepSketchHasher after a few steps, which encodes as fast as a trained one.

* one client: milliseconds from sending a drawing to having the answer;
* 50 clients for 30 seconds, of whose uploads one in ten is damaged, too large or no picture:
  errors, searches a second, median and 99th percentile; and whether the server goes on.

Ends with status 1 if an answer was not the right one.
"""

import argparse
import asyncio
import io
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from itertools import count, cycle

import httpx
import numpy as np
from PIL import Image

import sklearn_dsh
from sklearn_dsh import make_sketch_photo

N_BITS = 64
N_DRAWINGS = 16
N_SINGLE = 200  # searches of the one client
BAD_EVERY = 10
PNG = {"Content-Type": "image/png"}


def serve(options):
    """Serve random codes; the port is printed when the server can be asked."""
    from sklearn_dsh import DeepSketchHasher
    from sklearn_dsh.gallery import Gallery
    from sklearn_dsh.serve import create_app
    from sklearn_dsh.serve._connections import make_server
    from sklearn_dsh.serve._run import _listen

    data = make_sketch_photo(n_categories=2, n_sketches=32, n_photos=32, random_state=0)
    hasher = DeepSketchHasher(N_BITS, max_iter=1, steps_per_iter=4, random_state=0)
    hasher.fit(data.sketches, data.images, (data.y_sketch, data.y_image))
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (options.codes, N_BITS // 8), dtype=np.uint8)
    photos = options.photos or ["missing.jpg"]
    paths = [path for path, _ in zip(cycle(photos), codes, strict=False)]
    app = create_app(hasher, Gallery(codes, N_BITS, paths))
    with _listen("127.0.0.1", 0) as listener:
        print(listener.getsockname()[1], flush=True)
        make_server(app).run(sockets=[listener])


@contextmanager
def served(options, *photos):
    """The process and the port of a server."""
    script = [sys.executable, __file__, "--serve", "--codes", str(options.codes), "--photos"]
    with subprocess.Popen([*script, *photos], stdout=subprocess.PIPE, text=True) as server:
        try:
            port = server.stdout.readline().strip()
            if not port:
                sys.exit("The server did not start: its own message is above.")
            yield server, int(port)
        finally:
            server.terminate()


def machine():
    return (
        f"sklearn-dsh {sklearn_dsh.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}, {os.cpu_count()} processors"
    )


def make_drawings():
    """Canvas-sized drawings as PNG files, with colour and transparency as a browser makes them."""
    data = make_sketch_photo(n_sketches=N_DRAWINGS, n_photos=1, size=512, random_state=1)
    files = []
    for sketch in data.sketches:
        file = io.BytesIO()
        Image.fromarray(sketch).convert("RGBA").save(file, "PNG")
        files.append(file.getvalue())
    return files


async def _pieces(n_megabytes):
    for _ in range(n_megabytes):
        yield bytes(1_000_000)


def bad_uploads(drawing):
    """Name to (how to make the body, content type, the right status)."""
    return {
        "damaged": (lambda: drawing[: len(drawing) // 2], "image/png", 422),
        "random bytes": (lambda: os.urandom(20_000), "image/png", 415),
        "text": (lambda: b"not a picture", "text/plain", 415),
        "6 MB": (lambda: bytes(6_000_000), "image/png", 413),
        "6 MB, length unknown": (lambda: _pieces(6), "image/png", 411),
    }


async def one_client(client, drawings):
    """Milliseconds of searches one after the other, and of them what the server counted."""
    waits, parts = [], []
    for i in range(N_SINGLE + 10):
        start = time.perf_counter()
        response = await client.post("/search", content=drawings[i % len(drawings)], headers=PNG)
        waits.append(1000 * (time.perf_counter() - start))
        answer = response.raise_for_status().json()
        parts.append([answer[part] for part in ("read_ms", "encode_ms", "search_ms")])
    median, last = np.percentile(waits[10:], [50, 99])
    read, encode, search = np.median(parts[10:], axis=0)
    print(
        f"one client, {N_SINGLE} drawings: median {median:.1f} ms, 99th percentile {last:.1f} ms; "
        f"in the server {read:.1f} ms to read, {encode:.1f} to encode, {search:.1f} to search",
        flush=True,
    )


async def many_clients(client, drawings, options):
    """Ask from all clients until the time or the number is used up; whether all went well."""
    waits, refused, errors = [], Counter(), Counter()
    bad, numbers = bad_uploads(drawings[0]), count()
    end = time.perf_counter() + options.seconds

    async def ask(number):
        start = time.perf_counter()
        if number % BAD_EVERY == 0:
            name = list(bad)[number // BAD_EVERY % len(bad)]
            make, content_type, right = bad[name]
            headers = {"Content-Type": content_type}
            response = await client.post("/search", content=make(), headers=headers)
            if response.status_code == right and "error" in response.json():
                refused[name] += 1
            else:
                errors[f"{name}: {response.status_code}"] += 1
            return
        drawing = drawings[number % len(drawings)]
        response = await client.post("/search", content=drawing, headers=PNG)
        waits.append(1000 * (time.perf_counter() - start))
        if response.status_code != 200:
            errors[str(response.status_code)] += 1

    async def one():
        while time.perf_counter() < end and (number := next(numbers)) < options.requests:
            try:
                await ask(number)
            except httpx.HTTPError as error:
                errors[type(error).__name__] += 1

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(options.clients)))
    seconds = time.perf_counter() - start
    median, last = np.percentile(waits, [50, 99])
    print(
        f"{options.clients} clients for {seconds:.0f} s: {len(waits)} searches, "
        f"{len(waits) / seconds:.0f} a second, median {median:.0f} ms, 99th percentile "
        f"{last:.0f} ms; {sum(refused.values())} bad uploads refused ({dict(refused)}); "
        f"{sum(errors.values())} errors {dict(errors) or ''}",
        flush=True,
    )
    return not errors


async def measure(address, options):
    drawings = make_drawings()
    limits = httpx.Limits(max_connections=options.clients)
    async with httpx.AsyncClient(
        base_url=address, timeout=60, limits=limits, trust_env=False
    ) as client:

        async def results():
            response = await client.post("/search", content=drawings[0], headers=PNG)
            return response.raise_for_status().json()["results"]

        await one_client(client, drawings)
        before = [(r["index"], r["distance"]) for r in await results()]
        all_well = await many_clients(client, drawings, options)
        same = [(r["index"], r["distance"]) for r in await results()] == before
        healthy = (await client.get("/health")).json()["status"] == "ok"
        print(f"afterwards: healthy {healthy}, the same answer as before {same}")
    return all_well and same and healthy


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--requests", type=int, default=20_000, help="at most so many")
    parser.add_argument("--codes", type=int, default=100_000, help="photos in the gallery")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--photos", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options)
        return
    print(f"{machine()}; {options.codes:,} codes of {N_BITS} bits", flush=True)
    with served(options) as (_, port):
        well = asyncio.run(measure(f"http://127.0.0.1:{port}", options))
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
