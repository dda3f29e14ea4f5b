"""The benchmark of an attack, for a second: every kind of client, and a server that goes on."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bad_uploads import DRAWING, to_bytes

pytest.importorskip("uvicorn", reason="the page needs Starlette and uvicorn")
pytest.importorskip("httpx", reason="the benchmark needs it")

from page_server import serving, wait_until

from sklearn_dsh.serve import create_app


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    import serve_attack

    yield serve_attack
    for name in ("serve_attack", "serve_load"):
        sys.modules.pop(name)


def run_apart(coroutine):
    """In a thread: in this one the tests of the browser may have left a loop that runs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@pytest.mark.filterwarnings("ignore:Image size")  # of a bomb
def test_short_attack(script, fitted_hasher, gallery):
    drawings = [to_bytes(DRAWING)]
    slow = script.slow_clients(drawings[0])
    with serving(create_app(fitted_hasher, gallery)) as (server, port):
        before = run_apart(script.answer_of(port, drawings[0]))
        attack = script.Attack(port, drawings, 1)
        run_apart(attack.run(40))
        assert run_apart(script.answer_of(port, drawings[0])) == before
        wait_until(lambda: not server.server_state.connections and not server.server_state.tasks)
    assert not attack.wrong
    assert before[0] == 200
    for kind in ("drawing", "photo"):
        assert len(attack.waits[kind]) == attack.counts["good", kind, 200] > 0
    met = {role: {kind for r, kind, _ in attack.counts if r == role} for role in script.ROLES}
    assert met["bad"] > set(script.BAD_UPLOADS)
    assert met["wrong"] == set(script.hostile_requests(drawings[0]))
    assert met["slow"] == set(slow)


def test_a_server_that_fails_is_told(script):
    """Else the benchmark could end well whatever the answers were."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            fields = [(b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 500, "headers": fields})
            await send({"type": "http.response.body", "body": b"{}"})

    with serving(app, timeout=0.5) as (_, port):
        attack = script.Attack(port, [to_bytes(DRAWING)], 0)
        run_apart(attack.run(10))
    assert attack.wrong["bomb: 500"]
    assert attack.wrong["TRACE: 500"]
    assert attack.wrong["drawing: 500"]
