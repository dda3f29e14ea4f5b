"""Results on disk, one JSON object a line: a finished one is not computed again."""

import json
import os
from pathlib import Path


class Results:
    """Rows that stay in a file.

    Parameters
    ----------
    path : str or path-like
        Made if it is not there. A last line that is broken, as of a process that was killed while
        it wrote, is dropped.

    Raises
    ------
    ValueError
        If another line is broken (it is named).
    """

    def __init__(self, path):
        self.path, self.rows = Path(path), []
        if not self.path.exists():
            return
        lines = self.path.read_text().splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                self.rows.append(json.loads(line))
            except ValueError as error:
                if number < len(lines):
                    raise ValueError(f"{str(self.path)!r}, line {number}: {error}.") from error
        self._write("w", "".join(json.dumps(row) + "\n" for row in self.rows))

    def find(self, key):
        """All rows that have the entries of the dict `key`."""
        return [row for row in self.rows if key.items() <= row.items()]

    def add(self, row):
        """Append a dict."""
        self.rows.append(row)
        self._write("a", json.dumps(row) + "\n")

    def _write(self, mode, text):
        with open(self.path, mode) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
