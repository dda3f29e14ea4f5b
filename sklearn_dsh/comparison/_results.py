"""Results on disk, one JSON object a line: a finished one is not computed again."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

from .._outputs import check_output_file, check_output_folder, named_errors

try:
    import fcntl
except ImportError:  # Windows: one process at a time
    fcntl = None


class Results:
    """Rows that stay in a file.

    Parameters
    ----------
    path : str or path-like
        Made, with its folder, if it is not there. A last line that is broken, as of a process that
        was killed while it wrote, is dropped. Several processes may write to it.

    Raises
    ------
    ValueError
        If another line is broken (it is named), or the path leads to no regular file.
    """

    def __init__(self, path):
        self.path, self.rows = Path(path), []
        check_output_folder(self.path.parent)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        check_output_file(self.path)
        with _alone(self.path) as file:  # what cannot be written is told before any work
            lines = file.read().splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                self.rows.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{str(self.path)!r}, line {number}: {error}.") from error
            if not isinstance(self.rows[-1], dict):
                raise ValueError(
                    f"{str(self.path)!r}, line {number}: expected a JSON object, got {line[:40]!r}."
                )

    def find(self, key):
        """All rows that have the entries of the dict `key`."""
        return [row for row in self.rows if key.items() <= row.items()]

    def add(self, row):
        """Append a dict."""
        with named_errors(self.path), _alone(self.path) as file:
            file.write(json.dumps(row).encode() + b"\n")  # at the end, wherever it is read
            file.flush()
            os.fsync(file.fileno())
        self.rows.append(row)


@contextmanager
def _alone(path):
    """The file, open at its start, for one process at a time and without a broken last line."""
    with open(path, "ab+") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        lines = file.read().splitlines(keepends=True)
        if lines:
            try:
                json.loads(lines[-1])
            except (ValueError, RecursionError):
                file.truncate(sum(map(len, lines[:-1])))
            else:
                if not lines[-1].endswith(b"\n"):
                    file.write(b"\n")
        file.seek(0)
        yield file
